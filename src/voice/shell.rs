//! The Engine's shell: sockets, one timer, and the thread that owns them.
//!
//! # One thread
//! One thread owns the SIP socket, every RTP socket and the Engine. Sharding calls over several threads needs SIP
//! datagrams to be routed by Call-ID to the Engine that has the dialog; a [`LegId`] belongs to one Engine and nothing
//! in this file is global, so a second [`Shard`] behind such a router is an addition, not a change. It is not built
//! because one thread carries many times the 200 calls this product is sized for (`benches/voice.rs` measures it), and
//! because a second one would take the core on which speech is recognised.
//!
//! # Waiting
//! SIP and commands wake the thread at once. RTP does not: its sockets are looked at every 5 ms, all in one go, because
//! a packet is only needed at the next 20 ms tick and a wake-up costs more than reading a packet. The tick comes from
//! the Engine's own schedule; lateness is measured and exported.
//!
//! # When the application does not keep up
//! [`EngineEvent`]s must arrive. When their queue is full, a new call is refused with 503 and a call that is up is hung
//! up; the one event that is still owed for it, `Ended`, waits here until there is room. Only levels may be dropped.

use crate::voice::attached::{Attached, FRAMES_MAX, FrameIn};
use crate::voice::banlist::BanList;
use crate::voice::browsers::{BrowserConfig, Offers};
use crate::voice::meters::Meters;
use crate::voice::outbox::{Condemned, Outbox};
use crate::voice::recording::{Frame, Recordings};
use crate::voice::sockets::{Ports, READ_EVERY, READS_MAX, SIP, Shared, WAKER, WEB};
use crate::voice::streams::{Arrived, StreamFaults, Streams, Welcome};
use crate::voice::tls::Tls;
use crate::voice::{
    COMMANDS_MAX, EVENTS_MAX, Ears, EngineEvents, Gauges, PhoneStates, Request, TrunkStates, VoiceConfig, VoiceError,
    VoiceHandle, Ways,
};
use auricle_media::engine::{Engine, EngineConfig, Network};
use auricle_media::io::{
    Command, EngineEvent, Input, LegId, Output, Pcm, PhoneState, Socket, Transport, TrunkState, WakeReason,
};
use mio::{Events, Interest, Poll, Waker};
use socket2::{Domain, Protocol, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;

/// Requests taken from the queue before media is looked at again.
const REQUESTS_AT_ONCE: usize = 256;
/// Datagrams of browsers read before others have their turn: ten of them, five times over.
const WEB_READS_MAX: usize = 512;
/// How long hung-up legs may take to say goodbye when the process stops.
const GOODBYE: Duration = Duration::from_secs(2);
/// The longest sleep of a thread that nobody needs.
const IDLE: Duration = Duration::from_secs(1);
/// The media thread's niceness, where the system lets us: a tick must not wait for a recogniser's turn to end.
const NICENESS: i32 = -11;
/// Largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// Usual port of SIP over TLS (RFC 3261 section 19.1.2).
const SIPS_PORT: u16 = 5_061;
/// Ports tried where any may be taken.
const PORT_TRIES_MAX: u32 = 16;
/// Connections that wait to be accepted.
const LISTEN_BACKLOG: i32 = 256;

/// Starts the media thread.
#[derive(Debug)]
pub struct VoiceShell;

impl VoiceShell {
    /// Opens the SIP socket and starts the media thread. The events belong to one reader.
    ///
    /// # Errors
    /// A socket that cannot be opened, a setting that makes no sense, a thread that cannot be started.
    pub fn start(config: VoiceConfig) -> Result<(VoiceHandle, EngineEvents), VoiceError> {
        Self::start_with(config, None)
    }

    /// The same, and serves browsers.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(
        config: VoiceConfig,
        browsers: Option<BrowserConfig>,
    ) -> Result<(VoiceHandle, EngineEvents), VoiceError> {
        check(&config)?;
        let control = Poll::new().map_err(VoiceError::Thread)?;
        let waker = Arc::new(Waker::new(control.registry(), WAKER).map_err(VoiceError::Thread)?);
        let listen_error = |source| VoiceError::Listen { address: config.sip_listen, source };
        let (mut sip, tcp) = open_both(config.sip_listen).map_err(listen_error)?;
        let sip_addr = sip.local_addr().map_err(listen_error)?;
        let tls_error = |address| move |source| VoiceError::Listen { address, source };
        let tls_listener = config.tls_listen.map(|address| listen(address).map_err(tls_error(address))).transpose()?;
        let tls_addr = tls_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let tls = Tls::open(&config.tls)?;
        control.registry().register(sip.source(), SIP, Interest::READABLE).map_err(VoiceError::Thread)?;
        let advertised = config.advertise.unwrap_or_else(|| reachable(sip_addr.ip()));
        let mut engine = Engine::new(EngineConfig {
            sip_address: SocketAddr::new(advertised, sip_addr.port()),
            tcp: Some(SocketAddr::new(advertised, sip_addr.port())),
            // Connections that we open are used both ways, so TLS works outwards also where nobody listens for it.
            tls: Some(SocketAddr::new(advertised, tls_addr.map_or(SIPS_PORT, |address| address.port()))),
            rtp_ports: config.rtp_ports.clone(),
            calls_max: config.calls_max,
            trusted: config.trusted.clone(),
            phones: config.phones.clone(),
            algorithms: config.algorithms.clone(),
            spared: config.spared.clone(),
            codecs: config.codecs.clone(),
            seed: rand::random(),
        });
        let web = browsers.map(|browsers| open_web(&browsers, &mut engine, &control)).transpose()?;
        let browser_addr = web.as_ref().and_then(|web| web.local_addr().ok());
        let (requests, queue) = sync_channel(COMMANDS_MAX);
        let (frames, frames_in) = sync_channel(FRAMES_MAX);
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let (stopping, stopped) = watch::channel(false);
        let gauges = Arc::new(Gauges::default());
        let (trunk_states, told) = watch::channel(TrunkStates::default());
        let (phone_states, places) = watch::channel(PhoneStates::default());
        let bans = BanList::default();
        let stream_faults = StreamFaults::default();
        let welcome: Welcome = Arc::new(RwLock::new(config.trusted.clone()));
        let listeners = [Some((tcp, Transport::Tcp)), tls_listener.map(|listener| (listener, Transport::Tls))];
        let listeners = listeners.into_iter().flatten().collect();
        let streams = Streams::start(listeners, tls, stream_faults.clone(), &welcome, Arc::clone(&waker));
        let tls_fingerprint = config.tls.fingerprint.as_deref().map(Arc::from);
        let ears = Ears {
            stopped,
            trunk_states: told,
            phone_states: places,
            bans: bans.clone(),
            address: advertised,
            tls_fingerprint,
            stream_faults,
            browser_addr,
        };
        let shard = Shard {
            engine,
            control,
            sip,
            web,
            offers: Offers::default(),
            streams,
            welcome,
            trusted: config.trusted.clone(),
            phones: config.phones.clone(),
            trunk_networks: Vec::new(),
            has_phones: false,
            trunk_states,
            phone_states,
            bans,
            ports: Ports::new(sip_addr.ip()).map_err(VoiceError::Thread)?,
            requests: queue,
            attached: Attached::default(),
            frames: frames_in,
            outbox: Outbox::new(events),
            taps: HashMap::new(),
            recordings: Recordings::start().map_err(VoiceError::Thread)?,
            meters: Meters::default(),
            gauges: Arc::clone(&gauges),
            stop_at: None,
            read_at: Instant::now(),
        };
        gauges.running.store(true, Ordering::Relaxed);
        std::thread::Builder::new()
            .name("media".to_owned())
            .spawn(move || {
                // Told at the very end, and also when the thread dies of a broken invariant.
                let _last = Last { gauges: Arc::clone(&shard.gauges), stopping };
                prefer_this_thread();
                shard.run();
            })
            .map_err(VoiceError::Thread)?;
        let ways = Ways { requests, frames, waker };
        Ok((VoiceHandle::new(ways, gauges, ears, sip_addr, tls_addr), received))
    }
}

