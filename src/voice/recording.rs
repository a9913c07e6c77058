//! Recordings: a leg with a channel for each class of party, written by a thread of its own so that no call ever waits for a
//! disk.
//!
//! The media thread hands over 20 ms frames through one bounded queue. The writer lays them out as interleaved 16-bit
//! little-endian samples, caller, receptionist, staff, and syncs every second, so that a crash costs at most that second.
//! Every frame carries its place in the call. Where frames are missing, because the queue was full or the engine could
//! not serve a tick, silence of the same length is written and counted as a gap: what comes later stays at its time. What
//! somebody masked comes as silence; its spans are told.

use auricle_domain::call::{CHANNELS, MASKED_MAX, Span};
use auricle_media::io::{LegId, Rate};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Frames that wait for the writer: with 200 recordings, over a second of all of them.
const FRAMES_MAX: usize = 12_288;
/// How often what was written is made durable.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Length of a frame.
const FRAME_MS: u64 = 20;
/// The longest silence put in at once. A hole longer than this is no slow disk but a broken clock.
const GAP_MS_MAX: u64 = 60_000;
/// Bytes of one moment of all channels.
const MOMENT_BYTES: usize = CHANNELS as usize * 2;

/// Where a recording goes. The blob store implements it; so does anything a test likes.
///
/// All calls come from the writer thread, which may block in them. After an error nothing but `finish` is called.
pub trait RecordingSink: Send {
    /// Appends bytes. They need not be durable yet.
    ///
    /// # Errors
    /// Whatever the storage says; the recording ends there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended so far survive a crash. Called about once a second.
    ///
    /// # Errors
    /// Whatever the storage says; the recording ends there.
    fn sync(&mut self) -> io::Result<()>;

    /// Nothing more follows: makes everything durable and lets go of the file.
    ///
    /// # Errors
    /// Whatever the storage says.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// How a recording stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing has been written yet.
    #[default]
    Waiting,
    /// It grows.
    Writing,
    /// It is complete; `sha256` is set.
    Finished,
    /// The sink refused; what was synced before is kept.
    Failed,
}

/// What is known of a recording, as far as it has been synced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// How it stands.
    pub state: State,
    /// Samples a second of each channel; 0 before the first sample.
    pub rate_hz: u32,
    /// Where its first sample lies, in milliseconds after the leg was answered.
    pub offset_ms: u64,
    /// Length that would survive a crash, in milliseconds.
    pub length_ms: u64,
    /// Silence put in for audio that could not be written in time, in milliseconds altogether.
    pub gap_ms: u64,
    /// SHA-256 of all bytes, hexadecimal, once finished.
    pub sha256: Option<String>,
    /// What was masked, in milliseconds after the leg was answered.
    pub masked: Vec<Span>,
}

/// 20 ms of a recorded leg.
pub(crate) struct Frame {
    pub(crate) rate: Rate,
    /// Milliseconds after the leg was answered.
    pub(crate) at_ms: u64,
    /// Caller, receptionist, staff; an empty one is silent.
    pub(crate) channels: [Box<[i16]>; CHANNELS as usize],
    pub(crate) masked: bool,
}

/// To the writer.
enum Entry {
    Begin { leg: LegId, sink: Box<dyn RecordingSink>, meta: watch::Sender<Meta> },
    Frame { leg: LegId, frame: Frame },
    End { leg: LegId },
}

/// The media thread's end of the writer. Never blocks.
pub(crate) struct Recordings {
    entries: SyncSender<Entry>,
    /// Recordings whose end did not fit into the queue; told again at the next chance, so that none stays open.
    ends: Vec<LegId>,
    thread: JoinHandle<()>,
}

impl Recordings {
    /// Starts the writer thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (entries, queue) = sync_channel(FRAMES_MAX);
        let thread =
            std::thread::Builder::new().name("recordings".to_owned()).spawn(move || Writer::default().run(&queue))?;
        Ok(Self { entries, ends: Vec::new(), thread })
    }

    /// A leg is recorded from its next frame on. False when the queue is full: there is no recording then.
    pub(crate) fn begin(&mut self, leg: LegId, sink: Box<dyn RecordingSink>, meta: watch::Sender<Meta>) -> bool {
        self.entries.try_send(Entry::Begin { leg, sink, meta }).is_ok()
    }

    /// The next 20 ms. False when the queue was full: the writer will put in silence.
    pub(crate) fn frame(&mut self, leg: LegId, frame: Frame) -> bool {
        self.entries.try_send(Entry::Frame { leg, frame }).is_ok()
    }

    /// No more frames of this leg.
    pub(crate) fn end(&mut self, leg: LegId) {
        self.ends.push(leg);
        self.retry();
    }

    /// Tells the ends that did not fit before.
    pub(crate) fn retry(&mut self) {
        let entries = &self.entries;
        self.ends.retain(|leg| matches!(entries.try_send(Entry::End { leg: *leg }), Err(TrySendError::Full(_))));
    }

    /// Finishes every recording and waits for the disk.
    pub(crate) fn stop(self) {
        drop(self.entries);
        if self.thread.join().is_err() {
            tracing::error!("the recording writer had died");
        }
    }
}

