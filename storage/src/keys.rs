//! The keys of a store: one random data key, wrapped by a key file and by a recovery passphrase.
//!
//! The data key is in `keys.json` in the store's directory, sealed twice. The machine opens it with the key file, which lies
//! outside of that directory (or is a credential that systemd hands over): whoever takes the directory alone has nothing.
//! A person opens it with the recovery passphrase, which was shown once and is kept on paper: whoever has lost the machine
//! needs that and a backup. Changing either wraps the data key anew; what it has sealed stays as it is.

mod passphrase;
mod ring;
#[cfg(test)]
mod tests;

pub use passphrase::Passphrase;
pub(crate) use ring::{ByPassphrase, Ring};

use crate::error::StoreError;
use crate::files;
use crate::hex;
use crate::lookup::LookupKey;
use crate::seal::{DataKey, KEY_BYTES, SealKey, random};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// File of the wrapped data key, in the store's directory.
pub(crate) const RING_FILE: &str = "keys.json";
/// Longest key file that is read, in bytes: 64 hexadecimal digits and what an editor may put around them.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// Where the key that opens a store comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file of 64 hexadecimal digits, for the owner alone. A new store makes it where there is none.
    File(PathBuf),
    /// A key that ends with the process: for stores in memory.
    Fresh,
    /// None: nothing is sealed. A benchmark measures against it what sealing costs; no clinic's words may go there.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    Unsealed,
}

/// The keys of an open store.
#[derive(Clone)]
pub struct Keys {
    data: DataKey,
    generation: u32,
    #[cfg(feature = "testing")]
    seals_nothing: bool,
}

impl Keys {
    /// Keys that end with the process.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn fresh() -> Result<Self, StoreError> {
        Ok(Self::new(DataKey::fresh()?, 1))
    }

    pub(crate) fn new(data: DataKey, generation: u32) -> Self {
        Self {
            data,
            generation,
            #[cfg(feature = "testing")]
            seals_nothing: false,
        }
    }

    /// The keys of the store in `directory`; for a new store they are made, and the key file where there is none.
    ///
    /// # Errors
    /// [`StoreError::Keys`] with what is missing or does not fit, and what to do.
    pub(crate) fn open(directory: &Path, source: &KeySource, store_exists: bool) -> Result<Self, StoreError> {
        #[cfg(feature = "testing")]
        if *source == KeySource::Unsealed {
            return Ok(Self { seals_nothing: true, ..Self::fresh()? });
        }
        let KeySource::File(key_file) = source else { return Self::fresh() };
        let Some(ring) = Ring::read(directory)? else {
            if store_exists {
                return Err(StoreError::Keys(format!(
                    "the store in {} has no {RING_FILE}: its keys are lost. Restore a backup with `auricle restore`",
                    directory.display()
                )));
            }
            return Self::make(directory, key_file);
        };
        let machine = read_key_file(directory, key_file)?;
        let data = ring.open_with_key(&machine).ok_or_else(|| {
            StoreError::Keys(format!(
                "the key file {} does not open the store in {}. Put the right one back, or make a new one with \
                 `auricle secrets recover` and the recovery passphrase",
                key_file.display(),
                directory.display()
            ))
        })?;
        Ok(Self::new(data, ring.generation))
    }

    fn make(directory: &Path, key_file: &Path) -> Result<Self, StoreError> {
        let keys = Self::fresh()?;
        let machine =
            if key_file.exists() { read_key_file(directory, key_file)? } else { make_key_file(directory, key_file)? };
        Ring::new(&keys.data, keys.generation, &machine)?.write(directory)?;
        Ok(keys)
    }

    /// The key for a purpose, of this generation of the store alone.
    pub(crate) fn seal_key(&self, purpose: &str) -> SealKey {
        #[cfg(feature = "testing")]
        if self.seals_nothing {
            return SealKey::nothing();
        }
        SealKey::new(&self.data.derive(purpose, self.generation))
    }

    /// 32 bytes for a purpose, the same in every generation of the store.
    pub(crate) fn lasting(&self, purpose: &str) -> [u8; KEY_BYTES] {
        self.data.derive(purpose, 0)
    }

    /// The key of index keys over personal data. A restored store has the same: its index keys are those of before.
    pub(crate) fn lookup(&self) -> LookupKey {
        LookupKey::new(self.lasting("lookup"))
    }

    pub(crate) fn data(&self) -> &DataKey {
        &self.data
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }
}

