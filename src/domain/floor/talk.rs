//! A call that people of the clinic take part in: placed, put through, held, handed on.
//!
//! `near` is who handles the call for the clinic, `far` is whom it is about, `third` is who is asked before `far` is handed on.

use super::fact::Fact;
use super::place::{NotPlaced, Order, Origin, Placing, Signal, Tag, Target, To, World};
use super::side::{MINUTE, RINGING_MAX, Side, State, Who};
use super::stay::{Phase, Stay};
use super::{ARRIVING_MAX, Hands, Leg, Output, later};
use crate::account::Actor;
use crate::call::Outgoing;
use crate::code::{CallDirection, CallStatus, EndCause, OutboundRule};
use crate::outbound::{Permit, Wish};
use jiff::SignedDuration;

/// How long somebody hears that nobody will answer.
const TELLING_MAX: SignedDuration = SignedDuration::from_secs(4);
/// Calls to the outside within one call.
pub(super) const OUTSIDE_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Near,
    Far,
    Third,
}

#[derive(Debug)]
pub(super) struct Talk {
    near: Side,
    far: Side,
    third: Option<Side>,
    /// Who is rung again when nobody takes what they have handed on.
    former: Option<Who>,
    /// How the one who calls is shown to colleagues.
    shown: String,
    /// `near` is being told that it came to nothing, until then.
    telling: Option<(EndCause, crate::Timestamp)>,
    world: Box<World>,
    bridge: u64,
}

impl Talk {
    pub(super) fn wake_at(&self) -> Option<crate::Timestamp> {
        let third = self.third.as_ref().and_then(Side::wake_at);
        [self.near.wake_at(), self.far.wake_at(), third, self.telling.map(|(_, until)| until)]
            .into_iter()
            .flatten()
            .min()
    }

    fn seat(&self, leg: Leg) -> Option<Seat> {
        let third = self.third.as_ref().is_some_and(|third| third.leg == Some(leg));
        match leg {
            _ if self.near.leg == Some(leg) => Some(Seat::Near),
            _ if self.far.leg == Some(leg) => Some(Seat::Far),
            _ => third.then_some(Seat::Third),
        }
    }

    fn side(&mut self, seat: Seat) -> Option<&mut Side> {
        match seat {
            Seat::Near => Some(&mut self.near),
            Seat::Far => Some(&mut self.far),
            Seat::Third => self.third.as_mut(),
        }
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        [&self.near, &self.far].into_iter().chain(self.third.as_ref())
    }

    /// What somebody hears beside a bridge.
    fn signal(side: &Side, signal: Signal, hands: &mut Hands<'_>) {
        if let (Some(leg), true) = (side.leg, side.is_up()) {
            hands.out.push_back(Output::Signal { leg, signal });
        }
    }
}

/// Whether the rules let a party be reached, and who it is.
pub(super) fn reached(
    target: &Target,
    wish: Wish<'_>,
    world: &World,
    hands: &mut Hands<'_>,
) -> Result<Who, OutboundRule> {
    match target {
        Target::Phone { phone, account, .. } => Ok(Who::Staff { account: *account, phone: Some(*phone) }),
        Target::Outside(_) => {
            let permit = world.rules.permit(&wish, &world.tenant, &world.trunks, hands.ledger, hands.now)?;
            Ok(Who::Outside(Box::new(permit)))
        }
    }
}

impl Stay {
    /// Begins a call that somebody of the clinic places.
    pub(super) fn place(&mut self, placing: Placing, far: Who, hands: &mut Hands<'_>) {
        let Placing { by, origin, shown, world, .. } = placing;
        let staff = |phone| Who::Staff { account: by, phone };
        let near = match origin {
            Origin::Phone(phone) => Side::new(staff(Some(phone))),
            Origin::Calling(phone, leg) => Side::with(staff(Some(phone)), leg, State::Waiting),
            Origin::Station(leg) => Side::with(staff(None), leg, State::Up),
        };
        if let Who::Outside(permit) = &far {
            // Before anything is dialled: of two wishes that come while telephones ring, the second must see the first.
            hands.reserve((self.id(), 0), permit, by);
        }
        let (far, bridge) = (Side::new(far), hands.bridge());
        let world = Box::new(world);
        self.phase = Phase::Talking;
        self.talk = Some(Talk { near, far, third: None, former: None, shown, telling: None, world, bridge });
        let first = if matches!(origin, Origin::Phone(_)) { Seat::Near } else { Seat::Far };
        self.dial(first, hands);
        hands.out.push_back(Output::Board);
    }

