//! Calls that come in: INVITE, 100, 180, 200 until ACK, refusals, CANCEL.

use std::time::Instant;

use super::call::{AwaitedAck, Call, Phase, Reliable};
use super::{
    ALLOW, AgentEnd, AgentEvent, Caller, DialogId, RETRY_AFTER_S, RING_MAX, SUPPORTED, UserAgent, describe, description,
};
use crate::io::{Hop, PhoneId};
use crate::sip::dialog::Dialog;
use crate::sip::identity::{self, told};
use crate::sip::message::{Request, Response};
use crate::sip::sdp::Sdp;
use crate::sip::transaction::{T1, T2, TIMEOUT, TxId, after, reply_address};
use crate::sip::uri::Uri;

/// The first RSeq is drawn from 1 to this (RFC 3262 section 3), so that it cannot be guessed.
const RSEQ_FIRST_MAX: u64 = 0x7fff_ffff;

impl UserAgent {
    /// An INVITE outside of any dialog.
    pub(super) fn incoming(&mut self, request: Request, remote: Hop, phone: Option<PhoneId>, now: Instant) {
        let head = &request.head;
        let merge_key = (head.call_id.clone(), head.from.tag().unwrap_or_default().to_owned(), head.cseq.number);
        let refusal = if self.incoming.contains(&merge_key) {
            // The same call came by another way (section 8.2.2.2).
            Some(Response::to(&request, 482, ""))
        } else if self.is_full() {
            Some(Response::to(&request, 503, "").with("Retry-After", RETRY_AFTER_S.to_string()))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.reply(&request, remote, refusal);
        }
        let offer = match description(head, &request.body) {
            Ok(offer) => offer,
            Err(why) => return self.reply(&request, remote, bad_description(&request, &why)),
        };
        let replaces = match self.replaced(&request) {
            Ok(replaces) => replaces,
            Err(status) => return self.reply(&request, remote, Response::to(&request, status, "")),
        };
        let tag = self.tokens.tag();
        let (trunk, account) = self.accounts.of_source(remote, &request.uri.user()).unzip();
        // A trunk is told things where it is answered: it may send from another port than it listens on (section 18.2.2).
        let peer = if trunk.is_some() { reply_address(request.head.top_via(), remote) } else { remote };
        let Some(mut dialog) = Dialog::callee(&request, &tag, peer) else {
            let refusal = Response::to(&request, 400, "Contact or Record-Route cannot be read");
            return self.reply(&request, remote, refusal);
        };
        dialog.natted |= phone.is_some();
        dialog.home = account.and_then(|account| self.accounts.home(account, remote));
        let Some(tx) = self.transactions.open(&request, remote) else {
            return;
        };
        self.transactions.respond(tx, &Response::to(&request, 100, ""), now);
        let id = self.next_dialog();
        let (caller, received) = (caller(&request), now);
        let event = AgentEvent::Incoming { dialog: id, caller, remote, offer, received, trunk, phone, replaces };
        self.dialogs.insert(dialog.key(), id);
        self.incoming.insert(merge_key.clone());
        self.invites.insert(tx, id);
        let mut call = Call::new(Phase::Ringing, request, remote, now + RING_MAX);
        call.dialog = Some(dialog);
        call.invite_tx = Some(tx);
        call.merge_key = Some(merge_key);
        call.account = account;
        call.on_flow = phone.is_some();
        self.calls.insert(id, call);
        self.arm(id);
        self.event(event);
    }

    pub(super) fn ring(&mut self, dialog: DialogId, now: Instant) {
        let Some((tx, mut response)) = self.final_or_ringing(dialog, 180, "") else { return };
        let rseq = u32::try_from(self.tokens.number() % RSEQ_FIRST_MAX).unwrap_or_default() + 1;
        let Some(call) = self.calls.get_mut(&dialog) else { return };
        if call.invite.head.lists("Require", "100rel") {
            // Without an offer in the INVITE a reliable response would have to make one (RFC 3261 section 13.2.1), which
            // is for the 200 to do. One that waits for its PRACK is repeated anyway.
            if call.invite.body.is_empty() || call.reliable.is_some() {
                return;
            }
            response = response.with("Require", "100rel").with("RSeq", rseq.to_string());
            call.reliable = Some(Reliable { rseq, again: Some((now + T1, T1 * 2)), until: now + TIMEOUT });
        }
        self.transactions.respond(tx, &response, now);
        self.arm(dialog);
    }