/// Whether the store in `directory` has keys, and whether a recovery passphrase opens them.
///
/// # Errors
/// When `keys.json` cannot be read.
pub fn has_passphrase(directory: &Path) -> Result<Option<bool>, StoreError> {
    Ok(Ring::read(directory)?.map(|ring| ring.has_passphrase()))
}

/// Wraps the data key of the store in `directory` by a new recovery passphrase, and makes the keys first where the store
/// has none. The passphrase of before, if any, opens nothing from now on but backups made with it.
///
/// # Errors
/// As [`Store::open`](crate::Store::open) for the keys.
pub fn set_passphrase(directory: &Path, key_file: &Path) -> Result<Passphrase, StoreError> {
    files::create_directory(directory)?;
    let store_exists = directory.join(crate::kv::redb::FILE).exists();
    let keys = Keys::open(directory, &KeySource::File(key_file.to_owned()), store_exists)?;
    let passphrase = Passphrase::generate()?;
    let mut ring = Ring::read(directory)?.ok_or(StoreError::Closed)?;
    ring.wrap_by_passphrase(&keys.data, &passphrase)?;
    ring.write(directory)?;
    Ok(passphrase)
}

/// Replaces the key file by a new one. Whenever the power goes, the key file that is there opens the store.
///
/// # Errors
/// When the key file of now does not open the store, or cannot be replaced (a systemd credential cannot).
pub fn rotate_key_file(directory: &Path, key_file: &Path) -> Result<(), StoreError> {
    let source = KeySource::File(key_file.to_owned());
    let keys = Keys::open(directory, &source, true)?;
    replace_key_file(directory, key_file, &keys.data)
}

/// Makes a new key file for a store whose key file is lost.
///
/// # Errors
/// [`StoreError::Keys`] when the passphrase does not open the store's keys.
pub fn recover_key_file(directory: &Path, key_file: &Path, passphrase: &Passphrase) -> Result<(), StoreError> {
    let Some(ring) = Ring::read(directory)? else {
        return Err(StoreError::Keys(format!("there is no {RING_FILE} in {}", directory.display())));
    };
    let data = ring.open_with_passphrase(passphrase)?;
    replace_key_file(directory, key_file, &data)
}

fn replace_key_file(directory: &Path, key_file: &Path, data: &DataKey) -> Result<(), StoreError> {
    let mut ring = Ring::read(directory)?.ok_or(StoreError::Closed)?;
    let machine = fresh_machine_key()?;
    // While both are in the ring, it does not matter which of the two the file holds.
    ring.add_key(data, &machine)?;
    ring.write(directory)?;
    files::write_whole_for(key_file, text_of(&machine).as_bytes(), directory)?;
    ring.keep_last_key();
    ring.write(directory)
}

fn fresh_machine_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, StoreError> {
    let mut machine = Zeroizing::new([0; KEY_BYTES]);
    random(machine.as_mut_slice())?;
    Ok(machine)
}

fn text_of(machine: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", hex::encode(machine)))
}

/// A new key file for the store in `directory`, for its owner alone.
pub(crate) fn make_key_file(directory: &Path, path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, StoreError> {
    let machine = fresh_machine_key()?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        files::create_directory(parent)?;
    }
    files::write_whole_for(path, text_of(&machine).as_bytes(), directory)?;
    Ok(machine)
}

fn read_key_file(directory: &Path, path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, StoreError> {
    let wrong = |what: String| StoreError::Keys(what);
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            return Err(wrong(format!(
                "the key file {} of the store in {} cannot be read: {error}. If it is lost, make a new one with \
                 `auricle secrets recover` and the recovery passphrase",
                path.display(),
                directory.display()
            )));
        }
    };
    if length > KEY_FILE_BYTES_MAX {
        return Err(wrong(format!("{} is no key file: it has {length} bytes", path.display())));
    }
    let text = Zeroizing::new(files::read(path)?);
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| hex::decode(text.trim()))
        .and_then(|bytes| Zeroizing::new(bytes).as_slice().try_into().ok())
        .map(Zeroizing::new)
        .ok_or_else(|| wrong(format!("{} is no key file: it does not hold 64 hexadecimal digits", path.display())))
}
