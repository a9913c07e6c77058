//! Whether what came out of a backup is all that belongs together.
//!
//! A row that is damaged is refused by name, because it does not open. One whose key is damaged is not found at all: the rest of the
//! store says that it must be there. So do rows that name a recording or the content of a document.

use super::create::summary_of;
use super::format::BackupSummary;
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::kv::{KeyRange, PAGE_ROWS_MAX, Snapshot};
use crate::lookup::LookupKey;
use crate::schema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What records say there is and a backup does not hold: recordings, contents of documents, rows. The store had lost it before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// How many.
    pub count: u64,
    /// The first 20, in words for an administrator.
    pub first: Vec<String>,
}

impl Missing {
    /// Most that are told in words.
    const TOLD_MAX: usize = 20;

    pub(super) fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < Self::TOLD_MAX {
            self.first.push(what);
        }
    }

    /// This, and what else is missing.
    pub(super) fn with(mut self, other: &Self) -> Self {
        self.count += other.count;
        self.first.extend(other.first.iter().cloned());
        self.first.truncate(Self::TOLD_MAX);
        self
    }
}

/// Rows as they are there, and as others say that they are.
#[derive(Default)]
struct Tally {
    /// Rows of each table and index, by number.
    rows: BTreeMap<u16, u64>,
    /// Rows of each index that the records there are must have.
    indexed: BTreeMap<u16, u64>,
    /// Rows of a table that rows of another one say there are: its name with their number.
    promised: BTreeMap<u16, (&'static str, u64)>,
}

impl Tally {
    fn add(&mut self, key: &[u8], value: &[u8], lookup: &LookupKey) -> Result<(), StoreError> {
        for entry in schema::index_rows(key, value, lookup)? {
            *self.indexed.entry(schema::table_of(&entry)).or_default() += 1;
        }
        if let Some((table, rows)) = schema::promised_rows(key, value)? {
            self.promised.entry(table.id).or_insert((table.name, 0)).1 += u64::from(rows);
        }
        Ok(())
    }

    fn rows_of(&self, number: u16) -> u64 {
        self.rows.get(&number).copied().unwrap_or(0)
    }

    /// Tells what is not there.
    fn compare(&self, summary: &BackupSummary, missing: &mut Missing) {
        let mut at_least = |what: &str, there: u64, said: u64| {
            if there < said {
                missing.add(format!("a row of {what} ({there} of {said} are there)"));
            }
        };
        at_least(schema::FEED.name, self.rows_of(schema::FEED.id), summary.feed_head);
        let audited = summary.audit_head.map_or(0, |head| head.seq);
        at_least(schema::AUDIT.name, self.rows_of(schema::AUDIT.id), audited);
        for (number, (name, said)) in &self.promised {
            at_least(name, self.rows_of(*number), *said);
        }
        let in_use = self.rows.range(schema::FIRST_INDEX..).map(|(number, _)| number).chain(self.indexed.keys());
        for number in in_use.copied().collect::<BTreeSet<u16>>() {
            let (there, said) = (self.rows_of(number), self.indexed.get(&number).copied().unwrap_or(0));
            let name = schema::index_name(number);
            if there < said {
                missing.add(format!("a row of the index {name} ({there} of {said} are there)"));
            } else if there > said {
                missing.add(format!("a record of the index {name} ({said} of {there} are there)"));
            }
        }
    }
}

/// What a filled store of this format holds, and what its rows say there is and it does not have.
pub(super) fn count(
    snapshot: &dyn Snapshot,
    format: u32,
    blobs: &Blobs,
    lookup: &LookupKey,
) -> Result<(BackupSummary, Missing), StoreError> {
    let (mut tally, mut missing) = (Tally::default(), Missing::default());
    let mut tenant = [0; 16];
    let mut range = KeyRange { start: Vec::new(), end: None };
    loop {
        let page = snapshot.range(&range, false, PAGE_ROWS_MAX)?;
        let Some((last, _)) = page.last() else { break };
        range.start = [last.as_slice(), &[0]].concat();
        for (key, value) in &page {
            *tally.rows.entry(schema::table_of(key)).or_default() += 1;
            // What rows of an older format mean, the migration knows.
            if format == crate::FORMAT {
                tally.add(key, value, lookup)?;
                if let Some(named) = schema::named_blob(key, value)?.filter(|named| !blobs.exists(named.blob)) {
                    missing.add(named.what);
                }
            }
        }
        // The rows of the clinic stand after those of the store itself.
        if let Some(bytes) = last.first_chunk::<16>() {
            tenant = *bytes;
        }
    }
    let summary = BackupSummary { rows: tally.rows.clone(), ..summary_of(snapshot, &tenant)? };
    if format == crate::FORMAT {
        tally.compare(&summary, &mut missing);
    }
    Ok((summary, missing))
}
