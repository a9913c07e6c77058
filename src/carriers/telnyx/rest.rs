//! Telnyx's REST API, as far as something here calls it: applications, numbers, and commands to calls.
//!
//! Reading, and saying how something is to be, is repeated after 429, 5xx and lost connections. A command has a name of its own: one that
//! is repeated under the same name within a minute is carried out once, so that it can be repeated soon.

use crate::carriers::api::{self, PAUSE, TRIES_MAX, clipped};
use crate::error::{Error, ErrorCode};
use crate::voice::carrierstanding::Said;
use auricle_domain::carrier::Carrier;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// How long the first try of a command may take; the next has twice that.
const COMMAND_WITHIN: Duration = Duration::from_millis(500);
/// The same for placing a call, which takes longer.
const DIAL_WITHIN: Duration = Duration::from_secs(2);
/// Numbers and applications on one page: the most there may be.
const PAGE: usize = 250;
/// Pages that are read: a thousand numbers.
const PAGES_MAX: usize = 4;
/// Telnyx's own code of a command to a call that is over.
const CALL_OVER: &str = "90018";
/// Telnyx's own code of a number that is none.
const NO_NUMBER: &str = "10016";
/// What our application is called there.
const APPLICATION: &str = "Auricle";

/// A Call Control application: where calls of the numbers that have it are told.
#[derive(Clone, Debug, Deserialize)]
pub struct Application {
    /// Telnyx's name for it.
    pub id: String,
    /// What it is called.
    #[serde(default)]
    pub application_name: String,
    /// Where its calls are told.
    #[serde(default)]
    pub webhook_event_url: Option<String>,
    /// Whether it can be used.
    #[serde(default)]
    pub active: bool,
    /// How its calls are told: `2` is the form we read.
    #[serde(default)]
    pub webhook_api_version: Option<String>,
}

impl Application {
    /// Whether its calls are told at this address, in the form we read.
    pub fn is_at(&self, url: &str) -> bool {
        self.active
            && self.webhook_event_url.as_deref() == Some(url)
            && self.webhook_api_version.as_deref().is_none_or(|version| version == "2")
    }
}

/// A number of the account.
#[derive(Debug, Deserialize)]
pub struct Number {
    /// Telnyx's name for it.
    pub id: String,
    /// In E.164.
    pub phone_number: String,
    /// The application or SIP connection that has it.
    #[serde(default)]
    pub connection_id: Option<String>,
    /// What that is called.
    #[serde(default)]
    pub connection_name: Option<String>,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is carried out.
    Done,
    /// The call is over.
    Over,
}

#[derive(Deserialize)]
struct Dialled {
    call_control_id: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

/// What Telnyx says with a refusal.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Default, Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// The API, for one account.
pub struct Rest<'a> {
    client: &'a Client,
    base: &'a str,
    key: &'a str,
}

impl<'a> Rest<'a> {
    /// The API at `base`, with the key of an account.
    pub fn of(client: &'a Client, base: &'a str, carrier: &'a Carrier) -> Self {
        Self { client, base, key: &carrier.token }
    }

