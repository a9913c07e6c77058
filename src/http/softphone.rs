//! `/api/softphone`: a browser as a telephone.

use super::extract::{Json, Query};
use crate::app::App;
use crate::auth::{May, permissions::TakeCalls};
use crate::error::Error;
use crate::softphone::{self, Purpose, SessionAnswer, SessionOffer, SessionState};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(open, state, close))
}

/// Which of the account's sessions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// What it is for.
    purpose: Purpose,
}

/// Opens a WebRTC session for this page, or lets the page take over the account's session, with the call that is on it.
#[utoipa::path(post, path = "/api/softphone/session", tag = "calls", request_body = SessionOffer,
    responses((status = 200, body = SessionAnswer)))]
async fn open(
    State(app): State<Arc<App>>,
    may: May<TakeCalls>,
    Json(offer): Json<SessionOffer>,
) -> Result<axum::Json<SessionAnswer>, Error> {
    Ok(axum::Json(softphone::open(&app, &may, offer).await?))
}

/// Which call is on the account's session.
#[utoipa::path(get, path = "/api/softphone/session", tag = "calls", params(Which),
    responses((status = 200, body = SessionState)))]
async fn state(
    State(app): State<Arc<App>>,
    may: May<TakeCalls>,
    Query(which): Query<Which>,
) -> Result<axum::Json<SessionState>, Error> {
    Ok(axum::Json(softphone::state(&app, &may, which.purpose)?))
}

/// Ends the account's session, and the call that is on it.
#[utoipa::path(delete, path = "/api/softphone/session", tag = "calls", params(Which), responses((status = 204)))]
async fn close(
    State(app): State<Arc<App>>,
    may: May<TakeCalls>,
    Query(which): Query<Which>,
) -> Result<StatusCode, Error> {
    softphone::close(&app, &may, which.purpose)?;
    Ok(StatusCode::NO_CONTENT)
}
