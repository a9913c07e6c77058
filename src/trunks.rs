//! Trunks: set up, change, remove, and see how they stand.

use crate::app::App;
use crate::auth::{May, permissions::EditTrunks};
use crate::clock;
use crate::config::Network;
use crate::error::{Error, ErrorCode};
use crate::events::Writing;
use crate::page::Checks;
use auricle_domain::Timestamp;
use auricle_domain::code::{IdentityHeader, SipTransport, SrtpPolicy, TrunkFault, TrunkState};
use auricle_domain::event::Event;
use auricle_domain::id::TrunkId;
use auricle_domain::trunk::{Server, Trunk, is_name};
use auricle_storage::{ReadTx, Scan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// Trunks of a clinic.
pub const TRUNKS_MAX: usize = 16;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 80;
/// Longest user name and password, in characters.
const USER_CHARS_MAX: usize = 128;
/// Longest domain name, in characters (RFC 1035 section 2.3.4).
const DOMAIN_CHARS_MAX: usize = 253;
/// Longest server, in characters: a name and a port.
const SERVER_CHARS_MAX: usize = 260;
/// Sources of one trunk.
const SOURCES_MAX: usize = 16;
/// Realms of one trunk at most.
const REALMS_MAX: usize = auricle_media::io::TRUNK_REALMS_MAX;
/// The widest network that is taken for a provider's: whoever is in it can ring the clinic.
const SOURCE_PREFIX_MIN: u8 = 8;
/// How long a registration may hold, in seconds.
const EXPIRES_S: std::ops::RangeInclusive<u32> = 60..=7_200;

/// How trunks stand, shared by the task that looks after them and whoever asks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Trunks {
    status: watch::Sender<Arc<BTreeMap<TrunkId, TrunkStatus>>>,
    changed: watch::Sender<u64>,
}

impl Trunks {
    /// How each trunk stands; none is there before it has been looked at.
    pub fn status(&self) -> Arc<BTreeMap<TrunkId, TrunkStatus>> {
        Arc::clone(&self.status.borrow())
    }

    /// Tells how trunks stand now.
    pub(crate) fn tell(&self, status: BTreeMap<TrunkId, TrunkStatus>) {
        self.status.send_replace(Arc::new(status));
    }

    /// Hears that trunks have been changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn touch(&self) {
        self.changed.send_modify(|times| *times = times.wrapping_add(1));
    }
}

/// How a trunk stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrunkStatus {
    /// Where it stands.
    pub state: TrunkState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Why it is down.
    pub fault: Option<TrunkFault>,
    /// What its server said last, where it refused: the SIP status (RFC 3261 section 21).
    pub sip_status: Option<u16>,
    /// The server in use: address and port.
    pub server: Option<String>,
    /// The realm in which it has asked for a password and was not answered, as that is none of its own, or no password is kept for it:
    /// calls have failed by that.
    pub asked_realm: Option<String>,
}

/// A trunk as the API shows it: without its password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrunkView {
    /// Identity.
    pub id: TrunkId,
    /// What the clinic calls it.
    pub name: String,
    /// Its server: name or address, and a port where it is not the usual one.
    pub server: String,
    /// How SIP gets there.
    pub transport: SipTransport,
    /// The provider's domain, where it is not the server's name.
    pub domain: String,
    /// The account's user name or number.
    pub user: String,
    /// The name to sign in with, where it is not `user`.
    pub auth_user: String,
    /// Whether a password is kept for it.
    pub has_password: bool,
    /// Whether the clinic registers with the provider.
    pub registers: bool,
    /// How long a registration holds, in seconds.
    pub expires_s: u32,
    /// Addresses and networks that its calls come from, beside the server's own.
    pub sources: Vec<String>,
    /// The realms in which it may ask for the password; empty where they are learned from it.
    pub realms: Vec<String>,
    /// Whether its audio is encrypted.
    pub srtp: SrtpPolicy,
    /// In which header it wants to be told the number of a call, beside From.
    pub identity: IdentityHeader,
    /// Whether callers whom it has brought are handed to it, when they are handed on to somebody outside.
    pub refers: bool,
    /// Which of our addresses it is told; empty for the one that everybody there is told.
    pub advertise: String,
    /// Whether it is used.
    pub is_on: bool,
    /// How it stands.
    pub status: TrunkStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

