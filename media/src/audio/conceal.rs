//! Concealment of lost audio by repeating the last pitch period, and comfort noise.

use crate::io::Rate;

use super::level::mix_over;

/// Full strength for this long.
const FULL_MS: usize = 10;
/// Falling to [`TAIL`] until here: what a listener takes for the voice.
const VOICE_MS: usize = 60;
/// Silent from here.
const END_MS: usize = 80;
const TAIL: f32 = 0.4;
/// Pitch between 66 and 400 Hz.
const PERIOD_MS_MAX: usize = 15;
/// History kept: two of the longest periods and the window that is compared.
const HISTORY_MS: usize = 40;
/// Fade from concealed to real audio.
const FADE_MS: usize = 5;
const FADE_MAX: usize = FADE_MS * 16;

/// Conceals the losses of one stream.
#[derive(Debug)]
pub struct Concealer {
    per_ms: usize,
    history: Vec<i16>,
    period: Vec<i16>,
    /// Samples made since the last real one.
    made: usize,
    offset: f32,
    random: u32,
}

impl Concealer {
    /// Silence lies behind.
    pub fn new(rate: Rate) -> Self {
        let per_ms = rate.hz() as usize / 1_000;
        Self {
            per_ms,
            history: vec![0; HISTORY_MS * per_ms],
            period: Vec::with_capacity(PERIOD_MS_MAX * per_ms + 1),
            made: 0,
            offset: 0.0,
            random: 1,
        }
    }

    /// Takes real audio into account; its beginning is faded over from what was concealed.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            let mut going_on = [0; FADE_MAX];
            let fade = (FADE_MS * self.per_ms).min(samples.len());
            self.fill(&mut going_on[..fade]);
            mix_over(&going_on[..fade], samples);
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Makes up audio. `false` when the loss is so long that it is only silence.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        if self.made == 0 {
            self.find_period();
        }
        let begun = self.made;
        self.fill(out);
        begun < END_MS * self.per_ms
    }

    /// Makes background noise at a level in -dBov (RFC 3389 section 3.1).
    pub fn noise(&mut self, level: u8, out: &mut [i16]) {
        // Uniform noise has a third of its peak's power.
        let peak = 32_768.0 * 10f32.powf(-f32::from(level.min(127)) / 20.0) * 3f32.sqrt();
        for sample in out.iter_mut() {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = (self.random >> 8) as f32 / 8_388_608.0 - 1.0;
            *sample = (unit * peak) as i16;
        }
        self.made = 0;
        self.remember(out);
    }

    fn remember(&mut self, samples: &[i16]) {
        let length = self.history.len();
        let kept = length.saturating_sub(samples.len());
        self.history.copy_within(length - kept.., 0);
        self.history[kept..].copy_from_slice(&samples[samples.len() - (length - kept)..]);
    }

    fn fill(&mut self, out: &mut [i16]) {
        let (full, voice, end) = (FULL_MS * self.per_ms, VOICE_MS * self.per_ms, END_MS * self.per_ms);
        let join = (5 * self.per_ms / 2) as f32;
        for sample in out {
            let at = self.made;
            self.made = at.saturating_add(1).min(end);
            if at >= end || self.period.is_empty() {
                *sample = 0;
                continue;
            }
            let gain = if at < full {
                1.0
            } else if at < voice {
                1.0 - (1.0 - TAIL) * (at - full) as f32 / (voice - full) as f32
            } else {
                TAIL * (end - at) as f32 / (end - voice) as f32
            };
            let joined = self.offset * (1.0 - at as f32 / join).max(0.0);
            *sample = ((f32::from(self.period[at % self.period.len()]) + joined) * gain) as i16;
        }
    }

    /// Takes the lag at which the last 10 ms resemble what came before most, and prepares that period for repeating.
    fn find_period(&mut self) {
        let end = self.history.len();
        let window = 10 * self.per_ms;
        let (shortest, longest) = (5 * self.per_ms / 2, PERIOD_MS_MAX * self.per_ms);
        let recent = &self.history[end - window..];
        let mut best = (longest, 0.0f32);
        for lag in shortest..=longest {
            let before = &self.history[end - window - lag..end - lag];
            let (mut product, mut energy) = (0.0f32, 1.0f32);
            for (a, b) in recent.iter().zip(before) {
                product += f32::from(*a) * f32::from(*b);
                energy += f32::from(*b) * f32::from(*b);
            }
            let likeness = product.max(0.0) * product / energy;
            if likeness > best.1 {
                best = (lag, likeness);
            }
        }
        let lag = best.0;
        self.period.clear();
        self.period.extend_from_slice(&self.history[end - lag..]);
        // The end of the period runs into its start without a step: its last quarter is faded towards what came before it.
        let quarter = lag / 4;
        for index in 0..quarter {
            let share = (index + 1) as i32;
            let going = i32::from(self.period[lag - quarter + index]);
            let coming = i32::from(self.history[end - lag - quarter + index]);
            self.period[lag - quarter + index] =
                ((going * (quarter as i32 - share) + coming * share) / quarter as i32) as i16;
        }
        self.offset = f32::from(self.history[end - 1]) - f32::from(self.history[end - lag - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hz: f32, from: usize, count: usize) -> Vec<i16> {
        (from..from + count).map(|index| ((hz * TAU * index as f32 / 8_000.0).sin() * 8_000.0) as i16).collect()
    }

    #[test]
    fn a_vowel_goes_on_in_phase() {
        let mut concealer = Concealer::new(Rate::Hz8000);
        concealer.heard(&mut tone(160.0, 0, 800));
        let mut made = [0; 80];
        assert!(concealer.conceal(&mut made));
        for (made, real) in made.iter().zip(tone(160.0, 800, 80)) {
            assert!((made - real).abs() < 600, "{made} instead of {real}");
        }
    }

    #[test]
    fn it_falls_after_10_ms_and_is_silent_after_80() {
        let mut concealer = Concealer::new(Rate::Hz8000);
        concealer.heard(&mut tone(200.0, 0, 800));
        let mut peaks = Vec::new();
        let mut told = Vec::new();
        for _ in 0..5 {
            let mut made = [0; 160];
            told.push(concealer.conceal(&mut made));
            peaks.push(made.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0));
        }
        assert!(peaks[0] > 7_500 && peaks[0] > peaks[1] && peaks[1] > peaks[2] && peaks[2] > 3_000, "{peaks:?}");
        assert!(peaks[3] < 3_300 && peaks[4] == 0, "{peaks:?}");
        assert_eq!(told, [true, true, true, true, false]);
    }

    #[test]
    fn there_is_no_step_into_and_out_of_concealment() {
        for hz in [90.0, 133.0, 310.0] {
            let mut concealer = Concealer::new(Rate::Hz8000);
            let mut all = tone(hz, 0, 800);
            concealer.heard(&mut all);
            let mut made = vec![0; 160];
            concealer.conceal(&mut made);
            all.extend(&made);
            let mut after = tone(hz, 960, 160);
            concealer.heard(&mut after);
            all.extend(&after);
            let steepest = (8_000.0 * TAU * hz / 8_000.0) as i32;
            let step = all.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0);
            assert!(step < steepest * 2 + 400, "{hz} Hz: a step of {step}, the tone's own is {steepest}");
        }
    }

    #[test]
    fn noise_has_the_level_that_was_asked_for() {
        let mut noise = [0; 8_000];
        Concealer::new(Rate::Hz8000).noise(40, &mut noise);
        let power: f64 = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 8_000.0;
        let level = 10.0 * (power / 32_768f64.powi(2)).log10();
        assert!((level + 40.0).abs() < 1.0, "{level}");
    }
}
