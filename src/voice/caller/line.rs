//! The call itself: what is heard, and what is said when.

use super::speech::Utterance;
use super::{ActReport, CallError, CallReport, CallScript, Tape};
use crate::providers::{SttEvent, SttInput, SttOptions, SttSession};
use crate::voice::recording::Meta;
use crate::voice::{EngineEvents, VoiceHandle};
use auricle_media::io::{Command, DialTo, EngineEvent, LegEnd, LegId, Pcm, PlayId, Rate};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, timeout_at};

/// Audio handed to the engine ahead of what has been played.
const AHEAD: u64 = 20 * 16_000;
/// Audio handed over at once.
const PIECE: usize = 5 * 16_000;
/// How long one key takes on the wire, with the pause after it.
const KEY: Duration = Duration::from_millis(200);
/// Longest speech of the far end that is waited out before we speak all the same.
const FAR_SPEECH_MAX: Duration = Duration::from_secs(60);
/// How long the last words of a recogniser are waited for after the call.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long a hang-up may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the far end does.
#[derive(Default)]
struct Far {
    speaking: bool,
    /// When it was last heard to start, in milliseconds after the answer.
    started_ms: Option<u64>,
    /// How often it started.
    starts: usize,
    /// When it last fell silent, on our clock.
    quiet_since: Option<Instant>,
}

/// How far our own playing has come.
#[derive(Clone, Copy, Default)]
struct Own {
    id: u64,
    samples: u64,
    started_ms: u64,
    done: bool,
}

/// A call that is being made.
pub(super) struct Line {
    voice: VoiceHandle,
    events: EngineEvents,
    script: CallScript,
    tape: Option<Tape>,
    leg: LegId,
    far: Far,
    own: Own,
    report: CallReport,
    recording: Option<watch::Receiver<Meta>>,
    listening: Option<Listening>,
    answered_at: Option<Instant>,
    deadline: Instant,
}

/// A recogniser at work beside the call.
struct Listening {
    audio: mpsc::Sender<SttInput>,
    words: tokio::task::JoinHandle<Vec<String>>,
}

impl Line {
    pub(super) fn new(script: &CallScript, voice: VoiceHandle, events: EngineEvents, tape: Tape) -> Self {
        Self {
            voice,
            events,
            script: script.clone(),
            tape: Some(tape),
            leg: LegId(0),
            far: Far::default(),
            own: Own::default(),
            report: CallReport::default(),
            recording: None,
            listening: None,
            answered_at: None,
            deadline: Instant::now() + script.length_max,
        }
    }

    /// Dials, goes through the script, hangs up.
    pub(super) async fn run(mut self, remote: SocketAddr, utterances: Vec<Utterance>) -> Result<CallReport, CallError> {
        let dialled_at = Instant::now();
        self.voice.send(Command::Dial {
            tag: 0,
            uri: self.script.uri.clone(),
            to: DialTo::Address(remote),
            from: self.script.from.clone(),
            codecs: self.script.codecs.clone(),
            identity: None,
            replaces: None,
            is_emergency: false,
        })?;
        self.wait(self.script.wait, |line| line.answered_at.is_some()).await;
        if let Some(answered_at) = self.answered_at {
            self.report.answered_ms = Some(millis(answered_at - dialled_at));
            self.begin().await?;
            self.far_finishes(0).await;
            for utterance in utterances {
                if self.is_over() {
                    break;
                }
                let starts = self.far.starts;
                self.act(utterance).await?;
                self.far_finishes(starts).await;
            }
        }
        self.end().await;
        Ok(self.report)
    }

    /// The call is up: recording and recogniser begin.
    async fn begin(&mut self) -> Result<(), CallError> {
        if let Some(tape) = self.tape.take() {
            self.recording = Some(self.voice.record(self.leg, Box::new(tape))?);
        }
        if let Some((stt, phrases)) = self.script.stt.clone() {
            let options = SttOptions { language: self.script.language, phrases };
            let SttSession { audio, events } = stt.listen(options).await?;
            let frames = self.voice.tap(self.leg)?;
            tokio::spawn(feed(frames, audio.clone()));
            self.listening = Some(Listening { audio, words: tokio::spawn(collect(events)) });
        }
        Ok(())
    }

    /// Says or presses something, and notes when it began and how long it was.
    async fn act(&mut self, utterance: Utterance) -> Result<(), CallError> {
        let report = match utterance {
            Utterance::Keys(keys) => {
                let at_ms = self.at_ms();
                let length = KEY * u32::try_from(keys.chars().count()).unwrap_or(u32::MAX);
                self.voice.send(Command::Dtmf { leg: self.leg, digits: keys })?;
                self.wait(length, |_| false).await;
                ActReport { at_ms, length_ms: millis(length), reply_ms: None }
            }
            Utterance::Sound { samples, voiced } => {
                self.say(&samples).await?;
                let length_ms = voiced as u64 / 16;
                ActReport { at_ms: self.own.started_ms, length_ms, reply_ms: None }
            }
        };
        self.report.acts.push(report);
        Ok(())
    }

