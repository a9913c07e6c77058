//! Our own telephone: a SIP client that places one call, says what it is told, and measures what comes back.
//!
//! It talks like a person: it lets the far end finish, speaks its next sentence after a short silence, and hangs up when
//! it has nothing more to say. Speech is synthesised before dialling, so that no figure contains it.

mod line;
mod speech;

use crate::providers::{ProviderError, Stt, Tts, Vocabulary};
use crate::voice::recording::RecordingSink;
use crate::voice::{TlsFiles, VoiceConfig, VoiceError, VoiceShell};
use auricle_domain::code::Lang;
use auricle_media::io::{Codec, LegEnd, LegQuality};
use line::Line;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// SIP's port where the address names none (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;
/// Ports of one test caller: its leg needs two, the others are there in case some are taken.
const PORTS: u16 = 64;

/// One thing to do in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Say this sentence.
    Say(String),
    /// Play these samples, 16 kHz mono.
    Play(Arc<[i16]>),
    /// Press these keys.
    Press(String),
}

/// A call to place.
#[derive(Clone)]
pub struct CallScript {
    /// Whom to call, such as `sip:clinic@192.0.2.1:5060`.
    pub uri: String,
    /// The number or name we call from.
    pub from: String,
    /// Codecs to offer, best first.
    pub codecs: Vec<Codec>,
    /// What to do, one after the other, each after the far end has finished.
    pub acts: Vec<Act>,
    /// Who says the sentences.
    pub tts: Option<Arc<dyn Tts>>,
    /// In which language.
    pub language: Lang,
    /// Who writes down what the far end says, and its words.
    pub stt: Option<(Arc<dyn Stt>, Arc<Vocabulary>)>,
    /// Longest wait for the call to be answered, and for each reply to begin.
    pub wait: Duration,
    /// How long the far end must be silent before it counts as finished.
    pub quiet: Duration,
    /// Hang up at the latest after this time.
    pub length_max: Duration,
}

impl CallScript {
    /// A call that only listens, with the usual patience.
    pub fn to(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            from: "auricle-call".to_owned(),
            codecs: vec![Codec::G722, Codec::Pcma, Codec::Pcmu],
            acts: Vec::new(),
            tts: None,
            language: Lang::En,
            stt: None,
            wait: Duration::from_secs(15),
            quiet: Duration::from_millis(700),
            length_max: Duration::from_secs(300),
        }
    }
}

/// What became of one act.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActReport {
    /// When it began, in milliseconds after the answer.
    pub at_ms: u64,
    /// Its length, without silence at its end, in milliseconds.
    pub length_ms: u64,
    /// From its end to the first word back, in milliseconds, as heard here; negative when the far end talked over it;
    /// none when nothing came back.
    pub reply_ms: Option<i64>,
}

/// What became of a call.
#[derive(Clone, Debug, Default)]
pub struct CallReport {
    /// From dialling to the answer, in milliseconds; none when nobody answered.
    pub answered_ms: Option<u64>,
    /// From the answer to the first word of the far end, in milliseconds.
    pub greeting_ms: Option<u64>,
    /// From the answer to the end, in milliseconds.
    pub duration_ms: u64,
    /// The codec that was agreed on.
    pub codec: Option<Codec>,
    /// What was said and what came back, in the order of the script; shorter when the far end hung up before.
    pub acts: Vec<ActReport>,
    /// What the recogniser understood of the far end.
    pub transcript: Vec<String>,
    /// Figures of the media we received.
    pub quality: LegQuality,
    /// Both sides as 16-bit little-endian stereo: far end left, we right.
    pub audio: Vec<u8>,
    /// Samples a second of `audio`; 0 when there is none.
    pub rate_hz: u32,
    /// Why the call ended.
    pub cause: Option<LegEnd>,
}

impl CallReport {
    /// Whether the call did what a call is for: it was answered, every act was carried out, and the far end was heard.
    pub fn worked(&self, acts: usize) -> bool {
        let orderly = matches!(self.cause, Some(LegEnd::LocalHangup | LegEnd::RemoteHangup));
        let replied = self.acts.iter().all(|act| act.reply_ms.is_some());
        orderly && self.answered_ms.is_some() && self.greeting_ms.is_some() && self.acts.len() == acts && replied
    }

    /// Share of the far end's packets that never came, 0.0 to 1.0.
    pub fn loss(&self) -> f64 {
        let sent = self.quality.received + self.quality.lost;
        if sent == 0 { 0.0 } else { self.quality.lost as f64 / sent as f64 }
    }

    /// `audio` as a WAV file.
    pub fn wav(&self) -> Vec<u8> {
        let length = u32::try_from(self.audio.len()).unwrap_or(u32::MAX - 36);
        let mut wav = Vec::with_capacity(self.audio.len() + 44);
        wav.extend_from_slice(b"RIFF");
        wav.extend_from_slice(&(36 + length).to_le_bytes());
        wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
        wav.extend_from_slice(&self.rate_hz.to_le_bytes());
        wav.extend_from_slice(&(self.rate_hz * 4).to_le_bytes());
        wav.extend_from_slice(b"\x04\0\x10\0data");
        wav.extend_from_slice(&length.to_le_bytes());
        wav.extend_from_slice(&self.audio);
        wav
    }
}

