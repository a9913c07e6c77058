//! The judge of what is heard is judged itself: what people hear well scores high, and what is broken does not.

use crate::speech::{CLEAR, UNDER_LOSS, is_hd};
use crate::support::judge::score;
use crate::support::sound::Sound;
use auricle_media::codec::g711::{decode_a, decode_mu, encode_a, encode_mu};
use auricle_media::codec::{Decoder, Encoder};
use auricle_media::io::{Codec, Rate};

const TEXT: &str = "Good morning. My knee has been hurting since the weekend, and the stairs are getting hard.";

/// Random numbers, evenly spread over -1.0 to 1.0 (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// What comes of speech when each sample becomes another.
fn each(said: &Sound, becomes: impl FnMut(f64) -> f64) -> Sound {
    Sound { samples: said.samples.iter().copied().map(becomes).collect(), ..*said }
}

/// What comes of frames of 20 ms when some are silent.
fn without(said: &Sound, mut is_lost: impl FnMut(usize) -> bool) -> Sound {
    let frames = said.samples.chunks(said.rate_hz / 50).enumerate();
    let kept = |(index, frame): (usize, &[f64])| if is_lost(index) { vec![0.0; frame.len()] } else { frame.to_vec() };
    Sound { samples: frames.flat_map(kept).collect(), ..*said }
}

/// With white noise that is so much softer than the speech.
fn noisy(said: &Sound, below_db: f64) -> Sound {
    let power = said.samples.iter().map(|it| it * it).sum::<f64>() / said.samples.len() as f64;
    // Evenly spread numbers have a third of the power of their largest.
    let loudest = (3.0 * power / 10_f64.powf(below_db / 10.0)).sqrt();
    let mut chance = Chance(7);
    each(said, |sample| sample + loudest * chance.next())
}

/// Through one of our codecs and back.
fn coded(said: &Sound, codec: Codec) -> Sound {
    let rate_hz = codec.rate().hz() as usize;
    let samples: Vec<i16> = said.at(rate_hz).samples.iter().map(|sample| sample.round() as i16).collect();
    let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
    let (mut payload, mut heard) = (Vec::new(), vec![0; rate_hz / 50]);
    let mut out = Vec::new();
    for frame in samples.chunks_exact(rate_hz / 50) {
        payload.clear();
        encoder.encode(frame, &mut payload);
        let length = decoder.decode(&payload, &mut heard);
        out.extend(heard[..length].iter().copied().map(f64::from));
    }
    Sound { rate_hz, samples: out }
}

/// As the 16 bits that a codec takes.
fn bits(sample: f64) -> i16 {
    sample.round() as i16
}

/// What was said is heard whole, wherever it begins and however loud; through every codec it is clear, and HD where the codec is.
#[tokio::test]
async fn what_is_heard_well_scores_high() {
    let said = Sound::spoken(TEXT, "rms").await;
    let same = score(&said, &said).speech;
    assert!(same.mean > 0.9999 && same.most > 0.9999 && same.gain_db.abs() < 0.01, "{same:?}");
    let later = score(&said, &each(&said, |sample| sample / 2.0).between(1.234, 0.5)).speech;
    assert!(later.mean > 0.99 && (later.gain_db + 6.02).abs() < 0.1, "{later:?}");
    let cut = Sound { samples: said.samples[said.rate_hz / 2..].to_vec(), ..said };
    assert!(score(&said, &cut).speech.most > 0.99, "half a second is missing at the beginning, and no more");
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let found = score(&said, &coded(&said, codec));
        assert!(found.speech.most > CLEAR && found.speech.gain_db.abs() < 1.0, "{codec:?}: {found:?}");
        assert_eq!(is_hd(found), codec.rate() == Rate::Hz16000, "{codec:?}: {found:?}");
    }
}

/// The less of it is left, the lower the score, down to nothing.
#[tokio::test]
async fn noise_lowers_the_score_by_and_by() {
    let said = Sound::spoken(TEXT, "rms").await;
    let scores: Vec<f64> =
        [30.0, 15.0, 0.0, -15.0, -30.0].map(|below_db| score(&said, &noisy(&said, below_db)).speech.mean).to_vec();
    assert!(scores.windows(2).all(|pair| pair[1] < pair[0] - 0.02), "{scores:?}");
    assert!(scores[0] > 0.97 && scores[2] < 0.8 && scores[4] < 0.45, "{scores:?}");
    let nothing = score(&said, &each(&said, |_| 0.0)).speech;
    assert!(nothing.mean == 0.0 && nothing.gain_db < -80.0, "{nothing:?}");
    let other = Sound::spoken("Thank you for calling. The surgery is open from eight until six.", "slt").await;
    assert!(score(&said, &other).speech.mean < 0.6, "somebody else says something else");
}

/// What would be wrong with a codec, a rate, a buffer or a network does not pass for clear.
#[tokio::test]
async fn what_is_broken_does_not_pass() {
    let said = Sound::spoken(TEXT, "rms").await;
    let narrow = said.at(8_000);
    let mut chance = Chance(9);
    let rows: [(&str, Sound, f64); 7] = [
        ("A-law read as mu-law", each(&narrow, |sample| decode_mu(encode_a(bits(sample))).into()), CLEAR),
        ("mu-law read as A-law", each(&narrow, |sample| decode_a(encode_mu(bits(sample))).into()), CLEAR),
        ("played at half the rate", Sound { rate_hz: said.rate_hz / 2, ..said.clone() }, CLEAR),
        ("played a tenth too fast", Sound { rate_hz: said.rate_hz * 11 / 10, ..said.clone() }, CLEAR),
        ("200 ms of each second are silent", without(&said, |index| index % 50 < 10), CLEAR),
        ("a packet in five is silent", without(&said, |_| chance.next() < -0.6), UNDER_LOSS),
        ("every second packet is silent", without(&said, |index| index % 2 == 0), UNDER_LOSS),
    ];
    for (what, heard, limit) in rows {
        let found = score(&said, &heard).speech;
        assert!(found.most < limit, "{what}: {found:?}");
    }
    // A gap that shifts what follows is none the less a gap.
    let stutter = |at: usize| said.samples[at * said.rate_hz / 2..].iter().take(said.rate_hz / 2).copied();
    let halves = said.samples.len() * 2 / said.rate_hz;
    let stretched = (0..halves).flat_map(|at| stutter(at).chain(vec![0.0; said.rate_hz / 10])).collect();
    let found = score(&said, &Sound { samples: stretched, ..said.clone() }).speech;
    assert!(found.most < CLEAR, "100 ms are put in twice a second: {found:?}");
    assert!(!is_hd(score(&said, &narrow)), "the telephone's band passes for HD");
}
