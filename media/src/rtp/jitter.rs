//! The jitter buffer: packets in order, and how long to wait for the late ones.
//!
//! The wait follows the measured lateness of packets against the fastest of the last seconds: long enough for 97 of 100,
//! never under 10 ms and never over 120 ms. Lateness against the fastest also shows clock drift: see [`Delay::behind`].

use std::collections::VecDeque;

use crate::codec::{PAYLOAD_MAX, UNITS_MAX};

use super::UNITS_PER_MS;

/// Packets held at most. When full, the oldest goes: it is more than a second late by then.
pub const PACKETS_MAX: usize = 64;

/// What a packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// A payload of the leg's codec.
    Audio,
    /// Background noise from here on, at this level in -dBov (RFC 3389).
    Noise(u8),
    /// No audio, but its number is not missing: a keypad event.
    Nothing,
}

/// A packet in the buffer.
#[derive(Debug)]
pub struct Buffered {
    /// Extended sequence number.
    pub sequence: i64,
    /// Extended timestamp of the first sample, in units.
    pub timestamp: i64,
    /// What it carries.
    pub carried: Carried,
    /// How long its audio lasts, in units.
    pub units: usize,
    /// The codec's payload, empty unless it carries audio.
    pub payload: Vec<u8>,
}

impl Buffered {
    /// Timestamp after the last sample.
    pub fn end(&self) -> i64 {
        self.timestamp + self.units as i64
    }
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It waits for its turn.
    Kept,
    /// Its number is there already or was played.
    Duplicate,
    /// Longer than 80 ms, or than any packet of that length.
    TooLong,
}

/// Packets by sequence number. Payload buffers are used again, so that a running stream allocates nothing.
#[derive(Default, Debug)]
pub struct Buffer {
    packets: VecDeque<Buffered>,
    spare: Vec<Vec<u8>>,
    last_taken: Option<i64>,
}

impl Buffer {
    /// Puts a packet, whose payload lasts this many units, at its place.
    pub fn put(&mut self, sequence: i64, timestamp: i64, carried: Carried, units: usize, payload: &[u8]) -> Put {
        if units > UNITS_MAX || payload.len() > PAYLOAD_MAX {
            return Put::TooLong;
        }
        if self.last_taken.is_some_and(|taken| sequence <= taken) {
            return Put::Duplicate;
        }
        let after = self.packets.iter().rposition(|packet| packet.sequence <= sequence);
        if after.is_some_and(|index| self.packets[index].sequence == sequence) {
            return Put::Duplicate;
        }
        if self.packets.len() == PACKETS_MAX {
            if after.is_none() {
                return Put::Duplicate;
            }
            self.skip();
            return self.put(sequence, timestamp, carried, units, payload);
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(payload);
        self.packets.insert(
            after.map_or(0, |index| index + 1),
            Buffered { sequence, timestamp, carried, units, payload: kept },
        );
        Put::Kept
    }

    /// The packet with the lowest number.
    pub fn front(&self) -> Option<&Buffered> {
        self.packets.front()
    }

    /// Whether no number is missing between the packet taken last and the front.
    pub fn continues(&self) -> bool {
        match (self.last_taken, self.packets.front()) {
            (Some(taken), Some(front)) => front.sequence == taken + 1,
            _ => true,
        }
    }

    /// The packet before the front is not waited for any more: it counts as taken.
    pub fn pass(&mut self) {
        if let Some(front) = self.packets.front() {
            self.last_taken = Some(front.sequence - 1);
        }
    }

    /// Takes the front; hand its payload back with [`Self::recycle`].
    pub fn take(&mut self) -> Option<Buffered> {
        let packet = self.packets.pop_front()?;
        self.last_taken = Some(packet.sequence);
        Some(packet)
    }

    /// Takes the front and throws it away.
    pub fn skip(&mut self) {
        if let Some(packet) = self.take() {
            self.recycle(packet.payload);
        }
    }

    /// Keeps a payload's memory for the next packet.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        if self.spare.len() < PACKETS_MAX {
            self.spare.push(payload);
        }
    }

    /// Timestamp of the newest packet.
    pub fn newest(&self) -> Option<i64> {
        self.packets.back().map(|packet| packet.timestamp)
    }

    /// Throws everything away and forgets what was played: another source begins.
    pub fn clear(&mut self) {
        while let Some(packet) = self.packets.pop_front() {
            self.recycle(packet.payload);
        }
        self.last_taken = None;
    }
}

