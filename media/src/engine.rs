//! The Engine: signalling, packets and audio of all legs, sans-IO.
//!
//! One input, then [`poll`](Engine::poll) until `None`. Audio moves only on the tick: every 20 ms for each leg, at
//! multiples of 20 ms from a beginning, so that it never drifts; many legs are spread over the four quarters of it. A late wake-up is caught up
//! with at most [`CATCH_UP_MAX`] ticks; what is missed beyond that is skipped, counted, and left as a hole in time.

mod admission;
mod bans;
mod bridges;
mod carriers;
mod changes;
mod commands;
mod connections;
mod emergencies;
mod kept;
mod phones;
mod ports;
mod signalling;
mod ticks;
mod transfers;
mod trunks;
mod web;
mod webstreams;

use crate::audio::music::{Music, Piece};
use crate::io::{Codec, EngineEvent, Input, LegEnd, LegId, NextWake, Output, Socket, WakeReason};
use crate::io::{Hop, Inside, PhoneId, Protection, Transport, TrunkId};
use crate::leg::{Leg, Stage};
use crate::rtp::session::Seeds;
use crate::sip::agent::{AgentConfig, AgentInput, DialogId, UserAgent};
use crate::sip::digest::Algorithm;
use crate::sip::framing::{Frame, PING, PONG};
use crate::sip::tokens::Tokens;
use admission::{Admission, Verdict};
use bans::Bans;
use bridges::Bridges;
use connections::Connections;
use emergencies::Emergencies;
use phones::Standing;
use ports::Ports;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ticks::Ticks;
use web::Browsers;
use webstreams::WebStreams;

pub use admission::{Network, NetworkError};
pub use bans::{BANNED, COUNTED, REPEATS_MAX, WRONG_MAX};
pub use emergencies::EMERGENCY_LEGS;
pub use ticks::CATCH_UP_MAX;
pub(crate) use ticks::Quarter;
pub use webstreams::{PROVE_WITHIN, UNPROVED_OF_SOURCE_MAX, WEB_STREAMS_MAX};

/// SIP transactions at once. One stays for 32 s after its answer (RFC 3261 timers J and L), so this is what 500 short
/// calls a second leave behind.
const TRANSACTIONS_MAX: usize = 65_536;
/// Ports tried for one leg before it is given up.
const PORT_TRIES_MAX: u8 = 8;
/// Addresses that we called and still listen to. One more is not remembered: its last retransmissions go unheard.
const PEERS_MAX: usize = 1024;
/// How long a peer that we called is heard after its leg has ended: its last transactions (RFC 3261 64*T1).
const PEER_LINGERS: Duration = Duration::from_secs(32);

/// What an Engine has to know.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where peers reach our SIP socket; its address also goes into SDP.
    pub sip_address: SocketAddr,
    /// Where peers reach us over TCP: for Via and Contact. None: TCP is not offered.
    pub tcp: Option<SocketAddr>,
    /// Where peers reach us over TLS: for Via and Contact. None: TLS is not offered.
    pub tls: Option<SocketAddr>,
    /// Local ports for media.
    pub rtp_ports: RangeInclusive<u16>,
    /// Legs at once; one more is refused with 503, unless it is part of an emergency call ([`EMERGENCY_LEGS`]).
    pub legs_max: usize,
    /// Networks whose SIP is read.
    pub trusted: Vec<Network>,
    /// Networks where phones may be: their SIP is read while there are phones, and they have to show that they are one.
    pub phones: Vec<Network>,
    /// How phones may answer for their passwords, as it is offered to them.
    pub algorithms: Vec<Algorithm>,
    /// Networks that no wrong password locks out, beside the trunks'.
    pub spared: Vec<Network>,
    /// Codecs accepted. The offer's order decides among them.
    pub codecs: Vec<Codec>,
    /// Secret randomness for tags, branches, Call-IDs, RTP numbers and media keys; new for every process.
    pub seed: [u8; 32],
}

