//! ITU-T G.722 at 64 kbit/s: two bands of 8 kHz, each coded as the difference from an adaptive prediction (SB-ADPCM).
//!
//! An octet carries two samples: six bits of the low band, two of the high one. The arithmetic is that of the
//! recommendation, bit for bit; names in capitals in comments are its blocks. Encoder and decoder delay by 22 samples
//! together.

/// Taps of the quadrature mirror filter; the other half is the same turned round (G.722 table 11).
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const LINE: usize = MIRROR.len() * 2;

/// Decision levels of the 6-bit quantiser, in units of the scale (table 14).
const LOW_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121, 1_219, 1_339,
    1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// The decision level of the 2-bit quantiser.
const HIGH_LEVEL: i32 = 564;
/// What a 6-bit code means (table 17, RIL6).
const LOW_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9_360,
    -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776, -2_400, -2_032,
    -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576,
    7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040,
    728, 432, 136, -432, -136,
];
/// What its upper four bits mean: the prediction uses no more, so that a decoder of fewer bits predicts the same.
const LOW_4: [i32; 16] =
    [0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0];
const HIGH_2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// How a code moves the logarithm of the scale.
const LOW_ADJUST: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
const HIGH_ADJUST: [i32; 4] = [798, -214, 798, -214];
/// The largest logarithm of a scale.
const LOW_LOG_MAX: i32 = 18_432;
const HIGH_LOG_MAX: i32 = 22_528;
/// Thirty-seconds of an octave above 2048.
const INVERSE_LOG: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834,
    2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// A value, or its opposite where the signs of two others differ.
fn by_sign(value: i32, one: i32, other: i32) -> i32 {
    if (one < 0) == (other < 0) { value } else { -value }
}

/// The adaptive state of a band. Both sides run the same one, driven by the codes alone.
struct Band {
    /// What the next sample is expected to be.
    estimate: i32,
    /// The zero section's share of it.
    zero_estimate: i32,
    scale: i32,
    log_scale: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    reconstructed: i32,
    partial: [i32; 2],
    differences: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            estimate: 0,
            zero_estimate: 0,
            scale,
            log_scale: 0,
            poles: [0; 2],
            zeros: [0; 6],
            reconstructed: 0,
            partial: [0; 2],
            differences: [0; 6],
        }
    }

    fn low() -> Self {
        Self::new(32)
    }

    fn high() -> Self {
        Self::new(8)
    }

    /// The difference that a quantiser's value stands for at the present scale (INVQAL, INVQAH).
    fn difference(&self, value: i32) -> i32 {
        (self.scale * value) >> 15
    }

    /// Takes the code of a low-band sample into account: its upper four bits.
    fn follow_low(&mut self, code: usize) {
        let difference = self.difference(LOW_4[code]);
        self.rescale(LOW_ADJUST[code], LOW_LOG_MAX, 8);
        self.adapt(difference);
    }

    /// Takes the code of a high-band sample into account.
    fn follow_high(&mut self, code: usize) {
        let difference = self.difference(HIGH_2[code]);
        self.rescale(HIGH_ADJUST[code], HIGH_LOG_MAX, 10);
        self.adapt(difference);
    }

    /// LOGSCL and SCALEL, or LOGSCH and SCALEH.
    fn rescale(&mut self, adjustment: i32, log_max: i32, octaves: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + adjustment).clamp(0, log_max);
        let fraction = INVERSE_LOG[(self.log_scale >> 6 & 31) as usize];
        let down = octaves - (self.log_scale >> 11);
        self.scale = if down < 0 { fraction << -down } else { fraction >> down } << 2;
    }

    /// Block 4: both predictors learn from the difference, then predict the next sample.
    fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.zero_estimate + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC.
        let share = |coefficient: i32, value: i32| (coefficient * saturate(value << 1)) >> 15;
        let poles = share(self.poles[0], reconstructed) + share(self.poles[1], self.reconstructed);
        let zeros = self.zeros.iter().zip(&self.differences).map(|(zero, value)| share(*zero, *value)).sum();
        self.reconstructed = reconstructed;
        self.zero_estimate = saturate(zeros);
        self.estimate = saturate(saturate(poles) + self.zero_estimate);
    }

    /// UPPOL2 and UPPOL1.
    fn adapt_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let turned = by_sign(-saturate(first << 2), partial, self.partial[0]).min(32_767) >> 7;
        let pull = by_sign(128, partial, self.partial[1]);
        let second = (turned + pull + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let limit = 15_360 - second;
        let first = by_sign(192, partial, self.partial[0]) + ((first * 32_640) >> 15);
        self.poles = [saturate(first).clamp(-limit, limit), second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            *zero = saturate(by_sign(step, difference, *before) + ((*zero * 32_640) >> 15));
        }
    }
}

/// Both halves of the mirror filter over the line's even and odd places.
fn mirror(line: &[i32; LINE]) -> (i32, i32) {
    let even = line.iter().step_by(2).zip(&MIRROR).map(|(value, tap)| value * tap).sum();
    let odd = line.iter().skip(1).step_by(2).zip(MIRROR.iter().rev()).map(|(value, tap)| value * tap).sum();
    (even, odd)
}

fn push(line: &mut [i32; LINE], pair: [i32; 2]) {
    line.copy_within(2.., 0);
    line[LINE - 2..].copy_from_slice(&pair);
}

