//! What goes over carriers' media sockets: JSON texts, audio in base64, and nearly all numbers as strings.
//!
//! Each carrier has a [`Wire`] of its own; what their messages have in common is read here.

mod keys;
pub mod telnyx;
pub mod twilio;

pub use keys::{Keys, Moment, Press, WAIT};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The rate of all audio.
const RATE_HZ: u32 = 8_000;

/// What a carrier says on its socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Audio, with its place in the carrier's stream.
    Audio {
        /// Where it begins, in milliseconds.
        at_ms: u64,
        /// In the carrier's codec.
        payload: Vec<u8>,
    },
    /// A key was pressed.
    Digit(Press),
    /// A mark of ours has been played or cleared.
    Mark(u64),
    /// The call is over.
    Over,
    /// Nothing that matters.
    Nothing,
    /// The carrier has not understood us, and says so by a code of its own.
    Fault(u32),
    /// Nothing that can be understood.
    Nonsense,
}

/// How one carrier writes on its socket. One for each socket.
pub trait Wire: Send {
    /// Reads a message.
    fn hear(&mut self, text: &str) -> Said;
    /// Writes audio.
    fn audio(&mut self, payload: &[u8]) -> String;
    /// Writes a mark.
    fn mark(&mut self, number: u64) -> String;
    /// Writes that what waits is to be forgotten.
    fn clear(&mut self) -> String;
}

/// What comes before the audio.
#[derive(Debug)]
pub enum Opening<Start> {
    /// Nothing that says whose socket it is.
    Nothing,
    /// Whose it is.
    Start(Box<Start>),
    /// Nothing that can be understood.
    Nonsense,
}

/// A message; what opens a stream and where audio belongs in it each carrier says in its own way.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Message<Start, Media> {
    Connected {},
    Start {
        start: Start,
    },
    Media {
        media: Media,
    },
    Dtmf {
        dtmf: Dtmf,
        /// Where it stands among the keys; not every carrier says so, and not in every form.
        #[serde(default)]
        occurred_at: Value,
        #[serde(default)]
        sequence_number: Value,
    },
    Mark {
        mark: Mark,
    },
    Error {
        #[serde(default)]
        payload: Fault,
    },
    Stop {},
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Dtmf {
    digit: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

#[derive(Default, Deserialize)]
struct Fault {
    #[serde(default)]
    code: u32,
}

impl<Start: DeserializeOwned, Media: DeserializeOwned> Message<Start, Media> {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What it says of whose socket it is.
    fn opening(text: &str) -> Opening<Start> {
        match Self::read(text) {
            Some(Self::Start { start }) => Opening::Start(Box::new(start)),
            Some(_) => Opening::Nothing,
            None => Opening::Nonsense,
        }
    }

    /// What it says once that is known; audio is the carrier's.
    fn said(self, audio: impl FnOnce(Media) -> Said) -> Said {
        match self {
            Self::Media { media } => audio(media),
            Self::Dtmf { dtmf: Dtmf { digit }, occurred_at, sequence_number } => {
                let mut letters = digit.chars();
                let at = occurred_at.as_str().and_then(Moment::read);
                let message = sequence_number.as_str().and_then(|number| number.parse().ok());
                match (letters.next(), letters.next()) {
                    (Some(digit), None) => Said::Digit(Press { digit, at, message }),
                    _ => Said::Nonsense,
                }
            }
            // Names that are none of ours are nobody's.
            Self::Mark { mark } => mark.name.parse().map_or(Said::Nothing, Said::Mark),
            Self::Error { payload: Fault { code } } => Said::Fault(code),
            Self::Stop {} => Said::Over,
            Self::Connected {} | Self::Start { .. } | Self::Other => Said::Nothing,
        }
    }
}

/// Audio of a track, where its place is known. Our own side is told only where it was asked for, and it never is.
fn audio(track: &str, payload: &str, at_ms: impl FnOnce(&[u8]) -> Option<u64>) -> Said {
    if track == "outbound" {
        return Said::Nothing;
    }
    let Ok(payload) = STANDARD.decode(payload) else { return Said::Nonsense };
    match at_ms(&payload) {
        Some(at_ms) => Said::Audio { at_ms, payload },
        None => Said::Nonsense,
    }
}
