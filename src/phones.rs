//! Desk phones: add, change, give a new password, remove, and see where they are.

mod bans;
mod view;

use crate::app::App;
use crate::auth::{May, permissions::EditPhones};
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::Writing;
use crate::page::Checks;
use auricle_domain::account::Account;
use auricle_domain::certificate::SipCertificate;
use auricle_domain::code::{PhoneState, SrtpPolicy};
use auricle_domain::event::Event;
use auricle_domain::id::{AccountId, PhoneId};
use auricle_domain::phone::{Phone, is_extension};
use auricle_media::io::PHONE_REALM;
use auricle_media::sip::digest::Algorithm;
use auricle_storage::{ReadTx, Scan};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use bans::{Ban, BanList, bans, lift_ban};
pub use view::{PhoneCredential, PhoneList, PhonePlace, PhoneServer, PhoneStatus, PhoneView};

/// Phones of a clinic.
pub const PHONES_MAX: usize = 250;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 80;
/// Digits and letters that are not taken for each other when they are typed in from a sheet of paper; 32 of them, so that
/// each stands for 5 bits.
const LETTERS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
/// Letters of a password: 130 bits.
const PASSWORD_LETTERS: usize = 26;
/// How long a change waits for the engine to know of it.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);
/// Letters of a user name: 40 bits.
const USER_LETTERS: usize = 8;

/// Where phones are, shared by the task that looks after them and whoever asks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Phones {
    status: watch::Sender<Arc<BTreeMap<PhoneId, PhoneStatus>>>,
    changed: watch::Sender<u64>,
    handed: watch::Sender<u64>,
}

impl Phones {
    /// Where each phone is; none is there before it has been looked at.
    pub fn status(&self) -> Arc<BTreeMap<PhoneId, PhoneStatus>> {
        Arc::clone(&self.status.borrow())
    }

    /// How many are registered, and which of them answer nowhere.
    pub fn counted(&self) -> (usize, Vec<PhoneId>) {
        let status = self.status();
        let registered = status.iter().filter(|(_, status)| status.state == PhoneState::Registered);
        let silent = registered.clone().filter(|(_, status)| !status.places.iter().any(|place| place.answers));
        (registered.count(), silent.map(|(id, _)| *id).collect())
    }

    /// Tells where phones are now.
    pub(crate) fn tell(&self, status: BTreeMap<PhoneId, PhoneStatus>) {
        self.status.send_replace(Arc::new(status));
    }

    /// Hears that phones have been changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells that the engine knows the phones as they were after so many changes.
    pub(crate) fn handed(&self, changes: u64) {
        self.handed.send_replace(changes);
    }

    /// Phones have been changed: waits until the engine knows, so that a phone may register as soon as its password is shown.
    async fn hand_over(&self) {
        let mut handed = self.handed.subscribe();
        let mut changes = 0;
        self.changed.send_modify(|times| {
            *times += 1;
            changes = *times;
        });
        let known = tokio::time::timeout(HAND_OVER_MAX, handed.wait_for(|handed| *handed >= changes)).await;
        if !matches!(known, Ok(Ok(_))) {
            tracing::warn!("the engine does not know yet how the phones were changed");
        }
    }
}

/// All of a phone's settings.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneInput {
    /// What the clinic calls it, 1 to 80 characters.
    pub label: String,
    /// Its number inside the clinic: 2 to 6 digits, the first no 0, no emergency number, and no other phone's.
    pub extension: String,
    /// Who sits at it.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Whether its audio is encrypted; `optional` unless told. `required` needs a phone that registers over TLS.
    #[serde(default = "SrtpPolicy::usual")]
    pub srtp: SrtpPolicy,
    /// Whether it may register and call.
    #[serde(default = "yes")]
    pub is_on: bool,
}

fn yes() -> bool {
    true
}

