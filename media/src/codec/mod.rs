//! Codecs of a leg: one encoder and one decoder with their state, no allocation per packet.

pub mod g711;
mod g722;
mod opus;

use crate::io::{Codec, Rate};

/// The longest packet we decode, in units (eighths of a millisecond): 80 ms. Longer ones are refused by the jitter buffer.
pub const UNITS_MAX: usize = 640;

/// Octets of the longest payload we decode: the longest frame of Opus with its head (RFC 6716 section 3.4).
pub const PAYLOAD_MAX: usize = 1_277;

/// Samples that [`Decoder::decode`] can give at most.
pub const DECODED_MAX: usize = UNITS_MAX * 2;

impl Codec {
    /// Rate of the audio (for G.722 not the RTP clock rate).
    pub fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Hz8000,
            Self::G722 | Self::Opus => Rate::Hz16000,
        }
    }

    /// The static payload type (RFC 3551 section 6); for Opus, which has none, the number under which we offer it.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 96,
        }
    }

    /// Samples of a unit, which is an eighth of a millisecond.
    pub fn samples_per_unit(self) -> usize {
        match self.rate() {
            Rate::Hz8000 => 1,
            Rate::Hz16000 => 2,
        }
    }

    /// How long a payload lasts, in units: an octet is one, but for Opus, which says it itself. `None`: it is no payload of
    /// this codec.
    pub fn units(self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => Some(payload.len()),
            Self::Opus if payload.is_empty() => Some(0),
            Self::Opus => opus::units(payload),
        }
    }
}

/// Turns samples into payloads.
pub struct Encoder(EncoderState);

enum EncoderState {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder at its initial state.
    pub fn new(codec: Codec) -> Self {
        Self(match codec {
            Codec::Pcmu => EncoderState::Pcmu,
            Codec::Pcma => EncoderState::Pcma,
            Codec::G722 => EncoderState::G722(Box::default()),
            Codec::Opus => EncoderState::Opus(opus::Encoder::default()),
        })
    }

    /// Appends the payload for `samples` (an even number of them for G.722, a whole frame for Opus) to `out`.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match &mut self.0 {
            EncoderState::Pcmu => out.extend(samples.iter().map(|sample| g711::encode_mu(*sample))),
            EncoderState::Pcma => out.extend(samples.iter().map(|sample| g711::encode_a(*sample))),
            EncoderState::G722(encoder) => {
                out.extend(samples.as_chunks().0.iter().map(|pair| encoder.octet(*pair)));
            }
            EncoderState::Opus(encoder) => encoder.encode(samples, out),
        }
    }
}

/// Turns payloads into samples.
pub struct Decoder(DecoderState);

enum DecoderState {
    Pcmu,
    Pcma,
    G722(Box<g722::Decoder>),
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder at its initial state.
    pub fn new(codec: Codec) -> Self {
        Self(match codec {
            Codec::Pcmu => DecoderState::Pcmu,
            Codec::Pcma => DecoderState::Pcma,
            Codec::G722 => DecoderState::G722(Box::default()),
            Codec::Opus => DecoderState::Opus(opus::Decoder::default()),
        })
    }

    /// Decodes a payload into the front of `out` and says how many samples it gave. What exceeds `out` is not decoded; what is
    /// no payload of the codec gives none.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.0 {
            DecoderState::Pcmu => decode_with(g711::decode_mu, payload, out),
            DecoderState::Pcma => decode_with(g711::decode_a, payload, out),
            DecoderState::G722(decoder) => {
                let pairs = out.as_chunks_mut().0;
                let count = pairs.len().min(payload.len());
                for (pair, octet) in pairs.iter_mut().zip(payload) {
                    *pair = decoder.pair(*octet);
                }
                count * 2
            }
            DecoderState::Opus(decoder) => decoder.decode(payload, out),
        }
    }

    /// Fills `out` with the lost frame that comes before the payload `next`, where the codec can: says how many samples, and
    /// whether they are what was said, which `next` repeats, and not merely likely. Call it before `next` is decoded.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> Option<(usize, bool)> {
        match &mut self.0 {
            DecoderState::Opus(decoder) => Some(decoder.recover(next, out)),
            DecoderState::Pcmu | DecoderState::Pcma | DecoderState::G722(_) => None,
        }
    }
}