/// Shows all but the seed: who knows it can end every call and hear the protected ones.
impl std::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sip_address, tcp, tls, rtp_ports, legs_max, trusted, phones, algorithms, spared, codecs, seed: _ } =
            self;
        f.debug_struct("EngineConfig")
            .field("sip_address", sip_address)
            .field("tcp", tcp)
            .field("tls", tls)
            .field("rtp_ports", rtp_ports)
            .field("legs_max", legs_max)
            .field("trusted", trusted)
            .field("phones", phones)
            .field("algorithms", algorithms)
            .field("spared", spared)
            .field("codecs", codecs)
            .finish_non_exhaustive()
    }
}

/// What the Engine counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// SIP datagrams and connections from outside the networks that are heard, or of who is banned, dropped unread.
    pub strangers: u64,
    /// SIP messages over a source's rate, dropped unread.
    pub too_many: u64,
    /// Wrong passwords of phones.
    pub wrong_passwords: u64,
    /// Connections closed because what came on them was no SIP.
    pub not_sip: u64,
    /// Media for ports that no leg has (any more).
    pub stray_media: u64,
    /// Packets for browsers' legs from sources that have not proved to be a browser, dropped.
    pub stray_web: u64,
    /// Browsers' TCP connections closed by us: too many, not proved in time, what came on them was no browser's, or silent.
    pub web_streams_closed: u64,
    /// Calls refused with 503: all legs or ports that they may have in use, or draining.
    pub calls_refused: u64,
    /// Ticks that came too late to be caught up with.
    pub ticks_skipped: u64,
    /// Parties that a bridge had no place for.
    pub parties_refused: u64,
}

/// All legs of one media thread.
pub struct Engine {
    config: EngineConfig,
    inside: Inside,
    admission: Admission,
    bans: Bans,
    /// What is played to whoever is on hold; none: our own piece.
    piece: Option<Arc<Piece>>,
    connections: Connections,
    agent: UserAgent,
    ports: Ports,
    /// Ordered, so that the same inputs always give the same outputs.
    legs: BTreeMap<LegId, Leg>,
    by_dialog: HashMap<DialogId, LegId>,
    by_port: HashMap<u16, LegId>,
    bridges: Bridges,
    browsers: Browsers,
    emergencies: Emergencies,
    web_streams: WebStreams,
    peers: HashMap<IpAddr, Instant>,
    /// What the certificates of TLS hops must say.
    names: HashMap<Hop, Arc<str>>,
    /// Trunks whose signalling nobody else reads: keys of media may be sent there.
    secure_trunks: HashSet<TrunkId>,
    /// Whether audio has to be encrypted.
    trunk_protection: HashMap<TrunkId, Protection>,
    phone_protection: HashMap<PhoneId, Protection>,
    /// Where removed trunks were, and the last leg that may be one of theirs.
    retired: Vec<(Network, LegId)>,
    ticks: Ticks,
    outputs: VecDeque<Output>,
    next_leg: u64,
    draining: bool,
    random: Random,
    /// Of keys for media: what [`Random`] draws can be guessed from what is sent.
    secrets: Tokens,
    counters: Counters,
}

