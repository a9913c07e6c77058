//! What is played to a leg: playings one after the other, stopped and resumed without clicks, counted sample by sample.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::io::{Pcm, PlayId, Rate};

use super::level::mix;
use super::resample::{Downsampler, HighBand, Upsampler};

/// Audio that may wait in a leg's queue: 60 s. More is refused.
pub const QUEUED_MS_MAX: u64 = 60_000;
/// Playings that may wait; more are refused.
pub const PLAYINGS_MAX: usize = 64;
/// Ended playings remembered, so that a chunk that comes late is not taken for a new playing.
const ENDED_MAX: usize = 64;
/// Fade at every stop and start inside a playing.
const FADE_MS: usize = 5;
const FADE_MAX: usize = FADE_MS * 16;

/// Why a chunk was not queued. Whoever plays is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("{queued_ms} ms would wait to be played, the limit is {QUEUED_MS_MAX}")]
    Full {
        /// What would wait.
        queued_ms: u64,
    },
    /// Too many playings wait.
    #[error("{PLAYINGS_MAX} playings wait already")]
    TooMany,
    /// The playing has ended: played out, flushed or closed with `last`.
    #[error("the playing has ended")]
    Ended,
    /// A playing keeps the rate of its first chunk.
    #[error("chunk of {given:?} in a playing of {expected:?}")]
    Rate {
        /// The playing's rate.
        expected: Rate,
        /// The chunk's rate.
        given: Rate,
    },
}

/// How far a playing has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Which playing.
    pub id: PlayId,
    /// Samples that have left, at the playing's own rate.
    pub samples: u64,
    /// When the first one left, in the caller's milliseconds; `None` when none has.
    pub started_ms: Option<u64>,
    /// Nothing more will come of it.
    pub done: bool,
}

/// A leg's playings.
pub struct Playout {
    rate: Rate,
    playings: VecDeque<Playing>,
    ended: VecDeque<PlayId>,
    /// What is left of the fade of something that was stopped.
    tail: [i16; FADE_MAX],
    tail_from: usize,
    last_out: i16,
    progress: Vec<Progress>,
    refused: u64,
}

struct Playing {
    id: PlayId,
    rate: Rate,
    source: Source,
    paused: bool,
    last: bool,
    started_ms: Option<u64>,
    /// The next samples come after silence: fade them in.
    fade_in: bool,
}

