//! How many requests one principal may send (SEC-14, MISC-08).

use crate::error::{Error, ErrorCode};
use auricle_domain::id::AccountId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

/// Requests of an address without a session, in a row and in 15 minutes.
const ANONYMOUS_MAX: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");
/// One more comes free after this long: 100 in 15 minutes.
const ANONYMOUS_EVERY: Duration = Duration::from_secs(9);
/// Requests of an account, in a row and in a minute.
const SIGNED_IN_MAX: NonZeroU32 = NonZeroU32::new(600).expect("600 is not 0");
/// Addresses that are remembered before those that have been quiet are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub enum Principal {
    /// Somebody without a session.
    Address(IpAddr),
    /// Somebody signed in.
    Account(AccountId),
}

/// The limits and what has been used of them.
pub struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<AccountId>,
}

impl Limits {
    /// Nothing used yet.
    pub fn new() -> Self {
        let anonymous = Quota::with_period(ANONYMOUS_EVERY).expect("9 s are not 0").allow_burst(ANONYMOUS_MAX);
        Self {
            addresses: RateLimiter::keyed(anonymous),
            accounts: RateLimiter::keyed(Quota::per_minute(SIGNED_IN_MAX)),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `rate_limited`, with the seconds to wait.
    pub fn check(&self, principal: Principal) -> Result<(), Error> {
        if self.addresses.len() > REMEMBERED_MAX {
            self.addresses.retain_recent();
        }
        let refused = match principal {
            Principal::Address(address) => self.addresses.check_key(&network(address)).err(),
            Principal::Account(account) => self.accounts.check_key(&account).err(),
        };
        let Some(refused) = refused else { return Ok(()) };
        let wait = refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        metrics::counter!("auricle_http_rate_limited_total").increment(1);
        let error = Error::new(ErrorCode::RateLimited, "Too many requests, please try again later");
        Err(error.retry_after(u32::try_from(wait).unwrap_or(u32::MAX)))
    }
}

/// One customer has a whole /64 of IPv6 addresses: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// MISC-08
    #[test]
    fn the_hundred_and_first_request_is_refused_in_the_agreed_words() {
        let limits = Limits::new();
        let from = |text: &str| Principal::Address(text.parse().unwrap());
        for _ in 0..100 {
            limits.check(from("192.0.2.1")).unwrap();
        }
        let refused = limits.check(from("192.0.2.1")).unwrap_err();
        assert_eq!(refused.detail, "Too many requests, please try again later");
        assert!((1..=10).contains(&refused.retry_after_s.unwrap()));
        limits.check(from("192.0.2.2")).unwrap();
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_their_limit() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(network("2001:db8::1".parse().unwrap()), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
    }
}
