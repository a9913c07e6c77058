//! `/api/clinic`: the clinic's own settings.

use super::extract::{IfMatch, Json};
use crate::app::App;
use crate::auth::{
    May,
    permissions::{EditClinic, ReadClinic},
};
use crate::clinic::{self, ClinicInput};
use crate::error::Error;
use auricle_domain::tenant::Tenant;
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get, replace))
}

/// The clinic's settings.
#[utoipa::path(get, path = "/api/clinic", tag = "clinic", responses((status = 200, body = Tenant)))]
async fn get(State(app): State<Arc<App>>, may: May<ReadClinic>) -> Result<axum::Json<Tenant>, Error> {
    Ok(axum::Json(clinic::get(&app, &may)?))
}

/// Replaces all of the clinic's settings.
#[utoipa::path(put, path = "/api/clinic", tag = "clinic", request_body = ClinicInput, params(super::openapi::IfMatchHeader),
    responses((status = 200, body = Tenant)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditClinic>,
    version: IfMatch,
    Json(input): Json<ClinicInput>,
) -> Result<axum::Json<Tenant>, Error> {
    Ok(axum::Json(clinic::replace(&app, &may, version.0, input).await?))
}
