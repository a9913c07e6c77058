//! `/api/calls` and `/api/conversations`: calls past and live, what was said in them, their recordings.

use super::extract::{IdempotencyKey, Json, Path, Query};
use crate::app::App;
use crate::appointments::{self, CallAppointments};
use crate::auth::{
    May,
    permissions::{HandleCalls, PlaceCalls, ReadCalls, TakeCalls},
};
use crate::calls::{
    self, CallQuery, CallStats, CallView, Dialling, DtmfInput, LiveCalls, PlaceInput, Placed, TransferInput, Turns,
};
use crate::conversations::{self, ConversationWithTurns};
use crate::error::Error;
use crate::page::{Page, PageQuery};
use crate::recordings;
use crate::tasks_owed::{self, CallTasks};
use crate::texts::{self, CallTexts};
use auricle_domain::conversation::Conversation;
use auricle_domain::id::{CallId, ConversationId};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, place))
        .routes(routes!(live))
        .routes(routes!(stats))
        .routes(routes!(dialling))
        .routes(routes!(get))
        .routes(routes!(turns))
        .routes(routes!(recording))
        .routes(routes!(waveform))
        .routes(routes!(answer))
        .routes(routes!(decline))
        .routes(routes!(hang_up))
        .routes(routes!(hold))
        .routes(routes!(resume))
        .routes(routes!(mute))
        .routes(routes!(unmute))
        .routes(routes!(mask))
        .routes(routes!(unmask))
        .routes(routes!(transfer))
        .routes(routes!(confer))
        .routes(routes!(remove))
        .routes(routes!(dtmf))
        .routes(routes!(tasks))
        .routes(routes!(appointments))
        .routes(routes!(texts))
        .routes(routes!(list_conversations))
        .routes(routes!(conversation))
}

/// Calls, newest first.
#[utoipa::path(get, path = "/api/calls", tag = "calls", params(CallQuery), responses((status = 200, body = Page<CallView>)))]
async fn list(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Query(query): Query<CallQuery>,
) -> Result<axum::Json<Page<CallView>>, Error> {
    Ok(axum::Json(calls::list(&app, &may, &query)?))
}

/// Calls that are on now.
#[utoipa::path(get, path = "/api/calls/live", tag = "calls", responses((status = 200, body = LiveCalls)))]
async fn live(State(app): State<Arc<App>>, may: May<ReadCalls>) -> axum::Json<LiveCalls> {
    axum::Json(calls::live(&app, &may))
}

/// Figures of today, in the clinic's zone.
#[utoipa::path(get, path = "/api/calls/stats", tag = "calls", responses((status = 200, body = CallStats)))]
async fn stats(State(app): State<Arc<App>>, may: May<ReadCalls>) -> Result<axum::Json<CallStats>, Error> {
    Ok(axum::Json(calls::stats(&app, &may)?))
}

/// What whoever calls from here may choose: which of the clinic's numbers is shown, and what is dialled in an emergency.
#[utoipa::path(get, path = "/api/calls/dialling", tag = "calls", responses((status = 200, body = Dialling)))]
async fn dialling(State(app): State<Arc<App>>, may: May<PlaceCalls>) -> Result<axum::Json<Dialling>, Error> {
    Ok(axum::Json(calls::dialling(&app, &may)?))
}

/// One call.
#[utoipa::path(get, path = "/api/calls/{id}", tag = "calls", params(("id" = CallId, Path)), responses((status = 200, body = CallView)))]
async fn get(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
) -> Result<axum::Json<CallView>, Error> {
    Ok(axum::Json(calls::get(&app, &may, id).await?))
}

/// What was said in a call, so far; that it was read is logged.
#[utoipa::path(get, path = "/api/calls/{id}/turns", tag = "calls", params(("id" = CallId, Path)), responses((status = 200, body = Turns)))]
async fn turns(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
) -> Result<axum::Json<Turns>, Error> {
    Ok(axum::Json(calls::turns(&app, &may, id).await?))
}

