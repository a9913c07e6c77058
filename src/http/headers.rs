//! Headers that every reply carries, so that browsers hold the page to what it is.

use super::web;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::OnceLock;

/// Adds the headers. What a handler has set stays.
pub async fn secure(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut unless_set = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    unless_set(CONTENT_SECURITY_POLICY, policy());
    unless_set(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    unless_set(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    unless_set(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    unless_set(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    unless_set(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    let permissions = "camera=(), geolocation=(), microphone=(self), payment=(), usb=()";
    unless_set(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(permissions));
    if is_api {
        // Replies are about people: no cache keeps them.
        unless_set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Nothing but our own files, and of scripts in the page only those that were there when it was built (SEC-08).
fn policy() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let make = || {
        let scripts =
            web::inline_script_hashes().into_iter().map(|hash| format!(" 'sha256-{hash}'")).collect::<String>();
        let text = format!(
            "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
             media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    };
    POLICY.get_or_init(make).clone()
}
