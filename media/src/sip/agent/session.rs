//! Requests within a dialog: ACK, BYE, re-INVITE, UPDATE, INFO, OPTIONS; and hanging up.

use std::time::Instant;

use super::call::{AwaitedAck, PendingOffer, Phase};
use super::callee::{bad_description, within};
use super::{ACCEPT, ALLOW, AgentEnd, AgentEvent, DialogId, UserAgent, describe, description};
use crate::io::Hop;
use crate::sip::dialog::DialogKey;
use crate::sip::message::{Head, Method, Request, Response};
use crate::sip::sdp::Sdp;
use crate::sip::transaction::TxId;

/// What `Retry-After` says to a request that came too early, in seconds (RFC 3261 section 14.2: 0 to 10).
const SOON_S: &str = "2";

impl UserAgent {
    pub(super) fn call_of(&self, request: &Request) -> Option<DialogId> {
        let Head { call_id, from, to, .. } = &request.head;
        let key = DialogKey {
            call_id: call_id.clone(),
            local_tag: to.tag().unwrap_or_default().into(),
            remote_tag: from.tag().unwrap_or_default().into(),
        };
        self.dialogs.get(&key).copied()
    }

    /// The ACK to a 200 of ours.
    pub(super) fn ack(&mut self, request: &Request, now: Instant) {
        let Some(id) = self.call_of(request) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let number = request.head.cseq.number;
        let Some(awaited) = call.awaited.take_if(|awaited| awaited.cseq == number) else {
            return;
        };
        self.arm(id);
        if awaited.bye_after {
            return self.bye(id, AgentEnd::LocalBye, now);
        }
        if !awaited.brings_answer {
            return self.event(AgentEvent::Confirmed { dialog: id, answer: None });
        }
        match description(&request.head, &request.body) {
            Ok(Some(answer)) => self.event(AgentEvent::Confirmed { dialog: id, answer: Some(answer) }),
            _ => self.bye(id, AgentEnd::Protocol, now),
        }
    }

    /// Any other request with a To tag.
    pub(super) fn in_dialog(&mut self, request: Request, remote: Hop, now: Instant) {
        // A call that we have ended already may still be told so by the far end, and how its transfer went.
        let late = matches!(request.method, Method::Bye | Method::Notify);
        let known = self.call_of(&request).filter(|id| self.calls.get(id).is_some_and(|call| late || !call.ended));
        let Some(id) = known else {
            return self.reply(&request, remote, Response::to(&request, 481, ""));
        };
        let tx = self.transactions.open(&request, remote);
        let remote_tag = request.head.from.tag().unwrap_or_default();
        let dialog = self.calls.get_mut(&id).and_then(|call| call.dialog_with(remote_tag));
        let rises = dialog.is_some_and(|dialog| {
            dialog.heard(remote);
            dialog.take_cseq(request.head.cseq.number)
        });
        if !rises {
            let late = Response::to(&request, 500, "CSeq is not above the last one");
            return self.respond(&request, tx, remote, late, now);
        }
        match request.method {
            Method::Bye => {
                self.respond(&request, tx, remote, Response::to(&request, 200, ""), now);
                self.remote_bye(id, now);
            }
            Method::Invite | Method::Update => self.offered(id, request, tx, remote, now),
            Method::Info => self.info(id, &request, tx, remote, now),
            Method::Options => self.options(&request, tx, remote, now),
            Method::Refer => self.referred(id, &request, tx, remote, now),
            Method::Notify => self.notified(id, &request, tx, remote, now),
            Method::Prack => self.prack(id, &request, tx, remote, now),
            _ => self.respond(&request, tx, remote, Response::to(&request, 405, "").with("Allow", ALLOW), now),
        }
    }

