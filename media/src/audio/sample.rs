//! Audio for tests: recorded speech, tones, and seeded randomness.

use std::f32::consts::TAU;

use crate::codec::g711::decode_mu;

use super::resample::Downsampler;

/// Ten seconds at 16 kHz, synthesised: a woman from 0.7 to 5.2 s ("Good morning. Yes, I would like to book an appointment
/// for tomorrow, please."), a man from 5.5 to 9.3 s ("No. My number is five five five, oh one two seven.").
pub(crate) fn speech_wide() -> Vec<i16> {
    include_bytes!("../../fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect()
}

/// The same at 8 kHz.
pub(crate) fn speech_narrow() -> Vec<i16> {
    let wide = speech_wide();
    let mut narrow = vec![0; wide.len() / 2];
    Downsampler::default().run(&wide, &mut narrow);
    narrow
}

/// A sine from sample `from` on, so that a tone can be made in parts.
pub(crate) fn tone(hz: f32, peak: f32, rate: f32, from: usize, count: usize) -> Vec<i16> {
    let cycles = f64::from(hz) / f64::from(rate);
    (from..from + count).map(|index| (((index as f64 * cycles).fract() as f32 * TAU).sin() * peak) as i16).collect()
}

/// A small generator, so that what a test draws is the same on every machine.
pub(crate) struct Random(pub u64);

impl Random {
    /// A number under `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// White noise.
    pub(crate) fn noise(&mut self, peak: i16, count: usize) -> Vec<i16> {
        (0..count)
            .map(|_| (self.below(u64::from(peak.unsigned_abs()) * 2 + 1) as i64 - i64::from(peak)) as i16)
            .collect()
    }
}
