//! SIP URIs (RFC 3261 section 19.1), strict enough for RFC 4475.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::header::Params;
use crate::io::Transport;

/// The default port of SIP over UDP.
pub const SIP_PORT: u16 = 5060;

/// Of `urn:service:sos`, what follows the scheme.
const SOS: &str = "service:sos";

/// A URI as it stands in a Request-URI, From, To, Contact or Route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// Any other scheme; what follows the colon is not looked into.
    Other {
        /// The scheme, in lower case.
        scheme: String,
        /// All after the colon.
        rest: String,
    },
}

/// A `sip:` or `sips:` URI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// User part as written, percent-escapes included.
    pub user: Option<String>,
    /// Password as written. Deprecated; kept so that the URI can be sent back unchanged.
    pub password: Option<String>,
    /// Host name, IPv4 address, or IPv6 address in brackets.
    pub host: String,
    /// Port, where one is named.
    pub port: Option<u16>,
    /// URI parameters, such as `lr` or `transport`.
    pub params: Params,
    /// Header part after `?`, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// A plain `sip:user@host:port`; an empty user leaves `user@` out.
    pub fn sip(user: &str, address: SocketAddr) -> Self {
        Self::Sip(SipUri {
            secure: false,
            user: (!user.is_empty()).then(|| escape(user)),
            password: None,
            host: bracketed(address.ip()),
            port: Some(address.port()),
            params: Params::default(),
            headers: None,
        })
    }

    /// The same with this user; an empty one takes the user out.
    pub fn with_user(mut self, user: &str) -> Self {
        if let Self::Sip(uri) = &mut self {
            uri.user = (!user.is_empty()).then(|| escape(user));
        }
        self
    }

    /// Reads a URI; `None` when it breaks the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.bytes();
        let starts_well = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
        if !starts_well || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "sip" | "sips" => SipUri::parse(rest, scheme == "sips").map(Self::Sip),
            _ if rest.is_empty() || rest.bytes().any(|byte| byte <= b' ' || b"<>\"\x7f".contains(&byte)) => None,
            _ => Some(Self::Other { scheme, rest: rest.into() }),
        }
    }

    /// The user part, percent-decoded; the number of a `tel:` URI; empty when there is none.
    pub fn user(&self) -> String {
        match self {
            Self::Sip(uri) => uri.user.as_deref().map(unescape).unwrap_or_default(),
            Self::Other { scheme, rest } if scheme == "tel" => {
                unescape(rest.split_once(';').map_or(rest.as_str(), |(number, _)| number))
            }
            Self::Other { .. } => String::new(),
        }
    }

    /// Whether it asks for whoever helps in an emergency (RFC 5031), whose number the far end need not know.
    pub fn is_emergency_service(&self) -> bool {
        match self {
            Self::Other { scheme, rest } if scheme == "urn" => {
                let known = rest.get(..SOS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SOS));
                known && matches!(rest.as_bytes().get(SOS.len()), None | Some(b'.'))
            }
            Self::Sip(_) | Self::Other { .. } => false,
        }
    }

    /// The transport that it asks for, where it is one that we speak; `sips:` is TLS.
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Self::Sip(uri) if uri.secure => Some(Transport::Tls),
            Self::Sip(uri) => uri.params.get("transport").and_then(Transport::of),
            Self::Other { .. } => None,
        }
    }

    /// Whether it is `sips:`.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Sip(uri) if uri.secure)
    }

    /// The address to send to over this transport, where the host is a number and the scheme `sip:` or `sips:`.
    pub fn address(&self, transport: Transport) -> Option<SocketAddr> {
        let Self::Sip(uri) = self else { return None };
        // `maddr` overrides the host (RFC 3261 section 19.1.1).
        let host = uri.params.get("maddr").unwrap_or(&uri.host);
        Some(SocketAddr::new(numeric(host)?, uri.port.unwrap_or(transport.port())))
    }

    /// Whether a Route with this URI is loose (RFC 3261 section 16.12).
    pub fn is_loose(&self) -> bool {
        matches!(self, Self::Sip(uri) if uri.params.has("lr"))
    }
}

impl SipUri {
    fn parse(rest: &str, secure: bool) -> Option<Self> {
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|userinfo| {
            userinfo.split_once(':').map_or((userinfo, None), |(user, password)| (user, Some(password)))
        }) {
            Some((user, password)) => {
                let fits = !user.is_empty()
                    && is_text(user, b"&=+$,;?/#")
                    && password.is_none_or(|password| is_text(password, b"&=+$,"));
                if !fits {
                    return None;
                }
                (Some(user.to_owned()), password.map(str::to_owned))
            }
            None => (None, None),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) if is_text(headers, b"[]/?:+$&=") => (rest, Some(headers.to_owned())),
            Some(_) => return None,
            None => (rest, None),
        };
        let (hostport, params) = match rest.split_once(';') {
            Some((hostport, params)) => (hostport, uri_params(params)?),
            None => (rest, Params::default()),
        };
        let (host, port) = host_port(hostport)?;
        Some(Self { secure, user, password, host, port, params, headers })
    }
}

