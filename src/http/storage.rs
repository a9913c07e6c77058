//! `/api/storage` and `/api/backups`: room on the disk, backups, and how the search index stands.

use crate::app::App;
use crate::auth::{May, permissions::KeepStorage};
use crate::error::Error;
use crate::storage::{self, BackupFiles, BackupState, StorageState};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(backups, back_up))
}

/// Room on the disk, backups and the search index.
#[utoipa::path(get, path = "/api/storage", tag = "storage", responses((status = 200, body = StorageState)))]
async fn get(State(app): State<Arc<App>>, may: May<KeepStorage>) -> Result<axum::Json<StorageState>, Error> {
    Ok(axum::Json(storage::get(&app, &may).await?))
}

/// Backups in the configured folder, newest first.
#[utoipa::path(get, path = "/api/backups", tag = "storage", responses((status = 200, body = BackupFiles)))]
async fn backups(State(app): State<Arc<App>>, may: May<KeepStorage>) -> Result<axum::Json<BackupFiles>, Error> {
    Ok(axum::Json(storage::backups(&app, &may).await?))
}

/// Makes a backup in the configured folder and verifies it; `GET /api/storage` tells how far it has come. 409 where none can be made, and
/// why.
#[utoipa::path(post, path = "/api/backups", tag = "storage", responses((status = 202, body = BackupState, description = "It is being made")))]
async fn back_up(
    State(app): State<Arc<App>>,
    may: May<KeepStorage>,
) -> Result<(StatusCode, axum::Json<BackupState>), Error> {
    Ok((StatusCode::ACCEPTED, axum::Json(storage::back_up(&app, &may).await?)))
}
