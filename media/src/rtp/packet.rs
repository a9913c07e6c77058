//! The RTP packet (RFC 3550 section 5.1): parse without copying, build into a caller's buffer.

use thiserror::Error;

/// Octets of a header without contributing sources and extension.
pub const HEADER_LENGTH: usize = 12;

/// Why bytes are not an RTP packet. The sender is at fault in every case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PacketError {
    /// Shorter than its own header says.
    #[error("RTP packet of {length} octets is shorter than the {needed} its header asks for")]
    Short {
        /// Octets received.
        length: usize,
        /// Octets that the header needs.
        needed: usize,
    },
    /// Not version 2.
    #[error("RTP version {0}, expected 2")]
    Version(u8),
    /// The padding count does not fit the payload.
    #[error("RTP padding of {padding} octets, payload has {payload}")]
    Padding {
        /// What the last octet says.
        padding: usize,
        /// Octets after the header.
        payload: usize,
    },
    /// Payload types 64 to 95 are RTCP packet types when both share a port (RFC 5761 section 4).
    #[error("payload type {0} is RTCP")]
    Rtcp(u8),
}

/// A parsed RTP packet that borrows its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// First packet of a talk spurt or of a keypad event.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Sampling instant of the first sample.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// What is carried, without contributing sources, extension and padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Contributing sources and the header extension are skipped, padding is cut off.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let length = bytes.len();
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(PacketError::Short { length, needed: HEADER_LENGTH });
        };
        let version = header[0] >> 6;
        if version != 2 {
            return Err(PacketError::Version(version));
        }
        let payload_type = header[1] & 0x7f;
        if (64..=95).contains(&payload_type) {
            return Err(PacketError::Rtcp(payload_type));
        }
        let sources = usize::from(header[0] & 0x0f) * 4;
        let needed = HEADER_LENGTH + sources;
        let mut payload = rest.get(sources..).ok_or(PacketError::Short { length, needed })?;
        if header[0] & 0x10 != 0 {
            payload = skip_extension(payload).ok_or(PacketError::Short { length, needed: needed + 4 })?;
        }
        if header[0] & 0x20 != 0 {
            payload = cut_padding(payload)?;
        }
        Ok(Self {
            marker: header[1] & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload,
        })
    }

    /// Appends header and payload to `out`: no contributing sources, no extension, no padding.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(0x80);
        out.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

/// What follows a header extension: 16 bits of profile, 16 bits of length in words, then the words.
fn skip_extension(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
    rest.get(words * 4..)
}

/// The last octet counts the padding, itself included; zero is not a count.
fn cut_padding(payload: &[u8]) -> Result<&[u8], PacketError> {
    let padding = usize::from(payload.last().copied().unwrap_or(0));
    match payload.len().checked_sub(padding) {
        Some(kept) if padding > 0 => Ok(&payload[..kept]),
        _ => Err(PacketError::Padding { padding, payload: payload.len() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const PLAIN: [u8; 16] = [0x80, 0x80, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];

    #[test]
    fn reads_every_field() {
        let packet = Packet::parse(&PLAIN).unwrap();
        assert!(packet.marker);
        assert_eq!((packet.payload_type, packet.sequence, packet.timestamp), (0, 0x1234, 160));
        assert_eq!((packet.ssrc, packet.payload), (0xdead_beef, &[1u8, 2, 3, 4][..]));
    }

    #[test]
    fn skips_sources_and_extension_and_cuts_padding() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9; 8]); // two contributing sources
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // an extension of one word
        bytes.extend([0xd5, 0xd5, 0, 0, 3]); // two octets of payload, three of padding
        assert_eq!(Packet::parse(&bytes).unwrap().payload, &[0xd5, 0xd5]);
    }

    #[test]
    fn refuses_what_is_not_rtp() {
        let mut extension = PLAIN;
        extension[0] |= 0x10;
        extension[14] = 0xff;
        let mut padding = PLAIN;
        padding[0] |= 0x20;
        padding[15] = 5;
        let mut zero_padding = padding;
        zero_padding[15] = 0;
        let mut version = PLAIN;
        version[0] = 0x40;
        let mut rtcp = PLAIN;
        rtcp[1] = 200;
        let cases: [(&[u8], PacketError); 7] = [
            (&[], PacketError::Short { length: 0, needed: 12 }),
            (&PLAIN[..11], PacketError::Short { length: 11, needed: 12 }),
            (&extension, PacketError::Short { length: 16, needed: 16 }),
            (&padding, PacketError::Padding { padding: 5, payload: 4 }),
            (&zero_padding, PacketError::Padding { padding: 0, payload: 4 }),
            (&version, PacketError::Version(1)),
            (&rtcp, PacketError::Rtcp(72)),
        ];
        for (bytes, error) in cases {
            assert_eq!(Packet::parse(bytes), Err(error));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER_LENGTH <= bytes.len());
            }
        }

        #[test]
        fn what_was_written_is_read_back(marker: bool, payload_type in 0u8..64, sequence: u16, timestamp: u32, ssrc: u32,
                                         payload in proptest::collection::vec(any::<u8>(), 0..400)) {
            let packet = Packet { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }
}
