//! `auricle user`: accounts, directly in the store. The service must not be running: one process has the store.

use super::{Failure, UserCommand, texts};
use auricle::accounts::{self, NewAccount};
use auricle::clock;
use auricle::config::Config;
use auricle::error::Error;
use auricle::events::{By, Events, Writing};
use auricle::{password, sessions};
use auricle_domain::account::{Account, Actor};
use auricle_domain::code::{AccountState, Lang, Role};
use auricle_domain::event::Event;
use auricle_domain::id::{CauseId, TenantId};
use auricle_storage::schema::ACCOUNT_BY_EMAIL;
use auricle_storage::{Backend, KeySource, Scan, Store, StoreError, StoreOptions};
use std::io::{IsTerminal, Write};

/// Accounts listed; a clinic has fewer.
const LISTED_MAX: usize = 999;

pub(super) async fn run(config: Config, command: UserCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let store = open(&config)?;
    let events = Events::new(store.clone(), clock::system);
    match command {
        UserCommand::Add { email, name, role, language } => add(&events, email, name, role, language, out).await,
        UserCommand::List => list(&store, out),
        UserCommand::Passwd { email, generate } => passwd(&store, &events, &email, generate, out).await,
        UserCommand::Disable { email } => disable(&events, email, out).await,
    }
}

/// Opens the store of a service that is stopped, or says in the store's words why it cannot.
pub(super) fn try_open(config: &Config) -> Result<Store, StoreError> {
    let directory = config.storage.directory.clone();
    let tenant = clock::fresh(TenantId::new, clock::system());
    let keys = KeySource::File(config.storage.key_file());
    Store::open(StoreOptions { directory, backend: Backend::Redb, keys, tenant })
}

/// The same, in words for whoever typed a command.
pub(super) fn cannot_open(config: &Config, error: StoreError) -> Failure {
    match error {
        StoreError::InUse { .. } => Failure::failed(texts::STORE_IN_USE),
        error => Failure::Failed(format!(
            "cannot open the store in {} (storage.directory): {error}",
            config.storage.directory.display()
        )),
    }
}

/// Opens the store of a service that is stopped.
pub(super) fn open(config: &Config) -> Result<Store, Failure> {
    try_open(config).map_err(|error| cannot_open(config, error))
}

/// Whoever may open the store's files is trusted; the log says that it was done at the machine itself.
fn by() -> By {
    By { actor: Actor::Console, cause: clock::fresh(CauseId::new, clock::system()) }
}

async fn add(
    events: &Events,
    email: String,
    name: Option<String>,
    role: Role,
    language: Option<Lang>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    let new = NewAccount { email, name, role, language };
    let invited = accounts::add(events, by(), clock::op(), new).await.map_err(Failure::failed)?;
    writeln!(out, "Account            {} ({})", invited.account.email, invited.account.role)?;
    writeln!(out, "One-time password  {}", invited.one_time_password)?;
    writeln!(out, "It is shown this once, and must be changed at the first sign-in.")?;
    Ok(())
}

fn list(store: &Store, out: &mut dyn Write) -> Result<(), Failure> {
    let scan = Scan::<Account>::table().limit(LISTED_MAX);
    let accounts = store.read(|tx| tx.scan(scan)).map_err(Failure::failed)?.items;
    if accounts.is_empty() {
        writeln!(out, "{}", texts::NO_ACCOUNTS)?;
        return Ok(());
    }
    let width = |of: fn(&Account) -> usize| accounts.iter().map(of).max().unwrap_or(0);
    let (email, name) = (width(|it| it.email.chars().count()), width(|it| it.name.chars().count()));
    for account in &accounts {
        let (role, state) = (account.role.as_str(), account.state.as_str());
        writeln!(out, "{:email$}  {:name$}  {role:10}  {state}", account.email, account.name)?;
    }
    Ok(())
}

async fn passwd(
    store: &Store,
    events: &Events,
    email: &str,
    generate: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let address = email.trim().to_lowercase();
    let found = store.read(|tx| tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email(&address))).map_err(Failure::failed)?;
    let account: Account = found.ok_or_else(|| Failure::failed(no_such_account(email)))?;
    if generate || !std::io::stdin().is_terminal() {
        let (_, one_time) = accounts::reset(events, by(), account.id).await.map_err(Failure::failed)?;
        writeln!(out, "One-time password  {one_time}")?;
        return Ok(());
    }
    let typed = rpassword::prompt_password(texts::PASSWORD)?;
    password::check_new(&typed).map_err(Failure::failed)?;
    if typed != rpassword::prompt_password(texts::PASSWORD_AGAIN)? {
        return Err(Failure::failed(texts::PASSWORDS_DIFFER));
    }
    let hash = password::hash(typed).await.map_err(Failure::failed)?;
    change(events, address, move |account| {
        account.password_hash.clone_from(&hash);
        account.state = AccountState::Active;
        account.failures = 0;
        account.locked_until = None;
    })
    .await?;
    writeln!(out, "{}", texts::PASSWORD_SET)?;
    Ok(())
}

async fn disable(events: &Events, email: String, out: &mut dyn Write) -> Result<(), Failure> {
    change(events, email.trim().to_lowercase(), |account| account.state = AccountState::Disabled).await?;
    writeln!(out, "{email} can sign in no more.")?;
    Ok(())
}

/// Changes the account with this e-mail address and ends its sessions.
async fn change(
    events: &Events,
    email: String,
    changed: impl Fn(&mut Account) + Send + 'static,
) -> Result<(), Failure> {
    let done = events.commit(clock::op(), by(), move |tx: &mut Writing<'_>| {
        let found = tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email(&email))?;
        let mut account: Account = found.ok_or_else(|| Error::not_found("account"))?;
        changed(&mut account);
        account.version += 1;
        sessions::end(tx, account.id, |_| true)?;
        tx.put(&account)?;
        tx.event(Event::AccountChanged { account: account.id, role: account.role });
        Ok(())
    });
    done.await.map_err(Failure::failed)
}

fn no_such_account(email: &str) -> String {
    format!("there is no account {email}; auricle user list shows those there are")
}
