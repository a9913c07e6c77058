//! Sealing: nothing readable reaches the disk, and nothing that was changed or moved on it is taken for true.
//!
//! One random data key per store; from it follows a key for each purpose (HKDF-Expand, RFC 5869) and each generation of
//! the store. A piece of data is sealed with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) under a random nonce, bound to
//! the place it belongs to: bytes that are found anywhere else do not open.

use crate::error::StoreError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::cell::RefCell;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of every key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// Length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;
/// What sealing adds to a piece of data: nonce and tag, in bytes.
pub(crate) const SEAL_BYTES: usize = NONCE_BYTES + 16;
/// Nonces that one question to the system's generator answers.
const NONCES_AT_ONCE: usize = 64;

/// The root of all keys of a store.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    /// A new one.
    pub(crate) fn fresh() -> Result<Self, StoreError> {
        let mut key = [0; KEY_BYTES];
        random(&mut key)?;
        Ok(Self(key))
    }

    /// From its bytes; none when there are not 32 of them.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes, for wrapping it and for nothing else.
    pub(crate) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key for a purpose. Different purposes and generations give keys that say nothing about each other.
    pub(crate) fn derive(&self, purpose: &str, generation: u32) -> [u8; KEY_BYTES] {
        let hkdf = Hkdf::<Sha256>::from_prk(&self.0).expect("32 bytes are a pseudorandom key of SHA-256");
        let mut key = [0; KEY_BYTES];
        hkdf.expand_multi_info(&[b"auricle ", purpose.as_bytes(), b" ", &generation.to_be_bytes()], &mut key)
            .expect("32 bytes are one block");
        key
    }
}

/// Seals and opens for one purpose.
#[derive(Clone)]
pub(crate) struct SealKey(Cipher);

#[derive(Clone)]
enum Cipher {
    Sealing(XChaCha20Poly1305),
    /// Leaves what it is given in clear, as long as it would be sealed: a benchmark measures against it what sealing costs.
    #[cfg(feature = "testing")]
    Nothing,
}

impl SealKey {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Cipher::Sealing(XChaCha20Poly1305::new(key.into())))
    }

    /// One that seals nothing.
    #[cfg(feature = "testing")]
    pub(crate) fn nothing() -> Self {
        Self(Cipher::Nothing)
    }

    /// The sealed form of `plain`, [`SEAL_BYTES`] longer. It opens only with the same `place`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        match &self.0 {
            Cipher::Sealing(cipher) => {
                let nonce = nonce()?;
                let payload = Payload { msg: plain, aad: place };
                let sealed =
                    cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("less than 256 GiB are sealed at once");
                Ok([nonce.as_slice(), &sealed].concat())
            }
            #[cfg(feature = "testing")]
            Cipher::Nothing => Ok([[0; SEAL_BYTES].as_slice(), plain].concat()),
        }
    }

    /// What was sealed; none when it was changed, sealed with another key, or for another place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Cipher::Sealing(cipher) => {
                let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
                cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: place }).ok()
            }
            #[cfg(feature = "testing")]
            Cipher::Nothing => sealed.get(SEAL_BYTES..).map(<[u8]>::to_vec),
        }
    }
}

/// Fills a buffer with the system's randomness.
pub(crate) fn random(buffer: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(buffer).map_err(|error| StoreError::Randomness { reason: error.to_string() })
}

/// A nonce that was never used: 24 random bytes do not meet twice.
fn nonce() -> Result<[u8; NONCE_BYTES], StoreError> {
    thread_local! {
        // The buffer, and how much of it has been given away.
        static NONCES: RefCell<([u8; NONCE_BYTES * NONCES_AT_ONCE], usize)> =
            const { RefCell::new(([0; NONCE_BYTES * NONCES_AT_ONCE], NONCE_BYTES * NONCES_AT_ONCE)) };
    }
    NONCES.with_borrow_mut(|(buffer, used)| {
        if *used == buffer.len() {
            random(buffer)?;
            *used = 0;
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&buffer[*used..*used + NONCE_BYTES]);
        *used += NONCE_BYTES;
        Ok(nonce)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn key(purpose: &str, generation: u32) -> SealKey {
        SealKey::new(&DataKey::from_slice(&[7; KEY_BYTES]).unwrap().derive(purpose, generation))
    }

    proptest! {
        /// B-17
        #[test]
        fn what_is_sealed_opens_at_its_place_alone(place: Vec<u8>, other: Vec<u8>, plain: Vec<u8>) {
            let sealed = key("values", 1).seal(&place, &plain).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + SEAL_BYTES);
            prop_assert_eq!(key("values", 1).open(&other, &sealed).is_some(), place == other);
            prop_assert_eq!(key("values", 1).open(&place, &sealed), Some(plain));
            prop_assert_eq!(key("values", 2).open(&place, &sealed), None);
            prop_assert_eq!(key("blobs", 1).open(&place, &sealed), None);
        }

        #[test]
        fn a_changed_bit_or_a_lost_end_does_not_open(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let mut sealed = key("values", 1).seal(b"place", &plain).unwrap();
            let at = at.index(sealed.len());
            prop_assert_eq!(key("values", 1).open(b"place", &sealed[..at]), None);
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(key("values", 1).open(b"place", &sealed), None);
        }
    }

    #[test]
    fn nonces_do_not_come_twice() {
        let mut seen: Vec<_> = (0..1_000).map(|_| nonce().unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
    }
}
