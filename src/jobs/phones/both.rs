//! An instant by both clocks: the engine's deadlines stand by the one that ends with the process, those in the store by the other.

use auricle_domain::Timestamp;
use jiff::SignedDuration;
use std::time::{Duration, Instant};

/// Now, by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Both {
    pub(super) instant: Instant,
    pub(super) time: Timestamp,
}

impl Both {
    /// It is `time` now.
    pub(super) fn now(time: Timestamp) -> Self {
        Self { instant: Instant::now(), time }
    }

    /// This time as a deadline of this process; now, where it has passed.
    pub(super) fn instant_of(self, time: Timestamp) -> Instant {
        self.instant + Duration::try_from(time.duration_since(self.time)).unwrap_or_default()
    }

    /// This deadline as a time of day.
    pub(super) fn time_of(self, instant: Instant) -> Timestamp {
        let left = SignedDuration::try_from(instant.saturating_duration_since(self.instant));
        self.time.saturating_add(left.unwrap_or(SignedDuration::MAX)).unwrap_or(self.time)
    }
}
