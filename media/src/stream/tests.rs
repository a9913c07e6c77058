//! Two streams talk to each other on virtual time, and strangers try to join.
//!
//! Long because every story is told with the same two ends and the same network between them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audio::sample::{Random, speech_narrow, speech_wide, tone};
use crate::codec::g711::{decode_mu, encode_mu};
use crate::rtp::packet::{Packet, PacketError};

const DTMF: u8 = 101;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 6_000))
}

fn params(codec: Codec, dtmf_payload_type: Option<u8>, remote: SocketAddr, seed: u32) -> StreamParams {
    StreamParams {
        codec,
        payload_type: codec.payload_type(),
        dtmf_payload_type,
        remote: Some(remote),
        remote_rtcp: None,
        rtcp_mux: false,
        packet_ms: 20,
        srtp: None,
        seeds: Seeds {
            ssrc: seed,
            sequence: seed as u16 ^ 0xfff0,
            timestamp: seed.wrapping_mul(2_654_435_761),
            rtcp: seed.into(),
        },
    }
}

/// Two streams, 20 ms apart, and what the second noticed.
struct Talk {
    now: Instant,
    here: MediaStream,
    there: MediaStream,
    events: Vec<StreamEvent>,
    heard: Vec<i16>,
    wide: Vec<i16>,
    sent: usize,
}

impl Talk {
    fn new(codec: Codec, here_dtmf: Option<u8>, there_dtmf: Option<u8>) -> Self {
        let now = crate::epoch();
        Self {
            now,
            here: MediaStream::new(params(codec, here_dtmf, at(5_000), 7), now),
            there: MediaStream::new(params(codec, there_dtmf, at(4_000), 9), now),
            events: Vec::new(),
            heard: Vec::new(),
            wide: Vec::new(),
            sent: 0,
        }
    }

    /// The first stream plays `samples` (silence afterwards); packets for which `lose` holds are lost.
    fn say(&mut self, samples: &[i16], frames: usize, mut lose: impl FnMut(usize) -> bool) {
        let mut rest = samples;
        for _ in 0..frames {
            self.now += Duration::from_millis(20);
            let tick = self.here.tick(self.now, |frame| {
                let count = rest.len().min(frame.len());
                frame.fill(0);
                frame[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
            });
            let (remote, bytes) = tick.packet.expect("the address is known");
            assert_eq!(remote, at(5_000));
            if !lose(self.sent) {
                self.there.receive(bytes, at(4_000), self.now).expect("from the signalled address");
            }
            self.sent += 1;
            let tick = self.there.tick(self.now, |frame| frame.fill(0));
            self.events.extend_from_slice(tick.events);
            self.heard.extend_from_slice(tick.far);
            self.wide.extend_from_slice(tick.wide);
        }
    }

    fn digits(&self) -> String {
        self.events
            .iter()
            .filter_map(|event| if let StreamEvent::Dtmf { digit, .. } = event { Some(*digit) } else { None })
            .collect()
    }

    fn speech(&self) -> Vec<StreamEvent> {
        let is_speech =
            |event: &&StreamEvent| matches!(event, StreamEvent::SpeechStarted { .. } | StreamEvent::SpeechEnded { .. });
        self.events.iter().filter(is_speech).copied().collect()
    }
}

/// What is left of samples after mu-law.
fn companded(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|sample| decode_mu(encode_mu(*sample))).collect()
}

fn packet(payload_type: u8, sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let timestamp = u32::from(sequence) * 160;
    Packet { marker: false, payload_type, sequence, timestamp, ssrc, payload }.write(&mut bytes);
    bytes
}