/// The UDP socket and the TCP listener of one port. A port of our choosing is one that both can have.
fn open_both(address: SocketAddr) -> io::Result<(Shared, TcpListener)> {
    let mut tries = if address.port() == 0 { PORT_TRIES_MAX } else { 1 };
    loop {
        let sip = Shared::open(address)?;
        tries -= 1;
        match listen(sip.local_addr()?) {
            Ok(tcp) => return Ok((sip, tcp)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// The socket of all browsers, and what the engine has to know of it.
fn open_web(browsers: &BrowserConfig, engine: &mut Engine, control: &Poll) -> Result<Shared, VoiceError> {
    let error = |source| VoiceError::Listen { address: browsers.listen, source };
    let mut web = Shared::open(browsers.listen).map_err(error)?;
    let local = web.local_addr().map_err(error)?;
    control.registry().register(web.source(), WEB, Interest::READABLE).map_err(VoiceError::Thread)?;
    let advertised = browsers.advertise.unwrap_or_else(|| reachable(local.ip()));
    let address = SocketAddr::new(advertised, local.port());
    tracing::info!(%address, "browsers are told this address for their audio");
    engine.serve_browsers(address);
    Ok(web)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Refuses what cannot work before anything is opened.
fn check(config: &VoiceConfig) -> Result<(), VoiceError> {
    let (first, last) = (*config.rtp_ports.start(), *config.rtp_ports.end());
    let ports = (usize::from(last) + 1).saturating_sub(usize::from(first)) / 2;
    if ports < config.calls_max {
        return Err(VoiceError::Setting {
            setting: "sip.rtp_ports",
            value: format!("{first}-{last}"),
            expected: "two ports for each of sip.calls_max calls",
        });
    }
    if config.calls_max == 0 {
        return Err(VoiceError::Setting { setting: "sip.calls_max", value: "0".to_owned(), expected: "1 or more" });
    }
    Ok(())
}

/// The address of this machine that others can reach, when SIP is listened for on all of them. Connecting a UDP socket
/// sends nothing: it only asks the routing table.
fn reachable(listen: IpAddr) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()))
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// Asks for the processor before others. On Linux this is the thread's own niceness, not the process's; without the
/// permission (systemd: `LimitNICE=-11`) everything works as well, only later under load.
fn prefer_this_thread() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::info!(%error, "the media thread has no priority over others");
    }
}

/// Says that the thread is gone, however it went.
struct Last {
    gauges: Arc<Gauges>,
    stopping: watch::Sender<bool>,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.gauges.running.store(false, Ordering::Relaxed);
        self.stopping.send_replace(true);
    }
}

