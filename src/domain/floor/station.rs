//! Softphones in calls: they ring beside a desk phone, are answered from their page, are muted, and stay when a call ends.
//!
//! A softphone is in one call at most, or rings for one: it stands among the floor's legs meanwhile, and is left in peace by others.

use super::place::{NotPlaced, Order};
use super::side::{Side, State, Who};
use super::stay::Stay;
use super::talk::{Seat, Talk};
use super::{Hands, Leg, Output};
use crate::code::{CallDirection, CallStatus, EndCause, Part};
use crate::id::{AccountId, CallId};
use crate::live::{LiveAsked, LiveStation};

/// Softphones speak Opus, of which we take 16 kHz.
const RATE_HZ: u32 = 16_000;

impl Side {
    /// A person at their softphone, which has no other call.
    pub(super) fn at_station(account: Option<AccountId>, leg: Leg, call: CallId, hands: &mut Hands<'_>) -> Self {
        hands.legs.insert(leg, call);
        hands.out.push_back(Output::Measure(leg));
        let who = Who::Staff { account, phone: None, station: Some(leg) };
        Self { station: Some(leg), station_since: Some(hands.now), ..Self::with(who, leg, State::Up) }
    }

    /// Whether this leg is its own, or that of the softphone that rings for it.
    pub(super) fn has(&self, leg: Leg) -> bool {
        self.leg == Some(leg) || self.station == Some(leg)
    }

    /// Whether it is there by its softphone.
    pub(super) fn is_at_station(&self) -> bool {
        self.station.is_some() && self.leg == self.station
    }

    /// Whether its softphone rings.
    pub(super) fn rings(&self) -> bool {
        self.station.is_some() && self.leg != self.station
    }

    /// It has been reached: a softphone that is not where it was reached rings no more.
    pub(super) fn rings_no_more(&mut self, hands: &mut Hands<'_>) {
        if self.rings() {
            self.leave_station(hands);
        }
    }

    /// Its softphone is free for other calls.
    pub(super) fn leave_station(&mut self, hands: &mut Hands<'_>) {
        if let Some(station) = self.station.take() {
            hands.legs.remove(&station);
        }
    }

    /// Lets go of its leg: a telephone is hung up on, a softphone stays for its next call.
    pub(super) fn leave(&self, hands: &mut Hands<'_>) {
        hands
            .out
            .extend(self.leg.map(|leg| if self.is_at_station() { Output::Rest(leg) } else { Output::HangUp(leg) }));
        if let Some(station) = self.station {
            hands.legs.remove(&station);
        }
    }

    /// One of its legs is gone while both a telephone and a softphone ring. False where it was the last one.
    pub(super) fn goes_on_without(&mut self, leg: Leg, hands: &mut Hands<'_>) -> bool {
        if !self.rings() {
            return false;
        }
        if self.station == Some(leg) {
            self.leave_station(hands);
            return self.tag.is_some();
        }
        (self.leg, self.tag) = (None, None);
        true
    }
}

impl Talk {
    /// How it stands with whom `near` asks.
    pub(super) fn asked(&self) -> Option<LiveAsked> {
        self.third.as_ref().map(|third| if third.is_up() { LiveAsked::Talking } else { LiveAsked::Ringing })
    }
}

impl Stay {
    /// Its softphones, as boards show them.
    pub(super) fn stations(&self) -> Vec<LiveStation> {
        let shown = |side: &Side| {
            let (station, (account, since)) = side.station.zip(side.account().zip(side.station_since))?;
            let part = self.seat(station).map_or(Part::Talk, |seat| self.part(seat));
            Some(LiveStation { account, is_ringing: side.rings(), is_muted: side.is_muted, part, since })
        };
        self.sides().filter_map(shown).collect()
    }

    /// Rings at the softphone of a side, where it has one that is free. False where it has none.
    pub(super) fn ring_station(&mut self, seat: Seat, hands: &mut Hands<'_>) -> bool {
        let call = self.id();
        let Some(side) = self.side(seat) else { return false };
        let Who::Staff { station: Some(station), .. } = side.who else { return false };
        if hands.legs.contains_key(&station) {
            return false;
        }
        hands.legs.insert(station, call);
        side.station = Some(station);
        side.station_since = Some(hands.now);
        side.is_muted = false;
        side.dialled(hands.now);
        self.ringing(station, hands);
        hands.out.push_back(Output::Board);
        true
    }

