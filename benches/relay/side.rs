//! What the callers' side of a relay sends and receives; the other side is plain A-law.

use auricle_media::codec::Encoder;
use auricle_media::codec::g711::decode_mu;
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
/// After the time of its departure every packet of A-law holds this: what is concealed or shifted is not taken for a packet.
const MARK: [u8; 8] = *b"auricle!";
/// Octets of a packet of A-law.
const PLAIN_BYTES: usize = 172;

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

    /// The next one. A-law carries the time, the mark, and something that is no silence.
    pub fn next(&mut self, now_us: u64) -> &[u8] {
        let number = self.number;
        self.number += 1;
        let step = if self.side == Side::Opus { 960 } else { 160 };
        self.packet.truncate(HEADER_BYTES);
        self.packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        self.packet[4..8].copy_from_slice(&number.wrapping_mul(step).to_be_bytes());
        if self.side == Side::Opus {
            let ssrc = usize::from(self.packet[11]);
            self.packet.extend_from_slice(&self.spoken[(number as usize + ssrc * 7) % self.spoken.len()]);
        } else {
            self.packet.extend_from_slice(&now_us.to_be_bytes());
            self.packet.extend_from_slice(&MARK);
            self.packet.extend((HEADER_BYTES + 16..PLAIN_BYTES).map(|at| (at * 31 % 251) as u8));
        }
        if let Some(protector) = &mut self.protector {
            protector.rtp(&mut self.packet);
        }
        &self.packet
    }
}

/// Ten seconds of speech as Opus.
pub fn spoken() -> Arc<[Vec<u8>]> {
    let samples: Vec<i16> =
        include_bytes!("../../media/fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect();
    let mut encoder = Encoder::new(Codec::Opus);
    let encode = |frame: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    samples.chunks_exact(Rate::Hz16000.frame()).map(encode).collect()
}

/// When a packet left that came out of the relay as it went in; zero for another one that carries a frame. None: no audio.
pub fn departure_us(packet: &[u8], side: Side) -> Option<u64> {
    let payload = packet.get(HEADER_BYTES..)?;
    if packet[1] & 0x7f == 101 || packet[1] >= 200 {
        return None;
    }
    if side == Side::Opus {
        return Some(0);
    }
    let mut left = [0; 8];
    left.copy_from_slice(payload.get(..8)?);
    let is_whole = packet.len() == PLAIN_BYTES && payload[8..16] == MARK;
    Some(if is_whole { u64::from_be_bytes(left) } else { 0 })
}
