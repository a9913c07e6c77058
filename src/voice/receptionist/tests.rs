#![allow(clippy::unwrap_used)]
//! Conversations through the whole shell, on paused time, with an engine, voices and brains of the tests' own.

use super::*;
use crate::providers::{
    LlmDelta, LlmMessage, LlmRequest, LlmToolCall, ProviderError, SttEvent, SttInput, SttOptions, SttSession,
    Vocabulary,
};
use crate::voice::tools::{Answer, Found, Message, Scope, ToolError};
use auricle_domain::appointment::{Appointment, Service, Slot};
use auricle_domain::code::{AccessReasons, Heard};
use auricle_domain::conversation::Citation;
use auricle_domain::id::{AppointmentId, DocumentId, PassageId, ServiceId, TaskId, TenantId};
use auricle_domain::slots;
use auricle_domain::tenant::{OpenSpan, WeekHours};
use auricle_media::io::{LegEnd, Rate};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

const LEG: LegId = LegId(7);

fn clock() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Speaks 60 ms for every character.
struct Voices;

impl Tts for Voices {
    fn name(&self) -> &'static str {
        "test"
    }
    fn languages(&self) -> &[Lang] {
        Lang::ALL
    }
    fn speak(&self, text: &str, _: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
        let samples = vec![0; text.chars().count() * 60 * 16];
        stream::iter([Ok(Pcm { rate: Rate::Hz16000, samples: samples.into() })]).boxed()
    }
}

/// What the recogniser is told to hear.
#[derive(Default)]
struct Ears {
    says: Mutex<Option<mpsc::Sender<SttEvent>>>,
    full: bool,
}

impl Stt for Ears {
    fn name(&self) -> &'static str {
        "ears"
    }
    fn languages(&self) -> &[Lang] {
        &[Lang::En]
    }
    fn listen(&self, _: SttOptions) -> BoxFuture<'_, Result<SttSession, ProviderError>> {
        if self.full {
            return async { Err(ProviderError::Full { provider: "ears", limit: 0 }) }.boxed();
        }
        let (audio, mut taken) = mpsc::channel::<SttInput>(100);
        tokio::spawn(async move { while taken.recv().await.is_some() {} });
        let (says, events) = mpsc::channel(64);
        *self.says.lock().unwrap() = Some(says);
        async move { Ok(SttSession { audio, events }) }.boxed()
    }
}

/// A model that plays its script: one entry for each request.
struct Script {
    steps: Mutex<VecDeque<Vec<Result<LlmDelta, ProviderError>>>>,
    seen: Mutex<Vec<LlmRequest>>,
}

impl Llm for Script {
    fn name(&self) -> &str {
        "script"
    }
    fn reply(&self, request: LlmRequest) -> BoxStream<'static, Result<LlmDelta, ProviderError>> {
        self.seen.lock().unwrap().push(request);
        match self.steps.lock().unwrap().pop_front() {
            Some(step) => stream::iter(step).boxed(),
            None => stream::pending().boxed(),
        }
    }
}

fn text(words: &str) -> Result<LlmDelta, ProviderError> {
    Ok(LlmDelta::Text(words.to_owned()))
}

fn tool(name: &str, arguments: serde_json::Value) -> Result<LlmDelta, ProviderError> {
    Ok(LlmDelta::Call(LlmToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_string() }))
}

fn broken() -> Result<LlmDelta, ProviderError> {
    Err(ProviderError::Broken { provider: "script", reason: "the connection was reset".to_owned() })
}

/// The clinic's records.
#[derive(Default)]
struct Records {
    held: Mutex<Vec<Slot>>,
    booked: Mutex<Vec<(Slot, String, String)>>,
    messages: Mutex<Vec<Message>>,
}

fn service() -> Service {
    Service {
        id: ServiceId::new(Timestamp::UNIX_EPOCH, [1; 10]),
        name: "Chemical peel".to_owned(),
        aliases: vec!["peel".to_owned()],
        duration_min: 30,
        resource: "Room 1".to_owned(),
        hours: (1..=5).map(|weekday| OpenSpan { weekday, from_minute: 540, to_minute: 1_020 }).collect(),
        lead_min: 60,
        active: true,
        version: 1,
    }
}

