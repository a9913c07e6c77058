//! How a leg sounds, as people would judge it: an estimate by the E-model (ITU-T G.107), reduced to what the receiver of a
//! call knows, as RFC 3611 section 4.7.5 reports it.
//!
//! The scale is the narrowband one: 4.4 is a perfect telephone line. What wideband adds has no place on it, so a perfect
//! G.722 or Opus leg has 4.4 as well.

use crate::io::Codec;

/// What a perfect line has: all other defaults of G.107 taken together.
const BEST: f32 = 93.2;
/// How well loss is hidden: G.711 with repetition of the pitch period (G.113 appendix I). Our concealment is the same for
/// all codecs.
const ROBUSTNESS: f32 = 25.1;
/// Delay from which conversation suffers, in milliseconds.
const DELAY_MS: f32 = 177.3;

/// The mean opinion score, 1.0 (bad) to 4.4 (a perfect line), of a leg that misses this share of its audio (0.0 to 1.0,
/// evenly spread) and hears the far end this many milliseconds late.
pub fn mos(codec: Codec, missing: f32, delay_ms: f32) -> f32 {
    let percent = missing.clamp(0.0, 1.0) * 100.0;
    let coding = equipment_impairment(codec);
    let loss = coding + (95.0 - coding) * percent / (percent + ROBUSTNESS);
    let delay = 0.024 * delay_ms.max(0.0) + 0.11 * (delay_ms - DELAY_MS).max(0.0);
    of_rating(BEST - loss - delay)
}

/// What the codec itself takes away (G.113 table I.1).
fn equipment_impairment(codec: Codec) -> f32 {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => 0.0,
    }
}

/// G.107 annex B. Its polynomial dips under 1 for the worst ratings.
fn of_rating(rating: f32) -> f32 {
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B-22: ratings and scores of G.107 table B.1 and of G.113 appendix I.
    #[test]
    fn scores_are_those_of_the_recommendation() {
        for (rating, score) in [(93.2, 4.41), (90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((of_rating(rating) - score).abs() < 0.01, "{rating}: {}", of_rating(rating));
        }
        let table = [(0.0, 0.0, 4.41), (0.01, 50.0, 4.30), (0.05, 50.0, 3.87), (0.2, 50.0, 2.57), (0.0, 400.0, 3.05)];
        for (missing, delay_ms, score) in table {
            let told = mos(Codec::Pcmu, missing, delay_ms);
            assert!((told - score).abs() < 0.01, "{missing} missing, {delay_ms} ms: {told}");
        }
    }

    #[test]
    fn the_score_never_rises_with_loss_or_delay_and_stays_in_its_range() {
        for delay_ms in [0.0, 100.0, 1_000.0, 100_000.0] {
            let scores: Vec<f32> = (0..=100).map(|loss| mos(Codec::G722, loss as f32 / 100.0, delay_ms)).collect();
            assert!(scores.windows(2).all(|pair| pair[1] <= pair[0] + 0.001), "{scores:?}");
            assert!(scores.iter().all(|score| (1.0..=4.5).contains(score)));
        }
    }
}
