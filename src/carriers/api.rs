//! What requests to carriers' APIs have in common: their limits, and how answers are read.

use crate::error::{Error, ErrorCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use std::time::Duration;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long one request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Largest answer that is read, in bytes: a thousand numbers have less.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Letters of somebody else's words that are passed on.
const WORDS_MAX: usize = 200;
/// How often a request is sent altogether.
pub const TRIES_MAX: u32 = 3;
/// The pause before the second try; the third has twice that.
pub const PAUSE: Duration = Duration::from_millis(250);

/// A client for all requests.
///
/// # Errors
/// When the machine's certificates cannot be read.
pub fn client() -> Result<Client, reqwest::Error> {
    Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN).build()
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// No connection came about: nothing was sent.
    Connect,
    /// It may have been sent.
    Broken,
    /// The answer is longer than answers are.
    TooLong,
}

impl Unsent {
    /// What it is to a person. `carrier` is its name in words, `setting` what says where its API is.
    pub fn told(self, carrier: &str, setting: &str) -> Error {
        if self == Self::TooLong {
            return Error::new(ErrorCode::CarrierFailed, format!("{carrier}'s answer is too long to be one"));
        }
        let detail = format!("{carrier}'s API does not answer: check the network of this machine and {setting}");
        Error::new(ErrorCode::CarrierSilent, detail).retry_after(30)
    }
}

/// Sends a request, and reads the whole answer.
///
/// # Errors
/// [`Unsent`].
pub async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Unsent> {
    let mut response = request.send().await.map_err(|error| unanswered(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(Unsent::TooLong);
        }
        body.extend_from_slice(&piece);
    }
    Ok((status, body))
}

fn unanswered(error: &reqwest::Error) -> Unsent {
    // The address may hold names of the account; what went wrong does not.
    tracing::warn!(timeout = error.is_timeout(), connect = error.is_connect(), "a carrier's API did not answer");
    if error.is_connect() { Unsent::Connect } else { Unsent::Broken }
}

/// The beginning of somebody else's words.
pub fn clipped(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX).collect()
}
