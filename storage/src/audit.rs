//! The audit chain: one entry for each event of the feed, written in the same transaction and linked by SHA-256.
//!
//! An entry that is changed, left out or put in breaks the link of the one after it; an end that is cut off is missed by
//! whoever keeps an exported [`AuditHead`].

#[cfg(test)]
mod tests;

use crate::codec;
use crate::error::StoreError;
use crate::key;
use crate::kv::KeyRange;
use crate::log::EventDraft;
use crate::schema;
use crate::store::Store;
use crate::tx::{ReadTx, WriteTx};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::audit::{AuditEntry, AuditHead, Link};
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use sha2::{Digest, Sha256};

/// Entries that are checked in one transaction.
const PAGE: usize = 500;

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheck {
    /// Entries whose links hold, from the first on.
    pub entries: u64,
    /// The end of the chain, as far as it holds.
    pub head: AuditHead,
    /// The first link that does not hold.
    pub broken: Option<AuditBreak>,
}

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditBreak {
    /// An entry is not there.
    #[error("entry {seq} is missing")]
    Missing {
        /// Its number.
        seq: u64,
    },
    /// An entry does not open.
    #[error("entry {seq} is damaged")]
    Damaged {
        /// Its number.
        seq: u64,
    },
    /// An entry is not the one that the entry after it, or the end of the chain, was linked to.
    #[error("entry {seq} was changed: what follows is linked to another one")]
    Changed {
        /// Its number.
        seq: u64,
    },
    /// The chain is shorter than it was when a head was exported.
    #[error("the chain ends at entry {end}, and the exported head is of entry {seq}: its end was cut off")]
    CutOff {
        /// Where it ends.
        end: u64,
        /// The exported number.
        seq: u64,
    },
    /// The chain has another entry than it had when a head was exported.
    #[error("entry {seq} is not the one whose head was exported: the chain was written anew")]
    Rewritten {
        /// The exported number.
        seq: u64,
    },
}

/// The link that the first entry of a clinic carries.
fn beginning(tenant: &[u8; 16]) -> Link {
    Link(Sha256::new_with_prefix(b"auricle audit chain of ").chain_update(tenant).finalize().into())
}

fn link_of(stored: &[u8]) -> Link {
    Link(Sha256::digest(stored).into())
}

/// A chain that grows.
pub(crate) struct Chain(AuditHead);

impl Chain {
    /// One without an entry.
    pub(crate) fn new(tenant: &[u8; 16]) -> Self {
        Self(AuditHead { seq: 0, link: beginning(tenant) })
    }

    /// One that ends here.
    pub(crate) fn at(head: AuditHead) -> Self {
        Self(head)
    }

    /// Its end.
    pub(crate) fn head(&self) -> AuditHead {
        self.0
    }

    /// The stored form of the next entry, which is about this event.
    pub(crate) fn link(
        &mut self,
        at: Timestamp,
        actor: Actor,
        cause: CauseId,
        event: &Event,
    ) -> Result<Vec<u8>, StoreError> {
        let seq = self.0.seq + 1;
        let (object, id) = event.object();
        let entry = AuditEntry {
            seq,
            at,
            actor,
            cause,
            action: event.kind().to_owned(),
            object: object.to_owned(),
            id,
            reason: event.reason().map(str::to_owned),
            prev: self.0.link,
        };
        let stored = codec::encode(schema::AUDIT, &entry)?;
        self.0 = AuditHead { seq, link: link_of(&stored) };
        Ok(stored)
    }
}

impl WriteTx {
    /// Links the next entry to the chain.
    pub(crate) fn audit_next(&mut self, chain: &mut Chain, draft: &EventDraft) -> Result<(), StoreError> {
        let stored = chain.link(draft.at, draft.actor, draft.cause, &draft.event)?;
        self.raw_set(schema::AUDIT.name, self.key_of(schema::AUDIT, &chain.head().seq), Some(stored))
    }

    /// Writes where the chain ends now.
    pub(crate) fn set_audit_head(&mut self, head: AuditHead) -> Result<(), StoreError> {
        let value = codec::encode(schema::AUDIT_HEAD, &head)?;
        self.raw_set(schema::AUDIT_HEAD.name, self.key_of(schema::AUDIT_HEAD, &()), Some(value))
    }
}

