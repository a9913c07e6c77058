//! baresip: an ordinary softphone, on the command line.

use super::clinic::PATIENCE;
use super::ports;
use super::sound::Sound;
use auricle_media::io::Codec;
use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Ports of one softphone: audio, then SIP (the next one is that of TLS, whether it is wanted or not), then its keys.
const PORTS: u16 = 20;
const SIP_PORT: u16 = 16;
const KEYS_PORT: u16 = 18;
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// When one that says something is gone if nobody tells it to go.
const SPEAKING_S_MAX: u32 = 90;
/// How often a file that grows is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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

/// What a softphone is started with.
struct Setup<'a> {
    /// Where it speaks SIP, where that matters.
    at: Option<SocketAddr>,
    /// The address of this machine that it has otherwise.
    host: IpAddr,
    /// Lines of its file of accounts.
    accounts: String,
    /// Whom it calls.
    dial: Option<String>,
    /// When it is gone.
    seconds: u32,
    /// Its codec, with what else is in the module.
    codec: Codec,
    modules: &'a [&'a str],
    /// What it plays, at the rate of its codec.
    sound: Sound,
}

impl Softphone {
    /// One that calls `uri`, plays a tone and hangs up after `seconds`. `codec` is its codec, and the other one of G.711 where it is
    /// one of them; `modules` are its ciphers; `account` are parameters of its account, such as `;mediaenc=srtp`.
    pub fn call(uri: &str, seconds: u32, codec: Codec, modules: &[&str], account: &str) -> Self {
        let accounts = format!("<sip:+442079460199@127.0.0.1>;regint=0{account}\n");
        let (dial, sound) = (Some(uri.to_owned()), Sound::tone(rate_hz(codec), seconds, 440.0));
        Self::start(Setup { at: None, host: LOCALHOST, accounts, dial, seconds, codec, modules, sound })
    }

    /// A desk phone: it registers, calls `number` when there is one, plays a tone, and signs off after `seconds`.
    pub fn desk(line: &Line<'_>, number: Option<&str>, seconds: u32) -> Self {
        let (codec, sound) = (Codec::Pcma, Sound::tone(rate_hz(Codec::Pcma), seconds, 440.0));
        let (accounts, dial) = (line.account(), number.map(|number| line.uri(number)));
        let Line { server, modules, .. } = line;
        Self::start(Setup { at: None, host: beside(*server), accounts, dial, seconds, codec, modules, sound })
    }

    /// The same with one codec, by which it says something, until it is told to go.
    pub fn speaking(line: &Line<'_>, number: Option<&str>, codec: Codec, said: &Sound) -> Self {
        let accounts = format!("{};audio_codecs={}\n", line.account().trim_end(), named(codec).1);
        let dial = number.map(|number| line.uri(number));
        let (modules, sound) = (line.modules, said.at(rate_hz(codec)));
        let (seconds, host) = (SPEAKING_S_MAX, beside(line.server));
        Self::start(Setup { at: None, host, accounts, dial, seconds, codec, modules, sound })
    }

    /// A provider of telephony, as far as a trunk can tell: it takes calls to these numbers at this address, plays 700 Hz, and is
    /// gone after `seconds`. It must not be where phones are: who calls from a provider's address is taken for the provider.
    pub fn provider(at: SocketAddr, numbers: &[&str], seconds: u32) -> Self {
        Self::provider_speaking(at, numbers, seconds, Codec::Pcma)
    }

    /// The same with this codec.
    pub fn provider_speaking(at: SocketAddr, numbers: &[&str], seconds: u32, codec: Codec) -> Self {
        Self::provider_saying(at, numbers, seconds, codec, &Sound::tone(rate_hz(codec), seconds, 700.0))
    }

    /// The same with something to say.
    pub fn provider_saying(at: SocketAddr, numbers: &[&str], seconds: u32, codec: Codec, said: &Sound) -> Self {
        let account = |number: &&str| format!("<sip:{number}@{at}>;regint=0;answermode=auto\n");
        let (accounts, sound) = (numbers.iter().map(account).collect(), said.at(rate_hz(codec)));
        let (at, host, modules) = (Some(at), at.ip(), &["ctrl_tcp"]);
        Self::start(Setup { at, host, accounts, dial: None, seconds, codec, modules, sound })
    }

