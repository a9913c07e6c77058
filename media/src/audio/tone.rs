//! Tones that people know: ringing, busy, and the beep after which one speaks.

use std::f32::consts::TAU;

use crate::io::{Pcm, Rate};

/// Amplitude of each of a tone's sines: -19 dBFS, the level of call progress tones beside speech.
const PEAK: f32 = 3_600.0;
/// Fade at both ends of a sound against clicks.
const FADE_MS: usize = 5;

/// A tone of the North American plan (ITU-T E.180 supplement 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// The far end is being called: 440 and 480 Hz, 2 s in 6.
    Ringback,
    /// The far end is busy: 480 and 620 Hz, half a second in one.
    Busy,
    /// Speak now: 1 kHz for 300 ms.
    Beep,
}

impl Tone {
    /// One turn of the tone, its silence included. Repeat it for as long as the tone should last.
    pub fn pcm(self, rate: Rate) -> Pcm {
        let (hertz, sound_ms, silence_ms): (&[f32], usize, usize) = match self {
            Self::Ringback => (&[440.0, 480.0], 2_000, 4_000),
            Self::Busy => (&[480.0, 620.0], 500, 500),
            Self::Beep => (&[1_000.0], 300, 0),
        };
        let per_ms = rate.hz() as usize / 1_000;
        let (sound, fade) = (sound_ms * per_ms, (FADE_MS * per_ms) as f32);
        let sample = |index: usize| {
            if index >= sound {
                return 0;
            }
            let edge = index.min(sound - 1 - index) as f32;
            let wave: f32 = hertz.iter().map(|hz| (hz * TAU * index as f32 / rate.hz() as f32).sin()).sum();
            (wave * PEAK * (edge / fade).min(1.0)) as i16
        };
        Pcm { rate, samples: (0..sound + silence_ms * per_ms).map(sample).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_have_their_cadence_and_no_clicks() {
        for rate in [Rate::Hz8000, Rate::Hz16000] {
            let per_ms = rate.hz() as usize / 1_000;
            for (tone, sound_ms, all_ms) in
                [(Tone::Ringback, 2_000, 6_000), (Tone::Busy, 500, 1_000), (Tone::Beep, 300, 300)]
            {
                let samples = tone.pcm(rate).samples;
                assert_eq!(samples.len(), all_ms * per_ms);
                let last = samples.iter().rposition(|sample| *sample != 0).unwrap_or(0);
                assert!((sound_ms * per_ms - 4..sound_ms * per_ms).contains(&last), "{tone:?} sounds until {last}");
                assert!(samples[0] == 0 && samples[last].unsigned_abs() < 200, "{tone:?} fades");
                let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
                assert!((3_500..=7_200).contains(&peak), "{tone:?}: {peak}");
            }
        }
    }
}
