//! What the callers' side of a relay sends and receives; the other side is plain A-law.

use auricle_media::audio::resample::Downsampler;
use auricle_media::codec::Encoder;
use auricle_media::codec::g711::{decode_mu, encode_a};
use auricle_media::io::{Codec, Rate};
use auricle_media::rtp::srtp::{MasterKey, Protector, Suite};
use std::net::SocketAddr;
use std::sync::Arc;

/// What one side of all calls speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A-law.
    Plain,
    /// Opus.
    Opus,
    /// A-law under SRTP, with keys from signalling.
    Secure,
}

const SUITE: Suite = Suite::AesCm128Sha80;
const HEADER_BYTES: usize = 12;
/// Every packet of A-law begins with the time of its departure and this: what is concealed is not taken for a packet.
const MARK: [u8; 8] = *b"auricle!";
/// Octets of the time and the mark.
const MARKED_BYTES: usize = 8 + MARK.len();
/// Octets of a packet's A-law, of which eight last a millisecond.
const PLAIN_BYTES: usize = 160;
const US_PER_BYTE: i64 = 125;
/// What can be left over of a mark that is cut in two.
pub const LEFT_OVER_BYTES: usize = MARKED_BYTES - 1;

/// With what callers protect: one key for all, and a source for each.
pub fn callers_key() -> MasterKey {
    MasterKey::new(SUITE, &[0x42; 64]).unwrap()
}

/// The key that a description tells.
pub fn told_key(sdp: &str) -> Option<MasterKey> {
    let (_, rest) = sdp.lines().find(|line| line.starts_with("a=crypto:"))?.split_once("inline:")?;
    MasterKey::of_base64(SUITE, rest.split(['|', ' ', '\r']).next()?)
}

/// A description: what is received where, with keypad events as every phone has them.
pub fn description(side: Side, address: SocketAddr) -> String {
    let (profile, codec, clock) = match side {
        Side::Plain => ("RTP/AVP 8", "8 PCMA/8000", 8_000),
        Side::Opus => ("RTP/AVP 96", "96 opus/48000/2", 48_000),
        Side::Secure => ("RTP/SAVP 8", "8 PCMA/8000", 8_000),
    };
    let key = match side {
        Side::Secure => format!("a=crypto:1 {} inline:{}\r\n", SUITE.name(), *callers_key().to_base64()),
        Side::Plain | Side::Opus => String::new(),
    };
    let (host, port) = (address.ip(), address.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} {profile} 101\r\n\
         a=rtpmap:{codec}\r\na=rtpmap:101 telephone-event/{clock}\r\n{key}a=sendrecv\r\n"
    )
}

/// One leg's packets, one every 20 ms.
pub struct Source {
    side: Side,
    packet: Vec<u8>,
    spoken: Arc<[Vec<u8>]>,
    protector: Option<Protector>,
    number: u32,
}

impl Source {
    /// With a synchronisation source of its own.
    pub fn new(side: Side, ssrc: u32, spoken: &Arc<[Vec<u8>]>) -> Self {
        let mut packet = vec![0; HEADER_BYTES];
        packet[..2].copy_from_slice(&[0x80, if side == Side::Opus { 96 } else { 8 }]);
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let protector = (side == Side::Secure).then(|| Protector::new(&callers_key()));
        Self { side, packet, spoken: Arc::clone(spoken), protector, number: 0 }
    }

    /// The next one: speech with its pauses, each source elsewhere in it.
    pub fn next(&mut self, now_us: u64) -> &[u8] {
        let number = self.number;
        self.number += 1;
        let step = if self.side == Side::Opus { 960 } else { 160 };
        self.packet.truncate(HEADER_BYTES);
        self.packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        self.packet[4..8].copy_from_slice(&number.wrapping_mul(step).to_be_bytes());
        let ssrc = usize::from(self.packet[11]);
        self.packet.extend_from_slice(&self.spoken[(number as usize + ssrc * 7) % self.spoken.len()]);
        if self.side != Side::Opus {
            self.packet[HEADER_BYTES..][..8].copy_from_slice(&now_us.to_be_bytes());
            self.packet[HEADER_BYTES + 8..][..MARK.len()].copy_from_slice(&MARK);
        }
        if let Some(protector) = &mut self.protector {
            protector.rtp(&mut self.packet);
        }
        &self.packet
    }
}

/// Ten seconds of speech as a side sends it, in packets.
pub fn spoken(side: Side) -> Arc<[Vec<u8>]> {
    let samples: Vec<i16> =
        include_bytes!("../../media/fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect();
    if side != Side::Opus {
        let mut narrow = vec![0; samples.len() / 2];
        Downsampler::default().run(&samples, &mut narrow);
        let encode = |frame: &[i16]| frame.iter().map(|sample| encode_a(*sample)).collect();
        return narrow.chunks_exact(PLAIN_BYTES).map(encode).collect();
    }
    let mut encoder = Encoder::new(Codec::Opus);
    let encode = |frame: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    samples.chunks_exact(Rate::Hz16000.frame()).map(encode).collect()
}

/// A packet's payload; none where it carries no audio.
pub fn payload(packet: &[u8]) -> Option<&[u8]> {
    let payload = packet.get(HEADER_BYTES..)?;
    (packet[1] & 0x7f != 101 && packet[1] < 200).then_some(payload)
}

/// When what a side sent left, in microseconds, and how much later than the payload's first sample it is heard. `tail` is what
/// was left over of the payload before: a relay need not cut into the same packets.
pub fn departure_us(tail: &[u8], payload: &[u8]) -> Option<(u64, i64)> {
    let heard = [tail, payload].concat();
    let at = heard.windows(MARKED_BYTES).position(|window| window[8..] == MARK)?;
    let left = heard[at..].first_chunk::<8>()?;
    Some((u64::from_be_bytes(*left), (at as i64 - tail.len() as i64) * US_PER_BYTE))
}
