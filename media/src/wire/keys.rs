//! Keys that a carrier tells out of order: put in order by when they were pressed, each told once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a key waits for those that were pressed before it and are still under way. Nobody notices, and people press fewer keys in
/// a second than that.
pub const WAIT: Duration = Duration::from_millis(200);
/// Keys that wait at most. With one more, the first of them waits no longer.
const WAITING_MAX: usize = 32;
/// Keys that are remembered, so that a message that is repeated tells nothing.
const REMEMBERED_MAX: usize = 32;

/// A key that was pressed, as a carrier tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// As it was told.
    pub digit: char,
    /// When it was pressed; none where the carrier does not say, and tells keys in order.
    pub at: Option<Moment>,
    /// The number of the message that told it.
    pub message: Option<u64>,
}

/// A moment that a carrier wrote as RFC 3339 has it, in UTC: only good for being compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Year to second, as they are written.
    seconds: [u8; Moment::SECONDS],
    nanoseconds: u32,
}

impl Moment {
    /// Octets up to the second.
    const SECONDS: usize = 19;

    /// Reads it; none where it is written otherwise. Fractions of a second may have any number of digits, of which nine count.
    pub fn read(text: &str) -> Option<Self> {
        let (seconds, rest) = text.as_bytes().split_first_chunk::<{ Self::SECONDS }>()?;
        let is_written = seconds.iter().zip(b"0000-00-00T00:00:00").all(|(octet, form)| match form {
            b'0' => octet.is_ascii_digit(),
            sign => octet == sign,
        });
        let fraction = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00"))?;
        let digits = match fraction.split_first() {
            None => fraction,
            Some((b'.', digits)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits,
            Some(_) => return None,
        };
        let ninth = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
        let nanoseconds = ninth.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        is_written.then_some(Self { seconds: *seconds, nanoseconds })
    }
}

/// The keys of one socket.
#[derive(Debug, Default)]
pub struct Keys {
    /// In the order in which they were pressed, and until when each waits.
    waiting: VecDeque<(Press, Instant)>,
    /// Those that came last.
    known: VecDeque<Press>,
}

impl Keys {
    /// A key was told. Where too many wait, the first of them is handed back: its turn is now.
    #[must_use]
    pub fn press(&mut self, press: Press, now: Instant) -> Option<char> {
        // Without a number of its own nothing is known to be a repetition.
        if press.message.is_some() {
            if self.known.contains(&press) {
                return None;
            }
            if self.known.len() == REMEMBERED_MAX {
                self.known.pop_front();
            }
            self.known.push_back(press.clone());
        }
        let until = if press.at.is_some() { now + WAIT } else { now };
        let place = |key: &Press| (key.at, key.message);
        let behind = self.waiting.partition_point(|(other, _)| place(other) <= place(&press));
        self.waiting.insert(behind, (press, until));
        if self.waiting.len() > WAITING_MAX { self.take() } else { None }
    }

    /// The next key whose turn it is: once one has waited for long enough, those that were pressed before it go first.
    pub fn due(&mut self, now: Instant) -> Option<char> {
        let is_due = self.waiting.iter().any(|(_, until)| *until <= now);
        is_due.then(|| self.take()).flatten()
    }

    /// The next key, however long it has waited: for the end of a socket.
    pub fn take(&mut self) -> Option<char> {
        self.waiting.pop_front().map(|(press, _)| press.digit)
    }

    /// When a key is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(digit: char, at: &str, message: u64) -> Press {
        Press { digit, at: Moment::read(at), message: Some(message) }
    }

    fn at(keys: &mut Keys, now: Instant) -> String {
        std::iter::from_fn(|| keys.due(now)).collect()
    }

    const TEN: &str = "2026-11-20T10:00:00";

    #[test]
    fn moments_are_in_order_however_they_are_written() {
        let ordered = ["", ".000001", ".1", ".25", ".3000000009", ".999999999"];
        let read = |fraction: &str| Moment::read(&format!("{TEN}{fraction}Z"));
        let all: Vec<_> = ordered.iter().map(|fraction| read(fraction)).collect();
        assert!(all.iter().all(Option::is_some) && all.is_sorted(), "{all:?}");
        assert_eq!(read(".5"), Moment::read(&format!("{TEN}.500+00:00")));
        for bad in
            ["", TEN, "2026-11-20 10:00:00Z", "2026-11-20T10:00:00.Z", "2026-11-20T10:00:00.5x", "2026-11-2éT10:00:00Z"]
        {
            assert_eq!(Moment::read(bad), None, "{bad}");
        }
        assert_eq!(Moment::read(&format!("{TEN}+01:00")), None);
    }

    /// Nothing is lost, nothing is told twice, and what is late by less than the wait is in its place.
    #[test]
    fn keys_leave_in_the_order_in_which_they_were_pressed() {
        let (mut keys, start) = (Keys::default(), crate::epoch());
        let ms = |ms| start + Duration::from_millis(ms);
        assert_eq!(keys.press(press('2', &format!("{TEN}.3Z"), 6), ms(0)), None);
        assert_eq!((at(&mut keys, ms(199)), keys.next_wake()), (String::new(), Some(ms(200))));
        assert_eq!(keys.press(press('1', &format!("{TEN}Z"), 5), ms(150)), None);
        assert_eq!(keys.press(press('1', &format!("{TEN}Z"), 5), ms(160)), None);
        assert_eq!(keys.press(press('1', &format!("{TEN}.6Z"), 7), ms(170)), None);
        assert_eq!(at(&mut keys, ms(200)), "12", "the one that came later was pressed earlier, and the third waits");
        assert_eq!(keys.press(press('2', &format!("{TEN}.3Z"), 6), ms(210)), None);
        assert_eq!(at(&mut keys, ms(370)), "1");
        assert_eq!(keys.press(press('9', &format!("{TEN}.1Z"), 4), ms(400)), None);
        assert_eq!(at(&mut keys, ms(600)), "9", "too late for its place, and not lost");
        assert_eq!(keys.next_wake(), None);
        assert_eq!(keys.press(press('7', &format!("{TEN}.9Z"), 9), ms(700)), None);
        assert_eq!((keys.take(), keys.take()), (Some('7'), None), "the socket's end waits for nothing");
    }

    #[test]
    fn keys_that_say_nothing_of_themselves_are_told_at_once() {
        let (mut keys, now) = (Keys::default(), crate::epoch());
        for digit in ['4', '4', '2'] {
            assert_eq!(keys.press(Press { digit, at: None, message: None }, now), None);
        }
        assert_eq!(at(&mut keys, now), "442");
        let left = (0..200).filter_map(|number| keys.press(press('5', &format!("{TEN}Z"), number), now)).count();
        assert_eq!((left, keys.waiting.len(), keys.known.len()), (200 - WAITING_MAX, WAITING_MAX, REMEMBERED_MAX));
    }
}
