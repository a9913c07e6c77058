//! Carrying out what the engine wants.

use super::Shard;
use crate::voice::TrunkTold;
use crate::voice::outbox::Condemned;
use crate::voice::recording::Frame;
use auricle_media::io::{Command, EngineEvent, Input, LegId, Output, Pcm, PhoneState, Socket, TrunkState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::error::TrySendError;

impl Shard {
    /// Carries out everything the engine wants.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { socket, remote, bytes } => self.transmit(socket, remote, &bytes),
                Output::Send { hop, name, bytes } => self.streams.send(hop, name, bytes),
                Output::Close { hop } => self.streams.close(hop),
                Output::WebSend { remote, bytes } => {
                    if !self.web_streams.as_mut().is_some_and(|streams| streams.send(remote, bytes)) {
                        self.meters.unsent += 1;
                    }
                }
                Output::WebClose { remote } => {
                    self.web_streams.iter_mut().for_each(|streams| streams.close(remote));
                }
                Output::OpenPort(port) => {
                    let opened = self.ports.open(port);
                    self.engine.handle(Input::Port { port, opened }, Instant::now());
                }
                Output::ClosePort(port) => self.ports.close(port),
                Output::Frame { leg, payload } => {
                    if !self.attached.frame(leg, payload) {
                        self.meters.unsent += 1;
                    }
                }
                Output::Carrier { leg, order } => self.attached.order(leg, order),
                Output::Event(event) => self.tell(event),
                Output::Pcm { leg, pcm, at_ms } => self.hand_tap(leg, pcm, at_ms),
                Output::Recorded { leg, rate, at, at_ms, caller, receptionist, staff, masked } => {
                    let frame = Frame { rate, at, at_ms, channels: [caller, receptionist, staff], masked };
                    if !self.recordings.frame(leg, frame) {
                        self.meters.recorded_dropped += 1;
                    }
                }
            }
        }
    }

    fn transmit(&mut self, socket: Socket, remote: SocketAddr, bytes: &[u8]) {
        let sent = match socket {
            Socket::Sip => self.sip.send(bytes, remote),
            Socket::Web => self.web.as_ref().is_some_and(|web| web.send(bytes, remote)),
            media => self.ports.send(media, bytes, remote),
        };
        if !sent {
            self.meters.unsent += 1;
        }
    }

    fn hand_tap(&mut self, leg: LegId, pcm: Pcm, at_ms: u64) {
        let Some(tap) = self.taps.get(&leg) else { return };
        match tap.try_send((pcm, at_ms)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.meters.tap_dropped += 1,
            Err(TrySendError::Closed(_)) => {
                self.taps.remove(&leg);
                self.engine.handle(Input::Command(Command::Tap { leg, on: false }), Instant::now());
            }
        }
    }

    fn tell(&mut self, event: EngineEvent) {
        if let EngineEvent::Trunk { trunk, state } = event {
            self.trunk_states.send_modify(|states| {
                let states = Arc::make_mut(states);
                // What it asked before it was connected anew may have been made good.
                let asked = |told: TrunkTold| told.asked_realm.filter(|_| state != TrunkState::Trying);
                let asked_realm = states.remove(&trunk).and_then(asked);
                if state != TrunkState::Gone {
                    states.insert(trunk, TrunkTold { state, asked_realm });
                }
            });
            return;
        }
        if let EngineEvent::ForeignRealm { trunk, realm } = event {
            self.trunk_states.send_if_modified(|states| {
                let told = Arc::make_mut(states).get_mut(&trunk);
                let Some(told) = told.filter(|told| told.asked_realm.as_ref() != Some(&realm)) else { return false };
                told.asked_realm = Some(realm);
                true
            });
            return;
        }
        if let EngineEvent::Attached { tag, leg } = event {
            return self.attached.made(tag, leg);
        }
        if let EngineEvent::Phone { phone, state } = event {
            self.phone_states.send_modify(|states| {
                let states = Arc::make_mut(states);
                match state {
                    PhoneState::Away => states.remove(&phone),
                    state => states.insert(phone, state),
                };
            });
            return;
        }
        if let EngineEvent::Banned { source, until } = event {
            tracing::warn!(%source, "a source has guessed passwords of phones and is not heard for an hour at the most");
            self.bans.add(source, until, Instant::now());
            return;
        }
        if matches!(event, EngineEvent::WebAnswer { .. } | EngineEvent::WebRefused { .. }) {
            if let Some(leg) = self.offers.answer(event) {
                self.engine.handle(Input::Command(Command::Hangup { leg }), Instant::now());
            }
            return;
        }
        if let EngineEvent::Ended { leg, .. } = event {
            self.attached.end(leg);
            self.taps.remove(&leg);
            self.recordings.leave(leg);
        }
        let Some(condemned) = self.outbox.tell(event) else { return };
        self.meters.condemned += 1;
        let command = match condemned {
            Condemned::Unheard(leg) => Command::Reject { leg, status: 503 },
            Condemned::Known(leg) => Command::Hangup { leg },
        };
        self.engine.handle(Input::Command(command), Instant::now());
    }
}
