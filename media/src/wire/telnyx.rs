//! What goes over a Telnyx media socket.
//!
//! Frames may come out of order. Their place is told by `chunk`, which counts them from 1 and is what Telnyx says to order them by;
//! the unit of `timestamp` is written nowhere. What we hear is coded as the `start` message says, whatever we have asked for; what we
//! say, as we have asked.

use super::{RATE_HZ, Said, Wire, audio};
use crate::codec::g711::{decode_a, decode_mu, encode_a, encode_mu};
use crate::io::Codec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

/// Octets of audio in a millisecond.
const OCTETS_PER_MS: u64 = 8;

type Message = super::Message<Start, Media>;

/// What comes before the audio.
pub type Opening = super::Opening<Start>;

/// The first message that says something.
#[derive(Debug, Deserialize)]
pub struct Start {
    /// The call.
    pub call_control_id: String,
    /// How what we hear is coded.
    pub media_format: MediaFormat,
}

/// How audio is coded.
#[derive(Debug, Deserialize)]
pub struct MediaFormat {
    encoding: String,
    #[serde(default = "usual_rate")]
    sample_rate: u32,
    #[serde(default = "usual_channels")]
    channels: u32,
}

fn usual_rate() -> u32 {
    RATE_HZ
}

fn usual_channels() -> u32 {
    1
}

