//! Calls that several people are in: conferences, and supervision (listen, whisper, barge, take over).

use super::placing::{on, origin};
use super::standing;
use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{HandleCalls, SuperviseCalls};
use crate::error::{Error, ErrorCode};
use crate::floor::Joiner;
use auricle_domain::account::Account;
use auricle_domain::code::{CallStatus, Part};
use auricle_domain::floor::Order;
use auricle_domain::id::{AccountId, CallId};
use auricle_domain::live::LiveCall;

/// Lets all talk with each other: the colleague, or whoever was asked before the call is handed on, comes in.
///
/// # Errors
/// `not_found`; `forbidden` for an agent when the call is not their own; `conflict` when nobody is being asked who has answered;
/// `unavailable` when the conference is full.
pub async fn confer(app: &App, may: &May<HandleCalls>, id: CallId) -> Result<(), Error> {
    on(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person makes a conference of the call");
    app.floor.order(id, may.who().account, Order::Conference { actor: may.actor() }).await
}

/// Lets one go who talks in a conference.
///
/// # Errors
/// `not_found`; `forbidden` for an agent when the call is not their own; `conflict` when nobody of that number talks in it.
pub async fn remove(app: &App, may: &May<HandleCalls>, id: CallId, number: u32) -> Result<(), Error> {
    on(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person lets a participant of a conference go");
    app.floor.order(id, may.who().account, Order::Remove(number)).await
}

/// Brings a supervisor into a call: to listen (SUP-05), to whisper to whoever handles it (SUP-06), or to talk with all (SUP-08, Z-09).
/// Who is in it already changes over. To a caller whom the receptionist serves one can listen alone, or take them over.
///
/// # Errors
/// `not_found`; `conflict` when the call has ended, when nobody is there to whisper to, without a telephone that is there, and when
/// one's softphone is in another call; `unavailable`.
pub async fn join(app: &App, may: &May<SuperviseCalls>, id: CallId, part: Part) -> Result<(), Error> {
    standing::of(app, id)?.on()?;
    tracing::info!(cause = %may.cause(), call = %id, part = part.as_str(), "a person comes into the call");
    app.floor.join(id, joiner(app, may)?, part).await
}

/// Lets a supervisor handle a call from now on, in the place of the receptionist or of a colleague (SUP-07).
///
/// # Errors
/// As [`join`]; `conflict` also while a colleague asks somebody else about the call.
pub async fn take_over(app: &App, may: &May<SuperviseCalls>, id: CallId) -> Result<(), Error> {
    standing::of(app, id)?.on()?;
    tracing::info!(cause = %may.cause(), call = %id, "a person takes the call over");
    app.floor.take_over(id, joiner(app, may)?).await
}

/// Brings a supervisor into the call that a person handles, to whisper to them (SUP-06).
///
/// # Errors
/// As [`join`]; `conflict` when the person is in no call.
pub async fn coach(app: &App, may: &May<SuperviseCalls>, agent: AccountId) -> Result<(), Error> {
    app.store.read(|tx| tx.get::<Account>(&agent))?.ok_or_else(|| Error::not_found("account"))?;
    let board = app.floor.snapshot();
    let talks = |live: &&LiveCall| live.agent == Some(agent) && live.status == CallStatus::WithAgent;
    let call = board.iter().find(talks).map(|live| live.call);
    let call = call.ok_or_else(|| Error::new(ErrorCode::Conflict, "This person is in no call at the moment"))?;
    join(app, may, call, Part::Whisper).await
}

/// From where a supervisor comes, and how others are shown them.
fn joiner(app: &App, may: &May<SuperviseCalls>) -> Result<Joiner, Error> {
    let account = may.who().account;
    let (origin, shown) = origin(app, account, None)?;
    Ok(Joiner { account, actor: may.actor(), origin, shown })
}
