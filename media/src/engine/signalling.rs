//! What SIP says, and what it means for legs.

use super::Engine;
use crate::io::{CallerIdentity, DialTo, EngineEvent, Entrance, Hop, LegEnd, LegId, Protection, Transport};
use crate::leg::{Outgoing, Stage, Visitor};
use crate::sip::agent::{
    AgentCommand, AgentEnd, AgentEvent, AgentInput, AgentOutput, DialogId, Invite, InviteError, InviteTo,
};
use crate::sip::sdp::Sdp;
use std::net::IpAddr;
use std::time::Instant;

impl Engine {
    /// Carries out what the user agent wants, until it wants nothing more.
    pub(super) fn drain_agent(&mut self, now: Instant) {
        while let Some(output) = self.agent.poll() {
            match output {
                AgentOutput::Transmit { remote, bytes } => self.send(remote, bytes),
                AgentOutput::Event(event) => self.agent_event(event, now),
            }
        }
    }

    pub(super) fn tell_agent(&mut self, command: AgentCommand, now: Instant) {
        self.agent.handle(AgentInput::Command(command), now);
    }

    fn agent_event(&mut self, event: AgentEvent, now: Instant) {
        match event {
            AgentEvent::Incoming { dialog, caller, remote, offer, received, trunk, phone, replaces } => {
                // A number that the caller withheld stays withheld, whatever the network asserts.
                let identity = if trunk.is_some() { caller.identity } else { CallerIdentity::default() };
                let from = match &identity.asserted {
                    Some(asserted) if !caller.from_user.is_empty() => asserted.clone(),
                    _ => caller.from_user,
                };
                let (name, to) = (caller.display_name, caller.to_user);
                let entrance = Entrance::of_sip(trunk, phone);
                let visitor = Visitor { from, name, to, remote, entrance, identity, replaces: None };
                match replaces {
                    Some(replaced) => self.incoming_in_place_of(replaced, dialog, visitor, offer, now),
                    None => self.incoming(dialog, visitor, offer, received, now),
                }
            }
            AgentEvent::Ringing { dialog } => {
                if let Some(leg) = self.by_dialog.get(&dialog).copied() {
                    self.event(EngineEvent::Ringing { leg });
                }
            }
            AgentEvent::Early { dialog, sdp } => self.early(dialog, &sdp, now),
            AgentEvent::Accepted { dialog, answer } => {
                self.won(dialog, now);
                self.accepted(dialog, &answer, now);
            }
            AgentEvent::Confirmed { dialog, answer: Some(answer) } => self.accepted(dialog, &answer, now),
            AgentEvent::Confirmed { answer: None, .. } => {}
            AgentEvent::Offer { dialog, sdp } => self.offered(dialog, sdp.as_ref(), now),
            AgentEvent::OfferDue { dialog } => self.change_due(dialog, now),
            AgentEvent::Unchanged { dialog, again: true } => self.change_put_off(dialog),
            AgentEvent::Unchanged { dialog, again: false } => self.change_answered(dialog, false, now),
            AgentEvent::Refer { dialog, to, call } => self.transfer_asked(dialog, &to, call),
            AgentEvent::Transferred { dialog, status } => {
                if let Some(leg) = self.by_dialog.get(&dialog).copied() {
                    self.event(EngineEvent::TransferDone { leg, status });
                }
            }
            AgentEvent::Digit { dialog, digit } => {
                let Some(id) = self.by_dialog.get(&dialog).copied() else { return };
                let Some(leg) = self.legs.get_mut(&id) else { return };
                let masked = leg.masked;
                let Some(audio) = leg.audio_mut() else { return };
                if audio.digit_signalled(digit) && !masked {
                    let at_ms = audio.at_ms();
                    self.event(EngineEvent::Dtmf { leg: id, digit, at_ms });
                }
            }
            AgentEvent::Trunk { trunk, state } => self.event(EngineEvent::Trunk { trunk, state }),
            AgentEvent::ForeignRealm { trunk, realm } => self.event(EngineEvent::ForeignRealm { trunk, realm }),
            AgentEvent::Phone { phone, state } => self.event(EngineEvent::Phone { phone, state }),
            AgentEvent::WrongPassword { source, call } => self.wrong_password(source, call, now),
            AgentEvent::Ended { dialog, cause } => self.call_ended(dialog, leg_end(cause), now),
        }
    }

