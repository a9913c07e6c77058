//! The dialog's requests, carried out with the clinic's tools.

use super::Desk;
use crate::providers::{SttOptions, SttSession};
use crate::voice::tools::{Scope, ToolError, Tools};
use auricle_domain::appointment::Service;
use auricle_domain::code::Lang;
use auricle_domain::dialog::PASSAGES;
use auricle_domain::dialog::tool::{ToolFailure, ToolRequest, ToolResult};

/// Runs one request to its end.
pub(super) async fn run(tools: &dyn Tools, scope: Scope, language: Lang, request: ToolRequest) -> ToolResult {
    match request {
        ToolRequest::Answer { query } => {
            ToolResult::Answer(tools.answer(&query, language, PASSAGES).await.map_err(|error| failure(&error)))
        }
        ToolRequest::FindSlots { service, from, to, limit } => {
            ToolResult::Slots(tools.find_slots(service, from, to, limit).await.map_err(|error| failure(&error)))
        }
        ToolRequest::Hold { slot } => ToolResult::Held(tools.hold(scope, slot).await.map_err(|error| failure(&error))),
        ToolRequest::Confirm { appointment, name, number } => {
            let done = tools.confirm(scope, appointment, name, number).await;
            ToolResult::Confirmed(done.map(drop).map_err(|error| failure(&error)))
        }
        ToolRequest::Release { appointment } => {
            ToolResult::Released(tools.release(scope, appointment).await.map_err(|error| failure(&error)))
        }
        ToolRequest::TakeMessage(message) => {
            let done = tools.take_message(scope, message).await;
            ToolResult::MessageTaken(done.map(drop).map_err(|error| failure(&error)))
        }
    }
}

fn failure(error: &ToolError) -> ToolFailure {
    match error {
        ToolError::SlotTaken => ToolFailure::SlotTaken,
        ToolError::HoldGone => ToolFailure::HoldGone,
        ToolError::Invalid { .. } | ToolError::Unavailable(_) => {
            tracing::warn!(%error, "a tool failed");
            ToolFailure::Unavailable
        }
    }
}

/// Recognition for this call, where there is a place and it knows the language, and what can be booked.
pub(super) async fn prepare(desk: &Desk, language: Lang) -> (Option<SttSession>, Vec<Service>) {
    let services = desk.tools.services().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the services could not be read");
        Vec::new()
    });
    let Some(stt) = desk.stt.as_ref().filter(|stt| stt.languages().contains(&language)) else {
        return (None, services);
    };
    let phrases = desk.tools.vocabulary(language).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the vocabulary could not be built");
        Default::default()
    });
    match stt.listen(SttOptions { language, phrases }).await {
        Ok(session) => (Some(session), services),
        Err(error) => {
            tracing::warn!(%error, "recognition is not available for this call");
            (None, services)
        }
    }
}
