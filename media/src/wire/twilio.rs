//! What goes over a Twilio media socket.

use super::{RATE_HZ, Said, Wire, audio};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

/// The one format there is: G.711 mu-law at 8 kHz, one channel.
const ENCODING: &str = "audio/x-mulaw";
/// The name of the parameter that carries the ticket.
pub const TICKET: &str = "ticket";
/// The name of the parameter that carries our name of a call that we place.
pub const PLACED_NAME: &str = "placed";

type Message = super::Message<Start, Media>;

/// What comes before the audio.
pub type Opening = super::Opening<Start>;

/// The first message that says something.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The stream's name, in every message to it.
    pub stream_sid: String,
    /// The account.
    pub account_sid: String,
    /// The call.
    pub call_sid: String,
    /// What our answer to the webhook gave along.
    #[serde(default)]
    pub custom_parameters: HashMap<String, String>,
    /// How audio is coded.
    pub media_format: MediaFormat,
}

/// How audio is coded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaFormat {
    encoding: String,
    sample_rate: u32,
    channels: u32,
}

impl MediaFormat {
    /// Whether it is the one we speak.
    pub fn is_ours(&self) -> bool {
        (self.encoding.as_str(), self.sample_rate, self.channels) == (ENCODING, RATE_HZ, 1)
    }
}

#[derive(Deserialize)]
struct Media {
    #[serde(default)]
    track: String,
    timestamp: String,
    payload: String,
}

/// Reads a message of a socket of which it is not known yet whose it is.
pub fn opening(text: &str) -> Opening {
    Message::opening(text)
}

/// One stream.
pub struct Stream {
    sid: String,
}

impl Stream {
    /// The stream of this name.
    pub fn new(sid: String) -> Self {
        Self { sid }
    }
}

impl Wire for Stream {
    fn hear(&mut self, text: &str) -> Said {
        let Some(message) = Message::read(text) else { return Said::Nonsense };
        message.said(|Media { track, timestamp, payload }| audio(&track, &payload, |_| timestamp.parse().ok()))
    }

    fn audio(&mut self, payload: &[u8]) -> String {
        let payload = STANDARD.encode(payload);
        json!({ "event": "media", "streamSid": self.sid, "media": { "payload": payload } }).to_string()
    }

    fn mark(&mut self, number: u64) -> String {
        json!({ "event": "mark", "streamSid": self.sid, "mark": { "name": number.to_string() } }).to_string()
    }

    fn clear(&mut self) -> String {
        json!({ "event": "clear", "streamSid": self.sid }).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
    use super::super::Press;
    use super::*;

    #[test]
    fn messages_are_read_as_twilio_writes_them() {
        let table = [
            (r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#, Said::Nothing),
            (
                r#"{"event":"media","sequenceNumber":"4","streamSid":"MZ1","media":{"track":"inbound","chunk":"2","timestamp":"160","payload":"/38A"}}"#,
                Said::Audio { at_ms: 160, payload: vec![0xff, 0x7f, 0] },
            ),
            (r#"{"event":"media","media":{"track":"outbound","timestamp":"1","payload":""}}"#, Said::Nothing),
            (r#"{"event":"media","media":{"timestamp":"-1","payload":""}}"#, Said::Nonsense),
            (r#"{"event":"media","media":{"timestamp":"1","payload":"?"}}"#, Said::Nonsense),
            (
                r##"{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"#"}}"##,
                Said::Digit(Press { digit: '#', at: None, message: None }),
            ),
            (r#"{"event":"dtmf","dtmf":{"digit":"12"}}"#, Said::Nonsense),
            (r#"{"event":"mark","sequenceNumber":"6","streamSid":"MZ1","mark":{"name":"7"}}"#, Said::Mark(7)),
            (r#"{"event":"mark","mark":{"name":"somebody's"}}"#, Said::Nothing),
            (
                r#"{"event":"stop","sequenceNumber":"9","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}"#,
                Said::Over,
            ),
            (r#"{"event":"something new","x":1}"#, Said::Nothing),
            (r#"{"event":7}"#, Said::Nonsense),
            ("", Said::Nonsense),
        ];
        let mut stream = Stream::new("MZ1".into());
        for (text, expected) in table {
            assert_eq!(stream.hear(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_names_the_stream() {
        let mut stream = Stream::new("MZ1".into());
        let table = [
            (stream.audio(&[0xff, 0x7f, 0]), r#"{"event":"media","media":{"payload":"/38A"},"streamSid":"MZ1"}"#),
            (stream.mark(7), r#"{"event":"mark","mark":{"name":"7"},"streamSid":"MZ1"}"#),
            (stream.clear(), r#"{"event":"clear","streamSid":"MZ1"}"#),
        ];
        for (written, expected) in table {
            let (written, expected): (serde_json::Value, serde_json::Value) =
                (serde_json::from_str(&written).unwrap(), serde_json::from_str(expected).unwrap());
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn a_socket_says_whose_it_is() {
        let start = |encoding: &str| {
            format!(
                r#"{{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{{"streamSid":"MZ1","accountSid":"AC1","callSid":"CA1","tracks":["inbound"],"customParameters":{{"ticket":"t"}},"mediaFormat":{{"encoding":"{encoding}","sampleRate":8000,"channels":1}}}}}}"#
            )
        };
        let Opening::Start(found) = opening(&start("audio/x-mulaw")) else { panic!("it is a start") };
        assert_eq!((found.call_sid.as_str(), found.custom_parameters[TICKET].as_str()), ("CA1", "t"));
        assert!(found.media_format.is_ours());
        let Opening::Start(other) = opening(&start("audio/x-l16")) else { panic!("it is a start") };
        assert!(!other.media_format.is_ours());
        assert!(matches!(opening(r#"{"event":"connected"}"#), Opening::Nothing));
        assert!(matches!(opening(r#"{"event":"start"}"#), Opening::Nonsense));
    }
}
