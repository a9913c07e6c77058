//! `/api/accounts`: people who sign in (administrators only).

use super::extract::{IdempotencyKey, IfMatch, Json, Path, Query};
use crate::accounts::{self, AccountChange, AccountView, Invited, NewAccount, OneTimePassword};
use crate::app::App;
use crate::auth::{May, permissions::EditAccounts};
use crate::error::Error;
use crate::page::{Page, PageQuery};
use auricle_domain::id::AccountId;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, invite)).routes(routes!(change)).routes(routes!(reset_password))
}

/// People who sign in, newest first.
#[utoipa::path(get, path = "/api/accounts", tag = "accounts", params(PageQuery), responses((status = 200, body = Page<AccountView>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<EditAccounts>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<AccountView>>, Error> {
    Ok(axum::Json(accounts::list(&app, &may, &page)?))
}

/// Invites a person. The reply carries their one-time password, this one time.
#[utoipa::path(post, path = "/api/accounts", tag = "accounts", request_body = NewAccount, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = Invited)))]
async fn invite(
    State(app): State<Arc<App>>,
    may: May<EditAccounts>,
    key: IdempotencyKey,
    Json(new): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<Invited>), Error> {
    Ok((StatusCode::CREATED, axum::Json(accounts::invite(&app, &may, key.0.as_deref(), new).await?)))
}

/// Changes a person's name, role, language or state. Disabling ends their sessions at once.
#[utoipa::path(patch, path = "/api/accounts/{id}", tag = "accounts", request_body = AccountChange,
    params(("id" = AccountId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = AccountView)))]
async fn change(
    State(app): State<Arc<App>>,
    may: May<EditAccounts>,
    Path(id): Path<AccountId>,
    version: IfMatch,
    Json(change): Json<AccountChange>,
) -> Result<axum::Json<AccountView>, Error> {
    Ok(axum::Json(accounts::change(&app, &may, id, version.0, change).await?))
}

/// Gives a person a new one-time password and ends their sessions.
#[utoipa::path(post, path = "/api/accounts/{id}/reset-password", tag = "accounts", params(("id" = AccountId, Path)),
    responses((status = 200, body = OneTimePassword)))]
async fn reset_password(
    State(app): State<Arc<App>>,
    may: May<EditAccounts>,
    Path(id): Path<AccountId>,
) -> Result<axum::Json<OneTimePassword>, Error> {
    Ok(axum::Json(accounts::reset_password(&app, &may, id).await?))
}
