//! Keys for SRTP in session descriptions (RFC 4568): reading and writing `a=crypto`, and our own keys of a call.

use std::fmt;

use crate::rtp::srtp::{Keys, MasterKey, Suite};
use crate::sip::tokens::Tokens;

/// The most `a=crypto` lines of one section that are kept.
pub const CRYPTO_MAX: usize = 16;
/// Suites of our first offer, the most widely known first. Tags of 32 bits are taken but not asked for.
const OFFERED: [Suite; 4] = [Suite::AesCm128Sha80, Suite::AesCm256Sha80, Suite::AesGcm128, Suite::AesGcm256];
/// The shortest life of a key that is accepted, in packets as a power of two: 5.8 hours of 50 a second. Nothing is keyed
/// anew in mid-call for its sake.
const LIFETIME_BITS_MIN: u32 = 20;
/// The longest that a key may live (RFC 3711 section 9.2).
const LIFETIME_BITS_MAX: u32 = 48;

/// An `a=crypto` line that we can use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crypto {
    /// Tells the lines of an offer apart; an answer repeats the one that it chose.
    pub tag: u32,
    /// Suite, key and salt that the writer sends with.
    pub key: MasterKey,
}

impl Crypto {
    /// Reads the value of the attribute. None where the line asks for what we do not do: other suites, several keys, a
    /// master key identifier, a short life, session parameters that change the packets.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split_ascii_whitespace();
        let tag = parts.next()?.parse().ok().filter(|tag| (1..1_000_000_000).contains(tag))?;
        let suite = Suite::of_name(parts.next()?)?;
        let mut secret = parts.next()?.strip_prefix("inline:")?.split('|');
        let key = MasterKey::of_base64(suite, secret.next()?)?;
        if !secret.next().is_none_or(is_long_life) || secret.next().is_some() {
            return None;
        }
        // The size of the far end's replay window is its own affair.
        parts.all(|parameter| parameter.starts_with("WSH=")).then_some(Self { tag, key })
    }
}

/// A count of packets such as `2^31` or `1048576`. A master key identifier, which has a colon, is none.
fn is_long_life(text: &str) -> bool {
    let packets: Option<u64> = match text.strip_prefix("2^") {
        Some(bits) => bits.parse().ok().and_then(|bits| 1u64.checked_shl(bits)),
        None => text.parse().ok(),
    };
    packets.is_some_and(|packets| (1 << LIFETIME_BITS_MIN..=1 << LIFETIME_BITS_MAX).contains(&packets))
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a=crypto:{} {} inline:{}\r\n", self.tag, self.key.suite().name(), *self.key.to_base64())
    }
}

/// Our keys of one call. There is a ring only where signalling is secure: a key that others can read is worth nothing.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    tokens: Tokens,
    /// What is in use.
    current: Option<Keys>,
}

impl Keyring {
    /// Draws keys from a secret that no other call has.
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { tokens: Tokens::new(secret), current: None }
    }

    /// The key to send with under this suite: the one in use, so that nothing changes in mid-call, otherwise one that was
    /// never used before. With an old one, packets would be encrypted alike.
    pub(super) fn key(&mut self, suite: Suite) -> Option<MasterKey> {
        match &self.current {
            Some(keys) if keys.send.suite() == suite => Some(keys.send.clone()),
            _ => MasterKey::new(suite, &self.tokens.secret()[..]),
        }
    }

    /// The lines of our offer: those in use, or all suites.
    pub(super) fn offer(&mut self) -> Vec<Crypto> {
        let suites = match &self.current {
            Some(keys) => vec![keys.send.suite()],
            None => OFFERED.to_vec(),
        };
        (1..).zip(suites).filter_map(|(tag, suite)| Some(Crypto { tag, key: self.key(suite)? })).collect()
    }

    /// What both sides settled on.
    pub(super) fn settle(&mut self, keys: Option<Keys>) {
        self.current = keys;
    }

    /// What is in use.
    pub(super) fn current(&self) -> Option<&Keys> {
        self.current.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    /// RFC 4568 section 9.1 and what is made of it.
    #[test]
    fn lines_are_read_or_left_out() {
        let table = [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), true),
            (format!("999999999 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1048576 WSH=128"), true),
            (format!("1 AEAD_AES_128_GCM inline:{KEY}"), false),
            (format!("1 AEAD_AES_128_GCM inline:{}A==", &KEY[..37]), true),
            (format!("1 AEAD_AES_128_GCM inline:{}A", &KEY[..37]), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^19"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^99"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"), false),
            (format!("0 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}"), false),
            ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), false),
            (String::new(), false),
        ];
        for (line, usable) in table {
            assert_eq!(Crypto::parse(&line).is_some(), usable, "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut ring = Keyring::new([7; 32]);
        for crypto in ring.offer() {
            let line = crypto.to_string();
            assert_eq!(Crypto::parse(line.trim().strip_prefix("a=crypto:").unwrap()), Some(crypto));
        }
    }

    /// A key that has been used comes back only while it is in use.
    #[test]
    fn keys_are_drawn_once_and_kept_while_they_are_in_use() {
        let mut ring = Keyring::new([7; 32]);
        let suite = Suite::AesCm128Sha80;
        let mut seen = Vec::new();
        for _ in 0..50 {
            let key = ring.key(suite).unwrap();
            assert!(!seen.contains(&key));
            seen.push(key.clone());
            ring.settle(Some(Keys { send: key.clone(), receive: key.clone() }));
            assert_eq!(ring.key(suite), Some(key.clone()));
            assert_eq!(ring.offer(), [Crypto { tag: 1, key }]);
            ring.settle(None);
        }
        assert_ne!(Keyring::new([8; 32]).key(suite), Keyring::new([7; 32]).key(suite));
        assert_eq!(Keyring::new([7; 32]).key(suite).as_ref(), seen.first(), "repeatable from the secret");
    }
}
