//! `/api/carriers`: accounts with carriers that are used by their API (administrators only), and the carriers' media sockets.

mod telnyx;

use super::extract::{IfMatch, Json, Path};
use super::webhooks::Opened;
use crate::app::App;
use crate::auth::{May, permissions::EditCarriers};
use crate::carriers::line::{Gone, Socket};
use crate::carriers::{self, TwilioInput, TwilioNumber, TwilioView, twilio};
use crate::error::Error;
use auricle_domain::code::CarrierKind;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream::BoxStream;
use futures_util::{Sink, SinkExt, StreamExt, future};
use std::pin::Pin;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Largest message of a carrier's socket, in bytes: half a second of audio in base64 has less.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Texts from a carrier, and to it.
type Incoming = BoxStream<'static, String>;
type Outgoing = Pin<Box<dyn Sink<String, Error = Gone> + Send>>;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get, replace, remove))
        .routes(routes!(numbers))
        .routes(routes!(connect))
        .routes(routes!(media))
        .merge(telnyx::routes())
}

/// The account with Twilio, without its tokens.
#[utoipa::path(get, path = "/api/carriers/twilio", tag = "carriers", responses((status = 200, body = TwilioView)))]
async fn get(State(app): State<Arc<App>>, may: May<EditCarriers>) -> Result<axum::Json<TwilioView>, Error> {
    Ok(axum::Json(carriers::twilio(&app, &may)?))
}

/// Sets the account with Twilio up (based on version 0) or changes it, once Twilio has accepted its tokens.
#[utoipa::path(put, path = "/api/carriers/twilio", tag = "carriers", request_body = TwilioInput,
    params(super::openapi::IfMatchHeader), responses((status = 200, body = TwilioView)))]
async fn replace(
    State(app): State<Arc<App>>,
    may: May<EditCarriers>,
    version: IfMatch,
    Json(input): Json<TwilioInput>,
) -> Result<axum::Json<TwilioView>, Error> {
    Ok(axum::Json(carriers::set_up_twilio(&app, &may, version.0, input).await?))
}

/// Removes the account with Twilio: nothing from it is believed any more; calls that are on stay.
#[utoipa::path(delete, path = "/api/carriers/twilio", tag = "carriers", params(super::openapi::IfMatchHeader),
    responses((status = 204)))]
async fn remove(State(app): State<Arc<App>>, may: May<EditCarriers>, version: IfMatch) -> Result<StatusCode, Error> {
    carriers::remove(&app, &may, CarrierKind::Twilio, version.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The numbers of the account, as Twilio has them now; a thousand at most.
#[utoipa::path(get, path = "/api/carriers/twilio/numbers", tag = "carriers",
    responses((status = 200, body = Vec<TwilioNumber>)))]
async fn numbers(State(app): State<Arc<App>>, may: May<EditCarriers>) -> Result<axum::Json<Vec<TwilioNumber>>, Error> {
    Ok(axum::Json(carriers::twilio_numbers(&app, &may).await?))
}

/// Has the calls of a number brought here.
#[utoipa::path(post, path = "/api/carriers/twilio/numbers/{sid}/connect", tag = "carriers",
    params(("sid" = String, Path, description = "The number's SID")), responses((status = 200, body = TwilioNumber)))]
async fn connect(
    State(app): State<Arc<App>>,
    may: May<EditCarriers>,
    Path(sid): Path<String>,
) -> Result<axum::Json<TwilioNumber>, Error> {
    Ok(axum::Json(carriers::connect_twilio_number(&app, &may, sid).await?))
}

/// Twilio's media socket (its upgrade is signed with `X-Twilio-Signature`): JSON in text frames.
#[utoipa::path(get, path = "/api/carriers/twilio/media", tag = "carriers", security(()),
    responses((status = 101, description = "WebSocket, JSON in text frames")))]
async fn media(State(app): State<Arc<App>>, Opened(raw): Opened, upgrade: WebSocketUpgrade) -> Result<Response, Error> {
    let place = twilio::admit_socket(&app, &raw)?;
    Ok(open(upgrade, move |socket| {
        let (incoming, outgoing) = halves(socket);
        let make = move |incoming, wire| Socket { wire, incoming, outgoing, place };
        app.tasks.clone().spawn("carrier_socket", twilio::socket(app, raw.address, incoming, make));
    }))
}

/// Opens a carrier's socket. `carry` starts what carries it beside the requests: stopping waits for that.
fn open(upgrade: WebSocketUpgrade, carry: impl FnOnce(WebSocket) + Send + 'static) -> Response {
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    upgrade.on_upgrade(move |socket| async move { carry(socket) })
}

/// Both directions of a socket, as texts.
fn halves(socket: WebSocket) -> (Incoming, Outgoing) {
    let (outgoing, incoming) = socket.split();
    let incoming = incoming
        .take_while(|message| future::ready(message.is_ok()))
        .filter_map(|message| {
            future::ready(match message {
                Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
                // The next one after a close is the end.
                _ => None,
            })
        })
        .boxed();
    let outgoing = outgoing
        .sink_map_err(|_: axum::Error| Gone)
        .with(|text: String| future::ready(Ok::<_, Gone>(Message::Text(text.into()))));
    (incoming, Box::pin(outgoing))
}
