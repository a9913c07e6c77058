//! The receiver behind simulated networks, on virtual time.

#![allow(clippy::unwrap_used)]
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audio::sample::{Random, speech_narrow, speech_wide, tone};
use crate::codec::g711::{decode_mu, encode_mu};

/// A packet on its way.
#[derive(Clone)]
struct Sent {
    sequence: i64,
    timestamp: i64,
    carried: Carried,
    payload: Vec<u8>,
    arrives_us: i64,
}

/// Mu-law packets of `per_packet` samples that arrive the moment they are complete.
fn packets(samples: &[i16], per_packet: usize) -> Vec<Sent> {
    samples
        .chunks(per_packet)
        .enumerate()
        .map(|(index, chunk)| Sent {
            sequence: 1_000 + index as i64,
            timestamp: 50_000 + (index * per_packet) as i64,
            carried: Carried::Audio,
            payload: chunk.iter().map(|sample| encode_mu(*sample)).collect(),
            arrives_us: (index + 1) as i64 * per_packet as i64 * 125,
        })
        .collect()
}

/// What came out of a run.
struct Run {
    heard: Vec<i16>,
    made: Vec<Made>,
    receiver: Receiver,
    waited_ms: Vec<i64>,
}

impl Run {
    fn concealed(&self) -> usize {
        self.made.iter().filter(|made| **made == Made::Concealed).count()
    }

    /// Where in what was heard `wanted` begins, exactly.
    fn find(&self, wanted: &[i16]) -> Option<usize> {
        self.heard.windows(wanted.len()).position(|window| window == wanted)
    }
}

/// Delivers packets at their times and ticks every 20 ms, 7 ms after each packet of an undisturbed stream.
fn run(sent: Vec<Sent>, frames: usize) -> Run {
    run_codec(Codec::Pcmu, sent, frames)
}

fn run_codec(codec: Codec, mut sent: Vec<Sent>, frames: usize) -> Run {
    let origin = crate::epoch();
    let at = |us: i64| origin + Duration::from_micros(us as u64);
    sent.sort_by_key(|packet| packet.arrives_us);
    let mut coming = sent.into_iter().peekable();
    let mut run =
        Run { heard: Vec::new(), made: Vec::new(), receiver: Receiver::new(codec, origin), waited_ms: Vec::new() };
    for index in 0..frames {
        let now = index as i64 * 20_000 + 7_000;
        while let Some(packet) = coming.next_if(|packet| packet.arrives_us <= now) {
            let Sent { sequence, timestamp, carried, payload, arrives_us } = packet;
            assert!(run.receiver.put(sequence, timestamp, carried, &payload, at(arrives_us)));
        }
        let mut frame = vec![0; codec.rate().frame()];
        run.made.push(run.receiver.frame(&mut frame, at(now)));
        run.heard.extend(frame);
        if let Some(playing) = run.receiver.playing {
            // The timeline has moved on by the frame that was just made.
            run.waited_ms.push(run.receiver.delay.behind(playing, now * 8 / 1_000) / 8 + 20);
        }
    }
    run
}

fn companded(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|sample| decode_mu(encode_mu(*sample))).collect()
}

fn speech(seconds: usize) -> Vec<i16> {
    speech_narrow().into_iter().cycle().take(seconds * 8_000).collect()
}

#[test]
fn an_even_stream_is_played_as_it_was_sent_at_most_50_ms_later() {
    for per_packet in [80, 160, 240, 320, 480, 640] {
        let samples = speech(12);
        let run = run(packets(&samples, per_packet), 580);
        assert_eq!(run.concealed(), 0, "{per_packet} samples a packet");
        // Found exactly, so nothing was lost, repeated or changed for a second once the wait had settled.
        let at = run.find(&companded(&samples[64_000..72_000]));
        let delay_ms = at.map(|at| (at as i64 - 64_000) / 8 + 7);
        let packet_ms = per_packet as i64 / 8;
        assert!(
            delay_ms.is_some_and(|delay| (packet_ms + 5..=packet_ms + 50).contains(&delay)),
            "{per_packet} samples a packet: {delay_ms:?} ms"
        );
    }
}

#[test]
fn reordered_and_repeated_packets_change_nothing() {
    let samples = speech(6);
    let mut sent = packets(&samples, 160);
    for index in (10..290).step_by(10) {
        sent[index].arrives_us += 21_000;
        let again = sent[index + 3].clone();
        sent.push(again);
    }
    let run = run(sent, 280);
    assert_eq!(run.concealed(), 0);
    assert!(run.find(&companded(&samples[32_000..40_000])).is_some());
}

