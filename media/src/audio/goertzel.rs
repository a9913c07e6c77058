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
const PURITY: f32 = 0.6;
/// The strongest tone of a group over the next one: 6 dB.
const CLEAR: f32 = 4.0;
/// The column over the row at most 6 dB, the row over the column at most 10 dB.
const COLUMN_OVER: f32 = 4.0;
const ROW_OVER: f32 = 10.0;
/// Second harmonic under its tone: 13 dB.
const OVERTONE: f32 = 0.05;

/// Energy of one frequency in a block, in units of the sum of squares.
fn energy(samples: &[f32], cycles_per_sample: f32) -> f32 {
    let coefficient = 2.0 * (TAU * cycles_per_sample).cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for sample in samples {
        let next = sample + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    power * 2.0 / samples.len() as f32
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
        let overtone = |hz: f32| energy(&self.block, 2.0 * hz / self.hz);
        let pure = overtone(ROWS[row]) < low * OVERTONE && overtone(COLUMNS[column]) < high * OVERTONE;
        pure.then(|| KEYS[row][column])
    }

    /// The one clear tone of a group.
    fn strongest(&self, group: [f32; 4]) -> Option<(usize, f32)> {
        let energies = group.map(|hz| energy(&self.block, hz / self.hz));
        let (best, strongest) = energies.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let clear = energies.iter().enumerate().all(|(index, other)| index == best || other * CLEAR < strongest);
        clear.then_some((best, strongest))
    }
}
