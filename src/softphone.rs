//! A browser as a telephone: a page offers a WebRTC session, and its account has a leg for as long as the page is open.
//!
//! An account has one leg for each purpose at most. A page that is loaded again, or another page of the same account, takes the
//! leg over with whatever call is on it.

use crate::app::App;
use crate::auth::{May, permissions::TakeCalls};
use crate::error::{Error, ErrorCode};
use crate::voice::browsers::{WebAnswer, WebFault};
use crate::voice::stationbook::StationBook;
use auricle_domain::id::{AccountId, CallId, SessionId};
use auricle_media::io::{Command, LegId, WebPurpose, WebRefusal};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions that an account may open in a row, and in a minute: a page that is loaded again and again, or a bad network.
const SESSIONS_A_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");
/// Longest offer, in bytes; browsers send two or three thousand.
pub const OFFER_BYTES_MAX: usize = 16 * 1_024;

/// What a browser's leg is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It calls the receptionist, as any caller does.
    TestCall,
    /// It is the account's telephone: calls are placed with it, and brought to it.
    Station,
}

/// A browser's offer.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOffer {
    /// Session description with one audio section that has Opus, 16 KiB at most.
    pub sdp: String,
    /// What for.
    pub purpose: Purpose,
}

/// What the browser has to be told.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionAnswer {
    /// Session description.
    pub sdp: String,
    /// The page has taken over a leg that was there, with the call that is on it.
    pub resumed: bool,
}

/// How an account's session stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionState {
    /// The call that is on it, or rings.
    pub call: Option<CallId>,
}

/// Which legs accounts have: one for each account and purpose at most.
pub struct Softphones {
    /// Softphones proper, which calls are brought to.
    pub stations: StationBook,
    /// Test calls. An entry stays when its leg has ended, and gives way to the account's next one.
    test_calls: Mutex<HashMap<AccountId, LegId>>,
    /// In which sign-in the page was that opened a leg last: one for each account and purpose at most.
    opened: Mutex<HashMap<(AccountId, Purpose), SessionId>>,
    limits: DefaultKeyedRateLimiter<AccountId>,
}

impl Softphones {
    /// None yet; those that calls are brought to are found in the book.
    pub fn new(stations: StationBook) -> Self {
        let limits = RateLimiter::keyed(Quota::per_minute(SESSIONS_A_MINUTE));
        Self { stations, test_calls: Mutex::default(), opened: Mutex::default(), limits }
    }

    /// The leg that an account's page opened last for this purpose. That of a test call may have ended since.
    pub fn leg(&self, account: AccountId, purpose: Purpose) -> Option<LegId> {
        match purpose {
            Purpose::TestCall => self.test_calls().get(&account).copied(),
            Purpose::Station => self.stations.of(account).map(|station| station.leg),
        }
    }

    fn set(&self, account: AccountId, purpose: Purpose, leg: LegId) -> Option<LegId> {
        match purpose {
            Purpose::TestCall => self.test_calls().insert(account, leg),
            Purpose::Station => self.stations.open(account, leg),
        }
    }

    fn test_calls(&self) -> MutexGuard<'_, HashMap<AccountId, LegId>> {
        self.test_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<(AccountId, Purpose), SessionId>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, account: AccountId) -> Result<(), Error> {
        let Err(refused) = self.limits.check_key(&account) else { return Ok(()) };
        let wait = refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        let error = Error::new(ErrorCode::RateLimited, "Too many sessions were opened from this account's pages");
        Err(error.retry_after(u32::try_from(wait).unwrap_or(u32::MAX)))
    }
}

