//! Step tables: what goes in, what must come out, on virtual time.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::call::{Call, CallIdentity, Entrance, Recording, SideQuality};
use crate::code::{
    AccessReasons, AttestationLevel, CallStatus, EntranceKind, Heard, Lang, NumberCheck, Outcome, RecordingState,
    Speaker,
};
use crate::conversation::{Conversation, Turn};
use crate::event::Event;
use crate::id::{ContactId, ConversationId, TrunkId};
use crate::tenant::{Tenant, WeekHours};
use uuid::Uuid;

mod emergencies;
mod masks;
mod participants;
mod qualities;
mod recordings;
mod refers;
mod stations;
mod talks;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn ids(number: u128) -> Ids {
    Ids {
        call: CallId(Uuid::from_u128(number)),
        conversation: ConversationId(Uuid::from_u128(1_000 + number)),
        cause: CauseId(Uuid::from_u128(2_000 + number)),
        missed: TaskId(Uuid::from_u128(3_000 + number)),
        emergency: TaskId(Uuid::from_u128(4_000 + number)),
        unheard: TaskId(Uuid::from_u128(5_000 + number)),
    }
}

fn tenant(record_calls: bool) -> Box<Tenant> {
    Box::new(Tenant {
        id: crate::id::TenantId(Uuid::from_u128(9)),
        name: "Lumen".into(),
        country: "GB".into(),
        zone: "Europe/London".into(),
        languages: vec![Lang::Es, Lang::En],
        hours: WeekHours::default(),
        record_calls,
        receptionist: "Sarah".into(),
        access_reasons: AccessReasons::Off,
        version: 1,
    })
}

/// A floor, what it has put out since the last look, and the records as its facts have made them.
struct Desk {
    floor: Floor,
    now: Timestamp,
    call: Option<Call>,
    conversation: Option<Conversation>,
    events: Vec<&'static str>,
    tasks: Vec<crate::task::Task>,
}

impl Desk {
    fn new(calls_max: usize) -> Self {
        let floor = Floor::new(calls_max);
        Self { floor, now: at(0), call: None, conversation: None, events: Vec::new(), tasks: Vec::new() }
    }

    fn put(&mut self, input: Input) -> Vec<Output> {
        self.floor.handle(input, self.now);
        let mut all = Vec::new();
        while let Some(output) = self.floor.poll() {
            match &output {
                Output::Open { call, conversation, .. } => {
                    self.call = Some((**call).clone());
                    self.conversation = Some((**conversation).clone());
                }
                Output::Write { at, fact, .. } => {
                    let applied = fact.apply(self.call.as_mut().unwrap(), self.conversation.as_mut().unwrap(), *at);
                    self.events.extend(applied.events.iter().map(Event::kind));
                    self.tasks.extend(applied.task);
                }
                _ => {}
            }
            all.push(output);
        }
        all
    }

    fn arrive(&mut self, number: u128, record_calls: bool) -> Vec<Output> {
        let (from, to) = ("+15550100".to_owned(), "clinic".to_owned());
        let tenant = tenant(record_calls);
        self.put(Input::Arrived {
            leg: Leg(number as u64),
            ids: ids(number),
            from,
            to,
            entrance: Entrance::of(EntranceKind::Address),
            identity: Box::default(),
            tenant,
        })
    }

    fn answer(&mut self, number: u64) -> Vec<Output> {
        self.put(Input::Answered { leg: Leg(number), answer_ms: 3, rate_hz: 16_000 })
    }

    fn told(&mut self, number: u128, what: Told) -> Vec<Output> {
        self.put(Input::Told { call: ids(number).call, what })
    }

    fn end(&mut self, leg: u64, cause: EndCause) -> Vec<Output> {
        self.put(Input::LegEnded { leg: Leg(leg), cause })
    }

    fn wait_for_wake(&mut self) -> Vec<Output> {
        self.now = self.floor.next_wake().expect("this phase has a wake");
        self.put(Input::Wake)
    }
}

fn turn(text: &str, speaker: Speaker, reply_ms: Option<u32>) -> Told {
    Told::Turn(Box::new(Turn {
        conversation: ids(1).conversation,
        call: ids(1).call,
        index: 0,
        speaker,
        text: text.into(),
        language: Lang::En,
        start_ms: 0,
        end_ms: 500,
        heard: Heard::Full,
        words: vec![],
        citations: vec![],
        tools: vec![],
        reply_ms,
        engine: String::new(),
    }))
}

