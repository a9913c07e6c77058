//! Mixing: what parties say in one frame, at the rate of who listens, as loud as that one wants it.
//!
//! A party's frame is converted once for all listeners of the other rate, and not at all for those of its own: two
//! narrowband parties stay as they are in a bridge that is wideband for others. Sums are 32 bits wide and are cut to 16 at
//! the very end, so that nothing wraps, whatever is added.

use super::resample::{Downsampler, HighBand, Upsampler};
use crate::io::{Gain, PARTIES_MAX, PartyClass, Rate};

/// Samples of the longest frame: 20 ms at 16 kHz.
const FRAME_MAX: usize = 320;

// As many parties as there may be at full scale, what each of them is played, and a frame that is played, fit the sum.
const _: () = assert!((2 * PARTIES_MAX as i64 + 2) * (1 << 15) <= i32::MAX as i64);

/// What one party says in a frame, at the rates at which it is listened to.
pub(crate) struct Source {
    rate: Rate,
    own: [i16; FRAME_MAX],
    other: [i16; FRAME_MAX],
    convert: Option<Convert>,
    /// Frames of pure silence so far; the filter's memory is as silent from the second one on.
    silent: u32,
}

enum Convert {
    Up(Box<Upsampler>),
    Down(Box<Downsampler>),
}

impl Source {
    /// Says nothing yet.
    pub(crate) fn new() -> Self {
        Self { rate: Rate::Hz8000, own: [0; FRAME_MAX], other: [0; FRAME_MAX], convert: None, silent: 2 }
    }

    /// Its next frame; `both` when somebody listens at the other rate.
    pub(crate) fn take(&mut self, rate: Rate, frame: &[i16], both: bool) {
        if rate != self.rate || !both {
            (self.rate, self.convert) = (rate, None);
        }
        let is_silent = frame.iter().all(|sample| *sample == 0);
        self.silent = if is_silent { self.silent.saturating_add(1) } else { 0 };
        if self.is_silent() {
            return;
        }
        let own = &mut self.own[..rate.frame()];
        own.fill(0);
        for (own, sample) in own.iter_mut().zip(frame) {
            *own = *sample;
        }
        if !both {
            return;
        }
        match self.convert.get_or_insert_with(|| Convert::from(rate)) {
            Convert::Up(upsampler) => upsampler.run(own, &mut self.other[..FRAME_MAX]),
            Convert::Down(downsampler) => downsampler.run(own, &mut self.other[..FRAME_MAX / 2]),
        }
    }

    /// It has no frame: nobody is there, or nobody may hear it.
    pub(crate) fn rest(&mut self) {
        self.silent = u32::MAX;
        self.convert = None;
    }

    /// Whether there is nothing to be heard in this frame.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent > 1
    }

    /// The frame at this rate, which must be one that was taken.
    pub(crate) fn at(&self, rate: Rate) -> &[i16] {
        if rate == self.rate { &self.own[..rate.frame()] } else { &self.other[..rate.frame()] }
    }
}

impl From<Rate> for Convert {
    fn from(rate: Rate) -> Self {
        match rate {
            // Listened to by people: what was never there is not made up.
            Rate::Hz8000 => Self::Up(Box::new(Upsampler::new(HighBand::Empty))),
            Rate::Hz16000 => Self::Down(Box::default()),
        }
    }
}

/// What a listener is given in a frame, apart by the class of who said it.
pub(crate) struct Mix {
    sums: [Option<usize>; 3],
    frames: [[i32; FRAME_MAX]; 3],
}

impl Default for Mix {
    fn default() -> Self {
        Self { sums: [None; 3], frames: [[0; FRAME_MAX]; 3] }
    }
}

fn place(class: PartyClass) -> usize {
    match class {
        PartyClass::Caller => 0,
        PartyClass::Receptionist => 1,
        PartyClass::Staff => 2,
    }
}

impl Mix {
    /// A new frame: nothing is said yet.
    pub(crate) fn clear(&mut self) {
        self.sums = [None; 3];
    }

