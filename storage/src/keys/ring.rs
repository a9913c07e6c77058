//! `keys.json`: the data key as it lies on the disk and in backups, sealed for whoever may open it.

use super::RING_FILE;
use super::passphrase::{Passphrase, Stretching};
use crate::error::StoreError;
use crate::files;
use crate::hex;
use crate::seal::{DataKey, KEY_BYTES, SealKey};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the file.
const FORMAT: u32 = 1;
/// Longest file that is read, in bytes.
const BYTES_MAX: u64 = 16 << 10;
/// Keys that a ring holds at once: the one in the key file, and the one that is to replace it.
const KEYS_MAX: usize = 2;

/// The wrapped data key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ring {
    format: u32,
    /// Counts how often the store was restored: what was sealed before does not open after.
    pub(crate) generation: u32,
    /// The data key, sealed by the key of a key file.
    by_key: Vec<Wrapped>,
    /// The data key, sealed by the recovery passphrase.
    by_passphrase: Option<ByPassphrase>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(#[serde(with = "hex::bytes")] Vec<u8>);

/// The data key, sealed by a passphrase. It is in every backup, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByPassphrase {
    stretching: Stretching,
    sealed: Wrapped,
}

impl ByPassphrase {
    /// The data key.
    pub(crate) fn open(&self, passphrase: &Passphrase) -> Result<DataKey, StoreError> {
        let key = passphrase.stretch(&self.stretching)?;
        unwrap(&key, PASSPHRASE, &self.sealed)
            .ok_or_else(|| StoreError::Keys("this is not the recovery passphrase of these keys".to_owned()))
    }
}

/// What a wrapped key is bound to.
const KEY_FILE: &[u8] = b"auricle data key by key file";
const PASSPHRASE: &[u8] = b"auricle data key by passphrase";

fn wrap(key: &[u8; KEY_BYTES], place: &[u8], data: &DataKey) -> Result<Wrapped, StoreError> {
    SealKey::new(key).seal(place, data.as_bytes()).map(Wrapped)
}

fn unwrap(key: &[u8; KEY_BYTES], place: &[u8], wrapped: &Wrapped) -> Option<DataKey> {
    SealKey::new(key).open(place, &wrapped.0).and_then(|bytes| DataKey::from_slice(&bytes))
}

impl Ring {
    /// For a new store.
    pub(crate) fn new(data: &DataKey, generation: u32, machine: &[u8; KEY_BYTES]) -> Result<Self, StoreError> {
        let by_key = vec![wrap(machine, KEY_FILE, data)?];
        Ok(Self { format: FORMAT, generation, by_key, by_passphrase: None })
    }

    /// The one of the store in `directory`; none when there is none.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(RING_FILE);
        let wrong = |reason: String| {
            StoreError::Keys(format!(
                "{} is damaged: {reason}. Put back a copy of it, or restore a backup with `auricle restore`",
                path.display()
            ))
        };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > BYTES_MAX => {
                return Err(wrong(format!("it has {} bytes, at most {BYTES_MAX} are allowed", metadata.len())));
            }
            _ => {}
        }
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        // The words of the parser may show what it met; its place is enough.
        let ring: Self = serde_json::from_slice(&bytes).map_err(|error| {
            wrong(format!("line {}, column {} is not as it was written", error.line(), error.column()))
        })?;
        if ring.format > FORMAT {
            return Err(StoreError::Newer { what: path, found: ring.format, known: FORMAT });
        }
        Ok(Some(ring))
    }

    /// Puts it into `directory`, whole or not at all.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::Encoding { table: RING_FILE, reason: error.to_string() })?;
        text.push(b'\n');
        files::write_whole_for(&directory.join(RING_FILE), &text, directory)
    }

    /// The data key, when one of the ring's keys is this one.
    pub(super) fn open_with_key(&self, machine: &[u8; KEY_BYTES]) -> Option<DataKey> {
        self.by_key.iter().take(KEYS_MAX).find_map(|wrapped| unwrap(machine, KEY_FILE, wrapped))
    }

    /// The data key.
    pub(crate) fn open_with_passphrase(&self, passphrase: &Passphrase) -> Result<DataKey, StoreError> {
        self.passphrase_part()?.open(passphrase)
    }

    /// Whether a recovery passphrase opens it.
    pub(super) fn has_passphrase(&self) -> bool {
        self.by_passphrase.is_some()
    }

    /// What the recovery passphrase opens, as backups carry it.
    pub(crate) fn passphrase_part(&self) -> Result<&ByPassphrase, StoreError> {
        self.by_passphrase.as_ref().ok_or_else(|| {
            StoreError::Keys("there is no recovery passphrase yet: make one with `auricle secrets generate`".to_owned())
        })
    }

    /// Takes over the passphrase of a backup.
    pub(crate) fn set_passphrase_part(&mut self, part: ByPassphrase) {
        self.by_passphrase = Some(part);
    }

    pub(super) fn wrap_by_passphrase(&mut self, data: &DataKey, passphrase: &Passphrase) -> Result<(), StoreError> {
        let stretching = Stretching::fresh()?;
        let sealed = wrap(&*passphrase.stretch(&stretching)?, PASSPHRASE, data)?;
        self.by_passphrase = Some(ByPassphrase { stretching, sealed });
        Ok(())
    }

    pub(super) fn add_key(&mut self, data: &DataKey, machine: &[u8; KEY_BYTES]) -> Result<(), StoreError> {
        // Where a rotation was cut off there are two already, and the one before last is not in any file.
        if self.by_key.len() >= KEYS_MAX {
            self.by_key.remove(0);
        }
        self.by_key.push(wrap(machine, KEY_FILE, data)?);
        Ok(())
    }

    pub(super) fn keep_last_key(&mut self) {
        self.by_key.drain(..self.by_key.len().saturating_sub(1));
    }
}
