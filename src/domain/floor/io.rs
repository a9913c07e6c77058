//! What goes into the floor and what comes out of it.

use super::fact::Fact;
use super::place::{Asked, Class, NotPlaced, Order, Placing, Signal, Tag, To, World};
use crate::Timestamp;
use crate::account::Actor;
use crate::call::{Call, CallIdentity, Entrance, Recording, SideQuality};
use crate::code::{EndCause, Lang, OutboundRule, Outcome, Speaker};
use crate::conversation::{Conversation, Turn};
use crate::id::{AccountId, CallId, CauseId, ContactId, ConversationId, TaskId, TrunkId};
use crate::live::Live;
use crate::tenant::Tenant;

/// A leg, as the engine numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leg(pub u64);

/// Identifiers for everything that a call may need, made when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The call.
    pub call: CallId,
    /// Its transcript.
    pub conversation: ConversationId,
    /// The piece of work that it is.
    pub cause: CauseId,
    /// The task, should it be cut off.
    pub missed: TaskId,
    /// The task, should it be an emergency.
    pub emergency: TaskId,
    /// The task, should somebody not be heard in it.
    pub unheard: TaskId,
}

/// Into the floor.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody calls.
    Arrived {
        /// Their leg.
        leg: Leg,
        /// Fresh identifiers.
        ids: Ids,
        /// The caller as signalled; empty when withheld.
        from: String,
        /// What was dialled.
        to: String,
        /// By which way it comes.
        entrance: Entrance,
        /// What the carrier says about the caller.
        identity: Box<CallIdentity>,
        /// The clinic as it is now.
        tenant: Box<Tenant>,
    },
    /// The leg is up.
    Answered {
        /// Which.
        leg: Leg,
        /// INVITE to 200, in milliseconds.
        answer_ms: u32,
        /// Samples a second of its codec; also of its recording.
        rate_hz: u32,
    },
    /// How loud both sides are, peaks of 0 to 100.
    Level {
        /// Which leg.
        leg: Leg,
        /// Far end.
        caller: u8,
        /// Our side.
        clinic: u8,
    },
    /// How the leg fares; the last figures stand.
    Quality {
        /// Which leg.
        leg: Leg,
        /// Since the leg was there, or was [measured](Output::Measure) anew; that it is one-sided, of this moment.
        quality: SideQuality,
    },
    /// The leg is over.
    LegEnded {
        /// Which.
        leg: Leg,
        /// Why.
        cause: EndCause,
    },
    /// The receptionist tells what happened.
    Told {
        /// In which call.
        call: CallId,
        /// What.
        what: Told,
    },
    /// The receptionist's task has ended: it returned, failed, or stopped listening.
    ReceptionistGone {
        /// Of which call.
        call: CallId,
        /// Which of the call's receptionists: one that was sent away is not missed.
        shift: u32,
    },
    /// The apology has been played to its end.
    Apologised {
        /// In which call.
        call: CallId,
    },
    /// The recording has come so far.
    Recorded {
        /// Of which call.
        call: CallId,
        /// As it stands.
        recording: Recording,
        /// Nothing more will be written.
        complete: bool,
    },
    /// The caller's number belongs to a contact.
    Known {
        /// In which call.
        call: CallId,
        /// Who.
        contact: ContactId,
        /// Their name; may be empty.
        name: String,
    },
    /// Somebody ends the call.
    HangUp {
        /// Which.
        call: CallId,
    },
    /// Somebody of the clinic calls. [`Output::Done`] or [`Output::NotDone`] answers.
    Place(Box<Placing>),
    /// Somebody wants something of a call that is on. [`Output::Done`] or [`Output::NotDone`] answers.
    Order {
        /// Of which call.
        call: CallId,
        /// Who; what they do is done as the one of the call whose softphone it is, where there is one.
        by: Option<AccountId>,
        /// What.
        order: Order,
    },
    /// A leg that was dialled exists.
    Dialling {
        /// As it was dialled.
        tag: Tag,
        /// Its leg.
        leg: Leg,
    },
    /// What was to be dialled could not be.
    NotDialled {
        /// As it was to be dialled.
        tag: Tag,
    },
    /// It rings there.
    Ringing {
        /// At which leg.
        leg: Leg,
    },
    /// It is heard before it answers: its own ringing, or an announcement.
    Early {
        /// Which leg.
        leg: Leg,
    },
    /// A telephone puts its other side on hold, or takes it back.
    Held {
        /// Which leg.
        leg: Leg,
        /// On hold.
        on: bool,
    },
    /// A telephone wants its call to go elsewhere. [`Output::TransferTold`] answers.
    TransferAsked {
        /// At which leg.
        leg: Leg,
        /// Where.
        asked: Asked,
        /// The clinic and its rules.
        world: Box<World>,
    },
    /// What came of [`Output::Refer`].
    Referred {
        /// At which leg.
        leg: Leg,
        /// A final SIP status.
        status: u16,
    },
    /// Another leg takes the place of this one; that it is up follows.
    Replaced {
        /// The leg that ends.
        leg: Leg,
        /// The leg in its place.
        by: Leg,
    },
    /// A digit was pressed.
    Digit {
        /// At which leg.
        leg: Leg,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A call that has been: what it cost counts against the caps. To be told before the first call.
    Past(Box<Call>),
    /// The service stops: no new calls.
    Drain,
    /// The time asked for by [`Floor::next_wake`] has come.
    Wake,
}

