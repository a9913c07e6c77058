//! A browser's page with a microphone that hums, over real sockets of the loopback, UDP or TCP: str0m plays the browser.

use super::clinic::PATIENCE;
use super::person::{Person, read};
use auricle_media::rtp::framing::{Framer, framed};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

const RATE_HZ: usize = 16_000;
/// What is listened to at once, the newest that was heard: a third of a second.
const SPAN: usize = RATE_HZ / 3;
/// Below this nobody speaks.
const QUIET: i16 = 300;

/// Amplitudes of what microphones hum.
const LOUD: f64 = 8_000.0;
const SOFT: f64 = 2_500.0;
/// What a tone has at the least of the power of several that are equally loud, as a share of what it should have.
const SHARE_MIN: f64 = 0.4;

/// What a microphone hums.
struct Hum {
    hertz: f64,
    loud: f64,
}

/// A page that is open; it is gone without a word when this is dropped.
pub struct Page {
    playing: JoinHandle<()>,
    heard: watch::Receiver<Vec<i16>>,
    /// Whether it has taken over the session of a page before.
    pub resumed: bool,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.playing.abort();
    }
}

impl Page {
    /// Opens a person's softphone, whose microphone hums at `hertz`, and waits until it is connected.
    pub async fn open(person: &Person, hertz: f64) -> Self {
        Self::open_from(Network::Open, person, hertz).await
    }

    /// The same, more softly: several together are not too loud.
    pub async fn open_softly(person: &Person, hertz: f64) -> Self {
        Self::open_as(Network::Open, person, Hum { hertz, loud: SOFT }).await
    }

    /// The same in this network.
    pub async fn open_from(network: Network, person: &Person, hertz: f64) -> Self {
        Self::open_as(network, person, Hum { hertz, loud: LOUD }).await
    }

    async fn open_as(network: Network, person: &Person, hum: Hum) -> Self {
        let mut rtc = RtcConfig::new().set_rtp_mode(true).clear_codecs().enable_opus(true, false).build(Instant::now());
        let prepared = Prepared::new(network).await;
        rtc.add_local_candidate(prepared.candidate());
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let body = json!({ "sdp": offer.to_sdp_string(), "purpose": "station" });
        let answer = read(person.send(Method::POST, "/api/softphone/session", body).await, StatusCode::OK).await;
        let wire = prepared.connect(answer["sdp"].as_str().unwrap()).await;
        let sdp = SdpAnswer::from_sdp_string(answer["sdp"].as_str().unwrap()).unwrap();
        rtc.sdp_api().accept_answer(pending, sdp).unwrap();
        let (connected, mut is_connected) = watch::channel(false);
        let (told, heard) = watch::channel(Vec::new());
        let line = Line {
            rtc,
            wire,
            mid,
            hum,
            spoken: 0,
            packets: 0,
            encoder: opus::Encoder::new(RATE_HZ as u32, opus::Channels::Mono, opus::Application::Audio).unwrap(),
            decoder: opus::Decoder::new(RATE_HZ as u32, opus::Channels::Mono).unwrap(),
            connected,
            told,
        };
        let playing = tokio::spawn(line.play());
        let up = is_connected.wait_for(|connected| *connected);
        let _up = tokio::time::timeout(PATIENCE, up).await.expect("the page should be connected").unwrap();
        Self { playing, heard, resumed: answer["resumed"] == true }
    }

    /// Waits until it hears this tone and nothing else.
    pub async fn hears(&mut self, hertz: f64) {
        self.listens(&format!("{hertz} Hz"), |span| {
            span.iter().any(|it| it.abs() > QUIET) && purity(span, hertz) > 0.8
        })
        .await;
    }

    /// Waits until it hears all of these tones, each of them about as loud as the others, and nothing else.
    pub async fn hears_all(&mut self, hertz: &[f64]) {
        let least = SHARE_MIN / hertz.len() as f64;
        self.listens(&format!("{hertz:?} Hz"), |span| {
            let shares: Vec<f64> = hertz.iter().map(|hertz| purity(span, *hertz)).collect();
            span.iter().any(|it| it.abs() > QUIET)
                && shares.iter().all(|it| *it > least)
                && shares.iter().sum::<f64>() > 0.8
        })
        .await;
    }

    /// Waits until it has heard so many frames more, and hears this tone.
    pub async fn hears_on(&mut self, frames: usize, hertz: f64) {
        for _ in 0..frames {
            let more = tokio::time::timeout(PATIENCE, self.heard.changed()).await;
            more.expect("it should hear more").unwrap();
        }
        self.hears(hertz).await;
    }

    /// Waits until it hears nothing.
    pub async fn hears_nothing(&mut self) {
        self.listens("nothing", |span| span.iter().all(|it| it.abs() < QUIET)).await;
    }

    async fn listens(&mut self, what: &str, is_it: impl Fn(&[i16]) -> bool) {
        let heard = self.heard.wait_for(|heard| heard.len() == SPAN && is_it(heard));
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        drop(heard.unwrap_or_else(|_| panic!("it should hear {what}")).unwrap());
    }
}

/// What a page's network lets out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    /// Everything.
    Open,
    /// Nothing but TCP.
    TcpOnly,
}

/// A page's socket before it knows where to go.
enum Prepared {
    Udp(UdpSocket),
    Tcp(TcpSocket),
}

impl Prepared {
    async fn new(network: Network) -> Self {
        match network {
            Network::Open => Self::Udp(UdpSocket::bind("127.0.0.1:0").await.unwrap()),
            Network::TcpOnly => {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                Self::Tcp(socket)
            }
        }
    }

