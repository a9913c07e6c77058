//! What happened in a call, as it is written down: one fact changes the call's records and says its events, in one place.
//!
//! Facts are applied inside the store's transaction, to the records as they are there. So two writers of one call (the floor, a
//! tool that learned who calls) never overwrite each other, and a fact that is applied again after a conflict gives the same.

use crate::Timestamp;
use crate::call::{Call, CallQuality, Outgoing, Recording};
use crate::code::{
    AnsweredBy, CallDirection, CallStatus, EndCause, EntranceKind, Lang, Outcome, Part, TaskKind, TaskState, Unheard,
};
use crate::conversation::{Conversation, Turn};
use crate::event::Event;
use crate::id::{AccountId, ContactId, TaskId, TrunkId};
use crate::task::Task;

/// A missed call should be returned within this many seconds.
const MISSED_CALL_DUE_S: i64 = 3_600;
/// An emergency call should be looked after within this many seconds.
const EMERGENCY_DUE_S: i64 = 300;
/// A way by which somebody was not heard should be looked at within this many seconds.
const UNHEARD_DUE_S: i64 = 3_600;

/// Something that happened in a call and has to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It was answered.
    Answered {
        /// INVITE to 200, in milliseconds.
        answer_ms: u32,
    },
    /// Its recording began, went on or was completed.
    Recording(Recording),
    /// Something was said. The turn is numbered when it is applied.
    Turn(Box<Turn>),
    /// Its language was decided.
    Language(Lang),
    /// An emergency phrase was heard.
    Emergency {
        /// The lexicon's entry.
        sign: String,
        /// Language it was said in.
        language: Lang,
        /// The number the caller was told.
        number: String,
        /// The task to make for it; none when one was made for an earlier phrase of the call.
        task: Option<TaskId>,
    },
    /// It has come to something; a weightier outcome stays (CALL-08).
    Outcome(Outcome),
    /// Nobody understands the caller any more: what is said now is a voicemail.
    Voicemail,
    /// Who calls is known.
    Contact(ContactId),
    /// A call to the outside was dialled in it.
    Dialled(Box<Outgoing>),
    /// The next trunk was tried for the last of those.
    Rerouted {
        /// Through this trunk.
        trunk: TrunkId,
        /// Showing this number.
        caller_id: String,
    },
    /// One of those was answered.
    OutsideAnswered {
        /// Its place among them.
        index: usize,
    },
    /// A carrier has found out who answered one of those. The first that it says stands.
    AnsweredBy {
        /// Its place among them.
        index: usize,
        /// Who.
        by: AnsweredBy,
    },
    /// One of those ended.
    OutsideEnded {
        /// Its place among them.
        index: usize,
    },
    /// A member of staff talks with the other side.
    Joined {
        /// Who; none at a telephone that is nobody's.
        agent: Option<AccountId>,
    },
    /// The other side waits for a member of staff, or talks with the receptionist again.
    Handed {
        /// Where it stands now.
        status: CallStatus,
    },
    /// Somebody is in it beside the two whose call it is, takes part in another way, or has left.
    Participant {
        /// Who; none of somebody outside, and at a telephone that is nobody's.
        account: Option<AccountId>,
        /// How they take part; none when they have left.
        part: Option<Part>,
    },
    /// What is said is kept nowhere from now on, or again.
    Masked {
        /// Whether nothing is kept.
        on: bool,
    },
    /// Somebody is not heard in it.
    Unheard {
        /// Who.
        who: Unheard,
        /// By what they come.
        way: EntranceKind,
        /// The task to make for it; none when people were asked to look at this way of late.
        task: Option<TaskId>,
    },
    /// It is over.
    Ended {
        /// Why.
        cause: EndCause,
        /// How it was.
        quality: CallQuality,
        /// The task to make when somebody has to ring back.
        missed: Option<TaskId>,
    },
}

/// What applying a fact came to, beside the changed records.
#[derive(Debug, Default, PartialEq)]
pub struct Applied {
    /// Events to append, in order.
    pub events: Vec<Event>,
    /// A turn to store.
    pub turn: Option<Turn>,
    /// A task to store.
    pub task: Option<Task>,
}

