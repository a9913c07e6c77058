//! Figures of the whole program, as a process of its own: cold start (start of the process to the first 200 on `/health`),
//! idle memory with and without a recogniser, and barge-in (the caller's first voiced packet to the first of silence back).
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

use auricle::providers::Tts;
use auricle::providers::flite::Flite;
use auricle_domain::code::Lang;
use auricle_media::audio::resample::Downsampler;
use auricle_media::codec::g711::{decode_mu, encode_mu};
use futures_util::StreamExt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts whose median is printed.
const STARTS: usize = 5;
/// Interruptions that are measured.
const INTERRUPTIONS: usize = 6;
/// Anything that takes longer is broken.
const LIMIT: Duration = Duration::from_secs(30);
/// Samples of a packet: 20 ms.
const PACKET: usize = 160;
/// A stretch without sound counts as given way from this many packets on: 400 ms; pauses between words are shorter.
const SILENT_PACKETS: usize = 20;
/// Silence after the greeting: one second.
const GREETED_PACKETS: usize = 50;
/// Packets of a pressed key, the last three of which end it (RFC 4733), and their payload number.
const KEY_PACKETS: usize = 8;
const EVENT: u8 = 101;
/// Loudness of a sample below which it is silence.
const SILENCE: u16 = 200;

struct Service {
    process: Child,
    web: SocketAddr,
    sip: SocketAddr,
    cold: Duration,
    _folder: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn get(web: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(web).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: bench\r\n\r\n").ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    Some(reply)
}

/// Waits until `/health...` answers 200.
fn until_ok(web: SocketAddr, path: &str) {
    let begun = Instant::now();
    while !get(web, path).is_some_and(|reply| reply.starts_with("HTTP/1.0 200") || reply.starts_with("HTTP/1.1 200")) {
        assert!(begun.elapsed() < LIMIT, "{path} did not answer 200");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Service {
    fn start(stt: &str) -> Self {
        let web = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_auricle"))
            .arg("serve")
            .env("AURICLE_SERVER_LISTEN", web.to_string())
            .env("AURICLE_SIP_LISTEN", sip.to_string())
            .env("AURICLE_WEBRTC_LISTEN", "127.0.0.1:0")
            .env("AURICLE_SIP_RTP_PORTS", "30000-30499")
            .env("AURICLE_STORAGE_DIRECTORY", folder.path())
            .env("AURICLE_SPEECH_STT", stt)
            .env("AURICLE_LOG_LEVEL", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until_ok(web, "/health");
        let cold = begun.elapsed();
        Self { process, web, sip, cold, _folder: folder }
    }

    fn memory_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

fn idle(stt: &str) {
    let mut starts = Vec::new();
    let (mut at_once, mut loaded, mut ready) = (0.0, 0.0, Duration::ZERO);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let service = Service::start(stt);
        at_once = service.memory_mb();
        until_ok(service.web, "/health/ready");
        ready = begun.elapsed();
        std::thread::sleep(Duration::from_secs(2));
        loaded = service.memory_mb();
        starts.push(service.cold);
    }
    starts.sort();
    println!(
        "stt {stt}: cold start p50 {:.0} ms, worst {:.0} ms; all ready after {:.0} ms; memory {at_once:.0} MB at once, \
         {loaded:.0} MB idle",
        millis(starts[STARTS / 2]),
        millis(starts[STARTS - 1]),
        millis(ready)
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A sentence as packets of G.711, from its first voiced sample on.
async fn voice() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    let mut speech =
        Flite::new("flite", "rms").speak("Wait, what are your opening hours on Saturday please?", Lang::En);
    while let Some(piece) = speech.next().await {
        samples.extend_from_slice(&piece.unwrap().samples);
    }
    samples.truncate(samples.len() / 2 * 2);
    let mut narrow = vec![0; samples.len() / 2];
    Downsampler::default().run(&samples, &mut narrow);
    let first = narrow.iter().position(|sample| sample.unsigned_abs() > 500).unwrap();
    narrow[first..]
        .chunks_exact(PACKET)
        .map(|packet| packet.iter().map(|sample| encode_mu(*sample)).collect())
        .collect()
}

/// One call that is interrupted: from the first packet with voice to the first of silence.
fn interrupt(service: &Service, number: usize, voice: &[Vec<u8>]) -> Option<Duration> {
    let signalling = UdpSocket::bind("127.0.0.1:0").unwrap();
    let audio = UdpSocket::bind("127.0.0.1:0").unwrap();
    signalling.connect(service.sip).unwrap();
    signalling.set_read_timeout(Some(LIMIT)).unwrap();
    let (from, media) = (signalling.local_addr().unwrap(), audio.local_addr().unwrap().port());
    let sdp = format!(
        "v=0\r\no=b 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {media} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
    );
    let request = |method: &str, seq: u32, to_tag: &str, body: &str| {
        format!(
            "{method} sip:clinic@{} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:bench@{from}>;tag=b{number}\r\nTo: <sip:clinic@{}>{to_tag}\r\nCall-ID: bench-{number}@{from}\r\n\
             CSeq: {seq} {method}\r\nContact: <sip:bench@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            service.sip,
            service.sip,
            body.len()
        )
    };
    signalling.send(request("INVITE", 1, "", &sdp).as_bytes()).unwrap();
    let mut buffer = [0_u8; 4_096];
    let reply = loop {
        let length = signalling.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0 200") {
            break text;
        }
    };
    let to_tag = reply.lines().find(|line| line.starts_with("To:")).unwrap().split(";tag=").nth(1).unwrap().trim();
    let to_tag = format!(";tag={to_tag}");
    signalling.send(request("ACK", 1, &to_tag, "").as_bytes()).unwrap();
    let port =
        reply.lines().find(|line| line.starts_with("m=audio")).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    audio.connect(SocketAddr::new(service.sip.ip(), port)).unwrap();
    let gave_way = converse(&audio, voice, number);
    signalling.send(request("BYE", 2, &to_tag, "").as_bytes()).unwrap();
    gave_way
}

/// Hears the greeting out, presses 2 for the opening hours, and speaks over them, each time at another place.
fn converse(audio: &UdpSocket, voice: &[Vec<u8>], number: usize) -> Option<Duration> {
    audio.set_read_timeout(Some(Duration::from_micros(500))).unwrap();
    let begun = Instant::now();
    let mut buffer = [0_u8; 2_048];
    let quiet = vec![0xFF_u8; PACKET];
    let (mut sent, mut key, mut spoke) = (0_usize, None::<usize>, None::<(Instant, usize)>);
    let (mut silent, mut silent_from, mut sounding) = (0_usize, None, 0_usize);
    while begun.elapsed() < LIMIT {
        if begun.elapsed() >= Duration::from_millis(20) * u32::try_from(sent).unwrap() {
            let pressing = key.map(|from| sent - from).filter(|nth| *nth < KEY_PACKETS);
            let at = key.filter(|_| pressing.is_some()).unwrap_or(sent);
            let kind = if pressing.is_some() { EVENT } else { 0 };
            let mut packet = vec![0x80, kind, (sent >> 8) as u8, sent as u8];
            packet.extend(u32::try_from(at * PACKET).unwrap().to_be_bytes());
            packet.extend(u32::try_from(number + 7).unwrap().to_be_bytes());
            match pressing {
                Some(nth) => {
                    let end = if nth + 3 >= KEY_PACKETS { 0x80 } else { 0 };
                    let length = u16::try_from((nth + 1) * PACKET).unwrap().to_be_bytes();
                    packet.extend([2, end | 10, length[0], length[1]]);
                }
                None => packet.extend(spoke.and_then(|(_, from)| voice.get(sent - from)).unwrap_or(&quiet)),
            }
            audio.send(&packet).unwrap();
            if let Some((at, _)) = spoke.as_mut().filter(|(_, from)| *from == sent) {
                *at = Instant::now();
            }
            sent += 1;
        }
        let Ok(length) = audio.recv(&mut buffer) else { continue };
        let now = Instant::now();
        if buffer[12..length].iter().any(|byte| decode_mu(*byte).unsigned_abs() > SILENCE) {
            (silent, silent_from) = (0, None);
            sounding += 1;
        } else {
            silent += 1;
            silent_from.get_or_insert(now);
        }
        match (key, spoke) {
            (None, _) if silent >= GREETED_PACKETS && sounding > GREETED_PACKETS => (key, sounding) = (Some(sent), 0),
            (Some(_), None) if silent == 0 && sounding > 40 + number * 3 => spoke = Some((now, sent)),
            (_, Some((at, _))) if silent >= SILENT_PACKETS => {
                return silent_from.map(|from| from.saturating_duration_since(at));
            }
            _ => {}
        }
    }
    None
}

#[tokio::main]
async fn main() {
    if std::env::var_os("BARGE_IN_ONLY").is_some() {
        return barge_in().await;
    }
    idle("none");
    idle("pocketsphinx");
    barge_in().await;
}

async fn barge_in() {
    let voice = voice().await;
    let service = Service::start("pocketsphinx");
    until_ok(service.web, "/health/ready");
    let mut times: Vec<f64> =
        (0..INTERRUPTIONS).filter_map(|number| interrupt(&service, number, &voice)).map(millis).collect();
    times.sort_by(f64::total_cmp);
    match times.last() {
        Some(worst) => println!(
            "barge-in, first voiced packet to first of silence: {} of {INTERRUPTIONS}, median {:.0} ms, max {worst:.0} ms",
            times.len(),
            times[times.len() / 2]
        ),
        None => println!("barge-in: no interruption was heard"),
    }
}