    /// The account's applications, a thousand at most.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn applications(&self) -> Result<Vec<Application>, Error> {
        self.pages("/call_control_applications").await
    }

    /// One application.
    ///
    /// # Errors
    /// `not_found`, and as [`request`](Self::request).
    pub async fn application(&self, id: &str) -> Result<Application, Error> {
        self.request(Method::GET, &format!("/call_control_applications/{}", encoded(id)), None).await
    }

    /// Makes an application whose calls are told at `url`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn make_application(&self, url: &str) -> Result<Application, Error> {
        self.request(Method::POST, "/call_control_applications", Some(&application(APPLICATION, url))).await
    }

    /// Has an application's calls told at `url`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn move_application(&self, found: &Application, url: &str) -> Result<Application, Error> {
        let name = if found.application_name.is_empty() { APPLICATION } else { &found.application_name };
        let path = format!("/call_control_applications/{}", encoded(&found.id));
        self.request(Method::PATCH, &path, Some(&application(name, url))).await
    }

    /// The account's numbers, a thousand at most.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn numbers(&self) -> Result<Vec<Number>, Error> {
        self.pages("/phone_numbers").await
    }

    /// Gives a number to an application, or takes it off whatever has it (`connection` empty).
    ///
    /// # Errors
    /// `not_found`, and as [`request`](Self::request).
    pub async fn assign(&self, number: &str, connection: &str) -> Result<Number, Error> {
        let body = json!({ "connection_id": connection });
        self.request(Method::PATCH, &format!("/phone_numbers/{}", encoded(number)), Some(&body)).await
    }

    /// Places a call: its name, and what the answer says of Telnyx itself. `fields` is an object with what Telnyx wants to know.
    ///
    /// # Errors
    /// `carrier_silent` where nobody knows whether it is placed; `not_found` for a number that is none; as [`request`](Self::request).
    pub async fn dial(&self, mut fields: Value) -> (Said, Result<String, Error>) {
        fields["command_id"] = json!(version_4());
        let dialled: Result<Dialled, Failure> = self.again_and_again("/calls", &fields, DIAL_WITHIN).await;
        (said(&dialled), dialled.map(|dialled| dialled.call_control_id).map_err(|failure| failure.error))
    }

    /// Tells a call something: `name` is the command's, `fields` is an object with what belongs to it. Also what the answer says of Telnyx
    /// itself.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn command(&self, call: &str, name: &str, mut fields: Value) -> (Said, Result<Told, Error>) {
        fields["command_id"] = json!(version_4());
        let path = format!("/calls/{}/actions/{name}", encoded(call));
        let outcome = self.again_and_again::<Value>(&path, &fields, COMMAND_WITHIN).await;
        let said = said(&outcome);
        let told = match outcome {
            Ok(_) => Ok(Told::Done),
            Err(Failure { is_over: true, .. }) => Ok(Told::Over),
            Err(failure) if failure.error.code == ErrorCode::NotFound => Ok(Told::Over),
            Err(failure) => Err(failure.error),
        };
        (said, told)
    }

    /// Sends a command, and the identical one again where its answer does not come soon: it is carried out once.
    async fn again_and_again<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &Value,
        mut within: Duration,
    ) -> Result<T, Failure> {
        let mut outcome = self.once(&Method::POST, path, Some(fields), Some(within)).await;
        for _ in 1..TRIES_MAX {
            if !is_passing(&outcome) {
                break;
            }
            within *= 2;
            outcome = self.once(&Method::POST, path, Some(fields), Some(within)).await;
        }
        outcome
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            // Brackets as they are written in addresses.
            let path = format!("{path}?page%5Bnumber%5D={page}&page%5Bsize%5D={PAGE}");
            let found: Vec<T> = self.request(Method::GET, &path, None).await?;
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Sends a request, again where that may help.
    ///
    /// # Errors
    /// `invalid` for the key, `not_found`, `carrier_silent` when Telnyx does not answer or has too much to do, `carrier_failed` with its
    /// words.
    async fn request<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T, Error> {
        let mut pause = PAUSE;
        let mut outcome = self.once(&method, path, body, None).await;
        for _ in 1..TRIES_MAX {
            if !is_passing(&outcome) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            outcome = self.once(&method, path, body, None).await;
        }
        outcome.map_err(|failure| failure.error)
    }

    async fn once<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        within: Option<Duration>,
    ) -> Result<T, Failure> {
        let mut request = self.client.request(method.clone(), format!("{}/v2{path}", self.base)).bearer_auth(self.key);
        if let Some(within) = within {
            request = request.timeout(within);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let (status, body) = api::send(request).await.map_err(|unsent| unsent.told("Telnyx", "carriers.telnyx_api"))?;
        if !status.is_success() {
            return Err(refused(status, serde_json::from_slice(&body).unwrap_or_default()));
        }
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(%error, "an answer of Telnyx's was not understood");
            Error::new(ErrorCode::CarrierFailed, "Telnyx's answer was not understood")
        })?;
        Ok(answer.data)
    }
}

/// What stands against a request.
struct Failure {
    error: Error,
    /// The call it was about is over.
    is_over: bool,
    /// The key is that of no account.
    is_unknown: bool,
}

/// What an answer says of Telnyx itself, and whether it knows us. That something is not allowed says nothing against either.
fn said<T>(outcome: &Result<T, Failure>) -> Said {
    match outcome {
        Err(Failure { is_unknown: true, .. }) => Said::No,
        Err(failure) if failure.error.code == ErrorCode::CarrierSilent => Said::Nothing,
        Ok(_) | Err(_) => Said::Something,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, is_over: false, is_unknown: false }
    }
}

fn is_passing<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(failure) if failure.error.code == ErrorCode::CarrierSilent)
}

fn application(name: &str, url: &str) -> Value {
    json!({
        "application_name": name,
        "webhook_event_url": url,
        "webhook_api_version": "2",
        "active": true,
        "inbound": { "shaken_stir_enabled": true },
    })
}

/// A name for a command: a random UUID, as Telnyx wants it.
fn version_4() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// A name of Telnyx's as a part of a path.
fn encoded(text: &str) -> String {
    // Names have no blanks, which this would write as plus signs.
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn refused(status: StatusCode, refusal: Refusal) -> Failure {
    let Fault { code, title, detail } = refusal.errors.into_iter().next().unwrap_or_default();
    let (code, is_over) = (clipped(&code), code == CALL_OVER);
    tracing::warn!(status = status.as_u16(), code, "Telnyx's API refused a request");
    let error = match status.as_u16() {
        401 => Error::field("api_key", "refused", "Telnyx does not accept this API key"),
        403 => Error::field("api_key", "refused", "This API key may not do this at Telnyx"),
        _ if code == NO_NUMBER => Error::new(ErrorCode::NotFound, "Telnyx says that this is no number"),
        404 => Error::new(ErrorCode::NotFound, "Telnyx does not know this any more"),
        408 | 429 => {
            Error::new(ErrorCode::CarrierSilent, "Telnyx takes no more requests at the moment").retry_after(30)
        }
        500.. => Error::new(ErrorCode::CarrierSilent, "Telnyx's API has a fault").retry_after(30),
        _ => {
            let words = if detail.is_empty() { &title } else { &detail };
            Error::new(ErrorCode::CarrierFailed, format!("Telnyx refused (code {code}): {}", clipped(words)))
        }
    };
    Failure { error, is_over, is_unknown: status == StatusCode::UNAUTHORIZED }
}
