//! What goes into the [`Engine`](crate::engine::Engine) and what comes out of it.
//!
//! Four delivery classes, told apart by type: [`EngineEvent`] must arrive; [`Output::Pcm`] is ordered and may be dropped
//! (counted); [`Output::Recorded`] goes to the recording writer and a lost frame becomes a marked gap;
//! [`Output::Transmit`] and [`Output::Send`] leave now or never.

mod bridge;
mod carrier;
mod hop;
mod identity;
mod phone;
mod transfer;
mod trunk;
mod web;

pub use bridge::{BridgeId, Gain, GainError, PARTIES_MAX, Party, PartyClass};
pub use carrier::{CARRIER_FRAME_OCTETS_MAX, CARRIER_GRACE, CarrierNews, CarrierOrder};
pub use hop::{Hop, Protection, Transport};
pub use identity::{Attestation, AttestationLevel, CallerIdentity, DialIdentity, NumberCheck};
pub use phone::{PHONE_CONTACTS_MAX, PHONE_REALM, PHONES_MAX, Phone, PhoneContact, PhoneId, PhoneState};
pub use transfer::{TransferTarget, TransferTo};
pub use trunk::{Credentials, IdentityHeader, TRUNK_HOPS_MAX, TRUNKS_MAX, Trunk, TrunkId, TrunkState};
pub use web::{WebPurpose, WebRefusal};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// One signalling+media connection of a call. Unique within one engine for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(pub u64);

/// Something that is being played to a leg. Chosen by who plays; unique within the leg.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PlayId(pub u64);

/// A socket of the shell, as the engine knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Socket {
    /// The shard's SIP socket.
    Sip,
    /// The RTP socket of a leg, by its local UDP port (even); RTCP goes over `port + 1`.
    Rtp(u16),
    /// The RTCP socket that belongs to an RTP port; named by the RTP port.
    Rtcp(u16),
    /// The one socket of all browsers.
    Web,
}

/// Samples a second. Part of every audio type, so that 8 kHz is never taken for 16 kHz.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rate {
    /// Narrowband: G.711.
    Hz8000,
    /// Wideband: G.722, speech services.
    Hz16000,
}

impl Rate {
    /// As a number.
    pub fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
        }
    }

    /// Samples of one 20 ms frame.
    pub fn frame(self) -> usize {
        self.hz() as usize / 50
    }
}

/// Mono 16-bit audio with its rate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pcm {
    /// Samples a second.
    pub rate: Rate,
    /// The samples.
    pub samples: Arc<[i16]>,
}

/// Into the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came in.
    Datagram {
        /// On this socket.
        socket: Socket,
        /// From there.
        remote: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A SIP connection brought something, cut anywhere.
    Stream {
        /// Which connection.
        hop: Hop,
        /// What it brought.
        bytes: &'a [u8],
    },
    /// A SIP connection is gone, or could not be opened.
    Closed {
        /// Which connection.
        hop: Hop,
    },
    /// The time asked for by `next_wake` has come (the 20 ms media tick included).
    Wake,
    /// The answer to [`Output::OpenPort`]. A port that could not be opened is not tried again for a minute; the leg gets
    /// another.
    Port {
        /// The RTP port.
        port: u16,
        /// Whether both sockets are there.
        opened: bool,
    },
    /// Audio of an attached leg came, in the order in which it was sent.
    Frame {
        /// Which leg.
        leg: LegId,
        /// Where it begins, in milliseconds of the carrier's stream.
        at_ms: u64,
        /// In the leg's codec, any length up to [`CARRIER_FRAME_OCTETS_MAX`].
        payload: &'a [u8],
    },
    /// A carrier told something else of an attached leg.
    Carrier {
        /// Which leg.
        leg: LegId,
        /// What.
        news: CarrierNews,
    },
    /// Somebody wants something done.
    Command(Command),
}