impl Tools for Records {
    fn answer(&self, query: &str, _: Lang, _: usize) -> Answer<'_, Vec<Found>> {
        let citation = Citation {
            document: DocumentId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: "Access".to_owned(),
            passage: PassageId::new(Timestamp::UNIX_EPOCH, [2; 10]),
        };
        let text = "There is a lift at the back entrance.".to_owned();
        let found = Found { citation, heading: "Access".to_owned(), text, score: 1.0 };
        let found = if query.contains("lift") { vec![found] } else { Vec::new() };
        async move { Ok(found) }.boxed()
    }
    fn services(&self) -> Answer<'_, Vec<Service>> {
        async { Ok(vec![service()]) }.boxed()
    }
    fn find_slots(&self, _: ServiceId, from: Timestamp, to: Timestamp, limit: usize) -> Answer<'_, Vec<Slot>> {
        let found = slots::free(&service(), &[], &jiff::tz::TimeZone::UTC, (from, to), clock(), limit);
        async move { Ok(found) }.boxed()
    }
    fn hold(&self, _: Scope, slot: Slot) -> Answer<'_, AppointmentId> {
        let mut held = self.held.lock().unwrap();
        held.push(slot);
        let id = AppointmentId::new(Timestamp::UNIX_EPOCH, [u8::try_from(held.len()).unwrap(); 10]);
        async move { Ok(id) }.boxed()
    }
    fn confirm(&self, _: Scope, id: AppointmentId, name: String, number: String) -> Answer<'_, Appointment> {
        let index = usize::from(id.as_bytes()[15]) - 1;
        let slot = self.held.lock().unwrap()[index].clone();
        self.booked.lock().unwrap().push((slot.clone(), name.clone(), number.clone()));
        let appointment = Appointment {
            id,
            service: slot.service,
            service_name: "Chemical peel".to_owned(),
            resource: slot.resource,
            start: slot.start,
            end: slot.end,
            status: auricle_domain::code::AppointmentStatus::Booked,
            held_until: None,
            contact: None,
            patient_name: name,
            patient_number: number,
            call: None,
            conversation: None,
            cancel_reason: None,
            created_at: clock(),
            version: 1,
        };
        async move { Ok(appointment) }.boxed()
    }
    fn release(&self, _: Scope, _: AppointmentId) -> Answer<'_, ()> {
        async { Ok(()) }.boxed()
    }
    fn take_message(&self, _: Scope, message: Message) -> Answer<'_, TaskId> {
        self.messages.lock().unwrap().push(message);
        async { Ok(TaskId::new(Timestamp::UNIX_EPOCH, [1; 10])) }.boxed()
    }
    fn vocabulary(&self, _: Lang) -> Answer<'_, Arc<Vocabulary>> {
        async { Err(ToolError::Unavailable("not in this test".to_owned())) }.boxed()
    }
}

/// The engine: commands go to a task that plays on the paused clock.
struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    given: Mutex<Vec<Command>>,
    /// Keeps taps open: nothing is ever heard through them.
    taps: Mutex<Vec<mpsc::Sender<(Pcm, u64)>>>,
}

impl Voice for Engine {
    fn send(&self, command: Command) -> Result<(), VoiceError> {
        self.given.lock().unwrap().push(command.clone());
        self.commands.send(command).map_err(|_| VoiceError::Stopped)
    }
    fn tap(&self, _: LegId) -> Result<mpsc::Receiver<(Pcm, u64)>, VoiceError> {
        let (frames, heard) = mpsc::channel(10);
        self.taps.lock().unwrap().push(frames);
        Ok(heard)
    }
}

/// Plays in order, 100 ms at a time, and reports; a hang-up ends the leg.
async fn play(mut commands: mpsc::UnboundedReceiver<Command>, events: mpsc::Sender<EngineEvent>) {
    let start = tokio::time::Instant::now();
    let mut line: VecDeque<(auricle_media::io::PlayId, u64, u64, u64, bool)> = VecDeque::new();
    let mut paused = None;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Play { id, pcm, last, .. }) => {
                    let at_ms = u64::try_from(start.elapsed().as_millis()).unwrap();
                    match line.iter_mut().find(|entry| entry.0 == id) {
                        Some(entry) => { entry.1 += pcm.samples.len() as u64; entry.4 = last; }
                        None => line.push_back((id, pcm.samples.len() as u64, 0, at_ms, last)),
                    }
                }
                Some(Command::Pause { id, .. }) => paused = Some(id),
                Some(Command::Resume { .. }) => paused = None,
                Some(Command::Flush { id, .. }) => {
                    paused = None;
                    let played = line.iter().find(|entry| entry.0 == id).map_or((0, 0), |entry| (entry.2, entry.3));
                    line.retain(|entry| entry.0 != id);
                    let gone = EngineEvent::PlayedTo { leg: LEG, id, samples: played.0, started_ms: played.1, done: true };
                    let _gone = events.send(gone).await;
                }
                Some(Command::Hangup { .. }) | None => {
                    let _gone = events.send(EngineEvent::Ended { leg: LEG, cause: LegEnd::LocalHangup }).await;
                    return;
                }
                Some(_) => {}
            },
            _ = tick.tick() => {
                let Some((id, all, played, started_ms, last)) = line.front_mut() else { continue };
                if paused == Some(*id) { continue; }
                *played = (*played + 1_600).min(*all);
                let done = *last && played == all;
                let report = EngineEvent::PlayedTo { leg: LEG, id: *id, samples: *played, started_ms: *started_ms, done };
                if done { line.pop_front(); }
                let _gone = events.send(report).await;
            }
        }
    }
}

