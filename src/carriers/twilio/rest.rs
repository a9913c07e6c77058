//! Twilio's REST API, as far as something here calls it: the account, its numbers, the end of a call.
//!
//! Every request has a deadline. One that changes nothing when repeated is repeated after 429, 5xx and lost connections, after a pause
//! that grows: it reads, or says how something is to be. Making a call or a text message is not of that kind, and Twilio takes no name for it
//! by which it would know a repetition: it is repeated only where Twilio has surely not taken it, after 429 and where no connection came about.

use crate::carriers::api::{self, PAUSE, TRIES_MAX, Unsent, clipped};
use crate::error::{Error, ErrorCode};
use auricle_domain::carrier::Carrier;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Numbers that are read: one page of the largest size.
const NUMBERS_MAX: usize = 1_000;
/// Twilio's own code of a token that is not accepted.
pub const WRONG_TOKEN: u32 = 20_003;
/// Twilio's own code of too many requests; here also where no connection came about.
pub const BUSY: u32 = 20_429;
/// Twilio's own code of what is not there (any more).
const NOT_FOUND: u32 = 20_404;

/// The account, as Twilio has it.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// What it is called.
    pub friendly_name: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
}

/// A number of the account.
#[derive(Debug, Deserialize)]
pub struct Number {
    /// Twilio's name for it.
    pub sid: String,
    /// In E.164.
    pub phone_number: String,
    /// What it is called.
    #[serde(default)]
    pub friendly_name: String,
    /// What is asked when it is called.
    #[serde(default)]
    pub voice_url: Option<String>,
    /// The SIP trunk that has it; it wins over the address.
    #[serde(default)]
    pub trunk_sid: Option<String>,
    /// An application that has it; it wins over the address, too.
    #[serde(default)]
    pub voice_application_sid: Option<String>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
}

/// What a number can do.
#[derive(Debug, Default, Deserialize)]
pub struct Capabilities {
    /// Calls.
    #[serde(default)]
    pub voice: bool,
    /// Text messages.
    #[serde(default)]
    pub sms: bool,
}

#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<Number>,
}

/// What Twilio says with a refusal.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Placed {
    sid: String,
}

/// Why a call or a text message was not made, or may not have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// Twilio has not taken it: its own code of why, or one of those below.
    Refused(u32),
    /// The question was sent, and nobody knows what came of it.
    Unsure,
}

/// The API, for one account.
pub struct Rest<'a> {
    client: &'a Client,
    base: &'a str,
    account: &'a str,
    tokens: Vec<&'a str>,
}

impl<'a> Rest<'a> {
    /// The API at `base`, with the tokens of a carrier.
    pub fn of(client: &'a Client, base: &'a str, carrier: &'a Carrier) -> Self {
        Self { client, base, account: &carrier.account, tokens: carrier.tokens().collect() }
    }

    /// The same with one token, to find out whether it is good.
    pub fn with(client: &'a Client, base: &'a str, account: &'a str, token: &'a str) -> Self {
        Self { client, base, account, tokens: vec![token] }
    }

