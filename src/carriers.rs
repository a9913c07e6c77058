//! Carriers that are used by their API: the accounts with them, their numbers, and the calls they bring.

pub mod api;
pub mod guard;
pub mod line;
pub mod lines;
pub mod placing;
pub mod taken;
pub mod telnyx;
pub mod twilio;

use crate::app::App;
use crate::auth::{May, permissions::EditCarriers};
use crate::clock;
use crate::config::Network;
use crate::error::{Error, ErrorCode};
use crate::page::Checks;
use crate::voice::carrierstanding::CarrierStanding;
use auricle_domain::Timestamp;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::{CarrierKind, MachineDetection};
use auricle_domain::event::Event;
use auricle_domain::id::TrunkId;
use auricle_storage::ReadTx;
use guard::Gate;
use lines::Lines;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use taken::Taken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use twilio::rest::{Number, Rest};

/// Sockets beyond those of all calls: such as come back before the lost one is noticed, or have not said yet whose they are.
const SPARE_SOCKETS: usize = 32;
/// Longest token, in characters.
const TOKEN_CHARS_MAX: usize = 128;
/// Networks of one carrier.
const SOURCES_MAX: usize = 64;

/// What carriers' requests, sockets and calls share.
pub struct Carriers {
    /// What stands before everything that comes from outside.
    pub gate: Gate,
    /// The calls.
    pub lines: Lines,
    /// How the carriers fare.
    pub standing: CarrierStanding,
    client: Result<reqwest::Client, String>,
    sockets: Arc<Semaphore>,
}

impl Carriers {
    /// For so many calls at a time.
    pub fn new(calls_max: usize, standing: CarrierStanding) -> Self {
        Self {
            gate: Gate::default(),
            lines: Lines::default(),
            standing,
            client: api::client().map_err(|error| error.to_string()),
            sockets: Arc::new(Semaphore::new(calls_max + SPARE_SOCKETS)),
        }
    }

    /// Sends requests to carriers.
    ///
    /// # Errors
    /// `internal` when the machine's certificates cannot be read.
    pub fn client(&self) -> Result<&reqwest::Client, Error> {
        self.client.as_ref().map_err(|reason| Error::internal("prepare requests to carriers", reason))
    }

    /// A place for a socket; it is free again when it is dropped.
    fn socket_place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let full = |_| Error::new(ErrorCode::Unavailable, "As many sockets of carriers are open as there may be");
        Arc::clone(&self.sockets).try_acquire_owned().map_err(full)
    }
}

/// The account with Twilio, as the API shows it: without its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TwilioView {
    /// Whether an account is set up. Without one, the other fields are empty.
    pub is_set_up: bool,
    /// The account's SID.
    pub account_sid: String,
    /// What it is called at Twilio.
    pub account_name: String,
    /// Whether a second token holds as well, while the first is being replaced.
    pub has_second_token: bool,
    /// Networks that its requests come from; empty: any, as their signature is checked.
    pub sources: Vec<String>,
    /// Whether Twilio finds out who answers calls that are placed by it.
    pub machine_detection: MachineDetection,
    /// The number of the account that bookings are confirmed from by text message; empty: they are not.
    pub text_number: String,
    /// How the rules of outgoing calls name the account, as if it were a trunk.
    pub trunk: TrunkId,
    /// What Twilio asks when a number is called; none while this server has no public address (`server.public_url`).
    pub voice_url: Option<String>,
    /// Grows by one with every change; 0 while nothing is set up.
    pub version: u64,
}

/// The account with Twilio, as it is to be.
#[derive(Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TwilioInput {
    /// The account's SID: `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// Its auth token, up to 128 characters. Absent keeps the one that is kept, for the same account.
    #[serde(default)]
    #[schema(format = Password)]
    pub auth_token: Option<String>,
    /// A second token that holds as well, while the first is being replaced. Absent keeps the one that is kept, empty forgets it.
    #[serde(default)]
    #[schema(format = Password)]
    pub second_token: Option<String>,
    /// Networks that its requests come from, at most 64; empty: any.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whether Twilio finds out who answers calls that are placed by it: `off` unless told. Twilio charges for it.
    #[serde(default = "undetected")]
    pub machine_detection: MachineDetection,
    /// A number of the account that bookings of callers are confirmed from by text message; empty, as unless told: they are not.
    #[serde(default)]
    pub text_number: String,
}

