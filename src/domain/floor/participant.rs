//! Who is in a call beside the one who handles it and the one whom it is about: in a conference, or to supervise it.
//!
//! They come in by being asked first and then taken in, or by themselves, to listen, to whisper to whoever handles the call, or to talk
//! with all. When one of the two whose call it is leaves a conference, somebody who talks in it takes that place, so that those who are left go on talking.

use super::fact::Fact;
use super::place::{NotPlaced, Origin, World};
use super::side::{Side, State, Who};
use super::stay::{Phase, Stay};
use super::talk::Seat;
use super::{Hands, Leg, Output};
use crate::Timestamp;
use crate::account::Actor;
use crate::code::{CallStatus, Part};
use crate::id::AccountId;
use crate::live::LiveParticipant;

/// Participants of one call, beside the two whose call it is: a conference of twelve.
pub const PARTICIPANTS_MAX: usize = 10;

/// One of them.
#[derive(Debug)]
pub(super) struct Participant {
    /// Unique within the call.
    number: u32,
    pub(super) side: Side,
    pub(super) part: Part,
    since: Timestamp,
}

/// Somebody who wants to come into a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Joining {
    /// How they take part.
    pub part: Part,
    /// They handle the call from now on, and whoever did so leaves: the receptionist, or a colleague.
    pub takes_over: bool,
    /// Where they are reached: at their softphone, or at their telephone, which is rung.
    pub origin: Origin,
    /// How they are shown to others: an extension or a name.
    pub shown: String,
    /// Who they are, as it is written down.
    pub actor: Actor,
    /// The clinic and its rules.
    pub world: Box<World>,
}

impl Stay {
    /// Whether somebody talks in it beside the two whose call it is.
    pub(super) fn is_conference(&self) -> bool {
        self.participants.iter().any(Participant::talks)
    }

    pub(super) fn seat_beside(&self, leg: Leg) -> Option<Seat> {
        let found = self.participants.iter().find(|participant| participant.side.has(leg));
        found.map(|participant| Seat::Beside(participant.number))
    }

    pub(super) fn side_beside(&mut self, number: u32) -> Option<&mut Side> {
        let found = self.participants.iter_mut().find(|participant| participant.number == number);
        found.map(|participant| &mut participant.side)
    }

    pub(super) fn seats_beside(&self) -> Vec<Seat> {
        self.participants.iter().map(|participant| Seat::Beside(participant.number)).collect()
    }

    /// How the one at this seat takes part.
    pub(super) fn part(&self, seat: Seat) -> Part {
        let Seat::Beside(number) = seat else { return Part::Talk };
        let found = self.participants.iter().find(|participant| participant.number == number);
        found.map_or(Part::Talk, |participant| participant.part)
    }

    /// As boards show them.
    pub(super) fn live_participants(&self) -> Vec<LiveParticipant> {
        let shown = |participant: &Participant| LiveParticipant {
            number: participant.number,
            account: participant.side.account(),
            shown: participant.side.shown.clone(),
            part: participant.part,
            is_ringing: !participant.side.is_up(),
            since: participant.since,
        };
        self.participants.iter().map(shown).collect()
    }

    /// Whom `near` asks comes in, and all talk with each other.
    pub(super) fn confer(&mut self, actor: Actor, hands: &mut Hands<'_>) -> Result<(), NotPlaced> {
        if self.participants.len() >= PARTICIPANTS_MAX {
            return Err(NotPlaced::Full);
        }
        let talk = self.talk.as_mut().filter(|talk| talk.near.is_up() && talk.far.is_up());
        let third = talk.and_then(|talk| talk.third.take_if(|third| third.is_up())).ok_or(NotPlaced::NotTalking)?;
        self.take_in(third, Part::Talk, actor, hands);
        self.join(hands);
        Ok(())
    }