impl TrunkView {
    fn of(trunk: Trunk, status: &BTreeMap<TrunkId, TrunkStatus>) -> Self {
        let state = if trunk.is_on { TrunkState::Registering } else { TrunkState::Off };
        let since = trunk.created_at;
        let fresh = TrunkStatus { state, since, fault: None, sip_status: None, server: None, asked_realm: None };
        let known = status.get(&trunk.id).filter(|known| (known.state == TrunkState::Off) != trunk.is_on);
        Self {
            status: known.cloned().unwrap_or(fresh),
            id: trunk.id,
            name: trunk.name,
            server: trunk.server,
            transport: trunk.transport,
            domain: trunk.domain,
            user: trunk.user,
            auth_user: trunk.auth_user,
            has_password: trunk.password.is_some(),
            registers: trunk.registers,
            expires_s: trunk.expires_s,
            sources: trunk.sources,
            realms: trunk.realms,
            srtp: trunk.srtp,
            identity: trunk.identity,
            refers: trunk.refers,
            advertise: trunk.advertise.map(|address| address.to_string()).unwrap_or_default(),
            is_on: trunk.is_on,
            created_at: trunk.created_at,
            version: trunk.version,
        }
    }
}

/// All of a trunk's settings.
#[derive(Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkInput {
    /// What the clinic calls it, 1 to 80 characters.
    pub name: String,
    /// Its server: name or address, and a port where it is not the usual one.
    pub server: String,
    /// How SIP gets there.
    pub transport: SipTransport,
    /// The provider's domain, where it is not the server's name.
    #[serde(default)]
    pub domain: String,
    /// The account's user name or number, up to 128 characters; needed to register.
    #[serde(default)]
    pub user: String,
    /// The name to sign in with, where it is not `user`; up to 128 characters.
    #[serde(default)]
    pub auth_user: String,
    /// The password to sign in with, up to 128 characters. Absent keeps the one that is kept, empty forgets it.
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Whether the clinic registers with the provider.
    pub registers: bool,
    /// How long a registration holds, in seconds, 60 to 7200; 300 unless told.
    #[serde(default = "usual_expiry")]
    pub expires_s: u32,
    /// Addresses and networks that its calls come from, beside the server's own; at most 16.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The realms in which it may ask for the password, 1 to 253 characters each; at most 4. Empty: they are learned from what it
    /// answers to our registration and probes.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Whether its audio is encrypted; `optional` unless told. `required` needs TLS.
    #[serde(default = "SrtpPolicy::usual")]
    pub srtp: SrtpPolicy,
    /// In which header it wants to be told the number of a call, beside From; in none unless told.
    #[serde(default = "no_header")]
    pub identity: IdentityHeader,
    /// Whether callers whom it has brought are handed to it, when they are handed on to somebody outside; no unless told.
    #[serde(default)]
    pub refers: bool,
    /// Which of our addresses it is told, in signalling and for audio, where it reaches the clinic at another one than everybody who is
    /// where it is; empty unless told.
    #[serde(default)]
    pub advertise: String,
    /// Whether it is used.
    #[serde(default = "yes")]
    pub is_on: bool,
}

fn usual_expiry() -> u32 {
    300
}

fn no_header() -> IdentityHeader {
    IdentityHeader::None
}

fn yes() -> bool {
    true
}

