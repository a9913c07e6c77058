//! Twilio, as the clinic sees it: its REST API, webhooks with real signatures, media sockets that play at real time and echo marks,
//! and what comes after a socket. It can misbehave on demand.
//!
//! It knows the clinic by its public address and reaches it on the loopback, as behind a proxy that ends TLS.

mod api;
mod call;
mod placed;

pub use call::{CallEnd, Caller, Heard};
pub use placed::Placed;

use super::clinic::PATIENCE;
use axum::Router;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Where Twilio believes the clinic to be.
pub const PUBLIC: &str = "https://desk.clinic.example";
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "5e1f0c7a9b3d4e6f8091a2b3c4d5e6f7";
pub const SECOND: &str = "00112233445566778899aabbccddeeff";
pub const NUMBER: &str = "+15550199";
pub const NUMBER_SID: &str = "PN0123456789abcdef0123456789abcdef";

pub type Form = Vec<(String, String)>;

/// Twilio's side of the account.
#[derive(Clone)]
pub struct Twilio {
    /// Address of its API.
    pub api: String,
    shared: Arc<Mutex<Shared>>,
    wanted: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Form)>>>,
    texts: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Form)>>>,
}

struct Shared {
    /// Tokens that its API accepts.
    tokens: Vec<String>,
    /// The one that signs.
    signer: String,
    status: &'static str,
    number: BTreeMap<String, String>,
    /// Statuses that the next requests are answered with.
    faults: VecDeque<u16>,
    /// Calls that were ended by the API.
    completed: watch::Sender<Vec<String>>,
    /// What calls were given to do instead, by the API.
    redirected: BTreeMap<String, String>,
    calls: u32,
    /// Calls that the clinic has asked for.
    asked: mpsc::UnboundedSender<(String, Form)>,
    /// Text messages that the clinic has handed over.
    written: mpsc::UnboundedSender<(String, Form)>,
    /// So many of the next ones are taken, and the answer is a fault all the same.
    faulty_answers: usize,
    /// The next ones are refused with these codes.
    refusals: VecDeque<u32>,
}

