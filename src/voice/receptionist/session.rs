//! One conversation: everything that happens goes through Turn and the dialog, one thing at a time.

use super::model::Note;
use super::speech;
use super::work;
use super::{Brief, Desk, Report};
use crate::providers::{Expectation, LlmMessage, SttEvent, SttInput, SttSession};
use auricle_domain::appointment::Service;
use auricle_domain::code::{Heard, Lang, Outcome, Speaker};
use auricle_domain::conversation::{Citation, ToolUse, Turn, Word};
use auricle_domain::dialog::tool::{ToolRequest, ToolResult};
use auricle_domain::dialog::{self, Dialog, Expect, Line, Say, Setup};
use auricle_domain::phrases::{self, Phrase};
use auricle_media::io::{Command, EngineEvent, Pcm, PlayId};
use auricle_media::turn::{self, Escalation, Patience, Prompt, ReplyId, TurnId, TurnRecord, Turns, Who};
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
pub(super) struct Spoken {
    pub(super) citations: Vec<Citation>,
    pub(super) tools: Vec<ToolUse>,
    pub(super) engine: String,
    pub(super) abort: Option<AbortHandle>,
    pub(super) shown: String,
}

/// The state to go back to when the caller goes on speaking before an answer was heard.
pub(super) struct Before {
    pub(super) dialog: Dialog,
    pub(super) text: String,
}

pub(super) struct Session {
    pub(super) brief: Arc<Brief>,
    pub(super) desk: Desk,
    pub(super) turns: Turns,
    pub(super) dialog: Dialog,
    pub(super) language: Lang,
    pub(super) zone: TimeZone,
    pub(super) stt: Option<SttSession>,
    pub(super) taps: Option<mpsc::Receiver<(Pcm, u64)>>,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) results: mpsc::Receiver<Job>,
    pub(super) replies: HashMap<ReplyId, Spoken>,
    pub(super) newest: u64,
    /// The turn the next say answers.
    pub(super) answering: Option<TurnId>,
    /// What the model is thinking about.
    pub(super) thinking: Option<(ReplyId, String)>,
    /// The model failed in this call: the local receptionist has it.
    pub(super) model_failed: bool,
    pub(super) history: VecDeque<LlmMessage>,
    pub(super) pending_tools: Vec<ToolUse>,
    pub(super) before: Option<Before>,
    pub(super) wrote: bool,
    pub(super) epoch: u64,
    /// This utterance has raised the alarm already.
    pub(super) alarmed: bool,
    /// An emergency phrase was spotted in this utterance.
    pub(super) spotted: bool,
    /// The recogniser's own certainty about this utterance.
    pub(super) confidence: Option<f32>,
    pub(super) outcome: Option<Outcome>,
    pub(super) mute: u8,
    pub(super) ending: bool,
    pub(super) hung_up: Option<Instant>,
    pub(super) dropped_frames: u64,
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Session {
    pub(super) fn new(brief: Brief, desk: Desk) -> Self {
        let (jobs, results) = mpsc::channel(JOBS_MAX);
        let language = brief.language;
        let zone = TimeZone::get(&brief.tenant.zone).unwrap_or(TimeZone::UTC);
        let setup = Setup {
            clinic: brief.tenant.name.clone(),
            receptionist: brief.tenant.receptionist.clone(),
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

    pub(super) fn tell(&mut self, input: dialog::Input) {
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

    pub(super) fn command(&self, command: Command) {
        if let Err(error) = self.desk.voice.send(command) {
            tracing::warn!(%error, "a voice command could not be given");
        }
    }

    pub(super) async fn report(&self, report: Report) {
        // A floor that is gone does not want to know any more.
        let _gone = self.desk.reports.send((self.brief.call, report)).await;
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

    pub(super) fn say(&mut self, say: Say) {
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

    pub(super) fn begin_reply(&mut self, protected: bool) -> ReplyId {
        self.newest += 1;
        let reply = ReplyId(self.newest);
        let answers = self.answering.take();
        self.turns.handle(turn::Input::ReplyStarted { reply, answers, protected }, now());
        reply
    }

    pub(super) fn expect(&mut self, expect: Expect) {
        let (patience, expectation) = match expect {
            Expect::Open => (Patience::Open, Expectation::Open),
            Expect::YesNo => (Patience::YesNo, Expectation::YesNo),
            Expect::When => (Patience::When, Expectation::When),
            Expect::Name => (Patience::Name, Expectation::Name),
            Expect::Digits => (Patience::Digits, Expectation::Digits),
            Expect::Message => (Patience::Message, Expectation::Message),
        };
        self.turns.handle(turn::Input::Expect(patience), now());
        self.feed(SttInput::Expect(expectation));
    }

    pub(super) fn use_tool(&mut self, request: ToolRequest) {
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
