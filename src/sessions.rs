//! Signing in and out (AUTH-01, AUTH-04): opaque tokens, stored as their hash, that end 12 hours after the last request and
//! seven days after sign-in.

use crate::accounts::AccountView;
use crate::app::App;
use crate::auth::SignedIn;
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::By;
use crate::password;
use auricle_domain::Timestamp;
use auricle_domain::account::{Account, Actor, Session};
use auricle_domain::code::{AccountState, Role};
use auricle_domain::event::Event;
use auricle_domain::id::{AccountId, CauseId, SessionId};
use auricle_storage::{Lookup, OpId, Scan, WriteTx, schema};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Wrong passwords in a row that lock sign-in.
pub const FAILURES_MAX: u32 = 10;
/// How long sign-in is locked then.
pub const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(15);
/// A session ends this long after its last request.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_hours(12);
/// A session ends this long after sign-in, whatever happens.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The last request of a session is kept to this exactness, so that reading does not mean writing.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one account; the oldest ends when one more begins.
const SESSIONS_MAX: usize = 20;
/// Sessions past their end that one sign-in sweeps away.
const SWEPT_MAX: usize = 50;
/// Unknown e-mail addresses whose wrong passwords are counted; with more, the counting starts over.
const STRANGERS_MAX: usize = 10_000;
/// Length of a token, in bytes.
const TOKEN_BYTES: usize = 32;

/// Who wants to sign in.
#[derive(Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Sign-in name; case does not matter.
    pub email: String,
    /// The password.
    #[schema(format = Password)]
    pub password: String,
    /// Where the session lives; `web` unless told.
    #[serde(default)]
    pub client: Client,
}

/// Where a session's token is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// In a browser's cookie; the body never carries it.
    #[default]
    Web,
    /// In the reply's body, for `Authorization: Bearer`.
    Terminal,
}

/// Somebody has signed in.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoggedIn {
    /// Who.
    pub account: AccountView,
    /// The session's token, for `terminal` clients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a session is known by: 256 random bits that only the client has.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

impl Token {
    fn fresh() -> Self {
        Self(rand::random())
    }

    /// As it stands in cookies and `Authorization`.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads it back; none when it cannot be one of ours.
    pub fn from_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// As it stands in the store.
    fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Wrong passwords for e-mail addresses that nobody has: they lock like any other, so that locking tells nobody which
/// addresses exist. Kept in memory, under the HMAC of the address.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<HashMap<Lookup, Failures>>);

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    locked_until: Option<Timestamp>,
}

impl Strangers {
    /// One more wrong password; says what to answer.
    fn wrong(&self, email: Lookup, now: Timestamp) -> Error {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= STRANGERS_MAX && !known.contains_key(&email) {
            known.clear();
        }
        let failures = known.entry(email).or_default();
        if let Some(until) = failures.locked_until.filter(|until| *until > now) {
            return locked(until, now);
        }
        failures.count += 1;
        if failures.count >= FAILURES_MAX {
            *failures = Failures { count: 0, locked_until: Some(now + LOCKED_FOR) };
        }
        wrong_password()
    }
}

fn wrong_password() -> Error {
    Error::new(ErrorCode::WrongPassword, "There is no account with this e-mail address and password")
}

fn locked(until: Timestamp, now: Timestamp) -> Error {
    let seconds = u32::try_from(until.duration_since(now).as_secs() + 1).unwrap_or(1);
    let detail =
        format!("After {FAILURES_MAX} wrong passwords sign-in is locked for 15 minutes; {seconds} seconds are left");
    Error::new(ErrorCode::Locked, detail).retry_after(seconds)
}

