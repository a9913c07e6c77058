//! Samples: resampling, voice activity, tones, concealment, playing.

pub mod conceal;
pub mod goertzel;
pub mod level;
pub mod mos;
pub mod playout;
pub mod resample;
pub mod tone;
pub mod vad;

#[cfg(test)]
pub(crate) mod sample;