fn undetected() -> MachineDetection {
    MachineDetection::Off
}

/// A number at Twilio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TwilioNumber {
    /// Its SID.
    pub sid: String,
    /// The number, in E.164.
    pub number: String,
    /// What it is called at Twilio.
    pub name: String,
    /// Whether it can be called.
    pub has_voice: bool,
    /// Whether its calls come here.
    pub is_connected: bool,
    /// Where its calls go instead: `nowhere`, `url`, `trunk` or `application`; none when they come here.
    pub goes_to: Option<String>,
}

impl TwilioInput {
    fn checked(mut self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        self.account_sid = self.account_sid.trim().to_owned();
        self.text_number = self.text_number.replace(' ', "");
        checks.require(is_sid("AC", &self.account_sid), "account_sid", "format", || {
            "account_sid must be AC and 32 hexadecimal digits, as the console shows it".to_owned()
        });
        for (field, token) in [("auth_token", &mut self.auth_token), ("second_token", &mut self.second_token)] {
            let text = token.as_deref().unwrap_or_default().trim().to_owned();
            let plain = text.len() <= TOKEN_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
            checks.require(plain, field, "format", || {
                format!("{field} must be up to {TOKEN_CHARS_MAX} letters and digits")
            });
            *token = token.take().map(|_| text);
        }
        self.auth_token = self.auth_token.filter(|token| !token.is_empty());
        check_sources(&mut checks, &mut self.sources);
        checks.done()?;
        Ok(self)
    }

    /// The record that follows from it. A token does not follow the account it is not of.
    fn onto(&self, kept: Option<Carrier>, now: Timestamp) -> Result<Carrier, Error> {
        let kept = kept.filter(|kept| kept.account == self.account_sid);
        let kept_token = kept.as_ref().map(|kept| kept.token.clone());
        let token = self.auth_token.clone().or(kept_token);
        let token = token.ok_or_else(|| Error::field("auth_token", "required", "the account needs its auth token"))?;
        let second_token = match self.second_token.clone() {
            None => kept.as_ref().and_then(|kept| kept.second_token.clone()),
            Some(token) => Some(token).filter(|token| !token.is_empty()),
        };
        Ok(Carrier {
            kind: CarrierKind::Twilio,
            account: self.account_sid.clone(),
            account_name: String::new(),
            token,
            second_token,
            public_keys: Vec::new(),
            sources: self.sources.clone(),
            machine_detection: self.machine_detection,
            text_number: self.text_number.clone(),
            created_at: kept.map_or(now, |kept| kept.created_at),
            version: 0,
        })
    }
}

/// Networks of a carrier, each written in the one way.
fn check_sources(checks: &mut Checks, sources: &mut [String]) {
    let count = sources.len();
    checks.require(count <= SOURCES_MAX, "sources", "too_long", || {
        format!("sources has {count} entries, allowed are up to {SOURCES_MAX}")
    });
    for (index, source) in sources.iter_mut().take(SOURCES_MAX).enumerate() {
        match source.trim().parse::<Network>() {
            Ok(network) => *source = network.to_string(),
            Err(error) => checks.require(false, &format!("sources[{index}]"), "format", || error.to_string()),
        }
    }
}

/// The account with a carrier.
///
/// # Errors
/// When the store cannot be reached.
pub(crate) fn stored(app: &App, kind: CarrierKind) -> Result<Option<Carrier>, Error> {
    app.store.read(|tx| of(tx, kind))
}

fn of(tx: &ReadTx, kind: CarrierKind) -> Result<Option<Carrier>, Error> {
    Ok(tx.get::<Carrier>(&kind.as_str())?)
}

/// The account with Twilio.
///
/// # Errors
/// When the store cannot be reached.
pub fn twilio(app: &App, _may: &May<EditCarriers>) -> Result<TwilioView, Error> {
    Ok(view(app, stored(app, CarrierKind::Twilio)?))
}

