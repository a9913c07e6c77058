//! Where messages begin and end on a stream (RFC 3261 section 18.3), and the line ends between them that keep a connection
//! open (RFC 5626 section 4.4.1).

use super::parse::{self, MESSAGE_BYTES_MAX};

/// Double line end: "are you there?"; a server answers with [`PONG`].
pub const PING: &[u8] = b"\r\n\r\n";
/// Single line end: "I am."
pub const PONG: &[u8] = b"\r\n";

/// The longest first line, in bytes.
const FIRST_LINE_BYTES_MAX: usize = 8 * 1024;

/// What a stream brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole message, not looked into.
    Message(Vec<u8>),
    /// The far end asks whether we are there.
    Ping,
}

/// What came is no SIP, or no message of it that has an end: nothing that follows on this connection can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSip {
    /// The first line is neither a request's nor a response's.
    #[error("a connection brought something that is not SIP")]
    Foreign,
    /// No Content-Length, several, or none that is a number: RFC 3261 section 18.3 demands one on streams.
    #[error("a message on a connection has no usable Content-Length")]
    Endless,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("a message on a connection is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
}

/// The receiving side of one connection. Keeps at most one unfinished message, shorter than [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` in which the end of the head does not begin.
    searched: usize,
    /// Bytes of head and body together, once the head is there.
    length: Option<usize>,
    /// Bytes of [`PING`] that have come.
    pinged: usize,
    /// We have asked and not been answered: the next line end is no half of a question.
    asked: bool,
}

impl Framer {
    /// A [`PING`] of ours has left on this connection.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether it keeps nothing that a new one would not know.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.pinged == 0 && !self.asked
    }

    /// Takes what came, cut anywhere, and appends what is complete by it.
    ///
    /// # Errors
    /// When the connection is of no use any more; what was complete before stands in `frames`.
    pub fn receive(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), NotSip> {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(byte) = self.buffer.get(at).copied() {
            if self.searched == 0 && matches!(byte, b'\r' | b'\n') {
                self.line_end(byte, frames);
                at += 1;
                continue;
            }
            self.pinged = 0;
            let rest = &self.buffer[at..];
            let length = match self.length {
                None => measure(rest, &mut self.searched)?,
                known => known,
            };
            match length {
                Some(length) if length <= rest.len() => {
                    frames.push(Frame::Message(rest[..length].to_vec()));
                    (self.searched, self.length) = (0, None);
                    at += length;
                }
                None if rest.len() >= MESSAGE_BYTES_MAX => return Err(NotSip::TooLong),
                length => {
                    self.length = length;
                    break;
                }
            }
        }
        self.buffer.drain(..at);
        Ok(())
    }

    /// A line end between messages.
    fn line_end(&mut self, byte: u8, frames: &mut Vec<Frame>) {
        self.pinged = match PING.get(self.pinged) {
            Some(expected) if *expected == byte => self.pinged + 1,
            _ => usize::from(byte == b'\r'),
        };
        if self.asked && self.pinged == PONG.len() {
            (self.asked, self.pinged) = (false, 0);
        } else if self.pinged == PING.len() {
            self.pinged = 0;
            frames.push(Frame::Ping);
        }
    }
}

/// The length of the message that begins here, once its head is there; `searched` counts the bytes in which the head's end
/// does not begin.
fn measure(bytes: &[u8], searched: &mut usize) -> Result<Option<usize>, NotSip> {
    if *searched == 0 {
        let line_ends = bytes.iter().position(|byte| *byte == b'\r');
        if !is_sip(&bytes[..line_ends.unwrap_or(bytes.len())], line_ends.is_some()) {
            return Err(NotSip::Foreign);
        }
        // The first line is looked at until it is whole.
        if line_ends.is_none() {
            return Ok(None);
        }
    }
    let Some(ends) = bytes[*searched..].windows(4).position(|window| window == b"\r\n\r\n") else {
        *searched = bytes.len().saturating_sub(3);
        return Ok(None);
    };
    let ends = *searched + ends;
    let body = parse::body_length(&parse::decode(&bytes[..ends])).ok_or(NotSip::Endless)?;
    let length = body.saturating_add(ends + 4);
    if length > MESSAGE_BYTES_MAX { Err(NotSip::TooLong) } else { Ok(Some(length)) }
}

