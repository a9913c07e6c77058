//! `/api/search`: finding what was said and written, while the call is still on.

use super::extract::Query;
use crate::app::App;
use crate::auth::{May, permissions::Search};
use crate::error::Error;
use crate::search::{self, SearchInput, SearchPage};
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Finds turns, calls, contacts, appointments, tasks and passages, best first.
#[utoipa::path(get, path = "/api/search", tag = "search", params(SearchInput), responses((status = 200, body = SearchPage)))]
async fn search(
    State(app): State<Arc<App>>,
    may: May<Search>,
    Query(input): Query<SearchInput>,
) -> Result<axum::Json<SearchPage>, Error> {
    Ok(axum::Json(search::search(&app, &may, input).await?))
}