/// The recording as a WAV file: 16 bit, left the caller, right the clinic. While the call is on: as far as it has been written.
#[utoipa::path(get, path = "/api/calls/{id}/recording", tag = "calls",
    params(("id" = CallId, Path), ("Range" = Option<String>, Header, description = "`bytes=<first>-<last>`, one range")),
    responses((status = 200, content_type = "audio/wav", description = "All of it"), (status = 206, content_type = "audio/wav", description = "The range asked for")))]
async fn recording(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    super::recording::serve(&app, &may, id, &headers).await
}

/// How finely to draw a recording.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WaveformQuery {
    /// Points of each channel, 10 to 4,000; 600 unless told.
    #[serde(default)]
    #[param(minimum = 10, maximum = 4000)]
    points: Option<u32>,
}

/// The loudness of a recording over time, for drawing.
#[utoipa::path(get, path = "/api/calls/{id}/waveform", tag = "calls", params(("id" = CallId, Path), WaveformQuery), responses((status = 200, body = recordings::Waveform)))]
async fn waveform(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
    Query(query): Query<WaveformQuery>,
) -> Result<axum::Json<recordings::Waveform>, Error> {
    Ok(axum::Json(recordings::waveform(&app, &may, id, query.points).await?))
}

/// Places a call: from one's softphone at once; otherwise one's own telephone rings first, then the other side is dialled.
#[utoipa::path(post, path = "/api/calls", tag = "calls", request_body = PlaceInput, params(super::openapi::IdempotencyHeader),
    responses((status = 200, body = Placed)))]
async fn place(
    State(app): State<Arc<App>>,
    may: May<PlaceCalls>,
    key: IdempotencyKey,
    Json(input): Json<PlaceInput>,
) -> Result<axum::Json<Placed>, Error> {
    Ok(axum::Json(calls::place(&app, &may, key.0.as_deref(), input).await?))
}

