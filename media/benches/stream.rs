//! What a leg's 20 ms cost: receive one packet, tick, send one packet. Prints nanoseconds per tick and leg, and the share of
//! a core that a leg takes. `cargo bench -p auricle-media --bench stream`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auricle_media::audio::playout::Playout;
use auricle_media::codec::g711::decode_mu;
use auricle_media::io::{Codec, Pcm, PlayId, Rate};
use auricle_media::rtp::Clock;
use auricle_media::rtp::session::Seeds;
use auricle_media::stream::{MediaStream, StreamParams};

/// Frames of the recorded speech that is played round and round: ten seconds.
const FRAMES: usize = 500;
/// Times it is played for a figure.
const ROUNDS: usize = 20;

fn main() {
    let speech: Vec<i16> = include_bytes!("../fixtures/speech-16k.ulaw").iter().map(|code| decode_mu(*code)).collect();
    let silence = vec![0; speech.len()];
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        measure(codec, "speech", &packets(codec, &speech));
        measure(codec, "silence", &packets(codec, &silence));
    }
}

fn stream(codec: Codec, remote: u16, ssrc: u32, now: Instant) -> MediaStream {
    let params = StreamParams {
        codec,
        payload_type: codec.payload_type(),
        dtmf_payload_type: Some(101),
        remote: Some(SocketAddr::from(([127, 0, 0, 1], remote))),
        remote_rtcp: None,
        rtcp_mux: false,
        packet_ms: 20,
        srtp: None,
        seeds: Seeds { ssrc, sequence: 0, timestamp: 0, rtcp: 1 },
    };
    MediaStream::new(params, now)
}

/// What a far end that says `wide` sends.
fn packets(codec: Codec, wide: &[i16]) -> Vec<Vec<u8>> {
    let now = Instant::now();
    let mut sender = stream(codec, 5_000, 1, now);
    let mut playout = Playout::new(codec.rate());
    let pcm = Pcm { rate: Rate::Hz16000, samples: wide.into() };
    playout.append(PlayId(1), &pcm, true).expect("ten seconds fit the queue");
    (0..FRAMES)
        .map(|_| {
            let tick = sender.tick(now, |frame| {
                playout.pull(frame, 0);
            });
            tick.packet.map(|(_, bytes)| bytes.to_vec()).expect("the address is known")
        })
        .collect()
}

fn measure(codec: Codec, what: &str, packets: &[Vec<u8>]) {
    let remote = SocketAddr::from(([127, 0, 0, 1], 4_000));
    let mut now = Instant::now();
    let mut leg = stream(codec, 4_000, 2, now);
    let mut packets: Vec<Vec<u8>> = packets.to_vec();
    let mut spent = Duration::ZERO;
    for round in 0..ROUNDS {
        for (index, packet) in packets.iter_mut().enumerate() {
            renumber(packet, codec, round * FRAMES + index);
            let begun = Instant::now();
            leg.receive(packet, remote, now).expect("from the signalled address");
            black_box(leg.tick(now, |frame| frame.fill(100)).packet);
            spent += begun.elapsed();
            now += Duration::from_millis(20);
        }
    }
    let nanoseconds = spent.as_nanos() as f64 / (ROUNDS * FRAMES) as f64;
    println!(
        "{codec:?} {what}: {nanoseconds:.0} ns per tick and leg, {:.3} % of a core",
        nanoseconds / 20_000_000.0 * 100.0
    );
}

/// Sequence number and timestamp go on from round to round.
fn renumber(packet: &mut [u8], codec: Codec, index: usize) {
    packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&(index as u32 * Clock::of(codec).frame()).to_be_bytes());
}
