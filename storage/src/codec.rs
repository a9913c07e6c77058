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
