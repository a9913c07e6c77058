//! Calls that we place: INVITE, provisional responses with PRACK, ACK, CANCEL, forks.

use std::time::Instant;

use super::call::{Call, Cancel, EarlyDialog, Phase, SentAck};
use super::{
    ALLOW, AgentConfig, AgentEnd, AgentEvent, DialogId, FORKS_MAX, Invite, InviteError, RING_MAX, UserAgent,
    description,
};
use crate::io::Transport;
use crate::sip::address::NameAddr;
use crate::sip::dialog::Dialog;
use crate::sip::header::{CSeq, Params};
use crate::sip::message::{Head, Method, Request, Response};
use crate::sip::sdp::Sdp;
use crate::sip::transaction::TIMEOUT;
use crate::sip::uri::{SipUri, Uri};

/// The number of an INVITE that begins a call; the dialog counts on from it.
const FIRST_CSEQ: u32 = 1;

impl UserAgent {
    /// Places a call. The INVITE is among the outputs; `Accepted`, `Ended` and others tell how it goes.
    ///
    /// # Errors
    /// When the address is not a SIP URI or the agent is full.
    pub fn invite(&mut self, invite: Invite, now: Instant) -> Result<DialogId, InviteError> {
        let transport = invite.remote.transport;
        let uri = match Uri::parse(&invite.uri) {
            Some(uri @ Uri::Sip(SipUri { headers: None, .. })) if !uri.is_secure() || transport == Transport::Tls => {
                uri
            }
            _ => return Err(InviteError::BadUri { uri: invite.uri }),
        };
        if self.is_full() {
            let (calls, transactions) = self.load();
            let AgentConfig { dialogs_max: calls_max, transactions_max, .. } = self.config;
            return Err(InviteError::Full { calls, calls_max, transactions, transactions_max });
        }
        let request = self.first_request(uri, &invite);
        let mut call = Call::new(Phase::Calling, request.clone(), invite.remote, now + RING_MAX);
        let id = self.next_dialog();
        call.invite_tx = self.send(request, invite.remote, now);
        if let Some(tx) = call.invite_tx {
            self.invites.insert(tx, id);
        }
        self.calls.insert(id, call);
        self.arm(id);
        self.drain_transactions(now);
        Ok(id)
    }

    fn first_request(&mut self, uri: Uri, invite: &Invite) -> Request {
        let secure = uri.is_secure();
        let from = if invite.from_user.is_empty() {
            NameAddr {
                display: Some("\"Anonymous\"".into()),
                uri: Uri::parse("sip:anonymous@anonymous.invalid").expect("a valid URI"),
                params: Params::default(),
            }
        } else {
            NameAddr::new(Uri::sip(&invite.from_user, self.config.local))
        };
        let head = Head {
            via: Vec::new(),
            from: from.tagged(&self.tokens.tag()),
            to: NameAddr::new(uri.clone()),
            call_id: self.tokens.call_id(),
            cseq: CSeq { number: FIRST_CSEQ, method: Method::Invite },
            fields: Vec::new(),
        };
        let request = Request { method: Method::Invite, uri, head, body: invite.sdp.to_string().into_bytes() };
        request
            .with("Max-Forwards", "70")
            .with("Contact", self.contact(&invite.from_user, invite.remote.transport, secure).to_string())
            .with("Allow", ALLOW)
            .with("Supported", "100rel")
            .with("User-Agent", self.config.user_agent.clone())
            .with("Content-Type", "application/sdp")
    }

    /// A response to our INVITE.
    pub(super) fn invite_response(&mut self, dialog: DialogId, response: &Response, now: Instant) {
        match response.status {
            100..200 => self.provisional(dialog, response, now),
            200..300 => self.accepted(dialog, response, now),
            status => self.end(dialog, AgentEnd::Refused(status)),
        }
    }

    fn provisional(&mut self, id: DialogId, response: &Response, now: Instant) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Calling) else {
            return;
        };
        call.provisional = true;
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
        let Some(dialog) = Dialog::caller(&call.invite, response, call.remote) else {
            return false;
        };
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
        let remote = early.dialog.next_hop();
        self.send_within(prack, remote, now);
        true
    }

    /// A 200 to our INVITE: the first, a repeated one, one of another fork, or one that crossed our CANCEL.
    fn accepted(&mut self, id: DialogId, response: &Response, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let tag = response.head.to.tag().unwrap_or_default();
        if let Some(SentAck { remote, bytes, .. }) = call.acks.iter().find(|ack| ack.remote_tag == tag) {
            let (remote, bytes) = (*remote, bytes.clone());
            return self.transmit(remote, bytes);
        }
        let Some(mut dialog) = Dialog::caller(&call.invite, response, call.remote) else {
            return self.end(id, AgentEnd::Protocol);
        };
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
        if call.ended || call.phase == Phase::Up {
            self.dialogs.remove(&dialog.key());
            return self.send_bye(&mut dialog, now);
        }
        call.phase = Phase::Up;
        call.ring_until = None;
        let others: Vec<_> = call.early.drain(..).map(|early| early.dialog.key()).collect();
        self.dialogs.insert(dialog.key(), id);
        call.dialog = Some(dialog);
        for key in others {
            self.dialogs.remove(&key);
        }
        self.arm(id);
        match description(&response.head, &response.body).ok().flatten().or(early_answer) {
            Some(answer) => self.event(AgentEvent::Accepted { dialog: id, answer }),
            None => self.bye(id, AgentEnd::Protocol, now),
        }
    }

    /// Sends the ACK to a 200 and keeps it for repeated ones (section 13.2.2.4). A fork over the limit is acknowledged once.
    fn acknowledge(&mut self, id: DialogId, dialog: &Dialog) {
        let mut ack = dialog.ack(FIRST_CSEQ);
        let remote = dialog.next_hop();
        ack.head.via.push(self.via(remote.transport));
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
        let Some((invite, remote)) = self.transactions.request(tx) else {
            return;
        };
        let mut cancel = Request { method: Method::Cancel, body: Vec::new(), ..invite.clone() };
        cancel.head.cseq.method = Method::Cancel;
        cancel.head.fields.retain(|field| matches!(field.name.as_str(), "Route" | "Max-Forwards" | "User-Agent"));
        if self.transactions.is_full() {
            self.transmit(remote, cancel.encode());
        } else {
            self.transactions.send(cancel, remote, None, now);
        }
        // A peer that forgets the 487 must not keep the transaction for ever (section 9.1).
        self.transactions.give_up(tx, now + TIMEOUT);
    }
}
