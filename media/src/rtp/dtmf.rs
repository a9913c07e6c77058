//! Keypad digits as RTP events (RFC 4733 section 2): telling each press once, and sending presses.

use std::collections::VecDeque;

use super::Clock;

/// Digits waiting to be sent at most; more are refused.
pub const QUEUE_MAX: usize = 32;
/// Frames that a digit we send sounds: 100 ms.
const TONE_FRAMES: u16 = 5;
/// Copies of the last packet (RFC 4733 section 2.5.1.4).
const END_COPIES: u16 = 3;
/// Frames of silence after a digit: 60 ms, so that gateways that make tones of it keep two digits apart.
const PAUSE_FRAMES: u16 = 3;
/// Power of the tone we ask for: -10 dBm0.
const VOLUME: u8 = 10;
/// Events remembered, so that a packet that comes late does not press the key again.
const REMEMBERED: usize = 4;

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The 4 octets of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// 0 to 15 are keys, 16 is a flash.
    pub code: u8,
    /// The key is up again.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Ticks of the RTP clock since the press.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload; shorter than 4 octets is none.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk::<4>()?;
        Some(Self { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([high, low]) })
    }

    /// Whether a payload of an unknown payload type is an event all the same: some gateways send events that were never
    /// negotiated. Four octets, a key or a flash, and the reserved bit clear.
    pub fn looks_like(payload: &[u8]) -> bool {
        matches!(payload, [0..=16, flags, _, _] if flags & 0x40 == 0)
    }

    /// As octets.
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }

    /// The key, where it is one.
    pub fn digit(self) -> Option<char> {
        DIGITS.get(usize::from(self.code)).copied()
    }
}

/// Tells presses from the packets of one source.
#[derive(Default, Debug)]
pub struct EventReceiver {
    seen: [Option<(i64, u8)>; REMEMBERED],
    next: usize,
    last: Option<(i64, Event)>,
}

impl EventReceiver {
    /// Takes a packet with its extended timestamp; gives the digit with the first packet of a press, whichever packet
    /// of it that is. Ends may be lost: a press is known by its timestamp.
    pub fn receive(&mut self, timestamp: i64, event: Event) -> Option<char> {
        let continues = self.continues(timestamp, event);
        let known = self.seen.contains(&Some((timestamp, event.code)));
        if !known {
            self.seen[self.next] = Some((timestamp, event.code));
            self.next = (self.next + 1) % REMEMBERED;
        }
        // A packet of an older event must not hide that the newest one is still held.
        if self.last.is_none_or(|(last, _)| timestamp >= last) {
            self.last = Some((timestamp, event));
        }
        if known || continues { None } else { event.digit() }
    }

    /// A press longer than a duration can count goes on as a new segment right where the last one stopped
    /// (RFC 4733 section 2.5.1.3).
    fn continues(&self, timestamp: i64, event: Event) -> bool {
        self.last
            .is_some_and(|(last, held)| held.code == event.code && !held.end && timestamp == last + i64::from(u16::MAX))
    }
}

/// Why digits were not taken for sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigitsRefused {
    /// The far end takes no events.
    #[error("the far end did not negotiate telephone-event")]
    NotNegotiated,
    /// Not a key.
    #[error("'{0}' is no key; keys are 0-9, *, #, A-D")]
    NotAKey(char),
    /// Too many are waiting.
    #[error("{waiting} digits are waiting, the limit is {QUEUE_MAX}")]
    Full {
        /// How many would wait.
        waiting: usize,
    },
}

/// Sends digits one after the other, one packet each frame.
#[derive(Debug)]
pub struct EventSender {
    clock: Clock,
    queue: VecDeque<u8>,
    current: Option<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    code: u8,
    timestamp: u32,
    frame: u16,
}

/// What goes out in a frame that belongs to a digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventFrame {
    /// A packet of the event.
    Packet {
        /// First packet of the press.
        marker: bool,
        /// When the press began.
        timestamp: u32,
        /// Its payload.
        event: Event,
    },
    /// The pause after a digit: silent audio.
    Pause,
}

