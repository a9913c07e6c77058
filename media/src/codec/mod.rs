//! Codecs of a leg: one encoder and one decoder with their state, no allocation per packet.

pub mod g711;

use audio_codec::{
    Decoder as _, Encoder as _,
    g722::{G722Decoder, G722Encoder},
};

use crate::io::{Codec, Rate};

/// Octets of the longest payload we decode: 80 ms. Longer packets are refused by the jitter buffer.
pub const PAYLOAD_MAX: usize = 640;

/// Samples that [`Decoder::decode`] can give at most.
pub const DECODED_MAX: usize = PAYLOAD_MAX * 2;

impl Codec {
    /// Rate of the audio (for G.722 not the RTP clock rate).
    pub fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Hz8000,
            Self::G722 => Rate::Hz16000,
        }
    }

    /// The static payload type (RFC 3551 section 6).
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// Samples that one octet carries: one of G.711, two of G.722. RTP units are octets for all three.
    pub fn samples_per_octet(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 1,
            Self::G722 => 2,
        }
    }
}

/// Turns samples into payloads.
pub struct Encoder(EncoderState);

enum EncoderState {
    Pcmu,
    Pcma,
    G722(Box<G722Encoder>),
}

impl Encoder {
    /// An encoder at its initial state.
    pub fn new(codec: Codec) -> Self {
        Self(match codec {
            Codec::Pcmu => EncoderState::Pcmu,
            Codec::Pcma => EncoderState::Pcma,
            Codec::G722 => EncoderState::G722(Box::default()),
        })
    }

    /// Appends the payload for `samples` (an even number of them for G.722) to `out`.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match &mut self.0 {
            EncoderState::Pcmu => out.extend(samples.iter().map(|sample| g711::encode_mu(*sample))),
            EncoderState::Pcma => out.extend(samples.iter().map(|sample| g711::encode_a(*sample))),
            EncoderState::G722(encoder) => {
                let start = out.len();
                out.resize(start + samples.len() / 2, 0);
                // The buffer holds exactly one octet for each pair of samples, so the encoder cannot run out of room.
                let written = encoder.encode_into(samples, &mut out[start..]).unwrap_or(0);
                out.truncate(start + written);
            }
        }
    }
}

/// Turns payloads into samples.
pub struct Decoder(DecoderState);

enum DecoderState {
    Pcmu,
    Pcma,
    G722(Box<G722Decoder>),
}

impl Decoder {
    /// A decoder at its initial state.
    pub fn new(codec: Codec) -> Self {
        Self(match codec {
            Codec::Pcmu => DecoderState::Pcmu,
            Codec::Pcma => DecoderState::Pcma,
            Codec::G722 => DecoderState::G722(Box::default()),
        })
    }

    /// Decodes a payload into the front of `out` and says how many samples it gave. What exceeds `out` is not decoded.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.0 {
            DecoderState::Pcmu => decode_with(g711::decode_mu, payload, out),
            DecoderState::Pcma => decode_with(g711::decode_a, payload, out),
            DecoderState::G722(decoder) => {
                let payload = &payload[..payload.len().min(out.len() / 2)];
                decoder.decode_into(payload, out).unwrap_or(0)
            }
        }
    }
}

fn decode_with(decode: fn(u8) -> i16, payload: &[u8], out: &mut [i16]) -> usize {
    for (sample, octet) in out.iter_mut().zip(payload) {
        *sample = decode(*octet);
    }
    payload.len().min(out.len())
}