    /// 183 with our answer: the caller hears from now on what we send.
    pub(super) fn progress(&mut self, dialog: DialogId, sdp: &Sdp, now: Instant) {
        let Some((tx, mut response)) = self.final_or_ringing(dialog, 183, "") else { return };
        if self.calls.get(&dialog).is_some_and(|call| call.invite.head.lists("Require", "100rel")) {
            return self.ring(dialog, now);
        }
        describe(&mut response, sdp);
        self.transactions.respond(tx, &response, now);
    }

    /// The timer of a reliable 180 whose PRACK has not come (RFC 3262 section 3).
    pub(super) fn prack_is_late(&mut self, dialog: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&dialog) else { return };
        let Some((reliable, tx)) = call.reliable.as_mut().zip(call.invite_tx) else { return };
        if let Some((at, wait)) = reliable.again.filter(|_| reliable.until > now) {
            reliable.again = Some((after(at, wait, now), wait * 2));
            self.transactions.repeat(tx);
        } else if let Some((tx, response)) = self.final_or_ringing(dialog, 504, "No PRACK came") {
            self.transactions.respond(tx, &response, now);
            self.end(dialog, AgentEnd::Timeout);
        }
    }

    /// A PRACK: 200 when it acknowledges our 180, else 481.
    pub(super) fn prack(&mut self, id: DialogId, request: &Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let named: Vec<&str> = request.head.get("RAck").unwrap_or_default().split_ascii_whitespace().collect();
        let acknowledged = self.calls.get_mut(&id).and_then(|call| {
            let cseq = call.invite.head.cseq.number;
            let fits = |reliable: &&mut Reliable| match named.as_slice() {
                [rseq, number, "INVITE"] => rseq.parse() == Ok(reliable.rseq) && number.parse() == Ok(cseq),
                _ => false,
            };
            call.reliable.as_mut().filter(fits)?.again.take()
        });
        let status = if acknowledged.is_some() { 200 } else { 481 };
        self.respond(request, tx, remote, Response::to(request, status, ""), now);
        self.arm(id);
    }

    pub(super) fn accept(&mut self, dialog: DialogId, sdp: &Sdp, now: Instant) {
        let Some((tx, mut response)) = self.final_or_ringing(dialog, 200, "") else {
            return;
        };
        describe(&mut response, sdp);
        let Some(invite) = self.calls.get(&dialog).map(|call| call.invite.clone()) else { return };
        let response = self.agree_on_session(dialog, &invite, response, now);
        self.transactions.respond(tx, &response, now);
        let Some(call) = self.calls.get_mut(&dialog) else {
            return;
        };
        call.described = Some(sdp.clone());
        call.phase = Phase::Up;
        call.ring_until = None;
        call.invite_tx = None;
        let cseq = call.invite.head.cseq.number;
        let brings_answer = call.invite.body.is_empty();
        call.awaited = Some(AwaitedAck::new(tx, cseq, brings_answer, true, now));
        self.arm(dialog);
    }

    pub(super) fn reject(&mut self, dialog: DialogId, status: u16, reason: &str, now: Instant) {
        let status = if (300..700).contains(&status) { status } else { 500 };
        // A reason phrase ends with its line; what would begin a new one is not part of it.
        let reason: String = reason.chars().filter(|letter| !letter.is_control()).collect();
        if let Some((tx, mut response)) = self.final_or_ringing(dialog, status, &reason) {
            if status == 503 {
                // Without it, 503 tells a proxy to stop using us altogether (section 21.5.4).
                response = response.with("Retry-After", RETRY_AFTER_S.to_string());
            }
            self.transactions.respond(tx, &response, now);
            self.end(dialog, AgentEnd::Rejected(status));
        }
    }

    /// A response to an INVITE that is not answered, with what 18x and 2xx need (section 12.1.1).
    fn final_or_ringing(&self, dialog: DialogId, status: u16, reason: &str) -> Option<(TxId, Response)> {
        let call = self.calls.get(&dialog).filter(|call| call.phase == Phase::Ringing && !call.ended)?;
        let tag = call.dialog.as_ref()?.local.tag()?;
        let mut response =
            Response::to(&call.invite, status, reason).tagged(tag).with("Server", self.config.user_agent.clone());
        if status < 300 {
            let contact = self.contact_for(&call.invite, call.remote);
            response = within(&call.invite, response).with("Contact", contact).with("Allow", ALLOW);
            response = response.with("Supported", SUPPORTED);
        }
        Some((call.invite_tx?, response))
    }

    /// CANCEL gets its 200 whatever has become of the INVITE, as long as that is known (section 9.2).
    pub(super) fn cancel(&mut self, request: &Request, remote: Hop, now: Instant) {
        let Some(tx) = self.transactions.cancelled(request) else {
            return self.reply(request, remote, Response::to(request, 481, ""));
        };
        let dialog = self.invites.get(&tx).copied();
        let call = dialog.and_then(|dialog| self.calls.get(&dialog));
        let tag = call.and_then(|call| call.dialog.as_ref()?.local.tag().map(str::to_owned));
        let mut response = Response::to(request, 200, "");
        if let Some(tag) = tag {
            response = response.tagged(&tag);
        }
        self.reply(request, remote, response);
        let Some(dialog) = dialog else { return };
        if let Some((tx, response)) = self.final_or_ringing(dialog, 487, "") {
            self.transactions.respond(tx, &response, now);
            self.end(dialog, AgentEnd::Cancelled);
        } else {
            self.cancel_offer(dialog, tx, now);
        }
    }

    /// The timer of a 200 whose ACK has not come.
    pub(super) fn ack_is_late(&mut self, dialog: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&dialog) else {
            return;
        };
        let Some(awaited) = &mut call.awaited else {
            return;
        };
        if awaited.until > now {
            if awaited.again <= now {
                awaited.again = after(awaited.again, awaited.wait, now);
                awaited.wait = (awaited.wait * 2).min(T2);
                self.transactions.repeat(awaited.tx);
            }
            return;
        }
        call.awaited = None;
        self.bye(dialog, AgentEnd::Timeout, now);
    }

    /// A call that nobody answered for [`RING_MAX`].
    pub(super) fn rang_out(&mut self, dialog: DialogId, now: Instant) {
        match self.final_or_ringing(dialog, 480, "") {
            Some((tx, response)) => self.transactions.respond(tx, &response, now),
            None => self.cancel_invite(dialog, now),
        }
        self.end(dialog, AgentEnd::Timeout);
    }
}

