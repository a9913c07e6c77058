//! From packets to a steady stream of frames: order, decoding, concealment, and keeping pace with the far end's clock.

use std::time::Instant;

use crate::audio::conceal::Concealer;
use crate::audio::level::{Background, mix_over};
use crate::audio::shorten::{self, period};
use crate::codec::{DECODED_MAX, Decoder};
use crate::io::Codec;

use super::jitter::{Buffer, Carried, Delay, Put};
use super::session::units;
use super::{UNITS_PER_FRAME, UNITS_PER_MS};

/// Waiting longer than the target by this much: a silent frame is left out, or a period of a vowel.
const SLACK_LONG: i64 = 15 * UNITS_PER_MS as i64;
/// Waiting shorter than the target by this much: a silent frame is played twice. With the one above it is a frame: what is
/// left out is not played twice at once.
const SLACK_SHORT: i64 = 5 * UNITS_PER_MS as i64;
/// Waiting longer by this much: a frame is left out even in speech.
const EXCESS: i64 = 60 * UNITS_PER_MS as i64;
/// Timestamps this far from the played one are another timeline.
const JUMP: i64 = 2_000 * UNITS_PER_MS as i64;
/// Late packets in a row, with nothing in time for [`STARVED`], after which the path is taken to have become longer.
const LATE_RUN: u32 = 4;
const STARVED: i64 = 200 * UNITS_PER_MS as i64;

/// What a frame was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// What the far end said.
    Heard,
    /// Some of it was missing and was concealed.
    Concealed,
    /// Nothing came, and nothing was expected: before the first packet, in suppressed silence, after a long loss.
    Silence,
}

/// One direction of a leg's media, from packets to frames of the codec's rate.
pub struct Receiver {
    codec: Codec,
    origin: Instant,
    buffer: Buffer,
    delay: Delay,
    decoder: Decoder,
    concealer: Concealer,
    background: Background,
    decoded: Box<[i16; DECODED_MAX]>,
    pending: std::ops::Range<usize>,
    /// What the pending samples are.
    pending_made: Made,
    /// Timestamp of the next sample; `None` while waiting to begin.
    playing: Option<i64>,
    last_in_time: i64,
    late_run: u32,
    noise: Option<u8>,
    repeat: bool,
    /// How much newer than the frame's first sample its newest packet is.
    reach: i64,
    /// How far into the frame a packet begins that could begin with it.
    apart: i64,
    dropped: Vec<i16>,
    /// Samples played so far that were not chosen silence, and those among them that had to be made up.
    played: u64,
    lost: u64,
    /// Samples of the present frame that had to be made up.
    lost_now: usize,
    concealed: u64,
}

/// The greatest common divisor: where packets of a length and frames can begin together.
fn common(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { common(b, a % b) }
}

impl Receiver {
    /// Waits for the first packet. `origin` is any instant before it.
    pub fn new(codec: Codec, origin: Instant) -> Self {
        Self {
            codec,
            origin,
            buffer: Buffer::default(),
            delay: Delay::default(),
            decoder: Decoder::new(codec),
            concealer: Concealer::new(codec.rate()),
            background: Background::default(),
            decoded: Box::new([0; DECODED_MAX]),
            pending: 0..0,
            pending_made: Made::Heard,
            playing: None,
            last_in_time: 0,
            late_run: 0,
            noise: None,
            repeat: false,
            reach: 0,
            apart: 0,
            dropped: vec![0; codec.rate().frame()],
            played: 0,
            lost: 0,
            lost_now: 0,
            concealed: 0,
        }
    }

    /// Another source begins: nothing of the one before is played or compared.
    pub fn reset(&mut self) {
        self.restart();
        self.decoder = Decoder::new(self.codec);
    }

    /// Frames concealed so far.
    pub fn concealed(&self) -> u64 {
        self.concealed
    }

    /// Share of what was played so far that had to be concealed, 0.0 to 1.0; silence that the far end chose is not missing.
    pub fn missing(&self) -> f32 {
        self.lost as f32 / self.played.max(1) as f32
    }

    /// Counts the share of what is missing anew.
    pub fn measure(&mut self) {
        (self.played, self.lost) = (0, 0);
    }

    /// How long audio waits to be played, in milliseconds.
    pub fn wait_ms(&self) -> u32 {
        u32::try_from(self.delay.target()).unwrap_or(0) / UNITS_PER_MS
    }

    /// Whether the far end said that it is silent for now (RFC 3389).
    pub fn is_paused(&self) -> bool {
        self.noise.is_some()
    }

