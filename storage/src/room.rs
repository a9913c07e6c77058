//! Room on the disk: what may still be written when it gets scarce, so that it never runs out.
//!
//! Below the low-water mark no new recording begins; below a quarter of it only what calls, sign-in and reading need is
//! written, and the rest is refused in words; close to nothing, all of it is. A ballast file is given up in time, to have
//! that quarter really to spend. All of it ends by itself when there is room again.

use crate::error::StoreError;
use crate::files;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// File that holds room in reserve.
const BALLAST: &str = "ballast";
/// Its length, in bytes.
pub const BALLAST_BYTES: u64 = 64 << 20;
/// Room below which nothing at all is written: the store's own file must be able to grow by a commit.
pub const LAST_BYTES: u64 = 16 << 20;
/// Part of the low-water mark below which only what is essential is written.
const FULL_PART: u64 = 4;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Room {
    /// Everything is written.
    Enough,
    /// No new recording begins.
    Low,
    /// Only what calls, sign-in and reading need is written.
    Full,
    /// Nothing is written.
    None,
}

impl Room {
    /// The word in checks and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
            Self::Full => "full",
            Self::None => "none",
        }
    }

    fn of(number: u8) -> Self {
        [Self::Enough, Self::Low, Self::Full].into_iter().find(|room| *room as u8 == number).unwrap_or(Self::None)
    }
}

/// Says how many bytes may still be written in a folder.
pub type FreeBytes = Box<dyn Fn(&Path) -> std::io::Result<u64> + Send + Sync>;

/// What the file system says.
pub(crate) fn probe(directory: &Path) -> std::io::Result<u64> {
    let disk = statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Watches over the disk of a store.
pub(crate) struct Watch {
    directory: PathBuf,
    low_water_bytes: u64,
    probe: FreeBytes,
    room: AtomicU8,
    free_bytes: AtomicU64,
}

impl Watch {
    pub(crate) fn new(directory: &Path, low_water_bytes: u64, probe: FreeBytes) -> Self {
        let directory = directory.to_owned();
        let (room, free_bytes) = (AtomicU8::new(Room::Enough as u8), AtomicU64::new(0));
        Self { directory, low_water_bytes, probe, room, free_bytes }
    }

    /// As it was when somebody last looked.
    pub(crate) fn room(&self) -> Room {
        Room::of(self.room.load(Ordering::Relaxed))
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Looks at the disk, and gives up the ballast or makes it again. The room there is, and whether it has changed.
    pub(crate) fn look(&self) -> Result<(Room, bool), StoreError> {
        let ballast = self.directory.join(BALLAST);
        let failed = |error: std::io::Error| StoreError::io("measuring the disk", &self.directory, &error);
        let has_ballast = ballast.exists();
        let free = (self.probe)(&self.directory).map_err(failed)?;
        // What the ballast takes or would take is not there to be spent.
        let spare = if has_ballast { free } else { free.saturating_sub(BALLAST_BYTES) };
        let room = self.room_for(free, spare);
        if room >= Room::Full && has_ballast {
            files::remove(&ballast)?;
        } else if room < Room::Full && !has_ballast {
            self.make_ballast(&ballast);
        }
        self.free_bytes.store(free, Ordering::Relaxed);
        let before = Room::of(self.room.swap(room as u8, Ordering::Relaxed));
        Ok((room, before != room))
    }

    fn room_for(&self, free: u64, spare: u64) -> Room {
        match () {
            () if free < LAST_BYTES => Room::None,
            () if spare < self.low_water_bytes / FULL_PART => Room::Full,
            () if spare < self.low_water_bytes => Room::Low,
            () => Room::Enough,
        }
    }

    /// A ballast that cannot be made is missed only when the disk is full, and is tried again at the next look.
    fn make_ballast(&self, path: &Path) {
        let made = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path).and_then(|file| {
            fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES)?;
            file.sync_all()
        });
        if let Err(error) = made {
            tracing::warn!(%error, path = %path.display(), "no room could be held in reserve");
            // Half a ballast would count as a whole one.
            let _there_is_none = files::remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    const MIB: u64 = 1 << 20;

    /// Every state is reached and left as the disk fills and is freed, and the ballast follows.
    #[test]
    fn room_is_lost_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let free = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&free);
        let watch = Watch::new(folder.path(), 1_024 * MIB, Box::new(move |_| Ok(shown.load(Ordering::Relaxed))));
        let ballast = folder.path().join(BALLAST);
        for (free_mib, room, has_ballast) in [
            (5_000, Room::Enough, true),
            (1_024, Room::Enough, true),
            (1_023, Room::Low, true),
            (256, Room::Low, true),
            (255, Room::Full, false),
            // The ballast was given up: its room is there, and does not count.
            (255 + 64, Room::Full, false),
            (16, Room::Full, false),
            (15, Room::None, false),
            (256 + 63, Room::Full, false),
            (256 + 64, Room::Low, true),
            (2_000, Room::Enough, true),
        ] {
            free.store(free_mib * MIB, Ordering::Relaxed);
            assert_eq!(watch.look().unwrap().0, room, "{free_mib} MiB free");
            assert_eq!(watch.room(), room);
            assert_eq!(ballast.exists(), has_ballast, "{free_mib} MiB free");
        }
        assert_eq!(std::fs::metadata(&ballast).unwrap().len(), BALLAST_BYTES);
    }

    #[test]
    fn a_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(folder.path(), 1_024 * MIB, Box::new(|_| Ok(500 * MIB)));
        assert_eq!(watch.look().unwrap(), (Room::Low, true));
        assert_eq!(watch.look().unwrap(), (Room::Low, false));
    }

    #[test]
    fn the_file_system_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        assert!(probe(folder.path()).unwrap() > 0);
        assert!(probe(&folder.path().join("missing")).is_err());
    }
}
