//! Audio before the answer (RFC 3960): a far end that is played by hand rings, announces something, and answers.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::codec::g711::{encode_a, encode_mu};
use auricle_media::io::{Codec, Command, DialTo, EngineEvent, LegEnd, LegId, PlayId, Rate};
use auricle_media::rtp::Clock;
use auricle_media::rtp::session::{Seeds, Sender};
use netem::{CALLER, CLINIC, Link, Packet, World, purity, tone};
use std::net::SocketAddr;
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::ZERO };

struct Call {
    world: World,
    leg: LegId,
    invite: String,
}

fn far(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 3], port))
}

impl Call {
    fn new() -> Self {
        let mut world = World::new(LAN, 1);
        let command = Command::Dial {
            tag: 1,
            uri: "sip:bob@10.0.0.3".into(),
            to: DialTo::Address(far(5060)),
            from: "clinic".into(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        world.command(CLINIC, command);
        let Some((_, EngineEvent::Dialing { leg, .. })) = world.hosts[CLINIC].events.last().cloned() else { panic!() };
        for command in [Command::Tap { leg, on: true }, Command::Record { leg, on: true }] {
            world.command(CLINIC, command);
        }
        let invite = String::from_utf8(world.sip.last().unwrap().1.bytes.clone()).unwrap();
        Self { world, leg, invite }
    }

    /// The far end responds to our INVITE; its audio is to go to this port, by this codec.
    fn respond(&mut self, status: u16, tag: &str, port: u16, payload: u8, extra: &str) {
        let lines = self
            .invite
            .lines()
            .filter(|line| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)));
        let head: String = lines
            .map(|line| if line.starts_with("To:") { format!("{line};tag={tag}\r\n") } else { format!("{line}\r\n") })
            .collect();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload}\r\n{extra}"
        );
        let text = format!(
            "SIP/2.0 {status} x\r\n{head}Contact: <sip:bob@10.0.0.3>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let to = SocketAddr::from(([10, 0, 0, 2], 5060));
        self.world.inject(&Packet { from: far(5060), to, bytes: text.into_bytes() });
    }

    /// The far end plays a tone for a second.
    fn sounds(&mut self, sender: &mut Sender, port: u16, payload: u8, hz: f64) {
        let to = SocketAddr::from(([10, 0, 0, 2], self.our_port()));
        let encode = if payload == 0 { encode_mu } else { encode_a };
        for frame in tone(hz, Rate::Hz8000, 1_000).samples.chunks(160) {
            let payload_bytes: Vec<u8> = frame.iter().map(|sample| encode(*sample)).collect();
            let mut bytes = Vec::new();
            sender.audio(payload, 0, &payload_bytes, &mut bytes);
            sender.advance_by(1);
            self.world.inject(&Packet { from: far(port), to, bytes });
            self.world.run(20);
        }
    }

    fn our_port(&self) -> u16 {
        let line = self.invite.lines().find(|line| line.starts_with("m=audio ")).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn heard(&mut self) -> Vec<i16> {
        self.world.hosts[CLINIC].heard.remove(&self.leg).unwrap_or_default()
    }

    fn told(&self) -> Vec<EngineEvent> {
        self.world.told(CLINIC, self.leg)
    }
}

fn sender(ssrc: u32) -> Sender {
    Sender::new(Seeds { ssrc, sequence: 1, timestamp: 1, rtcp: 1 }, Clock::NARROW)
}

fn middle(samples: &[i16]) -> &[i16] {
    &samples[samples.len() / 4..samples.len() * 3 / 4]
}

