//! From settings to typed values: every value is checked, and what is wrong is told with the allowed range.

use super::settings::{ConfigError, Origin, Problem, Settings};
use super::{
    BackupConfig, CarriersConfig, Config, EnglishVoice, Environment, LlmConfig, LlmKind, LogConfig, Network,
    ServerConfig, SipConfig, SpeechConfig, StorageConfig, SttKind, WebrtcConfig,
};
use auricle_media::io::Codec;
use auricle_media::sip::digest::Algorithm;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::Value;

/// Most entries of `server.trusted_proxies`.
const PROXIES_MAX: usize = 32;
/// Most entries of `sip.allow`, `sip.phones` and `sip.never_ban`.
const ALLOW_MAX: usize = 64;
/// Most entries of `sip.codecs`: all that there are.
const CODECS_MAX: usize = 3;
/// Most entries of `sip.digest`: all that there are.
const DIGESTS_MAX: usize = 2;
/// Longest name of a voice.
const VOICE_CHARS_MAX: usize = 40;
/// Longest string of any key.
const TEXT_CHARS_MAX: usize = 4_096;

pub(super) fn config(settings: &Settings) -> Result<Config, ConfigError> {
    let mut read = Reader { settings, defaults: Settings::defaults(), problems: Vec::new() };
    let config = Config {
        server: ServerConfig {
            listen: read.text("server.listen", address),
            environment: read.text("server.environment", environment),
            trusted_proxies: read.list("server.trusted_proxies", PROXIES_MAX, network),
            public_url: read.text("server.public_url", public_url),
        },
        storage: StorageConfig {
            directory: read.text("storage.directory", path),
            key_file: read.text("storage.key_file", maybe_path),
            low_water_bytes: read.number::<u64>("storage.low_water_mb", 128..=1_000_000) << 20,
        },
        backup: BackupConfig {
            directory: read.text("backup.directory", maybe_path),
            every_hours: read.number("backup.every_hours", 1..=168),
            keep: read.number("backup.keep", 1..=365),
        },
        sip: SipConfig {
            listen: read.text("sip.listen", address),
            tls_listen: read.text("sip.tls_listen", maybe_address),
            tls_certificate: read.text("sip.tls_certificate", maybe_path),
            tls_key: read.text("sip.tls_key", maybe_path),
            tls_roots: read.text("sip.tls_roots", maybe_path),
            advertise: read.text("sip.advertise", advertised),
            rtp_ports: read.text("sip.rtp_ports", ports),
            calls_max: read.number("sip.calls_max", 1..=2_000),
            allow: read.list("sip.allow", ALLOW_MAX, network),
            phones: read.list("sip.phones", ALLOW_MAX, network),
            digest: read.list("sip.digest", DIGESTS_MAX, algorithm),
            never_ban: read.list("sip.never_ban", ALLOW_MAX, network),
            codecs: read.list("sip.codecs", CODECS_MAX, codec),
        },
        webrtc: WebrtcConfig {
            listen: read.text("webrtc.listen", maybe_address),
            tcp: read.flag("webrtc.tcp"),
            advertise: read.text("webrtc.advertise", advertised),
        },
        speech: SpeechConfig {
            stt: read.text("speech.stt", stt),
            stt_streams_max: read.number("speech.stt_streams_max", 1..=64),
            pocketsphinx_library: read.text("speech.pocketsphinx_library", filled),
            pocketsphinx_model: read.text("speech.pocketsphinx_model", path),
            flite: read.text("speech.flite", filled),
            english: read.text("speech.english", english),
            espeak: read.text("speech.espeak", filled),
        },
        carriers: CarriersConfig {
            twilio_api: read.text("carriers.twilio_api", api_url),
            telnyx_api: read.text("carriers.telnyx_api", api_url),
        },
        llm: LlmConfig {
            provider: read.text("llm.provider", llm),
            base_url: read.text("llm.base_url", url),
            model: read.text("llm.model", any),
            api_key_file: read.text("llm.api_key_file", maybe_path),
            first_token_ms_max: read.number("llm.first_token_ms_max", 200..=30_000),
            stall_ms_max: read.number("llm.stall_ms_max", 200..=30_000),
        },
        log: LogConfig { level: read.text("log.level", level), directory: read.text("log.directory", maybe_path) },
        file: settings.file.clone(),
    };
    read.together(&config);
    if read.problems.is_empty() { Ok(config) } else { Err(ConfigError { problems: read.problems }) }
}

