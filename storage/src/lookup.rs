//! Looking people up by e-mail address or telephone number without writing either into a key.

use crate::seal::KEY_BYTES;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How a piece of personal data stands in an index key: its HMAC-SHA256 (RFC 2104).
pub type Lookup = [u8; 32];

/// The key of the HMACs; it follows from the data key of the store.
#[derive(Clone)]
pub struct LookupKey([u8; KEY_BYTES]);

impl LookupKey {
    pub(crate) fn new(key: [u8; KEY_BYTES]) -> Self {
        Self(key)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_grouped() {
        let key = LookupKey::new([7; KEY_BYTES]);
        assert_eq!(key.number("+420 777-123 456"), key.number("+420777123456"));
        assert_ne!(key.number("777123456"), key.number("+777123456"));
        assert_ne!(key.number("reception"), key.number("kitchen"));
        assert_ne!(key.number("1"), key.email("1"));
    }
}