impl PhoneInput {
    fn checked(mut self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        self.label = checks.text("label", &self.label, 1, LABEL_CHARS_MAX);
        self.extension = self.extension.trim().to_owned();
        checks.require(is_extension(&self.extension), "extension", "format", || {
            "extension must have 2 to 6 digits, the first no 0, and be no emergency number".to_owned()
        });
        checks.done()?;
        Ok(self)
    }
}

/// A user name and a password that nobody chose.
struct Fresh {
    user: String,
    password: String,
}

impl Fresh {
    fn draw() -> Self {
        let letters =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect() };
        let (user, password): ([u8; USER_LETTERS], [u8; PASSWORD_LETTERS]) = (rand::random(), rand::random());
        Self { user: letters(&user), password: letters(&password) }
    }

    fn onto(&self, phone: &mut Phone) {
        phone.user.clone_from(&self.user);
        phone.secret_md5 = Algorithm::Md5.secret(&self.user, PHONE_REALM, &self.password);
        phone.secret_sha256 = Algorithm::Sha256.secret(&self.user, PHONE_REALM, &self.password);
    }

    /// The password goes with the user that was written: a repeated request finds the user of the first one.
    fn shown(self, app: &App, phone: PhoneView) -> PhoneCredential {
        let password = Some(self.password).filter(|_| phone.user == self.user);
        PhoneCredential { phone, password, server: server(app) }
    }
}

fn server(app: &App) -> PhoneServer {
    let voice = &app.voice;
    PhoneServer {
        host: voice.address(),
        host_inside: voice.address_inside(),
        port: voice.sip_addr().port(),
        tls_port: voice.tls_addr().map(|address| address.port()),
        tls_fingerprint: voice.tls_fingerprint().map(|fingerprint| fingerprint.to_string()),
    }
}

/// All phones, oldest first, and what they find the clinic with.
///
/// # Errors
/// When the store cannot be reached.
pub fn list(app: &App, _may: &May<EditPhones>) -> Result<PhoneList, Error> {
    let status = app.phones.status();
    let phones = app.store.read(all)?.into_iter().map(|phone| PhoneView::of(phone, &status)).collect();
    let server = server(app);
    let own = if server.tls_fingerprint.is_some() { app.store.read(|tx| tx.get::<SipCertificate>(&()))? } else { None };
    Ok(PhoneList { server, tls_certificate: own.map(|own| own.certificate), phones })
}

/// All phones as they are stored, oldest first.
///
/// # Errors
/// When the store cannot be reached.
pub(crate) fn all(tx: &ReadTx) -> Result<Vec<Phone>, Error> {
    Ok(tx.scan(Scan::<Phone>::table().limit(PHONES_MAX))?.items)
}

/// One phone.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, _may: &May<EditPhones>, id: PhoneId) -> Result<PhoneView, Error> {
    Ok(PhoneView::of(app.store.read(|tx| known(tx, id))?, &app.phones.status()))
}

/// Adds a phone; it can register at once with the password that comes back.
///
/// # Errors
/// `invalid` with the fields at fault; `conflict` when there are too many.
pub async fn create(
    app: &App,
    may: &May<EditPhones>,
    key: Option<&str>,
    input: PhoneInput,
) -> Result<PhoneCredential, Error> {
    let input = input.checked()?;
    let fresh = Fresh::draw();
    let mut phone = Phone {
        id: clock::fresh(PhoneId::new, (app.clock)()),
        label: String::new(),
        extension: String::new(),
        account: None,
        user: String::new(),
        secret_md5: String::new(),
        secret_sha256: String::new(),
        srtp: SrtpPolicy::usual(),
        is_on: true,
        created_at: (app.clock)(),
        version: 0,
    };
    fresh.onto(&mut phone);
    let made = app.events.commit(may.op("phone.create", key), may.by(), move |tx| {
        if all(tx)?.len() >= PHONES_MAX {
            return Err(Error::new(ErrorCode::Conflict, format!("A clinic has {PHONES_MAX} phones at most")));
        }
        phone.created_at = tx.at();
        put(tx, phone.clone(), &input)
    });
    let made = made.await?;
    app.phones.hand_over().await;
    Ok(fresh.shown(app, made))
}