impl ReadTx {
    /// The end of the audit chain.
    ///
    /// # Errors
    /// When the store fails.
    pub fn audit_head(&self) -> Result<AuditHead, StoreError> {
        let key = self.key_of(schema::AUDIT_HEAD, &());
        let beginning = AuditHead { seq: 0, link: beginning(self.tenant().as_bytes()) };
        self.raw_get(&key)?.map_or(Ok(beginning), |bytes| codec::decode(schema::AUDIT_HEAD, &bytes))
    }

    /// Up to `limit` (at most 1,000) entries before number `before`, newest first.
    ///
    /// # Errors
    /// When the store fails; [`StoreError::Damaged`] when one of them does not open.
    pub fn audit(&self, before: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let range = KeyRange { start: self.key_of(schema::AUDIT, &()), end: Some(self.key_of(schema::AUDIT, &before)) };
        let rows = self.raw_range(&range, true, limit)?;
        rows.iter().map(|(_, bytes)| codec::decode(schema::AUDIT, bytes)).collect()
    }

    /// The stored form of the entries after number `after`, as far as they open and without a gap.
    fn links(&self, after: u64, limit: usize) -> Result<Vec<(AuditEntry, Link)>, StoreError> {
        let range = KeyRange {
            start: self.key_of(schema::AUDIT, &(after + 1)),
            end: key::after_prefix(&self.key_of(schema::AUDIT, &())),
        };
        let rows = self.raw_range(&range, false, limit)?;
        rows.iter().map(|(_, bytes)| Ok((codec::decode(schema::AUDIT, bytes)?, link_of(bytes)))).collect()
    }
}

fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. } | StoreError::Decoding { .. } | StoreError::Version { .. })
}

/// A check as far as it has come.
struct Walk {
    end: AuditHead,
    /// Exported heads that were not passed yet, the next one last.
    exported: Vec<AuditHead>,
}

impl Walk {
    /// Takes the next entry.
    fn step(&mut self, entry: &AuditEntry, link: Link) -> Result<(), AuditBreak> {
        let seq = self.end.seq + 1;
        if entry.seq != seq {
            return Err(AuditBreak::Missing { seq });
        }
        if entry.prev != self.end.link {
            return Err(AuditBreak::Changed { seq: self.end.seq });
        }
        self.end = AuditHead { seq, link };
        while let Some(exported) = self.exported.pop_if(|exported| exported.seq <= seq) {
            if exported != self.end {
                return Err(AuditBreak::Rewritten { seq });
            }
        }
        Ok(())
    }

    fn finish(&self, head: AuditHead) -> Option<AuditBreak> {
        if self.end.seq < head.seq {
            return Some(AuditBreak::Missing { seq: self.end.seq + 1 });
        }
        if self.end != head {
            return Some(AuditBreak::Changed { seq: self.end.seq });
        }
        self.exported.first().map(|last| AuditBreak::CutOff { end: self.end.seq, seq: last.seq })
    }
}

impl Store {
    /// Checks the audit chain from its first entry to the last there was when the check began, and against heads that
    /// were exported before. `progress` hears the entries checked, and how many there are.
    ///
    /// # Errors
    /// When the disk fails. What the check finds is no error: it is in the answer.
    pub fn verify_audit(
        &self,
        exported: &[AuditHead],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<AuditCheck, StoreError> {
        let head = self.read(ReadTx::audit_head)?;
        let mut exported: Vec<AuditHead> = exported.iter().filter(|head| head.seq > 0).copied().collect();
        exported.sort_unstable_by_key(|head| std::cmp::Reverse(head.seq));
        let mut walk = Walk { end: Chain::new(self.tenant().as_bytes()).head(), exported };
        while walk.end.seq < head.seq {
            let after = walk.end.seq;
            let limit = PAGE.min(usize::try_from(head.seq - after).unwrap_or(PAGE));
            let mut page = self.read(|tx| tx.links(after, limit));
            if page.as_ref().is_err_and(is_unreadable) {
                // One by one, to find the one that cannot be read.
                page = self.read(|tx| tx.links(after, 1));
            }
            if page.as_ref().is_err_and(is_unreadable) {
                let broken = Some(AuditBreak::Damaged { seq: after + 1 });
                return Ok(AuditCheck { entries: after, head: walk.end, broken });
            }
            let page = page?;
            if page.is_empty() {
                break;
            }
            for (entry, link) in page {
                if let Err(broken) = walk.step(&entry, link) {
                    return Ok(AuditCheck { entries: walk.end.seq, head: walk.end, broken: Some(broken) });
                }
            }
            progress(walk.end.seq, head.seq);
        }
        Ok(AuditCheck { entries: walk.end.seq, head: walk.end, broken: walk.finish(head) })
    }
}
