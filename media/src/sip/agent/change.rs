//! Changes of the session that we want: one re-INVITE at a time, which gives way to the far end's (RFC 3261 section 14).

use std::time::{Duration, Instant};

use super::refresh::{Refreshing, SOON};
use super::{AgentEvent, DialogId, UserAgent};
use crate::sip::message::{Method, Response};
use crate::sip::sdp::Sdp;
use crate::sip::transaction::{TIMEOUT, TxId};

/// How often one change is offered. A far end whose own changes meet ours five times has no time for it.
const TRIES_MAX: u8 = 5;
/// A far end that asks for a longer wait, in seconds, has refused (RFC 3261 section 14.2 allows 0 to 10).
const RETRY_AFTER_S_MAX: u64 = 10;

/// A change that we want.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// When it is to be offered; `None`: it has been.
    pub at: Option<Instant>,
    /// How often it has been offered.
    tries: u8,
}

impl UserAgent {
    /// Somebody wants a change. One that is wanted already is offered as it is wanted by then.
    pub(super) fn change(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) else { return };
        call.change = Some(Change { at: Some(now), tries: 0 });
        self.changes.insert(id);
    }

    /// Asks for the offers of all changes that may go out now.
    pub(super) fn offer_changes(&mut self, now: Instant) {
        let is_due = |id: &&DialogId| {
            let due = self.calls.get(id).and_then(|call| call.change_due());
            due.is_some_and(|at| at <= now)
        };
        let due: Vec<DialogId> = self.changes.iter().filter(is_due).copied().collect();
        for id in due {
            self.offer_due(id);
            self.arm(id);
        }
    }

    /// Asks for the offer of a change.
    pub(super) fn offer_due(&mut self, id: DialogId) {
        self.changes.remove(&id);
        if let Some(change) = self.calls.get_mut(&id).and_then(|call| call.change.as_mut()) {
            change.at = None;
            self.event(AgentEvent::OfferDue { dialog: id });
        }
    }

    pub(super) fn offer(&mut self, id: DialogId, sdp: Sdp, now: Instant) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended && call.change.is_some()) else { return };
        let body = sdp.to_string();
        let free = call.may_offer();
        call.offered = Some(sdp);
        if let Some(change) = &mut call.change {
            change.tries += 1;
        }
        if !free || !self.send_change(id, Method::Invite, Some(body), true, now) {
            self.offer_again(id, now + SOON);
        }
    }

    /// The far end works on our offer. It may not do so for ever, for until then it can change nothing itself.
    pub(super) fn change_is_worked_on(&mut self, id: DialogId, tx: TxId, now: Instant) {
        let refreshing = self.calls.get_mut(&id).and_then(|call| call.refreshing.as_mut());
        let fits = |refreshing: &&mut Refreshing| refreshing.tx == tx && refreshing.invite && !refreshing.cancelled;
        if let Some(refreshing) = refreshing.filter(fits) {
            refreshing.cancel_at.get_or_insert(now + TIMEOUT);
        }
        self.arm(id);
    }

    /// Takes an offer of ours back that was worked on for too long; without a 487 the call has failed.
    pub(super) fn cancel_change(&mut self, id: DialogId, now: Instant) {
        let Some(refreshing) = self.calls.get_mut(&id).and_then(|call| call.refreshing.as_mut()) else { return };
        (refreshing.cancel_at, refreshing.cancelled) = (None, true);
        let tx = refreshing.tx;
        self.send_cancel(tx, now);
    }

    /// Our offer was not accepted (RFC 3261 section 14.1).
    pub(super) fn change_refused(&mut self, id: DialogId, response: &Response, now: Instant) {
        let asked =
            response.head.get("Retry-After").and_then(|value| value.split([';', '(', ' ']).next()?.parse().ok());
        let wait = match (response.status, asked) {
            (491, _) => Some(self.glare_wait(id)),
            (422, _) => {
                let session = self.calls.get(&id).and_then(|call| call.session);
                session.is_some_and(|session| session.is_agreed()).then_some(SOON)
            }
            (500..600, Some(seconds)) if seconds <= RETRY_AFTER_S_MAX => Some(Duration::from_secs(seconds).max(SOON)),
            _ => None,
        };
        match wait {
            Some(wait) => self.offer_again(id, now + wait),
            None => self.stay(id),
        }
    }

    fn offer_again(&mut self, id: DialogId, at: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(change) = call.change.as_mut().filter(|change| change.tries < TRIES_MAX) else { return self.stay(id) };
        call.offered = None;
        change.at = change.at.max(Some(at));
        self.changes.insert(id);
        self.event(AgentEvent::Unchanged { dialog: id, again: true });
        self.arm(id);
    }

    fn stay(&mut self, id: DialogId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.offered = None;
        let again = call.change.take_if(|change| change.at.is_none()).is_none();
        self.event(AgentEvent::Unchanged { dialog: id, again });
    }

    /// How long to wait after our offer met one of the far end's (RFC 3261 section 14.1): longer where the Call-ID is ours,
    /// so that the two do not meet again.
    pub(super) fn glare_wait(&mut self, id: DialogId) -> Duration {
        let ours = self.calls.get(&id).is_some_and(|call| call.merge_key.is_none());
        let by_chance = self.tokens.number();
        Duration::from_millis(if ours { 2_100 + 10 * (by_chance % 191) } else { 10 * (by_chance % 201) })
    }

    /// The call ends while an offer of ours is open: if that is accepted still, it has to be acknowledged.
    pub(super) fn leave_change(&mut self, id: DialogId) {
        self.changes.remove(&id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        (call.change, call.offered) = (None, None);
        let Some(Refreshing { tx, invite: true, .. }) = call.refreshing.take() else { return };
        let Some(cseq) = self.transactions.request(tx).map(|(request, _)| request.head.cseq.number) else { return };
        if let Some(ack) = self.refresh_ack(id, tx, cseq) {
            self.late_acks.insert(tx, ack);
        }
    }
}