/// Signs in.
///
/// An e-mail address that nobody has, a disabled account and a wrong password get the same answer after the same work.
///
/// # Errors
/// `wrong_password`; `locked` after ten in a row, for 15 minutes, also for the right password.
pub async fn login(app: &App, cause: CauseId, input: Login) -> Result<(AccountView, Token), Error> {
    let now = (app.clock)();
    let found = app.store.read(|tx| tx.find(schema::ACCOUNT_BY_EMAIL, tx.lookup().email(&input.email)))?;
    let found = found.filter(|account: &Account| account.state != AccountState::Disabled);
    if let Some(until) = found.as_ref().and_then(|account| account.locked_until).filter(|until| *until > now) {
        return Err(locked(until, now));
    }
    let hash = found.as_ref().map(|account| account.password_hash.clone());
    let right = password::verify(input.password, hash).await?;
    let Some(account) = found else {
        let email = app.store.read(|tx| Ok::<_, Error>(tx.lookup().email(&input.email)))?;
        return Err(app.strangers.wrong(email, now));
    };
    let by = By { actor: Actor::Account { id: account.id, role: account.role }, cause };
    if right { begin(app, by, account.id).await } else { Err(count_failure(app, by, account.id).await) }
}

/// Begins a session.
async fn begin(app: &App, by: By, account: AccountId) -> Result<(AccountView, Token), Error> {
    let token = Token::fresh();
    let token_sha256 = token.sha256();
    let now = (app.clock)();
    let id = clock::fresh(SessionId::new, now);
    let session = Session { id, account, created_at: now, expires_at: now + SESSION_MAX, seen_at: now };
    let view = app.events.commit_essential(clock::op(), by, move |tx| {
        let mut account: Account = tx.get(&account)?.ok_or_else(wrong_password)?;
        // Others may have been guessing while this password was being hashed.
        if let Some(until) = account.locked_until.filter(|until| *until > now) {
            return Err(locked(until, now));
        }
        account.failures = 0;
        account.locked_until = None;
        tx.put(&account)?;
        sweep(tx, account.id, now)?;
        tx.put(&schema::StoredSession { token_sha256, session: session.clone() })?;
        tx.event(Event::SignedIn { account: account.id });
        Ok(AccountView::from(account))
    });
    Ok((view.await?, token))
}

/// Removes sessions that are over, and the oldest of an account that has too many.
fn sweep(tx: &mut WriteTx, account: AccountId, now: Timestamp) -> Result<(), Error> {
    let over = tx.scan(Scan::index(schema::SESSIONS_BY_END).to(now).limit(SWEPT_MAX))?.items;
    let own = tx.scan(Scan::index(schema::SESSIONS_BY_ACCOUNT).prefix(account).limit(2 * SESSIONS_MAX))?.items;
    let mut own: Vec<_> = own.into_iter().filter(|stored| stored.session.expires_at > now).collect();
    own.sort_by_key(|stored| std::cmp::Reverse(stored.session.created_at));
    for stored in over.into_iter().chain(own.into_iter().skip(SESSIONS_MAX - 1)) {
        tx.delete::<schema::StoredSession>(&stored.token_sha256)?;
    }
    Ok(())
}

/// Counts a wrong password; says what to answer.
async fn count_failure(app: &App, by: By, account: AccountId) -> Error {
    let counted = app.events.commit_essential(clock::op(), by, move |tx| {
        let now = tx.at();
        let mut account: Account = tx.get(&account)?.ok_or_else(wrong_password)?;
        if let Some(until) = account.locked_until.filter(|until| *until > now) {
            return Err(locked(until, now));
        }
        account.failures += 1;
        if account.failures >= FAILURES_MAX {
            account.failures = 0;
            account.locked_until = Some(now + LOCKED_FOR);
            tx.event(Event::SignInLocked { account: account.id });
        }
        tx.put(&account)?;
        Ok(())
    });
    counted.await.err().unwrap_or_else(wrong_password)
}

