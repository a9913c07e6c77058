//! Vectors of the RFCs, every suite both ways, and what strangers may try.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// Octets from hexadecimal, with or without blanks.
pub(super) fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn master(suite: Suite, fill: u8) -> MasterKey {
    MasterKey::new(suite, &[fill; SECRET_BYTES_MAX]).unwrap()
}

fn rtp_packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 160]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([sequence as u8; 160]);
    bytes
}

fn protected(protector: &mut Protector, ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut bytes = rtp_packet(ssrc, sequence);
    protector.rtp(&mut bytes);
    bytes
}

const GALLIA: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 \
                      73207472 6573";
const REPORT: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef \
                      deadbeef deadbeef";

fn of_rfc_7714(suite: Suite) -> (Protector, Unprotector) {
    let mut key = [0; 32];
    for (at, octet) in (0..).zip(&mut key) {
        *octet = at;
    }
    let mut salt = [0; 14];
    salt[..12].copy_from_slice(b"Quid pro quo");
    let session = || Session::of_session_keys(suite, &key, &salt);
    let protector = Protector { rtp: session(), rtcp: session(), source: None, rtcp_index: 0x5d3 };
    let unprotector = Unprotector { rtp: session(), rtcp: session(), sources: vec![], rtcp_sources: vec![] };
    (protector, unprotector)
}

/// RFC 7714 sections 16.1, 16.2, 17.1 and 17.2.
#[test]
fn packets_are_those_of_rfc_7714() {
    let table = [
        (
            Suite::AesGcm128,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 \
             86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            Suite::AesGcm256,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f \
             1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 \
             c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ];
    for (suite, sealed_rtp, sealed_rtcp) in table {
        let (mut protector, mut unprotector) = of_rfc_7714(suite);
        let (mut rtp, mut rtcp, mut out) = (octets(GALLIA), octets(REPORT), Vec::new());
        protector.rtp(&mut rtp);
        protector.rtcp(&mut rtcp);
        assert_eq!((rtp.clone(), rtcp.clone()), (octets(sealed_rtp), octets(sealed_rtcp)), "{suite:?}");
        assert_eq!(unprotector.rtp(&rtp, &mut out), Ok(()));
        assert_eq!(out, octets(GALLIA));
        assert_eq!(unprotector.rtcp(&rtcp, &mut out), Ok(()));
        assert_eq!(out, octets(REPORT));
    }
}

/// RFC 7714 section 17.3: signed but not encrypted.
#[test]
fn a_report_that_is_only_signed_is_read() {
    let signed = format!("{REPORT} 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4");
    let (_, mut unprotector) = of_rfc_7714(Suite::AesGcm128);
    let mut out = Vec::new();
    assert_eq!(unprotector.rtcp(&octets(&signed), &mut out), Ok(()));
    assert_eq!(out, octets(REPORT));
}

/// The packets that libsrtp checks itself with, for the keys of RFC 3711 appendix B.3 and RFC 6188 section 7.2.
#[test]
fn packets_are_those_of_libsrtp() {
    let rtp = "800f1234decafbadcafebabeabababababababababababababababab";
    let rtcp = "81c8000bcafebabeabababababababababababababababab";
    let table = [
        (
            Suite::AesCm128Sha80,
            "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
            Some("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"),
        ),
        (
            Suite::AesCm256Sha80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
            "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
            None,
        ),
    ];
    for (suite, secret, sealed_rtp, sealed_rtcp) in table {
        let mut protector = Protector::new(&MasterKey::new(suite, &octets(secret)).unwrap());
        let (mut rtp, mut rtcp) = (octets(rtp), octets(rtcp));
        protector.rtp(&mut rtp);
        protector.rtcp(&mut rtcp);
        assert_eq!(rtp, octets(sealed_rtp), "{suite:?}");
        if let Some(sealed) = sealed_rtcp {
            assert_eq!(rtcp, octets(sealed), "{suite:?}");
        }
    }
}

#[test]
fn every_suite_carries_packets_both_ways_with_the_tags_of_its_rfc() {
    for (suite, tag, rtcp_tag) in [
        (Suite::AesCm128Sha80, 10, 10),
        (Suite::AesCm128Sha32, 4, 10),
        (Suite::AesCm256Sha80, 10, 10),
        (Suite::AesCm256Sha32, 4, 10),
        (Suite::AesGcm128, 16, 16),
        (Suite::AesGcm256, 16, 16),
    ] {
        let (mut protector, mut unprotector) = (Protector::new(&master(suite, 3)), Unprotector::new(&master(suite, 3)));
        let mut out = Vec::new();
        for sequence in 65_500..65_600u32 {
            let plain = rtp_packet(7, sequence as u16);
            let mut bytes = plain.clone();
            protector.rtp(&mut bytes);
            assert_eq!(bytes.len(), plain.len() + tag);
            assert_eq!(bytes[..12], plain[..12], "the header stays readable");
            assert_ne!(bytes[12..172], plain[12..]);
            assert_eq!(unprotector.rtp(&bytes, &mut out), Ok(()), "{suite:?} {sequence}");
            assert_eq!(out, plain);
            let plain = octets(REPORT);
            let mut bytes = plain.clone();
            protector.rtcp(&mut bytes);
            assert_eq!(bytes.len(), plain.len() + 4 + rtcp_tag);
            assert!(bytes.len() <= plain.len() + GROWTH_MAX);
            assert_eq!(unprotector.rtcp(&bytes, &mut out), Ok(()));
            assert_eq!(out, plain);
        }
        let mut other = Unprotector::new(&master(suite, 4));
        assert_eq!(other.rtp(&protected(&mut protector, 7, 100), &mut out), Err(SrtpError::Forged));
        assert!(out.is_empty());
    }
}

/// One bit anywhere, and the packet is not believed, nothing of it is given out, and the real one still is.
#[test]
fn a_changed_packet_is_refused_and_changes_nothing() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = (Protector::new(&master(suite, 3)), Unprotector::new(&master(suite, 3)));
        let (genuine, mut out) = (protected(&mut protector, 7, 10), Vec::new());
        let mut report = octets(REPORT);
        protector.rtcp(&mut report);
        for at in 0..genuine.len() {
            let mut forged = genuine.clone();
            forged[at] ^= 1 << (at % 8);
            assert!(unprotector.rtp(&forged, &mut out).is_err(), "{suite:?} octet {at}");
            assert!(out.is_empty());
        }
        for at in 0..report.len() {
            let mut forged = report.clone();
            forged[at] ^= 1 << (at % 8);
            assert_eq!(unprotector.rtcp(&forged, &mut out), Err(SrtpError::Forged), "{suite:?} octet {at}");
            assert!(out.is_empty());
        }
        assert_eq!(unprotector.rtp(&genuine, &mut out), Ok(()));
        assert_eq!(unprotector.rtcp(&report, &mut out), Ok(()));
    }
}

