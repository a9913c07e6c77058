//! Lines to a provider or another telephone system.

use super::{Hop, Protection};
use crate::engine::Network;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The most hops of one trunk; further ones are not used.
pub const TRUNK_HOPS_MAX: usize = 16;
/// The most realms of one trunk that are answered; further ones are not.
pub const TRUNK_REALMS_MAX: usize = 4;
/// The most trunks at once; further ones are not served and told as [`TrunkState::Gone`].
pub const TRUNKS_MAX: usize = 256;

/// A trunk, by the number that the shell chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrunkId(pub u64);

/// A line to a provider: where calls go to and come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trunk {
    /// Which.
    pub id: TrunkId,
    /// Where requests go, best first (the shell has resolved the names); at most [`TRUNK_HOPS_MAX`].
    pub hops: Vec<Hop>,
    /// What the certificate of its TLS hops must say.
    pub name: Option<Arc<str>>,
    /// The account's domain: Request-URI of REGISTER, host of From and To. One that is no host name or address leaves the
    /// trunk [`TrunkState::Unreachable`].
    pub domain: String,
    /// The account's user: with the domain, the address of record.
    pub user: String,
    /// What answers its challenges; `None`: they are not answered.
    pub credentials: Option<Credentials>,
    /// Register, asking for this expiry in seconds; `None`: it knows us by our address.
    pub register_s: Option<u32>,
    /// Ask with OPTIONS this often, in seconds, whether it is there.
    pub probe_s: Option<u32>,
    /// Whence its calls come, besides its hops' addresses.
    pub sources: Vec<Network>,
    /// Whether its audio is encrypted.
    pub protection: Protection,
    /// How it wants to be told which number a call of ours is from, besides From.
    pub identity: IdentityHeader,
    /// Which of our addresses it is told, where it reaches us at another one than everybody who is where it is.
    pub address: Option<IpAddr>,
}

/// The header in which a trunk wants to be told who calls (RFC 3325).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IdentityHeader {
    /// From alone.
    #[default]
    None,
    /// P-Asserted-Identity: it trusts us.
    Asserted,
    /// P-Preferred-Identity: it checks what we ask for.
    Preferred,
}

impl Trunk {
    /// Whether this address is one of its hops or lies among its sources: its calls come from there.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.has_hop(address) || self.sources.iter().any(|network| network.contains(address))
    }

    /// Whether this address is one of its hops: it is answered for there. Its sources are not enough for that, for they may
    /// hold machines of strangers, who would learn what a password can be guessed from.
    pub fn has_hop(&self, address: IpAddr) -> bool {
        self.hops.iter().any(|hop| hop.ip().to_canonical() == address.to_canonical())
    }
}

/// Who we are to a trunk.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name that the trunk knows us by; often but not always the account's user.
    pub user: String,
    /// What only we and the trunk know.
    pub password: String,
    /// The only realms that are answered; at most [`TRUNK_REALMS_MAX`]. Empty: those that the trunk itself asks in, see
    /// [`Client`](crate::sip::digest::Client).
    pub realms: Vec<String>,
}

/// Shows all but the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, password: _, realms } = self;
        f.debug_struct("Credentials").field("user", user).field("realms", realms).finish_non_exhaustive()
    }
}

/// How a trunk fares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrunkState {
    /// Asked, not answered yet.
    Trying,
    /// Calls can come and go.
    Ready {
        /// For how many seconds the registration was granted; `None` where there is none.
        registered_s: Option<u32>,
        /// The hop in use.
        hop: Hop,
    },
    /// It says no. It is asked again, after longer and longer waits.
    Refused {
        /// SIP status.
        status: u16,
        /// Its words, control characters taken out; at most 120 characters.
        reason: String,
    },
    /// None of its hops answers. They are asked again, after longer and longer waits.
    Unreachable,
    /// Removed, or shut down; its registration is given back as far as it could be.
    Gone,
}