/// Sets the account with Twilio up, or changes it, once Twilio has said that the tokens are good.
///
/// # Errors
/// `invalid` with the fields at fault, among them an account that is suspended and tokens that are not its own; `stale`;
/// `carrier_silent` when Twilio does not answer.
pub async fn set_up_twilio(
    app: &App,
    may: &May<EditCarriers>,
    version: u64,
    input: TwilioInput,
) -> Result<TwilioView, Error> {
    let input = input.checked()?;
    let mut carrier = input.onto(stored(app, CarrierKind::Twilio)?, (app.clock)())?;
    carrier.account_name = proved(app, &carrier).await?;
    save(app, may, version, carrier).await?;
    Ok(view(app, stored(app, CarrierKind::Twilio)?))
}

/// Asks Twilio whether both tokens are good, and answers with the account's name.
async fn proved(app: &App, carrier: &Carrier) -> Result<String, Error> {
    let (client, base) = (app.carriers.client()?, &app.config.carriers.twilio_api);
    let account = Rest::with(client, base, &carrier.account, &carrier.token).account().await?;
    if account.status != "active" {
        let detail = format!("Twilio says that the account is {}: look into its console", account.status);
        return Err(Error::field("account_sid", "inactive", detail));
    }
    if let Some(second) = &carrier.second_token {
        let checked = Rest::with(client, base, &carrier.account, second).account().await;
        checked.map_err(|error| match error.code {
            ErrorCode::Invalid => Error::field("second_token", "refused", "Twilio does not accept the second token"),
            _ => error,
        })?;
    }
    if !carrier.text_number.is_empty() {
        let numbers = Rest::of(client, base, carrier).numbers().await?;
        let sends = |number: &Number| number.phone_number == carrier.text_number && number.capabilities.sms;
        if !numbers.iter().any(sends) {
            let detail = "text_number must be a number of the account that sends text messages, such as +442079460958";
            return Err(Error::field("text_number", "unknown", detail));
        }
    }
    Ok(account.friendly_name.chars().take(TOKEN_CHARS_MAX).collect())
}

/// Writes down an account that its carrier has accepted.
async fn save(app: &App, may: &May<EditCarriers>, version: u64, carrier: Carrier) -> Result<(), Error> {
    let kind = carrier.kind;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let before = of(tx, carrier.kind)?.map_or(0, |before| before.version);
        if before != version {
            return Err(Error::stale(noun(carrier.kind), version, before));
        }
        let carrier = Carrier { version: before + 1, ..carrier.clone() };
        tx.put(&carrier)?;
        tx.event(Event::CarrierChanged { carrier: carrier.kind });
        // The reply is kept beside the operation's id: no tokens in it.
        Ok(())
    });
    changed.await?;
    app.carriers.standing.forget(kind);
    Ok(())
}

/// Removes the account with a carrier: nothing that comes from it is believed any more. Calls that are on stay.
///
/// # Errors
/// `not_found`, `stale`.
pub async fn remove(app: &App, may: &May<EditCarriers>, kind: CarrierKind, version: u64) -> Result<(), Error> {
    let removed = app.events.commit(clock::op(), may.by(), move |tx| {
        let before = of(tx, kind)?.ok_or_else(|| Error::not_found(noun(kind)))?;
        if before.version != version {
            return Err(Error::stale(noun(kind), version, before.version));
        }
        tx.delete::<Carrier>(&kind.as_str())?;
        tx.event(Event::CarrierRemoved { carrier: kind });
        Ok(())
    });
    removed.await?;
    app.carriers.standing.forget(kind);
    Ok(())
}

/// What errors call the account with a carrier.
fn noun(kind: CarrierKind) -> &'static str {
    match kind {
        CarrierKind::Twilio => "account with Twilio",
        CarrierKind::Telnyx => "account with Telnyx",
    }
}

/// The account with a carrier, which must be set up.
fn known(app: &App, kind: CarrierKind) -> Result<Carrier, Error> {
    stored(app, kind)?.ok_or_else(|| Error::not_found(noun(kind)))
}

/// Where carriers reach a path of ours; none while this server has no public address.
fn public(app: &App, path: &str) -> Option<String> {
    let base = &app.config.server.public_url;
    (!base.is_empty()).then(|| format!("{base}{path}"))
}

/// The same where nothing works without one.
fn reachable(app: &App, path: &str) -> Result<String, Error> {
    public(app, path).ok_or_else(|| {
        let detail = "This server has no public address: set server.public_url in its configuration";
        Error::new(ErrorCode::Conflict, detail)
    })
}