/// What a receptionist tells of its call.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A turn is complete.
    Turn(Box<Turn>),
    /// Words as they are being spoken.
    Partial {
        /// Who speaks.
        speaker: Speaker,
        /// So far.
        text: String,
        /// Begin, in milliseconds after answer.
        start_ms: u64,
    },
    /// It goes on in another language.
    Language(Lang),
    /// An emergency phrase was heard.
    Emergency {
        /// The lexicon's entry.
        sign: String,
        /// Language it was said in.
        language: Lang,
        /// The number the caller is told.
        number: String,
    },
    /// What it has come to so far.
    Outcome(Outcome),
    /// The caller does not want to be recorded.
    RecordingRefused,
    /// What is said now is a voicemail.
    Voicemail,
    /// The receptionist ended the call.
    HungUp,
}

/// Out of the floor.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Answer the leg at once.
    Answer(Leg),
    /// Refuse it with this SIP status.
    Refuse(Leg, u16),
    /// End it.
    HangUp(Leg),
    /// A softphone has left its call, and is silent until its next one.
    Rest(Leg),
    /// Start a receptionist for the call.
    Attend(Box<Assignment>),
    /// The receptionist of the call is no longer wanted.
    Dismiss(CallId),
    /// Say that something went wrong, in this language; `last` when the call ends after it.
    Apologise {
        /// In which call.
        call: CallId,
        /// To whom.
        leg: Leg,
        /// In which language.
        language: Lang,
        /// Goodbye follows; otherwise a receptionist does.
        last: bool,
    },
    /// Record the leg.
    Record {
        /// Of which call.
        call: CallId,
        /// Which leg.
        leg: Leg,
    },
    /// The recording of a leg goes on at another one, in the same file.
    RecordOn {
        /// The leg that was recorded; it may be over.
        from: Leg,
        /// The leg that is from now on.
        to: Leg,
    },
    /// Stop recording the leg: nothing more follows in its file. The leg may be over.
    StopRecording(Leg),
    /// Remove what was recorded of the call.
    EraseRecording(CallId),
    /// Write a new call down.
    Open {
        /// The call.
        call: Box<Call>,
        /// Its transcript, empty.
        conversation: Box<Conversation>,
        /// The piece of work.
        cause: CauseId,
        /// Who calls.
        by: Actor,
    },
    /// Write down what happened in a call; in the order given.
    Write {
        /// Which call.
        call: CallId,
        /// The piece of work.
        cause: CauseId,
        /// Who did it.
        actor: Actor,
        /// When.
        at: Timestamp,
        /// What.
        fact: Fact,
    },
    /// Find out who calls from this number.
    Identify {
        /// In which call.
        call: CallId,
        /// The number, not empty.
        number: String,
    },
    /// Dial a leg; its [`Input::Dialling`] is expected.
    Dial {
        /// For which call.
        call: CallId,
        /// Names it until it has a leg.
        tag: Tag,
        /// Where.
        to: To,
        /// It is part of an emergency call: nothing may keep it from being dialled, and it waits for no way that says nothing.
        is_emergency: bool,
    },
    /// Tell a calling telephone that it rings there.
    Ring(Leg),
    /// Let a calling telephone hear what comes before its call is answered.
    Early(Leg),
    /// Let a party hear how its call fares.
    Signal {
        /// Which leg.
        leg: Leg,
        /// What.
        signal: Signal,
    },
    /// Let these hear whom they name, and nobody else; fewer than two end the bridge.
    Bridge {
        /// Which bridge.
        bridge: u64,
        /// Who, and whom each of them hears.
        parties: Vec<Party>,
    },
    /// Keep nothing of what is said around a leg, or keep it again.
    Mask {
        /// Which leg.
        leg: Leg,
        /// Whether nothing is kept.
        on: bool,
    },
    /// A softphone begins a call: how it sounds is measured anew.
    Measure(Leg),
    /// Start or stop music for a party that waits.
    Music {
        /// Which leg.
        leg: Leg,
        /// Whether it plays.
        on: bool,
    },
    /// Send digits.
    Dtmf {
        /// To which leg.
        leg: Leg,
        /// Which.
        digits: String,
    },
    /// Ask the provider who has brought a leg to take it on to this number by itself. [`Input::Referred`] is expected.
    Refer {
        /// Which leg.
        leg: Leg,
        /// By which trunk it came.
        trunk: TrunkId,
        /// The number as the provider wants it.
        number: String,
    },
    /// Tell a telephone what came of the transfer that it asked for.
    TransferTold {
        /// At which leg.
        leg: Leg,
        /// A final SIP status.
        status: u16,
    },
    /// What was wanted is being done.
    Done(CallId),
    /// What was wanted is not done.
    NotDone(CallId, NotPlaced),
    /// A rule stood against a call to the outside: to be written down.
    Refused {
        /// The piece of work.
        cause: CauseId,
        /// When.
        at: Timestamp,
        /// Which rule.
        rule: OutboundRule,
        /// Who wanted to call.
        account: Option<AccountId>,
        /// What was dialled.
        number: String,
        /// The task to make: this looks like an attack.
        task: Option<TaskId>,
    },
    /// Push a passing fact to whoever watches.
    Show(Live),
    /// The live picture has changed; read [`Floor::board`].
    Board,
}

/// Somebody who hears others of a call, or is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its leg.
    pub leg: Leg,
    /// What it is to the clinic.
    pub class: Class,
    /// Whom it hears.
    pub hears: Vec<Leg>,
    /// It also hears what those are played, as by a receptionist.
    pub overhears: bool,
}

/// What a receptionist is told of the call it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Which of the call's receptionists it is, from 1.
    pub shift: u32,
    /// The caller's leg.
    pub leg: Leg,
    /// The call.
    pub call: CallId,
    /// Its transcript.
    pub conversation: ConversationId,
    /// The piece of work.
    pub cause: CauseId,
    /// The caller as signalled.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// The clinic.
    pub tenant: Tenant,
    /// The language to speak.
    pub language: Lang,
    /// When it was answered.
    pub answered_at: Timestamp,
}
