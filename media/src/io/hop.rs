//! Far ends: where SIP messages come from and go to, and where browsers are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What carries SIP messages and browsers' packets; of the latter there is none over TLS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// One message a datagram; lost ones are sent again.
    Udp,
    /// A connection; nothing is lost while it stands.
    Tcp,
    /// A connection that nobody else reads.
    Tls,
}

impl Transport {
    /// Its name in a Via.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The transport of this name, compared without case.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|transport| transport.name().eq_ignore_ascii_case(name))
    }

    /// Whether it is a connection, over which nothing has to be sent twice.
    pub fn is_stream(self) -> bool {
        self != Self::Udp
    }

    /// The port where none is named (RFC 3261 section 19.1.2).
    pub fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// Whether audio is encrypted (SRTP, RFC 3711). Keys are told in descriptions (RFC 4568), so only where signalling is TLS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Protection {
    /// Never: no keys are told, and none are taken.
    Off,
    /// Where the far end does it too. Over anything but TLS, audio is plain.
    #[default]
    Optional,
    /// Always: what cannot be encrypted is no call.
    Required,
}

/// Where a SIP message or a browser's packet comes from or goes to. A connection is known by its far end: transport and address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hop {
    /// What carries the message.
    pub transport: Transport,
    /// The far end.
    pub address: SocketAddr,
}

impl Hop {
    /// The far end of datagrams.
    pub fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, address }
    }

    /// The far end's address without its port.
    pub fn ip(self) -> IpAddr {
        self.address.ip()
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.address, self.transport.name())
    }
}
