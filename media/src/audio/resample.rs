//! Between 8 and 16 kHz, and the missing high band of narrowband speech.
//!
//! Both directions use one half-band low-pass of 63 taps (windowed sinc, flat to 3.5 kHz). Recognisers trained on wideband
//! fail when the band above 4 kHz is empty, so the upsampler can fill it by folding: 2.0-3.9 kHz mirrored to 4.1-6.0 kHz.
//! Folding costs nothing: it is the image that upsampling makes anyway, let through by a second band of the same filter.

use std::f32::consts::PI;
use std::sync::LazyLock;

/// Taps of each of the two phases.
const PHASE: usize = 32;
/// Taps of the filter; the last one is zero so that both phases are equally long.
const TAPS: usize = PHASE * 2;
/// The tap in the middle of the 63 that are not zero.
const CENTRE: usize = 31;
/// Narrowband samples taken at once.
const BLOCK: usize = 160;
/// Strength of the folded band: between the 0.5 and 1.0 that recognisers were found to work with.
const FOLDED_GAIN: f32 = 0.7;

type Phases = [[f32; PHASE]; 2];

static PLAIN: LazyLock<Phases> = LazyLock::new(|| phases(|tap| low_pass(tap, 4_000.0)));
static FOLDED: LazyLock<Phases> = LazyLock::new(|| {
    phases(|tap| low_pass(tap, 4_000.0) + FOLDED_GAIN * (low_pass(tap, 6_000.0) - low_pass(tap, 4_100.0)))
});

/// The tap of a windowed-sinc low-pass at 16 kHz.
fn low_pass(tap: usize, cutoff_hz: f32) -> f32 {
    let at = tap as f32 - CENTRE as f32;
    let cutoff = cutoff_hz / 8_000.0;
    let sinc = if tap == CENTRE { cutoff } else { (PI * cutoff * at).sin() / (PI * at) };
    // Blackman's window: images are 70 dB down.
    let turn = PI * (at / (CENTRE as f32 + 1.0) + 1.0);
    sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
}

/// Splits the taps by phase, turned round so that they meet the samples oldest first.
fn phases(tap: impl Fn(usize) -> f32) -> Phases {
    let mut phases = [[0.0; PHASE]; 2];
    for index in 0..TAPS - 1 {
        phases[index % 2][PHASE - 1 - index / 2] = tap(index);
    }
    phases
}

fn clamp(sample: f32) -> i16 {
    // A cast from float to integer saturates; rounding keeps silence silent.
    sample.round() as i16
}

fn dot(samples: &[f32], taps: &[f32; PHASE]) -> f32 {
    // Four sums side by side let the compiler use vector registers.
    let mut sums = [0.0f32; 4];
    for (samples, taps) in samples.chunks_exact(4).zip(taps.chunks_exact(4)) {
        for lane in 0..4 {
            sums[lane] += samples[lane] * taps[lane];
        }
    }
    sums.iter().sum()
}

/// What the upsampler does above 4 kHz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HighBand {
    /// Leaves it empty.
    Empty,
    /// Fills it by spectral folding.
    Folded,
}

/// 8 kHz to 16 kHz, with the state of one stream. Delays by 31 samples at 16 kHz (1.9 ms).
#[derive(Clone)]
pub struct Upsampler {
    phases: &'static Phases,
    /// The last 31 samples, and room for a block.
    line: [f32; PHASE - 1 + BLOCK],
}

impl Upsampler {
    /// Silence lies behind.
    pub fn new(high_band: HighBand) -> Self {
        let phases = match high_band {
            HighBand::Empty => &*PLAIN,
            HighBand::Folded => &*FOLDED,
        };
        Self { phases, line: [0.0; PHASE - 1 + BLOCK] }
    }

    /// Fills `out`, which is twice as long as `samples`.
    pub fn run(&mut self, samples: &[i16], out: &mut [i16]) {
        for (samples, out) in samples.chunks(BLOCK).zip(out.chunks_mut(BLOCK * 2)) {
            for (slot, sample) in self.line[PHASE - 1..].iter_mut().zip(samples) {
                *slot = f32::from(*sample);
            }
            for (index, pair) in out.chunks_exact_mut(2).enumerate() {
                let window = &self.line[index..index + PHASE];
                // Twice the gain, as every second input sample of the filter is a zero.
                pair[0] = clamp(2.0 * dot(window, &self.phases[0]));
                pair[1] = clamp(2.0 * dot(window, &self.phases[1]));
            }
            self.line.copy_within(samples.len()..samples.len() + PHASE - 1, 0);
        }
    }
}

/// 16 kHz to 8 kHz, with the state of one stream. Delays by 15 samples at 8 kHz (1.9 ms).
#[derive(Clone)]
pub struct Downsampler {
    /// Samples of even and odd index apart, each with the last 31 in front.
    lines: [[f32; PHASE - 1 + BLOCK]; 2],
}

impl Default for Downsampler {
    fn default() -> Self {
        Self { lines: [[0.0; PHASE - 1 + BLOCK]; 2] }
    }
}

