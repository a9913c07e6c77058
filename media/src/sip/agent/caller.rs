//! Calls that we place: INVITE, provisional responses with PRACK, ACK, CANCEL, forks.

use std::time::{Duration, Instant};

use super::call::{Call, Cancel, EarlyDialog, Phase, SentAck};
use super::phones::ELSEWHERE;
use super::place::{Planned, no_trunk};
use super::{
    AgentConfig, AgentEnd, AgentEvent, DialogId, FORKS_MAX, Invite, InviteError, InviteTo, RING_MAX, UserAgent,
    description,
};
use crate::io::Hop;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Field, Method, Request, Response};
use crate::sip::sdp::Sdp;
use crate::sip::transaction::{TIMEOUT, TxId};

/// How long a hop may be silent before a call goes to the next one: the INVITE has been sent four times by then.
const FAILOVER_AFTER: Duration = Duration::from_secs(5);

impl UserAgent {
    /// Places a call. The INVITE is among the outputs; `Accepted`, `Ended` and others tell how it goes.
    ///
    /// # Errors
    /// When the address is not a SIP URI or the agent is full.
    pub fn invite(&mut self, invite: Invite, now: Instant) -> Result<DialogId, InviteError> {
        let Planned { request, mut hops, account } = self.plan(&invite)?;
        let Some(remote) = hops.pop_front() else { return Err(no_trunk(&invite)) };
        if self.is_full() {
            let (calls, transactions) = self.load();
            let AgentConfig { dialogs_max: calls_max, transactions_max, .. } = self.config;
            return Err(InviteError::Full { calls, calls_max, transactions, transactions_max });
        }
        let mut call = Call::new(Phase::Calling, request, remote, now + RING_MAX);
        (call.account, call.hops, call.described) = (account, hops, Some(invite.sdp));
        (call.on_flow, call.is_emergency) = (matches!(invite.to, InviteTo::Flow(_)), invite.is_emergency);
        let id = self.next_dialog();
        self.calls.insert(id, call);
        self.send_invite(id, now);
        self.drain_transactions(now);
        Ok(id)
    }

    /// Sends the call's INVITE to the hop where it stands now.
    pub(super) fn send_invite(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get(&id) else { return };
        let (mut request, remote, account) = (call.invite.clone(), call.remote, call.account);
        request.head.via.clear();
        match self.send(request, remote, account, now) {
            Some(tx) => self.invite_sent(id, tx, now),
            None => self.end(id, AgentEnd::Timeout),
        }
    }

    /// An INVITE of this call has left.
    fn invite_sent(&mut self, id: DialogId, tx: TxId, now: Instant) {
        self.invites.insert(tx, id);
        let sent = self.transactions.request(tx).map(|(request, _)| request.clone());
        if let Some((call, sent)) = self.calls.get_mut(&id).zip(sent) {
            call.invite_tx = Some(tx);
            call.invite = sent;
            call.failover_at = (call.is_emergency || !call.hops.is_empty()).then_some(now + FAILOVER_AFTER);
        }
        self.arm(id);
    }

    /// The INVITE goes out once more with credentials.
    pub(super) fn invited_again(&mut self, tx: TxId, again: TxId, now: Instant) {
        if let Some(id) = self.invites.get(&tx).copied() {
            self.invite_sent(id, again, now);
        }
    }

    /// Whether nothing more is wanted of this INVITE: its call is over, or goes another way.
    pub(super) fn is_given_up(&self, tx: TxId) -> bool {
        let call = self.invites.get(&tx).and_then(|id| self.calls.get(id));
        let within = |call: &Call| !call.ended && call.refreshing.is_some_and(|refreshing| refreshing.tx == tx);
        let refreshed = self.refreshes.get(&tx).map(|id| self.calls.get(id).is_some_and(within));
        call.is_some_and(|call| call.ended || call.cancel != Cancel::No || call.invite_tx != Some(tx))
            || refreshed == Some(false)
            || self.refers.get(&tx).is_some_and(|id| self.calls.get(id).is_none_or(|call| call.ended))
    }