/// Reads keys one by one. A value that is wrong is noted and its default stands in, so that all problems are found in one go.
struct Reader<'a> {
    settings: &'a Settings,
    defaults: Settings,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read<T>(&mut self, key: &str, parse: impl Fn(&Value) -> Result<T, String>) -> T {
        let (value, origin) = &self.settings.values[key];
        match parse(value) {
            Ok(parsed) => parsed,
            Err(wrong) => {
                let text = format!("{key} is {value}, {wrong}");
                self.problems.push(Problem { place: origin.to_string(), text });
                parse(&self.defaults.values[key].0).expect("the compiled-in default is valid; tests/config.rs reads it")
            }
        }
    }

    fn text<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.read(key, |value| {
            let text = value.as_str().ok_or("it must be a string")?;
            if text.chars().count() > TEXT_CHARS_MAX {
                return Err(format!("it may have {TEXT_CHARS_MAX} characters"));
            }
            parse(text.trim())
        })
    }

    fn number<T: TryFrom<i64> + std::fmt::Display>(&mut self, key: &str, allowed: RangeInclusive<i64>) -> T {
        self.read(key, |value| {
            let range = || format!("allowed are {} to {}", allowed.start(), allowed.end());
            let number = value.as_integer().filter(|number| allowed.contains(number)).ok_or_else(range)?;
            T::try_from(number).map_err(|_| range())
        })
    }

    fn flag(&mut self, key: &str) -> bool {
        self.read(key, |value| value.as_bool().ok_or_else(|| "it must be true or false".to_owned()))
    }

    fn list<T>(&mut self, key: &str, items_max: usize, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        self.read(key, |value| {
            let items = value.as_array().ok_or("it must be a list")?;
            if items.len() > items_max {
                return Err(format!("it may have {items_max} entries"));
            }
            let item = |item: &Value| {
                let text = item.as_str().ok_or_else(|| format!("{item} must be a string"))?;
                parse(text.trim()).map_err(|wrong| format!("{item} {wrong}"))
            };
            items.iter().map(item).collect()
        })
    }

    /// Rules between keys.
    fn together(&mut self, config: &Config) {
        if config.llm.provider != LlmKind::None {
            for (key, empty) in
                [("llm.base_url", config.llm.base_url.is_empty()), ("llm.model", config.llm.model.is_empty())]
            {
                if empty {
                    self.note("llm.provider", format!("{key} is empty, llm.provider = \"openai\" needs it"));
                }
            }
        }
        let codecs = &config.sip.codecs;
        if codecs.is_empty() || (1..codecs.len()).any(|index| codecs[..index].contains(&codecs[index])) {
            self.note("sip.codecs", "it must name at least one codec, and each only once".to_owned());
        }
        let digest = &config.sip.digest;
        if digest.is_empty() || (1..digest.len()).any(|index| digest[..index].contains(&digest[index])) {
            self.note("sip.digest", "it must name \"md5\", \"sha-256\" or both, and each only once".to_owned());
        }
        let sip = &config.sip;
        if sip.tls_certificate.is_some() != sip.tls_key.is_some() {
            let text = "a certificate and its key go together: set sip.tls_certificate and sip.tls_key, or neither";
            self.note("sip.tls_certificate", text.to_owned());
        }
        let calls = port_pairs(&config.sip.rtp_ports);
        if calls < config.sip.calls_max && self.settings.values["sip.rtp_ports"].1 != Origin::Default {
            let text = format!(
                "sip.rtp_ports has room for {calls} calls, sip.calls_max is {}: widen the one or lower the other",
                config.sip.calls_max
            );
            self.note("sip.rtp_ports", text);
        }
    }

    fn note(&mut self, key: &str, text: String) {
        let place = self.settings.values[key].1.to_string();
        self.problems.push(Problem { place, text });
    }
}

/// Calls that a range of audio ports has room for: each takes an even port and the odd one above it.
pub fn port_pairs(ports: &RangeInclusive<u16>) -> usize {
    let first_even = usize::from(*ports.start()).next_multiple_of(2);
    (usize::from(*ports.end()) + 1).saturating_sub(first_even) / 2
}

