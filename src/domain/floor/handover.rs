//! Transfers that a telephone asks for by itself (RFC 3515): to a number, or by joining two calls of its own.

use super::fact::Fact;
use super::place::{Asked, NotPlaced, Order, World};
use super::side::{Side, State, Who};
use super::stay::Stay;
use super::talk::{OUTSIDE_MAX, Seat, outgoing};
use super::{Floor, Hands, Leg, Output, refusal_of};
use crate::Timestamp;
use crate::account::Actor;
use crate::code::EndCause;
use crate::id::PhoneId;

/// What a telephone is told whose transfer is done.
const STATUS_DONE: u16 = 200;

impl Floor {
    /// A telephone wants its call to go elsewhere. It is told what came of it before its leg ends.
    pub(super) fn transfer_asked(&mut self, leg: Leg, asked: Asked, world: Box<World>, now: Timestamp) {
        let told_at = self.out.len();
        let done = match asked {
            Asked::Target(target) => {
                let order = Order::Transfer { target, attended: false, world };
                let call = self.legs.get(&leg).copied();
                let done = call.and_then(|call| {
                    self.with(call, now, |stay, hands| {
                        if stay.sit_near(leg) { stay.order(order, None, hands) } else { Err(NotPlaced::NotTalking) }
                    })
                });
                done.unwrap_or(Err(NotPlaced::NotTalking))
            }
            Asked::Leg(other) => self.join_calls(leg, other, now),
        };
        let status = done.map_or_else(refusal_of, |()| STATUS_DONE);
        self.out.insert(told_at, Output::TransferTold { leg, status });
    }

    /// A leg takes another's place (RFC 3891); once it is up, it is bridged as that one was.
    pub(super) fn replaced(&mut self, leg: Leg, by: Leg, now: Timestamp) {
        let Some(call) = self.legs.get(&leg).copied() else { return };
        if self.with(call, now, |stay, _| stay.put_in_place(leg, by)) == Some(true) {
            self.legs.insert(by, call);
        }
    }

    /// Joins the other sides of two calls of one telephone. A colleague goes over into the other call. So does, where both are
    /// outside, whom the telephone has called, within the rules as before: their line ends in the one call and begins in the other.
    /// Two who have both called the clinic are not joined.
    fn join_calls(&mut self, leg: Leg, other: Leg, now: Timestamp) -> Result<(), NotPlaced> {
        let found = |leg| self.legs.get(&leg).copied().and_then(|call| self.stays.get(&call).map(|stay| (call, stay)));
        let ((first, one), (second, two)) = found(leg).zip(found(other)).ok_or(NotPlaced::NotTalking)?;
        let same = one.phone_at(leg).is_some() && one.phone_at(leg) == two.phone_at(other);
        if first == second || !same {
            return Err(NotPlaced::NotTalking);
        }
        let is_staff = |side: &Side| matches!(side.who, Who::Staff { .. });
        let is_called = |side: &Side| matches!(side.who, Who::Outside(_));
        let is = |stay: &Stay, leg, is_it: &dyn Fn(&Side) -> bool| stay.opposite(leg).is_some_and(is_it);
        let second_goes = is(two, other, &is_staff) || !is(one, leg, &is_staff) && is(two, other, &is_called);
        let first_goes = is(one, leg, &is_staff) || is(one, leg, &is_called);
        let (stays, goes, from, to) = match (second_goes, first_goes) {
            (true, _) => (first, second, other, leg),
            (false, true) => (second, first, leg, other),
            (false, false) => return Err(NotPlaced::NotTalking),
        };
        let is_paid = self.stays.get(&goes).is_some_and(|stay| is(stay, from, &is_called));
        let is_full = |stay: &Stay| stay.call.outgoing.len() >= OUTSIDE_MAX;
        if is_paid && self.stays.get(&stays).is_some_and(is_full) {
            return Err(NotPlaced::Full);
        }
        let side =
            self.with(goes, now, |stay, hands| stay.give_away(from, hands)).unwrap_or(Err(NotPlaced::NotTalking))?;
        self.legs.extend(side.leg.map(|leg| (leg, stays)));
        self.with(stays, now, |stay, hands| stay.replace(to, side, hands));
        Ok(())
    }
}

