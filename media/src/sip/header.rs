//! Header fields: names, lists, parameters, Via and CSeq (RFC 3261 sections 20 and 25).

use std::fmt;

use super::message::Method;
use super::uri::host_port;

/// What every RFC 3261 branch begins with (section 8.1.1.7).
pub const BRANCH_COOKIE: &str = "z9hG4bK";
/// The most parameters of one header value or URI.
pub const PARAMS_MAX: usize = 64;
/// The most values of one kind of header in a message.
pub const VALUES_MAX: usize = 128;

/// The long form of a header name, as it is usually written; unknown names stay as they are.
pub fn canonical(name: &str) -> &str {
    /// Compact letter (or nothing) and long form.
    const NAMES: [(&str, &str); 32] = [
        ("a", "Accept-Contact"),
        ("b", "Referred-By"),
        ("c", "Content-Type"),
        ("d", "Request-Disposition"),
        ("e", "Content-Encoding"),
        ("f", "From"),
        ("i", "Call-ID"),
        ("j", "Reject-Contact"),
        ("k", "Supported"),
        ("l", "Content-Length"),
        ("m", "Contact"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("s", "Subject"),
        ("t", "To"),
        ("u", "Allow-Events"),
        ("v", "Via"),
        ("x", "Session-Expires"),
        ("y", "Identity"),
        ("", "CSeq"),
        ("", "Max-Forwards"),
        ("", "Route"),
        ("", "Record-Route"),
        ("", "Require"),
        ("", "Accept"),
        ("", "Allow"),
        ("", "RSeq"),
        ("", "RAck"),
        ("", "P-Asserted-Identity"),
        ("", "Retry-After"),
        ("", "User-Agent"),
        ("", "Unsupported"),
    ];
    let known = NAMES.iter().find(|(compact, long)| {
        long.eq_ignore_ascii_case(name) || !compact.is_empty() && compact.eq_ignore_ascii_case(name)
    });
    known.map_or(name, |(_, long)| long)
}

/// Whether the text is a token (RFC 3261 section 25.1).
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

/// Splits at a separator outside of quotes and angle brackets. `None` when a quote or a bracket stays open or there are
/// more than [`VALUES_MAX`] values.
pub fn split(text: &str, separator: u8) -> Option<Vec<&str>> {
    let mut values = Vec::new();
    let (mut start, mut quoted, mut escaped, mut bracket) = (0, false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracket => quoted = !quoted,
            _ if quoted => {}
            b'<' if bracket => return None,
            b'<' => bracket = true,
            b'>' => bracket = false,
            _ if byte == separator && !bracket => {
                values.push(text[start..at].trim_matches(LWS));
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted || bracket || values.len() >= VALUES_MAX {
        return None;
    }
    values.push(text[start..].trim_matches(LWS));
    Some(values)
}

/// Linear white space once lines are unfolded.
pub const LWS: [char; 2] = [' ', '\t'];

/// `;name=value` parameters, in order; names are compared without case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// The value of a parameter that has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(param, _)| param.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(param, _)| param.eq_ignore_ascii_case(name))
    }

    /// Appends; `None` when there are [`PARAMS_MAX`] already.
    pub fn push(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        if self.0.len() == PARAMS_MAX {
            return None;
        }
        self.0.push((name.into(), value.map(str::to_owned)));
        Some(())
    }

    /// Replaces the parameter's value, or adds the parameter.
    pub fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(param, _)| param.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = Some(value),
            None => self.0.push((name.into(), Some(value))),
        }
    }

    /// Parameters of a header value, from the first `;` on; `None` when they break the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let mut params = Self::default();
        let mut parts = split(text, b';')?.into_iter();
        // What stands before the first `;` is not ours, so it has to be nothing.
        if !parts.next()?.is_empty() {
            return None;
        }
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| {
                (name.trim_end_matches(LWS), Some(value.trim_start_matches(LWS)))
            });
            if !is_token(name) || !value.is_none_or(is_param_value) {
                return None;
            }
            params.push(name, value)?;
        }
        Some(params)
    }
}

