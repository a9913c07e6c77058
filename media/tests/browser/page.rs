//! The page of a browser, as str0m plays it.

use super::SERVER;
use std::net::SocketAddr;
use std::time::Instant;
use str0m::change::SdpAnswer;
use str0m::format::{Codec as Format, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Rtc, RtcConfig};

/// A page with a microphone that hums.
pub struct Page {
    pub rtc: Rtc,
    pub address: SocketAddr,
    /// The one address of ours that it reaches: what it sends elsewhere is lost.
    pub server: SocketAddr,
    /// Where its TCP connection comes from, which a new one changes, and what it takes that for itself.
    pub tcp: SocketAddr,
    home: SocketAddr,
    pub mid: Option<Mid>,
    /// The tone it says, in hertz; none: silence.
    pub says: f64,
    pub spoken: usize,
    pub packets: u64,
    pub encoder: opus::Encoder,
    pub decoder: opus::Decoder,
    pub heard: Vec<i16>,
    pub connected: bool,
    pub closed: bool,
    /// Digits to press: each as three packets of an event.
    pub keys: Vec<u8>,
    /// Payload type of its events.
    pub events: u8,
    /// What it wants to send, and by what.
    pub out: Vec<(Protocol, Vec<u8>)>,
    pub wake_at: Instant,
}

impl Page {
    /// A page of Chromium, and its offer.
    pub fn new(port: u16, now: Instant) -> (Self, String) {
        Self::by(&[Protocol::Udp], port, now)
    }

    /// A page in a network that lets these out.
    pub fn by(protocols: &[Protocol], port: u16, now: Instant) -> (Self, String) {
        Self::with(protocols, port, (110, Frequency::FORTY_EIGHT_KHZ), now)
    }

    /// A page whose events have this payload type and clock.
    pub fn with_events(port: u16, events: u8, clock: Frequency, now: Instant) -> (Self, String) {
        Self::with(&[Protocol::Udp], port, (events, clock), now)
    }

    fn with(protocols: &[Protocol], port: u16, (events, clock): (u8, Frequency), now: Instant) -> (Self, String) {
        let mut config = RtcConfig::new().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        let params = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
        config.codec_config().add_config(Pt::new_with_value(events), None, Format::Tele, clock, None, params);
        let mut rtc = config.build(now);
        let address = SocketAddr::from(([203, 0, 113, 5], port));
        let tcp = SocketAddr::from(([203, 0, 113, 5], port + 10_000));
        if protocols.contains(&Protocol::Udp) {
            rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        }
        if protocols.contains(&Protocol::Tcp) {
            let candidate = Candidate::builder().tcp().host(tcp).tcptype(TcpType::Active).build();
            rtc.add_local_candidate(candidate.unwrap());
        }
        let mut page = Self {
            rtc,
            address,
            server: SERVER.parse().unwrap(),
            tcp,
            home: tcp,
            mid: None,
            says: 500.0,
            spoken: 0,
            packets: 0,
            encoder: opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Audio).unwrap(),
            decoder: opus::Decoder::new(16_000, opus::Channels::Mono).unwrap(),
            heard: Vec::new(),
            connected: false,
            closed: false,
            keys: Vec::new(),
            events,
            out: Vec::new(),
            wake_at: now,
        };
        let mut api = page.rtc.sdp_api();
        page.mid = Some(api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        let (offer, pending) = api.apply().unwrap();
        let text = offer.to_sdp_string();
        page.drain();
        PENDING.with_borrow_mut(|all| all.push((port, pending)));
        (page, text)
    }

    pub fn answered(&mut self, answer: &str) {
        let port = self.address.port();
        let pending = PENDING.with_borrow_mut(|all| all.swap_remove(all.iter().position(|(p, _)| *p == port).unwrap()));
        self.rtc.sdp_api().accept_answer(pending.1, SdpAnswer::from_sdp_string(answer).unwrap()).unwrap();
        self.drain();
    }

    pub fn receive(&mut self, protocol: Protocol, bytes: &[u8], now: Instant) {
        let own = if protocol == Protocol::Udp { self.address } else { self.home };
        let Ok(received) = Receive::new(protocol, self.server, own, bytes) else { return };
        self.rtc.handle_input(str0m::Input::Receive(now, received)).unwrap();
        self.drain();
    }

    pub fn wake(&mut self, now: Instant) {
        if self.wake_at <= now {
            self.rtc.handle_input(str0m::Input::Timeout(now)).unwrap();
            self.drain();
        }
    }

    /// 20 ms of microphone.
    pub fn speak(&mut self, now: Instant) {
        if !self.connected || self.closed {
            return;
        }
        let frame: Vec<i16> =
            (self.spoken..self.spoken + 320)
                .map(|at| {
                    if self.says == 0.0 {
                        0.0
                    } else {
                        (at as f64 * self.says * std::f64::consts::TAU / 16_000.0).sin()
                    }
                })
                .map(|sample| (sample * 8_000.0) as i16)
                .collect();
        self.spoken += 320;
        let time = self.spoken as u32 * 3;
        match self.keys.pop() {
            Some(key) => {
                for (marker, end, duration) in [(true, 0, 960_u16), (false, 0x80, 1_920), (false, 0x80, 1_920)] {
                    let [high, low] = duration.to_be_bytes();
                    self.write(self.events, time, marker, &[key, end | 10, high, low], now);
                }
            }
            None => {
                let payload = self.encoder.encode_vec(&frame, 400).unwrap();
                self.write(111, time, false, &payload, now);
            }
        }
    }

    fn write(&mut self, payload_type: u8, time: u32, marker: bool, payload: &[u8], now: Instant) {
        self.packets += 1;
        let mid = self.mid.unwrap();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).unwrap();
        let pt = Pt::new_with_value(payload_type);
        stream.write_rtp(RtpWrite::new(pt, self.packets.into(), time, now, payload).marker(marker));
        self.rtc.handle_input(str0m::Input::Timeout(now)).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                str0m::Output::Timeout(at) => {
                    self.wake_at = at;
                    return;
                }
                str0m::Output::Transmit(transmit) if transmit.destination == self.server => {
                    self.out.push((transmit.proto, transmit.contents.to_vec()));
                }
                str0m::Output::Transmit(_) => {}
                str0m::Output::Event(Event::Connected) => self.connected = true,
                str0m::Output::Event(Event::Closed) => self.closed = true,
                str0m::Output::Event(Event::RtpPacket(packet)) if *packet.header.payload_type == 111 => {
                    let mut out = [0; 320];
                    let count = self.decoder.decode(&packet.payload, &mut out, false).unwrap();
                    self.heard.extend_from_slice(&out[..count]);
                }
                str0m::Output::Event(_) => {}
            }
        }
    }
}

thread_local! {
    /// Offers that wait for their answer, by the page's port: str0m's own type for it has no other home.
    static PENDING: std::cell::RefCell<Vec<(u16, str0m::change::SdpPendingOffer)>> = const { std::cell::RefCell::new(Vec::new()) };
}
