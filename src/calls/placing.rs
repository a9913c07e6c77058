//! Calls that people place, hold, hand on and end.

use super::standing;
use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{HandleCalls, PlaceCalls, TakeCalls};
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::floor::Wanted;
use crate::page::Checks;
use crate::phones;
use auricle_domain::account::Account;
use auricle_domain::call::Call;
use auricle_domain::code::{PhoneState, Role};
use auricle_domain::floor::{Leg, Order, Origin};
use auricle_domain::id::{AccountId, CallId, PhoneId};
use auricle_domain::outbound::Show;
use auricle_domain::phone::Phone;
use serde::{Deserialize, Serialize};

/// Longest number that is dialled, in characters.
const NUMBER_CHARS_MAX: usize = 64;
/// Digits that are sent at once.
const DIGITS_MAX: usize = 32;

/// A wish to call (CALL-01): a number or a colleague.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceInput {
    /// A number as one dials it, or an extension; up to 64 characters.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// A colleague, instead of a number: they are rung.
    #[serde(default)]
    pub account_id: Option<AccountId>,
    /// One's own telephone that rings first. Unless told one's softphone calls, where a page has it on; otherwise the first
    /// telephone that is there.
    #[serde(default)]
    pub phone_id: Option<PhoneId>,
    /// The clinic's number that the called party shall be shown; the trunk's first one, unless told.
    #[serde(default)]
    pub caller_id: Option<String>,
    /// The called party shall be shown no number (RFC 3323), instead of `caller_id`: by a trunk that is told the clinic's number in a
    /// header of its own. In an emergency it is shown all the same.
    #[serde(default)]
    pub is_withheld: bool,
    /// A campaign: there are none yet, so that any is refused.
    #[serde(default)]
    pub campaign_id: Option<String>,
}

/// A call that is being placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Placed {
    /// The call.
    pub id: CallId,
    /// `queued`: one's own telephone rings, then the other side is dialled; from a softphone that is dialled at once.
    pub status: PlacedStatus,
}

/// How a call stands that is being placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlacedStatus {
    /// It is being placed.
    Queued,
}

/// Where a call is handed on to.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferInput {
    /// A number as one dials it, or an extension; up to 64 characters.
    pub to: String,
    /// Ask there first: hanging up hands on, `resume` takes the call back.
    #[serde(default)]
    pub attended: bool,
}

/// Digits for the other side of a call.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DtmfInput {
    /// 1 to 32 of `0`-`9`, `*`, `#`, `A`-`D`.
    pub digits: String,
}

/// Places a call: one's softphone is in it at once, one's own telephone rings first.
///
/// # Errors
/// `invalid`; `outbound_refused` with the rule; `conflict` without a telephone that is there, and while one's softphone is in a
/// call; `unavailable`.
pub async fn place(app: &App, may: &May<PlaceCalls>, key: Option<&str>, input: PlaceInput) -> Result<Placed, Error> {
    let number = wanted_number(&input)?;
    let fresh = clock::fresh(CallId::new, (app.clock)());
    let call = app.events.commit(may.op("call.place", key), may.by(), move |_| Ok(fresh)).await?;
    let placed = Placed { id: call, status: PlacedStatus::Queued };
    // Before anything else is looked at: telephones that were there for the first wish may have gone, as after a restart.
    if call != fresh && is_placed(app, call)? {
        return Ok(placed);
    }
    let to = match input.account_id {
        Some(colleague) => telephone(app, colleague, None)?.extension,
        None => number,
    };
    let show = match input.caller_id.filter(|number| !number.trim().is_empty()) {
        _ if input.is_withheld => Show::Withheld,
        Some(number) => Show::Number(number),
        None => Show::Usual,
    };
    let (origin, shown) = origin(app, may.who().account, input.phone_id)?;
    let (by, actor, cause) = (may.who().account, may.actor(), may.cause());
    tracing::info!(%cause, %call, "a person places a call");
    app.floor.place(Wanted { call, by, actor, cause, origin, shown, to, show }).await?;
    Ok(placed)
}

