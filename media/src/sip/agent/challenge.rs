//! Challenges to requests of ours, answered for the account under which they went out.

use std::time::Instant;

use super::trunks::{AccountId, Pending};
use super::{AgentEvent, UserAgent};
use crate::io::Hop;
use crate::sip::dialog::DialogKey;
use crate::sip::digest;
use crate::sip::message::{Head, Request, Response};
use crate::sip::transaction::TxId;
use crate::sip::trunk::{ANSWER_MAX, Ask};

/// How often a challenge to one request of ours is answered.
const ANSWERS_MAX: u8 = 2;

impl UserAgent {
    /// Answers beforehand what the account was asked before, where the request goes to its own trunk.
    pub(super) fn authorize(&mut self, request: &mut Request, id: AccountId, remote: Hop) {
        if !self.accounts.trusts(id, remote) {
            return;
        }
        if let Some(client) = self.accounts.all.get_mut(&id).and_then(|account| account.client.as_mut()) {
            client.authorize(request, &mut self.tokens);
        }
    }

    /// Answers a challenge to a request of ours with the same request once more: next number, new branch. Only where the
    /// request went to the account's own trunk, the challenge came from there, and the realm is one of the trunk's. `false`
    /// when the response is to be taken as it is.
    pub(super) fn answer_challenge(&mut self, tx: TxId, response: &Response, from: Hop, now: Instant) -> bool {
        if !digest::is_challenge(response) {
            return false;
        }
        let Some(pending) = self.accounts.pending.get(&tx).copied() else { return false };
        let Some((request, remote)) = self.transactions.request(tx) else { return false };
        let id = pending.account;
        let trusted = self.accounts.trusts(id, remote) && self.accounts.trusts(id, from);
        if !trusted || pending.answers >= ANSWERS_MAX || self.is_given_up(tx) || self.transactions.is_full() {
            return false;
        }
        let Some(account) = self.accounts.all.get_mut(&id) else { return false };
        let answers = account.client.as_mut().is_some_and(|client| client.challenged(request, response));
        if !answers {
            self.tell_foreign(id, response);
            return false;
        }
        let mut request = request.clone();
        request.head.via.clear();
        request.head.cseq.number = match pending.ask {
            Some(Ask::Register(_)) => {
                account.cseq += 1;
                account.cseq
            }
            _ => self.next_cseq(tx, &request),
        };
        let Some(again) = self.send(request.clone(), remote, Some(id), now) else { return false };
        if pending.ask.is_some() {
            self.transactions.give_up(again, now + ANSWER_MAX);
        }
        self.accounts.pending.remove(&tx);
        self.accounts.pending.insert(again, Pending { answers: pending.answers + 1, ..pending });
        self.invited_again(tx, again, now);
        self.refreshed_again(tx, again);
        self.referred_again(tx, again);
        true
    }

    /// Tells in which realm a trunk asks that is none of its own, or that has no password at all: else nobody knew why its calls fail.
    fn tell_foreign(&mut self, id: AccountId, response: &Response) {
        let Some(account) = self.accounts.all.get(&id) else { return };
        let is_foreign = account.client.as_ref().is_none_or(|client| client.is_foreign(response));
        let Some(realm) = digest::realm_of(response).filter(|_| is_foreign) else { return };
        if let Some(trunk) = self.accounts.trunk_of(id) {
            self.event(AgentEvent::ForeignRealm { trunk, realm });
        }
    }

    /// The number of a request that is sent once more: the dialog's next, where it is within one.
    fn next_cseq(&mut self, tx: TxId, request: &Request) -> u32 {
        let next = request.head.cseq.number + 1;
        let initial = self.invites.contains_key(&tx);
        let Head { call_id, from, to, .. } = &request.head;
        let remote_tag = to.tag().unwrap_or_default();
        let key = DialogKey {
            call_id: call_id.clone(),
            local_tag: from.tag().unwrap_or_default().into(),
            remote_tag: remote_tag.into(),
        };
        let call = self.dialogs.get(&key).filter(|_| !initial).and_then(|id| self.calls.get_mut(id));
        match call.and_then(|call| call.dialog_with(remote_tag)) {
            Some(dialog) => {
                dialog.local_cseq = dialog.local_cseq.max(next - 1) + 1;
                dialog.local_cseq
            }
            None => next,
        }
    }
}