/// `;`-separated parameters of a URI, after the first `;`.
fn uri_params(text: &str) -> Option<Params> {
    let mut params = Params::default();
    for param in text.split(';') {
        let (name, value) = param.split_once('=').map_or((param, None), |(name, value)| (name, Some(value)));
        let fits =
            !name.is_empty() && is_text(name, b"[]/:&+$") && value.is_none_or(|value| is_text(value, b"[]/:&+$"));
        if !fits {
            return None;
        }
        params.push(name, value)?;
    }
    Some(params)
}

/// Splits `host[:port]`; `None` when either breaks the grammar.
pub fn host_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            // The grammar of RFC 3261 asks for one colon too many before an embedded IPv4 address (RFC 5118 section 4.10).
            let address = if address.contains('.') { address.replacen(":::", "::", 1) } else { address.to_owned() };
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            // Underscores are not host name characters, but container and Windows hosts carry them.
            let fits =
                !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !fits {
                return None;
            }
            (host.to_owned(), port)
        }
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    Some((host, port))
}

/// The address behind a host that is written as a number.
pub fn numeric(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// An address as a SIP host: IPv6 in brackets.
pub fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Unreserved characters, escapes, and these reserved ones.
fn is_text(text: &str, reserved: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let escaped = bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            if !escaped {
                return false;
            }
            at += 3;
        } else if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte) || reserved.contains(byte) {
            at += 1;
        } else {
            return false;
        }
    }
    true
}

/// Percent-decodes; bytes that are not UTF-8 become U+FFFD.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encodes what a user part may not carry.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => write!(f, "{uri}"),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn good_uris_are_written_back_as_they_were() {
        for text in [
            "sip:alice@example.org",
            "sip:alice:secret@example.org:5070;transport=udp;lr?Subject=x&y=z",
            "sips:[2001:db8::1]:5061;lr",
            "sip:+420123456789;phone-context=+420@gw.example.net;user=phone",
            "sip:*121#@fritz.box",
            "sip:%00@h",
            "tel:+49-30-123;ext=5",
            "isbn:2983792873",
        ] {
            assert_eq!(Uri::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_uris_are_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "<sip:a@b>",
            "sip:@b",
            "sip:a@",
            "sip:a@b:0",
            "sip:a@b:70000",
            "sip:a@b:",
            "sip:a b@c",
            "sip:a@b;",
            "sip:a@b;;lr",
            "sip:a@b; lr",
            "sip:a%2@b",
            "sip:a%zz@b",
            "sip:a@b@c",
            "sip:a@[::1",
            "sip:a@[1.2.3.4]",
            "sip:\u{e9}@b",
            "1sip:a@b",
            "tel:",
            "http://a b",
        ] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
    }

    /// RFC 5031 section 4.2: of all services the one that helps in an emergency, whatever kind of help is asked for.
    #[test]
    fn the_emergency_service_is_known() {
        let rows = [
            ("urn:service:sos", true),
            ("URN:Service:SOS", true),
            ("urn:service:sos.ambulance", true),
            ("urn:service:sosigonos", false),
            ("urn:service:counseling", false),
            ("urn:nena:sos", false),
            ("tel:112", false),
            ("sip:sos@example.org", false),
        ];
        for (text, known) in rows {
            assert_eq!(Uri::parse(text).unwrap().is_emergency_service(), known, "{text}");
        }
    }

    #[test]
    fn users_and_addresses() {
        let table = [
            ("sip:%61nn%20x@192.0.2.1", "ann x", Some("192.0.2.1:5060")),
            ("sip:[::1]:5070", "", Some("[::1]:5070")),
            ("sip:a@example.org;maddr=192.0.2.9", "a", Some("192.0.2.9:5060")),
            ("sip:a@example.org:5070", "a", None),
            ("tel:+420123;ext=4", "+420123", None),
            ("mailto:a@b", "", None),
        ];
        for (text, user, address) in table {
            let uri = Uri::parse(text).unwrap();
            assert_eq!(
                (uri.user().as_str(), uri.address(Transport::Udp)),
                (user, address.map(|address| address.parse().unwrap()))
            );
        }
    }

    #[test]
    fn our_own_addresses_escape_what_a_user_may_not_hold() {
        let address = "[2001:db8::1]:5060".parse().unwrap();
        assert_eq!(Uri::sip("a b@c>", address).to_string(), "sip:a%20b%40c%3E@[2001:db8::1]:5060");
        assert_eq!(Uri::sip("", address).to_string(), "sip:[2001:db8::1]:5060");
    }
}
