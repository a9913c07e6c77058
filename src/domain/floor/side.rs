//! One side of a talk: a party that is reached, waits, or is there.

use super::place::{Class, Tag};
use super::{Leg, later};
use crate::Timestamp;
use crate::code::EndCause;
use crate::id::{AccountId, PhoneId};
use crate::outbound::{Permit, Way};
use jiff::SignedDuration;
use std::collections::VecDeque;

/// How long a party is rung before it counts as not answering.
const RINGING_MAX: SignedDuration = SignedDuration::from_secs(60);
/// How long an emergency call waits at one way until it rings there. Setting a call up through several networks takes its time;
/// a way that says nothing at all is given up before, by who dials.
const TAKEN_MAX: SignedDuration = SignedDuration::from_secs(20);
/// How often an emergency call goes through all of its ways.
const ROUNDS_MAX: u8 = 3;
/// How long it waits before it begins with the first one again.
const ROUND_PAUSE: SignedDuration = SignedDuration::from_secs(2);
/// How long before its end a minute is followed by the next one, or the call ended: hanging up takes its time.
const AHEAD: SignedDuration = SignedDuration::from_secs(3);
/// What is paid for at once.
pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Who a side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever called the clinic.
    Caller,
    /// One of the clinic's people, or a telephone of theirs; and their softphone, where it was there.
    Staff { account: Option<AccountId>, phone: Option<PhoneId>, station: Option<Leg> },
    /// Somebody outside whom we call.
    Outside(Box<Permit>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not dialled yet.
    Idle,
    /// Dialled.
    Dialled,
    /// Dialled, and it rings.
    Ringing,
    /// Its own call waits for our answer.
    Waiting,
    /// Our answer is on its way.
    Answering,
    /// There.
    Up,
}

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) who: Who,
    pub(super) state: State,
    pub(super) leg: Option<Leg>,
    /// The softphone that rings for it, or that its leg is.
    pub(super) station: Option<Leg>,
    /// Since when.
    pub(super) station_since: Option<Timestamp>,
    pub(super) is_muted: bool,
    /// Its own call is not answered, and it hears already what it is sent.
    pub(super) hears: bool,
    /// It has not answered, and is heard already.
    pub(super) is_heard: bool,
    /// How it is shown to others: a number, an extension or a name; empty for whoever called.
    pub(super) shown: String,
    pub(super) tag: Option<Tag>,
    /// When it has been waited for long enough.
    pub(super) until: Option<Timestamp>,
    /// The trunk by which it was dialled last.
    pub(super) way: Option<Way>,
    /// Trunks that have not been tried.
    pub(super) ways: VecDeque<Way>,
    /// How often all of them have been.
    pub(super) rounds: u8,
    /// Its place among the call's calls to the outside.
    pub(super) line: Option<usize>,
    /// When its next minute begins, while it is paid for.
    pub(super) minute_at: Option<Timestamp>,
    /// Begun minutes.
    pub(super) minutes: u32,
}

impl Side {
    pub(super) fn new(who: Who) -> Self {
        let ways = match &who {
            Who::Outside(permit) => permit.ways.iter().cloned().collect(),
            Who::Caller | Who::Staff { .. } => VecDeque::new(),
        };
        Self {
            who,
            state: State::Idle,
            leg: None,
            station: None,
            station_since: None,
            is_muted: false,
            hears: false,
            is_heard: false,
            shown: String::new(),
            tag: None,
            until: None,
            way: None,
            ways,
            rounds: 0,
            line: None,
            minute_at: None,
            minutes: 0,
        }
    }

    /// A side whose leg is there in this state.
    pub(super) fn with(who: Who, leg: Leg, state: State) -> Self {
        Self { leg: Some(leg), state, ..Self::new(who) }
    }

    /// The same, as others are shown it.
    pub(super) fn shown_as(self, shown: String) -> Self {
        Self { shown, ..self }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(super) fn account(&self) -> Option<AccountId> {
        match &self.who {
            Who::Staff { account, .. } => *account,
            Who::Caller | Who::Outside(_) => None,
        }
    }

    pub(super) fn class(&self) -> Class {
        match &self.who {
            Who::Staff { .. } => Class::Staff,
            Who::Caller | Who::Outside(_) => Class::Outside,
        }
    }

    /// Whether it is whom one rings in an emergency.
    pub(super) fn is_emergency(&self) -> bool {
        matches!(&self.who, Who::Outside(permit) if permit.is_emergency)
    }

    /// It is being rung.
    pub(super) fn dialled(&mut self, now: Timestamp) {
        let patience = if self.is_emergency() { TAKEN_MAX } else { RINGING_MAX };
        (self.state, self.is_heard, self.until) = (State::Dialled, false, Some(later(now, patience)));
    }

    /// It rings there. An emergency call that has no other way left rings until somebody answers.
    pub(super) fn rings_there(&mut self, now: Timestamp) {
        self.state = State::Ringing;
        if self.is_emergency() {
            self.until = (!self.ways.is_empty()).then(|| later(now, RINGING_MAX));
        }
    }

    /// Whether another way is tried after this end. One that was taken, or that we gave up for good, has none; others have where the
    /// way was at fault, and an emergency call always.
    pub(super) fn goes_another_way(&self, cause: EndCause) -> bool {
        let is_of_the_way = matches!(cause, EndCause::Failed | EndCause::SignIn);
        let is_fault = is_of_the_way || self.is_emergency() && cause != EndCause::ClinicHungUp;
        !self.is_up() && is_fault
    }

    /// An emergency call that has tried all of its ways begins with the first one again. False where it has done so often enough.
    pub(super) fn begins_again(&mut self, now: Timestamp) -> bool {
        let Who::Outside(permit) = &self.who else { return false };
        self.rounds += 1;
        if !permit.is_emergency || self.rounds >= ROUNDS_MAX {
            return false;
        }
        self.ways = permit.ways.iter().cloned().collect();
        (self.state, self.tag, self.until) = (State::Idle, None, Some(later(now, ROUND_PAUSE)));
        true
    }

    /// It has answered.
    pub(super) fn answered(&mut self, now: Timestamp) {
        (self.state, self.is_heard, self.until) = (State::Up, false, None);
        if let Who::Outside(permit) = &self.who
            && permit.minutes_max.is_some()
        {
            (self.minute_at, self.minutes) = (Some(later(now, MINUTE - AHEAD)), 1);
        }
    }

    /// It goes over into another call, where a minute of its own begins; how long it may last in all stays as it is.
    pub(super) fn next_call(&mut self, now: Timestamp) {
        if self.minute_at.is_some() {
            (self.minute_at, self.minutes) = (Some(later(now, MINUTE - AHEAD)), self.minutes + 1);
        }
    }

    /// When something is to be done about it.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        [self.until, self.minute_at].into_iter().flatten().min()
    }
}
