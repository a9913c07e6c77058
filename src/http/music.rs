//! `/api/music`: what callers hear while they wait (administrators only).

use super::extract::Query;
use crate::app::App;
use crate::auth::{May, permissions::EditClinic};
use crate::error::Error;
use crate::music::{self, MusicView};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get, replace, remove))
        .layer(DefaultBodyLimit::max(music::FILE_BYTES_MAX))
        .routes(routes!(audio))
}

/// What a file is called.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MusicQuery {
    /// The file's name, 1 to 120 characters.
    name: String,
}

/// What callers hear while they wait.
#[utoipa::path(get, path = "/api/music", tag = "music", responses((status = 200, body = MusicView)))]
async fn get(State(app): State<Arc<App>>, may: May<EditClinic>) -> Result<axum::Json<MusicView>, Error> {
    Ok(axum::Json(music::get(&app, &may)?))
}

/// Puts a WAV file (16-bit PCM, 8 to 48 kHz, one or two channels, a second to three minutes) in the place of what was played before.
#[utoipa::path(put, path = "/api/music", tag = "music", params(MusicQuery),
    request_body(content = Vec<u8>, content_type = "audio/wav"), responses((status = 200, body = MusicView)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditClinic>,
    Query(query): Query<MusicQuery>,
    file: Bytes,
) -> Result<axum::Json<MusicView>, Error> {
    Ok(axum::Json(music::replace(&app, &may, &query.name, file.into()).await?))
}

/// Goes back to the built-in piece.
#[utoipa::path(delete, path = "/api/music", tag = "music", responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, may: May<EditClinic>) -> Result<StatusCode, Error> {
    music::remove(&app, &may).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The clinic's own piece as it is played.
#[utoipa::path(get, path = "/api/music/audio", tag = "music",
    responses((status = 200, content_type = "audio/wav", body = Vec<u8>)))]
async fn audio(State(app): State<Arc<App>>, may: May<EditClinic>) -> Result<Response, Error> {
    let audio = music::audio(&app, &may).await?;
    Ok(([(CONTENT_TYPE, "audio/wav"), (CACHE_CONTROL, "no-store")], audio).into_response())
}
