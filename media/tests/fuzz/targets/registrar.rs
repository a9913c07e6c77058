//! A REGISTER to the registrar, first as from anybody, then as if its phone had shown its password: nobody is taken for a phone
//! without it, what is kept is bounded, and everything ends.

use auricle_media::io::{
    Hop, PHONE_CONTACTS_MAX, PHONE_REALM, Phone, PhoneContact, PhoneId, PhoneState, Protection, Transport,
};
use auricle_media::sip::digest::Algorithm;
use auricle_media::sip::digest::server::Secrets;
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::registrar::{EXPIRES_S_MAX, Registrar, RegistrarOutput, Shown};
use std::net::SocketAddr;
use std::time::Duration;

use super::{Seen, origin, scale};

/// Times that the registrar may want to be woken until all is over: each place is asked once a minute and kept open.
const WAKES_MAX: usize = PHONE_CONTACTS_MAX * (EXPIRES_S_MAX as usize / 60 + EXPIRES_S_MAX as usize / 25 + 2);

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    if let Ok(Message::Request(request)) = parse::message(bytes) {
        for transport in [Transport::Udp, Transport::Tls] {
            seen.note(registered(&request, transport));
        }
    }
    seen.number()
}

fn registered(request: &Request, transport: Transport) -> u64 {
    let mut seen = Seen::default();
    let hop = Hop { transport, address: SocketAddr::from(([198, 51, 100, 7], 5070)) };
    let mut registrar = Registrar::new([9; 32], vec![Algorithm::Sha256, Algorithm::Md5]);
    let secrets = Secrets::new("100", PHONE_REALM, "a password that nobody guesses");
    let (id, protection) = (PhoneId(1), Protection::Optional);
    registrar.set_phones(vec![Phone { id, user: "100".into(), secrets, protection }], origin());
    let shown = registrar.who(request, hop, origin());
    assert!(!matches!(shown, Shown::Phone(_)), "taken for a phone without the password");
    readable(&registrar.challenge(request, false, hop, origin()));
    // Twice: what comes again finds what the first has left.
    for _ in 0..2 {
        let response = registrar.register(id, request, hop, origin());
        readable(&response);
        seen.note((response.status, scale(response.head.all("Contact").count())));
        let ways = registrar.ways(id);
        assert!(ways.len() <= PHONE_CONTACTS_MAX && ways.iter().all(|(way, _)| *way == hop), "{ways:?}");
        assert_eq!(registrar.is_flow(hop), !ways.is_empty());
        for (phone, state) in registrar.news() {
            let told = matches!(&state, PhoneState::Registered { contacts } if contacts.len() == ways.len());
            assert!(phone == id && told != ways.is_empty(), "{state:?}");
            if let PhoneState::Registered { contacts } = state {
                found_again(&registrar, contacts.into_iter().map(|contact| (id, contact)).collect());
            }
        }
    }
    let until = origin() + Duration::from_secs(u64::from(EXPIRES_S_MAX) + 1);
    let mut wakes = 0;
    while let Some(at) = registrar.next_wake() {
        assert!(at <= until, "something is kept for ever");
        for output in registrar.wake(at) {
            let (RegistrarOutput::Probe { hop: way, .. } | RegistrarOutput::KeepAlive { hop: way }) = output;
            assert_eq!(way, hop, "somebody else is written to");
        }
        wakes += 1;
        assert!(wakes <= WAKES_MAX, "it wants to be woken too often");
    }
    assert!(registrar.ways(id).is_empty() && !registrar.is_flow(hop), "something stays");
    seen.note(scale(wakes));
    seen.number()
}

/// What is kept of a phone brings it back after a restart, to where it was; over a connection it has to come by itself.
fn found_again(before: &Registrar, kept: Vec<(PhoneId, PhoneContact)>) {
    let mut after = Registrar::new([8; 32], vec![Algorithm::Sha256]);
    let secrets = Secrets::new("100", PHONE_REALM, "a password that nobody guesses");
    let id = PhoneId(1);
    after.set_phones(vec![Phone { id, user: "100".into(), secrets, protection: Protection::Optional }], origin());
    after.restore(kept, origin());
    let written = |registrar: &Registrar| -> Vec<(Hop, String)> {
        registrar.ways(id).into_iter().map(|(hop, uri)| (hop, uri.to_string())).collect()
    };
    let datagrams = written(before).into_iter().filter(|(hop, _)| hop.transport == Transport::Udp);
    assert_eq!(written(&after), datagrams.collect::<Vec<_>>());
}

fn readable(response: &Response) {
    let written = response.encode();
    assert_eq!(parse::message(&written), Ok(Message::Response(response.clone())), "what we answer reads differently");
}
