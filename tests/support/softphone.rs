//! baresip: an ordinary softphone, on the command line.

use super::clinic::PATIENCE;
use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Ports of one softphone: audio, then SIP (the next one is that of TLS, whether it is wanted or not), then its keys.
const PORTS: u16 = 20;
const SIP_PORT: u16 = 16;
const KEYS_PORT: u16 = 18;
/// How often a file that grows is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Below those that the system gives out: one of these could be somebody's by the time the softphone takes it.
static NEXT_PORT: AtomicU16 = AtomicU16::new(29_200);

/// How much of what was heard last is judged, in seconds.
const LAST_S: usize = 2;

/// A softphone that runs; it is ended with this.
pub struct Softphone {
    child: Child,
    folder: TempDir,
    /// Where its keys are pressed, if it has the module `ctrl_tcp`.
    keys_at: SocketAddr,
}

/// What is typed into a desk phone.
pub struct Line<'a> {
    /// The server.
    pub server: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'a str,
    pub user: &'a str,
    pub password: &'a str,
    /// Ciphers: modules of baresip.
    pub modules: &'a [&'a str],
    /// Further parameters of the account, such as `;mediaenc=srtp`.
    pub account: &'a str,
}

impl Softphone {
    /// One that calls `uri`, plays a tone and hangs up after `seconds`. `codec` is its one codec, `g711` or `g722`; `modules` are
    /// its ciphers; `account` are parameters of its account, such as `;mediaenc=srtp`.
    pub fn call(uri: &str, seconds: u32, codec: &str, modules: &[&str], account: &str) -> Self {
        let account = format!("<sip:+442079460199@127.0.0.1>;regint=0{account}");
        Self::start(&account, Some(uri), seconds, codec, modules)
    }

    /// A desk phone: it registers, calls `number` when there is one, plays a tone, and signs off after `seconds`.
    pub fn desk(line: &Line<'_>, number: Option<&str>, seconds: u32) -> Self {
        let Line { server, transport, user, password, modules, account } = line;
        let account = format!(
            "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint=60{account}"
        );
        let dial = number.map(|number| format!("sip:{number}@{server};transport={transport}"));
        Self::start(&account, dial.as_deref(), seconds, "g711", modules)
    }

    /// A provider of telephony, as far as a trunk can tell: it takes calls to these numbers at this address, plays 700 Hz, and is
    /// gone after `seconds`. It must not be where phones are: who calls from a provider's address is taken for the provider.
    pub fn provider(at: SocketAddr, numbers: &[&str], seconds: u32) -> Self {
        Self::provider_speaking(at, numbers, seconds, "g711")
    }

    /// The same with this codec alone: `g711`, `g722` or `opus`.
    pub fn provider_speaking(at: SocketAddr, numbers: &[&str], seconds: u32, codec: &str) -> Self {
        let account = |number: &&str| format!("<sip:{number}@{at}>;regint=0;answermode=auto\n");
        Self::at(Some(at), &numbers.iter().map(account).collect::<String>(), None, seconds, codec, &["ctrl_tcp"], 700.0)
    }

    fn start(account: &str, dial: Option<&str>, seconds: u32, codec: &str, modules: &[&str]) -> Self {
        Self::at(None, account, dial, seconds, codec, modules, 440.0)
    }