/// Wait before anything is known, and the least one for the first second.
const START: i64 = 40 * UNITS_PER_MS as i64;
/// A clean path's packets are within one step of 5 ms, and ticks may be a step late; the tick that comes next adds up to 20 ms.
const SHORTEST: i64 = 10 * UNITS_PER_MS as i64;
const LONGEST: i64 = 120 * UNITS_PER_MS as i64;
/// Lateness is counted in steps of 5 ms up to 200 ms.
const STEP: i64 = 5 * UNITS_PER_MS as i64;
const STEPS: usize = 40;
/// What a packet's count is worth after each further packet: half after 2.8 s.
const FORGET: f32 = 0.995;
/// Share of packets that should be in time.
const IN_TIME: f32 = 0.97;
/// Packets before the measured wait may be shorter than the starting one.
const LEARNING: u32 = 50;
/// How long the fastest packet stands, in units; two such windows overlap.
const WINDOW: i64 = 2_000 * UNITS_PER_MS as i64;

/// Measures lateness and decides on the wait. All times in RTP units.
#[derive(Debug)]
pub struct Delay {
    counts: [f32; STEPS],
    seen: u32,
    window_start: i64,
    fastest: Option<i64>,
    fastest_before: i64,
    /// The measured wait, unbounded.
    measured: i64,
    reach: i64,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            counts: [0.0; STEPS],
            seen: 0,
            window_start: 0,
            fastest: None,
            fastest_before: i64::MAX,
            measured: START,
            reach: 0,
        }
    }
}

impl Delay {
    /// A packet with this timestamp arrived.
    pub fn observe(&mut self, timestamp: i64, arrived: i64) {
        let transit = arrived - timestamp;
        match self.fastest {
            Some(fastest) if arrived - self.window_start < WINDOW => self.fastest = Some(fastest.min(transit)),
            Some(fastest) => {
                self.fastest_before = fastest;
                self.fastest = Some(transit);
                self.window_start = arrived;
            }
            None => {
                self.fastest = Some(transit);
                self.window_start = arrived;
            }
        }
        let late = usize::try_from((transit - self.base()) / STEP).unwrap_or(0);
        for count in &mut self.counts {
            *count *= FORGET;
        }
        self.counts[late.min(STEPS - 1)] += 1.0;
        self.seen = self.seen.saturating_add(1);
        // Too little patience is heard at once, too much is not: in the first second the wait only grows.
        let least = if self.seen < LEARNING { START } else { 0 };
        self.measured = self.in_time().max(least);
    }

    /// A frame was played that ended with a packet this much newer than the frame's first sample. Such a packet has that
    /// much less time, so the wait is longer by it; it is nothing where each packet is a frame.
    pub fn reached(&mut self, reach: i64) {
        self.reach = reach.max(self.reach - 1);
    }

    /// Frames begin so much nearer to their newest packet from now on.
    pub fn closer(&mut self, by: i64) {
        self.reach = (self.reach - by).max(0);
    }

    /// How long the first sample of a frame should wait after the fastest packet could have brought it.
    pub fn target(&self) -> i64 {
        (self.measured + self.reach).clamp(SHORTEST, LONGEST)
    }

    /// How long a sample waits that is played now.
    pub fn behind(&self, timestamp: i64, now: i64) -> i64 {
        now - timestamp - self.base()
    }

    /// The timestamp to play now so that it waited for the target.
    pub fn due(&self, now: i64) -> i64 {
        now - self.base() - self.target()
    }

    fn base(&self) -> i64 {
        self.fastest.unwrap_or(0).min(self.fastest_before)
    }

