//! What goes into the user agent and what comes out of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::io::{
    CallerIdentity, DialIdentity, Hop, Phone, PhoneContact, PhoneId, PhoneState, Trunk, TrunkId, TrunkState,
};
use crate::sip::digest::Algorithm;
use crate::sip::refer::{REPLACES_BYTES_MAX, ReferTo};
use crate::sip::sdp::Sdp;

/// How a user agent presents itself and how much it takes on.
#[derive(Clone)]
pub struct AgentConfig {
    /// Address that goes into Via and Contact: where peers reach our SIP socket (the advertised one behind NAT).
    pub local: SocketAddr,
    /// The same for TCP; `None`: nobody is asked to connect, and long requests stay with UDP.
    pub tcp: Option<SocketAddr>,
    /// The same for TLS.
    pub tls: Option<SocketAddr>,
    /// `User-Agent` and `Server` header.
    pub user_agent: String,
    /// Most calls at once, ringing and closing ones included; an INVITE over it gets 503 with Retry-After.
    pub dialogs_max: usize,
    /// Most transactions at once; over it INVITEs get 503 and other requests are answered without one. Every call leaves two
    /// behind for 32 s, so this has to be 64 times the calls that begin in a second, and more.
    pub transactions_max: usize,
    /// How phones may answer for their passwords, as it is offered to them.
    pub algorithms: Vec<Algorithm>,
    /// Secret from which tags, branches and Call-IDs are made; new for every process.
    pub seed: [u8; 32],
}

/// Shows all but the seed: who knows it can end every call.
impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { local, tcp, tls, user_agent, dialogs_max, transactions_max, algorithms, seed: _ } = self;
        f.debug_struct("AgentConfig")
            .field("local", local)
            .field("tcp", tcp)
            .field("tls", tls)
            .field("user_agent", user_agent)
            .field("dialogs_max", dialogs_max)
            .field("transactions_max", transactions_max)
            .field("algorithms", algorithms)
            .finish_non_exhaustive()
    }
}

/// One call of the agent. Never used twice in the life of an agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialogId(pub u64);

/// Into the agent.
#[derive(Debug)]
pub enum AgentInput<'a> {
    /// One message came in: a datagram, or what a [`Framer`](crate::sip::framing::Framer) found on a connection.
    Message {
        /// From there.
        remote: Hop,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// One message of somebody who is only heard because phones may be where it comes from: it has to show that it is one.
    /// What is neither a phone's REGISTER or INVITE nor part of what is known is not answered.
    Guest {
        /// From there.
        remote: Hop,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// A connection is gone, or could not be opened.
    Closed {
        /// Which.
        hop: Hop,
    },
    /// Something is wanted.
    Command(AgentCommand),
    /// The time that `next_wake` named has come.
    Wake,
}

/// A call to place with [`UserAgent::invite`](super::UserAgent::invite).
#[derive(Clone, Debug)]
pub struct Invite {
    /// Request-URI, such as `sip:clinic@192.0.2.1:5060`; through a trunk, the number alone. Also the To address.
    pub uri: String,
    /// Where the INVITE goes.
    pub to: InviteTo,
    /// User part of our From and Contact address; empty calls anonymously (RFC 3323 section 4.1.1.3), through a trunk as the
    /// account's user.
    pub from_user: String,
    /// The offer.
    pub sdp: Sdp,
    /// Who we are to the network, where that is more than From says.
    pub identity: Option<DialIdentity>,
    /// The call that this one is to take the place of at the far end: the value of a Replaces header (RFC 3891).
    pub replaces: Option<String>,
    /// Every hop that says nothing is given up early, the last one too: whoever calls has another way, or begins again.
    pub is_emergency: bool,
}

/// Where a call goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InviteTo {
    /// There.
    Hop(Hop),
    /// There, and all that belongs to the call too: the way that a phone keeps open to us.
    Flow(Hop),
    /// Through this trunk.
    Trunk(TrunkId),
}

/// Whom a far end shall call instead of us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReferGoal {
    /// A `sip:`, `sips:` or `tel:` address, or a number at the far end's own domain.
    Address(String),
    /// The far end of this call of ours, whose place it takes there.
    Call(DialogId),
}