struct Call {
    events: mpsc::Sender<EngineEvent>,
    reports: mpsc::Receiver<(CallId, Report)>,
    ears: Arc<Ears>,
    records: Arc<Records>,
    engine: Arc<Engine>,
    model: Option<Arc<Script>>,
    attending: tokio::task::JoinHandle<()>,
    seen: Vec<Report>,
}

impl Call {
    fn place(ears: Ears, script: Option<Vec<Vec<Result<LlmDelta, ProviderError>>>>) -> Self {
        let (commands, given) = mpsc::unbounded_channel();
        let (events, stream) = mpsc::channel(1_000);
        tokio::spawn(play(given, events.clone()));
        let engine = Arc::new(Engine { commands, given: Mutex::default(), taps: Mutex::default() });
        let (ears, records) = (Arc::new(ears), Arc::new(Records::default()));
        let model = script.map(|steps| Arc::new(Script { steps: Mutex::new(steps.into()), seen: Mutex::default() }));
        let (to_reports, reports) = mpsc::channel(4_000);
        let desk = Desk {
            voice: engine.clone(),
            stt: Some(ears.clone()),
            tts: Arc::new(Voices),
            llm: model.clone().map(|model| model as Arc<dyn Llm>),
            tools: records.clone(),
            reports: to_reports,
            clock,
        };
        let attending = tokio::spawn(attend(brief(), desk, stream));
        Self { events, reports, ears, records, engine, model, attending, seen: Vec::new() }
    }

