//! Sources that guess passwords: after a few wrong ones nothing of them is read for a while.

use super::admission::bucket_key;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong passwords of one source within [`COUNTED`] that ban it.
pub const WRONG_MAX: usize = 10;
/// How long a wrong password counts.
pub const COUNTED: Duration = Duration::from_secs(600);
/// Wrong answers in the same registration (Call-ID) that count as one: a phone that is set up wrongly says the same thing
/// again and again, baresip 15 times in one breath, and has to be heard when it is put right.
pub const REPEATS_MAX: u32 = 16;
/// How long a source is banned.
pub const BANNED: Duration = Duration::from_secs(3_600);
/// Sources that are remembered. With more, the one is forgotten that was wrong longest ago.
const SOURCES_MAX: usize = 4_096;

#[derive(Debug, Default)]
struct Record {
    wrong: VecDeque<Instant>,
    banned_until: Option<Instant>,
    /// What was wrong last, and how often in a row.
    repeated: (u64, u32),
}

impl Record {
    fn is_over(&self, now: Instant) -> bool {
        let banned = self.banned_until.is_some_and(|until| now < until);
        let counts = self.wrong.back().is_some_and(|last| now.saturating_duration_since(*last) < COUNTED);
        !banned && !counts
    }
}

/// All sources that were wrong of late.
#[derive(Debug, Default)]
pub(super) struct Bans(HashMap<IpAddr, Record>);

impl Bans {
    /// Whether nothing of this source is to be read.
    pub(super) fn holds(&self, source: IpAddr, now: Instant) -> bool {
        let record = if self.0.is_empty() { None } else { self.0.get(&bucket_key(source)) };
        record.and_then(|record| record.banned_until).is_some_and(|until| now < until)
    }

    /// A wrong password; `call` tells one registration from another. `true` when the source is banned by it.
    pub(super) fn wrong(&mut self, source: IpAddr, call: u64, now: Instant) -> bool {
        let key = bucket_key(source);
        if self.0.len() >= SOURCES_MAX && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let record = self.0.entry(key).or_default();
        record.repeated = match record.repeated {
            (last, times) if last == call && (1..REPEATS_MAX).contains(&times) => (call, times + 1),
            _ => (call, 1),
        };
        if record.repeated.1 > 1 {
            return false;
        }
        record.wrong.push_back(now);
        record.wrong.retain(|at| now.saturating_duration_since(*at) < COUNTED);
        if record.wrong.len() < WRONG_MAX {
            return false;
        }
        record.wrong.clear();
        record.banned_until = Some(now + BANNED);
        true
    }

    /// A source that was banned by a process before this one, until then. `true` when it is banned by this, and was not before.
    pub(super) fn restore(&mut self, source: IpAddr, until: Instant, now: Instant) -> bool {
        let key = bucket_key(source);
        // However the clock was set meanwhile.
        let until = until.min(now + BANNED);
        let is_known = self.holds(source, now);
        if until <= now || is_known || (self.0.len() >= SOURCES_MAX && !self.0.contains_key(&key)) {
            return false;
        }
        self.0.entry(key).or_default().banned_until = Some(until);
        true
    }

    /// Until when nothing of this source is read.
    pub(super) fn until(&self, source: IpAddr) -> Option<Instant> {
        self.0.get(&bucket_key(source)).and_then(|record| record.banned_until)
    }

