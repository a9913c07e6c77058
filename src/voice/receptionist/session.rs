//! One conversation: everything that happens goes through Turn and the dialog, one thing at a time.

use super::model::{self, Note};
use super::speech;
use super::work;
use super::{Brief, Desk, Report};
use crate::providers::{Expectation, LlmMessage, SttEvent, SttInput, SttSession};
use auricle_domain::appointment::Service;
use auricle_domain::code::{Heard, Lang, Outcome, Speaker};
use auricle_domain::conversation::{Citation, ToolUse, Turn, Word};
use auricle_domain::dialog::tool::{ToolRequest, ToolResult};
use auricle_domain::dialog::{self, Dialog, Expect, Line, Say, Setup};
use auricle_domain::emergency::{self, Sign};
use auricle_domain::phrases::{self, Phrase};
use auricle_domain::{intent, numbers, when};
use auricle_media::io::{Command, EngineEvent, Pcm, PlayId};
use auricle_media::turn::{self, Escalation, HeardWord, Patience, Prompt, ReplyId, TurnId, TurnRecord, Turns, Who};
use jiff::tz::TimeZone;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Longest call with the receptionist.
const CALL_MAX: Duration = Duration::from_secs(30 * 60);
/// After we hung up, the leg's end is awaited so long.
const END_WAIT: Duration = Duration::from_secs(5);
/// Preparations (recognition, services) may take so long; then the call goes on without them.
const PREPARE_MAX: Duration = Duration::from_secs(4);
/// Results of side tasks waiting for the conversation; senders wait when it is full.
const JOBS_MAX: usize = 256;
/// Sentences in a row that could not be spoken before the receptionist gives the call back.
const MUTE_MAX: u8 = 3;
/// Turns a model is shown.
const HISTORY_MAX: usize = 60;
/// Below this the recogniser is unsure, so that a spotted emergency phrase is asked about.
const SURE: f32 = 0.5;

/// What side tasks tell the conversation.
#[derive(Debug)]
pub(super) enum Job {
    /// The next sentence of a reply.
    Sentence(ReplyId, String),
    /// Audio of it.
    Audio(ReplyId, Pcm),
    /// The reply is complete.
    ReplyDone(ReplyId),
    /// The reply cannot be completed.
    ReplyFailed(ReplyId),
    /// A tool of the dialog has answered; epochs tell results of a dialog that was rewound.
    Tool { epoch: u64, writes: bool, record: ToolUse, result: ToolResult },
    /// What a model did.
    Model(ReplyId, Note),
    /// Recognition and services are ready, or are not coming.
    Ready(Option<SttSession>, Vec<Service>),
}

/// What belongs to a reply beside its words.
#[derive(Default)]
struct Spoken {
    citations: Vec<Citation>,
    tools: Vec<ToolUse>,
    engine: String,
    abort: Option<AbortHandle>,
    shown: String,
}

/// The state to go back to when the caller goes on speaking before an answer was heard.
struct Before {
    dialog: Dialog,
    text: String,
}

