//! Keypad digits heard in the audio itself (ITU-T Q.23, Q.24), for far ends that send no events.
//!
//! Speech is full of tones. So a digit must hold for three looks of 20 ms, 10 ms apart; hold most of the energy; have one
//! clear tone in each group, in balance; and no overtones, which voices always have.

use std::f32::consts::TAU;

use crate::io::Rate;

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Looks in a row that make a press: tones of 50 ms are always found.
const LOOKS: u8 = 3;
/// Looks in a row without the tone that release the key.
const GONE: u8 = 3;
/// Mean energy of a sample below which nothing is looked for: -40 dBFS.
const ENERGY_MIN: f32 = 107_000.0;
/// Share of the energy that the two tones must hold. Tones 1.5 % off, as Q.24 allows, still do.
const PURITY: f32 = 0.55;
/// The strongest tone of a group over the next one: 6 dB.
const CLEAR: f32 = 4.0;
/// The column over the row at most 6 dB, the row over the column at most 10 dB.
const COLUMN_OVER: f32 = 4.0;
const ROW_OVER: f32 = 10.0;
/// Second harmonic of the column under its tone: 13 dB. That of the row lies too near to the columns to be looked at.
const OVERTONE: f32 = 0.05;

/// Energies of frequencies in a block, in units of the sum of squares. Each sample needs the one before: several frequencies
/// side by side take no longer than one.
fn energies<const N: usize>(samples: &[f32], cycles_per_sample: [f32; N]) -> [f32; N] {
    let coefficients = cycles_per_sample.map(|cycles| 2.0 * (TAU * cycles).cos());
    let (mut last, mut before) = ([0.0f32; N], [0.0f32; N]);
    for sample in samples {
        let mut next = [0.0; N];
        for at in 0..N {
            next[at] = sample + coefficients[at] * last[at] - before[at];
        }
        (before, last) = (last, next);
    }
    std::array::from_fn(|at| {
        let power = last[at] * last[at] + before[at] * before[at] - coefficients[at] * last[at] * before[at];
        power * 2.0 / samples.len() as f32
    })
}

/// Listens for digits in one stream.
#[derive(Debug)]
pub struct KeyTones {
    hz: f32,
    block: Vec<f32>,
    filled: usize,
    candidate: Option<char>,
    looks: u8,
    held: Option<char>,
    gone: u8,
}

impl KeyTones {
    /// Nothing heard yet.
    pub fn new(rate: Rate) -> Self {
        Self {
            hz: rate.hz() as f32,
            block: vec![0.0; rate.frame()],
            filled: 0,
            candidate: None,
            looks: 0,
            held: None,
            gone: 0,
        }
    }

    /// Takes samples and tells each press once.
    pub fn run(&mut self, samples: &[i16], mut tell: impl FnMut(char)) {
        for sample in samples {
            self.block[self.filled] = f32::from(*sample);
            self.filled += 1;
            if self.filled == self.block.len() {
                let key = self.look();
                if let Some(digit) = self.decide(key) {
                    tell(digit);
                }
                let half = self.block.len() / 2;
                self.block.copy_within(half.., 0);
                self.filled = half;
            }
        }
    }

    fn decide(&mut self, key: Option<char>) -> Option<char> {
        if let Some(held) = self.held {
            self.gone = if key == Some(held) { 0 } else { self.gone + 1 };
            if self.gone < GONE {
                return None;
            }
            self.held = None;
        }
        self.looks = if key.is_some() && key == self.candidate { self.looks + 1 } else { u8::from(key.is_some()) };
        self.candidate = key;
        if self.looks < LOOKS {
            return None;
        }
        self.held = key;
        self.gone = 0;
        self.looks = 0;
        key
    }

    /// The key whose tones the block holds.
    fn look(&self) -> Option<char> {
        let total: f32 = self.block.iter().map(|sample| sample * sample).sum();
        if total < ENERGY_MIN * self.block.len() as f32 {
            return None;
        }
        let (row, low) = self.strongest(ROWS)?;
        let (column, high) = self.strongest(COLUMNS)?;
        let balanced = high < low * COLUMN_OVER && low < high * ROW_OVER;
        if !balanced || low + high < total * PURITY {
            return None;
        }
        let [overtone] = energies(&self.block, [2.0 * COLUMNS[column] / self.hz]);
        (overtone < high * OVERTONE).then(|| KEYS[row][column])
    }

