//! By which way a call comes in.

use super::{PhoneId, TrunkId};

/// A carrier, by the number that whoever speaks with it chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CarrierId(pub u64);

/// By which way a call comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entrance {
    /// From an address that is heard; no more is known of it.
    Address,
    /// By the trunk that its source belongs to.
    Trunk(TrunkId),
    /// From a phone, which has shown that it has the password.
    Phone(PhoneId),
    /// From a browser.
    Browser,
    /// By a carrier's media socket.
    Carrier(CarrierId),
}

impl Entrance {
    /// Of a call by SIP. Who has shown a phone's password is that phone, wherever it calls from.
    pub(crate) fn of_sip(trunk: Option<TrunkId>, phone: Option<PhoneId>) -> Self {
        match (phone, trunk) {
            (Some(phone), _) => Self::Phone(phone),
            (None, Some(trunk)) => Self::Trunk(trunk),
            (None, None) => Self::Address,
        }
    }
}
