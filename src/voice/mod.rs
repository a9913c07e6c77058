//! Telephony inside the process: the Engine's shell, recordings, and our own test caller.
//!
//! [`VoiceShell::start`](shell::VoiceShell::start) opens the sockets and starts the media thread. What comes back is a
//! [`VoiceHandle`], through which anybody may command legs, and the one stream of [`EngineEvent`]s, which belongs to
//! whoever decides about calls.

pub mod attached;
pub mod banlist;
pub mod browsers;
pub mod caller;
pub mod carrierbook;
pub mod carrierstanding;
pub mod certificate;
mod inside;
mod meters;
pub mod names;
mod outbox;
pub mod phonebook;
pub mod receptionist;
pub mod recording;
pub mod shell;
mod sockets;
pub mod stationbook;
mod streams;
mod tls;
pub mod tools;
pub mod trunkbook;
pub mod vocabulary;

use crate::voice::attached::{Arrival, Attaching, Attachment, FrameIn, ToCarrier};
use crate::voice::recording::{Meta, RecordingSink};
use auricle_domain::code::SrtpPolicy;
use auricle_media::engine::Network;
use auricle_media::io::{
    CarrierNews, Codec, Command, EngineEvent, Hop, LegId, Pcm, PhoneId, PhoneState, Protection, TrunkId, TrunkState,
    WebPurpose,
};
use auricle_media::sip::digest::Algorithm;
use banlist::BanList;
use browsers::WebReply;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

pub use shell::VoiceShell;
pub use streams::{StreamFault, StreamFaults};
pub use tls::{OwnCertificate, TlsFault, TlsFiles};

/// Where phones are, as the engine has told last; the latest wins. One that is away is not in it.
pub type PhoneStates = Arc<BTreeMap<PhoneId, PhoneState>>;

/// How trunks stand, as the engine has told last; the latest wins.
pub type TrunkStates = Arc<BTreeMap<TrunkId, TrunkTold>>;

/// How one trunk stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkTold {
    /// How it fares.
    pub state: TrunkState,
    /// The realm in which it has asked for a password and was not answered, since it was connected last.
    pub asked_realm: Option<String>,
}

/// Frames a tap holds: two seconds. A reader that is further behind misses frames, and the misses are counted.
pub const TAP_FRAMES_MAX: usize = 100;
/// Commands waiting for the media thread. It reads them every few milliseconds; a full queue means it is in trouble.
pub const COMMANDS_MAX: usize = 4096;
/// Engine events waiting for their reader; when it is full, calls are refused or ended (see [`shell`]).
pub const EVENTS_MAX: usize = 4096;

/// What the voice part needs to know before it can open its sockets.
#[derive(Clone, Debug)]
pub struct VoiceConfig {
    /// Where SIP is listened for, by UDP and TCP. Port 0 takes a free one; see [`VoiceHandle::sip_addr`].
    pub sip_listen: SocketAddr,
    /// Where SIP is listened for by TLS, if at all.
    pub tls_listen: Option<SocketAddr>,
    /// Certificates.
    pub tls: TlsFiles,
    /// Address told to peers in Contact and SDP, where it is not the one listened on (1:1 NAT). It must be given when
    /// `sip_listen` is a wildcard address and peers are not on this machine.
    pub advertise: Option<IpAddr>,
    /// Local UDP ports for media. RTP takes the even ones, RTCP the odd one above.
    pub rtp_ports: RangeInclusive<u16>,
    /// Legs at once, both directions; one more is refused with 503. As many as there are ports, if that is fewer.
    pub legs_max: usize,
    /// Networks whose SIP is read at all. A datagram from elsewhere is dropped before it is parsed, and counted.
    pub trusted: Vec<Network>,
    /// Networks where phones may be, beside the trusted ones: what comes from there is read while there are phones.
    pub phones: Vec<Network>,
    /// How phones may prove their passwords, as it is offered to them.
    pub algorithms: Vec<Algorithm>,
    /// Networks that no wrong password locks out.
    pub spared: Vec<Network>,
    /// Codecs we accept. The offer's order decides among them.
    pub codecs: Vec<Codec>,
}

