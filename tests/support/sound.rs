//! Sounds: what a voice speaks, at any rate, and as softphones play and keep it.

use auricle::providers::flite::Flite;
use auricle::providers::{Tts, wav};
use auricle_domain::code::Lang;
use futures_util::StreamExt;
use std::f64::consts::{PI, TAU};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a WAV file before its samples.
const HEADER: usize = 44;
/// Zero crossings of the filter between two rates, on each side.
const CROSSINGS: f64 = 10.0;
/// How much of the band that both rates have is kept.
const PASSED: f64 = 0.95;

/// Samples of one channel, on the scale of 16 bits.
#[derive(Clone, Debug)]
pub struct Sound {
    pub rate_hz: usize,
    pub samples: Vec<f64>,
}

impl Sound {
    /// What flite says in this voice: `rms` is a man, `slt` a woman.
    pub async fn spoken(text: &str, voice: &str) -> Self {
        let pieces: Vec<_> = Flite::new("flite", voice).speak(text, Lang::En).collect().await;
        let pieces: Vec<_> = pieces.into_iter().map(Result::unwrap).collect();
        let samples = pieces.iter().flat_map(|piece| piece.samples.iter().copied().map(f64::from)).collect();
        Self { rate_hz: pieces[0].rate.hz() as usize, samples }
    }

    /// A tone at a quarter of full scale.
    pub fn tone(rate_hz: usize, seconds: u32, hertz: f64) -> Self {
        let sample = |at: usize| (at as f64 * hertz * TAU / rate_hz as f64).sin() * 8_000.0;
        Self { rate_hz, samples: (0..rate_hz * seconds as usize).map(sample).collect() }
    }

    /// A WAV file of 16 bits, as far as it is written; of several channels the first.
    pub fn of_file(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (rate_hz, channels) = form(&bytes);
        let samples = bytes.get(HEADER..).unwrap_or_default().chunks_exact(2 * channels);
        let samples = samples.map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]]))).collect();
        Self { rate_hz, samples }
    }

    /// How long such a file is so far, which is sooner found out.
    pub fn seconds_of_file(path: &Path) -> f64 {
        let mut file = File::open(path).unwrap();
        let mut header = Vec::new();
        file.by_ref().take(HEADER as u64).read_to_end(&mut header).unwrap();
        let (rate_hz, channels) = form(&header);
        let bytes = file.metadata().unwrap().len().saturating_sub(HEADER as u64);
        bytes as f64 / (2 * channels * rate_hz) as f64
    }

    /// As a WAV file.
    pub fn file(&self) -> Vec<u8> {
        let samples: Vec<i16> = self.samples.iter().map(|sample| sample.round() as i16).collect();
        wav::file(u32::try_from(self.rate_hz).unwrap(), &samples)
    }

    /// Its loudest sample.
    pub fn loudest(&self) -> u16 {
        self.samples.iter().map(|sample| sample.abs() as u16).max().unwrap_or(0)
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / self.rate_hz as f64
    }

    /// With so many seconds of silence around it.
    pub fn between(&self, before_s: f64, after_s: f64) -> Self {
        let silence = |seconds: f64| vec![0.0; (seconds * self.rate_hz as f64) as usize];
        let samples = [silence(before_s), self.samples.clone(), silence(after_s)].concat();
        Self { samples, ..*self }
    }

    /// The same at another rate, by a windowed sinc.
    pub fn at(&self, rate_hz: usize) -> Self {
        if rate_hz == self.rate_hz {
            return self.clone();
        }
        let common = common_divisor(rate_hz, self.rate_hz);
        let (up, down) = (rate_hz / common, self.rate_hz / common);
        let cutoff = PASSED * (rate_hz as f64 / self.rate_hz as f64).min(1.0);
        let half = (CROSSINGS / cutoff).ceil() as usize;
        let tap = |phase: usize, index: usize| {
            let at = index as f64 + 1.0 - half as f64 - phase as f64 / up as f64;
            let window = 0.5 + 0.5 * (PI * at / half as f64).cos();
            let turn = PI * cutoff * at;
            cutoff * window * if turn == 0.0 { 1.0 } else { turn.sin() / turn }
        };
        let filter: Vec<Vec<f64>> =
            (0..up).map(|phase| (0..2 * half).map(|index| tap(phase, index)).collect()).collect();
        let silence = vec![0.0; half];
        let around = [&silence[..], &self.samples, &silence].concat();
        let sample = |at: usize| {
            let (first, phase) = (at * down / up + 1, at * down % up);
            product(&around[first..first + 2 * half], &filter[phase])
        };
        Self { rate_hz, samples: (0..self.samples.len() * up / down).map(sample).collect() }
    }
}

/// The sum of what is in both, each by each. Written out: the stories are built without optimisation, and this is most of their arithmetic.
pub fn product(one: &[f64], other: &[f64]) -> f64 {
    let (mut sum, mut at) = (0.0, 0);
    while at < one.len() {
        sum += one[at] * other[at];
        at += 1;
    }
    sum
}

/// Samples a second and channels of a WAV file that begins like this.
fn form(header: &[u8]) -> (usize, usize) {
    let number = |at: usize| usize::from(header.get(at).copied().unwrap_or_default());
    ((number(24) + (number(25) << 8) + (number(26) << 16)).max(1), number(22).max(1))
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