/// What the far end plays before it answers is tapped; time, recording and speech begin with the answer.
#[test]
fn an_announcement_before_the_answer_is_heard() {
    for extra in ["", "a=sendonly\r\n"] {
        let mut call = Call::new();
        let leg = call.leg;
        call.respond(183, "bob", 4_000, 0, extra);
        let mut far = sender(7);
        call.sounds(&mut far, 4_000, 0, 500.0);
        assert!(purity(middle(&call.heard()), 500.0, Rate::Hz16000) > 0.9, "{extra:?}");
        call.respond(183, "bob", 4_000, 0, extra);
        assert_eq!(call.told()[1..], [EngineEvent::Early { leg }], "once, and 183 is no ringing");
        assert!(call.world.hosts[CLINIC].recorded.is_empty(), "nobody has answered");
        call.respond(200, "bob", 4_000, 0, "");
        assert!(matches!(call.told()[2..], [EngineEvent::Answered { codec: Codec::Pcmu, setup_ms: 1_000..1_100, .. }]));
        call.sounds(&mut far, 4_000, 0, 1_100.0);
        assert!(purity(middle(&call.heard()), 1_100.0, Rate::Hz16000) > 0.9, "the same stream goes on");
        let frames = &call.world.hosts[CLINIC].recorded[&leg];
        assert!(frames[0].at_ms < 20 && frames.len() >= 49, "{} from {}", frames.len(), frames[0].at_ms);
        assert!(frames.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
    }
}

/// Silence before the answer is no fault, and neither is speech there news.
#[test]
fn a_long_wait_before_the_answer_ends_nothing() {
    let mut call = Call::new();
    let leg = call.leg;
    call.respond(183, "bob", 4_000, 0, "");
    call.respond(180, "bob", 4_000, 0, "");
    call.world.run(100_000);
    assert_eq!(call.told()[1..], [EngineEvent::Ringing { leg }], "a description alone is nothing to hear");
    call.respond(200, "bob", 4_000, 0, "");
    // From the answer on it is.
    call.world.run(31_000);
    assert_eq!(call.told().last(), Some(&EngineEvent::Ended { leg, cause: LegEnd::NoMedia }));
}

/// Who calls us hears by 183 what comes before the answer, and is not heard meanwhile: neither by the other side of the bridge, nor
/// in the recording, nor by digits. The 200 brings the same description, and the same stream goes on.
#[test]
fn who_calls_us_hears_an_announcement_before_the_answer() {
    let mut world = World::new(LAN, 3);
    let caller = world.dial(&[Codec::Pcma]);
    let clinic = world.wait_for(CLINIC, |event| matches!(event, EngineEvent::Incoming { .. }));
    for command in [Command::Record { leg: clinic, on: true }, Command::Early { leg: clinic }] {
        world.command(CLINIC, command);
    }
    world.command(CALLER, Command::Tap { leg: caller, on: true });
    let pcm = tone(500.0, Rate::Hz8000, 1_000);
    world.command(CLINIC, Command::Play { leg: clinic, id: PlayId(1), pcm, last: true });
    world.run(1_100);
    assert!(world.told(CALLER, caller).contains(&EngineEvent::Early { leg: caller }));
    let heard = world.hosts[CALLER].heard.remove(&caller).unwrap();
    assert!(purity(middle(&heard), 500.0, Rate::Hz16000) > 0.9);
    world.command(CALLER, Command::Dtmf { leg: caller, digits: "5".into() });
    world.run(500);
    assert!(world.hosts[CLINIC].recorded.is_empty());
    let told = world.told(CLINIC, clinic);
    assert!(
        told.iter().all(|event| !matches!(event, EngineEvent::Dtmf { .. } | EngineEvent::Early { .. })),
        "{told:?}"
    );
    let described = |world: &World, status: &str| {
        let sent = world.sip.iter().filter(|(_, packet)| packet.bytes.starts_with(status.as_bytes()));
        let bodies: Vec<String> = sent
            .map(|(_, packet)| String::from_utf8_lossy(&packet.bytes).split_once("\r\n\r\n").unwrap().1.to_owned())
            .collect();
        bodies.last().cloned()
    };
    world.command(CLINIC, Command::Answer { leg: clinic });
    world.wait_for(CALLER, |event| matches!(event, EngineEvent::Answered { .. }));
    let early = described(&world, "SIP/2.0 183");
    assert!(early.as_ref().is_some_and(|body| body.contains("m=audio")));
    assert_eq!(early, described(&world, "SIP/2.0 200"));
    let pcm = tone(700.0, Rate::Hz8000, 1_000);
    world.command(CALLER, Command::Play { leg: caller, id: PlayId(2), pcm, last: true });
    world.run(1_100);
    let frames = &world.hosts[CLINIC].recorded[&clinic];
    assert!(frames[0].at_ms < 20, "time begins with the answer");
    let said: Vec<i16> = frames.iter().flat_map(|frame| frame.caller.clone()).collect();
    assert!(purity(middle(&said), 700.0, Rate::Hz8000) > 0.9);
}

/// A caller that we let hear something and then refuse leaves nothing behind, and its port rests like that of any call.
#[test]
fn a_caller_that_heard_something_is_refused() {
    let mut world = World::new(LAN, 4);
    let caller = world.dial(&[Codec::Pcma]);
    let clinic = world.wait_for(CLINIC, |event| matches!(event, EngineEvent::Incoming { .. }));
    world.command(CLINIC, Command::Early { leg: clinic });
    world.run(500);
    world.command(CLINIC, Command::Reject { leg: clinic, status: 404 });
    world.run(1_000);
    assert_eq!(world.hosts[CLINIC].open.len(), 1, "what comes late must not reach another call");
    world.run(100_000);
    assert_eq!(
        world.told(CALLER, caller).last(),
        Some(&EngineEvent::Ended { leg: caller, cause: LegEnd::Refused(404) })
    );
    assert_eq!((world.hosts[CLINIC].engine.legs(), world.hosts[CLINIC].open.len()), (0, 0));
}

/// Of several that announce, the one that answers is heard from then on, by its own codec.
#[test]
fn forks_announce_and_one_answers() {
    let mut call = Call::new();
    call.respond(183, "one", 4_000, 0, "");
    let (mut one, mut two) = (sender(7), sender(8));
    call.sounds(&mut one, 4_000, 0, 500.0);
    call.respond(183, "two", 4_100, 8, "");
    call.heard();
    call.sounds(&mut two, 4_100, 8, 700.0);
    assert!(purity(middle(&call.heard()), 700.0, Rate::Hz16000) > 0.9, "the last that announced");
    call.respond(200, "one", 4_000, 0, "");
    call.sounds(&mut one, 4_000, 0, 900.0);
    assert!(purity(middle(&call.heard()), 900.0, Rate::Hz16000) > 0.9, "the one that answered");
    assert!(matches!(call.told().last(), Some(EngineEvent::Answered { codec: Codec::Pcmu, .. })));
}

/// What is played before the answer says how far it came, and a call that is never answered leaves nothing behind.
#[test]
fn a_call_that_is_given_up_before_the_answer() {
    let mut call = Call::new();
    let leg = call.leg;
    call.respond(183, "bob", 4_000, 0, "");
    let pcm = tone(500.0, Rate::Hz8000, 500);
    call.world.command(CLINIC, Command::Play { leg, id: PlayId(1), pcm, last: true });
    call.world.run(1_000);
    let played =
        call.world.hosts[CLINIC].events.iter().filter(|(_, event)| matches!(event, EngineEvent::PlayedTo { .. }));
    assert!(played.count() >= 5);
    call.world.command(CLINIC, Command::Hangup { leg });
    assert_eq!(call.told().last(), Some(&EngineEvent::Ended { leg, cause: LegEnd::LocalHangup }));
    call.world.run(100_000);
    assert_eq!((call.world.hosts[CLINIC].engine.legs(), call.world.hosts[CLINIC].engine.next_wake()), (0, None));
}
