//! From datagram to message: bounded, strict where RFC 4475 wants it, never panicking.

use std::borrow::Cow;

use super::address::NameAddr;
use super::header::{CSeq, VALUES_MAX, Via, canonical, is_token, split};
use super::message::{Field, Head, Message, Method, Request, Response};
use super::uri::Uri;

/// The longest message that is read, in bytes: what a UDP datagram can carry.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// The most header lines of a message, as it comes and as it would be written.
pub const HEADERS_MAX: usize = 128;

/// Why a datagram is not a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Nothing but line ends or zeros, as phones send to keep a NAT binding open.
    KeepAlive,
    /// Not SIP at all, or an ACK or a response that cannot be read: never replied to. Says what is wrong.
    Dropped(&'static str),
    /// A request that is to be refused.
    Request(Box<BadRequest>),
}

/// A request that is to be refused, with as much of it as could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRequest {
    /// 400, 505 or 513.
    pub status: u16,
    /// What is wrong, as a reason phrase.
    pub reason: &'static str,
    /// The lines that a response has to repeat, as they came: Via, From, To, Call-ID, CSeq.
    pub echo: Vec<Field>,
}

impl BadRequest {
    /// The response; `tag` goes to the To line unless it seems to have one.
    pub fn response(&self, tag: &str) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {} {}\r\n", self.status, self.reason);
        for Field { name, value } in &self.echo {
            let untagged = name == "To" && !value.contains("tag");
            let tag = if untagged { format!(";tag={tag}") } else { String::new() };
            text.push_str(&format!("{name}: {value}{tag}\r\n"));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        text.into_bytes()
    }
}

/// What is wrong with a message: status and reason phrase.
type Fault = (u16, &'static str);

const fn bad(reason: &'static str) -> Fault {
    (400, reason)
}

/// The first line.
enum Start<'a> {
    Request { method: &'a str, uri: &'a str },
    Response { status: u16, reason: &'a str },
}

/// Reads one datagram.
///
/// # Errors
/// When it is no message; says whether to ignore, drop or refuse it.
pub fn message(datagram: &[u8]) -> Result<Message, Unreadable> {
    let begins = datagram.iter().position(|byte| !b"\r\n\0".contains(byte)).ok_or(Unreadable::KeepAlive)?;
    let bytes = &datagram[begins..];
    let head_ends = empty_line(bytes);
    let (head, body) = match head_ends {
        Some(at) => (&bytes[..at], &bytes[at + 4..]),
        None => (bytes, &bytes[bytes.len()..]),
    };
    let text = decode(head);
    let (first, rest) = text.split_once("\r\n").ok_or(Unreadable::Dropped("one line is no message"))?;
    let is_response = first.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/"));
    if !is_response && !first.trim_end().rsplit(' ').next().is_some_and(|word| word.starts_with("SIP/")) {
        return Err(Unreadable::Dropped("not SIP"));
    }
    let (fields, field_fault) = fields(rest);
    let read = || {
        if datagram.len() > MESSAGE_BYTES_MAX {
            return Err((513, "Message Too Large"));
        }
        let start = if is_response { status_line(first)? } else { request_line(first)? };
        if head_ends.is_none() {
            return Err(bad("Headers do not end with an empty line"));
        }
        match field_fault {
            Some(fault) => Err(fault),
            None => build(&start, &fields, body),
        }
    };
    read().map_err(|(status, reason)| {
        if is_response || first.starts_with("ACK ") {
            return Unreadable::Dropped(reason);
        }
        Unreadable::Request(Box::new(BadRequest { status, reason, echo: echo(&fields) }))
    })
}

/// A head as text. Old PBXs write names in Latin-1 or Windows-1250, and their calls are worth more than those letters: each
/// byte that is not UTF-8 becomes a question mark, which makes nothing longer, so that nothing longer is sent back.
pub(super) fn decode(head: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(head) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(head.len());
    for chunk in head.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

/// Where the first empty line begins, with the line end before it. Looks at each byte once, for one byte: most of the time
/// that garbage costs is spent here.
fn empty_line(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == b'\r')?;
        if bytes[at..].starts_with(b"\r\n\r\n") {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The lines that a refusal repeats: every Via that was read, and the first of each line that may stand only once.
fn echo(fields: &[Field]) -> Vec<Field> {
    let vias = fields.iter().filter(|field| field.name == "Via");
    let others = ["From", "To", "Call-ID", "CSeq"];
    let firsts = others.iter().filter_map(|name| fields.iter().find(|field| field.name == *name));
    vias.chain(firsts).cloned().collect()
}

fn request_line(line: &str) -> Result<Start<'_>, Fault> {
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("Request line is not method, URI and version"));
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err((505, "Version Not Supported"));
    }
    if !is_token(method) {
        return Err(bad("Bad method"));
    }
    Ok(Start::Request { method, uri })
}

fn status_line(line: &str) -> Result<Start<'_>, Fault> {
    let mut words = line.splitn(3, ' ');
    let (Some(version), Some(status)) = (words.next(), words.next()) else {
        return Err(bad("Bad status line"));
    };
    let status = Some(status).filter(|digits| digits.len() == 3).and_then(|digits| digits.parse().ok());
    match status.filter(|status| (100..700).contains(status)) {
        Some(status) if version.eq_ignore_ascii_case("SIP/2.0") => {
            Ok(Start::Response { status, reason: words.next().unwrap_or_default() })
        }
        _ => Err(bad("Bad status line")),
    }
}

