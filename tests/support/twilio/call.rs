//! A call through Twilio: what the caller says and hears, the media socket, and what comes after it.

use super::super::clinic::PATIENCE;
use super::{ACCOUNT, PUBLIC, Twilio, about, attribute};
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

/// What the caller has heard, and what Twilio was told.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Played audio, mu-law; silence where there was none.
    pub audio: Vec<u8>,
    pub clears: usize,
    pub marks: usize,
    /// Keys that were pressed because the clinic said so (Telnyx).
    pub keys: String,
    /// Sockets opened so far.
    pub sockets: usize,
}

impl Heard {
    /// Octets of it that are no silence.
    pub fn sound(&self) -> usize {
        self.audio.iter().filter(|octet| !matches!(**octet, 0x7a..=0x7f | 0xfa..=0xff)).count()
    }
}

/// What came of a call at Twilio.
#[derive(Debug, PartialEq, Eq)]
pub enum CallEnd {
    CallerHungUp,
    /// The clinic's answer to what comes next was to hang up, or nothing.
    HangUp,
    Rejected,
    /// By the API.
    Completed,
}

enum Order {
    Say(Vec<u8>),
    Press(char),
    HangUp,
    /// Drops the connection; Twilio asks what comes next after so many frames.
    Cut(u32),
    /// Sends nothing for so many frames, then all of it at once.
    Stall(u32),
    /// Sends this text as it is; `{stream}` stands for the stream's name.
    Send(String),
}

/// Somebody who calls through Twilio.
pub struct Caller {
    pub sid: String,
    orders: mpsc::UnboundedSender<Order>,
    hearing: watch::Receiver<Heard>,
    conducting: JoinHandle<CallEnd>,
}

impl Caller {
    pub(super) fn ring(twilio: Twilio, clinic: SocketAddr, from: &str, encoding: &'static str) -> Self {
        let sid = twilio.new_call();
        let (orders, ordered) = mpsc::unbounded_channel();
        let (heard, hearing) = watch::channel(Heard::default());
        let (call, from) = (sid.clone(), from.to_owned());
        let status_path = "/api/webhooks/twilio/status".to_owned();
        let conduct = Conduct { twilio, clinic, call, from, encoding, orders: ordered, heard, status_path };
        Self { sid, orders, hearing, conducting: tokio::spawn(conduct.run(None)) }
    }

    /// Whom the clinic has called answers.
    pub(super) fn answer(twilio: Twilio, clinic: SocketAddr, sid: String, asked: (String, String)) -> Self {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (heard, hearing) = watch::channel(Heard::default());
        let (call, encoding, (twiml, status_path)) = (sid.clone(), "audio/x-mulaw", asked);
        let conduct =
            Conduct { twilio, clinic, call, from: String::new(), encoding, orders: ordered, heard, status_path };
        Self { sid, orders, hearing, conducting: tokio::spawn(conduct.run(Some(twiml))) }
    }

    pub fn say(&self, speech: Vec<u8>) {
        self.orders.send(Order::Say(speech)).unwrap();
    }

    pub fn press(&self, digit: char) {
        self.orders.send(Order::Press(digit)).unwrap();
    }

    pub fn hang_up(&self) {
        self.orders.send(Order::HangUp).unwrap();
    }

    /// Loses the socket; Twilio has noticed after so many milliseconds.
    pub fn cut(&self, noticed_ms: u32) {
        self.orders.send(Order::Cut(noticed_ms / 20)).unwrap();
    }

    pub fn stall(&self, ms: u32) {
        self.orders.send(Order::Stall(ms / 20)).unwrap();
    }

