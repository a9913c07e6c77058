//! Legs that hear each other: several calls into one engine, in virtual time, with real RTP in and out.
//!
//! Long because every story has the same parties, each with a tone of its own, around one bridge.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::codec::g711::decode_mu;
use auricle_media::io::{
    BridgeId, Codec, Command, EngineEvent, Gain, LegEnd, LegId, PARTIES_MAX, Party, PartyClass, Pcm, PlayId, Rate,
};
use netem::{CALLER, CLINIC, Link, World, amplitude, tone};
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
const BRIDGE: BridgeId = BridgeId(1);
/// Everybody has a tone of its own, all of them periodic in 20 ms and of this amplitude.
const AMPLITUDE: f64 = 3_000.0;
/// Tones are compared with this share of tolerance: codecs, and the jitter buffer's fine adjustments.
const TOLERANCE: f64 = 0.1;
const EVERY: [Codec; 3] = [Codec::Pcma, Codec::G722, Codec::Pcmu];

fn hz(party: usize) -> f64 {
    400.0 + 250.0 * party as f64
}

/// Who, of which class, hears whom at how many percent.
type Row<'a> = (usize, PartyClass, &'a [(usize, u8)]);

/// Parties who call: their legs at their own end and at the clinic's.
struct Parties {
    world: World,
    far: Vec<LegId>,
    near: Vec<LegId>,
}

impl Parties {
    /// So many, with these codecs in turn; each says its tone for a minute and keeps what it hears.
    fn new(count: usize, codecs: &[Codec]) -> Self {
        let mut world = World::new(LAN, 1);
        let (mut far, mut near) = (Vec::new(), Vec::new());
        for party in 0..count {
            let (caller, clinic) = world.call(&[codecs[party % codecs.len()]]);
            let pcm = tone_of(party, 60_000);
            world.command(CALLER, Command::Play { leg: caller, id: PlayId(1), pcm, last: true });
            world.command(CALLER, Command::Tap { leg: caller, on: true });
            far.push(caller);
            near.push(clinic);
        }
        Self { world, far, near }
    }

    /// Bridges them.
    fn bridge(&mut self, matrix: &[Row<'_>]) {
        let hears = |row: &[(usize, u8)]| {
            row.iter().map(|(other, percent)| (self.near[*other], Gain::percent(*percent).unwrap())).collect()
        };
        let parties = matrix
            .iter()
            .map(|(own, class, row)| Party { leg: self.near[*own], class: *class, hears: hears(row), overhears: false })
            .collect();
        self.world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties });
    }

    /// Bridges these so that all hear all.
    fn conference(&mut self, who: &[usize]) {
        let class = |own| if own == 0 { CALLER_CLASS } else { STAFF };
        let legs: Vec<(LegId, PartyClass)> = who.iter().map(|own| (self.near[*own], class(*own))).collect();
        self.world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: Party::all(&legs) });
    }

    /// In a second that begins when all has settled: how loud each party hears each tone, as a share of how it was said,
    /// rounded to tenths.
    fn heard(&mut self) -> Vec<Vec<f64>> {
        // Legs have found how long they wait for what comes late: until then periods are left out, and tones are not as they were.
        self.world.run(2_000);
        self.world.hosts[CALLER].heard.clear();
        self.world.run(1_000);
        let heard = &self.world.hosts[CALLER].heard;
        let loud = |leg: &LegId, party: usize| match heard.get(leg) {
            // Of the high band of narrowband, only what was folded is left out here: the tones lie under it.
            Some(samples) => amplitude(samples, hz(party), Rate::Hz16000) / AMPLITUDE,
            None => 0.0,
        };
        self.far.iter().map(|leg| (0..self.far.len()).map(|party| loud(leg, party)).collect()).collect()
    }

    /// Compares what is heard with what should be, in percent.
    fn expect(&mut self, what: &str, expected: &[&[u8]]) {
        let heard = self.heard();
        for (own, row) in expected.iter().enumerate() {
            for (other, percent) in row.iter().enumerate() {
                let (given, wanted) = (heard[own][other], f64::from(*percent) / 100.0);
                assert!(
                    (given - wanted).abs() < TOLERANCE,
                    "{what}: {own} hears {other} at {given:.2} instead of {wanted:.2}; all: {heard:.2?}"
                );
            }
        }
    }
}

