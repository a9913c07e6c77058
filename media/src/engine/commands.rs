//! What the engine is told to do.

use super::Engine;
use crate::io::{Command, DialTo, EngineEvent, Entrance, LegEnd, LegId};
use crate::leg::{Leg, Outgoing, Stage, Visitor};
use crate::sip::agent::{AgentCommand, DialogId};
use std::time::Instant;

impl Engine {
    pub(super) fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Dial { tag, uri, to, from, codecs, identity, replaces, is_emergency } => {
                self.dial(tag, Outgoing { uri, to, from, codecs, identity, replaces, is_emergency }, now);
            }
            Command::Web { tag, offer, purpose } => self.web(tag, &offer, purpose, now),
            Command::Attach { tag, carrier, codec, presses, from, to, remote, identity } => {
                let (name, entrance) = (String::new(), Entrance::Carrier(carrier));
                let visitor = Visitor { from, name, to, remote, entrance, identity, replaces: None };
                self.attach(tag, (codec, presses), visitor, now);
            }
            Command::AttachDialled { tag, dialled, codec, presses, is_emergency } => {
                self.attach_dialled(tag, dialled, (codec, presses), is_emergency, now);
            }
            Command::WebClose { leg } if self.is_browser(leg) => self.forget(leg, LegEnd::RemoteHangup, now),
            Command::WebClose { .. } => {}
            Command::Ring { leg } => self.tell_leg(leg, |dialog| AgentCommand::Ring { dialog }, now),
            Command::Early { leg } => self.answer_early(leg, now),
            Command::Answer { leg } => self.answer(leg, now),
            Command::Reject { leg, status } if self.is_browser(leg) => self.forget(leg, LegEnd::Rejected(status), now),
            Command::Reject { leg, status } if self.is_attached(leg) => self.detach(leg, LegEnd::Rejected(status), now),
            Command::Reject { leg, status } => {
                let reject = |dialog| AgentCommand::Reject { dialog, status, reason: String::new() };
                self.tell_leg(leg, reject, now);
            }
            Command::Hangup { leg } => self.hangup(leg, now),
            Command::Hold { leg, on } => self.hold(leg, on, now),
            Command::Transfer { leg, to } => self.transfer(leg, to, now),
            Command::TransferProgress { leg, status } => {
                self.tell_leg(leg, |dialog| AgentCommand::ReferProgress { dialog, status }, now);
            }
            Command::Trunks(trunks) => self.set_trunks(trunks, now),
            Command::Phones(phones) => self.set_phones(phones, now),
            Command::EmergencyNumbers(numbers) => self.set_emergencies(numbers),
            Command::Bans(bans) => self.restore_bans(bans, now),
            Command::Registrations(places) => self.tell_agent(AgentCommand::Registrations(places), now),
            Command::MusicPiece(piece) => self.piece = piece,
            Command::Unban { source } => self.bans.lift(source),
            Command::Clock { unix_s } => self.tell_agent(AgentCommand::Clock { unix_s }, now),
            Command::Drain => {
                self.draining = true;
                self.tell_agent(AgentCommand::Drain, now);
            }
            Command::Record { leg, on } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.recorded = on;
                }
            }
            Command::Tap { leg, on } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.tapped = on;
                }
            }
            Command::Bridge { bridge, parties } => self.bridge(bridge, parties, now),
            Command::Music { leg, on } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.music(on, self.piece.clone());
                }
            }
            Command::Mask { leg, on } => self.mask(leg, on),
            Command::Measure { leg } => {
                if let Some(audio) = self.legs.get_mut(&leg).and_then(Leg::audio_mut) {
                    audio.measure();
                }
            }
            Command::Play { leg, .. }
            | Command::Pause { leg, .. }
            | Command::Resume { leg, .. }
            | Command::Flush { leg, .. }
            | Command::Dtmf { leg, .. } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.play(command, now, &mut self.outputs);
                }
            }
        }
    }

    fn dial(&mut self, tag: u64, outgoing: Outgoing, now: Instant) {
        let to = outgoing.to;
        let (secure, protection) = match to {
            DialTo::Address(_) => (false, None),
            DialTo::Trunk(trunk) => (self.secure_trunks.contains(&trunk), self.trunk_protection.get(&trunk)),
            DialTo::Phone(phone) => (self.is_secure(phone), self.phone_protection.get(&phone)),
        };
        let (protection, is_emergency) = (protection.copied().unwrap_or_default(), outgoing.is_emergency);
        match self.new_leg(Stage::Dialling(Box::new(outgoing)), is_emergency, now) {
            Some(leg) => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    (leg.secure, leg.protection) = (secure, protection);
                    leg.dialled = match to {
                        DialTo::Address(remote) => Some(remote.ip()),
                        // They are heard anyway.
                        DialTo::Trunk(_) | DialTo::Phone(_) => None,
                    };
                    leg.told = true;
                }
                self.event(EngineEvent::Dialing { tag, leg });
            }
            None => {
                // Who dials waits for its tag: the leg is told and over at once.
                let leg = LegId(self.next_leg);
                self.next_leg += 1;
                self.counters.calls_refused += 1;
                self.event(EngineEvent::Dialing { tag, leg });
                self.event(EngineEvent::Ended { leg, cause: LegEnd::Overloaded });
            }
        }
    }

    fn tell_leg(&mut self, leg: LegId, command: impl FnOnce(DialogId) -> AgentCommand, now: Instant) {
        if let Some(dialog) = self.legs.get(&leg).and_then(|leg| leg.dialog) {
            self.tell_agent(command(dialog), now);
        }
    }

    /// 183 with our answer. An INVITE without an offer has none before the ACK.
    fn answer_early(&mut self, id: LegId, now: Instant) {
        let seeds = self.random.seeds();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (Some(dialog), Stage::Waiting { answer }) = (leg.dialog, &leg.stage) else { return };
        match answer.clone() {
            Some((sdp, agreed)) => {
                leg.settle_early(agreed, seeds, now, &mut self.outputs);
                self.start_ticks(id, now);
                self.tell_agent(AgentCommand::Progress { dialog, sdp }, now);
            }
            None => self.tell_agent(AgentCommand::Ring { dialog }, now),
        }
    }

    /// 200 with our answer; without an offer, 200 with ours, and media starts when the ACK brings the answer.
    pub(super) fn answer(&mut self, id: LegId, now: Instant) {
        if self.is_browser(id) {
            return self.settle_browser(id, now);
        }
        if self.is_attached(id) {
            return self.answer_attached(id, now);
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (Some(dialog), Stage::Waiting { answer }) = (leg.dialog, &mut leg.stage) else { return };
        match answer.take() {
            Some((sdp, agreed)) => {
                self.tell_agent(AgentCommand::Accept { dialog, sdp }, now);
                let seeds = self.random.seeds();
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.settle(agreed, seeds, now, &mut self.outputs);
                    self.start_ticks(id, now);
                }
            }
            None => {
                leg.stage = Stage::Offered;
                if let Some(sdp) = leg.offer(&self.config.codecs) {
                    self.tell_agent(AgentCommand::Accept { dialog, sdp }, now);
                }
            }
        }
    }

    pub(super) fn hangup(&mut self, id: LegId, now: Instant) {
        self.end_forks(id, now);
        let Some(leg) = self.legs.get(&id) else { return };
        match leg.dialog {
            Some(dialog) => self.tell_agent(AgentCommand::Hangup { dialog }, now),
            None if leg.carrier.is_some() => self.detach(id, LegEnd::LocalHangup, now),
            None => self.forget(id, LegEnd::LocalHangup, now),
        }
    }
}
