//! Who is bridged with whom.

use super::Engine;
use super::ticks::Quarter;
use crate::bridge::Bridge;
use crate::io::{BridgeId, Gain, LegId, PARTIES_MAX, Party};
use std::collections::BTreeMap;
use std::time::Instant;

/// A bridge of fewer parties has nothing to do.
const PARTIES_MIN: usize = 2;

/// All bridges. A leg is in one at most.
#[derive(Default)]
pub(super) struct Bridges {
    /// Ordered, so that the same inputs always give the same outputs.
    all: BTreeMap<BridgeId, Bridge>,
    of: BTreeMap<LegId, BridgeId>,
}

impl Bridges {
    /// These are all parties of this bridge from now on. Gives back who was in one and is in none any more.
    fn set(&mut self, id: BridgeId, parties: Vec<Party>) -> Vec<LegId> {
        let mut left: Vec<LegId> = self.all.get(&id).into_iter().flat_map(Bridge::legs).collect();
        for leg in &left {
            self.of.remove(leg);
        }
        if parties.len() < PARTIES_MIN {
            self.all.remove(&id);
            return left;
        }
        for party in &parties {
            left.extend(self.remove(party.leg));
        }
        self.of.extend(parties.iter().map(|party| (party.leg, id)));
        self.all.entry(id).or_default().set(parties);
        left.retain(|leg| !self.of.contains_key(leg));
        left
    }

    /// The bridge that a leg is in.
    pub(super) fn of(&self, leg: LegId) -> Option<BridgeId> {
        self.of.get(&leg).copied()
    }

    pub(super) fn get_mut(&mut self, id: BridgeId) -> Option<&mut Bridge> {
        self.all.get_mut(&id)
    }

    /// Whether a leg hears others.
    pub(super) fn has(&self, leg: LegId) -> bool {
        self.of.contains_key(&leg)
    }

    /// How many there are, and how many legs in them.
    pub(super) fn kept(&self) -> [(&'static str, usize); 2] {
        [("bridges", self.all.len()), ("legs in bridges", self.of.len())]
    }

    /// Another leg takes a leg's place.
    fn replace(&mut self, leg: LegId, by: LegId) {
        let Some(id) = self.of.remove(&leg) else { return };
        self.of.insert(by, id);
        if let Some(bridge) = self.all.get_mut(&id) {
            bridge.replace(leg, by);
        }
    }

    /// A leg leaves its bridge. Where only one stays behind, that one has nobody to hear: it is given back.
    fn remove(&mut self, leg: LegId) -> Option<LegId> {
        let id = self.of.remove(&leg)?;
        let bridge = self.all.get_mut(&id)?;
        bridge.remove(leg);
        if bridge.len() >= PARTIES_MIN {
            return None;
        }
        let last = bridge.legs().next();
        self.all.remove(&id);
        if let Some(last) = &last {
            self.of.remove(last);
        }
        last
    }
}

/// Whether this one is heard.
fn is_it(leg: LegId) -> impl Fn(&(LegId, Gain)) -> bool {
    move |(heard, gain)| *heard == leg && *gain > Gain::NONE
}

impl Engine {
    /// Sets a bridge's matrix. Legs that there are not, and those beyond the bound, are left out.
    pub(super) fn bridge(&mut self, id: BridgeId, parties: Vec<Party>, now: Instant) {
        let named = parties.len();
        let mut known: Vec<Party> = Vec::with_capacity(named.min(PARTIES_MAX));
        for party in parties {
            if known.len() == PARTIES_MAX {
                break;
            }
            if self.legs.contains_key(&party.leg) && known.iter().all(|other| other.leg != party.leg) {
                known.push(party);
            }
        }
        self.counters.parties_refused += named.saturating_sub(PARTIES_MAX) as u64;
        for party in &known {
            let hears = |other: &Party| other.leg != party.leg && other.hears.iter().any(is_it(party.leg));
            if let Some(leg) = self.legs.get_mut(&party.leg) {
                (leg.class, leg.is_heard) = (party.class, known.iter().any(hears));
            }
        }
        let is_elsewhere = |leg: &LegId| self.bridges.of.get(leg).is_some_and(|other| *other != id);
        let mut left: Vec<LegId> = known.iter().map(|party| party.leg).filter(is_elsewhere).collect();
        left.extend(self.bridges.set(id, known));
        self.unbridged(&left);
        self.align(id, now);
        self.spread_masks();
    }

    /// A leg takes another's place: it hears whom that one heard, and is heard and masked as that one was.
    pub(super) fn replace_in_bridge(&mut self, leg: LegId, by: LegId, now: Instant) {
        self.bridges.replace(leg, by);
        if let Some(bridge) = self.bridges.of(by) {
            self.align(bridge, now);
        }
        let Some(gone) = self.legs.get_mut(&leg) else { return };
        let (class, is_heard, masks) = (gone.class, gone.is_heard, std::mem::take(&mut gone.masks));
        gone.unbridge();
        if let Some(by) = self.legs.get_mut(&by) {
            (by.class, by.is_heard) = (class, is_heard);
            by.masks |= masks;
        }
        self.spread_masks();
    }

    /// A leg is gone: the others of its bridge go on.
    pub(super) fn leave_bridge(&mut self, leg: LegId) {
        let left: Vec<LegId> = self.bridges.remove(leg).into_iter().collect();
        self.unbridged(&left);
        self.spread_masks();
    }

    /// Masks what is said around a leg, or ends that.
    pub(super) fn mask(&mut self, leg: LegId, on: bool) {
        let Some(leg) = self.legs.get_mut(&leg) else { return };
        leg.masks = on;
        self.spread_masks();
    }

    /// Says to every leg whether it is covered by a mask.
    fn spread_masks(&mut self) {
        for leg in self.legs.values_mut() {
            leg.masked = leg.masks;
        }
        for bridge in self.bridges.all.values() {
            if bridge.legs().any(|leg| self.legs.get(&leg).is_some_and(|leg| leg.masks)) {
                for leg in bridge.legs() {
                    if let Some(leg) = self.legs.get_mut(&leg) {
                        leg.masked = true;
                    }
                }
            }
        }
    }

    fn unbridged(&mut self, legs: &[LegId]) {
        for leg in legs {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.unbridge();
            }
        }
    }

    /// Gives everybody who is bridged and served in this quarter what the others said in this frame.
    pub(super) fn mix(&mut self, quarter: Quarter) {
        for bridge in self.bridges.all.values_mut().filter(|bridge| bridge.quarter == Some(quarter)) {
            bridge.mix(&mut self.legs);
        }
    }
}
