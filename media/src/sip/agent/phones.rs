//! Phones: REGISTER, who may call, and whether they are still there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::time::Instant;

use super::{AgentEvent, AgentOutput, DialogId, UserAgent};
use crate::io::{Hop, Phone, PhoneContact, PhoneId};
use crate::sip::address::NameAddr;
use crate::sip::framing::PING;
use crate::sip::message::{Method, Request, Response};
use crate::sip::registrar::{ContactId, RegistrarOutput, Shown};
use crate::sip::transaction::TxId;
use crate::sip::trunk::ANSWER_MAX;
use crate::sip::uri::Uri;

/// What a CANCEL says to a phone when another one has the call (RFC 3326 section 2), so that it lists no missed call.
pub(super) const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Questions to phones that are under way; at most as many as there are transactions.
pub(super) type Probes = BTreeMap<TxId, ContactId>;

impl UserAgent {
    /// Whether there is any phone.
    pub fn serves_phones(&self) -> bool {
        self.registrar.serves()
    }

    /// Whether a phone is registered from this address.
    pub fn has_phone_at(&self, source: IpAddr) -> bool {
        self.registrar.is_at(source)
    }

    /// The ways to a phone, best first: where its INVITE goes, and what it asks for there.
    pub fn ways(&self, phone: PhoneId) -> Vec<(Hop, Uri)> {
        self.registrar.ways(phone)
    }

    pub(super) fn set_phones(&mut self, phones: Vec<Phone>, now: Instant) {
        self.registrar.set_phones(phones, now);
        self.tell_phones();
    }

    pub(super) fn restore_phones(&mut self, places: Vec<(PhoneId, PhoneContact)>, now: Instant) {
        self.registrar.restore(places, now);
        self.tell_phones();
    }

    /// Whether a guest's request outside of what is known is looked at: everything else stays unanswered.
    pub(super) fn hears(&self, request: &Request, remote: Hop) -> bool {
        let begins = request.head.to.tag().is_none() && matches!(request.method, Method::Register | Method::Invite);
        begins && self.registrar.serves()
            || self.registrar.is_flow(remote)
            || self.call_of(request).is_some()
            || request.method == Method::Cancel && self.transactions.cancelled(request).is_some()
    }

    /// A REGISTER.
    pub(super) fn register_phone(&mut self, request: &Request, remote: Hop, now: Instant) {
        match self.registrar.who(request, remote, now) {
            Shown::Phone(id) => {
                // Repeated, it must find its answer: its count is used up.
                let tx = self.transactions.open(request, remote);
                let response = self.registrar.register(id, request, remote, now).tagged(&self.tokens.tag());
                self.respond(request, tx, remote, response, now);
                self.tell_phones();
            }
            other => {
                let refusal = self.unknown(request, other, remote, now);
                self.reply(request, remote, refusal);
            }
        }
    }

    /// The phone that sends an INVITE. It has to show that where its source is known for nothing else, where it names itself
    /// a phone, and where it comes by a phone's way.
    pub(super) fn caller_phone(
        &mut self,
        request: &Request,
        remote: Hop,
        guest: bool,
        now: Instant,
    ) -> Result<Option<PhoneId>, Box<Response>> {
        let from = request.head.from.uri.user();
        let suspect = || {
            let is_trunk = self.accounts.of_source(remote, "").is_some();
            !is_trunk && (self.registrar.knows(&from) || self.registrar.is_flow(remote))
        };
        if !guest && !suspect() {
            return Ok(None);
        }
        match self.registrar.who(request, remote, now) {
            // A phone that hides its number is asked all the same.
            Shown::Phone(id) if self.registrar.user(id) == Some(&from) || from.eq_ignore_ascii_case("anonymous") => {
                Ok(Some(id))
            }
            Shown::Phone(_) => Err(Box::new(Response::to(request, 403, "From is not this account"))),
            other => Err(Box::new(self.unknown(request, other, remote, now))),
        }
    }

    /// The answer to who has not shown who it is.
    fn unknown(&mut self, request: &Request, shown: Shown, remote: Hop, now: Instant) -> Response {
        if shown == (Shown::Wrong { counts: true }) {
            let mut call = DefaultHasher::new();
            request.head.call_id.hash(&mut call);
            self.event(AgentEvent::WrongPassword { source: remote.ip(), call: call.finish() });
        }
        self.registrar.challenge(request, shown == (Shown::Unknown { stale: true }), remote, now)
    }

    /// Another phone has the call: this one stops ringing and is told why.
    pub(super) fn answered_elsewhere(&mut self, dialog: DialogId, now: Instant) {
        if let Some(call) = self.calls.get_mut(&dialog) {
            call.elsewhere = true;
            self.hangup(dialog, now);
        }
    }

    pub(super) fn phones_closed(&mut self, hop: Hop) {
        self.registrar.closed(hop);
        self.tell_phones();
    }

    pub(super) fn wake_phones(&mut self, now: Instant) {
        for output in self.registrar.wake(now) {
            match output {
                RegistrarOutput::Probe { contact, hop, uri } => self.probe_phone(contact, hop, uri, now),
                RegistrarOutput::KeepAlive { hop } => {
                    self.outputs.push_back(AgentOutput::Transmit { remote: hop, bytes: PING.to_vec() });
                }
            }
        }
        self.tell_phones();
    }

    fn probe_phone(&mut self, contact: ContactId, hop: Hop, uri: Uri, now: Instant) {
        let own = NameAddr::new(Uri::sip("", self.local(hop)));
        let (to, call_id) = (NameAddr::new(uri.clone()), self.tokens.call_id());
        let request = self.outside(Method::Options, uri, own, to, call_id, 1).with("Accept", "application/sdp");
        // With the table full nobody is asked; that says nothing about the phone.
        if let Some(tx) = self.send(request, hop, None, now) {
            self.transactions.give_up(tx, now + ANSWER_MAX);
            self.probes.insert(tx, contact);
        }
    }

    /// A response, or none, to a question to a phone; `false` when it was none.
    pub(super) fn probe_took(&mut self, tx: TxId, response: Option<&Response>) -> bool {
        let Some(contact) = self.probes.get(&tx).copied() else { return false };
        if response.is_none_or(|response| response.status >= 200) {
            self.probes.remove(&tx);
            // Whatever it says, it is there.
            self.registrar.probed(contact, response.is_some());
            self.tell_phones();
        }
        true
    }

    fn tell_phones(&mut self) {
        for (phone, state) in self.registrar.news() {
            self.event(AgentEvent::Phone { phone, state });
        }
    }
}
