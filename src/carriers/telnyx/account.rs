//! The clinic's account with Telnyx: setting it up, and which of its numbers bring their calls here.

use super::CALLS;
use super::rest::{Application, Number, Rest};
use super::signature::key;
use crate::app::App;
use crate::auth::{May, permissions::EditCarriers};
use crate::carriers::{TOKEN_CHARS_MAX, check_sources, known, of, public, reachable, save, stored, undetected};
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::page::Checks;
use auricle_domain::Timestamp;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::{CarrierKind, MachineDetection};
use auricle_domain::event::Event;
use auricle_domain::id::TrunkId;
use serde::{Deserialize, Serialize};

const KIND: CarrierKind = CarrierKind::Telnyx;
/// Public keys that hold at a time: one, and the next while they are changed.
const KEYS_MAX: usize = 2;
/// Longest name that Telnyx gives a number, in characters.
const NUMBER_ID_CHARS_MAX: usize = 64;

/// The account with Telnyx, as the API shows it: without its API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TelnyxView {
    /// Whether an account is set up. Without one, the other fields are empty.
    pub is_set_up: bool,
    /// The application at Telnyx that brings calls here; empty until a number is connected.
    pub application: String,
    /// The keys that check what Telnyx signs; two while they are changed.
    pub public_keys: Vec<String>,
    /// Networks that its requests come from; empty: any, as their signature is checked.
    pub sources: Vec<String>,
    /// Whether Telnyx finds out who answers calls that are placed by it.
    pub machine_detection: MachineDetection,
    /// How the rules of outgoing calls name the account, as if it were a trunk.
    pub trunk: TrunkId,
    /// Where Telnyx tells of calls; none while this server has no public address (`server.public_url`).
    pub webhook_url: Option<String>,
    /// Grows by one with every change; 0 while nothing is set up.
    pub version: u64,
}

/// The account with Telnyx, as it is to be.
#[derive(Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TelnyxInput {
    /// Its API key, up to 128 characters. Absent keeps the one that is kept.
    #[serde(default)]
    #[schema(format = Password)]
    pub api_key: Option<String>,
    /// The public key of the account, as its portal shows it: the base64 of 32 octets. Two while it is changed.
    pub public_keys: Vec<String>,
    /// Networks that its requests come from, at most 64; empty: any.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whether Telnyx finds out who answers calls that are placed by it: `off` unless told. Telnyx charges for it.
    #[serde(default = "undetected")]
    pub machine_detection: MachineDetection,
}

/// A number at Telnyx.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TelnyxNumber {
    /// Telnyx's name for it.
    pub id: String,
    /// The number, in E.164.
    pub number: String,
    /// Whether its calls come here.
    pub is_connected: bool,
    /// What its calls go to instead, as that is called at Telnyx; none when they come here or go nowhere.
    pub goes_to: Option<String>,
}

impl TelnyxInput {
    fn checked(mut self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        let given = self.api_key.as_deref().unwrap_or_default().trim().to_owned();
        let plain = given.len() <= TOKEN_CHARS_MAX && given.bytes().all(|byte| byte.is_ascii_graphic());
        checks.require(plain, "api_key", "format", || {
            format!("api_key must be up to {TOKEN_CHARS_MAX} letters, digits and signs")
        });
        self.api_key = Some(given).filter(|given| !given.is_empty());
        let count = self.public_keys.len();
        checks.require((1..=KEYS_MAX).contains(&count), "public_keys", "out_of_range", || {
            format!("public_keys has {count} entries, allowed are 1 to {KEYS_MAX}")
        });
        for (index, public_key) in self.public_keys.iter_mut().take(KEYS_MAX).enumerate() {
            *public_key = public_key.trim().to_owned();
            let is_key = key(public_key).is_some();
            checks.require(is_key, &format!("public_keys[{index}]"), "format", || {
                "a public key is 44 letters, digits and signs, as the portal shows it".to_owned()
            });
        }
        check_sources(&mut checks, &mut self.sources);
        checks.done()?;
        Ok(self)
    }

    /// The record that follows from it.
    fn onto(self, kept: Option<Carrier>, now: Timestamp) -> Result<Carrier, Error> {
        let kept_key = kept.as_ref().map(|kept| kept.token.clone());
        let token = self.api_key.or(kept_key);
        let token = token.ok_or_else(|| Error::field("api_key", "required", "the account needs its API key"))?;
        Ok(Carrier {
            kind: KIND,
            account: kept.as_ref().map_or_else(String::new, |kept| kept.account.clone()),
            account_name: kept.as_ref().map_or_else(String::new, |kept| kept.account_name.clone()),
            token,
            second_token: None,
            public_keys: self.public_keys,
            sources: self.sources,
            machine_detection: self.machine_detection,
            text_number: String::new(),
            created_at: kept.map_or(now, |kept| kept.created_at),
            version: 0,
        })
    }
}

/// The account with Telnyx.
///
/// # Errors
/// When the store cannot be reached.
pub fn get(app: &App, _may: &May<EditCarriers>) -> Result<TelnyxView, Error> {
    Ok(view(app, stored(app, KIND)?))
}