    fn remote_bye(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.awaited = None;
        self.leave_change(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.linger(now);
        call.referred = None;
        let offer = call.offer.take();
        let ringing = call.invite_tx.filter(|_| call.phase == Phase::Ringing);
        let unanswered = ringing.map(|tx| (tx, call.invite.clone(), call.remote));
        // What is still open is answered with 487 (section 15.1.2).
        let open = unanswered.into_iter().chain(offer.map(|offer| (offer.tx, offer.request, offer.remote)));
        for (tx, request, remote) in open.collect::<Vec<_>>() {
            let tag = self.calls.get(&id).and_then(|call| call.dialog.as_ref()?.local.tag()).unwrap_or_default();
            let response = Response::to(&request, 487, "").tagged(tag);
            self.respond(&request, Some(tx), remote, response, now);
            self.invites.remove(&tx);
        }
        self.end(id, AgentEnd::RemoteBye);
    }

    /// A re-INVITE or UPDATE.
    fn offered(&mut self, id: DialogId, request: Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let invite = request.method == Method::Invite;
        let sdp = description(&request.head, &request.body);
        let busy = call.offer.is_some() || call.phase == Phase::Ringing;
        let awaits_answer = call.awaited.as_ref().is_some_and(|awaited| awaited.brings_answer || invite);
        let plain_update = !invite && matches!(sdp, Ok(None));
        let refreshing = call.refreshing.is_some_and(|refreshing| refreshing.invite);
        // Before the answer, UPDATE may change what a reliable response has settled (RFC 3311 section 5.2).
        let remote_tag = request.head.from.tag().unwrap_or_default();
        let settled = !invite && call.early_with(remote_tag).is_some_and(|early| early.answer.is_some());
        let refusal = match &sdp {
            Err(why) => Some(bad_description(&request, why)),
            Ok(_) if plain_update => None,
            // Ours is the offer that is open (RFC 3261 section 14.2, RFC 3311 section 5.2).
            Ok(_) if (call.phase == Phase::Calling && !settled) || awaits_answer || refreshing => {
                Some(Response::to(&request, 491, ""))
            }
            Ok(_) if busy => Some(Response::to(&request, 500, "").with("Retry-After", SOON_S)),
            Ok(_) => None,
        };
        if let Some(refusal) = refusal {
            return self.respond(&request, tx, remote, refusal, now);
        }
        if let Some(dialog) = call.dialog_with(remote_tag) {
            dialog.refresh(&request.head);
        }
        match tx {
            _ if plain_update => {
                let response = self.agreed(&request, remote);
                let response = self.agree_on_session(id, &request, response, now);
                self.respond(&request, tx, remote, response, now);
                self.arm(id);
            }
            Some(tx) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.offer = Some(PendingOffer { tx, request, remote });
                }
                if invite {
                    self.invites.insert(tx, id);
                }
                self.event(AgentEvent::Offer { dialog: id, sdp: sdp.unwrap_or_default() });
            }
            // Without a transaction the answer could not be kept until it is acknowledged.
            None => {
                let full = Response::to(&request, 503, "").with("Retry-After", SOON_S);
                self.reply(&request, remote, full);
            }
        }
    }

    /// A 200 within the dialog.
    fn agreed(&self, request: &Request, remote: Hop) -> Response {
        let contact = self.contact_for(request, remote);
        within(request, Response::to(request, 200, "")).with("Contact", contact).with("Allow", ALLOW)
    }

    pub(super) fn answer_offer(&mut self, id: DialogId, sdp: Option<&Sdp>, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(PendingOffer { tx, request, remote }) = call.offer.take() else {
            return;
        };
        self.invites.remove(&tx);
        let Some(sdp) = sdp else {
            let refusal = Response::to(&request, 488, "");
            return self.respond(&request, Some(tx), remote, refusal, now);
        };
        if request.method == Method::Invite {
            let brings_answer = request.body.is_empty();
            call.awaited = Some(AwaitedAck::new(tx, request.head.cseq.number, brings_answer, false, now));
            self.arm(id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.described = Some(sdp.clone());
            let remote_tag = request.head.from.tag().unwrap_or_default();
            if let Some(early) = call.early_with(remote_tag) {
                // What its 200 need not repeat is this now.
                early.answer = description(&request.head, &request.body).ok().flatten();
            }
        }
        let mut response = self.agreed(&request, remote);
        describe(&mut response, sdp);
        let response = self.agree_on_session(id, &request, response, now);
        self.arm(id);
        self.respond(&request, Some(tx), remote, response, now);
    }

    /// The far end takes its re-INVITE back; the call stays as it was.
    pub(super) fn cancel_offer(&mut self, id: DialogId, tx: TxId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(offer) = call.offer.take_if(|offer| offer.tx == tx) else {
            return;
        };
        self.invites.remove(&tx);
        let response = Response::to(&offer.request, 487, "");
        self.respond(&offer.request, Some(tx), offer.remote, response, now);
    }

    fn info(&mut self, id: DialogId, request: &Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let digit = match request.head.content_type().as_deref() {
            _ if request.body.is_empty() => None,
            Some("application/dtmf-relay") => relayed_digit(&request.body),
            Some("application/dtmf") => digit(&String::from_utf8_lossy(&request.body)),
            _ => {
                let refusal = Response::to(request, 415, "").with("Accept", ACCEPT);
                return self.respond(request, tx, remote, refusal, now);
            }
        };
        self.respond(request, tx, remote, Response::to(request, 200, ""), now);
        if let Some(digit) = digit {
            self.event(AgentEvent::Digit { dialog: id, digit });
        }
    }

    pub(super) fn hangup(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) else {
            return;
        };
        match call.phase {
            Phase::Ringing => self.reject(id, 603, "", now),
            Phase::Calling => {
                self.cancel_invite(id, now);
                self.end(id, AgentEnd::LocalBye);
            }
            Phase::Up => match &mut call.awaited {
                // The callee must not send BYE before the ACK came (section 15).
                Some(awaited) if awaited.first => {
                    awaited.bye_after = true;
                    self.end(id, AgentEnd::LocalBye);
                }
                _ => self.bye(id, AgentEnd::LocalBye, now),
            },
        }
    }

    /// Sends BYE and ends the call.
    pub(super) fn bye(&mut self, id: DialogId, cause: AgentEnd, now: Instant) {
        self.leave_change(id);
        // Nobody will tell the far end how its transfer went after this.
        self.refer_progress(id, 487, now);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.awaited = None;
        let offer = call.offer.take();
        let lingers = call.linger(now);
        let dialog = if lingers { call.dialog.clone() } else { call.dialog.take() };
        let account = call.account;
        if let Some(PendingOffer { tx, request, remote }) = offer {
            self.invites.remove(&tx);
            let response = Response::to(&request, 487, "");
            self.respond(&request, Some(tx), remote, response, now);
        }
        if let Some(mut dialog) = dialog {
            if !lingers {
                self.dialogs.remove(&dialog.key());
            }
            self.send_bye(&mut dialog, account, now);
        }
        self.end(id, cause);
    }
}

/// `Signal=5` among the lines of `application/dtmf-relay`.
fn relayed_digit(body: &[u8]) -> Option<char> {
    let text = String::from_utf8_lossy(body);
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| digit(value))
    });
    signal.flatten()
}

/// One digit, by its sign or by its RFC 4733 number.
fn digit(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        text => {
            let mut letters = text.chars();
            let digit = letters.next()?.to_ascii_uppercase();
            let fits = digit.is_ascii_digit() || matches!(digit, '*' | '#' | 'A'..='D');
            (fits && letters.next().is_none()).then_some(digit)
        }
    }
}
