//! The record of who did or read what, as an administrator reads and checks it (B-17).

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadAudit;
use crate::error::Error;
use crate::page::{Page, PageQuery};
use auricle_domain::audit::{AuditEntry, AuditHead};
use auricle_storage::ReadTx;
use serde::{Deserialize, Serialize};

/// Exported heads that one check compares.
pub const HEADS_MAX: usize = 4_000;

/// Heads of the chain that were exported before; there may be none.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckRequest {
    /// Up to 4,000, in any order.
    #[serde(default)]
    pub heads: Vec<AuditHead>,
}

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditChecked {
    /// Entries whose links hold, from the first on.
    pub entries: u64,
    /// The end of the chain, as far as it holds: export it.
    pub head: AuditHead,
    /// The first entry that does not hold, in words; null when all do.
    pub broken: Option<String>,
}

/// Entries, newest first; that they were read is an entry, too.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub async fn list(app: &App, may: &May<ReadAudit>, query: &PageQuery) -> Result<Page<AuditEntry>, Error> {
    let limit = query.limit()?;
    let before = query.after.as_deref().map_or(Ok(u64::MAX), str::parse);
    let before = before.map_err(|_| Error::field("after", "format", "after is not the `next` of a list"))?;
    let items = app.store.read(|tx| tx.audit(before, limit))?;
    let next = items.last().filter(|last| last.seq > 1 && items.len() == limit).map(|last| last.seq.to_string());
    app.events.record_read(may.reading(), "audit", "list").await?;
    Ok(Page { items, next })
}

/// The end of the chain, to be kept elsewhere.
///
/// # Errors
/// When the store fails.
pub fn head(app: &App, _: &May<ReadAudit>) -> Result<AuditHead, Error> {
    Ok(app.store.read(ReadTx::audit_head)?)
}

/// Checks every link, and exported heads.
///
/// # Errors
/// `invalid` for too many heads.
pub async fn verify(app: &App, may: &May<ReadAudit>, request: AuditCheckRequest) -> Result<AuditChecked, Error> {
    if request.heads.len() > HEADS_MAX {
        let detail = format!("heads has {} items, allowed are 0 to {HEADS_MAX}", request.heads.len());
        return Err(Error::field("heads", "too_long", detail));
    }
    let store = app.store.clone();
    let checked = tokio::task::spawn_blocking(move || store.verify_audit(&request.heads, |_, _| {})).await;
    let checked = checked.map_err(|error| Error::internal("check the audit chain", &error))??;
    app.events.record_read(may.reading(), "audit", "check").await?;
    let broken = checked.broken.map(|broken| broken.to_string());
    if let Some(broken) = &broken {
        tracing::error!(broken, "the audit chain does not hold");
    }
    Ok(AuditChecked { entries: checked.entries, head: checked.head, broken })
}
