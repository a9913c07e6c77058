//! Format 2: the audit chain begins with the first event there has been.

use super::Rows;
use crate::audit::Chain;
use crate::codec;
use crate::error::StoreError;
use crate::key;
use crate::kv::{KeyRange, Overlay};
use crate::schema;
use auricle_domain::event::Envelope;

/// Events of one transaction.
const BATCH: usize = 500;

/// Links an entry to the chain for every event that has none, as many as have been written each time it is cut off.
pub(super) fn begin(rows: &dyn Rows, tenant: [u8; 16]) -> Result<(), StoreError> {
    let head_key = key::encode(&(tenant, schema::AUDIT_HEAD.id));
    loop {
        let mut chain = match rows.get(&head_key)? {
            Some(bytes) => Chain::at(codec::decode(schema::AUDIT_HEAD, &bytes)?),
            None => Chain::new(&tenant),
        };
        let feed = KeyRange {
            start: key::encode(&(tenant, schema::FEED.id, chain.head().seq + 1)),
            end: key::after_prefix(&key::encode(&(tenant, schema::FEED.id))),
        };
        let page = rows.range(&feed, BATCH)?;
        if page.is_empty() {
            return Ok(());
        }
        let mut writes = Overlay::default();
        for (_, bytes) in page {
            let Envelope { at, actor, cause, event, .. } = codec::decode(schema::FEED, &bytes)?;
            let entry = chain.link(at, actor, cause, &event)?;
            writes.set(key::encode(&(tenant, schema::AUDIT.id, chain.head().seq)), Some(entry));
        }
        writes.set(head_key.clone(), Some(codec::encode(schema::AUDIT_HEAD, &chain.head())?));
        rows.write(writes)?;
    }
}
