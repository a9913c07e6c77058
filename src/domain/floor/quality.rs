//! How both sides of a call sound (B-22): what its record keeps, and the alarm when somebody is not heard.
//!
//! Whom it is about is measured as the call itself, and each of the clinic's people beside that, whatever their part. That a side is not heard is
//! shown while it lasts. Once in a call it is written down, and people are asked to look at the way by which that side comes, once an hour for
//! each: a broken network is found out with its first call, and the next thousand say nothing new.

use super::fact::Fact;
use super::place::Class;
use super::side::{Side, Who};
use super::stay::Stay;
use super::{Hands, Leg, Output};
use crate::Timestamp;
use crate::account::Actor;
use crate::call::{Entrance, PEOPLE_MAX, PersonQuality, SideQuality};
use crate::code::{CarrierKind, EntranceKind, Unheard};
use jiff::SignedDuration;

/// How long people are not asked again to look at a way.
const ALARM_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Ways that people were asked to look at within that time; further ones are written down without a task.
const ALARMS_MAX: usize = 64;

/// The ways that people were asked to look at, and when.
#[derive(Debug, Default)]
pub(super) struct Alarms(Vec<(Entrance, Timestamp)>);

impl Alarms {
    /// Whether people are asked to look at this way now.
    fn is_due(&mut self, way: Entrance, now: Timestamp) -> bool {
        self.0.retain(|(_, at)| now.duration_since(*at) < ALARM_EVERY);
        let is_due = self.0.len() < ALARMS_MAX && self.0.iter().all(|(known, _)| *known != way);
        if is_due {
            self.0.push((way, now));
        }
        is_due
    }
}

/// Who is not heard in a call.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Of both sides, two at most.
    legs: Vec<Leg>,
    is_written: bool,
}

/// The clinic's people whose sound is kept.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Their legs, in the order of the record; [`PEOPLE_MAX`] at most.
    legs: Vec<Leg>,
    /// Whom the call was about has left, and somebody else came into their place.
    is_followed: bool,
}

impl People {
    /// Somebody of a conference is whom the call is about from now on: its own figures stay those of whom it was about.
    pub(super) fn somebody_followed(&mut self) {
        self.is_followed = true;
    }
}

impl Stay {
    /// How a leg of the call fares.
    pub(super) fn sounds(&mut self, leg: Leg, told: SideQuality, hands: &mut Hands<'_>) {
        self.person_sounds(leg, told);
        let other = self.other();
        let who = if other == Some(leg) {
            if !self.people.is_followed {
                self.other_sounds(told);
            }
            Unheard::Other
        } else if self.talk.as_ref().is_some_and(|talk| talk.near.is_up() && talk.near.leg == Some(leg)) {
            Unheard::Clinic
        } else {
            return;
        };
        let was_silent = self.silence.legs.contains(&leg);
        if was_silent == told.one_way {
            return;
        }
        // Whoever has left the call is not missed in it.
        let there = [other, self.talk.as_ref().and_then(|talk| talk.near.leg)];
        self.silence.legs.retain(|silent| *silent != leg && there.contains(&Some(*silent)));
        if told.one_way {
            self.silence.legs.push(leg);
            self.alarm(leg, who, hands);
        }
        hands.out.push_back(Output::Board);
    }

    /// How whom the call is about sounds.
    fn other_sounds(&mut self, told: SideQuality) {
        let quality = &mut self.call.quality;
        (quality.packets_received, quality.packets_lost) = (told.packets_received, told.packets_lost);
        (quality.jitter_ms, quality.mos) = (told.jitter_ms, told.mos);
        // A call that was one-sided for a while is worth a look even if it recovered.
        quality.one_way |= told.one_way;
    }

    /// How one of the clinic's people sounds, whatever their part; also the last of what is told of one who has just left.
    fn person_sounds(&mut self, leg: Leg, told: SideQuality) {
        let is_staff = |side: &&Side| side.leg == Some(leg) && side.is_up() && side.class() == Class::Staff;
        let there = self.sides().find(is_staff).map(Side::account);
        let known = self.people.legs.iter().rposition(|of| *of == leg);
        let people = &mut self.call.quality.staff;
        if let Some(person) = known.and_then(|place| people.get_mut(place))
            // Figures that begin anew are those of another stay.
            && told.packets_received >= person.sound.packets_received
            && there.is_none_or(|account| account == person.account)
        {
            person.sound = SideQuality { one_way: told.one_way || person.sound.one_way, ..told };
        } else if let Some(account) = there.filter(|_| people.len() < PEOPLE_MAX) {
            people.push(PersonQuality { account, sound: told });
            self.people.legs.push(leg);
        }
    }

    /// The leg of whom the call is about. Of two colleagues either may come to handle their call: then it is the other one's.
    pub(super) fn other(&self) -> Option<Leg> {
        self.talk.as_ref().map_or(self.leg, |talk| talk.far.leg)
    }

    /// Writes down that somebody is not heard, once in a call.
    fn alarm(&mut self, leg: Leg, who: Unheard, hands: &mut Hands<'_>) {
        if std::mem::replace(&mut self.silence.is_written, true) {
            return;
        }
        let way = self.way_of(leg);
        let task = hands.alarms.is_due(way, hands.now).then_some(self.ids.unheard);
        let fact = Fact::Unheard { who, way: way.kind, task };
        self.write(Actor::System, fact, hands.now, hands.out);
    }

    /// By which way a leg comes.
    fn way_of(&self, leg: Leg) -> Entrance {
        let side = self.talk.as_ref().and_then(|talk| talk.sides().find(|side| side.leg == Some(leg)));
        let own = self.call.entrance.unwrap_or(Entrance::of(EntranceKind::Address));
        match side.map(|side| (side, &side.who)) {
            None | Some((_, Who::Caller)) => own,
            Some((side, Who::Staff { .. })) if side.is_at_station() => Entrance::of(EntranceKind::Browser),
            Some((_, Who::Staff { phone, .. })) => Entrance::by_phone(*phone),
            Some((side, Who::Outside(_))) => outward(side),
        }
    }

    /// Who is not heard at present; of two the one whom the call is about.
    pub(super) fn unheard(&self) -> Option<Unheard> {
        let is_silent = |leg: Option<Leg>| leg.is_some_and(|leg| self.silence.legs.contains(&leg));
        let near = self.talk.as_ref().and_then(|talk| talk.near.leg);
        match (is_silent(self.other()), is_silent(near)) {
            (true, _) => Some(Unheard::Other),
            (false, true) => Some(Unheard::Clinic),
            (false, false) => None,
        }
    }
}

/// By which way somebody outside was called.
fn outward(side: &Side) -> Entrance {
    let trunk = side.way.as_ref().map(|way| way.trunk);
    match trunk.and_then(CarrierKind::behind) {
        Some(carrier) => Entrance::by_carrier(Some(carrier)),
        None => Entrance::by_trunk(trunk),
    }
}
