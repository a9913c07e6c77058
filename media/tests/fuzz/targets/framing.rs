//! A connection: the same frames come out however the bytes are cut, none is longer than a message may be, and none has a
//! length that does not fit it.

use auricle_media::sip::framing::{Frame, Framer, NotSip};
use auricle_media::sip::parse::{self, MESSAGE_BYTES_MAX, Unreadable};

use super::{Seen, scale};

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    let (whole, end) = frames(bytes, |_| usize::MAX);
    // Cut by the bytes themselves, and at every byte.
    let (pieces, same_end) = frames(bytes, |at| 1 + usize::from(bytes[at]) % 64);
    let (single, last_end) = frames(bytes, |_| 1);
    assert_eq!((&whole, end), (&pieces, same_end), "cut in pieces");
    assert_eq!((&whole, end), (&single, last_end), "cut at every byte");
    let mut octets = 0;
    for frame in &whole {
        let Frame::Message(message) = frame else { continue };
        octets += message.len();
        assert!(message.len() <= MESSAGE_BYTES_MAX);
        match parse::message(message) {
            Err(Unreadable::Request(bad)) => {
                assert_ne!(bad.reason, "Content-Length is beyond the datagram", "cut too short");
                seen.note(bad.reason);
            }
            Err(Unreadable::Dropped(why)) => seen.note(why),
            Err(Unreadable::KeepAlive) => panic!("line ends are no message"),
            Ok(_) => seen.note("read"),
        }
    }
    assert!(octets <= bytes.len());
    seen.note((scale(whole.len()), end.map_err(|why| why.to_string())));
    seen.number()
}

fn frames(bytes: &[u8], length: impl Fn(usize) -> usize) -> (Vec<Frame>, Result<(), NotSip>) {
    let (mut framer, mut frames, mut at) = (Framer::default(), Vec::new(), 0);
    while at < bytes.len() {
        let end = at.saturating_add(length(at)).min(bytes.len());
        if let Err(why) = framer.receive(&bytes[at..end], &mut frames) {
            return (frames, Err(why));
        }
        at = end;
    }
    (frames, Ok(()))
}
