//! Telnyx, as the clinic sees it: its REST API, events with real signatures, commands that are carried out once, and media sockets that
//! play at real time and echo marks. It can misbehave on demand.
//!
//! It knows the clinic by its public address and reaches it on the loopback, as behind a proxy that ends TLS.

mod api;
mod call;
mod placed;

pub use api::Command;
pub use call::{CallEnd, Caller, Region};
pub use placed::Placed;

use super::clinic::PATIENCE;
use super::twilio::PUBLIC;
use auricle::clock;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::routing::{get, patch, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

pub const API_KEY: &str = "KEY0123456789ABCDEF0123456789ABCDEF_abcdefghijklmnopqrstuv";
pub const NUMBER: &str = "+15550177";
pub const NUMBER_ID: &str = "1293384261075731499";
/// The seeds of the account's key, and of the next one.
pub const KEY: u8 = 7;
pub const NEXT_KEY: u8 = 8;
const CALLS: &str = "/api/webhooks/telnyx/calls";

/// Telnyx's side of the account.
#[derive(Clone)]
pub struct Telnyx {
    /// Address of its API.
    pub api: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// The seed of the key that signs.
    signer: u8,
    applications: Vec<Value>,
    /// What has the number; empty: nothing.
    connection: String,
    /// Statuses that the next requests are answered with.
    faults: VecDeque<u16>,
    /// Statuses that the next commands are answered with, though they are carried out.
    lies: VecDeque<u16>,
    /// Names of commands that were taken.
    taken: HashSet<String>,
    /// Every command that came, and whether it was carried out.
    commands: watch::Sender<Vec<(Command, bool)>>,
    /// Calls that were wanted, by the names of the commands; and those that no test has seen yet.
    dialled: HashMap<String, String>,
    wanted: watch::Sender<VecDeque<(String, Value)>>,
    /// Calls that are on.
    on: HashMap<String, mpsc::UnboundedSender<Command>>,
    calls: u32,
    events: u32,
}

impl Telnyx {
    /// Starts on a free port; it ends with the test's runtime.
    pub async fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            signer: KEY,
            applications: Vec::new(),
            connection: "77001".to_owned(),
            faults: VecDeque::new(),
            lies: VecDeque::new(),
            taken: HashSet::new(),
            commands: watch::Sender::default(),
            dialled: HashMap::new(),
            wanted: watch::Sender::default(),
            on: HashMap::new(),
            calls: 0,
            events: 0,
        }));
        let app = Router::new()
            .route("/v2/call_control_applications", get(api::applications).post(api::make_application))
            .route("/v2/call_control_applications/{id}", get(api::application).patch(api::change_application))
            .route("/v2/phone_numbers", get(api::numbers))
            .route("/v2/phone_numbers/{id}", patch(api::change_number))
            .route("/v2/calls", post(api::dial))
            .route("/v2/calls/{call}/actions/{name}", post(api::command))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { api, shared }
    }

    /// The account has another key from now on.
    pub fn signs_with(&self, seed: u8) {
        self.shared.lock().unwrap().signer = seed;
    }

    /// Its API answers the next requests with these statuses, and does nothing.
    pub fn fails(&self, statuses: &[u16]) {
        self.shared.lock().unwrap().faults.extend(statuses);
    }

    /// Its API answers the next commands with these statuses, though it has carried them out.
    pub fn lies(&self, statuses: &[u16]) {
        self.shared.lock().unwrap().lies.extend(statuses);
    }

    /// The application that has the number, as its webhook's address.
    pub fn webhook_url(&self) -> Option<String> {
        let shared = self.shared.lock().unwrap();
        let found = shared.applications.iter().find(|one| one["id"] == json!(shared.connection))?;
        found["webhook_event_url"].as_str().map(str::to_owned)
    }

    /// Somebody removes all applications in the portal.
    pub fn loses_applications(&self) {
        self.shared.lock().unwrap().applications.clear();
    }

    /// How many applications there are.
    pub fn applications(&self) -> usize {
        self.shared.lock().unwrap().applications.len()
    }

    /// Every command to a call that came, and whether it was carried out.
    pub fn commands(&self, call: &str) -> Vec<(Command, bool)> {
        of(&self.shared.lock().unwrap().commands.borrow(), call)
    }

    /// The same, once there are so many.
    pub async fn told(&self, call: &str, count: usize) -> Vec<(Command, bool)> {
        let mut commands = self.shared.lock().unwrap().commands.subscribe();
        let enough = commands.wait_for(|commands| of(commands, call).len() >= count);
        of(&tokio::time::timeout(PATIENCE, enough).await.expect("it is told too little").unwrap(), call)
    }

    /// A call that is on: its name, and the commands to it.
    pub fn new_call(&self) -> (String, mpsc::UnboundedReceiver<Command>) {
        self.shared.lock().unwrap().new_call()
    }

    /// The next call that the clinic wants placed.
    pub async fn placed(&self, clinic: SocketAddr) -> Placed {
        let mut wanted = self.shared.lock().unwrap().wanted.subscribe();
        let any = wanted.wait_for(|wanted| !wanted.is_empty());
        drop(tokio::time::timeout(PATIENCE, any).await.expect("no call is wanted").unwrap());
        let mut next = None;
        self.shared.lock().unwrap().wanted.send_modify(|wanted| next = wanted.pop_front());
        let (call, fields) = next.unwrap();
        let (to, commands) = mpsc::unbounded_channel();
        self.shared.lock().unwrap().on.insert(call.clone(), to);
        Placed::new(self.clone(), clinic, call, fields, commands)
    }

    /// Calls that are wanted and no test has seen.
    pub fn unseen(&self) -> usize {
        self.shared.lock().unwrap().wanted.borrow().len()
    }

    /// A call is over: commands to it are refused.
    pub fn over(&self, call: &str) {
        self.shared.lock().unwrap().on.remove(call);
    }

    /// An event about a call, with a name of its own.
    pub fn event(&self, call: &str, kind: &str, more: Value) -> Value {
        let mut shared = self.shared.lock().unwrap();
        shared.events += 1;
        let mut payload = json!({
            "call_control_id": call, "call_leg_id": "leg", "call_session_id": "session", "connection_id": shared.connection,
            "client_state": null, "from": "+15550100", "to": NUMBER,
        });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({
            "data": {
                "record_type": "event", "event_type": kind, "id": format!("0ccc7b54-4df3-4bca-a65a-{:012x}", shared.events),
                "occurred_at": "2026-11-20T10:00:00.000000Z", "payload": payload,
            },
            "meta": { "attempt": 1, "delivered_to": format!("{PUBLIC}{CALLS}") },
        })
    }

    /// What a number is called with.
    pub fn initiated(&self, call: &str, more: Value) -> Value {
        let mut fields =
            json!({ "direction": "incoming", "state": "parked", "offered_codecs": "PCMU,PCMA", "tags": [] });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.event(call, "call.initiated", fields)
    }

    /// Sends an event as Telnyx does, and answers with what came back.
    pub async fn post(&self, clinic: SocketAddr, event: &Value) -> reqwest::Response {
        self.post_to(clinic, CALLS, event).await
    }

    /// The same to another address.
    pub async fn post_to(&self, clinic: SocketAddr, path: &str, event: &Value) -> reqwest::Response {
        let (seed, now_s) = (self.shared.lock().unwrap().signer, clock::system().as_second());
        let (body, timestamp) = (event.to_string(), now_s.to_string());
        let signature = sign(seed, &timestamp, &body);
        self.post_signed(clinic, path, &body, &timestamp, &signature).await
    }

    /// The same with this signature.
    pub async fn post_signed(
        &self,
        clinic: SocketAddr,
        path: &str,
        body: &str,
        timestamp: &str,
        signature: &str,
    ) -> reqwest::Response {
        let request = reqwest::Client::new().post(format!("http://{clinic}{path}"));
        let request = request.header("content-type", "application/json").header("telnyx-timestamp", timestamp);
        request.header("telnyx-signature-ed25519", signature).body(body.to_owned()).send().await.unwrap()
    }

    /// Opens a media socket.
    pub async fn open_socket(&self, clinic: SocketAddr, url: &str) -> Result<WebSocketStream<TcpStream>, Box<Error>> {
        let request = url.replacen("wss://", "ws://", 1).into_client_request().unwrap();
        let stream = TcpStream::connect(clinic).await.unwrap();
        Ok(tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?.0)
    }

    /// Somebody calls the number.
    pub fn call(&self, clinic: SocketAddr, from: &str) -> Caller {
        self.call_from(clinic, from, Region { offers: "PCMU,PCMA", encoding: "PCMU" })
    }

    /// The same from somewhere else.
    pub fn call_from(&self, clinic: SocketAddr, from: &str, region: Region) -> Caller {
        Caller::ring(self.clone(), clinic, from, region)
    }
}

impl Shared {
    fn new_call(&mut self) -> (String, mpsc::UnboundedReceiver<Command>) {
        let (to, commands) = mpsc::unbounded_channel();
        self.calls += 1;
        // With letters that have to be encoded in a path.
        let call = format!("v3:Call/{}+{:08x}=", self.calls, 0xa0_0000 + self.calls);
        self.on.insert(call.clone(), to);
        (call, commands)
    }
}

fn of(commands: &[(Command, bool)], call: &str) -> Vec<(Command, bool)> {
    commands.iter().filter(|(command, _)| command.call == call).cloned().collect()
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// The public key of a seed, as the portal shows it.
pub fn public_key(seed: u8) -> String {
    STANDARD.encode(pair(seed).public_key().as_ref())
}

/// Ed25519 over timestamp and body.
pub fn sign(seed: u8, timestamp: &str, body: &str) -> String {
    STANDARD.encode(pair(seed).sign(format!("{timestamp}|{body}").as_bytes()).as_ref())
}
