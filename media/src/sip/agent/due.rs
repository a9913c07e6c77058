//! What is due in a call when its time has come.

use std::time::Instant;

use super::{DialogId, UserAgent};

impl UserAgent {
    /// The first thing that is due in a call; what else is due comes right after it.
    pub(super) fn call_timer(&mut self, dialog: DialogId, now: Instant) {
        let Some(call) = self.calls.get(&dialog) else {
            return;
        };
        if call.awaited.as_ref().is_some_and(|awaited| awaited.again.min(awaited.until) <= now) {
            self.ack_is_late(dialog, now);
        } else if call.reliable_due().is_some_and(|at| at <= now) {
            self.prack_is_late(dialog, now);
        } else if call.failover_at.is_some_and(|at| at <= now) {
            self.hop_is_silent(dialog, now);
        } else if call.refreshing.and_then(|refreshing| refreshing.cancel_at).is_some_and(|at| at <= now) {
            self.cancel_change(dialog, now);
        } else if call.change_due().is_some_and(|at| at <= now) {
            self.offer_due(dialog);
        } else if call.transfer_due().is_some_and(|at| at <= now) {
            self.transfer_is_late(dialog);
        } else if call.referred_due().is_some_and(|at| at <= now) {
            self.refer_progress(dialog, 408, now);
        } else if call.lingers.is_some_and(|until| until <= now) {
            self.linger_no_more(dialog);
        } else if call.session_due().is_some_and(|at| at <= now) {
            self.session_is_due(dialog, now);
        } else if call.ring_until.is_some_and(|until| until <= now) {
            self.rang_out(dialog, now);
        }
        self.arm(dialog);
    }
}
