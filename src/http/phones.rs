//! `/api/phones`: desk phones (administrators only).

use super::extract::{IdempotencyKey, IfMatch, Json, Path};
use crate::app::App;
use crate::auth::{May, permissions::EditPhones};
use crate::error::Error;
use crate::phones::{self, BanList, PhoneCredential, PhoneInput, PhoneList, PhoneView};
use auricle_domain::id::PhoneId;
use axum::extract::State;
use axum::http::StatusCode;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, replace, remove))
        .routes(routes!(renew))
        .routes(routes!(bans))
        .routes(routes!(lift_ban))
}

/// All phones with where they are, oldest first, and the server that they register with.
#[utoipa::path(get, path = "/api/phones", tag = "phones", responses((status = 200, body = PhoneList)))]
async fn list(State(app): State<Arc<App>>, may: May<EditPhones>) -> Result<axum::Json<PhoneList>, Error> {
    Ok(axum::Json(phones::list(&app, &may)?))
}

/// Adds a phone. What comes back is to be typed into it; its password is shown this once.
#[utoipa::path(post, path = "/api/phones", tag = "phones", request_body = PhoneInput, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = PhoneCredential)))]
async fn create(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    key: IdempotencyKey,
    Json(input): Json<PhoneInput>,
) -> Result<(StatusCode, axum::Json<PhoneCredential>), Error> {
    Ok((StatusCode::CREATED, axum::Json(phones::create(&app, &may, key.0.as_deref(), input).await?)))
}

/// Sources that have guessed passwords of phones and are not heard, with when they are heard again.
#[utoipa::path(get, path = "/api/phones/bans", tag = "phones", responses((status = 200, body = BanList)))]
async fn bans(State(app): State<Arc<App>>, may: May<EditPhones>) -> axum::Json<BanList> {
    axum::Json(phones::bans(&app, &may))
}

/// Hears a source again, before its time is up.
#[utoipa::path(delete, path = "/api/phones/bans/{source}", tag = "phones",
    params(("source" = String, Path, description = "An IP address")), responses((status = 204)))]
async fn lift_ban(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    Path(source): Path<IpAddr>,
) -> Result<StatusCode, Error> {
    phones::lift_ban(&app, &may, source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One phone with where it is.
#[utoipa::path(get, path = "/api/phones/{id}", tag = "phones", params(("id" = PhoneId, Path)),
    responses((status = 200, body = PhoneView)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    Path(id): Path<PhoneId>,
) -> Result<axum::Json<PhoneView>, Error> {
    Ok(axum::Json(phones::get(&app, &may, id)?))
}

/// Replaces a phone's settings; its password stays. A phone that is switched off is gone at once.
#[utoipa::path(put, path = "/api/phones/{id}", tag = "phones", request_body = PhoneInput,
    params(("id" = PhoneId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = PhoneView)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    Path(id): Path<PhoneId>,
    version: IfMatch,
    Json(input): Json<PhoneInput>,
) -> Result<axum::Json<PhoneView>, Error> {
    Ok(axum::Json(phones::replace(&app, &may, id, version.0, input).await?))
}

/// Gives a phone another user name and password, shown this once; with the old ones it is gone at once.
#[utoipa::path(post, path = "/api/phones/{id}/password", tag = "phones",
    params(("id" = PhoneId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = PhoneCredential)))]
async fn renew(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    Path(id): Path<PhoneId>,
    version: IfMatch,
) -> Result<axum::Json<PhoneCredential>, Error> {
    Ok(axum::Json(phones::renew(&app, &may, id, version.0).await?))
}

/// Removes a phone: it is gone at once; a call that it has stays.
#[utoipa::path(delete, path = "/api/phones/{id}", tag = "phones",
    params(("id" = PhoneId, Path), super::openapi::IfMatchHeader), responses((status = 204)))]
async fn remove(
    State(app): State<Arc<App>>,
    may: May<EditPhones>,
    Path(id): Path<PhoneId>,
    version: IfMatch,
) -> Result<StatusCode, Error> {
    phones::remove(&app, &may, id, version.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
