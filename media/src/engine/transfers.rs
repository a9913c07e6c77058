//! Transfers: the ones that we ask for, the ones that far ends ask for, and legs that take the place of others.

use super::Engine;
use crate::io::{EngineEvent, Entrance, LegId, TransferTarget, TransferTo};
use crate::leg::Visitor;
use crate::sip::agent::{AgentCommand, DialogId, ReferGoal};
use crate::sip::refer::ReferTo;
use crate::sip::sdp::Sdp;
use std::time::Instant;

/// What is told of a transfer for which there is no call (RFC 3261 section 21.4.19).
const NO_CALL: u16 = 481;

impl Engine {
    /// Asks the far end of a leg to call somebody else instead.
    pub(super) fn transfer(&mut self, id: LegId, to: TransferTo, now: Instant) {
        let dialog_of = |leg: &LegId| self.legs.get(leg).and_then(|leg| leg.dialog);
        let goal = match to {
            TransferTo::Uri(uri) => Some(ReferGoal::Address(uri)),
            TransferTo::Leg(other) => dialog_of(&other).map(ReferGoal::Call),
        };
        match dialog_of(&id).zip(goal) {
            Some((dialog, to)) => self.tell_agent(AgentCommand::Refer { dialog, to }, now),
            None if self.legs.contains_key(&id) => {
                self.event(EngineEvent::TransferDone { leg: id, status: NO_CALL });
            }
            None => {}
        }
    }

    /// The far end wants its call to go to somebody else.
    pub(super) fn transfer_asked(&mut self, dialog: DialogId, to: &ReferTo, call: Option<DialogId>) {
        let Some(leg) = self.by_dialog.get(&dialog).copied() else { return };
        let meant = call.and_then(|call| self.by_dialog.get(&call)).copied();
        let replaces = to.replaces.as_ref().filter(|_| meant.is_none()).map(ToString::to_string);
        let target = TransferTarget { uri: to.uri.to_string(), user: to.uri.user(), leg: meant, replaces };
        self.event(EngineEvent::TransferAsked { leg, target });
    }

    /// A call comes in that is to take the place of another. Knowing that one's tags is not enough: who is heard only because
    /// we called it takes no other call's place.
    pub(super) fn incoming_in_place_of(
        &mut self,
        replaced: DialogId,
        dialog: DialogId,
        visitor: Visitor,
        offer: Option<Sdp>,
        now: Instant,
    ) {
        let known = matches!(visitor.entrance, Entrance::Trunk(_) | Entrance::Phone(_));
        let trusted = known || self.admission.admits(visitor.remote.ip());
        match self.by_dialog.get(&replaced).copied() {
            _ if !trusted => self.reject(dialog, 403, now),
            Some(leg) => self.incoming(dialog, Visitor { replaces: Some(leg), ..visitor }, offer, now, now),
            None => self.reject(dialog, NO_CALL, now),
        }
    }

    /// The new leg is ready: it answers, and the other one ends.
    pub(super) fn take_place(&mut self, id: LegId, replaced: LegId, now: Instant) {
        let taken = self.legs.get(&replaced).map(|leg| (leg.recorded, leg.tapped));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match (taken, leg.dialog) {
            (Some((recorded, tapped)), _) => {
                (leg.recorded, leg.tapped) = (recorded, tapped);
                self.replace_in_bridge(replaced, id, now);
                self.event(EngineEvent::Replaced { leg: replaced, by: id });
                self.answer(id, now);
                self.hangup(replaced, now);
            }
            // It has ended meanwhile, and nobody has been told of this one.
            (None, Some(dialog)) => {
                leg.told = false;
                self.reject(dialog, NO_CALL, now);
            }
            (None, None) => {}
        }
    }
}
