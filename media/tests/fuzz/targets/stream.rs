//! Packets to one leg's media. Kinds of step: 0 bytes on the RTP port, 1 bytes on the RTCP port (argument: from whom), 2
//! that many frames pass, 3 that many good packets of the far end come, 4 signalling names another address, 5 hold.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auricle_media::io::Codec;
use auricle_media::rtp::Clock;
use auricle_media::rtp::session::{Seeds, Sender};
use auricle_media::stream::{MediaStream, StreamEvent, StreamParams};

use super::steps::{Step, steps};
use super::{Seen, origin, scale};

/// Frames of one input at most.
const FRAMES_MAX: u32 = 300;
/// Events of one tick at most: eight keys and what voice activity and levels say.
const EVENTS_MAX: usize = 12;

struct World {
    stream: MediaStream,
    far: Sender,
    codec: Codec,
    signalled: SocketAddr,
    now: Instant,
    frames: u32,
    /// The signalled address was heard: nobody else may be from here on.
    latched: bool,
    seen: Seen,
}

pub fn run(bytes: &[u8]) -> u64 {
    let codec =
        [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus][usize::from(bytes.first().copied().unwrap_or(0)) % 4];
    let mut world = World::new(codec);
    for step in steps(bytes.get(1..).unwrap_or_default()) {
        world.step(step);
    }
    world.pass(3);
    let quality = world.stream.quality();
    assert!(quality.jitter_ms >= 0.0 && (0.0..1.0).contains(&quality.remote_loss), "{quality:?}");
    if let Some((_, goodbye)) = world.stream.goodbye(world.now) {
        assert!(goodbye.len() <= 128);
    }
    world.seen.note((scale(quality.received as usize), scale(quality.refused as usize), scale(quality.lost as usize)));
    world.seen.note(scale(quality.concealed as usize));
    world.seen.number()
}

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

impl World {
    fn new(codec: Codec) -> Self {
        let (now, signalled) = (origin(), at(1, 4_000));
        let params = StreamParams {
            codec,
            payload_type: codec.payload_type(),
            dtmf_payload_type: Some(101),
            remote: Some(signalled),
            remote_rtcp: None,
            seeds: Seeds { ssrc: 0xdead_beef, sequence: 0, timestamp: 0, rtcp: 1 },
            rtcp_mux: false,
            packet_ms: 20,
            srtp: None,
        };
        let far = Sender::new(Seeds { ssrc: 7, sequence: 65_530, timestamp: 0xffff_ff00, rtcp: 1 }, Clock::of(codec));
        let stream = MediaStream::new(params, now);
        Self { stream, far, codec, signalled, now, frames: 0, latched: false, seen: Seen::default() }
    }

    fn step(&mut self, Step { kind, argument, bytes }: Step<'_>) {
        let remote = [self.signalled, at(1, 4_002), at(2, 4_000), at(66, 666)][usize::from(argument % 4)];
        match kind % 6 {
            0 => {
                let taken = self.stream.receive(bytes, remote, self.now);
                self.note(taken.is_ok(), remote, true);
            }
            1 => {
                let taken = self.stream.receive_rtcp(bytes, remote, self.now);
                self.note(taken.is_ok(), remote, false);
            }
            2 => self.pass(u32::from(argument)),
            3 => self.good(argument),
            4 => {
                self.signalled = remote;
                self.stream.set_remote(Some(remote), None, false);
                self.latched = false;
            }
            _ => self.stream.hold(argument % 2 == 1),
        }
    }

    fn note(&mut self, taken: bool, remote: SocketAddr, rtp: bool) {
        let stranger = if rtp { remote != self.signalled } else { remote.ip() != self.signalled.ip() };
        assert!(!(taken && self.latched && stranger), "{remote} was heard");
        self.seen.note((taken, stranger));
    }

    fn good(&mut self, count: u8) {
        let payload = vec![0x55; 160];
        for _ in 0..count % 16 {
            let mut packet = Vec::new();
            self.far.audio(self.codec.payload_type(), 0, &payload, &mut packet);
            self.far.advance_by(1);
            let taken = self.stream.receive(&packet, self.signalled, self.now);
            self.latched |= taken.is_ok();
            self.pass(1);
        }
    }

    fn pass(&mut self, frames: u32) {
        for _ in 0..frames.min(FRAMES_MAX - self.frames) {
            self.frames += 1;
            self.now += Duration::from_millis(20);
            let frame = self.codec.rate().frame();
            let tick = self.stream.tick(self.now, |_| {});
            assert_eq!((tick.far.len(), tick.near.len(), tick.wide.len()), (frame, frame, 320));
            assert!(tick.packet.is_none_or(|(_, packet)| packet.len() <= 172));
            assert!(tick.events.len() <= EVENTS_MAX, "{:?}", tick.events);
            let kinds = tick.events.iter().filter(|event| !matches!(event, StreamEvent::Level { .. }));
            self.seen.note(kinds.map(std::mem::discriminant).collect::<Vec<_>>());
            if let Some((remote, report)) = self.stream.rtcp(self.now) {
                assert!(report.len() <= 128 && report.len().is_multiple_of(4));
                assert!(remote.port() != 0, "{remote}");
            }
        }
    }
}