/// RFC 3264 section 5.1: packets last as long as the far end asks for, and say the same.
#[test]
fn packets_are_as_long_as_the_far_end_asks_for() {
    const FRAMES: usize = 12;
    let said = |at: usize| (at * 37 % 4_000) as i16;
    for codec in [Codec::Pcma, Codec::G722, Codec::Opus] {
        let frame_octets = |packet_ms| if codec == Codec::Opus { None } else { Some(packet_ms as usize / 10 * 80) };
        let mut whole: Option<Vec<u8>> = None;
        for packet_ms in [20, 10, 30, 40, 45, 60] {
            let now = crate::epoch();
            let params = StreamParams { packet_ms, ..params(codec, Some(DTMF), at(5_000), 7) };
            let seeds = params.seeds;
            let mut stream = MediaStream::new(params, now);
            let (mut sent, mut payloads, mut ticks) = (0_u16, Vec::new(), 0_u32);
            for frame in 0..FRAMES {
                let size = codec.rate().frame();
                let tick = stream.tick(now, |out| {
                    out.iter_mut().enumerate().for_each(|(index, sample)| *sample = said(frame * size + index));
                });
                for (remote, bytes) in [tick.packet, tick.second].into_iter().flatten() {
                    let packet = Packet::parse(bytes).expect("what we send is RTP");
                    let octets = frame_octets(packet_ms).unwrap_or(packet.payload.len());
                    assert_eq!((remote, packet.payload.len()), (at(5_000), octets), "{codec:?} {packet_ms}");
                    assert_eq!(packet.sequence, seeds.sequence.wrapping_add(sent));
                    assert_eq!(packet.timestamp, seeds.timestamp.wrapping_add(ticks), "{codec:?} {packet_ms}");
                    sent += 1;
                    ticks += codec.units(packet.payload).expect("of the codec") as u32 * Clock::of(codec).hz() / 8_000;
                    payloads.extend_from_slice(packet.payload);
                }
            }
            let full = frame_octets(packet_ms).map_or(FRAMES, |octets| FRAMES * 160 / octets);
            assert_eq!(usize::from(sent), full, "{codec:?} {packet_ms}");
            let first = whole.get_or_insert_with(|| payloads.clone());
            assert_eq!(payloads, first[..payloads.len()], "{codec:?} {packet_ms}: the same is said");
        }
    }
}

/// A digit takes the time of what waits: it is not sent late, and the audio after it is where it belongs. The length may change in a call.
#[test]
fn what_waits_for_a_longer_packet_gives_way_to_a_digit() {
    let now = crate::epoch();
    let params = StreamParams { packet_ms: 40, ..params(Codec::Pcmu, Some(DTMF), at(5_000), 7) };
    let start = params.seeds.timestamp;
    let mut stream = MediaStream::new(params, now);
    let sent = |stream: &mut MediaStream| {
        let tick = stream.tick(now, |frame| frame.fill(0));
        let packet = tick.packet.map(|(_, bytes)| Packet::parse(bytes).expect("what we send is RTP"));
        packet.map(|packet| (packet.payload_type, packet.timestamp.wrapping_sub(start) / 160, packet.payload.len()))
    };
    assert_eq!([sent(&mut stream), sent(&mut stream), sent(&mut stream)], [None, Some((0, 0, 320)), None]);
    stream.send_dtmf("1").expect("a digit");
    let events: Vec<_> = std::iter::from_fn(|| sent(&mut stream).filter(|(kind, ..)| *kind == DTMF)).collect();
    assert!(events.len() > 2 && events.iter().all(|(_, at, octets)| (*at, *octets) == (3, 4)), "{events:?}");
    // The frame that ended the digit waits already.
    let after = 3 + events.len() as u32;
    assert_eq!(sent(&mut stream), Some((0, after, 320)));
    stream.set_packet_ms(20);
    assert_eq!(sent(&mut stream), Some((0, after + 2, 160)));
}

#[test]
fn one_packet_leaves_every_tick_whether_anything_is_played_or_not() {
    for (codec, silence) in
        [(Codec::Pcmu, Some(0xff)), (Codec::Pcma, Some(0xd5)), (Codec::G722, None), (Codec::Opus, None)]
    {
        let now = crate::epoch();
        let mut stream = MediaStream::new(params(codec, Some(DTMF), at(5_000), 7), now);
        let mut before: Option<(u16, u32)> = None;
        for _ in 0..100 {
            let tick = stream.tick(now, |frame| frame.fill(0));
            let (_, bytes) = tick.packet.expect("the address is known");
            let packet = Packet::parse(bytes).expect("what we send is RTP");
            let units = codec.units(packet.payload);
            assert_eq!((packet.payload_type, units, packet.ssrc), (codec.payload_type(), Some(160), 7));
            assert!(silence.is_none_or(|code| packet.payload == [code; 160]));
            assert_eq!(packet.marker, before.is_none());
            if let Some((sequence, timestamp)) = before {
                assert_eq!(
                    (packet.sequence, packet.timestamp),
                    (sequence.wrapping_add(1), timestamp.wrapping_add(Clock::of(codec).frame()))
                );
            }
            before = Some((packet.sequence, packet.timestamp));
        }
    }
}

