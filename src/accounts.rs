//! People who sign in: invite, change, disable, and one's own settings.

use crate::app::App;
use crate::auth::{May, SignedIn, permissions::EditAccounts};
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::{By, Events, Writing};
use crate::page::{Checks, Page, PageQuery, cursor_of};
use crate::{password, sessions, softphone};
use auricle_domain::Timestamp;
use auricle_domain::account::Account;
use auricle_domain::code::{AccountState, Lang, Role};
use auricle_domain::event::Event;
use auricle_domain::id::AccountId;
use auricle_storage::{OpId, ReadTx, Scan, schema};
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest e-mail address, in characters (RFC 5321 section 4.5.3.1).
const EMAIL_CHARS_MAX: usize = 254;
/// Accounts of a clinic.
const ACCOUNTS_MAX: usize = 1_000;

/// An account as the API shows it: without anything secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccountView {
    /// Identity.
    pub id: AccountId,
    /// Sign-in name.
    pub email: String,
    /// Shown to colleagues.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language of their screens.
    pub language: Lang,
    /// Whether they may sign in.
    pub state: AccountState,
    /// Nothing but their own account can be used until they have chosen a password of their own.
    pub must_change_password: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            must_change_password: account.state == AccountState::Invited,
            id: account.id,
            email: account.email,
            name: account.name,
            role: account.role,
            language: account.language,
            state: account.state,
            created_at: account.created_at,
            version: account.version,
        }
    }
}

/// A person to invite.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Sign-in name, at most 254 characters; kept in lower case.
    pub email: String,
    /// Shown to colleagues, 1 to 255 characters.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language of their screens; the clinic's first unless told.
    #[serde(default)]
    pub language: Option<Lang>,
}

/// What to change of an account; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Shown to colleagues, 1 to 255 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// What they may do.
    #[serde(default)]
    pub role: Option<Role>,
    /// The language of their screens.
    #[serde(default)]
    pub language: Option<Lang>,
    /// `active` or `disabled`; disabling ends their sessions at once, and what they say from a browser.
    #[serde(default)]
    pub state: Option<AccountState>,
}

/// What to change of one's own account; what is absent stays.
#[derive(Clone, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnChange {
    /// The language of one's screens.
    #[serde(default)]
    pub language: Option<Lang>,
    /// Shown to colleagues, 1 to 255 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// Needed with `new_password`.
    #[serde(default)]
    #[schema(format = Password)]
    pub current_password: Option<String>,
    /// 12 to 256 characters, other than the current one. All other sessions end, and what is said from their pages.
    #[serde(default)]
    #[schema(format = Password)]
    pub new_password: Option<String>,
}

/// A new account and its password, which is shown this one time.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Invited {
    /// The account.
    pub account: AccountView,
    /// To be given to the person; works until they change it.
    pub one_time_password: String,
}

/// A password, which is shown this one time.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OneTimePassword {
    /// To be given to the person; works until they change it.
    pub one_time_password: String,
}

/// One's own account.
///
/// # Errors
/// When the store cannot be reached.
pub fn own(app: &App, who: &SignedIn) -> Result<AccountView, Error> {
    let account = app.store.read(|tx| tx.get::<Account>(&who.account))?;
    account.map(AccountView::from).ok_or_else(|| Error::not_found("account"))
}

/// Changes one's own account. A new password makes an invited account active and ends all other sessions, with what is said from
/// their pages.
///
/// # Errors
/// `invalid` with the fields at fault; `wrong_password` when the current one is not right.
pub async fn change_own(app: &App, who: &SignedIn, change: OwnChange) -> Result<AccountView, Error> {
    if who.state == AccountState::Invited && change.new_password.is_none() {
        return Err(Error::new(ErrorCode::PasswordChangeRequired, "Choose a password of your own first: new_password"));
    }
    let name = change.name.as_deref().map(checked_name).transpose()?;
    let hash = match change.new_password {
        None => None,
        Some(new) => Some(checked_password(app, who, change.current_password, new).await?),
    };
    let (id, session, language) = (who.account, who.session, change.language);
    let is_new_password = hash.is_some();
    let changed = app.events.commit(clock::op(), who.by(), move |tx| {
        let mut account = get(tx, id)?;
        if let Some(name) = &name {
            account.name.clone_from(name);
        }
        account.language = language.unwrap_or(account.language);
        if let Some(hash) = &hash {
            account.password_hash.clone_from(hash);
            account.state = AccountState::Active;
            sessions::end(tx, id, |other| other != session)?;
        }
        put(tx, account)
    });
    let changed = changed.await?;
    if is_new_password {
        softphone::end_all(app, id, Some(session))?;
    }
    Ok(changed)
}