    fn start(setup: Setup<'_>) -> Self {
        let Setup { at, host, accounts, dial, seconds, codec, modules, sound } = setup;
        let folder = tempfile::tempdir().unwrap();
        let first = *ports::free(PORTS).start();
        let (last, keys_at) = (first + SIP_PORT - 1, SocketAddr::from((Ipv4Addr::LOCALHOST, first + KEYS_PORT)));
        let at = at.unwrap_or(SocketAddr::new(host, first + SIP_PORT));
        let played = folder.path().join("played.wav");
        std::fs::write(&played, sound.file()).unwrap();
        let modules: String = modules.iter().map(|name| format!("module {name}.so\n")).collect();
        // By IPv6 it would give the address of another interface, and none where there is no other.
        let interface = if at.is_ipv6() { format!("net_interface {}\n", at.ip()) } else { String::new() };
        let config = format!(
            "{interface}sip_listen {at}\nctrl_tcp_listen {keys_at}\naudio_source aufile,{}\naudio_player aubridge,nil\naudio_alert aufile,/dev/null\n\
             rtp_ports {first}-{last}\nsnd_path {}\nmodule sndfile.so\nmodule_path /usr/lib/baresip/modules\nmodule {}.so\nopus_stereo no\nopus_sprop_stereo no\n{modules}module aufile.so\n\
             module aubridge.so\nmodule_app account.so\nmodule_app menu.so\n",
            played.display(),
            folder.path().display(),
            named(codec).0,
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        std::fs::write(folder.path().join("accounts"), accounts).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(["-t", &seconds.to_string()]);
        command.args(at.is_ipv6().then_some("-6"));
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
            let Sound { rate_hz, samples } = Sound::of_file(&path);
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

    /// Waits until it has heard something for so long; what that was.
    pub async fn has_heard_for(&self, seconds: f64) -> Sound {
        let heard = async {
            let mut look = tokio::time::interval(LOOK_EVERY);
            loop {
                if let Some(path) = self.decoded().find(|path| Sound::seconds_of_file(path) >= seconds) {
                    return Sound::of_file(&path);
                }
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("it does not hear anything for so long")
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
        self.decoded().map(|path| Sound::of_file(&path).loudest()).max().unwrap_or(0)
    }

    /// Waits until it has ended; how much of the best of what it heard was this tone.
    pub async fn heard_tone(mut self, hertz: f64) -> f64 {
        self.child.wait().await.unwrap();
        let share = |path: PathBuf| {
            let Sound { rate_hz, samples } = Sound::of_file(&path);
            tone_in(&samples, rate_hz, hertz)
        };
        self.decoded().map(share).fold(0.0, f64::max)
    }
}

impl Line<'_> {
    fn account(&self) -> String {
        let Line { server, transport, user, password, account, .. } = self;
        format!(
            "<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint=60{account}\n"
        )
    }

    fn uri(&self, number: &str) -> String {
        format!("sip:{number}@{};transport={}", self.server, self.transport)
    }
}

/// The address of this machine by which one of the other tests is reached.
fn beside(server: SocketAddr) -> IpAddr {
    if server.is_ipv6() { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { LOCALHOST }
}

/// The module of a codec, and what it calls it.
fn named(codec: Codec) -> (&'static str, &'static str) {
    match codec {
        Codec::Pcmu => ("g711", "PCMU/8000/1"),
        Codec::Pcma => ("g711", "PCMA/8000/1"),
        Codec::G722 => ("g722", "G722/16000/1"),
        Codec::Opus => ("opus", "opus/48000/2"),
    }
}

/// Samples a second that a softphone plays in this codec.
pub fn rate_hz(codec: Codec) -> usize {
    match codec {
        Codec::Opus => 48_000,
        Codec::G722 => 16_000,
        Codec::Pcma | Codec::Pcmu => 8_000,
    }
}

/// An address of the loopback where a softphone can speak SIP.
pub fn free_address(host: &str) -> SocketAddr {
    SocketAddr::new(host.parse().unwrap(), *ports::free(2).start())
}

/// How much of this is that tone: 1.0 is all of it. Silence at its begin does not count.
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
