//! Who is between both ends: a process with its children; and ourselves as one, in a process of our own.

use auricle::voice::{EngineEvents, VoiceConfig, VoiceHandle, VoiceShell};
use auricle_media::io::{BridgeId, Codec, Command, DialTo, EngineEvent, LegId, Party, PartyClass};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// The variable that makes this process the clinic: whom it calls.
pub const TASK: &str = "CALLS_CLINIC";
/// Legs at once.
const LEGS_MAX: usize = 20_000;

/// Who is between.
pub struct Between {
    pub address: SocketAddr,
    process: Child,
    _folder: Option<TempDir>,
}

impl Between {
    pub fn new(process: Child, address: SocketAddr, folder: Option<TempDir>) -> Self {
        Self { address, process, _folder: folder }
    }

    /// Processor time so far, of the process and its children.
    pub fn processor_seconds(&self) -> f64 {
        let own = self.process.id().to_string();
        let of = |stat: &str| -> Option<f64> {
            let (id, rest) = (stat.split(' ').next()?, stat.rsplit_once(") ")?.1);
            let fields: Vec<&str> = rest.split(' ').collect();
            let ticks = fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?;
            (id == own || fields[1] == own).then_some(ticks / crate::CLOCK_TICKS)
        };
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        stats.filter_map(|stat| of(&stat)).sum()
    }

    pub fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
    }

    /// Ends the process; Kamailio ends its children when it is asked to end.
    pub fn end(mut self) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
    }
}

/// Ourselves, calling whom we are told to.
pub fn start(called: SocketAddr) -> Between {
    let mut process = std::process::Command::new(std::env::current_exe().unwrap())
        .env(TASK, called.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Between::new(process, line.trim().parse().unwrap(), None)
}

/// The clinic's process.
pub fn run(called: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let (voice, events) = VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls_listen: None,
        tls: Default::default(),
        advertise: None,
        rtp_ports: 10_000..=59_999,
        legs_max: LEGS_MAX,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcma],
    })
    .unwrap();
    println!("{}", voice.sip_addr());
    std::thread::spawn(|| {
        // Whoever measures is gone, however that came.
        let _end = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(serve(voice, events, called.parse().unwrap()));
}

/// Puts every call through: rings when the other side rings, answers when it answers, ends when it ends.
async fn serve(voice: VoiceHandle, mut events: EngineEvents, called: SocketAddr) {
    let mut others: HashMap<LegId, LegId> = HashMap::new();
    while let Some(event) = events.recv().await {
        let command = match event {
            EngineEvent::Incoming { leg, from, .. } => Command::Dial {
                tag: leg.0,
                uri: format!("sip:desk@{called}"),
                to: DialTo::Address(called),
                from,
                codecs: vec![Codec::Pcma],
                identity: None,
                replaces: None,
                is_emergency: false,
            },
            EngineEvent::Dialing { tag, leg } => {
                others.insert(leg, LegId(tag));
                others.insert(LegId(tag), leg);
                continue;
            }
            // A caller that is answered already has no use for it.
            EngineEvent::Ringing { leg } => match others.get(&leg) {
                Some(caller) => Command::Ring { leg: *caller },
                None => continue,
            },
            // The one who was called has the higher number.
            EngineEvent::Answered { leg, .. } => match others.get(&leg) {
                Some(caller) if *caller < leg => {
                    let parties = Party::all(&[(*caller, PartyClass::Caller), (leg, PartyClass::Staff)]);
                    voice.send(Command::Answer { leg: *caller }).unwrap();
                    Command::Bridge { bridge: BridgeId(leg.0), parties }
                }
                _ => continue,
            },
            EngineEvent::Ended { leg, .. } => match others.remove(&leg) {
                Some(other) => {
                    others.remove(&other);
                    Command::Hangup { leg: other }
                }
                None => continue,
            },
            _ => continue,
        };
        voice.send(command).unwrap();
    }
}
