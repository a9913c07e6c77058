#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use super::*;
use crate::sip::message::Message;
use crate::sip::parse;

/// The examples of RFC 2617 section 3.5, RFC 7616 section 3.9.1 and (corrected by its erratum) RFC 2069 section 2.4.
#[test]
fn answers_match_the_rfcs() {
    let rfc2617 = Some(Count { nc: "00000001", cnonce: "0a4f113b" });
    let rfc7616 = Some(Count { nc: "00000001", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ" });
    let (old, new) = ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v");
    let (host, org) = ("testrealm@host.com", "http-auth@example.org");
    let table = [
        (Algorithm::Md5, host, "CircleOfLife", old, None, "1949323746fe6a43ef61f9606e7febea"),
        (Algorithm::Md5, host, "Circle Of Life", old, rfc2617, "6629fae49393a05397450978507c4ef1"),
        (Algorithm::Md5, org, "Circle of Life", new, rfc7616, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            Algorithm::Sha256,
            org,
            "Circle of Life",
            new,
            rfc7616,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ];
    for (algorithm, realm, password, nonce, count, expected) in table {
        let secret = algorithm.secret("Mufasa", realm, password);
        assert_eq!(response(algorithm, &secret, nonce, count, "GET", "/dir/index.html"), expected);
    }
}

pub(in crate::sip) fn register(headers: &str) -> Request {
    let text = format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@example.org>;tag=1\r\n\
         To: <sip:a@example.org>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n{headers}\r\n"
    );
    match parse::message(text.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn refusal(status: u16, challenges: &[&str]) -> Response {
    let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    challenges.iter().fold(Response::to(&register(""), status, ""), |response, value| response.with(name, *value))
}

fn client(realm: Option<&str>) -> Client {
    Client::new(Credentials {
        user: "a".into(),
        password: "secret".into(),
        realms: realm.map(str::to_owned).into_iter().collect(),
    })
}

const PLAIN: &str = "Digest realm=\"r\", nonce=\"n\"";
const COUNTED: &str = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int, auth\", opaque=\"o\"";
const SHA: &str = "digest algorithm=sha-256, realm=\"r\", nonce=\"s\", qop=\"auth\"";

/// What is answered, and what is not.
#[test]
fn the_best_challenge_of_the_right_realm_is_answered() {
    /// Status, challenges, our realm, what the answer contains.
    type Row = (u16, &'static [&'static str], Option<&'static str>, Option<&'static str>);
    let table: [Row; 13] = [
        (401, &[PLAIN], None, Some("algorithm=MD5")),
        (407, &[PLAIN], Some("r"), Some("algorithm=MD5")),
        (401, &[COUNTED], None, Some("algorithm=MD5, opaque=\"o\", qop=auth, nc=00000001, cnonce=\"")),
        (401, &[SHA, COUNTED], None, Some("algorithm=SHA-256, qop=auth, nc=00000001")),
        (401, &[COUNTED, SHA], None, Some("algorithm=SHA-256, qop=auth, nc=00000001")),
        (401, &["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", PLAIN], None, Some("algorithm=MD5")),
        (401, &[PLAIN], Some("other"), None),
        (401, &["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""], None, None),
        (401, &["Digest realm=\"r\""], None, None),
        (401, &["Digest realm=\"r\", nonce=\"n\", nonce=\"m\""], None, None),
        (401, &["Basic realm=\"r\""], None, None),
        (401, &[], None, None),
        (403, &[PLAIN], None, None),
    ];
    for (status, challenges, realm, expected) in table {
        let mut client = client(realm);
        let mut request = register("");
        let taken = client.challenged(&request, &refusal(status, challenges));
        assert_eq!(taken, expected.is_some(), "{status} {challenges:?}");
        client.authorize(&mut request, &mut Tokens::new([1; 32]));
        let name = if status == 401 { "Authorization" } else { "Proxy-Authorization" };
        match expected {
            Some(expected) => {
                assert!(request.head.get(name).unwrap().contains(expected), "{:?}", request.head.get(name))
            }
            None => assert_eq!(request.head.fields, []),
        }
    }
}

/// Which realms are answered when none is configured: those of the trunk itself, else that of who asks first.
#[test]
fn realms_are_learned_from_what_goes_no_further() {
    let invite = Request { method: Method::Invite, ..register("") };
    let in_realm = |realm: &str| refusal(401, &[&PLAIN.replace("\"r\"", &format!("\"{realm}\""))]);
    let mut of_trunk = client(None);
    for (request, realm, is_answered) in [
        (&register(""), "trunk", true),
        (&invite, "callee", false),
        (&invite, "trunk", true),
        // The trunk itself may change its mind, and what it said before holds as well: proxies and registrars differ.
        (&register(""), "renamed", true),
        (&invite, "renamed", true),
        (&invite, "trunk", true),
        (&invite, "callee", false),
    ] {
        assert_eq!(of_trunk.challenged(request, &in_realm(realm)), is_answered, "{:?} in {realm}", request.method);
        assert_eq!(of_trunk.is_foreign(&in_realm(realm)), !is_answered, "{realm}");
    }
    for index in 0..9 {
        assert!(of_trunk.challenged(&register(""), &in_realm(&index.to_string())));
    }
    assert!(!of_trunk.challenged(&invite, &in_realm("trunk")), "the oldest of many is forgotten");
    assert!(!of_trunk.is_foreign(&refusal(403, &[PLAIN])) && !of_trunk.is_foreign(&refusal(401, &[])), "nobody asks");
    for (status, challenges, realm) in [
        (401, &["Basic realm=\"b\"", "Digest realm=\"a \\\"b\\\"\", nonce=\"n\"", PLAIN][..], Some("a \"b\"")),
        (407, &[PLAIN][..], Some("r")),
        (401, &["Basic realm=\"b\""][..], None),
        (403, &[PLAIN][..], None),
    ] {
        assert_eq!(realm_of(&refusal(status, challenges)).as_deref(), realm, "{status} {challenges:?}");
    }
    let mut by_address = client(None);
    for (realm, is_answered) in [("first", true), ("second", false), ("first", true)] {
        assert_eq!(by_address.challenged(&invite, &in_realm(realm)), is_answered, "{realm}");
    }
}

#[test]
fn an_answer_that_was_refused_is_not_given_again() {
    let mut client = client(None);
    let mut tokens = Tokens::new([1; 32]);
    let mut request = register("");
    assert!(client.challenged(&request, &refusal(401, &[COUNTED])));
    client.authorize(&mut request, &mut tokens);
    // Stale means: right, but too late.
    let stale = "Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=TRUE";
    assert!(client.challenged(&request, &refusal(401, &[stale])));
    client.authorize(&mut request, &mut tokens);
    assert_eq!(request.head.all("Authorization").count(), 1);
    let first = request.head.get("Authorization").unwrap().to_owned();
    client.authorize(&mut request, &mut tokens);
    let second = request.head.get("Authorization").unwrap().to_owned();
    assert!(first.contains("nonce=\"n2\"") && first.contains("nc=00000001"), "{first}");
    assert!(second.contains("nonce=\"n2\"") && second.contains("nc=00000002"), "{second}");
    // An old nonce that the server has forgotten without saying so is worth one more try, a wrong password is not.
    let fresh = "Digest realm=\"r\", nonce=\"n3\", qop=\"auth\"";
    assert!(client.challenged(&request, &refusal(401, &[fresh])));
    client.authorize(&mut request, &mut tokens);
    assert!(!client.challenged(&request, &refusal(401, &[&fresh.replace("n3", "n4")])));
    client.authorize(&mut request, &mut tokens);
    assert_eq!(request.head.get("Authorization"), None, "what was refused is not sent unasked either");
    assert!(client.challenged(&request, &refusal(407, &[PLAIN])), "a proxy asks for itself");
}

#[test]
fn names_with_quotes_are_escaped_and_passwords_never_shown() {
    let credentials = Credentials { user: "a\"\\\r\n".into(), password: "hunter2".into(), realms: vec!["q\"r".into()] };
    let mut client = Client::new(credentials.clone());
    let mut request = register("");
    assert!(client.challenged(&request, &refusal(401, &["Digest realm=\"q\\\"r\", nonce=\"n\""])));
    client.authorize(&mut request, &mut Tokens::new([1; 32]));
    let answer = request.head.get("Authorization").unwrap();
    assert!(answer.starts_with("Digest username=\"a\\\"\\\\\", realm=\"q\\\"r\", nonce"), "{answer}");
    let secret = Algorithm::Md5.secret(&credentials.user, "q\"r", "hunter2");
    assert!(answer.contains(&response(Algorithm::Md5, &secret, "n", None, "REGISTER", "sip:example.org")));
    assert!(!format!("{client:?} {credentials:?}").contains("hunter2"));
}
