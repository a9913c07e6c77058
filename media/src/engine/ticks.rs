//! The one schedule of all legs.

use super::Engine;
use crate::io::LegId;
use std::time::{Duration, Instant};

/// Ticks made up for at once after a late wake-up: a burst that every far end's jitter buffer can hold.
pub const CATCH_UP_MAX: u32 = 5;
/// One tick.
const TICK: Duration = Duration::from_millis(20);

/// Times of the ticks: whole multiples of 20 ms from the first, while there is media.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    next: Option<Instant>,
}

impl Ticks {
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// There is media now: the first tick comes at once.
    pub(super) fn start(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    /// The next tick that is due.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next.filter(|next| *next <= now)?;
        self.next = Some(due + TICK);
        Some(due)
    }

    /// Leaves out what is still due; says how many ticks that was.
    fn skip(&mut self, now: Instant) -> u32 {
        let Some(late) = self.next.and_then(|next| now.checked_duration_since(next)) else { return 0 };
        let missed = u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX - 1) + 1;
        self.next = self.next.map(|next| next + TICK * missed);
        missed
    }
}

impl Engine {
    /// Serves all ticks that are due, as far as they may be caught up with.
    pub(super) fn run_ticks(&mut self, now: Instant) {
        for _ in 0..CATCH_UP_MAX {
            let Some(at) = self.ticks.take(now) else { return };
            self.tick(at);
        }
        let missed = self.ticks.skip(now);
        if missed > 0 {
            self.counters.ticks_skipped += u64::from(missed);
            for leg in self.legs.values_mut() {
                leg.skip(missed);
            }
        }
    }

    fn tick(&mut self, at: Instant) {
        let mut silent: Vec<LegId> = Vec::new();
        // Everybody hears before anybody speaks: what is said in a frame reaches a bridge's others in the same frame.
        self.legs.values_mut().for_each(|leg| leg.hear(at));
        self.mix();
        for (id, leg) in &mut self.legs {
            leg.speak(at, &mut self.outputs);
            if leg.is_silent(at) {
                silent.push(*id);
            }
        }
        self.drain_browsers(at);
        for id in silent {
            self.end_silent(id, at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ticks_keep_their_grid_however_late_they_are_served() {
        let start = crate::epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ticks = Ticks::default();
        assert_eq!((ticks.take(start), ticks.skip(start)), (None, 0));
        ticks.start(start);
        ticks.start(at(7));
        assert_eq!(ticks.take(at(3)), Some(start));
        assert_eq!(ticks.take(at(19)), None);
        assert_eq!(ticks.take(at(45)), Some(at(20)));
        assert_eq!(ticks.take(at(45)), Some(at(40)));
        assert_eq!((ticks.take(at(45)), ticks.next()), (None, Some(at(60))));
        assert_eq!(ticks.skip(at(59)), 0);
        assert_eq!(ticks.skip(at(101)), 3, "60, 80 and 100");
        assert_eq!(ticks.next(), Some(at(120)));
        assert_eq!(ticks.skip(at(120)), 1);
    }
}
