//! Local media ports: even ones carry RTP, the odd one above each carries RTCP (RFC 3550 section 11).

use super::EMERGENCY_LEGS;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How long a port stays open and unused after its leg has ended. The far end may still send: what comes now must not
/// be heard in the next call.
const QUARANTINE: Duration = Duration::from_secs(5);
/// How long a port that could not be opened is left alone: some other process has it.
const TAKEN_FOR: Duration = Duration::from_secs(60);

/// No more than one port of so many is kept for emergency calls: where there are few, others need them.
const KEPT_ONE_OF: usize = 8;

/// The ports that no leg has. The one that has been unused for longest is given out first.
pub(crate) struct Ports {
    free: VecDeque<u16>,
    /// So many of them only legs of emergency calls get.
    kept: usize,
    /// Open ones, by the time at which they have rested: all rest for the same time, and at 500 short calls a second there are
    /// thousands of them.
    resting: VecDeque<(Instant, u16)>,
    /// Those that could not be opened, likewise.
    taken: VecDeque<(Instant, u16)>,
}

impl Ports {
    /// All even ports of a range whose odd neighbour lies in it too.
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        let last = *range.end();
        let free: VecDeque<u16> = range.filter(|port| port % 2 == 0 && *port != 0 && *port < last).collect();
        let kept = EMERGENCY_LEGS.min(free.len() / KEPT_ONE_OF);
        Self { free, kept, resting: VecDeque::new(), taken: VecDeque::new() }
    }

    /// A port to open.
    pub(crate) fn take(&mut self, is_emergency: bool) -> Option<u16> {
        if !is_emergency && self.free.len() <= self.kept {
            return None;
        }
        self.free.pop_front()
    }

    /// The leg of this open port has ended.
    pub(crate) fn release(&mut self, port: u16, now: Instant) {
        self.resting.push_back((now + QUARANTINE, port));
    }

    /// The same of a port that no far end was told of: nothing can come to it, so that it need not rest. Otherwise calls that
    /// are refused, as fast as somebody can place them, would leave none for others.
    pub(crate) fn release_untold(&mut self, port: u16, now: Instant) {
        // It is due before all others.
        self.resting.push_front((now, port));
    }

    /// This port could not be opened.
    pub(crate) fn refused(&mut self, port: u16, now: Instant) {
        self.taken.push_back((now + TAKEN_FOR, port));
    }

    /// A port that has rested: the inner one is to be closed now, if it is open.
    pub(crate) fn rested(&mut self, now: Instant) -> Option<u16> {
        while let Some((_, port)) = self.taken.pop_front_if(|(until, _)| *until <= now) {
            self.free.push_back(port);
        }
        let (_, port) = self.resting.pop_front_if(|(until, _)| *until <= now)?;
        self.free.push_back(port);
        Some(port)
    }

    /// How many rest.
    pub(crate) fn resting(&self) -> usize {
        self.resting.len()
    }

    /// When the next one has rested.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        [self.resting.front(), self.taken.front()].into_iter().flatten().map(|(until, _)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_even_ports_with_their_neighbour_are_given_out() {
        let rows: [(RangeInclusive<u16>, &[u16]); 4] =
            [(20000..=20003, &[20000, 20002]), (20001..=20004, &[20002]), (7..=7, &[]), (0..=1, &[])];
        for (range, expected) in rows {
            let mut ports = Ports::new(range.clone());
            let given: Vec<u16> = std::iter::from_fn(|| ports.take(false)).collect();
            assert_eq!(given, expected, "{range:?}");
        }
    }

    #[test]
    fn the_last_ports_are_for_emergencies() {
        for (last, others, all) in [(20015, 7, 8), (20031, 14, 16), (20199, 92, 100), (20003, 2, 2)] {
            let mut ports = Ports::new(20000..=last);
            let given = std::iter::from_fn(|| ports.take(false)).count();
            assert_eq!((given, given + std::iter::from_fn(|| ports.take(true)).count()), (others, all), "{last}");
        }
    }

    #[test]
    fn a_used_port_rests_before_it_is_closed_and_given_out_again() {
        let start = crate::epoch();
        let mut ports = Ports::new(20000..=20003);
        assert_eq!(ports.take(false), Some(20000));
        ports.release(20000, start);
        assert_eq!(ports.take(false), Some(20002));
        assert_eq!(ports.take(false), None);
        let almost = start + QUARANTINE - Duration::from_millis(1);
        assert_eq!(ports.rested(almost), None);
        assert_eq!(ports.next_wake(), Some(start + QUARANTINE));
        assert_eq!(ports.rested(start + QUARANTINE), Some(20000));
        assert_eq!(ports.rested(start + QUARANTINE), None);
        assert_eq!(ports.next_wake(), None);
        assert_eq!(ports.take(false), Some(20000));
    }

    /// SEC-11
    #[test]
    fn a_port_that_nobody_was_told_of_does_not_rest() {
        let start = crate::epoch();
        let mut ports = Ports::new(20000..=20001);
        ports.take(false).unwrap();
        ports.release_untold(20000, start);
        assert_eq!((ports.take(false), ports.next_wake()), (None, Some(start)), "it is closed first");
        assert_eq!((ports.rested(start), ports.take(false)), (Some(20000), Some(20000)));
    }

    #[test]
    fn a_port_that_would_not_open_is_left_alone_and_never_closed() {
        let start = crate::epoch();
        let mut ports = Ports::new(20000..=20001);
        ports.take(false).unwrap();
        ports.refused(20000, start);
        assert_eq!(ports.free.len(), 0);
        assert_eq!(ports.rested(start + TAKEN_FOR), None);
        assert_eq!(ports.free.len(), 1);
    }
}
