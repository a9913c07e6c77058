//! What the media thread counts: plain numbers on the hot path, handed to the metrics recorder once a second.

use auricle_media::engine::{Counters, Engine};
use std::time::{Duration, Instant};

/// How often the numbers are handed over.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Counts since the last flush, except where the engine counts for itself.
#[derive(Default)]
pub(super) struct Meters {
    pub(super) sip_in: u64,
    pub(super) media_in: u64,
    pub(super) unsent: u64,
    pub(super) tap_dropped: u64,
    pub(super) recorded_dropped: u64,
    pub(super) recordings_refused: u64,
    pub(super) condemned: u64,
    engine: Counters,
    flush_at: Option<Instant>,
}

impl Meters {
    /// A tick was served this much after its time.
    pub(super) fn tick_late(&self, late: Duration) {
        metrics::histogram!("auricle_voice_tick_late_seconds").record(late.as_secs_f64());
    }

    /// Hands the numbers over when it is time. Labels name kinds, never people.
    pub(super) fn flush(&mut self, now: Instant, engine: &Engine) {
        if self.flush_at.is_some_and(|at| now < at) {
            return;
        }
        self.flush_at = Some(now + FLUSH_EVERY);
        let seen = engine.counters();
        let before = std::mem::replace(&mut self.engine, seen);
        let take = |count: &mut u64| std::mem::take(count);
        metrics::gauge!("auricle_voice_legs").set(engine.legs() as f64);
        for (kind, count) in engine.legs_by_kind() {
            metrics::gauge!("auricle_voice_legs_by_kind", "kind" => kind).set(count as f64);
        }
        metrics::gauge!("auricle_voice_browsers_by_tcp").set(engine.browsers_by_tcp() as f64);
        metrics::counter!("auricle_voice_datagrams_total", "socket" => "sip").increment(take(&mut self.sip_in));
        metrics::counter!("auricle_voice_datagrams_total", "socket" => "media").increment(take(&mut self.media_in));
        metrics::counter!("auricle_voice_unsent_total").increment(take(&mut self.unsent));
        metrics::counter!("auricle_voice_tap_dropped_total").increment(take(&mut self.tap_dropped));
        metrics::counter!("auricle_voice_recorded_dropped_total").increment(take(&mut self.recorded_dropped));
        metrics::counter!("auricle_voice_recordings_refused_total").increment(take(&mut self.recordings_refused));
        metrics::counter!("auricle_voice_overloaded_total").increment(take(&mut self.condemned));
        let refused = [
            ("stranger", seen.strangers - before.strangers),
            ("rate", seen.too_many - before.too_many),
            ("stray_media", seen.stray_media - before.stray_media),
            ("stray_web", seen.stray_web - before.stray_web),
            ("web_connection", seen.web_streams_closed - before.web_streams_closed),
            ("calls_max", seen.calls_refused - before.calls_refused),
            ("password", seen.wrong_passwords - before.wrong_passwords),
        ];
        for (reason, count) in refused {
            metrics::counter!("auricle_voice_refused_total", "reason" => reason).increment(count);
        }
        metrics::counter!("auricle_voice_ticks_skipped_total").increment(seen.ticks_skipped - before.ticks_skipped);
    }
}
