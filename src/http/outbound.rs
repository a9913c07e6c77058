//! `/api/outbound`: the rules of outgoing calls (administrators only).

use super::extract::{IfMatch, Json};
use crate::app::App;
use crate::auth::{May, permissions::EditTrunks};
use crate::error::Error;
use crate::outbound::{self, OutboundInput};
use auricle_domain::outbound::Outbound;
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(rules, replace_rules))
}

/// The rules of outgoing calls; off before anybody has set them (version 0).
#[utoipa::path(get, path = "/api/outbound", tag = "trunks", responses((status = 200, body = Outbound)))]
async fn rules(State(app): State<Arc<App>>, may: May<EditTrunks>) -> Result<axum::Json<Outbound>, Error> {
    Ok(axum::Json(outbound::get(&app, &may)?))
}

/// Replaces all rules of outgoing calls; calls that are on stay.
#[utoipa::path(put, path = "/api/outbound", tag = "trunks", request_body = OutboundInput, params(super::openapi::IfMatchHeader),
    responses((status = 200, body = Outbound)))]
async fn replace_rules(
    State(app): State<Arc<App>>,
    may: May<EditTrunks>,
    version: IfMatch,
    Json(input): Json<OutboundInput>,
) -> Result<axum::Json<Outbound>, Error> {
    Ok(axum::Json(outbound::replace(&app, &may, version.0, input).await?))
}
