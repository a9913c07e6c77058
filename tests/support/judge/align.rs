//! What was heard, laid over what was said.

use super::correlation;
use crate::support::sound::{Sound, product};

/// What is compared here are waves of up to half of this: the voice itself.
const RATE_HZ: usize = 4_000;
/// Samples whose loudness is compared to find where in what was heard it begins: 10 ms.
const STEP: usize = RATE_HZ / 100;
/// How many samples of what was said may be missing at its beginning: a second.
const MISSED: usize = RATE_HZ;
/// What is laid at once: a second.
const PIECE: usize = RATE_HZ;
/// How much later or sooner than the whole a piece may come: 80 ms.
const DRIFT: usize = RATE_HZ * 80 / 1_000;
/// How finely that is looked for: half a millisecond.
const FINELY: usize = 2;
/// Below this likeness nothing of a piece was found.
const FOUND: f64 = 0.3;

/// Where in what was heard each piece of what was said begins; in samples, of which the first [`MISSED`] and [`DRIFT`] are before it.
pub struct Lays(Vec<usize>);

impl Lays {
    pub fn of(said: &Sound, heard: &Sound) -> Self {
        let (said, heard) = (said.at(RATE_HZ).samples, heard.at(RATE_HZ).samples);
        let silence = vec![0.0; MISSED + DRIFT];
        // So much silence behind it that every place that is looked at is there.
        let around = [&silence[..], &heard, &vec![0.0; said.len()], &silence].concat();
        let (mut lays, mut shift) = (Vec::new(), DRIFT);
        let begins = begins(&said, &around[DRIFT..]);
        for (index, piece) in said.chunks(PIECE).enumerate() {
            let first = begins + index * PIECE;
            let like = |shift: usize| likeness(piece, &around[first + shift..first + shift + piece.len()]);
            let shifts = (0..=2 * DRIFT).step_by(FINELY).map(|shift| (like(shift), shift));
            let best = shifts.max_by(|one, other| one.0.total_cmp(&other.0));
            shift = best.filter(|(likeness, _)| *likeness > FOUND).map_or(shift, |(_, shift)| shift);
            lays.push(first + shift);
        }
        Self(lays)
    }

    /// As long as `said`: what was heard of each of its moments; silence where nothing was. Both at one rate.
    pub fn over(&self, said: &Sound, heard: &Sound) -> Vec<f64> {
        let of_rate = |samples: usize| samples * said.rate_hz / RATE_HZ;
        let mut laid = Vec::with_capacity(said.samples.len());
        for (lay, piece) in self.0.iter().zip(said.samples.chunks(of_rate(PIECE))) {
            let before = of_rate(MISSED + DRIFT).saturating_sub(of_rate(*lay));
            let first = of_rate(*lay).saturating_sub(of_rate(MISSED + DRIFT)).min(heard.samples.len());
            let end = laid.len() + piece.len();
            laid.resize(laid.len() + before.min(piece.len()), 0.0);
            laid.extend(heard.samples[first..].iter().take(end - laid.len()));
            laid.resize(end, 0.0);
        }
        laid
    }
}

/// Where in what was heard what was said begins, by its loudness.
fn begins(said: &[f64], heard: &[f64]) -> usize {
    let loudness = |samples: &[f64]| -> Vec<f64> {
        samples.chunks_exact(STEP).map(|piece| piece.iter().map(|it| it * it).sum::<f64>().sqrt()).collect()
    };
    let (said, heard) = (loudness(said), loudness(heard));
    let like = |at: usize| correlation(&said, &heard[at..at + said.len()]);
    let places = 0..=heard.len() - said.len() - 2 * DRIFT / STEP;
    places.map(|at| (like(at), at)).max_by(|one, other| one.0.total_cmp(&other.0)).unwrap().1 * STEP
}

/// How alike two waves are, up to 1.0, whatever their loudness.
fn likeness(one: &[f64], other: &[f64]) -> f64 {
    product(one, other) / (product(one, one) * product(other, other)).sqrt().max(1.0)
}
