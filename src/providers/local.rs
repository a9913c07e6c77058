//! Embeddings without a model file: hashed word stems and character trigrams, so that "parking" finds "where to park".
//!
//! Feature hashing (Weinberger et al. 2009) into a fixed number of signed dimensions. It knows spelling, not meaning: it
//! stands beside full-text ranking, and gives way to a real embedder where one is configured.

use super::{Embed, ProviderError};
use auricle_domain::words::words;
use sha2::{Digest, Sha256};

/// Length of every vector.
pub const DIMENSIONS: usize = 256;
/// Weight of a whole word against each of its trigrams.
const WORD_WEIGHT: f32 = 2.0;

/// The hashing embedder. It holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct HashedWords;

impl Embed for HashedWords {
    fn name(&self) -> &'static str {
        "hashed-words"
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ProviderError> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

/// The unit vector of a text; all zeros for a text without words.
fn vector(text: &str) -> Vec<f32> {
    let mut sums = vec![0.0_f32; DIMENSIONS];
    for word in words(text) {
        add(&mut sums, &word, WORD_WEIGHT);
        let padded: Vec<char> = format!("^{word}$").chars().collect();
        for trigram in padded.windows(3) {
            add(&mut sums, &trigram.iter().collect::<String>(), 1.0);
        }
    }
    let length = sums.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        sums.iter_mut().for_each(|value| *value /= length);
    }
    sums
}

/// A feature adds to one dimension, with a sign of its own so that collisions cancel on average. The hash is fixed for
/// all time, because vectors are stored.
fn add(sums: &mut [f32], feature: &str, weight: f32) {
    let hash = Sha256::digest(feature.as_bytes());
    let sign = if hash[1] & 1 == 0 { 1.0 } else { -1.0 };
    sums[usize::from(hash[0]) % DIMENSIONS] += sign * weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(one: &str, other: &str) -> f32 {
        vector(one).iter().zip(vector(other)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn related_words_are_nearer_than_unrelated_ones() {
        let near = similarity("is there parking", "where can I park the car");
        let far = similarity("is there parking", "our dermatologist speaks Czech");
        assert!(near > far + 0.1, "{near} against {far}");
    }

    #[test]
    fn accents_do_not_matter_and_length_is_one() {
        assert!(similarity("Ordinační hodiny", "ordinacni hodiny") > 0.999);
        assert!(vector("...").iter().all(|value| *value == 0.0));
    }
}
