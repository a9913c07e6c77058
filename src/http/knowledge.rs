//! `/api/knowledge-base`: what the receptionist may say (KB-01 to KB-05, KB-09).

use super::extract::{IdempotencyKey, IfMatch, Json, Path, Query, Text};
use crate::app::App;
use crate::auth::{
    May,
    permissions::{EditKnowledge, ReadKnowledge},
};
use crate::error::Error;
use crate::knowledge::{self, DocumentInput, DocumentWithContent, ImportQuery, PassageMatches, PassageQuery};
use crate::page::{Page, PageQuery};
use auricle_domain::id::DocumentId;
use auricle_domain::knowledge::Document;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Largest body of a document, in bytes: a million characters of mostly one or two bytes. Longer content within it is
/// refused by its characters, with the field named.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(import))
        .routes(routes!(search))
        .routes(routes!(get, replace, remove))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Documents, newest first.
#[utoipa::path(get, path = "/api/knowledge-base", tag = "knowledge", params(PageQuery), responses((status = 200, body = Page<Document>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadKnowledge>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Document>>, Error> {
    Ok(axum::Json(knowledge::list(&app, &may, &page)?))
}

/// Adds a document. When the reply comes, answers can come from it.
#[utoipa::path(post, path = "/api/knowledge-base", tag = "knowledge", request_body = DocumentInput, params(super::openapi::IdempotencyHeader),
    responses((status = 201, body = Document)))]
async fn create(
    State(app): State<Arc<App>>,
    may: May<EditKnowledge>,
    key: IdempotencyKey,
    Json(input): Json<DocumentInput>,
) -> Result<(StatusCode, axum::Json<Document>), Error> {
    Ok((StatusCode::CREATED, axum::Json(knowledge::create(&app, &may, key.0.as_deref(), input).await?)))
}

/// Adds a document from plain text (KB-09).
#[utoipa::path(post, path = "/api/knowledge-base/import", tag = "knowledge", params(ImportQuery, super::openapi::IdempotencyHeader),
    request_body(content = String, content_type = "text/plain"), responses((status = 201, body = Document)))]
async fn import(
    State(app): State<Arc<App>>,
    may: May<EditKnowledge>,
    key: IdempotencyKey,
    Query(query): Query<ImportQuery>,
    Text(content): Text,
) -> Result<(StatusCode, axum::Json<Document>), Error> {
    let input = DocumentInput { name: query.name, content, language: query.language, namespace: None, state: None };
    Ok((StatusCode::CREATED, axum::Json(knowledge::create(&app, &may, key.0.as_deref(), input).await?)))
}

/// Passages of live documents that fit a question, best first (KB-05).
#[utoipa::path(get, path = "/api/knowledge-base/search", tag = "knowledge", params(PassageQuery), responses((status = 200, body = PassageMatches)))]
async fn search(
    State(app): State<Arc<App>>,
    may: May<ReadKnowledge>,
    Query(query): Query<PassageQuery>,
) -> Result<axum::Json<PassageMatches>, Error> {
    Ok(axum::Json(knowledge::search(&app, &may, query).await?))
}

/// One document with its text.
#[utoipa::path(get, path = "/api/knowledge-base/{id}", tag = "knowledge", params(("id" = DocumentId, Path)), responses((status = 200, body = DocumentWithContent)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<ReadKnowledge>,
    Path(id): Path<DocumentId>,
) -> Result<axum::Json<DocumentWithContent>, Error> {
    Ok(axum::Json(knowledge::get(&app, &may, id).await?))
}

/// Replaces all fields of a document; what is absent gets its default. Answers come from the new text at once.
#[utoipa::path(put, path = "/api/knowledge-base/{id}", tag = "knowledge", request_body = DocumentInput,
    params(("id" = DocumentId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = Document)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditKnowledge>,
    Path(id): Path<DocumentId>,
    version: IfMatch,
    Json(input): Json<DocumentInput>,
) -> Result<axum::Json<Document>, Error> {
    Ok(axum::Json(knowledge::replace(&app, &may, id, version.0, input).await?))
}

/// Removes a document and its passages.
#[utoipa::path(delete, path = "/api/knowledge-base/{id}", tag = "knowledge",
    params(("id" = DocumentId, Path), super::openapi::IfMatchHeader), responses((status = 204, description = "Removed")))]
async fn remove(
    State(app): State<Arc<App>>,
    may: May<EditKnowledge>,
    Path(id): Path<DocumentId>,
    version: IfMatch,
) -> Result<StatusCode, Error> {
    knowledge::remove(&app, &may, id, version.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