    /// Forgets that a source was wrong: it is heard again.
    pub(super) fn lift(&mut self, source: IpAddr) {
        self.0.remove(&bucket_key(source));
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, record| !record.is_over(now));
        if self.0.len() < SOURCES_MAX {
            return;
        }
        let last = |record: &Record| record.wrong.back().copied().or(record.banned_until.map(|until| until - BANNED));
        let oldest = self.0.iter().min_by_key(|(_, record)| last(record)).map(|(source, _)| *source);
        oldest.into_iter().for_each(|oldest| {
            self.0.remove(&oldest);
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn wrong(bans: &mut Bans, source: &str, times: usize, now: Instant) -> usize {
        (0..times as u64).filter(|call| bans.wrong(ip(source), *call, now)).count()
    }

    /// SEC-11
    #[test]
    fn ten_wrong_passwords_in_ten_minutes_ban_for_an_hour() {
        let (mut bans, start) = (Bans::default(), crate::epoch());
        assert_eq!(wrong(&mut bans, "192.0.2.1", 9, start), 0);
        assert!(!bans.holds(ip("192.0.2.1"), start));
        assert_eq!(wrong(&mut bans, "192.0.2.2", 1, start), 0, "each source has its own count");
        assert_eq!(wrong(&mut bans, "192.0.2.1", 1, start), 1);
        assert!(bans.holds(ip("192.0.2.1"), start) && !bans.holds(ip("192.0.2.2"), start));
        assert!(bans.holds(ip("::ffff:192.0.2.1"), start), "the same source, written otherwise");
        assert!(bans.holds(ip("192.0.2.1"), start + BANNED - Duration::from_millis(1)));
        assert!(!bans.holds(ip("192.0.2.1"), start + BANNED));
        bans.lift(ip("::ffff:192.0.2.1"));
        assert!(!bans.holds(ip("192.0.2.1"), start), "lifted");
        assert_eq!(wrong(&mut bans, "192.0.2.1", 9, start + BANNED), 0, "it begins anew");
    }

    /// SEC-11: what is left of a ban is left after a restart, and no more than there can be.
    #[test]
    fn a_ban_of_before_stands_until_its_time_is_over() {
        let (mut bans, start) = (Bans::default(), crate::epoch());
        let (half, source) = (start + BANNED / 2, ip("192.0.2.1"));
        assert!(bans.restore(source, half, start) && !bans.restore(source, half, start), "once");
        assert!(bans.holds(source, half - Duration::from_millis(1)) && !bans.holds(source, half));
        assert!(!bans.restore(ip("192.0.2.2"), start, start), "it is over");
        assert!(bans.restore(ip("192.0.2.3"), start + BANNED * 9, start));
        assert_eq!(bans.until(ip("192.0.2.3")), Some(start + BANNED), "the clock was set back");
        for at in 0..SOURCES_MAX as u32 {
            bans.restore(IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + at)), half, start);
        }
        assert_eq!(bans.0.len(), SOURCES_MAX);
    }

    #[test]
    fn old_wrong_passwords_do_not_count() {
        let (mut bans, start) = (Bans::default(), crate::epoch());
        assert_eq!(wrong(&mut bans, "192.0.2.1", 5, start), 0);
        assert_eq!(wrong(&mut bans, "192.0.2.1", 9, start + COUNTED), 0);
        assert_eq!(wrong(&mut bans, "192.0.2.1", 1, start + COUNTED + Duration::from_secs(1)), 1);
    }

    /// A phone with a mistyped password, which repeats itself, is heard long enough to be put right.
    #[test]
    fn who_says_the_same_again_guesses_nothing_new() {
        let (mut bans, start) = (Bans::default(), crate::epoch());
        let repeats = REPEATS_MAX as usize * (WRONG_MAX - 1);
        assert_eq!((0..repeats).filter(|_| bans.wrong(ip("192.0.2.1"), 7, start)).count(), 0);
        assert!(bans.wrong(ip("192.0.2.1"), 7, start), "but not for ever");
    }

    #[test]
    fn the_table_is_bounded_and_one_ipv6_customer_is_one_source() {
        let (mut bans, start) = (Bans::default(), crate::epoch());
        for at in 0..2 * SOURCES_MAX as u32 {
            let source = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + at));
            bans.wrong(source, 0, start + Duration::from_millis(u64::from(at)));
            assert!(bans.0.len() <= SOURCES_MAX);
        }
        assert!(
            bans.0.contains_key(&IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + 2 * SOURCES_MAX as u32 - 1)))
        );
        let last = |at: usize| format!("2001:db8::{at:x}");
        let banned = (1..=WRONG_MAX).filter(|at| bans.wrong(ip(&last(*at)), *at as u64, start + COUNTED * 2)).count();
        assert_eq!((banned, bans.0.len()), (1, 1), "and what is over is forgotten");
    }
}