/// Sets the account with Telnyx up, or changes it, once Telnyx has said that the API key is good.
///
/// # Errors
/// `invalid` with the fields at fault, among them a key that Telnyx does not accept; `stale`; `carrier_silent` when Telnyx does not
/// answer.
pub async fn set_up(app: &App, may: &May<EditCarriers>, version: u64, input: TelnyxInput) -> Result<TelnyxView, Error> {
    let carrier = input.checked()?.onto(stored(app, KIND)?, (app.clock)())?;
    // Whoever may read these may do all the rest that is needed here.
    rest(app, &carrier)?.applications().await?;
    save(app, may, version, carrier).await?;
    Ok(view(app, stored(app, KIND)?))
}

/// The numbers of the account with Telnyx, as Telnyx has them now.
///
/// # Errors
/// `not_found` while no account is set up; what Telnyx says.
pub async fn numbers(app: &App, _may: &May<EditCarriers>) -> Result<Vec<TelnyxNumber>, Error> {
    let carrier = known(app, KIND)?;
    let rest = rest(app, &carrier)?;
    let applications = ours(app, rest.applications().await?);
    Ok(rest.numbers().await?.into_iter().map(|number| shown(&applications, number)).collect())
}

/// Has the calls of a number at Telnyx brought here: sees to it that there is an application whose calls are told here, and gives the
/// number to it.
///
/// # Errors
/// `not_found`; `conflict` while this server has no public address; what Telnyx says.
pub async fn connect(app: &App, may: &May<EditCarriers>, id: String) -> Result<TelnyxNumber, Error> {
    check_id(&id)?;
    let carrier = known(app, KIND)?;
    let url = reachable(app, CALLS)?;
    let rest = rest(app, &carrier)?;
    let application = application(&rest, &carrier, &url).await?;
    let number = rest.assign(&id, &application.id).await?;
    let noted = application.clone();
    let connected = app.events.commit(clock::op(), may.by(), move |tx| {
        // Somebody may have removed or changed the account meanwhile; which application is ours holds for all of it.
        if let Some(carrier) = of(tx, KIND)?.filter(|carrier| carrier.account != noted.id) {
            let (account, account_name) = (noted.id.clone(), noted.application_name.clone());
            tx.put(&Carrier { account, account_name, version: carrier.version + 1, ..carrier })?;
            tx.event(Event::CarrierChanged { carrier: KIND });
        }
        tx.event(Event::NumberConnected { carrier: KIND, number: id.clone() });
        Ok(())
    });
    connected.await?;
    Ok(shown(&[application], number))
}

/// Has the calls of a number at Telnyx brought here no more: it goes nowhere until it is given to something else.
///
/// # Errors
/// `not_found`; what Telnyx says.
pub async fn disconnect(app: &App, may: &May<EditCarriers>, id: String) -> Result<TelnyxNumber, Error> {
    check_id(&id)?;
    let carrier = known(app, KIND)?;
    let number = rest(app, &carrier)?.assign(&id, "").await?;
    let noted = app.events.commit(clock::op(), may.by(), move |tx| {
        tx.event(Event::NumberReleased { carrier: KIND, number: id.clone() });
        Ok(())
    });
    noted.await?;
    Ok(shown(&[], number))
}

/// The application that brings calls here: the one we know, one that tells its calls here already, or a new one.
pub(super) async fn application(rest: &Rest<'_>, carrier: &Carrier, url: &str) -> Result<Application, Error> {
    if !carrier.account.is_empty() {
        match rest.application(&carrier.account).await {
            Ok(found) if found.is_at(url) => return Ok(found),
            Ok(found) => return rest.move_application(&found, url).await,
            // Somebody has removed it at Telnyx, or the key is another account's now.
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    match rest.applications().await?.into_iter().find(|found| found.is_at(url)) {
        Some(found) => Ok(found),
        None => rest.make_application(url).await,
    }
}

fn rest<'a>(app: &'a App, carrier: &'a Carrier) -> Result<Rest<'a>, Error> {
    Ok(Rest::of(app.carriers.client()?, &app.config.carriers.telnyx_api, carrier))
}

/// Those whose calls are told here.
fn ours(app: &App, applications: Vec<Application>) -> Vec<Application> {
    let url = public(app, CALLS);
    applications.into_iter().filter(|one| url.as_deref().is_some_and(|url| one.is_at(url))).collect()
}

fn check_id(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=NUMBER_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(plain) {
        Ok(())
    } else {
        Err(Error::not_found("number"))
    }
}

fn view(app: &App, carrier: Option<Carrier>) -> TelnyxView {
    let (webhook_url, trunk) = (public(app, CALLS), KIND.trunk());
    match carrier {
        None => TelnyxView {
            is_set_up: false,
            application: String::new(),
            public_keys: Vec::new(),
            sources: Vec::new(),
            machine_detection: undetected(),
            trunk,
            webhook_url,
            version: 0,
        },
        Some(carrier) => TelnyxView {
            is_set_up: true,
            application: carrier.account_name,
            public_keys: carrier.public_keys,
            sources: carrier.sources,
            machine_detection: carrier.machine_detection,
            trunk,
            webhook_url,
            version: carrier.version,
        },
    }
}

fn shown(ours: &[Application], number: Number) -> TelnyxNumber {
    let connection = number.connection_id.filter(|id| !id.is_empty());
    let is_connected = connection.as_ref().is_some_and(|id| ours.iter().any(|one| one.id == *id));
    let name = number.connection_name.filter(|name| !name.is_empty());
    let goes_to = connection.filter(|_| !is_connected).map(|id| name.unwrap_or(id));
    TelnyxNumber { id: number.id, number: number.phone_number, is_connected, goes_to }
}
