//! One datagram as RTP, as RTCP and as a payload: read or refused, never beyond its end.

use auricle_media::rtp::packet::{HEADER_LENGTH, Packet};
use auricle_media::rtp::rtcp::{self, Rtcp};

use super::{Seen, origin};

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    match Packet::parse(bytes) {
        Ok(packet) => {
            assert!(packet.payload.len() + HEADER_LENGTH <= bytes.len());
            assert!(packet.payload_type < 128 && !(64..=95).contains(&packet.payload_type));
            let mut written = Vec::new();
            packet.write(&mut written);
            assert!(written.len() <= bytes.len());
            assert_eq!(Packet::parse(&written), Ok(packet), "what is written reads differently");
            assert!(!rtcp::is_rtcp(bytes), "both RTP and RTCP");
            seen.note((packet.marker, bytes.len() - packet.payload.len()));
        }
        Err(error) => seen.note(error.to_string()),
    }
    let now = origin();
    let mut session = Rtcp::new(now, 1);
    match session.receive(bytes, 0xdead_beef, now) {
        Ok(heard) => {
            assert!(heard.loss.is_none_or(|loss| (0.0..1.0).contains(&loss)), "{heard:?}");
            assert!((0.0..1.0).contains(&session.remote_loss()));
            assert!(session.round_trip().is_none_or(|span| span.as_secs() <= 10));
            seen.note((heard.goodbye, heard.loss.is_some(), session.round_trip().is_some()));
        }
        Err(error) => seen.note(error.to_string()),
    }
    seen.number()
}
