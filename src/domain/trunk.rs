//! Trunks: SIP connections to providers, by which calls come and go.

use crate::Timestamp;
use crate::code::{IdentityHeader, SipTransport, SrtpPolicy};
use crate::id::TrunkId;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A SIP connection to a provider. Holds the password, so it never leaves the process as it is: the API has a view of its own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Trunk {
    /// Identity.
    pub id: TrunkId,
    /// What the clinic calls it, 1 to 80 characters.
    pub name: String,
    /// Where its server is; see [`Server`].
    pub server: String,
    /// How SIP gets there.
    pub transport: SipTransport,
    /// The provider's domain, where it is not the server's name: it stands in From, To and REGISTER. Up to 253 characters.
    pub domain: String,
    /// The account's user name or number, up to 128 characters; empty where the provider knows the clinic by its address.
    pub user: String,
    /// The name to sign in with, where it is not `user`; up to 128 characters.
    pub auth_user: String,
    /// The password to sign in with, up to 128 characters.
    pub password: Option<String>,
    /// Whether the clinic tells the provider where it is (REGISTER); else the provider knows its address.
    pub registers: bool,
    /// How long a registration holds, in seconds, 60 to 7200; the provider may shorten it.
    pub expires_s: u32,
    /// Addresses and networks that the provider's calls come from, beside the server's own; at most 16.
    pub sources: Vec<String>,
    /// The realms in which it asks for the password, 1 to 253 characters each; at most 4. Empty: they are learned from what it
    /// answers to REGISTER and OPTIONS.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Whether its audio is encrypted.
    #[serde(default = "SrtpPolicy::usual")]
    pub srtp: SrtpPolicy,
    /// In which header it wants to be told the number of a call, beside From.
    #[serde(default = "no_header")]
    pub identity: IdentityHeader,
    /// Whether it takes on by itself whom it has brought, when they are handed on to somebody outside (REFER).
    #[serde(default)]
    pub refers: bool,
    /// Which of our addresses it is told, where it is another one than everybody there is told.
    #[serde(default)]
    pub advertise: Option<IpAddr>,
    /// Whether it is used.
    pub is_on: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

/// Trunks of before had no choice.
fn no_header() -> IdentityHeader {
    IdentityHeader::None
}

/// Without the password.
impl std::fmt::Debug for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunk").field("id", &self.id).field("server", &self.server).finish_non_exhaustive()
    }
}

impl Trunk {
    /// Whether it can keep the clinic's number from who is called, and know it all the same: it is told the number beside From
    /// (RFC 3325 section 7).
    pub fn withholds(&self) -> bool {
        self.identity != IdentityHeader::None
    }

    /// The domain of its account.
    pub fn account_domain(&self) -> String {
        if self.domain.is_empty() {
            self.server.parse::<Server>().map_or_else(|_| self.server.clone(), |server| server.host.to_string())
        } else {
            self.domain.clone()
        }
    }
}

/// Where a server is: a name or an address, and a port where it is not the usual one. As text `sip.example.net`,
/// `sip.example.net:5070`, `192.0.2.7`, `[2001:db8::7]:5070` (RFC 3986 section 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Name or address.
    pub host: Host,
    /// Its port, where one is named. With a port a name is looked up as it is; without one its SRV records come first
    /// (RFC 3263 section 4.2).
    pub port: Option<u16>,
}

/// A name or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A text that names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a server is a name or an address, with a port of 1 to 65535 where it needs one, such as sip.example.net or 192.0.2.7:5070"
)]
pub struct NoServer;

impl std::str::FromStr for Server {
    type Err = NoServer;

    fn from_str(text: &str) -> Result<Self, NoServer> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: Host::Address(address), port: None });
        }
        if let Some(inside) = text.strip_prefix('[') {
            let (address, rest) = inside.split_once(']').ok_or(NoServer)?;
            let address = address.parse().map_err(|_| NoServer)?;
            let port = match rest.strip_prefix(':') {
                Some(digits) => Some(port(digits)?),
                None if rest.is_empty() => None,
                None => return Err(NoServer),
            };
            return Ok(Self { host: Host::Address(IpAddr::V6(address)), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, digits)) => (host, Some(port(digits)?)),
            None => (text, None),
        };
        if let Ok(address) = host.parse() {
            return Ok(Self { host: Host::Address(address), port });
        }
        let name = host.to_ascii_lowercase();
        if is_name(&name) { Ok(Self { host: Host::Name(name), port }) } else { Err(NoServer) }
    }
}

fn port(digits: &str) -> Result<u16, NoServer> {
    // `parse` would take a sign.
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0).ok_or(NoServer)
}

/// Whether a text is a domain name (RFC 1123 section 2.1): labels of 1 to 63 letters, digits and hyphens, 253 characters in all,
/// and no address that was mistyped: its last label has a letter.
pub fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_or_an_address_with_or_without_a_port() {
        let rows = [
            ("sip.example.net", "sip.example.net", None),
            ("SIP.Example.net:5070", "sip.example.net", Some(5_070)),
            ("fritz.box", "fritz.box", None),
            ("localhost", "localhost", None),
            ("192.0.2.7", "192.0.2.7", None),
            ("192.0.2.7:5062", "192.0.2.7", Some(5_062)),
            ("2001:db8::7", "[2001:db8::7]", None),
            ("[2001:db8::7]", "[2001:db8::7]", None),
            ("[2001:db8::7]:5062", "[2001:db8::7]", Some(5_062)),
        ];
        for (text, host, port) in rows {
            let server = text.parse::<Server>().map(|server| (server.host.to_string(), server.port));
            assert_eq!(server, Ok((host.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_server() {
        let long = "a".repeat(64);
        for text in [
            "",
            " ",
            ".",
            "a..b",
            "-a.net",
            "a-.net",
            "sip example.net",
            "sip:example.net",
            "a.net:",
            "a.net:0",
            "a.net:65536",
            "a.net:+1",
            "192.0.2",
            "192.0.2.256",
            "[2001:db8::7",
            "[2001:db8::7]5060",
            "[192.0.2.7]",
            "a@b.net",
            &long,
            "příklad.cz",
        ] {
            assert_eq!(text.parse::<Server>(), Err(NoServer), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown_where_a_trunk_is_printed() {
        let trunk = Trunk {
            id: TrunkId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: "Main".to_owned(),
            server: "sip.example.net:5070".to_owned(),
            transport: SipTransport::Udp,
            domain: String::new(),
            user: "100".to_owned(),
            auth_user: String::new(),
            password: Some("hunter2".to_owned()),
            registers: true,
            expires_s: 300,
            sources: Vec::new(),
            realms: Vec::new(),
            srtp: SrtpPolicy::Optional,
            identity: IdentityHeader::None,
            refers: false,
            advertise: None,
            is_on: true,
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        };
        assert!(!format!("{trunk:?}").contains("hunter2"));
        assert_eq!(trunk.account_domain(), "sip.example.net");
    }
}
