//! What must be known before the store opens: addresses, folders, programs. Read once at start, checked value by value.
//!
//! Three layers, the later wins: the compiled-in `config/default.toml`, one file, and `AURICLE_<SECTION>_<KEY>` of the environment.
//! The defaults file is also the list of keys that exist, so a key cannot be read without being documented there.

mod settings;
mod values;

pub use auricle_media::engine::Network;
pub use settings::{ConfigError, DEFAULT_TOML, Problem, SYSTEM_FILE, Settings};
pub use values::port_pairs;

use auricle_media::io::Codec;
use auricle_media::sip::digest::Algorithm;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Everything that is configured, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Web pages, API, sockets.
    pub server: ServerConfig,
    /// Where things are kept.
    pub storage: StorageConfig,
    /// Backups by the schedule.
    pub backup: BackupConfig,
    /// Telephony.
    pub sip: SipConfig,
    /// Browsers that speak.
    pub webrtc: WebrtcConfig,
    /// Hearing and speaking.
    pub speech: SpeechConfig,
    /// Carriers that are used by their API.
    pub carriers: CarriersConfig,
    /// The remote brain.
    pub llm: LlmConfig,
    /// Logs.
    pub log: LogConfig,
    /// The file that was read, if any; a backup keeps a copy.
    pub file: Option<PathBuf>,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which kind of installation this is.
    pub environment: Environment,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where others reach this server: `https://` and a name, without a path; empty: nobody from outside does.
    pub public_url: String,
}

/// Which kind of installation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A clinic works with it.
    Production,
    /// A rehearsal of production.
    Staging,
    /// Somebody's desk, the demo, tests.
    Development,
}

impl Environment {
    /// As configured and as shown by `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq)]
pub struct StorageConfig {
    /// Folder of the store, the index and the recordings.
    pub directory: PathBuf,
    /// File of the key that opens the store; none: see [`Self::key_file`].
    pub key_file: Option<PathBuf>,
    /// Room on the disk, in bytes, below which no new recording begins.
    pub low_water_bytes: u64,
}

/// Name of the key among the credentials that systemd hands to a service.
const KEY_CREDENTIAL: &str = "auricle.key";

impl StorageConfig {
    /// File of the key that opens the store: the one that is set, else the credential of systemd's, else beside the store's
    /// folder and named like it.
    pub fn key_file(&self) -> PathBuf {
        if let Some(path) = &self.key_file {
            return path.clone();
        }
        let credential =
            std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(KEY_CREDENTIAL));
        if let Some(path) = credential.filter(|path| path.is_file()) {
            return path;
        }
        let mut name = self.directory.file_name().unwrap_or_default().to_owned();
        name.push(".key");
        self.directory.with_file_name(name)
    }
}

/// `[backup]`
#[derive(Clone, Debug, PartialEq)]
pub struct BackupConfig {
    /// Folder of the backups; none: there is no schedule.
    pub directory: Option<PathBuf>,
    /// Hours between two.
    pub every_hours: u32,
    /// How many are kept.
    pub keep: usize,
}

/// `[sip]`
#[derive(Clone, Debug, PartialEq)]
pub struct SipConfig {
    /// Address and port, UDP and TCP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address and port for TLS; none: nobody can connect by it.
    pub tls_listen: Option<SocketAddr>,
    /// Certificate chain for it, as a PEM file.
    pub tls_certificate: Option<PathBuf>,
    /// Its key, as a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Authorities that are believed beside those of the system, as a PEM file.
    pub tls_roots: Option<PathBuf>,
    /// Address told to the far end for its audio; none takes the one it reached us at.
    pub advertise: Option<IpAddr>,
    /// UDP ports for audio.
    pub rtp_ports: RangeInclusive<u16>,
    /// Calls at the same time.
    pub calls_max: usize,
    /// Networks that may ring us.
    pub allow: Vec<Network>,
    /// Networks where phones may be, beside those: what comes from there is read while there are phones.
    pub phones: Vec<Network>,
    /// How phones may prove their passwords, as it is offered to them.
    pub digest: Vec<Algorithm>,
    /// Networks that no wrong password locks out.
    pub never_ban: Vec<Network>,
    /// Codecs spoken, each once and at least one.
    pub codecs: Vec<Codec>,
}

/// `[webrtc]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WebrtcConfig {
    /// Address and port of all browsers' audio; port 0 takes a free one. None: browsers cannot be spoken with.
    pub listen: Option<SocketAddr>,
    /// Whether browsers may come by TCP too, where UDP does not get through.
    pub tcp: bool,
    /// Address told to browsers; none takes that of `sip.advertise`, or the one listened on.
    pub advertise: Option<IpAddr>,
}

/// `[speech]`
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechConfig {
    /// Who listens.
    pub stt: SttKind,
    /// Callers listened to at the same time.
    pub stt_streams_max: usize,
    /// Library of PocketSphinx, by name or path.
    pub pocketsphinx_library: String,
    /// Folder of its acoustic model.
    pub pocketsphinx_model: PathBuf,
    /// Who speaks English.
    pub english: EnglishVoice,
    /// The flite program.
    pub flite: String,
    /// The espeak-ng program: Spanish, Czech, and English where flite does not speak it.
    pub espeak: String,
}

/// The receptionist's voice in English: a program and one of its voices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnglishVoice {
    /// One of flite's voices, such as `slt`.
    Flite(String),
    /// One of espeak-ng's voices, with a variant where wanted, such as `en-gb-x-rp+f3`.
    Espeak(String),
}

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SttKind {
    /// PocketSphinx on this machine.
    Pocketsphinx,
    /// Nobody: callers are greeted and recorded.
    None,
}

/// `[carriers]`
#[derive(Clone, Debug, PartialEq)]
pub struct CarriersConfig {
    /// Address of Twilio's API.
    pub twilio_api: String,
    /// Address of Telnyx's API.
    pub telnyx_api: String,
}

/// `[llm]`
#[derive(Clone, Debug, PartialEq)]
pub struct LlmConfig {
    /// Who phrases answers.
    pub provider: LlmKind,
    /// Address of the server; empty with [`LlmKind::None`].
    pub base_url: String,
    /// The model's name there; empty with [`LlmKind::None`].
    pub model: String,
    /// File that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// Longest wait for the first word, in milliseconds.
    pub first_token_ms_max: u64,
    /// Longest standstill within an answer, in milliseconds.
    pub stall_ms_max: u64,
}

/// Who phrases answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmKind {
    /// The local receptionist alone.
    None,
    /// A server that speaks the OpenAI chat protocol.
    Openai,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// Least level written.
    pub level: tracing::Level,
    /// Folder of daily files; none writes to standard error.
    pub directory: Option<PathBuf>,
}

impl Config {
    /// The compiled-in defaults.
    pub fn defaults() -> Self {
        values::config(&Settings::defaults()).expect("config/default.toml is valid; tests/config.rs reads it")
    }

    /// Reads the layers and checks every value.
    ///
    /// # Errors
    /// All problems at once, each with its place, its value and what is allowed.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        values::config(settings)
    }
}
