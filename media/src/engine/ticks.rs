//! The schedule of all legs: a tick each 20 ms, in four quarters that are 5 ms apart.
//!
//! What one tick makes of all legs leaves when the last of them is served, so that the audio of hundreds of calls at one tick
//! would be late by what serving them takes. Therefore legs are spread: a quarter is filled with [`FILL`] legs before the next
//! one gets any, so that a small clinic's calls have one tick, and then the least full one is taken. Legs of a bridge hear each
//! other in one frame, so they have one quarter: whoever is served in another one goes over to it, which shifts its audio by 15
//! ms at the most, once.

use super::Engine;
use crate::io::{BridgeId, LegId};
use std::time::{Duration, Instant};

/// Ticks made up for at once after a late wake-up: a burst that every far end's jitter buffer can hold.
pub const CATCH_UP_MAX: u32 = 5;
/// One tick.
const TICK: Duration = Duration::from_millis(20);
/// Parts of a tick.
const QUARTERS: usize = 4;
/// How much later than the one before a quarter's ticks come.
const APART: Duration = Duration::from_millis(5);
/// Legs of a quarter before the next one gets any: they are served within half a millisecond.
const FILL: usize = 32;

/// One of the four, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quarter(usize);

/// Times of the ticks: whole multiples of 20 ms from a quarter's first, while it has legs.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    /// When the first quarter had its first tick, while there is media.
    origin: Option<Instant>,
    next: [Option<Instant>; QUARTERS],
    legs: [usize; QUARTERS],
}

impl Ticks {
    /// The next tick of any quarter.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next.iter().flatten().min().copied()
    }

    /// The quarter that the next leg is to have.
    fn roomy(&self) -> Quarter {
        let has_room = self.legs.iter().position(|legs| *legs < FILL);
        let least = || (0..QUARTERS).min_by_key(|quarter| self.legs[*quarter]);
        Quarter(has_room.or_else(least).unwrap_or(0))
    }

    /// A leg more in a quarter. Where there was no media, its first tick comes at once.
    fn join(&mut self, Quarter(quarter): Quarter, now: Instant) {
        self.legs[quarter] += 1;
        if self.next[quarter].is_none() {
            let later = APART * u32::try_from(quarter).unwrap_or(0);
            let origin = *self.origin.get_or_insert(now.checked_sub(later).unwrap_or(now));
            let since = now.saturating_duration_since(origin + later).as_nanos();
            let ticks = u32::try_from(since.div_ceil(TICK.as_nanos())).unwrap_or(u32::MAX);
            self.next[quarter] = Some(origin + later + TICK * ticks);
        }
    }

    /// A leg less.
    fn leave(&mut self, Quarter(quarter): Quarter) {
        self.legs[quarter] = self.legs[quarter].saturating_sub(1);
        if self.legs[quarter] == 0 {
            self.next[quarter] = None;
        }
        if self.next.iter().all(Option::is_none) {
            self.origin = None;
        }
    }

    /// The next tick that is due, and whose it is.
    fn due(&self, now: Instant) -> Option<(Quarter, Instant)> {
        let due = |(quarter, next): (usize, &Option<Instant>)| Some((Quarter(quarter), (*next)?));
        self.next.iter().enumerate().filter_map(due).filter(|(_, next)| *next <= now).min_by_key(|(_, next)| *next)
    }

    /// A quarter's tick is served.
    fn served(&mut self, Quarter(quarter): Quarter) {
        self.next[quarter] = self.next[quarter].map(|next| next + TICK);
    }

    /// Leaves out what is still due of a quarter; says how many ticks that was.
    fn skip(&mut self, Quarter(quarter): Quarter, now: Instant) -> u32 {
        let Some(late) = self.next[quarter].and_then(|next| now.checked_duration_since(next)) else { return 0 };
        let missed = u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX - 1) + 1;
        self.next[quarter] = self.next[quarter].map(|next| next + TICK * missed);
        missed
    }
}