/// The hash of a new password, when the current one is right and the new one is good.
async fn checked_password(app: &App, who: &SignedIn, current: Option<String>, new: String) -> Result<String, Error> {
    let Some(current) = current else {
        return Err(Error::field("current_password", "required", "a new password needs the current one"));
    };
    password::check_new(&new)?;
    if current == new {
        return Err(Error::field("new_password", "format", "the new password is the current one"));
    }
    let account = app.store.read(|tx| tx.get::<Account>(&who.account))?;
    if !password::verify(current, account.map(|account| account.password_hash)).await? {
        return Err(Error::field("current_password", "wrong", "the current password is not right"));
    }
    password::hash(new).await
}

/// People who sign in, newest first.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub fn list(app: &App, _may: &May<EditAccounts>, query: &PageQuery) -> Result<Page<AccountView>, Error> {
    let scan = Scan::<Account>::table().newest_first().limit(query.limit()?).after(cursor_of(query.after.as_deref())?);
    Ok(Page::of(app.store.read(|tx| tx.scan(scan))?, AccountView::from))
}

/// Invites a person.
///
/// # Errors
/// `invalid` with the fields at fault; `taken` when the e-mail address is in use.
pub async fn invite(app: &App, may: &May<EditAccounts>, key: Option<&str>, new: NewAccount) -> Result<Invited, Error> {
    add(&app.events, may.by(), may.op("account.invite", key), new).await
}

/// Adds an account with a one-time password. The password is never stored: when `op` has run before, a new one is made.
///
/// # Errors
/// As [`invite`].
pub async fn add(events: &Events, by: By, op: OpId, new: NewAccount) -> Result<Invited, Error> {
    let email = new.email.trim().to_lowercase();
    let mut checks = Checks::default();
    let name = checks.text("name", &new.name, 1, NAME_CHARS_MAX);
    checks.text("email", &email, 3, EMAIL_CHARS_MAX);
    checks.require(is_email(&email), "email", "format", || "email must look like name@example.org".to_owned());
    checks.done()?;
    let one_time_password = password::one_time();
    let password_hash = password::hash(one_time_password.clone()).await?;
    let id = clock::fresh(AccountId::new, events.now());
    let added = events.commit(op, by, move |tx| {
        if tx.find(schema::ACCOUNT_BY_EMAIL, tx.lookup().email(&email))?.is_some() {
            return Err(Error::new(ErrorCode::Taken, "Another account has this e-mail address"));
        }
        if tx.scan(Scan::<Account>::table().limit(ACCOUNTS_MAX))?.items.len() >= ACCOUNTS_MAX {
            return Err(Error::new(ErrorCode::Conflict, format!("A clinic has {ACCOUNTS_MAX} accounts at most")));
        }
        let tenant = tx.tenant();
        let clinic = tx.get::<auricle_domain::tenant::Tenant>(&tenant)?;
        let spoken = clinic.and_then(|clinic| clinic.languages.first().copied());
        let account = Account {
            id,
            email: email.clone(),
            name: name.clone(),
            role: new.role,
            language: new.language.or(spoken).unwrap_or(Lang::En),
            state: AccountState::Invited,
            password_hash: password_hash.clone(),
            failures: 0,
            locked_until: None,
            created_at: tx.at(),
            version: 0,
        };
        put(tx, account)
    });
    let account = added.await?;
    if account.id == id {
        return Ok(Invited { account, one_time_password });
    }
    let (account, one_time_password) = reset(events, by, account.id).await?;
    Ok(Invited { account, one_time_password })
}