    /// Plays samples to their end, a piece at a time.
    async fn say(&mut self, samples: &Arc<[i16]>) -> Result<(), CallError> {
        self.own = Own { id: self.own.id + 1, ..Own::default() };
        let mut sent = 0;
        loop {
            while sent < samples.len() && sent as u64 <= self.own.samples + AHEAD {
                let end = (sent + PIECE).min(samples.len());
                let pcm = Pcm { rate: Rate::Hz16000, samples: samples[sent..end].into() };
                let (leg, id, last) = (self.leg, PlayId(self.own.id), end == samples.len());
                self.voice.send(Command::Play { leg, id, pcm, last })?;
                sent = end;
            }
            if self.own.done || self.is_over() || samples.is_empty() {
                return Ok(());
            }
            let before = self.own.samples;
            self.wait(FAR_SPEECH_MAX, |line| line.own.done || line.own.samples > before).await;
        }
    }

    /// Waits until the far end has begun to speak (again, after `starts` times) and has been silent for a while. Notes
    /// how long its first word took.
    async fn far_finishes(&mut self, starts: usize) {
        self.wait(self.script.wait, |line| line.far.starts > starts || line.far.speaking).await;
        let replied = self.far.started_ms.filter(|_| self.far.starts > starts);
        if let (Some(started_ms), Some(act)) = (replied, self.report.acts.last_mut()) {
            act.reply_ms = Some(started_ms.cast_signed() - (act.at_ms + act.length_ms).cast_signed());
        }
        let until = (Instant::now() + FAR_SPEECH_MAX).min(self.deadline);
        while !self.is_over() && Instant::now() < until {
            let quiet_at = self.far.quiet_since.map(|since| since + self.script.quiet);
            match quiet_at.filter(|_| !self.far.speaking) {
                Some(at) if at <= Instant::now() => return,
                Some(at) => self.wait(at - Instant::now(), |line| line.far.speaking).await,
                None if self.far.starts == starts => return,
                None => self.wait(until - Instant::now(), |line| !line.far.speaking).await,
            }
        }
    }

    /// Hangs up if need be, and waits for the last facts.
    async fn end(&mut self) {
        if self.report.cause.is_none() {
            if self.voice.send(Command::Hangup { leg: self.leg }).is_err() {
                return;
            }
            self.deadline = Instant::now() + GOODBYE;
            self.report.duration_ms = self.at_ms();
            self.wait(GOODBYE, |line| line.report.cause.is_some()).await;
        }
        if let Some(mut recording) = self.recording.take() {
            // Where the media thread cannot be told, it ends by itself.
            let _untold = self.voice.stop_recording(self.leg);
            // An error means that the writer is gone, and with it every change.
            drop(recording.wait_for(|meta| meta.sha256.is_some()).await);
            self.report.rate_hz = recording.borrow().rate_hz;
        }
        if let Some(Listening { audio, mut words }) = self.listening.take() {
            drop(audio);
            match tokio::time::timeout(LAST_WORDS, &mut words).await {
                Ok(Ok(transcript)) => self.report.transcript = transcript,
                _ => words.abort(),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.report.cause.is_some() || Instant::now() >= self.deadline
    }

    fn at_ms(&self) -> u64 {
        self.answered_at.map_or(0, |at| millis(at.elapsed()))
    }

    /// Takes events until something holds, the call is over, or the time is up.
    async fn wait(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let until = (Instant::now() + limit).min(self.deadline);
        while !holds(self) && self.report.cause.is_none() {
            match timeout_at(until, self.events.recv()).await {
                Ok(Some(event)) => self.note(&event),
                Ok(None) => self.report.cause = Some(LegEnd::Overloaded),
                Err(_elapsed) => return,
            }
        }
    }

    fn note(&mut self, event: &EngineEvent) {
        match *event {
            EngineEvent::Dialing { leg, .. } => self.leg = leg,
            EngineEvent::Answered { codec, .. } => {
                self.answered_at = Some(Instant::now());
                self.report.codec = Some(codec);
            }
            EngineEvent::SpeechStarted { at_ms, .. } => {
                self.far.speaking = true;
                self.far.started_ms = Some(at_ms);
                self.far.starts += 1;
                self.report.greeting_ms.get_or_insert(at_ms);
                self.hint(SttInput::SpeechStarted { at_ms });
            }
            EngineEvent::SpeechEnded { at_ms, .. } => {
                self.far.speaking = false;
                self.far.quiet_since = Some(Instant::now());
                self.hint(SttInput::SpeechEnded { at_ms });
            }
            EngineEvent::PlayedTo { id: PlayId(id), samples, started_ms, done, .. } if id == self.own.id => {
                self.own = Own { id, samples, started_ms, done };
            }
            EngineEvent::Quality { quality, .. } => self.report.quality = quality,
            EngineEvent::Ended { cause, .. } => {
                self.report.duration_ms = self.at_ms();
                self.report.cause = Some(cause);
            }
            _ => {}
        }
    }

    /// Tells the recogniser where speech begins and ends; one that lags behind finds out by itself.
    fn hint(&self, input: SttInput) {
        if let Some(listening) = &self.listening {
            let _lagging = listening.audio.try_send(input);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Audio to the recogniser; what it does not take in time is left out.
async fn feed(mut frames: mpsc::Receiver<(Pcm, u64)>, audio: mpsc::Sender<SttInput>) {
    while let Some((pcm, at_ms)) = frames.recv().await {
        if let Err(mpsc::error::TrySendError::Closed(_)) = audio.try_send(SttInput::Audio { pcm, at_ms }) {
            return;
        }
    }
}

/// Every utterance that was understood.
async fn collect(mut events: mpsc::Receiver<SttEvent>) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(event) = events.recv().await {
        match event {
            SttEvent::Final { text, .. } if !text.is_empty() => said.push(text),
            SttEvent::Failed(_) => break,
            _ => {}
        }
    }
    said
}
