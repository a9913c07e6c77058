//! Telephone-event payloads: eight octets a packet, four of timestamp and four of event.

use auricle_media::rtp::dtmf::{Event, EventReceiver};
use auricle_media::rtp::session::extend_timestamp;

use super::Seen;

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    if let Some(event) = Event::parse(bytes) {
        assert!(event.volume < 64);
        assert_eq!(Event::parse(&event.to_bytes()), Some(event), "what is written reads differently");
        assert_eq!(event.digit().is_some(), event.code < 16);
        seen.note((event.digit(), event.end));
    }
    assert!(!Event::looks_like(bytes) || bytes.len() == 4);
    let mut receiver = EventReceiver::default();
    let (mut packets, mut digits, mut timestamp) = (0, 0, 0x1_0000_0000);
    for packet in bytes.chunks_exact(8) {
        let (when, payload) = packet.split_at(4);
        timestamp = extend_timestamp(timestamp, u32::from_be_bytes(when.try_into().expect("four octets")));
        let event = Event::parse(payload).expect("four octets are an event");
        packets += 1;
        let digit = receiver.receive(timestamp, event);
        assert!(digit.is_none() || digit == event.digit());
        digits += usize::from(digit.is_some());
        assert_eq!(receiver.receive(timestamp, event), None, "told twice");
        seen.note(digit);
    }
    assert!(digits <= packets);
    seen.number()
}
