//! How sides of a talk come to their end, and what becomes of those that are left.

use super::fact::Fact;
use super::place::Signal;
use super::side::{MINUTE, Side, State, Who};
use super::stay::{Phase, Stay};
use super::talk::{Seat, Talk};
use super::{Hands, Leg, Output, later};
use crate::account::Actor;
use crate::code::{CallDirection, CallStatus, EndCause, OutboundRule};
use jiff::SignedDuration;

/// How long somebody hears that nobody will answer.
const TELLING_MAX: SignedDuration = SignedDuration::from_secs(4);

impl Stay {
    /// A leg of the talk has ended.
    pub(super) fn side_ended(&mut self, leg: Leg, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(seat) = self.seat(leg) else { return };
        // Of a telephone and a softphone that ring the other one goes on: a telephone that is engaged speaks for itself alone.
        let goes_on = self.side(seat).is_some_and(|side| side.goes_on_without(leg, hands));
        if !goes_on {
            self.seat_ended(seat, cause, hands);
        }
        hands.out.push_back(Output::Board);
    }

    pub(super) fn seat_ended(&mut self, seat: Seat, cause: EndCause, hands: &mut Hands<'_>) {
        let Some(side) = self.side(seat) else { return };
        let (was_up, goes_on) = (side.is_up(), side.goes_another_way(cause));
        side.leave_station(hands);
        side.leg = None;
        // The next trunk, where there is one; a telephone is not rung twice.
        let is_tried_again = match (goes_on, side.ways.is_empty()) {
            (true, false) => self.dial(seat, hands),
            (true, true) => side.begins_again(hands.now),
            (false, _) => false,
        };
        if is_tried_again {
            return;
        }
        match seat {
            Seat::Beside(number) => self.participant_left(number, hands),
            Seat::Third => self.take_back(hands),
            Seat::Far if was_up && self.succeeds_far(hands) => {}
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
        if self.succeeds_near(hands) {
            return;
        }
        let Some(talk) = &self.talk else { return };
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
        if self.dial(Seat::Near, hands) || self.succeeds_near(hands) {
            return;
        }
        if self.call.direction != CallDirection::Incoming {
            return self.over(cause, hands);
        }
        self.back_to_receptionist(hands);
    }

    /// Nobody of the clinic is in the caller's call any more: the receptionist goes on with it.
    pub(super) fn back_to_receptionist(&mut self, hands: &mut Hands<'_>) {
        self.talk = None;
        self.phase = Phase::Attended;
        self.call.status = CallStatus::WithReceptionist;
        hands.out.extend(self.leg.map(|leg| Output::Music { leg, on: false }));
        self.write(Actor::System, Fact::Handed { status: self.call.status }, hands.now, hands.out);
        hands.out.extend(self.attend());
        self.participants_listen(hands);
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
                let signal = if matches!(cause, EndCause::Failed | EndCause::SignIn) {
                    Signal::Congestion
                } else {
                    Signal::Busy
                };
                Talk::signal(&talk.near, signal, hands);
                self.line_over(&far, hands);
            }
            _ => self.over(cause, hands),
        }
    }

    /// Nothing more is to be paid for a side.
    pub(super) fn line_over(&mut self, side: &Side, hands: &mut Hands<'_>) {
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
        if self.sides().any(Side::is_at_station) {
            self.apart(hands);
        }
        self.participants_leave(hands);
        if let Some(talk) = self.talk.take() {
            for side in talk.sides() {
                side.leave(hands);
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
        if self.talk.as_ref().is_some_and(|talk| talk.referred.is_some_and(|until| until <= now)) {
            self.not_referred(hands);
        }
        self.sides_wake(hands);
    }

    /// A side has rung for long enough, or its next minute begins.
    pub(super) fn sides_wake(&mut self, hands: &mut Hands<'_>) {
        let now = hands.now;
        for seat in self.seats() {
            let Some(side) = self.side(seat) else { continue };
            if side.minute_at.is_some_and(|at| at <= now) {
                self.next_minute(seat, hands);
            } else if side.until.take_if(|until| *until <= now).is_some() {
                side.leave(hands);
                self.seat_ended(seat, EndCause::NoAnswer, hands);
            }
        }
    }

    /// Another minute of a call to the outside begins, if the caps leave room for it; otherwise the call ends.
    fn next_minute(&mut self, seat: Seat, hands: &mut Hands<'_>) {
        let call = self.id();
        let Some(talk) = &self.talk else { return };
        let rules = talk.world.rules.clone();
        let Some(side) = self.side(seat) else { return };
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
                let Seat::Beside(participant) = seat else { return self.over(EndCause::Limit, hands) };
                self.seat_leaves(seat, hands);
                self.participant_left(participant, hands);
            }
        }
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
