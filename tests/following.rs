//! The socket: what happens is told in order, and nothing is missed.

use crate::support::clinic::Clinic;
use crate::support::person::{Person, read};
use auricle::voice::caller;
use auricle_domain::code::{AccessReasons, Role};
use auricle_storage::Backend;
use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(person: &Person) -> Self {
        let mut request = person.socket_url().into_client_request().unwrap();
        let token = format!("Bearer {}", person.token.as_ref().unwrap());
        request.headers_mut().insert("authorization", token.parse().unwrap());
        Self(connect_async(request).await.unwrap().0)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message of this kind; others are passed over.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.0.next().await.expect("the socket is open").unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

/// RT-01: events come from the number that was asked for, in order, without holes, and go on as they happen.
#[tokio::test]
async fn following_resumes_from_a_number_and_misses_nothing() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let mut socket = Socket::open(&admin).await;
    let head = socket.next("hello").await["seq"].as_u64().unwrap();
    assert!(head > 0);
    socket.say(json!({ "type": "subscribe", "since": 0 })).await;
    for seq in 1..=head {
        assert_eq!(socket.next("event").await["envelope"]["seq"], seq);
    }
    admin.made("/api/contacts", json!({ "name": "Ann" })).await;
    let next = socket.next("event").await;
    assert_eq!((&next["envelope"]["seq"], &next["envelope"]["type"]), (&json!(head + 1), &json!("contact.changed")));
    drop(socket);
    admin.made("/api/contacts", json!({ "name": "Bea" })).await;
    let mut socket = Socket::open(&admin).await;
    socket.say(json!({ "type": "subscribe", "since": head + 1 })).await;
    assert_eq!(socket.next("event").await["envelope"]["seq"], head + 2);
    assert_eq!(socket.next("calls").await["items"], json!([]));
}

/// RT-01: a number from the future is a gap, nonsense is told so, and both leave the connection usable.
#[tokio::test]
async fn a_number_from_the_future_is_a_gap() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let mut socket = Socket::open(&admin).await;
    socket.say(json!({ "type": "subscribe", "since": 1_000_000 })).await;
    let gap = socket.next("gap").await;
    let head = gap["head"].as_u64().unwrap();
    socket.say(json!({ "type": "sing" })).await;
    assert_eq!(socket.next("error").await["code"], "invalid");
    socket.say(json!({ "type": "subscribe", "since": head })).await;
    admin.made("/api/contacts", json!({ "name": "Ann" })).await;
    assert_eq!(socket.next("event").await["envelope"]["seq"], head + 1);
}

/// Who read what is not for agents; without a session nobody follows.
#[tokio::test]
async fn agents_see_no_audit_events() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    let contact = admin.made("/api/contacts", json!({ "name": "Ann" })).await;
    let path = format!("/api/contacts/{}", contact["id"].as_str().unwrap());
    read(admin.get(&path).await, StatusCode::OK).await;
    admin.made("/api/contacts", json!({ "name": "Bea" })).await;
    let mut socket = Socket::open(&agent).await;
    socket.say(json!({ "type": "subscribe", "since": 0 })).await;
    let mut kinds = Vec::new();
    while kinds.iter().filter(|kind| *kind == "contact.changed").count() < 2 {
        kinds.push(socket.next("event").await["envelope"]["type"].as_str().unwrap().to_owned());
    }
    assert!(kinds.iter().all(|kind| !kind.starts_with("audit.") && !kind.starts_with("account.")), "{kinds:?}");
    let stranger = connect_async(clinic.anybody().socket_url()).await;
    assert!(stranger.unwrap_err().to_string().contains("401"));
}

/// SEC-20: where the clinic asks why transcripts are read, what was said in a past call does not come again over the socket, but to
/// whoever handled it.
#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_past_calls_do_not_come_again_where_a_reason_is_asked() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    let me = read(agent.get("/api/auth/me").await, StatusCode::OK).await["id"].as_str().unwrap().parse().unwrap();
    // Everything up to a last word that all may hear.
    let turns = async |person: &Person, name: &str| {
        let last = admin.made("/api/contacts", json!({ "name": name })).await;
        let mut socket = Socket::open(person).await;
        socket.say(json!({ "type": "subscribe", "since": 0 })).await;
        let mut turns = 0;
        loop {
            let envelope = socket.next("event").await["envelope"].clone();
            turns += usize::from(envelope["type"] == "conversation.turn");
            if envelope["contact"] == last["id"] {
                return turns;
            }
        }
    };
    assert!(turns(&agent, "Ann").await > 0);
    admin.asks_reasons(AccessReasons::All).await;
    assert_eq!(turns(&agent, "Bea").await, 0);
    clinic.handled(call.id, me).await;
    assert!(turns(&agent, "Cid").await > 0);
    assert_eq!(turns(&admin, "Dan").await, 0);
}
