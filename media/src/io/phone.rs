//! Telephones that register with us.

use super::{Hop, Protection};
use crate::sip::digest::server::Secrets;

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
}