#[test]
fn the_wait_grows_with_jitter_and_shrinks_again() {
    let mut random = Random(42);
    let mut sent = packets(&speech(60), 160);
    for packet in &mut sent[1_000..2_000] {
        packet.arrives_us += random.below(80_000) as i64;
    }
    let run = run(sent, 3_000);
    let mean = |range: std::ops::Range<usize>| run.waited_ms[range.clone()].iter().sum::<i64>() / range.len() as i64;
    let (before, during, after) = (mean(500..900), mean(1_400..1_900), mean(2_800..2_990));
    assert!((5..=30).contains(&before), "{before} ms before");
    assert!((70..=120).contains(&during), "{during} ms while packets are up to 80 ms late");
    assert!((5..=30).contains(&after), "{after} ms after");
    let settled = run.made[1_200..2_000].iter().filter(|made| **made == Made::Concealed).count();
    assert!(settled < 40, "{settled} of 800 frames concealed once the jitter was known");
    assert!(run.waited_ms.iter().all(|waited| *waited <= 200), "never above the longest wait and the excess");
}

/// Without a pause the first second's patience would stay for the whole call.
#[test]
fn who_does_not_pause_is_not_heard_late_for_it() {
    for hz in [95.0, 180.0, 320.0] {
        let samples = tone(hz, 8_000.0, 8_000.0, 0, 40_000);
        let run = run(packets(&samples, 160), 245);
        assert_eq!(run.concealed(), 0, "{hz} Hz");
        assert!(run.waited_ms[..40].iter().all(|waited| *waited >= 40), "{hz} Hz: patient at first");
        assert!(run.waited_ms[80..].iter().all(|waited| (5..=30).contains(waited)), "{hz} Hz: {:?}", run.waited_ms);
        let step = run.heard[800..].windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        let steepest = (8_000.0 * std::f32::consts::TAU * hz / 8_000.0) as i32;
        assert!(step < Some(steepest * 3 / 2 + 300), "{hz} Hz: a step of {step:?} where {steepest} is the tone's own");
    }
}

#[test]
fn single_losses_are_concealed_and_move_nothing() {
    let samples = speech(10);
    let mut random = Random(5);
    let mut sent = packets(&samples, 160);
    let all = sent.len();
    let mut index = 0;
    sent.retain(|_| {
        index += 1;
        index < 100 || random.below(20) != 0
    });
    let lost = all - sent.len();
    let run = run(sent, 490);
    let concealed = run.concealed();
    // A lost frame touches two ticks where packets and ticks are not aligned.
    assert!(lost > 10 && (lost..=lost * 2).contains(&concealed), "{lost} lost, {concealed} concealed");
    // The end is still in its place.
    let at = run.find(&companded(&samples[60_000..60_100])).map(|at| (at as i64 - 60_000) / 8 + 7);
    assert!(at.is_some_and(|delay| (25..=70).contains(&delay)), "{at:?}");
}

#[test]
fn a_long_loss_is_concealed_for_80_ms_and_silent_after() {
    let samples = tone(200.0, 8_000.0, 8_000.0, 0, 16_000);
    let mut sent = packets(&samples, 160);
    sent.drain(50..65);
    let run = run(sent, 90);
    let first = run.made.iter().position(|made| *made == Made::Concealed).unwrap_or(0);
    let hole = &run.made[first..first + 15];
    assert!(hole[..4].iter().all(|made| *made == Made::Concealed), "{hole:?}");
    assert!(hole[6..14].iter().all(|made| *made == Made::Silence), "{hole:?}");
    assert!(run.heard[(first + 6) * 160..(first + 14) * 160].iter().all(|sample| *sample == 0));
    assert!(run.made[first + 17..80].iter().all(|made| *made == Made::Heard));
}

#[test]
fn a_far_clock_that_is_fast_or_slow_is_followed_in_pauses() {
    for ppm in [-300, 300] {
        let mut sent = packets(&speech(240), 160);
        for packet in &mut sent {
            packet.arrives_us += packet.arrives_us * ppm / 1_000_000;
        }
        let run = run(sent, 11_900);
        // 300 ppm of four minutes are 72 ms: without following, the wait would have run out or grown by that.
        let last = &run.waited_ms[run.waited_ms.len() - 1_000..];
        assert!(
            last.iter().all(|waited| (5..=60).contains(waited)),
            "{ppm} ppm: {:?}",
            (last.iter().min(), last.iter().max())
        );
        assert!(run.concealed() <= 8, "{ppm} ppm: {} frames concealed", run.concealed());
    }
}

#[test]
fn suppressed_silence_is_no_loss() {
    let mut sent = packets(&speech(4), 160);
    // Nothing is sent for 400 ms: timestamps go on, numbers do not.
    sent.drain(60..80);
    for packet in &mut sent[60..] {
        packet.sequence -= 20;
    }
    let run = run(sent, 150);
    let silent = run.made.iter().filter(|made| **made == Made::Silence).count();
    // Until the next packet comes, the beginning could have been loss. Three frames come before the first packet.
    assert!(
        run.concealed() <= 5 && silent + run.concealed() <= 20 + 3,
        "{} concealed, {silent} silent",
        run.concealed()
    );
    assert!(run.find(&companded(&speech(4)[18_000..22_000])).is_some(), "goes on in time");
}

