//! Tones that people know: ringing, busy, congestion, and the beep after which one speaks.

use std::f32::consts::TAU;

use crate::io::{Pcm, Rate};

/// Amplitude of each of a tone's sines: -19 dBFS, the level of call progress tones beside speech.
const PEAK: f32 = 3_600.0;
/// Amplitude of each of a key's two sines: -10 dBFS, as telephones send them.
const KEY_PEAK: f32 = 10_000.0;
/// Fade at both ends of a sound against clicks.
const FADE_MS: usize = 5;

/// A tone of the North American plan (ITU-T E.180 supplement 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// The far end is being called: 440 and 480 Hz, 2 s in 6.
    Ringback,
    /// The far end is busy: 480 and 620 Hz, half a second in one.
    Busy,
    /// No way is free: 480 and 620 Hz, a quarter of a second in half a one.
    Congestion,
    /// Speak now: 1 kHz for 300 ms.
    Beep,
}

impl Tone {
    /// One turn of the tone, its silence included. Repeat it for as long as the tone should last.
    pub fn pcm(self, rate: Rate) -> Pcm {
        let (hertz, sound_ms, silence_ms): (&[f32], usize, usize) = match self {
            Self::Ringback => (&[440.0, 480.0], 2_000, 4_000),
            Self::Busy => (&[480.0, 620.0], 500, 500),
            Self::Congestion => (&[480.0, 620.0], 250, 250),
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

/// How long a key sounds, and the pause after it (ITU-T Q.24 has 40 ms of each as the least that must be heard).
const KEY_MS: usize = 100;
const KEY_PAUSE_MS: usize = 80;

/// Keys pressed one after the other, as tones (ITU-T Q.23): for far ends that are told digits in no other way. What is no key is
/// left out.
pub fn keys(digits: &str, rate: Rate) -> Pcm {
    const ROWS: [(&str, f32); 4] = [("123A", 697.0), ("456B", 770.0), ("789C", 852.0), ("*0#D", 941.0)];
    const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let hertz = |digit: char| ROWS.iter().find_map(|(row, low)| row.find(digit).map(|column| [*low, COLUMNS[column]]));
    let per_ms = rate.hz() as usize / 1_000;
    let (sound, fade) = (KEY_MS * per_ms, (FADE_MS * per_ms) as f32);
    let sample = |pair: [f32; 2], index: usize| {
        if index >= sound {
            // Not quite silent: of silence nothing is sent over carriers' sockets, and the pause must not shrink.
            return if index.is_multiple_of(2) { 8 } else { -8 };
        }
        let edge = index.min(sound - 1 - index) as f32;
        let wave: f32 = pair.iter().map(|hz| (hz * TAU * index as f32 / rate.hz() as f32).sin()).sum();
        (wave * KEY_PEAK * (edge / fade).min(1.0)) as i16
    };
    let pressed = digits.chars().filter_map(hertz);
    Pcm {
        rate,
        samples: pressed
            .flat_map(|pair| (0..sound + KEY_PAUSE_MS * per_ms).map(move |index| sample(pair, index)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_have_their_cadence_and_no_clicks() {
        for rate in [Rate::Hz8000, Rate::Hz16000] {
            let per_ms = rate.hz() as usize / 1_000;
            for (tone, sound_ms, all_ms) in [
                (Tone::Ringback, 2_000, 6_000),
                (Tone::Busy, 500, 1_000),
                (Tone::Congestion, 250, 500),
                (Tone::Beep, 300, 300),
            ] {
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

    #[test]
    fn keys_are_the_tones_that_are_recognised() {
        let pcm = keys("1x#", Rate::Hz8000);
        assert_eq!(pcm.samples.len(), 2 * 180 * 8, "what is no key is left out");
        let strength = |from: usize, hertz: f32| {
            let part = &pcm.samples[from..from + 800];
            let sum = |wave: fn(f32) -> f32| {
                let term =
                    |(index, sample): (usize, &i16)| f32::from(*sample) * wave(hertz * TAU * index as f32 / 8_000.0);
                part.iter().enumerate().map(term).sum::<f32>() / 800.0
            };
            sum(f32::sin).hypot(sum(f32::cos))
        };
        for (from, present, absent) in
            [(0, [697.0, 1_209.0], [941.0, 1_477.0]), (1_440, [941.0, 1_477.0], [697.0, 1_209.0])]
        {
            assert!(present.iter().all(|hertz| strength(from, *hertz) > 3_000.0));
            assert!(absent.iter().all(|hertz| strength(from, *hertz) < 300.0));
        }
    }
}