    /// Reports until one fits; fails when a minute passes without it.
    async fn until(&mut self, what: &str, fits: impl Fn(&Report) -> bool) -> Report {
        let wait = async {
            loop {
                let (_, report) = self.reports.recv().await.unwrap();
                self.seen.push(report.clone());
                if fits(&report) {
                    return report;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| {
            let said: Vec<String> = self.seen.iter().filter_map(said).collect();
            unreachable!("{what} was never reported after {said:#?}")
        })
    }

    /// The receptionist's turn that contains these words.
    async fn hears(&mut self, words: &str) -> Turn {
        let report = self.until(words, |report| said(report).is_some_and(|text| text.contains(words))).await;
        match report {
            Report::Turn(turn) => *turn,
            _ => unreachable!(),
        }
    }

    async fn stt(&self, event: SttEvent) {
        let says = self.ears.says.lock().unwrap().clone().unwrap();
        says.send(event).await.unwrap();
    }

    async fn partial(&self, words: &str) {
        self.events.send(EngineEvent::SpeechStarted { leg: LEG, at_ms: 0 }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.stt(SttEvent::Partial { text: words.to_owned(), stable: 0 }).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    async fn finish(&self, words: &str) {
        self.events.send(EngineEvent::SpeechEnded { leg: LEG, at_ms: 0 }).await.unwrap();
        self.stt(SttEvent::Final { text: words.to_owned(), words: Vec::new(), confidence: Some(0.9) }).await;
    }

    async fn says(&self, words: &str) {
        self.partial(words).await;
        self.finish(words).await;
    }

    async fn presses(&self, digit: char) {
        self.events.send(EngineEvent::Dtmf { leg: LEG, digit, at_ms: 0 }).await.unwrap();
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let outcomes = self.seen.iter().filter_map(|report| match report {
            Report::Outcome(outcome) => Some(*outcome),
            _ => None,
        });
        outcomes.collect()
    }
}

fn said(report: &Report) -> Option<String> {
    match report {
        Report::Turn(turn) if turn.speaker == Speaker::Receptionist => Some(turn.text.clone()),
        _ => None,
    }
}

fn brief() -> Brief {
    let at = clock();
    Brief {
        call: CallId::new(at, [1; 10]),
        conversation: ConversationId::new(at, [2; 10]),
        leg: LEG,
        from: "+447700900123".to_owned(),
        to: "clinic".to_owned(),
        tenant: Tenant {
            id: TenantId::new(at, [3; 10]),
            name: "Hill Clinic".to_owned(),
            country: "GB".to_owned(),
            zone: "UTC".to_owned(),
            languages: vec![Lang::En],
            hours: WeekHours::default(),
            record_calls: true,
            receptionist: "Sarah".to_owned(),
            access_reasons: AccessReasons::Off,
            version: 1,
        },
        language: Lang::En,
        answered_at: at,
        cause: CauseId::new(at, [4; 10]),
    }
}

/// VOICE-01, VOICE-04, KB-04
#[tokio::test(start_paused = true)]
async fn a_question_is_answered_from_the_clinics_knowledge() {
    let mut call = Call::place(Ears::default(), None);
    let greeting = call.hears("AI receptionist").await;
    assert_eq!((greeting.heard, greeting.engine.as_str()), (Heard::Full, "local"));
    call.hears("How can I help").await;
    call.says("is there a lift in the building").await;
    let answer = call.hears("There is a lift at the back entrance.").await;
    assert_eq!(answer.citations[0].name, "Access");
    assert_eq!(answer.tools[0].result, "found");
    assert_eq!(call.outcomes(), [Outcome::AnsweredQuestion]);
    assert!(call.seen.iter().any(|report| matches!(report, Report::Partial { speaker: Speaker::Caller, .. })));
    call.says("no thank you goodbye").await;
    call.until("the hang-up", |report| *report == Report::Hangup).await;
    call.attending.await.unwrap();
}

/// VOICE-07, B-10
#[tokio::test(start_paused = true)]
async fn an_appointment_is_booked_by_voice() {
    let mut call = Call::place(Ears::default(), None);
    call.hears("How can I help").await;
    call.says("I'd like to book a peel next tuesday at half past ten").await;
    call.hears("Tuesday the 24th of November at 10:30 am").await;
    call.says("yes please").await;
    call.hears("your name").await;
    call.says("jane smith").await;
    call.hears("You are booked").await;
    let booked = call.records.booked.lock().unwrap().clone();
    assert_eq!((booked.len(), booked[0].1.as_str(), booked[0].2.as_str()), (1, "Jane Smith", "+447700900123"));
    assert_eq!(call.outcomes(), [Outcome::Booked]);
}

/// B-07: on a partial, over the protected greeting, before the caller has finished.
#[tokio::test(start_paused = true)]
async fn an_emergency_is_answered_before_the_sentence_ends() {
    let mut call = Call::place(Ears::default(), None);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    call.partial("help I have chest pain and").await;
    let report = call.until("the alarm", |report| matches!(report, Report::Emergency { .. })).await;
    assert_eq!(report, Report::Emergency { sign: "chest_pain", language: Lang::En, number: "999" });
    let notice = call.hears("hang up and dial 999 now").await;
    assert_eq!(notice.heard, Heard::Full);
    assert_eq!(call.outcomes(), [Outcome::Emergency]);
    let greeting = call.seen.iter().filter_map(said).next().unwrap();
    assert!(!greeting.contains("This call is recorded"), "the greeting went on: {greeting}");
}

/// B-03: on record is what was heard.
#[tokio::test(start_paused = true)]
async fn an_interrupted_answer_is_recorded_as_far_as_it_was_heard() {
    let mut call = Call::place(Ears::default(), None);
    call.hears("How can I help").await;
    call.says("is there a lift").await;
    call.until("the answer", |report| matches!(report, Report::Partial { speaker: Speaker::Receptionist, text, .. } if text.contains("There is a lift"))).await;
    call.says("I want to book a peel").await;
    let answer = call.hears("There is a").await;
    assert_eq!(answer.heard, Heard::Partly);
    assert!("There is a lift at the back entrance. Is there anything else I can do for you?".starts_with(&answer.text));
    call.hears("Which day and time").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_place_for_recognition_the_caller_is_told_and_uses_keys() {
    let mut call = Call::place(Ears { full: true, ..Ears::default() }, None);
    call.hears("I cannot listen to you at the moment").await;
    call.presses('3').await;
    call.until("the voicemail", |report| *report == Report::Voicemail).await;
    call.hears("leave your message now").await;
    call.presses('#').await;
    call.until("the hang-up", |report| *report == Report::Hangup).await;
    assert_eq!(call.records.messages.lock().unwrap().len(), 1);
}

/// B-08
#[tokio::test(start_paused = true)]
async fn a_key_turns_the_recording_off() {
    let mut call = Call::place(Ears::default(), None);
    call.presses('9').await;
    call.until("the refusal", |report| *report == Report::RecordingRefused).await;
    let given = call.engine.given.lock().unwrap();
    assert!(given.iter().any(|command| matches!(command, Command::Record { on: false, .. })));
}

#[tokio::test(start_paused = true)]
async fn silence_is_asked_about_and_ends_the_call() {
    let mut call = Call::place(Ears::default(), None);
    call.hears("Are you still there?").await;
    call.until("the hang-up", |report| *report == Report::Hangup).await;
    call.attending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_model_answers_with_the_clinics_tools() {
    let script = vec![
        vec![tool("answer_from_knowledge", serde_json::json!({ "question": "lift" })), Ok(LlmDelta::Done)],
        vec![text("Yes, there is "), text("a lift at the back. Anything else?"), Ok(LlmDelta::Done)],
        vec![tool("end_call", serde_json::json!({})), Ok(LlmDelta::Done)],
    ];
    let mut call = Call::place(Ears::default(), Some(script));
    call.hears("How can I help").await;
    call.says("do you have a lift").await;
    let answer = call.hears("Yes, there is a lift at the back. Anything else?").await;
    assert_eq!((answer.engine.as_str(), answer.tools.len(), answer.citations.len()), ("script", 1, 1));
    call.says("no that is everything for today I think").await;
    call.until("the hang-up", |report| *report == Report::Hangup).await;
    let seen = call.model.as_ref().unwrap().seen.lock().unwrap();
    assert!(seen[0].system.contains("Hill Clinic") && seen[0].system.contains("Chemical peel"));
    assert!(
        seen[1]
            .messages
            .iter()
            .any(|message| matches!(message, LlmMessage::Tool { result, .. } if result.contains("back entrance")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_books_once_and_the_local_receptionist_knows_of_it() {
    let book = || {
        tool("book", serde_json::json!({ "service": "peel", "start": "2026-11-24T10:30:00Z", "name": "Jane Smith" }))
    };
    let script = vec![
        vec![book(), Ok(LlmDelta::Done)],
        vec![book(), Ok(LlmDelta::Done)],
        vec![text("You are all set for Tuesday at half past ten."), Ok(LlmDelta::Done)],
        vec![broken()],
    ];
    let mut call = Call::place(Ears::default(), Some(script));
    call.hears("How can I help").await;
    call.says("yes book me in for the peel then").await;
    call.hears("all set").await;
    assert_eq!(call.records.booked.lock().unwrap().len(), 1);
    assert_eq!(call.outcomes(), [Outcome::Booked]);
    // The model fails; the local receptionist carries on in the same conversation, and does not book again.
    call.says("I'd like to book a peel on tuesday").await;
    call.hears("You are already booked for Chemical peel").await;
    assert_eq!(call.records.booked.lock().unwrap().len(), 1);
}

/// The first token never comes: a filler covers it, then the local receptionist answers.
#[tokio::test(start_paused = true)]
async fn a_model_that_stalls_is_replaced() {
    let mut call = Call::place(Ears::default(), Some(Vec::new()));
    call.hears("How can I help").await;
    call.says("is there a lift in the building").await;
    call.hears("One moment, please.").await;
    let answer = call.hears("There is a lift at the back entrance.").await;
    assert_eq!(answer.engine, "local");
}

/// SAFE-01: what a model says is checked before it is spoken.
#[tokio::test(start_paused = true)]
async fn a_models_medical_advice_is_replaced() {
    let script =
        vec![vec![text("That sounds sore. You should take two tablets of ibuprofen. And rest."), Ok(LlmDelta::Done)]];
    let mut call = Call::place(Ears::default(), Some(script));
    call.hears("How can I help").await;
    call.says("my arm feels sore after the treatment yesterday").await;
    let answer = call.hears("not able to give medical advice").await;
    assert!(!answer.text.contains("ibuprofen") && !answer.text.contains("rest"), "{}", answer.text);
    assert_eq!(answer.tools[0].name, "safe_mode");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_leaves_a_complete_transcript() {
    let mut call = Call::place(Ears::default(), None);
    call.hears("How can I help").await;
    call.partial("hello is").await;
    call.events.send(EngineEvent::Ended { leg: LEG, cause: LegEnd::RemoteHangup }).await.unwrap();
    call.until("the caller's words", |report| matches!(report, Report::Turn(turn) if turn.text == "hello is")).await;
    call.attending.await.unwrap();
}
