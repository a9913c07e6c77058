//! Words for calls of several legs: who wants to talk to whom, and what is done about it.

use super::{Ids, Joining, Leg};
use crate::account::Actor;
use crate::code::OutboundRule;
use crate::id::{AccountId, PhoneId, TrunkId};
use crate::outbound::{Outbound, Show, Usable};
use crate::tenant::Tenant;

/// A dialled leg before the engine has numbered it. Unique for the life of the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// The clinic and its rules as they are now.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The clinic.
    pub tenant: Tenant,
    /// Rules of outgoing calls.
    pub rules: Outbound,
    /// Its trunks that are switched on, and its carriers.
    pub trunks: Vec<Usable>,
}

/// Somebody of the clinic wants to call.
#[derive(Clone, Debug, PartialEq)]
pub struct Placing {
    /// Fresh identifiers.
    pub ids: Ids,
    /// Who; none at a telephone that is nobody's.
    pub by: Option<AccountId>,
    /// The same in the log; the system, where nobody is known.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// How they are shown to colleagues: an extension or a name.
    pub shown: String,
    /// Whom.
    pub target: Target,
    /// What a called party outside shall be shown.
    pub show: Show,
    /// The clinic and its rules.
    pub world: World,
}

/// From where somebody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Their telephone is rung first; when they answer, the call goes on.
    Phone(PhoneId),
    /// Their telephone calls: it hears ringing until the other side answers.
    Calling(PhoneId, Leg),
    /// Their softphone, which is up: it hears how the call fares from the beginning.
    Station(Leg),
}

/// Whom somebody wants to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A number as it was dialled; the rules of outgoing calls decide.
    Outside(String),
    /// A colleague, at their telephone and at their softphone: the first of them to answer has the call.
    Phone {
        /// Which.
        phone: PhoneId,
        /// Whose; none for a telephone that is nobody's.
        account: Option<AccountId>,
        /// Its extension.
        extension: String,
        /// Their softphone, which rings as well while it is free; none while it is not there.
        station: Option<Leg>,
    },
}

/// Where a telephone wants its call to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To somebody else.
    Target(Target),
    /// To whom it talks with at this leg of its own.
    Leg(Leg),
}

/// Why a call was not placed or handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPlaced {
    /// A rule of outgoing calls stands against it.
    Rule(OutboundRule),
    /// No place is left.
    Full,
    /// The service stops.
    Stopping,
    /// The call is not one that can be handed on now: nobody is on its other side.
    NotTalking,
    /// The softphone of whoever wants it is in another call, or rings.
    Busy,
}

/// What to do with a call that is on.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Let the other side wait with music, or take it back.
    Hold(bool),
    /// Hand the other side on.
    Transfer {
        /// To whom.
        target: Target,
        /// Ask them first; hanging up hands on, taking back ends the asking.
        attended: bool,
        /// The clinic and its rules.
        world: Box<World>,
    },
    /// Send digits to the other side.
    Dtmf(String),
    /// End it; while somebody is being asked, hand on to them.
    HangUp,
    /// Take it at one's softphone, where it rings.
    Answer,
    /// Let it ring no more for oneself, neither here nor at one's telephone.
    Decline,
    /// Let nobody hear one's softphone, or let them again.
    Mute(bool),
    /// Come into it, or take part in another way: listen, whisper, talk.
    Join(Box<Joining>),
    /// Let all talk with each other: whom one asks comes in.
    Conference {
        /// Who wants it, as it is written down.
        actor: Actor,
    },
    /// Let one go who talks in the conference.
    Remove(u32),
    /// Keep nothing of what is said, or keep it again.
    Mask {
        /// Whether nothing is kept.
        on: bool,
        /// Who wants it, as it is written down.
        actor: Actor,
    },
}

/// Where a leg is dialled to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Through a trunk, or by a carrier.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// The number as the provider wants it.
        number: String,
        /// The clinic's number that is shown; empty for the provider's choice.
        caller_id: String,
        /// The provider keeps it from who is called.
        is_withheld: bool,
        /// Its place among the call's calls to the outside.
        line: usize,
    },
    /// To a telephone of the clinic.
    Phone {
        /// Which.
        phone: PhoneId,
        /// Who calls, as it is shown there.
        shown: String,
    },
}

/// What a party hears of how their call fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It rings there.
    Ringback,
    /// Nobody will answer.
    Busy,
    /// No way there is free: they were not even called.
    Congestion,
    /// Nothing any more.
    Silence,
}

/// What a party of a bridge is to the clinic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Somebody outside.
    Outside,
    /// A member of staff.
    Staff,
}
