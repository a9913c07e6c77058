//! Figures of the voice part over the loopback: INVITE to 200, processor time of a leg, lateness of the tick, gaps.
//!
//! First our own engine rings itself a hundred times at once. Then, where SIPp is installed, SIPp does, for as many
//! seconds as `VOICE_SIPP_SECONDS` says (default 10), with RTP both ways.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

use auricle::voice::{EngineEvents, VoiceConfig, VoiceHandle, VoiceShell};
use auricle_media::io::{Codec, Command, DialTo, EngineEvent, LegEnd, LegId, LegQuality, Pcm, PlayId, Rate};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls at once.
const CALLS: u64 = 100;
/// How long our own calls are measured.
const MEASURED: Duration = Duration::from_secs(10);
/// Clock ticks a second in `/proc` (`getconf CLK_TCK`; 100 on every Linux that we run on).
const CLOCK_TICKS: f64 = 100.0;

fn shell(rtp_ports: RangeInclusive<u16>) -> (VoiceHandle, EngineEvents) {
    VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls_listen: None,
        tls: Default::default(),
        advertise: None,
        rtp_ports,
        legs_max: 200,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
    })
    .unwrap()
}

/// Processor seconds that all media threads have used.
fn media_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of_task = |entry: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let used: f64 = fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?;
        name.ends_with("(media").then_some(used / CLOCK_TICKS)
    };
    tasks.filter_map(of_task).sum()
}

#[derive(Default)]
struct Seen {
    qualities: HashMap<LegId, LegQuality>,
    ended: u64,
    odd: u64,
}

/// Answers every call and plays to it until it ends.
async fn clinic(voice: VoiceHandle, mut events: EngineEvents, done: tokio::sync::oneshot::Sender<Seen>, calls: u64) {
    let sound: Arc<[i16]> = (0..8_000).map(|n: i32| ((n % 37 - 18) * 300) as i16).collect();
    let mut seen = Seen::default();
    while seen.ended < calls {
        match events.recv().await.unwrap() {
            EngineEvent::Incoming { leg, .. } => voice.send(Command::Answer { leg }).unwrap(),
            EngineEvent::Answered { leg, .. } => {
                for _ in 0..2 {
                    let pcm = Pcm { rate: Rate::Hz8000, samples: Arc::clone(&sound) };
                    voice.send(Command::Play { leg, id: PlayId(0), pcm, last: false }).unwrap();
                }
            }
            // Another second whenever one has been played.
            EngineEvent::PlayedTo { leg, id, samples, .. } if samples % 8_000 < 800 => {
                let pcm = Pcm { rate: Rate::Hz8000, samples: Arc::clone(&sound) };
                voice.send(Command::Play { leg, id, pcm, last: false }).unwrap();
            }
            EngineEvent::Quality { leg, quality } => drop(seen.qualities.insert(leg, quality)),
            EngineEvent::Ended { cause, .. } => {
                seen.ended += 1;
                seen.odd += u64::from(cause != LegEnd::RemoteHangup);
            }
            _ => {}
        }
    }
    let _nobody_waits = done.send(seen);
}

fn print_quality(name: &str, seen: &Seen) {
    let sum = |of: fn(&LegQuality) -> u64| seen.qualities.values().map(of).sum::<u64>();
    let jitter = seen.qualities.values().map(|quality| quality.jitter_ms).fold(0.0, f32::max);
    println!(
        "{name}: {} calls, {} ended wrongly; received {}, lost {}, concealed {} frames, refused {}, worst jitter {jitter:.1} ms",
        seen.ended,
        seen.odd,
        sum(|quality| quality.received),
        sum(|quality| quality.lost),
        sum(|quality| quality.concealed),
        sum(|quality| quality.refused),
    );
}

