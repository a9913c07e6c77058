//! Ourselves as a relay, in a process of our own: every two calls with the same number are bridged, and the first of them is
//! recorded where that is measured.

use crate::far::Traffic;
use crate::{Pair, Relay};
use auricle::recordings::BlobSink;
use auricle::voice::{EngineEvents, VoiceConfig, VoiceHandle, VoiceShell};
use auricle_domain::Timestamp;
use auricle_domain::id::{CallId, TenantId};
use auricle_media::io::{BridgeId, Codec, Command, EngineEvent, LegId, Party, PartyClass};
use auricle_storage::{Backend, BlobId, KeySource, Store, StoreOptions};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

/// The variable that makes this process the clinic: its calls, and whether they are recorded.
pub const TASK: &str = "RELAY_CLINIC";
/// First port of media.
const RTP_PORT: u16 = 10_000;
/// INVITEs on their way at once.
const RINGING_MAX: usize = 20;
/// How long one may take to be answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// The clinic's process.
pub fn run(task: &str) {
    let (calls, recorded) = task.split_once(' ').unwrap();
    let (calls, recorded): (u16, bool) = (calls.parse().unwrap(), recorded.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (voice, events) = VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls_listen: None,
        tls: Default::default(),
        advertise: None,
        rtp_ports: RTP_PORT..=RTP_PORT + calls * 4 + 1,
        calls_max: usize::from(calls) * 2,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcma],
    })
    .unwrap();
    println!("{}", voice.sip_addr().port());
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("clinic");
    let store = recorded.then(|| {
        let keys = KeySource::File(folder.path().join("store.key"));
        Store::open(StoreOptions { directory, backend: Backend::Redb, keys, tenant: TenantId::new(now(), [1; 10]) })
            .unwrap()
    });
    std::thread::spawn(|| {
        // Whoever measures closes its end of the pipe when it has seen enough.
        let _end = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(serve(voice, events, store));
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_000_000).unwrap()
}

async fn serve(voice: VoiceHandle, mut events: EngineEvents, store: Option<Store>) {
    let mut numbers: HashMap<LegId, String> = HashMap::new();
    let mut callers: HashMap<String, LegId> = HashMap::new();
    let mut bridges = 0;
    while let Some(event) = events.recv().await {
        match event {
            EngineEvent::Incoming { leg, from, .. } => {
                numbers.insert(leg, from);
                voice.send(Command::Answer { leg }).unwrap();
            }
            EngineEvent::Answered { leg, .. } => {
                let number = numbers.remove(&leg).unwrap();
                let Some(caller) = callers.remove(&number) else {
                    callers.insert(number, leg);
                    continue;
                };
                bridges += 1;
                let parties = Party::all(&[(caller, PartyClass::Caller), (leg, PartyClass::Staff)]);
                voice.send(Command::Bridge { bridge: BridgeId(bridges), parties }).unwrap();
                if let Some(store) = &store {
                    let id =
                        CallId::new(now(), [bridges.to_be_bytes().as_slice(), &[0; 2]].concat().try_into().unwrap());
                    let sink = BlobSink(store.blobs().create(BlobId::Recording(id)).unwrap());
                    drop(voice.record(caller, Box::new(sink)).unwrap());
                }
            }
            _ => {}
        }
    }
}

pub struct Own {
    process: Child,
    stdin: ChildStdin,
    sip: SocketAddr,
}

pub fn start(calls: usize, recorded: bool) -> Own {
    let mut process = std::process::Command::new(std::env::current_exe().unwrap())
        .env(TASK, format!("{calls} {recorded}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let stdin = process.stdin.take().unwrap();
    Own { process, stdin, sip: SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap())) }
}

impl Relay for Own {
    fn process(&self) -> u32 {
        self.process.id()
    }

    fn calls(&mut self, count: usize, traffic: &Traffic) -> Vec<Pair> {
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
        sip.connect(self.sip).unwrap();
        sip.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let media = traffic.addresses();
        let mut ports: Vec<Option<u16>> = vec![None; count * 2];
        let (mut asked, mut answered, mut buffer) = (0, 0, vec![0; 65_536]);
        let mut heard = Instant::now();
        while answered < ports.len() {
            while asked < ports.len() && asked - answered < RINGING_MAX {
                let body = sdp(media[asked % 2].port());
                sip.send(request("INVITE", asked, sip.local_addr().unwrap(), "", &body).as_bytes()).unwrap();
                asked += 1;
            }
            let Ok(length) = sip.recv(&mut buffer) else {
                assert!(heard.elapsed() < PATIENCE, "{answered} of {} calls were answered", ports.len());
                continue;
            };
            heard = Instant::now();
            let text = String::from_utf8_lossy(&buffer[..length]);
            if !text.starts_with("SIP/2.0 200") {
                assert!(text.starts_with("SIP/2.0 1"), "{text}");
                continue;
            }
            let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            let leg: usize = line("Call-ID:").parse().unwrap();
            let tag = line("To:").split_once(";tag=").unwrap().1;
            sip.send(request("ACK", leg, sip.local_addr().unwrap(), &format!(";tag={tag}"), "").as_bytes()).unwrap();
            let port = text.split_once("m=audio ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
            answered += usize::from(ports[leg].replace(port).is_none());
        }
        let port = |leg: usize| ports[leg].unwrap();
        (0..count).map(|call| Pair { caller: port(call * 2), staff: port(call * 2 + 1) }).collect()
    }

    fn end(mut self: Box<Self>) {
        drop(self.stdin);
        self.process.wait().unwrap();
    }
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )
}

/// Legs with the same half belong together.
fn request(method: &str, leg: usize, own: SocketAddr, tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:clinic@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{leg}\r\n\
         From: <sip:{}@{own}>;tag=a{leg}\r\nTo: <sip:clinic@127.0.0.1>{tag}\r\nCall-ID: {leg}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:bench@{own}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        leg / 2,
        body.len()
    )
}