/// Notes beside the call itself that a carrier has brought it, so that it is not begun again.
fn note_brought(app: &Arc<App>, call: Taken) {
    let events = app.events.clone();
    app.tasks.spawn("carrier_call_brought", async move {
        if let Err(error) = call.done(&events).await {
            tracing::warn!(%error, "that a carrier has brought a call could not be noted; its request may be taken once more");
        }
    });
}

/// Whether a path is where carriers open their media sockets.
pub fn is_media(path: &str) -> bool {
    path == twilio::MEDIA || path.strip_prefix(telnyx::MEDIA).is_some_and(|rest| rest.starts_with('/'))
}

/// The numbers of the account with Twilio, as Twilio has them now.
///
/// # Errors
/// `not_found` while no account is set up; what Twilio says.
pub async fn twilio_numbers(app: &App, _may: &May<EditCarriers>) -> Result<Vec<TwilioNumber>, Error> {
    let carrier = known(app, CarrierKind::Twilio)?;
    let numbers = Rest::of(app.carriers.client()?, &app.config.carriers.twilio_api, &carrier).numbers().await?;
    Ok(numbers.into_iter().map(|number| shown(app, number)).collect())
}

/// Has the calls of a number at Twilio brought here.
///
/// # Errors
/// `not_found`; `conflict` while this server has no public address; what Twilio says.
pub async fn connect_twilio_number(app: &App, may: &May<EditCarriers>, sid: String) -> Result<TwilioNumber, Error> {
    if !is_sid("PN", &sid) {
        return Err(Error::not_found("number"));
    }
    let carrier = known(app, CarrierKind::Twilio)?;
    let voice_url = reachable(app, twilio::VOICE)?;
    let status_url = format!("{}{}", app.config.server.public_url, twilio::STATUS);
    let rest = Rest::of(app.carriers.client()?, &app.config.carriers.twilio_api, &carrier);
    let number = rest.connect(&sid, &voice_url, &status_url).await?;
    let noted = app.events.commit(clock::op(), may.by(), move |tx| {
        tx.event(Event::NumberConnected { carrier: CarrierKind::Twilio, number: sid.clone() });
        Ok(())
    });
    noted.await?;
    Ok(shown(app, number))
}

fn view(app: &App, carrier: Option<Carrier>) -> TwilioView {
    let (voice_url, trunk) = (voice_url(app), CarrierKind::Twilio.trunk());
    match carrier {
        None => TwilioView {
            is_set_up: false,
            account_sid: String::new(),
            account_name: String::new(),
            has_second_token: false,
            sources: Vec::new(),
            machine_detection: undetected(),
            text_number: String::new(),
            trunk,
            voice_url,
            version: 0,
        },
        Some(carrier) => TwilioView {
            is_set_up: true,
            has_second_token: carrier.second_token.is_some(),
            account_sid: carrier.account,
            account_name: carrier.account_name,
            sources: carrier.sources,
            machine_detection: carrier.machine_detection,
            text_number: carrier.text_number,
            trunk,
            voice_url,
            version: carrier.version,
        },
    }
}

fn voice_url(app: &App) -> Option<String> {
    public(app, twilio::VOICE)
}

fn shown(app: &App, number: Number) -> TwilioNumber {
    let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let is_ours = number.voice_url.is_some() && number.voice_url == voice_url(app);
    let goes_to = if set(&number.trunk_sid) {
        Some("trunk")
    } else if set(&number.voice_application_sid) {
        Some("application")
    } else if is_ours {
        None
    } else {
        Some(if set(&number.voice_url) { "url" } else { "nowhere" })
    };
    TwilioNumber {
        sid: number.sid,
        number: number.phone_number,
        name: number.friendly_name,
        has_voice: number.capabilities.voice,
        is_connected: goes_to.is_none(),
        goes_to: goes_to.map(str::to_owned),
    }
}

/// Whether a text is a SID of Twilio's: two letters and 32 hexadecimal digits.
fn is_sid(kind: &str, text: &str) -> bool {
    let digits = |rest: &str| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.strip_prefix(kind).is_some_and(digits)
}