impl MediaFormat {
    /// The codec, where it is one that we understand here: G.711 of one channel. Older descriptions name it by its media type.
    pub fn codec(&self) -> Option<Codec> {
        if (self.sample_rate, self.channels) != (RATE_HZ, 1) {
            return None;
        }
        match self.encoding.as_str() {
            "PCMU" | "audio/x-mulaw" => Some(Codec::Pcmu),
            "PCMA" | "audio/x-alaw" => Some(Codec::Pcma),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Media {
    #[serde(default)]
    track: String,
    chunk: String,
    payload: String,
}

/// Reads a message of a socket of which it is not known yet whose it is.
pub fn opening(text: &str) -> Opening {
    Message::opening(text)
}

/// What Telnyx calls a codec; none for those we do not use there.
pub fn name(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::Pcmu => Some("PCMU"),
        Codec::Pcma => Some("PCMA"),
        _ => None,
    }
}

/// One stream of a leg.
pub struct Stream {
    /// What the leg speaks; what Telnyx was asked to take is the same.
    speaks: Codec,
    /// What comes from Telnyx.
    hears: Codec,
}

impl Stream {
    /// A stream that speaks in one codec and hears in another.
    pub fn new(speaks: Codec, hears: Codec) -> Self {
        Self { speaks, hears }
    }

    fn media(&self, Media { track, chunk, payload }: &Media) -> Said {
        // All frames of a stream are of one length.
        let place = |payload: &[u8]| {
            let frame_ms = payload.len() as u64 / OCTETS_PER_MS;
            chunk.parse::<u64>().ok()?.checked_sub(1)?.checked_mul(frame_ms)
        };
        let mut said = audio(track, payload, place);
        if let Said::Audio { payload, .. } = &mut said {
            match (self.hears, self.speaks) {
                (Codec::Pcmu, Codec::Pcma) => payload.iter_mut().for_each(|octet| *octet = encode_a(decode_mu(*octet))),
                (Codec::Pcma, Codec::Pcmu) => payload.iter_mut().for_each(|octet| *octet = encode_mu(decode_a(*octet))),
                _ => {}
            }
        }
        said
    }
}

impl Wire for Stream {
    fn hear(&mut self, text: &str) -> Said {
        match Message::read(text) {
            // The stream is over, not the call: that has a webhook of its own, and another stream can be asked for.
            Some(Message::Stop {}) => Said::Nothing,
            Some(message) => message.said(|media| self.media(&media)),
            None => Said::Nonsense,
        }
    }

    fn audio(&mut self, payload: &[u8]) -> String {
        json!({ "event": "media", "media": { "payload": STANDARD.encode(payload) } }).to_string()
    }

    fn mark(&mut self, number: u64) -> String {
        json!({ "event": "mark", "mark": { "name": number.to_string() } }).to_string()
    }

    fn clear(&mut self) -> String {
        json!({ "event": "clear" }).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
    use super::super::{Moment, Press};
    use super::*;

    #[test]
    fn messages_are_read_as_telnyx_writes_them() {
        let sixteen = STANDARD.encode([0xff; 160]);
        let media = |chunk: &str| {
            format!(
                r#"{{"event":"media","sequence_number":"4","stream_id":"s","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"5","payload":"{sixteen}"}}}}"#
            )
        };
        let audio = |at_ms| Said::Audio { at_ms, payload: vec![0xff; 160] };
        let table = [
            (r#"{"event":"connected","version":"1.0.0"}"#.to_owned(), Said::Nothing),
            (media("1"), audio(0)),
            (media("3"), audio(40)),
            (media("2"), audio(20)),
            (media("0"), Said::Nonsense),
            (media("18446744073709551615"), Said::Nonsense),
            (media("-1"), Said::Nonsense),
            (r#"{"event":"media","media":{"track":"outbound","chunk":"1","payload":""}}"#.to_owned(), Said::Nothing),
            (r#"{"event":"media","media":{"chunk":"1","payload":"?"}}"#.to_owned(), Said::Nonsense),
            (
                r##"{"event":"dtmf","stream_id":"s","occurred_at":"2026-11-20T10:00:00Z","sequence_number":"5","dtmf":{"digit":"#"}}"##.to_owned(),
                Said::Digit(Press { digit: '#', at: Moment::read("2026-11-20T10:00:00Z"), message: Some(5) }),
            ),
            (r#"{"event":"dtmf","dtmf":{"digit":"12"}}"#.to_owned(), Said::Nonsense),
            (
                r#"{"event":"dtmf","occurred_at":7,"sequence_number":5,"dtmf":{"digit":"1"}}"#.to_owned(),
                Said::Digit(Press { digit: '1', at: None, message: None }),
            ),
            (r#"{"event":"mark","stream_id":"s","sequence_number":"5","mark":{"name":"7"}}"#.to_owned(), Said::Mark(7)),
            (r#"{"event":"mark","mark":{"name":"somebody's"}}"#.to_owned(), Said::Nothing),
            (
                r#"{"event":"error","stream_id":"s","payload":{"code":100004,"title":"invalid_media","detail":"x"}}"#.to_owned(),
                Said::Fault(100_004),
            ),
            (
                r#"{"event":"stop","sequence_number":"9","stream_id":"s","stop":{"user_id":"u","call_control_id":"v3:1"}}"#.to_owned(),
                Said::Nothing,
            ),
            (r#"{"event":"something new","x":1}"#.to_owned(), Said::Nothing),
            (r#"{"event":7}"#.to_owned(), Said::Nonsense),
            (String::new(), Said::Nonsense),
        ];
        let mut stream = Stream::new(Codec::Pcmu, Codec::Pcmu);
        for (text, expected) in table {
            assert_eq!(stream.hear(&text), expected, "{text}");
        }
    }

    /// VOICE-24: what is heard is decoded as the start message says, not as we have asked.
    #[test]
    fn what_is_heard_in_the_other_law_is_written_in_ours() {
        let text = |octets: &[u8]| {
            json!({ "event": "media", "media": { "chunk": "1", "payload": STANDARD.encode(octets) } }).to_string()
        };
        let samples = [-20_000_i16, -300, 0, 300, 20_000];
        for (speaks, hears) in [(Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcmu), (Codec::Pcma, Codec::Pcma)] {
            let coded: Vec<u8> = samples
                .iter()
                .map(|sample| if hears == Codec::Pcmu { encode_mu(*sample) } else { encode_a(*sample) })
                .collect();
            let Said::Audio { payload, .. } = Stream::new(speaks, hears).hear(&text(&coded)) else {
                panic!("it is audio")
            };
            for (octet, sample) in payload.iter().zip(samples) {
                let found = if speaks == Codec::Pcmu { decode_mu(*octet) } else { decode_a(*octet) };
                let (found, sample) = (i32::from(found), i32::from(sample));
                assert!(
                    (found - sample).abs() <= 16 + sample.abs() / 16,
                    "{hears:?} to {speaks:?}: {found} for {sample}"
                );
            }
        }
    }

    #[test]
    fn what_is_written_is_what_telnyx_reads() {
        let mut stream = Stream::new(Codec::Pcmu, Codec::Pcmu);
        let table = [
            (stream.audio(&[0xff, 0x7f, 0]), r#"{"event":"media","media":{"payload":"/38A"}}"#),
            (stream.mark(7), r#"{"event":"mark","mark":{"name":"7"}}"#),
            (stream.clear(), r#"{"event":"clear"}"#),
        ];
        for (written, expected) in table {
            let (written, expected): (serde_json::Value, serde_json::Value) =
                (serde_json::from_str(&written).unwrap(), serde_json::from_str(expected).unwrap());
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn a_socket_says_whose_it_is_and_what_it_speaks() {
        let start = |format: &str| {
            format!(
                r#"{{"event":"start","sequence_number":"1","stream_id":"s","start":{{"user_id":"u","call_control_id":"v3:1","call_session_id":"x","from":"+15550100","to":"+15550199","media_format":{format}}}}}"#
            )
        };
        let table = [
            (r#"{"encoding":"PCMU","sample_rate":8000,"channels":1}"#, Some(Codec::Pcmu)),
            (r#"{"encoding":"audio/x-mulaw","sample_rate":8000,"channels":1}"#, Some(Codec::Pcmu)),
            (r#"{"encoding":"PCMA","sample_rate":8000,"channels":1}"#, Some(Codec::Pcma)),
            (r#"{"encoding":"PCMA"}"#, Some(Codec::Pcma)),
            (r#"{"encoding":"OPUS","sample_rate":16000,"channels":1}"#, None),
            (r#"{"encoding":"PCMU","sample_rate":16000,"channels":1}"#, None),
            (r#"{"encoding":"PCMU","sample_rate":8000,"channels":2}"#, None),
        ];
        for (format, codec) in table {
            let Opening::Start(found) = opening(&start(format)) else { panic!("it is a start: {format}") };
            assert_eq!((found.call_control_id.as_str(), found.media_format.codec()), ("v3:1", codec), "{format}");
        }
        assert!(matches!(opening(r#"{"event":"connected"}"#), Opening::Nothing));
        assert!(matches!(opening(r#"{"event":"start"}"#), Opening::Nonsense));
    }
}
