//! What the call sounds like: the engine's events and the recogniser's words.

use super::Report;
use super::session::{Session, now};
use crate::providers::{SttEvent, SttInput, SttSession};
use auricle_domain::appointment::Service;
use auricle_domain::code::Speaker;
use auricle_domain::dialog;
use auricle_domain::emergency::{self, Sign};
use auricle_media::io::{EngineEvent, Pcm};
use auricle_media::turn::{self, HeardWord, ReplyId};

impl Session {
    pub(super) async fn engine(&mut self, event: EngineEvent) {
        let hears = self.stt.is_some() && self.dialog.is_listening();
        match event {
            EngineEvent::SpeechStarted { at_ms, .. } if hears => {
                self.feed(SttInput::SpeechStarted { at_ms });
                self.turns.handle(turn::Input::SpeechStarted { at_ms }, now());
            }
            EngineEvent::SpeechEnded { at_ms, .. } if hears => {
                self.feed(SttInput::SpeechEnded { at_ms });
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
    pub(super) async fn show(&mut self, reply: ReplyId) {
        let Some((text, start_ms)) = self.turns.saying(reply) else { return };
        let Some(spoken) = self.replies.get_mut(&reply).filter(|spoken| spoken.shown != text) else { return };
        spoken.shown.clone_from(&text);
        self.report(Report::Partial { speaker: Speaker::Receptionist, text, start_ms }).await;
    }

    pub(super) fn feed(&mut self, input: SttInput) {
        if let Some(stt) = &self.stt
            && stt.audio.try_send(input).is_err()
        {
            self.dropped_frames += 1;
        }
    }

    pub(super) fn frame(&mut self, frame: Option<(Pcm, u64)>) {
        match frame {
            Some((pcm, at_ms)) => self.feed(SttInput::Audio { pcm, at_ms }),
            None => self.taps = None,
        }
    }

    pub(super) fn recognised(&mut self, event: Option<SttEvent>) {
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

    pub(super) fn deaf(&mut self) {
        self.stt = None;
        self.taps = None;
        let services = self.dialog.services().to_vec();
        self.tell(dialog::Input::Ready { hears: false, services });
    }

    /// The lexicon sees every word before anything else (B-07).
    pub(super) fn words(&mut self, text: String, complete: bool, words: Vec<HeardWord>) {
        let sign =
            emergency::detect(&text, self.language).filter(|sign| !sign.denied && !emergency::is_taken_back(&text));
        self.turns.handle(turn::Input::Heard { text, complete, words }, now());
        if let Some(sign) = sign
            && !self.alarmed
        {
            self.alarmed = true;
            // While the number is being told, telling it again would only delay it.
            if !self.dialog.is_alarmed() || self.turns.is_silent() {
                self.alarm(sign);
            }
        }
    }

    pub(super) fn alarm(&mut self, sign: Sign) {
        self.turns.handle(turn::Input::Interrupt, now());
        self.answering = None;
        self.thinking = None;
        self.tell(dialog::Input::Emergency(sign));
    }

    pub(super) fn ready(&mut self, stt: Option<SttSession>, services: Vec<Service>) {
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
}
