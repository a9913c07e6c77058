//! Packets under a key: what was not made with it is never believed, what was is believed once. The first octet chooses the
//! suite. Kinds of step: 0 bytes as SRTP, 1 bytes as SRTCP, 2 a good packet around the bytes, 3 a good report, 4 a good packet
//! with one bit changed, 5 a good report with one bit changed (argument: where).

use std::collections::HashSet;

use auricle_media::rtp::packet::Packet;
use auricle_media::rtp::srtp::{MasterKey, Protector, SrtpError, Suite, Unprotector};

use super::Seen;
use super::steps::{Step, steps};

const SUITES: [Suite; 6] = [
    Suite::AesCm128Sha80,
    Suite::AesCm128Sha32,
    Suite::AesCm256Sha80,
    Suite::AesCm256Sha32,
    Suite::AesGcm128,
    Suite::AesGcm256,
];
/// Longest payload that is protected.
const PAYLOAD_MAX: usize = 640;

struct World {
    ours: Protector,
    theirs: Unprotector,
    sequence: u16,
    /// What was made with the key.
    made: HashSet<Vec<u8>>,
    out: Vec<u8>,
    seen: Seen,
}

pub fn run(bytes: &[u8]) -> u64 {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let key = MasterKey::new(SUITES[usize::from(*first) % SUITES.len()], &[0x5a; 64]).expect("64 octets suffice");
    let mut world = World {
        ours: Protector::new(&key),
        theirs: Unprotector::new(&key),
        sequence: 65_530,
        made: HashSet::new(),
        out: Vec::new(),
        seen: Seen::default(),
    };
    steps(rest).for_each(|step| world.step(step));
    world.seen.number()
}

impl World {
    fn step(&mut self, Step { kind, argument, bytes }: Step<'_>) {
        match kind % 6 {
            0 => self.foreign(bytes, true),
            1 => self.foreign(bytes, false),
            kind @ (2 | 4) => {
                let plain = self.packet(bytes);
                let mut sealed = plain.clone();
                self.ours.rtp(&mut sealed);
                self.give(&plain, sealed, (kind == 4).then_some(argument), true);
            }
            kind => {
                let plain = [&[0x80, 201, 0, 1, 0, 0, 0, 7], &bytes[..bytes.len().min(PAYLOAD_MAX)]].concat();
                let mut sealed = plain.clone();
                self.ours.rtcp(&mut sealed);
                self.give(&plain, sealed, (kind == 5).then_some(argument), false);
            }
        }
    }

    fn packet(&mut self, bytes: &[u8]) -> Vec<u8> {
        let payload = &bytes[..bytes.len().min(PAYLOAD_MAX)];
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = Vec::new();
        Packet { marker: false, payload_type: 0, sequence: self.sequence, timestamp: 1, ssrc: 7, payload }
            .write(&mut packet);
        packet
    }

    fn open(&mut self, bytes: &[u8], rtp: bool) -> Result<(), SrtpError> {
        let opened = if rtp { self.theirs.rtp(bytes, &mut self.out) } else { self.theirs.rtcp(bytes, &mut self.out) };
        assert!(opened.is_ok() || self.out.is_empty(), "something of a forgery is left");
        assert!(self.out.len() <= bytes.len());
        opened
    }

    fn foreign(&mut self, bytes: &[u8], rtp: bool) {
        let opened = self.open(bytes, rtp);
        assert!(opened.is_err() || self.made.contains(bytes), "a forgery is believed");
        self.seen.note(opened.map_err(|why| std::mem::discriminant(&why)));
    }

    fn give(&mut self, plain: &[u8], mut sealed: Vec<u8>, changed: Option<u8>, rtp: bool) {
        if let Some(argument) = changed {
            let bit = usize::from(argument) * 7 % (sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            return self.foreign(&sealed, rtp);
        }
        self.made.insert(sealed.clone());
        assert_eq!(self.open(&sealed, rtp), Ok(()), "our own");
        assert_eq!(self.out, plain);
        assert!(matches!(self.open(&sealed, rtp), Err(SrtpError::Replayed { .. })), "twice");
    }
}
