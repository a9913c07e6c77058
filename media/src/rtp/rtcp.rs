//! RTCP (RFC 3550 section 6): sender and receiver reports with our name, goodbyes, round trip and the loss the far end
//! sees.

use std::time::{Duration, Instant};

use super::session::Reported;

/// Reports go out this often on average; each interval varies by half of it (RFC 3550 section 6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// Round trips above this are the far end's arithmetic, not the network's.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const CNAME: u8 = 1;
/// Octets of a report block.
const BLOCK: usize = 24;

/// Why bytes are not RTCP. The sender is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RtcpError {
    /// A packet of the compound is cut off.
    #[error("RTCP packet needs {needed} octets, {left} are left")]
    Short {
        /// What its header says.
        needed: usize,
        /// What is there.
        left: usize,
    },
    /// Not version 2.
    #[error("RTCP version {0}, expected 2")]
    Version(u8),
    /// A compound begins with a report (RFC 3550 section 6.1).
    #[error("compound begins with packet type {0}, expected 200 or 201")]
    NoReport(u8),
}

/// What the far end's reports say.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Heard {
    /// Share of our packets it missed since its last report, 0.0 to 1.0.
    pub loss: Option<f32>,
    /// It said goodbye.
    pub goodbye: bool,
}

/// What our report says of what we sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Our source.
    pub ssrc: u32,
    /// RTP timestamp of now.
    pub timestamp: u32,
    /// Packets sent, wrapping.
    pub packets: u32,
    /// Payload octets sent, wrapping.
    pub octets: u32,
}

/// RTCP of one leg.
#[derive(Debug)]
pub struct Rtcp {
    origin: Instant,
    due: Instant,
    random: u64,
    /// Middle bits of the last sender report's NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    remote_loss: f32,
}

impl Rtcp {
    /// The first report is due after half an interval (RFC 3550 section 6.2). The seed varies the intervals.
    pub fn new(origin: Instant, seed: u64) -> Self {
        let mut rtcp =
            Self { origin, due: origin, random: seed | 1, last_report: None, round_trip: None, remote_loss: 0.0 };
        rtcp.due = origin + rtcp.interval() / 2;
        rtcp
    }

    /// When the next report is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Somebody else reads the far end's reports: this is what they said.
    pub fn told(&mut self, remote_loss: f32, round_trip: Option<Duration>) {
        self.remote_loss = remote_loss;
        self.round_trip = round_trip.filter(|span| *span <= ROUND_TRIP_MAX).or(self.round_trip);
    }

    /// The last measured round trip.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Loss the far end reported last, 0.0 to 1.0.
    pub fn remote_loss(&self) -> f32 {
        self.remote_loss
    }

    /// Appends a compound (report, name) to `out` and plans the next.
    pub fn report(&mut self, sent: Sent, about: Option<Reported>, now: Instant, out: &mut Vec<u8>) {
        self.due = now + self.interval();
        self.write_report(sent, about, now, out);
    }

    /// Appends the compound that ends the leg.
    pub fn goodbye(&mut self, sent: Sent, about: Option<Reported>, now: Instant, out: &mut Vec<u8>) {
        self.write_report(sent, about, now, out);
        header(1, GOODBYE, 1, out);
        out.extend_from_slice(&sent.ssrc.to_be_bytes());
    }

    /// Reads a compound; `ours` is our source, reports on others are not for us.
    pub fn receive(&mut self, bytes: &[u8], ours: u32, now: Instant) -> Result<Heard, RtcpError> {
        let mut heard = Heard::default();
        let mut rest = bytes;
        let mut first = true;
        while !rest.is_empty() {
            let (Part { count, kind, body }, after) = split(rest)?;
            if std::mem::take(&mut first) && !matches!(kind, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(RtcpError::NoReport(kind));
            }
            rest = after;
            match kind {
                SENDER_REPORT => {
                    if let Some(middle) = word(body, 1).zip(word(body, 2)) {
                        self.last_report = Some((middle.0 << 16 | middle.1 >> 16, now));
                    }
                    self.blocks(body.get(24..).unwrap_or_default(), count, ours, now, &mut heard);
                }
                RECEIVER_REPORT => self.blocks(body.get(4..).unwrap_or_default(), count, ours, now, &mut heard),
                GOODBYE => heard.goodbye = true,
                _ => {}
            }
        }
        if first { Err(RtcpError::Short { needed: 8, left: 0 }) } else { Ok(heard) }
    }