impl Engine {
    /// An engine with no legs.
    pub fn new(config: EngineConfig) -> Self {
        // Made once for all; a call that is put on hold must not wait for it.
        Music::prepare();
        let agent = UserAgent::new(AgentConfig {
            local: config.sip_address,
            tcp: config.tcp,
            tls: config.tls,
            user_agent: concat!("Auricle/", env!("CARGO_PKG_VERSION")).to_owned(),
            // Legs are counted here; a dialog that is closing needs its place a little longer than its leg.
            dialogs_max: config.legs_max.saturating_mul(2).saturating_add(64),
            transactions_max: TRANSACTIONS_MAX,
            algorithms: config.algorithms.clone(),
            seed: config.seed,
        });
        Self {
            inside: Inside::default(),
            admission: Admission::new(config.trusted.clone()),
            bans: Bans::default(),
            piece: None,
            connections: Connections::default(),
            agent,
            ports: Ports::new(config.rtp_ports.clone()),
            legs: BTreeMap::new(),
            by_dialog: HashMap::new(),
            by_port: HashMap::new(),
            bridges: Bridges::default(),
            browsers: Browsers::default(),
            emergencies: Emergencies::default(),
            web_streams: WebStreams::default(),
            peers: HashMap::new(),
            names: HashMap::new(),
            secure_trunks: HashSet::new(),
            trunk_protection: HashMap::new(),
            phone_protection: HashMap::new(),
            retired: Vec::new(),
            ticks: Ticks::default(),
            outputs: VecDeque::new(),
            next_leg: 1,
            draining: false,
            random: Random::new(&config.seed),
            secrets: Tokens::new(config.seed),
            counters: Counters::default(),
            config,
        }
    }

    /// Peers of these networks see us at other addresses than everybody else, from the next call on. To be told before the trunks.
    pub fn set_inside(&mut self, inside: Inside) {
        self.agent.set_inside(inside.clone());
        self.inside = inside;
    }