    /// Takes a packet with its extended numbers, the timestamp in units. `false`: it is refused as too long, or as none of
    /// the codec's.
    pub fn put(&mut self, sequence: i64, timestamp: i64, carried: Carried, payload: &[u8], now: Instant) -> bool {
        let arrived = units(now.saturating_duration_since(self.origin));
        // The timestamp of a keypad event stays at its press, however long the key is held.
        let follows_clock = carried != Carried::Nothing;
        if follows_clock && self.playing.is_some_and(|playing| (timestamp - playing).abs() > JUMP) {
            self.restart();
        }
        // Comfort noise comes at its time too, but says little of lateness: it counts until there is something better.
        if carried == Carried::Audio || (matches!(carried, Carried::Noise(_)) && self.playing.is_none()) {
            self.delay.observe(timestamp, arrived);
        }
        let Some(units) = self.codec.units(payload) else { return false };
        let end = timestamp + units as i64;
        if carried == Carried::Audio && self.playing.is_some_and(|playing| end <= playing) {
            self.late_run += 1;
            if self.late_run < LATE_RUN || arrived - self.last_in_time < STARVED {
                return true;
            }
            // Everything comes late: the path has become longer, so the timeline starts again from here.
            self.restart();
            self.delay.observe(timestamp, arrived);
        }
        match self.buffer.put(sequence, timestamp, carried, units, payload) {
            Put::Kept => {
                self.late_run = 0;
                self.last_in_time = arrived;
                true
            }
            Put::Duplicate => true,
            Put::TooLong => false,
        }
    }

    /// Fills the next 20 ms.
    pub fn frame(&mut self, out: &mut [i16], now: Instant) -> Made {
        let now = units(now.saturating_duration_since(self.origin));
        self.lost_now = 0;
        let Some(playing) = self.begin(now) else {
            self.concealer.conceal(out);
            return Made::Silence;
        };
        let waited = self.delay.behind(playing, now);
        let short = waited < self.delay.target() - SLACK_SHORT;
        if short && std::mem::take(&mut self.repeat) {
            // The timeline stands still for a quiet frame, so that what comes next waits longer. Nothing is missing.
            self.fill(out);
            return Made::Heard;
        }
        let mut made = if short && self.is_starved() {
            self.lost_now = out.len();
            self.fill(out)
        } else {
            self.render(out)
        };
        let quiet = self.background.is_quiet(out);
        let excess = waited - self.delay.target();
        if excess > EXCESS || (excess > SLACK_LONG && quiet) {
            made = self.leave_out(out, made);
        } else if made == Made::Heard {
            made = self.hurry(out, excess, quiet);
        }
        self.repeat = short && quiet;
        if made != Made::Silence {
            self.played += out.len() as u64;
            self.lost += self.lost_now.min(out.len()) as u64;
            self.concealed += u64::from(made == Made::Concealed);
        }
        made
    }

    /// Frames that nobody fetched: their audio is as late as a packet that came after its turn.
    pub fn skip(&mut self, frames: u32) {
        if let Some(playing) = &mut self.playing {
            *playing += i64::from(frames) * i64::from(UNITS_PER_FRAME);
            self.pending = 0..0;
        }
    }

    /// The timestamp that is due, beginning to play when the oldest packet has waited long enough.
    fn begin(&mut self, now: i64) -> Option<i64> {
        if self.playing.is_none() {
            let first = self.buffer.front()?.timestamp;
            let due = self.delay.due(now);
            if due < first {
                return None;
            }
            // After a burst the oldest packets have waited too long already.
            let newest = self.buffer.newest().unwrap_or(first);
            while self.buffer.front().is_some_and(|packet| packet.end() <= due && packet.timestamp < newest) {
                self.buffer.skip();
            }
            // At the start of a packet, so that frames and packets go together from here on.
            self.playing = self.buffer.front().map(|packet| packet.timestamp);
        }
        self.playing
    }

    fn is_starved(&self) -> bool {
        self.pending.is_empty() && self.buffer.front().is_none()
    }

    fn is_next_there(&self) -> bool {
        self.buffer.newest().is_some_and(|newest| self.playing.is_some_and(|playing| newest >= playing))
    }

    fn restart(&mut self) {
        self.buffer.clear();
        self.delay = Delay::default();
        self.pending = 0..0;
        self.playing = None;
        self.late_run = 0;
        self.noise = None;
        self.repeat = false;
    }

    /// Leaves a period of what is heard out, and fills up from what comes next. Somebody who does not pause is not heard late
    /// for that: a wait from before the path was known, or from a time of jitter, is gone after a vowel or two.
    ///
    /// Frames that begin within packets wait for the packet in which they end, so that is left out as well: then they go
    /// together again, and no packet has less time for it.
    fn hurry(&mut self, out: &mut [i16], excess: i64, quiet: bool) -> Made {
        let per_unit = self.codec.samples_per_unit();
        let longest = if excess > SLACK_LONG { out.len() } else { usize::try_from(self.apart).unwrap_or(0) * per_unit };
        if longest == 0 || !(self.pending.len() >= longest || self.is_next_there()) {
            return Made::Heard;
        }
        let lag = period(out, per_unit, longest);
        // What is quiet and has no pitch at all, as the noise of a line, may be left out by any length.
        let any = || Some(longest).filter(|_| quiet && period(out, per_unit, out.len()).is_none());
        let Some(lag) = lag.or_else(any) else { return Made::Heard };
        let left = shorten::leave_out(out, lag);
        let made = self.render(&mut out[left..]);
        if excess <= SLACK_LONG {
            self.delay.closer((lag / per_unit) as i64);
        }
        made
    }

