//! Both directions of an RTP session: our numbers going out, the far end's statistics coming in (RFC 3550 section 6.4
//! and appendix A).

use std::time::{Duration, Instant};

use super::{Clock, UNITS_PER_MS, packet::Packet};

/// Where our sequence, timestamp and source start. Drawn by the shell: RFC 3550 section 5.1 wants them unpredictable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seeds {
    /// Our synchronisation source.
    pub ssrc: u32,
    /// First sequence number.
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// Seed of the RTCP interval's variation.
    pub rtcp: u64,
}

/// What we send: packets, numbered, and the time that passes.
#[derive(Debug)]
pub struct Sender {
    clock: Clock,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    packets: u32,
    octets: u32,
}

impl Sender {
    /// Starts at the given numbers; the first packet carries the marker.
    pub fn new(seeds: Seeds, clock: Clock) -> Self {
        Self {
            clock,
            ssrc: seeds.ssrc,
            sequence: seeds.sequence,
            timestamp: seeds.timestamp,
            marker: true,
            packets: 0,
            octets: 0,
        }
    }

    /// Appends an audio packet to `out`, which begins this many units after the frame that is due, or before it.
    pub fn audio(&mut self, payload_type: u8, begins: i64, payload: &[u8], out: &mut Vec<u8>) {
        let marker = std::mem::replace(&mut self.marker, false);
        // Timestamps wrap.
        let timestamp = self.timestamp.wrapping_add(self.clock.ticks(begins) as u32);
        self.write(marker, payload_type, timestamp, payload, out);
    }

    /// Appends a packet of a keypad event that began at `timestamp` to `out`. The audio after it starts a talk spurt.
    pub fn event(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8], out: &mut Vec<u8>) {
        self.marker = true;
        self.write(marker, payload_type, timestamp, payload, out);
    }

    /// Frames of time have passed, whether or not packets left.
    pub fn advance_by(&mut self, frames: u32) {
        self.timestamp = self.timestamp.wrapping_add(frames.wrapping_mul(self.clock.frame()));
    }

    /// The next audio packet carries the marker: sending begins anew.
    pub fn begin_spurt(&mut self) {
        self.marker = true;
    }

    /// Timestamp of the frame that is due.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload octets sent, wrapping as the sender report wants them.
    pub fn sent(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    fn write(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8], out: &mut Vec<u8>) {
        Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload }.write(out);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
    }
}

/// Extends a 16-bit sequence number to 64 bits around the last one seen (RFC 3550 appendix A.1, without its probation).
pub fn extend_sequence(last: i64, sequence: u16) -> i64 {
    let step = sequence.wrapping_sub((last & 0xffff) as u16).cast_signed();
    last + i64::from(step)
}

/// Extends a 32-bit timestamp to 64 bits around the last one seen.
pub fn extend_timestamp(last: i64, timestamp: u32) -> i64 {
    let step = timestamp.wrapping_sub((last & 0xffff_ffff) as u32).cast_signed();
    last + i64::from(step)
}

/// What a packet meant for the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It belongs to the source we follow; these are its extended numbers.
    Accepted {
        /// Extended sequence number.
        sequence: i64,
        /// Extended timestamp, in ticks of the RTP clock.
        timestamp: i64,
        /// It is the first one of a new source: whatever was buffered is another's.
        reset: bool,
    },
    /// It is the first of another source: one more is waited for, so that a stray packet changes nothing.
    Probation,
}

/// A jump of sequence numbers beyond which the source is taken to have restarted (RFC 3550 appendix A.1, `MAX_DROPOUT`).
const DROPOUT_MAX: i64 = 3_000;

/// What we receive from one source: extension of numbers, loss and jitter.
#[derive(Debug)]
pub struct Reception {
    clock: Clock,
    source: Option<Source>,
    candidate: Option<u32>,
    origin: Instant,
    /// Counts of earlier sources of this leg, so that a restart forgets nothing.
    earlier: Counts,
}

#[derive(Clone, Copy, Default, Debug)]
struct Counts {
    received: u64,
    lost: u64,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    base: i64,
    highest: i64,
    timestamp: i64,
    received: u64,
    transit: Option<i64>,
    /// Interarrival jitter in ticks of the RTP clock, scaled by 16 as in RFC 3550 appendix A.8.
    jitter_x16: u64,
    expected_prior: u64,
    received_prior: u64,
}

impl Source {
    fn expected(&self) -> u64 {
        u64::try_from(self.highest - self.base + 1).unwrap_or(0)
    }

    fn counts(&self) -> Counts {
        Counts { received: self.received, lost: self.expected().saturating_sub(self.received) }
    }
}

/// The numbers of a report block (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reported {
    /// The source it is about.
    pub ssrc: u32,
    /// Loss since the last report, of 256.
    pub fraction_lost: u8,
    /// Loss since the start, 24 bits with sign.
    pub lost: i32,
    /// Extended highest sequence number.
    pub highest: u32,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter: u32,
}

