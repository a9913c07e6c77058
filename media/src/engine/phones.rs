//! Phones, as far as the door and legs are concerned: who is a guest, who is banned, and calls to all places of a phone.

use super::Engine;
use crate::io::{EngineEvent, LegEnd, LegId, Phone, PhoneId, Protection, Transport};
use crate::sip::agent::{AgentCommand, DialogId, Invite, InviteError, InviteTo};
use std::net::IpAddr;
use std::time::Instant;

/// What a source may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is trusted, a trunk's, or somebody whom we called.
    Known,
    /// It may be a phone: it is heard, but has to show it.
    Guest,
    /// It is not heard.
    Stranger,
}

impl Engine {
    pub(super) fn standing(&self, source: IpAddr, now: Instant) -> Standing {
        if self.bans.holds(source, now) && !self.is_spared(source) {
            Standing::Stranger
        } else if self.admission.admits(source) || self.is_called(source, now) || self.is_retired(source) {
            Standing::Known
        } else if (self.agent.serves_phones() || !self.legs.is_empty())
            && self.config.phones.iter().any(|network| network.contains(source))
        {
            Standing::Guest
        } else {
            Standing::Stranger
        }
    }

    /// Whom no wrong password locks out: trunks, who was named, and whoever shares an address with a phone that is there.
    fn is_spared(&self, source: IpAddr) -> bool {
        self.admission.is_trunk(source)
            || self.config.spared.iter().any(|network| network.contains(source))
            || self.agent.has_phone_at(source)
    }

    pub(super) fn wrong_password(&mut self, source: IpAddr, call: u64, now: Instant) {
        self.counters.wrong_passwords += 1;
        if self.bans.wrong(source, call, now) && !self.is_spared(source) {
            self.tell_ban(source);
        }
    }

    /// Sources that a process before this one has banned, but for those that are spared by now.
    pub(super) fn restore_bans(&mut self, bans: Vec<(IpAddr, Instant)>, now: Instant) {
        for (source, until) in bans {
            if !self.is_spared(source) && self.bans.restore(source, until, now) {
                self.tell_ban(source);
            }
        }
    }

    fn tell_ban(&mut self, source: IpAddr) {
        if let Some(until) = self.bans.until(source) {
            self.event(EngineEvent::Banned { source, until });
        }
    }

    pub(super) fn set_phones(&mut self, phones: Vec<Phone>, now: Instant) {
        self.phone_protection = phones.iter().map(|phone| (phone.id, phone.protection)).collect();
        self.tell_agent(AgentCommand::Phones(phones), now);
    }

    /// Whether there is a way to a phone that nobody else reads: keys for media may be told there.
    pub(super) fn is_secure(&self, phone: PhoneId) -> bool {
        self.agent.ways(phone).iter().any(|(hop, _)| hop.transport == Transport::Tls)
    }

    /// Calls all places of a phone at once, each with its own address in the place of the INVITE's; keys are told only where
    /// nobody else reads them, and where there must be keys, only such places ring.
    pub(super) fn fork(&mut self, id: LegId, phone: PhoneId, invite: impl FnOnce(InviteTo) -> Invite, now: Instant) {
        let (mut full, ways) = (false, self.agent.ways(phone));
        let Some((first, _)) = ways.first() else { return self.forget(id, LegEnd::Refused(480), now) };
        let invite = invite(InviteTo::Flow(*first));
        let required = self.phone_protection.get(&phone) == Some(&Protection::Required);
        for (hop, uri) in ways {
            let secure = hop.transport == Transport::Tls;
            if required && !secure {
                continue;
            }
            let sdp = if secure { invite.sdp.clone() } else { invite.sdp.clone().without_keys() };
            let (uri, to) = (uri.to_string(), InviteTo::Flow(hop));
            match self.agent.invite(Invite { uri, to, sdp, ..invite.clone() }, now) {
                Ok(dialog) => {
                    self.by_dialog.insert(dialog, id);
                    if let Some(leg) = self.legs.get_mut(&id) {
                        leg.forks.push(dialog);
                    }
                }
                Err(InviteError::Full { .. }) => full = true,
                // Another place of the phone may do.
                Err(InviteError::BadUri { .. } | InviteError::NoTrunk { .. } | InviteError::BadReplaces) => {}
            }
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.forks.pop() {
            Some(dialog) => leg.dialog = Some(dialog),
            None => self.forget(id, if full { LegEnd::Overloaded } else { LegEnd::Refused(480) }, now),
        }
    }

    /// One of several calls is answered: it is the leg's, the others are told that.
    pub(super) fn won(&mut self, dialog: DialogId, now: Instant) {
        let Some(leg) = self.by_dialog.get(&dialog).and_then(|id| self.legs.get_mut(id)) else { return };
        let lost: Vec<DialogId> = leg.all_dialogs().filter(|other| *other != dialog).collect();
        leg.forks.clear();
        leg.dialog = Some(dialog);
        for other in lost {
            self.by_dialog.remove(&other);
            self.tell_agent(AgentCommand::Elsewhere { dialog: other }, now);
        }
    }

    /// Ends all but one of the calls that a leg has out.
    pub(super) fn end_forks(&mut self, id: LegId, now: Instant) {
        let forks = self.legs.get_mut(&id).map(|leg| std::mem::take(&mut leg.forks)).unwrap_or_default();
        for dialog in forks {
            self.by_dialog.remove(&dialog);
            self.tell_agent(AgentCommand::Hangup { dialog }, now);
        }
    }

    /// One of the calls of a leg is over: the leg is, when it was the last, or somebody declined for all (RFC 3261 section
    /// 16.7). What the leg ends with is that somebody is busy, where one was, else what came last.
    pub(super) fn call_ended(&mut self, dialog: DialogId, cause: LegEnd, now: Instant) {
        let Some(id) = self.by_dialog.remove(&dialog) else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let told = |cause: &LegEnd| matches!(cause, LegEnd::Refused(486 | 600..=699));
        let cause = leg.refusal.filter(|before| told(before) && !told(&cause)).unwrap_or(cause);
        let mut others: Vec<DialogId> = leg.all_dialogs().filter(|other| *other != dialog).collect();
        (leg.dialog, leg.forks) = (None, Vec::new());
        if matches!(cause, LegEnd::Refused(600..=699)) {
            for dialog in others.drain(..) {
                self.by_dialog.remove(&dialog);
                self.tell_agent(AgentCommand::Hangup { dialog }, now);
            }
        }
        match others.pop() {
            Some(dialog) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    (leg.dialog, leg.forks, leg.refusal) = (Some(dialog), others, Some(cause));
                }
            }
            None => self.forget(id, cause, now),
        }
    }
}