    /// Adds what somebody says.
    pub(crate) fn add(&mut self, class: PartyClass, frame: &[i16], gain: Gain) {
        let place = place(class);
        let sums = &mut self.frames[place][..frame.len()];
        if self.sums[place].replace(frame.len()).is_none() {
            sums.fill(0);
        }
        let percent = i32::from(gain.get());
        if gain == Gain::FULL {
            sums.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += i32::from(*sample));
        } else {
            sums.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += i32::from(*sample) * percent / 100);
        }
    }

    /// What a class says, if it says anything.
    fn of(&self, class: PartyClass) -> Option<&[i32]> {
        let place = place(class);
        self.sums[place].map(|length| &self.frames[place][..length])
    }

    /// Adds what one class says to what the frame holds.
    pub(crate) fn mix_class(&self, class: PartyClass, frame: &mut [i16]) {
        if let Some(sums) = self.of(class) {
            add(sums, frame);
        }
    }

    /// Whether a class says anything.
    pub(crate) fn has(&self, class: PartyClass) -> bool {
        self.of(class).is_some()
    }

    /// Adds all of it to what the frame holds.
    pub(crate) fn mix(&self, frame: &mut [i16]) {
        let [caller, receptionist, staff] =
            [PartyClass::Caller, PartyClass::Receptionist, PartyClass::Staff].map(|class| self.of(class));
        match (caller, receptionist, staff) {
            (None, None, None) => {}
            (Some(sums), None, None) | (None, Some(sums), None) | (None, None, Some(sums)) => add(sums, frame),
            _ => {
                let at =
                    |sums: Option<&[i32]>, index: usize| sums.and_then(|sums| sums.get(index)).copied().unwrap_or(0);
                for (index, sample) in frame.iter_mut().enumerate() {
                    let sum = at(caller, index) + at(receptionist, index) + at(staff, index);
                    *sample = cut(i32::from(*sample) + sum);
                }
            }
        }
    }
}

fn add(sums: &[i32], frame: &mut [i16]) {
    frame.iter_mut().zip(sums).for_each(|(sample, sum)| *sample = cut(i32::from(*sample) + sum));
}

/// The nearest sample there is.
fn cut(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audio::sample::tone;

    const CLASSES: [PartyClass; 3] = [PartyClass::Caller, PartyClass::Receptionist, PartyClass::Staff];

    /// As many as there may be shout at once: the sum stays at the end of the range and never wraps.
    #[test]
    fn what_is_too_loud_is_cut_and_never_wraps() {
        for (level, expected) in [(i16::MAX, i16::MAX), (i16::MIN, i16::MIN)] {
            let mut mix = Mix::default();
            mix.clear();
            for index in 0..PARTIES_MAX {
                mix.add(CLASSES[index % 3], &[level; 160], Gain::FULL);
            }
            let mut frame = [level; 160];
            mix.mix(&mut frame);
            assert_eq!(frame, [expected; 160]);
        }
    }

    /// Loud and opposite cancel out before anything is cut, whatever their classes.
    #[test]
    fn the_sum_is_cut_once_at_its_end() {
        for classes in [[PartyClass::Staff; 3], CLASSES] {
            let mut mix = Mix::default();
            for (class, level) in classes.into_iter().zip([30_000, 30_000, -32_000]) {
                mix.add(class, &[level; 320], Gain::FULL);
            }
            let mut frame = [-20_000; 320];
            mix.mix(&mut frame);
            assert_eq!(frame, [8_000; 320]);
        }
    }

    #[test]
    fn a_gain_is_a_share_of_the_amplitude() {
        for (percent, expected) in [(100, -20_000), (50, -10_000), (1, -200), (0, 0)] {
            let mut mix = Mix::default();
            mix.add(PartyClass::Caller, &[-20_000; 160], Gain::percent(percent).unwrap());
            let mut frame = [0; 160];
            mix.mix(&mut frame);
            assert_eq!(frame, [expected; 160]);
        }
        assert_eq!(Gain::percent(101), Err(crate::io::GainError { given: 101 }));
    }

    #[test]
    fn what_was_said_in_the_frame_before_is_not_said_again() {
        let mut mix = Mix::default();
        mix.add(PartyClass::Staff, &[500; 320], Gain::FULL);
        mix.clear();
        mix.add(PartyClass::Staff, &[7; 160], Gain::FULL);
        let mut frame = [1; 160];
        mix.mix(&mut frame);
        assert_eq!(frame, [8; 160]);
    }

    /// One that changes its rate, is listened to at another, or rests, starts anew without what it said long before.
    #[test]
    fn a_source_is_heard_at_both_rates_and_forgets_what_is_past() {
        let mut source = Source::new();
        assert!(source.is_silent());
        for (rate, hz) in [(Rate::Hz8000, 8_000.0), (Rate::Hz16000, 16_000.0)] {
            let samples = tone(400.0, 10_000.0, hz, 0, rate.frame() * 3);
            for frame in samples.chunks_exact(rate.frame()) {
                source.take(rate, frame, true);
            }
            assert!(!source.is_silent());
            for listened in [Rate::Hz8000, Rate::Hz16000] {
                let frame = source.at(listened);
                assert_eq!(frame.len(), listened.frame());
                let peak = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
                assert!((9_500..10_500).contains(&peak), "{rate:?} at {listened:?}: {peak}");
            }
            source.take(rate, &vec![0; rate.frame()], true);
            assert!(!source.is_silent(), "the filter still has something to say");
            source.take(rate, &vec![0; rate.frame()], true);
            assert!(source.is_silent());
            source.rest();
            source.take(rate, &vec![1; rate.frame()], true);
            assert!(source.at(Rate::Hz16000).iter().chain(source.at(Rate::Hz8000)).all(|sample| sample.abs() <= 2));
        }
    }
}