fn tone_of(party: usize, ms: u64) -> Pcm {
    let loud = tone(hz(party), Rate::Hz16000, ms);
    Pcm { rate: Rate::Hz16000, samples: loud.samples.iter().map(|sample| sample / 4).collect() }
}

const CALLER_CLASS: PartyClass = PartyClass::Caller;
const STAFF: PartyClass = PartyClass::Staff;

/// Two talk, whatever their codecs, and none hears itself; unbridged, they hear nothing of each other.
#[test]
fn two_talk_with_every_pair_of_codecs() {
    for first in EVERY {
        for second in EVERY {
            let mut parties = Parties::new(2, &[first, second]);
            parties.expect("before", &[&[0, 0], &[0, 0]]);
            parties.bridge(&[(0, CALLER_CLASS, &[(1, 100)]), (1, STAFF, &[(0, 100)])]);
            parties.expect(&format!("{first:?} and {second:?}"), &[&[0, 100], &[100, 0]]);
            parties.bridge(&[]);
            parties.expect("after", &[&[0, 0], &[0, 0]]);
        }
    }
}

/// Legs of a busy clinic are served in quarters of a tick. Two of different ones talk like any others: in one quarter from then on, in full
/// both ways, and one packet leaves for each every 20 ms.
#[test]
fn two_of_different_quarters_talk() {
    let mut world = World::new(LAN, 3);
    let calls: Vec<(LegId, LegId)> = (0..44).map(|_| world.call(&[Codec::Pcma])).collect();
    // How many packets leave at each time of 20 ms.
    let sent_at = |world: &mut World| {
        let seen = world.hosts[CLINIC].rtp_sent.len();
        world.run(20);
        let mut times: Vec<f64> = world.hosts[CLINIC].rtp_sent[seen..].to_vec();
        times.iter_mut().for_each(|at| *at = (*at * 10.0).round() / 10.0);
        let mut counts: Vec<usize> = times.chunk_by(|one, other| one == other).map(<[f64]>::len).collect();
        counts.sort_unstable();
        counts
    };
    world.run(1_000);
    assert_eq!(sent_at(&mut world), [12, 32]);
    let pair = [calls[0], calls[43]];
    for (party, (caller, _)) in pair.into_iter().enumerate() {
        world.command(CALLER, Command::Play { leg: caller, id: PlayId(1), pcm: tone_of(party, 60_000), last: true });
        world.command(CALLER, Command::Tap { leg: caller, on: true });
    }
    let parties = Party::all(&pair.map(|(_, near)| (near, STAFF)));
    world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties });
    assert_eq!(sent_at(&mut world), [11, 33]);
    world.run(2_000);
    world.hosts[CALLER].heard.clear();
    world.run(1_000);
    for (own, (caller, _)) in pair.iter().enumerate() {
        let heard = amplitude(&world.hosts[CALLER].heard[caller], hz(1 - own), Rate::Hz16000) / AMPLITUDE;
        assert!((heard - 1.0).abs() < TOLERANCE, "{own}: {heard}");
    }
    world.command(CLINIC, Command::Hangup { leg: pair[0].1 });
    world.run(1_000);
    assert_eq!(sent_at(&mut world), [11, 32]);
}

/// Listen, whisper, barge, and talk again: one command each, while the talk of the two others goes on. A caller, an agent
/// and a supervisor, of different codecs.
#[test]
fn a_supervisor_listens_whispers_and_barges() {
    let mut parties = Parties::new(3, &EVERY);
    parties.bridge(&[(0, CALLER_CLASS, &[(1, 100)]), (1, STAFF, &[(0, 100)]), (2, STAFF, &[(0, 100), (1, 100)])]);
    parties.expect("listen", &[&[0, 100, 0], &[100, 0, 0], &[100, 100, 0]]);
    parties.bridge(&[
        (0, CALLER_CLASS, &[(1, 100)]),
        (1, STAFF, &[(0, 100), (2, 100)]),
        (2, STAFF, &[(0, 100), (1, 100)]),
    ]);
    parties.expect("whisper", &[&[0, 100, 0], &[100, 0, 100], &[100, 100, 0]]);
    parties.conference(&[0, 1, 2]);
    parties.expect("barge", &[&[0, 100, 100], &[100, 0, 100], &[100, 100, 0]]);
    parties.bridge(&[(0, CALLER_CLASS, &[(1, 100)]), (1, STAFF, &[(0, 100)])]);
    parties.expect("talk", &[&[0, 100, 0], &[100, 0, 0], &[0, 0, 0]]);
}