fn is_voice(output: &Output) -> bool {
    let is_silent = matches!(output, Output::Show(_) | Output::Board | Output::Measure(_));
    !is_silent && !matches!(output, Output::Write { .. } | Output::Open { .. })
}

fn doings(outputs: Vec<Output>) -> Vec<Output> {
    outputs.into_iter().filter(is_voice).collect()
}

/// CALL-02, CALL-07: a call is answered before it is written down, and its status moves from ringing to ended.
#[test]
fn a_call_is_answered_at_once_attended_and_closed() {
    let mut desk = Desk::new(2);
    let outputs = desk.arrive(1, true);
    assert_eq!(outputs[0], Output::Answer(Leg(1)), "nothing comes before the answer");
    assert!(matches!(&outputs[2], Output::Attend(assignment) if assignment.language == Lang::Es));
    assert_eq!(desk.call.as_ref().unwrap().status, CallStatus::Ringing);
    assert_eq!(doings(desk.answer(1)), [Output::Record { call: ids(1).call, leg: Leg(1) }]);
    assert_eq!(desk.call.as_ref().unwrap().status, CallStatus::WithReceptionist);
    assert_eq!(desk.call.as_ref().unwrap().recording.rate_hz, 16_000);
    desk.told(1, turn("when are you open", Speaker::Caller, None));
    desk.told(1, turn("from eight", Speaker::Receptionist, Some(400)));
    desk.told(1, Told::Outcome(Outcome::AnsweredQuestion));
    assert_eq!(desk.floor.board()[0].last_words, "from eight");
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::CallerHungUp });
    let call = desk.call.clone().unwrap();
    assert_eq!((call.status, call.cause), (CallStatus::Ended, Some(EndCause::CallerHungUp)));
    assert_eq!(call.outcome, Some(Outcome::AnsweredQuestion));
    assert_eq!((call.quality.answer_ms, call.quality.reply_ms), (Some(3), Some(400)));
    assert_eq!(desk.conversation.as_ref().unwrap().turns, 2);
    assert!(desk.floor.board().is_empty());
    assert!(desk.tasks.is_empty());
    let expected =
        ["call.answered", "call.recording", "conversation.turn", "conversation.turn", "call.outcome", "call.ended"];
    assert_eq!(desk.events, expected);
}

/// A recording is completed after its call, and the call is kept until then.
#[test]
fn the_recording_is_completed_after_the_end() {
    let mut desk = Desk::new(2);
    desk.arrive(1, true);
    desk.answer(1);
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::CallerHungUp });
    let recording = Recording {
        rate_hz: 8_000,
        length_ms: 5_000,
        sha256: Some("ab".into()),
        ..Recording::empty(RecordingState::Stopped)
    };
    desk.put(Input::Recorded { call: ids(1).call, recording: recording.clone(), complete: true });
    assert_eq!(desk.call.as_ref().unwrap().recording, recording);
    assert_eq!(desk.floor.next_wake(), None, "the call is forgotten");
}

/// CALL-08: the weightier of two outcomes stays, whichever came last.
#[test]
fn the_weightiest_outcome_stands() {
    let order = [
        Outcome::Abandoned,
        Outcome::Failed,
        Outcome::AnsweredQuestion,
        Outcome::Voicemail,
        Outcome::MessageTaken,
        Outcome::Booked,
        Outcome::Emergency,
    ];
    for (index, weightier) in order.iter().enumerate() {
        for lighter in &order[..index] {
            for both in [[weightier, lighter], [lighter, weightier]] {
                let mut desk = Desk::new(2);
                desk.arrive(1, false);
                desk.answer(1);
                both.iter().for_each(|outcome| drop(desk.told(1, Told::Outcome(**outcome))));
                assert_eq!(desk.call.as_ref().unwrap().outcome, Some(*weightier));
            }
        }
    }
}

/// CALL-08: a caller who leaves before anything came of the call abandoned it.
#[test]
fn a_call_of_which_nothing_came_is_abandoned() {
    let mut desk = Desk::new(2);
    desk.arrive(1, false);
    desk.answer(1);
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::CallerHungUp });
    assert_eq!(desk.call.as_ref().unwrap().outcome, Some(Outcome::Abandoned));
}

