//! `/api/webhooks/`: what carriers send (API-12). Nobody is signed in here: each request passes the four layers of `carriers::guard`.
//!
//! Whatever is begun is finished, though the carrier may hang up before it has an answer: it repeats the request, and then hears it.

use super::extract::Path;
use super::guard::ClientAddress;
use crate::app::App;
use crate::carriers::guard::Raw;
use crate::carriers::{telnyx, twilio};
use crate::error::{Error, ErrorCode};
use crate::tasks::Tasks;
use auricle_domain::id::{CallId, TextId};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::sync::oneshot;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Where these routes begin; they have a limit of their own.
pub const PREFIX: &str = "/api/webhooks/";

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(voice))
        .routes(routes!(stream))
        .routes(routes!(status))
        .routes(routes!(placed))
        .routes(routes!(answered_by))
        .routes(routes!(text))
        .routes(routes!(telnyx_calls))
        .routes(routes!(telnyx_placed))
}

/// A request as its signature covers it.
pub(super) struct Sent(pub Raw);

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let Opened(raw) = Opened::from_request_parts(&mut parts, app).await?;
        let bytes = Bytes::from_request(Request::from_parts(parts, body), app).await;
        let too_large = |_| Error::new(ErrorCode::TooLarge, "The body is larger than this path takes, or broke off");
        Ok(Self(Raw { body: bytes.map_err(too_large)?.to_vec(), ..raw }))
    }
}

/// The same of a request that opens a socket: there is no body.
pub(super) struct Opened(pub Raw);

impl FromRequestParts<Arc<App>> for Opened {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let address = Extension::<ClientAddress>::from_request_parts(parts, app).await;
        let Extension(ClientAddress(address)) =
            address.map_err(|error| Error::internal("tell where a request comes from", &error))?;
        // Routes that are nested see less of the address than was signed.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        Ok(Self(Raw {
            address,
            path: uri.path_and_query().map_or_else(String::new, |path| path.as_str().to_owned()),
            headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body: Vec::new(),
        }))
    }
}

/// Carries a request out to its end, whether or not anybody waits for the answer: a connection that is lost ends the request's handler
/// wherever it is.
async fn finished<T: Send + 'static>(
    tasks: &Tasks,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (done, outcome) = oneshot::channel();
    tasks.spawn("webhook", async move {
        // Who asked may have gone.
        let _gone = done.send(work.await);
    });
    outcome.await.map_err(|error| Error::internal("carry a carrier's request out", &error))?
}

fn xml(text: String) -> Response {
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response()
}

/// Twilio asks what to do with a call to a number (signed with `X-Twilio-Signature`). The answer is TwiML.
#[utoipa::path(post, path = "/api/webhooks/twilio/voice", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/xml")))]
async fn voice(State(app): State<Arc<App>>, Sent(raw): Sent) -> Result<Response, Error> {
    Ok(xml(finished(&app.tasks.clone(), async move { twilio::voice(&app, &raw).await }).await?))
}

/// Twilio asks what comes after a media socket that has ended (signed with `X-Twilio-Signature`). The answer is TwiML.
#[utoipa::path(post, path = "/api/webhooks/twilio/stream/{name}", tag = "webhooks", security(()),
    params(("name" = String, Path, description = "Names the answer that opened the socket")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/xml")))]
async fn stream(State(app): State<Arc<App>>, Sent(raw): Sent) -> Result<Response, Error> {
    Ok(xml(finished(&app.tasks.clone(), async move { twilio::stream_ended(&app, &raw).await }).await?))
}

/// Twilio tells how a call stands (signed with `X-Twilio-Signature`).
#[utoipa::path(post, path = "/api/webhooks/twilio/status", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"), responses((status = 204)))]
async fn status(State(app): State<Arc<App>>, Sent(raw): Sent) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { twilio::status(&app, &raw).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Twilio tells how a call fares that it places (signed with `X-Twilio-Signature`).
#[utoipa::path(post, path = "/api/webhooks/twilio/placed/{name}", tag = "webhooks", security(()),
    params(("name" = String, Path, description = "Our name of the call")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"), responses((status = 204)))]
async fn placed(State(app): State<Arc<App>>, Path(name): Path<String>, Sent(raw): Sent) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { twilio::calls::told(&app, &raw, &name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Twilio tells who answered a call that it has placed (signed with `X-Twilio-Signature`).
#[utoipa::path(post, path = "/api/webhooks/twilio/answered-by/{call}/{line}", tag = "webhooks", security(()),
    params(("call" = CallId, Path, description = "The call"),
        ("line" = usize, Path, description = "Its place among that call's calls to the outside, from 0")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"), responses((status = 204)))]
async fn answered_by(
    State(app): State<Arc<App>>,
    Path((call, line)): Path<(CallId, usize)>,
    Sent(raw): Sent,
) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { twilio::calls::told_who(&app, &raw, call, line).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Twilio tells how a text message fares (signed with `X-Twilio-Signature`).
#[utoipa::path(post, path = "/api/webhooks/twilio/text/{id}", tag = "webhooks", security(()),
    params(("id" = TextId, Path, description = "The message")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"), responses((status = 204)))]
async fn text(State(app): State<Arc<App>>, Path(id): Path<TextId>, Sent(raw): Sent) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { twilio::texts::told(&app, &raw, id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Telnyx tells what has happened to a call (signed with `telnyx-signature-ed25519`). What is answered goes by commands of its API.
#[utoipa::path(post, path = "/api/webhooks/telnyx/calls", tag = "webhooks", security(()),
    request_body(content = Object, description = "An event of API version 2"), responses((status = 204)))]
async fn telnyx_calls(State(app): State<Arc<App>>, Sent(raw): Sent) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { telnyx::event(&app, &raw).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Telnyx tells how a call fares that it places, and who answered it (signed with `telnyx-signature-ed25519`).
#[utoipa::path(post, path = "/api/webhooks/telnyx/placed/{name}/{call}/{line}", tag = "webhooks", security(()),
    params(("name" = String, Path, description = "Our name of the call"),
        ("call" = CallId, Path, description = "The call that it is part of"),
        ("line" = usize, Path, description = "Its place among that call's calls to the outside, from 0")),
    request_body(content = Object, description = "An event of API version 2"), responses((status = 204)))]
async fn telnyx_placed(
    State(app): State<Arc<App>>,
    Path((name, call, line)): Path<(String, CallId, usize)>,
    Sent(raw): Sent,
) -> Result<StatusCode, Error> {
    finished(&app.tasks.clone(), async move { telnyx::calls::told(&app, &raw, &name, (call, line)).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    /// API-12: what a carrier has asked for is done though its connection is lost in the middle.
    #[tokio::test]
    async fn what_is_begun_is_finished_though_nobody_waits() {
        let tasks = Tasks::default();
        let (go, waits) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let mut asked = Box::pin(finished(&tasks, async move {
            waits.await.unwrap();
            done.send("done").unwrap();
            Ok(())
        }));
        assert!(futures_util::poll!(&mut asked).is_pending());
        drop(asked);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok("done"));
        assert!(tasks.stop(Duration::from_secs(5)).await);
        let asked = finished(&Tasks::default(), async { Err::<(), _>(Error::not_found("number")) }).await;
        assert_eq!(asked.unwrap_err().code, ErrorCode::NotFound, "and what came of it is told");
    }
}