impl Playout {
    /// Plays to a leg of this rate.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            playings: VecDeque::new(),
            ended: VecDeque::new(),
            tail: [0; FADE_MAX],
            tail_from: FADE_MAX,
            last_out: 0,
            progress: Vec::with_capacity(4),
            refused: 0,
        }
    }

    /// Appends a chunk to a playing, which its first chunk makes. `last` closes it.
    pub fn append(&mut self, id: PlayId, pcm: &Pcm, last: bool) -> Result<(), Refused> {
        let result = self.try_append(id, pcm, last);
        if result.is_err() {
            self.refused += 1;
        }
        result
    }

    fn try_append(&mut self, id: PlayId, pcm: &Pcm, last: bool) -> Result<(), Refused> {
        if self.ended.contains(&id) {
            return Err(Refused::Ended);
        }
        let queued_ms = self.queued_ms() + pcm.samples.len() as u64 * 1_000 / u64::from(pcm.rate.hz());
        if queued_ms > QUEUED_MS_MAX {
            return Err(Refused::Full { queued_ms });
        }
        let index = match self.playings.iter().position(|playing| playing.id == id) {
            Some(index) => index,
            None if self.playings.len() == PLAYINGS_MAX => return Err(Refused::TooMany),
            None => {
                self.playings.push_back(Playing::new(id, pcm.rate, self.rate));
                self.playings.len() - 1
            }
        };
        let playing = &mut self.playings[index];
        if playing.last {
            return Err(Refused::Ended);
        }
        if playing.rate != pcm.rate {
            return Err(Refused::Rate { expected: playing.rate, given: pcm.rate });
        }
        playing.source.append(Arc::clone(&pcm.samples));
        playing.last |= last;
        Ok(())
    }

    /// Stops a playing and keeps what is left. Playings behind it wait with it.
    pub fn pause(&mut self, id: PlayId) {
        let sounding = self.sounding() == Some(id);
        if let Some(playing) = self.playings.iter_mut().find(|playing| playing.id == id && !playing.paused) {
            playing.paused = true;
            playing.fade_in = playing.started_ms.is_some();
            if sounding {
                // The faded samples are played again on resume: a syllable repeated is better than one lost.
                let mut ahead = playing.source.clone();
                self.fade_out(&mut ahead);
            }
        }
    }

    /// Goes on where `pause` stopped.
    pub fn resume(&mut self, id: PlayId) {
        if let Some(playing) = self.playings.iter_mut().find(|playing| playing.id == id) {
            playing.paused = false;
        }
    }

    /// Ends a playing at once and forgets the rest. Says how far it came, or nothing when there is no such playing.
    pub fn flush(&mut self, id: PlayId) -> Option<Progress> {
        let sounding = self.sounding() == Some(id);
        let index = self.playings.iter().position(|playing| playing.id == id)?;
        let mut playing = self.playings.remove(index)?;
        let progress = playing.progress(true);
        if sounding {
            self.fade_out(&mut playing.source);
        }
        self.end(id);
        Some(progress)
    }

    /// Fills the next frame of the leg's rate, and says how far each playing came that moved or ended. Silence where
    /// nothing is to be played. `now_ms` is when the frame leaves, on the clock of [`Progress::started_ms`].
    pub fn pull(&mut self, frame: &mut [i16], now_ms: u64) -> &[Progress] {
        self.progress.clear();
        let mut filled = 0;
        while filled < frame.len() {
            let Some(playing) = self.playings.front_mut().filter(|playing| !playing.paused) else { break };
            let count = playing.fill(&mut frame[filled..], now_ms);
            filled += count;
            let done = playing.last && playing.source.is_empty();
            if count > 0 || done {
                self.progress.push(playing.progress(done));
            }
            if done {
                let id = playing.id;
                self.playings.pop_front();
                self.end(id);
            } else if filled < frame.len() {
                // Its next chunk is not there yet.
                playing.fade_in = playing.started_ms.is_some();
                break;
            }
        }
        self.finish(frame, filled);
        &self.progress
    }

    /// Whether this playing waits or plays.
    pub fn has(&self, id: PlayId) -> bool {
        self.playings.iter().any(|playing| playing.id == id)
    }

    /// Whether anything waits or plays.
    pub fn is_idle(&self) -> bool {
        self.playings.is_empty()
    }

    /// Audio that waits, in milliseconds.
    pub fn queued_ms(&self) -> u64 {
        self.playings.iter().map(|playing| playing.source.left() * 1_000 / u64::from(playing.rate.hz())).sum()
    }

    /// Chunks refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn sounding(&self) -> Option<PlayId> {
        self.playings
            .front()
            .filter(|playing| !playing.paused && playing.started_ms.is_some())
            .map(|playing| playing.id)
    }

    fn end(&mut self, id: PlayId) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    /// Prepares 5 ms of what would have come next, falling to silence.
    fn fade_out(&mut self, source: &mut Source) {
        let fade = FADE_MS * self.rate.hz() as usize / 1_000;
        let tail = &mut self.tail[FADE_MAX - fade..];
        tail.fill(0);
        source.fill(tail);
        for (index, sample) in tail.iter_mut().enumerate() {
            *sample = (i32::from(*sample) * (fade - index) as i32 / (fade + 1) as i32) as i16;
        }
        self.tail_from = FADE_MAX - fade;
    }

    /// Silence after what was filled: fades instead of steps.
    fn finish(&mut self, frame: &mut [i16], filled: usize) {
        let (played, rest) = frame.split_at_mut(filled);
        self.last_out = played.last().copied().unwrap_or(self.last_out);
        rest.fill(0);
        if !rest.is_empty() {
            let fade = (FADE_MS * self.rate.hz() as usize / 1_000).min(rest.len());
            if self.tail_from == FADE_MAX {
                // Ran dry: nothing is known of what comes next, so the last value itself falls to zero.
                for (index, sample) in rest[..fade].iter_mut().enumerate() {
                    *sample = (i32::from(self.last_out) * (fade - index) as i32 / (fade + 1) as i32) as i16;
                }
            }
            self.last_out = 0;
        }
        if self.tail_from < FADE_MAX {
            mix(&self.tail[self.tail_from..], frame);
            self.tail_from = FADE_MAX;
            self.last_out = frame.last().copied().unwrap_or(0);
        }
    }
}

