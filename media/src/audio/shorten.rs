//! Speech made shorter without a change of pitch: a whole period of it is left out where it resembles itself (WSOLA, Verhelst
//! and Roelands 1993).

use super::level::mix_over;

/// Pitch between 66 and 400 Hz, in tenths of a millisecond.
const PERIOD_TENTHS: std::ops::RangeInclusive<usize> = 25..=150;
/// What is compared and faded over, at most. Where the period is long, it is what the frame has left after it.
const FADE_MS: usize = 10;
/// Likeness, 1.0 at most, from which a period is not missed: that of vowels and steady tones.
const ALIKE: f32 = 0.9;

/// The samples of a frame of 20 ms after which it resembles itself most: a period of what is said, a multiple of `step`, and
/// `longest` at most. None where it does not.
pub fn period(frame: &[i16], step: usize, longest: usize) -> Option<usize> {
    let per_ms = frame.len() / 20;
    let longest = longest.min(PERIOD_TENTHS.end() * per_ms / 10);
    let lags = (PERIOD_TENTHS.start() * per_ms / 10..=longest).step_by(step.max(1));
    let likeness = |lag: usize| {
        let compared = fade(frame, lag);
        likeness(&frame[..compared], &frame[lag..lag + compared])
    };
    let (lag, alike) = lags.map(|lag| (lag, likeness(lag))).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (alike >= ALIKE).then_some(lag)
}

/// Leaves so many samples out at the front of a frame, fading over to what follows them. Gives how many there are left, now at
/// the front.
pub fn leave_out(frame: &mut [i16], samples: usize) -> usize {
    let samples = samples.min(frame.len());
    let fade = fade(frame, samples).min(samples);
    let (before, after) = frame.split_at_mut(samples);
    mix_over(&before[..fade], &mut after[..fade]);
    frame.copy_within(samples.., 0);
    frame.len() - samples
}

fn fade(frame: &[i16], lag: usize) -> usize {
    (FADE_MS * frame.len() / 20).min(frame.len().saturating_sub(lag))
}

/// Correlation of two stretches of the same length, 1.0 for the same shape; 0.0 for silence.
fn likeness(a: &[i16], b: &[i16]) -> f32 {
    let (mut product, mut of_a, mut of_b) = (0.0f32, 1.0f32, 1.0f32);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        product += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    product / (of_a * of_b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::sample::{Random, tone};

    /// The steepest step between neighbours.
    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_vowel_loses_a_period_and_no_step_shows() {
        for (rate, hz) in [(8_000.0, 90.0), (8_000.0, 160.0), (8_000.0, 310.0), (16_000.0, 120.0), (16_000.0, 240.0)] {
            let length = rate as usize / 50;
            let all = tone(hz, 8_000.0, rate, 0, 3 * length);
            let mut frame = all[length..2 * length].to_vec();
            let lag = period(&frame, length / 160, length);
            let left = lag.map(|lag| leave_out(&mut frame, lag));
            let lost = lag.map(|lag| lag as f32 * hz / rate);
            assert!(
                lost.is_some_and(|lost| lost > 0.5 && (lost - lost.round()).abs() < 0.1),
                "{hz} Hz: {lost:?} periods"
            );
            let joined = [&all[..length], &frame[..left.unwrap_or(0)], &all[2 * length..]].concat();
            assert!(steepest(&joined) < steepest(&all) * 3 / 2, "{hz} Hz: a step of {}", steepest(&joined));
        }
    }

    #[test]
    fn noise_and_silence_stay_as_they_are() {
        let mut random = Random(3);
        let noise: Vec<i16> = (0..160).map(|_| random.below(16_000) as i16 - 8_000).collect();
        for samples in [noise, vec![0; 160]] {
            assert_eq!(period(&samples, 1, 160), None);
        }
        let vowel = tone(200.0, 8_000.0, 8_000.0, 0, 160);
        assert_eq!((period(&vowel, 1, 25), period(&vowel, 1, 15)), (None, None), "no part of a period");
    }

    #[test]
    fn what_is_left_begins_as_before_and_goes_on_as_after() {
        let mut frame: Vec<i16> = (0..160).map(|index| if index < 80 { 1_000 } else { -1_000 }).collect();
        assert_eq!(leave_out(&mut frame, 80), 80);
        assert!(frame[0] > 950 && frame[79] == -1_000 && frame[..80].is_sorted_by(|a, b| a >= b), "{:?}", &frame[..80]);
        assert_eq!(leave_out(&mut frame, 500), 0);
    }
}
