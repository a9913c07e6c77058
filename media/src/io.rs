//! What goes into the [`Engine`](crate::engine::Engine) and what comes out of it.
//!
//! Four delivery classes, told apart by type: [`EngineEvent`] must arrive; [`Output::Pcm`] is ordered and may be dropped
//! (counted); [`Output::Recorded`] goes to the recording writer and a lost frame becomes a marked gap;
//! [`Output::Transmit`], [`Output::Send`] and [`Output::WebSend`] leave now or never.

mod bridge;
mod carrier;
mod command;
mod entrance;
mod event;
mod hop;
mod identity;
mod inside;
mod phone;
mod transfer;
mod trunk;
mod web;

pub use bridge::{BridgeId, Gain, GainError, PARTIES_MAX, Party, PartyClass};
pub use carrier::{CARRIER_FRAME_OCTETS_MAX, CARRIER_GRACE, CarrierNews, CarrierOrder};
pub use command::{Command, DialTo};
pub use entrance::{CarrierId, Entrance};
pub use event::{EngineEvent, LegEnd, LegQuality};
pub use hop::{Hop, Protection, Transport};
pub use identity::{Attestation, AttestationLevel, CallerIdentity, DialIdentity, NumberCheck};
pub use inside::{INSIDE_MAX, Inside};
pub use phone::{Binding, PHONE_CONTACTS_MAX, PHONE_REALM, PHONES_MAX, Phone, PhoneContact, PhoneId, PhoneState};
pub use transfer::{TransferTarget, TransferTo};
pub use trunk::{
    Credentials, IdentityHeader, TRUNK_HOPS_MAX, TRUNK_REALMS_MAX, TRUNKS_MAX, Trunk, TrunkId, TrunkState,
};
pub use web::{WebPurpose, WebRefusal};

use std::net::SocketAddr;
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
    /// The one UDP socket of all browsers.
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
    /// A browser has opened a TCP connection to us. One of the same address that was open is gone.
    WebOpened {
        /// Its far end.
        remote: SocketAddr,
    },
    /// A browser's TCP connection brought something, cut anywhere.
    WebStream {
        /// Its far end.
        remote: SocketAddr,
        /// What it brought.
        bytes: &'a [u8],
    },
    /// A browser's TCP connection is gone.
    WebClosed {
        /// Its far end.
        remote: SocketAddr,
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
    /// Send this over a browser's TCP connection. What there is no room for is left out whole: it is one packet, as on UDP.
    WebSend {
        /// Its far end.
        remote: SocketAddr,
        /// One packet behind its length.
        bytes: Vec<u8>,
    },
    /// Close a browser's TCP connection, after what was to be sent over it.
    WebClose {
        /// Its far end.
        remote: SocketAddr,
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
        /// The tick: what two legs are recorded of lies as far apart as these.
        at: Instant,
        /// Milliseconds after the leg was answered. Frames are 20 ms apart; a hole is time the engine could not serve.
        at_ms: u64,
        /// What those outside said: the far end, unless its last [bridge](Command::Bridge) has it as another class, and whom it was given. One
        /// whom nobody of its last bridge hears, as they are muted, is in no channel.
        caller: Box<[i16]>,
        /// What we played to the far end, and what receptionists on legs of their own said.
        receptionist: Box<[i16]>,
        /// What the clinic's people said, the far end among them where it is one.
        staff: Box<[i16]>,
        /// Kept silent by [`Command::Mask`].
        masked: bool,
    },
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
