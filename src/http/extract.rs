//! What handlers take from a request. Every rejection is a problem body (API-03).

use crate::app::App;
use crate::auth::{May, Permission, SignedIn};
use crate::error::{Error, ErrorCode};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A JSON body. Unknown fields and wrong types are refused with the path of the field at fault.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::new(ErrorCode::UnsupportedMedia, "The body must be application/json"));
        }
        let bytes = body(request, app).await?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            Error::field(if field == "." { String::new() } else { field }, "format", error.into_inner().to_string())
        })?;
        reader.end().map_err(|_| Error::field("", "format", "text follows after the JSON value"))?;
        Ok(Self(value))
    }
}

/// A plain text body in UTF-8.
#[derive(Debug)]
pub struct Text(pub String);

impl FromRequest<Arc<App>> for Text {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let bytes = body(request, app).await?;
        let text = String::from_utf8(bytes.to_vec());
        text.map(Self).map_err(|_| Error::field("", "format", "the body must be text in UTF-8"))
    }
}

/// The body, within the route's limit.
async fn body(request: Request, app: &Arc<App>) -> Result<axum::body::Bytes, Error> {
    axum::body::Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status().as_u16() {
        413 => Error::new(ErrorCode::TooLarge, "The body is larger than this path takes"),
        _ => Error::field("", "format", "the body ended too early"),
    })
}

/// The query string. Unknown names and values that do not fit are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, reason)| reason);
            let field = text.split_once(": ").map_or("", |(field, _)| field);
            let named = !field.is_empty() && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            Error::field(if named { field } else { "" }, "format", text)
        })
    }
}

/// What the path names. An id that is none names nothing: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Error::not_found("thing: the id in the path is not a UUID"))
    }
}

/// The version that a change is based on, from `If-Match: "<version>"`.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            let detail = "A change must say what it is based on: If-Match: \"<version>\", as read from the record";
            return Err(Error::new(ErrorCode::VersionRequired, detail));
        };
        let text = value.to_str().unwrap_or_default().trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        text.parse()
            .map(Self)
            .map_err(|_| Error::field("If-Match", "format", "If-Match must be \"<version>\", a number in quotes"))
    }
}

/// Longest `Idempotency-Key`, in characters.
const KEY_CHARS_MAX: usize = 128;

/// The caller's own name for a request: the same key again brings the same reply instead of a second record.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if (1..=KEY_CHARS_MAX).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(Error::field(
                "Idempotency-Key",
                "out_of_range",
                "Idempotency-Key must have 1 to 128 ASCII characters",
            )),
        }
    }
}

/// Finds the session behind a request; made by the layer in `guard.rs`, which puts it among the request's extensions.
impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let found = parts.extensions.get::<SignedIn>().copied();
        found.ok_or_else(|| Error::new(ErrorCode::Unauthenticated, "This needs a session: sign in at /api/auth/login"))
    }
}

/// Characters of an `Access-Reason`.
const REASON_CHARS: RangeInclusive<usize> = 3..=300;
/// How a reason begins that is written as RFC 8187 section 3.2 has it: a browser's headers hold no other letters than those of Latin-1.
const ENCODED: &str = "utf-8''";

/// Why a person reads a record: the header `Access-Reason`, in UTF-8 as it is, or as `UTF-8''` and percent-encoded UTF-8. It stands in
/// the audit chain.
fn reason(parts: &Parts) -> Result<Option<String>, Error> {
    let Some(value) = parts.headers.get("access-reason") else { return Ok(None) };
    let bytes = value.as_bytes();
    let encoded =
        bytes.split_at_checked(ENCODED.len()).filter(|(head, _)| head.eq_ignore_ascii_case(ENCODED.as_bytes()));
    let text = match encoded {
        Some((_, rest)) => String::from_utf8_lossy(&percent_decoded(rest)).into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    let text = text.trim();
    let fits =
        REASON_CHARS.contains(&text.chars().count()) && !text.contains(|c: char| c.is_control() || c == '\u{fffd}');
    if !fits {
        let detail = "Access-Reason must have 3 to 300 characters of UTF-8 in one line, as they are or as UTF-8''<percent-encoded>";
        return Err(Error::field("Access-Reason", "out_of_range", detail));
    }
    Ok(Some(text.to_owned()))
}

/// Bytes with `%xx` replaced by what they stand for; what is no such triplet stays as it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let value = if *byte == b'%' { digit(at + 1).zip(digit(at + 2)) } else { None };
        let value = value.and_then(|(high, low)| u8::try_from(16 * high + low).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

impl<P: Permission, S: Send + Sync> FromRequestParts<S> for May<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let may = May::check(SignedIn::from_request_parts(parts, state).await?)?;
        Ok(may.because(reason(parts)?))
    }
}
