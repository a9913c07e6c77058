//! What carriers send on their media sockets, over mutations that are the same in every run (`FUZZ_RUNS`, `FUZZ_SEED` as in the media
//! crate): each message that a carrier may write, and anything near it.

#[path = "../media/tests/fuzz/mutate.rs"]
mod mutate;

use auricle::carriers::line::{Said, Wire};
use auricle::carriers::{telnyx, twilio};
use auricle_media::io::Codec;
use mutate::{Random, mutate};

/// Mutations of the messages of one carrier: about a second's worth in a debug build.
const RUNS: usize = 60_000;

const TWILIO: [&str; 6] = [
    r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#,
    r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"streamSid":"MZ1","accountSid":"AC1","callSid":"CA1","tracks":["inbound"],"customParameters":{"ticket":"t"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}"#,
    r#"{"event":"media","sequenceNumber":"4","streamSid":"MZ1","media":{"track":"inbound","chunk":"2","timestamp":"160","payload":"/38A"}}"#,
    r##"{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"#"}}"##,
    r#"{"event":"mark","sequenceNumber":"6","streamSid":"MZ1","mark":{"name":"7"}}"#,
    r#"{"event":"stop","sequenceNumber":"9","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}"#,
];

const TELNYX: [&str; 7] = [
    r#"{"event":"connected","version":"1.0.0"}"#,
    r#"{"event":"start","sequence_number":"1","stream_id":"s","start":{"user_id":"u","call_control_id":"v3:1","call_session_id":"x","from":"+15550100","to":"+15550199","media_format":{"encoding":"PCMA","sample_rate":8000,"channels":1}}}"#,
    r#"{"event":"media","sequence_number":"4","stream_id":"s","media":{"track":"inbound","chunk":"2","timestamp":"5","payload":"/38A/38A/38A/38A"}}"#,
    r##"{"event":"dtmf","stream_id":"s","occurred_at":"2026-11-20T10:00:00Z","sequence_number":"5","dtmf":{"digit":"#"}}"##,
    r#"{"event":"mark","stream_id":"s","sequence_number":"5","mark":{"name":"7"}}"#,
    r#"{"event":"error","stream_id":"s","payload":{"code":100004,"title":"invalid_media","detail":"x"}}"#,
    r#"{"event":"stop","sequence_number":"9","stream_id":"s","stop":{"user_id":"u","call_control_id":"v3:1"}}"#,
];

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Reads mutations of these messages; what comes out is never more than what went in, and the next good message is understood.
fn fuzz(messages: &[&str], mark: &str, wires: &mut [Box<dyn Wire>], opening: impl Fn(&str)) {
    let seed = setting("FUZZ_SEED", 1);
    let mut random = Random::new(seed as u64);
    for run in 0..setting("FUZZ_RUNS", RUNS) {
        let (one, other) = (messages[random.below(messages.len())], messages[random.below(messages.len())]);
        let bytes = mutate(one.as_bytes(), other.as_bytes(), &mut random);
        // A socket's texts are UTF-8, or the socket is closed.
        let text = String::from_utf8_lossy(&bytes);
        opening(&text);
        for wire in wires.iter_mut() {
            if let Said::Audio { payload, .. } = wire.hear(&text) {
                assert!(payload.len() <= text.len(), "seed {seed}, run {run}: {text}");
            }
        }
    }
    for wire in wires {
        assert_eq!(wire.hear(mark), Said::Mark(7));
    }
}

/// SEC-12, SEC-13, INT-01: no text on a socket of Twilio's breaks what reads it.
#[test]
fn no_text_breaks_what_reads_twilios_sockets() {
    let mut wires: [Box<dyn Wire>; 1] = [Box::new(twilio::media::Stream::new("MZ1".into()))];
    fuzz(&TWILIO, TWILIO[4], &mut wires, |text| drop(twilio::media::opening(text)));
}

/// SEC-12, SEC-13, INT-02: no text on a socket of Telnyx's breaks what reads it, whichever law is spoken and heard.
#[test]
fn no_text_breaks_what_reads_telnyxs_sockets() {
    let wire = |speaks, hears| Box::new(telnyx::media::Stream::new(speaks, hears)) as Box<dyn Wire>;
    let mut wires = [wire(Codec::Pcmu, Codec::Pcmu), wire(Codec::Pcmu, Codec::Pcma), wire(Codec::Pcma, Codec::Pcmu)];
    fuzz(&TELNYX, TELNYX[4], &mut wires, |text| {
        if let telnyx::media::Opening::Start(start) = telnyx::media::opening(text) {
            let known = start.media_format.codec();
            assert!(known.is_none_or(|codec| matches!(codec, Codec::Pcmu | Codec::Pcma)));
        }
    });
}