fn any(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn filled(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn path(text: &str) -> Result<PathBuf, String> {
    filled(text).map(PathBuf::from)
}

fn maybe_path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it must be an address with a port from 0 to 65535, such as 127.0.0.1:8080 or [::1]:8080".to_owned()
    })
}

fn maybe_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() { Ok(None) } else { address(text).map(Some) }
}

fn advertised(text: &str) -> Result<Option<IpAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let address: Option<IpAddr> = text.parse().ok();
    match address {
        Some(address) if !address.is_unspecified() => Ok(Some(address)),
        _ => Err("it must be empty or an address that the far end can reach, such as 203.0.113.7".to_owned()),
    }
}

fn codec(text: &str) -> Result<Codec, String> {
    one_of(text, &[("opus", Codec::Opus), ("g722", Codec::G722), ("pcma", Codec::Pcma), ("pcmu", Codec::Pcmu)])
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    one_of(text, &[("md5", Algorithm::Md5), ("sha-256", Algorithm::Sha256)])
}

fn network(text: &str) -> Result<Network, String> {
    text.parse().map_err(|_| "is not a network such as 10.0.0.0/8 (up to /32) or 2001:db8::/32 (up to /128)".to_owned())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong =
        || "it must be a first and a last port of 1024 to 65535, at least four, such as \"20000-23999\"".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last): (u16, u16) =
        (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
    if first < 1_024 || last < first.saturating_add(3) { Err(wrong()) } else { Ok(first..=last) }
}

fn url(text: &str) -> Result<String, String> {
    let known = text.is_empty() || text.starts_with("http://") || text.starts_with("https://");
    if known { Ok(text.to_owned()) } else { Err("it must be empty or begin with http:// or https://".to_owned()) }
}

/// Others reach us by TLS and at the root of a name.
fn public_url(text: &str) -> Result<String, String> {
    let wrong =
        || "it must be empty or https:// and a name without a path, such as https://desk.clinic.example".to_owned();
    let Some(authority) = text.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) else {
        return if text.is_empty() { Ok(String::new()) } else { Err(wrong()) };
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(plain) {
        Err(wrong())
    } else {
        Ok(format!("https://{authority}"))
    }
}

/// Secrets go there: by TLS, or to a proxy on this machine.
fn api_url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let known = ["https://", "http://127.0.0.1:", "http://[::1]:"].into_iter().any(|start| text.starts_with(start));
    if known {
        Ok(text.to_owned())
    } else {
        Err("it must begin with https:// (http:// on the loopback alone)".to_owned())
    }
}

fn environment(text: &str) -> Result<Environment, String> {
    one_of(
        text,
        &[Environment::Production, Environment::Staging, Environment::Development].map(|each| (each.as_str(), each)),
    )
}

fn stt(text: &str) -> Result<SttKind, String> {
    one_of(text, &[("pocketsphinx", SttKind::Pocketsphinx), ("none", SttKind::None)])
}

/// A program and its voice. A voice's name becomes an argument of the program, so it may not look like an option.
fn english(text: &str) -> Result<EnglishVoice, String> {
    let is_voice = |voice: &str| {
        voice.starts_with(|c: char| c.is_ascii_alphanumeric())
            && voice.len() <= VOICE_CHARS_MAX
            && voice.chars().all(|c| c.is_ascii_alphanumeric() || "-+_".contains(c))
    };
    match text.split_once(':') {
        Some(("flite", voice)) if is_voice(voice) => Ok(EnglishVoice::Flite(voice.to_owned())),
        Some(("espeak", voice)) if is_voice(voice) => Ok(EnglishVoice::Espeak(voice.to_owned())),
        _ => Err("it must be \"flite:\" or \"espeak:\" and a voice, such as \"flite:slt\" or \"espeak:en-gb-x-rp+f3\""
            .to_owned()),
    }
}

fn llm(text: &str) -> Result<LlmKind, String> {
    one_of(text, &[("none", LlmKind::None), ("openai", LlmKind::Openai)])
}

