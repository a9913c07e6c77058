//! `/api/trunks`: SIP connections to providers (administrators only).

use super::extract::{IdempotencyKey, IfMatch, Json, Path};
use crate::app::App;
use crate::auth::{May, permissions::EditTrunks};
use crate::error::Error;
use crate::trunks::{self, TrunkInput, TrunkView};
use auricle_domain::id::TrunkId;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, replace, remove))
}

/// All trunks with how they stand, oldest first; there are 16 at most.
#[utoipa::path(get, path = "/api/trunks", tag = "trunks", responses((status = 200, body = Vec<TrunkView>)))]
async fn list(State(app): State<Arc<App>>, may: May<EditTrunks>) -> Result<axum::Json<Vec<TrunkView>>, Error> {
    Ok(axum::Json(trunks::list(&app, &may)?))
}

/// Sets a trunk up; it is connected at once.
#[utoipa::path(post, path = "/api/trunks", tag = "trunks", request_body = TrunkInput, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = TrunkView)))]
async fn create(
    State(app): State<Arc<App>>,
    may: May<EditTrunks>,
    key: IdempotencyKey,
    Json(input): Json<TrunkInput>,
) -> Result<(StatusCode, axum::Json<TrunkView>), Error> {
    Ok((StatusCode::CREATED, axum::Json(trunks::create(&app, &may, key.0.as_deref(), input).await?)))
}

/// One trunk with how it stands.
#[utoipa::path(get, path = "/api/trunks/{id}", tag = "trunks", params(("id" = TrunkId, Path)),
    responses((status = 200, body = TrunkView)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<EditTrunks>,
    Path(id): Path<TrunkId>,
) -> Result<axum::Json<TrunkView>, Error> {
    Ok(axum::Json(trunks::get(&app, &may, id)?))
}

/// Replaces all of a trunk's settings; it is connected again at once. Another server needs the password again.
#[utoipa::path(put, path = "/api/trunks/{id}", tag = "trunks", request_body = TrunkInput,
    params(("id" = TrunkId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = TrunkView)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditTrunks>,
    Path(id): Path<TrunkId>,
    version: IfMatch,
    Json(input): Json<TrunkInput>,
) -> Result<axum::Json<TrunkView>, Error> {
    Ok(axum::Json(trunks::replace(&app, &may, id, version.0, input).await?))
}

/// Removes a trunk: it is signed off from its provider; calls that are on stay.
#[utoipa::path(delete, path = "/api/trunks/{id}", tag = "trunks",
    params(("id" = TrunkId, Path), super::openapi::IfMatchHeader), responses((status = 204)))]
async fn remove(
    State(app): State<Arc<App>>,
    may: May<EditTrunks>,
    Path(id): Path<TrunkId>,
    version: IfMatch,
) -> Result<StatusCode, Error> {
    trunks::remove(&app, &may, id, version.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
