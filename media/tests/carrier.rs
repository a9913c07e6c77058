//! Legs that a carrier's media socket brings, in virtual time: an engine, and a carrier that plays what it gets at its own pace
//! and says by marks how far it has come.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]

use auricle_media::codec::Encoder;
use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{
    Attestation, AttestationLevel, CARRIER_FRAME_OCTETS_MAX, CallerIdentity, CarrierId, CarrierNews, CarrierOrder,
    Codec, Command, EngineEvent, Entrance, Hop, Input, LegEnd, LegId, LegQuality, NumberCheck, Output, Pcm, PlayId,
    Rate, Transport,
};
use auricle_media::sip::identity::verdict;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TAG: u64 = 7;
/// Octets of mu-law in a millisecond.
const PER_MS: usize = 8;

/// What waits at the carrier.
#[derive(Debug, PartialEq)]
enum Waiting {
    Audio(usize),
    Mark(u64),
}

/// An engine and a carrier whose way takes so long in each direction.
struct World {
    engine: Engine,
    start: Instant,
    now: Instant,
    way_ms: u64,
    /// The carrier has marks.
    marks: bool,
    /// It presses keys when told.
    presses: bool,
    leg: LegId,
    /// What is under way to the carrier, with its arrival.
    out: VecDeque<(Instant, Output)>,
    /// What is under way from it.
    back: VecDeque<(Instant, CarrierNews)>,
    waiting: VecDeque<Waiting>,
    /// Audio the caller has heard, in milliseconds.
    played_ms: usize,
    frames: usize,
    orders: Vec<CarrierOrder>,
    events: Vec<(u64, EngineEvent)>,
    heard: Vec<i16>,
    recorded: usize,
}

