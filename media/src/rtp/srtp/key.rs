//! Crypto suites and master keys, as signalling names and carries them (RFC 4568 section 6.2, RFC 6188, RFC 7714).

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Octets of the longest master key with its salt.
pub const SECRET_BYTES_MAX: usize = 46;

/// Some senders leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How packets are encrypted and signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Suite {
    /// AES-128 in counter mode, HMAC-SHA1 of 80 bits.
    AesCm128Sha80,
    /// The same with 32 bits under RTP (RTCP keeps 80).
    AesCm128Sha32,
    /// AES-256 in counter mode, HMAC-SHA1 of 80 bits.
    AesCm256Sha80,
    /// The same with 32 bits under RTP (RTCP keeps 80).
    AesCm256Sha32,
    /// AES-128 in Galois/counter mode.
    AesGcm128,
    /// AES-256 in Galois/counter mode.
    AesGcm256,
}

impl Suite {
    /// All that are accepted.
    pub const ALL: [Self; 6] = [
        Self::AesCm128Sha80,
        Self::AesCm128Sha32,
        Self::AesCm256Sha80,
        Self::AesCm256Sha32,
        Self::AesGcm128,
        Self::AesGcm256,
    ];

    /// The name in `a=crypto` lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AesGcm128 => "AEAD_AES_128_GCM",
            Self::AesGcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name. Drafts of RFC 6188 spelled its names like those of RFC 4568, and some still do.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "AES_CM_256_HMAC_SHA1_80" => Some(Self::AesCm256Sha80),
            "AES_CM_256_HMAC_SHA1_32" => Some(Self::AesCm256Sha32),
            _ => Self::ALL.into_iter().find(|suite| suite.name() == name),
        }
    }

    /// Whether the cipher is AES-256.
    pub(super) fn is_long(self) -> bool {
        matches!(self, Self::AesCm256Sha80 | Self::AesCm256Sha32 | Self::AesGcm256)
    }

    /// Octets of the master key.
    pub fn key_bytes(self) -> usize {
        if self.is_long() { 32 } else { 16 }
    }

    /// Octets of the master salt.
    pub fn salt_bytes(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Whether one algorithm both encrypts and signs.
    pub(super) fn is_aead(self) -> bool {
        matches!(self, Self::AesGcm128 | Self::AesGcm256)
    }

    /// Octets of the tag of an RTP packet.
    pub(super) fn tag_bytes(self) -> usize {
        match self {
            Self::AesCm128Sha80 | Self::AesCm256Sha80 => 10,
            Self::AesCm128Sha32 | Self::AesCm256Sha32 => 4,
            Self::AesGcm128 | Self::AesGcm256 => 16,
        }
    }

    /// Octets of the tag of an RTCP packet.
    pub(super) fn rtcp_tag_bytes(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

/// A master key with its salt. Compared in constant time, wiped when dropped, never shown.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; SECRET_BYTES_MAX],
}

impl MasterKey {
    /// From key and salt one after the other; more octets than the suite takes are left out, fewer are no key.
    pub fn new(suite: Suite, secret: &[u8]) -> Option<Self> {
        let length = suite.key_bytes() + suite.salt_bytes();
        let mut key = Self { suite, bytes: [0; SECRET_BYTES_MAX] };
        key.bytes[..length].copy_from_slice(secret.get(..length)?);
        Some(key)
    }

    /// As an `inline:` parameter carries it. None where that is no base64 or has another length than the suite's.
    pub fn of_base64(suite: Suite, text: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 2 * SECRET_BYTES_MAX]);
        let length = BASE64.decode_slice(text, &mut secret[..]).ok()?;
        (length == suite.key_bytes() + suite.salt_bytes()).then(|| Self::new(suite, &secret[..length]))?
    }

    /// As an `inline:` parameter carries it.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.secret()))
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key without its salt.
    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes()]
    }

    /// The salt.
    pub(super) fn salt(&self) -> &[u8] {
        &self.secret()[self.suite.key_bytes()..]
    }

    fn secret(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes() + self.suite.salt_bytes()]
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite && bool::from(self.bytes.ct_eq(&other.bytes))
    }
}

impl Eq for MasterKey {}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for MasterKey {}

/// Shows the suite only: who has the key hears the call.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// What both sides told each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// We send with it.
    pub send: MasterKey,
    /// The far end sends with it.
    pub receive: MasterKey,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_in_both_spellings() {
        for suite in Suite::ALL {
            assert_eq!(Suite::of_name(suite.name()), Some(suite));
        }
        assert_eq!(Suite::of_name("AES_CM_256_HMAC_SHA1_80"), Some(Suite::AesCm256Sha80));
        assert_eq!(Suite::of_name("AES_CM_256_HMAC_SHA1_32"), Some(Suite::AesCm256Sha32));
        assert_eq!(Suite::of_name("F8_128_HMAC_SHA1_80"), None);
        assert_eq!(Suite::of_name("aes_cm_128_hmac_sha1_80"), None, "names are case-sensitive (RFC 4568 section 9.1)");
    }

    /// Lengths of RFC 4568, RFC 6188 and RFC 7714 in base64, with padding and without.
    #[test]
    fn keys_have_their_suites_length() {
        for (suite, characters) in
            [(Suite::AesCm128Sha80, 40), (Suite::AesCm256Sha80, 64), (Suite::AesGcm128, 40), (Suite::AesGcm256, 60)]
        {
            let key = MasterKey::new(suite, &[0xa5; SECRET_BYTES_MAX]).unwrap();
            let text = key.to_base64();
            assert_eq!(text.len(), characters, "{suite:?}");
            assert_eq!(MasterKey::of_base64(suite, &text), Some(key.clone()));
            assert_eq!(MasterKey::of_base64(suite, text.trim_end_matches('=')), Some(key));
            assert_eq!(MasterKey::of_base64(suite, &text[4..]), None, "too short");
            assert_eq!(MasterKey::of_base64(suite, &format!("AAAA{}", *text)), None, "too long");
            assert_eq!(MasterKey::of_base64(suite, &format!("AA!A{}", &text[4..])), None, "no base64");
        }
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let key = MasterKey::new(Suite::AesCm128Sha80, &[171; 30]).unwrap();
        let shown = format!("{:?}", Keys { send: key.clone(), receive: key });
        assert!(!shown.contains("171") && !shown.contains("ab") && shown.contains("AesCm128Sha80"), "{shown}");
    }
}