fn level(text: &str) -> Result<tracing::Level, String> {
    use tracing::Level;
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    one_of(text, &["error", "warn", "info", "debug", "trace"].into_iter().zip(levels).collect::<Vec<_>>())
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names = || known.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| format!("it is one of {}", names()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(variable: &str, text: &str) -> Result<Config, ConfigError> {
        let environment = [(variable.to_owned(), text.to_owned())];
        config(&Settings::load(Some(std::path::Path::new("/dev/null")), environment)?)
    }

    #[test]
    fn a_value_outside_of_its_range_is_told_with_the_range() {
        for (variable, text, told) in [
            ("AURICLE_SIP_CALLS_MAX", "2001", "sip.calls_max is 2001, allowed are 1 to 2000"),
            ("AURICLE_SIP_CALLS_MAX", "0", "allowed are 1 to 2000"),
            ("AURICLE_SIP_CALLS_MAX", "many", "it must be a whole number"),
            ("AURICLE_SIP_LISTEN", "localhost", "it must be an address with a port"),
            ("AURICLE_SIP_RTP_PORTS", "80-90", "1024 to 65535"),
            ("AURICLE_SIP_RTP_PORTS", "20000-20002", "at least four"),
            ("AURICLE_SIP_RTP_PORTS", "20000-20099", "room for 50 calls, sip.calls_max is 200"),
            (
                "AURICLE_SIP_ALLOW",
                "10.0.0.0/8,10.0.0.0/40",
                "\"10.0.0.0/40\" is not a network such as 10.0.0.0/8 (up to /32)",
            ),
            ("AURICLE_SIP_CODECS", "pcmu,speex", "\"opus\", \"g722\", \"pcma\", \"pcmu\""),
            ("AURICLE_SIP_CODECS", "pcmu,g722,pcmu", "each only once"),
            ("AURICLE_SIP_CODECS", "", "at least one codec"),
            ("AURICLE_SIP_ADVERTISE", "0.0.0.0", "an address that the far end can reach"),
            ("AURICLE_SPEECH_STT", "whisper", "it is one of \"pocketsphinx\", \"none\""),
            ("AURICLE_SPEECH_FLITE", " ", "must not be empty"),
            ("AURICLE_SPEECH_ENGLISH", "slt", "such as \"flite:slt\" or \"espeak:en-gb-x-rp+f3\""),
            ("AURICLE_SPEECH_ENGLISH", "flite:-voicedir", "such as \"flite:slt\""),
            ("AURICLE_SERVER_ENVIRONMENT", "prod", "\"production\", \"staging\", \"development\""),
            ("AURICLE_LLM_PROVIDER", "openai", "llm.base_url is empty"),
            ("AURICLE_LLM_BASE_URL", "llm.example", "http:// or https://"),
            ("AURICLE_SERVER_PUBLIC_URL", "http://desk.clinic.example", "https:// and a name"),
            ("AURICLE_SERVER_PUBLIC_URL", "https://desk.clinic.example/auricle", "without a path"),
            ("AURICLE_CARRIERS_TWILIO_API", "http://api.twilio.com", "https://"),
            ("AURICLE_LLM_STALL_MS_MAX", "199", "allowed are 200 to 30000"),
            ("AURICLE_LOG_LEVEL", "loud", "\"trace\""),
        ] {
            let error = with(variable, text).expect_err(variable).to_string();
            assert!(error.contains(told) && error.contains(variable), "{variable}={text}: {error}");
        }
    }

    #[test]
    fn a_call_takes_an_even_port_and_the_one_above() {
        for (ports, calls) in [(20_000..=20_003, 2), (20_001..=20_004, 1), (20_000..=20_004, 2), (65_534..=65_535, 1)] {
            assert_eq!(port_pairs(&ports), calls, "{ports:?}");
        }
    }

    #[test]
    fn good_values_are_taken() {
        assert_eq!(with("AURICLE_SIP_RTP_PORTS", "30000 - 31999").unwrap().sip.rtp_ports, 30_000..=31_999);
        assert_eq!(with("AURICLE_SIP_ADVERTISE", "203.0.113.7").unwrap().sip.advertise, Some([203, 0, 113, 7].into()));
        let public = with("AURICLE_SERVER_PUBLIC_URL", "https://desk.clinic.example/").unwrap().server.public_url;
        assert_eq!(public, "https://desk.clinic.example");
        assert_eq!(with("AURICLE_SERVER_TRUSTED_PROXIES", "127.0.0.1").unwrap().server.trusted_proxies.len(), 1);
        assert_eq!(with("AURICLE_SIP_CODECS", "pcmu,g722").unwrap().sip.codecs, [Codec::Pcmu, Codec::G722]);
        assert_eq!(with("AURICLE_LOG_LEVEL", "debug").unwrap().log.level, tracing::Level::DEBUG);
    }
}
