//! A call through Telnyx: what the caller says and hears, the commands to it, and its media sockets.

use super::super::clinic::PATIENCE;
use super::super::twilio::{Heard, PUBLIC};
use super::api::Command;
use super::{CALLS, NUMBER, Telnyx};
use auricle_media::codec::g711::{decode_a, decode_mu, encode_a, encode_mu};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;

/// What was not asked to be said: silence in mu-law.
const SILENCE: u8 = 0xff;
/// Octets of 20 ms.
const FRAME: usize = 160;

/// Where a caller is.
#[derive(Clone, Copy)]
pub struct Region {
    /// Codecs that the caller's side offers.
    pub offers: &'static str,
    /// How the start message says that the caller is coded, and how the caller is where that is G.711.
    pub encoding: &'static str,
}

/// What came of a call at Telnyx.
#[derive(Debug, PartialEq, Eq)]
pub enum CallEnd {
    CallerHungUp,
    /// The clinic has told it to end.
    HungUp,
    Rejected,
}

enum Order {
    Say(Vec<u8>),
    Press(char),
    /// Presses these keys, and tells them in the wrong order and the first of them twice.
    Jumble(&'static str),
    HangUp,
    /// Drops the connection; another one is opened after so many frames at the soonest.
    Cut(u32),
    /// Sends nothing for so many frames, then all of it at once.
    Stall(u32),
    /// Sends frames in pairs, the later one first, for so many frames.
    Swap(u32),
    /// Sends this text as it is.
    Send(String),
}

/// Somebody who calls through Telnyx.
pub struct Caller {
    pub call: String,
    orders: mpsc::UnboundedSender<Order>,
    hearing: watch::Receiver<Heard>,
    conducting: JoinHandle<CallEnd>,
}

impl Caller {
    pub(super) fn ring(telnyx: Telnyx, clinic: SocketAddr, from: &str, region: Region) -> Self {
        let (call, commands) = telnyx.new_call();
        let (orders, ordered) = mpsc::unbounded_channel();
        let (heard, hearing) = watch::channel(Heard::default());
        let from = from.to_owned();
        let conduct = Conduct {
            telnyx,
            clinic,
            call: call.clone(),
            from,
            region,
            commands,
            orders: ordered,
            heard,
            path: CALLS.to_owned(),
        };
        Self { call, orders, hearing, conducting: tokio::spawn(conduct.run(None)) }
    }

    /// Somebody whom the clinic has called answers.
    pub(super) fn answer(
        telnyx: Telnyx,
        clinic: SocketAddr,
        region: Region,
        (call, commands): (String, mpsc::UnboundedReceiver<Command>),
        (fields, path): (Value, String),
    ) -> Self {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (heard, hearing) = watch::channel(Heard::default());
        let from = fields["from"].as_str().unwrap().to_owned();
        let conduct =
            Conduct { telnyx, clinic, call: call.clone(), from, region, commands, orders: ordered, heard, path };
        Self { call, orders, hearing, conducting: tokio::spawn(conduct.run(Some(fields))) }
    }

    fn order(&self, order: Order) {
        // A call that has ended takes no orders.
        let _over = self.orders.send(order);
    }

    /// Says this, mu-law.
    pub fn say(&self, speech: Vec<u8>) {
        self.order(Order::Say(speech));
    }

    pub fn press(&self, digit: char) {
        self.order(Order::Press(digit));
    }

    pub fn jumble(&self, digits: &'static str) {
        self.order(Order::Jumble(digits));
    }

    pub fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    pub fn cut(&self, ms: u32) {
        self.order(Order::Cut(ms / 20));
    }

    pub fn stall(&self, ms: u32) {
        self.order(Order::Stall(ms / 20));
    }

    pub fn swap(&self, ms: u32) {
        self.order(Order::Swap(ms / 20));
    }

    pub fn send(&self, text: &str) {
        self.order(Order::Send(text.to_owned()));
    }

