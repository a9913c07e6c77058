//! What happens to every request before its handler: it gets an identity, its session is looked up, requests from other sites
//! are refused, and limits hold.

use super::cookie;
use super::error::REQUEST_ID;
use super::limits::{Limits, Principal};
use crate::app::App;
use crate::auth::SignedIn;
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::sessions::{self, Token};
use auricle_domain::Timestamp;
use auricle_domain::id::CauseId;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;

/// Carries the request's identity back.
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 8;

/// The piece of work that a request is: stands in its log lines, its events and its reply.
#[derive(Clone, Copy, Debug)]
pub struct Cause(pub CauseId);

impl<S: Send + Sync> FromRequestParts<S> for Cause {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let found = parts.extensions.get::<Self>().copied();
        found.ok_or_else(|| Error::internal("name the request", &"its layer is missing"))
    }
}

/// What the layer needs.
pub struct Guard {
    app: Arc<App>,
    limits: Limits,
}

impl Guard {
    /// With fresh limits.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, limits: Limits::new() }
    }
}

/// Names the request, times it, and writes one line about it. Addresses and queries may be about people: neither is written.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let cause = clock::fresh(CauseId::new, Timestamp::now());
    request.extensions_mut().insert(Cause(cause));
    let method = request.method().clone();
    let span = tracing::info_span!("request", %cause);
    let began = Instant::now();
    let mut response = REQUEST_ID.scope(cause.to_string(), next.run(request)).instrument(span.clone()).await;
    let route = response.extensions_mut().remove::<Route>().map_or_else(|| "other".to_owned(), |route| route.0);
    let status = response.status().as_u16();
    let took = began.elapsed();
    let labels = [("method", counted(&method).to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("auricle_http_requests_total", &labels).increment(1);
    metrics::histogram!("auricle_http_request_seconds", "route" => route.clone()).record(took.as_secs_f64());
    span.in_scope(|| tracing::debug!(%method, route, status, took_us = took.as_micros() as u64, "answered"));
    if let Ok(value) = HeaderValue::from_str(&cause.to_string()) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
}

/// The method as it is counted. Whoever asks may make up as many as they like, and what has been counted once is kept.
fn counted(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// The route that answered, as it is written in the API's description.
#[derive(Clone)]
struct Route(String);

/// Looks up the session, refuses what comes from another site, and keeps the limits.
pub async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| Route(path.as_str().to_owned()));
    let mut response = match admit(&guard, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

async fn admit(guard: &Guard, request: &mut Request) -> Result<(), Error> {
    let path = request.uri().path();
    if !(path.starts_with("/api/") || path == "/ws" || path == "/metrics") || path == "/api/health" {
        return Ok(());
    }
    let is_upgrade = request.headers().contains_key(UPGRADE);
    if is_upgrade || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        same_site(request.headers())?;
    }
    let address = client_address(&guard.app, request);
    request.extensions_mut().insert(ClientAddress(address));
    if is_carriers(request.uri().path()) {
        return Ok(());
    }
    let cause = request.extensions().get::<Cause>().map(|cause| cause.0);
    let who = match (token(request.headers()), cause) {
        (Some(token), Some(cause)) => sessions::resolve(&guard.app, &token, cause).await?,
        _ => None,
    };
    guard.limits.check(who.map_or(Principal::Address(address), |who| Principal::Account(who.account)))?;
    if let Some(who) = who {
        request.extensions_mut().insert::<SignedIn>(who);
    }
    Ok(())
}

/// Whether a path is for carriers: nobody is signed in there, and it has a limit of its own that good requests do not use up.
fn is_carriers(path: &str) -> bool {
    path.starts_with(super::webhooks::PREFIX) || crate::carriers::is_media(path)
}

/// Where a request really comes from, behind trusted proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The connection's address, or, where that is a trusted proxy, the last address in `X-Forwarded-For` that is none.
fn client_address(app: &App, request: &Request) -> IpAddr {
    let Some(peer) = super::peer_of(request) else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let trusted = |address: IpAddr| app.config.server.trusted_proxies.iter().any(|network| network.contains(address));
    let peer = peer.ip().to_canonical();
    if !trusted(peer) {
        return peer;
    }
    let headers = request.headers().get_all("x-forwarded-for").iter();
    let text = headers.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let hops = text.rsplit(',').take(HOPS_MAX).map_while(|hop| hop.trim().parse::<IpAddr>().ok());
    hops.map(|hop| hop.to_canonical()).find(|hop| !trusted(*hop)).unwrap_or(peer)
}

/// The session's token: of the header, else of the cookie.
fn token(headers: &HeaderMap) -> Option<Token> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Token::from_text(token.trim())).flatten();
    }
    let mut cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.find_map(cookie::find).and_then(Token::from_text)
}

/// Refuses a changing request that a browser sends on behalf of another site (CSRF). Browsers say where a request comes from;
/// what is no browser carries no cookies that somebody else could use.
fn same_site(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || Err(Error::new(ErrorCode::Forbidden, "The request comes from another site"));
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin" | "none") => return Ok(()),
        Some(_) => return refused(),
        None => {}
    }
    match (text(ORIGIN), text(HOST)) {
        (None, _) => Ok(()),
        (Some(origin), Some(host)) if origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host)) => {
            Ok(())
        }
        _ => refused(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn other_sites_are_refused() {
        for (pairs, passes) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[("sec-fetch-site", "cross-site"), ("origin", "https://clinic.example"), ("host", "clinic.example")],
                false,
            ),
            (&[("origin", "https://clinic.example"), ("host", "clinic.example")], true),
            (&[("origin", "https://clinic.example.evil"), ("host", "clinic.example")], false),
            (&[("origin", "null"), ("host", "clinic.example")], false),
            (&[("origin", "http://clinic.example:1"), ("host", "clinic.example:2")], false),
            (&[("host", "clinic.example")], true),
        ] {
            assert_eq!(same_site(&headers(pairs)).is_ok(), passes, "{pairs:?}");
        }
    }

    /// SEC-14: strangers do not fill the memory with figures.
    #[test]
    fn methods_that_are_made_up_are_counted_as_one() {
        let made_up = |n: usize| Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
        let all = (0..1_000).map(made_up).chain([Method::GET, Method::TRACE, Method::DELETE]);
        let names: std::collections::BTreeSet<String> = all.map(|method| counted(&method).to_owned()).collect();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["DELETE", "GET", "other"]);
    }

    #[test]
    fn a_token_is_taken_from_the_header_before_the_cookie() {
        let token_text = |text: String| Token::from_text(&text).unwrap();
        let (one, other) = ("A".repeat(43), "B".repeat(42) + "A");
        let both =
            headers(&[("authorization", &format!("bearer {one}")), ("cookie", &format!("__Host-auricle={other}"))]);
        assert_eq!(token(&both), Some(token_text(one.clone())));
        let cookie = headers(&[("cookie", &format!("x=y; __Host-auricle={other}"))]);
        assert_eq!(token(&cookie), Some(token_text(other)));
        assert_eq!(token(&headers(&[("authorization", "Basic abc")])), None);
    }
}