/// Why the voice part could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// A socket could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate cannot be used.
    #[error("{0} (sip.tls_certificate, sip.tls_key, sip.tls_roots)")]
    Certificate(#[from] TlsFault),
    /// A setting makes no sense.
    #[error("{setting} is {value}: {expected}")]
    Setting {
        /// Name in the configuration.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The media thread could not be started or set up.
    #[error("the media thread could not start: {0}")]
    Thread(std::io::Error),
    /// The command queue is full: the media thread does not keep up.
    #[error("the media thread does not keep up: {COMMANDS_MAX} commands are waiting")]
    Busy,
    /// The media thread has stopped.
    #[error("the voice part has stopped")]
    Stopped,
}

/// A policy as the engine takes it.
pub(crate) fn protection(policy: SrtpPolicy) -> Protection {
    match policy {
        SrtpPolicy::Off => Protection::Off,
        SrtpPolicy::Optional => Protection::Optional,
        SrtpPolicy::Required => Protection::Required,
    }
}

/// What only the shell understands, beside the engine's own commands.
pub(crate) enum Request {
    /// For the engine.
    Command(Command),
    /// Hand what the far end says to this reader.
    Tap { leg: LegId, to: mpsc::Sender<(Pcm, u64)> },
    /// A call comes by a carrier's socket, or is to be placed by a carrier; the reply is its leg.
    Attach { call: Attaching, to: mpsc::Sender<ToCarrier>, reply: oneshot::Sender<LegId> },
    /// A carrier tells something of a leg.
    Carrier { leg: LegId, news: CarrierNews },
    /// Record both sides into this sink.
    Record { leg: LegId, sink: Box<dyn RecordingSink>, meta: watch::Sender<Meta> },
    /// Go on with a leg's recording at another one.
    RecordOn { from: LegId, to: LegId },
    /// End the recording of a leg, which may be over.
    StopRecording { leg: LegId },
    /// Answer a browser's offer.
    Web { offer: String, purpose: WebPurpose, reply: WebReply },
    /// Say when everything that was asked for before has been done.
    CaughtUp { reply: oneshot::Sender<()> },
    /// Refuse new calls; after `grace` hang up what is still on; then end the thread.
    Stop { grace: Duration },
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Attach { call, .. } => call.fmt(f),
            Self::Carrier { leg, news } => write!(f, "Carrier({leg:?}, {news:?})"),
            Self::Tap { leg, .. } => write!(f, "Tap({leg:?})"),
            Self::Record { leg, .. } => write!(f, "Record({leg:?})"),
            Self::RecordOn { from, to } => write!(f, "RecordOn({from:?}, {to:?})"),
            Self::StopRecording { leg } => write!(f, "StopRecording({leg:?})"),
            Self::Web { purpose, .. } => write!(f, "Web({purpose:?})"),
            Self::CaughtUp { .. } => f.write_str("CaughtUp"),
            Self::Stop { grace } => write!(f, "Stop({grace:?})"),
        }
    }
}

/// What the media thread lets others see of it.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) legs: AtomicUsize,
    pub(crate) running: AtomicBool,
}

/// A way to command the media thread from anywhere. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct VoiceHandle {
    ways: Ways,
    gauges: Arc<Gauges>,
    stopped: watch::Receiver<bool>,
    sip_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    address: IpAddr,
    address_inside: Option<IpAddr>,
    public_address: Option<IpAddr>,
    browser_addr: Option<SocketAddr>,
    tls_fingerprint: Option<Arc<str>>,
    trunk_states: watch::Receiver<TrunkStates>,
    phone_states: watch::Receiver<PhoneStates>,
    bans: BanList,
    stream_faults: StreamFaults,
}

/// The ways into the media thread.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) requests: SyncSender<Request>,
    pub(crate) frames: SyncSender<FrameIn>,
    pub(crate) waker: Arc<mio::Waker>,
}

