//! What carriers write on their media sockets, a message a line: nothing is made more than it was, whatever else is on the socket the
//! next good message is understood, what we write is one message each, and of keys none is lost and none is told twice.

use auricle_media::io::Codec;
use auricle_media::wire::{Keys, Opening, Press, Said, WAIT, Wire, telnyx, twilio};
use serde_json::Value;

use super::{Seen, origin, scale};

/// Messages of one input.
const MESSAGES_MAX: usize = 64;

pub fn run(bytes: &[u8]) -> u64 {
    // A socket's texts are UTF-8, or the socket is closed.
    let text = String::from_utf8_lossy(bytes);
    let mut seen = Seen::default();
    let telnyx = |speaks, hears| Box::new(telnyx::Stream::new(speaks, hears)) as Box<dyn Wire>;
    let mut wires = [
        Box::new(twilio::Stream::new("MZ1".into())) as Box<dyn Wire>,
        telnyx(Codec::Pcmu, Codec::Pcmu),
        telnyx(Codec::Pcmu, Codec::Pcma),
        telnyx(Codec::Pcma, Codec::Pcmu),
    ];
    let mut presses = Vec::new();
    for message in text.lines().take(MESSAGES_MAX) {
        opened(message, &mut seen);
        for wire in &mut wires {
            heard(&wire.hear(message), message, wire.as_mut(), &mut seen);
        }
        if let Said::Digit(press) = wires[1].hear(message) {
            presses.push(press);
        }
    }
    pressed(&presses, &mut seen);
    for wire in &mut wires {
        assert_eq!(wire.hear(r#"{"event":"mark","mark":{"name":"7"}}"#), Said::Mark(7));
    }
    seen.number()
}

fn opened(message: &str, seen: &mut Seen) {
    let opening = twilio::opening(message);
    seen.note(std::mem::discriminant(&opening));
    if let Opening::Start(start) = opening {
        assert!(start.call_sid.len() + start.stream_sid.len() <= message.len());
        seen.note((start.media_format.is_ours(), scale(start.custom_parameters.len())));
    }
    let opening = telnyx::opening(message);
    seen.note(std::mem::discriminant(&opening));
    if let Opening::Start(start) = opening {
        let codec = start.media_format.codec();
        assert!(codec.is_none_or(|codec| telnyx::name(codec).is_some()), "{codec:?} is not spoken there");
        seen.note(codec.map(Codec::payload_type));
    }
}

fn heard(said: &Said, message: &str, wire: &mut dyn Wire, seen: &mut Seen) {
    seen.note(std::mem::discriminant(said));
    match said {
        Said::Audio { at_ms, payload } => {
            assert!(payload.len() <= message.len(), "{} octets", payload.len());
            seen.note((scale(*at_ms as usize), scale(payload.len())));
            let written: Value = serde_json::from_str(&wire.audio(payload)).unwrap();
            assert_eq!(written["event"], "media");
        }
        Said::Mark(number) => {
            let written: Value = serde_json::from_str(&wire.mark(*number)).unwrap();
            assert_eq!(written["mark"]["name"], number.to_string());
        }
        Said::Digit(press) => seen.note((press.digit.is_ascii_digit(), press.at.is_some(), press.message.is_some())),
        Said::Over | Said::Nothing | Said::Fault(_) | Said::Nonsense => {}
    }
}

/// Keys that come at once leave within the wait, in order.
fn pressed(presses: &[Press], seen: &mut Seen) {
    let mut keys = Keys::default();
    let mut told: Vec<char> = presses.iter().filter_map(|press| keys.press(press.clone(), origin())).collect();
    told.extend(std::iter::from_fn(|| keys.due(origin() + WAIT)));
    assert_eq!((keys.take(), keys.next_wake()), (None, None));
    let repeats = |place: &usize| presses[*place].message.is_some() && presses[..*place].contains(&presses[*place]);
    let once: Vec<&Press> = (0..presses.len()).filter(|place| !repeats(place)).map(|place| &presses[place]).collect();
    // Of so many nothing is remembered any more.
    if presses.len() <= 16 {
        let mut ordered = once.clone();
        ordered.sort_by_key(|press| (press.at, press.message));
        assert_eq!(told, ordered.iter().map(|press| press.digit).collect::<Vec<_>>());
    }
    assert!(told.len() >= once.len() && told.len() <= presses.len(), "{told:?} of {presses:?}");
    seen.note((scale(told.len()), told.len() == presses.len()));
}