impl Stay {
    /// Makes whoever has this leg the one who handles the call; between colleagues both may. False for anybody else.
    pub(super) fn sit_near(&mut self, leg: Leg) -> bool {
        let Some(talk) = &mut self.talk else { return false };
        if talk.seat(leg) == Some(Seat::Far) && matches!(talk.far.who, Who::Staff { .. }) {
            std::mem::swap(&mut talk.near, &mut talk.far);
        }
        talk.seat(leg) == Some(Seat::Near)
    }

    /// Gives a side another leg. False where no side has the one that it replaces.
    fn put_in_place(&mut self, leg: Leg, by: Leg) -> bool {
        let Some(side) = self.seat(leg).and_then(|seat| self.side(seat)) else { return false };
        (side.leg, side.state) = (Some(by), State::Answering);
        if self.leg == Some(leg) {
            self.leg = Some(by);
        }
        true
    }

    /// The telephone that has this leg.
    fn phone_at(&self, leg: Leg) -> Option<PhoneId> {
        let talk = self.talk.as_ref()?;
        match talk.sides().find(|side| side.leg == Some(leg)).map(|side| &side.who)? {
            Who::Staff { phone, .. } => *phone,
            Who::Caller | Who::Outside(_) => None,
        }
    }

    /// Whom the one at this leg talks with, while both are there and nobody else is.
    fn opposite(&self, leg: Leg) -> Option<&Side> {
        let talk = self.talk.as_ref().filter(|talk| talk.third.is_none() && self.participants.is_empty())?;
        let side = match talk.seat(leg)? {
            Seat::Near => &talk.far,
            Seat::Far => &talk.near,
            Seat::Third | Seat::Beside(_) => return None,
        };
        side.is_up().then_some(side)
    }

    /// Gives the other side of this leg to another call; this one is over.
    fn give_away(&mut self, leg: Leg, hands: &mut Hands<'_>) -> Result<Side, NotPlaced> {
        let side = self.opposite(leg).ok_or(NotPlaced::NotTalking)?.clone();
        let (call, by) = (self.id(), self.call.agent);
        let talk = self.talk.as_mut().ok_or(NotPlaced::NotTalking)?;
        if let Some(index) = side.line {
            // Each call pays for its begun minutes, so that the one in which it changes hands is paid for twice.
            let allowed = hands.ledger.next_minute((call, index), &talk.world.rules, hands.now);
            allowed.map_err(|rule| {
                hands.refused(rule, by, self.call.to_number.clone(), self.ids.missed);
                NotPlaced::Rule(rule)
            })?;
        }
        let given = if talk.near.leg == side.leg { &mut talk.near } else { &mut talk.far };
        *given = Side::new(Who::Caller);
        self.line_over(&side, hands);
        if self.is_held() {
            hands.out.extend(side.leg.map(|leg| Output::Music { leg, on: false }));
        }
        self.over(EndCause::ClinicHungUp, hands);
        Ok(side)
    }

    /// Puts another side in the place of the one at this leg, and joins it with whom that one talked with.
    fn replace(&mut self, leg: Leg, mut side: Side, hands: &mut Hands<'_>) {
        self.take_line(&mut side, hands);
        let Some(talk) = &mut self.talk else { return };
        match talk.seat(leg) {
            Some(Seat::Near) => talk.near = side,
            Some(Seat::Far) => talk.far = side,
            Some(Seat::Third | Seat::Beside(_)) | None => return,
        }
        hands.out.push_back(Output::HangUp(leg));
        self.join(hands);
    }

    /// What is paid for a side that comes from another call is paid for in this one from now on.
    fn take_line(&mut self, side: &mut Side, hands: &mut Hands<'_>) {
        let index = self.call.outgoing.len();
        let (Who::Outside(permit), Some(_), Some(way)) = (&side.who, side.line, side.way.clone()) else { return };
        let by = self.talk.as_ref().and_then(|talk| talk.near.account());
        let currency = self.talk.as_ref().map(|talk| talk.world.rules.currency.clone()).unwrap_or_default();
        let mut line = outgoing(permit, &way, by, currency, hands.now);
        self.write(Actor::System, Fact::Dialled(Box::new(line.clone())), hands.now, hands.out);
        self.write(Actor::System, Fact::OutsideAnswered { index }, hands.now, hands.out);
        line.answered_at = Some(hands.now);
        self.call.outgoing.push(line);
        hands.reserve((self.id(), index), permit, by);
        side.line = Some(index);
        side.next_call(hands.now);
    }
}