#[test]
fn a_packet_is_believed_once() {
    let suite = Suite::AesCm128Sha32;
    let (mut protector, mut unprotector) = (Protector::new(&master(suite, 3)), Unprotector::new(&master(suite, 3)));
    let mut out = Vec::new();
    let packets: Vec<_> = (0..200).map(|sequence| protected(&mut protector, 7, sequence)).collect();
    let mut report = octets(REPORT);
    protector.rtcp(&mut report);
    for index in [0, 2, 1, 5, 4, 3, 199] {
        assert_eq!(unprotector.rtp(&packets[index], &mut out), Ok(()));
    }
    for index in [0, 3, 199] {
        let refused = unprotector.rtp(&packets[index], &mut out);
        assert_eq!(refused, Err(SrtpError::Replayed { behind: 199 - index as u64 }));
    }
    assert_eq!(unprotector.rtp(&packets[72], &mut out), Ok(()), "late, but not too late");
    assert_eq!(unprotector.rtp(&packets[70], &mut out), Err(SrtpError::Replayed { behind: 129 }));
    assert_eq!(unprotector.rtcp(&report, &mut out), Ok(()));
    assert_eq!(unprotector.rtcp(&report, &mut out), Err(SrtpError::Replayed { behind: 0 }));
}

/// The roll-over counter survives loss and reordering around the turn, and a re-INVITE with the same key; another key
/// begins at zero.
#[test]
fn the_roll_over_counter_lives_as_long_as_the_key() {
    let suite = Suite::AesCm128Sha80;
    let keys = |send, receive| Keys { send: master(suite, send), receive: master(suite, receive) };
    let (mut here, mut there) = (Srtp::new(keys(1, 2)), Srtp::new(keys(2, 1)));
    let mut out = Vec::new();
    for sequence in [65_000u16, 65_534, 65_535, 2, 1, 20_000, 52_000, 10, 40] {
        // The sender makes them in order; the network changes it.
        let order = here.protector().source.map_or(0, |(_, newest)| newest.get());
        let bytes = protected(here.protector(), 7, sequence);
        assert_eq!(there.unprotector().rtp(&bytes, &mut out), Ok(()), "{sequence} after {order:#x}");
    }
    assert_eq!(here.protector().source.map(|(_, newest)| newest.roll_over()), Some(2));
    here.rekey(keys(1, 9));
    there.rekey(keys(9, 1));
    assert_eq!(there.unprotector().rtp(&protected(here.protector(), 7, 41), &mut out), Ok(()), "counters are kept");
    assert_eq!(there.unprotector().sources[0].1.newest().roll_over(), 2);
    here.rekey(keys(5, 9));
    let early = protected(here.protector(), 7, 42);
    assert_eq!(there.unprotector().rtp(&early, &mut out), Err(SrtpError::Forged), "the new key is not known yet");
    there.rekey(keys(9, 5));
    assert_eq!(there.unprotector().rtp(&early, &mut out), Ok(()));
    assert_eq!(there.unprotector().sources[0].1.newest().roll_over(), 0);
}