#[test]
fn speech_is_heard_and_told_with_its_times() {
    for (codec, samples) in [
        (Codec::Pcmu, speech_narrow()),
        (Codec::Pcma, speech_narrow()),
        (Codec::G722, speech_wide()),
        (Codec::Opus, speech_wide()),
    ] {
        let mut talk = Talk::new(codec, None, None);
        talk.say(&samples, 520, |_| false);
        let speech = talk.speech();
        // The first voiced sample is at 0.70 s, the last at 9.42 s; the wait and the filters come on top.
        let bounds = matches!(
            speech[..],
            [StreamEvent::SpeechStarted { at_ms: 690..=880 }, .., StreamEvent::SpeechEnded { at_ms: 9_320..=9_560 }]
        );
        assert!(bounds, "{codec:?}: {speech:?}");
        assert_eq!(talk.wide.len(), 520 * 320);
        let loud = talk.events.iter().any(|event| matches!(event, StreamEvent::Level { far: 85..=100, near: 0 }));
        assert!(loud, "{codec:?}: levels follow the voice");
        let quality = talk.there.quality();
        assert_eq!(quality, LegQuality { received: 520, mos: quality.mos, ..LegQuality::default() });
        assert!((4.3..4.45).contains(&quality.mos), "{codec:?}: {}", quality.mos);
        assert_eq!(talk.digits(), "");
    }
}

/// B-22: the next call on a leg has figures of its own.
#[test]
fn figures_are_counted_anew() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    let samples = tone(440.0, 8_000.0, 8_000.0, 0, 8_000);
    talk.say(&samples, 200, |at| at % 4 == 0 && at > 8);
    let poor = talk.there.quality();
    assert!(poor.lost > 40 && poor.mos < 3.0, "{poor:?}");
    talk.there.measure();
    let none = talk.there.quality();
    assert_eq!((none.received, none.lost, none.mos), (0, 0, 0.0));
    talk.say(&samples, 50, |_| false);
    let good = talk.there.quality();
    assert!((good.received, good.lost) == (50, 0) && good.mos > 4.2, "{good:?}");
}

#[test]
fn narrowband_has_its_high_band_filled_for_recognition() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&tone(3_000.0, 8_000.0, 8_000.0, 0, 16_000), 90, |_| false);
    let part = &talk.wide[320 * 60..320 * 80];
    let turn = 5_000.0 * std::f32::consts::TAU / 16_000.0;
    let (mut re, mut im) = (0.0f32, 0.0f32);
    for (index, sample) in part.iter().enumerate() {
        re += f32::from(*sample) * (index as f32 * turn).cos();
        im += f32::from(*sample) * (index as f32 * turn).sin();
    }
    let mirrored = (re * re + im * im).sqrt() * 2.0 / part.len() as f32;
    assert!((mirrored - 5_600.0).abs() < 400.0, "3 kHz mirrored to 5 kHz at 0.7: {mirrored}");
}

/// B-31: what wideband carries is handed on as it is, and nothing is made up above it.
#[test]
fn wideband_keeps_its_own_high_band() {
    let level = |samples: &[i16], hz: f32| {
        let turn = hz * std::f32::consts::TAU / 16_000.0;
        let (re, im) = (0..).zip(samples).fold((0.0f32, 0.0f32), |(re, im), (index, sample)| {
            let angle = index as f32 * turn;
            (re + f32::from(*sample) * angle.cos(), im + f32::from(*sample) * angle.sin())
        });
        (re * re + im * im).sqrt() * 2.0 / samples.len() as f32
    };
    for (hz, mirrored) in [(6_000.0, 2_000.0), (3_000.0, 5_000.0)] {
        let mut talk = Talk::new(Codec::G722, None, None);
        talk.say(&tone(hz, 8_000.0, 16_000.0, 0, 32_000), 90, |_| false);
        let part = &talk.wide[320 * 60..320 * 80];
        assert!((level(part, hz) - 8_000.0).abs() < 600.0, "{hz} Hz: {}", level(part, hz));
        assert!(level(part, mirrored) < 200.0, "{hz} Hz mirrored: {}", level(part, mirrored));
        assert_eq!(talk.wide, talk.heard);
    }
}