/// Takes a call at one's softphone, where it rings.
#[utoipa::path(post, path = "/api/calls/{id}/answer", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "One is in it")))]
async fn answer(State(app): State<Arc<App>>, may: May<TakeCalls>, Path(id): Path<CallId>) -> Result<StatusCode, Error> {
    calls::answer(&app, &may, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a call ring no more for oneself, neither at one's softphone nor at one's telephone.
#[utoipa::path(post, path = "/api/calls/{id}/decline", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It rings no more")))]
async fn decline(
    State(app): State<Arc<App>>,
    may: May<TakeCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::decline(&app, &may, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a call; while a colleague is being asked, hands it on to them.
#[utoipa::path(post, path = "/api/calls/{id}/hangup", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It is being ended")))]
async fn hang_up(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::hang_up(&app, &may, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the other side of a call wait with music.
#[utoipa::path(post, path = "/api/calls/{id}/hold", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It waits")))]
async fn hold(State(app): State<Arc<App>>, may: May<HandleCalls>, Path(id): Path<CallId>) -> Result<StatusCode, Error> {
    calls::hold(&app, &may, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the other side of a call back; a colleague who is being asked is left.
#[utoipa::path(post, path = "/api/calls/{id}/resume", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It is back")))]
async fn resume(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::hold(&app, &may, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets nobody in the call hear one's softphone; this holds when its page is loaded again.
#[utoipa::path(post, path = "/api/calls/{id}/mute", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It is not heard")))]
async fn mute(State(app): State<Arc<App>>, may: May<HandleCalls>, Path(id): Path<CallId>) -> Result<StatusCode, Error> {
    calls::mute(&app, &may, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the others hear one's softphone again.
#[utoipa::path(post, path = "/api/calls/{id}/unmute", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It is heard")))]
async fn unmute(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::mute(&app, &may, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets nothing be kept of what is said, as while a card's number is told: the recording is silent, and digits are not told. For who
/// handles the call; it ends by itself after three minutes, and when the other side waits or is handed on.
#[utoipa::path(post, path = "/api/calls/{id}/mask", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "Nothing is kept")))]
async fn mask(State(app): State<Arc<App>>, may: May<HandleCalls>, Path(id): Path<CallId>) -> Result<StatusCode, Error> {
    calls::mask(&app, &may, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets what is said be kept again.
#[utoipa::path(post, path = "/api/calls/{id}/unmask", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "It is kept")))]
async fn unmask(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::mask(&app, &may, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hands a call on to a number or an extension.
#[utoipa::path(post, path = "/api/calls/{id}/transfer", tag = "calls", params(("id" = CallId, Path)), request_body = TransferInput,
    responses((status = 204, description = "It rings there")))]
async fn transfer(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
    Json(input): Json<TransferInput>,
) -> Result<StatusCode, Error> {
    calls::transfer(&app, &may, id, input).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets all talk with each other: whoever was asked before the call is handed on comes in.
#[utoipa::path(post, path = "/api/calls/{id}/conference", tag = "calls", params(("id" = CallId, Path)), responses((status = 204, description = "They all talk")))]
async fn confer(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
) -> Result<StatusCode, Error> {
    calls::confer(&app, &may, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets one go who talks in a conference.
#[utoipa::path(post, path = "/api/calls/{id}/participants/{number}/hangup", tag = "calls",
    params(("id" = CallId, Path), ("number" = u32, Path, description = "Which of the call's participants")),
    responses((status = 204, description = "They have left")))]
async fn remove(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path((id, number)): Path<(CallId, u32)>,
) -> Result<StatusCode, Error> {
    calls::remove(&app, &may, id, number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends digits to the other side of a call.
#[utoipa::path(post, path = "/api/calls/{id}/dtmf", tag = "calls", params(("id" = CallId, Path)), request_body = DtmfInput,
    responses((status = 204, description = "They are being sent")))]
async fn dtmf(
    State(app): State<Arc<App>>,
    may: May<HandleCalls>,
    Path(id): Path<CallId>,
    Json(input): Json<DtmfInput>,
) -> Result<StatusCode, Error> {
    calls::dtmf(&app, &may, id, input).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tasks that came of a call.
#[utoipa::path(get, path = "/api/calls/{id}/tasks", tag = "calls", params(("id" = CallId, Path)), responses((status = 200, body = CallTasks)))]
async fn tasks(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
) -> Result<axum::Json<CallTasks>, Error> {
    Ok(axum::Json(tasks_owed::of_call(&app, &may, id)?))
}

/// Appointments made in a call.
#[utoipa::path(get, path = "/api/calls/{id}/appointments", tag = "calls", params(("id" = CallId, Path)), responses((status = 200, body = CallAppointments)))]
async fn appointments(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
) -> Result<axum::Json<CallAppointments>, Error> {
    Ok(axum::Json(appointments::of_call(&app, &may, id)?))
}

/// Text messages that came of a call, and whether they have arrived.
#[utoipa::path(get, path = "/api/calls/{id}/texts", tag = "calls", params(("id" = CallId, Path)), responses((status = 200, body = CallTexts)))]
async fn texts(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<CallId>,
) -> Result<axum::Json<CallTexts>, Error> {
    Ok(axum::Json(texts::of_call(&app, &may, id)?))
}

/// Conversations, newest first.
#[utoipa::path(get, path = "/api/conversations", tag = "conversations", params(PageQuery), responses((status = 200, body = Page<Conversation>)))]
async fn list_conversations(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Conversation>>, Error> {
    Ok(axum::Json(conversations::list(&app, &may, &page)?))
}

/// One conversation with everything said in it; that it was read is logged.
#[utoipa::path(get, path = "/api/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)), responses((status = 200, body = ConversationWithTurns)))]
async fn conversation(
    State(app): State<Arc<App>>,
    may: May<ReadCalls>,
    Path(id): Path<ConversationId>,
) -> Result<axum::Json<ConversationWithTurns>, Error> {
    Ok(axum::Json(conversations::get(&app, &may, id).await?))
}