impl Reception {
    /// Nothing received yet. `origin` is any instant before the first packet.
    pub fn new(clock: Clock, origin: Instant) -> Self {
        Self { clock, source: None, candidate: None, origin, earlier: Counts::default() }
    }

    /// Takes note of a packet. `audio` says that its timestamp follows the sampling clock: keypad events keep theirs, so
    /// they count for loss but not for jitter.
    pub fn receive(&mut self, packet: &Packet<'_>, audio: bool, now: Instant) -> Arrival {
        let clock = self.clock;
        let arrived = clock.ticks(units(now.saturating_duration_since(self.origin)));
        match &mut self.source {
            Some(source) if source.ssrc == packet.ssrc => {
                let sequence = extend_sequence(source.highest, packet.sequence);
                if (sequence - source.highest).abs() > DROPOUT_MAX {
                    return self.switch(packet);
                }
                self.candidate = None;
                source.received += 1;
                source.highest = source.highest.max(sequence);
                // A late packet may precede the first one; it is then the first.
                source.base = source.base.min(sequence);
                let timestamp = extend_timestamp(source.timestamp, packet.timestamp);
                if sequence == source.highest {
                    source.timestamp = timestamp;
                }
                if audio {
                    measure_jitter(source, arrived - timestamp, clock);
                }
                Arrival::Accepted { sequence, timestamp, reset: false }
            }
            None => self.adopt(packet),
            Some(_) => self.switch(packet),
        }
    }

    /// Packets received and lost over the whole leg, whatever sources it had.
    pub fn totals(&self) -> (u64, u64) {
        let now = self.source.as_ref().map(Source::counts).unwrap_or_default();
        (self.earlier.received + now.received, self.earlier.lost + now.lost)
    }

    /// Interarrival jitter in milliseconds.
    pub fn jitter_ms(&self) -> f32 {
        let ticks_per_ms = self.clock.hz() as f32 / 1_000.0;
        self.source.as_ref().map_or(0.0, |source| source.jitter_x16 as f32 / 16.0 / ticks_per_ms)
    }

    /// Forgets the source: the far end's address changed by signalling. What was counted stays.
    pub fn forget(&mut self) {
        self.close();
        self.candidate = None;
    }

    /// The next report block about the source, or nothing before its first packet. Starts a new reporting interval.
    pub fn report(&mut self) -> Option<Reported> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let expected_now = expected - source.expected_prior;
        let received_now = source.received - source.received_prior;
        source.expected_prior = expected;
        source.received_prior = source.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction_lost = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255);
        let lost = expected.cast_signed() - source.received.cast_signed();
        Some(Reported {
            ssrc: source.ssrc,
            fraction_lost: fraction_lost as u8,
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: (source.highest & 0xffff_ffff) as u32,
            jitter: (source.jitter_x16 >> 4) as u32,
        })
    }

    fn switch(&mut self, packet: &Packet<'_>) -> Arrival {
        // A restarted source keeps its SSRC but not its numbers, so the candidate is told apart by both.
        if self.candidate.replace(packet.ssrc) == Some(packet.ssrc) {
            self.close();
            self.candidate = None;
            return self.adopt(packet);
        }
        Arrival::Probation
    }

    fn adopt(&mut self, packet: &Packet<'_>) -> Arrival {
        // One turn of the counter above zero, so that a late packet before the first keeps a positive number.
        let sequence = i64::from(packet.sequence) + 0x1_0000;
        let timestamp = i64::from(packet.timestamp) + 0x1_0000_0000;
        self.source = Some(Source {
            ssrc: packet.ssrc,
            base: sequence,
            highest: sequence,
            timestamp,
            received: 1,
            transit: None,
            jitter_x16: 0,
            expected_prior: 0,
            received_prior: 0,
        });
        Arrival::Accepted { sequence, timestamp, reset: true }
    }

    fn close(&mut self) {
        if let Some(source) = self.source.take() {
            let counts = source.counts();
            self.earlier.received += counts.received;
            self.earlier.lost += counts.lost;
        }
    }
}

/// RFC 3550 appendix A.8, in integers.
fn measure_jitter(source: &mut Source, transit: i64, clock: Clock) {
    if let Some(last) = source.transit.replace(transit) {
        // A pause in sending with an unmoved timestamp is no jitter; four seconds bound what one packet can add.
        let difference = (transit - last).unsigned_abs().min(u64::from(clock.hz()) * 4);
        source.jitter_x16 = source.jitter_x16 + difference - ((source.jitter_x16 + 8) >> 4);
    }
}

/// A time span in units.
pub fn units(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 16) * i64::from(UNITS_PER_MS) / 1_000
}

#[cfg(test)]
mod tests;
