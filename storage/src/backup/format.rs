//! What a backup looks like.
//!
//! | part | what it is |
//! |---|---|
//! | magic | `AURBACK1` |
//! | length (4, little-endian) and head | JSON in clear: format, id of the file, and the data key sealed by the passphrase |
//! | chunks | 64 KiB each, sealed, bound to the file's id, their number and whether they are the last (see `stream`) |
//!
//! What the chunks hold is one zstd stream of entries. An entry is its kind (1), the lengths of two parts (4 each,
//! little-endian) and the parts.

use super::count::Missing;
use crate::error::StoreError;
use crate::hex;
use crate::keys::ByPassphrase;
use auricle_domain::Timestamp;
use auricle_domain::audit::AuditHead;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

pub(super) const MAGIC: &[u8; 8] = b"AURBACK1";
/// Version of the file; older ones are read for ever.
pub(super) const FORMAT: u32 = 1;
/// Longest head that is read, in bytes.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// Longest part of an entry that is read, in bytes: a sealed piece of a blob or a value is never longer.
const PART_BYTES_MAX: u32 = 1 << 20;
/// Longest configuration file that is kept, in bytes.
pub(super) const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What stands in clear at the beginning.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    /// Random; bound into every chunk.
    #[serde(with = "hex::bytes")]
    pub(super) id: Vec<u8>,
    /// Generation of the store that was backed up.
    pub(super) generation: u32,
    /// The data key, for the passphrase.
    pub(super) key: ByPassphrase,
}

/// One thing in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Key and value of a row.
    Row = 1,
    /// Folder and name of a blob begin it.
    Blob = 2,
    /// Its next bytes.
    Piece = 3,
    /// It is over; the first part says whether it was whole.
    BlobEnd = 4,
    /// The configuration file.
    Config = 5,
    /// What all of it came to; nothing follows.
    End = 6,
}

impl Kind {
    fn of(number: u8) -> Option<Self> {
        [Self::Row, Self::Blob, Self::Piece, Self::BlobEnd, Self::Config, Self::End]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// Format of the store, see [`crate::FORMAT`].
    pub store_format: u32,
    /// When it was made; none for one of before this was told.
    #[serde(default)]
    pub made_at: Option<Timestamp>,
    /// Number of the last event in it.
    pub feed_head: u64,
    /// End of the audit chain in it.
    pub audit_head: Option<AuditHead>,
    /// Rows of each table and index, by number.
    pub rows: BTreeMap<u16, u64>,
    /// Recordings and documents.
    pub blobs: u64,
    /// Bytes of those.
    pub blob_bytes: u64,
    /// Recordings of which the beginning is in it, and the rest could not be read any more.
    #[serde(default)]
    pub cut: Missing,
}

impl BackupSummary {
    /// All rows.
    pub fn rows_all(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// Writes the beginning of a file.
pub(super) fn write_head(out: &mut impl Write, head: &Head) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(head)
        .map_err(|error| StoreError::Encoding { table: "backup", reason: error.to_string() })?;
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes();
    let bytes = [MAGIC.as_slice(), &length, &json].concat();
    out.write_all(&bytes).map_err(|error| broken_off("writing", &error))?;
    Ok(bytes)
}

/// Reads the beginning of a file, and gives its bytes too: the chunks are bound to them.
pub(super) fn read_head(file: &mut impl Read) -> Result<(Head, Vec<u8>), StoreError> {
    let mut begin = [0; MAGIC.len() + 4];
    file.read_exact(&mut begin).map_err(|_| damaged("it is shorter than its beginning"))?;
    let (magic, length) = begin.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(damaged("it is not a backup of Auricle"));
    }
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    if length > HEAD_BYTES_MAX {
        return Err(damaged("its head is too long"));
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(|_| damaged("it ends in its head"))?;
    // Of a newer file, this much is understood.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice::<Format>(&json) {
        Ok(Format { format }) if format > FORMAT => {
            return Err(StoreError::Newer { what: "the backup".into(), found: format, known: FORMAT });
        }
        _ => {}
    }
    let head = serde_json::from_slice(&json).map_err(|_| damaged("its head is not as it was written"))?;
    Ok((head, [begin.as_slice(), &json].concat()))
}

/// Writes an entry.
pub(super) fn write_entry(out: &mut impl Write, kind: Kind, first: &[u8], second: &[u8]) -> io::Result<()> {
    out.write_all(&[kind as u8])?;
    for part in [first, second] {
        out.write_all(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    }
    out.write_all(first)?;
    out.write_all(second)
}

/// An entry that was read.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) first: Vec<u8>,
    pub(super) second: Vec<u8>,
}

/// Reads an entry. The stream was authenticated on its way here, so what is wrong with it is wrong with the program that wrote it.
pub(super) fn read_entry(from: &mut impl Read) -> Result<Entry, StoreError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => damaged(&error.to_string()),
    };
    let mut begin = [0; 9];
    from.read_exact(&mut begin).map_err(failed)?;
    let kind = Kind::of(begin[0]).ok_or_else(|| damaged("it has a part that this program does not know"))?;
    let length = |at: usize| u32::from_le_bytes([begin[at], begin[at + 1], begin[at + 2], begin[at + 3]]);
    let mut part = |length: u32| {
        if length > PART_BYTES_MAX {
            return Err(damaged("a part of it is too long"));
        }
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    };
    let (first, second) = (part(length(1))?, part(length(5))?);
    Ok(Entry { kind, first, second })
}

/// That a backup cannot be used.
pub(super) fn damaged(how: &str) -> StoreError {
    StoreError::Damaged { what: format!("the backup ({how})"), way_back: "Use another backup; nothing was changed" }
}

/// That the disk failed under a backup.
pub(super) fn broken_off(doing: &'static str, error: &io::Error) -> StoreError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<StoreError>()) {
        Some(inner) => inner.clone(),
        None => StoreError::io(doing, std::path::Path::new("the backup"), error),
    }
}
