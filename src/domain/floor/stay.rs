//! One call on the floor, from its arrival until its recording is complete.

use super::fact::Fact;
use super::participant::Participant;
use super::quality::{People, Silence};
use super::recording::Taping;
use super::talk::Talk;
use super::{
    APOLOGY_MAX, ARRIVING_MAX, Assignment, ENDING_MAX, Hands, Ids, Input, Leg, Origin, Output, Placing, RECORDING_MAX,
    RESTARTS_MAX, Target, Told, later,
};
use crate::Timestamp;
use crate::account::Actor;
use crate::call::{Call, CallIdentity, CallQuality, Entrance, Recording};
use crate::code::{CallDirection, CallStatus, EndCause, EntranceKind, Lang, Outcome, RecordingState, Speaker};
use crate::conversation::{Conversation, Turn};
use crate::id::{CallId, TaskId};
use crate::live::{Live, LiveCall};
use crate::tenant::Tenant;
use std::collections::VecDeque;

/// Last words on a board, in characters; longer ones lose their beginning.
const WORDS_CHARS_MAX: usize = 240;
/// Reply times kept for the median of a call.
const REPLIES_MAX: usize = 1_024;

/// Where a call stands on the floor. Every phase but the last two ends by itself: `until` wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Answer is on its way.
    Arriving { until: Timestamp },
    /// The receptionist has it.
    Attended,
    /// An apology is being played; then a new receptionist comes, or the end.
    Apologising { until: Timestamp, last: bool },
    /// People of the clinic take part in it.
    Talking,
    /// The leg was told to end.
    Ending { until: Timestamp },
    /// The leg has ended; its recording is being completed.
    Closing { until: Timestamp },
    /// Nothing more is expected.
    Gone,
}

#[derive(Debug)]
pub(super) struct Stay {
    /// The other side's leg: the caller's, or of whom we call once they have been dialled.
    pub(super) leg: Option<Leg>,
    pub(super) phase: Phase,
    pub(super) talk: Option<Talk>,
    /// Who is in it beside the two whose call it is.
    pub(super) participants: Vec<Participant>,
    /// How many there have been.
    pub(super) participants_been: u32,
    /// Its bridge, once somebody was to hear somebody.
    pub(super) bridge: Option<u64>,
    pub(super) call: Call,
    pub(super) ids: Ids,
    tenant: Tenant,
    name: Option<String>,
    last_speaker: Option<Speaker>,
    last_words: String,
    replies_ms: Vec<u32>,
    pub(super) silence: Silence,
    pub(super) people: People,
    failures: u8,
    /// How many receptionists it has been given.
    shift: u32,
    pub(super) taping: Taping,
}

impl Stay {
    pub(super) fn new(leg: Leg, ids: Ids, from: String, to: String, tenant: Tenant, now: Timestamp) -> Self {
        let call = Call {
            id: ids.call,
            direction: CallDirection::Incoming,
            from_number: from,
            to_number: to,
            entrance: None,
            identity: CallIdentity::default(),
            status: CallStatus::Ringing,
            created_at: now,
            answered_at: None,
            ended_at: None,
            cause: None,
            outcome: None,
            language: tenant.languages.first().copied().unwrap_or(Lang::En),
            agent: None,
            contact: None,
            conversation: ids.conversation,
            recording: Recording::empty(RecordingState::Off),
            emergency: false,
            quality: CallQuality::default(),
            outgoing: Vec::new(),
            version: 1,
        };
        Self {
            leg: Some(leg),
            phase: Phase::Arriving { until: later(now, ARRIVING_MAX) },
            talk: None,
            participants: Vec::new(),
            participants_been: 0,
            bridge: None,
            call,
            ids,
            tenant,
            name: None,
            last_speaker: None,
            last_words: String::new(),
            replies_ms: Vec::new(),
            silence: Silence::default(),
            people: People::default(),
            failures: 0,
            shift: 0,
            taping: Taping::default(),
        }
    }