/// B-22: the score falls with loss, and is kind to none of it.
#[test]
fn the_score_follows_what_is_missing() {
    let mut scores = Vec::new();
    for every in [usize::MAX, 100, 20, 5] {
        let mut talk = Talk::new(Codec::Pcmu, None, None);
        assert_eq!(talk.there.quality().mos, 0.0, "nothing heard yet");
        talk.say(&speech_narrow(), 500, |sent| sent % every == every - 1);
        scores.push(talk.there.quality().mos);
    }
    let bounds = [4.3..4.45, 4.1..4.35, 3.5..4.0, 2.0..2.65];
    assert!(scores.iter().zip(&bounds).all(|(score, bound)| bound.contains(score)), "{scores:?}");
}

/// What a far end that suppresses silence sends: speech, then noise at a level and nothing, then speech.
fn suppressed(codec: Codec, level: u8) -> (MediaStream, Vec<i16>) {
    let now = crate::epoch();
    let mut stream = MediaStream::new(params(codec, Some(DTMF), at(4_000), 7), now);
    let samples = if codec.rate() == Rate::Hz8000 { speech_narrow() } else { speech_wide() };
    let mut encoder = Encoder::new(codec);
    let (mut sequence, mut heard) = (0u16, Vec::new());
    for (frame, samples) in samples[codec.rate().hz() as usize..].chunks(codec.rate().frame()).enumerate().take(200) {
        let now = now + Duration::from_millis(frame as u64 * 20);
        let mut payload = Vec::new();
        encoder.encode(samples, &mut payload);
        let kind = match frame {
            0..60 | 150.. => Some(codec.payload_type()),
            // Its level is told again in the middle.
            60 | 100 => {
                payload = vec![level, 3, 4];
                Some(13)
            }
            _ => None,
        };
        if let Some(payload_type) = kind {
            let mut bytes = Vec::new();
            let timestamp = frame as u32 * 160;
            Packet { marker: frame == 150, payload_type, sequence, timestamp, ssrc: 5, payload: &payload }
                .write(&mut bytes);
            assert_eq!(stream.receive(&bytes, at(4_000), now), Ok(()));
            sequence += 1;
        }
        heard.extend_from_slice(stream.tick(now, |frame| frame.fill(0)).far);
    }
    (stream, heard)
}

/// RFC 3389: noise is played at its level though it was never offered, and what was not sent is not lost.
#[test]
fn suppressed_silence_sounds_like_its_noise_and_costs_nothing() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        for level in [40, 60] {
            let (stream, heard) = suppressed(codec, level);
            let frame = codec.rate().frame();
            let noise = &heard[70 * frame..140 * frame];
            let power = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / noise.len() as f64;
            let told = -10.0 * (power / 32_768f64.powi(2)).log10();
            assert!((told - f64::from(level)).abs() < 1.0, "{codec:?}: {told} instead of {level}");
            let quality = stream.quality();
            assert_eq!((quality.received, quality.lost, quality.refused), (112, 0, 0), "{codec:?}");
            assert!(quality.concealed <= 2 && quality.mos > 4.2, "{codec:?}: {quality:?}");
        }
    }
}

#[test]
fn a_far_end_that_begins_with_noise_is_heard_from_its_first_packet() {
    let now = crate::epoch();
    let mut stream = MediaStream::new(params(Codec::Pcmu, None, at(4_000), 7), now);
    assert_eq!(stream.receive(&packet(13, 9, 5, &[40]), at(4_000), now), Ok(()));
    let mut loud = 0;
    for frame in 0..20 {
        let tick = stream.tick(now + Duration::from_millis(frame * 20), |frame| frame.fill(0));
        loud += usize::from(tick.far.iter().any(|sample| *sample != 0));
    }
    assert!(loud >= 15, "{loud} frames of noise");
    assert!(stream.is_paused());
}

#[test]
fn digits_arrive_once_through_loss_of_a_third() {
    for seed in 1..20 {
        let codec = if seed % 2 == 0 { Codec::Pcmu } else { Codec::Opus };
        let mut talk = Talk::new(codec, Some(DTMF), Some(DTMF));
        talk.say(&[], 10, |_| false);
        talk.here.send_dtmf("0123456789*#").expect("negotiated");
        let mut random = Random(seed * 7_919);
        talk.say(&[], 150, |_| random.below(3) == 0);
        assert_eq!(talk.digits(), "0123456789*#", "seed {seed}");
    }
}