    /// Waits until what was heard is like this.
    pub async fn until(&mut self, what: &str, is: impl Fn(&Heard) -> bool) -> Heard {
        let found = tokio::time::timeout(PATIENCE, self.hearing.wait_for(is)).await;
        let Ok(Ok(heard)) = found.map(|found| found.map(|heard| heard.clone())) else {
            let heard = self.hearing.borrow();
            panic!("{what}: {} octets of sound, {} clears, {} sockets", heard.sound(), heard.clears, heard.sockets);
        };
        heard
    }

    pub async fn ended(self) -> CallEnd {
        tokio::time::timeout(PATIENCE, self.conducting).await.expect("the call did not end in time").unwrap()
    }
}

struct Conduct {
    telnyx: Telnyx,
    clinic: SocketAddr,
    call: String,
    from: String,
    region: Region,
    commands: mpsc::UnboundedReceiver<Command>,
    orders: mpsc::UnboundedReceiver<Order>,
    heard: watch::Sender<Heard>,
    /// Where its events go.
    path: String,
}

enum StreamEnd {
    CallerHungUp,
    HungUp,
    Closed,
    Cut(u32),
}

impl Conduct {
    async fn run(mut self, mut placed: Option<Value>) -> CallEnd {
        if placed.is_none() {
            let fields = json!({
                "from": self.from, "offered_codecs": self.region.offers, "shaken_stir_attestation": "A", "shaken_stir_validated": true,
                "sip_headers": [{ "name": "Diversion", "value": "<sip:+15550142@example.com>;reason=unconditional" }],
            });
            let initiated = self.telnyx.initiated(&self.call, fields);
            assert_eq!(self.telnyx.post(self.clinic, &initiated).await.status(), StatusCode::NO_CONTENT);
        } else {
            self.tell("call.answered", json!({ "state": "answered" })).await;
        }
        let mut clock = interval(Duration::from_millis(20));
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let end = loop {
            let fields = match placed.take() {
                Some(fields) => fields,
                None => match self.told().await {
                    Ok(fields) => fields,
                    Err(end) => break end,
                },
            };
            match self.stream(&fields, &mut clock).await {
                StreamEnd::CallerHungUp => break CallEnd::CallerHungUp,
                StreamEnd::HungUp => break CallEnd::HungUp,
                StreamEnd::Closed => {}
                StreamEnd::Cut(frames) => {
                    for _ in 0..frames {
                        clock.tick().await;
                    }
                }
            }
        };
        self.telnyx.over(&self.call);
        let fields = json!({ "state": "hangup", "hangup_cause": "normal_clearing", "hangup_source": "caller" });
        self.tell("call.hangup", fields).await;
        end
    }

    /// What the call is told to open a socket with, or how it ends.
    async fn told(&mut self) -> Result<Value, CallEnd> {
        let next = tokio::time::timeout(PATIENCE, self.commands.recv()).await;
        let command = next.expect("the clinic tells the call nothing").expect("the call is on");
        match command.name.as_str() {
            "reject" => {
                assert_eq!(command.fields["cause"], "USER_BUSY");
                Err(CallEnd::Rejected)
            }
            "hangup" => Err(CallEnd::HungUp),
            "answer" | "streaming_start" => Ok(command.fields),
            other => panic!("the clinic has no reason for {other}"),
        }
    }

    async fn tell(&self, kind: &str, fields: Value) {
        let event = self.telnyx.event(&self.call, kind, fields);
        let reply = self.telnyx.post_to(self.clinic, &self.path, &event).await;
        assert_eq!(reply.status(), StatusCode::NO_CONTENT, "{kind}");
    }