/// What others hear of the media thread.
pub(crate) struct Ears {
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) trunk_states: watch::Receiver<TrunkStates>,
    pub(crate) phone_states: watch::Receiver<PhoneStates>,
    pub(crate) bans: BanList,
    pub(crate) address: IpAddr,
    /// What the networks around this machine are told, where it is another one.
    pub(crate) address_inside: Option<IpAddr>,
    /// This machine's own address in the internet.
    pub(crate) public_address: Option<IpAddr>,
    pub(crate) tls_fingerprint: Option<Arc<str>>,
    pub(crate) stream_faults: StreamFaults,
    /// Where browsers are served.
    pub(crate) browser_addr: Option<SocketAddr>,
}

impl std::fmt::Debug for VoiceHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceHandle").field("sip_addr", &self.sip_addr).finish_non_exhaustive()
    }
}

impl VoiceHandle {
    pub(crate) fn new(
        ways: Ways,
        gauges: Arc<Gauges>,
        ears: Ears,
        sip_addr: SocketAddr,
        tls_addr: Option<SocketAddr>,
    ) -> Self {
        Self {
            ways,
            gauges,
            stopped: ears.stopped,
            sip_addr,
            tls_addr,
            address: ears.address,
            address_inside: ears.address_inside,
            public_address: ears.public_address,
            browser_addr: ears.browser_addr,
            tls_fingerprint: ears.tls_fingerprint,
            trunk_states: ears.trunk_states,
            phone_states: ears.phone_states,
            bans: ears.bans,
            stream_faults: ears.stream_faults,
        }
    }

    /// Hands a command to the engine.
    ///
    /// # Errors
    /// [`VoiceError::Busy`] when the queue is full, [`VoiceError::Stopped`] after the end. A command for a leg that is
    /// gone is no error: it changes nothing.
    pub fn send(&self, command: Command) -> Result<(), VoiceError> {
        self.request(Request::Command(command))
    }

