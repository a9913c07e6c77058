//! A call that people of the clinic take part in: placed, put through, held, handed on.
//!
//! `near` is who handles the call for the clinic, `far` is whom it is about, `third` is who is asked before `far` is handed on.
//! What people do with it is in `order`, how it ends in `ending`.

use super::fact::Fact;
use super::mask::Mask;
use super::place::{Origin, Placing, Signal, Tag, Target, To, World};
use super::side::{Side, State, Who};
use super::stay::{Phase, Stay};
use super::{ARRIVING_MAX, Hands, Leg, Output, later};
use crate::account::Actor;
use crate::call::Outgoing;
use crate::code::{CallDirection, CallStatus, EndCause, OutboundRule};
use crate::outbound::{Permit, Way, Wish};

/// Calls to the outside within one call.
pub(super) const OUTSIDE_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Near,
    Far,
    Third,
    /// A participant beside them, by number.
    Beside(u32),
}

#[derive(Debug)]
pub(super) struct Talk {
    pub(super) near: Side,
    pub(super) far: Side,
    pub(super) third: Option<Side>,
    /// Who is rung again when nobody takes what they have handed on.
    pub(super) former: Option<Who>,
    /// How the one who calls is shown to colleagues.
    pub(super) shown: String,
    /// `near` is being told that it came to nothing, until then.
    pub(super) telling: Option<(EndCause, crate::Timestamp)>,
    /// The provider is asked to take `far` on by itself, and has said nothing until then.
    pub(super) referred: Option<crate::Timestamp>,
    /// What is said now is kept nowhere.
    pub(super) mask: Option<Mask>,
    pub(super) world: Box<World>,
}

impl Talk {
    pub(super) fn new(near: Side, far: Side, shown: String, world: Box<World>) -> Self {
        Self { near, far, third: None, former: None, shown, telling: None, referred: None, mask: None, world }
    }