/// Replaces a phone's settings; its password stays. Switched off, it is gone at once.
///
/// # Errors
/// `not_found`, `stale`, `invalid`.
pub async fn replace(
    app: &App,
    may: &May<EditPhones>,
    id: PhoneId,
    version: u64,
    input: PhoneInput,
) -> Result<PhoneView, Error> {
    let input = input.checked()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let phone = current(tx, id, version)?;
        put(tx, phone, &input)
    });
    let changed = changed.await?;
    app.phones.hand_over().await;
    Ok(changed)
}

/// Gives a phone another user name and password. With the old ones it is gone at once.
///
/// # Errors
/// `not_found`, `stale`.
pub async fn renew(app: &App, may: &May<EditPhones>, id: PhoneId, version: u64) -> Result<PhoneCredential, Error> {
    let fresh = Fresh::draw();
    let changed = app.events.commit(clock::op(), may.by(), {
        let again = Fresh { user: fresh.user.clone(), password: fresh.password.clone() };
        move |tx| {
            let mut phone = current(tx, id, version)?;
            again.onto(&mut phone);
            phone.version += 1;
            tx.put(&phone)?;
            tx.event(Event::PhonePasswordGiven { phone: id });
            Ok(PhoneView::of(phone, &BTreeMap::new()))
        }
    });
    let changed = changed.await?;
    app.phones.hand_over().await;
    Ok(fresh.shown(app, changed))
}

/// Removes a phone: it is gone at once, a call that it has stays.
///
/// # Errors
/// `not_found`, `stale`.
pub async fn remove(app: &App, may: &May<EditPhones>, id: PhoneId, version: u64) -> Result<(), Error> {
    let removed = app.events.commit(clock::op(), may.by(), move |tx| {
        current(tx, id, version)?;
        tx.delete::<Phone>(&id)?;
        tx.event(Event::PhoneRemoved { phone: id });
        Ok(())
    });
    removed.await?;
    app.phones.hand_over().await;
    Ok(())
}

fn known(tx: &ReadTx, id: PhoneId) -> Result<Phone, Error> {
    tx.get::<Phone>(&id)?.ok_or_else(|| Error::not_found("phone"))
}

fn current(tx: &ReadTx, id: PhoneId, version: u64) -> Result<Phone, Error> {
    let phone = known(tx, id)?;
    if phone.version == version { Ok(phone) } else { Err(Error::stale("phone", version, phone.version)) }
}

/// Writes a phone with these settings, where no other has its extension.
fn put(tx: &mut Writing<'_>, mut phone: Phone, input: &PhoneInput) -> Result<PhoneView, Error> {
    let other = |other: &Phone| other.id != phone.id && other.extension == input.extension;
    if all(tx)?.iter().any(other) {
        return Err(Error::field("extension", "taken", format!("another phone has the extension {}", input.extension)));
    }
    if let Some(account) = input.account
        && tx.get::<Account>(&account)?.is_none()
    {
        return Err(Error::field("account", "unknown", "there is no such account"));
    }
    (phone.label, phone.extension) = (input.label.clone(), input.extension.clone());
    (phone.account, phone.srtp, phone.is_on) = (input.account, input.srtp, input.is_on);
    phone.version += 1;
    tx.put(&phone)?;
    tx.event(Event::PhoneChanged { phone: phone.id });
    Ok(PhoneView::of(phone, &BTreeMap::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-11: passwords are drawn, with 128 bits and more, from letters that can be typed.
    #[test]
    fn passwords_are_long_and_never_the_same() {
        let (one, two) = (Fresh::draw(), Fresh::draw());
        assert!(one.password.len() * 5 >= 128, "each letter stands for 5 bits");
        assert_eq!((one.password.len(), one.user.len()), (PASSWORD_LETTERS, USER_LETTERS));
        assert!(one.password != two.password && one.user != two.user);
        assert!(one.password.bytes().all(|letter| LETTERS.contains(&letter)));
    }
}