    fn at(
        at: Option<SocketAddr>,
        account: &str,
        dial: Option<&str>,
        seconds: u32,
        codec: &str,
        modules: &[&str],
        hertz: f64,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = free_ports(Ipv4Addr::LOCALHOST.into());
        let (last, keys_at) = (first + SIP_PORT - 1, own(first + KEYS_PORT));
        let at = at.unwrap_or(own(first + SIP_PORT));
        let rate_hz = match codec {
            "opus" => 48_000,
            "g722" => 16_000,
            _ => 8_000,
        };
        std::fs::write(folder.path().join("tone.wav"), tone(rate_hz, seconds, hertz)).unwrap();
        let tone = folder.path().join("tone.wav");
        let modules: String = modules.iter().map(|name| format!("module {name}.so\n")).collect();
        let config = format!(
            "sip_listen {at}\nctrl_tcp_listen {keys_at}\naudio_source aufile,{}\naudio_player aubridge,nil\naudio_alert aufile,/dev/null\n\
             rtp_ports {first}-{last}\nsnd_path {}\nmodule sndfile.so\nmodule_path /usr/lib/baresip/modules\nmodule {codec}.so\nopus_stereo no\nopus_sprop_stereo no\n{modules}module aufile.so\n\
             module aubridge.so\nmodule_app account.so\nmodule_app menu.so\n",
            tone.display(),
            folder.path().display(),
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        std::fs::write(folder.path().join("accounts"), format!("{account}\n")).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(["-t", &seconds.to_string()]);
        command.args(dial.iter().flat_map(|uri| ["-e".to_owned(), format!("/dial {uri}")]));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        Self { child: command.spawn().expect("baresip is installed by `make deps`"), folder, keys_at }
    }

    /// Presses a key, by the name of its command: what a person at it would do. It has taken that in when this returns.
    pub async fn press(&self, command: &str, with: &str) {
        let wish = format!("{{\"command\":\"{command}\",\"params\":\"{with}\"}}");
        let pressed = async {
            let mut keys = TcpStream::connect(self.keys_at).await.unwrap();
            keys.write_all(format!("{}:{wish},", wish.len()).as_bytes()).await.unwrap();
            let (mut said, mut bytes) = (String::new(), [0; 4_096]);
            while !said.contains("\"response\":true") {
                let length = keys.read(&mut bytes).await.unwrap();
                // It is gone when it was told to go.
                if length == 0 {
                    return;
                }
                said.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        };
        tokio::time::timeout(PATIENCE, pressed).await.unwrap_or_else(|_| panic!("{command} was not taken in"));
    }

    /// Waits until the last two seconds that it has heard are this tone, nearly alone.
    pub async fn has_heard(&self, hertz: f64) {
        self.has_heard_all(&[hertz]).await;
    }

    /// The same of several tones, each of them a good part of what it has heard.
    pub async fn has_heard_all(&self, hertz: &[f64]) {
        let is_all = |last: &[f64], rate_hz| {
            let shares: Vec<f64> = hertz.iter().map(|hertz| tone_in(last, rate_hz, *hertz)).collect();
            shares.iter().sum::<f64>() > 0.8 && shares.iter().all(|share| *share > 0.2 / hertz.len() as f64)
        };
        let is_it = |path: PathBuf| {
            let (rate_hz, samples) = samples_of(&path);
            let last = samples.len().checked_sub(LAST_S * rate_hz).map(|from| &samples[from..]);
            last.is_some_and(|last| is_all(last, rate_hz))
        };
        let heard = async {
            let mut look = tokio::time::interval(LOOK_EVERY);
            while !self.decoded().any(is_it) {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("it does not hear the tone");
    }

    /// The files of what it has heard.
    fn decoded(&self) -> impl Iterator<Item = PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) {
        self.child.wait().await.unwrap();
    }

    /// Waits until it has ended; the loudest sample that it heard.
    pub async fn heard(mut self) -> u16 {
        self.child.wait().await.unwrap();
        self.decoded().map(|path| loudest(&path)).max().unwrap_or(0)
    }

    /// Waits until it has ended; how much of the best of what it heard was this tone.
    pub async fn heard_tone(mut self, hertz: f64) -> f64 {
        self.child.wait().await.unwrap();
        self.decoded().map(|path| share_of(&path, hertz)).fold(0.0, f64::max)
    }
}

fn own(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The first of a softphone's ports, where nobody else has those that it cannot do without.
fn free_ports(host: IpAddr) -> u16 {
    loop {
        let first = NEXT_PORT.fetch_add(PORTS, Ordering::Relaxed);
        let at = |port| SocketAddr::new(host, port);
        let is_free = |port: u16| TcpListener::bind(at(port)).is_ok() && UdpSocket::bind(at(port)).is_ok();
        if (first + SIP_PORT..=first + KEYS_PORT).all(is_free) {
            return first;
        }
    }
}

/// An address of the loopback where a softphone can speak SIP.
pub fn free_address(host: &str) -> SocketAddr {
    let host = host.parse().unwrap();
    SocketAddr::new(host, free_ports(host) + SIP_PORT)
}

/// The samples of a WAV file of 16 bits, as far as it is written, and how many of them make a second; of several channels the first.
fn samples_of(path: &Path) -> (usize, Vec<f64>) {
    let bytes = std::fs::read(path).unwrap();
    let number = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let (channels, rate_hz) = (number(22).max(1), number(24) + (number(25) << 8) + (number(26) << 16));
    let samples = bytes.get(44..).unwrap_or_default().chunks_exact(2 * channels);
    (rate_hz, samples.map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]]))).collect())
}

/// How much of what a WAV file of 16 bits holds is this tone: 1.0 is all of it. Silence at its begin does not count.
fn share_of(path: &Path, hertz: f64) -> f64 {
    let (rate_hz, samples) = samples_of(path);
    tone_in(&samples, rate_hz, hertz)
}

fn tone_in(samples: &[f64], rate_hz: usize, hertz: f64) -> f64 {
    let loud: Vec<f64> = samples.iter().copied().skip_while(|sample| sample.abs() < 1_000.0).collect();
    let energy: f64 = loud.iter().map(|sample| sample * sample).sum();
    let turn = |at: usize| at as f64 * hertz * TAU / rate_hz as f64;
    // Piece by piece: what is cut out or shifted by a jitter buffer must not take the whole file out of phase.
    let pieces = loud.chunks((rate_hz / 10).max(1)).map(|piece| {
        let part = |wave: fn(f64) -> f64| piece.iter().enumerate().map(|(at, it)| it * wave(turn(at))).sum::<f64>();
        (part(f64::sin).powi(2) + part(f64::cos).powi(2)) * 2.0 / piece.len() as f64
    });
    if energy > 0.0 { pieces.sum::<f64>() / energy } else { 0.0 }
}

/// The loudest sample of a WAV file of 16 bits.
fn loudest(path: &Path) -> u16 {
    let bytes = std::fs::read(path).unwrap();
    let samples = bytes.get(44..).unwrap_or_default().chunks_exact(2);
    samples.map(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs()).max().unwrap_or(0)
}

/// A WAV file with a tone at a quarter of full scale.
fn tone(rate_hz: u32, seconds: u32, hertz: f64) -> Vec<u8> {
    let sample = |at: u32| ((f64::from(at) * hertz * TAU / f64::from(rate_hz)).sin() * 8_000.0) as i16;
    let data: Vec<u8> = (0..rate_hz * seconds).flat_map(|at| sample(at).to_le_bytes()).collect();
    let length = data.len() as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((length + 36).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(rate_hz.to_le_bytes());
    wav.extend((rate_hz * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(length.to_le_bytes());
    wav.extend(data);
    wav
}