    pub(super) fn wake_at(&self) -> Option<crate::Timestamp> {
        let third = self.third.as_ref().and_then(Side::wake_at);
        [
            self.near.wake_at(),
            self.far.wake_at(),
            third,
            self.telling.map(|(_, until)| until),
            self.referred,
            self.mask.map(|mask| mask.until),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn seat(&self, leg: Leg) -> Option<Seat> {
        let third = self.third.as_ref().is_some_and(|third| third.has(leg));
        match leg {
            _ if self.near.has(leg) => Some(Seat::Near),
            _ if self.far.has(leg) => Some(Seat::Far),
            _ => third.then_some(Seat::Third),
        }
    }

    pub(super) fn side(&mut self, seat: Seat) -> Option<&mut Side> {
        match seat {
            Seat::Near => Some(&mut self.near),
            Seat::Far => Some(&mut self.far),
            Seat::Third => self.third.as_mut(),
            Seat::Beside(_) => None,
        }
    }

    pub(super) fn sides(&self) -> impl Iterator<Item = &Side> {
        [&self.near, &self.far].into_iter().chain(self.third.as_ref())
    }

    /// The leg of whom `near` asks, while they talk.
    pub(super) fn asked_leg(&self) -> Option<Leg> {
        self.third.as_ref().filter(|third| third.is_up()).and_then(|third| third.leg)
    }

    /// What somebody hears beside a bridge.
    pub(super) fn signal(side: &Side, signal: Signal, hands: &mut Hands<'_>) {
        if let (Some(leg), true) = (side.leg, side.is_up() || side.hears) {
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
        Target::Phone { phone, account, station, .. } => {
            Ok(Who::Staff { account: *account, phone: Some(*phone), station: *station })
        }
        Target::Outside(_) => {
            let permit = world.rules.permit(&wish, &world.tenant, &world.trunks, hands.ledger, hands.now)?;
            Ok(Who::Outside(Box::new(permit)))
        }
    }
}

impl Stay {
    /// Where in the call this leg is.
    pub(super) fn seat(&self, leg: Leg) -> Option<Seat> {
        self.talk.as_ref().and_then(|talk| talk.seat(leg)).or_else(|| self.seat_beside(leg))
    }

    /// Who is there.
    pub(super) fn side(&mut self, seat: Seat) -> Option<&mut Side> {
        match seat {
            Seat::Beside(number) => self.side_beside(number),
            _ => self.talk.as_mut().and_then(|talk| talk.side(seat)),
        }
    }

    /// Everybody who is in it, or is being reached for it.
    pub(super) fn sides(&self) -> impl Iterator<Item = &Side> {
        let beside = self.participants.iter().map(|participant| &participant.side);
        self.talk.iter().flat_map(Talk::sides).chain(beside)
    }

    /// Every seat that there may be.
    pub(super) fn seats(&self) -> Vec<Seat> {
        [Seat::Near, Seat::Far, Seat::Third].into_iter().chain(self.seats_beside()).collect()
    }

    /// The bridge of the call, from the first time that one is wanted.
    pub(super) fn bridge_number(&mut self, hands: &mut Hands<'_>) -> u64 {
        *self.bridge.get_or_insert_with(|| hands.bridge())
    }

    /// Begins a call that somebody of the clinic places.
    pub(super) fn place(&mut self, placing: Placing, far: Who, hands: &mut Hands<'_>) {
        let Placing { by, origin, shown, world, .. } = placing;
        let staff = |phone| Who::Staff { account: by, phone, station: None };
        let near = match origin {
            Origin::Phone(phone) => Side::new(staff(Some(phone))),
            Origin::Calling(phone, leg) => Side::with(staff(Some(phone)), leg, State::Waiting),
            Origin::Station(leg) => Side::at_station(by, leg, self.id(), hands),
        };
        if let Who::Outside(permit) = &far {
            // Before anything is dialled: of two wishes that come while telephones ring, the second must see the first.
            hands.reserve((self.id(), 0), permit, by);
        }
        self.bridge_number(hands);
        let (far, world) = (Side::new(far), Box::new(world));
        self.phase = Phase::Talking;
        self.talk = Some(Talk::new(near, far, shown, world));
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
    pub(super) fn dial(&mut self, seat: Seat, hands: &mut Hands<'_>) -> bool {
        let (call, calls) = (self.id(), self.call.outgoing.len());
        let number = match self.call.direction {
            CallDirection::Incoming | CallDirection::Internal => self.call.from_number.clone(),
            CallDirection::Outgoing => self.call.to_number.clone(),
        };
        let talk = self.talk.as_ref();
        let shown = talk.filter(|_| seat == Seat::Far).map_or(number, |talk| talk.shown.clone());
        let by = talk.and_then(|talk| talk.near.account());
        let currency = talk.map(|talk| talk.world.rules.currency.clone()).unwrap_or_default();
        let Some(side) = self.side(seat) else { return false };
        let mut news = None;
        let to = match &side.who {
            Who::Caller => return false,
            Who::Staff { phone: Some(phone), .. } => To::Phone { phone: *phone, shown },
            Who::Staff { phone: None, .. } => return self.ring_station(seat, hands),
            Who::Outside(permit) => {
                let Some(way) = side.ways.pop_front() else { return false };
                match side.line {
                    Some(_) => news = Some(Fact::Rerouted { trunk: way.trunk, caller_id: way.caller_id.clone() }),
                    None => {
                        side.line = Some(calls);
                        let outgoing = outgoing(permit, &way, by, currency, hands.now);
                        hands.reserve((call, calls), permit, by);
                        news = Some(Fact::Dialled(Box::new(outgoing)));
                    }
                }
                let line = side.line.unwrap_or(calls);
                side.way = Some(way.clone());
                let Way { trunk, number, caller_id, is_withheld } = way;
                To::Trunk { trunk, number, caller_id, is_withheld, line }
            }
        };
        let tag = hands.tag();
        let is_emergency = side.is_emergency();
        (side.tag, side.leg) = (Some(tag), None);
        side.dialled(hands.now);
        if let Some(fact) = news {
            if let Fact::Dialled(outgoing) = &fact {
                self.call.outgoing.push((**outgoing).clone());
            }
            self.write(Actor::System, fact, hands.now, hands.out);
        }
        hands.out.push_back(Output::Dial { call, tag, to, is_emergency: is_emergency || self.call.emergency });
        self.ring_station(seat, hands);
        true
    }

    /// A dialled leg has its number. False when nobody waits for it any more.
    pub(super) fn dialling(&mut self, tag: Tag, leg: Leg) -> bool {
        if !matches!(self.phase, Phase::Talking | Phase::Attended | Phase::Apologising { .. }) {
            return false;
        }
        for seat in self.seats() {
            if let Some(side) = self.side(seat).filter(|side| side.tag == Some(tag)) {
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
        self.sides().any(|side| side.tag == Some(tag) && side.leg.is_none())
    }

    /// What was to be dialled could not be: it has failed.
    pub(super) fn not_dialled(&mut self, tag: Tag, hands: &mut Hands<'_>) {
        for seat in self.seats() {
            let is_it =
                |side: &mut Side| side.tag.take_if(|of| *of == tag).is_some() && side.leg.is_none() && !side.rings();
            if self.side(seat).is_some_and(is_it) {
                return self.seat_ended(seat, EndCause::Failed, hands);
            }
        }
    }

    /// It rings there: whoever waits for it hears so.
    pub(super) fn ringing(&mut self, leg: Leg, hands: &mut Hands<'_>) {
        let Some(seat) = self.seat(leg) else { return };
        let Some(side) = self.side(seat).filter(|side| side.state == State::Dialled) else { return };
        side.rings_there(hands.now);
        let Some(talk) = &self.talk else { return };
        match seat {
            Seat::Far if talk.near.state == State::Waiting && !talk.near.hears => {
                hands.out.extend(talk.near.leg.map(Output::Ring));
            }
            Seat::Far | Seat::Third => Talk::signal(&talk.near, Signal::Ringback, hands),
            // Who is handed on hears music meanwhile; nobody waits for who comes in by themselves.
            Seat::Near | Seat::Beside(_) => {}
        }
    }

    /// A leg of the talk is up.
    pub(super) fn side_answered(&mut self, leg: Leg, rate_hz: u32, hands: &mut Hands<'_>) {
        let Some(seat) = self.seat(leg) else { return };
        let Some(side) = self.side(seat).filter(|side| !side.is_up() && side.leg == Some(leg)) else { return };
        side.answered(hands.now);
        side.rings_no_more(hands);
        if let Some(index) = side.line {
            if let Some(outgoing) = self.call.outgoing.get_mut(index) {
                outgoing.answered_at = Some(hands.now);
            }
            self.write(Actor::System, Fact::OutsideAnswered { index }, hands.now, hands.out);
        }
        match (seat, &mut self.talk) {
            (Seat::Beside(_), _) => self.bridge(hands),
            (_, None) => return,
            (Seat::Far, Some(talk)) if talk.near.state == State::Waiting => {
                (talk.near.state, talk.near.until) = (State::Answering, Some(later(hands.now, ARRIVING_MAX)));
                hands.out.extend(talk.near.leg.map(Output::Answer));
            }
            (Seat::Near, Some(talk)) if talk.far.state == State::Idle => {
                self.dial(Seat::Far, hands);
            }
            (Seat::Third, Some(talk)) => {
                Talk::signal(&talk.near, Signal::Silence, hands);
                self.bridge(hands);
            }
            (Seat::Near | Seat::Far, Some(talk)) if talk.near.is_up() && talk.far.is_up() => self.join(hands),
            (Seat::Near | Seat::Far, Some(_)) => {}
        }
        self.record_far(seat, rate_hz, hands);
        hands.out.push_back(Output::Board);
    }

    /// Both sides hear each other from now on.
    pub(super) fn join(&mut self, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        talk.former = None;
        let agent = talk.near.account();
        if self.call.status == CallStatus::OnHold {
            hands.out.extend(talk.far.leg.map(|leg| Output::Music { leg, on: false }));
        }
        Talk::signal(&talk.near, Signal::Silence, hands);
        Talk::signal(&talk.far, Signal::Silence, hands);
        self.call.status = CallStatus::WithAgent;
        self.bridge(hands);
        self.call.agent = agent.or(self.call.agent);
        self.call.answered_at = self.call.answered_at.or(Some(hands.now));
        self.write(Actor::System, Fact::Joined { agent }, hands.now, hands.out);
        hands.out.push_back(Output::Board);
    }
}

/// The record of a call to the outside that begins.
pub(super) fn outgoing(
    permit: &Permit,
    way: &Way,
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
        is_withheld: way.is_withheld,
        answered_by: None,
        is_emergency: permit.is_emergency,
        minute_price: permit.minute_price,
        minutes_max: permit.minutes_max,
        cost: 0,
        currency,
    }
}