/// Whether a call has been placed under this name: it is on, or was written down. Otherwise the wish for it came to nothing, and may be
/// repeated.
fn is_placed(app: &App, call: CallId) -> Result<bool, Error> {
    let is_on = app.floor.snapshot().iter().any(|live| live.call == call);
    Ok(is_on || app.store.read(|tx| tx.get::<Call>(&call))?.is_some())
}

/// The number that is to be dialled; empty where a colleague is called.
fn wanted_number(input: &PlaceInput) -> Result<String, Error> {
    let mut checks = Checks::default();
    checks.require(input.campaign_id.is_none(), "campaign_id", "unknown", || {
        "there are no campaigns yet: a call is placed without one".to_owned()
    });
    let one_shown = !(input.is_withheld && input.caller_id.is_some());
    checks.require(one_shown, "caller_id", "unknown", || "a number that is withheld is not shown".to_owned());
    let one = input.phone_number.is_some() != input.account_id.is_some();
    checks.require(one, "phone_number", "required", || "either phone_number or account_id is needed".to_owned());
    let number = input.phone_number.as_deref().map(|number| checks.text("phone_number", number, 1, NUMBER_CHARS_MAX));
    checks.done()?;
    Ok(number.unwrap_or_default())
}

/// From where a person calls, and how colleagues are shown it.
pub(super) fn origin(app: &App, account: AccountId, named: Option<PhoneId>) -> Result<(Origin, String), Error> {
    let Some(leg) = app.softphones.stations.up(account).filter(|_| named.is_none()) else {
        let phone = telephone(app, account, named)?;
        return Ok((Origin::Phone(phone.id), phone.extension));
    };
    let shown = app.store.read(|tx| {
        let own = phones::all(tx)?.into_iter().find(|phone| phone.account == Some(account) && phone.is_on);
        let name = || Ok::<_, Error>(tx.get::<Account>(&account)?.map(|account| account.name).unwrap_or_default());
        own.map_or_else(name, |phone| Ok(phone.extension))
    })?;
    Ok((Origin::Station(Leg(leg.0)), shown))
}

/// The telephone of a person: the one they name, or the first one that is there. At one that is switched off a softphone rings, so
/// that it need not be there while that is.
fn telephone(app: &App, account: AccountId, named: Option<PhoneId>) -> Result<Phone, Error> {
    let status = app.phones.status();
    let is_there = |phone: &Phone| status.get(&phone.id).is_some_and(|status| status.state == PhoneState::Registered);
    let mut own = app.store.read(phones::all)?;
    own.retain(|phone| phone.account == Some(account) && phone.is_on);
    if let Some(id) = named {
        return own.into_iter().find(|phone| phone.id == id).ok_or_else(|| Error::not_found("telephone"));
    }
    let any = app.softphones.stations.up(account).and_then(|_| own.first().cloned());
    let there = own.into_iter().find(is_there);
    there
        .or(any)
        .ok_or_else(|| Error::new(ErrorCode::Conflict, "No telephone of this person is registered at the moment"))
}