impl Engine {
    /// A leg has audio: it is served from now on.
    pub(super) fn start_ticks(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.quarter.is_none()) else { return };
        let quarter = self.ticks.roomy();
        leg.quarter = Some(quarter);
        self.ticks.join(quarter, now);
        if let Some(bridge) = self.bridges.of(id) {
            self.align(bridge, now);
        }
    }

    /// A leg that is gone is served no more.
    pub(super) fn stop_ticks(&mut self, quarter: Option<Quarter>) {
        if let Some(quarter) = quarter {
            self.ticks.leave(quarter);
        }
    }

    /// All legs of a bridge are served in one quarter: the one that it has, and at first that of the leg that is up longest.
    pub(super) fn align(&mut self, bridge: BridgeId, now: Instant) {
        let Some(bridge) = self.bridges.get_mut(bridge) else { return };
        let legs: Vec<LegId> = bridge.legs().collect();
        let served = || legs.iter().filter_map(|leg| Some((*leg, self.legs.get(leg)?.quarter?)));
        let kept = bridge.quarter.filter(|kept| served().any(|(_, quarter)| quarter == *kept));
        bridge.quarter = kept.or_else(|| served().min_by_key(|(leg, _)| *leg).map(|(_, quarter)| quarter));
        let Some(quarter) = bridge.quarter else { return };
        for leg in legs {
            let Some(leg) = self.legs.get_mut(&leg) else { continue };
            if let Some(before) = leg.quarter.filter(|before| *before != quarter) {
                leg.quarter = Some(quarter);
                self.ticks.join(quarter, now);
                self.ticks.leave(before);
            }
        }
    }

    /// Serves all ticks that are due, as far as they may be caught up with.
    pub(super) fn run_ticks(&mut self, now: Instant) {
        let mut left = [CATCH_UP_MAX; QUARTERS];
        while let Some((quarter, at)) = self.ticks.due(now) {
            let Some(fewer) = left[quarter.0].checked_sub(1) else {
                self.skip_ticks(quarter, now);
                continue;
            };
            left[quarter.0] = fewer;
            self.ticks.served(quarter);
            self.tick(quarter, at);
        }
    }

    fn skip_ticks(&mut self, quarter: Quarter, now: Instant) {
        let missed = self.ticks.skip(quarter, now);
        self.counters.ticks_skipped += u64::from(missed);
        for leg in self.legs.values_mut().filter(|leg| leg.quarter == Some(quarter)) {
            leg.skip(missed);
        }
    }

    fn tick(&mut self, quarter: Quarter, at: Instant) {
        let mut silent: Vec<LegId> = Vec::new();
        // Everybody hears before anybody speaks: what is said in a frame reaches a bridge's others in the same frame.
        self.legs.values_mut().filter(|leg| leg.quarter == Some(quarter)).for_each(|leg| leg.hear(at));
        self.mix(quarter);
        for (id, leg) in self.legs.iter_mut().filter(|(_, leg)| leg.quarter == Some(quarter)) {
            leg.speak(at, &mut self.outputs);
            if leg.is_silent(at) {
                silent.push(*id);
            }
        }
        self.drain_browsers(quarter, at);
        for id in silent {
            self.end_silent(id, at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIRST: Quarter = Quarter(0);

    /// The tick of the first quarter that is due, served.
    fn take(ticks: &mut Ticks, now: Instant) -> Option<Instant> {
        let (quarter, at) = ticks.due(now)?;
        ticks.served(quarter);
        Some(at)
    }

    #[test]
    fn ticks_keep_their_grid_however_late_they_are_served() {
        let start = crate::epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ticks = Ticks::default();
        assert_eq!((take(&mut ticks, start), ticks.skip(FIRST, start)), (None, 0));
        ticks.join(FIRST, start);
        ticks.join(FIRST, at(7));
        assert_eq!(take(&mut ticks, at(3)), Some(start));
        assert_eq!(take(&mut ticks, at(19)), None);
        assert_eq!(take(&mut ticks, at(45)), Some(at(20)));
        assert_eq!(take(&mut ticks, at(45)), Some(at(40)));
        assert_eq!((take(&mut ticks, at(45)), ticks.next()), (None, Some(at(60))));
        assert_eq!(ticks.skip(FIRST, at(59)), 0);
        assert_eq!(ticks.skip(FIRST, at(101)), 3, "60, 80 and 100");
        assert_eq!(ticks.next(), Some(at(120)));
        assert_eq!(ticks.skip(FIRST, at(120)), 1);
    }

    /// A quarter that gets legs later keeps its distance to the others, whoever has gone in the meantime.
    #[test]
    fn quarters_are_apart_by_five_milliseconds() {
        let start = crate::epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ticks = Ticks::default();
        ticks.join(FIRST, start);
        ticks.join(Quarter(2), at(11));
        assert_eq!(ticks.due(at(11)), Some((FIRST, start)));
        ticks.served(FIRST);
        assert_eq!((ticks.due(at(29)), ticks.next()), (Some((FIRST, at(20))), Some(at(20))));
        ticks.served(FIRST);
        assert_eq!(ticks.due(at(30)), Some((Quarter(2), at(30))));
        ticks.leave(FIRST);
        ticks.join(Quarter(1), at(30));
        ticks.join(FIRST, at(30));
        assert_eq!(ticks.next, [Some(at(40)), Some(at(45)), Some(at(30)), None]);
        for quarter in [FIRST, Quarter(1), Quarter(2)] {
            ticks.leave(quarter);
        }
        assert_eq!(ticks.next(), None);
        ticks.join(Quarter(3), at(333));
        assert_eq!(ticks.next(), Some(at(333)), "at once where there was no media");
    }

    #[test]
    fn a_quarter_is_filled_before_the_next_one_is_begun() {
        let mut ticks = Ticks::default();
        for _ in 0..FILL * QUARTERS + 8 {
            ticks.join(ticks.roomy(), crate::epoch());
        }
        assert_eq!(ticks.legs, [FILL + 2; QUARTERS]);
        ticks.leave(Quarter(2));
        assert_eq!(ticks.roomy(), Quarter(2));
    }
}
