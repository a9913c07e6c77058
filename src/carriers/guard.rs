//! What stands before everything that a carrier sends (SEC-12): four layers, each of which refuses by itself.
//!
//! 1. Requests that fail are limited: thirty a minute from one address; those that are good are not counted (SEC-14). After that
//!    only so many a second are looked at from all such addresses together, so that nobody who shares an address with the carrier,
//!    as all do behind a proxy that is not named in `server.trusted_proxies`, can silence it.
//! 2. Where the administrator has named the carrier's networks, others are refused (SEC-13).
//! 3. The signature over the request as it came must be that of a token or key that holds (SEC-11).
//! 4. A request that was carried out is not carried out again ([`super::taken`]).
//!
//! How a carrier signs, and what names a request of its, is the carrier's file's business.

use crate::config::Network;
use crate::error::{Error, ErrorCode};
use auricle_domain::carrier::Carrier;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests of an address that may fail within a minute.
const FAILED_MAX: u32 = 30;
/// That minute.
const FAILED_WITHIN: Duration = Duration::from_secs(60);
/// Requests a second that are looked at though their addresses have failed too often.
const SECOND_LOOKS_MAX: u32 = 20;
/// Addresses whose failures are remembered. Of more, failures are not counted until a minute has passed; they are refused all the same.
const REMEMBERED_MAX: usize = 10_000;

/// A request as it came, before anything in it is believed.
pub struct Raw {
    /// Where it comes from, behind trusted proxies.
    pub address: IpAddr,
    /// Path and query, as sent.
    pub path: String,
    /// Headers that are text; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte; empty for a socket's upgrade.
    pub body: Vec<u8>,
}

impl Raw {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Shows where it goes, not what is in it.
impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Counts what fails.
#[derive(Debug, Default)]
pub struct Gate {
    failures: Mutex<HashMap<IpAddr, Failures>>,
    second_looks: Mutex<Option<Failures>>,
}

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Gate {
    /// The first three layers.
    ///
    /// # Errors
    /// `rate_limited`, `not_configured`, `forbidden` for a network that is not the carrier's, `bad_signature`.
    pub fn pass(
        &self,
        carrier: Option<Carrier>,
        raw: &Raw,
        is_signed: impl FnOnce(&Carrier) -> bool,
        now: Instant,
    ) -> Result<Carrier, Error> {
        let address = network_of(raw.address);
        let over = self.check(address, now);
        let judged = match &over {
            Err(limited) if !self.looks_again(now) => Err(limited.clone()),
            _ => judge(carrier, raw, is_signed),
        };
        judged.map_err(|error| {
            self.fail(address, now);
            metrics::counter!("auricle_webhooks_refused_total", "code" => error.code.as_str()).increment(1);
            // Who has failed too often is not told why it failed again.
            over.err().unwrap_or(error)
        })
    }

    /// Whether there is room for a request from an address that has failed too often.
    fn looks_again(&self, now: Instant) -> bool {
        let mut looks = self.second_looks.lock().unwrap_or_else(PoisonError::into_inner);
        let this_second = |looks: &Failures| now.saturating_duration_since(looks.since) < Duration::from_secs(1);
        let looks = match &mut *looks {
            Some(looks) if this_second(looks) => looks,
            other => other.insert(Failures { since: now, count: 0 }),
        };
        looks.count += 1;
        looks.count <= SECOND_LOOKS_MAX
    }

    fn check(&self, address: IpAddr, now: Instant) -> Result<(), Error> {
        let failures = self.failures();
        let Some(failures) = failures.get(&address).filter(|failures| failures.is_recent(now)) else { return Ok(()) };
        if failures.count < FAILED_MAX {
            return Ok(());
        }
        let left = FAILED_WITHIN.saturating_sub(now.saturating_duration_since(failures.since));
        let seconds = u32::try_from(left.as_secs()).unwrap_or(0) + 1;
        Err(Error::new(ErrorCode::RateLimited, ErrorCode::RateLimited.title()).retry_after(seconds))
    }

    fn fail(&self, address: IpAddr, now: Instant) {
        let mut failures = self.failures();
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, failures| failures.is_recent(now));
        }
        if failures.len() >= REMEMBERED_MAX && !failures.contains_key(&address) {
            return;
        }
        let found = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if !found.is_recent(now) {
            *found = Failures { since: now, count: 0 };
        }
        found.count += 1;
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < FAILED_WITHIN
    }
}

