//! Ourselves as a relay, in a process of our own: every two calls with the same number are bridged, and the first of them is
//! recorded where that is measured.

use crate::far::Traffic;
use crate::line::{Line, certify};
use crate::side::{Side, description, told_key};
use crate::{Pair, Relay};
use auricle::recordings::BlobSink;
use auricle::voice::{EngineEvents, OwnCertificate, TlsFiles, VoiceConfig, VoiceHandle, VoiceShell};
use auricle_domain::Timestamp;
use auricle_domain::id::{CallId, TenantId};
use auricle_media::engine::EMERGENCY_LEGS;
use auricle_media::io::{BridgeId, Codec, Command, EngineEvent, LegId, Party, PartyClass};
use auricle_storage::{Backend, BlobId, KeySource, Store, StoreOptions};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
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
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certify(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (voice, events) = VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        tls: TlsFiles { own: Some(OwnCertificate::Files(certificate.clone(), key)), ..TlsFiles::default() },
        advertise: None,
        // Four ports a call, and as many more as are kept for emergency calls.
        rtp_ports: RTP_PORT..=RTP_PORT + calls * 4 + 2 * EMERGENCY_LEGS as u16 + 1,
        legs_max: usize::from(calls) * 2,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcma, Codec::Opus],
    })
    .unwrap();
    println!("{} {} {}", voice.sip_addr(), voice.tls_addr().unwrap(), certificate.display());
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
    tls: SocketAddr,
    certificate: PathBuf,
    callers: Side,
}

pub fn start(calls: usize, recorded: bool, callers: Side) -> Own {
    let mut process = std::process::Command::new(std::env::current_exe().unwrap())
        .env(TASK, format!("{calls} {recorded}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let stdin = process.stdin.take().unwrap();
    let mut told = line.trim().splitn(3, ' ');
    let mut next = || told.next().unwrap();
    let (sip, tls) = (next().parse().unwrap(), next().parse().unwrap());
    Own { process, stdin, sip, tls, certificate: next().into(), callers }
}

impl Relay for Own {
    fn process(&self) -> u32 {
        self.process.id()
    }

    fn calls(&mut self, count: usize, traffic: &Traffic) -> Vec<Pair> {
        // Keys are told where nobody else reads them.
        let mut callers = match self.callers {
            Side::Secure => Line::tls(self.tls, &self.certificate),
            Side::Plain | Side::Opus => Line::udp(self.sip),
        };
        let told_callers = side(&mut callers, 0, count, traffic);
        let told_staff = side(&mut Line::udp(self.sip), 1, count, traffic);
        let pairs = told_callers.into_iter().zip(told_staff);
        pairs
            .map(|(caller, staff)| {
                let key = told_key(&caller).filter(|_| self.callers == Side::Secure);
                Pair { caller: port_of(&caller), staff: port_of(&staff), key }
            })
            .collect()
    }

    fn end(mut self: Box<Self>) {
        drop(self.stdin);
        self.process.wait().unwrap();
    }
}

fn port_of(sdp: &str) -> u16 {
    sdp.split_once("m=audio ").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

/// Sets up one side of all calls; what each of them was answered.
fn side(line: &mut Line, side: usize, count: usize, traffic: &Traffic) -> Vec<String> {
    let mut answers: Vec<Option<String>> = vec![None; count];
    let (mut asked, mut answered, mut heard) = (0, 0, Instant::now());
    while answered < count {
        while asked < count && asked - answered < RINGING_MAX {
            let body = description(traffic.side(side), traffic.address(asked, side));
            line.send(&request(line, "INVITE", (asked, side), "", &body));
            asked += 1;
        }
        let Some(text) = line.receive() else {
            assert!(heard.elapsed() < PATIENCE, "{answered} of {count} calls were answered");
            continue;
        };
        heard = Instant::now();
        if !text.starts_with("SIP/2.0 200") {
            assert!(text.starts_with("SIP/2.0 1"), "{text}");
            continue;
        }
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let call: usize = value("Call-ID:").split_once('-').unwrap().0.parse().unwrap();
        let tag = value("To:").split_once(";tag=").unwrap().1;
        line.send(&request(line, "ACK", (call, side), &format!(";tag={tag}"), ""));
        answered += usize::from(answers[call].replace(text.clone()).is_none());
    }
    answers.into_iter().map(Option::unwrap).collect()
}

/// Both sides of a call come with its number.
fn request(line: &Line, method: &str, (call, side): (usize, usize), tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let (own, transport) = line.own();
    format!(
        "{method} sip:clinic@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {own};branch=z9hG4bK{method}{call}-{side}\r\n\
         From: <sip:{call}@{own}>;tag=a{call}-{side}\r\nTo: <sip:clinic@127.0.0.1>{tag}\r\nCall-ID: {call}-{side}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:bench@{own};transport={transport}>\r\nMax-Forwards: 70\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