    fn blocks(&mut self, bytes: &[u8], count: u8, ours: u32, now: Instant, heard: &mut Heard) {
        for block in bytes.chunks_exact(BLOCK).take(usize::from(count)) {
            if word(block, 0) != Some(ours) {
                continue;
            }
            let loss = f32::from(block[4]) / 256.0;
            self.remote_loss = loss;
            heard.loss = Some(loss);
            if let Some((last, delay)) = word(block, 4).zip(word(block, 5)).filter(|(last, _)| *last != 0) {
                let ticks = self.middle(now).wrapping_sub(last).wrapping_sub(delay);
                let round_trip = Duration::from_micros((u64::from(ticks) * 1_000_000) >> 16);
                if round_trip <= ROUND_TRIP_MAX {
                    self.round_trip = Some(round_trip);
                }
            }
        }
    }

    fn write_report(&self, sent: Sent, about: Option<Reported>, now: Instant, out: &mut Vec<u8>) {
        let blocks = usize::from(about.is_some());
        let has_sent = sent.packets > 0;
        let words = 1 + if has_sent { 5 } else { 0 } + blocks * BLOCK / 4;
        header(blocks as u8, if has_sent { SENDER_REPORT } else { RECEIVER_REPORT }, words, out);
        out.extend_from_slice(&sent.ssrc.to_be_bytes());
        if has_sent {
            out.extend_from_slice(&self.ntp(now).to_be_bytes());
            out.extend_from_slice(&sent.timestamp.to_be_bytes());
            out.extend_from_slice(&sent.packets.to_be_bytes());
            out.extend_from_slice(&sent.octets.to_be_bytes());
        }
        if let Some(about) = about {
            self.write_block(about, now, out);
        }
        // A name that says nothing about the clinic: the source in hexadecimal (RFC 7022 wants it short-lived).
        header(1, SOURCE_DESCRIPTION, 4, out);
        out.extend_from_slice(&sent.ssrc.to_be_bytes());
        out.extend_from_slice(&[CNAME, 8]);
        out.extend((0..8u32).map(|digit| b"0123456789abcdef"[(sent.ssrc >> (28 - digit * 4) & 0xf) as usize]));
        out.extend_from_slice(&[0, 0]);
    }

    fn write_block(&self, about: Reported, now: Instant, out: &mut Vec<u8>) {
        let (last, delay) = self.last_report.map_or((0, 0), |(last, at)| {
            let micros = now.saturating_duration_since(at).as_micros();
            (last, u32::try_from((micros << 16) / 1_000_000).unwrap_or(u32::MAX))
        });
        out.extend_from_slice(&about.ssrc.to_be_bytes());
        out.extend_from_slice(
            &(u32::from(about.fraction_lost) << 24 | about.lost.cast_unsigned() & 0xff_ffff).to_be_bytes(),
        );
        for value in [about.highest, about.jitter, last, delay] {
            out.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// Time since the leg began, in NTP's format: RFC 3550 section 6.4.1 allows it where no wall clock is at hand.
    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.origin);
        // One second more, as a zero in the far end's report would mean that it had heard none.
        ((elapsed.as_secs() + 1) << 32) | ((u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000)
    }

    fn middle(&self, now: Instant) -> u32 {
        (self.ntp(now) >> 16 & 0xffff_ffff) as u32
    }

    /// Half an interval to one and a half, evenly.
    fn interval(&mut self) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random >> 40) as f64 / f64::from(1u32 << 24);
        INTERVAL.mul_f64(0.5 + share)
    }
}

/// Whether a datagram is RTCP, where it shares the port with RTP (RFC 5761 section 4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [first, 192..=223, ..] if first >> 6 == 2)
}

fn header(count: u8, kind: u8, words: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x80 | count, kind, 0, words as u8]);
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    bytes.get(index * 4..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

/// One packet of a compound.
struct Part<'a> {
    count: u8,
    kind: u8,
    body: &'a [u8],
}

