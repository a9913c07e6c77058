//! What was said, call by call.

use crate::app::App;
use crate::auth::{May, permissions::ReadCalls};
use crate::calls;
use crate::error::Error;
use crate::page::{Page, PageQuery, cursor_of};
use crate::reasons::{self, Part};
use auricle_domain::conversation::{Conversation, Turn};
use auricle_domain::id::ConversationId;
use auricle_storage::{Scan, schema};
use serde::{Deserialize, Serialize};

/// A conversation with everything said in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConversationWithTurns {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// What was said, in order.
    pub items: Vec<Turn>,
}

/// Conversations, newest first.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub fn list(app: &App, _may: &May<ReadCalls>, query: &PageQuery) -> Result<Page<Conversation>, Error> {
    let scan = Scan::index(schema::CONVERSATIONS_BY_TIME).newest_first().limit(query.limit()?);
    let scan = scan.after(cursor_of(query.after.as_deref())?);
    Ok(Page::of(app.store.read(|tx| tx.scan(scan))?, |conversation| conversation))
}

/// One conversation with everything said in it; that it was read is noted.
///
/// # Errors
/// `not_found`; `reason_required` of a past call, where the clinic asks why.
pub async fn get(app: &App, may: &May<ReadCalls>, id: ConversationId) -> Result<ConversationWithTurns, Error> {
    let (call, found) = app.store.read(|tx| -> Result<_, Error> {
        let conversation: Conversation = tx.get(&id)?.ok_or_else(|| Error::not_found("conversation"))?;
        let call = calls::known(tx, conversation.call)?;
        Ok((call, ConversationWithTurns { items: calls::said_in(tx, conversation.call)?, conversation }))
    })?;
    let reading = reasons::reading(app, may, &call, Part::Transcript)?;
    app.events.record_read(reading, "transcript", call.id).await?;
    Ok(found)
}
