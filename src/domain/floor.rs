//! Floor: who talks to whom in the clinic. Holds the only live picture of calls; decides, and leaves the doing to its shell.
//!
//! `handle(input, now)`, then [`Floor::poll`] until it gives nothing. Identifiers come in with a call, so that the machine needs no
//! randomness. Nothing here waits: a call is answered and attended before any of it has been written down.

mod early;
mod ending;
mod fact;
mod handover;
mod io;
mod mask;
mod matrix;
mod order;
mod participant;
mod place;
mod quality;
mod recording;
mod refer;
mod side;
mod station;
mod stay;
mod talk;

pub use fact::{Applied, Fact};
pub use io::{Assignment, Ids, Input, Leg, Output, Party, Told};
pub use participant::{Joining, PARTICIPANTS_MAX};
pub use place::{Asked, Class, NotPlaced, Order, Origin, Placing, Signal, Tag, Target, To, World};

use crate::Timestamp;
use crate::account::Actor;
use crate::code::{EndCause, OutboundRule};
use crate::id::{AccountId, CallId, CauseId, TaskId};
use crate::live::LiveCall;
use crate::outbound::{Ledger, Line, Permit, Wish};
use jiff::SignedDuration;
use quality::Alarms;
use side::Who;
use stay::{Phase, Stay};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// SIP status of a call that finds no place (RFC 3261 section 21.5.4).
const STATUS_NO_PLACE: u16 = 503;
/// One place of so many is kept for callers: what people of the clinic place does not take it. Where there is one place only, it is
/// for whoever comes first.
const KEPT_ONE_OF: usize = 10;
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

/// The machine.
#[derive(Debug)]
pub struct Floor {
    ledger: Ledger,
    alarms: Alarms,
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
        let alarms = Alarms::default();
        Self { ledger, alarms, next: 0, calls_max, draining: false, stays, legs, out }
    }

    /// Takes one input. Inputs about calls or legs that are gone change nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Arrived { leg, ids, from, to, entrance, identity, tenant } => {
                let stay = Stay::new(leg, ids, from, to, *tenant, now);
                self.arrived(stay.entered(entrance).identified(*identity), now)
            }
            Input::Place(placing) => self.place(*placing, now),
            Input::Order { call, by, order } => self.order(call, by, order, now),
            Input::TransferAsked { leg, asked, world } => self.transfer_asked(leg, asked, world, now),
            Input::Replaced { leg, by } => self.replaced(leg, by, now),
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
            | Input::Early { leg }
            | Input::Held { leg, .. }
            | Input::Referred { leg, .. }
            | Input::Digit { leg, .. }
            | Input::Level { leg, .. }
            | Input::Quality { leg, .. }
            | Input::LegEnded { leg, .. } => {
                if let Some(call) = self.legs.get(&leg).copied() {
                    self.within(call, input, now);
                }
            }
            Input::Told { call, .. }
            | Input::ReceptionistGone { call, .. }
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
        // The same wish once more, before the first was written down.
        if self.stays.contains_key(&call) {
            return self.out.push_back(Output::Done(call));
        }
        let admitted = self.admitted(&placing, now).and_then(|admitted| {
            self.free_station(placing.origin, admitted.2, now).then_some(admitted).ok_or(NotPlaced::Busy)
        });
        match admitted {
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

    /// Whether the softphone that calls has no other call, or leaves it: for an emergency it does, unless it is in one already.
    fn free_station(&mut self, origin: Origin, is_emergency: bool, now: Timestamp) -> bool {
        let Origin::Station(leg) = origin else { return true };
        let Some(call) = self.legs.get(&leg).copied() else { return true };
        if is_emergency {
            self.with(call, now, |stay, hands| stay.gives_free(leg, hands));
        }
        !self.legs.contains_key(&leg)
    }

    /// Whether a call may be placed: with whom, under which number, and whether it is an emergency.
    fn admitted(&mut self, placing: &Placing, now: Timestamp) -> Result<(Who, String, bool), NotPlaced> {
        let places = self.calls_max - self.calls_max.saturating_sub(1).div_ceil(KEPT_ONE_OF);
        let (full, draining) = (self.calls() >= places, self.draining);
        let mut hands = Hands {
            now,
            ledger: &mut self.ledger,
            alarms: &mut self.alarms,
            next: &mut self.next,
            legs: &mut self.legs,
            out: &mut self.out,
            cause: placing.ids.cause,
        };
        let dialled = if let Target::Outside(number) = &placing.target { number.as_str() } else { "" };
        let wish = Wish { dialled, account: placing.by, show: &placing.show };
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

    fn order(&mut self, call: CallId, by: Option<AccountId>, order: Order, now: Timestamp) {
        let answer = match self.stays.get(&call) {
            // Hanging up on the receptionist's caller is one of its own inputs.
            Some(stay) if order == Order::HangUp && stay.talk.is_none() => {
                self.within(call, Input::HangUp { call }, now);
                Ok(())
            }
            Some(_) => {
                self.with(call, now, |stay, hands| stay.order(order, by, hands)).unwrap_or(Err(NotPlaced::NotTalking))
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
        let (ledger, alarms) = (&mut self.ledger, &mut self.alarms);
        let (next, legs, out) = (&mut self.next, &mut self.legs, &mut self.out);
        let mut hands = Hands { now, ledger, alarms, next, legs, out, cause };
        let done = work(stay, &mut hands);
        stay.settle_mask(&mut hands);
        stay.settle_participants(&mut hands);
        stay.settle_recording(&mut hands);
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
    alarms: &'a mut Alarms,
    next: &'a mut u64,
    /// Of telephones and callers the call that they are in; of softphones also the one that they ring for.
    legs: &'a mut HashMap<Leg, CallId>,
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
        NotPlaced::Rule(OutboundRule::NoRoute | OutboundRule::TrunksDown)
        | NotPlaced::Full
        | NotPlaced::Stopping
        | NotPlaced::Busy => STATUS_NO_PLACE,
        NotPlaced::Rule(_) | NotPlaced::NotTalking => 403,
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(now)
}

#[cfg(test)]
mod tests;
