//! Blobs on their way from the disk.

use super::format::{
    At, END_BYTES, FRAME_BYTES_MAX, FRAME_EXTRA_BYTES, HEAD_BYTES, ID_BYTES, LENGTH_BYTES, MAGIC, Place,
};
use crate::error::StoreError;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// A blob that is read. Reading past what has been written gives an end that a later read may move.
pub struct BlobReader {
    place: Place,
    file: File,
    has_head: bool,
    id: [u8; ID_BYTES],
    /// The total length, once the end has been seen.
    total: Option<u64>,
    frames: RefCell<Frames>,
    /// Where the next byte is read.
    position: u64,
    /// The frame that was opened last.
    open: Option<(u64, Vec<u8>)>,
}

/// Frames found so far.
struct Frames {
    /// Place in the blob and in the file.
    found: Vec<(u64, u64)>,
    /// Length of the blob, and of the file, as far as the frames go.
    bytes: u64,
    end: u64,
}

impl BlobReader {
    pub(super) fn open(place: Place) -> Result<Self, StoreError> {
        let failed = |error: io::Error| StoreError::io("opening a blob", &place.path, &error);
        let file = File::open(&place.path).map_err(failed)?;
        let mut head = [0; HEAD_BYTES as usize];
        let has_head = match file.read_exact_at(&mut head, 0) {
            Ok(()) => true,
            // A writer that was killed at once has left less than that.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(failed(error)),
        };
        let (magic, id) = head.split_at(MAGIC.len());
        if has_head && magic != MAGIC {
            return Err(place.damaged("it is not a blob"));
        }
        let mut file_id = [0; ID_BYTES];
        file_id.copy_from_slice(id);
        let frames = RefCell::new(Frames { found: Vec::new(), bytes: 0, end: HEAD_BYTES });
        let mut reader = Self { place, file, has_head, id: file_id, total: None, frames, position: 0, open: None };
        reader.total = reader.find_end()?;
        let bytes = reader.len()?;
        if reader.total.is_some_and(|total| total != bytes) {
            return Err(reader.damaged("a part of it is missing"));
        }
        Ok(reader)
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::io("reading a blob", &self.place.path, error)
    }

    /// That this blob is not what whoever reads it knows it to be, and `how` not.
    pub fn damaged(&self, how: &str) -> StoreError {
        self.place.damaged(how)
    }

    pub(super) fn file_id(&self) -> &[u8; ID_BYTES] {
        &self.id
    }

    /// Whether its writer had come as far as the first frame.
    pub(super) fn has_head(&self) -> bool {
        self.has_head
    }

    /// Where the frames end in the file.
    pub(super) fn frames_end(&self) -> u64 {
        self.frames.borrow().end
    }

    fn file_bytes(&self) -> Result<u64, StoreError> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|error| self.failed(&error))
    }

    fn find_end(&self) -> Result<Option<u64>, StoreError> {
        let Some(at) = self.file_bytes()?.checked_sub(END_BYTES as u64).filter(|at| *at >= HEAD_BYTES) else {
            return Ok(None);
        };
        let mut end = [0; END_BYTES];
        self.file.read_exact_at(&mut end, at).map_err(|error| self.failed(&error))?;
        Ok(self.place.open_end(&self.id, &end))
    }

    /// Looks for frames that were not there before.
    fn extend(&self) -> Result<(), StoreError> {
        let file_bytes = self.file_bytes()?;
        let mut frames = self.frames.borrow_mut();
        let before = frames.found.len();
        while frames.end + LENGTH_BYTES as u64 <= file_bytes {
            let mut length = [0; LENGTH_BYTES];
            self.file.read_exact_at(&mut length, frames.end).map_err(|error| self.failed(&error))?;
            let length = u64::from(u32::from_le_bytes(length));
            let next = frames.end + FRAME_EXTRA_BYTES as u64 + length;
            if length == 0 || length > FRAME_BYTES_MAX as u64 || next > file_bytes {
                break;
            }
            let found = (frames.bytes, frames.end);
            frames.found.push(found);
            frames.bytes += length;
            frames.end = next;
        }
        // A power cut may have left a frame as long as it should be and without its contents.
        while self.total.is_none() && frames.found.len() > before {
            let number = frames.found.len() - 1;
            let (offset, end) = frames.found[number];
            if self.open_frame(&frames, number)?.is_some() {
                break;
            }
            frames.found.pop();
            (frames.bytes, frames.end) = (offset, end);
        }
        Ok(())
    }

    /// The piece of a frame; none when it does not open.
    fn open_frame(&self, frames: &Frames, number: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let (offset, start) = frames.found[number];
        let end = frames.found.get(number + 1).map_or(frames.end, |next| next.1);
        let mut sealed = vec![0; usize::try_from(end - start).unwrap_or(0).saturating_sub(LENGTH_BYTES)];
        self.file.read_exact_at(&mut sealed, start + LENGTH_BYTES as u64).map_err(|error| self.failed(&error))?;
        Ok(self.place.open_frame(&self.id, At { number: number as u64, offset }, &sealed))
    }

    /// Bytes written so far.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn len(&self) -> Result<u64, StoreError> {
        self.extend()?;
        Ok(self.frames.borrow().bytes)
    }

    /// Whether nothing has been written so far.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    /// Whether its writer had finished it when it was opened: nothing is missing then.
    pub fn is_finished(&self) -> bool {
        self.total.is_some()
    }

    /// Brings the frame of the current position into `open`. False at the end.
    fn load(&mut self) -> Result<bool, StoreError> {
        let within = |(offset, piece): &(u64, Vec<u8>), position: u64| {
            position >= *offset && position - offset < piece.len() as u64
        };
        if self.open.as_ref().is_some_and(|open| within(open, self.position)) {
            return Ok(true);
        }
        if self.position >= self.frames.borrow().bytes {
            self.extend()?;
        }
        let frames = self.frames.borrow();
        if self.position >= frames.bytes {
            return Ok(false);
        }
        let number = frames.found.partition_point(|(offset, _)| *offset <= self.position) - 1;
        let piece = self.open_frame(&frames, number)?.ok_or_else(|| self.damaged("a part of it was changed"))?;
        let open = (frames.found[number].0, piece);
        let reached = within(&open, self.position);
        drop(frames);
        self.open = Some(open);
        Ok(reached)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.load().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let (true, Some((offset, piece))) = (there && !buffer.is_empty(), &self.open) else { return Ok(0) };
        let from = usize::try_from(self.position - offset).unwrap_or(piece.len());
        let read = buffer.len().min(piece.len() - from);
        buffer[..read].copy_from_slice(&piece[from..from + read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let from = |base: u64, by: i64| {
            base.checked_add_signed(by)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))
        };
        self.position = match position {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => from(self.position, by)?,
            SeekFrom::End(by) => from(self.len().map_err(io::Error::other)?, by)?,
        };
        Ok(self.position)
    }
}
