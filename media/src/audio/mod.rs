//! Samples: resampling, mixing, voice activity, tones, music, concealment, playing.

pub mod conceal;
pub mod goertzel;
pub mod level;
pub(crate) mod mix;
pub mod mos;
pub mod music;
pub mod playout;
pub mod resample;
pub mod shorten;
pub mod tone;
pub mod vad;

#[cfg(test)]
pub(crate) mod sample;