/// SAFE-01: an emergency marks the call at once and makes one task, however often it is said.
#[test]
fn an_emergency_is_marked_and_owed_once() {
    let mut desk = Desk::new(2);
    desk.arrive(1, false);
    desk.answer(1);
    for sign in ["chest_pain", "breathing"] {
        desk.told(1, Told::Emergency { sign: sign.into(), language: Lang::En, number: "999".into() });
    }
    desk.told(1, Told::Outcome(Outcome::AnsweredQuestion));
    let call = desk.call.as_ref().unwrap();
    assert!(call.emergency && call.outcome == Some(Outcome::Emergency));
    assert!(desk.floor.board()[0].emergency);
    assert_eq!(desk.tasks.len(), 1);
    assert_eq!(desk.events.iter().filter(|kind| **kind == "call.emergency").count(), 2);
}

#[test]
fn beyond_the_capacity_a_call_is_refused_recorded_and_owed() {
    let mut desk = Desk::new(1);
    desk.arrive(1, false);
    let outputs = desk.arrive(2, false);
    assert_eq!(outputs[0], Output::Refuse(Leg(2), 503));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Attend(_))));
    let call = desk.call.as_ref().unwrap();
    assert_eq!((call.cause, call.outcome), (Some(EndCause::Rejected), Some(Outcome::Failed)));
    assert_eq!(desk.tasks[0].kind, crate::code::TaskKind::MissedCall);
    assert_eq!(desk.floor.calls(), 1);
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::CallerHungUp });
    assert_eq!(desk.arrive(3, false)[0], Output::Answer(Leg(3)), "the place is free again");
}

#[test]
fn a_stopping_floor_keeps_its_calls_and_refuses_new_ones() {
    let mut desk = Desk::new(5);
    desk.arrive(1, false);
    desk.answer(1);
    assert!(doings(desk.put(Input::Drain)).is_empty());
    assert_eq!(desk.arrive(2, false)[0], Output::Refuse(Leg(2), 503));
    assert_eq!(desk.floor.calls(), 1);
}

/// Never dead air: a receptionist that fails is replaced once; when that fails too, the call ends politely and is owed.
#[test]
fn a_failed_receptionist_is_replaced_once_then_the_call_ends_politely() {
    let mut desk = Desk::new(2);
    let (call, leg, language) = (ids(1).call, Leg(1), Lang::Es);
    desk.arrive(1, false);
    desk.answer(1);
    let outputs = doings(desk.put(Input::ReceptionistGone { call, shift: 1 }));
    assert_eq!(outputs, [Output::Apologise { call, leg, language, last: false }]);
    assert!(matches!(doings(desk.put(Input::Apologised { call }))[..], [Output::Attend(_)]));
    let outputs = doings(desk.put(Input::ReceptionistGone { call, shift: 2 }));
    assert_eq!(outputs, [Output::Apologise { call, leg, language, last: true }]);
    assert_eq!(doings(desk.put(Input::Apologised { call })), [Output::HangUp(leg)]);
    desk.put(Input::LegEnded { leg, cause: EndCause::ClinicHungUp });
    assert_eq!(desk.tasks[0].kind, crate::code::TaskKind::MissedCall);
}

/// Every phase ends by itself, even if nothing more is heard of the leg.
#[test]
fn no_phase_lasts_for_ever() {
    let mut desk = Desk::new(2);
    desk.arrive(1, true);
    assert_eq!(doings(desk.wait_for_wake()), [Output::HangUp(Leg(1))], "an answer that never came up");
    desk.wait_for_wake();
    assert_eq!(desk.call.as_ref().unwrap().cause, Some(EndCause::Failed));
    assert_eq!(desk.floor.next_wake(), None);

    let mut desk = Desk::new(2);
    let call = ids(1).call;
    desk.arrive(1, true);
    desk.answer(1);
    desk.put(Input::ReceptionistGone { call, shift: 1 });
    assert!(matches!(doings(desk.wait_for_wake())[..], [Output::Attend(_)]), "an apology whose end is not heard of");
    desk.told(1, Told::HungUp);
    desk.wait_for_wake();
    assert_eq!(desk.call.as_ref().unwrap().status, CallStatus::Ended);
    desk.wait_for_wake();
    assert_eq!(desk.floor.next_wake(), None, "a recording that is never completed");
}

/// A receptionist that returns after it hung up, or after the caller did, is no failure.
#[test]
fn a_receptionist_that_is_done_is_not_missed() {
    let mut desk = Desk::new(2);
    let call = ids(1).call;
    desk.arrive(1, false);
    desk.answer(1);
    desk.told(1, Told::HungUp);
    assert!(doings(desk.put(Input::ReceptionistGone { call, shift: 1 })).is_empty());
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::ClinicHungUp });
    assert!(doings(desk.put(Input::ReceptionistGone { call, shift: 1 })).is_empty());
    assert!(desk.tasks.is_empty());
}

