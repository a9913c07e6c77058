//! The recovery passphrase: made by us, shown once, kept on paper.

use crate::error::StoreError;
use crate::seal::{KEY_BYTES, random};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Digits and letters that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a passphrase: 125 random bits.
const CHARS: usize = 25;
/// Characters of a group, between hyphens.
const GROUP_CHARS: usize = 5;
/// Bounds of what a file may ask of the machine that opens it, in KiB and passes.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;

/// A recovery passphrase. Its text is what stands on paper; case, spaces, hyphens and look-alikes do not matter.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; CHARS]);
        random(bytes.as_mut_slice())?;
        // 256 is a multiple of 32: every character is as likely as any other.
        Ok(Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()))
    }

    /// What somebody typed.
    ///
    /// # Errors
    /// [`StoreError::Keys`] when it cannot be one, which says what one looks like and nothing of what was typed.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let mut chars = Zeroizing::new(String::with_capacity(CHARS));
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            chars.push(match c.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            });
        }
        let known = chars.bytes().all(|byte| ALPHABET.contains(&byte));
        if !known || chars.len() != CHARS {
            return Err(StoreError::Keys(format!(
                "a recovery passphrase has {CHARS} digits and letters in {} groups, such as 3k9wd-...",
                CHARS / GROUP_CHARS
            )));
        }
        Ok(Self(chars.to_string()))
    }

    /// As it is shown, in groups.
    pub fn to_text(&self) -> Zeroizing<String> {
        let groups: Vec<&str> = (0..CHARS).step_by(GROUP_CHARS).map(|at| &self.0[at..at + GROUP_CHARS]).collect();
        Zeroizing::new(groups.join("-"))
    }

    /// The key that it gives.
    pub(super) fn stretch(&self, stretching: &Stretching) -> Result<Zeroizing<[u8; KEY_BYTES]>, StoreError> {
        let Stretching { memory_kib, passes, salt } = stretching;
        let failed = |reason: String| StoreError::Keys(format!("the recovery passphrase cannot be checked: {reason}"));
        if *memory_kib > MEMORY_KIB_MAX || *passes > PASSES_MAX {
            return Err(failed(format!(
                "{memory_kib} KiB and {passes} passes are asked for; at most {MEMORY_KIB_MAX} and {PASSES_MAX} are allowed"
            )));
        }
        let params =
            Params::new(*memory_kib, *passes, 1, Some(KEY_BYTES)).map_err(|error| failed(error.to_string()))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), salt, key.as_mut_slice())
            .map_err(|error| failed(error.to_string()))?;
        Ok(key)
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// How a passphrase becomes a key: Argon2id (RFC 9106) with one lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stretching {
    memory_kib: u32,
    passes: u32,
    #[serde(with = "crate::hex::bytes")]
    salt: Vec<u8>,
}

impl Stretching {
    /// With a fresh salt, at the cost of RFC 9106's second recommendation: 64 MiB, three passes.
    pub(super) fn fresh() -> Result<Self, StoreError> {
        let mut salt = vec![0; 16];
        random(&mut salt)?;
        Ok(Self { memory_kib: 64 << 10, passes: 3, salt })
    }
}
