//! `/api/events`: the event log, and the messages of the socket.

use super::extract::Query;
use crate::app::App;
use crate::auth::{May, permissions::ReadEvents};
use crate::error::Error;
use crate::page::limit_of;
use crate::reasons;
use auricle_domain::event::{Envelope, Event};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    /// Events after this number; from the first unless told.
    #[serde(default)]
    after: Option<u64>,
    /// Events at most, 1 to 500; 100 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Events in the order of their numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventPage {
    /// The events.
    items: Vec<Envelope>,
    /// Give it as `after` to get what follows; null when nothing does.
    next: Option<u64>,
    /// Number of the newest event.
    head: u64,
}

/// The event log, oldest first. Where the clinic asks why transcripts are read, the words of past calls are left out of it.
#[utoipa::path(get, path = "/api/events", tag = "events", params(EventQuery), responses((status = 200, body = EventPage)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadEvents>,
    Query(query): Query<EventQuery>,
) -> Result<axum::Json<EventPage>, Error> {
    let limit = limit_of(query.limit, 100, 500)?;
    let mut items = app.store.feed(query.after.unwrap_or(0), limit)?;
    let hidden = reasons::hidden(&app.store, &items, may.who().account)?;
    for envelope in items.iter_mut().filter(|envelope| hidden.contains(&envelope.seq)) {
        if let Event::TurnCommitted { turn } = &mut envelope.event {
            (turn.text, turn.words) = (String::new(), Vec::new());
        }
    }
    let head = app.store.head();
    let next = items.last().map(|last| last.seq).filter(|seq| *seq < head);
    Ok(axum::Json(EventPage { items, next, head }))
}
