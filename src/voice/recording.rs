//! Recordings: both sides of a leg, written by a thread of its own so that no call ever waits for a disk.

use std::io;

/// Where a recording goes. The blob store implements it; so does anything a test likes.
///
/// All calls come from the writer thread, which may block in them.
pub trait RecordingSink: Send {
    /// Appends bytes. They need not be durable yet.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended so far survive a crash. Called about once a second.
    fn sync(&mut self) -> io::Result<()>;
    /// Nothing more follows: makes everything durable and lets go of the file.
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
    /// The sink refused; what was written before is kept.
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