/// A gain is a share of the amplitude, of one pair in one direction.
#[test]
fn a_gain_of_half_is_half_as_loud_to_that_one_alone() {
    let mut parties = Parties::new(3, &[Codec::Pcmu, Codec::G722, Codec::Pcma]);
    parties.bridge(&[
        (0, CALLER_CLASS, &[(1, 50), (2, 100)]),
        (1, STAFF, &[(0, 100), (2, 50)]),
        (2, STAFF, &[(0, 25), (1, 100)]),
    ]);
    parties.expect("gains", &[&[0, 50, 100], &[100, 0, 50], &[25, 100, 0]]);
}

/// Ten people in one conference, of all codecs: each hears the nine others and not itself. Who leaves, by hanging up or by
/// being put into another bridge, is missed by nobody; the last one hears nothing.
#[test]
fn a_conference_of_ten_shrinks_to_none() {
    let mut parties = Parties::new(10, &EVERY);
    let all: Vec<usize> = (0..10).collect();
    parties.conference(&all);
    let row = |own: usize, gone: &[usize]| -> Vec<u8> {
        let is_heard = |other: usize| other != own && !gone.contains(&other) && !gone.contains(&own);
        (0..10).map(|other| if is_heard(other) { 100 } else { 0 }).collect()
    };
    let expect = |parties: &mut Parties, what: &str, gone: &[usize]| {
        let rows: Vec<Vec<u8>> = (0..10).map(|own| row(own, gone)).collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        parties.expect(what, &rows);
    };
    expect(&mut parties, "ten", &[]);
    let (far, near) = (parties.far[3], parties.near[7]);
    parties.world.command(CALLER, Command::Hangup { leg: far });
    parties.world.command(CLINIC, Command::Hangup { leg: near });
    expect(&mut parties, "eight", &[3, 7]);
    let pair: Vec<(LegId, PartyClass)> = [0, 9].map(|own| (parties.near[own], STAFF)).to_vec();
    parties.world.command(CLINIC, Command::Bridge { bridge: BridgeId(2), parties: Party::all(&pair) });
    let heard = parties.heard();
    assert!(heard[0][9] > 0.9 && heard[9][0] > 0.9 && heard[0][1] < 0.1 && heard[1][0] < 0.1, "{heard:.2?}");
    assert!(heard[1][2] > 0.9 && heard[8][4] > 0.9, "the others go on: {heard:.2?}");
    for own in [1, 2, 4, 5, 6] {
        let leg = parties.far[own];
        parties.world.command(CALLER, Command::Hangup { leg });
    }
    let heard = parties.heard();
    assert!(heard[8].iter().all(|loud| *loud < 0.1), "the last one is alone: {heard:.2?}");
    assert!(heard[0][9] > 0.9, "the other bridge goes on");
}

/// A leg that is not up yet takes part once it is; one that there is not does no harm.
#[test]
fn who_is_bridged_while_it_rings_is_heard_when_it_answers() {
    let mut parties = Parties::new(1, &[Codec::Pcma]);
    let far = parties.world.dial(&[Codec::G722]);
    let near = parties.world.wait_for(CLINIC, |event| matches!(event, EngineEvent::Incoming { .. }));
    parties.far.push(far);
    parties.near.push(near);
    let legs = [(LegId(4_711), STAFF), (parties.near[0], STAFF), (near, CALLER_CLASS)];
    parties.world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: Party::all(&legs) });
    parties.world.run(500);
    parties.world.command(CLINIC, Command::Answer { leg: near });
    parties.world.wait_for(CALLER, |event| matches!(event, EngineEvent::Answered { .. }));
    parties.world.command(CALLER, Command::Tap { leg: far, on: true });
    parties.world.command(CALLER, Command::Play { leg: far, id: PlayId(1), pcm: tone_of(1, 10_000), last: true });
    parties.expect("answered", &[&[0, 100], &[100, 0]]);
}