impl World {
    fn new(way_ms: u64) -> Self {
        let engine = Engine::new(EngineConfig {
            sip_address: SocketAddr::from(([10, 0, 0, 9], 5060)),
            tcp: None,
            tls: None,
            rtp_ports: 20_000..=20_011,
            legs_max: 2,
            trusted: Vec::new(),
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::Pcmu],
            seed: [1; 32],
        });
        let start = Instant::now();
        Self {
            engine,
            start,
            now: start,
            way_ms,
            marks: true,
            presses: false,
            leg: LegId(1),
            out: VecDeque::new(),
            back: VecDeque::new(),
            waiting: VecDeque::new(),
            played_ms: 0,
            frames: 0,
            orders: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            recorded: 0,
        }
    }

    /// A call that is up, tapped and recorded.
    fn up(way_ms: u64) -> Self {
        let mut world = Self::new(way_ms);
        world.attach();
        let leg = world.leg;
        for command in [Command::Answer { leg }, Command::Tap { leg, on: true }, Command::Record { leg, on: true }] {
            world.command(command);
        }
        world
    }

    fn attach(&mut self) {
        self.command(Command::Attach {
            tag: TAG,
            carrier: CarrierId(3),
            codec: Codec::Pcmu,
            presses: self.presses,
            from: "+15550100".into(),
            to: "+15550199".into(),
            remote: Hop { transport: Transport::Tls, address: SocketAddr::from(([192, 0, 2, 8], 443)) },
            identity: CallerIdentity {
                diverted_from: Some("+15550142".into()),
                attestation: verdict("TN-Validation-Passed-A-Diverted"),
                ..CallerIdentity::default()
            },
        });
    }

    fn command(&mut self, command: Command) {
        self.give(Input::Command(command));
    }

    fn news(&mut self, news: CarrierNews) {
        self.give(Input::Carrier { leg: self.leg, news });
    }

    fn frame(&mut self, at_ms: u64, payload: &[u8]) {
        self.give(Input::Frame { leg: self.leg, at_ms, payload });
    }

    fn give(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        let at = u64::try_from((self.now - self.start).as_millis()).unwrap();
        let arrives = self.now + Duration::from_millis(self.way_ms);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Frame { .. } | Output::Carrier { .. } => self.out.push_back((arrives, output)),
                Output::Event(EngineEvent::Level { .. }) => {}
                Output::Event(event) => self.events.push((at, event)),
                Output::Pcm { pcm, .. } => self.heard.extend_from_slice(&pcm.samples),
                Output::Recorded { .. } => self.recorded += 1,
                other => panic!("a leg without SIP and RTP has sent {other:?}"),
            }
        }
    }

    /// Lets milliseconds pass.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += Duration::from_millis(1);
            while self.out.front().is_some_and(|(arrives, _)| *arrives <= self.now) {
                let (_, output) = self.out.pop_front().unwrap();
                self.carry(output);
            }
            self.play();
            while self.back.front().is_some_and(|(arrives, _)| *arrives <= self.now) {
                let (_, news) = self.back.pop_front().unwrap();
                self.news(news);
            }
            if self.engine.next_wake().is_some_and(|(at, _)| at <= self.now) {
                self.give(Input::Wake);
            }
        }
    }

    fn carry(&mut self, output: Output) {
        match output {
            Output::Frame { payload, .. } => {
                self.frames += 1;
                self.waiting.push_back(Waiting::Audio(payload.len() / PER_MS));
            }
            Output::Carrier { order, .. } => {
                self.orders.push(order.clone());
                match order {
                    CarrierOrder::Mark(mark) => self.waiting.push_back(Waiting::Mark(mark)),
                    CarrierOrder::Clear => {
                        for waiting in std::mem::take(&mut self.waiting) {
                            if let Waiting::Mark(mark) = waiting {
                                self.echo(mark);
                            }
                        }
                    }
                    CarrierOrder::Press(_) | CarrierOrder::Hangup => {}
                }
            }
            _ => {}
        }
    }

    /// The carrier plays a millisecond.
    fn play(&mut self) {
        while let Some(Waiting::Mark(mark)) = self.waiting.front() {
            let mark = *mark;
            self.echo(mark);
            self.waiting.pop_front();
        }
        if let Some(Waiting::Audio(left)) = self.waiting.front_mut() {
            self.played_ms += 1;
            *left -= 1;
            if *left == 0 {
                self.waiting.pop_front();
            }
        }
    }

    fn echo(&mut self, mark: u64) {
        if self.marks {
            self.back.push_back((self.now + Duration::from_millis(self.way_ms), CarrierNews::Mark(mark)));
        }
    }

    fn say(&mut self, id: u64, ms: usize) {
        let samples = (0..ms * PER_MS).map(|index| if index % 8 < 4 { 4_000 } else { -4_000 }).collect();
        let pcm = Pcm { rate: Rate::Hz8000, samples };
        self.command(Command::Play { leg: self.leg, id: PlayId(id), pcm, last: true });
    }

    /// What was last told of a playing: milliseconds heard, whether it is over, and when that was told.
    fn told(&self, id: u64) -> Option<(u64, bool, u64)> {
        self.events.iter().rev().find_map(|(at, event)| match event {
            EngineEvent::PlayedTo { id: of, samples, done, .. } if *of == PlayId(id) => {
                Some((samples / PER_MS as u64, *done, *at))
            }
            _ => None,
        })
    }

    fn ended(&self) -> Option<LegEnd> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            EngineEvent::Ended { cause, .. } => Some(*cause),
            _ => None,
        })
    }

    fn quality(&self) -> LegQuality {
        let last = self.events.iter().rev().find_map(|(_, event)| match event {
            EngineEvent::Quality { quality, .. } => Some(*quality),
            _ => None,
        });
        last.unwrap()
    }

    /// The caller says so many milliseconds, from there on in the carrier's stream.
    fn hears(&mut self, from_ms: u64, ms: u64, frame_ms: u64) {
        for at_ms in (from_ms..from_ms + ms).step_by(usize::try_from(frame_ms).unwrap()) {
            let payload = voice(at_ms, frame_ms);
            self.frame(at_ms, &payload);
            self.run(frame_ms);
        }
    }
}

/// Whether a playing was heard whole. What stops fades, which may begin one frame more.
fn is_all(heard_ms: usize, said_ms: usize) -> bool {
    (said_ms..=said_ms + 20).contains(&heard_ms)
}

