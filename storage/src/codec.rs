//! The one place where values become bytes and bytes become values.
//!
//! A stored value is a version byte followed by MessagePack with field names, so that a field can be added with
//! `#[serde(default)]` without a new version. Identifiers and instants are written as text: tagged and flattened
//! enums buffer their content while decoding and forget whether the format was a binary one.
//!
//! Every value of every table passes through [`encode`] and [`decode`], with its whole key: whatever has to
//! happen to bytes on their way to and from the disk happens here.

use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest encoded value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A table as the codec and the errors know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Second part of every key of the table; never used again once given up.
    pub id: u16,
    /// Its name in errors and documents.
    pub name: &'static str,
    /// Version of its values.
    pub version: u8,
}

/// The stored form of a value.
pub(crate) fn encode<T: Serialize + ?Sized>(table: Table, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(table.version);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    value
        .serialize(&mut serializer)
        .map_err(|error| StoreError::Encoding { table: table.name, reason: error.to_string() })?;
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(StoreError::ValueTooLong { table: table.name, bytes: bytes.len(), max: VALUE_BYTES_MAX });
    }
    Ok(bytes)
}

/// The value of a stored form.
pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    let Some((version, body)) = bytes.split_first() else {
        return Err(StoreError::Decoding { table: table.name, reason: "it is empty".to_owned() });
    };
    if *version != table.version {
        return Err(StoreError::Version { table: table.name, found: *version, known: table.version });
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body).with_human_readable();
    T::deserialize(&mut deserializer)
        .map_err(|error| StoreError::Decoding { table: table.name, reason: kind_of(&error) })
}

/// The sort of decoding error, without the bytes it met: they may be about a person.
fn kind_of(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "it ends too early".to_owned(),
        Error::TypeMismatch(marker) => format!("unexpected MessagePack marker {marker:?}"),
        Error::OutOfRange => "a number is out of range".to_owned(),
        Error::LengthMismatch(length) => format!("unexpected length {length}"),
        Error::Utf8Error(_) => "a text is not UTF-8".to_owned(),
        Error::DepthLimitExceeded => "it is nested too deeply".to_owned(),
        Error::Uncategorized(_) | Error::Syntax(_) => "its fields do not fit the record".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::Timestamp;
    use auricle_domain::account::Actor;
    use auricle_domain::code::{Heard, Lang, Role, Speaker};
    use auricle_domain::conversation::{Citation, ToolUse, Turn, Word};
    use auricle_domain::event::{Envelope, Event};
    use auricle_domain::id::{AccountId, CallId, CauseId, ConversationId, DocumentId, PassageId, TenantId};
    use serde::Deserialize;

    const TABLE: Table = Table { id: 900, name: "test", version: 2 };

    fn turn() -> Turn {
        let at = Timestamp::UNIX_EPOCH;
        Turn {
            conversation: ConversationId::new(at, [1; 10]),
            call: CallId::new(at, [2; 10]),
            index: 3,
            speaker: Speaker::Receptionist,
            text: "Dobrý den".to_owned(),
            language: Lang::Cs,
            start_ms: 1,
            end_ms: u64::MAX,
            heard: Heard::Partly,
            words: vec![Word { text: "Dobrý".to_owned(), start_ms: 1, end_ms: 2 }],
            citations: vec![Citation {
                document: DocumentId::new(at, [4; 10]),
                name: "Hours".to_owned(),
                passage: PassageId::new(at, [5; 10]),
            }],
            tools: vec![ToolUse { name: "find_slots".to_owned(), ok: true, result: "slots_found".to_owned() }],
            reply_ms: None,
            engine: "local".to_owned(),
        }
    }

    #[test]
    fn an_event_with_everything_in_it_comes_back_whole() {
        let at = "2026-11-20T16:00:00.123456789Z".parse().unwrap();
        let envelope = Envelope {
            seq: u64::MAX,
            at,
            tenant: TenantId::new(at, [1; 10]),
            actor: Actor::Account { id: AccountId::new(at, [2; 10]), role: Role::Admin },
            cause: CauseId::new(at, [3; 10]),
            event: Event::TurnCommitted { turn: Box::new(turn()) },
        };
        let bytes = encode(TABLE, &envelope).unwrap();
        assert_eq!(decode::<Envelope>(TABLE, &bytes), Ok(envelope));
    }

    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Grown {
        #[serde(flatten)]
        turn: Turn,
        #[serde(default)]
        added: Option<String>,
    }

    #[test]
    fn a_field_can_be_added_and_an_unknown_one_is_passed_over() {
        let old = encode(TABLE, &turn()).unwrap();
        assert_eq!(decode(TABLE, &old), Ok(Grown { turn: turn(), added: None }));
        let new = encode(TABLE, &Grown { turn: turn(), added: Some("x".to_owned()) }).unwrap();
        assert_eq!(decode(TABLE, &new), Ok(turn()));
    }

    #[test]
    fn another_version_and_damaged_bytes_are_errors_without_contents() {
        let bytes = encode(TABLE, &turn()).unwrap();
        let other = Table { version: 3, ..TABLE };
        assert_eq!(decode::<Turn>(other, &bytes), Err(StoreError::Version { table: "test", found: 2, known: 3 }));
        for length in 0..bytes.len() {
            assert!(decode::<Turn>(TABLE, &bytes[..length]).is_err());
        }
        let secret = encode(TABLE, &"a name").unwrap();
        let error = decode::<u32>(TABLE, &secret).unwrap_err();
        assert!(!format!("{error:?}").contains("a name"), "{error:?}");
    }
}