/// What the engine can be told to do. A command for a leg that is gone changes nothing.
#[derive(Clone, Debug)]
pub enum Command {
    /// Place a call. `Dialing` with `tag` comes back with the new leg.
    Dial {
        /// Chosen by who dials, handed back in [`EngineEvent::Dialing`].
        tag: u64,
        /// Request-URI, such as `sip:clinic@192.0.2.1:5060`; through a trunk, the number alone; not looked at for a phone.
        uri: String,
        /// Where the INVITE goes.
        to: DialTo,
        /// User part of the From address. Empty: anonymous; through a trunk, the account's user.
        from: String,
        /// Codecs to offer, best first.
        codecs: Vec<Codec>,
        /// Who we are to the network, where that is more than From says.
        identity: Option<DialIdentity>,
        /// The call that this one is to take the place of at the far end (RFC 3891): the value of a Replaces header.
        replaces: Option<String>,
    },
    /// A browser offers a session. [`EngineEvent::WebAnswer`] or [`EngineEvent::WebRefused`] with `tag` comes back.
    Web {
        /// Chosen by who asks, handed back in the answer.
        tag: u64,
        /// The browser's description.
        offer: String,
        /// What the leg is for.
        purpose: WebPurpose,
    },
    /// A call has come by a carrier's media socket: a leg without SIP, whose frames come and go through the shell.
    /// [`EngineEvent::Attached`] with `tag` comes back, then `Incoming`.
    Attach {
        /// Chosen by who attaches, handed back in [`EngineEvent::Attached`].
        tag: u64,
        /// What the carrier speaks, both ways.
        codec: Codec,
        /// The caller's number; empty when withheld.
        from: String,
        /// What was dialled.
        to: String,
        /// Where the socket comes from.
        remote: Hop,
    },
    /// Whoever is at a browser has hung up: the leg ends as one whose far end did.
    WebClose {
        /// Which leg.
        leg: LegId,
    },
    /// Send 180 Ringing.
    Ring {
        /// Which leg.
        leg: LegId,
    },
    /// Send 200 OK with our answer; media starts at once.
    Answer {
        /// Which leg.
        leg: LegId,
    },
    /// Refuse an incoming leg with a final status (300 to 699).
    Reject {
        /// Which leg.
        leg: LegId,
        /// SIP status.
        status: u16,
    },
    /// End a leg: BYE, CANCEL or 603 as its state demands.
    Hangup {
        /// Which leg.
        leg: LegId,
    },
    /// Append audio to a playing (made by its first `Play`). Playings of a leg play one after the other.
    Play {
        /// Which leg.
        leg: LegId,
        /// Which playing.
        id: PlayId,
        /// What to append.
        pcm: Pcm,
        /// No more will be appended: `PlayedTo { done: true }` follows when the last sample has left.
        last: bool,
    },
    /// Stop a playing at once but keep what is left of it.
    Pause {
        /// Which leg.
        leg: LegId,
        /// Which playing.
        id: PlayId,
    },
    /// Go on where `Pause` stopped.
    Resume {
        /// Which leg.
        leg: LegId,
        /// Which playing.
        id: PlayId,
    },
    /// Stop a playing at once and forget the rest. Overtakes everything queued; `PlayedTo { done: true }` says how far it came.
    Flush {
        /// Which leg.
        leg: LegId,
        /// Which playing.
        id: PlayId,
    },
    /// Start or stop recording a leg: a channel for each class of party.
    Record {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// Start or stop handing out what the far end says, as 16 kHz frames with the high band filled on narrowband legs.
    Tap {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// These legs hear each other like this from now on: the whole matrix at once. A leg is in one bridge at most, so whoever
    /// is in another one leaves it. Fewer than two parties dissolve the bridge; so does the end of all legs but one. What is
    /// `Play`ed to a leg is heard by that leg alone, beside the bridge and as loud as without it: nothing is turned down. A leg
    /// that is not up yet takes part once it is. A leg that its far end put on hold hears nothing, and is heard (its hold
    /// music) only by a bridge of two.
    Bridge {
        /// Which bridge.
        bridge: BridgeId,
        /// All of its parties, [`PARTIES_MAX`] at most.
        parties: Vec<Party>,
    },
    /// Start or stop our music on hold on a leg, from its beginning. It goes on whatever is played, more quietly while that
    /// sounds.
    Music {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// Start or stop to keep what is said from recordings, taps and the log, as when a card's number is told (B-16). Bound to
    /// this leg: it covers all legs of the bridge that the leg is in, and ends when the leg leaves it; of a leg in no bridge it
    /// covers that leg. Covered legs are recorded and tapped as silence, and their digits are not told.
    Mask {
        /// Which leg.
        leg: LegId,
        /// On or off.
        on: bool,
    },
    /// Send digits as RFC 4733 events.
    Dtmf {
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// Put the far end on hold, or take it off. [`EngineEvent::Holding`] tells how it stands then. What is played and bridged
    /// goes on to be sent, so that it may hear music.
    Hold {
        /// Which leg.
        leg: LegId,
        /// On hold.
        on: bool,
    },
    /// Ask the far end to call somebody else instead (REFER). [`EngineEvent::TransferDone`] tells what came of it; the leg
    /// stays until either side ends it.
    Transfer {
        /// Which leg.
        leg: LegId,
        /// Whom.
        to: TransferTo,
    },
    /// Tell the far end how the transfer that it asked for fares ([`EngineEvent::TransferAsked`]).
    TransferProgress {
        /// Which leg.
        leg: LegId,
        /// SIP status of the new call, 100 to 699; a final one is the last.
        status: u16,
    },
    /// These are all trunks from now on. One that is equal to one that is there stays as it is, with its registration; one
    /// that is not among them is left, and its registration given back.
    Trunks(Vec<Trunk>),
    /// These are all phones from now on. One that is equal to one that is there keeps its registrations; of one that is not
    /// among them, or has another user or password, they end at once.
    Phones(Vec<Phone>),
    /// What time it is, in seconds since 1970: phones set their clocks by what registering tells them. Until it is told
    /// they are not told.
    Clock {
        /// Seconds since 1970.
        unix_s: u64,
    },
    /// Refuse new calls with 503 from now on and give registrations back; legs that exist go on.
    Drain,
}

/// Where a call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialTo {
    /// To this address by UDP; the shell has resolved the name.
    Address(SocketAddr),
    /// Through a trunk: its best hop, and the next one when that does not answer.
    Trunk(TrunkId),
    /// To a phone, wherever it is registered, to all its places at once: the first one that answers has the call.
    Phone(PhoneId),
}

/// A codec we speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// G.711 mu-law, 8 kHz, payload type 0.
    Pcmu,
    /// G.711 A-law, 8 kHz, payload type 8.
    Pcma,
    /// G.722, 16 kHz (RTP clock 8 kHz, RFC 3551 section 4.5.2), payload type 9.
    G722,
    /// Opus, mono voice that we code and decode at 16 kHz (RTP clock 48 kHz, RFC 7587), a dynamic payload type.
    Opus,
}

/// Out of the engine.
#[derive(Debug)]
pub enum Output {
    /// Send this datagram now.
    Transmit {
        /// From this socket.
        socket: Socket,
        /// To there.
        remote: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Send this over a SIP connection; open the connection when there is none, and say [`Input::Closed`] when it cannot be.
    Send {
        /// Which connection.
        hop: Hop,
        /// What the far end's certificate must say when a TLS connection is opened. None: TLS is not opened anew.
        name: Option<Arc<str>>,
        /// One or more whole messages, or line ends that keep the connection open.
        bytes: Vec<u8>,
    },
    /// Close a SIP connection: what came on it is no SIP, or its source is not admitted.
    Close {
        /// Which connection.
        hop: Hop,
    },
    /// Open the RTP socket of this local port and the RTCP socket above it, then say [`Input::Port`].
    OpenPort(u16),
    /// Close both. It comes some seconds after the leg's end, so that a new call never inherits stale media.
    ClosePort(u16),
    /// 20 ms of audio for the carrier of an attached leg. While nothing is played, none is sent: what waits at the carrier plays out
    /// in the meantime.
    Frame {
        /// Which leg.
        leg: LegId,
        /// In the leg's codec.
        payload: Box<[u8]>,
    },
    /// Tell the carrier of an attached leg something, after all frames so far.
    Carrier {
        /// Which leg.
        leg: LegId,
        /// What.
        order: CarrierOrder,
    },
    /// Must arrive.
    Event(EngineEvent),
    /// 20 ms of what the far end says (see [`Command::Tap`]).
    Pcm {
        /// Which leg.
        leg: LegId,
        /// 320 samples at 16 kHz.
        pcm: Pcm,
        /// Milliseconds after the leg was answered.
        at_ms: u64,
    },
    /// 20 ms of a leg for its recording, a channel for each class of party. An empty channel is silent.
    Recorded {
        /// Which leg.
        leg: LegId,
        /// Samples a second.
        rate: Rate,
        /// Milliseconds after the leg was answered. Frames are 20 ms apart; a hole is time the engine could not serve.
        at_ms: u64,
        /// What the far end said, and what it was given of others of its class.
        caller: Box<[i16]>,
        /// What we played to it, and what it was given of receptionists on legs of their own.
        receptionist: Box<[i16]>,
        /// What it was given of the clinic's people.
        staff: Box<[i16]>,
        /// Kept silent by [`Command::Mask`].
        masked: bool,
    },
}

/// A fact about a leg, a trunk or a phone that must arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineEvent {
    /// Somebody calls. `Answer`, `Ring` or `Reject` is expected; 100 Trying has gone out.
    Incoming {
        /// The new leg.
        leg: LegId,
        /// User part of From (or P-Asserted-Identity from a trusted trunk); empty when withheld.
        from: String,
        /// Display name of From, empty when none.
        name: String,
        /// User part of the Request-URI.
        to: String,
        /// Where the request came from.
        remote: SocketAddr,
        /// What carried it.
        transport: Transport,
        /// The trunk that the source belongs to.
        trunk: Option<TrunkId>,
        /// The phone that calls, which has shown that it has the password; `from` is its user name then.
        phone: Option<PhoneId>,
        /// What the trunk says about who calls.
        identity: CallerIdentity,
    },
    /// A dialled leg exists.
    Dialing {
        /// The tag of [`Command::Dial`].
        tag: u64,
        /// The new leg.
        leg: LegId,
    },
    /// A browser's leg exists: this is what the browser has to be told. Its audio starts, or its call comes in, when it has
    /// reached us; `Ended` follows when it does not. For a leg that was renewed, this is all that is told.
    WebAnswer {
        /// The tag of [`Command::Web`].
        tag: u64,
        /// The new leg, or the one that was renewed.
        leg: LegId,
        /// Our description.
        sdp: String,
    },
    /// A browser's offer was not taken.
    WebRefused {
        /// The tag of [`Command::Web`].
        tag: u64,
        /// Why.
        refusal: WebRefusal,
    },
    /// An attached leg exists. `Incoming` follows, or `Ended` when there is no room for it.
    Attached {
        /// The tag of [`Command::Attach`].
        tag: u64,
        /// The new leg.
        leg: LegId,
    },
    /// The far end rings.
    Ringing {
        /// Which leg.
        leg: LegId,
    },
    /// The far end sends audio before it answers, such as its own ringing tone or an announcement: from now on it is tapped and
    /// bridged like that of a leg that is up. Told once; `Answered` may follow.
    Early {
        /// Which leg.
        leg: LegId,
    },
    /// The leg is up: we sent 200 (incoming) or got it (dialled).
    Answered {
        /// Which leg.
        leg: LegId,
        /// The codec chosen.
        codec: Codec,
        /// INVITE to 200, in milliseconds.
        setup_ms: u32,
    },
    /// The caller began to speak.
    SpeechStarted {
        /// Which leg.
        leg: LegId,
        /// First voiced sample, milliseconds after answer.
        at_ms: u64,
    },
    /// The caller stopped speaking (after the VAD's hangover).
    SpeechEnded {
        /// Which leg.
        leg: LegId,
        /// Last voiced sample, milliseconds after answer.
        at_ms: u64,
    },
    /// A digit was pressed; told once, whatever the redundancy.
    Dtmf {
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// Milliseconds after answer.
        at_ms: u64,
    },
    /// How far a playing has come, counted at the egress clock, or by the carrier's marks on an attached leg. Sent at least every 100 ms while playing, and at its end.
    PlayedTo {
        /// Which leg.
        leg: LegId,
        /// Which playing.
        id: PlayId,
        /// Samples that have left, at the playing's own rate.
        samples: u64,
        /// Milliseconds after answer when the first sample left.
        started_ms: u64,
        /// Nothing more will come of it (played out or flushed).
        done: bool,
    },
    /// The far end put us on hold or took us off it.
    Held {
        /// Which leg.
        leg: LegId,
        /// On hold.
        on: bool,
    },
    /// How it stands after [`Command::Hold`]: as wanted, or as before where the far end refused.
    Holding {
        /// Which leg.
        leg: LegId,
        /// We have the far end on hold.
        on: bool,
    },
    /// The far end wants its call to go to somebody else (REFER). It has been told that we try;
    /// [`Command::TransferProgress`] is expected. Whether the target may be called is for the application to decide.
    TransferAsked {
        /// Which leg.
        leg: LegId,
        /// Whom.
        target: TransferTarget,
    },
    /// What came of [`Command::Transfer`]. After a 2xx the far end has left or is about to.
    TransferDone {
        /// Which leg.
        leg: LegId,
        /// SIP status of the new call; 202 when the far end took the transfer on and does not say how it ended, 408 when it
        /// said nothing for too long, 481 when there is no call to transfer, 484 when the target is no address.
        status: u16,
    },
    /// A new leg takes the place of this one (INVITE with Replaces), with what was tapped and recorded of it. `Answered` of the
    /// new one and `Ended` of this one follow.
    Replaced {
        /// The leg that ends.
        leg: LegId,
        /// The leg in its place, which is told of nowhere else.
        by: LegId,
    },
    /// How loud both sides were, peaks of the last 200 ms, 0 to 100. The only event that may be dropped.
    Level {
        /// Which leg.
        leg: LegId,
        /// Far end.
        caller: u8,
        /// Our side.
        clinic: u8,
    },
    /// How the leg fares, every 5 s and once at its end.
    Quality {
        /// Which leg.
        leg: LegId,
        /// The figures.
        quality: LegQuality,
    },
    /// The leg is over. Nothing about it follows.
    Ended {
        /// Which leg.
        leg: LegId,
        /// Why.
        cause: LegEnd,
    },
    /// A trunk fares otherwise than before.
    Trunk {
        /// Which trunk.
        trunk: TrunkId,
        /// How.
        state: TrunkState,
    },
    /// A phone fares otherwise than before: it came, went, moved, or does not answer any more.
    Phone {
        /// Which phone.
        phone: PhoneId,
        /// How.
        state: PhoneState,
    },
    /// A source has guessed passwords too often: nothing of it is read for an hour.
    Banned {
        /// Which.
        source: IpAddr,
    },
}

impl EngineEvent {
    /// The leg it is about; `None` when it is about no call.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Self::Incoming { leg, .. }
            | Self::Dialing { leg, .. }
            | Self::WebAnswer { leg, .. }
            | Self::Attached { leg, .. }
            | Self::Ringing { leg }
            | Self::Early { leg }
            | Self::Answered { leg, .. }
            | Self::SpeechStarted { leg, .. }
            | Self::SpeechEnded { leg, .. }
            | Self::Dtmf { leg, .. }
            | Self::PlayedTo { leg, .. }
            | Self::Held { leg, .. }
            | Self::Holding { leg, .. }
            | Self::TransferAsked { leg, .. }
            | Self::TransferDone { leg, .. }
            | Self::Replaced { leg, .. }
            | Self::Level { leg, .. }
            | Self::Quality { leg, .. }
            | Self::Ended { leg, .. } => Some(*leg),
            Self::Trunk { .. } | Self::Phone { .. } | Self::Banned { .. } | Self::WebRefused { .. } => None,
        }
    }
}

