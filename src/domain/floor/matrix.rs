//! Who hears whom in a call: worked out anew from how the call stands, whenever that changes.

use super::participant::Participant;
use super::side::{Side, State};
use super::stay::Stay;
use super::talk::Talk;
use super::{Class, Hands, Leg, Output, Party};
use crate::code::{CallStatus, Part};

/// How somebody is in the call, as far as hearing goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Near,
    Far,
    Third,
    Beside(Part),
}

struct Voice {
    leg: Leg,
    class: Class,
    role: Role,
    /// There, not only heard before it answers.
    is_up: bool,
    is_muted: bool,
}

/// What decides who hears whom, beside who they are.
struct Standing {
    /// `near` talks with `far`.
    is_joined: bool,
    /// Somebody talks with `far`, or with each other while `near` is away.
    is_talked: bool,
}

impl Stay {
    /// Lets those hear each other who should, as the call stands now.
    pub(super) fn bridge(&mut self, hands: &mut Hands<'_>) {
        let bridge = self.bridge_number(hands);
        hands.out.push_back(Output::Bridge { bridge, parties: self.matrix() });
    }

    /// Nobody hears anybody any more.
    pub(super) fn apart(&mut self, hands: &mut Hands<'_>) {
        let bridge = self.bridge_number(hands);
        hands.out.push_back(Output::Bridge { bridge, parties: Vec::new() });
    }

    /// Everybody who hears somebody or is heard.
    fn matrix(&self) -> Vec<Party> {
        let Some(talk) = &self.talk else { return self.overheard() };
        let is_joined = self.call.status == CallStatus::WithAgent && talk.near.is_up() && talk.far.is_up();
        let standing = Standing { is_joined, is_talked: is_joined || self.is_conference() };
        let voices: Vec<Voice> = talk_voices(talk).chain(self.participants.iter().filter_map(beside)).collect();
        let hears = |listener: &Voice| {
            let heard = voices.iter().filter(|voice| !voice.is_muted && listener.hears(voice, &standing));
            heard.map(|voice| voice.leg).collect::<Vec<_>>()
        };
        let mut parties: Vec<Party> = voices
            .iter()
            .map(|voice| Party { leg: voice.leg, class: voice.class, hears: hears(voice), overhears: false })
            .collect();
        let heard: Vec<Leg> = parties.iter().flat_map(|party| party.hears.clone()).collect();
        // Who is muted stays among those whom they hear.
        let is_muted = |leg| voices.iter().any(|voice| voice.leg == leg && voice.is_muted);
        parties.retain(|party| !party.hears.is_empty() || heard.contains(&party.leg) || is_muted(party.leg));
        if parties.len() < 2 { Vec::new() } else { parties }
    }

    /// A caller whom the receptionist serves, and who listens to the two. She is played, and has no leg.
    fn overheard(&self) -> Vec<Party> {
        let listeners: Vec<Voice> = self.participants.iter().filter_map(beside).collect();
        let Some(caller) = self.leg.filter(|_| self.is_on() && !listeners.is_empty()) else { return Vec::new() };
        let caller_party = Party { leg: caller, class: Class::Outside, hears: Vec::new(), overhears: false };
        let listening =
            |voice: Voice| Party { leg: voice.leg, class: voice.class, hears: vec![caller], overhears: true };
        std::iter::once(caller_party).chain(listeners.into_iter().map(listening)).collect()
    }
}

fn talk_voices(talk: &Talk) -> impl Iterator<Item = Voice> + '_ {
    let third = talk.third.as_ref().map(|third| (third, Role::Third));
    [(&talk.near, Role::Near), (&talk.far, Role::Far)].into_iter().chain(third).filter_map(|(side, role)| {
        // Of a softphone that rings the leg is another one, or none.
        let is_there = side.is_up() || side.is_heard || side.state == State::Waiting && side.hears;
        side.leg.filter(|_| is_there).map(|leg| voice(side, leg, role))
    })
}

fn beside(participant: &Participant) -> Option<Voice> {
    let side = &participant.side;
    side.leg.filter(|_| side.is_up()).map(|leg| voice(side, leg, Role::Beside(participant.part)))
}

fn voice(side: &Side, leg: Leg, role: Role) -> Voice {
    Voice { leg, class: side.class(), role, is_up: side.is_up(), is_muted: side.is_muted }
}

impl Voice {
    /// Whether this one hears that one.
    fn hears(&self, other: &Self, standing: &Standing) -> bool {
        let &Standing { is_joined, is_talked } = standing;
        match (self.role, other.role) {
            // Before it answers, somebody who is called is heard by `near`, and hears nothing.
            (Role::Near, Role::Far) => is_joined || !other.is_up,
            (Role::Far, Role::Near) => is_joined,
            (Role::Near, Role::Third) => true,
            (Role::Third, Role::Near) => self.is_up,
            (Role::Near, Role::Beside(Part::Talk | Part::Whisper)) => is_joined,
            (Role::Far, Role::Beside(Part::Talk)) => self.is_up,
            (Role::Beside(_), Role::Near) => is_joined,
            (Role::Beside(_), Role::Far) => is_talked && other.is_up,
            (Role::Beside(_), Role::Beside(Part::Talk)) => self.leg != other.leg,
            _ => false,
        }
    }
}
