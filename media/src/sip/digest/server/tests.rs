#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use super::*;
use crate::io::Credentials;
use crate::sip::digest::Client;
use crate::sip::digest::tests::register;
use crate::sip::message::Response;
use crate::sip::tokens::Tokens;

const BOTH: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));
const REFUSED: Judged = Judged::Refused { heard: true };
const UNHEARD: Judged = Judged::Refused { heard: false };

struct Bench {
    server: Server,
    client: Client,
    tokens: Tokens,
    now: Instant,
}

impl Bench {
    fn new(user: &str, password: &str) -> Self {
        let now = crate::epoch();
        let credentials = Credentials { user: user.into(), password: password.into(), realms: Vec::new() };
        Self {
            server: Server::new("clinic", [3; 32], now),
            client: Client::new(credentials),
            tokens: Tokens::new([1; 32]),
            now,
        }
    }

    fn challenge(&mut self) {
        let challenges = self.server.challenges(&BOTH, false, SOURCE, self.now);
        let refusal = challenges.iter().fold(Response::to(&register(""), 401, ""), |response, challenge| {
            response.with("WWW-Authenticate", challenge.to_string())
        });
        assert!(self.client.challenged(&register(""), &refusal));
    }

    fn answer(&mut self) -> Request {
        let mut request = register("");
        self.client.authorize(&mut request, &mut self.tokens);
        request
    }

    fn judge(&mut self, request: &Request) -> Judged {
        let ann = |user: &str| (user == "ann").then(|| Secrets::new("ann", "clinic", "secret"));
        self.server.judge(request, ann, SOURCE, self.now)
    }
}

fn accepted() -> Judged {
    Judged::Accepted { user: "ann".into() }
}

/// SEC-11: a wrong password and an unknown user get the same words.
#[test]
fn only_the_right_password_is_accepted() {
    for (user, password, expected) in
        [("ann", "secret", accepted()), ("ann", "Secret", REFUSED), ("eve", "secret", REFUSED)]
    {
        let mut bench = Bench::new(user, password);
        let unanswered = bench.judge(&register(""));
        assert_eq!(unanswered, Judged::Unanswered);
        bench.challenge();
        let request = bench.answer();
        assert!(request.head.get("Authorization").unwrap().contains("algorithm=SHA-256"));
        assert_eq!(bench.judge(&request), expected, "{user} {password}");
        assert_eq!(bench.server.nobodies.get(), 1, "{user} {password}: the same work for everybody");
    }
}

/// What is changed on the way does not pass.
#[test]
fn an_answer_is_for_one_request_one_nonce_and_one_realm() {
    let table = [
        ("realm=\"clinic\"", "realm=\"other\"", Judged::Unanswered),
        ("nc=00000001", "nc=00000002", REFUSED),
        ("nc=00000001", "nc=1", UNHEARD),
        ("nc=00000001", "nc=00000000", UNHEARD),
        ("qop=auth, ", "", UNHEARD),
        ("username=\"ann\"", "username=\"bob\"", REFUSED),
        ("nonce=\"0", "nonce=\"1", UNHEARD),
        ("algorithm=SHA-256", "algorithm=MD5", REFUSED),
        ("uri=\"sip:example.org\"", "uri=\"sip:example.net\"", REFUSED),
        ("response=\"", "response=\"0", REFUSED),
        ("Digest ", "Basic ", Judged::Unanswered),
    ];
    for (from, to, expected) in table {
        let mut bench = Bench::new("ann", "secret");
        bench.challenge();
        let mut request = bench.answer();
        let field = request.head.fields.iter_mut().find(|field| field.name == "Authorization").unwrap();
        assert!(field.value.contains(from), "{} has no {from}", field.value);
        field.value = field.value.replace(from, to);
        assert_eq!(bench.judge(&request), expected, "{to}");
    }
    let mut bench = Bench::new("ann", "secret");
    bench.challenge();
    let mut request = bench.answer();
    request.method = crate::sip::message::Method::Bye;
    assert_eq!(bench.judge(&request), REFUSED, "another method");
    let mut other = Server::new("clinic", [4; 32], bench.now);
    let answered = bench.answer();
    let ann = |_: &str| Some(Secrets::new("ann", "clinic", "secret"));
    let judged = other.judge(&answered, ann, SOURCE, bench.now);
    assert_eq!(judged, Judged::Stale, "of the process before: who has the password comes again by itself");
    let mut bench = Bench::new("ann", "secret");
    bench.challenge();
    let answered = bench.answer();
    let ann = |_: &str| Some(Secrets::new("ann", "clinic", "secret"));
    let elsewhere = "198.51.100.8".parse().unwrap();
    assert_eq!(bench.server.judge(&answered, ann, elsewhere, bench.now), Judged::Stale, "asked of another source");
}

#[test]
fn counts_are_taken_once_and_may_overtake_each_other() {
    let mut bench = Bench::new("ann", "secret");
    bench.challenge();
    let answers: Vec<Request> = (0..100).map(|_| bench.answer()).collect();
    for (at, expected) in [
        (2, accepted()),
        (0, accepted()),
        (2, Judged::Stale),
        (0, Judged::Stale),
        (80, accepted()),
        (80, Judged::Stale),
        (17, accepted()),
        (16, Judged::Stale),
        (99, accepted()),
        (98, accepted()),
    ] {
        assert_eq!(bench.judge(&answers[at]), expected, "use {}", at + 1);
    }
}

#[test]
fn nonces_grow_stale() {
    let mut bench = Bench::new("ann", "secret");
    bench.challenge();
    bench.now += NONCE_LIVES;
    let request = bench.answer();
    assert_eq!(bench.judge(&request), accepted());
    bench.now += Duration::from_millis(1);
    let request = bench.answer();
    assert_eq!(bench.judge(&request), Judged::Stale);
    bench.challenge();
    let request = bench.answer();
    assert_eq!(bench.judge(&request), accepted());
    assert_eq!(bench.server.uses.len(), 1, "what is stale is forgotten");
}

#[test]
fn the_memory_of_nonces_is_bounded_and_a_forgotten_one_is_stale() {
    let mut bench = Bench::new("ann", "secret");
    bench.challenge();
    let (first, again) = (bench.answer(), bench.answer());
    assert_eq!(bench.judge(&first), accepted());
    for _ in 0..NONCES_MAX {
        bench.now += Duration::from_millis(1);
        bench.challenge();
        let request = bench.answer();
        assert_eq!(bench.judge(&request), accepted());
    }
    assert!(bench.server.uses.len() <= NONCES_MAX && bench.server.order.len() <= NONCES_MAX);
    assert_eq!(bench.judge(&again), Judged::Stale);
    assert_eq!(bench.judge(&first), Judged::Stale, "not even what was taken before");
}
