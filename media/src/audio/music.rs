//! Our music on hold: a calm piece of broken chords, made by arithmetic, so that it is nobody else's.
//!
//! Eight chords of four seconds each over a long bass note; every note rises softly and rings out. The piece is made once
//! for all legs, and what rings beyond its end is folded to its beginning: it goes round without a seam.

use std::f32::consts::TAU;
use std::sync::{Arc, LazyLock};

use super::resample::Downsampler;
use crate::io::Rate;

/// Samples of the piece a second.
const HZ: usize = 16_000;
/// Seconds that a chord lasts.
const CHORD_S: usize = 4;
/// Notes of a chord's figure, evenly spaced.
const NOTES: usize = 8;
/// Chords as semitones over C3, lowest first: C, Am7, F, G, Em7, Am7, Dm7, G7.
const CHORDS: [[i32; 5]; 8] = [
    [0, 7, 12, 16, 19],
    [-3, 4, 12, 16, 19],
    [-7, 5, 12, 16, 21],
    [-5, 7, 11, 14, 19],
    [-8, 7, 11, 16, 19],
    [-3, 4, 9, 12, 16],
    [2, 5, 9, 12, 17],
    [-5, 5, 11, 14, 17],
];
/// The order in which a figure takes the notes of its chord; the lowest is the bass.
const FIGURE: [usize; NOTES] = [1, 2, 3, 4, 3, 2, 4, 2];
/// C3.
const C3_HZ: f32 = 130.81;
/// Strengths of a note's partials: round, with little that a telephone would not carry.
const PARTIALS: [f32; 4] = [1.0, 0.35, 0.12, 0.04];
/// One turn of a note's wave.
const TABLE: usize = 1_024;
/// How long a note rises.
const ATTACK_S: f32 = 0.03;
/// How long until a note has fallen to a third; the bass rings longer.
const DECAY_S: f32 = 0.9;
const BASS_DECAY_S: f32 = 2.5;
/// How long a note is followed.
const RING_S: f32 = 6.0;
/// Loudness of the whole: -24 dBFS RMS, a little under speech.
const LEVEL_DBFS: f32 = -24.0;
/// Steps in which the music comes and goes: one a frame, a second from nothing to all.
const STEP: f32 = 1.0 / 50.0;
/// It goes faster than it comes: somebody begins to speak.
const STEP_OUT: f32 = 1.0 / 5.0;
/// How loud it is while something is played: 14 dB less.
const BEHIND: f32 = 0.2;

/// Fewest samples of a piece that somebody brings: a second.
pub const SAMPLES_MIN: usize = HZ;
/// The quietest that is made as loud as ours, as the mean of its squares: below -60 dBFS there is nothing to hear.
const POWER_MIN: f32 = 32_768.0 * 32_768.0 * 1.0e-6;
/// Where the loudest sample of a piece lies at most: what is beside it in a call needs some room.
const PEAK_MAX: f32 = 24_000.0;

/// A piece at both rates, that goes round.
#[derive(PartialEq)]
pub struct Piece {
    narrow: Vec<i16>,
    wide: Vec<i16>,
}

/// Its length, not its samples.
impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("samples", &self.wide.len()).finish()
    }
}

impl Piece {
    /// Of samples at 16 kHz, as loud as our own where its peaks allow that. None when they are fewer than [`SAMPLES_MIN`] or
    /// nothing that can be heard. Takes some milliseconds for each minute: not while calls wait for it.
    pub fn new(wide: &[i16]) -> Option<Self> {
        // Of even length, so that both rates go round at the same time.
        let wide = wide.get(..wide.len() / 2 * 2).filter(|wide| wide.len() >= SAMPLES_MIN)?;
        let power = wide.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / wide.len() as f32;
        if power < POWER_MIN {
            return None;
        }
        let peak = wide.iter().map(|sample| sample.unsigned_abs()).max().map_or(1.0, f32::from);
        let scale = (32_768.0 * 10.0_f32.powf(LEVEL_DBFS / 20.0) / power.sqrt()).min(PEAK_MAX / peak);
        Some(Self::whole(wide.iter().map(|sample| (f32::from(*sample) * scale) as i16).collect()))
    }

    fn whole(wide: Vec<i16>) -> Self {
        let mut downsampler = Downsampler::default();
        let mut narrow = vec![0; wide.len() / 2];
        // Twice, so that the filter begins with the end of the piece.
        for _ in 0..2 {
            downsampler.run(&wide, &mut narrow);
        }
        Self { narrow, wide }
    }