    async fn stream(&mut self, fields: &Value, clock: &mut Interval) -> StreamEnd {
        assert_eq!(
            (&fields["stream_track"], &fields["stream_bidirectional_mode"]),
            (&json!("inbound_track"), &json!("rtp"))
        );
        let url = fields["stream_url"].as_str().unwrap();
        assert!(url.starts_with(&PUBLIC.replacen("https://", "wss://", 1)), "{url}");
        let Ok(mut socket) = self.telnyx.open_socket(self.clinic, url).await else {
            self.tell(
                "streaming.failed",
                json!({ "failure_reason": "connection_failed", "stream_params": { "stream_url": url } }),
            )
            .await;
            return StreamEnd::Closed;
        };
        self.tell("streaming.started", json!({ "stream_url": url })).await;
        self.heard.send_modify(|heard| heard.sockets += 1);
        let mut line = Line {
            sequence: 1,
            takes_a: fields["stream_bidirectional_codec"] == "PCMA",
            speaks_a: matches!(self.region.encoding, "PCMA" | "audio/x-alaw"),
            ..Line::default()
        };
        let start = json!({ "event": "start", "sequence_number": "1", "stream_id": "stream", "start": {
            "user_id": "user", "call_control_id": self.call, "call_session_id": "session", "from": self.from, "to": NUMBER,
            "media_format": { "encoding": self.region.encoding, "sample_rate": 8000, "channels": 1 } } });
        for text in [json!({ "event": "connected", "version": "1.0.0" }), start] {
            socket.send(Message::text(text.to_string())).await.unwrap();
        }
        loop {
            let mut texts = Vec::new();
            tokio::select! {
                _ = clock.tick() => texts = line.tick(&self.heard),
                Some(command) = self.commands.recv() => match command.name.as_str() {
                    "hangup" => {
                        // The clinic may have closed its end already.
                        let _gone = socket.send(Message::text(line.stop(&self.call))).await;
                        return StreamEnd::HungUp;
                    }
                    // A stream that is on stays the only one.
                    "streaming_start" => {}
                    "send_dtmf" => {
                        let digits = command.fields["digits"].as_str().expect("which keys").to_owned();
                        assert!(!digits.is_empty() && digits.chars().all(|digit| "0123456789ABCD*#wW".contains(digit)), "{digits}");
                        self.heard.send_modify(|heard| heard.keys.push_str(&digits));
                    }
                    other => panic!("the clinic has no reason for {other}"),
                },
                order = self.orders.recv() => match order {
                    Some(Order::Say(speech)) => line.speech.extend(speech),
                    Some(Order::Press(digit)) => texts.push(line.dtmf(digit, 0)),
                    Some(Order::Jumble(digits)) => texts = line.jumbled(digits),
                    Some(Order::Stall(frames)) => line.stalled = frames,
                    Some(Order::Swap(frames)) => line.swapped = frames,
                    Some(Order::Send(text)) => texts.push(text),
                    Some(Order::Cut(frames)) => return StreamEnd::Cut(frames),
                    Some(Order::HangUp) | None => {
                        let _gone = socket.send(Message::text(line.stop(&self.call))).await;
                        let _gone = socket.close(None).await;
                        return StreamEnd::CallerHungUp;
                    }
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => texts = line.told(&text, &self.heard),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return StreamEnd::Closed,
                    Some(Ok(other)) => panic!("Telnyx takes no {other:?}"),
                },
            }
            for text in texts {
                if socket.send(Message::text(text)).await.is_err() {
                    return StreamEnd::Closed;
                }
            }
        }
    }
}

/// What waits to be played.
enum Waiting {
    Audio(VecDeque<u8>),
    Mark(String),
}

/// One stream.
#[derive(Default)]
struct Line {
    sequence: u64,
    /// 20 ms that have passed, and those that were sent.
    chunk: u64,
    sent: u64,
    speech: VecDeque<u8>,
    stalled: u32,
    swapped: u32,
    /// The frame that is sent after its successor.
    held: Option<String>,
    /// Whether the clinic speaks A-law, and whether the caller does.
    takes_a: bool,
    speaks_a: bool,
    waiting: VecDeque<Waiting>,
}

impl Line {
    fn message(&mut self, event: &str, body: Value) -> String {
        self.sequence += 1;
        let sequence = self.sequence.to_string();
        json!({ "event": event, "sequence_number": sequence, "stream_id": "stream", event: body }).to_string()
    }

    /// A key that was pressed so long ago.
    fn dtmf(&mut self, digit: char, ago_ms: u64) -> String {
        let text = self.message("dtmf", json!({ "digit": digit.to_string() }));
        let mut message: Value = serde_json::from_str(&text).unwrap();
        let at_ms = 10_000 + self.chunk * 20 - ago_ms;
        let (minute, second, ms) = (at_ms / 60_000, at_ms / 1_000 % 60, at_ms % 1_000);
        message["occurred_at"] = json!(format!("2026-11-20T10:{minute:02}:{second:02}.{ms:03}Z"));
        message.to_string()
    }