/// Ends a call that is on; while somebody is being asked, hands it on to them.
///
/// # Errors
/// `not_found`; `forbidden` for an agent when it is not their own; `conflict` when it has ended already; `unavailable`.
pub async fn hang_up(app: &App, may: &May<HandleCalls>, id: CallId) -> Result<(), Error> {
    on(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person ends the call");
    app.floor.order(id, may.who().account, Order::HangUp).await
}

/// Lets the other side of a call wait with music, or takes it back.
///
/// # Errors
/// As [`hang_up`].
pub async fn hold(app: &App, may: &May<HandleCalls>, id: CallId, on_hold: bool) -> Result<(), Error> {
    on(app, may, id)?;
    app.floor.order(id, may.who().account, Order::Hold(on_hold)).await
}

/// Hands a call on.
///
/// # Errors
/// As [`hang_up`]; `invalid`; `outbound_refused` with the rule.
pub async fn transfer(app: &App, may: &May<HandleCalls>, id: CallId, input: TransferInput) -> Result<(), Error> {
    let mut checks = Checks::default();
    let to = checks.text("to", &input.to, 1, NUMBER_CHARS_MAX);
    checks.done()?;
    on(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person hands the call on");
    app.floor.transfer(id, may.who().account, to, input.attended).await
}

/// Sends digits to the other side of a call.
///
/// # Errors
/// As [`hang_up`]; `invalid`.
pub async fn dtmf(app: &App, may: &May<HandleCalls>, id: CallId, input: DtmfInput) -> Result<(), Error> {
    let mut checks = Checks::default();
    let digits = checks.text("digits", &input.digits, 1, DIGITS_MAX).to_ascii_uppercase();
    let known = digits.chars().all(|digit| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D'));
    checks.require(known, "digits", "format", || "digits are 0-9, *, #, A-D".to_owned());
    checks.done()?;
    on(app, may, id)?;
    app.floor.order(id, may.who().account, Order::Dtmf(digits)).await
}

/// Takes a call at one's softphone, where it rings.
///
/// # Errors
/// `not_found`; `conflict` when it does not ring there (any more); `unavailable`.
pub async fn answer(app: &App, may: &May<TakeCalls>, id: CallId) -> Result<(), Error> {
    rings(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person answers the call");
    app.floor.order(id, may.who().account, Order::Answer).await
}

/// Lets a call ring no more for oneself, neither at one's softphone nor at one's telephone.
///
/// # Errors
/// As [`answer`].
pub async fn decline(app: &App, may: &May<TakeCalls>, id: CallId) -> Result<(), Error> {
    rings(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, "a person declines the call");
    app.floor.order(id, may.who().account, Order::Decline).await
}

/// Lets nobody in the call hear one's softphone, or lets them again.
///
/// # Errors
/// `not_found`; `forbidden` for an agent when the call is not their own; `conflict` when one's softphone is not in it; `unavailable`.
pub async fn mute(app: &App, may: &May<HandleCalls>, id: CallId, is_muted: bool) -> Result<(), Error> {
    on(app, may, id)?;
    app.floor.order(id, may.who().account, Order::Mute(is_muted)).await
}

/// Lets nothing be kept of what is said in a call, in recording and transcript, while a card's number is told; or lets it be kept
/// again. It ends by itself after three minutes, and when the person who handles the call lets the other side wait or leaves.
///
/// # Errors
/// `not_found`; `forbidden` for an agent when the call is not their own; `conflict` when the person does not handle the call, or the
/// other side waits; `unavailable`.
pub async fn mask(app: &App, may: &May<HandleCalls>, id: CallId, is_masked: bool) -> Result<(), Error> {
    on(app, may, id)?;
    tracing::info!(cause = %may.cause(), call = %id, is_masked, "a person masks what is said");
    app.floor.order(id, may.who().account, Order::Mask { on: is_masked, actor: may.by().actor }).await
}

/// That a call rings at the person's softphone.
fn rings(app: &App, may: &May<TakeCalls>, id: CallId) -> Result<(), Error> {
    if standing::of(app, id)?.rings_for(may.who().account) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Conflict, "The call does not ring at your softphone, or somebody else was faster"))
}

/// That a call is on, and that the person may act on it: agents on their own and those that their softphone is in, the others on
/// all.
pub(super) fn on(app: &App, may: &May<HandleCalls>, id: CallId) -> Result<(), Error> {
    let standing = standing::of(app, id)?;
    if may.who().role == Role::Agent && !standing.is_of(may.who().account) {
        return Err(Error::forbidden("handle the call of somebody else"));
    }
    standing.on().map(drop)
}
