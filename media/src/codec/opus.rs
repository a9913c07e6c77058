//! Opus (RFC 6716) by libopus: mono voice in frames of 20 ms.
//!
//! We code and decode at 16 kHz. An Opus stream has no rate of its own: libopus decodes at whatever is asked for, so no
//! resampler is needed, and what a telephone desk hears has no more than 8 kHz of band. Only the RTP clock is always 48 kHz
//! (RFC 7587 section 4.1).

use std::alloc::{Layout, handle_alloc_error};

use opus::{Application, Bitrate, Channels};

/// Samples a second on our side.
const HZ: u32 = 16_000;
/// Wideband voice with redundancy in it is good from 24 kbit/s on; this leaves the redundancy room.
const BITS_PER_SECOND: i32 = 32_000;
/// How much loss the encoder shall arm against: with 5 % it repeats the frame before in nearly every packet with a voice.
const LOSS_PERCENT: i32 = 5;
/// Effort of the encoder, 0 to 10: over 5 costs twice as much and is not heard at this rate.
const COMPLEXITY: i32 = 5;
/// Octets of the longest packet that we make: four times the mean. libopus keeps within it.
const PACKET_MAX: usize = 320;

/// Units (eighths of a millisecond) that a packet lasts; `None` when it is no Opus packet. At most 960: 120 ms.
pub(super) fn units(packet: &[u8]) -> Option<usize> {
    opus::packet::get_nb_samples(packet, 8_000).ok()
}

/// Whether a packet repeats the frame before it (RFC 6716 section 4.2.4, low bit-rate redundancy). Only packets of one
/// mono frame are looked into: others are rare, and taken for those that do not.
fn has_redundancy(packet: &[u8]) -> bool {
    let [head, first, ..] = packet else { return false };
    // Configurations from 16 on are CELT, which has none; the low bits say stereo and more than one frame.
    if *head & 0x80 != 0 || *head & 0x07 != 0 {
        return false;
    }
    // A frame begins with one voice-activity bit for each 20 ms of it; the flag follows.
    let parts = units(packet).unwrap_or(0).div_ceil(160).max(1);
    *first >> (7 - parts.min(7)) & 1 == 1
}

pub(super) struct Encoder(opus::Encoder);

impl Default for Encoder {
    fn default() -> Self {
        Self(encoder().unwrap_or_else(|_| out_of_memory()))
    }
}

impl Encoder {
    /// Appends the packet of a frame. Lengths that Opus does not have (it has 2.5, 5, 10, 20, 40 and 60 ms) append nothing.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let begin = out.len();
        out.resize(begin + PACKET_MAX, 0);
        let length = self.0.encode(samples, &mut out[begin..]).unwrap_or(0);
        out.truncate(begin + length);
    }
}

fn encoder() -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(HZ, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(LOSS_PERCENT)?;
    // One packet every 20 ms, speech or silence: address translators and watchdogs want to see them.
    encoder.set_dtx(false)?;
    Ok(encoder)
}

pub(super) struct Decoder(opus::Decoder);

impl Default for Decoder {
    fn default() -> Self {
        Self(opus::Decoder::new(HZ, Channels::Mono).unwrap_or_else(|_| out_of_memory()))
    }
}

impl Decoder {
    /// Decodes a packet into the front of `out` and says how many samples it gave: nothing for what is no Opus packet or
    /// does not fit.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> usize {
        // libopus takes an empty packet for a lost one and makes up as much as fits.
        if packet.is_empty() { 0 } else { self.0.decode(packet, out, false).unwrap_or(0) }
    }

    /// Makes the frame before `next`, which was lost, from what `next` repeats of it or, where it repeats nothing, by going
    /// on from what was decoded last. Says how many samples, and whether they are what was said.
    pub(super) fn recover(&mut self, next: &[u8], out: &mut [i16]) -> (usize, bool) {
        match self.0.decode(next, out, true) {
            Ok(count) => (count, has_redundancy(next)),
            Err(_) => (0, false),
        }
    }
}