/// Why a call could not even be tried.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Whoever typed the address is at fault.
    #[error("cannot call {0:?}: expected a SIP address such as sip:clinic@192.0.2.1:5060")]
    Uri(String),
    /// The name has no address.
    #[error("cannot find {host:?}: {source}")]
    Host {
        /// The host part of the address.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The sentences could not be spoken.
    #[error("cannot speak the sentences: {0}")]
    Speech(#[from] ProviderError),
    /// A sentence is to be said, and there is nobody to say it.
    #[error("sentences are to be said, but no voice is given")]
    NoVoice,
    /// Our side of the call could not be set up.
    #[error(transparent)]
    Voice(#[from] VoiceError),
}

/// Places a call and returns when it is over.
///
/// # Errors
/// When the call could not be tried at all. A call that nobody answers, or that breaks off, is no error: the report says
/// so.
pub async fn place(script: CallScript) -> Result<CallReport, CallError> {
    let remote = resolve(&script.uri).await?;
    let utterances = speech::prepare(&script).await?;
    let (voice, events) = VoiceShell::start(own_side(remote, &script.codecs)?)?;
    let tape = Tape::default();
    let line = Line::new(&script, voice.clone(), events, tape.clone());
    let mut report = line.run(remote, utterances).await?;
    voice.stop(Duration::ZERO).await;
    report.audio = std::mem::take(&mut *tape.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(report)
}

/// Sockets of our side: the address from which the far end is reached, any free ports. Nobody else is listened to.
fn own_side(remote: SocketAddr, codecs: &[Codec]) -> Result<VoiceConfig, CallError> {
    let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let listen_error = |source| VoiceError::Listen { address: remote, source };
    // Connecting a UDP socket sends nothing: it only asks the routing table.
    let probe = std::net::UdpSocket::bind(any).map_err(listen_error)?;
    probe.connect(remote).map_err(listen_error)?;
    let local = probe.local_addr().map_err(listen_error)?.ip();
    let first = 40_000 + rand::random_range(0..200) * PORTS;
    Ok(VoiceConfig {
        sip_listen: SocketAddr::new(local, 0),
        tls_listen: None,
        tls: TlsFiles::default(),
        advertise: None,
        rtp_ports: first..=first + PORTS - 1,
        legs_max: 1,
        trusted: Vec::new(),
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: codecs.to_vec(),
    })
}

/// The address behind `sip:user@host:port;parameters`.
async fn resolve(uri: &str) -> Result<SocketAddr, CallError> {
    let (host, port) = host_and_port(uri).ok_or_else(|| CallError::Uri(uri.to_owned()))?;
    let host_error = |source| CallError::Host { host: host.clone(), source };
    let mut found = tokio::net::lookup_host((host.as_str(), port)).await.map_err(host_error)?;
    found.next().ok_or_else(|| host_error(io::Error::from(io::ErrorKind::NotFound)))
}

fn host_and_port(uri: &str) -> Option<(String, u16)> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") {
        return None;
    }
    let rest = rest.split([';', '?']).next()?;
    let place = rest.rsplit('@').next()?;
    let (host, port) = match place.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(digits) => digits.parse().ok()?,
        None => SIP_PORT,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// A recording kept in memory: a test call is minutes long at most.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl RecordingSink for Tape {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_type_them() {
        let rows = [
            ("sip:clinic@127.0.0.1:5070", Some(("127.0.0.1", 5070))),
            ("sip:127.0.0.1", Some(("127.0.0.1", 5060))),
            ("SIP:a@example.org;transport=udp", Some(("example.org", 5060))),
            ("sip:clinic@[::1]:5070", Some(("::1", 5070))),
            ("sip:clinic@[::1]", Some(("::1", 5060))),
            ("sips:clinic@example.org", None),
            ("clinic@example.org", None),
            ("sip:clinic@", None),
            ("sip:clinic@host:port", None),
            ("tel:+420777", None),
        ];
        for (uri, expected) in rows {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_and_port(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_call_worked_only_if_everything_in_it_did() {
        let act = ActReport { at_ms: 0, length_ms: 900, reply_ms: Some(400) };
        let good = CallReport {
            answered_ms: Some(3),
            greeting_ms: Some(100),
            acts: vec![act.clone()],
            cause: Some(LegEnd::LocalHangup),
            ..CallReport::default()
        };
        assert!(good.worked(1));
        assert!(!good.worked(2), "the second sentence was never said");
        let mute = CallReport { acts: vec![ActReport { reply_ms: None, ..act }], ..good.clone() };
        assert!(!mute.worked(1));
        let dropped = CallReport { cause: Some(LegEnd::NoMedia), ..good.clone() };
        assert!(!dropped.worked(1));
        assert!(!CallReport { greeting_ms: None, ..good }.worked(1));
    }

    #[test]
    fn a_wav_has_its_lengths_right() {
        let report = CallReport { audio: vec![1, 0, 2, 0, 3, 0, 4, 0], rate_hz: 16_000, ..CallReport::default() };
        let wav = report.wav();
        assert_eq!(wav.len(), 52);
        assert_eq!(&wav[4..8], &44_u32.to_le_bytes());
        assert_eq!(&wav[24..28], &16_000_u32.to_le_bytes());
        assert_eq!(&wav[40..44], &8_u32.to_le_bytes());
    }
}
