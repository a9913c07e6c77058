//! `/api/tasks`: what a person owes.

use super::extract::{IfMatch, Json, Path, Query};
use crate::app::App;
use crate::auth::{May, permissions::DoTasks};
use crate::error::Error;
use crate::page::Page;
use crate::tasks_owed::{self, TaskChange, TaskQuery};
use auricle_domain::id::TaskId;
use auricle_domain::task::Task;
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change))
}

/// Messages to read and calls to return, newest first.
#[utoipa::path(get, path = "/api/tasks", tag = "tasks", params(TaskQuery), responses((status = 200, body = Page<Task>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<DoTasks>,
    Query(query): Query<TaskQuery>,
) -> Result<axum::Json<Page<Task>>, Error> {
    Ok(axum::Json(tasks_owed::list(&app, &may, &query)?))
}

/// Takes a task, finishes it, gives it back or drops it.
#[utoipa::path(patch, path = "/api/tasks/{id}", tag = "tasks", request_body = TaskChange,
    params(("id" = TaskId, Path), super::openapi::IfMatchHeader), responses((status = 200, body = Task)))]
async fn change(
    State(app): State<Arc<App>>,
    may: May<DoTasks>,
    Path(id): Path<TaskId>,
    version: IfMatch,
    Json(change): Json<TaskChange>,
) -> Result<axum::Json<Task>, Error> {
    Ok(axum::Json(tasks_owed::change(&app, &may, id, version.0, change).await?))
}