impl Twilio {
    /// Starts on a free port; it ends with the test's runtime.
    pub async fn start() -> Self {
        let number = [("VoiceUrl", "https://demo.twilio.com/welcome/voice/"), ("TrunkSid", "")];
        let (asked, wanted) = mpsc::unbounded_channel();
        let (written, texts) = mpsc::unbounded_channel();
        let shared = Arc::new(Mutex::new(Shared {
            asked,
            written,
            faulty_answers: 0,
            refusals: VecDeque::new(),
            tokens: vec![TOKEN.to_owned()],
            signer: TOKEN.to_owned(),
            status: "active",
            number: number.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            faults: VecDeque::new(),
            completed: watch::Sender::default(),
            redirected: BTreeMap::new(),
            calls: 0,
        }));
        let app = Router::new()
            .route("/2010-04-01/Accounts/{account}", get(api::account))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(api::numbers))
            .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{sid}", post(api::change_number))
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(api::take_text))
            .route("/2010-04-01/Accounts/{account}/Calls.json", post(api::place_call))
            .route("/2010-04-01/Accounts/{account}/Calls/{sid}", post(api::change_call))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (wanted, texts) = (Arc::new(tokio::sync::Mutex::new(wanted)), Arc::new(tokio::sync::Mutex::new(texts)));
        Self { api, shared, wanted, texts }
    }

    /// The account accepts these tokens, and the first of them signs.
    pub fn has_tokens(&self, tokens: &[&str]) {
        let mut shared = self.shared.lock().unwrap();
        shared.tokens = tokens.iter().map(|&token| token.to_owned()).collect();
        shared.signer = tokens[0].to_owned();
    }

    /// The account is `active`, `suspended` or `closed`.
    pub fn is(&self, status: &'static str) {
        self.shared.lock().unwrap().status = status;
    }

    /// Its API answers the next requests with these statuses.
    pub fn fails(&self, statuses: &[u16]) {
        self.shared.lock().unwrap().faults.extend(statuses);
    }

    /// So many of the calls that the clinic asks for are placed, though the answer is a fault.
    pub fn answers_wrongly(&self, times: usize) {
        self.shared.lock().unwrap().faulty_answers = times;
    }

    /// The next calls that the clinic asks for are refused with these codes.
    pub fn refuses(&self, codes: &[u32]) {
        self.shared.lock().unwrap().refusals.extend(codes);
    }

    /// The next call that the clinic asks for.
    pub async fn placed(&self, clinic: SocketAddr) -> Placed {
        let next = async { self.wanted.lock().await.recv().await };
        let asked = tokio::time::timeout(PATIENCE, next).await.expect("the clinic asks for a call").unwrap();
        Placed::new(self.clone(), clinic, asked)
    }

    /// The next text message that the clinic hands over.
    pub async fn text(&self, clinic: SocketAddr) -> Placed {
        let next = async { self.texts.lock().await.recv().await };
        let written = tokio::time::timeout(PATIENCE, next).await.expect("the clinic hands a text over").unwrap();
        Placed::new(self.clone(), clinic, written)
    }

    /// How many text messages the clinic has handed over that nobody has looked at.
    pub async fn unseen_texts(&self) -> usize {
        self.texts.lock().await.len()
    }

    /// How many calls the clinic has asked for that nobody has looked at.
    pub async fn unseen(&self) -> usize {
        self.wanted.lock().await.len()
    }

    /// What is asked when the number is called.
    pub fn voice_url(&self) -> String {
        self.shared.lock().unwrap().number["VoiceUrl"].clone()
    }

    /// Whether a call was ended by the API.
    pub fn completed(&self, call: &str) -> bool {
        self.shared.lock().unwrap().completed.borrow().iter().any(|ended| ended == call)
    }

    /// Waits until a call is ended by the API.
    pub async fn until_completed(&self, call: &str) {
        let mut completed = self.shared.lock().unwrap().completed.subscribe();
        let told = completed.wait_for(|completed| completed.iter().any(|ended| ended == call));
        drop(tokio::time::timeout(PATIENCE, told).await.expect("Twilio is told to end the call").unwrap());
    }

    /// What a call was given to do instead, once.
    fn redirected(&self, call: &str) -> Option<String> {
        self.shared.lock().unwrap().redirected.remove(call)
    }

    /// A fresh name for a call.
    pub fn new_call(&self) -> String {
        let mut shared = self.shared.lock().unwrap();
        shared.calls += 1;
        format!("CA{:032x}", 0xa0_0000 + shared.calls)
    }

    fn sign(&self, url: &str, form: &Form) -> String {
        signature(&self.shared.lock().unwrap().signer, url, form)
    }

    /// Sends a webhook as Twilio does, and answers with what came back.
    pub async fn post(&self, clinic: SocketAddr, path: &str, form: &Form) -> reqwest::Response {
        let signature = self.sign(&format!("{PUBLIC}{path}"), form);
        self.post_signed(clinic, path, form, &signature).await
    }

    /// The same with this signature.
    pub async fn post_signed(&self, clinic: SocketAddr, path: &str, form: &Form, signature: &str) -> reqwest::Response {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().post(format!("http://{clinic}{path}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
        request.header("x-twilio-signature", signature).body(body).send().await.unwrap()
    }

    /// Opens a media socket, signed as it is.
    pub async fn open_socket(&self, clinic: SocketAddr, url: &str) -> Result<WebSocketStream<TcpStream>, Box<Error>> {
        self.open_signed(clinic, url, &self.sign(url, &Form::new())).await
    }

    /// The same with this signature.
    pub async fn open_signed(
        &self,
        clinic: SocketAddr,
        url: &str,
        signature: &str,
    ) -> Result<WebSocketStream<TcpStream>, Box<Error>> {
        let mut request = url.replacen("wss://", "ws://", 1).into_client_request().unwrap();
        request.headers_mut().insert("x-twilio-signature", signature.parse().unwrap());
        let stream = TcpStream::connect(clinic).await.unwrap();
        Ok(tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?.0)
    }

    /// Somebody calls the number.
    pub fn call(&self, clinic: SocketAddr, from: &str) -> Caller {
        self.call_as(clinic, from, "audio/x-mulaw")
    }

    /// The same, with media in another format than it should be.
    pub fn call_as(&self, clinic: SocketAddr, from: &str, encoding: &'static str) -> Caller {
        Caller::ring(self.clone(), clinic, from, encoding)
    }
}

/// HMAC-SHA1 over the address and the form, sorted by name.
pub fn signature(token: &str, url: &str, form: &Form) -> String {
    let mut sorted = form.clone();
    sorted.sort();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What a webhook about a call says.
pub fn about(call: &str, from: &str, status: &str) -> Form {
    let pairs = [
        ("CallSid", call),
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("From", from),
        ("Caller", from),
        ("To", NUMBER),
        ("Called", NUMBER),
        ("CallStatus", status),
        ("Direction", "inbound"),
        ("FromCity", "São Paulo"),
        ("FromState", ""),
        ("StirVerstat", "TN-Validation-Passed-A"),
    ];
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The value of an attribute, or the end of the test.
pub fn attribute(xml: &str, element: &str, name: &str) -> String {
    let element = xml.split_once(&format!("<{element} ")).unwrap_or_else(|| panic!("no {element} in {xml}")).1;
    let element = element.split_once('>').unwrap().0;
    let value = element.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {xml}")).1;
    value.split_once('"').unwrap().0.to_owned()
}