/// Changes a person's account.
///
/// # Errors
/// `not_found`, `stale`, `invalid`; `conflict` when the clinic would be left without an administrator.
pub async fn change(
    app: &App,
    may: &May<EditAccounts>,
    id: AccountId,
    version: u64,
    change: AccountChange,
) -> Result<AccountView, Error> {
    if change.state == Some(AccountState::Invited) {
        return Err(Error::field("state", "unknown", "state can be set to active or disabled"));
    }
    let name = change.name.as_deref().map(checked_name).transpose()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let mut account = get(tx, id)?;
        if account.version != version {
            return Err(Error::stale("account", version, account.version));
        }
        if let Some(name) = &name {
            account.name.clone_from(name);
        }
        account.role = change.role.unwrap_or(account.role);
        account.language = change.language.unwrap_or(account.language);
        match change.state {
            Some(AccountState::Active) if account.state == AccountState::Invited => {
                return Err(Error::new(
                    ErrorCode::Conflict,
                    "An invited account becomes active when its person has chosen a password",
                ));
            }
            Some(state) => account.state = state,
            None => {}
        }
        if account.role != Role::Admin || account.state == AccountState::Disabled {
            keep_an_administrator(tx, id)?;
        }
        if account.state == AccountState::Disabled {
            sessions::end(tx, id, |_| true)?;
        }
        put(tx, account)
    });
    let changed = changed.await?;
    if changed.state == AccountState::Disabled {
        softphone::end_all(app, id, None)?;
    }
    Ok(changed)
}

/// Gives a person a new one-time password. Their sessions end, and what they say from a browser.
///
/// # Errors
/// `not_found`.
pub async fn reset_password(app: &App, may: &May<EditAccounts>, id: AccountId) -> Result<OneTimePassword, Error> {
    let (_, one_time_password) = reset(&app.events, may.by(), id).await?;
    softphone::end_all(app, id, None)?;
    Ok(OneTimePassword { one_time_password })
}

/// Gives an account a new one-time password, ends its sessions and unlocks it.
///
/// # Errors
/// `not_found`; `conflict` for a disabled account.
pub async fn reset(events: &Events, by: By, id: AccountId) -> Result<(AccountView, String), Error> {
    let one_time_password = password::one_time();
    let password_hash = password::hash(one_time_password.clone()).await?;
    let account = events.commit(clock::op(), by, move |tx| {
        let mut account = get(tx, id)?;
        if account.state == AccountState::Disabled {
            return Err(Error::new(ErrorCode::Conflict, "The account is disabled: make it active first"));
        }
        account.state = AccountState::Invited;
        account.password_hash.clone_from(&password_hash);
        account.failures = 0;
        account.locked_until = None;
        sessions::end(tx, id, |_| true)?;
        put(tx, account)
    });
    Ok((account.await?, one_time_password))
}

fn get(tx: &ReadTx, id: AccountId) -> Result<Account, Error> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("account"))
}

fn put(tx: &mut Writing<'_>, mut account: Account) -> Result<AccountView, Error> {
    account.version += 1;
    tx.put(&account)?;
    tx.event(Event::AccountChanged { account: account.id, role: account.role });
    Ok(AccountView::from(account))
}

/// Refuses when nobody but `id` could change accounts.
fn keep_an_administrator(tx: &ReadTx, id: AccountId) -> Result<(), Error> {
    let accounts = tx.scan(Scan::<Account>::table().limit(ACCOUNTS_MAX))?.items;
    let is_other =
        |other: &Account| other.id != id && other.role == Role::Admin && other.state != AccountState::Disabled;
    if accounts.iter().any(is_other) {
        return Ok(());
    }
    let was_one = accounts
        .iter()
        .any(|account| account.id == id && account.role == Role::Admin && account.state != AccountState::Disabled);
    if !was_one {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Conflict, "This is the last administrator: make somebody else one first"))
}

fn checked_name(name: &str) -> Result<String, Error> {
    crate::page::text_of("name", name, 1, NAME_CHARS_MAX).map_err(|error| Error::fields(vec![error]))
}

/// Whether it can be an address: something without blanks on both sides of one `@`. Whether mail arrives, mail tells.
fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    let plain = |part: &str| {
        !part.is_empty() && !part.contains('@') && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    plain(user) && plain(host)
}
