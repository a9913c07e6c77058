//! What must arrive of what the engine tells.

use super::{
    CallerIdentity, Codec, Entrance, LegId, PhoneId, PhoneState, PlayId, TransferTarget, Transport, TrunkId,
    TrunkState, WebRefusal,
};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

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
        /// By which way it comes. From a phone, `from` is its user name.
        entrance: Entrance,
        /// What the trunk says about who calls.
        identity: CallerIdentity,
    },
    /// A dialled leg exists.
    Dialing {
        /// The tag of [`Command::Dial`](super::Command::Dial).
        tag: u64,
        /// The new leg.
        leg: LegId,
    },
    /// A browser's leg exists: this is what the browser has to be told. Its audio starts, or its call comes in, when it has
    /// reached us; `Ended` follows when it does not. For a leg that was renewed, this is all that is told.
    WebAnswer {
        /// The tag of [`Command::Web`](super::Command::Web).
        tag: u64,
        /// The new leg, or the one that was renewed.
        leg: LegId,
        /// Our description.
        sdp: String,
    },
    /// A browser's offer was not taken.
    WebRefused {
        /// The tag of [`Command::Web`](super::Command::Web).
        tag: u64,
        /// Why.
        refusal: WebRefusal,
    },
    /// An attached leg exists. `Incoming` follows, or `Dialing` for one that we dial; then `Ended` when there is no room for it.
    Attached {
        /// The tag of [`Command::Attach`](super::Command::Attach) or [`Command::AttachDialled`](super::Command::AttachDialled).
        tag: u64,
        /// The new leg.
        leg: LegId,
    },
    /// The far end rings (180). While it also sends audio, that is what to hear.
    Ringing {
        /// Which leg.
        leg: LegId,
    },
    /// Audio of the far end has come before its answer, such as its own ringing tone or an announcement (RFC 3960): it is tapped
    /// and bridged like that of a leg that is up. Told once; `Answered` may follow. A description alone is no audio.
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
    /// The caller began to speak. Of a leg that is in a bridge this is told while it is tapped: those who talk with each other
    /// alone need not be told.
    SpeechStarted {
        /// Which leg.
        leg: LegId,
        /// First voiced sample, milliseconds after answer.
        at_ms: u64,
    },
    /// The caller stopped speaking (after the VAD's hangover), or nobody listens for it any more.
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
    /// How it stands after [`Command::Hold`](super::Command::Hold): as wanted, or as before where the far end refused.
    Holding {
        /// Which leg.
        leg: LegId,
        /// We have the far end on hold.
        on: bool,
    },
    /// The far end wants its call to go to somebody else (REFER). It has been told that we try;
    /// [`Command::TransferProgress`](super::Command::TransferProgress) is expected. Whether the target may be called is for the application to decide.
    TransferAsked {
        /// Which leg.
        leg: LegId,
        /// Whom.
        target: TransferTarget,
    },
    /// What came of [`Command::Transfer`](super::Command::Transfer). After a 2xx the far end has left or is about to.
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
    /// A trunk has asked for a password in a realm that is none of its own, or though none is kept for it: it was not answered, and
    /// what was asked for has failed.
    ForeignRealm {
        /// Which trunk.
        trunk: TrunkId,
        /// The realm, control characters taken out; at most 253 characters.
        realm: String,
    },
    /// A phone fares otherwise than before: it came, went, moved, or does not answer any more.
    Phone {
        /// Which phone.
        phone: PhoneId,
        /// How.
        state: PhoneState,
    },
    /// A source has guessed passwords too often, in this process or before it: nothing of it is read for a while.
    Banned {
        /// Which.
        source: IpAddr,
        /// Until when.
        until: Instant,
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
            Self::Trunk { .. }
            | Self::ForeignRealm { .. }
            | Self::Phone { .. }
            | Self::Banned { .. }
            | Self::WebRefused { .. } => None,
        }
    }
}

/// Figures of one leg, of its present call ([`Command::Measure`](super::Command::Measure)); what was concealed and refused is of all.
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
