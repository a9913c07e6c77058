//! The board's line to the server: signs in once, then follows the socket and reconnects for as long as it takes.

use crate::message::{Figures, Message};
use crate::model::Clinic;
use crate::{Options, WallError};
use auricle_domain::Timestamp;
use auricle_domain::code::Lang;
use auricle_domain::live::{Live, LiveCall};
use futures_util::{SinkExt, StreamExt};
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use url::Url;

/// Longest wait for a reply.
const REPLY_MAX: Duration = Duration::from_secs(10);
/// The server pings every 15 s; a socket silent for longer is dead.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// First and longest wait before the socket is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Figures are asked for at most this often.
const FIGURES_APART: Duration = Duration::from_secs(1);

/// A signed-in client.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    bearer: String,
    language: Lang,
    clinic: Clinic,
    clock: fn() -> Timestamp,
}

#[derive(Deserialize)]
struct SignedIn {
    account: Account,
    token: String,
}

#[derive(Deserialize)]
struct Account {
    language: Lang,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// A frame of the server; kinds that a later server adds are left alone.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerFrame {
    Hello {
        seq: u64,
    },
    Event {
        envelope: Envelope,
    },
    Live {
        live: Live,
    },
    Calls {
        items: Vec<LiveCall>,
    },
    Gap {
        head: u64,
    },
    Ping,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Envelope {
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
}

impl Client {
    /// Signs in and learns the clinic's name and zone.
    ///
    /// # Errors
    /// When the address is none, nobody answers, or the server refuses.
    pub async fn sign_in(options: &Options) -> Result<Self, WallError> {
        let address = || WallError::Address(options.url.clone());
        let base = Url::parse(&options.url).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(address());
        }
        let unreachable = |_| WallError::Unreachable { url: options.url.clone() };
        let http = reqwest::Client::builder().timeout(REPLY_MAX).build().map_err(unreachable)?;
        let body = json!({ "email": options.email, "password": options.password, "client": "terminal" });
        let login = base.join("/api/auth/login").map_err(|_| address())?;
        let signed: SignedIn = answer(&options.url, http.post(login).json(&body)).await?;
        let bearer = format!("Bearer {}", signed.token);
        let clinic = base.join("/api/clinic").map_err(|_| address())?;
        let clinic: Clinic = answer(&options.url, http.get(clinic).header(AUTHORIZATION, &bearer)).await?;
        Ok(Self { http, base, bearer, language: signed.account.language, clinic, clock: options.clock })
    }

    /// The account's language.
    pub fn language(&self) -> Lang {
        self.language
    }

    /// The clinic.
    pub fn clinic(&self) -> &Clinic {
        &self.clinic
    }

    /// Follows the server until nobody listens any more. Each item of `refresh` fetches the figures.
    pub async fn follow(self, messages: mpsc::Sender<Message>, refresh: mpsc::Receiver<()>) {
        tokio::select! {
            () = self.sockets(&messages) => {}
            () = self.figures(&messages, refresh) => {}
        }
    }

    /// One socket after the other, with growing waits between them.
    async fn sockets(&self, messages: &mpsc::Sender<Message>) {
        let mut wait = RETRY.0;
        let mut seen = None;
        while !messages.is_closed() {
            if self.listen(messages, &mut seen).await {
                wait = RETRY.0;
            }
            if messages.send(Message::Disconnected).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// One life of the socket, from `seen` on; says whether it came up at all.
    async fn listen(&self, messages: &mpsc::Sender<Message>, seen: &mut Option<u64>) -> bool {
        let Some(request) = self.socket_request() else { return false };
        let Ok(Ok((mut socket, _))) = timeout(REPLY_MAX, connect_async(request)).await else { return false };
        while let Ok(Some(Ok(frame))) = timeout(SILENCE_MAX, socket.next()).await {
            let Frame::Text(text) = frame else { continue };
            let Ok(frame) = serde_json::from_str::<ServerFrame>(&text) else { continue };
            let (message, reply) = self.read(frame, seen);
            if let Some(message) = message
                && messages.send(message).await.is_err()
            {
                return true;
            }
            if let Some(reply) = reply
                && socket.send(Frame::text(reply.to_string())).await.is_err()
            {
                return true;
            }
        }
        true
    }

    /// What a frame means for the board, and what the server should hear back.
    fn read(&self, frame: ServerFrame, seen: &mut Option<u64>) -> (Option<Message>, Option<serde_json::Value>) {
        let now = (self.clock)();
        match frame {
            ServerFrame::Hello { seq } => {
                let since = *seen.get_or_insert(seq);
                (Some(Message::Connected(now)), Some(json!({ "type": "subscribe", "since": since })))
            }
            ServerFrame::Event { envelope } => {
                *seen = Some(envelope.seq);
                (Some(Message::Event { kind: envelope.kind, at: now }), None)
            }
            ServerFrame::Live { live } => (Some(Message::Live(live, now)), None),
            ServerFrame::Calls { items } => (Some(Message::Calls(items, now)), None),
            // The board holds nothing but the present: it goes on from the head, and fetches the figures anew.
            ServerFrame::Gap { head } => {
                *seen = Some(head);
                (Some(Message::Connected(now)), Some(json!({ "type": "subscribe", "since": head })))
            }
            ServerFrame::Ping => {
                let ack = json!({ "type": "ack", "seq": seen.unwrap_or(0) });
                (Some(Message::Event { kind: String::new(), at: now }), Some(ack))
            }
            ServerFrame::Unknown => (None, None),
        }
    }

    fn socket_request(&self) -> Option<tokio_tungstenite::tungstenite::handshake::client::Request> {
        let mut url = self.base.join("/ws").ok()?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).ok()?;
        let mut request = url.as_str().into_client_request().ok()?;
        request.headers_mut().insert(AUTHORIZATION.as_str(), HeaderValue::from_str(&self.bearer).ok()?);
        Some(request)
    }

    /// Fetches the day's figures whenever asked, at most once a second; a failure leaves the old ones, whose age is on
    /// the board.
    async fn figures(&self, messages: &mpsc::Sender<Message>, mut refresh: mpsc::Receiver<()>) {
        while refresh.recv().await.is_some() {
            let Ok(url) = self.base.join("/api/calls/stats") else { continue };
            let request = self.http.get(url).header(AUTHORIZATION, &self.bearer);
            if let Ok(Stats { today }) = answer::<Stats>(self.base.as_str(), request).await
                && messages.send(Message::Figures(today, (self.clock)())).await.is_err()
            {
                return;
            }
            tokio::time::sleep(FIGURES_APART).await;
        }
    }
}

#[derive(Deserialize)]
struct Stats {
    today: Figures,
}

/// Sends a request and reads its JSON, or the problem it came back with.
async fn answer<T: serde::de::DeserializeOwned>(url: &str, request: reqwest::RequestBuilder) -> Result<T, WallError> {
    let unreachable = |_| WallError::Unreachable { url: url.to_owned() };
    let refused = |detail: String| WallError::Refused { url: url.to_owned(), detail };
    let reply = request.send().await.map_err(unreachable)?;
    let status = reply.status();
    let text = reply.text().await.map_err(unreachable)?;
    if !status.is_success() {
        let problem = serde_json::from_str::<Problem>(&text).map(|problem| problem.detail);
        return Err(refused(problem.unwrap_or_else(|_| status.to_string())));
    }
    serde_json::from_str(&text).map_err(|error| refused(format!("an answer that is not as documented: {error}")))
}