    fn candidate(&self) -> Candidate {
        match self {
            Self::Udp(socket) => Candidate::host(socket.local_addr().unwrap(), "udp").unwrap(),
            Self::Tcp(socket) => {
                let active = Candidate::builder().tcp().host(socket.local_addr().unwrap()).tcptype(TcpType::Active);
                active.build().unwrap()
            }
        }
    }

    /// Goes to where the answer says.
    async fn connect(self, answer: &str) -> Wire {
        match self {
            Self::Udp(socket) => Wire::Udp(socket),
            Self::Tcp(socket) => {
                let line = answer.lines().find(|line| line.contains("tcptype passive")).expect("a way by TCP");
                let words: Vec<&str> = line.split(' ').collect();
                let server = format!("{}:{}", words[4], words[5]).parse().unwrap();
                let stream = socket.connect(server).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Wire::Tcp { stream, framer: Framer::default(), packets: VecDeque::new() }
            }
        }
    }
}

/// What carries a page's packets.
enum Wire {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, framer: Framer, packets: VecDeque<Vec<u8>> },
}

impl Wire {
    fn protocol(&self) -> Protocol {
        if matches!(self, Self::Udp(_)) { Protocol::Udp } else { Protocol::Tcp }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp { stream, .. } => stream.local_addr(),
        }
        .unwrap()
    }

    /// The next packet and whence it came. May be given up at any time: nothing of it is lost.
    async fn receive(&mut self) -> (Vec<u8>, SocketAddr) {
        match self {
            Self::Udp(socket) => {
                let mut bytes = vec![0; 2_000];
                match socket.recv_from(&mut bytes).await {
                    Ok((length, source)) => (bytes[..length].to_vec(), source),
                    Err(_) => std::future::pending().await,
                }
            }
            Self::Tcp { stream, framer, packets } => loop {
                if let Some(packet) = packets.pop_front() {
                    return (packet, stream.peer_addr().unwrap());
                }
                let (mut piece, mut whole) = (Vec::with_capacity(4_096), Vec::new());
                match stream.read_buf(&mut piece).await {
                    Ok(1..) => framer.receive(&piece, &mut whole).unwrap(),
                    _ => std::future::pending().await,
                }
                packets.extend(whole);
            },
        }
    }

    async fn send(&mut self, packet: &[u8], to: SocketAddr) {
        // A service that is gone takes nothing.
        let _sent = match self {
            Self::Udp(socket) => socket.send_to(packet, to).await.map(|_| ()),
            Self::Tcp { stream, .. } => stream.write_all(&framed(packet).unwrap()).await,
        };
    }
}

struct Line {
    rtc: Rtc,
    wire: Wire,
    mid: Mid,
    hum: Hum,
    spoken: usize,
    packets: u64,
    encoder: opus::Encoder,
    decoder: opus::Decoder,
    connected: watch::Sender<bool>,
    told: watch::Sender<Vec<i16>>,
}

impl Line {
    async fn play(mut self) {
        let mut frames = tokio::time::interval(Duration::from_millis(20));
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (protocol, own) = (self.wire.protocol(), self.wire.address());
        loop {
            let wake = self.drain().await;
            let (is_frame, received) = tokio::select! {
                _ = frames.tick() => (true, None),
                received = self.wire.receive() => (false, Some(received)),
                () = tokio::time::sleep_until(wake.into()) => (false, None),
            };
            let now = Instant::now();
            let packet = received.as_ref().and_then(|(bytes, source)| Receive::new(protocol, *source, own, bytes).ok());
            if is_frame && *self.connected.borrow() {
                self.speak(now);
            }
            let input = packet.map_or(Input::Timeout(now), |packet| Input::Receive(now, packet));
            self.rtc.handle_input(input).unwrap();
        }
    }

    /// Sends what there is to send; says when it wants to go on.
    async fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    self.wire.send(&transmit.contents, transmit.destination).await;
                }
                Output::Event(Event::Connected) => drop(self.connected.send_replace(true)),
                Output::Event(Event::RtpPacket(packet)) => self.hear(&packet.payload),
                Output::Event(_) => {}
            }
        }
    }

    fn hear(&mut self, payload: &[u8]) {
        let mut samples = [0; 1_920];
        let length = self.decoder.decode(payload, &mut samples, false).unwrap();
        self.told.send_modify(|heard| {
            heard.extend_from_slice(&samples[..length]);
            heard.drain(..heard.len().saturating_sub(SPAN));
        });
    }

    fn speak(&mut self, now: Instant) {
        let wave = |at: usize| ((at as f64 * self.hum.hertz * TAU / RATE_HZ as f64).sin() * self.hum.loud) as i16;
        let frame: Vec<i16> = (self.spoken..self.spoken + RATE_HZ / 50).map(wave).collect();
        self.spoken += frame.len();
        self.packets += 1;
        let payload = self.encoder.encode_vec(&frame, 400).unwrap();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mid, None).unwrap();
        let time = u32::try_from(self.spoken * 3).unwrap();
        stream.write_rtp(RtpWrite::new(Pt::new_with_value(111), self.packets.into(), time, now, payload));
    }
}

/// How much of the signal's power lies at this frequency, 0.0 to 1.0 (Goertzel).
fn purity(samples: &[i16], hertz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / RATE_HZ as f64).cos();
    let (mut first, mut second, mut total) = (0.0, 0.0, 0.0);
    for sample in samples {
        let value = f64::from(*sample);
        total += value * value;
        (first, second) = (value + coefficient * first - second, first);
    }
    let power = first * first + second * second - coefficient * first * second;
    if total == 0.0 { 0.0 } else { 2.0 * power / (total * samples.len() as f64) }
}
