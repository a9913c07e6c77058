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
//! SIP and commands wake the thread at once. RTP does not: its sockets are looked at right before each tick, when packets
//! are needed, and every 5 ms between ticks, all in one go, because a wake-up costs more than reading a packet. Ticks come from
//! the Engine's own schedule; lateness is measured and exported.
//!
//! # When the application does not keep up
//! [`EngineEvent`]s must arrive. When their queue is full, a new call is refused with 503 and a call that is up is hung
//! up; the one event that is still owed for it, `Ended`, waits here until there is room. Only levels may be dropped.

mod open;
mod outputs;
mod requests;

use crate::voice::attached::{Attached, FRAMES_MAX, FrameIn};
use crate::voice::banlist::BanList;
use crate::voice::browsers::streams::{WebArrived, WebStreams};
use crate::voice::browsers::{BrowserConfig, Offers};
use crate::voice::inside::{address_inside, inside, interfaces, public_address};
use crate::voice::meters::Meters;
use crate::voice::outbox::Outbox;
use crate::voice::recording::Recordings;
use crate::voice::sockets::{Ports, READ_EVERY, READS_MAX, SIP, Shared, WAKER, WEB};
use crate::voice::streams::{Arrived, StreamFaults, Streams, Welcome};
use crate::voice::tls::Tls;
use crate::voice::{
    COMMANDS_MAX, EVENTS_MAX, Ears, EngineEvents, Gauges, PhoneStates, Request, TrunkStates, VoiceConfig, VoiceError,
    VoiceHandle, Ways,
};
use auricle_media::engine::{Engine, EngineConfig, Network};
use auricle_media::io::{Command, Input, LegId, Pcm, Socket, Transport, WakeReason};
use mio::{Events, Interest, Poll, Waker};
use open::{check, listen, open_both, open_web, prefer_this_thread, reachable};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Datagrams of browsers read before others have their turn: ten of them, five times over.
const WEB_READS_MAX: usize = 512;
/// How long hung-up legs may take to say goodbye when the process stops.
const GOODBYE: Duration = Duration::from_secs(2);
/// The longest sleep of a thread that nobody needs.
const IDLE: Duration = Duration::from_secs(1);
/// Largest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// Usual port of SIP over TLS (RFC 3261 section 19.1.2).
const SIPS_PORT: u16 = 5_061;

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
            legs_max: config.legs_max,
            trusted: config.trusted.clone(),
            phones: config.phones.clone(),
            algorithms: config.algorithms.clone(),
            spared: config.spared.clone(),
            codecs: config.codecs.clone(),
            seed: rand::random(),
        });
        let interfaces = interfaces();
        engine.set_inside(inside(sip_addr.ip(), advertised, &interfaces));
        let door =
            browsers.map(|browsers| open_web(&browsers, &interfaces, &mut engine, &control, &waker)).transpose()?;
        let (web, web_streams) = door.map_or((None, None), |door| (Some(door.socket), door.streams));
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
            address_inside: address_inside(sip_addr.ip(), advertised, &interfaces),
            public_address: public_address(sip_addr.ip(), &interfaces),
            tls_fingerprint,
            stream_faults,
            browser_addr,
        };
        let shard = Shard {
            engine,
            control,
            sip,
            web,
            web_streams,
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
    /// Their TCP connections, where they may come so.
    web_streams: Option<WebStreams>,
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
            self.read_web_streams();
            self.take_requests();
            let now = Instant::now();
            let is_tick = self.engine.next_tick().is_some_and(|at| at <= now);
            if self.has_media() && (is_tick || now >= self.read_at) {
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

    fn read_web_streams(&mut self) {
        for _ in 0..READS_MAX {
            let Some(arrived) = self.web_streams.as_mut().and_then(WebStreams::receive) else { return };
            self.meters.media_in += 1;
            let input = match &arrived {
                WebArrived::Opened(remote) => Input::WebOpened { remote: *remote },
                WebArrived::Bytes(remote, bytes) => Input::WebStream { remote: *remote, bytes },
                WebArrived::Closed(remote) => Input::WebClosed { remote: *remote },
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
        self.read_at = now + READ_EVERY;
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

    /// Whether the thread may end; hangs up what is left when its time has come.
    fn finished(&mut self, stop_at: Instant, now: Instant) -> bool {
        if self.engine.legs() == 0 || now >= stop_at + GOODBYE {
            return true;
        }
        if now >= stop_at || self.engine.is_idle() {
            for leg in self.engine.leg_ids() {
                self.command(Command::Hangup { leg });
            }
        }
        false
    }
}
