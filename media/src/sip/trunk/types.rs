//! What a link says and hears.

use std::time::Duration;

use crate::io::{Hop, TrunkState};
use crate::sip::message::Response;
use crate::sip::uri::{Uri, numeric};

/// The longest `Retry-After` that is kept to, in seconds.
const RETRY_AFTER_S_MAX: u64 = 1_800;

/// Names one request of a link; its answer is taken only while it is the last of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A REGISTER.
    Register(u64),
    /// An OPTIONS.
    Probe(u64),
}

/// Out of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkOutput {
    /// Send REGISTER.
    Register {
        /// To name its answer.
        ask: Ask,
        /// There.
        hop: Hop,
        /// Asking for this expiry; 0 takes the registration back.
        expires_s: u32,
    },
    /// Send OPTIONS.
    Probe {
        /// To name its answer.
        ask: Ask,
        /// There.
        hop: Hop,
    },
    /// Send line ends.
    KeepAlive {
        /// There.
        hop: Hop,
    },
    /// The trunk fares otherwise than before.
    State(TrunkState),
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// A final response, challenges answered as far as they could be.
    Answered {
        /// The response.
        response: &'a Response,
        /// The Contact that we registered.
        contact: &'a Uri,
    },
    /// None came, or the connection was lost.
    Failed,
}

/// For how many seconds our own Contact was taken (RFC 3261 section 10.2.4).
pub(super) fn granted_s(response: &Response, contact: &Uri) -> Option<u32> {
    let contacts = response.head.addresses("Contact").unwrap_or_default();
    let own = contacts.iter().find(|other| is_same(&other.uri, contact));
    let own = own.and_then(|own| own.params.get("expires"));
    own.or_else(|| response.head.get("Expires")).and_then(|seconds| seconds.parse().ok())
}

fn is_same(one: &Uri, other: &Uri) -> bool {
    match (one, other) {
        (Uri::Sip(one), Uri::Sip(other)) => {
            one.user == other.user && one.host.eq_ignore_ascii_case(&other.host) && one.port == other.port
        }
        _ => false,
    }
}

/// Whether our own Via came back with another address than ours in it.
pub(super) fn is_natted(response: &Response) -> bool {
    let via = response.head.top_via();
    let moved = via.params.get("received").is_some_and(|seen| numeric(seen) != numeric(&via.host));
    moved || via.params.get("rport").is_some_and(|seen| seen.parse() != Ok(via.port.unwrap_or_default()))
}

/// After how many seconds without line ends the far end takes the way to us for gone (RFC 5626 section 4.4.1), where it says so.
pub(super) fn flow_timer_s(response: &Response) -> Option<u64> {
    response.head.get("Flow-Timer")?.trim().parse().ok().filter(|seconds| *seconds > 0)
}

pub(super) fn retry_after(response: &Response) -> Duration {
    let value = response.head.get("Retry-After").unwrap_or_default();
    let digits = value.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    Duration::from_secs(digits.parse().unwrap_or(0).min(RETRY_AFTER_S_MAX))
}