/// B-08: who does not want to be recorded is not, and what there was is removed once the writer has let go of it.
#[test]
fn a_refused_recording_is_stopped_and_erased() {
    let mut desk = Desk::new(2);
    let call = ids(1).call;
    desk.arrive(1, true);
    desk.answer(1);
    assert_eq!(doings(desk.told(1, Told::RecordingRefused)), [Output::StopRecording(Leg(1))]);
    assert!(doings(desk.told(1, Told::RecordingRefused)).is_empty());
    let recording = Recording { length_ms: 900, ..desk.call.clone().unwrap().recording };
    let outputs = desk.put(Input::Recorded { call, recording, complete: true });
    assert_eq!(outputs, [Output::EraseRecording(call)]);
    assert_eq!(desk.call.as_ref().unwrap().recording.state, RecordingState::Refused);
}

#[test]
fn a_person_can_end_a_call_and_learn_who_it_is() {
    let mut desk = Desk::new(2);
    let call = ids(1).call;
    desk.arrive(1, false);
    desk.answer(1);
    let contact = ContactId(Uuid::from_u128(77));
    desk.put(Input::Known { call, contact, name: "Ada".into() });
    assert_eq!(desk.floor.board()[0].name.as_deref(), Some("Ada"));
    assert_eq!(desk.call.as_ref().unwrap().contact, Some(contact));
    assert_eq!(doings(desk.put(Input::HangUp { call })), [Output::Dismiss(call), Output::HangUp(Leg(1))]);
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::ClinicHungUp });
    assert!(doings(desk.put(Input::HangUp { call })).is_empty());
}

/// Late and foreign inputs change nothing.
#[test]
fn inputs_about_unknown_calls_change_nothing() {
    let mut desk = Desk::new(2);
    assert!(desk.answer(9).is_empty());
    assert!(desk.put(Input::LegEnded { leg: Leg(9), cause: EndCause::Failed }).is_empty());
    assert!(desk.told(9, Told::Outcome(Outcome::Booked)).is_empty());
    assert!(desk.put(Input::Wake).is_empty());
}

/// A fact that is applied again, as after a conflict, gives the same records: the end is written once.
#[test]
fn an_end_after_the_end_changes_nothing() {
    let mut desk = Desk::new(2);
    desk.arrive(1, false);
    desk.answer(1);
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::NoMedia });
    let (mut call, mut conversation) = (desk.call.clone().unwrap(), desk.conversation.clone().unwrap());
    let fact = Fact::Ended { cause: EndCause::Lost, quality: call.quality.clone(), missed: Some(ids(1).missed) };
    assert_eq!(fact.apply(&mut call, &mut conversation, at(99)), Applied::default());
    assert_eq!(call.cause, Some(EndCause::NoMedia));
}

/// B-22
#[test]
fn the_last_figures_stand_and_a_one_sided_stretch_is_not_forgotten() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    for (packets_received, mos, one_way) in [(0, None, true), (900, Some(4.1), false)] {
        let quality = SideQuality { packets_received, packets_lost: 2, jitter_ms: 3.0, mos, one_way };
        desk.put(Input::Quality { leg: Leg(1), quality });
    }
    desk.put(Input::LegEnded { leg: Leg(1), cause: EndCause::CallerHungUp });
    let quality = desk.call.unwrap().quality;
    assert_eq!((quality.packets_received, quality.mos, quality.one_way), (900, Some(4.1), true));
}

/// By which way a call came, and what its carrier says about the caller, is written down with the arrival.
#[test]
fn an_arrival_keeps_its_way_and_what_the_carrier_says() {
    let mut desk = Desk::new(2);
    let said = CallIdentity {
        diverted_from: Some("+15550177".to_owned()),
        check: Some(NumberCheck::Passed),
        level: Some(AttestationLevel::A),
    };
    let (from, to) = ("+15550100".to_owned(), "clinic".to_owned());
    let (leg, identity) = (Leg(1), Box::new(said.clone()));
    let entrance = Entrance::by_trunk(Some(TrunkId::new(desk.now, [7; 10])));
    desk.put(Input::Arrived { leg, ids: ids(1), from, to, entrance, identity, tenant: tenant(true) });
    let call = desk.call.unwrap();
    assert_eq!((call.identity, call.entrance), (said, Some(entrance)));
    assert_eq!(desk.floor.board()[0].entrance, Some(entrance));
}