    /// An emergency number was dialled: marked, and looked after by a person.
    pub(super) fn dials_emergency(&mut self, hands: &mut Hands<'_>) {
        self.call.emergency = true;
        let (sign, language, number) = ("dialled".to_owned(), self.call.language, self.call.to_number.clone());
        let fact = Fact::Emergency { sign, language, number, task: Some(self.ids.emergency) };
        self.write(Actor::System, fact, hands.now, hands.out);
    }

    /// Rings a side, or tries its next trunk. False when there is none.
    fn dial(&mut self, seat: Seat, hands: &mut Hands<'_>) -> bool {
        let (call, calls) = (self.id(), self.call.outgoing.len());
        let number = match self.call.direction {
            CallDirection::Incoming | CallDirection::Internal => self.call.from_number.clone(),
            CallDirection::Outgoing => self.call.to_number.clone(),
        };
        let Some(talk) = &mut self.talk else { return false };
        let (shown, by) = (if seat == Seat::Far { talk.shown.clone() } else { number }, talk.near.account());
        let currency = talk.world.rules.currency.clone();
        let Some(side) = talk.side(seat) else { return false };
        let mut news = None;
        let to = match &side.who {
            Who::Caller => return false,
            Who::Staff { phone: Some(phone), .. } => To::Phone { phone: *phone, shown },
            Who::Staff { phone: None, .. } => return false,
            Who::Outside(permit) => {
                let Some(way) = side.ways.pop_front() else { return false };
                match side.line {
                    Some(_) => news = Some(Fact::Rerouted { trunk: way.trunk, caller_id: way.caller_id.clone() }),
                    None => {
                        side.line = Some(calls);
                        let outgoing = outgoing(permit, &way, by, currency, hands.now);
                        hands.reserve((call, calls), permit, by);
                        self.call.outgoing.push(outgoing.clone());
                        news = Some(Fact::Dialled(Box::new(outgoing)));
                    }
                }
                To::Trunk { trunk: way.trunk, number: way.number, caller_id: way.caller_id }
            }
        };
        let tag = hands.tag();
        (side.tag, side.leg, side.state) = (Some(tag), None, State::Dialled);
        side.until = Some(later(hands.now, RINGING_MAX));
        if let Some(fact) = news {
            self.write(Actor::System, fact, hands.now, hands.out);
        }
        hands.out.push_back(Output::Dial { call, tag, to });
        true
    }

    /// A dialled leg has its number. False when nobody waits for it any more.
    pub(super) fn dialling(&mut self, tag: Tag, leg: Leg) -> bool {
        let Some(talk) = self.talk.as_mut().filter(|_| matches!(self.phase, Phase::Talking)) else { return false };
        for seat in [Seat::Near, Seat::Far, Seat::Third] {
            if let Some(side) = talk.side(seat).filter(|side| side.tag == Some(tag)) {
                side.leg = Some(leg);
                if seat == Seat::Far {
                    self.leg = Some(leg);
                }
                return true;
            }
        }
        false
    }

    /// Whether this is being dialled for the call.
    pub(super) fn waits_for(&self, tag: Tag) -> bool {
        self.talk.as_ref().is_some_and(|talk| talk.sides().any(|side| side.tag == Some(tag) && side.leg.is_none()))
    }

