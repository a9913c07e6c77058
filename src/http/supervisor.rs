//! `/api/supervisor`: coming into calls of others.

use super::extract::Path;
use crate::app::App;
use crate::auth::{May, permissions::SuperviseCalls};
use crate::calls;
use crate::error::Error;
use auricle_domain::code::Part;
use auricle_domain::id::{AccountId, CallId};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(monitor))
        .routes(routes!(coach))
        .routes(routes!(whisper))
        .routes(routes!(barge))
        .routes(routes!(take_over))
}

/// Listens to a call; nobody in it hears one. At one's softphone at once, otherwise one's telephone is rung.
#[utoipa::path(post, path = "/api/supervisor/monitor/{call_id}", tag = "supervisor", params(("call_id" = CallId, Path)), responses((status = 204, description = "One listens, or one's telephone rings")))]
async fn monitor(
    State(app): State<Arc<App>>,
    may: May<SuperviseCalls>,
    Path(call): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::join(&app, &may, call, Part::Listen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whispers to a member of staff in the call that they handle: they alone hear one.
#[utoipa::path(post, path = "/api/supervisor/coach/{agent_id}", tag = "supervisor", params(("agent_id" = AccountId, Path)), responses((status = 204, description = "One whispers, or one's telephone rings")))]
async fn coach(
    State(app): State<Arc<App>>,
    may: May<SuperviseCalls>,
    Path(agent): Path<AccountId>,
) -> Result<StatusCode, Error> {
    calls::coach(&app, &may, agent).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whispers in a call to whoever handles it: they alone hear one.
#[utoipa::path(post, path = "/api/supervisor/whisper/{call_id}", tag = "supervisor", params(("call_id" = CallId, Path)), responses((status = 204, description = "One whispers, or one's telephone rings")))]
async fn whisper(
    State(app): State<Arc<App>>,
    may: May<SuperviseCalls>,
    Path(call): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::join(&app, &may, call, Part::Whisper).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Talks with all who are in a call.
#[utoipa::path(post, path = "/api/supervisor/barge/{call_id}", tag = "supervisor", params(("call_id" = CallId, Path)), responses((status = 204, description = "One is heard, or one's telephone rings")))]
async fn barge(
    State(app): State<Arc<App>>,
    may: May<SuperviseCalls>,
    Path(call): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::join(&app, &may, call, Part::Talk).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Handles a call from now on: the receptionist leaves it, or the colleague who did.
#[utoipa::path(post, path = "/api/supervisor/takeover/{call_id}", tag = "supervisor", params(("call_id" = CallId, Path)), responses((status = 204, description = "One talks with the caller, or one's telephone rings")))]
async fn take_over(
    State(app): State<Arc<App>>,
    may: May<SuperviseCalls>,
    Path(call): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::take_over(&app, &may, call).await?;
    Ok(StatusCode::NO_CONTENT)
}
