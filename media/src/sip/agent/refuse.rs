//! What is refused before a dialog is looked at (RFC 3261 section 8.2).

use super::refresh::too_brief;
use super::{ACCEPT, ALLOW};
use crate::io::Transport;
use crate::sip::message::{Method, Request, Response};
use crate::sip::uri::Uri;

/// Methods that we know but do not speak: 405. Any other is not implemented: 501 (RFC 3261 sections 8.2.1 and 21.5.2).
const KNOWN: [&str; 3] = ["SUBSCRIBE", "MESSAGE", "PUBLISH"];

/// The refusal of a request that is wrong whatever the state; `None` when it may go on.
pub(super) fn before_dialog(request: &Request, transport: Transport) -> Option<Response> {
    let refuse = |status| Response::to(request, status, "");
    if request.method == Method::Register {
        return Some(refuse(405).with("Allow", ALLOW));
    }
    if let Method::Other(name) = &request.method {
        let status = if KNOWN.contains(&name.as_str()) { 405 } else { 501 };
        return Some(refuse(status).with("Allow", ALLOW));
    }
    // A `sips:` address promises TLS on every hop.
    let known = match &request.uri {
        Uri::Sip(uri) => !uri.secure || transport == Transport::Tls,
        uri @ Uri::Other { scheme, .. } => {
            scheme == "tel" || request.method == Method::Invite && uri.is_emergency_service()
        }
    };
    if !known {
        return Some(refuse(416));
    }
    let Some(mut required) = request.head.list("Require") else {
        return Some(Response::to(request, 400, "Bad Require"));
    };
    // What we can be required to do.
    let known: &[&str] = match request.method {
        Method::Invite => &["100rel", "timer", "replaces"],
        Method::Update => &["timer"],
        Method::Refer => &["norefersub"],
        _ => &[],
    };
    required.retain(|option| !known.iter().any(|known| option.eq_ignore_ascii_case(known)));
    if !required.is_empty() {
        return Some(refuse(420).with("Unsupported", required.join(", ")));
    }
    body(request)
}

/// Refuses bodies that we cannot read, and callers that cannot read ours.
fn body(request: &Request) -> Option<Response> {
    let head = &request.head;
    if head.get("Content-Encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Some(Response::to(request, 415, "").with("Accept-Encoding", "identity"));
    }
    if !matches!(request.method, Method::Invite | Method::Update) {
        return None;
    }
    if let Some(refusal) = too_brief(request) {
        return Some(refusal);
    }
    if !request.body.is_empty() && head.content_type().as_deref() != Some("application/sdp") {
        return Some(Response::to(request, 415, "").with("Accept", ACCEPT));
    }
    let mut accepted = head.all("Accept").peekable();
    if accepted.peek().is_some() && !accepted.any(accepts_sdp) {
        return Some(Response::to(request, 406, "").with("Accept", ACCEPT));
    }
    None
}

fn accepts_sdp(line: &str) -> bool {
    line.split(',').any(|range| {
        let range = range.split_once(';').map_or(range, |(range, _)| range);
        let range: String = range.chars().filter(|letter| !letter.is_whitespace()).collect();
        ["application/sdp", "application/*", "*/*"].iter().any(|wanted| range.eq_ignore_ascii_case(wanted))
    })
}
