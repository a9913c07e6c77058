//! How speech sounds at the other end: a speaker's leg, a leg on our side, another one of ours with another codec, and a
//! listener's leg, all with their jitter buffers, for every pair of codecs; played from leg to leg, and bridged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::audio::mix::{Mix, Source};
use crate::audio::playout::Playout;
use crate::audio::resample::{HighBand, Upsampler};
use crate::audio::sample::{Random, speech_narrow, speech_wide};
use crate::io::{Gain, PartyClass, Pcm, PlayId};

/// How alike everything that was said and heard is at least, where nothing is lost, with no leg of Opus, one or two. Its
/// encoder takes away what lies under a voice, which turns the phases of the lowest tones: the wave differs more than the
/// sound.
const ALIKE_MIN: [f64; 3] = [0.999, 0.85, 0.68];
/// The same for segments of 160 ms over paths that lose and delay, with no leg of Opus or one: their mean, and the share that
/// is over 0.8.
const SEGMENTS_ALIKE_MIN: [f64; 2] = [0.94, 0.87];
const SEGMENTS_GOOD_MIN: [f64; 2] = [0.95, 0.85];
/// Silence before the speech, in frames: the jitter buffers find their wait in it.
const SETTLE: usize = 150;
const SPEAKER: u16 = 4_000;
const NEAR: u16 = 5_000;
const FAR: u16 = 6_000;
const LISTENER: u16 = 7_000;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn stream(codec: Codec, remote: u16, ssrc: u32, now: Instant) -> MediaStream {
    let params = StreamParams {
        codec,
        payload_type: codec.payload_type(),
        dtmf_payload_type: None,
        remote: Some(at(remote)),
        remote_rtcp: None,
        rtcp_mux: false,
        packet_ms: 20,
        srtp: None,
        seeds: Seeds { ssrc, sequence: 9, timestamp: ssrc, rtcp: 1 },
    };
    MediaStream::new(params, now)
}

/// The path from one leg to the next: packets on their way with the time of their arrival.
struct Path {
    random: Random,
    loss_percent: u64,
    jitter_ms: u64,
    under_way: Vec<(Instant, Vec<u8>)>,
}

impl Path {
    fn new(seed: u64, loss_percent: u64, jitter_ms: u64) -> Self {
        Self { random: Random(seed), loss_percent, jitter_ms, under_way: Vec::new() }
    }

    fn send(&mut self, tick: &Tick<'_>, now: Instant) {
        let (_, bytes) = tick.packet.expect("the address is known");
        if self.random.below(100) >= self.loss_percent {
            let late = Duration::from_millis(self.random.below(self.jitter_ms + 1));
            self.under_way.push((now + late, bytes.to_vec()));
        }
    }

    fn deliver(&mut self, to: &mut MediaStream, from: u16, now: Instant) {
        self.under_way.sort_by_key(|(arrives, _)| *arrives);
        let due = self.under_way.partition_point(|(arrives, _)| *arrives <= now);
        for (arrives, bytes) in self.under_way.drain(..due) {
            to.receive(&bytes, at(from), arrives).expect("from the signalled address");
        }
    }
}

/// How one of our legs gets what the other one hears.
enum Between {
    Played(Box<Playout>),
    Bridged(Box<(Source, Mix)>),
}

impl Between {
    fn playing(to: Codec) -> Self {
        Self::Played(Box::new(Playout::new(to.rate())))
    }

    fn bridge() -> Self {
        Self::Bridged(Box::new((Source::new(), Mix::default())))
    }

    fn pass(&mut self, from: &MediaStream, to: Rate, at_ms: u64, out: &mut [i16]) {
        match self {
            Self::Played(playout) => {
                let pcm = Pcm { rate: from.rate(), samples: from.far().into() };
                playout.append(PlayId(1), &pcm, false).expect("played as it comes");
                playout.pull(out, at_ms);
            }
            Self::Bridged(both) => {
                let (source, mix) = both.as_mut();
                source.take(from.rate(), from.far(), from.rate() != to);
                mix.clear();
                mix.add(PartyClass::Caller, source.at(to), Gain::FULL);
                out.fill(0);
                mix.mix(out);
            }
        }
    }
}