/// A buzz as mu-law, as if spoken without a pause.
fn voice(from_ms: u64, ms: u64) -> Vec<u8> {
    let place = |index: u64| (from_ms * PER_MS as u64 + index) % 80;
    let samples: Vec<i16> =
        (0..ms * PER_MS as u64).map(|index| if place(index) < 20 { 9_000 } else { -3_000 }).collect();
    let mut payload = Vec::new();
    Encoder::new(Codec::Pcmu).encode(&samples, &mut payload);
    payload
}

/// INT-01, VOICE-01: a leg without SIP: it arrives, is answered, hears and is heard, presses a key, is recorded, hangs up; and
/// neither a port nor a packet is used for it.
#[test]
fn a_call_by_a_socket_is_a_call() {
    let mut world = World::up(40);
    let told: Vec<EngineEvent> = world.events.iter().map(|(_, event)| event.clone()).collect();
    let leg = world.leg;
    assert_eq!(told[0], EngineEvent::Attached { tag: TAG, leg });
    assert!(
        matches!(&told[1], EngineEvent::Incoming { from, to, transport: Transport::Tls, entrance: Entrance::Carrier(CarrierId(3)), .. } if from == "+15550100" && to == "+15550199")
    );
    assert!(matches!(told[2], EngineEvent::Answered { codec: Codec::Pcmu, .. }));
    world.hears(0, 2_000, 20);
    let loud = world.heard.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
    assert!(loud > world.heard.len() / 2, "{loud} of {} samples are heard", world.heard.len());
    assert!(world.recorded >= 99, "{} frames are recorded", world.recorded);
    world.news(CarrierNews::Digit('5'));
    world.news(CarrierNews::Digit('x'));
    let digits: Vec<&EngineEvent> =
        world.events.iter().map(|(_, event)| event).filter(|event| matches!(event, EngineEvent::Dtmf { .. })).collect();
    assert!(matches!(digits[..], [EngineEvent::Dtmf { digit: '5', .. }]), "{digits:?}");
    world.say(1, 500);
    world.run(1_000);
    assert!(is_all(world.played_ms, 500), "the caller hears all of it, and no silence is sent: {} ms", world.played_ms);
    world.news(CarrierNews::Over);
    assert_eq!(world.ended(), Some(LegEnd::RemoteHangup));
    let LegQuality { received, lost, refused, .. } = world.quality();
    assert_eq!((received, lost, refused), (100, 0, 0));
    assert_eq!((world.engine.legs(), world.engine.next_wake()), (0, None), "nothing stays");
}

/// INT-02: a carrier that presses keys is told to, and hears no tones.
#[test]
fn a_carrier_that_presses_keys_is_told_to() {
    let mut world = World::new(5);
    world.presses = true;
    world.attach();
    world.command(Command::Answer { leg: LegId(1) });
    world.run(100);
    let before = world.played_ms;
    world.command(Command::Dtmf { leg: LegId(1), digits: "1#".into() });
    world.run(600);
    assert_eq!(world.orders, [CarrierOrder::Press("1#".into())]);
    assert_eq!(world.played_ms, before);
}

/// INT-02: keys whose tones were heard are not told again, however many were heard before the first was told.
#[test]
fn a_key_that_was_heard_is_not_told_again() {
    let mut world = World::up(5);
    let digits = |world: &World| -> String {
        let told = world.events.iter().filter_map(|(_, event)| match event {
            EngineEvent::Dtmf { digit, .. } => Some(*digit),
            _ => None,
        });
        told.collect()
    };
    let tones = auricle_media::audio::tone::keys("15", Rate::Hz8000);
    let mut coded = Vec::new();
    Encoder::new(Codec::Pcmu).encode(&tones.samples, &mut coded);
    for (at, frame) in coded.chunks(160).enumerate() {
        world.frame(at as u64 * 20, frame);
        world.run(20);
    }
    world.run(100);
    assert_eq!(digits(&world), "15", "they are heard");
    for digit in ['1', '5', '5'] {
        world.news(CarrierNews::Digit(digit));
    }
    assert_eq!(digits(&world), "155", "and only the last press is another one");
}

