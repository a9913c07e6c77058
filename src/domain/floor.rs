//! Floor: who talks to whom in the clinic. Holds the only live picture of calls; decides, and leaves the doing to its shell.
//!
//! `handle(input, now)`, then [`Floor::poll`] until it gives nothing. Identifiers come in with a call, so that the machine needs no
//! randomness. Nothing here waits: a call is answered and attended before any of it has been written down.

mod fact;
mod place;
mod side;
mod stay;
mod talk;

pub use fact::{Applied, Fact};
pub use place::{Class, NotPlaced, Order, Origin, Placing, Signal, Tag, Target, To, World};

use crate::Timestamp;
use crate::account::Actor;
use crate::call::{Call, CallIdentity, Recording};
use crate::code::{EndCause, Lang, OutboundRule, Outcome, Speaker};
use crate::conversation::{Conversation, Turn};
use crate::id::{AccountId, CallId, CauseId, ContactId, ConversationId, TaskId};
use crate::live::{Live, LiveCall};
use crate::outbound::{Ledger, Line, Permit, Wish};
use crate::tenant::Tenant;
use jiff::SignedDuration;
use side::Who;
use stay::{Phase, Stay};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// SIP status of a call that finds no place (RFC 3261 section 21.5.4).
const STATUS_NO_PLACE: u16 = 503;
/// An answer that is never acknowledged ends by itself within 32 s (RFC 3261, timer H); later we end it.
const ARRIVING_MAX: SignedDuration = SignedDuration::from_secs(40);
/// A leg that was told to end and has not after this long counts as failed.
const ENDING_MAX: SignedDuration = SignedDuration::from_secs(10);
/// An apology is a sentence; when its end is not heard of, we go on.
const APOLOGY_MAX: SignedDuration = SignedDuration::from_secs(12);
/// A recording is complete soon after its call; later we stop waiting for it.
const RECORDING_MAX: SignedDuration = SignedDuration::from_secs(60);
/// A receptionist that fails is replaced once within a call; the second failure ends the call politely.
const RESTARTS_MAX: u8 = 1;

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
        /// RTP packets received.
        received: u64,
        /// RTP packets missing.
        lost: u64,
        /// Interarrival jitter, in milliseconds.
        jitter_ms: f32,
        /// How it sounds, 1.0 to 4.4; none while nothing has been heard.
        mos: Option<f32>,
        /// We send, and have heard nothing for long.
        one_way: bool,
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
    /// A telephone puts its other side on hold, or takes it back.
    Held {
        /// Which leg.
        leg: Leg,
        /// On hold.
        on: bool,
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
    /// Stop recording the leg.
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
    },
    /// Tell a calling telephone that it rings there.
    Ring(Leg),
    /// Let a party hear how its call fares.
    Signal {
        /// Which leg.
        leg: Leg,
        /// What.
        signal: Signal,
    },
    /// Let these hear each other, and nobody else; fewer than two end the bridge.
    Bridge {
        /// Which bridge.
        bridge: u64,
        /// Who.
        parties: Vec<(Leg, Class)>,
    },
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

/// What a receptionist is told of the call it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
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

/// The machine.
#[derive(Debug)]
pub struct Floor {
    ledger: Ledger,
    /// The next tag or bridge.
    next: u64,
    calls_max: usize,
    draining: bool,
    stays: BTreeMap<CallId, Stay>,
    legs: HashMap<Leg, CallId>,
    out: VecDeque<Output>,
}

impl Floor {
    /// An empty floor with room for so many calls at a time.
    pub fn new(calls_max: usize) -> Self {
        let (ledger, stays, legs, out) = (Ledger::default(), BTreeMap::new(), HashMap::new(), VecDeque::new());
        Self { ledger, next: 0, calls_max, draining: false, stays, legs, out }
    }