    /// Somebody comes into the call by themselves, takes part in another way than before, or takes it over.
    pub(super) fn come_in(
        &mut self,
        by: Option<AccountId>,
        joining: Joining,
        hands: &mut Hands<'_>,
    ) -> Result<(), NotPlaced> {
        let is_own = |side: &Side| by.is_some() && side.account() == by;
        let is_possible = match &self.talk {
            None => self.phase == Phase::Attended && (joining.takes_over || joining.part == Part::Listen),
            Some(talk) if talk.sides().any(is_own) || !talk.far.is_up() || talk.telling.is_some() => false,
            Some(talk) => !joining.takes_over || talk.near.is_up() && talk.third.is_none(),
        };
        if !is_possible {
            return Err(NotPlaced::NotTalking);
        }
        match self.participants.iter().position(|participant| is_own(&participant.side)) {
            Some(place) if joining.takes_over => {
                let participant = self.participants.remove(place);
                self.take_over(participant.side, joining.world, hands);
            }
            Some(place) => self.changes_part(place, &joining, hands),
            None if joining.takes_over => {
                let side = self.reached(by, &joining, hands)?;
                self.take_over(side, joining.world, hands);
            }
            None if self.participants.len() >= PARTICIPANTS_MAX => return Err(NotPlaced::Full),
            None => {
                let side = self.reached(by, &joining, hands)?;
                let is_up = side.is_up();
                let seat = self.take_in(side, joining.part, joining.actor, hands);
                if is_up {
                    self.bridge(hands);
                } else {
                    self.dial(seat, hands);
                }
            }
        }
        hands.out.push_back(Output::Board);
        Ok(())
    }

    /// Where somebody who comes in is: at a softphone that is free, or to be rung at a telephone.
    fn reached(&self, by: Option<AccountId>, joining: &Joining, hands: &mut Hands<'_>) -> Result<Side, NotPlaced> {
        let side = match joining.origin {
            Origin::Station(leg) if hands.legs.contains_key(&leg) => return Err(NotPlaced::Busy),
            Origin::Station(leg) => Side::at_station(by, leg, self.id(), hands),
            Origin::Phone(phone) => Side::new(Who::Staff { account: by, phone: Some(phone), station: None }),
            // A telephone that calls has a call of its own.
            Origin::Calling(..) => return Err(NotPlaced::Busy),
        };
        Ok(side.shown_as(joining.shown.clone()))
    }

    /// One who is in it already listens, whispers or talks from now on.
    fn changes_part(&mut self, place: usize, joining: &Joining, hands: &mut Hands<'_>) {
        let Some(participant) = self.participants.get_mut(place) else { return };
        if std::mem::replace(&mut participant.part, joining.part) != joining.part {
            let fact = Fact::Participant { account: participant.side.account(), part: Some(joining.part) };
            self.write(joining.actor, fact, hands.now, hands.out);
            self.bridge(hands);
        }
    }

    /// Keeps somebody as a participant; writes down that they are one.
    fn take_in(&mut self, side: Side, part: Part, actor: Actor, hands: &mut Hands<'_>) -> Seat {
        self.participants_been += 1;
        let (number, since, account) = (self.participants_been, hands.now, side.account());
        self.participants.push(Participant { number, side, part, since });
        self.write(actor, Fact::Participant { account, part: Some(part) }, hands.now, hands.out);
        Seat::Beside(number)
    }

    /// Somebody handles the call from now on in the place of the receptionist, or of a colleague.
    fn take_over(&mut self, side: Side, world: Box<World>, hands: &mut Hands<'_>) {
        let is_up = side.is_up();
        if self.talk.is_none() {
            self.take_from_receptionist(world, hands);
        }
        if !is_up {
            self.hold(hands);
        }
        let Some(talk) = &mut self.talk else { return };
        let before = std::mem::replace(&mut talk.near, side);
        before.leave(hands);
        talk.former = before.leg.is_some().then(|| before.who.clone());
        self.line_over(&before, hands);
        if is_up {
            self.join(hands);
        } else if self.talk.as_ref().is_some_and(|talk| talk.near.tag.is_none()) {
            self.dial(Seat::Near, hands);
        }
    }