/// INT-01: what counts as played is what the carrier has played, however late that is.
#[test]
fn playing_is_counted_by_marks() {
    for way_ms in [5, 150, 700] {
        let mut world = World::up(way_ms);
        world.say(1, 1_000);
        world.run(500);
        let (told_ms, ..) = world.told(1).unwrap_or_default();
        let heard_ms = world.played_ms as u64;
        assert!(told_ms <= heard_ms, "{told_ms} ms are told and {heard_ms} were heard, way {way_ms}");
        assert!(told_ms + 120 + way_ms >= heard_ms, "{told_ms} of {heard_ms} ms, way {way_ms}");
        world.run(2_500);
        let (told_ms, done, at) = world.told(1).unwrap();
        assert_eq!((told_ms, done), (1_000, true), "way {way_ms}");
        assert!(is_all(world.played_ms, 1_000), "{} ms were heard, way {way_ms}", world.played_ms);
        assert!(at >= 1_000 + 2 * way_ms - 20, "told at {at}, before the mark could be back, way {way_ms}");
    }
}

/// VOICE-10, INT-01: who is interrupted falls silent at the carrier too, and what was never heard is not told as heard.
#[test]
fn a_flush_clears_what_waits_at_the_carrier() {
    let table = [
        // Way, and after how long it is flushed, and whether it was paused before: told within these, and heard as far.
        (5, 600, false),
        (150, 600, false),
        (150, 600, true),
        (300, 250, false),
        (5, 1_500, false),
    ];
    for (way_ms, after_ms, paused) in table {
        let mut world = World::up(way_ms);
        world.say(1, 3_000);
        world.run(after_ms);
        if paused {
            world.command(Command::Pause { leg: world.leg, id: PlayId(1) });
            world.run(800);
        }
        world.command(Command::Flush { leg: world.leg, id: PlayId(1) });
        let (told_ms, done, _) = world.told(1).unwrap();
        let heard_ms = world.played_ms as u64;
        assert!(done, "whoever flushes hears of it at once");
        assert!(told_ms <= heard_ms + 100, "{told_ms} ms told, {heard_ms} heard: way {way_ms}, after {after_ms}");
        world.run(2_000);
        assert!(world.orders.contains(&CarrierOrder::Clear), "way {way_ms}, after {after_ms}");
        let heard_ms = world.played_ms as u64;
        assert!(told_ms + 120 + 2 * way_ms >= heard_ms, "{told_ms} told of {heard_ms}: way {way_ms}, after {after_ms}");
        assert_eq!(world.told(1).unwrap().0, told_ms, "marks that come back from the clear say nothing more");
        world.say(2, 200);
        world.run(1_200);
        assert!(matches!(world.told(2), Some((200, true, _))), "the next playing is counted from its own beginning");
    }
}

/// A playing that has not begun is dropped without touching the one that is being heard.
#[test]
fn what_has_not_begun_is_flushed_without_a_clear() {
    let mut world = World::up(50);
    world.say(1, 400);
    world.say(2, 400);
    world.run(200);
    world.command(Command::Flush { leg: world.leg, id: PlayId(2) });
    assert!(matches!(world.told(2), Some((0, true, _))));
    world.run(800);
    assert!(matches!(world.told(1), Some((400, true, _))));
    assert!(!world.orders.contains(&CarrierOrder::Clear), "{:?}", world.orders);
}

/// A carrier without marks: after a few that never come back, the egress clock counts.
#[test]
fn a_carrier_without_marks_is_counted_at_our_own_end() {
    let mut world = World::up(20);
    world.marks = false;
    world.say(1, 500);
    world.run(3_800);
    assert!(matches!(world.told(1), Some((500, true, _))), "nobody waits for ever: {:?}", world.told(1));
    let marks = world.orders.len();
    world.say(2, 500);
    world.run(540);
    assert!(matches!(world.told(2), Some((500, true, _))), "{:?}", world.told(2));
    assert_eq!(world.orders.len(), marks, "and none are sent any more");
}

