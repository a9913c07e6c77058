//! What people do with a call that is on: hold, take back, hand on, leave.

use super::fact::Fact;
use super::place::{NotPlaced, Order, Signal, Target, World};
use super::side::{Side, State, Who};
use super::stay::{Phase, Stay};
use super::talk::{OUTSIDE_MAX, Seat, Talk, reached};
use super::{Hands, Leg, Output};
use crate::account::Actor;
use crate::code::{CallStatus, EndCause};
use crate::id::AccountId;
use crate::outbound::{Show, Wish};

impl Stay {
    /// Whether `far` waits.
    pub(super) fn is_held(&self) -> bool {
        self.call.status == CallStatus::OnHold
    }

    /// Lets `far` wait with music. The others of a conference go on talking.
    pub(super) fn hold(&mut self, hands: &mut Hands<'_>) {
        let Some(talk) = &self.talk else { return };
        if !talk.far.is_up() || self.call.status == CallStatus::OnHold {
            return;
        }
        let far = talk.far.leg;
        self.call.status = CallStatus::OnHold;
        self.bridge(hands);
        if !self.is_conference() {
            hands.out.extend(far.map(|leg| Output::Music { leg, on: true }));
        }
        self.write(Actor::System, Fact::Handed { status: CallStatus::OnHold }, hands.now, hands.out);
        hands.out.push_back(Output::Board);
    }

    /// Takes `far` back.
    pub(super) fn take_back(&mut self, hands: &mut Hands<'_>) {
        self.drop_third(hands);
        if let Some(talk) = &self.talk
            && talk.near.is_up()
            && talk.far.is_up()
            && self.call.status == CallStatus::OnHold
        {
            self.join(hands);
        }
    }

    fn drop_third(&mut self, hands: &mut Hands<'_>) {
        let Some(third) = self.talk.as_mut().and_then(|talk| talk.third.take()) else { return };
        third.leave(hands);
        self.line_over(&third, hands);
        if let Some(talk) = &self.talk {
            Talk::signal(&talk.near, Signal::Silence, hands);
        }
    }

    /// The telephone of `near` or `far` puts its other side on hold by itself.
    pub(super) fn held_by(&mut self, leg: Leg, on: bool, hands: &mut Hands<'_>) {
        let Some(talk) = &self.talk else { return };
        // A softphone whose page is loaded again is no hold.
        let holds = talk.seat(leg) == Some(Seat::Near) && !talk.near.is_at_station();
        if holds && talk.third.is_none() {
            if on { self.hold(hands) } else { self.take_back(hands) }
        }
    }

    /// A digit that one side presses is for whom it talks with: who waits hears none.
    pub(super) fn digit(&mut self, leg: Leg, digit: char, hands: &mut Hands<'_>) {
        let Some(talk) = &self.talk else { return };
        let (asked, is_joined) = (talk.asked_leg(), self.call.status == CallStatus::WithAgent);
        let other = match talk.seat(leg) {
            Some(Seat::Near) => asked.or(talk.far.leg.filter(|_| is_joined)),
            Some(Seat::Far) => talk.near.leg.filter(|_| is_joined),
            Some(Seat::Third) => asked.and(talk.near.leg),
            Some(Seat::Beside(_)) | None => None,
        };
        hands.out.extend(other.map(|leg| Output::Dtmf { leg, digits: digit.to_string() }));
    }

    /// Does what somebody wants of a call.
    pub(super) fn order(
        &mut self,
        order: Order,
        by: Option<AccountId>,
        hands: &mut Hands<'_>,
    ) -> Result<(), NotPlaced> {
        let order = match order {
            Order::Join(joining) => return self.come_in(by, *joining, hands),
            Order::Conference { actor } => return self.confer(actor, hands),
            Order::Remove(number) => return self.remove(number, hands),
            order => order,
        };
        match (&order, by.and_then(|by| self.station_of(by))) {
            (Order::Answer | Order::Decline, at) => return self.rung(order == Order::Answer, at, hands),
            (Order::Mute(on), at) => return self.mute(*on, at, hands),
            (Order::Mask { on, actor }, _) => return self.mask(*on, by, *actor, hands),
            (_, Some((seat, _))) if seat != Seat::Near => {
                if let Some(done) = self.steps_in(&order, seat, hands) {
                    return done;
                }
            }
            _ => {}
        }
        let is_talking = |talk: &Talk| talk.near.is_up() && talk.far.is_up() && talk.telling.is_none();
        let talking = self.talk.as_ref().is_some_and(is_talking);
        match order {
            Order::Answer | Order::Decline | Order::Mute(_) | Order::Mask { .. } => {}
            Order::Join(_) | Order::Conference { .. } | Order::Remove(_) => {}
            Order::HangUp => self.leave(by, hands),
            Order::Transfer { target, attended, world } => return self.transfer(&target, attended, world, hands),
            Order::Hold(_) | Order::Dtmf(_) if !talking => return Err(NotPlaced::NotTalking),
            Order::Hold(true) => self.hold(hands),
            Order::Hold(false) => self.take_back(hands),
            Order::Dtmf(digits) => {
                let leg = self.talk.as_ref().and_then(|talk| talk.asked_leg().or(talk.far.leg));
                hands.out.extend(leg.map(|leg| Output::Dtmf { leg, digits }));
            }
        }
        Ok(())
    }