    pub fn send(&self, text: &str) {
        self.orders.send(Order::Send(text.to_owned())).unwrap();
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
    twilio: Twilio,
    clinic: SocketAddr,
    call: String,
    from: String,
    encoding: &'static str,
    orders: mpsc::UnboundedReceiver<Order>,
    heard: watch::Sender<Heard>,
    status_path: String,
}

enum StreamEnd {
    HungUp,
    Closed,
    Cut(u32),
    Completed,
}

impl Conduct {
    /// From what is to be done first; without it, that is asked.
    async fn run(mut self, first: Option<String>) -> CallEnd {
        let mut twiml = match first {
            Some(twiml) => twiml,
            None => self.ask("/api/webhooks/twilio/voice", "ringing").await,
        };
        let mut clock = interval(Duration::from_millis(20));
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        'answers: loop {
            if twiml.contains("<Reject") {
                return CallEnd::Rejected;
            }
            if !twiml.contains("<Connect") {
                assert!(twiml.contains("<Hangup/>") || twiml.contains("<Response></Response>"), "{twiml}");
                return CallEnd::HangUp;
            }
            let action = attribute(&twiml, "Connect", "action");
            let next = action.strip_prefix(PUBLIC).expect("a path of the public address").to_owned();
            match self.stream(&twiml, &mut clock).await {
                StreamEnd::HungUp => {
                    self.tell_completed().await;
                    return CallEnd::CallerHungUp;
                }
                StreamEnd::Completed => return CallEnd::Completed,
                StreamEnd::Closed => {}
                StreamEnd::Cut(frames) => {
                    for _ in 0..frames {
                        clock.tick().await;
                        if let Some(instead) = self.twilio.redirected(&self.call) {
                            twiml = instead;
                            continue 'answers;
                        }
                        if self.twilio.completed(&self.call) {
                            return CallEnd::Completed;
                        }
                    }
                }
            }
            if self.twilio.completed(&self.call) {
                return CallEnd::Completed;
            }
            twiml = self.ask(&next, "in-progress").await;
        }
    }

    async fn ask(&self, path: &str, status: &str) -> String {
        let reply = self.twilio.post(self.clinic, path, &about(&self.call, &self.from, status)).await;
        let found = reply.status();
        let text = reply.text().await.unwrap();
        assert_eq!(found, StatusCode::OK, "{text}");
        text
    }

    async fn tell_completed(&self) {
        let mut form = about(&self.call, &self.from, "completed");
        form.push(("SequenceNumber".to_owned(), "0".to_owned()));
        form.push(("CallDuration".to_owned(), "7".to_owned()));
        self.twilio.post(self.clinic, &self.status_path, &form).await;
    }

