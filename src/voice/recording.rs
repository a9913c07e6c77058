//! Recordings: both sides of a leg, written by a thread of its own so that no call ever waits for a disk.
//!
//! The media thread hands over 20 ms frames through one bounded queue. The writer lays them out as interleaved 16-bit
//! little-endian stereo, caller left, clinic right, and syncs every second, so that a crash costs at most that second.
//! Every frame carries its place in the call. Where frames are missing, because the queue was full or the engine could
//! not serve a tick, silence of the same length is written and counted as a gap: what comes later stays at its time.

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
/// Bytes of one moment of both sides.
const STEREO_BYTES: usize = 4;

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
}

/// To the writer.
enum Entry {
    Begin { leg: LegId, sink: Box<dyn RecordingSink>, meta: watch::Sender<Meta> },
    Frame { leg: LegId, rate: Rate, at_ms: u64, caller: Box<[i16]>, clinic: Box<[i16]> },
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

    /// Both sides of 20 ms. False when the queue was full: the writer will put in silence.
    pub(crate) fn frame(&mut self, leg: LegId, rate: Rate, at_ms: u64, caller: Box<[i16]>, clinic: Box<[i16]>) -> bool {
        self.entries.try_send(Entry::Frame { leg, rate, at_ms, caller, clinic }).is_ok()
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
            Entry::Frame { leg, rate, at_ms, caller, clinic } => {
                if let Some(track) = self.open.get_mut(&leg) {
                    track.frame(rate, at_ms, &caller, &clinic);
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

    fn frame(&mut self, rate: Rate, at_ms: u64, caller: &[i16], clinic: &[i16]) {
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
            self.bytes.resize(moments * STEREO_BYTES, 0);
            self.meta.gap_ms += silent_ms;
            self.written_ms += silent_ms;
        }
        // A codec changed in mid-call brings another rate; the file keeps the one it began with.
        for moment in 0..own.frame() {
            let side = |samples: &[i16]| samples.get(moment * samples.len() / own.frame()).copied().unwrap_or(0);
            self.bytes.extend_from_slice(&side(caller).to_le_bytes());
            self.bytes.extend_from_slice(&side(clinic).to_le_bytes());
        }
        self.written_ms += FRAME_MS;
        self.next_ms = at_ms + FRAME_MS;
        self.hash.update(&self.bytes);
        if let Err(error) = self.sink.append(&self.bytes) {
            self.fail(&error);
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
        fn stereo(&self) -> Vec<(i16, i16)> {
            let side = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]);
            self.bytes.lock().unwrap().chunks_exact(4).map(|both| (side(&both[..2]), side(&both[2..]))).collect()
        }
    }

    fn frame(level: i16) -> Box<[i16]> {
        vec![level; 160].into()
    }

    fn track(tape: &Tape) -> (Track, watch::Receiver<Meta>) {
        let (report, seen) = watch::channel(Meta::default());
        (Track::new(Box::new(tape.clone()), report), seen)
    }

    /// REC-04
    #[test]
    fn both_sides_are_kept_apart_and_in_order() {
        let tape = Tape::default();
        let mut recordings = Recordings::start().unwrap();
        let (report, seen) = watch::channel(Meta::default());
        assert!(recordings.begin(LegId(1), Box::new(tape.clone()), report));
        for (index, at_ms) in (400..=480).step_by(20).enumerate() {
            assert!(recordings.frame(LegId(1), Rate::Hz8000, at_ms, frame(index as i16), frame(-100)));
        }
        assert!(recordings.frame(LegId(2), Rate::Hz8000, 0, frame(7), frame(7)), "a leg nobody records");
        recordings.end(LegId(1));
        recordings.stop();
        let expected: Vec<(i16, i16)> = (0..5).flat_map(|index| vec![(index, -100); 160]).collect();
        assert_eq!(tape.stereo(), expected);
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
        track.frame(Rate::Hz8000, 0, &frame(1), &frame(2));
        track.frame(Rate::Hz8000, 100, &frame(3), &frame(4));
        track.sync();
        let stereo = tape.stereo();
        assert_eq!(stereo.len(), 6 * 160);
        assert!(stereo[160..5 * 160].iter().all(|both| *both == (0, 0)));
        assert_eq!(stereo[5 * 160], (3, 4));
        assert_eq!((seen.borrow().length_ms, seen.borrow().gap_ms), (120, 80));
    }

    #[test]
    fn a_late_frame_is_not_written_twice() {
        let tape = Tape::default();
        let (mut track, _seen) = track(&tape);
        track.frame(Rate::Hz8000, 20, &frame(1), &frame(2));
        track.frame(Rate::Hz8000, 20, &frame(9), &frame(9));
        track.frame(Rate::Hz8000, 0, &frame(9), &frame(9));
        assert_eq!(tape.stereo().len(), 160);
    }

    #[test]
    fn another_rate_in_mid_call_keeps_times_true() {
        let tape = Tape::default();
        let (mut track, seen) = track(&tape);
        track.frame(Rate::Hz16000, 0, &vec![5; 320], &vec![6; 320]);
        track.frame(Rate::Hz8000, 20, &frame(7), &frame(8));
        track.sync();
        let stereo = tape.stereo();
        assert_eq!(stereo.len(), 640);
        assert_eq!((stereo[0], stereo[320], stereo[639]), ((5, 6), (7, 8), (7, 8)));
        assert_eq!((seen.borrow().rate_hz, seen.borrow().length_ms), (16_000, 40));
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_says_so() {
        let tape = Tape { full_at: Some(700), ..Tape::default() };
        let (mut track, seen) = track(&tape);
        track.frame(Rate::Hz8000, 0, &frame(1), &frame(2));
        track.sync();
        track.frame(Rate::Hz8000, 20, &frame(1), &frame(2));
        track.frame(Rate::Hz8000, 40, &frame(1), &frame(2));
        track.finish();
        let meta = seen.borrow().clone();
        assert_eq!((meta.state, meta.length_ms, meta.sha256), (State::Failed, 20, None));
        assert_eq!(tape.stereo().len(), 160);
    }
}
