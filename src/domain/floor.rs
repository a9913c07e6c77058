//! Floor: who talks to whom in the clinic. Holds the only live picture of calls; decides, and leaves the doing to its shell.
//!
//! `handle(input, now)`, then [`Floor::poll`] until it gives nothing. Identifiers come in with a call, so that the machine needs no
//! randomness. Nothing here waits: a call is answered and attended before any of it has been written down.

mod fact;
mod stay;

pub use fact::{Applied, Fact};

use crate::Timestamp;
use crate::account::Actor;
use crate::call::{Call, Recording};
use crate::code::{EndCause, Lang, Outcome, Speaker};
use crate::conversation::{Conversation, Turn};
use crate::id::{CallId, CauseId, ContactId, ConversationId, TaskId};
use crate::live::{Live, LiveCall};
use crate::tenant::Tenant;
use jiff::SignedDuration;
use stay::{Phase, Stay};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// SIP status of a call that finds no place (RFC 3261 section 21.5.4).
const STATUS_NO_PLACE: u16 = 503;
/// An answer that is never acknowledged ends by itself within 32 s (RFC 3261, timer H); later we end it.
const ARRIVING_MAX: SignedDuration = SignedDuration::from_secs(40);
/// A leg that was told to end and has not after this long counts as failed.
const ENDING_MAX: SignedDuration = SignedDuration::from_secs(10);
/// An apology is a sentence; when its end is not heard of, we go on.
const APOLOGY_MAX: SignedDuration = SignedDuration::from_secs(12);
/// A recording is complete soon after its call; later we stop waiting for it.
const RECORDING_MAX: SignedDuration = SignedDuration::from_secs(60);
/// A receptionist that fails is replaced once within a call; the second failure ends the call politely.
const RESTARTS_MAX: u8 = 1;

/// A leg, as the engine numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leg(pub u64);

/// Identifiers for everything that a call may need, made when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The call.
    pub call: CallId,
    /// Its transcript.
    pub conversation: ConversationId,
    /// The piece of work that it is.
    pub cause: CauseId,
    /// The task, should it be cut off.
    pub missed: TaskId,
    /// The task, should it be an emergency.
    pub emergency: TaskId,
}

/// Into the floor.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody calls.
    Arrived {
        /// Their leg.
        leg: Leg,
        /// Fresh identifiers.
        ids: Ids,
        /// The caller as signalled; empty when withheld.
        from: String,
        /// What was dialled.
        to: String,
        /// The clinic as it is now.
        tenant: Box<Tenant>,
    },
    /// The leg is up.
    Answered {
        /// Which.
        leg: Leg,
        /// INVITE to 200, in milliseconds.
        answer_ms: u32,
        /// Samples a second of its codec; also of its recording.
        rate_hz: u32,
    },
    /// How loud both sides are, peaks of 0 to 100.
    Level {
        /// Which leg.
        leg: Leg,
        /// Far end.
        caller: u8,
        /// Our side.
        clinic: u8,
    },
    /// How the leg fares; the last figures stand.
    Quality {
        /// Which leg.
        leg: Leg,
        /// RTP packets received.
        received: u64,
        /// RTP packets missing.
        lost: u64,
        /// Interarrival jitter, in milliseconds.
        jitter_ms: f32,
        /// How it sounds, 1.0 to 4.4; none while nothing has been heard.
        mos: Option<f32>,
        /// We send, and have heard nothing for long.
        one_way: bool,
    },
    /// The leg is over.
    LegEnded {
        /// Which.
        leg: Leg,
        /// Why.
        cause: EndCause,
    },
    /// The receptionist tells what happened.
    Told {
        /// In which call.
        call: CallId,
        /// What.
        what: Told,
    },
    /// The receptionist's task has ended: it returned, failed, or stopped listening.
    ReceptionistGone {
        /// Of which call.
        call: CallId,
    },
    /// The apology has been played to its end.
    Apologised {
        /// In which call.
        call: CallId,
    },
    /// The recording has come so far.
    Recorded {
        /// Of which call.
        call: CallId,
        /// As it stands.
        recording: Recording,
        /// Nothing more will be written.
        complete: bool,
    },
    /// The caller's number belongs to a contact.
    Known {
        /// In which call.
        call: CallId,
        /// Who.
        contact: ContactId,
        /// Their name; may be empty.
        name: String,
    },
    /// Somebody ends the call.
    HangUp {
        /// Which.
        call: CallId,
    },
    /// The service stops: no new calls.
    Drain,
    /// The time asked for by [`Floor::next_wake`] has come.
    Wake,
}

/// What a receptionist tells of its call.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A turn is complete.
    Turn(Box<Turn>),
    /// Words as they are being spoken.
    Partial {
        /// Who speaks.
        speaker: Speaker,
        /// So far.
        text: String,
        /// Begin, in milliseconds after answer.
        start_ms: u64,
    },
    /// It goes on in another language.
    Language(Lang),
    /// An emergency phrase was heard.
    Emergency {
        /// The lexicon's entry.
        sign: String,
        /// Language it was said in.
        language: Lang,
        /// The number the caller is told.
        number: String,
    },
    /// What it has come to so far.
    Outcome(Outcome),
    /// The caller does not want to be recorded.
    RecordingRefused,
    /// What is said now is a voicemail.
    Voicemail,
    /// The receptionist ended the call.
    HungUp,
}