#[test]
fn digits_that_were_not_negotiated_are_heard_as_events_or_as_tones() {
    let mut talk = Talk::new(Codec::Pcma, Some(DTMF), None);
    talk.here.send_dtmf("42").expect("negotiated on that side");
    talk.say(&[], 60, |_| false);
    assert_eq!(talk.digits(), "42");

    let mut talk = Talk::new(Codec::Pcma, None, None);
    assert_eq!(talk.here.send_dtmf("4"), Err(DigitsRefused::NotNegotiated));
    let mut samples = tone(770.0, 6_000.0, 8_000.0, 0, 800);
    crate::audio::level::mix(&tone(1_209.0, 6_000.0, 8_000.0, 0, 800), &mut samples);
    talk.say(&samples, 20, |_| false);
    assert_eq!(talk.digits(), "4");
}

/// A key's tones, 100 ms of them with 80 ms of silence.
fn key_tones(digit: char, rate: f32) -> Vec<i16> {
    let place = "123A456B789C*0#D".find(digit).expect("a key");
    let (row, column) = ([697.0, 770.0, 852.0, 941.0][place / 4], [1_209.0, 1_336.0, 1_477.0, 1_633.0][place % 4]);
    let count = rate as usize / 10;
    let mut samples = tone(row, 5_000.0, rate, 0, count);
    crate::audio::level::mix(&tone(column, 5_000.0, rate, 0, count), &mut samples);
    samples.resize(rate as usize * 180 / 1_000, 0);
    samples
}

/// Each press is told once, whatever codec carries its tones; a caller who speaks presses nothing (the speech
/// tests look for digits, too).
#[test]
fn tones_are_heard_through_every_codec_and_only_where_no_events_were_agreed_on() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let rate = codec.rate().hz() as f32;
        let samples: Vec<i16> = "0123456789*#ABCD".chars().flat_map(|digit| key_tones(digit, rate)).collect();
        for (events, expected) in [(None, "0123456789*#ABCD"), (Some(DTMF), "")] {
            let mut talk = Talk::new(codec, None, events);
            talk.say(&samples, 160, |_| false);
            assert_eq!(talk.digits(), expected, "{codec:?}");
        }
    }
}

#[test]
fn a_press_that_signalling_tells_too_is_told_once() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&key_tones('7', 8_000.0), 20, |_| false);
    assert_eq!(talk.digits(), "7");
    assert!(!talk.there.digit_signalled('7'), "the press that was heard");
    assert!(talk.there.digit_signalled('7'), "the next one");
    talk.say(&key_tones('8', 8_000.0), 20, |_| false);
    assert_eq!(talk.digits(), "7", "tones are left to signalling now");
    assert!(talk.there.digit_signalled('8'));
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&key_tones('7', 8_000.0), 100, |_| false);
    assert!(talk.there.digit_signalled('7'), "too long ago to be the same press");
}

/// Telephones that send INFO beside events, in the order in which the two come: each press once.
#[test]
fn a_press_that_comes_as_an_event_and_by_signalling_is_told_once() {
    let mut talk = Talk::new(Codec::Pcmu, Some(DTMF), Some(DTMF));
    talk.here.send_dtmf("7").expect("negotiated");
    talk.say(&[], 20, |_| false);
    assert_eq!(talk.digits(), "7");
    assert!(!talk.there.digit_signalled('7'));
    assert!(talk.there.digit_signalled('8'));
    talk.here.send_dtmf("88").expect("negotiated");
    talk.say(&[], 40, |_| false);
    assert_eq!(talk.digits(), "78", "the first of the two was signalled already");
    assert!(!talk.there.digit_signalled('8'));
}

#[test]
fn what_is_played_waits_while_a_digit_is_sent() {
    let mut talk = Talk::new(Codec::Pcmu, Some(DTMF), Some(DTMF));
    let ramp = tone(400.0, 8_000.0, 8_000.0, 0, 1_600);
    talk.here.send_dtmf("5").expect("negotiated");
    talk.say(&ramp, 30, |_| false);
    let told = talk.events.iter().position(|event| matches!(event, StreamEvent::Dtmf { digit: '5', .. }));
    assert!(told.is_some());
    let wanted = companded(&ramp);
    assert!(
        talk.heard.windows(1_000).any(|window| window == &wanted[200..1_200]),
        "all of it is heard after the digit"
    );
    assert_eq!(talk.there.quality().lost, 0);
}