/// VOICE-22: a socket that is lost for a second is no hang-up: what was being said waits; after two seconds the call is over.
#[test]
fn a_lost_socket_has_two_seconds_to_come_back() {
    let table = [(100, None), (1_000, None), (1_900, None), (3_000, Some(LegEnd::NoMedia))];
    for (gone_ms, expected) in table {
        let mut world = World::up(20);
        world.hears(0, 400, 20);
        world.say(1, 1_000);
        world.hears(400, 400, 20);
        world.news(CarrierNews::Lost);
        let frames = world.frames;
        world.run(30);
        let under_way = world.frames - frames;
        world.run(gone_ms - 30);
        assert_eq!(world.frames, frames + under_way, "nothing is sent to nowhere");
        assert_eq!(world.ended(), expected, "after {gone_ms} ms");
        if expected.is_some() {
            assert!(matches!(world.told(1), Some((_, true, _))), "whoever plays hears of the end");
            world.run(30);
            assert_eq!(
                world.orders.last(),
                Some(&CarrierOrder::Hangup),
                "the carrier is told, should it still hold the call"
            );
            assert_eq!(world.engine.legs(), 0);
            continue;
        }
        world.news(CarrierNews::Back);
        let samples = world.heard.len();
        world.hears(0, 1_000, 20);
        let loud = world.heard[samples..].iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
        assert!(loud > 6_000, "the caller is heard again: {loud} samples");
        let (told_ms, done, _) = world.told(1).unwrap();
        assert!(done && told_ms == 1_000, "what waited has been said");
        assert!(is_all(world.played_ms, 1_000), "{} ms were heard of it", world.played_ms);
    }
}

/// Frames as carriers may send them: of odd lengths, in bursts, late, too long.
#[test]
fn frames_of_any_length_are_heard_and_too_long_ones_counted() {
    for frame_ms in [10, 20, 30, 50, 100] {
        let mut world = World::up(5);
        world.hears(0, 2_400, frame_ms);
        world.run(200);
        let loud = world.heard.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
        assert!(loud > 2_000 * 16 * 6 / 10, "frames of {frame_ms} ms: {loud} samples");
        world.news(CarrierNews::Over);
        assert_eq!(world.quality().refused, 0, "frames of {frame_ms} ms");
    }
    let mut world = World::up(5);
    world.frame(0, &[0; CARRIER_FRAME_OCTETS_MAX + 1]);
    world.frame(0, &[]);
    world.frame(u64::MAX, &[0; 7]);
    world.run(20);
    world.news(CarrierNews::Over);
    assert_eq!(world.quality().refused, 1);
}

/// There is a place for so many calls, whatever carries them; and none when the service stops.
#[test]
fn a_call_without_a_place_is_over_at_once() {
    let mut world = World::new(5);
    world.attach();
    world.attach();
    world.attach();
    assert_eq!(world.ended(), Some(LegEnd::Overloaded));
    assert_eq!((world.engine.legs(), world.engine.counters().calls_refused), (2, 1));
    world.command(Command::Hangup { leg: LegId(1) });
    world.command(Command::Reject { leg: LegId(2), status: 486 });
    let ends: Vec<&EngineEvent> = world.events.iter().map(|(_, event)| event).rev().take(2).collect();
    assert!(matches!(ends[1], EngineEvent::Ended { leg: LegId(1), cause: LegEnd::LocalHangup }), "{ends:?}");
    assert!(matches!(ends[0], EngineEvent::Ended { leg: LegId(2), cause: LegEnd::Rejected(486) }), "{ends:?}");
    world.run(20);
    assert_eq!(world.orders, [CarrierOrder::Hangup, CarrierOrder::Hangup]);
    world.command(Command::Drain);
    world.attach();
    assert_eq!(world.engine.legs(), 0);
    assert_eq!(world.engine.next_wake(), None);
}

/// A socket that goes before the call was answered has cancelled it, and what comes for a leg that is gone changes nothing.
#[test]
fn a_socket_that_goes_before_the_answer_cancels() {
    for news in [CarrierNews::Lost, CarrierNews::Over] {
        let mut world = World::new(5);
        world.attach();
        world.frame(0, &[0; 160]);
        world.news(news);
        assert_eq!(world.ended(), Some(LegEnd::Cancelled));
        let events = world.events.len();
        for news in [CarrierNews::Mark(1), CarrierNews::Digit('1'), CarrierNews::Back, CarrierNews::Over] {
            world.news(news);
        }
        world.frame(20, &[0; 160]);
        assert_eq!((world.events.len(), world.engine.legs()), (events, 0));
    }
}

