//! Changes of a leg's session that we want: hold and resume.

use super::Engine;
use crate::io::LegId;
use crate::sip::agent::{AgentCommand, DialogId};
use std::time::Instant;

impl Engine {
    /// Puts the far end on hold or takes it off. Where nothing has to be asked, how it stands is told at once.
    pub(super) fn hold(&mut self, id: LegId, on: bool, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let asks = leg.want_hold(on);
        match leg.dialog.filter(|_| asks) {
            Some(dialog) => self.tell_agent(AgentCommand::Change { dialog }, now),
            None => leg.tell_hold(&mut self.outputs),
        }
    }

    /// The far end can be asked for a change now.
    pub(super) fn change_due(&mut self, dialog: DialogId, now: Instant) {
        let Some(leg) = self.by_dialog.get(&dialog).and_then(|id| self.legs.get_mut(id)) else { return };
        match leg.offer_hold() {
            Some(sdp) => self.tell_agent(AgentCommand::Offer { dialog, sdp }, now),
            None => leg.tell_hold(&mut self.outputs),
        }
    }

    /// The far end has accepted our last offer, or refused it for good.
    pub(super) fn change_answered(&mut self, dialog: DialogId, accepted: bool, now: Instant) {
        let Some(leg) = self.by_dialog.get(&dialog).and_then(|id| self.legs.get_mut(id)) else { return };
        if leg.hold_answered(accepted) {
            self.tell_agent(AgentCommand::Change { dialog }, now);
        } else {
            leg.tell_hold(&mut self.outputs);
        }
    }

    /// The far end has refused our last offer for now.
    pub(super) fn change_put_off(&mut self, dialog: DialogId) {
        if let Some(leg) = self.by_dialog.get(&dialog).and_then(|id| self.legs.get_mut(id)) {
            leg.hold_put_off();
        }
    }
}
