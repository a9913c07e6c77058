//! A browser's connection (WebRTC): ICE, DTLS and SRTP by str0m, around plain RTP.
//!
//! The browser offers, we answer; we are the passive side in everything. As an ICE-lite agent (RFC 8445 section 2.5) we have the same
//! addresses for all browsers and ask nobody for theirs: a browser reaches us from wherever it is, and we answer to there.
//!
//! What a browser's far end may say follows from what it has proved. STUN is read by whoever's name it bears, and only an
//! answer from us makes its source a *peer*: str0m answers when the password is right. DTLS, RTP and RTCP are read from peers
//! alone. See [`crate::engine`] for who is at the door.
//!
//! A browser whose network lets no UDP out connects over TCP (RFC 6544): the same packets, the same proof. It tries both, and
//! what it chooses is where we send.
//!
//! str0m draws its own randomness (certificate, ICE password, DTLS) and reads the wall clock once, to write RTCP. Time comes from
//! us otherwise.

pub(crate) mod offer;
mod peers;
pub(crate) mod reach;
pub(crate) mod stun;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::crypto::CryptoProvider;
use str0m::format::{Codec as Format, FormatParams};
use str0m::media::{Frequency, Mid, Pt};
use str0m::net::{Receive, TcpType};
use str0m::rtp::{Extension, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use crate::io::{Hop, Transport, WebRefusal};
use crate::rtp::framing::PACKET_OCTETS_MAX;
use crate::rtp::packet::Packet;
use peers::Peers;
use reach::Reach;

/// How often str0m sums up what the browser reports.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
/// How often RTCP tells the browser how it is heard.
const REPORTS_EVERY: Duration = Duration::from_secs(2);
/// Numbers under which formats are known before the offer gives them its own.
const EVENTS_PT: u8 = 110;
const SLOW_EVENTS_PT: u8 = 126;
const MID_EXTENSION: u8 = 4;
/// Pieces of output taken from str0m after one input. It never has as many; an endless one would stop the clock.
const OUTPUTS_MAX: usize = 1_024;

/// Cryptography for all connections.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(str0m::crypto::from_feature_flags()));

/// What a connection wants.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Send this packet.
    Transmit(Hop, Vec<u8>),
    /// This RTP packet came, decrypted.
    Packet(Vec<u8>),
    /// ICE and DTLS are through: audio may flow.
    Connected,
    /// The browser has closed it, or it has failed.
    Closed,
    /// How the browser hears us: loss from 0.0 to 1.0, and the round trip.
    Figures(f32, Option<Duration>),
}

/// What was agreed on with the browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Formats {
    /// Payload type of Opus.
    pub(crate) audio: u8,
    /// Payload type of telephone events.
    pub(crate) events: Option<u8>,
}

/// A browser's connection.
pub(crate) struct Connection {
    rtc: Rtc,
    reach: Reach,
    mid: Mid,
    formats: Formats,
    name: String,
    peers: Peers,
    wake_at: Instant,
    connected: bool,
    closed: bool,
    heard_at: Instant,
    sent: u64,
    /// The source (SSRC) of the first packet that was truly the browser's. Its only one: a page has one microphone.
    ssrc: Option<u32>,
    wishes: VecDeque<Wish>,
}

impl Connection {
    /// Answers a browser's offer of one audio section.
    ///
    /// # Errors
    /// The offer is at fault: not a description, no audio, no Opus.
    pub(crate) fn answer(offer: &str, reach: Reach, now: Instant) -> Result<(Self, String), WebRefusal> {
        let offer = SdpOffer::from_sdp_string(&offer::cleaned(offer)?).map_err(|_| WebRefusal::Description)?;
        let mut rtc = config().build(now);
        rtc.add_local_candidate(Candidate::builder().udp().host(reach.udp).build().map_err(|_| WebRefusal::Off)?);
        if let Some(address) = reach.tcp {
            let tcp = Candidate::builder().tcp().host(address).tcptype(TcpType::Passive).build();
            rtc.add_local_candidate(tcp.map_err(|_| WebRefusal::Off)?);
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|_| WebRefusal::Description)?;
        let text = answer.to_sdp_string();
        let said = |attribute| offer::value(&text, attribute).ok_or(WebRefusal::Description);
        let (name, mid) = (said("ice-ufrag")?.to_owned(), Mid::from(said("mid")?));
        let mut connection = Self {
            rtc,
            reach,
            mid,
            formats: Formats { audio: 0, events: None },
            name,
            peers: Peers::default(),
            wake_at: now,
            connected: false,
            closed: false,
            heard_at: now,
            sent: 0,
            ssrc: None,
            wishes: VecDeque::new(),
        };
        connection.drain(None, now);
        connection.formats = connection.agreed().ok_or(WebRefusal::Codec)?;
        Ok((connection, reach.told(&text)))
    }