impl TrunkInput {
    fn checked(mut self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        self.name = checks.text("name", &self.name, 1, NAME_CHARS_MAX);
        self.server = checks.text("server", &self.server, 1, SERVER_CHARS_MAX);
        let server = self.server.parse::<Server>();
        checks.require(self.server.is_empty() || server.is_ok(), "server", "format", || {
            "server must be a name or an address, with a port where it needs one, such as sip.example.net:5070"
                .to_owned()
        });
        self.domain = checks.text("domain", &self.domain, 0, DOMAIN_CHARS_MAX).to_ascii_lowercase();
        let is_domain = |text: &str| is_name(text) || text.parse::<IpAddr>().is_ok();
        checks.require(self.domain.is_empty() || is_domain(&self.domain), "domain", "format", || {
            "domain must be a domain name, such as example.net".to_owned()
        });
        self.user = checks.text("user", &self.user, 0, USER_CHARS_MAX);
        self.auth_user = checks.text("auth_user", &self.auth_user, 0, USER_CHARS_MAX);
        for (field, text) in [("user", &self.user), ("auth_user", &self.auth_user)] {
            let plain = !text.chars().any(|letter| letter.is_control() || letter.is_whitespace() || letter == '@');
            checks.require(plain, field, "format", || format!("{field} must have no spaces and no @"));
        }
        checks.require(!self.registers || !self.user.is_empty(), "user", "required", || {
            "a trunk that registers needs a user".to_owned()
        });
        let password = self.password.as_deref().unwrap_or_default();
        let fits = password.chars().count() <= USER_CHARS_MAX && !password.chars().any(char::is_control);
        checks.require(fits, "password", "too_long", || {
            format!("password must have up to {USER_CHARS_MAX} characters on one line")
        });
        checks.require(EXPIRES_S.contains(&self.expires_s), "expires_s", "out_of_range", || {
            format!("expires_s is {}, allowed are {} to {}", self.expires_s, EXPIRES_S.start(), EXPIRES_S.end())
        });
        let secret = self.srtp != SrtpPolicy::Required || self.transport == SipTransport::Tls;
        checks.require(secret, "srtp", "needs_tls", || "audio can only be encrypted over TLS".to_owned());
        checks.require(self.sources.len() <= SOURCES_MAX, "sources", "too_long", || {
            format!("sources has {} entries, allowed are up to {SOURCES_MAX}", self.sources.len())
        });
        for (index, source) in self.sources.iter_mut().take(SOURCES_MAX).enumerate() {
            match source.trim().parse::<Network>() {
                Ok(network) if network.prefix() < SOURCE_PREFIX_MIN => checks.require(false, &format!("sources[{index}]"), "out_of_range", || {
                    format!("{network} is too wide for a provider: a network has a prefix of /{SOURCE_PREFIX_MIN} or more")
                }),
                Ok(network) => *source = network.to_string(),
                Err(error) => checks.require(false, &format!("sources[{index}]"), "format", || error.to_string()),
            }
        }
        checks.require(self.realms.len() <= REALMS_MAX, "realms", "too_long", || {
            format!("realms has {} entries, allowed are up to {REALMS_MAX}", self.realms.len())
        });
        for (index, realm) in self.realms.iter_mut().take(REALMS_MAX).enumerate() {
            *realm = checks.text(&format!("realms[{index}]"), realm, 1, DOMAIN_CHARS_MAX);
        }
        self.advertise = self.advertise.trim().to_owned();
        checks.require(self.advertise.is_empty() || self.address().is_some(), "advertise", "format", || {
            "advertise must be an address that the provider can reach, such as 203.0.113.7".to_owned()
        });
        checks.done()?;
        Ok(self)
    }

    /// The address that it is told.
    fn address(&self) -> Option<IpAddr> {
        self.advertise.parse().ok().filter(|address: &IpAddr| !address.is_unspecified() && !address.is_multicast())
    }

    fn onto(&self, trunk: &mut Trunk) {
        let Self { name, server, domain, user, auth_user, sources, realms, .. } = self.clone();
        match self.password.as_deref() {
            None => {}
            Some("") => trunk.password = None,
            Some(password) => trunk.password = Some(password.to_owned()),
        }
        (trunk.name, trunk.server, trunk.domain) = (name, server, domain);
        (trunk.user, trunk.auth_user, trunk.sources, trunk.realms) = (user, auth_user, sources, realms);
        (trunk.transport, trunk.registers) = (self.transport, self.registers);
        (trunk.expires_s, trunk.srtp, trunk.identity) = (self.expires_s, self.srtp, self.identity);
        trunk.refers = self.refers;
        (trunk.advertise, trunk.is_on) = (self.address(), self.is_on);
    }
}

/// All trunks, oldest first.
///
/// # Errors
/// When the store cannot be reached.
pub fn list(app: &App, _may: &May<EditTrunks>) -> Result<Vec<TrunkView>, Error> {
    let status = app.trunks.status();
    Ok(app.store.read(all)?.into_iter().map(|trunk| TrunkView::of(trunk, &status)).collect())
}

