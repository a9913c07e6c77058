//! Transfers that the far end asks for (RFC 3515): 202, and NOTIFY until it is known how the new call went.
//!
//! Nobody is called here. Whom a call may go to is decided where calls are placed.

use std::time::Instant;

use super::call::Phase;
use super::transfer::EVENT;
use super::{AgentEvent, DialogId, RING_MAX, UserAgent};
use crate::io::Hop;
use crate::sip::dialog::contact;
use crate::sip::message::{Method, Request, Response, reason_phrase};
use crate::sip::refer::ReferTo;
use crate::sip::transaction::{TIMEOUT, TxId};

/// A transfer that the far end asked for.
#[derive(Debug)]
pub(super) struct Referred {
    /// The REFER's number, where it has to be said which one is meant.
    id: Option<u32>,
    /// When the far end is told that it came to nothing.
    pub until: Instant,
    /// The far end does not want to be told (RFC 4488).
    silent: bool,
}

impl UserAgent {
    pub(super) fn referred(&mut self, id: DialogId, request: &Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let busy = self.calls.get(&id).is_some_and(|call| call.referred.is_some());
        let up = self.calls.get(&id).is_some_and(|call| call.phase == Phase::Up);
        let to = match ReferTo::of(&request.head) {
            // Without a transaction, 202 could not be said again.
            _ if tx.is_none() => Err(503),
            _ if !up => Err(403),
            _ if busy => Err(491),
            read => read,
        };
        let to = match to {
            Ok(to) => to,
            Err(status) => return self.respond(request, tx, remote, Response::to(request, status, ""), now),
        };
        let silent = request.head.get("Refer-Sub").is_some_and(|value| value.eq_ignore_ascii_case("false"));
        let contact = self.contact_for(request, remote);
        let mut response = Response::to(request, 202, "").with("Contact", contact);
        if silent {
            response = response.with("Refer-Sub", "false");
        }
        let meant = to.replaces.as_ref().and_then(|replaces| self.dialogs.get(&replaces.key())).copied();
        let joins = |other: &DialogId| self.calls.get(other).is_some_and(|call| *other != id && !call.ended);
        let call = meant.filter(joins);
        if let Some(call) = self.calls.get_mut(&id) {
            let number = Some(request.head.cseq.number).filter(|_| call.referred_before);
            call.referred = Some(Referred { id: number, until: now + RING_MAX + TIMEOUT, silent });
            call.referred_before = true;
        }
        self.respond(request, tx, remote, response, now);
        // The first word comes at once (section 2.4.4).
        self.refer_progress(id, 100, now);
        self.event(AgentEvent::Refer { dialog: id, to, call });
    }

    pub(super) fn refer_progress(&mut self, id: DialogId, status: u16, now: Instant) {
        let status = if (100..700).contains(&status) { status } else { 500 };
        let own = self.contact_within(id);
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) else { return };
        let Some(Referred { id: number, until, silent }) = call.referred else { return };
        if status >= 200 {
            call.referred = None;
        }
        let Some((dialog, own)) = call.dialog.as_mut().filter(|_| !silent).zip(own) else { return self.arm(id) };
        let left = until.saturating_duration_since(now).as_secs();
        let state = if status < 200 { format!("active;expires={left}") } else { "terminated;reason=noresource".into() };
        let (notify, remote, account) = (dialog.request(Method::Notify), dialog.next_hop(), call.account);
        let event = number.map_or(EVENT.into(), |number| format!("{EVENT};id={number}"));
        let mut notify = notify
            .with("Contact", own)
            .with("Event", event)
            .with("Subscription-State", state)
            .with("Content-Type", "message/sipfrag;version=2.0");
        notify.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes();
        self.send_within(notify, remote, account, now);
        self.arm(id);
    }

    /// Our Contact in further requests of a call: the user that was called, or the one that we called as.
    pub(super) fn contact_within(&self, id: DialogId) -> Option<String> {
        let call = self.calls.get(&id)?;
        let dialog = call.dialog.as_ref()?;
        let own = contact(&call.invite.head).filter(|_| call.merge_key.is_none());
        let user = own.as_ref().unwrap_or(&call.invite.uri).user();
        Some(self.contact(&user, dialog.next_hop(), dialog.target.is_secure()).to_string())
    }
}
