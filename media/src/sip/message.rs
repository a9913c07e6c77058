//! Requests and responses.

use std::fmt;

use super::address::NameAddr;
use super::header::{CSeq, Via, split};
use super::uri::Uri;

/// A request method. Compared with case (RFC 3261 section 7.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "each is the method of that name")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Info,
    Prack,
    Update,
    Register,
    Refer,
    Notify,
    /// One that we do not speak.
    Other(String),
}

impl Method {
    /// The method of this name.
    pub fn of(name: &str) -> Self {
        let known = [
            Self::Invite,
            Self::Ack,
            Self::Bye,
            Self::Cancel,
            Self::Options,
            Self::Info,
            Self::Prack,
            Self::Update,
            Self::Register,
            Self::Refer,
            Self::Notify,
        ];
        known.into_iter().find(|method| method.name() == name).unwrap_or_else(|| Self::Other(name.into()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Register => "REGISTER",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A header field that is not in [`Head`] by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Long form for the known ones, as written for others.
    pub name: String,
    /// Unfolded, without white space around it.
    pub value: String,
}

/// What requests and responses have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The way back, nearest hop first; never empty.
    pub via: Vec<Via>,
    /// Who began the dialog or asks.
    pub from: NameAddr,
    /// Who is asked.
    pub to: NameAddr,
    /// The Call-ID.
    pub call_id: String,
    /// The sequence number.
    pub cseq: CSeq,
    /// All other header fields but Content-Length, in order.
    pub fields: Vec<Field>,
}

impl Head {
    /// The top Via.
    pub fn top_via(&self) -> &Via {
        self.via.first().expect("a head is only made with at least one Via")
    }

    /// The first value of a header, whole.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a header, one for each line.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
    }

    /// The values of a comma list, over all its lines; empty ones left out. `None` when quoting is broken.
    pub fn list(&self, name: &str) -> Option<Vec<&str>> {
        let mut values = Vec::new();
        for line in self.all(name) {
            values.extend(split(line, b',')?.into_iter().filter(|value| !value.is_empty()));
        }
        Some(values)
    }

    /// The values of an address list such as Contact or Record-Route; `None` when one of them cannot be read.
    pub fn addresses(&self, name: &str) -> Option<Vec<NameAddr>> {
        self.list(name)?.into_iter().map(NameAddr::parse).collect()
    }

    /// Whether a comma list holds this token, compared without case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name).is_some_and(|values| values.iter().any(|value| value.eq_ignore_ascii_case(token)))
    }

    /// The media type of the body, in lower case and without parameters.
    pub fn content_type(&self) -> Option<String> {
        let value = self.get("Content-Type")?;
        let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
        Some(kind.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_ascii_lowercase())
    }

    /// Appends a field.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push(Field { name: name.into(), value: value.into() });
    }
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Method; equal to the CSeq's.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// Header fields.
    pub head: Head,
    /// Body, empty when there is none.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// Reason phrase; may be empty.
    pub reason: String,
    /// Header fields.
    pub head: Head,
    /// Body, empty when there is none.
    pub body: Vec<u8>,
}

impl Response {
    /// A response to a request (RFC 3261 section 8.2.6.2): Via, From, To, Call-ID and CSeq copied.
    pub fn to(request: &Request, status: u16, reason: &str) -> Self {
        let Head { via, from, to, call_id, cseq, .. } = &request.head;
        Self {
            status,
            reason: if reason.is_empty() { reason_phrase(status).into() } else { reason.into() },
            head: Head {
                via: via.clone(),
                from: from.clone(),
                to: to.clone(),
                call_id: call_id.clone(),
                cseq: cseq.clone(),
                fields: Vec::new(),
            },
            body: Vec::new(),
        }
    }

    /// The same with one more field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.head.push(name, value);
        self
    }

    /// The same with this To tag, unless it has one.
    pub fn tagged(mut self, tag: &str) -> Self {
        if self.head.to.tag().is_none() {
            self.head.to.params.set("tag", tag.into());
        }
        self
    }

    /// Whether it is final and good.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// As bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        encode(&format!("SIP/2.0 {} {}", self.status, self.reason), &self.head, &self.body)
    }
}

impl Request {
    /// As bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        encode(&format!("{} {} SIP/2.0", self.method, self.uri), &self.head, &self.body)
    }

    /// The same with one more field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.head.push(name, value);
        self
    }
}

/// Either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

fn encode(start: &str, head: &Head, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{start}\r\n");
    let mut line = |name: &str, value: &dyn fmt::Display| {
        text.push_str(&format!("{name}: {value}\r\n"));
    };
    for via in &head.via {
        line("Via", via);
    }
    line("From", &head.from);
    line("To", &head.to);
    line("Call-ID", &head.call_id);
    line("CSeq", &head.cseq);
    for field in &head.fields {
        line(&field.name, &field.value);
    }
    line("Content-Length", &body.len());
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The usual phrase of a status (RFC 3261 section 21).
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        607 => "Unwanted",
        608 => "Rejected",
        _ if status < 200 => "Progress",
        _ if status < 300 => "Accepted",
        _ if status < 400 => "Redirection",
        _ if status < 500 => "Request Failure",
        _ if status < 600 => "Server Failure",
        _ => "Global Failure",
    }
}
