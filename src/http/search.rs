//! `/api/search`: finding what was said and written, while the call is still on.

use super::extract::Query;
use crate::app::App;
use crate::auth::{
    May,
    permissions::{KeepStorage, Search},
};
use crate::error::Error;
use crate::search::rebuild::{self, IndexState};
use crate::search::{self, SearchInput, SearchPage};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(state)).routes(routes!(rebuild))
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

/// How the index stands to the records, and how far it has come.
#[utoipa::path(get, path = "/api/search/state", tag = "search", responses((status = 200, body = IndexState)))]
async fn state(State(app): State<Arc<App>>, may: May<Search>) -> axum::Json<IndexState> {
    axum::Json(rebuild::state(&app, &may))
}

/// Builds a new index beside the one that answers, which it replaces when it has taken in everything; `GET /api/search/state` tells how
/// far that is.
#[utoipa::path(post, path = "/api/search/rebuild", tag = "search", responses((status = 202, body = IndexState, description = "It is being built")))]
async fn rebuild(
    State(app): State<Arc<App>>,
    may: May<KeepStorage>,
) -> Result<(StatusCode, axum::Json<IndexState>), Error> {
    Ok((StatusCode::ACCEPTED, axum::Json(rebuild::rebuild(&app, &may)?)))
}
