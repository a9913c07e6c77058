//! Paged scans, in the order of a table's key or of an index.

use crate::codec;
use crate::error::{RESTORE, StoreError};
use crate::hex;
use crate::key::{self, KeyPart};
use crate::kv::{KeyRange, PAGE_ROWS_MAX};
use crate::record::{Index, Record};
use crate::schema;
use crate::tx::ReadTx;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// Bytes of `tenant | table` before the part of a key that a cursor carries.
const HEAD_BYTES: usize = 16 + 2;

/// Where a page ended. Its text form is for URLs; it is opaque, and contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for Cursor {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        if text.is_empty() || text.len() > 2 * key::KEY_BYTES_MAX {
            return Err(StoreError::BadCursor);
        }
        hex::decode(text).map(Self).ok_or(StoreError::BadCursor)
    }
}

/// One page of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<R> {
    /// The records.
    pub items: Vec<R>,
    /// Where the next page begins; none when this was the last one.
    pub next: Option<Cursor>,
}

/// What to scan. Built up in words: `Scan::index(CALLS_BY_TIME).from(a).to(b).newest_first().limit(50)`.
pub struct Scan<R> {
    index: Option<Index<R>>,
    prefix: Vec<u8>,
    from: Vec<u8>,
    to: Option<Vec<u8>>,
    after: Option<Cursor>,
    limit: usize,
    newest_first: bool,
}

impl<R: Record> Scan<R> {
    fn over(index: Option<Index<R>>) -> Self {
        Self { index, prefix: Vec::new(), from: Vec::new(), to: None, after: None, limit: 100, newest_first: false }
    }

    /// All records, by key. Keys that are identifiers sort by the time they were made.
    pub fn table() -> Self {
        Self::over(None)
    }

    /// All records of an index, in its order.
    pub fn index(index: Index<R>) -> Self {
        Self::over(Some(index))
    }

    /// Only those whose key begins with `part`. Called again, the parts stand one after the other.
    #[must_use]
    pub fn prefix(mut self, part: impl KeyPart) -> Self {
        part.write(&mut self.prefix);
        self
    }

    /// Only those at or after `part`, which follows the prefix.
    #[must_use]
    pub fn from(mut self, part: impl KeyPart) -> Self {
        self.from = key::encode(&part);
        self
    }

    /// Only those before `part`, which follows the prefix.
    #[must_use]
    pub fn to(mut self, part: impl KeyPart) -> Self {
        self.to = Some(key::encode(&part));
        self
    }

    /// Goes on where a page ended. A cursor of another scan gives an odd place, never another clinic or table.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// Records of a page, at most 1,000; 100 unless told.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, PAGE_ROWS_MAX - 1);
        self
    }

    /// From the end of the order to its beginning.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    fn range(&self, tx: &ReadTx) -> KeyRange {
        let id = self.index.map_or(R::TABLE.id, |index| index.id);
        let head = key::encode(&(tx.tenant(), id));
        let prefix = [head.as_slice(), &self.prefix].concat();
        let mut range = KeyRange {
            start: [prefix.as_slice(), &self.from].concat(),
            end: match &self.to {
                Some(to) => Some([prefix.as_slice(), to].concat()),
                None => key::after_prefix(&prefix),
            },
        };
        if let Some(Cursor(position)) = &self.after {
            let mut position = [head.as_slice(), position].concat();
            if self.newest_first {
                range.end = Some(range.end.map_or_else(|| position.clone(), |end| end.min(position.clone())));
            } else {
                position.push(0);
                range.start = range.start.max(position);
            }
        }
        range
    }

    pub(crate) fn run(self, tx: &ReadTx) -> Result<Page<R>, StoreError> {
        // One row more than asked tells whether there is a next page.
        let mut rows = tx.raw_range(&self.range(tx), self.newest_first, self.limit + 1)?;
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = if more { rows.last().map(|(key, _)| Cursor(key[HEAD_BYTES..].to_vec())) } else { None };
        let mut items = Vec::with_capacity(rows.len());
        for (_, value) in rows {
            let bytes = if self.index.is_some() {
                let key = [key::encode(&(tx.tenant(), R::TABLE.id)), value].concat();
                // Indexes and records are written together: one without the other was damaged on the disk.
                tx.raw_get(&key)?.ok_or_else(|| StoreError::Damaged {
                    what: format!("{} (an index names it, and it is gone)", schema::describe(&key)),
                    way_back: RESTORE,
                })?
            } else {
                value
            };
            items.push(codec::decode(R::TABLE, &bytes)?);
        }
        Ok(Page { items, next })
    }
}
