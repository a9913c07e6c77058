//! `/api/contacts`: people the clinic knows.

use super::extract::{IdempotencyKey, IfMatch, Json, Path, Query};
use crate::app::App;
use crate::auth::{
    May,
    permissions::{EditContacts, ReadContacts},
};
use crate::contacts::{self, ContactInput};
use crate::error::Error;
use crate::page::{Page, PageQuery};
use auricle_domain::contact::Contact;
use auricle_domain::id::ContactId;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, replace))
}

/// People the clinic knows, newest first.
#[utoipa::path(get, path = "/api/contacts", tag = "contacts", params(PageQuery), responses((status = 200, body = Page<Contact>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadContacts>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Contact>>, Error> {
    Ok(axum::Json(contacts::list(&app, &may, &page).await?))
}

/// Adds a person.
#[utoipa::path(post, path = "/api/contacts", tag = "contacts", request_body = ContactInput, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = Contact)))]
async fn create(
    State(app): State<Arc<App>>,
    may: May<EditContacts>,
    key: IdempotencyKey,
    Json(input): Json<ContactInput>,
) -> Result<(StatusCode, axum::Json<Contact>), Error> {
    Ok((StatusCode::CREATED, axum::Json(contacts::create(&app, &may, key.0.as_deref(), input).await?)))
}

/// One person; that they were read is logged.
#[utoipa::path(get, path = "/api/contacts/{id}", tag = "contacts", params(("id" = ContactId, Path)), responses((status = 200, body = Contact)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<ReadContacts>,
    Path(id): Path<ContactId>,
) -> Result<axum::Json<Contact>, Error> {
    Ok(axum::Json(contacts::get(&app, &may, id).await?))
}

/// Replaces all fields of a person.
#[utoipa::path(put, path = "/api/contacts/{id}", tag = "contacts", request_body = ContactInput,
    params(("id" = ContactId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = Contact)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditContacts>,
    Path(id): Path<ContactId>,
    version: IfMatch,
    Json(input): Json<ContactInput>,
) -> Result<axum::Json<Contact>, Error> {
    Ok(axum::Json(contacts::replace(&app, &may, id, version.0, input).await?))
}
