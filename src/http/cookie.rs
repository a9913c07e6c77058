//! The session's cookie.

use axum::http::HeaderValue;
use axum::http::header::{HeaderName, SET_COOKIE};

/// Its name. The `__Host-` prefix makes browsers insist on `Secure`, on `Path=/` and on no other host.
pub const NAME: &str = "__Host-auricle";

/// Sets it. It lives as long as the browser does; the session's own limits lie with the service.
pub fn set(token: &str) -> (HeaderName, HeaderValue) {
    let text = format!("{NAME}={token}; Path=/; HttpOnly; Secure; SameSite=Strict");
    (SET_COOKIE, HeaderValue::from_str(&text).expect("a token is base64url text"))
}

/// Takes it away.
pub fn clear() -> (HeaderName, HeaderValue) {
    (SET_COOKIE, HeaderValue::from_static("__Host-auricle=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0"))
}

/// The token in a `Cookie` header, if it is there. Of two with this name neither is taken.
pub fn find(header: &str) -> Option<&str> {
    let mut found = header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == NAME);
    match (found.next(), found.next()) {
        (Some((_, token)), None) => Some(token),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_own_among_others_and_refuses_two() {
        assert_eq!(find("a=b; __Host-auricle=xyz; c=d"), Some("xyz"));
        assert_eq!(find("auricle=xyz"), None);
        assert_eq!(find("__Host-auricle=x; __Host-auricle=y"), None);
    }
}
