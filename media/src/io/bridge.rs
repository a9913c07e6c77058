//! Who hears whom: legs that are bridged.

use super::LegId;

/// Parties of one bridge. What [`Command::Bridge`](super::Command::Bridge) names beyond them is left out and counted.
pub const PARTIES_MAX: usize = 32;

/// Legs that hear each other. Chosen by who bridges; unique within one engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BridgeId(pub u64);

/// What a party is to the clinic. Recordings keep what each class said apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PartyClass {
    /// Somebody outside.
    Caller,
    /// An assistant that speaks for the clinic on a leg of its own.
    Receptionist,
    /// The clinic's people.
    Staff,
}

/// How loud a party is heard: a share of its amplitude, 0 to 100 percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Gain(u8);

/// A gain that there is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a gain of {given} percent was asked for, allowed are 0 to 100")]
pub struct GainError {
    /// What was given.
    pub given: u8,
}

impl Gain {
    /// Not heard.
    pub const NONE: Self = Self(0);
    /// As loud as it came.
    pub const FULL: Self = Self(100);

    /// A gain in percent of the amplitude; 50 is 6 dB down.
    ///
    /// # Errors
    /// Over 100: who is too quiet is not made louder here, as what is loud beside it would be cut off.
    pub fn percent(percent: u8) -> Result<Self, GainError> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(GainError { given: percent }) }
    }

    /// In percent.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// A leg in a bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Which leg.
    pub leg: LegId,
    /// What it is to the clinic.
    pub class: PartyClass,
    /// Whom it hears, and how loud. Who is not named is not heard; nobody hears itself. Of a leg named twice the last counts.
    pub hears: Vec<(LegId, Gain)>,
    /// Whether it also hears what we play to those whom it hears, as loud as them: who listens to a call with a receptionist must hear
    /// both, and a receptionist is played. It comes a frame later than to whom it is played.
    pub overhears: bool,
}

impl Party {
    /// All of these hear each other as they are: a talk of two, a conference of more.
    pub fn all(legs: &[(LegId, PartyClass)]) -> Vec<Self> {
        let others = |own: LegId| legs.iter().filter(move |(leg, _)| *leg != own).map(|(leg, _)| (*leg, Gain::FULL));
        let party = |leg, class| Self { leg, class, hears: others(leg).collect(), overhears: false };
        legs.iter().map(|(leg, class)| party(*leg, *class)).collect()
    }
}
