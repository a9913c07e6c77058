//! Header fields: names, parameters, addresses, Via and CSeq (RFC 3261 sections 20 and 25).

use std::fmt;

use super::message::Method;
use super::uri::{Uri, host_port};

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
        ("a", "Accept-Contact"), ("b", "Referred-By"), ("c", "Content-Type"), ("d", "Request-Disposition"),
        ("e", "Content-Encoding"), ("f", "From"), ("i", "Call-ID"), ("j", "Reject-Contact"),
        ("k", "Supported"), ("l", "Content-Length"), ("m", "Contact"), ("o", "Event"),
        ("r", "Refer-To"), ("s", "Subject"), ("t", "To"), ("u", "Allow-Events"),
        ("v", "Via"), ("x", "Session-Expires"), ("y", "Identity"), ("", "CSeq"),
        ("", "Max-Forwards"), ("", "Route"), ("", "Record-Route"), ("", "Require"),
        ("", "Accept"), ("", "Allow"), ("", "RSeq"), ("", "RAck"),
        ("", "P-Asserted-Identity"), ("", "Retry-After"), ("", "User-Agent"), ("", "Unsupported"),
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
fn closing_quote(rest: &str) -> Option<usize> {
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

/// A From, To, Contact, Route or Record-Route value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameAddr {
    /// Display name as written: tokens, or a quoted string with its quotes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Header parameters, such as `tag`.
    pub params: Params,
}

impl NameAddr {
    /// Just an address.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// The same with a tag.
    pub fn tagged(mut self, tag: &str) -> Self {
        self.params.set("tag", tag.into());
        self
    }

    /// The tag; `None` when there is none or it is empty.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The display name without quotes and escapes; empty when there is none.
    pub fn name(&self) -> String {
        let display = self.display.as_deref().unwrap_or_default();
        let Some(quoted) = display.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return display.into();
        };
        let mut name = String::with_capacity(quoted.len());
        let mut escaped = false;
        for letter in quoted.chars() {
            escaped = letter == '\\' && !escaped;
            if !escaped {
                name.push(letter);
            }
        }
        name
    }

    /// Reads one value; `None` when it breaks the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(LWS);
        let (display, rest) = match text.strip_prefix('"') {
            Some(rest) => {
                let end = closing_quote(rest)? + 2;
                let (display, rest) = text.split_at(end);
                (Some(display), rest.trim_start_matches(LWS).strip_prefix('<')?)
            }
            None => match text.split_once('<') {
                Some((display, rest)) => {
                    let display = display.trim_end_matches(LWS);
                    if !display.split(LWS).all(|word| word.is_empty() || is_token(word)) {
                        return None;
                    }
                    (Some(display).filter(|display| !display.is_empty()), rest)
                }
                None => return Self::parse_bare(text),
            },
        };
        let (uri, params) = rest.split_once('>')?;
        Some(Self {
            display: display.map(str::to_owned),
            uri: Uri::parse(uri)?,
            params: Params::parse(params)?,
        })
    }

    /// Without brackets every parameter belongs to the header, and `?` or `,` cannot be in the URI (section 20.10).
    fn parse_bare(text: &str) -> Option<Self> {
        let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let uri = uri.trim_end_matches(LWS);
        if uri.contains([',', '?']) {
            return None;
        }
        Some(Self { display: None, uri: Uri::parse(uri)?, params: Params::parse(params)? })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
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