    /// The one clear tone of a group.
    fn strongest(&self, group: [f32; 4]) -> Option<(usize, f32)> {
        let energies = energies(&self.block, group.map(|hz| hz / self.hz));
        let (best, strongest) = energies.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let clear = energies.iter().enumerate().all(|(index, other)| index == best || other * CLEAR < strongest);
        clear.then_some((best, strongest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::mix;
    use crate::audio::sample::{Random, speech_narrow, speech_wide, tone};

    const NARROW: f32 = 8_000.0;

    /// A key's two tones, detuned, with the column stronger than the row by `twist_db`.
    fn key(row: f32, column: f32, detune: f32, twist_db: f32, ms: usize) -> Vec<i16> {
        let up = 10f32.powf(twist_db / 20.0);
        let mut samples = tone(row * detune, 4_000.0, NARROW, 0, ms * 8);
        mix(&tone(column * detune, 4_000.0 * up, NARROW, 0, ms * 8), &mut samples);
        samples
    }

    fn heard(samples: &[i16], rate: Rate) -> String {
        let mut tones = KeyTones::new(rate);
        let mut digits = String::new();
        for frame in samples.chunks(rate.frame()) {
            tones.run(frame, |digit| digits.push(digit));
        }
        digits
    }

    fn dialled(ms: usize, pause_ms: usize, detune: f32, twist_db: f32) -> String {
        let mut samples = vec![0; 333];
        for row in ROWS {
            for column in COLUMNS {
                samples.extend(key(row, column, detune, twist_db, ms));
                samples.extend(vec![0; pause_ms * 8]);
            }
        }
        heard(&samples, Rate::Hz8000)
    }

    #[test]
    fn every_key_is_heard_once() {
        const ALL: &str = "123A456B789C*0#D";
        assert_eq!(dialled(100, 80, 1.0, 0.0), ALL);
        assert_eq!(dialled(50, 50, 1.0, 0.0), ALL, "50 ms is enough");
        assert_eq!(dialled(100, 80, 1.015, 0.0), ALL, "1.5 % sharp");
        assert_eq!(dialled(100, 80, 0.985, 0.0), ALL, "1.5 % flat");
        assert_eq!(dialled(100, 80, 1.0, 4.0), ALL, "column 4 dB over row");
        assert_eq!(dialled(100, 80, 1.0, -8.0), ALL, "row 8 dB over column");
    }

    #[test]
    fn what_is_no_key_press_is_not_heard() {
        assert_eq!(dialled(20, 80, 1.0, 0.0), "", "too short");
        assert_eq!(dialled(100, 80, 1.0, 9.0), "", "column far too strong");
        assert_eq!(dialled(100, 80, 1.0, -14.0), "", "row far too strong");
        let mut three = key(770.0, 1_336.0, 1.0, 0.0, 200);
        mix(&tone(1_477.0, 3_500.0, NARROW, 0, 1_600), &mut three);
        assert_eq!(heard(&three, Rate::Hz8000), "", "three tones");
        let mut overtone = key(770.0, 1_336.0, 1.0, 0.0, 200);
        mix(&tone(2_672.0, 1_500.0, NARROW, 0, 1_600), &mut overtone);
        assert_eq!(heard(&overtone, Rate::Hz8000), "", "a voice has overtones");
        assert_eq!(heard(&Random(5).noise(9_000, 80_000), Rate::Hz8000), "");
    }

    #[test]
    fn a_key_is_heard_through_line_noise_and_held_only_once() {
        let mut samples = key(941.0, 1_209.0, 1.0, 0.0, 3_000);
        let mut random = Random(11);
        mix(&random.noise(800, samples.len()), &mut samples);
        assert_eq!(heard(&samples, Rate::Hz8000), "*");
    }

    #[test]
    fn people_press_no_keys_by_speaking() {
        assert_eq!(heard(&speech_narrow(), Rate::Hz8000), "");
        assert_eq!(heard(&speech_wide(), Rate::Hz16000), "");
        // The same voices higher and lower.
        for step in [85, 90, 95, 105, 110, 115, 120] {
            let speech = speech_wide();
            let shifted: Vec<i16> =
                (0..speech.len() * 100 / step / 2).map(|index| speech[index * 2 * step / 100]).collect();
            assert_eq!(heard(&shifted, Rate::Hz8000), "", "{step} %");
        }
    }
}