    /// Takes one input. Inputs about calls or legs that are gone change nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Arrived { leg, ids, from, to, identity, tenant } => {
                self.arrived(Stay::new(leg, ids, from, to, *tenant, now).identified(*identity), now)
            }
            Input::Place(placing) => self.place(*placing, now),
            Input::Order { call, order } => self.order(call, order, now),
            Input::Dialling { tag, leg } => self.dialling(tag, leg),
            Input::NotDialled { tag } => {
                let calls = self.stays.values().filter(|stay| stay.waits_for(tag)).map(Stay::id);
                if let Some(call) = calls.min() {
                    self.with(call, now, |stay, hands| stay.not_dialled(tag, hands));
                }
            }
            Input::Past(call) => self.ledger.restore(&call),
            Input::Drain => self.draining = true,
            Input::Wake => self.wake(now),
            Input::Answered { leg, .. }
            | Input::Ringing { leg }
            | Input::Held { leg, .. }
            | Input::Digit { leg, .. }
            | Input::Level { leg, .. }
            | Input::Quality { leg, .. }
            | Input::LegEnded { leg, .. } => {
                if let Some(call) = self.legs.get(&leg).copied() {
                    self.within(call, input, now);
                }
            }
            Input::Told { call, .. }
            | Input::ReceptionistGone { call }
            | Input::Apologised { call }
            | Input::Recorded { call, .. }
            | Input::Known { call, .. }
            | Input::HangUp { call } => self.within(call, input, now),
        }
    }

    /// What is to be done next; call until it gives nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Wake`] is wanted.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.stays.values().filter_map(Stay::wake_at).min()
    }

    /// The calls that are on now, oldest first.
    pub fn board(&self) -> Vec<LiveCall> {
        self.stays.values().filter(|stay| stay.is_on()).map(Stay::card).collect()
    }

    /// Whether anything is still expected of a call.
    pub fn knows(&self, call: CallId) -> bool {
        self.stays.contains_key(&call)
    }

    /// How many calls are on now.
    pub fn calls(&self) -> usize {
        self.stays.values().filter(|stay| stay.is_on()).count()
    }

    fn arrived(&mut self, mut stay: Stay, now: Timestamp) {
        let full = self.draining || self.calls() >= self.calls_max;
        self.out
            .extend(stay.leg.map(|leg| if full { Output::Refuse(leg, STATUS_NO_PLACE) } else { Output::Answer(leg) }));
        self.out.push_back(stay.open(Actor::Caller { call: stay.id() }));
        if full {
            stay.end(EndCause::Rejected, now, &mut self.out);
            return;
        }
        self.out.extend(stay.attend());
        self.admit(stay);
        self.out.push_back(Output::Board);
    }

    /// Keeps a call from now on.
    fn admit(&mut self, stay: Stay) {
        if !stay.number().is_empty() {
            self.out.push_back(Output::Identify { call: stay.id(), number: stay.number().to_owned() });
        }
        self.legs.extend(stay.leg.map(|leg| (leg, stay.id())));
        self.stays.insert(stay.id(), stay);
    }

    fn place(&mut self, placing: Placing, now: Timestamp) {
        let (call, leg) =
            (placing.ids.call, if let Origin::Calling(_, leg) = placing.origin { Some(leg) } else { None });
        match self.admitted(&placing, now) {
            Ok((far, to, is_emergency)) => {
                let stay = Stay::placed(&placing, to, now);
                self.out.push_back(stay.open(placing.actor));
                self.admit(stay);
                self.legs.extend(leg.map(|leg| (leg, call)));
                self.out.push_back(Output::Done(call));
                self.with(call, now, |stay, hands| {
                    if is_emergency {
                        stay.dials_emergency(hands);
                    }
                    stay.place(placing, far, hands);
                });
            }
            Err(why) => {
                self.out.extend(leg.map(|leg| Output::Refuse(leg, refusal_of(why))));
                self.out.push_back(Output::NotDone(call, why));
            }
        }
    }

    /// Whether a call may be placed: with whom, under which number, and whether it is an emergency.
    fn admitted(&mut self, placing: &Placing, now: Timestamp) -> Result<(Who, String, bool), NotPlaced> {
        let (full, draining) = (self.calls() >= self.calls_max, self.draining);
        let mut hands =
            Hands { now, ledger: &mut self.ledger, next: &mut self.next, out: &mut self.out, cause: placing.ids.cause };
        let dialled = if let Target::Outside(number) = &placing.target { number.as_str() } else { "" };
        let wish = Wish { dialled, account: placing.by, caller_id: placing.caller_id.as_deref() };
        let far = talk::reached(&placing.target, wish, &placing.world, &mut hands).map_err(|rule| {
            hands.refused(rule, placing.by, dialled.to_owned(), placing.ids.missed);
            NotPlaced::Rule(rule)
        })?;
        let (to, is_emergency) = match (&far, &placing.target) {
            (Who::Outside(permit), _) => (permit.number.clone(), permit.is_emergency),
            (_, Target::Phone { extension, .. }) => (extension.clone(), false),
            (_, Target::Outside(number)) => (number.clone(), false),
        };
        match (is_emergency, draining, full) {
            (true, ..) | (false, false, false) => Ok((far, to, is_emergency)),
            (false, true, _) => Err(NotPlaced::Stopping),
            (false, false, true) => Err(NotPlaced::Full),
        }
    }

    fn order(&mut self, call: CallId, order: Order, now: Timestamp) {
        let answer = match self.stays.get(&call) {
            // Hanging up on the receptionist's caller is one of its own inputs.
            Some(stay) if order == Order::HangUp && stay.talk.is_none() => {
                self.within(call, Input::HangUp { call }, now);
                Ok(())
            }
            Some(_) => {
                self.with(call, now, |stay, hands| stay.order(order, hands)).unwrap_or(Err(NotPlaced::NotTalking))
            }
            None => Err(NotPlaced::NotTalking),
        };
        self.out.push_back(answer.map_or_else(|why| Output::NotDone(call, why), |()| Output::Done(call)));
    }

    fn dialling(&mut self, tag: Tag, leg: Leg) {
        match self.stays.values_mut().find_map(|stay| stay.dialling(tag, leg).then(|| stay.id())) {
            Some(call) => drop(self.legs.insert(leg, call)),
            // Its call ended before it had a leg.
            None => self.out.push_back(Output::HangUp(leg)),
        }
    }

    fn within(&mut self, call: CallId, input: Input, now: Timestamp) {
        self.with(call, now, |stay, hands| stay.handle(input, hands));
    }

    fn wake(&mut self, now: Timestamp) {
        let due = |stay: &Stay| stay.wake_at().is_some_and(|at| at <= now);
        let calls: Vec<CallId> = self.stays.values().filter(|stay| due(stay)).map(Stay::id).collect();
        for call in calls {
            self.with(call, now, Stay::wake);
        }
    }

    /// Does something with a call, and forgets it when nothing more is expected of it; its legs as soon as it is over.
    fn with<T>(
        &mut self,
        call: CallId,
        now: Timestamp,
        work: impl FnOnce(&mut Stay, &mut Hands<'_>) -> T,
    ) -> Option<T> {
        let stay = self.stays.get_mut(&call)?;
        let cause = stay.ids.cause;
        let mut hands = Hands { now, ledger: &mut self.ledger, next: &mut self.next, out: &mut self.out, cause };
        let done = work(stay, &mut hands);
        if !stay.is_on() {
            self.legs.retain(|_, of| *of != call);
        }
        if stay.phase == Phase::Gone {
            self.stays.remove(&call);
        }
        Some(done)
    }
}