pub(super) struct Session {
    pub(super) brief: Arc<Brief>,
    pub(super) desk: Desk,
    turns: Turns,
    pub(super) dialog: Dialog,
    language: Lang,
    zone: TimeZone,
    stt: Option<SttSession>,
    taps: Option<mpsc::Receiver<(Pcm, u64)>>,
    jobs: mpsc::Sender<Job>,
    results: mpsc::Receiver<Job>,
    replies: HashMap<ReplyId, Spoken>,
    newest: u64,
    /// The turn the next say answers.
    answering: Option<TurnId>,
    /// What the model is thinking about.
    thinking: Option<(ReplyId, String)>,
    /// The model failed in this call: the local receptionist has it.
    model_failed: bool,
    history: VecDeque<LlmMessage>,
    pending_tools: Vec<ToolUse>,
    before: Option<Before>,
    wrote: bool,
    epoch: u64,
    /// This utterance has raised the alarm already.
    alarmed: bool,
    /// An emergency phrase was spotted in this utterance.
    spotted: bool,
    /// The recogniser's own certainty about this utterance.
    confidence: Option<f32>,
    outcome: Option<Outcome>,
    mute: u8,
    ending: bool,
    hung_up: Option<Instant>,
    dropped_frames: u64,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Session {
    pub(super) fn new(brief: Brief, desk: Desk) -> Self {
        let (jobs, results) = mpsc::channel(JOBS_MAX);
        let language = brief.language;
        let zone = TimeZone::get(&brief.tenant.zone).unwrap_or(TimeZone::UTC);
        let setup = Setup {
            clinic: brief.tenant.name.clone(),
            country: brief.tenant.country.clone(),
            zone: zone.clone(),
            hours: brief.tenant.hours.clone(),
            language,
            caller_number: brief.from.clone(),
            recorded: brief.tenant.record_calls,
        };
        let config = turn::Config {
            backchannels: phrases::backchannels(language).to_vec(),
            stops: phrases::stops(language).to_vec(),
        };
        Self {
            brief: Arc::new(brief),
            desk,
            turns: Turns::new(config, now()),
            dialog: Dialog::new(setup),
            language,
            zone,
            stt: None,
            taps: None,
            jobs,
            results,
            replies: HashMap::new(),
            newest: 0,
            answering: None,
            thinking: None,
            model_failed: false,
            history: VecDeque::new(),
            pending_tools: Vec::new(),
            before: None,
            wrote: false,
            epoch: 0,
            alarmed: false,
            spotted: false,
            confidence: None,
            outcome: None,
            mute: 0,
            ending: false,
            hung_up: None,
            dropped_frames: 0,
        }
    }

    pub(super) async fn run(mut self, mut events: mpsc::Receiver<EngineEvent>) {
        let call_max = tokio::time::sleep(CALL_MAX);
        tokio::pin!(call_max);
        let mut timed_out = false;
        self.prepare();
        self.tell(dialog::Input::Answered);
        self.settle().await;
        loop {
            let wake = self.wake_at();
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(EngineEvent::Ended { .. }) | None => break,
                    Some(event) => self.engine(event).await,
                },
                heard = next_event(&mut self.stt) => self.recognised(heard),
                frame = next_frame(&mut self.taps) => self.frame(frame),
                Some(job) = self.results.recv() => self.job(job),
                () = &mut call_max, if !timed_out => {
                    timed_out = true;
                    self.turns.handle(turn::Input::Interrupt, now());
                    self.tell(dialog::Input::TimeUp);
                }
                () = tokio::time::sleep_until(wake.into()) => self.turns.handle(turn::Input::Wake, now()),
            }
            self.settle().await;
            if self.mute >= MUTE_MAX || self.hung_up.is_some_and(|at| now() >= at + END_WAIT) {
                break;
            }
        }
        self.turns.handle(turn::Input::Ended, now());
        self.settle().await;
        self.close();
    }

    fn wake_at(&self) -> Instant {
        let turn = self.turns.next_wake().unwrap_or_else(|| now() + END_WAIT);
        self.hung_up.map_or(turn, |at| turn.min(at + END_WAIT))
    }

    fn close(&mut self) {
        for spoken in self.replies.values() {
            if let Some(abort) = &spoken.abort {
                abort.abort();
            }
        }
        if self.dropped_frames > 0 {
            tracing::warn!(frames = self.dropped_frames, "recognition did not keep up; audio was left out");
        }
    }

    /// Recognition and services, while the greeting is being spoken.
    fn prepare(&mut self) {
        let (desk, language, jobs) = (self.desk.clone(), self.language, self.jobs.clone());
        tokio::spawn(async move {
            let prepared = tokio::time::timeout(PREPARE_MAX, work::prepare(&desk, language)).await;
            let (stt, services) = prepared.unwrap_or_else(|_| {
                tracing::warn!("recognition was not ready in time");
                (None, Vec::new())
            });
            let _gone = jobs.send(Job::Ready(stt, services)).await;
        });
    }

    fn tell(&mut self, input: dialog::Input) {
        let now = (self.desk.clock)().to_zoned(self.zone.clone());
        self.dialog.handle(input, &now);
    }

    /// Does everything that Turn and the dialog want done, until neither wants anything.
    async fn settle(&mut self) {
        loop {
            if let Some(output) = self.dialog.poll() {
                self.dialog_wants(output).await;
            } else if let Some(output) = self.turns.poll() {
                self.turn_wants(output).await;
            } else {
                break;
            }
        }
        if self.ending && self.hung_up.is_none() && self.turns.is_silent() {
            self.command(Command::Hangup { leg: self.brief.leg });
            self.hung_up = Some(now());
            self.report(Report::Hangup).await;
        }
    }

    fn command(&self, command: Command) {
        if let Err(error) = self.desk.voice.send(command) {
            tracing::warn!(%error, "a voice command could not be given");
        }
    }

    async fn report(&self, report: Report) {
        // A floor that is gone does not want to know any more.
        let _gone = self.desk.reports.send((self.brief.call, report)).await;
    }

    async fn engine(&mut self, event: EngineEvent) {
        let hears = self.stt.is_some() && self.dialog.is_listening();
        match event {
            EngineEvent::SpeechStarted { at_ms, .. } if hears => {
                self.to_stt(SttInput::SpeechStarted { at_ms });
                self.turns.handle(turn::Input::SpeechStarted { at_ms }, now());
            }
            EngineEvent::SpeechEnded { at_ms, .. } if hears => {
                self.to_stt(SttInput::SpeechEnded { at_ms });
                self.turns.handle(turn::Input::SpeechEnded { at_ms }, now());
            }
            EngineEvent::Dtmf { digit, .. } => {
                self.turns.handle(turn::Input::Dtmf, now());
                self.answering = None;
                self.thinking = None;
                self.tell(dialog::Input::Digit(digit));
            }
            EngineEvent::PlayedTo { id, samples, started_ms, done, .. } => {
                let reply = ReplyId(id.0);
                self.turns.handle(turn::Input::Played { reply, samples, started_ms, done }, now());
                self.show(reply).await;
            }
            _ => {}
        }
    }

    /// The words of a reply as they are being heard.
    async fn show(&mut self, reply: ReplyId) {
        let Some((text, start_ms)) = self.turns.saying(reply) else { return };
        let Some(spoken) = self.replies.get_mut(&reply).filter(|spoken| spoken.shown != text) else { return };
        spoken.shown.clone_from(&text);
        self.report(Report::Partial { speaker: Speaker::Receptionist, text, start_ms }).await;
    }

    fn to_stt(&mut self, input: SttInput) {
        if let Some(stt) = &self.stt
            && stt.audio.try_send(input).is_err()
        {
            self.dropped_frames += 1;
        }
    }

    fn frame(&mut self, frame: Option<(Pcm, u64)>) {
        match frame {
            Some((pcm, at_ms)) => self.to_stt(SttInput::Audio { pcm, at_ms }),
            None => self.taps = None,
        }
    }

    fn recognised(&mut self, event: Option<SttEvent>) {
        match event {
            Some(SttEvent::Partial { text, .. }) => self.words(text, false, Vec::new()),
            Some(SttEvent::Final { text, words, confidence }) => {
                self.confidence = confidence.or(self.confidence);
                let words = words.into_iter().map(|word| HeardWord {
                    text: word.text,
                    start_ms: word.start_ms,
                    end_ms: word.end_ms,
                });
                let words = words.collect();
                self.words(text, true, words);
            }
            Some(SttEvent::Spotted { .. }) => self.spotted = true,
            Some(SttEvent::Failed(error)) => {
                tracing::warn!(%error, "recognition failed during the call");
                self.deaf();
            }
            None => self.deaf(),
        }
    }

    fn deaf(&mut self) {
        self.stt = None;
        self.taps = None;
        let services = self.dialog.services().to_vec();
        self.tell(dialog::Input::Ready { hears: false, services });
    }

    /// The lexicon sees every word before anything else (B-07).
    fn words(&mut self, text: String, complete: bool, words: Vec<HeardWord>) {
        let sign =
            emergency::detect(&text, self.language).filter(|sign| !sign.denied && !emergency::is_taken_back(&text));
        self.turns.handle(turn::Input::Heard { text, complete, words }, now());
        if let Some(sign) = sign
            && !self.alarmed
        {
            self.alarmed = true;
            // While the number is being told, telling it again would only delay it.
            if !(self.dialog.is_alarmed() && !self.turns.is_silent()) {
                self.alarm(sign);
            }
        }
    }

    fn alarm(&mut self, sign: Sign) {
        self.turns.handle(turn::Input::Interrupt, now());
        self.answering = None;
        self.thinking = None;
        self.tell(dialog::Input::Emergency(sign));
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::Sentence(reply, text) => self.turns.handle(turn::Input::ReplyText { reply, text }, now()),
            Job::Audio(reply, pcm) => {
                self.mute = 0;
                self.turns.handle(turn::Input::ReplyAudio { reply, pcm }, now());
            }
            Job::ReplyDone(reply) => self.turns.handle(turn::Input::ReplyDone { reply }, now()),
            Job::ReplyFailed(reply) => {
                self.mute += 1;
                self.turns.handle(turn::Input::ReplyFailed { reply }, now());
            }
            Job::Tool { epoch, writes, record, result } => {
                // A hold or a booking counts, whatever the caller has said since.
                if epoch == self.epoch || writes {
                    self.pending_tools.push(record);
                    self.tell(dialog::Input::Tool(result));
                }
            }
            Job::Model(reply, note) => self.model(reply, note),
            Job::Ready(stt, services) => self.ready(stt, services),
        }
    }

    fn ready(&mut self, stt: Option<SttSession>, services: Vec<Service>) {
        let hears = stt.is_some();
        if hears {
            match self.desk.voice.tap(self.brief.leg) {
                Ok(frames) => self.taps = Some(frames),
                Err(error) => tracing::warn!(%error, "the caller cannot be heard"),
            }
        }
        self.stt = stt.filter(|_| self.taps.is_some());
        let hears = self.stt.is_some();
        self.tell(dialog::Input::Ready { hears, services });
    }

    fn model(&mut self, reply: ReplyId, note: Note) {
        match note {
            Note::Tool { record, citations } => {
                let spoken = self.replies.entry(reply).or_default();
                spoken.tools.push(record);
                spoken.citations.extend(citations);
            }
            Note::Wrote(change) => {
                self.wrote = true;
                change.apply(self.dialog.ledger_mut());
            }
            Note::Outcome(outcome) => self.dialog.note_outcome(outcome),
            Note::EndCall => self.ending = true,
            Note::Failed => {
                self.model_failed = true;
                self.turns.handle(turn::Input::ReplyFailed { reply }, now());
            }
            Note::Done => {
                self.thinking = None;
                self.turns.handle(turn::Input::ReplyDone { reply }, now());
            }
        }
    }

    async fn dialog_wants(&mut self, output: dialog::Output) {
        match output {
            dialog::Output::Say(say) => self.say(say),
            dialog::Output::Tool(request) => self.use_tool(request),
            dialog::Output::Outcome(outcome) => {
                self.outcome = Some(outcome);
                self.report(Report::Outcome(outcome)).await;
            }
            dialog::Output::Emergency { sign, number } => {
                self.report(Report::Emergency { sign: sign.code, language: sign.language, number }).await;
            }
            dialog::Output::RefuseRecording => {
                self.command(Command::Record { leg: self.brief.leg, on: false });
                self.report(Report::RecordingRefused).await;
            }
            dialog::Output::Voicemail => self.report(Report::Voicemail).await,
            dialog::Output::End => self.ending = true,
        }
    }

    fn say(&mut self, say: Say) {
        let reply = self.begin_reply(say.protected);
        let tools = std::mem::take(&mut self.pending_tools);
        let expect = say.expect;
        let speaking =
            tokio::spawn(speech::speak(Arc::clone(&self.desk.tts), self.language, reply, say.lines, self.jobs.clone()));
        let engine = "local".to_owned();
        let abort = Some(speaking.abort_handle());
        self.replies.insert(reply, Spoken { citations: say.citations, tools, engine, abort, shown: String::new() });
        self.expect(expect);
    }

    fn begin_reply(&mut self, protected: bool) -> ReplyId {
        self.newest += 1;
        let reply = ReplyId(self.newest);
        let answers = self.answering.take();
        self.turns.handle(turn::Input::ReplyStarted { reply, answers, protected }, now());
        reply
    }

    fn expect(&mut self, expect: Expect) {
        let (patience, expectation) = match expect {
            Expect::Open => (Patience::Open, Expectation::Open),
            Expect::YesNo => (Patience::YesNo, Expectation::YesNo),
            Expect::When => (Patience::When, Expectation::When),
            Expect::Name => (Patience::Name, Expectation::Name),
            Expect::Digits => (Patience::Digits, Expectation::Digits),
            Expect::Message => (Patience::Message, Expectation::Message),
        };
        self.turns.handle(turn::Input::Expect(patience), now());
        self.to_stt(SttInput::Expect(expectation));
    }

    fn use_tool(&mut self, request: ToolRequest) {
        let writes = request.writes();
        self.wrote |= writes;
        let (desk, scope, language) = (self.desk.clone(), self.scope(), self.language);
        let (jobs, epoch) = (self.jobs.clone(), self.epoch);
        // Spawned, never dropped: what writes must not be cancelled by whatever the caller says next.
        tokio::spawn(async move {
            let name = request.name();
            let result = work::run(desk.tools.as_ref(), scope, language, request).await;
            let (ok, code) = result.outcome();
            let record = ToolUse { name: name.to_owned(), ok, result: code.to_owned() };
            let _gone = jobs.send(Job::Tool { epoch, writes, record, result }).await;
        });
    }

    pub(super) fn scope(&self) -> crate::voice::tools::Scope {
        let Brief { call, conversation, cause, .. } = *self.brief;
        crate::voice::tools::Scope { call, conversation, cause }
    }

    async fn turn_wants(&mut self, output: turn::Output) {
        let leg = self.brief.leg;
        match output {
            turn::Output::Ask { turn, text, continues } => self.ask(turn, text, continues),
            turn::Output::Drop(reply) => self.drop_reply(reply),
            turn::Output::Speak { reply, pcm, last } => {
                let empty = || Pcm { rate: auricle_media::io::Rate::Hz16000, samples: Arc::from([]) };
                let pcm = pcm.unwrap_or_else(empty);
                self.command(Command::Play { leg, id: PlayId(reply.0), pcm, last });
            }
            turn::Output::Pause(reply) => self.command(Command::Pause { leg, id: PlayId(reply.0) }),
            turn::Output::Resume(reply) => self.command(Command::Resume { leg, id: PlayId(reply.0) }),
            turn::Output::Flush(reply) => self.command(Command::Flush { leg, id: PlayId(reply.0) }),
            turn::Output::Filler(_, nth) if self.dialog.is_listening() => {
                self.speak_phrase(if nth == 0 { Phrase::Moment } else { Phrase::MomentMore });
            }
            turn::Output::Filler(..) => {}
            turn::Output::Prompt(Prompt::NotCaught) => {
                let suspected = std::mem::take(&mut self.spotted);
                self.tell(if suspected { dialog::Input::EmergencySuspected } else { dialog::Input::Unclear });
            }
            turn::Output::Prompt(Prompt::AreYouThere(_)) => self.tell(dialog::Input::Silence),
            turn::Output::Hearing { text, start_ms } => {
                self.report(Report::Partial { speaker: Speaker::Caller, text, start_ms }).await;
            }
            turn::Output::Commit(record) => self.commit(record).await,
            turn::Output::Escalate(Escalation::Silence) => self.tell(dialog::Input::SilenceOver),
            turn::Output::Escalate(Escalation::NoReply(_) | Escalation::BrokenReply(_)) => self.carry_on(),
        }
    }

    fn speak_phrase(&mut self, phrase: Phrase) {
        let answering = self.answering.take();
        let line = Line { text: phrases::say(phrase, self.language, &[]), lasting: true };
        let reply = self.begin_reply(false);
        self.answering = answering;
        let speaking = speech::speak(Arc::clone(&self.desk.tts), self.language, reply, vec![line], self.jobs.clone());
        let abort = Some(tokio::spawn(speaking).abort_handle());
        self.replies.insert(reply, Spoken { engine: "local".to_owned(), abort, ..Spoken::default() });
    }

    fn drop_reply(&mut self, reply: ReplyId) {
        if let Some(abort) = self.replies.get_mut(&reply).and_then(|spoken| spoken.abort.take()) {
            abort.abort();
        }
        if self.thinking.as_ref().is_some_and(|(thinking, _)| *thinking == reply) {
            self.thinking = None;
        }
    }

    /// The caller has finished a turn: whoever has the conversation answers it.
    fn ask(&mut self, turn: TurnId, text: String, continues: bool) {
        let mut text = text;
        if let Some(before) = self.before.take()
            && continues
            && !self.wrote
        {
            self.epoch += 1;
            self.dialog = before.dialog;
            self.pending_tools.clear();
            text = format!("{} {text}", before.text);
        }
        self.wrote = false;
        self.answering = Some(turn);
        let unsure = self.confidence.take().is_some_and(|confidence| confidence < SURE);
        if std::mem::take(&mut self.spotted) && (unsure || !makes_sense(&text, self.language)) {
            return self.tell(dialog::Input::EmergencySuspected);
        }
        self.before = Some(Before { dialog: self.dialog.clone(), text: text.clone() });
        if self.uses_model(&text) {
            self.ask_model(text);
        } else {
            self.tell(dialog::Input::Heard(text));
        }
    }

    /// A model answers what is open; what is under way, and what must not depend on a model, stays local.
    fn uses_model(&self, text: &str) -> bool {
        use intent::Intent::{MedicalAdvice, NoRecording};
        let local = matches!(intent::of(text, self.language), Some(MedicalAdvice | NoRecording));
        self.desk.llm.is_some()
            && !self.model_failed
            && self.dialog.is_open()
            && !local
            && emergency::detect(text, self.language).is_none()
    }

    fn ask_model(&mut self, text: String) {
        let Some(llm) = self.desk.llm.clone() else { return };
        let reply = self.begin_reply(false);
        self.thinking = Some((reply, text));
        let now = (self.desk.clock)().to_zoned(self.zone.clone());
        let task = model::Task {
            llm: Arc::clone(&llm),
            desk: self.desk.clone(),
            scope: self.scope(),
            language: self.language,
            reply,
            system: model::system(&self.brief, self.dialog.services(), self.language, &now),
            messages: self.history.iter().cloned().collect(),
            services: self.dialog.services().to_vec(),
            ledger: self.dialog.ledger().clone(),
            number: self.brief.from.clone(),
            emergency: emergency::number(&self.brief.tenant.country),
            now,
            jobs: self.jobs.clone(),
        };
        let abort = Some(tokio::spawn(task.run()).abort_handle());
        self.replies.insert(reply, Spoken { engine: llm.name().to_owned(), abort, ..Spoken::default() });
        self.expect(Expect::Open);
    }

    /// An answer did not come, or broke off: the local receptionist carries on in the same conversation.
    fn carry_on(&mut self) {
        self.answering = None;
        if let Some((_, text)) = self.thinking.take() {
            self.model_failed = true;
            self.tell(dialog::Input::Heard(text));
        } else if !self.dialog.is_waiting() && self.dialog.is_listening() && !self.ending {
            self.tell(dialog::Input::Unclear);
        }
    }

    async fn commit(&mut self, record: TurnRecord) {
        let (speaker, spoken) = match record.who {
            Who::Caller(_) => {
                self.alarmed = false;
                let engine = self.desk.stt.as_ref().map_or("", |stt| stt.name()).to_owned();
                (Speaker::Caller, Spoken { engine, ..Spoken::default() })
            }
            Who::Receptionist(reply) => (Speaker::Receptionist, self.replies.remove(&reply).unwrap_or_default()),
        };
        self.remember(speaker, &record.text);
        let words = record.words.into_iter();
        let turn = Turn {
            conversation: self.brief.conversation,
            call: self.brief.call,
            index: 0,
            speaker,
            text: record.text,
            language: self.language,
            start_ms: record.start_ms,
            end_ms: record.end_ms,
            heard: if record.full { Heard::Full } else { Heard::Partly },
            words: words.map(|word| Word { text: word.text, start_ms: word.start_ms, end_ms: word.end_ms }).collect(),
            citations: spoken.citations,
            tools: spoken.tools,
            reply_ms: record.reply_ms,
            engine: spoken.engine,
        };
        self.report(Report::Turn(Box::new(turn))).await;
    }

    fn remember(&mut self, speaker: Speaker, text: &str) {
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(match speaker {
            Speaker::Caller => LlmMessage::Caller(text.to_owned()),
            Speaker::Receptionist | Speaker::Staff => {
                LlmMessage::Receptionist { text: text.to_owned(), calls: Vec::new() }
            }
        });
    }
}

/// Whether the words are a request, an answer or a question that the dialog can do something with.
fn makes_sense(text: &str, language: Lang) -> bool {
    let today = jiff::civil::Date::constant(2026, 1, 1);
    intent::of(text, language).is_some()
        || intent::yes_no(text, language).is_some()
        || intent::asks(text, language)
        || !when::parse(text, language, today).is_empty()
        || !numbers::digits(text, language).is_empty()
}

async fn next_event(stt: &mut Option<SttSession>) -> Option<SttEvent> {
    match stt {
        Some(session) => session.events.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_frame(taps: &mut Option<mpsc::Receiver<(Pcm, u64)>>) -> Option<(Pcm, u64)> {
    match taps {
        Some(frames) => frames.recv().await,
        None => std::future::pending().await,
    }
}
