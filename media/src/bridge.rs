//! Legs that hear each other: a matrix of gains, summed once a tick between hearing and speaking.
//!
//! All legs hear their frame first, then every party is given what the others said in that very frame, then all speak: a
//! bridge adds no frame of delay, only the filter of a change of rate (1.9 ms) where there is one.

use crate::audio::mix::Source;
use crate::engine::Quarter;
use crate::io::{Gain, LegId, Party, PartyClass, Rate};
use crate::leg::Leg;
use std::collections::BTreeMap;

/// One bridge.
#[derive(Default)]
pub(crate) struct Bridge {
    members: Vec<Member>,
    /// When its legs are served, once one of them is.
    pub(crate) quarter: Option<Quarter>,
}

struct Member {
    leg: LegId,
    class: PartyClass,
    source: Source,
    /// What it is played, while somebody overhears that.
    played: Option<Box<Source>>,
    overhears: bool,
    /// Places of those it hears, none of them its own, each once, with gains over zero.
    hears: Vec<(usize, Gain)>,
}

impl Bridge {
    /// These are all parties from now on; none is named twice. Who stays goes on without a break.
    pub(crate) fn set(&mut self, parties: Vec<Party>) {
        let mut before = std::mem::take(&mut self.members);
        let places: BTreeMap<LegId, usize> =
            parties.iter().enumerate().map(|(place, party)| (party.leg, place)).collect();
        self.members = parties
            .into_iter()
            .map(|Party { leg, class, hears, overhears }| {
                let stays = before.iter().position(|member| member.leg == leg);
                let (source, played) = stays.map_or_else(
                    || (Source::new(), None),
                    |place| {
                        let member = before.swap_remove(place);
                        (member.source, member.played)
                    },
                );
                // The last word about somebody counts.
                let gains: BTreeMap<usize, Gain> =
                    hears.iter().filter_map(|(other, gain)| Some((*places.get(other)?, *gain))).collect();
                let is_heard = |place: &usize, gain: &Gain| Some(place) != places.get(&leg) && *gain > Gain::NONE;
                let hears = gains.into_iter().filter(|(place, gain)| is_heard(place, gain)).collect();
                Member { leg, class, source, played, overhears, hears }
            })
            .collect();
    }

    /// A party is gone; the others go on.
    pub(crate) fn remove(&mut self, leg: LegId) {
        let Some(gone) = self.members.iter().position(|member| member.leg == leg) else { return };
        self.members.remove(gone);
        for member in &mut self.members {
            member.hears.retain(|(place, _)| *place != gone);
            for (place, _) in &mut member.hears {
                *place -= usize::from(*place > gone);
            }
        }
    }

    /// Another leg takes a party's place, with what it hears and who hears it.
    pub(crate) fn replace(&mut self, leg: LegId, by: LegId) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            (member.leg, member.source, member.played) = (by, Source::new(), None);
        }
    }

    /// How many parties there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// All parties.
    pub(crate) fn legs(&self) -> impl Iterator<Item = LegId> + '_ {
        self.members.iter().map(|member| member.leg)
    }

    /// Gives every party what the others said in this frame. All legs have heard theirs.
    pub(crate) fn mix(&mut self, legs: &mut BTreeMap<LegId, Leg>) {
        self.listen(legs);
        for member in &self.members {
            let Some(audio) = legs.get_mut(&member.leg).and_then(Leg::audio_mut) else { continue };
            let rate = audio.rate();
            let mix = audio.bridged();
            mix.clear();
            for (place, gain) in &member.hears {
                let other = &self.members[*place];
                if !other.source.is_silent() {
                    mix.add(other.class, other.source.at(rate), *gain);
                }
                let played = other.played.as_ref().filter(|played| member.overhears && !played.is_silent());
                if let Some(played) = played {
                    mix.add(PartyClass::Receptionist, played.at(rate), *gain);
                }
            }
        }
    }

    /// Takes every party's frame, at both rates where both are listened to.
    fn listen(&mut self, legs: &BTreeMap<LegId, Leg>) {
        let audio = |leg: &LegId| legs.get(leg).and_then(Leg::audio);
        let listens_at =
            |rate: Rate| self.members.iter().any(|member| audio(&member.leg).is_some_and(|audio| audio.rate() == rate));
        let both = listens_at(Rate::Hz8000) && listens_at(Rate::Hz16000);
        // Two want to hear each other's hold music, as without us; a conference does not.
        let is_conference = self.members.len() > 2;
        let is_overheard = self.members.iter().any(|member| member.overhears);
        for member in &mut self.members {
            let audio = audio(&member.leg);
            member.played = audio.filter(|_| is_overheard).map(|audio| {
                let mut played = member.played.take().unwrap_or_else(|| Box::new(Source::new()));
                played.take(audio.rate(), audio.played(), both);
                played
            });
            match audio.filter(|audio| !(is_conference && audio.is_held())) {
                Some(audio) => member.source.take(audio.rate(), audio.far(), both),
                None => member.source.rest(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(leg: u64, hears: &[(u64, Gain)]) -> Party {
        let hears = hears.iter().map(|(leg, gain)| (LegId(*leg), *gain)).collect();
        Party { leg: LegId(leg), class: PartyClass::Staff, hears, overhears: false }
    }

    fn heard(bridge: &Bridge) -> Vec<(u64, Vec<(u64, u8)>)> {
        let of = |member: &Member| {
            let hears = member.hears.iter().map(|(place, gain)| (bridge.members[*place].leg.0, gain.get()));
            (member.leg.0, hears.collect())
        };
        bridge.members.iter().map(of).collect()
    }

    /// Nobody hears itself, strangers to the bridge, or with no gain; who leaves takes nobody else along.
    #[test]
    fn the_matrix_is_what_was_said_and_survives_who_leaves() {
        let half = Gain::percent(50).unwrap_or(Gain::NONE);
        let mut bridge = Bridge::default();
        bridge.set(vec![
            party(5, &[(5, Gain::FULL), (9, half), (7, Gain::FULL), (77, Gain::FULL)]),
            party(7, &[(9, Gain::FULL), (9, half), (5, Gain::NONE)]),
            party(9, &[(5, Gain::FULL), (7, Gain::FULL)]),
        ]);
        let expected = vec![(5, vec![(7, 100), (9, 50)]), (7, vec![(9, 50)]), (9, vec![(5, 100), (7, 100)])];
        assert_eq!(heard(&bridge), expected);
        bridge.remove(LegId(7));
        assert_eq!(heard(&bridge), vec![(5, vec![(9, 50)]), (9, vec![(5, 100)])]);
        bridge.remove(LegId(7));
        assert_eq!(bridge.len(), 2);
        bridge.set(Party::all(&[(LegId(9), PartyClass::Caller), (LegId(3), PartyClass::Staff)]));
        assert_eq!(heard(&bridge), vec![(9, vec![(3, 100)]), (3, vec![(9, 100)])]);
    }
}
