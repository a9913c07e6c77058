//! Who may talk SIP to us at all, decided before a byte is parsed.
//!
//! A source outside the trusted networks gets no answer: not even the refusal would be worth amplifying. A trusted
//! source has a token bucket, so that one broken telephone in a retransmission loop cannot starve the others. Trunks have buckets
//! apart, so that sources which are made up leave them their room.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Sources that are remembered, trunks' and others each. When all are busy at once, a new one has to wait: it is dropped and counted.
const SOURCES_MAX: usize = 4096;
/// Messages a second that one source may send for ever. A trunk is one source for all of its calls: at 5 messages a
/// call this is 400 new calls a second.
const PER_SECOND: u32 = 2_000;
/// Messages one source may send at once after a quiet second.
const BURST: u32 = 4_000;

/// A network in CIDR notation, such as `192.168.0.0/16` or `::1/128`; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A network that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a network: expected an IPv4 or IPv6 address, then /0 to /32 or /0 to /128")]
pub struct NetworkError {
    /// What was given.
    pub value: String,
}

impl Network {
    /// Bits of the address that are fixed: 32 or 128 for a single address.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// A network of one address.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The address that it was written with.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether the address lies in it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError { value: text.chars().take(80).collect() };
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(wrong)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What became of a message at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may be parsed.
    Admitted,
    /// Its source is in no trusted network.
    Stranger,
    /// Its source sends too much, or too many sources send at once.
    TooMany,
}

struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

/// What sources have left.
#[derive(Default)]
struct Buckets(HashMap<IpAddr, Bucket>);

impl Buckets {
    /// Takes a message out of a source's bucket.
    fn take(&mut self, source: IpAddr, now: Instant) -> Verdict {
        let key = bucket_key(source);
        if self.0.len() >= SOURCES_MAX && !self.0.contains_key(&key) {
            // A bucket that has filled up again remembers nothing that a new one would not know.
            let full = Duration::from_secs(u64::from(BURST.div_ceil(PER_SECOND)));
            self.0.retain(|_, bucket| now.saturating_duration_since(bucket.filled_at) < full);
            if self.0.len() >= SOURCES_MAX {
                return Verdict::TooMany;
            }
        }
        let bucket = self.0.entry(key).or_insert(Bucket { tokens: f64::from(BURST), filled_at: now });
        let elapsed = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * f64::from(PER_SECOND)).min(f64::from(BURST));
        bucket.filled_at = now;
        if bucket.tokens < 1.0 {
            return Verdict::TooMany;
        }
        bucket.tokens -= 1.0;
        Verdict::Admitted
    }
}

/// The door.
pub(crate) struct Admission {
    trusted: Vec<Network>,
    /// Where trunks are and where their calls come from.
    trunks: Vec<Network>,
    of_trunks: Buckets,
    of_others: Buckets,
}

impl Admission {
    pub(crate) fn new(trusted: Vec<Network>) -> Self {
        Self { trusted, trunks: Vec::new(), of_trunks: Buckets::default(), of_others: Buckets::default() }
    }

    /// Whether this source is in a trusted network or belongs to a trunk.
    pub(crate) fn admits(&self, source: IpAddr) -> bool {
        self.trusted.iter().chain(&self.trunks).any(|network| network.contains(source))
    }

    /// Whether this source belongs to a trunk.
    pub(crate) fn is_trunk(&self, source: IpAddr) -> bool {
        self.trunks.iter().any(|network| network.contains(source))
    }

    /// These are the trunks' networks from now on; gives back the ones before.
    pub(crate) fn set_trunks(&mut self, trunks: Vec<Network>) -> Vec<Network> {
        std::mem::replace(&mut self.trunks, trunks)
    }

