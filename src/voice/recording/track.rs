//! One recording as it is written: frames laid out in time, whatever leg they come from.

use super::{Frame, Meta, RecordingSink, State};
use auricle_domain::call::{CHANNELS, MASKED_MAX, Span};
use auricle_media::io::Rate;
use sha2::{Digest, Sha256};
use std::io;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A frame.
const FRAME: Duration = Duration::from_millis(FRAME_MS);
const FRAME_MS: u64 = 20;
/// The longest silence put in at once. A hole longer than this is no slow disk but a broken clock.
const GAP_MS_MAX: u64 = 60_000;
/// Silence between two legs that is no gap: until somebody noticed that the one was over, nobody could be recorded.
const CHANGE_MS_MAX: u64 = 500;
/// Bytes of one moment of all channels.
pub(super) const MOMENT_BYTES: usize = CHANNELS as usize * 2;

/// One recording.
pub(super) struct Track {
    sink: Box<dyn RecordingSink>,
    report: watch::Sender<Meta>,
    meta: Meta,
    rate: Option<Rate>,
    /// The tick of the first frame.
    begun: Option<Instant>,
    /// Where the first frame of the present leg lies, and when that was in the leg's own time, in milliseconds.
    leg_begun: Option<(u64, u64)>,
    /// Where the next frame belongs.
    next_ms: u64,
    /// Length appended; `meta.length_ms` follows at each sync.
    written_ms: u64,
    /// The next frame is the first one of another leg.
    is_changing: bool,
    /// Since when its leg is over.
    left_at: Option<Instant>,
    hash: Sha256,
    bytes: Vec<u8>,
}

impl Track {
    pub(super) fn new(sink: Box<dyn RecordingSink>, report: watch::Sender<Meta>) -> Self {
        Self {
            sink,
            report,
            meta: Meta::default(),
            rate: None,
            begun: None,
            leg_begun: None,
            next_ms: 0,
            written_ms: 0,
            is_changing: false,
            left_at: None,
            hash: Sha256::new(),
            bytes: Vec::new(),
        }
    }

    /// It goes on with the frames of another leg.
    pub(super) fn go_on(&mut self) {
        (self.left_at, self.is_changing, self.leg_begun) = (None, true, None);
    }

    /// Its leg is over.
    pub(super) fn leave(&mut self, now: Instant) {
        self.left_at.get_or_insert(now);
    }

    /// Whether its leg has been over for this long, and no other one came.
    pub(super) fn waits_for(&self, long: Duration, now: Instant) -> bool {
        self.left_at.is_some_and(|left| now.duration_since(left) >= long)
    }

    pub(super) fn frame(&mut self, frame: &Frame) {
        let own = *self.rate.get_or_insert(frame.rate);
        let place_ms = self.place_ms(frame);
        if self.meta.state == State::Failed || place_ms < self.next_ms {
            return;
        }
        self.meta.state = State::Writing;
        self.bytes.clear();
        self.fill(place_ms - self.next_ms, own);
        // A codec changed in mid-call, or another leg, brings another rate; the file keeps the one it began with.
        for moment in 0..own.frame() {
            for samples in &frame.channels {
                let sample = samples.get(moment * samples.len() / own.frame()).copied().unwrap_or(0);
                self.bytes.extend_from_slice(&sample.to_le_bytes());
            }
        }
        if frame.masked {
            self.mask(Span { from_ms: place_ms, to_ms: place_ms + FRAME_MS });
        }
        self.written_ms += FRAME_MS;
        self.next_ms = place_ms + FRAME_MS;
        self.hash.update(&self.bytes);
        if let Err(error) = self.sink.append(&self.bytes) {
            self.fail(&error);
        }
    }

    /// Where a frame belongs: after the first one of its leg by the leg's own time, and that one as many ticks after the first of all as
    /// have passed since. A leg may be served some milliseconds earlier in a tick than before; in its own time nothing of that shows.
    fn place_ms(&mut self, frame: &Frame) -> u64 {
        let begun = self.leg_begun.unwrap_or_else(|| (self.leg_place_ms(frame), frame.at_ms));
        self.leg_begun = Some(begun);
        let (place_ms, at_ms) = begun;
        place_ms + frame.at_ms.saturating_sub(at_ms)
    }

    /// Where the first frame of a leg belongs.
    fn leg_place_ms(&mut self, frame: &Frame) -> u64 {
        let Some(begun) = self.begun else {
            // Another leg's own time says nothing about the call.
            let offset_ms = if self.is_changing { 0 } else { frame.at_ms };
            (self.meta.rate_hz, self.meta.offset_ms) = (frame.rate.hz(), offset_ms);
            (self.begun, self.next_ms) = (Some(frame.at), offset_ms);
            return offset_ms;
        };
        let ticks = (frame.at.saturating_duration_since(begun) + FRAME / 2).as_millis() / FRAME.as_millis();
        self.meta.offset_ms + u64::try_from(ticks).unwrap_or(0) * FRAME_MS
    }

    /// Puts in silence where frames are missing.
    fn fill(&mut self, hole_ms: u64, rate: Rate) {
        let is_change = std::mem::take(&mut self.is_changing) && hole_ms <= CHANGE_MS_MAX;
        let silent_ms = hole_ms.min(GAP_MS_MAX);
        let moments = (silent_ms * u64::from(rate.hz()) / 1000) as usize;
        self.bytes.resize(moments * MOMENT_BYTES, 0);
        self.written_ms += silent_ms;
        if !is_change {
            self.meta.gap_ms += silent_ms;
        }
    }

    /// Tells of a masked frame: it prolongs the last span, or begins another one while there is room.
    fn mask(&mut self, span: Span) {
        let is_full = self.meta.masked.len() >= MASKED_MAX;
        match self.meta.masked.last_mut() {
            Some(last) if last.to_ms == span.from_ms || is_full => last.to_ms = span.to_ms,
            _ => self.meta.masked.push(span),
        }
    }

    pub(super) fn sync(&mut self) {
        if self.meta.state != State::Writing || self.meta.length_ms == self.written_ms {
            return;
        }
        match self.sink.sync() {
            Ok(()) => {
                self.meta.length_ms = self.written_ms;
                self.report.send_replace(self.meta.clone());
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &io::Error) {
        tracing::error!(%error, "a recording cannot be written any further");
        metrics::counter!("auricle_recordings_failed_total").increment(1);
        self.meta.state = State::Failed;
        self.report.send_replace(self.meta.clone());
    }

    pub(super) fn finish(mut self) {
        let failed = self.meta.state == State::Failed;
        match self.sink.finish() {
            Ok(()) if !failed => {
                self.meta.state = State::Finished;
                self.meta.length_ms = self.written_ms;
                let digest = self.hash.finalize();
                self.meta.sha256 = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "a recording cannot be finished");
                self.meta.state = State::Failed;
            }
        }
        self.report.send_replace(self.meta);
    }
}