/// One Engine with its sockets: everything the media thread owns.
struct Shard {
    engine: Engine,
    control: Poll,
    sip: Shared,
    /// The socket of all browsers, where there are any.
    web: Option<Shared>,
    offers: Offers,
    streams: Streams,
    /// Who may connect, as told to the listeners: the trusted networks, the trunks, and where phones may be.
    welcome: Welcome,
    trusted: Vec<Network>,
    phones: Vec<Network>,
    trunk_networks: Vec<Network>,
    has_phones: bool,
    trunk_states: watch::Sender<TrunkStates>,
    phone_states: watch::Sender<PhoneStates>,
    bans: BanList,
    ports: Ports,
    requests: Receiver<Request>,
    attached: Attached,
    /// Audio that carriers' sockets have brought.
    frames: Receiver<FrameIn>,
    outbox: Outbox,
    taps: HashMap<LegId, mpsc::Sender<(Pcm, u64)>>,
    recordings: Recordings,
    meters: Meters,
    gauges: Arc<Gauges>,
    /// When whatever is still up is hung up; set once the process stops.
    stop_at: Option<Instant>,
    read_at: Instant,
}

impl Shard {
    fn run(mut self) {
        let mut ready = Events::with_capacity(8);
        let mut buffer = vec![0_u8; DATAGRAM_BYTES_MAX];
        loop {
            self.wait(&mut ready);
            self.read_sip(&mut buffer);
            self.read_streams();
            self.take_requests();
            let now = Instant::now();
            if self.has_media() && now >= self.read_at {
                self.read_media(&mut buffer, now);
            }
            self.wake(now);
            self.recordings.retry();
            self.outbox.retry();
            self.meters.flush(now, &self.engine);
            self.gauges.legs.store(self.engine.legs(), Ordering::Relaxed);
            if self.stop_at.is_some_and(|stop_at| self.finished(stop_at, now)) {
                break;
            }
        }
        self.recordings.stop();
    }