    /// A call comes in. It is told once its port is open and its offer is found acceptable.
    pub(super) fn incoming(
        &mut self,
        dialog: DialogId,
        visitor: Visitor,
        offer: Option<Sdp>,
        received: Instant,
        now: Instant,
    ) {
        let secure = visitor.remote.transport == Transport::Tls;
        let protection = match &visitor.entrance {
            Entrance::Trunk(trunk) => self.trunk_protection.get(trunk),
            Entrance::Phone(phone) => self.phone_protection.get(phone),
            Entrance::Address | Entrance::Browser | Entrance::Carrier(_) => None,
        };
        let protection = protection.copied().unwrap_or_default();
        let is_emergency = self.is_emergency(&visitor);
        match self.new_leg(Stage::Arriving { visitor, offer }, is_emergency, received) {
            Some(id) => {
                self.by_dialog.insert(dialog, id);
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.dialog = Some(dialog);
                    (leg.secure, leg.protection) = (secure, protection);
                }
            }
            None => {
                self.counters.calls_refused += 1;
                self.reject(dialog, 503, now);
            }
        }
    }

    pub(super) fn reject(&mut self, dialog: DialogId, status: u16, now: Instant) {
        self.tell_agent(AgentCommand::Reject { dialog, status, reason: String::new() }, now);
    }

    /// The address for a leg's audio that its far end is told. Of a phone's places the first counts for all.
    fn told(&self, id: LegId) -> IpAddr {
        let peer = match self.legs.get(&id).map(|leg| &leg.stage) {
            Some(Stage::Arriving { visitor, .. }) => Some(visitor.remote.ip()),
            Some(Stage::Dialling(outgoing)) => match outgoing.to {
                DialTo::Address(address) => Some(address.ip()),
                DialTo::Trunk(trunk) => self.agent.first_hop(trunk).map(|hop| hop.ip()),
                DialTo::Phone(phone) => self.agent.ways(phone).first().map(|(hop, _)| hop.ip()),
            },
            Some(Stage::Waiting { .. } | Stage::Offered | Stage::Up) | None => None,
        };
        let usual = self.config.sip_address;
        peer.map_or(usual, |peer| self.inside.told(peer, usual)).ip()
    }

    /// The sockets of a leg are there: it goes on with what it was made for.
    pub(super) fn leg_opened(&mut self, id: LegId, now: Instant) {
        let host = self.told(id);
        let mut secret = [0; 32];
        secret.copy_from_slice(&self.secrets.secret()[..32]);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.begin_session(host, secret) {
            Stage::Arriving { visitor, offer } => {
                let Some(dialog) = leg.dialog else { return };
                if leg.consider(offer.as_ref(), &self.config.codecs).is_err() {
                    self.reject(dialog, 488, now);
                    return;
                }
                leg.told = true;
                if let Some(replaced) = visitor.replaces {
                    return self.take_place(id, replaced, now);
                }
                let Visitor { from, name, to, remote: Hop { transport, address: remote }, entrance, identity, .. } =
                    visitor;
                self.event(EngineEvent::Incoming { leg: id, from, name, to, remote, transport, entrance, identity });
            }
            Stage::Dialling(outgoing) => {
                // Without keys there is nothing that could be agreed on.
                if leg.protection == Protection::Required && !leg.secure {
                    return self.forget(id, LegEnd::Refused(488), now);
                }
                let Outgoing { uri, to, from: from_user, codecs, identity, replaces, is_emergency } = *outgoing;
                let Some(sdp) = leg.offer(&codecs) else { return };
                let invite = |to| Invite { uri, to, from_user, sdp, identity, replaces, is_emergency };
                let invite = match to {
                    DialTo::Address(address) => invite(InviteTo::Hop(Hop::udp(address))),
                    DialTo::Trunk(trunk) => invite(InviteTo::Trunk(trunk)),
                    // Where it is registered is looked up there.
                    DialTo::Phone(phone) => return self.fork(id, phone, invite, now),
                };
                match self.agent.invite(invite, now) {
                    Ok(dialog) => {
                        leg.dialog = Some(dialog);
                        self.by_dialog.insert(dialog, id);
                    }
                    Err(InviteError::BadUri { .. } | InviteError::BadReplaces | InviteError::NoTrunk { .. }) => {
                        self.forget(id, LegEnd::Protocol, now)
                    }
                    Err(InviteError::Full { .. }) => self.forget(id, LegEnd::Overloaded, now),
                }
            }
            // Only a leg that is opening has its port answered.
            other => leg.stage = other,
        }
    }

    /// No port could be opened for a leg.
    pub(super) fn give_up(&mut self, id: LegId, now: Instant) {
        self.counters.calls_refused += 1;
        match self.legs.get(&id).and_then(|leg| leg.dialog) {
            Some(dialog) => self.reject(dialog, 503, now),
            None => self.forget(id, LegEnd::Overloaded, now),
        }
    }

    /// The answer to an offer of ours: in the 200 to our INVITE, or in the ACK to our 200.
    fn accepted(&mut self, dialog: DialogId, answer: &Sdp, now: Instant) {
        let seeds = self.random.seeds();
        let Some(id) = self.by_dialog.get(&dialog).copied() else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.accept(answer) {
            Ok(agreed) => {
                leg.settle(agreed, seeds, now, &mut self.outputs);
                self.start_ticks(id, now);
                self.change_answered(dialog, true, now);
            }
            Err(_refusal) => {
                leg.overridden = Some(LegEnd::Protocol);
                self.tell_agent(AgentCommand::Hangup { dialog }, now);
            }
        }
    }

    /// The far end may send audio before it answers; that it does is told when it comes. A description that is of no use is not its last word.
    fn early(&mut self, dialog: DialogId, sdp: &Sdp, now: Instant) {
        let seeds = self.random.seeds();
        let Some(id) = self.by_dialog.get(&dialog).copied() else { return };
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.is_answered()) else { return };
        if let Ok(agreed) = leg.accept(sdp) {
            leg.settle_early(agreed, seeds, now, &mut self.outputs);
            self.start_ticks(id, now);
        }
    }

    /// The far end wants to change the session: hold, resume, another address or codec.
    fn offered(&mut self, dialog: DialogId, offer: Option<&Sdp>, now: Instant) {
        let codecs = self.config.codecs.clone();
        let seeds = self.random.seeds();
        let Some(leg) = self.by_dialog.get(&dialog).and_then(|id| self.legs.get_mut(id)) else { return };
        let sdp = match offer {
            None => leg.offer(&codecs),
            Some(offer) => match leg.answer_change(offer, &codecs) {
                Ok((answer, agreed)) => {
                    if leg.is_answered() {
                        leg.settle(agreed, seeds, now, &mut self.outputs);
                    } else {
                        leg.settle_early(agreed, seeds, now, &mut self.outputs);
                    }
                    Some(answer)
                }
                Err(_refusal) => None,
            },
        };
        self.tell_agent(AgentCommand::AnswerOffer { dialog, sdp }, now);
    }

    /// Nothing was heard from the far end for too long.
    pub(super) fn end_silent(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.overridden = Some(LegEnd::NoMedia);
        if leg.carrier.is_some() {
            return self.detach(id, LegEnd::NoMedia, now);
        }
        match leg.dialog {
            Some(dialog) => self.tell_agent(AgentCommand::Hangup { dialog }, now),
            None => self.forget(id, LegEnd::NoMedia, now),
        }
    }
}

fn leg_end(cause: AgentEnd) -> LegEnd {
    match cause {
        AgentEnd::RemoteBye => LegEnd::RemoteHangup,
        AgentEnd::LocalBye => LegEnd::LocalHangup,
        AgentEnd::Cancelled => LegEnd::Cancelled,
        AgentEnd::Rejected(status) => LegEnd::Rejected(status),
        AgentEnd::Refused(status) => LegEnd::Refused(status),
        AgentEnd::Timeout => LegEnd::Timeout,
        AgentEnd::Protocol => LegEnd::Protocol,
    }
}