/// Whether this can be the first line of a message, or its beginning.
fn is_sip(line: &[u8], whole: bool) -> bool {
    if line.len() > FIRST_LINE_BYTES_MAX || line.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
        return false;
    }
    let word = |word: &[u8]| word.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"));
    !whole || word(line) || line.rsplit(|byte| *byte == b' ').next().is_some_and(word)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;
    use proptest::prelude::*;

    fn message(id: u32, body: &str) -> String {
        format!("INFO sip:a@b SIP/2.0\r\nCall-ID: {id}\r\nl: {}\r\n\r\n{body}", body.len())
    }

    fn frames(framer: &mut Framer, bytes: &[u8]) -> (Vec<Frame>, Result<(), NotSip>) {
        let mut frames = Vec::new();
        let end = framer.receive(bytes, &mut frames);
        (frames, end)
    }

    #[test]
    fn what_is_no_sip_is_told_as_soon_as_it_can_be() {
        let long = format!("OPTIONS sip:a@b SIP/2.0\r\nX: {}", "x".repeat(MESSAGE_BYTES_MAX));
        let table = [
            ("GET / HTTP/1.1\r\n", NotSip::Foreign),
            ("\u{16}\u{3}\u{1}\u{2}", NotSip::Foreign),
            ("OPTIONS sip:a@b SIP/2.0\nVia: x", NotSip::Foreign),
            ("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n", NotSip::Endless),
            ("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n", NotSip::Endless),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\n", NotSip::Endless),
            ("SIP/2.0 200 OK\r\nl: 99999999999999999999\r\n\r\n", NotSip::Endless),
            ("SIP/2.0 200 OK\r\nl: 18446744073709551615\r\n\r\n", NotSip::TooLong),
            ("SIP/2.0 200 OK\r\nl: 65536\r\n\r\n", NotSip::TooLong),
            (long.as_str(), NotSip::TooLong),
        ];
        for (bytes, fault) in table {
            let good = message(1, "x");
            let (before, end) = frames(&mut Framer::default(), format!("{good}{bytes}").as_bytes());
            assert_eq!((before, end), (vec![Frame::Message(good.into_bytes())], Err(fault)), "{bytes:.60}");
        }
    }

    #[test]
    fn the_longest_message_is_taken_whole() {
        let head = "INFO sip:a@b SIP/2.0\r\nl: 65000\r\n\r\n";
        let text = format!("{head}{}", "x".repeat(65_000));
        let twice = format!("{text}{text}");
        let (found, end) = frames(&mut Framer::default(), twice.as_bytes());
        assert_eq!((found, end), (vec![Frame::Message(text.into_bytes()); 2], Ok(())));
    }

    /// RFC 5626 section 4.4.1: a double line end asks, a single one answers.
    #[test]
    fn line_ends_between_messages_ask_or_answer() {
        let table: [(&str, bool, usize); 8] = [
            ("\r\n", false, 0),
            ("\r\n\r\n", false, 1),
            ("\r\n\r\n\r\n\r\n", false, 2),
            ("\r\n", true, 0),
            ("\r\n\r\n\r\n", true, 1),
            ("\n\r\n\r\r\n\r\n", false, 1),
            ("\r\nSIP/2.0 200 OK\r\nl: 0\r\n\r\n\r\n", false, 0),
            ("SIP/2.0 200 OK\r\nl: 0\r\n\r\n\r\n\r\n", false, 1),
        ];
        for (bytes, asked, pings) in table {
            let mut framer = Framer::default();
            if asked {
                framer.ask();
            }
            let (found, end) = frames(&mut framer, bytes.as_bytes());
            let found = found.into_iter().filter(|frame| *frame == Frame::Ping).count();
            assert_eq!((found, end), (pings, Ok(())), "{bytes:?}");
        }
    }

    proptest! {
        /// A stream cut anywhere gives the same messages and the same end.
        #[test]
        fn cuts_change_nothing(
            bodies in proptest::collection::vec(("[a-z\r\n]{0,40}", 0_usize..4), 1..6),
            tail in proptest::option::of("[A-Z \r\n\u{0}]{0,30}"),
            cuts in proptest::collection::vec(any::<u16>(), 0..12),
        ) {
            let mut bytes = Vec::new();
            for (id, (body, line_ends)) in (0..).zip(&bodies) {
                bytes.extend_from_slice(message(id, body).as_bytes());
                bytes.extend_from_slice("\r\n".repeat(*line_ends).as_bytes());
            }
            bytes.extend_from_slice(tail.unwrap_or_default().as_bytes());
            let whole = frames(&mut Framer::default(), &bytes);
            prop_assert!(whole.0.len() >= bodies.len());
            let mut places: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let (mut framer, mut found, mut end) = (Framer::default(), Vec::new(), Ok(()));
            for pair in places.windows(2) {
                end = end.and_then(|()| framer.receive(&bytes[pair[0]..pair[1]], &mut found));
            }
            prop_assert_eq!((found, end), whole);
            let (mut framer, mut found, mut end) = (Framer::default(), Vec::new(), Ok(()));
            for byte in bytes.chunks(1) {
                end = end.and_then(|()| framer.receive(byte, &mut found));
            }
            prop_assert_eq!(found, frames(&mut Framer::default(), &bytes).0);
            prop_assert!(end == Ok(()) || frames(&mut Framer::default(), &bytes).1.is_err());
        }

        #[test]
        fn any_bytes_are_bounded(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for chunk in chunks {
                if framer.receive(&chunk, &mut found).is_err() {
                    break;
                }
                prop_assert!(framer.buffer.len() < MESSAGE_BYTES_MAX);
            }
        }
    }
}