    /// Sleeps until something comes or is due. `epoll` counts in whole milliseconds, so the last part of one is slept.
    fn wait(&mut self, ready: &mut Events) {
        let now = Instant::now();
        let mut until = now + IDLE;
        if let Some((at, _)) = self.engine.next_wake() {
            until = until.min(at);
        }
        if self.has_media() {
            until = until.min(self.read_at);
        }
        if let Some(at) = self.stop_at {
            until = until.min(if at > now { at } else { now + READ_EVERY });
        }
        if self.outbox.owes() {
            until = until.min(now + READ_EVERY);
        }
        let left = if self.sip.more() { Duration::ZERO } else { until.saturating_duration_since(now) };
        let whole = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(0));
        if whole.is_zero() && !left.is_zero() {
            std::thread::sleep(left);
        }
        if let Err(error) = self.control.poll(ready, Some(whole))
            && error.kind() != io::ErrorKind::Interrupted
        {
            tracing::error!(%error, "waiting for datagrams failed");
        }
        if ready.iter().any(|event| event.token() == SIP) {
            self.sip.set_more();
        }
        if let Some(web) = self.web.as_mut().filter(|_| ready.iter().any(|event| event.token() == WEB)) {
            web.set_more();
        }
    }

    /// Whether browsers have sent something that has not been read yet.
    fn web_waits(&self) -> bool {
        self.web.as_ref().is_some_and(Shared::more)
    }

    fn read_sip(&mut self, buffer: &mut [u8]) {
        for _ in 0..READS_MAX {
            let Some((length, remote)) = self.sip.receive(buffer) else { return };
            self.meters.sip_in += 1;
            let input = Input::Datagram { socket: Socket::Sip, remote, bytes: &buffer[..length] };
            self.engine.handle(input, Instant::now());
            self.drain();
        }
    }

    fn read_streams(&mut self) {
        for _ in 0..READS_MAX {
            let Some(arrived) = self.streams.receive() else { return };
            self.meters.sip_in += 1;
            let input = match &arrived {
                Arrived::Bytes(hop, bytes) => Input::Stream { hop: *hop, bytes },
                Arrived::Closed(hop) => Input::Closed { hop: *hop },
            };
            self.engine.handle(input, Instant::now());
            self.drain();
        }
        // The rest has its turn after the audio, at once.
        self.sip.set_more();
    }

    /// Whether there is media to look for.
    fn has_media(&self) -> bool {
        self.ports.any() || self.attached.any() || self.web_waits()
    }

    fn read_media(&mut self, buffer: &mut [u8], now: Instant) {
        self.read_at += READ_EVERY;
        if self.read_at < now {
            self.read_at = now + READ_EVERY;
        }
        self.read_web(buffer, now);
        self.ports.look();
        while let Some((socket, length, remote)) = self.ports.receive(buffer) {
            self.meters.media_in += 1;
            self.engine.handle(Input::Datagram { socket, remote, bytes: &buffer[..length] }, now);
            self.drain();
        }
        for FrameIn { leg, at_ms, payload } in self.frames.try_iter().take(FRAMES_MAX) {
            self.meters.media_in += 1;
            self.engine.handle(Input::Frame { leg, at_ms, payload: &payload }, now);
        }
        self.drain();
    }

    fn read_web(&mut self, buffer: &mut [u8], now: Instant) {
        for _ in 0..WEB_READS_MAX {
            let Some((length, remote)) = self.web.as_mut().and_then(|web| web.receive(buffer)) else { return };
            self.meters.media_in += 1;
            let input = Input::Datagram { socket: Socket::Web, remote, bytes: &buffer[..length] };
            self.engine.handle(input, now);
            self.drain();
        }
    }

    fn wake(&mut self, now: Instant) {
        let Some((at, reason)) = self.engine.next_wake() else { return };
        if at > now {
            return;
        }
        if reason == WakeReason::Tick {
            self.meters.tick_late(now.saturating_duration_since(at));
        }
        self.engine.handle(Input::Wake, now);
        self.drain();
    }

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS_AT_ONCE {
            match self.requests.try_recv() {
                Ok(request) => self.request(request),
                Err(std::sync::mpsc::TryRecvError::Empty) => return,
                // The last handle is gone: nobody can command the calls any more.
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.begin_stop(Duration::ZERO);
                    return;
                }
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Command(command) => {
                let lifted = if let Command::Unban { source } = &command { Some(*source) } else { None };
                self.command(command);
                lifted.into_iter().for_each(|source| self.bans.lift(source));
            }
            Request::Attach { call, to, reply } => {
                let command = self.attached.begin(call, to, reply);
                self.command(command);
            }
            Request::Carrier { leg, news } => {
                self.engine.handle(Input::Carrier { leg, news }, Instant::now());
                self.drain();
            }
            Request::Tap { leg, to } => {
                if self.engine.has(leg) {
                    self.taps.insert(leg, to);
                    self.command(Command::Tap { leg, on: true });
                }
            }
            Request::Record { leg, sink, meta } => {
                if !self.recordings.begin(leg, sink, meta) {
                    self.meters.recordings_refused += 1;
                } else if self.engine.has(leg) {
                    self.command(Command::Record { leg, on: true });
                } else {
                    self.recordings.end(leg);
                }
            }
            Request::Web { offer, purpose, reply } => {
                let command = self.offers.command(offer, purpose, reply);
                self.command(command);
            }
            // Whoever asked may have gone meanwhile.
            Request::CaughtUp { reply } => drop(reply.send(())),
            Request::Stop { grace } => self.begin_stop(grace),
        }
    }

    fn command(&mut self, command: Command) {
        if let Command::Trunks(trunks) = &command {
            let hops = trunks.iter().flat_map(|trunk| &trunk.hops).map(|hop| Network::of(hop.address.ip()));
            let sources = trunks.iter().flat_map(|trunk| &trunk.sources).cloned();
            self.trunk_networks = hops.chain(sources).collect();
            self.tell_listeners();
        }
        if let Command::Phones(phones) = &command {
            self.has_phones = !phones.is_empty();
            self.tell_listeners();
        }
        self.engine.handle(Input::Command(command), Instant::now());
        self.drain();
    }

    fn tell_listeners(&self) {
        let phones = self.phones.iter().filter(|_| self.has_phones);
        let welcome = self.trusted.iter().chain(&self.trunk_networks).chain(phones).cloned().collect();
        *self.welcome.write().unwrap_or_else(PoisonError::into_inner) = welcome;
    }

    fn begin_stop(&mut self, grace: Duration) {
        let stop_at = Instant::now() + grace;
        if self.stop_at.is_none_or(|before| stop_at < before) {
            self.stop_at = Some(stop_at);
            self.command(Command::Drain);
        }
    }

    /// Whether the thread may end; hangs up what is left when its time has come.
    fn finished(&mut self, stop_at: Instant, now: Instant) -> bool {
        if self.engine.legs() == 0 || now >= stop_at + GOODBYE {
            return true;
        }
        if now >= stop_at {
            for leg in self.engine.leg_ids() {
                self.command(Command::Hangup { leg });
            }
        }
        false
    }

    /// Carries out everything the engine wants.
    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { socket, remote, bytes } => self.transmit(socket, remote, &bytes),
                Output::Send { hop, name, bytes } => self.streams.send(hop, name, bytes),
                Output::Close { hop } => self.streams.close(hop),
                Output::OpenPort(port) => {
                    let opened = self.ports.open(port);
                    self.engine.handle(Input::Port { port, opened }, Instant::now());
                }
                Output::ClosePort(port) => self.ports.close(port),
                Output::Frame { leg, payload } => {
                    if !self.attached.frame(leg, payload) {
                        self.meters.unsent += 1;
                    }
                }
                Output::Carrier { leg, order } => self.attached.order(leg, order),
                Output::Event(event) => self.tell(event),
                Output::Pcm { leg, pcm, at_ms } => self.hand_tap(leg, pcm, at_ms),
                Output::Recorded { leg, rate, at_ms, caller, receptionist, staff, masked } => {
                    let frame = Frame { rate, at_ms, channels: [caller, receptionist, staff], masked };
                    if !self.recordings.frame(leg, frame) {
                        self.meters.recorded_dropped += 1;
                    }
                }
            }
        }
    }

    fn transmit(&mut self, socket: Socket, remote: SocketAddr, bytes: &[u8]) {
        let sent = match socket {
            Socket::Sip => self.sip.send(bytes, remote),
            Socket::Web => self.web.as_ref().is_some_and(|web| web.send(bytes, remote)),
            media => self.ports.send(media, bytes, remote),
        };
        if !sent {
            self.meters.unsent += 1;
        }
    }

    fn hand_tap(&mut self, leg: LegId, pcm: Pcm, at_ms: u64) {
        let Some(tap) = self.taps.get(&leg) else { return };
        match tap.try_send((pcm, at_ms)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.meters.tap_dropped += 1,
            Err(TrySendError::Closed(_)) => {
                self.taps.remove(&leg);
                self.engine.handle(Input::Command(Command::Tap { leg, on: false }), Instant::now());
            }
        }
    }

    fn tell(&mut self, event: EngineEvent) {
        if let EngineEvent::Trunk { trunk, state } = event {
            self.trunk_states.send_modify(|states| {
                let states = Arc::make_mut(states);
                match state {
                    TrunkState::Gone => states.remove(&trunk),
                    state => states.insert(trunk, state),
                };
            });
            return;
        }
        if let EngineEvent::Attached { tag, leg } = event {
            return self.attached.made(tag, leg);
        }
        if let EngineEvent::Phone { phone, state } = event {
            self.phone_states.send_modify(|states| {
                let states = Arc::make_mut(states);
                match state {
                    PhoneState::Away => states.remove(&phone),
                    state => states.insert(phone, state),
                };
            });
            return;
        }
        if let EngineEvent::Banned { source } = event {
            tracing::warn!(%source, "a source has guessed passwords of phones and is not heard for an hour");
            self.bans.add(source, Instant::now());
            return;
        }
        if matches!(event, EngineEvent::WebAnswer { .. } | EngineEvent::WebRefused { .. }) {
            if let Some(leg) = self.offers.answer(event) {
                self.engine.handle(Input::Command(Command::Hangup { leg }), Instant::now());
            }
            return;
        }
        if let EngineEvent::Ended { leg, .. } = event {
            self.attached.end(leg);
            self.taps.remove(&leg);
            self.recordings.end(leg);
        }
        let Some(condemned) = self.outbox.tell(event) else { return };
        self.meters.condemned += 1;
        let command = match condemned {
            Condemned::Unheard(leg) => Command::Reject { leg, status: 503 },
            Condemned::Known(leg) => Command::Hangup { leg },
        };
        self.engine.handle(Input::Command(command), Instant::now());
    }
}