/// Our own engine on both ends.
async fn own_calls() {
    let (voice, events) = shell(25_000..=25_399);
    let (done, finished) = tokio::sync::oneshot::channel();
    let answering = tokio::spawn(clinic(voice.clone(), events, done, CALLS));
    let (caller, mut events) = shell(26_000..=26_399);
    let mut setups: Vec<Duration> = Vec::new();
    let mut legs = Vec::new();
    for tag in 0..CALLS {
        let dialled = Instant::now();
        let uri = format!("sip:clinic@{}", voice.sip_addr());
        let codecs = vec![Codec::Pcma];
        let to = DialTo::Address(voice.sip_addr());
        caller
            .send(Command::Dial {
                tag,
                uri,
                to,
                from: "bench".to_owned(),
                codecs,
                identity: None,
                replaces: None,
                is_emergency: false,
            })
            .unwrap();
        loop {
            if let EngineEvent::Answered { leg, .. } = events.recv().await.unwrap() {
                legs.push(leg);
                setups.push(dialled.elapsed());
                break;
            }
        }
    }
    let before = media_seconds();
    let began = Instant::now();
    let mut heard = Seen::default();
    while let Ok(event) = tokio::time::timeout_at((began + MEASURED).into(), events.recv()).await {
        if let EngineEvent::Quality { leg, quality } = event.unwrap() {
            heard.qualities.insert(leg, quality);
        }
    }
    let share = (media_seconds() - before) / began.elapsed().as_secs_f64() / (2 * CALLS) as f64;
    for leg in legs {
        caller.send(Command::Hangup { leg }).unwrap();
    }
    let seen = finished.await.unwrap();
    answering.await.unwrap();
    heard.ended = CALLS;
    setups.sort();
    let at = |share: f64| setups[(share * (setups.len() - 1) as f64) as usize].as_secs_f64() * 1000.0;
    println!("INVITE to 200, as the caller's application sees it: p50 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.99));
    println!(
        "a PCMA leg with audio both ways: {:.3} % of a core ({} legs on two media threads)",
        share * 100.0,
        2 * CALLS
    );
    print_quality("heard by the clinic", &seen);
    print_quality("heard by the callers", &heard);
    voice.stop(Duration::ZERO).await;
    caller.stop(Duration::ZERO).await;
}

/// SIPp on the other end: its processor time is its own.
async fn sipp_calls(seconds: u64) {
    let (voice, events) = shell(27_000..=27_399);
    let (done, finished) = tokio::sync::oneshot::channel();
    tokio::spawn(clinic(voice.clone(), events, done, CALLS));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.al");
    std::fs::write(&file, [0x55_u8; 8_000]).unwrap();
    let scenario = include_str!("../tests/voice/rtp_stream.xml")
        .replace("FILE,1,8", &format!("{},-1,8", file.display()))
        .replace("milliseconds=\"4000\"", &format!("milliseconds=\"{}\"", seconds * 1000));
    let path = folder.path().join("scenario.xml");
    std::fs::write(&path, scenario).unwrap();
    let calls = CALLS.to_string();
    let mut command = tokio::process::Command::new("sipp");
    command
        .args(["-sf", path.to_str().unwrap(), "-m", &calls, "-l", &calls, "-r", "50"])
        .args(["-i", "127.0.0.1", "-mp", "28000", "-s", "clinic", "-nostdin"])
        .arg(voice.sip_addr().to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let Ok(mut process) = command.spawn() else {
        println!("SIPp is not installed: not measured");
        return;
    };
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (before, began, legs) = (media_seconds(), Instant::now(), voice.legs());
    tokio::time::sleep(Duration::from_secs(seconds.saturating_sub(3).max(1))).await;
    let share = (media_seconds() - before) / began.elapsed().as_secs_f64();
    let status = process.wait().await.unwrap();
    let seen = finished.await.unwrap();
    println!(
        "{legs} SIPp calls with RTP both ways: {:.1} % of a core, {:.3} % each; SIPp says {status}",
        share * 100.0,
        share * 100.0 / legs.max(1) as f64
    );
    print_quality("heard from SIPp", &seen);
    voice.stop(Duration::ZERO).await;
}

#[tokio::main]
async fn main() {
    // A packet leaves 20 ms after the one before, give or take its tick's lateness: over 0.02 is a gap of over 40 ms.
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.002, 0.005, 0.01, 0.02, 0.04])
        .unwrap()
        .install_recorder()
        .unwrap();
    own_calls().await;
    let seconds = std::env::var("VOICE_SIPP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    sipp_calls(seconds).await;
    for line in metrics.render().lines().filter(|line| line.starts_with("auricle_voice")) {
        println!("{line}");
    }
}
