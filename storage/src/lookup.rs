//! Looking people up by e-mail address or telephone number without writing either into a key.

use crate::error::StoreError;
use crate::files;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::path::Path;

/// Length of the key of the HMACs, in bytes.
const KEY_BYTES: usize = 32;
/// File of the key, beside the store.
const KEY_FILE: &str = "lookup.key";

/// How a piece of personal data stands in an index key: its HMAC-SHA256 (RFC 2104).
pub type Lookup = [u8; 32];

/// The random key of the HMACs. Losing its file makes indexes over personal data useless, not the records.
#[derive(Clone)]
pub struct LookupKey([u8; KEY_BYTES]);

impl LookupKey {
    /// The key of the store in `directory`, made at the first call, readable by the owner alone.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(KEY_FILE);
        match files::read(&path) {
            Ok(bytes) => {
                let key = bytes.try_into().map_err(|bytes: Vec<u8>| StoreError::Io {
                    attempt: "reading a key of 32 bytes",
                    path: path.clone(),
                    reason: format!("it has {} bytes", bytes.len()),
                    missing: false,
                })?;
                Ok(Self(key))
            }
            Err(error) if error.is_missing() => {
                let key = random()?;
                files::write_whole(&path, &key)?;
                Ok(Self(key))
            }
            Err(error) => Err(error),
        }
    }

    /// A key for a store that ends with the process.
    pub(crate) fn fresh() -> Result<Self, StoreError> {
        random().map(Self)
    }

    /// An e-mail address, in any case and with any spaces around it.
    pub fn email(&self, address: &str) -> Lookup {
        self.of("email", &address.trim().to_lowercase())
    }

    /// A telephone number, however it is grouped: only a leading plus and the digits count.
    /// A SIP user without any digit counts as it is.
    pub fn number(&self, number: &str) -> Lookup {
        let number = number.trim();
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return self.of("user", &number.to_lowercase());
        }
        let plus = if number.starts_with('+') { "+" } else { "" };
        self.of("number", &format!("{plus}{digits}"))
    }

    /// A resource that can be booked, as written: a room, or a clinician by name.
    pub fn resource(&self, name: &str) -> Lookup {
        self.of("resource", name)
    }

    fn of(&self, kind: &str, text: &str) -> Lookup {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn random() -> Result<[u8; KEY_BYTES], StoreError> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| StoreError::Io {
        attempt: "asking the system for randomness",
        path: KEY_FILE.into(),
        reason: error.to_string(),
        missing: false,
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let first = LookupKey::open(directory.path()).unwrap().email("a@b.c");
        assert_eq!(LookupKey::open(directory.path()).unwrap().email(" A@b.C"), first);
        let mode = std::fs::metadata(directory.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        let key = LookupKey::fresh().unwrap();
        assert_eq!(key.number("+420 777-123 456"), key.number("+420777123456"));
        assert_ne!(key.number("777123456"), key.number("+777123456"));
        assert_ne!(key.number("reception"), key.number("kitchen"));
        assert_ne!(key.number("1"), key.email("1"));
    }

    #[test]
    fn a_damaged_key_is_an_error_not_a_new_key() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(KEY_FILE), [1; 5]).unwrap();
        assert!(LookupKey::open(directory.path()).is_err());
    }
}