    /// What was to be dialled could not be: it has failed.
    pub(super) fn not_dialled(&mut self, tag: Tag, hands: &mut Hands<'_>) {
        for seat in [Seat::Near, Seat::Far, Seat::Third] {
            let is_it = |side: &mut Side| side.tag == Some(tag) && side.leg.is_none();
            if self.talk.as_mut().and_then(|talk| talk.side(seat)).is_some_and(is_it) {
                return self.seat_ended(seat, EndCause::Failed, hands);
            }
        }
    }

    /// It rings there: whoever waits for it hears so.
    pub(super) fn ringing(&mut self, leg: Leg, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        let Some(seat) = talk.seat(leg) else { return };
        let Some(side) = talk.side(seat).filter(|side| side.state == State::Dialled) else { return };
        side.state = State::Ringing;
        match seat {
            Seat::Far if talk.near.state == State::Waiting => {
                hands.out.extend(talk.near.leg.map(Output::Ring));
            }
            Seat::Far | Seat::Third => Talk::signal(&talk.near, Signal::Ringback, hands),
            // Who is handed on hears music meanwhile.
            Seat::Near => {}
        }
    }

    /// A leg of the talk is up.
    pub(super) fn side_answered(&mut self, leg: Leg, rate_hz: u32, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        let Some(seat) = talk.seat(leg) else { return };
        let Some(side) = talk.side(seat).filter(|side| !side.is_up()) else { return };
        side.answered(hands.now);
        if let Some(index) = side.line {
            if let Some(outgoing) = self.call.outgoing.get_mut(index) {
                outgoing.answered_at = Some(hands.now);
            }
            self.write(Actor::System, Fact::OutsideAnswered { index }, hands.now, hands.out);
        }
        let Some(talk) = &mut self.talk else { return };
        match seat {
            Seat::Far if talk.near.state == State::Waiting => {
                (talk.near.state, talk.near.until) = (State::Answering, Some(later(hands.now, ARRIVING_MAX)));
                hands.out.extend(talk.near.leg.map(Output::Answer));
            }
            Seat::Near if talk.far.state == State::Idle => {
                self.dial(Seat::Far, hands);
            }
            Seat::Third => {
                Talk::signal(&talk.near, Signal::Silence, hands);
                self.bridge(Seat::Third, hands);
            }
            Seat::Near | Seat::Far if talk.near.is_up() && talk.far.is_up() => self.join(hands),
            Seat::Near | Seat::Far => {}
        }
        self.record_far(seat, rate_hz, hands);
        hands.out.push_back(Output::Board);
    }

    /// Whom we call outside is recorded where the rules say so; whoever called the clinic is recorded already.
    fn record_far(&mut self, seat: Seat, rate_hz: u32, hands: &mut Hands<'_>) {
        let wanted = |talk: &Talk| {
            matches!(talk.far.who, Who::Outside(_)) && talk.world.rules.is_recorded && talk.world.tenant.record_calls
        };
        if seat == Seat::Far && self.talk.as_ref().is_some_and(wanted) {
            self.record(rate_hz, hands.now, hands.out);
        }
    }

    /// Both sides hear each other from now on.
    fn join(&mut self, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        talk.former = None;
        let agent = talk.near.account();
        if self.call.status == CallStatus::OnHold {
            hands.out.extend(talk.far.leg.map(|leg| Output::Music { leg, on: false }));
        }
        Talk::signal(&talk.near, Signal::Silence, hands);
        Talk::signal(&talk.far, Signal::Silence, hands);
        self.bridge(Seat::Far, hands);
        self.call.status = CallStatus::WithAgent;
        self.call.agent = agent.or(self.call.agent);
        self.call.answered_at = self.call.answered_at.or(Some(hands.now));
        self.write(Actor::System, Fact::Joined { agent }, hands.now, hands.out);
        hands.out.push_back(Output::Board);
    }

