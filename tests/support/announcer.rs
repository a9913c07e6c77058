//! A provider that says something before it takes or refuses a call, such as that a number is not in service: SIP over UDP, and
//! audio of G.711.

use auricle_media::codec::g711::{decode_a, encode_a};
use auricle_media::io::Codec;
use auricle_media::rtp::Clock;
use auricle_media::rtp::packet::Packet;
use auricle_media::rtp::session::{Seeds, Sender};
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::sdp::Sdp;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

const FRAME: usize = 160;

/// A provider; it is gone when this is dropped.
pub struct Announcer {
    ends: watch::Sender<Option<u16>>,
    loudest: watch::Receiver<u16>,
    task: JoinHandle<()>,
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Announcer {
    /// One at this address that rings, and then lets every caller hear `hertz`, until [`Self::refuse`].
    pub async fn at(address: SocketAddr, hertz: f64) -> Self {
        let sip = UdpSocket::bind(address).await.unwrap();
        let audio = UdpSocket::bind((address.ip(), 0)).await.unwrap();
        let (ends, ended) = watch::channel(None);
        let (told, loudest) = watch::channel(0);
        let sender = Sender::new(Seeds { ssrc: 7, sequence: 1, timestamp: 1, rtcp: 1 }, Clock::of(Codec::Pcma));
        let line = Line { sip, audio, hertz, sender, spoken: 0, call: None, told };
        let task = tokio::spawn(line.run(ended));
        Self { ends, loudest, task }
    }

    /// Refuses the call that is on.
    pub fn refuse(&self, status: u16) {
        self.ends.send_replace(Some(status));
    }

    /// The loudest sample that it was sent.
    pub fn loudest(&self) -> u16 {
        *self.loudest.borrow()
    }
}

/// A call that is not answered: its INVITE, where that came from, and where its audio goes.
struct Waiting {
    invite: Request,
    from: SocketAddr,
    audio: SocketAddr,
}

struct Line {
    sip: UdpSocket,
    audio: UdpSocket,
    hertz: f64,
    sender: Sender,
    spoken: usize,
    call: Option<Waiting>,
    told: watch::Sender<u16>,
}

impl Line {
    async fn run(mut self, mut ended: watch::Receiver<Option<u16>>) {
        let mut frames = tokio::time::interval(Duration::from_millis(20));
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut message, mut packet) = (vec![0; 4_096], vec![0; 2_000]);
        loop {
            tokio::select! {
                received = self.sip.recv_from(&mut message) => {
                    let Ok((length, from)) = received else { continue };
                    if let Ok(Message::Request(request)) = parse::message(&message[..length]) {
                        self.answer(request, from).await;
                    }
                }
                received = self.audio.recv_from(&mut packet) => {
                    if let Ok((length, _)) = received {
                        self.hear(&packet[..length]);
                    }
                }
                _ = frames.tick() => self.speak().await,
                Ok(()) = ended.changed() => {
                    let status = *ended.borrow_and_update();
                    if let Some(status) = status {
                        self.end(status).await;
                    }
                }
            }
        }
    }

    async fn answer(&mut self, request: Request, from: SocketAddr) {
        match request.method.name() {
            "ACK" => {}
            "INVITE" => {
                let own = self.sip.local_addr().unwrap();
                let contact = format!("<sip:far@{own}>");
                let ringing = Response::to(&request, 180, "").tagged("far").with("Contact", contact.clone());
                self.send(&ringing, from).await;
                let mut progress = Response::to(&request, 183, "").tagged("far").with("Contact", contact);
                progress = progress.with("Content-Type", "application/sdp");
                let audio = self.audio.local_addr().unwrap();
                progress.body = format!(
                    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
                    audio.port(),
                    host = audio.ip(),
                )
                .into_bytes();
                self.send(&progress, from).await;
                let offer = Sdp::parse(&request.body).unwrap();
                let audio = SocketAddr::new(offer.address_of(&offer.media[0]).unwrap(), offer.media[0].port);
                self.call = Some(Waiting { invite: request, from, audio });
            }
            "CANCEL" => {
                self.send(&Response::to(&request, 200, "").tagged("far"), from).await;
                self.end(487).await;
            }
            _ => self.send(&Response::to(&request, 200, "").tagged("far"), from).await,
        }
    }

    /// 20 ms of what it says.
    async fn speak(&mut self) {
        let Some(call) = &self.call else { return };
        let wave = |at: usize| encode_a(((at as f64 * self.hertz * TAU / 8_000.0).sin() * 8_000.0) as i16);
        let payload: Vec<u8> = (self.spoken..self.spoken + FRAME).map(wave).collect();
        let mut packet = Vec::new();
        self.sender.audio(8, 0, &payload, &mut packet);
        self.sender.advance_by(1);
        self.spoken += FRAME;
        self.audio.send_to(&packet, call.audio).await.unwrap();
    }

    fn hear(&self, bytes: &[u8]) {
        let Ok(packet) = Packet::parse(bytes) else { return };
        if packet.payload_type == 8 {
            let loudest = packet.payload.iter().map(|code| decode_a(*code).unsigned_abs()).max().unwrap_or(0);
            self.told.send_modify(|before| *before = loudest.max(*before));
        }
    }

    async fn end(&mut self, status: u16) {
        if let Some(call) = self.call.take() {
            self.send(&Response::to(&call.invite, status, "").tagged("far"), call.from).await;
        }
    }

    async fn send(&self, response: &Response, to: SocketAddr) {
        self.sip.send_to(&response.encode(), to).await.unwrap();
    }
}
