//! The change feed: every event of the clinic, numbered without holes in the order of commits.
//!
//! A number is taken as the last thing a transaction does, from a counter that the same transaction writes. So
//! a number that can be read was committed, and no smaller one is still to come: a follower that remembers one
//! number misses nothing.

use crate::audit::Chain;
use crate::codec;
use crate::error::StoreError;
use crate::key;
use crate::kv::KeyRange;
use crate::schema;
use crate::tx::{ReadTx, WriteTx};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::CauseId;

/// An event before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The piece of work it belongs to.
    pub cause: CauseId,
    /// What happened.
    pub event: Event,
}

impl WriteTx {
    /// Adds an event to the feed. It gets its number when the closure has returned.
    pub fn append(&mut self, draft: EventDraft) {
        self.drafts.push(draft);
    }

    /// Numbers the drafts and writes them. The last thing a transaction does.
    pub(crate) fn number_drafts(&mut self) -> Result<(), StoreError> {
        let drafts = std::mem::take(&mut self.drafts);
        if drafts.is_empty() {
            return Ok(());
        }
        let tenant = self.tenant();
        let mut head = self.head()?;
        // Entry N of the audit chain is about event N of the feed.
        let mut chain = Chain::at(self.audit_head()?);
        for draft in drafts {
            head += 1;
            self.audit_next(&mut chain, &draft)?;
            let EventDraft { at, actor, cause, event } = draft;
            let envelope = Envelope { seq: head, at, tenant, actor, cause, event };
            let value = codec::encode(schema::FEED, &envelope)?;
            self.raw_set(schema::FEED.name, self.key_of(schema::FEED, &head), Some(value))?;
        }
        self.set_audit_head(chain.head())?;
        let value = codec::encode(schema::FEED_HEAD, &head)?;
        self.raw_set(schema::FEED_HEAD.name, self.key_of(schema::FEED_HEAD, &()), Some(value))?;
        self.head = Some(head);
        Ok(())
    }
}

impl ReadTx {
    /// Number of the last event; 0 when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn head(&self) -> Result<u64, StoreError> {
        let key = self.key_of(schema::FEED_HEAD, &());
        self.raw_get(&key)?.map_or(Ok(0), |bytes| codec::decode(schema::FEED_HEAD, &bytes))
    }

    /// Up to `limit` (at most 1,000) events after number `after`, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub fn feed(&self, after: u64, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let range = KeyRange {
            start: self.key_of(schema::FEED, &first),
            end: key::after_prefix(&self.key_of(schema::FEED, &())),
        };
        let rows = self.raw_range(&range, false, limit)?;
        rows.iter().map(|(_, bytes)| codec::decode(schema::FEED, bytes)).collect()
    }

    /// How far the follower `name` has come; 0 when it has not begun.
    ///
    /// # Errors
    /// When the store fails.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        let key = self.key_of(schema::CURSOR, &name);
        self.raw_get(&key)?.map_or(Ok(0), |bytes| codec::decode(schema::CURSOR, &bytes))
    }
}

impl WriteTx {
    /// Remembers how far the follower `name` has come.
    ///
    /// # Errors
    /// When the store fails.
    pub fn set_cursor(&mut self, name: &str, seq: u64) -> Result<(), StoreError> {
        let value = codec::encode(schema::CURSOR, &seq)?;
        self.raw_set(schema::CURSOR.name, self.key_of(schema::CURSOR, &name), Some(value))
    }
}