/// Two hear each other's hold music as they would without us; a conference is spared it. Whoever is on hold hears nothing.
#[test]
fn hold_music_is_heard_by_two_and_not_by_a_conference() {
    let mut parties = Parties::new(3, &[Codec::Pcma]);
    parties.conference(&[0, 1, 2]);
    parties.world.reinvite("sendonly");
    // The far end's telephone does not know of it: its tone stands for the music.
    parties.expect("conference", &[&[0, 0, 0], &[0, 0, 100], &[0, 100, 0]]);
    parties.conference(&[0, 1]);
    parties.expect("two", &[&[0, 0, 0], &[100, 0, 0], &[0, 0, 0]]);
    parties.world.reinvite("sendrecv");
    parties.expect("resumed", &[&[0, 100, 0], &[100, 0, 0], &[0, 0, 0]]);
}

/// What is played to a party is heard by it alone, with the bridge, and neither is turned down.
#[test]
fn what_is_played_to_a_party_is_heard_beside_the_bridge() {
    let mut parties = Parties::new(2, &[Codec::Pcma, Codec::Pcmu]);
    parties.conference(&[0, 1]);
    let leg = parties.near[0];
    // The tone of a third that is not there.
    let pcm = tone_of(4, 5_000);
    parties.world.command(CLINIC, Command::Play { leg, id: PlayId(5), pcm, last: true });
    let heard = parties.heard();
    assert!((heard[0][1] - 1.0).abs() < TOLERANCE && (heard[1][0] - 1.0).abs() < TOLERANCE, "{heard:.2?}");
    let played =
        |own: usize| amplitude(&parties.world.hosts[CALLER].heard[&parties.far[own]], hz(4), Rate::Hz16000) / AMPLITUDE;
    assert!((played(0) - 1.0).abs() < TOLERANCE && played(1) < 0.1, "{} and {}", played(0), played(1));
}

/// Keys, levels, taps and figures of a leg are told as ever while it is bridged.
#[test]
fn a_bridged_leg_is_still_listened_to() {
    let mut parties = Parties::new(2, &[Codec::Pcma, Codec::G722]);
    parties.conference(&[0, 1]);
    let (near, levels) = (parties.near[0], parties.world.hosts[CLINIC].levels);
    parties.world.command(CLINIC, Command::Tap { leg: near, on: true });
    parties.world.command(CALLER, Command::Dtmf { leg: parties.far[0], digits: "42#".to_owned() });
    parties.world.run(6_000);
    let told = parties.world.told(CLINIC, near);
    let digits: String = told
        .iter()
        .filter_map(|event| if let EngineEvent::Dtmf { digit, .. } = event { Some(*digit) } else { None })
        .collect();
    assert_eq!(digits, "42#");
    let heard = &parties.world.hosts[CLINIC].heard[&near];
    assert_eq!(heard.len(), 6_000 * 16);
    let tail = &heard[80_000..];
    assert!(amplitude(tail, hz(0), Rate::Hz16000) > 0.9 * AMPLITUDE, "the tap hears its own far end");
    assert!(amplitude(tail, hz(1), Rate::Hz16000) < 0.1 * AMPLITUDE, "and not the others");
    assert_eq!(parties.world.hosts[CLINIC].levels - levels, 2 * 30);
    let quality = |(_, event): &(u64, EngineEvent)| matches!(event, EngineEvent::Quality { leg, .. } if *leg == near);
    assert!(parties.world.hosts[CLINIC].events.iter().any(quality));
}

