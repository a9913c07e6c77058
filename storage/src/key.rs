//! Keys: tuples encoded so that their bytes sort as the tuples do.

use auricle_domain::Timestamp;
use auricle_domain::id::{
    AccountId, AppointmentId, CallId, CauseId, ContactId, ConversationId, DocumentId, PassageId, PhoneId, ServiceId,
    SessionId, TaskId, TenantId, TextId, TrunkId,
};

/// Longest key, in bytes: what every backend we mean to have can hold.
pub const KEY_BYTES_MAX: usize = 1024;

/// Something that can stand in a key. Fixed-width parts sort by value; texts end with a terminator, so that a
/// text that is the beginning of another sorts before it and never runs into the next part.
pub trait KeyPart {
    /// Appends the encoded part.
    fn write(&self, key: &mut Vec<u8>);
}

impl<T: KeyPart + ?Sized> KeyPart for &T {
    fn write(&self, key: &mut Vec<u8>) {
        (**self).write(key);
    }
}

macro_rules! big_endian {
    ($($int:ty),+) => {$(
        impl KeyPart for $int {
            fn write(&self, key: &mut Vec<u8>) {
                key.extend_from_slice(&self.to_be_bytes());
            }
        }
    )+};
}
big_endian!(u8, u16, u32, u64);

impl<const N: usize> KeyPart for [u8; N] {
    fn write(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(self);
    }
}

/// Microseconds, with the sign bit turned so that instants before 1970 sort first.
impl KeyPart for Timestamp {
    fn write(&self, key: &mut Vec<u8>) {
        (self.as_microsecond().cast_unsigned() ^ (1 << 63)).write(key);
    }
}

/// A zero byte inside becomes 00 FF, the end is 00 00: both sort below every other continuation.
impl KeyPart for str {
    fn write(&self, key: &mut Vec<u8>) {
        for byte in self.bytes() {
            key.push(byte);
            if byte == 0 {
                key.push(0xff);
            }
        }
        key.extend_from_slice(&[0, 0]);
    }
}

impl KeyPart for String {
    fn write(&self, key: &mut Vec<u8>) {
        self.as_str().write(key);
    }
}

impl KeyPart for () {
    fn write(&self, _: &mut Vec<u8>) {}
}

macro_rules! id_parts {
    ($($id:ty),+) => {$(
        impl KeyPart for $id {
            fn write(&self, key: &mut Vec<u8>) {
                self.as_bytes().write(key);
            }
        }
    )+};
}
id_parts!(
    AccountId,
    AppointmentId,
    CallId,
    CauseId,
    ContactId,
    ConversationId,
    DocumentId,
    PassageId,
    PhoneId,
    ServiceId,
    SessionId,
    TaskId,
    TextId,
    TrunkId,
    TenantId
);

macro_rules! tuple_parts {
    ($(($($part:ident . $at:tt),+)),+) => {$(
        impl<$($part: KeyPart),+> KeyPart for ($($part,)+) {
            fn write(&self, key: &mut Vec<u8>) {
                $(self.$at.write(key);)+
            }
        }
    )+};
}
tuple_parts!((A.0), (A.0, B.1), (A.0, B.1, C.2), (A.0, B.1, C.2, D.3));

/// The bytes of one part.
pub(crate) fn encode(part: &impl KeyPart) -> Vec<u8> {
    let mut key = Vec::with_capacity(32);
    part.write(&mut key);
    key
}

/// The first key after every key that begins with `prefix`; none when there is no such key.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_sort_as_they_do_in_a_tuple(a in "[\\x00ab]{0,5}", b in "[\\x00ab]{0,5}", x: u16, y: u16) {
            let encoded = encode(&(a.as_str(), x)).cmp(&encode(&(b.as_str(), y)));
            prop_assert_eq!(encoded, (a, x).cmp(&(b, y)));
        }

        #[test]
        fn instants_sort_by_time(a in -9_000_000_000i64..9_000_000_000, b in -9_000_000_000i64..9_000_000_000) {
            let (a, b) = (Timestamp::from_second(a).unwrap(), Timestamp::from_second(b).unwrap());
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
        }

        #[test]
        fn the_key_after_a_prefix_is_above_all_of_it(prefix in proptest::collection::vec(any::<u8>(), 0..4), tail: Vec<u8>) {
            let whole = [prefix.as_slice(), tail.as_slice()].concat();
            if let Some(end) = after_prefix(&prefix) {
                prop_assert!(whole < end);
                prop_assert!(!end.starts_with(&prefix));
            }
        }
    }
}