/// What the agent can be told. A command for a call that is over, or that does not fit the call's state, changes nothing.
#[derive(Clone, Debug)]
pub enum AgentCommand {
    /// Send 180 Ringing.
    Ring {
        /// Which call.
        dialog: DialogId,
    },
    /// Send 183 with our answer (RFC 3960). Where the caller demands reliable responses it is 180: what brings an answer would
    /// have to be acknowledged before the 200 may follow (RFC 3262 section 3).
    Progress {
        /// Which call.
        dialog: DialogId,
        /// Our answer; the one that `Accept` takes later.
        sdp: Sdp,
    },
    /// Send 200 with our answer, or with our offer when the INVITE had none.
    Accept {
        /// Which call.
        dialog: DialogId,
        /// Our description.
        sdp: Sdp,
    },
    /// Refuse an incoming call; `Ended` with `Rejected` follows.
    Reject {
        /// Which call.
        dialog: DialogId,
        /// Final status, 300 to 699; anything else becomes 500.
        status: u16,
        /// Reason phrase; empty takes the status' usual one.
        reason: String,
    },
    /// End the call as its state demands: BYE, CANCEL or 603; `Ended` follows at once.
    Hangup {
        /// Which call.
        dialog: DialogId,
    },
    /// End a call of ours because another phone has answered; the far end is told so.
    Elsewhere {
        /// Which call.
        dialog: DialogId,
    },
    /// Answer what [`AgentEvent::Offer`] brought.
    AnswerOffer {
        /// Which call.
        dialog: DialogId,
        /// Our answer (our offer, when the re-INVITE had none); `None` refuses with 488 and leaves the call as it was.
        sdp: Option<Sdp>,
    },
    /// We want to change the session: `OfferDue` follows as soon as it may be offered.
    Change {
        /// Which call.
        dialog: DialogId,
    },
    /// Offer a change of the session (re-INVITE), in answer to [`AgentEvent::OfferDue`]. `Accepted` or `Unchanged` follows,
    /// or the end of the call.
    Offer {
        /// Which call.
        dialog: DialogId,
        /// Our offer.
        sdp: Sdp,
    },
    /// Ask the far end to call somebody else instead. `Transferred` follows.
    Refer {
        /// Which call.
        dialog: DialogId,
        /// Whom.
        to: ReferGoal,
    },
    /// Tell the far end how the transfer that it asked for with [`AgentEvent::Refer`] fares.
    ReferProgress {
        /// Which call.
        dialog: DialogId,
        /// SIP status of the new call; a final one is the last, and anything that is no status becomes 500.
        status: u16,
    },
    /// These are all trunks from now on (see [`crate::io::Command::Trunks`]).
    Trunks(Vec<Trunk>),
    /// These are all phones from now on (see [`crate::io::Command::Phones`]).
    Phones(Vec<Phone>),
    /// Where phones were when a process before this one was told last.
    Registrations(Vec<(PhoneId, PhoneContact)>),
    /// What time it is (see [`crate::io::Command::Clock`]).
    Clock {
        /// Seconds since 1970.
        unix_s: u64,
    },
    /// Give all registrations back; calls go on.
    Drain,
}