/// Who speaks is told of legs that somebody taps, and of those that are in no bridge. What was begun there is ended.
#[test]
fn speech_between_parties_is_told_where_somebody_listens() {
    let speech: Vec<i16> = include_bytes!("../fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect();
    let mut world = World::new(LAN, 3);
    let calls = [world.call(&[Codec::Pcma]), world.call(&[Codec::G722])];
    let near = calls.map(|(_, near)| near);
    let say = |world: &mut World, id| {
        for (far, _) in calls {
            let pcm = Pcm { rate: Rate::Hz16000, samples: speech.clone().into() };
            world.command(CALLER, Command::Play { leg: far, id: PlayId(id), pcm, last: true });
        }
    };
    let is_speech =
        |event: &EngineEvent| matches!(event, EngineEvent::SpeechStarted { .. } | EngineEvent::SpeechEnded { .. });
    let told = |world: &World, leg| world.told(CLINIC, leg).into_iter().filter(is_speech).collect::<Vec<_>>();
    say(&mut world, 1);
    world.run(3_000);
    for leg in near {
        assert!(matches!(told(&world, leg)[..], [.., EngineEvent::SpeechStarted { .. }]), "nobody is bridged yet");
    }
    let legs = near.map(|leg| (leg, STAFF));
    world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: Party::all(&legs) });
    world.run(40);
    let bridged = near.map(|leg| told(&world, leg));
    for told in &bridged {
        assert!(matches!(told[..], [.., EngineEvent::SpeechEnded { at_ms: 1_000..=3_100, .. }]), "{told:?}");
    }
    world.run(8_000);
    say(&mut world, 2);
    world.run(3_000);
    assert_eq!(near.map(|leg| told(&world, leg)), bridged, "they talk with each other alone");
    world.command(CLINIC, Command::Tap { leg: near[0], on: true });
    world.run(8_000);
    say(&mut world, 3);
    world.run(3_000);
    let tapped = told(&world, near[0]);
    assert!(matches!(tapped[..], [.., EngineEvent::SpeechStarted { at_ms: 22_500..=23_500, .. }]), "{tapped:?}");
    assert_eq!(told(&world, near[1]), bridged[1], "nobody taps this one");
}

/// One too many is left out and counted; the others talk.
#[test]
fn a_bridge_has_a_bound() {
    let mut parties = Parties::new(PARTIES_MAX + 1, &[Codec::Pcma]);
    let all: Vec<usize> = (0..=PARTIES_MAX).collect();
    parties.conference(&all);
    let heard = parties.heard();
    assert_eq!(parties.world.hosts[CLINIC].engine.counters().parties_refused, 1);
    // All at once are louder than the range: what is cut is still something.
    assert!(heard[0].iter().any(|loud| *loud > 0.2));
    assert!(heard[PARTIES_MAX].iter().all(|loud| *loud < 0.1), "the one beyond the bound hears nobody");
}

/// Music on hold plays to one leg at its level, makes way for a bridge only when told, and ends softly.
#[test]
fn music_plays_until_it_is_told_to_stop() {
    for codec in EVERY {
        let mut parties = Parties::new(1, &[codec]);
        let (far, near) = (parties.far[0], parties.near[0]);
        parties.world.command(CLINIC, Command::Music { leg: near, on: true });
        parties.world.run(2_000);
        parties.world.hosts[CALLER].heard.clear();
        parties.world.run(10_000);
        let decibels = |samples: &[i16]| {
            let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
            10.0 * (power / 32_768_f64.powi(2)).log10()
        };
        let level = decibels(&parties.world.hosts[CALLER].heard[&far]);
        assert!((-27.0..-21.0).contains(&level), "{codec:?}: {level} dBFS");
        parties.world.command(CLINIC, Command::Music { leg: near, on: false });
        parties.world.run(1_000);
        parties.world.hosts[CALLER].heard.clear();
        parties.world.run(1_000);
        assert!(decibels(&parties.world.hosts[CALLER].heard[&far]) < -60.0, "{codec:?}");
    }
}

/// How many samples later one leg says what another one heard in the very same tick, at the listener's rate; and how alike
/// the two are there.
fn lag(heard: &[i16], said: &[i16]) -> (usize, f64) {
    let probe = 16_000;
    let likeness = |lag: usize| {
        let (mut product, mut first, mut second) = (0.0, 1.0, 1.0);
        for (one, other) in heard[..probe].iter().zip(&said[lag..]) {
            let (one, other) = (f64::from(*one), f64::from(*other));
            (product, first, second) = (product + one * other, first + one * one, second + other * other);
        }
        product / f64::sqrt(first * second)
    };
    (0..800).map(|lag| (lag, likeness(lag))).fold((0, -1.0), |best, next| if next.1 > best.1 { next } else { best })
}