    /// Judges a message; `known` says that its source is heard although it is in no such network: we called it, or it may be
    /// a phone.
    pub(crate) fn judge(&mut self, source: IpAddr, known: impl FnOnce() -> bool, now: Instant) -> Verdict {
        if !self.admits(source) && !known() {
            return Verdict::Stranger;
        }
        let buckets = if self.is_trunk(source) { &mut self.of_trunks } else { &mut self.of_others };
        buckets.take(source, now)
    }
}

/// One IPv6 customer owns a whole /64: it must not get a bucket for each of its addresses.
pub(super) fn bucket_key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let rows = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.168.4.0/22", "192.168.7.255", true),
            ("192.168.4.0/22", "192.168.8.0", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::1/128", "::1", true),
            ("2001:db8::/32", "2001:db8:1::5", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db9::", true),
        ];
        for (network, address, inside) in rows {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(ip(address)), inside, "{address} in {network}");
        }
    }

    #[test]
    fn nonsense_is_no_network() {
        for text in ["", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "localhost", "10.0.0.0/8/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_stranger_is_not_heard_unless_we_called_it() {
        let mut door = Admission::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let now = crate::epoch();
        assert_eq!(door.judge(ip("203.0.113.5"), || false, now), Verdict::Stranger);
        assert_eq!(door.judge(ip("203.0.113.5"), || true, now), Verdict::Admitted);
        assert_eq!(door.judge(ip("127.0.0.1"), || false, now), Verdict::Admitted);
    }

    #[test]
    fn a_flood_from_one_source_leaves_the_others_alone() {
        let mut door = Admission::new(vec!["0.0.0.0/0".parse().unwrap()]);
        let now = crate::epoch();
        let admitted = (0..10_000).filter(|_| door.judge(ip("10.0.0.1"), || false, now) == Verdict::Admitted).count();
        assert_eq!(admitted, BURST as usize);
        assert_eq!(door.judge(ip("10.0.0.2"), || false, now), Verdict::Admitted);
        let later = now + Duration::from_millis(500);
        let again = (0..10_000).filter(|_| door.judge(ip("10.0.0.1"), || false, later) == Verdict::Admitted).count();
        assert_eq!(again, PER_SECOND as usize / 2);
    }

    #[test]
    fn memory_of_sources_is_bounded_and_forgets_the_quiet_ones() {
        let mut door = Admission::new(vec!["0.0.0.0/0".parse().unwrap()]);
        let now = crate::epoch();
        let source = |i: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i));
        for i in 0..SOURCES_MAX as u32 {
            assert_eq!(door.judge(source(i), || false, now), Verdict::Admitted);
        }
        assert_eq!(door.judge(source(9_999), || false, now), Verdict::TooMany);
        assert_eq!(door.judge(source(9_999), || false, now + Duration::from_secs(3)), Verdict::Admitted);
        assert_eq!(door.of_others.0.len(), 1);
    }

    #[test]
    fn sources_that_are_made_up_leave_a_trunk_its_room() {
        let mut door = Admission::new(vec!["10.0.0.0/8".parse().unwrap()]);
        door.set_trunks(vec!["203.0.113.5".parse().unwrap(), "10.9.9.9".parse().unwrap()]);
        let now = crate::epoch();
        let source = |i: u32| IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i));
        for i in 0..2 * SOURCES_MAX as u32 {
            door.judge(source(i), || false, now);
        }
        assert_eq!(door.judge(ip("10.8.8.8"), || false, now), Verdict::TooMany);
        for trunk in ["203.0.113.5", "10.9.9.9"] {
            assert_eq!(door.judge(ip(trunk), || false, now), Verdict::Admitted, "{trunk}");
        }
    }

    #[test]
    fn one_ipv6_customer_has_one_bucket() {
        let mut door = Admission::new(vec!["::/0".parse().unwrap()]);
        let now = crate::epoch();
        for i in 0..BURST {
            let source = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + u128::from(i)));
            assert_eq!(door.judge(source, || false, now), Verdict::Admitted);
        }
        assert_eq!(door.judge(ip("2001:db8::ffff:1"), || false, now), Verdict::TooMany);
    }
}