impl AwaitedAck {
    pub(super) fn new(tx: TxId, cseq: u32, brings_answer: bool, first: bool, now: Instant) -> Self {
        Self { tx, cseq, again: now + T1, wait: T1 * 2, until: now + TIMEOUT, brings_answer, first, bye_after: false }
    }
}

/// Copies the route that the dialog will take.
pub(super) fn within(request: &Request, mut response: Response) -> Response {
    for route in request.head.all("Record-Route") {
        response.head.push("Record-Route", route);
    }
    response
}

/// 400 that says what is wrong with the description.
pub(super) fn bad_description(request: &Request, why: &str) -> Response {
    Response::to(request, 400, "Bad Session Description").with("Warning", format!("399 auricle \"{why}\""))
}

/// Whom a caller wants: a user, or whoever helps in an emergency, by the name of that service.
fn called(uri: &Uri) -> String {
    if uri.is_emergency_service() { uri.to_string() } else { identity::user(uri) }
}

fn caller(request: &Request) -> Caller {
    let from = &request.head.from;
    let from_user = identity::from_user(from);
    Caller {
        display_name: if from_user.is_some() { told(&from.name()) } else { String::new() },
        from_user: from_user.as_deref().map(told).unwrap_or_default(),
        to_user: told(&called(&request.uri)),
        identity: identity::identity(&request.head),
    }
}