fn judge(carrier: Option<Carrier>, raw: &Raw, is_signed: impl FnOnce(&Carrier) -> bool) -> Result<Carrier, Error> {
    let carrier = carrier.ok_or_else(|| {
        Error::new(ErrorCode::NotConfigured, "The carrier's account is not set up here, so nothing from it is believed")
    })?;
    if !is_of(&carrier.sources, raw.address) {
        return Err(Error::new(ErrorCode::Forbidden, "The request does not come from a network of the carrier's"));
    }
    if !is_signed(&carrier) {
        return Err(Error::new(ErrorCode::BadSignature, "The request is not signed as the account signs"));
    }
    Ok(carrier)
}

/// Whether an address is in one of these networks, or none are named.
fn is_of(sources: &[String], address: IpAddr) -> bool {
    let within = |source: &String| source.parse::<Network>().is_ok_and(|network| network.contains(address));
    sources.is_empty() || sources.iter().any(within)
}

/// Who has one address of IPv6 has all of its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::Timestamp;
    use auricle_domain::code::{CarrierKind, MachineDetection};

    fn carrier(sources: &[&str]) -> Carrier {
        Carrier {
            kind: CarrierKind::Twilio,
            account: "AC1".into(),
            account_name: String::new(),
            token: "secret".into(),
            second_token: None,
            public_keys: Vec::new(),
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            machine_detection: MachineDetection::Off,
            text_number: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    fn raw(address: &str) -> Raw {
        Raw { address: address.parse().unwrap(), path: "/".into(), headers: Vec::new(), body: Vec::new() }
    }

    fn code(result: Result<Carrier, Error>) -> Option<ErrorCode> {
        result.err().map(|error| error.code)
    }

    /// SEC-11, SEC-12, SEC-13: each layer refuses by itself, and with its own code.
    #[test]
    fn each_layer_refuses_by_itself() {
        let table = [
            (Some(carrier(&[])), "192.0.2.1", true, None),
            (Some(carrier(&[])), "192.0.2.1", false, Some(ErrorCode::BadSignature)),
            (None, "192.0.2.1", true, Some(ErrorCode::NotConfigured)),
            (Some(carrier(&["198.51.100.0/24"])), "192.0.2.1", true, Some(ErrorCode::Forbidden)),
            (Some(carrier(&["198.51.100.0/24", "192.0.2.0/28"])), "192.0.2.1", true, None),
            (Some(carrier(&["2001:db8::/32"])), "2001:db8::1", true, None),
        ];
        for (carrier, address, signed, expected) in table {
            let found = code(Gate::default().pass(carrier.clone(), &raw(address), |_| signed, Instant::now()));
            assert_eq!(found, expected, "{carrier:?} from {address}");
        }
    }

    /// SEC-14: thirty failures a minute from one address, whatever else comes from it; what is good is not counted.
    #[test]
    fn failures_are_limited_and_good_requests_are_not() {
        let (gate, start) = (Gate::default(), Instant::now());
        let pass = |address: &str, signed, after_s| {
            let now = start + Duration::from_secs(after_s);
            code(gate.pass(Some(carrier(&[])), &raw(address), |_| signed, now))
        };
        for _ in 0..100 {
            assert_eq!(pass("192.0.2.1", true, 0), None);
        }
        for _ in 0..FAILED_MAX {
            assert_eq!(pass("192.0.2.1", false, 1), Some(ErrorCode::BadSignature));
        }
        assert_eq!(pass("192.0.2.1", false, 2), Some(ErrorCode::RateLimited), "it is not told more");
        assert_eq!(pass("192.0.2.1", true, 2), None, "the carrier at the same address is heard");
        for _ in 2..SECOND_LOOKS_MAX {
            assert_eq!(pass("192.0.2.1", false, 2), Some(ErrorCode::RateLimited));
        }
        assert_eq!(pass("192.0.2.1", true, 2), Some(ErrorCode::RateLimited), "but nobody is looked at without end");
        assert_eq!(pass("192.0.2.2", true, 2), None, "others are not hindered");
        assert_eq!(pass("192.0.2.1", true, 61), None, "a minute later");
        for host in 0..FAILED_MAX {
            assert_eq!(pass(&format!("2001:db8::{host:x}"), false, 70), Some(ErrorCode::BadSignature));
        }
        assert_eq!(pass("2001:db8::ffff", false, 70), Some(ErrorCode::RateLimited), "a /64 is one sender");
    }
}
