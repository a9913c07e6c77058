//! How loud a frame is.

/// Peak of a frame as 0 (-60 dBFS or less) to 100 (full scale), even steps in decibels.
pub fn peak_percent(frame: &[i16]) -> u8 {
    let peak = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    let decibels = 20.0 * (f32::from(peak.max(1)) / 32_768.0).log10();
    ((decibels + 60.0) / 0.6).clamp(0.0, 100.0).round() as u8
}

/// Mean of magnitudes: a cheap measure of loudness.
pub fn mean(frame: &[i16]) -> u32 {
    let sum: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
    (sum / frame.len().max(1) as u64) as u32
}

/// Adds `from` to `to` sample by sample; what exceeds the range stays at its end.
pub fn mix(from: &[i16], to: &mut [i16]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = to.saturating_add(*from);
    }
}

/// Fades over from `from` to `to` along the length of `from`.
pub fn mix_over(from: &[i16], to: &mut [i16]) {
    let length = from.len().max(1) as i32;
    for (index, (to, from)) in to.iter_mut().zip(from).enumerate() {
        let share = index as i32 + 1;
        *to = ((i32::from(*from) * (length - share) + i32::from(*to) * share) / length) as i16;
    }
}

/// Tells quiet frames from speech by a slowly rising noise floor.
#[derive(Debug)]
pub struct Background {
    floor: u32,
}

/// Mean magnitude that is quiet on any line: about -52 dBFS.
const QUIET: u32 = 80;
/// A floor above this is not background but somebody who does not pause.
const FLOOR_MAX: u32 = 1_000;

impl Default for Background {
    fn default() -> Self {
        Self { floor: FLOOR_MAX / 2 * 16 }
    }
}

impl Background {
    /// Takes a frame into account and says whether leaving it out would be noticed by nobody.
    pub fn is_quiet(&mut self, frame: &[i16]) -> bool {
        let mean = mean(frame);
        // Sixteenths keep a floor that rises by under one per frame from standing still.
        self.floor = (self.floor + self.floor / 128 + 1).min(mean * 16).min(FLOOR_MAX * 16);
        mean < QUIET || mean * 16 < self.floor * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_even_in_decibels() {
        for (peak, percent) in [(0, 0), (32, 0), (328, 33), (3_277, 67), (i16::MAX, 100), (i16::MIN, 100)] {
            assert_eq!(peak_percent(&[0, peak, 0]), percent, "{peak}");
        }
    }

    #[test]
    fn mixing_stays_in_range() {
        let mut to = [30_000, -30_000, 5];
        mix(&[10_000, -10_000, 6], &mut to);
        assert_eq!(to, [i16::MAX, i16::MIN, 11]);
    }

    #[test]
    fn fading_over_ends_at_the_new_signal() {
        let mut to = [1_000; 4];
        mix_over(&[0, 0, 0], &mut to);
        assert_eq!(to, [333, 666, 1_000, 1_000]);
    }

    #[test]
    fn background_noise_is_quiet_and_speech_over_it_is_not() {
        let mut background = Background::default();
        let noise: Vec<i16> = (0..160).map(|index| if index % 2 == 0 { 250 } else { -250 }).collect();
        for _ in 0..100 {
            background.is_quiet(&noise);
        }
        assert!(background.is_quiet(&noise));
        assert!(!background.is_quiet(&[2_000; 160]));
    }
}