/// What a call works with.
struct Hands<'a> {
    now: Timestamp,
    ledger: &'a mut Ledger,
    next: &'a mut u64,
    out: &'a mut VecDeque<Output>,
    cause: CauseId,
}

impl Hands<'_> {
    fn number(&mut self) -> u64 {
        *self.next += 1;
        *self.next
    }

    /// A tag that was never given before.
    fn tag(&mut self) -> Tag {
        Tag(self.number())
    }

    /// A bridge that never was before.
    fn bridge(&mut self) -> u64 {
        self.number()
    }

    /// Counts a call to the outside from now on; emergencies are not counted.
    fn reserve(&mut self, line: Line, permit: &Permit, by: Option<AccountId>) {
        if !permit.is_emergency {
            self.ledger.begin(line, by, permit.minute_price, self.now);
        }
    }

    /// A rule stood against a call: it is written down, and people are alarmed where it looks like an attack.
    fn refused(&mut self, rule: OutboundRule, account: Option<AccountId>, number: String, task: TaskId) {
        let noted = self.ledger.refused(rule, self.now);
        if noted.is_worth_writing || noted.is_alarming {
            let (cause, at, task) = (self.cause, self.now, noted.is_alarming.then_some(task));
            self.out.push_back(Output::Refused { cause, at, rule, account, number, task });
        }
    }
}

/// What a telephone that calls is told (RFC 3261 section 21).
fn refusal_of(why: NotPlaced) -> u16 {
    match why {
        NotPlaced::Rule(OutboundRule::Number) => 404,
        NotPlaced::Rule(OutboundRule::NoRoute | OutboundRule::TrunksDown) | NotPlaced::Full | NotPlaced::Stopping => {
            STATUS_NO_PLACE
        }
        NotPlaced::Rule(_) | NotPlaced::NotTalking => 403,
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(now)
}

#[cfg(test)]
mod tests;
