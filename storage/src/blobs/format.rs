//! What the file of a blob looks like.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `AURBLOB1` |
//! | id of this file | 16, random |
//! | frame, any number of times | length (4, little-endian) and the sealed piece |
//! | end, once it is finished | 0 (4) and the sealed total length (8) |
//!
//! A frame is bound to the blob's name, the file's id, its number and its place in the blob: frames that are exchanged,
//! repeated or left out do not open. An end that opens says that the file is whole. Without one, its writer is at work or was
//! killed; what cannot be read at the end of the file was then being written, and does not count.

use crate::error::{RESTORE, StoreError};
use crate::seal::{SEAL_BYTES, SealKey};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) const MAGIC: &[u8; 8] = b"AURBLOB1";
/// Length of the id of a file.
pub(super) const ID_BYTES: usize = 16;
/// Length of what comes before the first frame.
pub(super) const HEAD_BYTES: u64 = (MAGIC.len() + ID_BYTES) as u64;
/// Length of the length of a frame.
pub(super) const LENGTH_BYTES: usize = 4;
/// Longest piece in one frame: a second of a wideband recording.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024;
/// What a frame adds to its piece.
pub(super) const FRAME_EXTRA_BYTES: usize = LENGTH_BYTES + SEAL_BYTES;
/// Length of the end.
pub(super) const END_BYTES: usize = FRAME_EXTRA_BYTES + 8;

/// A blob on the disk.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// What its frames are bound to: folder and name.
    pub(super) bound: String,
    pub(super) seal: Arc<SealKey>,
}

/// A frame's number and the place of its piece in the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) number: u64,
    pub(super) offset: u64,
}

impl Place {
    fn bound(&self, file: &[u8; ID_BYTES], what: &[u8], at: At) -> Vec<u8> {
        [self.bound.as_bytes(), b"\0", file, what, &at.number.to_be_bytes(), &at.offset.to_be_bytes()].concat()
    }

    /// Appends the frame of a piece, which is not empty and at most [`FRAME_BYTES_MAX`] long.
    pub(super) fn seal_frame(
        &self,
        file: &[u8; ID_BYTES],
        at: At,
        piece: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.seal.seal(&self.bound(file, b"frame", at), piece)?);
        Ok(())
    }

    /// The piece of a frame; `sealed` is without its length.
    pub(super) fn open_frame(&self, file: &[u8; ID_BYTES], at: At, sealed: &[u8]) -> Option<Vec<u8>> {
        self.seal.open(&self.bound(file, b"frame", at), sealed)
    }

    /// The end of a blob of `bytes` bytes.
    pub(super) fn seal_end(&self, file: &[u8; ID_BYTES], bytes: u64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        out.extend_from_slice(&0u32.to_le_bytes());
        let at = At { number: 0, offset: 0 };
        out.extend_from_slice(&self.seal.seal(&self.bound(file, b"end", at), &bytes.to_le_bytes())?);
        Ok(())
    }

    /// The total length that an end tells; none when it is not one.
    pub(super) fn open_end(&self, file: &[u8; ID_BYTES], end: &[u8]) -> Option<u64> {
        let sealed = end.strip_prefix(&0u32.to_le_bytes())?;
        let total = self.seal.open(&self.bound(file, b"end", At { number: 0, offset: 0 }), sealed)?;
        total.try_into().ok().map(u64::from_le_bytes)
    }

    /// That this blob is not what was written.
    pub(super) fn damaged(&self, how: &str) -> StoreError {
        StoreError::Damaged { what: format!("the file {} ({how})", self.path.display()), way_back: RESTORE }
    }
}