impl Fact {
    /// Changes the records of a call and says what else has to be written.
    ///
    /// A fact that changes nothing any more (an outcome of less weight, an end after the end) gives no event.
    pub fn apply(&self, call: &mut Call, conversation: &mut Conversation, at: Timestamp) -> Applied {
        let mut applied = Applied::default();
        match self {
            Self::Answered { answer_ms } => {
                call.status = CallStatus::WithReceptionist;
                call.answered_at = Some(at);
                call.quality.answer_ms = Some(*answer_ms);
                applied.events.push(Event::CallAnswered { call: call.id, answer_ms: *answer_ms });
            }
            Self::Recording(recording) => {
                call.recording = recording.clone();
                let (state, length_ms) = (recording.state, recording.length_ms);
                applied.events.push(Event::CallRecording { call: call.id, state, length_ms });
            }
            Self::Turn(turn) => turn_said(turn, conversation, &mut applied),
            Self::Language(language) => {
                call.language = *language;
                conversation.language = *language;
                conversation.version += 1;
                applied.events.push(Event::CallLanguageSet { call: call.id, language: *language });
            }
            Self::Emergency { sign, language, number, task } => {
                call.emergency = true;
                let (sign, number) = (sign.clone(), number.clone());
                applied.events.push(Event::CallEmergency { call: call.id, sign, language: *language, number });
                outcome_reached(call, Outcome::Emergency, &mut applied);
                if let Some(task) = task {
                    applied.owe(owed(call, *task, TaskKind::Emergency, EMERGENCY_DUE_S, at));
                }
            }
            Self::Outcome(outcome) => outcome_reached(call, *outcome, &mut applied),
            Self::Participant { account, part } => {
                applied.events.push(Event::CallParticipant { call: call.id, account: *account, part: *part });
            }
            Self::Masked { on } => applied.events.push(Event::CallMasked { call: call.id, on: *on }),
            Self::Unheard { who, task, .. } => unheard(call, *who, *task, at, &mut applied),
            Self::Voicemail => call.status = CallStatus::Voicemail,
            Self::Contact(contact) => {
                call.contact = Some(*contact);
                conversation.contact = Some(*contact);
                conversation.version += 1;
            }
            Self::Dialled(outgoing) => call.outgoing.push((**outgoing).clone()),
            Self::Rerouted { trunk, caller_id } => {
                if let Some(last) = call.outgoing.last_mut() {
                    (last.trunk, last.caller_id) = (*trunk, caller_id.clone());
                }
            }
            Self::OutsideAnswered { index } => {
                if let Some(outgoing) = call.outgoing.get_mut(*index) {
                    outgoing.answered_at = Some(at);
                }
            }
            Self::AnsweredBy { index, by } => {
                let outgoing = call.outgoing.get_mut(*index).filter(|outgoing| outgoing.answered_by.is_none());
                if let Some(outgoing) = outgoing {
                    outgoing.answered_by = Some(*by);
                    applied.events.push(Event::CallAnsweredBy { call: call.id, by: *by });
                }
            }
            Self::OutsideEnded { index } => {
                if let Some(outgoing) = call.outgoing.get_mut(*index) {
                    outgoing.end(at);
                }
            }
            Self::Joined { agent } => joined(call, *agent, at, &mut applied),
            Self::Handed { status } => handed(call, *status, &mut applied),
            Self::Ended { cause, quality, missed } => ended(call, *cause, quality.clone(), *missed, at, &mut applied),
        }
        call.version += 1;
        applied
    }
}

impl Applied {
    fn owe(&mut self, task: Task) {
        self.events.push(Event::TaskChanged { task: task.id, kind: task.kind, state: task.state });
        self.task = Some(task);
    }
}

fn turn_said(turn: &Turn, conversation: &mut Conversation, applied: &mut Applied) {
    let turn = Turn { index: conversation.turns, ..turn.clone() };
    conversation.turns += 1;
    conversation.version += 1;
    applied.events.push(Event::TurnCommitted { turn: Box::new(turn.clone()) });
    applied.turn = Some(turn);
}