/// A token, a host, or one quoted string.
fn is_param_value(value: &str) -> bool {
    match value.strip_prefix('"') {
        Some(rest) => closing_quote(rest).is_some_and(|at| at + 1 == rest.len()),
        None => !value.is_empty() && value.bytes().all(|byte| byte > b' ' && !b"\"<>,;\x7f".contains(&byte)),
    }
}

/// Where the quoted string ends whose opening quote has been taken off.
pub(super) fn closing_quote(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ";{name}={value}"),
            None => write!(f, ";{name}"),
        })
    }
}

/// One Via value: a hop on the way back (RFC 3261 section 20.42).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Via {
    /// Protocol version, `2.0` unless somebody speaks another SIP.
    pub version: String,
    /// Transport, such as `UDP`.
    pub transport: String,
    /// Host of the sent-by.
    pub host: String,
    /// Port of the sent-by, where one is named.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

impl Via {
    /// Reads one value; `None` when it breaks the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let mut slashes = text.splitn(3, '/').map(|part| part.trim_matches(LWS));
        let (name, version, rest) = (slashes.next()?, slashes.next()?, slashes.next()?);
        let (transport, rest) = rest.split_once(LWS)?;
        if !name.eq_ignore_ascii_case("SIP") || !is_token(version) || !is_token(transport) {
            return None;
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let sent_by = match sent_by.rsplit_once(':') {
            // White space may stand around the colon of the port.
            Some((host, port)) => format!("{}:{}", host.trim_matches(LWS), port.trim_matches(LWS)),
            None => sent_by.trim_matches(LWS).into(),
        };
        let (host, port) = host_port(&sent_by)?;
        Some(Self { version: version.into(), transport: transport.into(), host, port, params: Params::parse(params)? })
    }

    /// The branch, where it is one of RFC 3261: with the cookie and something after it.
    pub fn branch(&self) -> Option<&str> {
        let branch = self.params.get("branch")?;
        let cookie = branch.get(..BRANCH_COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(BRANCH_COOKIE) && branch.len() > cookie.len()).then_some(branch)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} {}", self.version, self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

/// Sequence number and method (RFC 3261 section 20.16).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSeq {
    /// The number, below 2^31.
    pub number: u32,
    /// The method, equal to the request's.
    pub method: Method,
}

impl CSeq {
    /// Reads the value; `None` when it breaks the grammar or the number is 2^31 or more.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.split_once(LWS)?;
        let method = method.trim_start_matches(LWS);
        if !is_token(method) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { number: number.parse().ok().filter(|number| *number < 1 << 31)?, method: Method::of(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn lists_are_split_outside_of_quotes_and_brackets() {
        let text = "\"a, \\\"b\" <sip:x,y@z>, <sip:c@d> ,e";
        assert_eq!(split(text, b','), Some(vec!["\"a, \\\"b\" <sip:x,y@z>", "<sip:c@d>", "e"]));
        for open in ["\"a", "<a", "<a<b>", &",".repeat(VALUES_MAX + 1)] {
            assert_eq!(split(open, b','), None, "{open}");
        }
    }

    #[test]
    fn vias() {
        let via = Via::parse("SIP / 2.0 / UDP  [2001:db8::1] : 5070 ; branch = z9hG4bKx;rport").unwrap();
        assert_eq!((via.host.as_str(), via.port, via.branch()), ("[2001:db8::1]", Some(5070), Some("z9hG4bKx")));
        assert_eq!(via.to_string(), "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx;rport");
        assert_eq!(Via::parse("SIP/2.0/UDP h;branch=z9hG4bK").unwrap().branch(), None);
        for text in ["", "SIP/2.0 UDP h", "SIP/2.0/UDP", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h;;", "HTTP/1.1/UDP h"] {
            assert_eq!(Via::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sequence_numbers_end_below_two_to_the_31() {
        assert_eq!(CSeq::parse("0009  INVITE").unwrap().to_string(), "9 INVITE");
        for text in ["", "1", "INVITE", "2147483648 INVITE", "-1 INVITE", "1 IN VITE", "1 "] {
            assert_eq!(CSeq::parse(text), None, "{text}");
        }
    }
}
