//! A message with credentials or a challenge: nobody without the password is accepted, and what we answer a challenge with is
//! one header that can be read.

use auricle_media::io::Credentials;
use auricle_media::sip::digest::server::{Judged, Secrets, Server};
use auricle_media::sip::digest::{Algorithm, Challenge, Client};
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::tokens::Tokens;

use super::{Seen, origin};

/// Who asks.
const SOURCE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    if let Some(challenge) = std::str::from_utf8(bytes).ok().and_then(Challenge::parse) {
        assert_eq!(
            Challenge::parse(&challenge.to_string()).as_ref(),
            Some(&challenge),
            "what is written reads differently"
        );
        seen.note((challenge.algorithm.name(), challenge.counted, challenge.stale, challenge.opaque.is_some()));
    }
    match parse::message(bytes) {
        Ok(Message::Request(request)) => judged(&request, &mut seen),
        Ok(Message::Response(response)) => answered(&response, &mut seen),
        Err(_) => {}
    }
    seen.number()
}

fn judged(request: &Request, seen: &mut Seen) {
    let mut server = Server::new("clinic", [9; 32], origin());
    let challenges = server.challenges(&[Algorithm::Sha256, Algorithm::Md5], false, SOURCE, origin());
    assert!(challenges.iter().all(|challenge| Challenge::parse(&challenge.to_string()).as_ref() == Some(challenge)));
    let known = |user: &str| (user == "100").then(|| Secrets::new("100", "clinic", "a password that nobody guesses"));
    let judged = server.judge(request, known, SOURCE, origin());
    assert!(!matches!(judged, Judged::Accepted { .. }), "accepted without the password");
    seen.note(std::mem::discriminant(&judged));
}

fn answered(response: &Response, seen: &mut Seen) {
    let text = "REGISTER sip:trunk.example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n\r\n";
    let Ok(Message::Request(mut request)) = parse::message(text.as_bytes()) else { return };
    let credentials =
        Credentials { user: "clinic\"".into(), password: "secret of the trunk".into(), realms: Vec::new() };
    let (mut client, mut tokens) = (Client::new(credentials), Tokens::new([1; 32]));
    let challenged = client.challenged(&request, response);
    client.authorize(&mut request, &mut tokens);
    let written = request.encode();
    assert!(!written.windows(19).any(|window| window == b"secret of the trunk"), "the password itself");
    assert_eq!(parse::message(&written), Ok(Message::Request(request)), "what we answer reads differently");
    seen.note((challenged, response.status));
}