/// The writer thread's recordings.
#[derive(Default)]
struct Writer {
    open: HashMap<LegId, Track>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Entry>) {
        let mut sync_at = Instant::now() + SYNC_EVERY;
        loop {
            match queue.recv_timeout(sync_at.saturating_duration_since(Instant::now())) {
                Ok(entry) => self.take(entry),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if now >= sync_at {
                self.open.values_mut().for_each(Track::sync);
                sync_at = now + SYNC_EVERY;
            }
        }
        for (_, track) in self.open.drain() {
            track.finish();
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begin { leg, sink, meta } => {
                if let Some(before) = self.open.insert(leg, Track::new(sink, meta)) {
                    before.finish();
                }
            }
            Entry::Frame { leg, frame } => {
                if let Some(track) = self.open.get_mut(&leg) {
                    track.frame(&frame);
                }
            }
            Entry::End { leg } => {
                if let Some(track) = self.open.remove(&leg) {
                    track.finish();
                }
            }
        }
    }
}

/// One recording as it is written.
struct Track {
    sink: Box<dyn RecordingSink>,
    report: watch::Sender<Meta>,
    meta: Meta,
    rate: Option<Rate>,
    /// Where the next frame belongs, in milliseconds after answer.
    next_ms: u64,
    /// Length appended; `meta.length_ms` follows at each sync.
    written_ms: u64,
    hash: Sha256,
    bytes: Vec<u8>,
}