/// 20 ms at most are added one way beside the jitter buffer. Measured: what leaves in a tick is what came out of the jitter
/// buffer in that tick, with the filter's 31 samples of 16 kHz where the rate changes.
#[test]
fn a_bridge_adds_no_frame_of_delay() {
    let speech: Vec<i16> = include_bytes!("../fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect();
    for (from, to) in EVERY.into_iter().flat_map(|from| EVERY.map(|to| (from, to))) {
        let mut world = World::new(LAN, 3);
        let ((far, near), (_, other)) = (world.call(&[from]), world.call(&[to]));
        let legs = [(near, STAFF), (other, STAFF)];
        world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: Party::all(&legs) });
        let pcm = Pcm { rate: Rate::Hz16000, samples: speech.clone().into() };
        world.command(CALLER, Command::Play { leg: far, id: PlayId(1), pcm, last: true });
        world.run(1_000);
        for leg in [near, other] {
            world.command(CLINIC, Command::Record { leg, on: true });
        }
        world.run(3_000);
        let recorded = &world.hosts[CLINIC].recorded;
        let at_16k = |rate: Rate, samples: Vec<i16>| match rate {
            Rate::Hz16000 => samples,
            // Without a filter that would delay it.
            Rate::Hz8000 => samples.windows(2).flat_map(|pair| [pair[0], i16::midpoint(pair[0], pair[1])]).collect(),
        };
        let heard = at_16k(from.rate(), recorded[&near].iter().flat_map(|frame| frame.staff.clone()).collect());
        let said = at_16k(to.rate(), recorded[&other].iter().flat_map(|frame| frame.staff.clone()).collect());
        let (lag, alike) = lag(&heard, &said);
        let expected = if from.rate() == to.rate() { 0 } else { 31 };
        assert!(
            alike > 0.97 && lag.abs_diff(expected) <= 1,
            "{from:?} to {to:?}: {lag} samples late, {alike:.3} alike"
        );
    }
}

/// B-03: what the caller says, what was played to it, and what the clinic's people say lie on channels of their own, and a
/// whisper to the agent is on none of them.
#[test]
fn each_class_is_recorded_on_its_own_channel() {
    for codec in EVERY {
        let mut parties = Parties::new(3, &[codec, Codec::G722, Codec::Pcmu]);
        let leg = parties.near[0];
        parties.bridge(&[
            (0, CALLER_CLASS, &[(1, 50)]),
            (1, STAFF, &[(0, 100), (2, 100)]),
            (2, STAFF, &[(0, 100), (1, 100)]),
        ]);
        parties.world.command(CLINIC, Command::Play { leg, id: PlayId(5), pcm: tone_of(4, 5_000), last: true });
        parties.world.run(1_000);
        parties.world.command(CLINIC, Command::Record { leg, on: true });
        parties.world.run(2_000);
        let frames = &parties.world.hosts[CLINIC].recorded[&leg];
        let channels: [Vec<i16>; 3] = [
            frames.iter().flat_map(|frame| frame.caller.clone()).collect(),
            frames.iter().flat_map(|frame| frame.receptionist.clone()).collect(),
            frames.iter().flat_map(|frame| frame.staff.clone()).collect(),
        ];
        for (channel, expected) in
            channels.iter().zip([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 0.0, 0.0]])
        {
            for (party, expected) in [0, 1, 2, 4].into_iter().zip(expected) {
                let loud = amplitude(channel, hz(party), codec.rate()) / AMPLITUDE;
                assert!(
                    (loud - expected).abs() < TOLERANCE,
                    "{codec:?}, tone {party}: {loud:.2} instead of {expected}"
                );
            }
        }
    }
}