#[test]
fn a_stranger_is_refused_and_counted_and_changes_nothing() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&[], 10, |_| false);
    for sequence in 0..50 {
        let refusal = talk.there.receive(&packet(0, sequence, 99, &[0; 160]), stranger(), talk.now);
        assert_eq!(refusal, Err(Refusal::Stranger));
    }
    talk.heard.clear();
    talk.say(&[], 10, |_| false);
    assert!(talk.heard.iter().all(|sample| *sample == 0));
    let quality = talk.there.quality();
    assert_eq!((quality.received, quality.refused), (20, 50));
    assert_eq!(talk.there.tick(talk.now, |_| ()).packet.map(|(remote, _)| remote), Some(at(4_000)));
}

#[test]
fn a_far_end_behind_address_translation_is_answered_where_it_sends_from() {
    let now = crate::epoch();
    let private = SocketAddr::from(([10, 0, 0, 5], 4_000));
    let mut stream = MediaStream::new(params(Codec::Pcmu, None, private, 7), now);
    for sequence in 0..2 {
        assert_eq!(stream.receive(&packet(0, sequence, 5, &[0xff; 160]), at(9_000), now), Err(Refusal::Probation));
        assert_eq!(stream.tick(now, |_| ()).packet.map(|(remote, _)| remote), Some(private));
    }
    assert_eq!(stream.receive(&packet(0, 2, 5, &[0xff; 160]), at(9_000), now), Ok(()));
    assert_eq!(stream.tick(now, |_| ()).packet.map(|(remote, _)| remote), Some(at(9_000)));
    assert_eq!(stream.quality().refused, 0, "probation is no refusal");
    let later = stream.rtcp_due();
    assert_eq!(stream.rtcp(later).map(|(remote, _)| remote), Some(at(9_001)));
}

#[test]
fn packets_that_were_not_agreed_on_are_refused() {
    let now = crate::epoch();
    let mut stream = MediaStream::new(params(Codec::Pcmu, Some(DTMF), at(4_000), 7), now);
    let mut receive = |bytes: &[u8]| stream.receive(bytes, at(4_000), now);
    assert_eq!(receive(&packet(8, 1, 5, &[0; 160])), Err(Refusal::PayloadType(8)));
    assert_eq!(receive(&packet(100, 1, 5, &[0; 160])), Err(Refusal::PayloadType(100)));
    assert_eq!(receive(&packet(0, 2, 5, &[0; 641])), Err(Refusal::TooLong(641)));
    assert_eq!(receive(b"stun or worse"), Err(Refusal::Packet(PacketError::Version(1))));
    assert_eq!(receive(&packet(13, 3, 5, &[60])), Ok(()), "comfort noise is taken unasked");
    assert_eq!(stream.quality().refused, 4);
}

#[test]
fn on_hold_silence_goes_out_and_hold_music_is_nobody_speaking() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.here.hold(true);
    let mut asked = 0;
    for _ in 0..5 {
        let tick = talk.here.tick(talk.now, |_| asked += 1);
        assert!(tick.packet.is_some_and(|(_, bytes)| bytes.ends_with(&[0xff; 160])));
    }
    assert_eq!(asked, 0);
    talk.here.hold(false);
    talk.there.hold(true);
    talk.say(&speech_narrow(), 200, |_| false);
    assert_eq!(talk.speech(), []);
    assert!(talk.wide.iter().all(|sample| *sample == 0));
    assert!(talk.heard.iter().any(|sample| sample.unsigned_abs() > 1_000), "but it is there for the recording");
}

#[test]
fn a_new_address_is_heard_at_once_and_the_old_one_is_a_stranger() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&[], 10, |_| false);
    talk.there.set_remote(Some(at(4_100)), None, false);
    assert_eq!(talk.there.receive(&packet(0, 1, 55, &[0; 160]), at(4_100), talk.now), Ok(()));
    assert_eq!(talk.there.receive(&packet(0, 2, 7, &[0; 160]), at(4_000), talk.now), Err(Refusal::Stranger));
    let tick = talk.there.tick(talk.now, |_| ());
    assert_eq!(tick.packet.map(|(remote, _)| remote), Some(at(4_100)));
    assert_eq!(talk.there.quality().received, 11);
}