#[test]
fn sources_have_counters_of_their_own_and_are_bounded() {
    let suite = Suite::AesGcm128;
    let mut unprotector = Unprotector::new(&master(suite, 3));
    let mut out = Vec::new();
    for ssrc in 0..SOURCES_MAX as u32 {
        assert_eq!(unprotector.rtp(&protected(&mut Protector::new(&master(suite, 3)), ssrc, 9), &mut out), Ok(()));
    }
    let one_more = protected(&mut Protector::new(&master(suite, 3)), 99, 9);
    assert_eq!(unprotector.rtp(&one_more, &mut out), Err(SrtpError::TooManySources));
    assert!(out.is_empty());
    let again = protected(&mut Protector::new(&master(suite, 3)), 0, 10);
    assert_eq!(unprotector.rtp(&again, &mut out), Ok(()), "the first one is still known");
}

#[test]
fn contributing_sources_and_extensions_stay_readable_and_signed() {
    let suite = Suite::AesCm128Sha80;
    let (mut protector, mut unprotector) = (Protector::new(&master(suite, 3)), Unprotector::new(&master(suite, 3)));
    let mut plain = vec![0x92, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    plain.extend([9; 8]);
    plain.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]);
    plain.extend([0xd5; 20]);
    let (mut bytes, mut out) = (plain.clone(), Vec::new());
    protector.rtp(&mut bytes);
    assert_eq!(bytes[..28], plain[..28]);
    assert_ne!(bytes[28..48], plain[28..]);
    assert_eq!(unprotector.rtp(&bytes, &mut out), Ok(()));
    assert_eq!(out, plain);
}

#[test]
fn what_is_too_short_is_refused() {
    let mut unprotector = Unprotector::new(&master(Suite::AesCm128Sha80, 3));
    let mut out = Vec::new();
    for length in 0..22 {
        let refused = unprotector.rtp(&vec![0x80; length], &mut out);
        assert!(matches!(refused, Err(SrtpError::Short { .. })), "{length}: {refused:?}");
        assert!(matches!(unprotector.rtcp(&vec![0x80; length], &mut out), Err(SrtpError::Short { .. })), "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for suite in Suite::ALL {
            let mut unprotector = Unprotector::new(&master(suite, 3));
            let mut out = Vec::new();
            prop_assert!(unprotector.rtp(&bytes, &mut out).is_err() && out.is_empty());
            prop_assert!(unprotector.rtcp(&bytes, &mut out).is_err() && out.is_empty());
        }
    }
}
