//! Emergency calls find room where others do not: when all legs or ports are in use, and while the service stops.
//!
//! Room is kept for a few calls at a time, and only those that are meant for it have it: legs that whoever dials has marked, and
//! telephones of the clinic that ring an emergency number.

use super::Engine;
use crate::io::Entrance;
use crate::leg::Visitor;
use crate::sip::uri::Uri;
use std::collections::HashSet;

/// Legs that only emergency calls have, beyond all others: a telephone and whom it calls, four times over.
pub const EMERGENCY_LEGS: usize = 8;
/// Numbers that are kept.
const NUMBERS_MAX: usize = 64;

/// What telephones ring in an emergency.
#[derive(Debug, Default)]
pub(super) struct Emergencies(HashSet<String>);

impl Engine {
    /// These are all emergency numbers from now on.
    pub(super) fn set_emergencies(&mut self, numbers: Vec<String>) {
        self.emergencies = Emergencies(numbers.into_iter().take(NUMBERS_MAX).collect());
    }

    /// Whether one more leg has a place.
    pub(super) fn has_room(&self, is_emergency: bool) -> bool {
        let most = self.config.legs_max.saturating_add(if is_emergency { EMERGENCY_LEGS } else { 0 });
        (is_emergency || !self.draining) && self.counted() < most
    }

    /// Whether a telephone of the clinic rings an emergency number, or asks for that service by its name (RFC 5031).
    pub(super) fn is_emergency(&self, visitor: &Visitor) -> bool {
        let is_between = |letter: char| matches!(letter, ' ' | '-' | '.' | '/' | '(' | ')');
        let digits: String = visitor.to.chars().filter(|letter| !is_between(*letter)).collect();
        let is_service = || Uri::parse(&visitor.to).is_some_and(|uri| uri.is_emergency_service());
        matches!(visitor.entrance, Entrance::Phone(_)) && (self.emergencies.0.contains(&digits) || is_service())
    }
}
