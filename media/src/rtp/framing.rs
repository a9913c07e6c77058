//! Packets on a stream (RFC 4571): each stands behind its length in two octets. ICE over TCP frames everything so (RFC 6544).

/// The longest packet, in octets: the path of none that a browser sends carries more.
pub const PACKET_OCTETS_MAX: usize = 2_000;
/// Octets of a length.
const LENGTH_OCTETS: usize = 2;

/// What came is no sequence of packets: nothing that follows on this connection can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotFramed {
    /// A packet of no octets.
    #[error("a packet on a connection is empty")]
    Empty,
    /// Longer than [`PACKET_OCTETS_MAX`].
    #[error("a packet on a connection is longer than {PACKET_OCTETS_MAX} octets")]
    TooLong,
}

/// The receiving side of one connection. Keeps at most one unfinished packet, no longer than [`PACKET_OCTETS_MAX`].
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
}

impl Framer {
    /// Takes what came, cut anywhere, and appends the packets that are whole by it.
    ///
    /// # Errors
    /// When the connection is of no use any more; what was whole before stands in `packets`.
    pub fn receive(&mut self, bytes: &[u8], packets: &mut Vec<Vec<u8>>) -> Result<(), NotFramed> {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((length, rest)) = self.buffer[at..].split_first_chunk::<LENGTH_OCTETS>() {
            let length = usize::from(u16::from_be_bytes(*length));
            match length {
                0 => return Err(NotFramed::Empty),
                1..=PACKET_OCTETS_MAX => {}
                _ => return Err(NotFramed::TooLong),
            }
            let Some(packet) = rest.get(..length) else { break };
            packets.push(packet.to_vec());
            at += LENGTH_OCTETS + length;
        }
        self.buffer.drain(..at);
        Ok(())
    }
}

/// A packet behind its length; none where the length does not fit.
pub fn framed(packet: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(packet.len()).ok().filter(|length| *length > 0)?;
    Some([&length.to_be_bytes(), packet].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;
    use proptest::prelude::*;

    fn read(framer: &mut Framer, bytes: &[u8]) -> (Vec<Vec<u8>>, Result<(), NotFramed>) {
        let mut packets = Vec::new();
        let end = framer.receive(bytes, &mut packets);
        (packets, end)
    }

    #[test]
    fn packets_come_out_as_they_went_in_wherever_the_stream_is_cut() {
        let packets = [vec![1_u8], vec![2; 300], vec![3; PACKET_OCTETS_MAX], vec![0, 0]];
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| framed(packet).unwrap()).collect();
        for cut in 0..=bytes.len() {
            let mut framer = Framer::default();
            let (mut found, first) = read(&mut framer, &bytes[..cut]);
            let (rest, second) = read(&mut framer, &bytes[cut..]);
            found.extend(rest);
            assert_eq!((found.as_slice(), first, second), (packets.as_slice(), Ok(()), Ok(())), "cut at {cut}");
        }
    }

    #[test]
    fn what_cannot_be_a_packet_ends_it_at_its_length() {
        let over = (PACKET_OCTETS_MAX as u16 + 1).to_be_bytes();
        for (length, fault) in
            [([0, 0], NotFramed::Empty), (over, NotFramed::TooLong), ([0xff, 0xff], NotFramed::TooLong)]
        {
            let good = framed(b"good").unwrap();
            let found = read(&mut Framer::default(), &[good.as_slice(), &length].concat());
            assert_eq!(found, (vec![b"good".to_vec()], Err(fault)), "{length:?}");
        }
    }

    #[test]
    fn only_what_has_a_length_is_framed() {
        assert_eq!(framed(&[]), None);
        assert_eq!(framed(b"ab"), Some(b"\x00\x02ab".to_vec()));
        assert_eq!(framed(&vec![0; 65_535]).map(|bytes| bytes.len()), Some(65_537));
        assert_eq!(framed(&vec![0; 65_536]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_bounded(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..20)) {
            let (mut framer, mut packets) = (Framer::default(), Vec::new());
            for chunk in chunks {
                if framer.receive(&chunk, &mut packets).is_err() {
                    break;
                }
                prop_assert!(framer.buffer.len() < LENGTH_OCTETS + PACKET_OCTETS_MAX);
            }
            prop_assert!(packets.iter().all(|packet| (1..=PACKET_OCTETS_MAX).contains(&packet.len())));
        }
    }
}
