//! A browser's TCP connection: the same packets come out however the bytes are cut, none is empty or longer than a packet may be,
//! and framed again they are what came in.

use auricle_media::rtp::framing::{Framer, NotFramed, PACKET_OCTETS_MAX, framed};

use super::{Seen, scale};

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    let (whole, end) = packets(bytes, |_| usize::MAX);
    // Cut by the bytes themselves, and at every byte.
    let (pieces, same_end) = packets(bytes, |at| 1 + usize::from(bytes[at]) % 64);
    let (single, last_end) = packets(bytes, |_| 1);
    assert_eq!((&whole, end), (&pieces, same_end), "cut in pieces");
    assert_eq!((&whole, end), (&single, last_end), "cut at every byte");
    assert!(whole.iter().all(|packet| (1..=PACKET_OCTETS_MAX).contains(&packet.len())));
    let again: Vec<u8> = whole.iter().filter_map(|packet| framed(packet)).flatten().collect();
    assert!(bytes.starts_with(&again), "something else came out");
    let lengths: Vec<u32> = whole.iter().map(|packet| scale(packet.len())).take(4).collect();
    seen.note((scale(whole.len()), lengths, end.map_err(|why| why.to_string())));
    seen.number()
}

fn packets(bytes: &[u8], length: impl Fn(usize) -> usize) -> (Vec<Vec<u8>>, Result<(), NotFramed>) {
    let (mut framer, mut packets, mut at) = (Framer::default(), Vec::new(), 0);
    while at < bytes.len() {
        let end = at.saturating_add(length(at)).min(bytes.len());
        if let Err(why) = framer.receive(&bytes[at..end], &mut packets) {
            return (packets, Err(why));
        }
        at = end;
    }
    (packets, Ok(()))
}