    /// Lets somebody go who talks in a conference.
    pub(super) fn remove(&mut self, number: u32, hands: &mut Hands<'_>) -> Result<(), NotPlaced> {
        let talks = |participant: &Participant| participant.number == number && participant.part == Part::Talk;
        if !self.participants.iter().any(talks) {
            return Err(NotPlaced::NotTalking);
        }
        self.seat_leaves(Seat::Beside(number), hands);
        self.participant_left(number, hands);
        Ok(())
    }

    /// A participant's leg is gone.
    pub(super) fn participant_left(&mut self, number: u32, hands: &mut Hands<'_>) {
        let Some(place) = self.participants.iter().position(|it| it.number == number) else { return };
        let gone = self.participants.remove(place);
        self.gone(&gone, hands);
        self.bridge(hands);
        if gone.talks() {
            self.waits_alone(hands);
        }
        hands.out.push_back(Output::Board);
    }

    /// Whoever waits has music again when nobody else of a conference is left.
    fn waits_alone(&mut self, hands: &mut Hands<'_>) {
        if !self.is_held() || self.is_conference() {
            return;
        }
        let far = self.talk.as_ref().filter(|talk| talk.far.is_up()).and_then(|talk| talk.far.leg);
        hands.out.extend(far.map(|leg| Output::Music { leg, on: true }));
    }

    fn gone(&mut self, participant: &Participant, hands: &mut Hands<'_>) {
        self.line_over(&participant.side, hands);
        let fact = Fact::Participant { account: participant.side.account(), part: None };
        self.write(Actor::System, fact, hands.now, hands.out);
    }

    /// The call is over for everybody who is in it beside the two.
    pub(super) fn participants_leave(&mut self, hands: &mut Hands<'_>) {
        for participant in std::mem::take(&mut self.participants) {
            participant.side.leave(hands);
            self.gone(&participant, hands);
        }
    }

    /// The receptionist serves the caller again: who was in the call to supervise it may listen, and nobody else is left in it.
    pub(super) fn participants_listen(&mut self, hands: &mut Hands<'_>) {
        let all = std::mem::take(&mut self.participants);
        let (supervising, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.part != Part::Talk);
        for participant in others {
            participant.side.leave(hands);
            self.gone(&participant, hands);
        }
        self.participants = supervising;
        if !self.participants.is_empty() {
            self.participants.iter_mut().for_each(|participant| participant.part = Part::Listen);
            self.bridge(hands);
        }
    }

    /// After the end nobody is in the call any more.
    pub(super) fn settle_participants(&mut self, hands: &mut Hands<'_>) {
        if !self.is_on() && !self.participants.is_empty() {
            self.apart(hands);
            self.participants_leave(hands);
        }
    }

    /// A colleague who talks in the conference handles the call from now on. False where there is none.
    pub(super) fn succeeds_near(&mut self, hands: &mut Hands<'_>) -> bool {
        let is_staff = |it: &Participant| it.talks() && matches!(it.side.who, Who::Staff { .. });
        let Some(place) = self.participants.iter().position(is_staff) else { return false };
        let next = self.participants.remove(place);
        let Some(talk) = &mut self.talk else { return false };
        let before = std::mem::replace(&mut talk.near, next.side);
        let is_there = talk.far.is_up();
        self.line_over(&before, hands);
        if is_there {
            self.join(hands);
        }
        true
    }

    /// Somebody who talks in the conference is whom the call is about from now on. False where there is none, or nobody to talk with.
    pub(super) fn succeeds_far(&mut self, hands: &mut Hands<'_>) -> bool {
        let Some(place) = self.participants.iter().position(Participant::talks) else { return false };
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.near.is_up()) else { return false };
        let next = self.participants.remove(place);
        let before = std::mem::replace(&mut talk.far, next.side);
        self.leg = talk.far.leg;
        self.people.somebody_followed();
        self.line_over(&before, hands);
        match self.call.status {
            CallStatus::OnHold => {
                self.bridge(hands);
                self.waits_alone(hands);
            }
            _ => self.join(hands),
        }
        true
    }
}

impl Participant {
    /// There, and heard by all.
    fn talks(&self) -> bool {
        self.part == Part::Talk && self.side.state == State::Up
    }
}
