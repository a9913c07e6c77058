//! `/api/carriers/telnyx`: the account with Telnyx (administrators only), and its media sockets.

use super::{halves, open};
use crate::app::App;
use crate::auth::{May, permissions::EditCarriers};
use crate::carriers::line::Socket;
use crate::carriers::telnyx::account::{self, TelnyxInput, TelnyxNumber, TelnyxView};
use crate::carriers::{self, telnyx};
use crate::error::Error;
use crate::http::extract::{IfMatch, Json, Path};
use crate::http::openapi::IfMatchHeader;
use crate::http::webhooks::Opened;
use auricle_domain::code::CarrierKind;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get, replace, remove))
        .routes(routes!(numbers))
        .routes(routes!(connect))
        .routes(routes!(disconnect))
        .routes(routes!(media))
}

/// The account with Telnyx, without its API key.
#[utoipa::path(get, path = "/api/carriers/telnyx", tag = "carriers", operation_id = "telnyx_get",
    responses((status = 200, body = TelnyxView)))]
async fn get(State(app): State<Arc<App>>, may: May<EditCarriers>) -> Result<axum::Json<TelnyxView>, Error> {
    Ok(axum::Json(account::get(&app, &may)?))
}

/// Sets the account with Telnyx up (based on version 0) or changes it, once Telnyx has accepted its API key.
#[utoipa::path(put, path = "/api/carriers/telnyx", tag = "carriers", operation_id = "telnyx_replace", request_body = TelnyxInput,
    params(IfMatchHeader), responses((status = 200, body = TelnyxView)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditCarriers>,
    version: IfMatch,
    Json(input): Json<TelnyxInput>,
) -> Result<axum::Json<TelnyxView>, Error> {
    Ok(axum::Json(account::set_up(&app, &may, version.0, input).await?))
}

/// Removes the account with Telnyx: nothing from it is believed any more; calls that are on stay.
#[utoipa::path(delete, path = "/api/carriers/telnyx", tag = "carriers", operation_id = "telnyx_remove", params(IfMatchHeader),
    responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, may: May<EditCarriers>, version: IfMatch) -> Result<StatusCode, Error> {
    carriers::remove(&app, &may, CarrierKind::Telnyx, version.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The numbers of the account, as Telnyx has them now; a thousand at most.
#[utoipa::path(get, path = "/api/carriers/telnyx/numbers", tag = "carriers", operation_id = "telnyx_numbers",
    responses((status = 200, body = Vec<TelnyxNumber>)))]
async fn numbers(State(app): State<Arc<App>>, may: May<EditCarriers>) -> Result<axum::Json<Vec<TelnyxNumber>>, Error> {
    Ok(axum::Json(account::numbers(&app, &may).await?))
}

/// Has the calls of a number brought here.
#[utoipa::path(post, path = "/api/carriers/telnyx/numbers/{id}/connect", tag = "carriers", operation_id = "telnyx_connect",
    params(("id" = String, Path, description = "Telnyx's name for the number")), responses((status = 200, body = TelnyxNumber)))]
async fn connect(
    State(app): State<Arc<App>>,
    may: May<EditCarriers>,
    Path(id): Path<String>,
) -> Result<axum::Json<TelnyxNumber>, Error> {
    Ok(axum::Json(account::connect(&app, &may, id).await?))
}

/// Has the calls of a number brought here no more: it goes nowhere.
#[utoipa::path(post, path = "/api/carriers/telnyx/numbers/{id}/disconnect", tag = "carriers", operation_id = "telnyx_disconnect",
    params(("id" = String, Path, description = "Telnyx's name for the number")), responses((status = 200, body = TelnyxNumber)))]
async fn disconnect(
    State(app): State<Arc<App>>,
    may: May<EditCarriers>,
    Path(id): Path<String>,
) -> Result<axum::Json<TelnyxNumber>, Error> {
    Ok(axum::Json(account::disconnect(&app, &may, id).await?))
}

/// Telnyx's media socket, under an address with a ticket that is good once: JSON in text frames.
#[utoipa::path(get, path = "/api/carriers/telnyx/media/{codec}/{ticket}", tag = "carriers", operation_id = "telnyx_media", security(()),
    params(("codec" = String, Path, description = "What is spoken to Telnyx: `pcmu` or `pcma`"),
        ("ticket" = String, Path, description = "As it was given along with a command")),
    responses((status = 101, description = "WebSocket, JSON in text frames")))]
async fn media(
    State(app): State<Arc<App>>,
    Opened(raw): Opened,
    Path((codec, ticket)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let place = telnyx::admit_socket(&app, &raw, &ticket)?;
    Ok(open(upgrade, move |socket| {
        let (incoming, outgoing) = halves(socket);
        let make = move |incoming, wire| Socket { wire, incoming, outgoing, place };
        app.tasks.clone().spawn("carrier_socket", telnyx::socket(app, raw.address, (codec, ticket), incoming, make));
    }))
}