    /// The account itself.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn account(&self) -> Result<Account, Error> {
        self.request(Method::GET, ".json", &[]).await
    }

    /// Its numbers, a thousand at most.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn numbers(&self) -> Result<Vec<Number>, Error> {
        let path = format!("/IncomingPhoneNumbers.json?PageSize={NUMBERS_MAX}");
        let found: Numbers = self.request(Method::GET, &path, &[]).await?;
        Ok(found.incoming_phone_numbers)
    }

    /// Has a number's calls brought to `voice_url`, and their ends told to `status_url`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn connect(&self, number: &str, voice_url: &str, status_url: &str) -> Result<Number, Error> {
        let form = [
            ("VoiceUrl", voice_url),
            ("VoiceMethod", "POST"),
            ("StatusCallback", status_url),
            ("StatusCallbackMethod", "POST"),
            // Either would win over the address.
            ("TrunkSid", ""),
            ("VoiceApplicationSid", ""),
        ];
        self.request(Method::POST, &format!("/IncomingPhoneNumbers/{number}.json"), &form).await
    }

    /// Has Twilio make something: a call (`/Calls.json`) or a text message (`/Messages.json`). Its name there.
    ///
    /// # Errors
    /// [`Unplaced`].
    pub async fn create(&self, path: &str, form: &[(&str, &str)]) -> Result<String, Unplaced> {
        let mut outcome = Err(Unplaced::Refused(0));
        for token in &self.tokens {
            let mut pause = PAUSE;
            for _ in 0..TRIES_MAX {
                outcome = self.create_once(path, form, token).await;
                if outcome != Err(Unplaced::Refused(BUSY)) {
                    break;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            if outcome != Err(Unplaced::Refused(WRONG_TOKEN)) {
                break;
            }
        }
        outcome
    }

    async fn create_once(&self, path: &str, form: &[(&str, &str)], token: &str) -> Result<String, Unplaced> {
        let sent = self.send(&Method::POST, path, form, token).await;
        let (status, body) = match sent {
            Ok(answer) => answer,
            Err(Unsent::Connect) => return Err(Unplaced::Refused(BUSY)),
            Err(Unsent::Broken | Unsent::TooLong) => return Err(Unplaced::Unsure),
        };
        match status.as_u16() {
            200..=299 => serde_json::from_slice(&body).map(|Placed { sid }| sid).map_err(|_| Unplaced::Unsure),
            401 => Err(Unplaced::Refused(WRONG_TOKEN)),
            429 => Err(Unplaced::Refused(BUSY)),
            // It may have been taken before the fault.
            500.. => Err(Unplaced::Unsure),
            status => {
                let Refusal { code, .. } = serde_json::from_slice(&body).unwrap_or_default();
                // What is not allowed has a code of its own; without one, nothing is.
                let code = if status == 403 && code == 0 { WRONG_TOKEN } else { code };
                tracing::warn!(status, code, "Twilio refused to make a call or a text message");
                Err(Unplaced::Refused(code))
            }
        }
    }

    /// Gives a call that is on something else to do. One that is over already is no failure.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn redirect(&self, call: &str, twiml: &str) -> Result<(), Error> {
        self.change_call(call, &[("Twiml", twiml)]).await
    }

    /// Ends a call. One that is over already is no failure.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn end_call(&self, call: &str) -> Result<(), Error> {
        self.change_call(call, &[("Status", "completed")]).await
    }

    async fn change_call(&self, call: &str, form: &[(&str, &str)]) -> Result<(), Error> {
        let changed: Result<serde_json::Value, Error> =
            self.request(Method::POST, &format!("/Calls/{call}.json"), form).await;
        match changed {
            Err(error) if error.code != ErrorCode::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Sends a request with the first token, and with the second where the first is refused.
    ///
    /// # Errors
    /// `invalid` for the token, `not_found`, `carrier_silent` when Twilio does not answer or has too much to do, `carrier_failed` with
    /// its words.
    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut outcome = Err(refused_token());
        for token in &self.tokens {
            outcome = self.patiently(&method, path, form, token).await;
            if !matches!(&outcome, Err(error) if error.code == ErrorCode::Invalid) {
                break;
            }
        }
        outcome
    }

    async fn patiently<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        form: &[(&str, &str)],
        token: &str,
    ) -> Result<T, Error> {
        let mut pause = PAUSE;
        let mut outcome = self.once(method, path, form, token).await;
        for _ in 1..TRIES_MAX {
            if !matches!(&outcome, Err(error) if error.code == ErrorCode::CarrierSilent) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            outcome = self.once(method, path, form, token).await;
        }
        outcome
    }

    async fn once<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        form: &[(&str, &str)],
        token: &str,
    ) -> Result<T, Error> {
        let (status, body) = self
            .send(method, path, form, token)
            .await
            .map_err(|unsent| unsent.told("Twilio", "carriers.twilio_api"))?;
        if !status.is_success() {
            return Err(refused(status, serde_json::from_slice(&body).unwrap_or_default()));
        }
        serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(%error, "an answer of Twilio's was not understood");
            Error::new(ErrorCode::CarrierFailed, "Twilio's answer was not understood")
        })
    }

    /// Sends a request once.
    async fn send(
        &self,
        method: &Method,
        path: &str,
        form: &[(&str, &str)],
        token: &str,
    ) -> Result<(StatusCode, Vec<u8>), Unsent> {
        let url = format!("{}/2010-04-01/Accounts/{}{path}", self.base, self.account);
        let mut request = self.client.request(method.clone(), url).basic_auth(self.account, Some(token));
        if *method == Method::POST {
            let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        api::send(request).await
    }
}

fn refused(status: StatusCode, Refusal { code, message }: Refusal) -> Error {
    tracing::warn!(status = status.as_u16(), code, "Twilio's API refused a request");
    match status.as_u16() {
        401 | 403 => refused_token(),
        404 => Error::new(ErrorCode::NotFound, "Twilio does not know this any more"),
        429 => Error::new(ErrorCode::CarrierSilent, "Twilio takes no more requests at the moment").retry_after(30),
        500.. => Error::new(ErrorCode::CarrierSilent, "Twilio's API has a fault").retry_after(30),
        _ if code == NOT_FOUND => Error::new(ErrorCode::NotFound, "Twilio does not know this any more"),
        _ => Error::new(ErrorCode::CarrierFailed, format!("Twilio refused (code {code}): {}", clipped(&message))),
    }
}

fn refused_token() -> Error {
    Error::field("auth_token", "refused", "Twilio does not accept this account SID with this auth token")
}
