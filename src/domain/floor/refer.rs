//! A caller who is handed on to somebody outside goes there by the provider who has brought them, where that one does so (REFER, RFC 3515): two
//! lines are free again, and the audio no longer takes the way through the clinic.
//!
//! Rules and caps are asked as if we dialled; the begun minute is paid for. What the provider then connects, no cap of ours ends.

use super::fact::Fact;
use super::side::Who;
use super::stay::Stay;
use super::talk::{OUTSIDE_MAX, Seat, Talk, outgoing};
use super::{Hands, Leg, Output, later};
use crate::account::Actor;
use crate::code::EndCause;
use crate::id::AccountId;
use jiff::SignedDuration;

/// How long a provider has to say what came of it. It may ring for as long at the other end before it does.
const SAID_MAX: SignedDuration = SignedDuration::from_secs(75);

impl Stay {
    /// Asks the provider who has brought `far` to take them on to whom `near` would be. False where that is not its way, or not to be left
    /// to it: an emergency call never is, and whoever talks in a conference stays with us.
    pub(super) fn refer(&mut self, hands: &mut Hands<'_>) -> bool {
        let Some(trunk) = self.call.entrance.and_then(|entrance| entrance.trunk) else { return false };
        let is_conference = self.is_conference();
        let Some(talk) = self.talk.as_mut().filter(|_| !is_conference) else { return false };
        let refers = talk.world.trunks.iter().any(|usable| usable.trunk == trunk && usable.refers);
        let (Who::Caller, Who::Outside(permit), Some(leg)) = (&talk.far.who, &talk.near.who, talk.far.leg) else {
            return false;
        };
        let way = permit.ways.iter().find(|way| way.trunk == trunk && refers && !permit.is_emergency);
        let Some(number) = way.map(|way| way.number.clone()) else { return false };
        let line = (self.call.id, self.call.outgoing.len());
        let by = former(talk);
        // Before it is asked: of two wishes at the same time the second must see the first.
        hands.reserve(line, permit, by);
        talk.referred = Some(later(hands.now, SAID_MAX));
        hands.out.push_back(Output::Refer { leg, trunk, number });
        true
    }

    /// The provider says what came of it.
    pub(super) fn referred(&mut self, leg: Leg, status: u16, hands: &mut Hands<'_>) {
        let is_it = |talk: &Talk| talk.far.leg == Some(leg) && talk.referred.is_some();
        if !self.talk.as_ref().is_some_and(is_it) {
            return;
        }
        if !(200..300).contains(&status) {
            return self.not_referred(hands);
        }
        self.note_referred(hands);
        self.over(EndCause::HandedOn, hands);
    }

    /// It does not: we dial by ourselves.
    pub(super) fn not_referred(&mut self, hands: &mut Hands<'_>) {
        if self.talk.as_mut().and_then(|talk| talk.referred.take()).is_some() {
            self.dial(Seat::Near, hands);
        }
    }

    /// Whom the caller talks with now stands in the record like everybody who was called in it.
    fn note_referred(&mut self, hands: &mut Hands<'_>) {
        let (trunk, index) = (self.call.entrance.and_then(|entrance| entrance.trunk), self.call.outgoing.len());
        let Some(talk) = self.talk.as_mut().filter(|_| index < OUTSIDE_MAX) else { return };
        talk.referred = None;
        let by = former(talk);
        let Who::Outside(permit) = &talk.near.who else { return };
        let Some(way) = permit.ways.iter().find(|way| Some(way.trunk) == trunk) else { return };
        let line = outgoing(permit, way, by, talk.world.rules.currency.clone(), hands.now);
        talk.near.line = Some(index);
        self.call.outgoing.push(crate::call::Outgoing { answered_at: Some(hands.now), ..line.clone() });
        self.write(Actor::System, Fact::Dialled(Box::new(line)), hands.now, hands.out);
        self.write(Actor::System, Fact::OutsideAnswered { index }, hands.now, hands.out);
    }
}

/// Who handled the call and hands it on.
fn former(talk: &Talk) -> Option<AccountId> {
    match talk.former.as_ref()? {
        Who::Staff { account, .. } => *account,
        Who::Caller | Who::Outside(_) => None,
    }
}