    async fn stream(&mut self, twiml: &str, clock: &mut Interval) -> StreamEnd {
        let url = attribute(twiml, "Stream", "url");
        let mut socket = self.twilio.open_socket(self.clinic, &url).await.expect("the clinic takes the socket");
        self.heard.send_modify(|heard| heard.sockets += 1);
        let sid = format!("MZ{:032x}", self.heard.borrow().sockets);
        let mut line = Line { sid: sid.clone(), sequence: 1, ..Line::default() };
        let start = json!({ "event": "start", "sequenceNumber": "1", "streamSid": sid, "start": {
            "streamSid": sid, "accountSid": ACCOUNT, "callSid": self.call, "tracks": ["inbound"],
            "customParameters": parameters(twiml),
            "mediaFormat": { "encoding": self.encoding, "sampleRate": 8000, "channels": 1 } } });
        for text in [json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }), start] {
            socket.send(Message::text(text.to_string())).await.unwrap();
        }
        loop {
            let mut texts = Vec::new();
            tokio::select! {
                _ = clock.tick() => {
                    if self.twilio.completed(&self.call) {
                        // The clinic may have closed its end already.
                        let _gone = socket.send(Message::text(line.stop(&self.call))).await;
                        return StreamEnd::Completed;
                    }
                    texts = line.tick(&self.heard);
                }
                order = self.orders.recv() => match order {
                    Some(Order::Say(speech)) => line.speech.extend(speech),
                    Some(Order::Press(digit)) => texts.push(line.message("dtmf", json!({ "track": "inbound_track", "digit": digit.to_string() }))),
                    Some(Order::Stall(frames)) => line.stalled = frames,
                    Some(Order::Send(text)) => texts.push(text.replace("{stream}", &sid)),
                    Some(Order::Cut(frames)) => return StreamEnd::Cut(frames),
                    Some(Order::HangUp) | None => {
                        let _gone = socket.send(Message::text(line.stop(&self.call))).await;
                        let _gone = socket.close(None).await;
                        return StreamEnd::HungUp;
                    }
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => texts = line.told(&text, &self.heard),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return StreamEnd::Closed,
                    Some(Ok(other)) => panic!("Twilio takes no {other:?}"),
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

/// The parameters of a stream.
fn parameters(twiml: &str) -> Value {
    let each = twiml.split("<Parameter ").skip(1).map(|rest| format!("<Parameter {rest}"));
    each.map(|it| (attribute(&it, "Parameter", "name"), json!(attribute(&it, "Parameter", "value"))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What waits to be played.
enum Waiting {
    Audio(VecDeque<u8>),
    Mark(String),
}

/// One stream.
#[derive(Default)]
struct Line {
    sid: String,
    sequence: u64,
    /// 20 ms that have passed, and those that were sent.
    chunk: u64,
    sent: u64,
    speech: VecDeque<u8>,
    stalled: u32,
    waiting: VecDeque<Waiting>,
}

impl Line {
    fn message(&mut self, event: &str, body: Value) -> String {
        self.sequence += 1;
        let sequence = self.sequence.to_string();
        json!({ "event": event, "sequenceNumber": sequence, "streamSid": self.sid, event: body }).to_string()
    }

    fn stop(&mut self, call: &str) -> String {
        self.message("stop", json!({ "accountSid": ACCOUNT, "callSid": call }))
    }

    /// 20 ms: what the caller says, and what the caller hears.
    fn tick(&mut self, heard: &watch::Sender<Heard>) -> Vec<String> {
        let mut texts = Vec::new();
        self.stalled = self.stalled.saturating_sub(1);
        self.chunk += 1;
        if self.stalled == 0 {
            // After a stall what was held back comes at once: the timestamps say where it belongs.
            for chunk in self.sent + 1..=self.chunk {
                let frame: Vec<u8> = (0..FRAME).map(|_| self.speech.pop_front().unwrap_or(SILENCE)).collect();
                let media = json!({ "track": "inbound", "chunk": chunk.to_string(), "timestamp": (chunk * 20).to_string(), "payload": STANDARD.encode(frame) });
                texts.push(self.message("media", media));
            }
            self.sent = self.chunk;
        }
        texts.extend(self.play(heard));
        texts
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

    /// A message from the clinic. One that Twilio would not understand ends the test.
    fn told(&mut self, text: &str, heard: &watch::Sender<Heard>) -> Vec<String> {
        let message: Value = serde_json::from_str(text).expect("the clinic sends JSON");
        if message["streamSid"] != json!(self.sid) {
            // Twilio drops what names another stream.
            return Vec::new();
        }
        match message["event"].as_str().unwrap() {
            "media" => {
                let payload = STANDARD.decode(message["media"]["payload"].as_str().unwrap()).unwrap();
                self.waiting.push_back(Waiting::Audio(payload.into()));
                Vec::new()
            }
            "mark" => {
                heard.send_modify(|heard| heard.marks += 1);
                self.waiting.push_back(Waiting::Mark(message["mark"]["name"].as_str().unwrap().to_owned()));
                Vec::new()
            }
            "clear" => {
                heard.send_modify(|heard| heard.clears += 1);
                let waiting = std::mem::take(&mut self.waiting);
                let marks = waiting.into_iter().filter_map(|waiting| match waiting {
                    Waiting::Mark(name) => Some(name),
                    Waiting::Audio(_) => None,
                });
                marks
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|name| self.message("mark", json!({ "name": name })))
                    .collect()
            }
            other => panic!("Twilio knows no {other}"),
        }
    }
}
