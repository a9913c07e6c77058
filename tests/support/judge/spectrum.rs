//! What is in the bands of each frame.

use super::Bands;
use std::f64::consts::TAU;

/// One frame of a sound.
pub struct Frame {
    pub energy: f64,
    /// The magnitude in each band.
    pub bands: Vec<f64>,
}

/// A complex number.
type Complex = (f64, f64);

/// Frames that overlap by half, each under Hann's window.
pub fn frames(samples: &[f64], bands: &Bands) -> Vec<Frame> {
    let window: Vec<f64> =
        (0..bands.frame).map(|at| 0.5 - 0.5 * (TAU * (at + 1) as f64 / (bands.frame + 1) as f64).cos()).collect();
    let bins = (2 * bands.frame).next_power_of_two();
    let turns = turns(bins);
    let edges: Vec<(usize, usize)> = (0..bands.count).map(|band| edges(band, bins, bands)).collect();
    let starts = (0..=samples.len().saturating_sub(bands.frame)).step_by(bands.frame / 2);
    let frame = |start: usize| {
        let piece = samples[start..].iter().zip(&window).map(|(sample, window)| (sample * window, 0.0));
        let mut line: Vec<Complex> = piece.collect();
        let energy = line.iter().map(|(sample, _)| sample * sample).sum();
        line.resize(bins, (0.0, 0.0));
        transform(&mut line, &turns);
        let power =
            |(from, to): &(usize, usize)| line[*from..*to].iter().map(|(re, im)| re * re + im * im).sum::<f64>();
        Frame { energy, bands: edges.iter().map(|edges| power(edges).sqrt()).collect() }
    };
    starts.map(frame).collect()
}

/// The first line of a band, and the one after its last.
fn edges(band: i32, bins: usize, bands: &Bands) -> (usize, usize) {
    let line = |sixths: i32| {
        let hertz = bands.first_hz * 2_f64.powf(f64::from(sixths) / 6.0);
        (hertz * bins as f64 / bands.rate_hz as f64).round() as usize
    };
    (line(2 * band - 1), line(2 * band + 1))
}

/// What lines are turned by.
fn turns(bins: usize) -> Vec<Complex> {
    let turn = |at: usize| (-TAU * at as f64 / bins as f64).sin_cos();
    (0..bins / 2).map(turn).map(|(sin, cos)| (cos, sin)).collect()
}

/// The Fourier transform, in place (Cooley and Tukey); as long as a power of two, and twice as long as `turns`. Its loops are written out
/// for the sake of stories that are built without optimisation.
fn transform(line: &mut [Complex], turns: &[Complex]) {
    let bits = line.len().trailing_zeros();
    for at in 0..line.len() {
        let other = at.reverse_bits() >> (usize::BITS - bits);
        if at < other {
            line.swap(at, other);
        }
    }
    let mut half = 1;
    while half < line.len() {
        let (mut block, stride) = (0, turns.len() / half);
        while block < line.len() {
            let mut at = 0;
            while at < half {
                let (low, high, (cos, sin)) = (line[block + at], line[block + at + half], turns[at * stride]);
                let turned = (high.0 * cos - high.1 * sin, high.0 * sin + high.1 * cos);
                line[block + at] = (low.0 + turned.0, low.1 + turned.1);
                line[block + at + half] = (low.0 - turned.0, low.1 - turned.1);
                at += 1;
            }
            block += 2 * half;
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wave of so many turns lies on its own line alone, twice: as it is, and mirrored.
    #[test]
    fn a_wave_lies_on_its_line() {
        let mut line: Vec<Complex> = (0..64).map(|at| ((TAU * 5.0 * f64::from(at) / 64.0).cos(), 0.0)).collect();
        transform(&mut line, &turns(64));
        for (at, (re, im)) in line.iter().enumerate() {
            let expected = if at == 5 || at == 59 { 32.0 } else { 0.0 };
            assert!((re - expected).abs() < 1e-9 && im.abs() < 1e-9, "{at}: {re} {im}");
        }
    }
}