    fn in_time(&self) -> i64 {
        let total: f32 = self.counts.iter().sum();
        let mut below = 0.0;
        let step = self.counts.iter().position(|count| {
            below += count;
            below >= total * IN_TIME
        });
        // The upper end of the step, and one more for ticks that come late themselves.
        (step.unwrap_or(STEPS) as i64 + 2) * STEP
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn buffer(sequences: &[i64]) -> Buffer {
        let mut buffer = Buffer::default();
        for sequence in sequences {
            buffer.put(*sequence, sequence * 160, Carried::Audio, 1, &[*sequence as u8]);
        }
        buffer
    }

    fn drain(mut buffer: Buffer) -> Vec<i64> {
        std::iter::from_fn(|| buffer.take().map(|packet| packet.sequence)).collect()
    }

    #[test]
    fn order_is_restored() {
        assert_eq!(drain(buffer(&[5, 3, 4, 9, 8, 1])), [1, 3, 4, 5, 8, 9]);
    }

    #[test]
    fn duplicates_and_played_numbers_are_refused() {
        let mut buffer = buffer(&[5, 6]);
        assert_eq!(buffer.put(6, 960, Carried::Audio, 1, &[0]), Put::Duplicate);
        buffer.skip();
        assert_eq!(buffer.put(5, 800, Carried::Audio, 1, &[0]), Put::Duplicate);
        assert_eq!(buffer.put(4, 640, Carried::Audio, 1, &[0]), Put::Duplicate);
        assert_eq!(drain(buffer), [6]);
    }

    #[test]
    fn a_full_buffer_lets_the_oldest_go() {
        let all: Vec<i64> = (0..70).collect();
        assert_eq!(drain(buffer(&all)), (6..70).collect::<Vec<_>>());
    }

    #[test]
    fn a_packet_over_80_ms_is_refused() {
        assert_eq!(Buffer::default().put(1, 1, Carried::Audio, UNITS_MAX + 1, &[0]), Put::TooLong);
        assert_eq!(Buffer::default().put(1, 1, Carried::Audio, 160, &[0; PAYLOAD_MAX + 1]), Put::TooLong);
    }

    #[test]
    fn a_missing_number_shows() {
        let mut buffer = buffer(&[1, 2, 4]);
        let mut continues = Vec::new();
        while buffer.front().is_some() {
            continues.push(buffer.continues());
            buffer.skip();
        }
        assert_eq!(continues, [true, true, false]);
    }

    /// Feeds 20 ms packets that are late by `late_ms(index)` and gives the target in milliseconds.
    fn target_ms(packets: i64, late_ms: impl Fn(i64) -> i64) -> i64 {
        let mut delay = Delay::default();
        for index in 0..packets {
            delay.observe(index * 160, index * 160 + late_ms(index) * 8);
        }
        delay.target() / 8
    }

    #[test]
    fn the_wait_follows_the_lateness_of_97_in_100() {
        assert_eq!(target_ms(0, |_| 0), 40, "before anything is known");
        assert_eq!(target_ms(49, |_| 0), 40, "for the first second at the least");
        assert_eq!(target_ms(20, |index| index % 4 * 25), 85, "but longer as soon as that is not enough");
        assert_eq!(target_ms(500, |_| 0), 10, "on a clean path");
        assert_eq!(target_ms(500, |index| index % 4 * 10), 40, "a quarter of packets 30 ms late");
        assert_eq!(target_ms(500, |index| if index % 50 == 0 { 100 } else { 0 }), 10, "two in a hundred are given up");
        assert_eq!(target_ms(500, |index| if index % 10 == 0 { 90 } else { 0 }), 100);
        assert_eq!(target_ms(500, |index| index % 3 * 300), 120, "never over 120 ms");
    }

    #[test]
    fn drift_shows_as_waiting_too_long_or_too_short() {
        // The far end's clock is 200 ppm fast: after 60 s its samples come 12 ms early.
        let mut delay = Delay::default();
        for index in 0..3_000 {
            delay.observe(index * 160, index * 160 - index * 160 / 5_000);
        }
        let played_by_our_clock = 3_000 * 160 - START;
        let waited = delay.behind(played_by_our_clock, 3_000 * 160);
        assert!((START + 94..=START + 97).contains(&waited), "{waited}");
    }
}