    /// Keys that were pressed one after the other, as they are told when the order is not kept.
    fn jumbled(&mut self, digits: &str) -> Vec<String> {
        let count = digits.chars().count() as u64;
        let mut texts: Vec<String> =
            digits.chars().zip(0..).map(|(digit, place)| self.dtmf(digit, (count - place) * 100)).collect();
        texts.reverse();
        texts.extend(texts.last().cloned());
        texts
    }

    fn stop(&mut self, call: &str) -> String {
        self.message("stop", json!({ "user_id": "user", "call_control_id": call }))
    }

    /// 20 ms: what the caller says, and what the caller hears.
    fn tick(&mut self, heard: &watch::Sender<Heard>) -> Vec<String> {
        let mut texts = Vec::new();
        self.stalled = self.stalled.saturating_sub(1);
        self.swapped = self.swapped.saturating_sub(1);
        self.chunk += 1;
        if self.stalled == 0 {
            // After a stall what was held back comes at once: its number says where it belongs.
            for chunk in self.sent + 1..=self.chunk {
                let frame = self.frame(chunk);
                match self.held.take() {
                    Some(earlier) => texts.extend([frame, earlier]),
                    None if self.swapped > 0 => self.held = Some(frame),
                    None => texts.push(frame),
                }
            }
            self.sent = self.chunk;
        }
        texts.extend(self.play(heard));
        texts
    }

    fn frame(&mut self, chunk: u64) -> String {
        let speaks_a = self.speaks_a;
        let law = |octet: u8| if speaks_a { encode_a(decode_mu(octet)) } else { octet };
        let frame: Vec<u8> = (0..FRAME).map(|_| law(self.speech.pop_front().unwrap_or(SILENCE))).collect();
        // As in Telnyx's own examples the timestamp is no multiple of anything.
        let media = json!({ "track": "inbound", "chunk": chunk.to_string(), "timestamp": "5", "payload": STANDARD.encode(frame) });
        self.message("media", media)
    }

    fn play(&mut self, heard: &watch::Sender<Heard>) -> Vec<String> {
        let mut frame = Vec::with_capacity(FRAME);
        let mut echoes = Vec::new();
        while frame.len() < FRAME {
            match self.waiting.front_mut() {
                None => frame.push(SILENCE),
                Some(Waiting::Audio(audio)) => match audio.pop_front() {
                    Some(octet) => frame.push(octet),
                    None => drop(self.waiting.pop_front()),
                },
                Some(Waiting::Mark(name)) => {
                    let name = std::mem::take(name);
                    self.waiting.pop_front();
                    echoes.push(self.message("mark", json!({ "name": name })));
                }
            }
        }
        heard.send_modify(|heard| heard.audio.extend(frame));
        echoes
    }

    /// A message from the clinic. One that Telnyx would not understand ends the test.
    fn told(&mut self, text: &str, heard: &watch::Sender<Heard>) -> Vec<String> {
        let message: Value = serde_json::from_str(text).expect("the clinic sends JSON");
        match message["event"].as_str().unwrap() {
            "media" => {
                let payload = STANDARD.decode(message["media"]["payload"].as_str().unwrap()).unwrap();
                assert!(payload.len() >= FRAME, "{} octets are less than 20 ms", payload.len());
                let law = |octet: u8| if self.takes_a { encode_mu(decode_a(octet)) } else { octet };
                self.waiting.push_back(Waiting::Audio(payload.into_iter().map(law).collect()));
                Vec::new()
            }
            "mark" => {
                heard.send_modify(|heard| heard.marks += 1);
                self.waiting.push_back(Waiting::Mark(message["mark"]["name"].as_str().unwrap().to_owned()));
                Vec::new()
            }
            "clear" => {
                heard.send_modify(|heard| heard.clears += 1);
                let mut marks = Vec::new();
                for waiting in std::mem::take(&mut self.waiting) {
                    if let Waiting::Mark(name) = waiting {
                        marks.push(self.message("mark", json!({ "name": name })));
                    }
                }
                marks
            }
            other => panic!("Telnyx knows no {other}"),
        }
    }
}