/// B-03: a recording that goes on at one of the clinic's people has what they say among the clinic's, in the bridge and alone in it.
#[test]
fn a_far_end_is_recorded_as_what_it_is_to_the_clinic() {
    let mut parties = Parties::new(3, &[Codec::Pcma, Codec::G722, Codec::Pcmu]);
    parties.conference(&[0, 1, 2]);
    let leg = parties.near[1];
    parties.world.run(1_000);
    parties.world.command(CLINIC, Command::Record { leg, on: true });
    parties.world.run(2_000);
    let loud = |parties: &Parties| {
        let frames = &parties.world.hosts[CLINIC].recorded[&leg];
        let frames = &frames[frames.len() - 50..];
        let caller: Vec<i16> = frames.iter().flat_map(|frame| frame.caller.clone()).collect();
        let staff: Vec<i16> = frames.iter().flat_map(|frame| frame.staff.clone()).collect();
        [&caller, &staff]
            .map(|channel| [0, 1, 2].map(|party| amplitude(channel, hz(party), Codec::G722.rate()) / AMPLITUDE > 0.5))
    };
    assert_eq!(loud(&parties), [[true, false, false], [false, true, true]]);
    parties.bridge(&[(1, STAFF, &[(2, 100)]), (2, STAFF, &[])]);
    parties.world.run(2_000);
    assert_eq!(loud(&parties), [[false; 3], [false, false, true]], "who is muted is not recorded");
    parties.bridge(&[(1, STAFF, &[(2, 100)]), (2, STAFF, &[(1, 100)])]);
    parties.world.run(2_000);
    assert_eq!(loud(&parties), [[false; 3], [false, true, true]]);
    parties.world.command(CALLER, Command::Hangup { leg: parties.far[2] });
    parties.world.run(2_000);
    assert_eq!(loud(&parties), [[false; 3], [false, true, false]], "the colleague has left");
}

/// B-05: who listens to a caller with a receptionist hears both, at either rate; the two notice nothing of it.
#[test]
fn who_overhears_hears_the_caller_and_what_is_played_to_them() {
    for codecs in [[Codec::Pcma, Codec::Pcmu], [Codec::Pcma, Codec::G722], [Codec::G722, Codec::Pcma]] {
        let mut parties = Parties::new(2, &codecs);
        let (caller, listener) = (parties.near[0], parties.near[1]);
        let hears = vec![(caller, Gain::FULL)];
        let matrix = vec![
            Party { leg: caller, class: CALLER_CLASS, hears: Vec::new(), overhears: false },
            Party { leg: listener, class: STAFF, hears, overhears: true },
        ];
        parties.world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: matrix });
        let said = tone_of(4, 5_000);
        parties.world.command(CLINIC, Command::Play { leg: caller, id: PlayId(5), pcm: said, last: true });
        parties.expect("while the receptionist speaks", &[&[0, 0], &[100, 0]]);
        for leg in &parties.far {
            let loud = amplitude(&parties.world.hosts[CALLER].heard[leg], hz(4), Rate::Hz16000) / AMPLITUDE;
            assert!((loud - 1.0).abs() < TOLERANCE, "{codecs:?}, {leg:?}: {loud:.2}");
        }
        parties.world.run(3_000);
        parties.world.hosts[CALLER].heard.clear();
        parties.world.run(1_000);
        let silent = &parties.world.hosts[CALLER].heard[&parties.far[1]];
        assert!(amplitude(silent, hz(4), Rate::Hz16000) / AMPLITUDE < TOLERANCE, "what was played is not heard again");
    }
}

/// How many frames of the last second of a leg's recording are masked; those are silent throughout.
fn masked(world: &World, leg: LegId) -> usize {
    let frames = &world.hosts[CLINIC].recorded[&leg];
    let frames = &frames[frames.len() - 50..];
    let is_silent = |samples: &[i16]| samples.iter().all(|sample| *sample == 0);
    for frame in frames {
        let silent = [&frame.caller, &frame.receptionist, &frame.staff].map(|channel| is_silent(channel));
        assert!(if frame.masked { silent == [true; 3] } else { !silent[0] }, "{frame:?}");
    }
    frames.iter().filter(|frame| frame.masked).count()
}