/// Samples at 16 kHz to octets.
pub(super) struct Encoder {
    low: Band,
    high: Band,
    line: [i32; LINE],
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::low(), high: Band::high(), line: [0; LINE] }
    }
}

impl Encoder {
    /// The octet of two samples.
    pub(super) fn octet(&mut self, pair: [i16; 2]) -> u8 {
        push(&mut self.line, pair.map(i32::from));
        let (even, odd) = mirror(&self.line);
        let low = quantise_low(saturate(((odd + even) >> 14) - self.low.estimate), self.low.scale);
        self.low.follow_low(usize::from(low >> 2));
        let high = quantise_high(saturate(((odd - even) >> 14) - self.high.estimate), self.high.scale);
        self.high.follow_high(usize::from(high));
        high << 6 | low
    }
}

/// QUANTL: codes count down from the largest magnitude, negative ones from 4 to 31 and then 62 and 63, positive ones
/// from 32 to 61.
fn quantise_low(difference: i32, scale: i32) -> u8 {
    let magnitude = if difference < 0 { !difference } else { difference };
    let level = LOW_LEVELS.iter().take_while(|level| magnitude >= (**level * scale) >> 12).count() as u8;
    match (difference < 0, level) {
        (true, 0 | 1) => 63 - level,
        (true, _) => 33 - level,
        (false, _) => 61 - level,
    }
}

/// QUANTH.
fn quantise_high(difference: i32, scale: i32) -> u8 {
    let magnitude = if difference < 0 { !difference } else { difference };
    let is_small = magnitude < (HIGH_LEVEL * scale) >> 12;
    u8::from(is_small) | u8::from(difference >= 0) << 1
}

/// Octets to samples at 16 kHz.
pub(super) struct Decoder {
    low: Band,
    high: Band,
    line: [i32; LINE],
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::low(), high: Band::high(), line: [0; LINE] }
    }
}

impl Decoder {
    /// The two samples of an octet.
    pub(super) fn pair(&mut self, octet: u8) -> [i16; 2] {
        let (low_code, high_code) = (usize::from(octet & 0x3f), usize::from(octet >> 6));
        // LIMIT: a band has 15 bits.
        let limit = |value: i32| value.clamp(-16_384, 16_383);
        let low = limit(self.low.estimate + self.low.difference(LOW_6[low_code]));
        self.low.follow_low(low_code >> 2);
        let high = limit(self.high.estimate + self.high.difference(HIGH_2[high_code]));
        self.high.follow_high(high_code);
        push(&mut self.line, [low + high, low - high]);
        let (even, odd) = mirror(&self.line);
        [odd, even].map(|sum| saturate(sum >> 11) as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::sample::{Random, speech_wide};

    /// What libspandsp 0.0.6 makes of two seconds of the fixture from 1 s on; FFmpeg 5.1 makes the same.
    const ENCODED: &[u8] = include_bytes!("../../fixtures/speech.g722");
    /// What both decode from the first half of that: 16-bit little-endian samples.
    const DECODED: &[u8] = include_bytes!("../../fixtures/speech-g722.pcm");

    fn encode(samples: &[i16]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        samples.as_chunks().0.iter().map(|pair| encoder.octet(*pair)).collect()
    }

    fn decode(octets: &[u8]) -> Vec<i16> {
        let mut decoder = Decoder::default();
        octets.iter().flat_map(|octet| decoder.pair(*octet)).collect()
    }

    fn fnv(octets: impl IntoIterator<Item = u8>) -> u64 {
        octets
            .into_iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
    }

    /// B-31
    #[test]
    fn speech_is_coded_bit_for_bit_as_others_do() {
        let encoded = encode(&speech_wide()[16_000..48_000]);
        assert_eq!(encoded.iter().zip(ENCODED).position(|(ours, theirs)| ours != theirs), None);
        assert_eq!(encoded.len(), ENCODED.len());
        let decoded = decode(&ENCODED[..8_000]);
        let theirs: Vec<i16> = DECODED.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        assert_eq!(decoded.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs), None);
        assert_eq!(decoded.len(), theirs.len());
    }

    /// What FFmpeg makes of full-scale noise, of the octets of that and of any octets: FNV-1a of the bytes. (libspandsp
    /// encodes the same, but its decoder wraps round in one sample of a thousand where the recommendation limits.)
    const NOISE_ENCODED: u64 = 0x92c9_ae91_b96a_291f;
    const NOISE_DECODED: u64 = 0x42d6_dd10_dd2b_7052;
    const ARBITRARY_DECODED: u64 = 0x4f76_9c4d_ac9a_2255;

    /// B-31: noise at full scale reaches every limit of the arithmetic.
    #[test]
    fn full_scale_noise_is_coded_bit_for_bit_as_another_does() {
        let noise = Random(7).noise(i16::MAX, 32_000);
        let encoded = encode(&noise);
        let decoded = decode(&encoded);
        let random: Vec<u8> = Random(9).noise(127, 16_000).iter().map(|value| (*value & 0xff) as u8).collect();
        let arbitrary = decode(&random);
        let sum = |samples: &[i16]| fnv(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        assert_eq!(
            (fnv(encoded.iter().copied()), sum(&decoded), sum(&arbitrary)),
            (NOISE_ENCODED, NOISE_DECODED, ARBITRARY_DECODED)
        );
    }
}
