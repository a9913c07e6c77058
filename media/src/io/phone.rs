//! Telephones that register with us.

use super::{Hop, Protection};
use crate::sip::digest::server::Secrets;
use std::fmt;
use std::time::{Duration, Instant};

/// The most phones at once; further ones are not served.
pub const PHONES_MAX: usize = 1_000;
/// The most places where one phone is at the same time. One more takes the place of the one that was heard of longest ago.
pub const PHONE_CONTACTS_MAX: usize = 4;
/// Whose passwords phones are asked for: the realm of [`Phone::secrets`].
pub const PHONE_REALM: &str = "auricle";

/// A phone, by the number that the shell chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PhoneId(pub u64);

/// A phone that may register and call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phone {
    /// Which.
    pub id: PhoneId,
    /// Its user name, of its address as well as of its password: what it writes into From, To and its answers.
    pub user: String,
    /// What is kept of its password, for [`PHONE_REALM`].
    pub secrets: Secrets,
    /// Whether its audio is encrypted.
    pub protection: Protection,
}

/// How a phone fares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PhoneState {
    /// Calls can be sent to it.
    Registered {
        /// Where it is, best first; 1 to [`PHONE_CONTACTS_MAX`].
        contacts: Vec<PhoneContact>,
    },
    /// Nobody knows where it is: calls to it end with 480.
    Away,
}

/// One place where a phone is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PhoneContact {
    /// The way to it: where its registration came from.
    pub hop: Hop,
    /// What it calls itself (`User-Agent`), control characters taken out; at most 80 characters, empty when it does not say.
    pub agent: String,
    /// It has answered when it was last asked.
    pub answers: bool,
    /// What finds it there again after a restart of ours ([`Command::Registrations`](super::Command::Registrations)); none over a
    /// connection, which ends with us: its phone notices, and comes back by itself.
    pub kept: Option<Binding>,
}

/// A registration, as it is kept over a restart.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// What is asked for there: the phone's Contact.
    pub uri: String,
    /// The device, and which of its ways this is (RFC 5626 section 4.1), as they were written.
    pub instance: Option<(String, String)>,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// Call-ID of its REGISTER.
    pub call_id: String,
    /// CSeq of its REGISTER; with `expires_at` that of the one that was told of, see there.
    pub cseq: u32,
    /// Until when it surely holds. A REGISTER that moves nothing but this is told of when less than half of what was granted is left:
    /// so the next one comes, or is told of, before this has passed, and a phone that registers again and again is told of seldom.
    pub expires_at: Instant,
    /// It is behind a NAT, whose way to it is kept open.
    pub is_natted: bool,
}

/// Without what names people.
impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("q", &self.q).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Binding {
    /// Whether it may stay in the place of one that was granted anew for so long: it says the same, holds long enough, and not longer.
    pub(crate) fn stands_for(&self, fresh: &Self, granted: Duration, now: Instant) -> bool {
        let same = Self { cseq: self.cseq, expires_at: self.expires_at, ..fresh.clone() };
        let left = self.expires_at.saturating_duration_since(now);
        *self == same && left >= granted / 2 && self.expires_at <= fresh.expires_at
    }
}