impl Downsampler {
    /// Fills `out`, which is half as long as `samples`.
    pub fn run(&mut self, samples: &[i16], out: &mut [i16]) {
        for (samples, out) in samples.chunks(BLOCK * 2).zip(out.chunks_mut(BLOCK)) {
            for (index, pair) in samples.chunks_exact(2).enumerate() {
                self.lines[0][PHASE - 1 + index] = f32::from(pair[0]);
                self.lines[1][PHASE - 1 + index] = f32::from(pair[1]);
            }
            for (index, out) in out.iter_mut().enumerate() {
                let window = index..index + PHASE;
                // The newest sample of the pair is the odd one: it meets the even taps.
                *out = clamp(dot(&self.lines[1][window.clone()], &PLAIN[0]) + dot(&self.lines[0][window], &PLAIN[1]));
            }
            let taken = samples.len() / 2;
            for line in &mut self.lines {
                line.copy_within(taken..taken + PHASE - 1, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hz: f32, rate: f32, count: usize) -> Vec<i16> {
        (0..count).map(|index| ((hz * TAU * index as f32 / rate).sin() * 10_000.0) as i16).collect()
    }

    /// Amplitude of one frequency, by correlation.
    fn amplitude(samples: &[i16], hz: f32, rate: f32) -> f32 {
        let (mut re, mut im) = (0.0f32, 0.0f32);
        for (index, sample) in samples.iter().enumerate() {
            let angle = hz * TAU * index as f32 / rate;
            re += f32::from(*sample) * angle.cos();
            im += f32::from(*sample) * angle.sin();
        }
        (re * re + im * im).sqrt() * 2.0 / samples.len() as f32
    }

    fn up(samples: &[i16], high_band: HighBand) -> Vec<i16> {
        let mut out = vec![0; samples.len() * 2];
        let mut upsampler = Upsampler::new(high_band);
        // Frames of uneven length: the state carries over.
        let mut done = 0;
        for length in [160, 1, 79, 400].into_iter().cycle() {
            let end = (done + length).min(samples.len());
            upsampler.run(&samples[done..end], &mut out[done * 2..end * 2]);
            done = end;
            if done == samples.len() {
                return out[160..].to_vec();
            }
        }
        out
    }

    fn down(samples: &[i16]) -> Vec<i16> {
        let mut out = vec![0; samples.len() / 2];
        let mut downsampler = Downsampler::default();
        for (samples, out) in samples.chunks(346).zip(out.chunks_mut(173)) {
            downsampler.run(samples, out);
        }
        out[80..].to_vec()
    }

    #[test]
    fn the_voice_band_passes_unchanged_both_ways() {
        for hz in [200.0, 1_000.0, 2_000.0, 3_300.0] {
            let raised = amplitude(&up(&tone(hz, 8_000.0, 8_080), HighBand::Empty), hz, 16_000.0);
            let lowered = amplitude(&down(&tone(hz, 16_000.0, 16_160)), hz, 8_000.0);
            assert!((raised - 10_000.0).abs() < 200.0, "{hz} Hz up: {raised}");
            assert!((lowered - 10_000.0).abs() < 200.0, "{hz} Hz down: {lowered}");
        }
    }

    #[test]
    fn images_and_aliases_are_60_db_down() {
        let image = amplitude(&up(&tone(3_000.0, 8_000.0, 8_080), HighBand::Empty), 5_000.0, 16_000.0);
        let alias = amplitude(&down(&tone(5_000.0, 16_000.0, 16_160)), 3_000.0, 8_000.0);
        assert!(image < 10.0 && alias < 10.0, "image {image}, alias {alias}");
    }

    #[test]
    fn folding_mirrors_the_upper_voice_band_and_nothing_else() {
        for (hz, mirrored) in [(3_000.0, 7_000.0), (2_500.0, 7_000.0)] {
            let raised = up(&tone(hz, 8_000.0, 8_080), HighBand::Folded);
            let image = amplitude(&raised, 8_000.0 - hz, 16_000.0);
            assert!((image - mirrored).abs() < 500.0, "{hz} Hz: {image}");
            assert!((amplitude(&raised, hz, 16_000.0) - 10_000.0).abs() < 200.0);
        }
        let low = amplitude(&up(&tone(1_000.0, 8_000.0, 8_080), HighBand::Folded), 7_000.0, 16_000.0);
        assert!(low < 20.0, "the image of 1 kHz at 7 kHz: {low}");
    }

    #[test]
    fn silence_stays_silent_and_full_scale_does_not_wrap() {
        assert!(up(&[0; 320], HighBand::Folded).iter().all(|sample| *sample == 0));
        let square: Vec<i16> = (0..1_600).map(|index| if index / 8 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let raised = up(&square, HighBand::Empty);
        // The filter overshoots at each edge: the ends of the range are reached, and no sample beside them has the wrong sign.
        assert!(raised.contains(&i16::MAX) && raised.contains(&i16::MIN));
        assert!(raised.windows(2).all(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs() < 45_000));
    }
}
