//! Bytes that nobody meant: nothing panics, nothing grows over its bound, and the next good call succeeds.

use auricle_media::sip::agent::{AgentCommand, AgentConfig, AgentEvent};
use auricle_media::sip::message::Message;
use auricle_media::sip::parse;
use auricle_media::sip::sdp::Sdp;
use proptest::prelude::*;

use crate::bench::{Bench, OFFER, cancel, config, invite, invite_with, our_sdp, within};

/// One change to a message.
#[derive(Clone, Debug)]
enum Change {
    Set(u16, u8),
    Insert(u16, Vec<u8>),
    Delete(u16, u8),
    Copy(u16, u16, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let fragment = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..8),
        "[;,<>\"@:?=%/ \r\n]{1,6}".prop_map(String::into_bytes),
        prop_oneof![
            Just("\r\n "),
            Just("99999999999999999999"),
            Just("-1"),
            Just("%"),
            Just("z9hG4bK"),
            Just("Via: "),
            Just("Contact: *\r\n"),
            Just("Record-Route: <sip:x;lr>\r\n"),
            Just("\\\""),
            Just("[::1]"),
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<u16>(), fragment).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<u16>(), any::<u16>(), any::<u8>()).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: u16, bytes: &Vec<u8>| usize::from(at) % (bytes.len() + 1);
    match change {
        Change::Set(at, byte) => {
            let at = place(*at, bytes);
            if let Some(old) = bytes.get_mut(at) {
                *old = *byte;
            }
        }
        Change::Insert(at, new) => {
            let at = place(*at, bytes);
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Delete(at, length) => {
            let at = place(*at, bytes);
            let end = (at + usize::from(*length)).min(bytes.len());
            bytes.drain(at..end);
        }
        Change::Copy(from, to, length) => {
            let from = place(*from, bytes);
            let end = (from + usize::from(*length)).min(bytes.len());
            let copied = bytes[from..end].to_vec();
            let to = place(*to, bytes);
            bytes.splice(to..to, copied);
        }
    }
}

fn seeds() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(invite("m")),
        1 => Just(invite_with("m", "Record-Route: <sip:p1;lr>, \"P\" <sip:p2>\r\nRequire: x\r\n", OFFER)),
        1 => Just(within("INFO", 2, "tag", "i", "Content-Type: application/dtmf-relay\r\n", "Signal=1\r\n")),
        1 => Just(within("BYE", 2, "tag", "b", "", "")),
        1 => Just(cancel("m")),
        1 => Just("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
                   Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n".to_owned()),
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (seeds(), proptest::collection::vec(change(), 1..6)).prop_map(|(seed, changes)| {
        let mut bytes = seed.into_bytes();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse::message(&bytes);
        let _ = Sdp::parse(&bytes);
    }

    /// What can be read is written back so that it reads the same; what is refused gets a reply that can be read or none.
    #[test]
    fn mutated_messages_are_read_alike_twice(bytes in mutated()) {
        if let Ok(message) = parse::message(&bytes) {
            let again = match &message {
                Message::Request(request) => request.encode(),
                Message::Response(response) => response.encode(),
            };
            prop_assert_eq!(parse::message(&again), Ok(message));
        }
    }

    #[test]
    fn mutated_descriptions_are_read_alike_twice(changes in proptest::collection::vec(change(), 1..6)) {
        let mut bytes = OFFER.as_bytes().to_vec();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        if let Ok(sdp) = Sdp::parse(&bytes) {
            prop_assert_eq!(Sdp::parse(sdp.to_string().as_bytes()), Ok(sdp));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Thousands of mutated messages through one agent that answers whatever it takes for a call.
    #[test]
    fn an_agent_outlives_a_flood_of_mutations(flood in proptest::collection::vec(mutated(), 100..200)) {
        let limits = AgentConfig { dialogs_max: 8, transactions_max: 24, ..config() };
        let mut bench = Bench::with(limits);
        for (round, bytes) in flood.iter().enumerate() {
            bench.bytes_from("203.0.113.5:5060", bytes);
            for event in bench.events() {
                match event {
                    AgentEvent::Incoming { dialog, .. } if round % 2 == 0 => {
                        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
                    }
                    AgentEvent::Incoming { dialog, .. } => bench.command(AgentCommand::Hangup { dialog }),
                    AgentEvent::Offer { dialog, .. } => bench.command(AgentCommand::AnswerOffer { dialog, sdp: None }),
                    _ => {}
                }
            }
            bench.sent.clear();
            let (calls, transactions) = bench.agent.load();
            prop_assert!(calls <= 8 && transactions <= 24, "{calls} calls, {transactions} transactions");
            bench.pass_ms(100);
        }
        bench.pass_ms(300_000);
        prop_assert_eq!(bench.agent.load(), (0, 0));
        bench.events();
        bench.receive(&invite("good"));
        let good = matches!(bench.event(), AgentEvent::Incoming { offer: Some(_), .. });
        prop_assert!(good);
    }
}