/// Who a token belongs to, if it does and its session is not over. Keeps the session alive.
///
/// # Errors
/// When the store cannot be reached.
pub async fn resolve(app: &App, token: &Token, cause: CauseId) -> Result<Option<SignedIn>, Error> {
    let now = (app.clock)();
    let key = token.sha256();
    let found = app.store.read(|tx| -> Result<_, Error> {
        let Some(stored) = tx.get::<schema::StoredSession>(&key)? else { return Ok(None) };
        Ok(tx.get::<Account>(&stored.session.account)?.map(|account| (stored.session, account)))
    })?;
    let Some((session, account)) = found else { return Ok(None) };
    let over = session.expires_at <= now || session.seen_at + IDLE_MAX <= now;
    if over || account.state == AccountState::Disabled {
        return Ok(None);
    }
    let who = SignedIn {
        account: account.id,
        role: account.role,
        language: account.language,
        state: account.state,
        session: session.id,
        expires_at: session.expires_at,
        cause,
    };
    keep_alive(app, who.by(), &session, key, now).await?;
    Ok(Some(who))
}

fn see(tx: &mut WriteTx, key: [u8; 32], now: Timestamp) -> Result<(), Error> {
    if let Some(mut stored) = tx.get::<schema::StoredSession>(&key)? {
        stored.session.seen_at = now;
        tx.put(&stored)?;
    }
    Ok(())
}

/// Whether a session that was found before still stands, and with which role; for connections that outlive their request. Keeps
/// it alive.
///
/// # Errors
/// When the store cannot be reached.
pub async fn stands(app: &App, who: &SignedIn) -> Result<Option<Role>, Error> {
    let now = (app.clock)();
    let found = app.store.read(|tx| -> Result<_, Error> {
        let own = tx.scan(Scan::index(schema::SESSIONS_BY_ACCOUNT).prefix(who.account).limit(10 * SESSIONS_MAX))?.items;
        let session = own.into_iter().find(|stored| stored.session.id == who.session);
        Ok(session.zip(tx.get::<Account>(&who.account)?))
    })?;
    let Some((stored, account)) = found.filter(|(stored, _)| stored.session.expires_at > now) else { return Ok(None) };
    keep_alive(app, who.by(), &stored.session, stored.token_sha256, now).await?;
    Ok((account.state == AccountState::Active).then_some(account.role))
}

/// Notes that a session is in use, once a minute.
async fn keep_alive(app: &App, by: By, session: &Session, key: [u8; 32], now: Timestamp) -> Result<(), Error> {
    if session.seen_at + SEEN_EVERY > now {
        return Ok(());
    }
    let minute = now.as_second().div_euclid(60).to_be_bytes();
    let op = OpId::derive("session.seen", &[&key, &minute]);
    app.events.commit_essential(op, by, move |tx| see(tx, key, now)).await
}

/// Ends the session that a request came with.
///
/// # Errors
/// When the store cannot be reached.
pub async fn logout(app: &App, who: &SignedIn) -> Result<(), Error> {
    let (account, session) = (who.account, who.session);
    app.events.commit_essential(clock::op(), who.by(), move |tx| end(tx, account, |id| id == session)).await
}

/// Ends sessions of an account: those of which `which` says so.
///
/// # Errors
/// When the store fails.
pub fn end(tx: &mut WriteTx, account: AccountId, which: impl Fn(SessionId) -> bool) -> Result<(), Error> {
    let sessions = tx.scan(Scan::index(schema::SESSIONS_BY_ACCOUNT).prefix(account).limit(10 * SESSIONS_MAX))?.items;
    for stored in sessions.into_iter().filter(|stored| which(stored.session.id)) {
        tx.delete::<schema::StoredSession>(&stored.token_sha256)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = Token::fresh();
        assert_eq!(Token::from_text(&token.to_text()), Some(token.clone()));
        assert_eq!(Token::from_text(&token.to_text()[1..]), None);
        assert_eq!(Token::from_text("no token at all!"), None);
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn strangers_are_locked_like_anybody() {
        let strangers = Strangers::default();
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        for _ in 0..FAILURES_MAX {
            assert_eq!(strangers.wrong([1; 32], now).code, ErrorCode::WrongPassword);
        }
        assert_eq!(strangers.wrong([1; 32], now).retry_after_s, Some(901));
        assert_eq!(strangers.wrong([2; 32], now).code, ErrorCode::WrongPassword);
        assert_eq!(strangers.wrong([1; 32], now + LOCKED_FOR).code, ErrorCode::WrongPassword);
    }
}