/// INT-01, VOICE-09: what the carrier says about the caller is told with the call.
#[test]
fn what_a_carrier_says_about_the_caller_is_told() {
    let mut world = World::new(5);
    world.attach();
    let told = world.events.iter().find_map(|(_, event)| match event {
        EngineEvent::Incoming { identity, .. } => Some(identity.clone()),
        _ => None,
    });
    let attestation = Attestation { check: NumberCheck::Passed, level: Some(AttestationLevel::A) };
    let told = told.unwrap();
    assert_eq!((told.diverted_from.as_deref(), told.attestation), (Some("+15550142"), Some(attestation)));
}

fn dialled(world: &mut World) -> Vec<EngineEvent> {
    world.command(Command::AttachDialled {
        tag: TAG,
        dialled: 11,
        codec: Codec::Pcmu,
        presses: false,
        is_emergency: false,
    });
    world.events.iter().map(|(_, event)| event.clone()).collect()
}

/// CALL-01, VOICE-09: a call that a carrier places has a leg before anything is dialled; it rings, is answered, and is heard both ways
/// with its keys as tones; whoever hangs up, it is over.
#[test]
fn a_call_that_a_carrier_places_rings_and_is_answered() {
    let mut world = World::new(5);
    let told = dialled(&mut world);
    assert!(matches!(told[0], EngineEvent::Attached { tag: TAG, leg: LegId(1) }), "{told:?}");
    assert!(matches!(told[1], EngineEvent::Dialing { tag: 11, leg: LegId(1) }), "{told:?}");
    world.frame(0, &[0; 160]);
    world.command(Command::Answer { leg: LegId(1) });
    world.news(CarrierNews::Back);
    world.news(CarrierNews::Ringing);
    world.run(100);
    assert!(matches!(world.events.last().unwrap().1, EngineEvent::Ringing { leg: LegId(1) }));
    assert_eq!(world.engine.legs(), 1);
    world.news(CarrierNews::Answered);
    assert!(world.events.iter().any(|(_, event)| matches!(event, EngineEvent::Answered { leg: LegId(1), .. })));
    world.command(Command::Tap { leg: LegId(1), on: true });
    world.hears(0, 400, 20);
    assert!(world.heard.iter().any(|sample| sample.unsigned_abs() > 1_000), "it is heard");
    let before = (world.played_ms, world.events.len());
    world.command(Command::Dtmf { leg: LegId(1), digits: "1#".into() });
    world.run(600);
    assert!(world.played_ms >= before.0 + 360, "two keys of 180 ms: {} after {}", world.played_ms, before.0);
    let reports = |(_, event): &(u64, EngineEvent)| matches!(event, EngineEvent::PlayedTo { .. });
    assert!(!world.events[before.1..].iter().any(reports), "of keys nothing is told");
    world.news(CarrierNews::Refused(486));
    world.news(CarrierNews::Ringing);
    assert_eq!(world.engine.legs(), 1, "too late to be refused");
    world.news(CarrierNews::Over);
    assert_eq!(world.ended(), Some(LegEnd::RemoteHangup));
}

/// CALL-01: what ends a call that a carrier places before anybody has answered.
#[test]
fn a_call_that_a_carrier_places_may_come_to_nothing() {
    let table = [
        (CarrierNews::Refused(486), LegEnd::Refused(486)),
        (CarrierNews::Over, LegEnd::Refused(487)),
        (CarrierNews::Lost, LegEnd::Protocol),
    ];
    for (news, cause) in table {
        let mut world = World::new(5);
        dialled(&mut world);
        world.news(news);
        assert_eq!((world.ended(), world.engine.legs()), (Some(cause), 0));
    }
    let mut world = World::new(5);
    dialled(&mut world);
    world.command(Command::Hangup { leg: LegId(1) });
    assert_eq!(world.ended(), Some(LegEnd::LocalHangup));
    world.run(20);
    assert_eq!(world.orders, [CarrierOrder::Hangup], "the carrier is told");
    world.command(Command::Drain);
    dialled(&mut world);
    assert_eq!(world.ended(), Some(LegEnd::Overloaded));
}
