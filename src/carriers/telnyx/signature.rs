//! How Telnyx signs: Ed25519 with the account's key over `{timestamp}|{body}`, in base64, in `telnyx-signature-ed25519`; the seconds
//! since 1970 are in `telnyx-timestamp`.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How far a timestamp may be from our clock, either way, in seconds; as Telnyx's own libraries have it.
const TOLERANCE_S: u64 = 300;
/// Octets of a public key.
const KEY_OCTETS: usize = 32;

/// What was signed.
pub struct Signed<'a> {
    /// The timestamp, as sent.
    pub timestamp: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// Whether this is the signature of one of these keys, and was made just now. A key that is none signs nothing.
    pub fn is_by<'k>(&self, mut keys: impl Iterator<Item = &'k str>, signature: &str, now_s: i64) -> bool {
        let Ok(made_s) = self.timestamp.parse::<i64>() else { return false };
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        if made_s.abs_diff(now_s) > TOLERANCE_S {
            return false;
        }
        let text = [self.timestamp.as_bytes(), b"|", self.body].concat();
        keys.any(|known| {
            key(known).is_some_and(|known| UnparsedPublicKey::new(&ED25519, known).verify(&text, &signature).is_ok())
        })
    }
}

/// Reads a public key: the base64 of 32 octets. None when it is none.
pub fn key(text: &str) -> Option<[u8; KEY_OCTETS]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    const NOW_S: i64 = 1_764_089_000;

    fn pair(seed: u8) -> (Ed25519KeyPair, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = STANDARD.encode(pair.public_key().as_ref());
        (pair, public)
    }

    fn sign(pair: &Ed25519KeyPair, timestamp: &str, body: &[u8]) -> String {
        STANDARD.encode(pair.sign(&[timestamp.as_bytes(), b"|", body].concat()).as_ref())
    }

    /// SEC-11: the first vector of RFC 8032 section 7.1, so that the curve is the one that everybody means.
    #[test]
    fn the_vector_of_the_standard_holds() {
        let octets = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let public = octets("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = octets(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        );
        assert!(
            UnparsedPublicKey::new(&ED25519, key(&STANDARD.encode(&public)).unwrap()).verify(b"", &signature).is_ok()
        );
    }

    /// SEC-11: what is changed on the way, signed with another key, or signed long ago does not pass; while keys are changed, both do.
    #[test]
    fn only_what_was_signed_just_now_passes() {
        let ((ours, public), (_, other)) = (pair(7), pair(8));
        let (at, body) = (NOW_S.to_string(), br#"{"data":{}}"#.as_slice());
        let signature = sign(&ours, &at, body);
        let is_by = |keys: &[&str], timestamp: &str, body: &[u8], signature: &str, now_s: i64| {
            Signed { timestamp, body }.is_by(keys.iter().copied(), signature, now_s)
        };
        assert!(is_by(&[&public], &at, body, &signature, NOW_S));
        assert!(is_by(&[&other, &public], &at, body, &signature, NOW_S + 300), "the second key holds as well");
        assert!(is_by(&[&public], &at, body, &signature, NOW_S - 300), "our clock is behind");
        let later = (NOW_S + 1).to_string();
        type Row<'a> = (&'a [&'a str], &'a str, &'a [u8], &'a str, i64);
        let table: [Row<'_>; 9] = [
            (&[&other], &at, body, &signature, NOW_S),
            (&[], &at, body, &signature, NOW_S),
            (&["no key", ""], &at, body, &signature, NOW_S),
            (&[&public], &later, body, &signature, NOW_S),
            (&[&public], &at, br#"{"data":{} }"#, &signature, NOW_S),
            (&[&public], &at, body, "no base64!", NOW_S),
            (&[&public], &at, body, "", NOW_S),
            (&[&public], &at, body, &signature, NOW_S + 301),
            (&[&public], "now", body, &signature, NOW_S),
        ];
        for (keys, timestamp, body, signature, now_s) in table {
            assert!(!is_by(keys, timestamp, body, signature, now_s), "{keys:?} {timestamp} {now_s}");
        }
        let extremes = i64::MIN.to_string();
        assert!(!is_by(&[&public], &extremes, body, &sign(&ours, &extremes, body), i64::MAX));
    }
}
