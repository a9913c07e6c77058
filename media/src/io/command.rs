//! What the engine can be told to do.

use super::{
    BridgeId, CallerIdentity, CarrierId, Codec, DialIdentity, Hop, LegId, Party, Pcm, Phone, PhoneContact, PhoneId,
    PlayId, TransferTo, Trunk, TrunkId, WebPurpose,
};
use crate::audio::music::Piece;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// What the engine can be told to do. A command for a leg that is gone changes nothing.
#[derive(Clone, Debug)]
pub enum Command {
    /// Place a call. `Dialing` with `tag` comes back with the new leg.
    Dial {
        /// Chosen by who dials, handed back in [`EngineEvent::Dialing`](super::EngineEvent::Dialing).
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
        /// It is part of an emergency call: it has the room that is kept for those, and who says nothing to its INVITE is not
        /// waited for.
        is_emergency: bool,
    },
    /// A browser offers a session. [`EngineEvent::WebAnswer`](super::EngineEvent::WebAnswer) or [`EngineEvent::WebRefused`](super::EngineEvent::WebRefused) with `tag` comes back.
    Web {
        /// Chosen by who asks, handed back in the answer.
        tag: u64,
        /// The browser's description.
        offer: String,
        /// What the leg is for.
        purpose: WebPurpose,
    },
    /// A call has come by a carrier's media socket: a leg without SIP, whose frames come and go through the shell.
    /// [`EngineEvent::Attached`](super::EngineEvent::Attached) with `tag` comes back, then `Incoming`.
    Attach {
        /// Chosen by who attaches, handed back in [`EngineEvent::Attached`](super::EngineEvent::Attached).
        tag: u64,
        /// Which carrier.
        carrier: CarrierId,
        /// What the carrier speaks, both ways.
        codec: Codec,
        /// The carrier presses keys when told; else they are played as tones.
        presses: bool,
        /// The caller's number; empty when withheld.
        from: String,
        /// What was dialled.
        to: String,
        /// Where the socket comes from.
        remote: Hop,
        /// What the carrier says about the caller.
        identity: CallerIdentity,
    },
    /// Somebody is called through a carrier: a leg without SIP, which is up once the carrier's socket is there
    /// ([`CarrierNews::Answered`](super::CarrierNews::Answered)). [`EngineEvent::Attached`](super::EngineEvent::Attached) with `tag` comes back, then `Dialing` with `dialled`.
    AttachDialled {
        /// Chosen by who attaches, handed back in [`EngineEvent::Attached`](super::EngineEvent::Attached).
        tag: u64,
        /// Chosen by who dials, handed back in [`EngineEvent::Dialing`](super::EngineEvent::Dialing).
        dialled: u64,
        /// What the carrier speaks, both ways.
        codec: Codec,
        /// The carrier presses keys when told; else they are played as tones.
        presses: bool,
        /// It is part of an emergency call, and has the room that is kept for those.
        is_emergency: bool,
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
    /// Send 183 with our answer, so that the caller hears what comes before the 200; where that cannot be, 180.
    Early {
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
        /// All of its parties, [`PARTIES_MAX`](super::PARTIES_MAX) at most.
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
    /// Count a leg's figures ([`LegQuality`](super::LegQuality)) anew: another call begins on it.
    Measure {
        /// Which leg.
        leg: LegId,
    },
    /// Send digits as RFC 4733 events, or as tones to a far end that takes none.
    Dtmf {
        /// Which leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// Put the far end on hold, or take it off. [`EngineEvent::Holding`](super::EngineEvent::Holding) tells how it stands then. What is played and bridged
    /// goes on to be sent, so that it may hear music.
    Hold {
        /// Which leg.
        leg: LegId,
        /// On hold.
        on: bool,
    },
    /// Ask the far end to call somebody else instead (REFER). [`EngineEvent::TransferDone`](super::EngineEvent::TransferDone) tells what came of it; the leg
    /// stays until either side ends it.
    Transfer {
        /// Which leg.
        leg: LegId,
        /// Whom.
        to: TransferTo,
    },
    /// Tell the far end how the transfer that it asked for fares ([`EngineEvent::TransferAsked`](super::EngineEvent::TransferAsked)).
    TransferProgress {
        /// Which leg.
        leg: LegId,
        /// SIP status of the new call, 100 to 699; a final one is the last.
        status: u16,
    },
    /// These are all trunks from now on. One that is equal to one that is there stays as it is, with its registration; one
    /// that is not among them is left, and its registration given back.
    Trunks(Vec<Trunk>),
    /// Whoever is put on hold from now on hears this piece; none: our own.
    MusicPiece(Option<Arc<Piece>>),
    /// Hear a source again that was banned for wrong passwords.
    Unban {
        /// Which, as [`EngineEvent::Banned`](super::EngineEvent::Banned) told it.
        source: IpAddr,
    },
    /// Sources that a process before this one has banned, and until when.
    Bans(Vec<(IpAddr, Instant)>),
    /// These are all phones from now on. One that is equal to one that is there keeps its registrations; of one that is not
    /// among them, or has another user or password, they end at once.
    Phones(Vec<Phone>),
    /// These are all numbers that phones ring in an emergency, digits alone: such a call is taken also when others are not.
    EmergencyNumbers(Vec<String>),
    /// Where phones were, best first, as a process before this one was told last ([`PhoneContact::kept`]): they can be called there at
    /// once, and are asked whether they still are. What has expired, or is known better by now, is passed over.
    Registrations(Vec<(PhoneId, PhoneContact)>),
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
