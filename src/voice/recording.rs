//! Recordings: a leg with a channel for each class of party, written by a thread of its own so that no call ever waits for a
//! disk.
//!
//! The media thread hands over 20 ms frames through one bounded queue. The writer lays them out as interleaved 16-bit
//! little-endian samples, caller, receptionist, staff, and syncs every second, so that a crash costs at most that second.
//! Every frame carries its place in the call. Where frames are missing, because the queue was full or the engine could
//! not serve a tick, silence of the same length is written and counted as a gap: what comes later stays at its time. What
//! somebody masked comes as silence; its spans are told.
//!
//! A recording may go on at another leg, whose time began elsewhere: there the engine's ticks say where its frames belong. So a leg
//! that is over does not end it at once; whoever follows the call says when it ends.

mod track;

use auricle_domain::call::{CHANNELS, Span};
use auricle_media::io::{LegId, Rate};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use track::Track;

/// Frames that wait for the writer: with 200 recordings, over a second of all of them.
const FRAMES_MAX: usize = 12_288;
/// How often what was written is made durable.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a recording whose leg is over waits for another one.
const LEFT_MAX: Duration = Duration::from_secs(5);

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
    /// Where its first sample lies, in milliseconds after its first leg was answered. So are all times of it counted.
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
    /// The engine's tick.
    pub(crate) at: Instant,
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
    GoOn { from: LegId, to: LegId },
    Leave { leg: LegId },
    End { leg: LegId },
}

/// The media thread's end of the writer. Never blocks.
pub(crate) struct Recordings {
    entries: SyncSender<Entry>,
    /// What did not fit into the queue beside frames; told again at the next chance and in order, so that none stays open. As many as
    /// legs have changed or ended since: the engine bounds both.
    owed: VecDeque<Entry>,
    thread: JoinHandle<()>,
}

impl Recordings {
    /// Starts the writer thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (entries, queue) = sync_channel(FRAMES_MAX);
        let thread =
            std::thread::Builder::new().name("recordings".to_owned()).spawn(move || Writer::default().run(&queue))?;
        Ok(Self { entries, owed: VecDeque::new(), thread })
    }

    /// A leg is recorded from its next frame on. False when the queue is full: there is no recording then.
    pub(crate) fn begin(&mut self, leg: LegId, sink: Box<dyn RecordingSink>, meta: watch::Sender<Meta>) -> bool {
        self.entries.try_send(Entry::Begin { leg, sink, meta }).is_ok()
    }

    /// The next 20 ms. False when the queue was full: the writer will put in silence.
    pub(crate) fn frame(&mut self, leg: LegId, frame: Frame) -> bool {
        self.entries.try_send(Entry::Frame { leg, frame }).is_ok()
    }

    /// What is recorded of a leg goes on with the next frames of another one.
    pub(crate) fn go_on(&mut self, from: LegId, to: LegId) {
        self.tell(Entry::GoOn { from, to });
    }

    /// The leg is over. Its recording waits for another one, for a moment.
    pub(crate) fn leave(&mut self, leg: LegId) {
        self.tell(Entry::Leave { leg });
    }

    /// The recording of this leg is complete.
    pub(crate) fn end(&mut self, leg: LegId) {
        self.tell(Entry::End { leg });
    }

    fn tell(&mut self, entry: Entry) {
        self.owed.push_back(entry);
        self.retry();
    }

    /// Tells what did not fit before.
    pub(crate) fn retry(&mut self) {
        while let Some(entry) = self.owed.pop_front() {
            // A writer that is gone has finished all of them.
            if let Err(TrySendError::Full(entry)) = self.entries.try_send(entry) {
                return self.owed.push_front(entry);
            }
        }
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
                self.forsake(now);
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
            Entry::GoOn { from, to } => {
                if let Some(mut track) = self.open.remove(&from) {
                    track.go_on();
                    if let Some(before) = self.open.insert(to, track) {
                        before.finish();
                    }
                }
            }
            Entry::Leave { leg } => {
                if let Some(track) = self.open.get_mut(&leg) {
                    track.leave(Instant::now());
                }
            }
            Entry::End { leg } => {
                if let Some(track) = self.open.remove(&leg) {
                    track.finish();
                }
            }
        }
    }

    /// Finishes what waits for another leg in vain.
    fn forsake(&mut self, now: Instant) {
        for (_, track) in self.open.extract_if(|_, track| track.waits_for(LEFT_MAX, now)) {
            track.finish();
        }
    }
}

#[cfg(test)]
mod tests;
