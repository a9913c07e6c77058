//! What transfers are made of: Refer-To (RFC 3515), Replaces (RFC 3891) and status lines in NOTIFY (RFC 3420).

use std::fmt;

use super::address::NameAddr;
use super::dialog::DialogKey;
use super::header::{LWS, is_token};
use super::message::Head;
use super::uri::{SipUri, Uri, unescape};

/// The longest Replaces value that is read, in bytes: its three parts are copied into requests of ours.
pub const REPLACES_BYTES_MAX: usize = 512;

/// A call that another one takes the place of, as the one who is asked to replace it sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// Tag of the one who is asked.
    pub to_tag: String,
    /// Tag of its far end.
    pub from_tag: String,
    /// Only while the call is not answered.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a header value; `None` when it breaks the grammar or is over [`REPLACES_BYTES_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > REPLACES_BYTES_MAX {
            return None;
        }
        let mut parts = text.split(';').map(|part| part.trim_matches(LWS));
        let call_id = parts.next().filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()))?;
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |(name, value)| (name, value));
            match name.trim_matches(LWS).to_ascii_lowercase().as_str() {
                "to-tag" if to_tag.is_none() => to_tag = Some(tag(value)?),
                "from-tag" if from_tag.is_none() => from_tag = Some(tag(value)?),
                "to-tag" | "from-tag" => return None,
                "early-only" => early_only = true,
                name if is_token(name) => {}
                _ => return None,
            }
        }
        Some(Self { call_id: call_id.into(), to_tag: to_tag?, from_tag: from_tag?, early_only })
    }

    /// What the call is known by here, if it is one of ours.
    pub fn key(&self) -> DialogKey {
        // A tag of zero stands for none (RFC 3891 section 3): a far end of RFC 2543.
        let remote_tag = if self.from_tag == "0" { String::new() } else { self.from_tag.clone() };
        DialogKey { call_id: self.call_id.clone(), local_tag: self.to_tag.clone(), remote_tag }
    }

    /// For the far end of this dialog of ours.
    pub fn of(dialog: &DialogKey) -> Self {
        let to_tag = if dialog.remote_tag.is_empty() { "0".into() } else { dialog.remote_tag.clone() };
        Self { call_id: dialog.call_id.clone(), to_tag, from_tag: dialog.local_tag.clone(), early_only: false }
    }
}

fn tag(value: &str) -> Option<String> {
    let value = value.trim_matches(LWS);
    is_token(value).then(|| value.to_owned())
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

/// Whom a REFER names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferTo {
    /// Whom to call: a `sip:`, `sips:` or `tel:` address without headers.
    pub uri: Uri,
    /// Whose place to take there.
    pub replaces: Option<Replaces>,
}

impl ReferTo {
    /// Reads the Refer-To of a request.
    ///
    /// # Errors
    /// The status to refuse it with: 400 when there is not one that can be read, 416 when it is of another scheme, 403 when
    /// something else than a call is wanted.
    pub fn of(head: &Head) -> Result<Self, u16> {
        let mut values = head.all("Refer-To");
        let (Some(value), None) = (values.next(), values.next()) else { return Err(400) };
        match NameAddr::parse(value).ok_or(400_u16)?.uri {
            Uri::Sip(uri) => Self::of_sip(uri),
            uri @ Uri::Other { .. } if uri.user().is_empty() => Err(416),
            uri @ Uri::Other { .. } => Ok(Self { uri, replaces: None }),
        }
    }

    fn of_sip(mut uri: SipUri) -> Result<Self, u16> {
        if uri.params.get("method").is_some_and(|method| method != "INVITE") {
            return Err(403);
        }
        let headers = uri.headers.take().unwrap_or_default();
        let mut replaces = None;
        for (name, value) in headers.split('&').filter_map(|header| header.split_once('=')) {
            // Other headers that the new INVITE should have are the far end's wish, and not granted (RFC 3261 section 19.1.5).
            if unescape(name).eq_ignore_ascii_case("Replaces") {
                replaces = Some(Replaces::parse(&unescape(value)).filter(|_| replaces.is_none()).ok_or(400_u16)?);
            }
        }
        Ok(Self { uri: Uri::Sip(uri), replaces })
    }

    /// As the value of a Refer-To.
    pub fn value(&self) -> String {
        let mut uri = self.uri.clone();
        if let (Uri::Sip(uri), Some(replaces)) = (&mut uri, &self.replaces) {
            uri.headers = Some(format!("Replaces={}", escape(&replaces.to_string())));
        }
        NameAddr::new(uri).to_string()
    }
}