    /// Takes one input. Drain [`poll`](Self::poll) after it.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Datagram { socket: Socket::Sip, remote, bytes } => self.sip_datagram(remote, bytes, now),
            Input::Datagram { socket: Socket::Web, remote, bytes } => self.web_datagram(remote, bytes, now),
            Input::WebOpened { remote } => self.web_opened(remote, now),
            Input::WebStream { remote, bytes } => self.web_stream(remote, bytes, now),
            Input::WebClosed { remote } => self.web_closed(remote, now),
            Input::Datagram { socket, remote, bytes } => self.media_datagram(socket, remote, bytes, now),
            Input::Stream { hop, bytes } => self.sip_stream(hop, bytes, now),
            Input::Closed { hop } => {
                self.connections.closed(hop);
                self.agent.handle(AgentInput::Closed { hop }, now);
            }
            Input::Wake => self.wake(now),
            Input::Port { port, opened } => self.port_answered(port, opened, now),
            Input::Frame { leg, at_ms, payload } => self.carrier_frame(leg, at_ms, payload, now),
            Input::Carrier { leg, news } => self.carrier_news(leg, news, now),
            Input::Command(command) => self.command(command, now),
        }
        self.drain_agent(now);
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Wake`] is wanted, and for what.
    pub fn next_wake(&self) -> NextWake {
        let tick = self.next_tick().map(|at| (at, WakeReason::Tick));
        let sip = self.agent.next_wake().map(|at| (at, WakeReason::Sip));
        let ports = self.ports.next_wake().map(|at| (at, WakeReason::Leg));
        let browsers = self.next_browser().map(|at| (at, WakeReason::Leg));
        let streams = self.web_streams.wake_at().map(|at| (at, WakeReason::Leg));
        // On equal times the first wins: the tick must not wait.
        [tick, sip, ports, browsers, streams].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// When audio is made next: what has come by then is part of it.
    pub fn next_tick(&self) -> Option<Instant> {
        self.ticks.next()
    }

    /// How many legs there are.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// The same by what carries them.
    pub fn legs_by_kind(&self) -> [(&'static str, usize); 3] {
        let count = |is_it: fn(&Leg) -> bool| self.legs.values().filter(|leg| is_it(leg)).count();
        let (browser, carrier) = (count(|leg| leg.web.is_some()), count(|leg| leg.carrier.is_some()));
        [("sip", self.legs.len() - browser - carrier), ("browser", browser), ("carrier", carrier)]
    }

    /// Whether this leg exists.
    pub fn has(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// All legs, oldest first.
    pub fn leg_ids(&self) -> Vec<LegId> {
        self.legs.keys().copied().collect()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether SIP from this address is read at all; for who accepts connections. Costs the source nothing.
    pub fn admits(&self, source: IpAddr, now: Instant) -> bool {
        self.standing(source, now) != Standing::Stranger
    }

    /// Whether we call this address, or did a moment ago.
    fn is_called(&self, peer: IpAddr, now: Instant) -> bool {
        self.peers.get(&peer).is_some_and(|until| now <= *until)
            || self.legs.values().any(|leg| leg.dialled == Some(peer))
    }

    fn sip_datagram(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) {
        self.sip_message(Hop::udp(remote), bytes, now);
    }

    /// Judges a message before it is parsed.
    fn sip_message(&mut self, remote: Hop, bytes: &[u8], now: Instant) {
        if let Some(standing) = self.passes(remote, now) {
            let input = match standing {
                Standing::Guest => AgentInput::Guest { remote, bytes },
                Standing::Known | Standing::Stranger => AgentInput::Message { remote, bytes },
            };
            self.agent.handle(input, now);
        }
    }

    /// What the source of a message may do; none when the message is not to be read.
    fn passes(&mut self, remote: Hop, now: Instant) -> Option<Standing> {
        let standing = self.standing(remote.ip(), now);
        if standing == Standing::Stranger {
            self.counters.strangers += 1;
            return None;
        }
        match self.admission.judge(remote.ip(), || true, now) {
            Verdict::Admitted => return Some(standing),
            Verdict::Stranger => self.counters.strangers += 1,
            Verdict::TooMany => self.counters.too_many += 1,
        }
        None
    }

    /// What a connection brought. A source that is not admitted (any more) is closed unread; what is one message too many is
    /// left out like a datagram.
    fn sip_stream(&mut self, hop: Hop, bytes: &[u8], now: Instant) {
        if !self.admits(hop.ip(), now) {
            self.counters.strangers += 1;
            return self.close(hop, now);
        }
        let mut frames = Vec::new();
        let goes_on = self.connections.receive(hop, bytes, &mut frames);
        for frame in frames {
            match frame {
                Frame::Message(bytes) => self.sip_message(hop, &bytes, now),
                Frame::Ping if self.passes(hop, now).is_some() => self.send(hop, PONG.to_vec()),
                Frame::Ping => {}
            }
            // Answers leave in the order of what they answer.
            self.drain_agent(now);
        }
        if !goes_on {
            self.counters.not_sip += 1;
            self.close(hop, now);
        }
    }

    /// Ends a connection; what waits on it has failed.
    fn close(&mut self, hop: Hop, now: Instant) {
        self.outputs.push_back(Output::Close { hop });
        self.connections.closed(hop);
        self.agent.handle(AgentInput::Closed { hop }, now);
    }

    fn send(&mut self, hop: Hop, bytes: Vec<u8>) {
        self.outputs.push_back(match hop.transport {
            Transport::Udp => Output::Transmit { socket: Socket::Sip, remote: hop.address, bytes },
            Transport::Tcp | Transport::Tls => {
                if bytes == PING {
                    self.connections.ask(hop);
                }
                Output::Send { hop, name: self.names.get(&hop).cloned(), bytes }
            }
        });
    }

    fn media_datagram(&mut self, socket: Socket, remote: SocketAddr, bytes: &[u8], now: Instant) {
        let (Socket::Rtp(port) | Socket::Rtcp(port)) = socket else { return };
        let audio = self.by_port.get(&port).and_then(|leg| self.legs.get_mut(leg)).and_then(Leg::audio_mut);
        match audio {
            Some(audio) if matches!(socket, Socket::Rtp(_)) => audio.rtp(remote, bytes, now),
            Some(audio) => audio.rtcp(remote, bytes, now),
            None => self.counters.stray_media += 1,
        }
    }

    fn wake(&mut self, now: Instant) {
        self.run_ticks(now);
        if self.agent.next_wake().is_some_and(|at| at <= now) {
            self.agent.handle(AgentInput::Wake, now);
        }
        self.wake_browsers(now);
        self.wake_web_streams(now);
        while let Some(port) = self.ports.rested(now) {
            self.outputs.push_back(Output::ClosePort(port));
        }
    }

    /// A leg with its port on the way; none when there are too many legs or no port is left.
    fn new_leg(&mut self, stage: Stage, is_emergency: bool, now: Instant) -> Option<LegId> {
        if !self.has_room(is_emergency) {
            return None;
        }
        let port = self.ports.take(is_emergency)?;
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let mut leg = Leg::new(id, port, stage, self.random.next(), now);
        leg.is_emergency = is_emergency;
        self.legs.insert(id, leg);
        self.by_port.insert(port, id);
        self.outputs.push_back(Output::OpenPort(port));
        Some(id)
    }

    fn port_answered(&mut self, port: u16, opened: bool, now: Instant) {
        let owner = self.by_port.get(&port).copied();
        match (owner.filter(|id| self.legs.get(id).is_some_and(Leg::is_opening)), opened) {
            (Some(id), true) => self.leg_opened(id, now),
            (Some(id), false) => {
                self.by_port.remove(&port);
                self.ports.refused(port, now);
                self.next_port(id, now);
            }
            // Its leg has gone in the meantime.
            (None, true) => {
                self.by_port.remove(&port);
                self.ports.release_untold(port, now);
            }
            (None, false) => {
                self.by_port.remove(&port);
                self.ports.refused(port, now);
            }
        }
    }

    fn next_port(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.port_tries += 1;
        let another = if leg.port_tries < PORT_TRIES_MAX { self.ports.take(leg.is_emergency) } else { None };
        match another {
            Some(port) => {
                leg.port = port;
                self.by_port.insert(port, id);
                self.outputs.push_back(Output::OpenPort(port));
            }
            None => self.give_up(id, now),
        }
    }

    fn event(&mut self, event: EngineEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Hears an address that we called for a while after the call, even if it is in no trusted network.
    fn remember(&mut self, peer: IpAddr, now: Instant) {
        if self.peers.len() >= PEERS_MAX {
            self.peers.retain(|_, until| now <= *until);
        }
        if self.peers.len() < PEERS_MAX || self.peers.contains_key(&peer) {
            self.peers.insert(peer, now + PEER_LINGERS);
        }
    }

    /// Forgets a leg and tells what is owed at its end.
    fn forget(&mut self, id: LegId, cause: LegEnd, now: Instant) {
        let Some(leg) = self.legs.remove(&id) else { return };
        self.stop_ticks(leg.quarter);
        self.leave_bridge(id);
        if let Some(dialog) = leg.dialog {
            self.by_dialog.remove(&dialog);
        }
        if let Some(peer) = leg.dialled {
            self.remember(peer, now);
        }
        // A port that is still being opened is released by the answer to that.
        let is_browser = leg.web.is_some();
        if is_browser {
            self.browsers.forget(id);
        } else if !leg.is_opening() && leg.carrier.is_none() {
            self.by_port.remove(&leg.port);
            if leg.has_told_port() {
                self.ports.release(leg.port, now);
            } else {
                self.ports.release_untold(leg.port, now);
            }
        }
        leg.close(cause, now, &mut self.outputs);
        if is_browser {
            self.close_web_streams(id);
        }
    }
}

/// Numbers for RTP and SDP (splitmix64): they need to differ and not to be guessed at first sight, no more.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: &[u8; 32]) -> Self {
        Self(
            seed.iter()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    fn seeds(&mut self) -> Seeds {
        let (numbers, timestamp, rtcp) = (self.next(), self.next(), self.next());
        Seeds { ssrc: (numbers >> 32) as u32, sequence: numbers as u16, timestamp: (timestamp >> 32) as u32, rtcp }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