/// Figures of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LegQuality {
    /// RTP packets received and accepted.
    pub received: u64,
    /// RTP packets missing by sequence number.
    pub lost: u64,
    /// Frames that were concealed.
    pub concealed: u64,
    /// Packets refused: stranger's address, wrong payload, malformed.
    pub refused: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
    pub jitter_ms: f32,
    /// Loss the far end reports of us (RTCP), 0.0 to 1.0.
    pub remote_loss: f32,
    /// Round trip from RTCP, in milliseconds, where the far end reports.
    pub round_trip_ms: Option<u32>,
    /// How the far end sounds to us, estimated from what is missing and from delay (ITU-T G.107): 1.0 to 4.4; 0.0 while
    /// nothing has been heard.
    pub mos: f32,
    /// We send, but nothing has been heard for 10 s, and nobody is on hold: the far end probably hears nothing either, or is
    /// behind a firewall that lets only our direction through.
    pub one_way: bool,
}

/// Why a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// The far end sent BYE.
    RemoteHangup,
    /// We sent BYE.
    LocalHangup,
    /// The far end cancelled before we answered.
    Cancelled,
    /// We refused it, with this status.
    Rejected(u16),
    /// The far end refused our INVITE, with this status.
    Refused(u16),
    /// No RTP for too long.
    NoMedia,
    /// A transaction timed out: no ACK to our 200, no answer to our request.
    Timeout,
    /// The peer broke the protocol.
    Protocol,
    /// We could not serve it: no port, or the application did not keep up with its events.
    Overloaded,
}

/// When the engine wants to be woken, and for what: a debugging gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeReason {
    /// The 20 ms media tick.
    Tick,
    /// A SIP timer.
    Sip,
    /// An RTCP report, a watchdog.
    Leg,
}

/// What `next_wake` answers.
pub type NextWake = Option<(Instant, WakeReason)>;