fn outcome_reached(call: &mut Call, outcome: Outcome, applied: &mut Applied) {
    if call.outcome.is_some_and(|standing| weight(standing) >= weight(outcome)) {
        return;
    }
    call.outcome = Some(outcome);
    applied.events.push(Event::CallOutcome { call: call.id, outcome });
}

fn joined(call: &mut Call, agent: Option<AccountId>, at: Timestamp, applied: &mut Applied) {
    handed(call, CallStatus::WithAgent, applied);
    if call.answered_at.is_none() {
        call.answered_at = Some(at);
        let answer_ms = u32::try_from(at.as_millisecond() - call.created_at.as_millisecond()).unwrap_or(u32::MAX);
        applied.events.push(Event::CallAnswered { call: call.id, answer_ms });
    }
    if call.agent != agent && agent.is_some() {
        call.agent = agent;
        applied.events.push(Event::CallAgent { call: call.id, agent });
    }
}

fn handed(call: &mut Call, status: CallStatus, applied: &mut Applied) {
    let was_held = std::mem::replace(&mut call.status, status) == CallStatus::OnHold;
    let is_held = status == CallStatus::OnHold;
    if was_held != is_held {
        applied.events.push(Event::CallHeld { call: call.id, on: is_held });
    }
}

/// The task says by the code of who is not heard what is wrong: screens say it in words.
fn unheard(call: &mut Call, who: Unheard, task: Option<TaskId>, at: Timestamp, applied: &mut Applied) {
    call.quality.one_way |= who == Unheard::Other;
    applied.events.push(Event::CallUnheard { call: call.id, who, task });
    if let Some(task) = task {
        let owed = owed(call, task, TaskKind::OneWay, UNHEARD_DUE_S, at);
        applied.owe(Task { text: who.as_str().to_owned(), ..owed });
    }
}

fn ended(
    call: &mut Call,
    cause: EndCause,
    quality: CallQuality,
    missed: Option<TaskId>,
    at: Timestamp,
    applied: &mut Applied,
) {
    if call.status == CallStatus::Ended {
        return;
    }
    call.status = CallStatus::Ended;
    call.ended_at = Some(at);
    call.cause = Some(cause);
    call.quality = CallQuality { answer_ms: call.quality.answer_ms, ..quality };
    call.outgoing.iter_mut().for_each(|outgoing| outgoing.end(at));
    // An outcome is what the clinic did for a caller; calls that it places have none.
    if call.direction == CallDirection::Incoming {
        let nothing_came_of_it = match cause {
            EndCause::Rejected => Outcome::Failed,
            EndCause::HandedOn => Outcome::Transferred,
            _ if call.agent.is_some() => Outcome::Transferred,
            _ => Outcome::Abandoned,
        };
        outcome_reached(call, nothing_came_of_it, applied);
    }
    applied.events.push(Event::CallEnded { call: call.id, end: cause });
    if let Some(task) = missed {
        applied.owe(owed(call, task, TaskKind::MissedCall, MISSED_CALL_DUE_S, at));
    }
}

fn owed(call: &Call, id: TaskId, kind: TaskKind, due_s: i64, at: Timestamp) -> Task {
    Task {
        id,
        kind,
        state: TaskState::Open,
        text: String::new(),
        name: String::new(),
        number: call.from_number.clone(),
        call: Some(call.id),
        contact: call.contact,
        owner: None,
        created_at: at,
        due_at: at.saturating_add(jiff::SignedDuration::from_secs(due_s)).unwrap_or(at),
        version: 1,
    }
}

/// Of two things that a call came to, the weightier one is its outcome (CALL-08).
fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Emergency => 8,
        Outcome::Booked => 7,
        Outcome::MessageTaken => 6,
        Outcome::Voicemail => 5,
        Outcome::AnsweredQuestion => 4,
        Outcome::Transferred => 3,
        Outcome::Failed => 2,
        Outcome::Abandoned => 1,
    }
}