/// Out of the floor.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer the leg at once.
    Answer(Leg),
    /// Refuse it with this SIP status.
    Refuse(Leg, u16),
    /// End it.
    HangUp(Leg),
    /// Start a receptionist for the call.
    Attend(Box<Assignment>),
    /// The receptionist of the call is no longer wanted.
    Dismiss(CallId),
    /// Say that something went wrong, in this language; `last` when the call ends after it.
    Apologise {
        /// In which call.
        call: CallId,
        /// To whom.
        leg: Leg,
        /// In which language.
        language: Lang,
        /// Goodbye follows; otherwise a receptionist does.
        last: bool,
    },
    /// Record the leg.
    Record {
        /// Of which call.
        call: CallId,
        /// Which leg.
        leg: Leg,
    },
    /// Stop recording the leg.
    StopRecording(Leg),
    /// Remove what was recorded of the call.
    EraseRecording(CallId),
    /// Write a new call down.
    Open {
        /// The call.
        call: Box<Call>,
        /// Its transcript, empty.
        conversation: Box<Conversation>,
        /// The piece of work.
        cause: CauseId,
    },
    /// Write down what happened in a call; in the order given.
    Write {
        /// Which call.
        call: CallId,
        /// The piece of work.
        cause: CauseId,
        /// Who did it.
        actor: Actor,
        /// When.
        at: Timestamp,
        /// What.
        fact: Fact,
    },
    /// Find out who calls from this number.
    Identify {
        /// In which call.
        call: CallId,
        /// The number, not empty.
        number: String,
    },
    /// Push a passing fact to whoever watches.
    Show(Live),
    /// The live picture has changed; read [`Floor::board`].
    Board,
}

/// What a receptionist is told of the call it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The caller's leg.
    pub leg: Leg,
    /// The call.
    pub call: CallId,
    /// Its transcript.
    pub conversation: ConversationId,
    /// The piece of work.
    pub cause: CauseId,
    /// The caller as signalled.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// The clinic.
    pub tenant: Tenant,
    /// The language to speak.
    pub language: Lang,
    /// When it was answered.
    pub answered_at: Timestamp,
}

/// The machine.
#[derive(Debug)]
pub struct Floor {
    calls_max: usize,
    draining: bool,
    stays: BTreeMap<CallId, Stay>,
    legs: HashMap<Leg, CallId>,
    out: VecDeque<Output>,
}

impl Floor {
    /// An empty floor with room for so many calls at a time.
    pub fn new(calls_max: usize) -> Self {
        Self { calls_max, draining: false, stays: BTreeMap::new(), legs: HashMap::new(), out: VecDeque::new() }
    }

    /// Takes one input. Inputs about calls or legs that are gone change nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Arrived { leg, ids, from, to, tenant } => {
                self.arrived(Stay::new(leg, ids, from, to, *tenant, now), now)
            }
            Input::Drain => self.draining = true,
            Input::Wake => self.wake(now),
            Input::Answered { leg, .. }
            | Input::Level { leg, .. }
            | Input::Quality { leg, .. }
            | Input::LegEnded { leg, .. } => {
                if let Some(call) = self.legs.get(&leg).copied() {
                    self.within(call, input, now);
                }
            }
            Input::Told { call, .. }
            | Input::ReceptionistGone { call }
            | Input::Apologised { call }
            | Input::Recorded { call, .. }
            | Input::Known { call, .. }
            | Input::HangUp { call } => self.within(call, input, now),
        }
    }

    /// What is to be done next; call until it gives nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Wake`] is wanted.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.stays.values().filter_map(Stay::wake_at).min()
    }

    /// The calls that are on now, oldest first.
    pub fn board(&self) -> Vec<LiveCall> {
        self.stays.values().filter(|stay| stay.is_on()).map(Stay::card).collect()
    }

    /// Whether anything is still expected of a call.
    pub fn knows(&self, call: CallId) -> bool {
        self.stays.contains_key(&call)
    }

    /// How many calls are on now.
    pub fn calls(&self) -> usize {
        self.stays.values().filter(|stay| stay.is_on()).count()
    }

    fn arrived(&mut self, mut stay: Stay, now: Timestamp) {
        let full = self.draining || self.calls() >= self.calls_max;
        self.out.push_back(if full { Output::Refuse(stay.leg, STATUS_NO_PLACE) } else { Output::Answer(stay.leg) });
        self.out.push_back(stay.open());
        if full {
            stay.end(EndCause::Rejected, now, &mut self.out);
            return;
        }
        self.out.push_back(stay.attend());
        if !stay.number().is_empty() {
            self.out.push_back(Output::Identify { call: stay.id(), number: stay.number().to_owned() });
        }
        self.legs.insert(stay.leg, stay.id());
        self.stays.insert(stay.id(), stay);
        self.out.push_back(Output::Board);
    }

    fn within(&mut self, call: CallId, input: Input, now: Timestamp) {
        let Some(stay) = self.stays.get_mut(&call) else { return };
        stay.handle(input, now, &mut self.out);
        self.sweep(call);
    }

    fn wake(&mut self, now: Timestamp) {
        let due = |stay: &Stay| stay.wake_at().is_some_and(|at| at <= now);
        let calls: Vec<CallId> = self.stays.values().filter(|stay| due(stay)).map(Stay::id).collect();
        for call in calls {
            if let Some(stay) = self.stays.get_mut(&call) {
                stay.wake(now, &mut self.out);
            }
            self.sweep(call);
        }
    }

    /// Forgets a call of which nothing more is expected, and its leg as soon as that is gone.
    fn sweep(&mut self, call: CallId) {
        let Some(stay) = self.stays.get(&call) else { return };
        if !stay.is_on() {
            self.legs.remove(&stay.leg);
        }
        if stay.phase == Phase::Gone {
            self.stays.remove(&call);
        }
    }
}

#[cfg(test)]
mod tests;
