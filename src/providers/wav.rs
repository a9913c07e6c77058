//! WAV as speech programs write it: 16-bit mono PCM of any rate, with lengths that may lie when it went through a pipe.

use auricle_media::io::{Pcm, Rate};

/// Why bytes are not a WAV that can be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF/WAVE header, or no data.
    #[error("not a WAV file")]
    NotWav,
    /// Another encoding.
    #[error(
        "WAV format {format}, {channels} channel(s), {bits} bit: only 16-bit PCM with one or two channels can be played"
    )]
    Encoding {
        /// Format code; 1 is PCM.
        format: u16,
        /// Channels.
        channels: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// A rate out of range.
    #[error("WAV of {0} samples a second: 8000 to 48000 can be played")]
    Rate(u32),
}

/// The samples as 16 kHz mono; two channels are averaged.
///
/// # Errors
/// When the bytes are not 16-bit PCM in a RIFF container.
pub fn read_wideband(bytes: &[u8]) -> Result<Vec<i16>, WavError> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(WavError::NotWav);
    }
    let mut rest = &bytes[12..];
    let mut rate_hz = 0;
    let mut channels = 1;
    while rest.len() >= 8 {
        let length = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let (id, body) = (&rest[..4], &rest[8..]);
        if id == b"fmt " && body.len() >= 16 {
            let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
            let (format, bits) = (word(0), word(14));
            channels = word(2);
            rate_hz = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
            if format != 1 || bits != 16 || !(1..=2).contains(&channels) {
                return Err(WavError::Encoding { format, channels, bits });
            }
        }
        if id == b"data" {
            if !(8_000..=48_000).contains(&rate_hz) {
                return Err(WavError::Rate(rate_hz));
            }
            // A piped WAV says 0 or a huge number: then everything to the end is data.
            let end = if length == 0 || length > body.len() { body.len() } else { length };
            return Ok(resample(&mono(&body[..end], channels), rate_hz, Rate::Hz16000.hz()));
        }
        rest = body.get(length + length % 2..).unwrap_or_default();
    }
    Err(WavError::NotWav)
}

/// A WAV file of 16-bit mono samples.
pub fn file(rate_hz: u32, samples: &[i16]) -> Vec<u8> {
    let data_bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut bytes = Vec::with_capacity(samples.len() * 2 + 44);
    let mut put = |part: &[u8]| bytes.extend_from_slice(part);
    put(b"RIFF");
    put(&(data_bytes + 36).to_le_bytes());
    put(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    put(&rate_hz.to_le_bytes());
    put(&(rate_hz * 2).to_le_bytes());
    put(b"\x02\0\x10\0data");
    put(&data_bytes.to_le_bytes());
    samples.iter().for_each(|sample| put(&sample.to_le_bytes()));
    bytes
}

/// Samples as a piece of 16 kHz audio.
pub fn wideband(samples: &[i16]) -> Pcm {
    Pcm { rate: Rate::Hz16000, samples: samples.into() }
}

fn mono(data: &[u8], channels: u16) -> Vec<i16> {
    let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
    if channels == 2 {
        let average = |frame: &[u8]| i16::midpoint(sample(frame), sample(&frame[2..]));
        return data.chunks_exact(4).map(average).collect();
    }
    data.chunks_exact(2).map(sample).collect()
}

/// Half the length of the interpolation kernel, in input samples.
const KERNEL_HALF: i64 = 16;

/// Whole-file resampling by a Hann-windowed sinc, cut off below the lower of both Nyquist rates. For sentences and test
/// files; streams on a call have their own resampler.
fn resample(input: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return input.to_vec();
    }
    let step = f64::from(from_hz) / f64::from(to_hz);
    let cutoff = (1.0 / step).min(1.0) * 0.95;
    let length = (input.len() as f64 / step) as usize;
    let output = |index: usize| {
        let centre = index as f64 * step;
        let first = centre.floor() as i64 - KERNEL_HALF + 1;
        let sum: f64 = (first..first + 2 * KERNEL_HALF)
            .filter_map(|at| {
                let sample = *input.get(usize::try_from(at).ok()?)?;
                Some(f64::from(sample) * kernel(centre - at as f64, cutoff))
            })
            .sum();
        sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    };
    (0..length).map(output).collect()
}

fn kernel(distance: f64, cutoff: f64) -> f64 {
    let angle = std::f64::consts::PI * distance;
    let sinc = if distance.abs() < 1e-9 { cutoff } else { (cutoff * angle).sin() / angle };
    let window = 0.5 + 0.5 * (angle / KERNEL_HALF as f64).cos();
    if distance.abs() >= KERNEL_HALF as f64 { 0.0 } else { sinc * window }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate_hz: u32, channels: u16, data_length: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate_hz.to_le_bytes());
        bytes.extend((rate_hz * 2 * u32::from(channels)).to_le_bytes());
        bytes.extend((2 * channels).to_le_bytes());
        bytes.extend(16u16.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(data_length.to_le_bytes());
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }

    fn tone(rate_hz: u32, hz: f64, count: usize) -> Vec<i16> {
        let sample =
            |n: usize| (10_000.0 * (2.0 * std::f64::consts::PI * hz * n as f64 / f64::from(rate_hz)).sin()) as i16;
        (0..count).map(sample).collect()
    }

    #[test]
    fn a_piped_header_with_no_length_is_read_to_the_end() {
        let samples = [1, -2, 3];
        assert_eq!(read_wideband(&wav(16_000, 1, 0, &samples)), Ok(samples.to_vec()));
        assert_eq!(read_wideband(&wav(16_000, 1, 0x7fff_f000, &samples)), Ok(samples.to_vec()));
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let samples = tone(16_000, 440.0, 1_000);
        assert_eq!(read_wideband(&file(16_000, &samples)), Ok(samples));
    }

    #[test]
    fn two_channels_become_one() {
        assert_eq!(read_wideband(&wav(16_000, 2, 8, &[100, 300, -10, -30])), Ok(vec![200, -20]));
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_over_resampling() {
        let wide = read_wideband(&wav(22_050, 1, 0, &tone(22_050, 440.0, 22_050))).unwrap_or_default();
        let expected = tone(16_000, 440.0, 16_000);
        assert_eq!(wide.len(), expected.len());
        let error: i32 =
            (100..15_900).map(|at| (i32::from(wide[at]) - i32::from(expected[at])).abs()).max().unwrap_or(0);
        assert!(error < 300, "largest difference {error}");
    }

    #[test]
    fn what_is_no_wav_says_so() {
        assert_eq!(read_wideband(b"hello"), Err(WavError::NotWav));
        assert_eq!(read_wideband(&wav(192_000, 1, 0, &[1])), Err(WavError::Rate(192_000)));
    }
}