    /// Its samples at 16 kHz.
    pub fn wide(&self) -> &[i16] {
        &self.wide
    }
}

static PIECE: LazyLock<Piece> = LazyLock::new(|| Piece::whole(compose()));

/// The whole piece at 16 kHz.
fn compose() -> Vec<i16> {
    let wave = wave();
    let mut sound = vec![0.0_f32; CHORDS.len() * CHORD_S * HZ];
    for (index, chord) in CHORDS.iter().enumerate() {
        let start = index * CHORD_S * HZ;
        strike(&mut sound, &wave, start, chord[0], 0.8, BASS_DECAY_S);
        for (beat, place) in FIGURE.iter().enumerate() {
            // The first note of a figure leans a little on the others.
            let strength = if beat == 0 { 0.6 } else { 0.45 };
            strike(&mut sound, &wave, start + beat * CHORD_S * HZ / NOTES, chord[*place], strength, DECAY_S);
        }
    }
    let power = sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32;
    let scale = 32_768.0 * 10.0_f32.powf(LEVEL_DBFS / 20.0) / power.sqrt();
    // A cast from float to integer saturates; nothing comes near it.
    sound.iter().map(|sample| (sample * scale) as i16).collect()
}

/// One turn of a note, the same for all.
fn wave() -> Vec<f32> {
    let at = |index: usize| {
        let turn = index as f32 * TAU / TABLE as f32;
        (1..).zip(PARTIALS).map(|(partial, strength)| strength * (partial as f32 * turn).sin()).sum()
    };
    (0..TABLE).map(at).collect()
}

/// Adds a note that begins here, round the end of the piece.
fn strike(sound: &mut [f32], wave: &[f32], start: usize, semitones: i32, strength: f32, decay_s: f32) {
    let hz = C3_HZ * 2.0_f32.powf(semitones as f32 / 12.0);
    let step = hz * TABLE as f32 / HZ as f32;
    let (rise, fall) = (1.0 / (ATTACK_S * HZ as f32), (-1.0 / (decay_s * HZ as f32)).exp());
    let (mut turn, mut risen, mut left) = (0.0_f32, 0.0_f32, strength);
    let length = sound.len();
    for index in 0..(RING_S * HZ as f32) as usize {
        sound[(start + index) % length] += wave[turn as usize % TABLE] * left * risen;
        turn = (turn + step) % TABLE as f32;
        risen = (risen + rise).min(1.0);
        left *= fall;
    }
}

/// One leg's place in the piece.
#[derive(Debug, Default)]
pub struct Music {
    /// None: ours.
    piece: Option<Arc<Piece>>,
    /// Samples at 16 kHz.
    at: usize,
    level: f32,
    stopped: bool,
}

impl Music {
    /// Makes the piece, if it was not made before: some milliseconds that should not be spent while calls are on.
    pub fn prepare() {
        LazyLock::force(&PIECE);
    }

    /// From the beginning of this piece, or of ours.
    pub fn of(piece: Option<Arc<Piece>>) -> Self {
        Self { piece, ..Self::default() }
    }

    /// It fades out from now on.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether it was stopped and has faded out.
    pub fn is_over(&self) -> bool {
        self.stopped && self.level <= 0.0
    }

