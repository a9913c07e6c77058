//! Tags, branches and Call-IDs: unpredictable to peers, repeatable from the seed.
//!
//! RFC 3261 section 19.3 wants tags to be cryptographically random, because who can guess a tag can hang up a call. The
//! crate draws no randomness of its own, so the generator is ChaCha20 (RFC 8439) keyed with the seed that the shell gives.

use zeroize::Zeroizing;

/// A stream of identifiers drawn from one seed.
#[derive(Clone)]
pub struct Tokens {
    key: [u32; 8],
    drawn: u32,
    secrets: u32,
}

/// Nonce of the identifiers that are drawn one after the other.
const DRAWN: [u32; 3] = [0, 0, 0];
/// First nonce word of identifiers derived from a message; keeps them apart from the drawn ones.
const DERIVED: u32 = 1;
/// First nonce word of secrets: nothing that is sent comes from the same stream.
const SECRET: u32 = 2;

/// Shows nothing: who knows the seed can end every call.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// A generator for this seed. Two agents must never run with the same seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { key: words(&seed), drawn: 0, secrets: 0 }
    }

    /// Sixteen unpredictable bytes as 32 lower-case hex digits.
    fn draw(&mut self) -> String {
        let block = block(&self.key, self.drawn, DRAWN);
        self.drawn = self.drawn.wrapping_add(1);
        hex(&block[..4])
    }

    /// A From or To tag (RFC 3261 section 19.3).
    pub fn tag(&mut self) -> String {
        self.draw()
    }

    /// A Via branch with the magic cookie (RFC 3261 section 8.1.1.7).
    pub fn branch(&mut self) -> String {
        format!("{}{}", super::header::BRANCH_COOKIE, self.draw())
    }

    /// A Call-ID.
    pub fn call_id(&mut self) -> String {
        self.draw()
    }

    /// A number for `o=` lines; fits the 63 bits that old SDP parsers take.
    pub fn number(&mut self) -> u64 {
        let block = block(&self.key, self.drawn, DRAWN);
        self.drawn = self.drawn.wrapping_add(1);
        (u64::from(block[0]) << 32 | u64::from(block[1])) & 0x7fff_ffff_ffff_ffff
    }

    /// Unpredictable bytes that are never shown: for keys of media, and to seed other generators.
    pub fn secret(&mut self) -> Zeroizing<[u8; 64]> {
        let block = block(&self.key, self.secrets, [SECRET, 0, 0]);
        self.secrets = self.secrets.wrapping_add(1);
        let mut bytes = Zeroizing::new([0; 64]);
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(block) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// A tag that depends on the seed and `of` alone, so that a stateless reply to a retransmitted request carries the
    /// same To tag as the first one (RFC 3261 section 8.2.7).
    pub fn derived_tag(&self, of: &[u8]) -> String {
        let digest = of.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let low = u32::try_from(digest & 0xffff_ffff).unwrap_or_default();
        let high = u32::try_from(digest >> 32).unwrap_or_default();
        hex(&block(&self.key, 0, [DERIVED, low, high])[..4])
    }
}

fn words(seed: &[u8; 32]) -> [u32; 8] {
    let mut key = [0; 8];
    for (word, bytes) in key.iter_mut().zip(seed.chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    key
}

fn hex(words: &[u32]) -> String {
    words.iter().map(|word| format!("{:08x}", word.swap_bytes())).collect()
}

/// One ChaCha20 block (RFC 8439 section 2.3).
fn block(key: &[u32; 8], counter: u32, nonce: [u32; 3]) -> [u32; 16] {
    let mut start = [0; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    start[4..12].copy_from_slice(key);
    start[12] = counter;
    start[13..].copy_from_slice(&nonce);
    let mut state = start;
    for _ in 0..10 {
        for [a, b, c, d] in [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]] {
            quarter(&mut state, a, b, c, d);
        }
        for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
            quarter(&mut state, a, b, c, d);
        }
    }
    for (word, first) in state.iter_mut().zip(start) {
        *word = word.wrapping_add(first);
    }
    state
}

fn quarter(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    for (rotate_d, rotate_b) in [(16, 12), (8, 7)] {
        state[a] = state[a].wrapping_add(state[b]);
        state[d] = (state[d] ^ state[a]).rotate_left(rotate_d);
        state[c] = state[c].wrapping_add(state[d]);
        state[b] = (state[b] ^ state[c]).rotate_left(rotate_b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The block of RFC 8439 section 2.3.2.
    #[test]
    fn chacha_block_matches_the_rfc() {
        let mut seed = [0; 32];
        for (at, byte) in (0_u8..).zip(seed.iter_mut()) {
            *byte = at;
        }
        let out = block(&words(&seed), 1, [0x0900_0000, 0x4a00_0000, 0]);
        assert_eq!(out[0], 0xe4e7_f110);
        assert_eq!(out[15], 0x4e3c_50a2);
        assert_eq!(hex(&out[..1]), "10f1e7e4");
    }

    #[test]
    fn identifiers_repeat_with_the_seed_and_never_within_it() {
        let mut one = Tokens::new([7; 32]);
        let mut two = Tokens::new([7; 32]);
        let first = one.tag();
        assert_eq!(first, two.tag());
        assert_ne!(first, one.tag());
        assert_ne!(first, Tokens::new([8; 32]).tag());
        assert!(one.branch().starts_with("z9hG4bK"));
        assert_eq!(one.derived_tag(b"a"), two.derived_tag(b"a"));
        assert_ne!(one.derived_tag(b"a"), one.derived_tag(b"b"));
        let secret = one.secret();
        assert_ne!(secret, one.secret());
        assert_eq!(secret, two.secret(), "what else was drawn does not matter");
    }
}
