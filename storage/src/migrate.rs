//! Formats of the store, and the way from each to the next.
//!
//! The format counts changes that an older program would misread. It is a row of the store itself. A program that opens an
//! older store first puts a copy of the file beside it, then takes one step after the other; a step that was cut off goes on
//! where it was. A program that opens a newer store refuses, unless the newer one has said that it may be read.

use crate::codec;
use crate::error::StoreError;
use crate::key;
use crate::kv::{KeyRange, Overlay, Row};
use crate::schema;
use serde::{Deserialize, Serialize};

mod audit_chain;

/// The format that this program writes.
///
/// | format | what came with it |
/// |---|---|
/// | 1 | sealed values |
/// | 2 | the audit chain |
pub const FORMAT: u32 = 2;

/// What a store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    /// Its format.
    pub(crate) format: u32,
    /// The oldest program, by the format it writes, that reads it rightly.
    pub(crate) readable_from: u32,
}

/// The format of a store that this program makes.
const CURRENT: Format = Format { format: FORMAT, readable_from: FORMAT };

/// The rows of a store that nobody else uses yet.
pub(crate) trait Rows {
    /// The plain value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Up to `limit` rows of a range, from its start.
    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Row>, StoreError>;
    /// Writes durably, all or nothing.
    fn write(&self, writes: Overlay) -> Result<(), StoreError>;
    /// Puts a copy of the store beside it under this name, durably.
    fn snapshot(&self, name: &str) -> Result<(), StoreError>;
    /// What the store is called in errors.
    fn name(&self) -> std::path::PathBuf;
}

/// One step: what it is for in the log, and what it does. It may be cut off anywhere, and is then run again.
struct Step {
    to: u32,
    what: &'static str,
    run: fn(&dyn Rows, [u8; 16]) -> Result<(), StoreError>,
}

const STEPS: &[Step] =
    &[Step { to: 2, what: "an audit entry for every event there has been", run: audit_chain::begin }];

fn format_key() -> Vec<u8> {
    key::encode(&([0u8; 16], schema::FORMAT.id))
}

/// The row that tells a store's format.
pub(crate) fn mark(writes: &mut Overlay, format: u32) -> Result<(), StoreError> {
    let value = codec::encode(schema::FORMAT, &Format { format, readable_from: CURRENT.readable_from.min(format) })?;
    writes.set(format_key(), Some(value));
    Ok(())
}

/// Brings a store that exists to this program's format.
pub(crate) fn run(rows: &dyn Rows, tenant: [u8; 16]) -> Result<(), StoreError> {
    // Stores of the first format do not tell it.
    let found = match rows.get(&format_key())? {
        Some(bytes) => codec::decode(schema::FORMAT, &bytes)?,
        None => Format { format: 1, readable_from: 1 },
    };
    if found.format > FORMAT {
        if found.readable_from <= FORMAT {
            return Ok(());
        }
        return Err(StoreError::Newer { what: rows.name(), found: found.format, known: FORMAT });
    }
    if found.format == FORMAT {
        return Ok(());
    }
    rows.snapshot(&format!("before-format-{FORMAT}.redb"))?;
    for step in STEPS.iter().filter(|step| step.to > found.format) {
        tracing::info!(format = step.to, what = step.what, "the store is brought to a newer format");
        (step.run)(rows, tenant)?;
        let mut writes = Overlay::default();
        mark(&mut writes, step.to)?;
        rows.write(writes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_lead_to_this_format_one_by_one() {
        let formats: Vec<u32> = STEPS.iter().map(|step| step.to).collect();
        assert_eq!(formats, (2..=FORMAT).collect::<Vec<_>>());
    }
}
