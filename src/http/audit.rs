//! `/api/audit`: who did or read what.

use super::extract::{Json, Query};
use crate::app::App;
use crate::audit::{self, AuditCheckRequest, AuditChecked};
use crate::auth::{May, permissions::ReadAudit};
use crate::error::Error;
use crate::page::{Page, PageQuery};
use auricle_domain::audit::{AuditEntry, AuditHead};
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(head)).routes(routes!(verify))
}

/// Entries of the audit chain, newest first.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadAudit>,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<AuditEntry>>, Error> {
    Ok(axum::Json(audit::list(&app, &may, &query).await?))
}

/// The end of the chain. Keep it elsewhere: it shows later whether entries were cut off or written anew.
#[utoipa::path(get, path = "/api/audit/head", tag = "audit", responses((status = 200, body = AuditHead)))]
async fn head(State(app): State<Arc<App>>, may: May<ReadAudit>) -> Result<axum::Json<AuditHead>, Error> {
    Ok(axum::Json(audit::head(&app, &may)?))
}

/// Checks every link of the chain, and heads that were exported before.
#[utoipa::path(post, path = "/api/audit/verify", tag = "audit", request_body = AuditCheckRequest,
    responses((status = 200, body = AuditChecked)))]
async fn verify(
    State(app): State<Arc<App>>,
    may: May<ReadAudit>,
    Json(request): Json<AuditCheckRequest>,
) -> Result<axum::Json<AuditChecked>, Error> {
    Ok(axum::Json(audit::verify(&app, &may, request).await?))
}
