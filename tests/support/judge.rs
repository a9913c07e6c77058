//! How much of what was said was heard: a score that is made for speech through codecs.
//!
//! It is the short-time objective intelligibility of Taal, Hendriks, Heusdens and Jensen ("An algorithm for intelligibility
//! prediction of time-frequency weighted noisy speech", 2011): in bands of a third of an octave, over stretches of 384 ms, how
//! well the envelope of what was heard follows that of what was said. 1.0 is all of it. Loudness does not count.
//!
//! Level does not count in a band either: what leaks into a band is alike to what should be there, and only softer. Whether there is
//! anything above what a telephone passes is seen by both.
//!
//! Before that what was heard is laid over what was said, second by second, as PESQ does: a buffer may change its length
//! by a little during a call, which nobody hears.

mod align;
mod spectrum;

use super::sound::{Sound, product};
use align::Lays;

/// Frames of a stretch.
const STRETCH: usize = 30;
/// What is so much softer than the loudest of what was said is a pause, and does not count (decibels).
const PAUSE_DB: f64 = 40.0;
/// No band counts as worse than this many decibels of distortion: what is lost in it is lost.
const DISTORTION_DB: f64 = 15.0;

/// Where is looked: bands of a third of an octave, from the one around `first_hz` on.
struct Bands {
    rate_hz: usize,
    /// Samples of a frame, which begins every half of it.
    frame: usize,
    first_hz: f64,
    count: i32,
}

/// The bands that the measure is published with, 150 Hz to 4.3 kHz: what every telephone passes.
const SPEECH: Bands = Bands { rate_hz: 10_000, frame: 256, first_hz: 150.0, count: 15 };
/// What HD has and others have not: 4.3 to 6.8 kHz.
const HIGH: Bands = Bands { rate_hz: 16_000, frame: 256, first_hz: 4_800.0, count: 2 };
/// All that is looked at lies below half of this.
const WIDE_HZ: usize = 16_000;

/// What came of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The measure as published.
    pub speech: Likeness,
    /// The same above what a telephone passes.
    pub high: Likeness,
}

/// How well what was heard follows what was said, in some bands.
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    /// The mean over all stretches.
    pub mean: f64,
    /// What three of four stretches reach. A machine that stands still for a moment spoils some of them, and a fault in what codecs
    /// and buffers do spoils all.
    pub most: f64,
    /// How much louder than what was said, in decibels.
    pub gain_db: f64,
}

/// Compares what was heard with what was said, which comes somewhere in it.
pub fn score(said: &Sound, heard: &Sound) -> Score {
    let (said, heard) = (said.at(WIDE_HZ), heard.at(WIDE_HZ));
    let lays = Lays::of(&said, &heard);
    let likeness = |bands: &Bands| {
        let (said, heard) = (said.at(bands.rate_hz), heard.at(bands.rate_hz));
        compare(&said.samples, &lays.over(&said, &heard), bands)
    };
    Score { speech: likeness(&SPEECH), high: likeness(&HIGH) }
}

fn compare(said: &[f64], heard: &[f64], bands: &Bands) -> Likeness {
    let (said, heard) = (spectrum::frames(said, bands), spectrum::frames(heard, bands));
    let loudest = said.iter().map(|frame| frame.energy).fold(0.0, f64::max);
    let counts = |energy: f64| energy > loudest * 10_f64.powf(-PAUSE_DB / 10.0);
    let (said, heard): (Vec<_>, Vec<_>) = said.into_iter().zip(heard).filter(|(said, _)| counts(said.energy)).unzip();
    let power =
        |frames: &[spectrum::Frame]| frames.iter().flat_map(|frame| &frame.bands).map(|it| it * it).sum::<f64>();
    let gain_db = 10.0 * (power(&heard) / power(&said)).max(1e-9).log10();
    let mut stretches: Vec<f64> =
        said.windows(STRETCH).zip(heard.windows(STRETCH)).map(|(said, heard)| likeness(said, heard)).collect();
    stretches.sort_by(f64::total_cmp);
    assert!(!stretches.is_empty(), "too little was said to be judged");
    let mean = stretches.iter().sum::<f64>() / stretches.len() as f64;
    Likeness { mean, most: stretches[stretches.len() / 4], gain_db }
}

/// The mean over the bands of one stretch.
fn likeness(said: &[spectrum::Frame], heard: &[spectrum::Frame]) -> f64 {
    let bands = said[0].bands.len();
    let of_band = |band: usize| {
        let envelope = |frames: &[spectrum::Frame]| frames.iter().map(|frame| frame.bands[band]).collect::<Vec<f64>>();
        let (said, heard) = (envelope(said), envelope(heard));
        let power = |envelope: &[f64]| product(envelope, envelope).sqrt();
        if power(&heard) == 0.0 {
            return 0.0;
        }
        let level = power(&said) / power(&heard);
        let most = 1.0 + 10_f64.powf(DISTORTION_DB / 20.0);
        let heard: Vec<f64> = said.iter().zip(&heard).map(|(said, heard)| (heard * level).min(said * most)).collect();
        correlation(&said, &heard)
    };
    (0..bands).map(of_band).sum::<f64>() / bands as f64
}

/// How well one row of numbers follows another, up to 1.0.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let ones = vec![1.0; one.len()];
    let mean = |row: &[f64]| product(row, &ones) / row.len() as f64;
    let (one_mean, other_mean) = (mean(one), mean(other));
    let about = |row: &[f64], mean: f64| (product(row, row) - mean * mean * row.len() as f64).max(0.0);
    let power = about(one, one_mean) * about(other, other_mean);
    let both = product(one, other) - one_mean * other_mean * one.len() as f64;
    if power > 0.0 { both / power.sqrt() } else { 0.0 }
}
