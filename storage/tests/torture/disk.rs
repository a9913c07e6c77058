//! A disk in memory that records what is done to it, and fails when it is told to.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Something that was done to the disk.
#[derive(Clone)]
pub enum Step {
    Write { offset: usize, bytes: Box<[u8]> },
    SetLen(usize),
    Sync,
}

/// How the disk behaves.
#[derive(Clone, Copy, Default)]
pub struct Behaviour {
    /// Keeps what is done to it.
    pub records: bool,
    /// The first sync from this number on that has something to do is reported as done and not done: the planted bug.
    pub lies_from: Option<usize>,
    /// Number of the step (write, change of length or sync) that fails.
    pub fails_at: Option<usize>,
    /// Whether everything after the failed step fails too.
    pub stays_broken: bool,
    /// Bytes it holds; more is refused as a full disk does it. Counted in pages, like a file with holes.
    pub bytes_max: Option<usize>,
}

const PAGE: usize = 4_096;

#[derive(Default)]
struct State {
    file: Vec<u8>,
    /// Pages that were written to at least once.
    used: Vec<bool>,
    behaviour: Behaviour,
    steps: Vec<Step>,
    steps_seen: usize,
    syncs_seen: usize,
    /// Whether something was written since the last sync. A new length alone can wait for the next one.
    written: bool,
    /// Where in the recording the sync would be that was not done.
    lied_at: Option<usize>,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// A disk with a file on it.
    pub fn holding(file: Vec<u8>, behaviour: Behaviour) -> Self {
        Self(Arc::new(Mutex::new(State { file, behaviour, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// How many steps it has recorded.
    pub fn position(&self) -> usize {
        self.state().steps.len()
    }

    /// What it has recorded.
    pub fn steps(&self) -> Vec<Step> {
        self.state().steps.clone()
    }

    /// Where in the recording a sync was left out.
    pub fn lied_at(&self) -> Option<usize> {
        self.state().lied_at
    }

    /// The file as programs see it, whether synced or not.
    pub fn file(&self) -> Vec<u8> {
        self.state().file.clone()
    }

    /// Bytes of all pages that were written to.
    pub fn bytes_used(&self) -> usize {
        self.state().used.iter().filter(|used| **used).count() * PAGE
    }
}

impl State {
    /// Counts a step, and fails if it is its turn.
    fn turn(&mut self) -> io::Result<()> {
        self.steps_seen += 1;
        match self.behaviour.fails_at {
            Some(at) if self.steps_seen == at || (self.steps_seen > at && self.behaviour.stays_broken) => {
                Err(io::Error::other("the disk failed on purpose"))
            }
            _ => Ok(()),
        }
    }

    fn record(&mut self, step: impl FnOnce() -> Step) {
        if self.behaviour.records {
            self.steps.push(step());
        }
    }

    /// Takes the pages of a write, if there is room.
    fn take(&mut self, offset: usize, length: usize) -> io::Result<()> {
        let pages = offset / PAGE..(offset + length).div_ceil(PAGE);
        if self.used.len() < pages.end {
            self.used.resize(pages.end, false);
        }
        let fresh = self.used[pages.clone()].iter().filter(|used| !**used).count();
        if let Some(max) = self.behaviour.bytes_max {
            let used = self.used.iter().filter(|used| **used).count();
            if fresh > 0 && (used + fresh) * PAGE > max {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        self.used[pages].fill(true);
        Ok(())
    }
}

/// Does a step to a file.
pub fn apply(file: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write { offset, bytes } => write(file, *offset, bytes),
        Step::SetLen(length) => file.resize(*length, 0),
        Step::Sync => {}
    }
}

/// Writes into a file, which grows if need be.
pub fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a 64-bit machine")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().file.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let from = index(offset);
        let bytes = state.file.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.turn()?;
        state.record(|| Step::SetLen(index(len)));
        state.file.resize(index(len), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.turn()?;
        state.syncs_seen += 1;
        let written = std::mem::take(&mut state.written);
        let from = state.behaviour.lies_from.filter(|_| state.lied_at.is_none());
        if written && from.is_some_and(|from| state.syncs_seen >= from) {
            state.lied_at = Some(state.steps.len());
        } else {
            state.record(|| Step::Sync);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.turn()?;
        state.take(index(offset), data.len())?;
        state.record(|| Step::Write { offset: index(offset), bytes: data.into() });
        write(&mut state.file, index(offset), data);
        state.written = true;
        Ok(())
    }
}