    /// Adds its next 20 ms to the frame, more quietly `behind` something that is played. What exceeds the range stays at its
    /// end.
    pub fn mix(&mut self, rate: Rate, behind: bool, frame: &mut [i16]) {
        let wanted = match (self.stopped, behind) {
            (true, _) => 0.0,
            (false, true) => BEHIND,
            (false, false) => 1.0,
        };
        let next =
            if wanted < self.level { (self.level - STEP_OUT).max(wanted) } else { (self.level + STEP).min(wanted) };
        let whole = self.piece.as_deref().unwrap_or(&PIECE);
        let (piece, at) = match rate {
            Rate::Hz8000 => (&whole.narrow, self.at / 2),
            Rate::Hz16000 => (&whole.wide, self.at),
        };
        let step = (next - self.level) / frame.len().max(1) as f32;
        for (index, sample) in frame.iter_mut().enumerate() {
            let level = self.level + step * index as f32;
            let music = f32::from(piece[(at + index) % piece.len()]) * level;
            *sample = sample.saturating_add(music as i16);
        }
        self.level = next;
        self.at = (self.at + Rate::Hz16000.frame()) % whole.wide.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decibels(samples: &[i16]) -> f64 {
        let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
        10.0 * (power / 32_768_f64.powi(2)).log10()
    }

    /// The piece is as loud as it should be all along, far from clipping, and goes round without a step.
    #[test]
    fn the_piece_is_calm_everywhere_and_has_no_seam() {
        for (piece, rate) in [(&PIECE.narrow, Rate::Hz8000), (&PIECE.wide, Rate::Hz16000)] {
            let hz = rate.hz() as usize;
            assert_eq!(piece.len(), 32 * hz);
            assert!((decibels(piece) + 24.0).abs() < 0.2, "{rate:?}: {} dBFS", decibels(piece));
            let peak = piece.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
            assert!((4_000..16_000).contains(&peak), "{rate:?}: {peak}");
            for (index, second) in piece.chunks_exact(hz).enumerate() {
                assert!((-29.0..-20.0).contains(&decibels(second)), "{rate:?}, {index} s: {}", decibels(second));
            }
            let step = |pair: (&i16, &i16)| (i32::from(*pair.0) - i32::from(*pair.1)).abs();
            let largest = piece.iter().zip(&piece[1..]).map(step).max().unwrap_or(0);
            assert!(step((&piece[0], &piece[piece.len() - 1])) <= largest, "{rate:?}: the seam");
        }
    }

    /// It comes within a second, makes way for what is played, and fades out without a click.
    #[test]
    fn it_comes_and_goes_softly() {
        let mut music = Music::default();
        let frames = |music: &mut Music, count: usize, behind: bool| {
            let mut all = Vec::new();
            for _ in 0..count {
                let mut frame = [0; 320];
                music.mix(Rate::Hz16000, behind, &mut frame);
                all.extend_from_slice(&frame);
            }
            all
        };
        let first = frames(&mut music, 60, false);
        assert!(first[..320].iter().all(|sample| sample.abs() < 100), "it begins from nothing");
        let whole = frames(&mut music, 150, false);
        assert!(whole[..] == PIECE.wide[60 * 320..210 * 320], "after that it is the piece as it is");
        frames(&mut music, 40, true);
        let behind = frames(&mut music, 200, true);
        let fallen = decibels(&PIECE.wide[80_000..144_000]) - decibels(&behind);
        assert!((13.0..15.0).contains(&fallen), "{fallen} dB behind what is played");
        music.stop();
        let last = frames(&mut music, 5, false);
        assert!(music.is_over() && last[last.len() - 1].abs() < 20);
        assert!(frames(&mut music, 1, false).iter().all(|sample| *sample == 0));
    }

    /// Whatever somebody brings sounds as loud as ours, or as its peaks allow; silence and snippets are no piece.
    #[test]
    fn a_piece_of_somebody_elses_is_as_loud_as_ours() {
        let tone =
            |level: f32| -> Vec<i16> { (0..20_001).map(|at| ((at as f32 * 0.4).sin() * level) as i16).collect() };
        for level in [200.0, 3_000.0, 32_000.0] {
            let piece = Piece::new(&tone(level))
                .map(|piece| (decibels(&piece.wide), decibels(&piece.narrow), piece.wide.len()));
            let near = |it: f64| (it + 24.0).abs() < 0.3;
            assert!(
                piece.is_some_and(|(wide, narrow, length)| near(wide) && near(narrow) && length == 20_000),
                "{piece:?}"
            );
        }
        // One loud click in near silence: nothing of it may clip.
        let mut click = tone(300.0);
        click[5_000] = i16::MIN;
        let piece = Piece::new(&click);
        assert!(
            piece.is_some_and(|piece| piece.wide.iter().all(|sample| f32::from(sample.unsigned_abs()) <= PEAK_MAX))
        );
        assert_eq!(
            (Piece::new(&tone(3_000.0)[..SAMPLES_MIN - 1]), Piece::new(&tone(5.0)), Piece::new(&[])),
            (None, None, None)
        );
    }

    #[test]
    fn it_goes_round_and_never_wraps() {
        let mut music = Music { piece: None, at: PIECE.wide.len() - 320, level: 1.0, stopped: false };
        let mut frame = [i16::MAX; 160];
        music.mix(Rate::Hz8000, false, &mut frame);
        assert!(frame.iter().all(|sample| *sample > 0));
        assert_eq!(music.at, 0);
    }
}