#[test]
fn comfort_noise_is_made_until_speech_goes_on() {
    let mut sent = packets(&tone(300.0, 8_000.0, 8_000.0, 0, 32_000), 160);
    sent.drain(61..100);
    sent[60].carried = Carried::Noise(50);
    sent[60].payload.clear();
    for packet in &mut sent[61..] {
        packet.sequence -= 39;
    }
    let run = run(sent, 150);
    assert_eq!(run.concealed(), 0);
    let noise = &run.heard[70 * 160..95 * 160];
    let power = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / noise.len() as f64;
    let level = 10.0 * (power / 32_768f64.powi(2)).log10();
    assert!((-52.0..-48.0).contains(&level), "{level} dBov");
}

#[test]
fn a_key_held_for_three_seconds_loses_nothing_around_it() {
    let mut sent = packets(&speech(8), 160);
    let press = sent[100].timestamp;
    for packet in &mut sent[100..250] {
        packet.carried = Carried::Nothing;
        packet.timestamp = press;
        packet.payload.clear();
    }
    let run = run(sent, 395);
    assert!(run.concealed() <= 5, "{}", run.concealed());
    assert!(run.find(&companded(&speech(8)[50_000..58_000])).is_some(), "goes on in time");
}

#[test]
fn a_path_that_becomes_longer_is_followed_within_half_a_second() {
    let mut sent = packets(&speech(10), 160);
    for packet in &mut sent[200..] {
        packet.arrives_us += 350_000;
    }
    let run = run(sent, 500);
    let hole = run.made[200..240].iter().filter(|made| **made != Made::Heard).count();
    assert!((15..=30).contains(&hole), "{hole} frames without audio");
    assert!(run.made[240..].iter().all(|made| *made == Made::Heard));
}

#[test]
fn a_path_that_becomes_shorter_does_not_keep_its_wait() {
    let mut sent = packets(&speech(30), 160);
    for packet in &mut sent[..200] {
        packet.arrives_us += 150_000;
    }
    let run = run(sent, 1_490);
    // The packets that were overtaken count as late ones for a while.
    assert!(run.waited_ms[240..].iter().all(|waited| *waited <= 135), "{:?}", run.waited_ms[240..].iter().max());
    assert!(run.waited_ms[1_200..].iter().all(|waited| *waited <= 40), "{:?}", run.waited_ms[1_200..].iter().max());
}

#[test]
fn a_stall_that_ends_in_a_burst_costs_only_itself() {
    let mut sent = packets(&speech(10), 160);
    for packet in &mut sent[200..206] {
        packet.arrives_us = 206 * 20_000 + 20_000;
    }
    let run = run(sent, 490);
    let hole = run.made.iter().filter(|made| **made == Made::Concealed).count();
    assert!((3..=7).contains(&hole), "{hole}");
    assert!(run.made[215..].iter().all(|made| *made == Made::Heard));
}

#[test]
fn a_jump_of_timestamps_begins_again() {
    let mut sent = packets(&speech(6), 160);
    for packet in &mut sent[150..] {
        packet.timestamp += 1_000_000;
    }
    let run = run(sent, 290);
    let hole = run.made[10..].iter().filter(|made| **made != Made::Heard).count();
    assert!(hole <= 4, "{hole}");
}

proptest! {
    #[test]
    fn any_packets_give_a_frame_every_tick(
        sent in proptest::collection::vec((0i64..400, 0i64..60_000, 0u8..8, 0usize..700, 0i64..3_000_000), 0..300),
    ) {
        let sent = sent
            .into_iter()
            .map(|(sequence, timestamp, kind, length, arrives_us)| {
                let carried = match kind {
                    0 => Carried::Nothing,
                    1 => Carried::Noise(40),
                    _ => Carried::Audio,
                };
                let length = if carried == Carried::Audio { length.min(640) } else { 0 };
                Sent { sequence, timestamp, carried, payload: vec![0x55; length], arrives_us }
            })
            .collect();
        prop_assert_eq!(run(sent, 160).heard.len(), 160 * 160);
    }
}

/// The same speech in Opus over a path with the same losses and jitter, with and without what packets repeat of each other.
#[test]
fn what_opus_repeats_is_heard_in_place_of_what_was_lost() {
    let lossy = |repeating: bool| {
        let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
        encoder.set_inband_fec(repeating).unwrap();
        encoder.set_packet_loss_perc(10).unwrap();
        let mut random = Random(11);
        let sent: Vec<Sent> = speech_wide()
            .chunks_exact(320)
            .enumerate()
            .map(|(index, frame)| Sent {
                sequence: index as i64,
                timestamp: index as i64 * 160,
                carried: Carried::Audio,
                payload: encoder.encode_vec(frame, 320).unwrap(),
                arrives_us: index as i64 * 20_000 + random.below(40_000) as i64,
            })
            .filter(|sent| sent.sequence < 60 || sent.sequence % 12 != 0)
            .collect();
        run_codec(Codec::Opus, sent, 480)
    };
    let (repeated, not) = (lossy(true), lossy(false));
    let lost = 40 - 5;
    assert!(not.concealed() >= lost, "{} frames concealed of {lost} lost", not.concealed());
    assert!(repeated.concealed() * 2 < not.concealed(), "{} and {} concealed", repeated.concealed(), not.concealed());
}