/// B-16: while an agent masks, the caller's recording and tap are silent and its digits are not told, while all go on hearing
/// each other; the mask ends when it is taken off, and when the agent's leg leaves the bridge in any way.
#[test]
fn a_mask_covers_the_bridge_and_ends_with_the_agents_leg() {
    type End = fn(&mut Parties);
    let ends: [(&str, End); 4] = [
        ("taken off", |parties| {
            let leg = parties.near[1];
            parties.world.command(CLINIC, Command::Mask { leg, on: false });
        }),
        ("bridged without the agent", |parties| {
            parties.bridge(&[(0, CALLER_CLASS, &[(2, 100)]), (2, STAFF, &[(0, 100)])])
        }),
        ("the agent elsewhere", |parties| {
            let legs = [(parties.near[1], STAFF), (parties.near[2], STAFF)];
            parties.world.command(CLINIC, Command::Bridge { bridge: BridgeId(2), parties: Party::all(&legs) });
        }),
        ("hung up", |parties| {
            let leg = parties.far[1];
            parties.world.command(CALLER, Command::Hangup { leg });
        }),
    ];
    for (what, end) in ends {
        let mut parties = Parties::new(3, &[Codec::Pcma]);
        let (caller, agent) = (parties.near[0], parties.near[1]);
        parties.conference(&[0, 1, 2]);
        parties.world.command(CLINIC, Command::Record { leg: caller, on: true });
        parties.world.command(CLINIC, Command::Tap { leg: caller, on: true });
        parties.world.run(2_000);
        assert_eq!(masked(&parties.world, caller), 0, "{what}");
        parties.world.command(CLINIC, Command::Mask { leg: agent, on: true });
        parties.world.hosts[CLINIC].heard.clear();
        parties.world.command(CALLER, Command::Dtmf { leg: parties.far[0], digits: "4111".to_owned() });
        parties.world.run(1_000);
        parties.expect(what, &[&[0, 100, 100], &[100, 0, 100], &[100, 100, 0]]);
        assert_eq!(masked(&parties.world, caller), 50, "{what}");
        assert!(parties.world.hosts[CLINIC].heard[&caller].iter().all(|sample| *sample == 0), "{what}");
        end(&mut parties);
        parties.world.hosts[CLINIC].heard.clear();
        parties.world.run(2_000);
        assert_eq!(masked(&parties.world, caller), 0, "{what}");
        assert!(amplitude(&parties.world.hosts[CLINIC].heard[&caller], hz(0), Rate::Hz16000) > 0.8 * AMPLITUDE);
        let digit = |event: &EngineEvent| matches!(event, EngineEvent::Dtmf { .. });
        assert!(!parties.world.told(CLINIC, caller).iter().any(digit), "{what}: a digit was told");
        parties.world.command(CALLER, Command::Dtmf { leg: parties.far[0], digits: "1".to_owned() });
        parties.world.run(1_000);
        assert!(parties.world.told(CLINIC, caller).iter().any(digit), "{what}: digits are told again");
    }
}

/// Commands for legs that are gone, and bridges that there are not, change nothing.
#[test]
fn late_commands_change_nothing() {
    let mut parties = Parties::new(2, &[Codec::Pcma]);
    let near = parties.near.clone();
    parties.world.command(CALLER, Command::Hangup { leg: parties.far[0] });
    let over = |event: &EngineEvent| matches!(event, EngineEvent::Ended { cause: LegEnd::RemoteHangup, .. });
    parties.world.wait_for(CLINIC, over);
    let legs = [(near[0], STAFF), (near[1], STAFF)];
    parties.world.command(CLINIC, Command::Bridge { bridge: BRIDGE, parties: Party::all(&legs) });
    parties.world.command(CLINIC, Command::Bridge { bridge: BridgeId(9), parties: Vec::new() });
    for leg in [near[0], LegId(999)] {
        parties.world.command(CLINIC, Command::Music { leg, on: true });
    }
    parties.world.run(1_000);
    let heard = parties.heard();
    assert!(heard[1].iter().all(|loud| *loud < 0.1), "{heard:?}");
    assert_eq!(parties.world.hosts[CLINIC].engine.legs(), 1);
}