impl Playing {
    fn new(id: PlayId, from: Rate, to: Rate) -> Self {
        Self {
            id,
            rate: from,
            source: Source::new(from, to),
            paused: false,
            last: false,
            started_ms: None,
            fade_in: false,
        }
    }

    fn fill(&mut self, out: &mut [i16], now_ms: u64) -> usize {
        let count = self.source.fill(out);
        if count > 0 {
            self.started_ms.get_or_insert(now_ms);
            if std::mem::take(&mut self.fade_in) {
                let fade = (out.len() / 4).min(count).max(1);
                for (index, sample) in out[..fade].iter_mut().enumerate() {
                    *sample = (i32::from(*sample) * index as i32 / fade as i32) as i16;
                }
            }
        }
        count
    }

    fn progress(&self, done: bool) -> Progress {
        Progress { id: self.id, samples: self.source.taken, started_ms: self.started_ms, done }
    }
}

/// Chunks read at the leg's rate. Cloning it is cheap: the samples are shared.
#[derive(Clone)]
struct Source {
    chunks: VecDeque<Arc<[i16]>>,
    offset: usize,
    appended: u64,
    taken: u64,
    convert: Convert,
}

#[derive(Clone)]
enum Convert {
    Same,
    Up(Box<Upsampler>),
    Down(Box<Downsampler>),
}

/// Samples of a playing converted at once.
const BLOCK: usize = 160;

impl Source {
    fn new(from: Rate, to: Rate) -> Self {
        let convert = match (from, to) {
            (Rate::Hz8000, Rate::Hz16000) => Convert::Up(Box::new(Upsampler::new(HighBand::Empty))),
            (Rate::Hz16000, Rate::Hz8000) => Convert::Down(Box::default()),
            _ => Convert::Same,
        };
        Self { chunks: VecDeque::new(), offset: 0, appended: 0, taken: 0, convert }
    }

    fn append(&mut self, samples: Arc<[i16]>) {
        self.appended += samples.len() as u64;
        if !samples.is_empty() {
            self.chunks.push_back(samples);
        }
    }

    fn left(&self) -> u64 {
        self.appended - self.taken
    }

    fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Fills the front of `out` as far as the chunks reach, and says how far.
    fn fill(&mut self, out: &mut [i16]) -> usize {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < out.len() && !self.is_empty() {
            let room = out.len() - filled;
            filled += match self.convert {
                Convert::Same => self.take(&mut out[filled..]),
                Convert::Up(_) => {
                    let count = self.take(&mut block[..(room / 2).min(BLOCK)]);
                    let Convert::Up(upsampler) = &mut self.convert else { break };
                    upsampler.run(&block[..count], &mut out[filled..filled + count * 2]);
                    if count == 0 {
                        // A single sample cannot be made of pairs: one of silence where two playings meet.
                        out[filled] = 0;
                        1
                    } else {
                        count * 2
                    }
                }
                Convert::Down(_) => {
                    let count = self.take(&mut block[..(room * 2).min(BLOCK)]);
                    // The last sample of an odd playing gets a silent partner.
                    block[count..].fill(0);
                    let half = count.div_ceil(2);
                    let Convert::Down(downsampler) = &mut self.convert else { break };
                    downsampler.run(&block[..half * 2], &mut out[filled..filled + half]);
                    half
                }
            };
        }
        filled
    }

    /// Copies samples across chunks.
    fn take(&mut self, out: &mut [i16]) -> usize {
        let mut filled = 0;
        while filled < out.len() {
            let Some(chunk) = self.chunks.front() else { break };
            let rest = &chunk[self.offset..];
            let count = rest.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.offset += count;
            if self.offset == chunk.len() {
                self.chunks.pop_front();
                self.offset = 0;
            }
        }
        self.taken += filled as u64;
        filled
    }
}

#[cfg(test)]
mod tests;