/// Opens a session for the account's page, or takes over the one that is there.
///
/// # Errors
/// `invalid` for an offer that is not one audio stream with Opus, `rate_limited`, `unavailable` when browsers are not served, all
/// lines are in use or the service is stopping.
pub async fn open(app: &App, may: &May<TakeCalls>, offer: SessionOffer) -> Result<SessionAnswer, Error> {
    let account = may.who().account;
    app.softphones.check(account)?;
    let SessionOffer { sdp, purpose } = offer;
    if sdp.is_empty() || sdp.len() > OFFER_BYTES_MAX {
        return Err(Error::field("sdp", "too_long", format!("A session description of 1 to {OFFER_BYTES_MAX} bytes")));
    }
    if let Some(leg) = app.softphones.leg(account, purpose) {
        match app.voice.web(sdp.clone(), WebPurpose::Renew(leg)).await {
            Ok(WebAnswer { sdp, .. }) => {
                app.softphones.opened().insert((account, purpose), may.who().session);
                return Ok(SessionAnswer { sdp, resumed: true });
            }
            Err(WebFault::Refused(WebRefusal::Gone)) => {}
            Err(fault) => return Err(refused(fault)),
        }
    }
    let wanted = match purpose {
        // A browser has no number: the call is one of a caller who withholds theirs.
        Purpose::TestCall => WebPurpose::Call { from: String::new(), name: String::new(), to: String::new() },
        Purpose::Station => WebPurpose::Station,
    };
    let WebAnswer { leg, sdp } = app.voice.web(sdp, wanted).await.map_err(refused)?;
    app.softphones.opened().insert((account, purpose), may.who().session);
    if let Some(before) = app.softphones.set(account, purpose, leg) {
        // Two pages at once: the later one has the account's leg. Ending one that is gone changes nothing.
        send(app, Command::Hangup { leg: before })?;
    }
    Ok(SessionAnswer { sdp, resumed: false })
}

/// How the account's session stands.
///
/// # Errors
/// `not_found` when no page has opened one; of a softphone also when it has ended since.
pub fn state(app: &App, may: &May<TakeCalls>, purpose: Purpose) -> Result<SessionState, Error> {
    let account = may.who().account;
    let leg = app.softphones.leg(account, purpose).ok_or_else(|| Error::not_found("session"))?;
    let call = match purpose {
        Purpose::TestCall => app.floor.call_of(leg),
        Purpose::Station => {
            let calls = app.floor.snapshot();
            calls.iter().find(|call| call.stations.iter().any(|it| it.account == account)).map(|call| call.call)
        }
    };
    Ok(SessionState { call })
}

/// Ends the account's session, and the call that is on it.
///
/// # Errors
/// `unavailable` when the service is stopping.
pub fn close(app: &App, may: &May<TakeCalls>, purpose: Purpose) -> Result<(), Error> {
    match app.softphones.leg(may.who().account, purpose) {
        Some(leg) => send(app, Command::WebClose { leg }),
        None => Ok(()),
    }
}

/// Ends what is said from an account's pages, and the calls that are on it, but for pages of the sign-in that is kept.
///
/// # Errors
/// As [`close`].
pub(crate) fn end_all(app: &App, account: AccountId, kept: Option<SessionId>) -> Result<(), Error> {
    let goes = |purpose: &Purpose| kept.is_none() || app.softphones.opened().get(&(account, *purpose)) != kept.as_ref();
    let purposes = [Purpose::TestCall, Purpose::Station].into_iter().filter(goes);
    let legs: Vec<_> = purposes.filter_map(|purpose| app.softphones.leg(account, purpose)).collect();
    legs.into_iter().try_for_each(|leg| send(app, Command::WebClose { leg }))
}

fn send(app: &App, command: Command) -> Result<(), Error> {
    app.voice.send(command).map_err(|error| Error::new(ErrorCode::Unavailable, error.to_string()))
}

fn refused(fault: WebFault) -> Error {
    match fault {
        WebFault::Refused(refusal @ (WebRefusal::Description | WebRefusal::Codec)) => {
            Error::field("sdp", "format", refusal.to_string())
        }
        WebFault::Refused(WebRefusal::Off) => {
            Error::new(ErrorCode::Unavailable, "Speaking from a browser is switched off: webrtc.listen is empty")
        }
        WebFault::Refused(WebRefusal::Full | WebRefusal::Gone) => {
            Error::new(ErrorCode::Unavailable, "All lines are in use, or the service is stopping")
        }
        WebFault::Voice(error) => Error::new(ErrorCode::Unavailable, error.to_string()),
    }
}