/// Escapes all that a header value in a URI may not carry, and what has a meaning in a URI.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The status in a `message/sipfrag` body: its first line is a status line.
pub fn fragment_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let rest = line.strip_prefix(b"SIP/2.0 ")?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let whole = rest.first().is_none_or(|byte| *byte == b' ');
    let status = std::str::from_utf8(digits).ok().filter(|_| whole)?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
    use super::*;
    use crate::sip::message::{Message, Request};
    use crate::sip::parse;

    fn refer(line: &str) -> Request {
        let text = format!(
            "REFER sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 REFER\r\n{line}\r\nContent-Length: 0\r\n\r\n"
        );
        match parse::message(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// RFC 3515 section 2.1 and RFC 3891 section 6.1.
    #[test]
    fn refer_to_is_read_or_refused() {
        let table = [
            ("Refer-To: <sip:bob@example.org>", Ok(("sip:bob@example.org", None))),
            ("r: sip:bob@example.org;transport=tcp", Ok(("sip:bob@example.org", None))),
            ("Refer-To: \"Bob\" <sip:bob@example.org;method=INVITE>", Ok(("sip:bob@example.org;method=INVITE", None))),
            ("Refer-To: <tel:+420123456789>", Ok(("tel:+420123456789", None))),
            (
                "Refer-To: <sip:b@h?Replaces=12%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df&Require=replaces>",
                Ok(("sip:b@h", Some("12@h;to-tag=t;from-tag=f"))),
            ),
            (
                "Refer-To: <sip:b@h?Accept-Contact=x&replaces=12%3Bfrom-tag%3Df%3Bto-tag%3Dt%3Bearly-only>",
                Ok(("sip:b@h", Some("12;to-tag=t;from-tag=f;early-only"))),
            ),
            ("Refer-To: <sip:b@h?Replaces=12%3Bto-tag%3Dt>", Err(400)),
            (
                "Refer-To: <sip:b@h?Replaces=1%3Bto-tag%3Dt%3Bfrom-tag%3Df&Replaces=1%3Bto-tag%3Dt%3Bfrom-tag%3Df>",
                Err(400),
            ),
            ("Refer-To: <sip:b@h;method=BYE>", Err(403)),
            ("Refer-To: <http://example.org>", Err(416)),
            ("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>", Err(400)),
            ("Refer-To: <sip:a@b>, <sip:c@d>", Err(400)),
            ("Refer-To: bob", Err(400)),
            ("Subject: x", Err(400)),
        ];
        for (line, expected) in table {
            let read = ReferTo::of(&refer(line).head);
            let read = read.map(|to| (to.uri.to_string(), to.replaces.map(|replaces| replaces.to_string())));
            let expected = expected.map(|(uri, replaces)| (uri.to_owned(), replaces.map(str::to_owned)));
            assert_eq!(read, expected, "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let replaces = Replaces::parse("a&b=c?d@[::1]%20;to-tag=x.y~;from-tag=z").unwrap();
        let to = ReferTo { uri: Uri::parse("sip:bob@192.0.2.1;transport=tcp").unwrap(), replaces: Some(replaces) };
        assert_eq!(ReferTo::of(&refer(&format!("Refer-To: {}", to.value())).head), Ok(to));
    }

    /// RFC 3891 sections 3 and 6.1.
    #[test]
    fn replaces_values() {
        let table = [
            ("c;to-tag=1;from-tag=2", true),
            (" c ; from-tag = 2 ; to-tag = 1 ; x=y ; EARLY-ONLY ", true),
            ("c;to-tag=1", false),
            ("c;to-tag=1;from-tag=2;to-tag=3", false),
            ("c;to-tag=1;from-tag=", false),
            ("c;to-tag=1;from-tag=a b", false),
            (";to-tag=1;from-tag=2", false),
            ("c d;to-tag=1;from-tag=2", false),
            ("c\r\nX: y;to-tag=1;from-tag=2", false),
            ("", false),
        ];
        for (text, fits) in table {
            assert_eq!(Replaces::parse(text).is_some(), fits, "{text}");
        }
        let long = format!("{};to-tag=1;from-tag=2", "c".repeat(REPLACES_BYTES_MAX));
        assert_eq!(Replaces::parse(&long), None);
        let old = Replaces::parse("c;to-tag=1;from-tag=0").unwrap();
        assert_eq!((old.key().local_tag.as_str(), old.key().remote_tag.as_str()), ("1", ""));
        let ours = DialogKey { call_id: "c".into(), local_tag: "1".into(), remote_tag: String::new() };
        assert_eq!(Replaces::of(&ours).to_string(), "c;to-tag=0;from-tag=1");
    }

    #[test]
    fn fragments_begin_with_a_status() {
        let table: [(&[u8], Option<u16>); 8] = [
            (b"SIP/2.0 100 Trying\r\n", Some(100)),
            (b"SIP/2.0 603", Some(603)),
            (b"SIP/2.0 200 OK\r\nContact: <sip:a@b>\r\n", Some(200)),
            (b"SIP/2.0 1000 x", None),
            (b"SIP/2.0 99", None),
            (b"SIP/2.0 700 x", None),
            (b"INVITE sip:a@b SIP/2.0\r\n", None),
            (b"", None),
        ];
        for (body, status) in table {
            assert_eq!(fragment_status(body), status, "{}", String::from_utf8_lossy(body));
        }
    }
}
