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
        self.playings.front().filter(|playing| !playing.paused && playing.started_ms.is_some()).map(|playing| playing.id)
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
        Self { id, rate: from, source: Source::new(from, to), paused: false, last: false, started_ms: None, fade_in: false }
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audio::sample::tone;

    const A: PlayId = PlayId(1);
    const B: PlayId = PlayId(2);

    fn pcm(rate: Rate, samples: &[i16]) -> Pcm {
        Pcm { rate, samples: samples.into() }
    }

    fn narrow(samples: &[i16]) -> Pcm {
        pcm(Rate::Hz8000, samples)
    }

    /// Pulls frames and gives what left and what was told.
    fn pull(playout: &mut Playout, frames: usize) -> (Vec<i16>, Vec<Progress>) {
        let mut all = Vec::new();
        let mut told = Vec::new();
        for index in 0..frames {
            let mut frame = vec![99; playout.rate.frame()];
            told.extend_from_slice(playout.pull(&mut frame, index as u64 * 20));
            all.extend(frame);
        }
        (all, told)
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn chunks_leave_in_order_without_a_gap_and_every_sample_is_counted() {
        let mut playout = Playout::new(Rate::Hz8000);
        let ramp: Vec<i16> = (0..500).collect();
        for chunk in ramp.chunks(70) {
            playout.append(A, &narrow(chunk), chunk.ends_with(&[499])).unwrap();
        }
        let (all, told) = pull(&mut playout, 5);
        assert_eq!(all[..500], ramp);
        assert!(all[600..].iter().all(|sample| *sample == 0));
        let samples: Vec<_> = told.iter().map(|progress| (progress.samples, progress.done)).collect();
        assert_eq!(samples, [(160, false), (320, false), (480, false), (500, true)]);
        assert!(told.iter().all(|progress| progress.id == A && progress.started_ms == Some(0)));
        assert!(playout.is_idle());
    }

    #[test]
    fn the_next_playing_begins_in_the_same_frame() {
        let mut playout = Playout::new(Rate::Hz8000);
        playout.append(A, &narrow(&[1; 100]), true).unwrap();
        playout.append(B, &narrow(&[2; 100]), true).unwrap();
        let (all, told) = pull(&mut playout, 2);
        assert_eq!((all[99], all[100], all[199]), (1, 2, 2));
        assert_eq!(told.len(), 3);
        assert_eq!((told[0].id, told[0].done, told[1].id, told[1].samples, told[2].done), (A, true, B, 60, true));
    }

    #[test]
    fn samples_are_counted_at_the_rate_of_the_playing() {
        for (from, to) in [(Rate::Hz16000, Rate::Hz8000), (Rate::Hz8000, Rate::Hz16000)] {
            let mut playout = Playout::new(to);
            let second = from.hz() as usize;
            let samples = tone(500.0, 8_000.0, from.hz() as f32, 0, second);
            for chunk in samples.chunks(333) {
                playout.append(A, &pcm(from, chunk), false).unwrap();
            }
            playout.append(A, &pcm(from, &[]), true).unwrap();
            let (all, told) = pull(&mut playout, 50);
            assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((second as u64, true)));
            assert_eq!(told.len(), 50);
            // Both filters are late: by 30 samples at 16 kHz going down, by 31 going up.
            let late = if to == Rate::Hz8000 { 15.0 } else { 31.0 };
            let expected = |index: usize| ((index as f32 - late) * 500.0 / to.hz() as f32 * std::f32::consts::TAU).sin() * 8_000.0;
            for index in (200..all.len()).step_by(37) {
                assert!((f32::from(all[index]) - expected(index)).abs() < 250.0, "{from:?}: sample {index}");
            }
        }
    }

    #[test]
    fn pause_keeps_the_rest_and_resume_repeats_only_the_fade() {
        let mut playout = Playout::new(Rate::Hz8000);
        let samples = tone(300.0, 8_000.0, 8_000.0, 0, 1_600);
        playout.append(A, &narrow(&samples), true).unwrap();
        let (mut all, told) = pull(&mut playout, 3);
        assert_eq!(told.last().unwrap().samples, 480);
        playout.pause(A);
        let (paused, told) = pull(&mut playout, 3);
        assert!(told.is_empty());
        assert!(paused[..20].iter().any(|sample| *sample != 0) && paused[40..].iter().all(|sample| *sample == 0));
        playout.resume(A);
        let (rest, told) = pull(&mut playout, 7);
        assert_eq!(rest[100..1_100], samples[580..1_580], "goes on where it stopped");
        assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((1_600, true)));
        all.extend(paused);
        all.extend(&rest[..1_000]);
        let own = steepest(&samples);
        assert!(steepest(&all) <= own * 5 / 4, "a step of {} in a tone of {own}", steepest(&all));
    }

    #[test]
    fn flush_says_how_far_it_came_and_fades() {
        let mut playout = Playout::new(Rate::Hz8000);
        let samples = tone(300.0, 8_000.0, 8_000.0, 0, 1_600);
        playout.append(A, &narrow(&samples), false).unwrap();
        playout.append(B, &narrow(&[5; 160]), true).unwrap();
        let (mut all, _) = pull(&mut playout, 2);
        let progress = playout.flush(A).unwrap();
        assert_eq!(progress, Progress { id: A, samples: 320, started_ms: Some(0), done: true });
        let (after, told) = pull(&mut playout, 2);
        assert_eq!(told.last().map(|progress| (progress.id, progress.done)), Some((B, true)), "the next one is not held up");
        all.extend(after);
        assert!(steepest(&all) <= steepest(&samples) * 5 / 4);
        assert_eq!(playout.flush(A), None);
        assert_eq!(playout.append(A, &narrow(&[1]), false), Err(Refused::Ended), "late chunks are another turn's");
    }

    #[test]
    fn a_playing_that_never_began_is_flushed_silently() {
        let mut playout = Playout::new(Rate::Hz16000);
        playout.append(A, &narrow(&[9_000; 160]), false).unwrap();
        assert_eq!(playout.flush(A), Some(Progress { id: A, samples: 0, started_ms: None, done: true }));
        assert!(pull(&mut playout, 2).0.iter().all(|sample| *sample == 0));
    }

    #[test]
    fn running_dry_falls_to_silence_without_a_step_and_goes_on_with_the_next_chunk() {
        let mut playout = Playout::new(Rate::Hz8000);
        playout.append(A, &narrow(&[8_000; 200]), false).unwrap();
        let (mut all, told) = pull(&mut playout, 3);
        assert!(told.iter().all(|progress| !progress.done));
        assert!(all[240..].iter().all(|sample| *sample == 0));
        playout.append(A, &narrow(&[8_000; 200]), true).unwrap();
        let (more, told) = pull(&mut playout, 2);
        all.extend(&more[..200]);
        assert!(steepest(&all) <= 400, "{}", steepest(&all));
        assert_eq!(told.last().map(|progress| (progress.samples, progress.done)), Some((400, true)));
    }

    #[test]
    fn a_paused_playing_holds_up_those_behind_it() {
        let mut playout = Playout::new(Rate::Hz8000);
        playout.append(A, &narrow(&[1; 160]), true).unwrap();
        playout.pause(A);
        playout.append(B, &narrow(&[2; 160]), true).unwrap();
        assert!(pull(&mut playout, 2).1.is_empty());
        playout.flush(A);
        assert_eq!(pull(&mut playout, 1).1[0].id, B);
    }

    #[test]
    fn a_minute_may_wait_and_more_is_refused_and_counted() {
        let mut playout = Playout::new(Rate::Hz8000);
        let second = narrow(&[0; 8_000]);
        for _ in 0..60 {
            playout.append(A, &second, false).unwrap();
        }
        assert_eq!(playout.append(A, &narrow(&[0; 8]), false), Err(Refused::Full { queued_ms: 60_001 }));
        pull(&mut playout, 1);
        assert_eq!(playout.append(A, &narrow(&[0; 8]), false), Ok(()));
        assert_eq!(playout.refused(), 1);
        let wrong = playout.append(A, &pcm(Rate::Hz16000, &[0]), false);
        assert_eq!(wrong, Err(Refused::Rate { expected: Rate::Hz8000, given: Rate::Hz16000 }));
        assert_eq!(playout.append(A, &narrow(&[]), true), Ok(()));
        assert_eq!(playout.append(A, &narrow(&[]), true), Err(Refused::Ended));
    }

    #[test]
    fn empty_playings_are_bounded_too() {
        let mut playout = Playout::new(Rate::Hz8000);
        for id in 0..PLAYINGS_MAX as u64 {
            playout.append(PlayId(id), &narrow(&[]), false).unwrap();
        }
        assert_eq!(playout.append(PlayId(1_000), &narrow(&[]), false), Err(Refused::TooMany));
        playout.flush(PlayId(0));
        playout.append(PlayId(1_000), &narrow(&[]), true).unwrap();
    }
}