impl Track {
    fn new(sink: Box<dyn RecordingSink>, report: watch::Sender<Meta>) -> Self {
        Self {
            sink,
            report,
            meta: Meta::default(),
            rate: None,
            next_ms: 0,
            written_ms: 0,
            hash: Sha256::new(),
            bytes: Vec::new(),
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let Frame { rate, at_ms, channels, masked } = frame;
        let (rate, at_ms) = (*rate, *at_ms);
        let own = *self.rate.get_or_insert_with(|| {
            self.meta.rate_hz = rate.hz();
            self.meta.offset_ms = at_ms;
            self.next_ms = at_ms;
            rate
        });
        if self.meta.state == State::Failed || at_ms < self.next_ms {
            return;
        }
        self.meta.state = State::Writing;
        let hole_ms = at_ms - self.next_ms;
        self.bytes.clear();
        if hole_ms > 0 {
            let silent_ms = hole_ms.min(GAP_MS_MAX);
            let moments = (silent_ms * u64::from(own.hz()) / 1000) as usize;
            self.bytes.resize(moments * MOMENT_BYTES, 0);
            self.meta.gap_ms += silent_ms;
            self.written_ms += silent_ms;
        }
        // A codec changed in mid-call brings another rate; the file keeps the one it began with.
        for moment in 0..own.frame() {
            for samples in channels {
                let sample = samples.get(moment * samples.len() / own.frame()).copied().unwrap_or(0);
                self.bytes.extend_from_slice(&sample.to_le_bytes());
            }
        }
        if *masked {
            self.mask(Span { from_ms: at_ms, to_ms: at_ms + FRAME_MS });
        }
        self.written_ms += FRAME_MS;
        self.next_ms = at_ms + FRAME_MS;
        self.hash.update(&self.bytes);
        if let Err(error) = self.sink.append(&self.bytes) {
            self.fail(&error);
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

    fn sync(&mut self) {
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

    fn finish(mut self) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Tape {
        bytes: Arc<Mutex<Vec<u8>>>,
        full_at: Option<usize>,
    }

    impl RecordingSink for Tape {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut tape = self.bytes.lock().unwrap();
            if self.full_at.is_some_and(|full| tape.len() + bytes.len() > full) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            tape.extend_from_slice(bytes);
            Ok(())
        }
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn finish(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    impl Tape {
        fn moments(&self) -> Vec<[i16; 3]> {
            let sample = |moment: &[u8], at: usize| i16::from_le_bytes([moment[at], moment[at + 1]]);
            let bytes = self.bytes.lock().unwrap();
            bytes.chunks_exact(MOMENT_BYTES).map(|moment| [0, 2, 4].map(|at| sample(moment, at))).collect()
        }
    }

    fn frame_of(rate: Rate, at_ms: u64, levels: [i16; 3]) -> Frame {
        let channels = levels.map(|level| vec![level; rate.frame()].into());
        Frame { rate, at_ms, channels, masked: false }
    }

    fn frame(at_ms: u64, levels: [i16; 3]) -> Frame {
        frame_of(Rate::Hz8000, at_ms, levels)
    }

    fn masked(at_ms: u64) -> Frame {
        Frame { rate: Rate::Hz8000, at_ms, channels: Default::default(), masked: true }
    }

    fn track(tape: &Tape) -> (Track, watch::Receiver<Meta>) {
        let (report, seen) = watch::channel(Meta::default());
        (Track::new(Box::new(tape.clone()), report), seen)
    }

    /// REC-04, B-03
    #[test]
    fn all_channels_are_kept_apart_and_in_order() {
        let tape = Tape::default();
        let mut recordings = Recordings::start().unwrap();
        let (report, seen) = watch::channel(Meta::default());
        assert!(recordings.begin(LegId(1), Box::new(tape.clone()), report));
        for (index, at_ms) in (400..=480).step_by(20).enumerate() {
            assert!(recordings.frame(LegId(1), frame(at_ms, [index as i16, -100, 9])));
        }
        assert!(recordings.frame(LegId(2), frame(0, [7, 7, 7])), "a leg nobody records");
        recordings.end(LegId(1));
        recordings.stop();
        let expected: Vec<[i16; 3]> = (0..5).flat_map(|index| vec![[index, -100, 9]; 160]).collect();
        assert_eq!(tape.moments(), expected);
        let meta = seen.borrow().clone();
        assert_eq!((meta.state, meta.rate_hz, meta.offset_ms), (State::Finished, 8000, 400));
        assert_eq!((meta.length_ms, meta.gap_ms), (100, 0));
        let bytes = tape.bytes.lock().unwrap().clone();
        let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(meta.sha256, Some(expected));
    }

    #[test]
    fn lost_frames_become_silence_of_the_same_length() {
        let tape = Tape::default();
        let (mut track, seen) = track(&tape);
        track.frame(&frame(0, [1, 2, 3]));
        track.frame(&frame(100, [4, 5, 6]));
        track.sync();
        let moments = tape.moments();
        assert_eq!(moments.len(), 6 * 160);
        assert!(moments[160..5 * 160].iter().all(|moment| *moment == [0; 3]));
        assert_eq!(moments[5 * 160], [4, 5, 6]);
        assert_eq!((seen.borrow().length_ms, seen.borrow().gap_ms), (120, 80));
    }

    /// B-16: what is masked is silent, is no gap, and its spans are told; more of them than there is room for are told as one.
    #[test]
    fn masked_spans_are_told() {
        let tape = Tape::default();
        let (mut track, seen) = track(&tape);
        track.frame(&frame(40, [1, 2, 3]));
        track.frame(&masked(60));
        track.frame(&masked(80));
        track.frame(&frame(100, [4, 5, 6]));
        track.frame(&masked(120));
        track.sync();
        let moments = tape.moments();
        assert!(moments[160..3 * 160].iter().chain(&moments[4 * 160..]).all(|moment| *moment == [0; 3]));
        assert_eq!((moments.len(), moments[3 * 160]), (5 * 160, [4, 5, 6]));
        let spans = [Span { from_ms: 60, to_ms: 100 }, Span { from_ms: 120, to_ms: 140 }];
        assert_eq!((seen.borrow().masked.as_slice(), seen.borrow().gap_ms), (&spans[..], 0));
        for index in 0..100 {
            track.frame(&frame(140 + index * 40, [1, 2, 3]));
            track.frame(&masked(160 + index * 40));
        }
        track.finish();
        let told = seen.borrow().masked.clone();
        assert_eq!((told.len(), told.last().map(|span| span.to_ms)), (MASKED_MAX, Some(160 + 99 * 40 + 20)));
    }

    #[test]
    fn a_late_frame_is_not_written_twice() {
        let tape = Tape::default();
        let (mut track, _seen) = track(&tape);
        track.frame(&frame(20, [1, 2, 3]));
        track.frame(&frame(20, [9; 3]));
        track.frame(&frame(0, [9; 3]));
        assert_eq!(tape.moments().len(), 160);
    }

    #[test]
    fn another_rate_in_mid_call_keeps_times_true() {
        let tape = Tape::default();
        let (mut track, seen) = track(&tape);
        track.frame(&frame_of(Rate::Hz16000, 0, [5, 6, 7]));
        track.frame(&frame(20, [7, 8, 9]));
        track.sync();
        let moments = tape.moments();
        assert_eq!(moments.len(), 640);
        assert_eq!((moments[0], moments[320], moments[639]), ([5, 6, 7], [7, 8, 9], [7, 8, 9]));
        assert_eq!((seen.borrow().rate_hz, seen.borrow().length_ms), (16_000, 40));
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_says_so() {
        let tape = Tape { full_at: Some(1_000), ..Tape::default() };
        let (mut track, seen) = track(&tape);
        track.frame(&frame(0, [1, 2, 3]));
        track.sync();
        track.frame(&frame(20, [1, 2, 3]));
        track.frame(&frame(40, [1, 2, 3]));
        track.finish();
        let meta = seen.borrow().clone();
        assert_eq!((meta.state, meta.length_ms, meta.sha256), (State::Failed, 20, None));
        assert_eq!(tape.moments().len(), 160);
    }
}