/// Splits the first packet off a compound.
fn split(bytes: &[u8]) -> Result<(Part<'_>, &[u8]), RtcpError> {
    let left = bytes.len();
    let Some(([first, kind, high, low], rest)) = bytes.split_first_chunk::<4>() else {
        return Err(RtcpError::Short { needed: 4, left });
    };
    if first >> 6 != 2 {
        return Err(RtcpError::Version(first >> 6));
    }
    let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
    let (body, after) = rest.split_at_checked(length).ok_or(RtcpError::Short { needed: length + 4, left })?;
    Ok((Part { count: first & 0x1f, kind: *kind, body }, after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SENT: Sent = Sent { ssrc: 0x0102_03ff, timestamp: 1_600, packets: 10, octets: 1_600 };

    fn reported(ssrc: u32) -> Reported {
        Reported { ssrc, fraction_lost: 64, lost: -2, highest: 70_000, jitter: 40 }
    }

    #[test]
    fn a_report_reads_as_the_rfc_draws_it() {
        let origin = crate::epoch();
        let mut out = Vec::new();
        Rtcp::new(origin, 1).report(SENT, Some(reported(9)), origin + Duration::from_millis(1_500), &mut out);
        assert_eq!(out[..4], [0x81, 200, 0, 12]);
        assert_eq!(out[8..16], [0, 0, 0, 2, 0x80, 0, 0, 0]); // 1.5 s after the origin, which is 1
        assert_eq!(out[28..36], [0, 0, 0, 9, 64, 0xff, 0xff, 0xfe]);
        assert_eq!(out[52..56], [0x81, 202, 0, 4]);
        assert_eq!(&out[62..70], b"010203ff");
        assert_eq!(out.len(), 72);
    }

    #[test]
    fn who_sent_nothing_reports_as_a_receiver() {
        let mut out = Vec::new();
        let now = crate::epoch();
        Rtcp::new(now, 1).report(Sent { packets: 0, ..SENT }, None, now, &mut out);
        assert_eq!(out[..4], [0x80, 201, 0, 1]);
    }

    #[test]
    fn two_sides_measure_round_trip_and_loss() {
        let start = crate::epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut here, mut there) = (Rtcp::new(start, 1), Rtcp::new(start - Duration::from_secs(500), 2));
        let other = Sent { ssrc: 77, ..SENT };
        let mut out = Vec::new();
        here.report(SENT, None, at(1_000), &mut out);
        assert_eq!(there.receive(&out, other.ssrc, at(1_040)), Ok(Heard::default()));
        out.clear();
        there.report(other, Some(reported(SENT.ssrc)), at(3_000), &mut out);
        assert_eq!(here.receive(&out, SENT.ssrc, at(3_050)).unwrap().loss, Some(0.25));
        let round_trip = here.round_trip().unwrap();
        assert!((89..=91).contains(&round_trip.as_millis()), "{round_trip:?}");
        assert_eq!(here.remote_loss(), 0.25);
    }

    #[test]
    fn a_goodbye_is_heard() {
        let now = crate::epoch();
        let mut out = Vec::new();
        Rtcp::new(now, 1).goodbye(SENT, None, now, &mut out);
        assert!(is_rtcp(&out));
        assert!(Rtcp::new(now, 1).receive(&out, 5, now).unwrap().goodbye);
    }

    #[test]
    fn reports_are_due_every_five_seconds_give_or_take_half() {
        let mut now = crate::epoch();
        let mut rtcp = Rtcp::new(now, 0x9e37_79b9);
        let first = rtcp.due() - now;
        assert!(first >= INTERVAL / 4 && first <= INTERVAL * 3 / 4);
        let mut total = Duration::ZERO;
        for _ in 0..1_000 {
            rtcp.report(SENT, None, now, &mut Vec::new());
            let wait = rtcp.due() - now;
            assert!(wait >= INTERVAL / 2 && wait <= INTERVAL * 3 / 2);
            total += wait;
            now = rtcp.due();
        }
        assert!((total.as_secs_f64() / 1_000.0 - 5.0).abs() < 0.2);
    }

    #[test]
    fn malformed_compounds_are_refused() {
        let now = crate::epoch();
        let mut rtcp = Rtcp::new(now, 1);
        let cases: [(&[u8], RtcpError); 4] = [
            (&[], RtcpError::Short { needed: 8, left: 0 }),
            (&[0x80, 200, 0, 6, 0], RtcpError::Short { needed: 28, left: 5 }),
            (&[0x40, 200, 0, 0], RtcpError::Version(1)),
            (&[0x80, 203, 0, 0], RtcpError::NoReport(203)),
        ];
        for (bytes, error) in cases {
            assert_eq!(rtcp.receive(bytes, 1, now), Err(error));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 200u8..204) {
            let now = crate::epoch();
            let _ = Rtcp::new(now, 1).receive(&bytes, 1, now);
            if bytes.len() > 3 {
                let words = (bytes.len() / 4 - 1) as u8;
                bytes[..4].copy_from_slice(&[0x81, kind, 0, words]);
                let _ = Rtcp::new(now, 1).receive(&bytes, 1, now);
            }
        }
    }
}
