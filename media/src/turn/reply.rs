//! One thing the receptionist says, and how much of it was heard.

use super::{Output, ReplyId, TurnId, TurnRecord, Who};
use crate::io::{Pcm, Rate};
use std::collections::VecDeque;
use std::time::Instant;

/// Longest reply, in samples at 16 kHz: two minutes. What exceeds it is not taken.
const SAMPLES_MAX: u64 = 120 * 16_000;
/// Speaking rate assumed of a sentence whose audio is not complete yet, in characters a second.
const CHARS_PER_S: u64 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn has not come, or it has no audio yet.
    Waiting,
    Playing,
    /// Stopped because the caller speaks, since then.
    Paused(Instant),
    /// Told to stop, since then; the engine's last count is awaited.
    Flushing(Instant),
}

struct Sentence {
    text: String,
    samples: u64,
}

pub(super) struct Reply {
    pub id: ReplyId,
    pub answers: Option<TurnId>,
    pub protected: bool,
    pub stage: Stage,
    /// Last sign that it gets on: audio came, or left.
    pub progress_at: Instant,
    sentences: Vec<Sentence>,
    held: VecDeque<Pcm>,
    rate: Rate,
    taken: u64,
    complete: bool,
    last_sent: bool,
    played: u64,
    started_ms: u64,
}

impl Reply {
    pub fn new(id: ReplyId, answers: Option<TurnId>, protected: bool, now: Instant) -> Self {
        Self {
            id,
            answers,
            protected,
            stage: Stage::Waiting,
            progress_at: now,
            sentences: Vec::new(),
            held: VecDeque::new(),
            rate: Rate::Hz16000,
            taken: 0,
            complete: false,
            last_sent: false,
            played: 0,
            started_ms: 0,
        }
    }

    /// Text and audio of it are still taken.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.stage, Stage::Flushing(_))
    }

    pub fn sentence(&mut self, text: String) {
        if !self.complete {
            self.sentences.push(Sentence { text, samples: 0 });
        }
    }

    pub fn audio(&mut self, pcm: Pcm, now: Instant) {
        let samples = pcm.samples.len() as u64;
        if self.complete || samples == 0 {
            return;
        }
        if self.taken + samples > SAMPLES_MAX {
            self.complete = true;
            return;
        }
        if self.sentences.is_empty() {
            self.sentences.push(Sentence { text: String::new(), samples: 0 });
        }
        if let Some(sentence) = self.sentences.last_mut() {
            sentence.samples += samples;
        }
        self.rate = pcm.rate;
        self.taken += samples;
        self.progress_at = now;
        self.held.push_back(pcm);
    }

    pub fn complete(&mut self) {
        self.complete = true;
    }

    pub fn has_audio(&self) -> bool {
        !self.held.is_empty()
    }

    /// Complete without a single sample.
    pub fn is_mute(&self) -> bool {
        self.stage == Stage::Waiting && self.complete && self.taken == 0
    }

    /// Everything that is there to be played has been played, and more is expected.
    pub fn is_starved(&self) -> bool {
        !self.complete && self.played >= self.taken
    }

    /// Hands out what is held.
    pub fn send(&mut self, out: &mut VecDeque<Output>) {
        if !matches!(self.stage, Stage::Playing | Stage::Paused(_)) || self.last_sent {
            return;
        }
        while let Some(pcm) = self.held.pop_front() {
            let last = self.complete && self.held.is_empty();
            self.last_sent = last;
            out.push_back(Output::Speak { reply: self.id, pcm: Some(pcm), last });
        }
        if self.complete && !self.last_sent {
            self.last_sent = true;
            out.push_back(Output::Speak { reply: self.id, pcm: None, last: true });
        }
    }

    pub fn played(&mut self, samples: u64, started_ms: u64, now: Instant) {
        let samples = samples.min(self.taken);
        if samples > self.played {
            self.played = samples;
            self.progress_at = now;
        }
        self.started_ms = started_ms;
    }

    /// What the caller heard of it; none when that is no whole word.
    pub fn record(&self, caller_ended_ms: Option<u64>) -> Option<TurnRecord> {
        let (text, full) = self.heard()?;
        let played_ms = self.played * 1_000 / u64::from(self.rate.hz());
        let reply_ms = caller_ended_ms
            .filter(|_| self.answers.is_some())
            .map(|ended| u32::try_from(self.started_ms.saturating_sub(ended)).unwrap_or(u32::MAX));
        Some(TurnRecord {
            who: Who::Receptionist(self.id),
            text,
            start_ms: self.started_ms,
            end_ms: self.started_ms + played_ms,
            full,
            words: Vec::new(),
            reply_ms,
        })
    }

    fn heard(&self) -> Option<(String, bool)> {
        if self.played == 0 {
            return None;
        }
        let mut left = self.played;
        let mut text = String::new();
        let mut full = true;
        for (index, sentence) in self.sentences.iter().enumerate() {
            let growing = index + 1 == self.sentences.len() && !self.complete;
            let estimate = sentence.text.chars().count() as u64 * u64::from(self.rate.hz()) / CHARS_PER_S;
            let length = if growing { sentence.samples.max(estimate) } else { sentence.samples };
            let part = if left >= length { sentence.text.as_str() } else { beginning(&sentence.text, left, length) };
            if !part.is_empty() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(part);
            }
            if left < length {
                full = false;
                break;
            }
            left -= length;
        }
        Some((text, full)).filter(|(text, _)| !text.is_empty())
    }
}

/// The whole words of `text` that fit into `left` of `length` samples, by their share of characters.
fn beginning(text: &str, left: u64, length: u64) -> &str {
    let chars = text.chars().count() as u64;
    let share = (chars * left).checked_div(length).unwrap_or(chars);
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    let cut = text.char_indices().nth(share).map_or(text.len(), |(at, _)| at);
    if cut == text.len() || text[cut..].starts_with(char::is_whitespace) {
        return text[..cut].trim_end();
    }
    text[..cut].rfind(char::is_whitespace).map_or("", |at| text[..at].trim_end())
}