fn decode_with(decode: fn(u8) -> i16, payload: &[u8], out: &mut [i16]) -> usize {
    for (sample, octet) in out.iter_mut().zip(payload) {
        *sample = decode(*octet);
    }
    payload.len().min(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::sample::{Random, speech_narrow, speech_wide, tone};
    use proptest::prelude::*;

    fn through(codec: Codec, samples: &[i16]) -> Vec<i16> {
        let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
        let mut all = Vec::new();
        let (mut payload, mut out) = (Vec::new(), [0; DECODED_MAX]);
        for frame in samples.chunks_exact(codec.rate().frame()) {
            payload.clear();
            encoder.encode(frame, &mut payload);
            assert_eq!(codec.units(&payload), Some(160), "20 ms");
            let count = decoder.decode(&payload, &mut out);
            all.extend_from_slice(&out[..count]);
        }
        all
    }

    /// Signal to noise in decibels, at the delay where the two are most alike.
    fn snr(sent: &[i16], heard: &[i16]) -> (usize, f64) {
        let power =
            |samples: &mut dyn Iterator<Item = f64>| samples.map(|sample| sample * sample).sum::<f64>().max(1.0);
        (0..160)
            .map(|delay| {
                let signal = power(&mut sent.iter().map(|sample| f64::from(*sample)));
                let noise = power(
                    &mut sent
                        .iter()
                        .zip(heard.get(delay..).unwrap_or_default())
                        .map(|(sent, heard)| f64::from(*sent) - f64::from(*heard)),
                );
                (delay, 10.0 * (signal / noise).log10())
            })
            .fold((0, f64::MIN), |best, next| if next.1 > best.1 { next } else { best })
    }

    #[test]
    fn speech_survives_every_codec() {
        for (codec, samples, least) in [
            (Codec::Pcmu, speech_narrow(), 35.0),
            (Codec::Pcma, speech_narrow(), 35.0),
            (Codec::G722, speech_wide(), 20.0),
            (Codec::Opus, speech_wide(), 6.0),
        ] {
            let (_, snr) = snr(&samples, &through(codec, &samples));
            assert!(snr > least, "{codec:?}: {snr:.1} dB");
        }
    }

    #[test]
    fn g722_carries_both_bands_22_samples_late() {
        for (hz, least) in [(400.0, 30.0), (2_500.0, 22.0), (6_000.0, 12.0)] {
            let samples = tone(hz, 8_000.0, 16_000.0, 0, 16_000);
            let (_, snr) = snr(&samples[..15_000], &through(Codec::G722, &samples));
            assert!(snr > least, "{hz} Hz: {snr:.1} dB");
        }
        let noise = Random(3).noise(8_000, 3_200);
        assert_eq!(snr(&noise[..3_000], &through(Codec::G722, &noise)).0, 22);
    }

    #[test]
    fn silence_is_the_codes_that_trunks_expect() {
        for (codec, code) in [(Codec::Pcmu, 0xff), (Codec::Pcma, 0xd5)] {
            let mut payload = Vec::new();
            Encoder::new(codec).encode(&[0; 160], &mut payload);
            assert_eq!(payload, [code; 160]);
        }
    }

    proptest! {
        #[test]
        fn any_payload_decodes(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..UNITS_MAX + 9), 0..8)) {
            for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
                let mut decoder = Decoder::new(codec);
                let mut out = [0; DECODED_MAX];
                for payload in &payloads {
                    if let Some((count, _)) = decoder.recover(payload, &mut out[..320]) {
                        prop_assert!(count <= 320);
                    }
                    let count = decoder.decode(payload, &mut out);
                    let whole = codec.units(payload).unwrap_or(0) * codec.samples_per_unit();
                    match codec {
                        // A packet that claims a length may still hold nothing that can be decoded.
                        Codec::Opus => prop_assert!(count == 0 || count == whole, "{} of {}", count, whole),
                        _ => prop_assert_eq!(count, whole.min(DECODED_MAX)),
                    }
                }
            }
        }

        #[test]
        fn any_samples_encode(samples in proptest::collection::vec(any::<i16>(), 320)) {
            for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
                let mut payload = Vec::new();
                Encoder::new(codec).encode(&samples, &mut payload);
                prop_assert_eq!(codec.units(&payload), Some(320 / codec.samples_per_unit()));
            }
        }
    }
}