/// All trunks as they are stored, oldest first.
///
/// # Errors
/// When the store cannot be reached.
pub(crate) fn all(tx: &ReadTx) -> Result<Vec<Trunk>, Error> {
    Ok(tx.scan(Scan::<Trunk>::table().limit(TRUNKS_MAX))?.items)
}

/// One trunk.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, _may: &May<EditTrunks>, id: TrunkId) -> Result<TrunkView, Error> {
    Ok(TrunkView::of(app.store.read(|tx| known(tx, id))?, &app.trunks.status()))
}

/// Sets a trunk up; it is connected at once.
///
/// # Errors
/// `invalid` with the fields at fault; `conflict` when there are too many.
pub async fn create(
    app: &App,
    may: &May<EditTrunks>,
    key: Option<&str>,
    input: TrunkInput,
) -> Result<TrunkView, Error> {
    let input = input.checked()?;
    let id = clock::fresh(TrunkId::new, (app.clock)());
    let made = app.events.commit(may.op("trunk.create", key), may.by(), move |tx| {
        if all(tx)?.len() >= TRUNKS_MAX {
            return Err(Error::new(ErrorCode::Conflict, format!("A clinic has {TRUNKS_MAX} trunks at most")));
        }
        let mut trunk = blank(id, tx.at());
        input.onto(&mut trunk);
        put(tx, trunk)
    });
    let made = made.await?;
    app.trunks.touch();
    Ok(made)
}

/// Replaces all of a trunk's settings; it is connected again at once.
///
/// # Errors
/// `not_found`, `stale`, `invalid`.
pub async fn replace(
    app: &App,
    may: &May<EditTrunks>,
    id: TrunkId,
    version: u64,
    input: TrunkInput,
) -> Result<TrunkView, Error> {
    let input = input.checked()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let mut trunk = current(tx, id, version)?;
        // Whoever points a trunk to another server must know its password: it is not sent to where it does not belong.
        if trunk.password.is_some() && input.password.is_none() && input.server != trunk.server {
            return Err(Error::field("password", "required", "another server needs the password again"));
        }
        input.onto(&mut trunk);
        put(tx, trunk)
    });
    let changed = changed.await?;
    app.trunks.touch();
    Ok(changed)
}

/// Removes a trunk: it is signed off from its provider, calls that are on stay.
///
/// # Errors
/// `not_found`, `stale`.
pub async fn remove(app: &App, may: &May<EditTrunks>, id: TrunkId, version: u64) -> Result<(), Error> {
    let removed = app.events.commit(clock::op(), may.by(), move |tx| {
        current(tx, id, version)?;
        tx.delete::<Trunk>(&id)?;
        tx.event(Event::TrunkRemoved { trunk: id });
        Ok(())
    });
    removed.await?;
    app.trunks.touch();
    Ok(())
}

fn known(tx: &ReadTx, id: TrunkId) -> Result<Trunk, Error> {
    tx.get::<Trunk>(&id)?.ok_or_else(|| Error::not_found("trunk"))
}

fn current(tx: &ReadTx, id: TrunkId, version: u64) -> Result<Trunk, Error> {
    let trunk = known(tx, id)?;
    if trunk.version == version { Ok(trunk) } else { Err(Error::stale("trunk", version, trunk.version)) }
}

fn blank(id: TrunkId, now: Timestamp) -> Trunk {
    Trunk {
        id,
        name: String::new(),
        server: String::new(),
        transport: SipTransport::Udp,
        domain: String::new(),
        user: String::new(),
        auth_user: String::new(),
        password: None,
        registers: true,
        expires_s: usual_expiry(),
        sources: Vec::new(),
        realms: Vec::new(),
        srtp: SrtpPolicy::usual(),
        identity: IdentityHeader::None,
        refers: false,
        advertise: None,
        is_on: true,
        created_at: now,
        version: 0,
    }
}

/// The reply has no password: it is kept beside the operation's id.
fn put(tx: &mut Writing<'_>, mut trunk: Trunk) -> Result<TrunkView, Error> {
    trunk.version += 1;
    tx.put(&trunk)?;
    tx.event(Event::TrunkChanged { trunk: trunk.id });
    Ok(TrunkView::of(trunk, &BTreeMap::new()))
}