    /// Waits until the engine has done all that it was told before. What comes by a socket after that meets an engine that knows.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn caught_up(&self) -> Result<(), VoiceError> {
        let (reply, done) = oneshot::channel();
        self.request(Request::CaughtUp { reply })?;
        done.await.map_err(|_| VoiceError::Stopped)
    }

    /// Hears what the far end of a leg says: 16 kHz frames of 20 ms, with their place in the call in milliseconds after
    /// answer. The newest tap of a leg replaces the one before. Dropping the receiver ends it. A frame that finds
    /// [`TAP_FRAMES_MAX`] frames unread is dropped and counted.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn tap(&self, leg: LegId) -> Result<mpsc::Receiver<(Pcm, u64)>, VoiceError> {
        let (to, frames) = mpsc::channel(TAP_FRAMES_MAX);
        self.request(Request::Tap { leg, to })?;
        Ok(frames)
    }

    /// Records a leg from now until [`stop_recording`](Self::stop_recording), or for a few seconds after the leg is over: the sink gets
    /// interleaved 16-bit little-endian samples of caller, receptionist and staff. What comes back says how far the recording is and, at
    /// its end, its hash; it never waits for the disk.
    ///
    /// # Errors
    /// As [`send`](Self::send); the sink is dropped then.
    pub fn record(&self, leg: LegId, sink: Box<dyn RecordingSink>) -> Result<watch::Receiver<Meta>, VoiceError> {
        let (meta, progress) = watch::channel(Meta::default());
        self.request(Request::Record { leg, sink, meta })?;
        Ok(progress)
    }

    /// Goes on with the recording of a leg, which may be over by now, at another one. The time between lies in it as silence.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn record_on(&self, from: LegId, to: LegId) -> Result<(), VoiceError> {
        self.request(Request::RecordOn { from, to })
    }

    /// Ends the recording of a leg, which may be over by now. Without one nothing happens.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn stop_recording(&self, leg: LegId) -> Result<(), VoiceError> {
        self.request(Request::StopRecording { leg })
    }

    /// Gives a call that a carrier's socket has brought a leg. When there is no room for it, its stream ends at once.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn attach(&self, arrival: Arrival) -> Result<Attachment, VoiceError> {
        self.attached(Attaching::Arrived(arrival)).await
    }

    /// Gives a call that a carrier is to place a leg, before anything is dialled: `tag` comes back in
    /// [`EngineEvent::Dialing`]. The leg is up once [`CarrierNews::Answered`] is told. `presses`: the carrier presses keys when told.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn attach_dialled(
        &self,
        tag: u64,
        codec: Codec,
        presses: bool,
        is_emergency: bool,
    ) -> Result<Attachment, VoiceError> {
        self.attached(Attaching::Dialled { tag, codec, presses, is_emergency }).await
    }

    async fn attached(&self, call: Attaching) -> Result<Attachment, VoiceError> {
        let (to, out) = mpsc::channel(attached::OUT_MAX);
        let (reply, leg) = oneshot::channel();
        self.request(Request::Attach { call, to, reply })?;
        let leg = leg.await.map_err(|_| VoiceError::Stopped)?;
        Ok(Attachment::new(leg, out, self.clone()))
    }

    /// Where SIP is listened for, with the port that was really taken.
    pub fn sip_addr(&self) -> SocketAddr {
        self.sip_addr
    }

    /// Where SIP over TLS is listened for, with the port that was really taken.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// The address that others are told to reach us at.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The address that phones beside this machine are told, where it is another one.
    pub fn address_inside(&self) -> Option<IpAddr> {
        self.address_inside
    }

    /// This machine's own address in the internet, where it listens on one: there is no router in front of it.
    pub fn public_address(&self) -> Option<IpAddr> {
        self.public_address
    }

    /// Whether an address is of a family that we listen on.
    pub fn serves(&self, there: SocketAddr) -> bool {
        let own = self.sip_addr.ip();
        own.is_ipv4() == there.is_ipv4() || own == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
    }

    /// Where browsers are served, with the port that was really taken.
    pub fn browser_addr(&self) -> Option<SocketAddr> {
        self.browser_addr
    }

    /// SHA-256 of the certificate that TLS is listened with, where nobody vouches for it.
    pub fn tls_fingerprint(&self) -> Option<Arc<str>> {
        self.tls_fingerprint.clone()
    }

    /// Hears how trunks stand; the latest wins.
    pub fn trunk_states(&self) -> watch::Receiver<TrunkStates> {
        self.trunk_states.clone()
    }

    /// Hears where phones are; the latest wins.
    pub fn phone_states(&self) -> watch::Receiver<PhoneStates> {
        self.phone_states.clone()
    }

    /// Who has guessed passwords of phones and is not heard.
    pub fn bans(&self) -> &BanList {
        &self.bans
    }

    /// Why the last attempt to connect to there failed; none when it did not.
    pub fn stream_fault(&self, hop: Hop) -> Option<StreamFault> {
        self.stream_faults.get(hop)
    }

    /// Legs that exist now.
    pub fn legs(&self) -> usize {
        self.gauges.legs.load(Ordering::Relaxed)
    }

    /// Whether the media thread is there; for readiness checks.
    pub fn is_running(&self) -> bool {
        self.gauges.running.load(Ordering::Relaxed)
    }

    /// Stops: new calls are refused at once, calls that are on may end by themselves for `grace`, then they are hung
    /// up. Returns when the media thread is gone and every recording is written.
    pub async fn stop(&self, grace: Duration) {
        if self.request(Request::Stop { grace }).is_ok() {
            let mut stopped = self.stopped.clone();
            // An error means that the thread is gone already, which is what we wait for.
            let _gone = stopped.wait_for(|stopped| *stopped).await;
        }
    }

    fn request(&self, request: Request) -> Result<(), VoiceError> {
        self.ways.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => VoiceError::Busy,
            TrySendError::Disconnected(_) => VoiceError::Stopped,
        })?;
        // A failed wake-up only means that the thread reads the queue at its next tick instead.
        let _woken = self.ways.waker.wake();
        Ok(())
    }
}

/// The stream of facts about legs. There is one reader.
pub type EngineEvents = mpsc::Receiver<EngineEvent>;