    /// A call that somebody of the clinic places; `to` is the number of the world, or an extension.
    pub(super) fn placed(placing: &Placing, to: String, now: Timestamp) -> Self {
        let tenant = placing.world.tenant.clone();
        let mut stay = Self::new(Leg(0), placing.ids, placing.shown.clone(), to, tenant, now);
        stay.leg = None;
        stay.call.direction = match placing.target {
            Target::Outside(_) => CallDirection::Outgoing,
            Target::Phone { .. } => CallDirection::Internal,
        };
        stay.call.agent = placing.by;
        stay.entered(match placing.origin {
            Origin::Phone(phone) | Origin::Calling(phone, _) => Entrance::by_phone(Some(phone)),
            Origin::Station(_) => Entrance::of(EntranceKind::Browser),
        })
    }

    pub(super) fn id(&self) -> CallId {
        self.ids.call
    }

    /// The number of whoever is outside; empty when there is none.
    pub(super) fn number(&self) -> &str {
        match self.call.direction {
            CallDirection::Incoming => &self.call.from_number,
            CallDirection::Outgoing => &self.call.to_number,
            CallDirection::Internal => "",
        }
    }

    /// Whether the caller is still there.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.phase, Phase::Closing { .. } | Phase::Gone)
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let beside = self.participants.iter().filter_map(|participant| participant.side.wake_at());
        beside.chain(self.phase_wake_at()).min()
    }

    fn phase_wake_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Arriving { until }
            | Phase::Apologising { until, .. }
            | Phase::Ending { until }
            | Phase::Closing { until } => Some(until),
            Phase::Talking => self.talk.as_ref().and_then(Talk::wake_at),
            Phase::Attended | Phase::Gone => None,
        }
    }

    /// The same with the way by which it came.
    pub(super) fn entered(mut self, entrance: Entrance) -> Self {
        self.call.entrance = Some(entrance);
        self
    }

    /// The same with what the carrier says about the caller.
    pub(super) fn identified(mut self, identity: CallIdentity) -> Self {
        self.call.identity = identity;
        self
    }

    /// As boards show it.
    pub(super) fn card(&self) -> LiveCall {
        LiveCall {
            call: self.id(),
            direction: self.call.direction,
            from_number: self.call.from_number.clone(),
            to_number: self.call.to_number.clone(),
            entrance: self.call.entrance,
            agent: self.call.agent,
            name: self.name.clone(),
            status: self.call.status,
            language: self.call.language,
            created_at: self.call.created_at,
            answered_at: self.call.answered_at,
            emergency: self.call.emergency,
            last_speaker: self.last_speaker,
            last_words: self.last_words.clone(),
            stations: self.stations(),
            participants: self.live_participants(),
            masked_until: self.masked_until(),
            asked: self.talk.as_ref().and_then(Talk::asked),
            unheard: self.unheard(),
        }
    }

    /// The arrival, to be written down.
    pub(super) fn open(&self, by: Actor) -> Output {
        let conversation = Conversation {
            id: self.ids.conversation,
            call: self.ids.call,
            contact: None,
            language: self.call.language,
            created_at: self.call.created_at,
            turns: 0,
            version: 1,
        };
        Output::Open {
            call: Box::new(self.call.clone()),
            conversation: Box::new(conversation),
            cause: self.ids.cause,
            by,
        }
    }

    pub(super) fn attend(&mut self) -> Option<Output> {
        let leg = self.leg?;
        self.shift += 1;
        Some(Output::Attend(Box::new(Assignment {
            shift: self.shift,
            leg,
            call: self.ids.call,
            conversation: self.ids.conversation,
            cause: self.ids.cause,
            from: self.call.from_number.clone(),
            to: self.call.to_number.clone(),
            tenant: self.tenant.clone(),
            language: self.call.language,
            answered_at: self.call.answered_at.unwrap_or(self.call.created_at),
        })))
    }

    pub(super) fn handle(&mut self, input: Input, hands: &mut Hands<'_>) {
        let now = hands.now;
        match input {
            Input::Answered { leg, rate_hz, .. } if self.has_sides(leg) => self.side_answered(leg, rate_hz, hands),
            Input::Answered { answer_ms, rate_hz, .. } => self.answered(answer_ms, rate_hz, now, hands.out),
            Input::Ringing { leg } => self.ringing(leg, hands),
            Input::Early { leg } => self.heard_early(leg, hands),
            Input::Held { leg, on } => self.held_by(leg, on, hands),
            Input::Referred { leg, status } => self.referred(leg, status, hands),
            Input::Digit { leg, digit } => self.digit(leg, digit, hands),
            Input::Level { leg, caller, clinic } if self.leg == Some(leg) => {
                hands.out.push_back(Output::Show(Live::Level { call: self.id(), caller, clinic }));
            }
            Input::Quality { leg, quality } => self.sounds(leg, quality, hands),
            Input::LegEnded { leg, cause } if self.has_sides(leg) => self.side_ended(leg, cause, hands),
            Input::LegEnded { leg, cause } if self.leg == Some(leg) => self.end(cause, now, hands.out),
            Input::Told { what, .. } => self.told(what, now, hands.out),
            Input::ReceptionistGone { shift, .. } if shift == self.shift => self.receptionist_gone(now, hands.out),
            Input::Apologised { .. } => self.apologised(now, hands.out),
            Input::Recorded { recording, complete, .. } => self.recorded(recording, complete, now, hands.out),
            Input::Known { contact, name, .. } => {
                self.call.contact = Some(contact);
                self.name = (!name.is_empty()).then_some(name);
                self.write(Actor::System, Fact::Contact(contact), now, hands.out);
                hands.out.push_back(Output::Board);
            }
            Input::HangUp { .. } if self.talk.is_some() => self.over(EndCause::ClinicHungUp, hands),
            Input::HangUp { .. } if self.is_on() => {
                hands.out.push_back(Output::Dismiss(self.id()));
                self.hang_up(now, hands.out);
            }
            _ => {}
        }
    }

    /// Whether what happens at this leg is the talk's, or a participant's.
    fn has_sides(&self, leg: Leg) -> bool {
        self.talk.is_some() || self.seat_beside(leg).is_some()
    }

    /// The time of the present phase is up, or a participant has been rung for long enough.
    pub(super) fn wake(&mut self, hands: &mut Hands<'_>) {
        let now = hands.now;
        if self.phase_wake_at().is_none_or(|at| at > now) {
            return self.sides_wake(hands);
        }
        match self.phase {
            Phase::Arriving { .. } => self.hang_up(now, hands.out),
            Phase::Apologising { .. } => self.apologised(now, hands.out),
            Phase::Talking => self.talk_wake(hands),
            Phase::Ending { .. } => self.end(EndCause::Failed, now, hands.out),
            Phase::Closing { .. } => self.phase = Phase::Gone,
            Phase::Attended | Phase::Gone => {}
        }
    }

    /// The caller is gone: writes the end, and waits for the recording where there is one.
    pub(super) fn end(&mut self, cause: EndCause, now: Timestamp, out: &mut VecDeque<Output>) {
        if !self.is_on() {
            return;
        }
        let mut quality = self.call.quality.clone();
        quality.reply_ms = median(&mut self.replies_ms);
        let missed = self.missed(cause);
        self.write(Actor::System, Fact::Ended { cause, quality, missed }, now, out);
        out.push_back(Output::Board);
        self.taping.stop(out);
        self.phase = match self.taping.is_complete() {
            true => Phase::Gone,
            false => Phase::Closing { until: later(now, RECORDING_MAX) },
        };
    }

    fn answered(&mut self, answer_ms: u32, rate_hz: u32, now: Timestamp, out: &mut VecDeque<Output>) {
        if !matches!(self.phase, Phase::Arriving { .. }) {
            return;
        }
        self.phase = Phase::Attended;
        self.call.status = CallStatus::WithReceptionist;
        self.call.answered_at = Some(now);
        self.call.quality.answer_ms = Some(answer_ms);
        self.write(Actor::System, Fact::Answered { answer_ms }, now, out);
        if self.tenant.record_calls {
            self.record(rate_hz, now, out);
        }
        out.push_back(Output::Board);
    }

    fn told(&mut self, what: Told, now: Timestamp, out: &mut VecDeque<Output>) {
        let receptionist = Actor::Receptionist { call: self.id() };
        match what {
            Told::Turn(turn) => return self.turn(turn, now, out),
            Told::Partial { speaker, text, start_ms } => {
                self.spoken(speaker, &text);
                out.push_back(Output::Show(Live::Partial { call: self.id(), speaker, text, start_ms }));
            }
            Told::Language(language) => {
                self.call.language = language;
                self.write(receptionist, Fact::Language(language), now, out);
            }
            Told::Emergency { sign, language, number } => {
                let task = (!self.call.emergency).then_some(self.ids.emergency);
                self.call.emergency = true;
                self.call.outcome = Some(Outcome::Emergency);
                self.write(receptionist, Fact::Emergency { sign, language, number, task }, now, out);
            }
            Told::Outcome(outcome) => {
                self.call.outcome = Some(outcome);
                self.write(receptionist, Fact::Outcome(outcome), now, out);
            }
            Told::RecordingRefused => return self.recording_refused(now, out),
            Told::Voicemail => {
                self.call.status = CallStatus::Voicemail;
                self.write(receptionist, Fact::Voicemail, now, out);
            }
            Told::HungUp if self.is_on() => self.phase = Phase::Ending { until: later(now, ENDING_MAX) },
            Told::HungUp => return,
        }
        out.push_back(Output::Board);
    }

    fn turn(&mut self, turn: Box<Turn>, now: Timestamp, out: &mut VecDeque<Output>) {
        self.spoken(turn.speaker, &turn.text);
        if let Some(reply_ms) = turn.reply_ms
            && self.replies_ms.len() < REPLIES_MAX
        {
            self.replies_ms.push(reply_ms);
        }
        let call = self.id();
        let actor = if turn.speaker == Speaker::Caller { Actor::Caller { call } } else { Actor::Receptionist { call } };
        self.write(actor, Fact::Turn(turn), now, out);
        out.push_back(Output::Board);
    }

    /// Nobody talks with the caller any more though the caller is there: never leave silence.
    fn receptionist_gone(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        if !matches!(self.phase, Phase::Arriving { .. } | Phase::Attended) {
            return;
        }
        let last = self.failures >= RESTARTS_MAX;
        self.failures += 1;
        self.phase = Phase::Apologising { until: later(now, APOLOGY_MAX), last };
        let (call, language) = (self.id(), self.call.language);
        out.extend(self.leg.map(|leg| Output::Apologise { call, leg, language, last }));
    }

    fn apologised(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        match self.phase {
            Phase::Apologising { last: false, .. } => {
                self.phase = Phase::Attended;
                out.extend(self.attend());
            }
            Phase::Apologising { last: true, .. } => self.hang_up(now, out),
            _ => {}
        }
    }

    fn hang_up(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        self.phase = Phase::Ending { until: later(now, ENDING_MAX) };
        out.extend(self.leg.map(Output::HangUp));
    }

    fn spoken(&mut self, speaker: Speaker, text: &str) {
        let beyond = text.chars().count().saturating_sub(WORDS_CHARS_MAX);
        self.last_speaker = Some(speaker);
        self.last_words = text.chars().skip(beyond).collect();
    }

    /// Whether somebody has to ring back: the caller was cut off, and had not got what they called for.
    fn missed(&self, cause: EndCause) -> Option<TaskId> {
        let cut_off = match cause {
            EndCause::Rejected | EndCause::NoMedia | EndCause::Failed | EndCause::Lost => true,
            EndCause::ClinicHungUp => self.failures > RESTARTS_MAX,
            // The others end calls that we place.
            EndCause::CallerHungUp
            | EndCause::Cancelled
            | EndCause::CalledHungUp
            | EndCause::Busy
            | EndCause::NoAnswer
            | EndCause::Refused
            | EndCause::HandedOn
            | EndCause::SignIn
            | EndCause::Limit => false,
        };
        let helped = matches!(self.call.outcome, Some(Outcome::Booked | Outcome::MessageTaken | Outcome::Voicemail));
        let is_ours_to_return = self.call.direction == CallDirection::Incoming;
        (cut_off && !helped && is_ours_to_return).then_some(self.ids.missed)
    }

    pub(super) fn write(&self, actor: Actor, fact: Fact, at: Timestamp, out: &mut VecDeque<Output>) {
        out.push_back(Output::Write { call: self.id(), cause: self.ids.cause, actor, at, fact });
    }
}

fn median(values: &mut [u32]) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
