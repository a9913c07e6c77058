//! Where desk phones are, as it is kept over a restart.

use crate::Timestamp;
use crate::id::PhoneId;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Where a desk phone was when that was last written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Which phone.
    pub phone: PhoneId,
    /// The user name that it has registered with: with another one it has another password.
    pub user: String,
    /// Its places, the preferred one first; 4 at most. Each is reached by datagrams.
    pub places: Vec<Place>,
}

/// One place where a phone is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where its REGISTER came from.
    pub address: SocketAddr,
    /// What it calls itself.
    pub agent: String,
    /// What is asked for there (its Contact).
    pub uri: String,
    /// The device, and which of its ways this is (RFC 5626 section 4.1).
    pub instance: Option<(String, String)>,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// Call-ID of its REGISTER.
    pub call_id: String,
    /// CSeq of its REGISTER.
    pub cseq: u32,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// It is behind a NAT, whose way to it is kept open.
    pub is_natted: bool,
}

/// Without what names people.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