    /// Where the softphone of this person is in the call, or rings.
    pub(super) fn station_of(&self, account: AccountId) -> Option<(Seat, Leg)> {
        let side = self.sides().find(|side| side.station.is_some() && side.account() == Some(account))?;
        side.station.and_then(|leg| Some((self.seat(leg)?, leg)))
    }

    /// Somebody for whom it rings answers or declines.
    pub(super) fn rung(
        &mut self,
        answers: bool,
        at: Option<(Seat, Leg)>,
        hands: &mut Hands<'_>,
    ) -> Result<(), NotPlaced> {
        let (seat, station) = at.ok_or(NotPlaced::NotTalking)?;
        let side = self.side(seat).filter(|side| side.rings());
        let side = side.ok_or(NotPlaced::NotTalking)?;
        if !answers {
            side.leave(hands);
            self.seat_ended(seat, EndCause::Busy, hands);
            hands.out.push_back(Output::Board);
            return Ok(());
        }
        hands.out.extend(side.leg.take().map(Output::HangUp));
        hands.out.push_back(Output::Measure(station));
        (side.leg, side.tag, side.station_since) = (Some(station), None, Some(hands.now));
        if seat == Seat::Far {
            self.leg = Some(station);
        }
        self.side_answered(station, RATE_HZ, hands);
        Ok(())
    }

    /// The person at a softphone has an emergency: it rings no more here. The call that it is in they leave as if they had hung up,
    /// but whoever called the clinic is handed back to the receptionist. A call that is an emergency itself they do not leave.
    pub(super) fn gives_free(&mut self, station: Leg, hands: &mut Hands<'_>) {
        let is_incoming = self.call.direction == CallDirection::Incoming;
        let Some(seat) = self.seat(station) else { return };
        if let Seat::Beside(number) = seat {
            self.seat_leaves(seat, hands);
            return self.participant_left(number, hands);
        }
        let is_conference = self.is_conference();
        let Some(talk) = self.talk.as_mut().filter(|talk| !talk.sides().any(Side::is_emergency)) else { return };
        let is_alone = talk.third.is_none() && talk.far.is_up() && !is_conference;
        let Some(side) = talk.side(seat) else { return };
        if side.rings() {
            return self.side_ended(station, EndCause::Busy, hands);
        }
        if is_incoming && is_alone && seat == Seat::Near {
            let side = side.clone();
            self.apart(hands);
            side.leave(hands);
            self.back_to_receptionist(hands);
            return hands.out.push_back(Output::Board);
        }
        let by = side.account();
        // A call that somebody is in can be left.
        let _left = self.order(Order::HangUp, by, hands);
    }

    /// Nobody hears the softphone at this seat, or they hear it again; for the rest of its call, whoever it talks with.
    pub(super) fn mute(&mut self, on: bool, at: Option<(Seat, Leg)>, hands: &mut Hands<'_>) -> Result<(), NotPlaced> {
        let (seat, _) = at.ok_or(NotPlaced::NotTalking)?;
        let side = self.side(seat).filter(|side| side.is_at_station()).ok_or(NotPlaced::NotTalking)?;
        side.is_muted = on;
        let asks = self.talk.as_ref().is_some_and(|talk| talk.third.as_ref().is_some_and(Side::is_up));
        // Where nobody talks yet it holds once they are joined.
        if asks || self.call.status == CallStatus::WithAgent || self.is_conference() {
            self.bridge(hands);
        }
        hands.out.push_back(Output::Board);
        Ok(())
    }

    /// One who does not handle the call wants something of it: they may leave, and between colleagues who talk they may also take
    /// it into their hands. None where they have, and the order is still to be carried out.
    pub(super) fn steps_in(
        &mut self,
        order: &Order,
        seat: Seat,
        hands: &mut Hands<'_>,
    ) -> Option<Result<(), NotPlaced>> {
        let side = self.side(seat).filter(|side| side.is_at_station());
        let Some(leg) = side.and_then(|side| side.leg) else { return Some(Err(NotPlaced::NotTalking)) };
        if *order == Order::HangUp {
            self.seat_leaves(seat, hands);
            self.side_ended(leg, EndCause::CallerHungUp, hands);
            return Some(Ok(()));
        }
        let talks = seat == Seat::Far && self.call.status == CallStatus::WithAgent;
        (!(talks && self.sit_near(leg))).then_some(Err(NotPlaced::NotTalking))
    }

    /// A side goes by itself.
    pub(super) fn seat_leaves(&mut self, seat: Seat, hands: &mut Hands<'_>) {
        if let Some(side) = self.side(seat) {
            side.leave(hands);
        }
    }
}