/// What the listener hears of the fixture's speech.
fn passed(from: Codec, to: Codec, mut between: Between, mut first: Path, mut second: Path) -> Vec<i16> {
    let mut now = crate::epoch();
    let mut speaker = stream(from, NEAR, 1, now);
    let mut near = stream(from, SPEAKER, 2, now);
    let mut far = stream(to, LISTENER, 3, now);
    let mut listener = stream(to, FAR, 4, now);
    let samples = if from.rate() == Rate::Hz8000 { speech_narrow() } else { speech_wide() };
    let mut frames = vec![vec![0; from.rate().frame()]; SETTLE];
    frames.extend(samples.chunks_exact(from.rate().frame()).map(<[i16]>::to_vec));
    frames.resize(frames.len() + 25, vec![0; from.rate().frame()]);
    let mut heard = Vec::new();
    for (at_ms, frame) in (0..).step_by(20).zip(&frames) {
        first.send(&speaker.tick(now, |out| out.copy_from_slice(frame)), now);
        first.deliver(&mut near, SPEAKER, now);
        near.tick(now, |out| out.fill(0));
        let passed = far.tick(now, |out| between.pass(&near, to.rate(), at_ms, out));
        second.send(&passed, now);
        second.deliver(&mut listener, FAR, now);
        heard.extend_from_slice(listener.tick(now, |out| out.fill(0)).far);
        now += Duration::from_millis(20);
    }
    heard
}

/// What could be heard at best: the speech in the narrower of both bands, at the listener's rate.
fn ideal(from: Codec, to: Codec) -> Vec<i16> {
    match (from.rate(), to.rate()) {
        (Rate::Hz16000, Rate::Hz16000) => speech_wide(),
        (_, Rate::Hz8000) => speech_narrow(),
        (Rate::Hz8000, Rate::Hz16000) => {
            let narrow = speech_narrow();
            let mut wide = vec![0; narrow.len() * 2];
            Upsampler::new(HighBand::Empty).run(&narrow, &mut wide);
            wide
        }
    }
}

fn opus_legs(from: Codec, to: Codec) -> usize {
    [from, to].iter().filter(|codec| **codec == Codec::Opus).count()
}

fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let (mut product, mut first, mut second) = (0, 1, 1);
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (i64::from(*one), i64::from(*other));
        (product, first, second) = (product + one * other, first + one * one, second + other * other);
    }
    product as f64 / (first as f64 * second as f64).sqrt()
}

/// Signal to noise of a segment in decibels, between -10 and 35 as segmental measures have it.
fn snr(ideal: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (1.0, 1.0);
    for (ideal, heard) in ideal.iter().zip(heard) {
        let (ideal, heard) = (f64::from(*ideal), f64::from(*heard));
        (signal, noise) = (signal + ideal * ideal, noise + (ideal - heard) * (ideal - heard));
    }
    (10.0 * f64::log10(signal / noise)).clamp(-10.0, 35.0)
}