impl EventSender {
    /// Nothing waits. Durations are told in ticks of this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, queue: VecDeque::new(), current: None }
    }

    /// Queues digits: all of them or, when one is no key or the queue would overflow, none.
    pub fn push(&mut self, digits: &str) -> Result<(), DigitsRefused> {
        let before = self.queue.len();
        let result = digits.chars().try_for_each(|digit| {
            let upper = digit.to_ascii_uppercase();
            let code = DIGITS.iter().position(|key| *key == upper).ok_or(DigitsRefused::NotAKey(digit))?;
            self.queue.push_back(code as u8);
            if self.queue.len() > QUEUE_MAX { Err(DigitsRefused::Full { waiting: self.queue.len() }) } else { Ok(()) }
        });
        if result.is_err() {
            self.queue.truncate(before);
        }
        result
    }

    /// What the frame at `timestamp` carries, or `None` when no digit is due and audio goes out.
    pub fn frame(&mut self, timestamp: u32) -> Option<EventFrame> {
        let press = match self.current {
            Some(press) => press,
            None => Press { code: self.queue.pop_front()?, timestamp, frame: 0 },
        };
        let frame = press.frame + 1;
        let last_packet = TONE_FRAMES + END_COPIES - 1;
        self.current = (frame < last_packet + PAUSE_FRAMES).then_some(Press { frame, ..press });
        if frame > last_packet {
            return Some(EventFrame::Pause);
        }
        let event = Event {
            code: press.code,
            end: frame >= TONE_FRAMES,
            volume: VOLUME,
            duration: frame.min(TONE_FRAMES) * self.clock.frame() as u16,
        };
        Some(EventFrame::Packet { marker: frame == 1, timestamp: press.timestamp, event })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(code: u8, end: bool, duration: u16) -> Event {
        Event { code, end, volume: VOLUME, duration }
    }

    /// Sends digits and gives what the receiver told, with the packets for which `lose` holds missing.
    fn through(digits: &str, lose: impl Fn(usize) -> bool) -> String {
        let mut sender = EventSender::new(Clock::NARROW);
        sender.push(digits).unwrap();
        let mut receiver = EventReceiver::default();
        let mut heard = String::new();
        let mut sent = 0;
        for frame in 0..digits.len() as u32 * 20 {
            if let Some(EventFrame::Packet { timestamp, event, .. }) = sender.frame(frame * Clock::NARROW.frame()) {
                let bytes = event.to_bytes();
                if !lose(sent) {
                    heard.extend(receiver.receive(i64::from(timestamp), Event::parse(&bytes).unwrap()));
                }
                sent += 1;
            }
        }
        heard
    }

    #[test]
    fn every_key_is_told_once() {
        assert_eq!(through("0123456789*#ABCD", |_| false), "0123456789*#ABCD");
    }

    #[test]
    fn any_one_packet_of_seven_is_enough() {
        for kept in 0..7 {
            assert_eq!(through("5512", |sent| sent % 7 != kept), "5512");
        }
    }

    #[test]
    fn a_press_sounds_100_ms_and_ends_three_times_with_its_marker_first() {
        let mut sender = EventSender::new(Clock::NARROW);
        sender.push("7").unwrap();
        let frames: Vec<_> = (0..12).map(|frame| sender.frame(1_000 + frame * Clock::NARROW.frame())).collect();
        let durations: Vec<_> = frames
            .iter()
            .flatten()
            .filter_map(|frame| match frame {
                EventFrame::Packet { marker, timestamp, event } => {
                    Some((*marker, *timestamp, event.end, event.duration))
                }
                EventFrame::Pause => None,
            })
            .collect();
        assert_eq!(
            durations,
            [
                (true, 1_000, false, 160),
                (false, 1_000, false, 320),
                (false, 1_000, false, 480),
                (false, 1_000, false, 640),
                (false, 1_000, true, 800),
                (false, 1_000, true, 800),
                (false, 1_000, true, 800)
            ]
        );
        assert_eq!(frames.iter().filter(|frame| **frame == Some(EventFrame::Pause)).count(), 3);
        assert_eq!(frames[10..], [None, None]);
    }

    #[test]
    fn a_late_packet_of_the_digit_before_presses_nothing() {
        let mut receiver = EventReceiver::default();
        assert_eq!(receiver.receive(0, event(1, false, 160)), Some('1'));
        assert_eq!(receiver.receive(2_000, event(2, false, 160)), Some('2'));
        assert_eq!(receiver.receive(0, event(1, true, 800)), None);
        assert_eq!(receiver.receive(2_000, event(2, true, 800)), None);
    }

    #[test]
    fn a_press_longer_than_its_counter_is_one_press() {
        let mut receiver = EventReceiver::default();
        assert_eq!(receiver.receive(100, event(9, false, 160)), Some('9'));
        assert_eq!(receiver.receive(100, event(9, false, u16::MAX)), None);
        assert_eq!(receiver.receive(100 + 65_535, event(9, false, 160)), None);
        assert_eq!(receiver.receive(100 + 65_535, event(9, true, 800)), None);
        assert_eq!(receiver.receive(100 + 65_535 + 3_000, event(9, false, 160)), Some('9'));
    }

    #[test]
    fn a_flash_is_no_digit() {
        assert_eq!(EventReceiver::default().receive(0, event(16, false, 160)), None);
    }

    #[test]
    fn unnegotiated_events_are_known_by_their_shape() {
        assert!(Event::looks_like(&[5, 0x0a, 0, 160]));
        assert!(Event::looks_like(&[16, 0x8a, 3, 32]));
        for other in [&[17, 0x0a, 0, 160][..], &[5, 0x4a, 0, 160], &[5, 0x0a, 0], &[5, 0x0a, 0, 160, 0]] {
            assert!(!Event::looks_like(other));
        }
    }

    #[test]
    fn bad_or_too_many_digits_queue_nothing() {
        let mut sender = EventSender::new(Clock::NARROW);
        assert_eq!(sender.push("12x"), Err(DigitsRefused::NotAKey('x')));
        assert_eq!(sender.frame(0), None);
        assert_eq!(sender.push(&"1".repeat(33)), Err(DigitsRefused::Full { waiting: 33 }));
        assert_eq!(sender.frame(0), None);
        assert_eq!(sender.push("1d"), Ok(()));
    }
}