/// libopus refuses none of our constants, which the tests hold; what is left is that there is no memory.
fn out_of_memory() -> ! {
    handle_alloc_error(Layout::new::<[u8; 32 * 1024]>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::audio::sample::{speech_wide, tone};

    fn packets(samples: &[i16]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::default();
        samples
            .chunks_exact(320)
            .map(|frame| {
                let mut packet = Vec::new();
                encoder.encode(frame, &mut packet);
                packet
            })
            .collect()
    }

    fn likeness(one: &[i16], other: &[i16]) -> f64 {
        let product = |one: &[i16], other: &[i16]| -> f64 {
            one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
        };
        product(one, other) / (product(one, one) * product(other, other)).sqrt().max(1.0)
    }

    #[test]
    fn libopus_takes_our_settings_and_keeps_its_rate() {
        let mut encoder = encoder().unwrap();
        assert!(encoder.get_inband_fec().unwrap() && !encoder.get_dtx().unwrap());
        let sent = packets(&speech_wide());
        let bits = sent.iter().map(Vec::len).sum::<usize>() * 8 * 50 / sent.len();
        assert!((16_000..=36_000).contains(&bits), "{bits} bit/s");
        assert!(sent.iter().all(|packet| packet.len() <= PACKET_MAX && !packet.is_empty()));
    }

    #[test]
    fn a_packet_says_how_long_it_is() {
        // Configurations of RFC 6716 table 2: SILK 10 ms and 60 ms, CELT 2.5 ms, and two frames of CELT 20 ms.
        for (packet, expected) in [
            (&[0x00, 0][..], Some(80)),
            (&[0x18, 0], Some(480)),
            (&[0x80, 0], Some(20)),
            (&[0xf9, 0, 0], Some(320)),
            (&[0x1b, 0x02, 0, 0], Some(960)),
            (&[0x1b, 0x03, 0, 0], None),
            (&[], None),
        ] {
            assert_eq!(units(packet), expected, "{packet:02x?}");
        }
    }

    /// What a lost packet said is in the next one.
    #[test]
    fn a_lost_frame_is_recovered_from_the_packet_after_it() {
        let sent = packets(&speech_wide());
        let (mut whole, mut lossy) = (Decoder::default(), Decoder::default());
        let (mut alike, mut guessed, mut count) = (0.0, 0.0, 0);
        let mut wanted = [0; 320];
        for index in 0..sent.len() - 1 {
            whole.decode(&sent[index], &mut wanted);
            if index % 10 != 5 {
                lossy.decode(&sent[index], &mut [0; 320]);
                continue;
            }
            let next = &sent[index + 1];
            let mut made = [0; 320];
            let (length, said) = lossy.recover(next, &mut made);
            assert_eq!((length, said), (320, has_redundancy(next)));
            if crate::audio::level::mean(&wanted) > 300 {
                count += 1;
                if said {
                    alike += likeness(&wanted, &made);
                } else {
                    guessed += 1.0;
                }
            }
        }
        let recovered = f64::from(count) - guessed;
        assert!(count > 20 && guessed < f64::from(count) * 0.2, "{guessed} of {count} frames were in no other packet");
        assert!(alike / recovered > 0.9, "{:.3} alike", alike / recovered);
    }

    #[test]
    fn a_frame_that_nothing_repeats_goes_on_from_the_one_before() {
        let sent = packets(&tone(200.0, 8_000.0, 16_000.0, 0, 16_000));
        let mut decoder = Decoder::default();
        for packet in &sent[..20] {
            decoder.decode(packet, &mut [0; 320]);
        }
        // Music coding (CELT) carries no redundancy.
        let mut music = opus::Encoder::new(HZ, Channels::Mono, Application::Audio).unwrap();
        music.set_bitrate(Bitrate::Bits(64_000)).unwrap();
        let next = music.encode_vec(&[0; 320], 400).unwrap();
        let mut made = [0; 320];
        assert_eq!(decoder.recover(&next, &mut made), (320, false));
        assert!(crate::audio::level::mean(&made) > 1_000, "a tone goes on");
    }

    #[test]
    fn what_is_no_packet_gives_nothing() {
        let (mut decoder, mut out) = (Decoder::default(), [0; 320]);
        assert_eq!(decoder.decode(&[], &mut out), 0);
        assert_eq!(decoder.decode(&[0x1b, 0x03, 0, 0], &mut out), 0);
        // 60 ms do not fit 20.
        assert_eq!(decoder.decode(&[0x18, 0], &mut out), 0);
        let mut packet = Vec::new();
        Encoder::default().encode(&[0; 100], &mut packet);
        assert!(packet.is_empty());
    }
}