    /// The part of ICE user names that is ours, by which datagrams of strangers find here.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn formats(&self) -> Formats {
        self.formats
    }

    /// Whether ICE and DTLS are through, and it has not been closed since.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected && !self.closed
    }

    /// When something was last heard that only the browser can have sent.
    pub(crate) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Whether this source has proved to be the browser.
    pub(crate) fn is_peer(&self, source: Hop) -> bool {
        self.peers.has(source)
    }

    /// Whether its audio goes over TCP.
    pub(crate) fn is_by_tcp(&self) -> bool {
        self.peers.target().is_some_and(|target| target.transport.is_stream())
    }

    /// A TCP connection of the browser's is gone. Says whether there is nowhere to send to until it is heard again.
    pub(crate) fn leave(&mut self, source: Hop) -> bool {
        self.peers.leave(source);
        self.peers.is_adrift()
    }

    /// When [`Self::wake`] is wanted.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        (!self.closed).then_some(self.wake_at)
    }

    /// The next thing that it wants.
    pub(crate) fn poll(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// Takes a packet. Says whether its source is a peer after it.
    pub(crate) fn receive(&mut self, source: Hop, bytes: &[u8], now: Instant) -> bool {
        let is_stun = stun::is_stun(bytes);
        if self.closed || bytes.len() > PACKET_OCTETS_MAX || !(is_stun || self.is_peer(source)) {
            return false;
        }
        if is_stun && !stun::is_whole(bytes) {
            return false;
        }
        if self.is_of_another_source(bytes) {
            return self.is_peer(source);
        }
        let address = if source.transport == Transport::Udp { Some(self.reach.udp) } else { self.reach.tcp };
        let Some(address) = address else { return false };
        let Ok(received) = Receive::new(peers::protocol(source.transport), source.address, address, bytes) else {
            return self.is_peer(source);
        };
        let input = Input::Receive(now, received);
        if !self.rtc.accepts(&input) {
            return self.is_peer(source);
        }
        let handled = self.rtc.handle_input(input).is_ok();
        let answered = self.drain(is_stun.then_some(source), now);
        if !handled {
            self.fail();
        }
        let is_peer = answered || self.is_peer(source);
        if is_peer {
            self.heard_at = now;
            self.peers.hear(source, now);
        }
        if answered {
            self.follow(source, stun::wants_audio(bytes), now);
        }
        is_peer
    }

    /// The browser has asked from there: where it is no more is no target any longer.
    fn follow(&mut self, source: Hop, wants_audio: bool, now: Instant) {
        let forgotten = self.peers.forgotten(source, wants_audio, now);
        if forgotten.is_empty() || self.closed {
            return;
        }
        for candidate in &forgotten {
            self.rtc.direct_api().invalidate_candidate(candidate);
        }
        self.wake(now);
    }

    /// Whether it is RTP of a source that is not the browser's. str0m follows a new source before it has checked the packet's tag,
    /// so one packet in the browser's name would take its voice away.
    fn is_of_another_source(&self, bytes: &[u8]) -> bool {
        let is_rtp = matches!(bytes, [128..=191, kind, ..] if !matches!(kind, 192..=223));
        let ssrc = bytes.get(8..12).and_then(|ssrc| ssrc.first_chunk::<4>()).map(|ssrc| u32::from_be_bytes(*ssrc));
        is_rtp && self.ssrc.is_some() && self.ssrc != ssrc
    }

    /// Sends an RTP packet, which is numbered and encrypted here.
    pub(crate) fn send(&mut self, packet: &Packet<'_>, now: Instant) {
        if !self.is_connected() {
            return;
        }
        self.sent += 1;
        let (mid, number) = (self.mid, self.sent.into());
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        let payload_type = Pt::new_with_value(packet.payload_type);
        let write = RtpWrite::new(payload_type, number, packet.timestamp, now, packet.payload);
        stream.write_rtp(write.marker(packet.marker));
        self.wake(now);
    }

    /// Time has passed.
    pub(crate) fn wake(&mut self, now: Instant) {
        let handled = self.rtc.handle_input(Input::Timeout(now)).is_ok();
        self.drain(None, now);
        if !handled {
            self.fail();
        }
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        // One that cannot even say goodbye is over as well.
        let _said = self.rtc.close();
        self.drain(None, now);
        self.closed = true;
    }

    /// Takes everything that str0m has to say, as it must be after each input. Says whether the source of a STUN request was
    /// answered, which makes it a peer.
    fn drain(&mut self, asked: Option<Hop>, now: Instant) -> bool {
        let mut answered = false;
        for _ in 0..OUTPUTS_MAX {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at.max(now);
                    return answered;
                }
                Ok(Output::Transmit(transmit)) => {
                    let to = peers::hop(transmit.proto, transmit.destination);
                    if asked == Some(to) && stun::is_stun(&transmit.contents) {
                        answered = true;
                        self.peers.hear(to, now);
                    }
                    self.transmit(to, transmit.contents.into());
                }
                Ok(Output::Event(event)) => self.event(event),
                Err(_error) => break,
            }
        }
        self.fail();
        answered
    }

    fn transmit(&mut self, to: Hop, bytes: Vec<u8>) {
        // Of a connection that is gone its address is left, which may be another's by now.
        if to.transport.is_stream() && !self.is_peer(to) {
            return;
        }
        if !stun::is_stun(&bytes) {
            self.peers.aim(to);
        }
        self.wishes.push_back(Wish::Transmit(to, bytes));
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.wishes.push_back(Wish::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => self.fail(),
            Event::RtpPacket(packet) => {
                let header = &packet.header;
                self.ssrc.get_or_insert(*header.ssrc);
                let mut bytes = Vec::with_capacity(packet.payload.len() + crate::rtp::packet::HEADER_LENGTH);
                let plain = Packet {
                    marker: header.marker,
                    payload_type: *header.payload_type,
                    sequence: header.sequence_number,
                    timestamp: header.timestamp,
                    ssrc: *header.ssrc,
                    payload: &packet.payload,
                };
                plain.write(&mut bytes);
                self.wishes.push_back(Wish::Packet(bytes));
            }
            Event::MediaEgressStats(figures) => {
                if let Some(loss) = figures.loss {
                    self.wishes.push_back(Wish::Figures(loss.clamp(0.0, 1.0), figures.rtt));
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self) {
        if !self.closed {
            self.closed = true;
            self.wishes.push_back(Wish::Closed);
        }
    }

    fn agreed(&self) -> Option<Formats> {
        let theirs = self.rtc.media(self.mid)?.remote_pts();
        let params = self.rtc.codec_config().params();
        let number = |format: Format, clock: Frequency| {
            let is_it = |spec: &str0m::format::CodecSpec| spec.codec == format && spec.clock_rate == clock;
            params
                .iter()
                .find(|params| is_it(&params.spec()) && theirs.contains(&params.pt()))
                .map(|params| *params.pt())
        };
        let [audio, slow] = [Frequency::FORTY_EIGHT_KHZ, Frequency::EIGHT_KHZ];
        // Firefox has events at the telephone's clock alone. Their timestamps are Opus's all the same; only their durations, which nobody
        // asks for, are told in the slower one.
        let events = number(Format::Tele, audio).or_else(|| number(Format::Tele, slow));
        Some(Formats { audio: number(Format::Opus, audio)?, events })
    }
}

fn config() -> RtcConfig {
    let mut config = RtcConfig::new()
        .set_crypto_provider(Arc::clone(&CRYPTO))
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .clear_extension_map()
        // By which a packet says which section it belongs to, where its source was not told.
        .set_extension(MID_EXTENSION, Extension::RtpMid)
        .enable_opus(true, false)
        .set_stats_interval(Some(FIGURES_EVERY))
        .set_rtcp_report_interval_audio(REPORTS_EVERY);
    let events = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
    for (number, clock) in [(EVENTS_PT, Frequency::FORTY_EIGHT_KHZ), (SLOW_EVENTS_PT, Frequency::EIGHT_KHZ)] {
        let number = Pt::new_with_value(number);
        config.codec_config().add_config(number, None, Format::Tele, clock, None, events);
    }
    config
}