    /// `near` goes: hands on to whom it was asking, leaves a conference to those who talk in it, or ends the call. So does anybody else who
    /// may, for all.
    fn leave(&mut self, by: Option<AccountId>, hands: &mut Hands<'_>) {
        let goes_on = |talk: &&Talk| {
            let is_near = by.is_none() || talk.near.account().is_none() || by == talk.near.account();
            is_near && (talk.third.is_some() || self.is_conference())
        };
        let leg = self.talk.as_ref().filter(goes_on).and_then(|talk| talk.near.leg);
        match leg {
            Some(leg) => {
                self.seat_leaves(Seat::Near, hands);
                self.side_ended(leg, EndCause::ClinicHungUp, hands);
            }
            None => {
                let reached = self.talk.as_ref().is_none_or(|talk| talk.far.is_up());
                self.over(if reached { EndCause::ClinicHungUp } else { EndCause::Cancelled }, hands);
            }
        }
    }

    fn transfer(
        &mut self,
        target: &Target,
        attended: bool,
        world: Box<World>,
        hands: &mut Hands<'_>,
    ) -> Result<(), NotPlaced> {
        let by = self.talk.as_ref().and_then(|talk| talk.near.account());
        let with_staff = |talk: &Talk| talk.near.is_up() && talk.far.is_up() && talk.third.is_none();
        match &self.talk {
            Some(talk) if with_staff(talk) => {}
            None if self.phase == Phase::Attended && !attended => {}
            _ => return Err(NotPlaced::NotTalking),
        }
        if self.call.outgoing.len() >= OUTSIDE_MAX {
            return Err(NotPlaced::Full);
        }
        let dialled = if let Target::Outside(number) = target { number } else { "" };
        let wish = Wish { dialled, account: by, show: &Show::Usual };
        let who = reached(target, wish, &world, hands).map_err(|rule| {
            hands.refused(rule, by, dialled.to_owned(), self.ids.missed);
            NotPlaced::Rule(rule)
        })?;
        if self.talk.is_none() {
            self.take_from_receptionist(world.clone(), hands);
        }
        self.hold(hands);
        let Some(talk) = &mut self.talk else { return Err(NotPlaced::NotTalking) };
        talk.world = world;
        let shown = match (&who, target) {
            (Who::Outside(permit), _) => permit.number.clone(),
            (_, Target::Phone { extension, .. }) => extension.clone(),
            (_, Target::Outside(number)) => number.clone(),
        };
        if attended {
            talk.third = Some(Side::new(who).shown_as(shown));
            self.dial(Seat::Third, hands);
        } else {
            let former = std::mem::replace(&mut talk.near, Side::new(who).shown_as(shown));
            former.leave(hands);
            talk.former = former.leg.is_some().then(|| former.who.clone());
            self.line_over(&former, hands);
            if !self.refer(hands) {
                self.dial(Seat::Near, hands);
            }
        }
        Ok(())
    }

    /// The receptionist hands its caller on: the caller is `far` from now on, and `near` is still to come.
    pub(super) fn take_from_receptionist(&mut self, world: Box<World>, hands: &mut Hands<'_>) {
        let mut far = Side::new(Who::Caller);
        (far.leg, far.state) = (self.leg, State::Up);
        let near = Side::new(Who::Staff { account: None, phone: None, station: None });
        self.bridge_number(hands);
        let shown = self.call.from_number.clone();
        self.phase = Phase::Talking;
        self.talk = Some(Talk::new(near, far, shown, world));
        hands.out.push_back(Output::Dismiss(self.id()));
    }
}