/// Where a segment of the ideal is most alike among these places of what was heard.
fn best(ideal: &[i16], heard: &[i16], places: std::ops::Range<usize>) -> (usize, f64) {
    places
        .filter_map(|place| Some((place, likeness(ideal, heard.get(place..place + ideal.len())?))))
        .fold((0, -1.0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Segments of the ideal in which somebody speaks, with their places.
fn voiced(ideal: &[i16], length: usize) -> impl Iterator<Item = (usize, &[i16])> {
    ideal
        .chunks_exact(length)
        .enumerate()
        .map(move |(index, segment)| (index * length, segment))
        .filter(|(_, segment)| crate::audio::level::mean(segment) > 300)
}

/// B-31: every pair of codecs over a clean path, by the correlation of all of it and by segmental signal to noise.
#[test]
fn every_pair_of_codecs_passes_speech() {
    let table = [
        (Codec::Pcmu, Codec::Pcmu, 33.0),
        (Codec::Pcmu, Codec::Pcma, 32.0),
        (Codec::Pcmu, Codec::G722, 31.0),
        (Codec::Pcma, Codec::Pcmu, 32.0),
        (Codec::Pcma, Codec::Pcma, 33.0),
        (Codec::Pcma, Codec::G722, 31.0),
        (Codec::G722, Codec::Pcmu, 31.0),
        (Codec::G722, Codec::Pcma, 31.0),
        (Codec::G722, Codec::G722, 29.0),
        (Codec::Opus, Codec::Pcmu, 5.0),
        (Codec::Pcma, Codec::Opus, 5.0),
        (Codec::Opus, Codec::G722, 5.0),
        (Codec::G722, Codec::Opus, 5.0),
        (Codec::Opus, Codec::Opus, 2.0),
    ];
    let both =
        |(from, to, snr_min)| [Between::playing(to), Between::bridge()].map(|between| (from, to, snr_min, between));
    for (from, to, snr_min, between) in table.into_iter().flat_map(both) {
        let ideal = ideal(from, to);
        let heard = passed(from, to, between, Path::new(1, 0, 0), Path::new(2, 0, 0));
        let per_ms = to.rate().hz() as usize / 1_000;
        let offset = SETTLE * to.rate().frame();
        // A quarter of a second of the woman's voice finds the delay of the whole path.
        let probe = 1_000 * per_ms..1_250 * per_ms;
        let start = offset + probe.start;
        let (place, _) = best(&ideal[probe], &heard, start..start + 200 * per_ms);
        let delay = place - start;
        let segments: Vec<f64> = voiced(&ideal, to.rate().frame())
            .map(|(place, segment)| snr(segment, &heard[offset + delay + place..]))
            .collect();
        let mean = segments.iter().sum::<f64>() / segments.len() as f64;
        let alike_min = ALIKE_MIN[opus_legs(from, to)];
        let alike = likeness(&ideal[..ideal.len() - 300 * per_ms], &heard[offset + delay..]);
        assert!(
            alike > alike_min && mean > snr_min,
            "{from:?} to {to:?}: {alike:.4} alike, {mean:.1} dB in {} segments, {} ms late",
            segments.len(),
            delay / per_ms
        );
    }
}

/// B-31: the same over two paths that each lose 5 % and delay by up to 40 ms more.
#[test]
fn speech_is_understood_through_loss_and_jitter() {
    for from in [Codec::Pcma, Codec::G722, Codec::Opus] {
        for to in [Codec::Pcmu, Codec::G722, Codec::Opus] {
            if opus_legs(from, to) == 2 {
                continue;
            }
            let ideal = ideal(from, to);
            let heard = passed(from, to, Between::bridge(), Path::new(3, 5, 40), Path::new(4, 5, 40));
            let per_ms = to.rate().hz() as usize / 1_000;
            let offset = SETTLE * to.rate().frame();
            let segments: Vec<f64> = voiced(&ideal, 160 * per_ms)
                .map(|(place, segment)| {
                    let start = offset + place;
                    best(segment, &heard, start + 20 * per_ms..start + 260 * per_ms).1
                })
                .collect();
            let mean = segments.iter().sum::<f64>() / segments.len() as f64;
            let good = segments.iter().filter(|alike| **alike > 0.8).count() as f64 / segments.len() as f64;
            assert!(
                mean > SEGMENTS_ALIKE_MIN[opus_legs(from, to)] && good > SEGMENTS_GOOD_MIN[opus_legs(from, to)],
                "{from:?} to {to:?}: {mean:.3} alike, {good:.3} of segments good"
            );
        }
    }
}