    /// Bridges `near` with another side.
    fn bridge(&mut self, with: Seat, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        let (bridge, near) = (talk.bridge, (talk.near.leg, talk.near.class()));
        let Some(other) = talk.side(with).map(|side| (side.leg, side.class())) else { return };
        let parties = [near, other].into_iter().filter_map(|(leg, class)| leg.map(|leg| (leg, class)));
        hands.out.push_back(Output::Bridge { bridge, parties: parties.collect() });
    }

    /// Lets `far` wait with music.
    fn hold(&mut self, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        if !talk.far.is_up() || self.call.status == CallStatus::OnHold {
            return;
        }
        hands.out.push_back(Output::Bridge { bridge: talk.bridge, parties: Vec::new() });
        hands.out.extend(talk.far.leg.map(|leg| Output::Music { leg, on: true }));
        self.call.status = CallStatus::OnHold;
        self.write(Actor::System, Fact::Handed { status: CallStatus::OnHold }, hands.now, hands.out);
        hands.out.push_back(Output::Board);
    }

    /// Takes `far` back.
    fn take_back(&mut self, hands: &mut Hands<'_>) {
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
        hands.out.extend(third.leg.map(Output::HangUp));
        self.line_over(&third, hands);
        if let Some(talk) = &self.talk {
            Talk::signal(&talk.near, Signal::Silence, hands);
        }
    }

    /// The telephone of `near` or `far` puts its other side on hold by itself.
    pub(super) fn held_by(&mut self, leg: Leg, on: bool, hands: &mut Hands<'_>) {
        let Some(talk) = &self.talk else { return };
        if talk.seat(leg) == Some(Seat::Near) && talk.third.is_none() {
            if on { self.hold(hands) } else { self.take_back(hands) }
        }
    }

    /// A digit that one side presses is for the other.
    pub(super) fn digit(&mut self, leg: Leg, digit: char, hands: &mut Hands<'_>) {
        let Some(talk) = self.talk.as_ref().filter(|_| self.call.status == CallStatus::WithAgent) else { return };
        let other = match talk.seat(leg) {
            Some(Seat::Near) => talk.far.leg,
            Some(Seat::Far) => talk.near.leg,
            Some(Seat::Third) | None => None,
        };
        hands.out.extend(other.map(|leg| Output::Dtmf { leg, digits: digit.to_string() }));
    }

    /// Does what somebody wants of a call.
    pub(super) fn order(&mut self, order: Order, hands: &mut Hands<'_>) -> Result<(), NotPlaced> {
        let is_talking = |talk: &Talk| talk.near.is_up() && talk.far.is_up() && talk.telling.is_none();
        let talking = self.talk.as_ref().is_some_and(is_talking);
        match order {
            Order::HangUp => self.leave(hands),
            Order::Transfer { target, attended, world } => return self.transfer(&target, attended, world, hands),
            Order::Hold(_) | Order::Dtmf(_) if !talking => return Err(NotPlaced::NotTalking),
            Order::Hold(true) => self.hold(hands),
            Order::Hold(false) => self.take_back(hands),
            Order::Dtmf(digits) => {
                let leg = self.talk.as_ref().and_then(|talk| talk.far.leg);
                hands.out.extend(leg.map(|leg| Output::Dtmf { leg, digits }));
            }
        }
        Ok(())
    }

