//! Blobs on their way to the disk.

use super::format::{At, FRAME_BYTES_MAX, ID_BYTES, MAGIC, Place};
use super::reader::BlobReader;
use crate::error::StoreError;
use crate::seal::random;
use std::fs::{File, OpenOptions};
use std::io::Write;

/// A blob that grows.
pub struct BlobWriter {
    place: Place,
    file: File,
    id: [u8; ID_BYTES],
    /// What does not fill a frame yet.
    piece: Vec<u8>,
    /// Where the next frame goes.
    at: At,
}

impl BlobWriter {
    pub(super) fn begin(place: Place, mut file: File) -> Result<Self, StoreError> {
        let id = fresh_id()?;
        file.write_all(&[MAGIC.as_slice(), &id].concat())
            .map_err(|error| StoreError::io("beginning a blob", &place.path, &error))?;
        Ok(Self { place, file, id, piece: Vec::new(), at: At { number: 0, offset: 0 } })
    }

    /// Appends bytes. They are there for readers, and after a crash, at the latest when [`BlobWriter::sync`] has returned.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES_MAX - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == FRAME_BYTES_MAX {
                self.write_piece()?;
            }
        }
        Ok(())
    }

    fn write_piece(&mut self) -> Result<(), StoreError> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let mut frame = Vec::new();
        self.place.seal_frame(&self.id, self.at, &self.piece, &mut frame)?;
        self.write(&frame)?;
        self.at = At { number: self.at.number + 1, offset: self.at.offset + self.piece.len() as u64 };
        self.piece.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| StoreError::io("appending to a blob", &self.place.path, &error))
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When the disk fails; what was appended since the last success may then be lost.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.write_piece()?;
        self.file.sync_data().map_err(|error| StoreError::io("making a blob durable", &self.place.path, &error))
    }

    /// Nothing more follows: marks the blob as whole and makes it durable.
    ///
    /// # Errors
    /// As [`BlobWriter::sync`].
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.write_piece()?;
        let mut end = Vec::new();
        self.place.seal_end(&self.id, self.at.offset, &mut end)?;
        self.write(&end)?;
        self.sync()
    }
}

fn fresh_id() -> Result<[u8; ID_BYTES], StoreError> {
    let mut id = [0; ID_BYTES];
    random(&mut id)?;
    Ok(id)
}

/// The file of a blob that is known whole.
pub(super) fn whole(place: &Place, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let id = fresh_id()?;
    let mut out = [MAGIC.as_slice(), &id].concat();
    for (number, piece) in (0..).zip(bytes.chunks(FRAME_BYTES_MAX)) {
        let at = At { number, offset: number * FRAME_BYTES_MAX as u64 };
        place.seal_frame(&id, at, piece, &mut out)?;
    }
    place.seal_end(&id, bytes.len() as u64, &mut out)?;
    Ok(out)
}

/// Cuts away what was torn off and writes the end.
pub(super) fn finish_torn(place: Place) -> Result<u64, StoreError> {
    let reader = BlobReader::open(place.clone())?;
    let bytes = reader.len()?;
    if reader.is_finished() {
        return Ok(bytes);
    }
    let failed = |error: &std::io::Error| StoreError::io("finishing a blob", &place.path, error);
    let mut file = OpenOptions::new().append(true).open(&place.path).map_err(|error| failed(&error))?;
    let mut end = Vec::new();
    if reader.has_head() {
        file.set_len(reader.frames_end()).map_err(|error| failed(&error))?;
        place.seal_end(reader.file_id(), bytes, &mut end)?;
    } else {
        file.set_len(0).map_err(|error| failed(&error))?;
        end = whole(&place, &[])?;
    }
    file.write_all(&end).and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
    Ok(bytes)
}