/// Out of the agent.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "outputs are moved once, from the queue to who drains it")]
pub enum AgentOutput {
    /// Send this message now: from the SIP socket, or over that connection, which is opened when there is none.
    Transmit {
        /// To there.
        remote: Hop,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Something happened to a call.
    Event(AgentEvent),
}

/// A fact about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// Somebody calls; 100 Trying has gone out. `Ring`, `Accept`, `Reject` or `Hangup` is expected.
    Incoming {
        /// The new call.
        dialog: DialogId,
        /// Who calls, and whom.
        caller: Caller,
        /// Where the request came from.
        remote: Hop,
        /// The offer; `None`: the INVITE has none, `Accept` takes our offer and `Confirmed` brings the answer.
        offer: Option<Sdp>,
        /// When the INVITE came in.
        received: Instant,
        /// The trunk that it came from.
        trunk: Option<TrunkId>,
        /// The phone that it is, which has shown so.
        phone: Option<PhoneId>,
        /// The call whose place it is to take (RFC 3891). Whether the caller may is for who accepts it to decide.
        replaces: Option<DialogId>,
    },
    /// The far end rings (180). Told once.
    Ringing {
        /// Which call.
        dialog: DialogId,
    },
    /// The far end sends audio before it answers (RFC 3960). May come again with another description.
    Early {
        /// Which call.
        dialog: DialogId,
        /// Its answer, or (unreliable 1xx) a preview of it.
        sdp: Sdp,
    },
    /// The far end answered a call of ours, or a change of ours; ACK has gone out.
    Accepted {
        /// Which call.
        dialog: DialogId,
        /// Its answer to our offer.
        answer: Sdp,
    },
    /// The ACK to our 200 came in: the call is up on both sides.
    Confirmed {
        /// Which call.
        dialog: DialogId,
        /// The answer to the offer in our 200, where the INVITE (or re-INVITE) had none.
        answer: Option<Sdp>,
    },
    /// The far end wants to change the session (re-INVITE or UPDATE). `AnswerOffer` is expected at once.
    Offer {
        /// Which call.
        dialog: DialogId,
        /// Its offer; `None`: it asks for ours, and `Confirmed` brings its answer.
        sdp: Option<Sdp>,
    },
    /// A change that we want can be offered now. `Offer` is expected at once, or nothing if it is not wanted any more.
    OfferDue {
        /// Which call.
        dialog: DialogId,
    },
    /// Our offer of a change was not accepted; the session is as it was before.
    Unchanged {
        /// Which call.
        dialog: DialogId,
        /// It met a change of the far end's, or came too early: `OfferDue` comes again.
        again: bool,
    },
    /// A digit came by INFO (`application/dtmf-relay` or `application/dtmf`).
    Digit {
        /// Which call.
        dialog: DialogId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The far end wants its call to go to somebody else; 202 has gone out, and that we try. `ReferProgress` is expected.
    Refer {
        /// Which call.
        dialog: DialogId,
        /// Whom.
        to: ReferTo,
        /// The call of ours whose place that is to take, where it is one.
        call: Option<DialogId>,
    },
    /// What came of `AgentCommand::Refer`, told once.
    Transferred {
        /// Which call.
        dialog: DialogId,
        /// SIP status of the far end's new call; 202: it will not say; 408: it did not say.
        status: u16,
    },
    /// The call is over. Nothing about it follows, and nothing need be told to forget it.
    Ended {
        /// Which call.
        dialog: DialogId,
        /// Why.
        cause: AgentEnd,
    },
    /// A trunk fares otherwise than before.
    Trunk {
        /// Which trunk.
        trunk: TrunkId,
        /// How.
        state: TrunkState,
    },
    /// A trunk has asked for a password in a realm that is none of its own, or that has none: it was not answered.
    ForeignRealm {
        /// Which trunk.
        trunk: TrunkId,
        /// The realm, as people read it.
        realm: String,
    },
    /// A phone fares otherwise than before.
    Phone {
        /// Which phone.
        phone: PhoneId,
        /// How.
        state: PhoneState,
    },
    /// Somebody has given a wrong password.
    WrongPassword {
        /// From there.
        source: IpAddr,
        /// Tells one registration or call from another: the same for all that it says.
        call: u64,
    },
}

/// Who calls, and whom. All of it is personal data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Caller {
    /// User part of From, percent-decoded; empty when withheld.
    pub from_user: String,
    /// Display name of From; empty when there is none.
    pub display_name: String,
    /// User part of the Request-URI.
    pub to_user: String,
    /// What those in between vouch for. Only to be believed from a trusted trunk.
    pub identity: CallerIdentity,
}

/// Why a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentEnd {
    /// The far end sent BYE.
    RemoteBye,
    /// We ended it: BYE, or CANCEL of a call of ours.
    LocalBye,
    /// The far end cancelled before we answered.
    Cancelled,
    /// We refused it, with this status.
    Rejected(u16),
    /// The far end refused our INVITE, with this status.
    Refused(u16),
    /// No ACK to our 200, no reply to our INVITE, or nobody answered for [`super::RING_MAX`].
    Timeout,
    /// The far end broke the protocol: a 200 or an ACK without the description that was due, an unreadable one.
    Protocol,
}

/// Why a call cannot be placed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InviteError {
    /// Who dials is at fault.
    #[error("cannot call {uri:?}: not a SIP address such as sip:clinic@192.0.2.1:5060, nor (through a trunk) a number")]
    BadUri {
        /// What was dialled.
        uri: String,
    },
    /// Who dials is at fault.
    #[error(
        "cannot take a call's place: `replaces` is not the value of a Replaces header, of at most {REPLACES_BYTES_MAX} bytes"
    )]
    BadReplaces,
    /// There is no such trunk, or none of its hops.
    #[error("cannot call through trunk {trunk}: there is no such trunk, or it has no address")]
    NoTrunk {
        /// Its number.
        trunk: u64,
    },
    /// The agent has all the calls or transactions that it takes.
    #[error(
        "cannot place a call: {calls} of {calls_max} calls and {transactions} of {transactions_max} transactions are in use"
    )]
    Full {
        /// Calls now.
        calls: usize,
        /// Most calls at once.
        calls_max: usize,
        /// Transactions now.
        transactions: usize,
        /// Most transactions at once.
        transactions_max: usize,
    },
}