    /// Leaves a frame out: the next one takes its place, faded over from the one that goes.
    fn leave_out(&mut self, out: &mut [i16], made: Made) -> Made {
        if !self.is_next_there() {
            return made;
        }
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.copy_from_slice(out);
        let made = self.render(out);
        mix_over(&dropped[..out.len() / 4], out);
        self.dropped = dropped;
        made
    }

    /// Plays 20 ms from where the timeline stands.
    fn render(&mut self, out: &mut [i16]) -> Made {
        (self.reach, self.apart) = (0, 0);
        let per_unit = self.codec.samples_per_unit();
        let mut made = Made::Silence;
        let mut filled = 0;
        while filled < out.len() {
            let rest = &mut out[filled..];
            let begun = (filled / per_unit) as i64;
            let (count, part) = if self.pending.is_empty() {
                self.next(rest, begun)
            } else {
                (self.copy_pending(rest), self.pending_made)
            };
            filled += count;
            self.lost_now += if part == Made::Concealed { count } else { 0 };
            if let Some(playing) = &mut self.playing {
                *playing += (count / per_unit) as i64;
            }
            made = match (made, part) {
                (Made::Concealed, _) | (_, Made::Concealed) => Made::Concealed,
                (Made::Heard, _) | (_, Made::Heard) => Made::Heard,
                _ => Made::Silence,
            };
        }
        self.delay.reached(self.reach);
        made
    }

    fn copy_pending(&mut self, out: &mut [i16]) -> usize {
        let count = self.pending.len().min(out.len());
        let from = self.pending.start;
        out[..count].copy_from_slice(&self.decoded[from..from + count]);
        self.pending.start += count;
        self.concealer.heard(&mut out[..count]);
        count
    }

    /// Looks at the next packet: decodes it (and gives nothing yet), or fills the gap before it. `begun` units of the frame
    /// are filled.
    fn next(&mut self, out: &mut [i16], begun: i64) -> (usize, Made) {
        let per_unit = self.codec.samples_per_unit();
        let playing = self.playing.unwrap_or(0);
        let Some(front) = self.buffer.front() else {
            return (out.len(), self.fill(out));
        };
        let gap = usize::try_from(front.timestamp - playing).unwrap_or(0) * per_unit;
        // Numbers of keypad events are not missing, but their timestamp stays at the press.
        if gap == 0 || front.carried == Carried::Nothing {
            if front.carried == Carried::Audio {
                let within = front.timestamp - playing + begun;
                self.reach = self.reach.max(within);
                self.apart = within.rem_euclid(common(front.units as i64, i64::from(UNITS_PER_FRAME)));
            }
            self.take();
            return (0, Made::Silence);
        }
        if self.buffer.continues() {
            let count = gap.min(out.len());
            return (count, self.pause(&mut out[..count]));
        }
        // What a packet repeats is the frame right before it; what is missing before that has to be made up.
        let repeated = front.units * per_unit;
        let alone = if gap >= repeated { gap - repeated } else { gap };
        if alone == 0 && self.recover() {
            return (0, Made::Silence);
        }
        let count = if alone == 0 { gap } else { alone }.min(out.len());
        (count, self.fill(&mut out[..count]))
    }

    /// Makes the frame before the front, which was lost, from the front, where the codec can. It is not waited for any more.
    fn recover(&mut self) -> bool {
        let Some(front) = self.buffer.front().filter(|front| front.carried == Carried::Audio) else { return false };
        let length = front.units * self.codec.samples_per_unit();
        let Some(out) = self.decoded.get_mut(..length) else { return false };
        let Some((count @ 1.., said)) = self.decoder.recover(&front.payload, out) else { return false };
        self.pending = 0..count;
        self.pending_made = if said { Made::Heard } else { Made::Concealed };
        self.buffer.pass();
        true
    }

    fn take(&mut self) {
        let Some(packet) = self.buffer.take() else { return };
        match packet.carried {
            Carried::Audio => {
                self.noise = None;
                let decoded = self.decoder.decode(&packet.payload, &mut self.decoded[..]);
                let over = usize::try_from(self.playing.unwrap_or(0) - packet.timestamp).unwrap_or(0);
                self.pending = (over * self.codec.samples_per_unit()).min(decoded)..decoded;
                self.pending_made = Made::Heard;
            }
            Carried::Noise(level) => self.noise = Some(level),
            Carried::Nothing => {}
        }
        self.buffer.recycle(packet.payload);
    }

    /// Audio that was lost or is late.
    fn fill(&mut self, out: &mut [i16]) -> Made {
        if let Some(level) = self.noise {
            self.concealer.noise(level, out);
            return Made::Heard;
        }
        if self.concealer.conceal(out) { Made::Concealed } else { Made::Silence }
    }

    /// The far end chose to send nothing here.
    fn pause(&mut self, out: &mut [i16]) -> Made {
        if let Some(level) = self.noise {
            self.concealer.noise(level, out);
            return Made::Heard;
        }
        self.concealer.conceal(out);
        Made::Silence
    }
}

#[cfg(test)]
mod tests;