    /// The call goes to the next hop of its trunk (RFC 3263 section 4.3): the same request with another branch. The hop that
    /// did not answer may still do so; then its answer is turned down. `false` when there is no other hop.
    pub(super) fn fail_over(&mut self, id: DialogId, late: bool, now: Instant) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended && call.cancel == Cancel::No) else {
            return false;
        };
        call.failover_at = None;
        let Some(next) = call.hops.pop_front() else { return false };
        if let Some(tx) = call.invite_tx.take().filter(|_| late) {
            call.abandoned.push((tx, false));
        }
        call.remote = next;
        let user = call.account.and_then(|account| self.accounts.way(account)).map(|way| way.user).unwrap_or_default();
        let contact = self.contact(&user, next, false).to_string();
        if let Some(call) = self.calls.get_mut(&id) {
            let mut fields = call.invite.head.fields.iter_mut();
            if let Some(field) = fields.find(|field| field.name == "Contact") {
                field.value = contact;
            }
        }
        self.send_invite(id, now);
        true
    }

    /// A hop has been silent for long enough: the call goes to the next one, and an emergency call that has none is given up.
    pub(super) fn hop_is_silent(&mut self, id: DialogId, now: Instant) {
        let is_emergency = self.calls.get(&id).is_some_and(|call| call.is_emergency);
        if !self.fail_over(id, true, now) && is_emergency {
            self.rang_out(id, now);
        }
    }

    /// No final response came to our INVITE, or its connection is gone.
    pub(super) fn invite_failed(&mut self, id: DialogId, tx: TxId, now: Instant) {
        let Some(call) = self.calls.get(&id).filter(|call| call.invite_tx == Some(tx)) else { return };
        if call.provisional || !self.fail_over(id, false, now) {
            self.end(id, AgentEnd::Timeout);
        }
    }

    /// A response to our INVITE.
    pub(super) fn invite_response(&mut self, id: DialogId, tx: TxId, response: &Response, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let abandoned = call.abandoned.iter_mut().find(|(abandoned, _)| *abandoned == tx);
        match (response.status, abandoned) {
            (100..200, Some((_, cancelled))) => {
                if !std::mem::replace(cancelled, true) {
                    self.send_cancel(tx, now);
                }
            }
            (100..200, None) => self.provisional(id, response, now),
            (200..300, abandoned) => {
                let wanted = abandoned.is_none();
                let (current, sent) = (call.remote, self.transactions.request(tx).map(|(_, remote)| remote));
                // One that was given up answers for itself.
                let peer = sent.filter(|_| !wanted).unwrap_or(current);
                self.accepted(id, response, peer, wanted, now);
            }
            (_, Some(_)) => {}
            (status, None) => {
                // 503 speaks for this hop, not for who was called, unless somebody has been heard already.
                let unheard = !call.rang && call.early.is_empty();
                let elsewhere = status == 503 && unheard && self.fail_over(id, false, now);
                if !elsewhere && !self.invite_longer(id, response, now) {
                    self.end(id, AgentEnd::Refused(status));
                }
            }
        }
    }

    fn provisional(&mut self, id: DialogId, response: &Response, now: Instant) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Calling) else {
            return;
        };
        call.provisional = true;
        call.failover_at = None;
        if call.cancel == Cancel::Wanted {
            self.cancel_invite(id, now);
            return;
        }
        if call.ended || response.status == 100 {
            return;
        }
        if response.status == 180 && !call.rang {
            call.rang = true;
            self.event(AgentEvent::Ringing { dialog: id });
        }
        let sdp = description(&response.head, &response.body).ok().flatten();
        // An early dialog needs a tag, and something that a further request could be about.
        let Some(tag) = response.head.to.tag() else {
            return;
        };
        if !self.early_dialog(id, tag, response) || !self.take_reliable(id, tag, response, sdp.as_ref(), now) {
            return;
        }
        if let Some(sdp) = sdp {
            self.event(AgentEvent::Early { dialog: id, sdp });
        }
    }

    /// Makes sure that there is an early dialog with this tag; `false` when it cannot be.
    fn early_dialog(&mut self, id: DialogId, tag: &str, response: &Response) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        if call.dialog_with(tag).is_some() {
            return true;
        }
        if call.early.len() == FORKS_MAX {
            return false;
        }
        let Some(mut dialog) = Dialog::caller(&call.invite, response, call.remote) else {
            return false;
        };
        dialog.natted = call.on_flow;
        self.dialogs.insert(dialog.key(), id);
        call.early.push(EarlyDialog { dialog, rseq: None, answer: None });
        true
    }

    /// Acknowledges a reliable provisional response (RFC 3262 section 4). `false` when it is a repeated one, or came out of
    /// order and will be repeated.
    fn take_reliable(&mut self, id: DialogId, tag: &str, response: &Response, sdp: Option<&Sdp>, now: Instant) -> bool {
        let rseq = response.head.get("RSeq").and_then(|rseq| rseq.parse::<u32>().ok());
        let Some(rseq) = rseq.filter(|_| response.head.lists("Require", "100rel")) else {
            return true;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        let matches_tag = |early: &&mut EarlyDialog| early.dialog.remote.tag() == Some(tag);
        let Some(early) = call.early.iter_mut().find(matches_tag) else {
            return false;
        };
        if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return false;
        }
        early.rseq = Some(rseq);
        if early.answer.is_none() {
            early.answer = sdp.cloned();
        }
        let cseq = &call.invite.head.cseq;
        let prack = early.dialog.request(Method::Prack).with("RAck", format!("{rseq} {cseq}"));
        let (remote, account) = (early.dialog.next_hop(), call.account);
        self.send_within(prack, remote, account, now);
        true
    }

    /// A 200 to our INVITE: the first, a repeated one, one of another fork, one that crossed our CANCEL, or (not wanted) one
    /// from a hop that we gave up.
    fn accepted(&mut self, id: DialogId, response: &Response, peer: Hop, wanted: bool, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let tag = response.head.to.tag().unwrap_or_default();
        if let Some(SentAck { remote, bytes, .. }) = call.acks.iter().find(|ack| ack.remote_tag == tag) {
            let (remote, bytes) = (*remote, bytes.clone());
            return self.transmit(remote, bytes);
        }
        let Some(mut dialog) = Dialog::caller(&call.invite, response, peer) else {
            return self.end(id, AgentEnd::Protocol);
        };
        dialog.natted = call.on_flow;
        let early = call.early.iter().position(|early| early.dialog.remote.tag() == Some(tag));
        let early_answer = early.map(|at| call.early.remove(at)).and_then(|early| {
            // PRACKs have used numbers up.
            dialog.local_cseq = early.dialog.local_cseq;
            dialog.remote_cseq = early.dialog.remote_cseq;
            early.answer
        });
        self.acknowledge(id, &dialog);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let account = call.account;
        if call.ended || call.phase == Phase::Up || !wanted {
            self.dialogs.remove(&dialog.key());
            return self.send_bye(&mut dialog, account, now);
        }
        call.phase = Phase::Up;
        (call.ring_until, call.failover_at) = (None, None);
        // Their place as well: it is as large as all the rest of the call, which stays for long.
        let others: Vec<_> = std::mem::take(&mut call.early).iter().map(|early| early.dialog.key()).collect();
        self.dialogs.insert(dialog.key(), id);
        call.dialog = Some(dialog);
        for key in others {
            self.dialogs.remove(&key);
        }
        self.take_session(id, &response.head, now);
        match description(&response.head, &response.body).ok().flatten().or(early_answer) {
            Some(answer) => self.event(AgentEvent::Accepted { dialog: id, answer }),
            None => self.bye(id, AgentEnd::Protocol, now),
        }
    }

    /// Sends the ACK to a 200 and keeps it for repeated ones (section 13.2.2.4). A fork over the limit is acknowledged once.
    fn acknowledge(&mut self, id: DialogId, dialog: &Dialog) {
        let Some(call) = self.calls.get(&id) else { return };
        let mut ack = dialog.ack(call.invite.head.cseq.number);
        // An ACK cannot be challenged, so that it repeats what the INVITE was let in with (section 22.1).
        let credentials = |field: &&Field| matches!(field.name.as_str(), "Authorization" | "Proxy-Authorization");
        ack.head.fields.extend(call.invite.head.fields.iter().filter(credentials).cloned());
        let remote = dialog.next_hop();
        ack.head.via.push(self.via(remote));
        let bytes = ack.encode();
        self.transmit(remote, bytes.clone());
        if let Some(call) = self.calls.get_mut(&id).filter(|call| call.acks.len() < FORKS_MAX) {
            let remote_tag = dialog.remote.tag().unwrap_or_default().into();
            call.acks.push(SentAck { remote_tag, remote, bytes });
        }
    }

    /// Cancels our INVITE, now or as soon as a provisional response allows it.
    pub(super) fn cancel_invite(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(tx) = call.invite_tx.filter(|_| call.phase == Phase::Calling && call.cancel != Cancel::Sent) else {
            return;
        };
        if !call.provisional {
            call.cancel = Cancel::Wanted;
            return;
        }
        call.cancel = Cancel::Sent;
        self.send_cancel(tx, now);
    }

    pub(super) fn send_cancel(&mut self, tx: TxId, now: Instant) {
        let Some((invite, remote)) = self.transactions.request(tx) else {
            return;
        };
        let mut cancel = Request { method: Method::Cancel, body: Vec::new(), ..invite.clone() };
        cancel.head.cseq.method = Method::Cancel;
        cancel.head.fields.retain(|field| matches!(field.name.as_str(), "Route" | "Max-Forwards" | "User-Agent"));
        let elsewhere = self.invites.get(&tx).and_then(|id| self.calls.get(id)).is_some_and(|call| call.elsewhere);
        if elsewhere {
            cancel.head.push("Reason", ELSEWHERE);
        }
        if self.transactions.is_full() {
            self.transmit(remote, cancel.encode());
        } else {
            self.transactions.send(cancel, remote, None, now);
        }
        // A peer that forgets the 487 must not keep the transaction for ever (section 9.1).
        self.transactions.give_up(tx, now + TIMEOUT);
    }
}