    /// `near` goes: hands on to whom it was asking, or ends the call.
    fn leave(&mut self, hands: &mut Hands<'_>) {
        let leg = self.talk.as_ref().filter(|talk| talk.third.is_some()).and_then(|talk| talk.near.leg);
        match leg {
            Some(leg) => {
                hands.out.push_back(Output::HangUp(leg));
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
        let wish = Wish { dialled, account: by, caller_id: None };
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
        if attended {
            talk.third = Some(Side::new(who));
            self.dial(Seat::Third, hands);
        } else {
            let former = std::mem::replace(&mut talk.near, Side::new(who));
            hands.out.extend(former.leg.map(Output::HangUp));
            talk.former = former.leg.is_some().then(|| former.who.clone());
            self.line_over(&former, hands);
            self.dial(Seat::Near, hands);
        }
        Ok(())
    }

    /// The receptionist hands its caller on: the caller is `far` from now on, and `near` is still to come.
    fn take_from_receptionist(&mut self, world: Box<World>, hands: &mut Hands<'_>) {
        let mut far = Side::new(Who::Caller);
        (far.leg, far.state) = (self.leg, State::Up);
        let near = Side::new(Who::Staff { account: None, phone: None });
        let (shown, bridge) = (self.call.from_number.clone(), hands.bridge());
        self.phase = Phase::Talking;
        self.talk = Some(Talk { near, far, third: None, former: None, shown, telling: None, world, bridge });
        hands.out.push_back(Output::Dismiss(self.id()));
    }

    /// A leg of the talk has ended.
    pub(super) fn side_ended(&mut self, leg: Leg, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(seat) = self.talk.as_ref().and_then(|talk| talk.seat(leg)) else { return };
        self.seat_ended(seat, cause, hands);
        hands.out.push_back(Output::Board);
    }

    fn seat_ended(&mut self, seat: Seat, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(side) = self.talk.as_mut().and_then(|talk| talk.side(seat)) else { return };
        let was_up = side.is_up();
        side.leg = None;
        // The next trunk, where there is one; a telephone is not rung twice.
        let has_ways = !was_up && cause == EndCause::Failed && !side.ways.is_empty();
        if has_ways && self.dial(seat, hands) {
            return;
        }
        match seat {
            Seat::Third => self.take_back(hands),
            Seat::Far if was_up => {
                let far_is_caller = self.call.direction == CallDirection::Incoming;
                let by_far = if far_is_caller { EndCause::CallerHungUp } else { EndCause::CalledHungUp };
                self.over(if cause == EndCause::CallerHungUp { by_far } else { cause }, hands);
            }
            Seat::Far => self.unreached(cause, hands),
            Seat::Near => self.near_ended(was_up, cause, hands),
        }
    }

    fn near_ended(&mut self, was_up: bool, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        if let Some((cause, _)) = talk.telling {
            return self.over(cause, hands);
        }
        if let Some(third) = talk.third.take() {
            let asked = std::mem::replace(&mut talk.near, third);
            let is_there = talk.near.is_up();
            self.line_over(&asked, hands);
            if is_there {
                self.join(hands);
            }
            return;
        }
        let waited = !was_up && talk.far.is_up() && talk.near.state != State::Answering;
        if waited {
            return self.not_taken(cause, hands);
        }
        let cause = match cause {
            _ if !talk.far.is_up() && was_up => EndCause::Cancelled,
            EndCause::CallerHungUp => EndCause::ClinicHungUp,
            cause => cause,
        };
        self.over(cause, hands);
    }

    /// Nobody has taken what was handed on: it goes back to where it came from.
    fn not_taken(&mut self, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        let next = talk.former.take().map_or_else(|| Side::new(Who::Caller), Side::new);
        let tried = std::mem::replace(&mut talk.near, next);
        self.line_over(&tried, hands);
        if self.dial(Seat::Near, hands) {
            return;
        }
        if self.call.direction != CallDirection::Incoming {
            return self.over(cause, hands);
        }
        self.talk = None;
        self.phase = Phase::Attended;
        self.call.status = CallStatus::WithReceptionist;
        hands.out.extend(self.leg.map(|leg| Output::Music { leg, on: false }));
        self.write(Actor::System, Fact::Handed { status: self.call.status }, hands.now, hands.out);
        hands.out.extend(self.attend());
    }

    /// Whom we called is not there: `near` is told so.
    fn unreached(&mut self, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        match (talk.near.state, talk.near.leg) {
            (State::Waiting, Some(leg)) => {
                hands.out.push_back(Output::Refuse(leg, status_of(cause)));
                talk.near.leg = None;
                self.over(cause, hands);
            }
            (State::Up, Some(_)) => {
                talk.telling = Some((cause, later(hands.now, TELLING_MAX)));
                let far = std::mem::replace(&mut talk.far, Side::new(Who::Caller));
                Talk::signal(&talk.near, Signal::Busy, hands);
                self.line_over(&far, hands);
            }
            _ => self.over(cause, hands),
        }
    }

    /// Nothing more is to be paid for a side.
    fn line_over(&mut self, side: &Side, hands: &mut Hands<'_>) {
        let Some(index) = side.line else {
            hands.ledger.end((self.call.id, self.call.outgoing.len()), 0);
            return;
        };
        let Some(outgoing) = self.call.outgoing.get_mut(index).filter(|outgoing| outgoing.ended_at.is_none()) else {
            return;
        };
        outgoing.end(hands.now);
        hands.ledger.end((self.call.id, index), outgoing.cost);
        self.write(Actor::System, Fact::OutsideEnded { index }, hands.now, hands.out);
    }

    /// The call is over: whoever is left is hung up on.
    pub(super) fn over(&mut self, cause: EndCause, hands: &mut Hands<'_>) {
        if let Some(talk) = self.talk.take() {
            for side in talk.sides() {
                hands.out.extend(side.leg.map(Output::HangUp));
                self.line_over(side, hands);
            }
        }
        self.end(cause, hands.now, hands.out);
    }

    /// Something has lasted long enough: ringing, a minute, a busy tone.
    pub(super) fn talk_wake(&mut self, hands: &mut Hands<'_>) {
        let now = hands.now;
        let Some(talk) = &self.talk else { return };
        if let Some((cause, _)) = talk.telling.filter(|(_, until)| *until <= now) {
            return self.over(cause, hands);
        }
        for seat in [Seat::Near, Seat::Far, Seat::Third] {
            let Some(side) = self.talk.as_mut().and_then(|talk| talk.side(seat)) else { continue };
            if side.minute_at.is_some_and(|at| at <= now) {
                self.next_minute(seat, hands);
            } else if side.until.take_if(|until| *until <= now).is_some() {
                hands.out.extend(side.leg.map(Output::HangUp));
                self.seat_ended(seat, EndCause::NoAnswer, hands);
            }
        }
    }

    /// Another minute of a call to the outside begins, if the caps leave room for it; otherwise the call ends.
    fn next_minute(&mut self, seat: Seat, hands: &mut Hands<'_>) {
        let call = self.id();
        let Some(talk) = &mut self.talk else { return };
        let rules = talk.world.rules.clone();
        let Some(side) = talk.side(seat) else { return };
        let (Some(at), Some(index)) = (side.minute_at, side.line) else { return };
        let allowed = if side.minutes >= rules.minutes_max {
            Err(OutboundRule::Minutes)
        } else {
            hands.ledger.next_minute((call, index), &rules, hands.now)
        };
        match allowed {
            Ok(()) => (side.minutes, side.minute_at) = (side.minutes + 1, Some(later(at, MINUTE))),
            Err(rule) => {
                let (by, number) = (self.call.agent, self.call.to_number.clone());
                hands.refused(rule, by, number, self.ids.missed);
                self.over(EndCause::Limit, hands);
            }
        }
    }
}

fn outgoing(
    permit: &Permit,
    way: &crate::outbound::Way,
    by: Option<crate::id::AccountId>,
    currency: String,
    now: crate::Timestamp,
) -> Outgoing {
    Outgoing {
        number: permit.number.clone(),
        placed_at: now,
        answered_at: None,
        ended_at: None,
        by,
        trunk: way.trunk,
        caller_id: way.caller_id.clone(),
        is_emergency: permit.is_emergency,
        minute_price: permit.minute_price,
        minutes_max: permit.minutes_max,
        cost: 0,
        currency,
    }
}

/// What a telephone that waits is told (RFC 3261 section 21).
fn status_of(cause: EndCause) -> u16 {
    match cause {
        EndCause::Busy => 486,
        EndCause::NoAnswer => 480,
        EndCause::Refused => 404,
        _ => 503,
    }
}
