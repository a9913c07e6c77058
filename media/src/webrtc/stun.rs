//! Reading of a STUN message (RFC 8489) just as far as it takes to find whom it is for. Whether it is true, str0m judges.

/// Every STUN message has it (RFC 8489 section 5).
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_LENGTH: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const USE_CANDIDATE: u16 = 0x0025;
/// The FINGERPRINT attribute: its head, and what its checksum is mixed with (RFC 8489 section 14.7).
const FINGERPRINT_HEAD: [u8; 4] = [0x80, 0x28, 0, 4];
const FINGERPRINT_MIX: u32 = 0x5354_554e;
/// Attributes read at most; the name comes among the first.
const ATTRIBUTES_MAX: usize = 16;

/// Whether a datagram is STUN (RFC 7983 section 7 and RFC 8489 section 5).
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_LENGTH && bytes[0] < 4 && bytes[4..8] == MAGIC
}

/// Whether a message ends with the right fingerprint, as every one of ICE must (RFC 8445 section 7): it is as it was sent. Only
/// what stands before the fingerprint is covered by the password, so without this a damaged message could count as the browser's.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    let Some((message, checksum)) = bytes.split_last_chunk::<4>() else { return false };
    let Some((covered, head)) = message.split_last_chunk::<4>() else { return false };
    is_stun(bytes)
        && usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) == bytes.len() - HEADER_LENGTH
        && *head == FINGERPRINT_HEAD
        && crc32fast::hash(covered) ^ FINGERPRINT_MIX == u32::from_be_bytes(*checksum)
}

/// Whose binding request it is: the part of its user name that is the receiver's (RFC 8445 section 7.2.2).
pub(crate) fn addressee(bytes: &[u8]) -> Option<&str> {
    let (_, name) = attributes(bytes).find(|(kind, _)| *kind == USERNAME)?;
    Some(std::str::from_utf8(name).ok()?.split_once(':')?.0)
}

/// Whether a binding request says that audio goes its way (RFC 8445 section 8.1.1).
pub(crate) fn wants_audio(bytes: &[u8]) -> bool {
    attributes(bytes).any(|(kind, _)| kind == USE_CANDIDATE)
}

/// The attributes of a binding request, up to one that is cut short; none of anything else.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let is_request = is_stun(bytes) && u16::from_be_bytes([bytes[0], bytes[1]]) == BINDING_REQUEST;
    let mut rest = if is_request { &bytes[HEADER_LENGTH..] } else { &[] };
    std::iter::from_fn(move || {
        let (head, body) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = body.get(..length)?;
        rest = body.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([head[0], head[1]]), value))
    })
    .take(ATTRIBUTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(MAGIC);
        bytes.extend([7; 12]);
        for (attribute, value) in attributes {
            bytes.extend(attribute.to_be_bytes());
            bytes.extend((value.len() as u16).to_be_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_addressee_is_the_first_half_of_the_name() {
        let cases: [(Vec<u8>, Option<&str>); 7] = [
            (request(1, &[(6, b"ours:theirs")]), Some("ours")),
            (request(1, &[(0x24, &[0; 4]), (0x8029, &[0; 8]), (6, b"abc:x")]), Some("abc")),
            (request(1, &[(0x24, &[0; 4])]), None),
            (request(0x0101, &[(6, b"ours:theirs")]), None),
            (request(1, &[(6, b"nocolon")]), None),
            (request(1, &[(6, &[0xff, 0xfe, b':'])]), None),
            (vec![22; 40], None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(addressee(&bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_request_may_ask_for_audio() {
        assert!(wants_audio(&request(1, &[(6, b"a:b"), (0x25, &[])])));
        assert!(!wants_audio(&request(1, &[(6, b"a:b"), (0x24, &[0; 4])])));
        assert!(!wants_audio(&request(0x0101, &[(0x25, &[])])));
        assert!(!wants_audio(SAMPLE));
    }

    /// The sample request of RFC 5769 section 2.1, octet for octet.
    const SAMPLE: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09evtj:h6vY\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\
        \xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";

    #[test]
    fn a_message_is_whole_as_it_was_sent_and_in_no_other_form() {
        assert!(is_whole(SAMPLE));
        for at in 0..SAMPLE.len() {
            let mut damaged = SAMPLE.to_vec();
            damaged[at] ^= 1;
            assert!(!is_whole(&damaged), "octet {at}");
            assert!(!is_whole(&SAMPLE[..at]), "cut at {at}");
        }
        assert!(!is_whole(&[SAMPLE, &[0; 4]].concat()), "with more behind it");
    }

    #[test]
    fn what_is_cut_short_names_nobody() {
        let whole = request(1, &[(0x24, &[0; 4]), (6, b"ours:theirs")]);
        for length in 0..whole.len() - 1 {
            assert_eq!(addressee(&whole[..length]), None, "{length} octets");
        }
        let many: Vec<(u16, &[u8])> = (0..ATTRIBUTES_MAX).map(|_| (0x24, &[][..])).chain([(6, &b"a:b"[..])]).collect();
        assert_eq!(addressee(&request(1, &many)), None, "behind too many others");
    }
}