#[test]
fn reports_tell_both_sides_how_they_fare() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    for _ in 0..3 {
        talk.say(&[], 250, |sent| sent % 10 == 5);
        let now = talk.now + Duration::from_secs(10);
        let (remote, report) = talk.here.rtcp(now).expect("due");
        assert_eq!(remote, at(5_001));
        talk.there.receive_rtcp(report, at(4_001), now).expect("from the same host");
        let later = now + Duration::from_millis(80);
        let (remote, report) = talk.there.rtcp(later).expect("due");
        assert_eq!(remote, at(4_001));
        talk.here.receive_rtcp(report, at(5_001), later + Duration::from_millis(30)).expect("from the same host");
        talk.now = later;
    }
    let quality = talk.here.quality();
    assert!((quality.remote_loss - 0.1).abs() < 0.01, "{quality:?}");
    assert!(quality.round_trip_ms.is_some_and(|ms| (28..=31).contains(&ms)), "{quality:?}");
    assert_eq!(talk.there.quality().lost, 75);
    let goodbye = talk.here.goodbye(talk.now).map(|(_, bytes)| bytes.to_vec()).expect("the address is known");
    assert_eq!(talk.there.receive_rtcp(&goodbye, stranger(), talk.now), Err(Refusal::Stranger));
    assert_eq!(talk.there.receive(&goodbye, at(4_000), talk.now), Ok(()), "RTCP on the RTP port is RTCP");
}

#[test]
fn time_that_was_not_served_is_left_out_at_once_and_the_clocks_go_on() {
    let mut talk = Talk::new(Codec::Pcmu, None, None);
    talk.say(&[], 50, |_| false);
    let before = Packet::parse(talk.there.tick(talk.now, |_| ()).packet.expect("known").1).expect("RTP").timestamp;
    // For half a second nobody ticks this side, while the other goes on.
    for _ in 0..25 {
        talk.now += Duration::from_millis(20);
        let tick = talk.here.tick(talk.now, |frame| frame.fill(0));
        let (_, bytes) = tick.packet.expect("known");
        talk.there.receive(bytes, at(4_000), talk.now).expect("from the signalled address");
    }
    talk.there.skip(25);
    let tick = talk.there.tick(talk.now, |_| ());
    assert_eq!(tick.at_ms, 51 * 20 + 500);
    let after = Packet::parse(tick.packet.expect("known").1).expect("RTP");
    assert_eq!((after.timestamp.wrapping_sub(before), after.marker), (26 * 160, true));
    talk.events.clear();
    talk.heard.clear();
    let start_ms = talk.there.position_ms();
    talk.say(&speech_narrow(), 100, |_| false);
    let wanted = companded(&speech_narrow()[6_000..14_000]);
    assert!(talk.heard.windows(wanted.len()).any(|window| window == wanted), "what is said next is whole");
    let speech = talk.speech();
    let told =
        matches!(speech[..], [StreamEvent::SpeechStarted { at_ms }, ..] if (690..=880).contains(&(at_ms - start_ms)));
    assert!(told, "{speech:?} after {start_ms}");
}

#[test]
fn nothing_leaves_while_no_address_is_known() {
    let now = crate::epoch();
    let unknown = StreamParams { remote: None, ..params(Codec::Pcmu, None, at(1), 7) };
    let mut stream = MediaStream::new(unknown, now);
    assert!(stream.tick(now, |_| ()).packet.is_none());
    let later = stream.rtcp_due();
    assert!(stream.rtcp(later).is_none());
    assert!(stream.rtcp_due() > later, "and it is not asked for over and over");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_datagrams_are_survived(
        datagrams in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..300), any::<bool>(), 0u8..4, 0u64..50), 0..100),
    ) {
        for codec in [Codec::Pcmu, Codec::G722] {
            let mut now = crate::epoch();
            let mut stream = MediaStream::new(params(codec, Some(DTMF), at(4_000), 7), now);
            for (bytes, known, shape, ms) in &datagrams {
                let mut bytes = bytes.clone();
                // Most of them look like RTP, so that more than the first check is reached.
                if *shape > 0 && bytes.len() > 12 {
                    bytes[0] = 0x80;
                    bytes[1] = [codec.payload_type(), DTMF, 13][usize::from(*shape) - 1];
                    bytes[8..12].copy_from_slice(&[0, 0, 0, 1]);
                }
                let remote = if *known { at(4_000) } else { stranger() };
                let _ = stream.receive(&bytes, remote, now);
                let _ = stream.receive_rtcp(&bytes, remote, now);
                now += Duration::from_millis(*ms);
                let tick = stream.tick(now, |frame| frame.fill(1));
                prop_assert_eq!((tick.far.len(), tick.wide.len()), (codec.rate().frame(), 320));
            }
        }
    }
}