/// Unfolds and names the header lines. Goes on after a fault, so that a refusal can repeat what it has to.
fn fields(text: &str) -> (Vec<Field>, Option<Fault>) {
    let mut fields: Vec<Field> = Vec::new();
    let mut fault = None;
    for line in text.split("\r\n") {
        if line.contains(['\r', '\n']) {
            fault = fault.or(Some(bad("Bare line end in a header")));
            continue;
        }
        if line.starts_with([' ', '\t']) {
            match fields.last_mut() {
                Some(field) => {
                    // A fold is one space, whatever it is made of, and none at the ends of a value.
                    let more = line.trim_matches([' ', '\t']);
                    if !field.value.is_empty() && !more.is_empty() {
                        field.value.push(' ');
                    }
                    field.value.push_str(more);
                }
                None => fault = fault.or(Some(bad("Folded line without a header"))),
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            fault = fault.or(Some(bad("Header line without a colon")));
            continue;
        };
        let name = name.trim_end_matches([' ', '\t']);
        if !is_token(name) {
            fault = fault.or(Some(bad("Bad header name")));
        } else if fields.len() == HEADERS_MAX {
            fault = fault.or(Some(bad("Too many headers")));
            break;
        } else {
            fields.push(Field { name: canonical(name).into(), value: value.trim_matches([' ', '\t']).into() });
        }
    }
    (fields, fault)
}

fn build(start: &Start<'_>, fields: &[Field], body: &[u8]) -> Result<Message, Fault> {
    let head = head(fields)?;
    let body = match single(fields, "Content-Length", "Several Content-Lengths")? {
        Some(length) => body.get(..content_length(length)?).ok_or(bad("Content-Length is beyond the datagram"))?,
        None => body,
    };
    match *start {
        Start::Request { method, uri } => {
            let method = Method::of(method);
            let uri = Uri::parse(uri).ok_or(bad("Bad Request-URI"))?;
            if matches!(&uri, Uri::Sip(uri) if uri.headers.is_some()) {
                return Err(bad("Request-URI with headers"));
            }
            if head.cseq.method != method {
                return Err(bad("CSeq names another method"));
            }
            Ok(Message::Request(Request { method, uri, head, body: body.into() }))
        }
        Start::Response { status, reason } => {
            Ok(Message::Response(Response { status, reason: reason.into(), head, body: body.into() }))
        }
    }
}

fn head(all: &[Field]) -> Result<Head, Fault> {
    let required = |name, missing, several| single(all, name, several)?.ok_or(bad(missing));
    let mut via = Vec::new();
    for line in all.iter().filter(|field| field.name == "Via") {
        for value in split(&line.value, b',').ok_or(bad("Bad Via"))? {
            if via.len() == VALUES_MAX {
                return Err(bad("Too many Vias"));
            }
            via.push(Via::parse(value).ok_or(bad("Bad Via"))?);
        }
    }
    if via.is_empty() {
        return Err(bad("Missing Via"));
    }
    let call_id = required("Call-ID", "Missing Call-ID", "Several Call-IDs")?;
    if call_id.is_empty() || call_id.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(bad("Bad Call-ID"));
    }
    let cseq = required("CSeq", "Missing CSeq", "Several CSeqs")?;
    let from = required("From", "Missing From", "Several Froms")?;
    let to = required("To", "Missing To", "Several Tos")?;
    if let Some(hops) = single(all, "Max-Forwards", "Several Max-Forwards")? {
        hops.parse::<u8>().map_err(|_| bad("Max-Forwards is not 0 to 255"))?;
    }
    single(all, "Content-Type", "Several Content-Types")?;
    let own =
        |field: &&Field| !matches!(field.name.as_str(), "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Content-Length");
    let fields: Vec<Field> = all.iter().filter(own).cloned().collect();
    // A list of hops in one line becomes lines when it is written, and Content-Length comes to the four that must stand.
    if via.len() + fields.len() + 5 > HEADERS_MAX {
        return Err(bad("Too many headers"));
    }
    Ok(Head {
        via,
        from: NameAddr::parse(from).ok_or(bad("Bad From"))?,
        to: NameAddr::parse(to).ok_or(bad("Bad To"))?,
        call_id: call_id.into(),
        cseq: CSeq::parse(cseq).ok_or(bad("Bad CSeq"))?,
        fields,
    })
}

/// The value of a header that may stand only once.
fn single<'a>(fields: &'a [Field], name: &str, several: &'static str) -> Result<Option<&'a str>, Fault> {
    let mut values = fields.iter().filter(|field| field.name == name).map(|field| field.value.as_str());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(bad(several)),
    }
}

fn content_length(text: &str) -> Result<usize, Fault> {
    let digits = Some(text).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(bad("Bad Content-Length"))
}

/// What Content-Length says in a head. `None` when it is missing, stands twice or is no number: on a stream nobody can say
/// then where the message ends.
pub(super) fn body_length(head: &str) -> Option<usize> {
    let (_, rest) = head.split_once("\r\n")?;
    let (fields, _) = fields(rest);
    content_length(single(&fields, "Content-Length", "Several Content-Lengths").ok()??).ok()
}
