//! Browsers: the door of their socket, and what their connections mean for legs.
//!
//! One socket serves all browsers. A packet that is STUN goes to the leg whose name it bears; every other one goes to the leg
//! for which its source has proved to be the browser (see [`crate::webrtc`]). What is neither is dropped unread. Packets of TCP
//! connections (see [`super::webstreams`]) go the same way.

use super::Engine;
use super::ticks::Quarter;
use crate::io::{CallerIdentity, EngineEvent, Entrance, Hop, LegEnd, LegId, WebPurpose, WebRefusal};
use crate::leg::{Leg, Stage, Visitor, Web};
use crate::webrtc::reach::Reach;
use crate::webrtc::{Connection, Wish, stun};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Stations at the same time, beside the calls.
const STATIONS_MAX: usize = 250;

/// Who is who on the browsers' socket. Each leg has one name and a few addresses.
#[derive(Default)]
pub(super) struct Browsers {
    /// Where browsers reach us.
    reach: Option<Reach>,
    by_name: HashMap<String, LegId>,
    by_remote: HashMap<Hop, LegId>,
}

impl Browsers {
    /// This leg has no names and addresses any more.
    pub(super) fn forget(&mut self, leg: LegId) {
        self.by_name.retain(|_, other| *other != leg);
        self.by_remote.retain(|_, other| *other != leg);
    }

    /// How many names and addresses there are.
    pub(super) fn kept(&self) -> [(&'static str, usize); 2] {
        [("browsers' names", self.by_name.len()), ("browsers' addresses", self.by_remote.len())]
    }

    /// This connection is nobody's any more.
    pub(super) fn forget_remote(&mut self, remote: Hop) {
        self.by_remote.remove(&remote);
    }

    /// A source has proved to be the browser of this leg; those that are it no more are forgotten.
    fn found(&mut self, source: Hop, leg: LegId, is_peer: impl Fn(Hop) -> bool) {
        if self.by_remote.insert(source, leg) != Some(leg) {
            self.by_remote.retain(|source, other| *other != leg || is_peer(*source));
        }
    }

    /// Whose name this STUN request bears.
    pub(super) fn addressee(&self, bytes: &[u8]) -> Option<LegId> {
        stun::addressee(bytes).and_then(|name| self.by_name.get(name)).copied()
    }
}

impl Engine {
    /// Serves browsers, which reach us at these addresses; over TCP only where there is one, and from beside us at the same ports of
    /// the one inside. Before that, their offers are refused.
    pub fn serve_browsers(&mut self, udp: SocketAddr, tcp: Option<SocketAddr>, inside: Option<IpAddr>) {
        self.browsers.reach = Some(Reach { udp, tcp, inside });
    }

    /// How many browsers have their audio sent over TCP.
    pub fn browsers_by_tcp(&self) -> usize {
        self.legs.values().filter(|leg| leg.web.as_ref().is_some_and(Web::is_by_tcp)).count()
    }

    /// Legs that take a place. Stations take none: they are people who wait for calls, and need no ports.
    pub(super) fn counted(&self) -> usize {
        self.legs.len() - self.stations()
    }

    fn stations(&self) -> usize {
        self.legs.values().filter(|leg| leg.is_station()).count()
    }

    /// Whether nobody is on the telephone: there is no leg but stations that talk with nobody.
    pub fn is_idle(&self) -> bool {
        self.legs.iter().all(|(id, leg)| leg.is_station() && !self.bridges.has(*id))
    }

    pub(super) fn is_browser(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.web.is_some())
    }

    /// A browser offers a session.
    pub(super) fn web(&mut self, tag: u64, offer: &str, purpose: WebPurpose, now: Instant) {
        let answered = match purpose {
            WebPurpose::Renew(leg) => self.renew(leg, offer, now),
            WebPurpose::Station => self.welcome(offer, None, now),
            WebPurpose::Call { from, name, to } => {
                // Where it comes from is known when it has come.
                let remote = Hop::udp(Web::browser());
                let (entrance, identity) = (Entrance::Browser, CallerIdentity::default());
                let visitor = Visitor { from, name, to, remote, entrance, identity, replaces: None };
                self.welcome(offer, Some(visitor), now)
            }
        };
        match answered {
            Ok((leg, sdp)) => {
                self.event(EngineEvent::WebAnswer { tag, leg, sdp });
                self.drain_browser(leg, now);
            }
            Err(refusal) => self.event(EngineEvent::WebRefused { tag, refusal }),
        }
    }

    fn welcome(&mut self, offer: &str, visitor: Option<Visitor>, now: Instant) -> Result<(LegId, String), WebRefusal> {
        let reach = self.browsers.reach.ok_or(WebRefusal::Off)?;
        let has_room = match visitor {
            Some(_) => self.has_room(false),
            None => !self.draining && self.stations() < STATIONS_MAX,
        };
        if !has_room {
            self.counters.calls_refused += 1;
            return Err(WebRefusal::Full);
        }
        let (connection, sdp) = Connection::answer(offer, reach, now)?;
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        self.browsers.by_name.insert(connection.name().to_owned(), id);
        let mut leg = Leg::new(id, 0, Stage::Waiting { answer: None }, 0, now);
        leg.web = Some(Web::new(connection, visitor, now));
        leg.told = true;
        self.legs.insert(id, leg);
        Ok((id, sdp))
    }

    /// Another connection for a leg that is there.
    fn renew(&mut self, id: LegId, offer: &str, now: Instant) -> Result<(LegId, String), WebRefusal> {
        let reach = self.browsers.reach.ok_or(WebRefusal::Off)?;
        if !self.is_browser(id) {
            return Err(WebRefusal::Gone);
        }
        let (connection, sdp) = Connection::answer(offer, reach, now)?;
        self.browsers.forget(id);
        self.browsers.by_name.insert(connection.name().to_owned(), id);
        if let Some(web) = self.legs.get_mut(&id).and_then(|leg| leg.web.as_mut()) {
            web.renew(connection, now, &mut self.outputs);
        }
        self.close_web_streams(id);
        self.resettle(id, now);
        Ok((id, sdp))
    }

    /// A datagram of the browsers' socket.
    pub(super) fn web_datagram(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) {
        self.web_packet(Hop::udp(remote), bytes, now);
    }

    /// A packet for a browser's leg. Says whose browser its source has proved to be.
    pub(super) fn web_packet(&mut self, remote: Hop, bytes: &[u8], now: Instant) -> Option<LegId> {
        let id = match stun::addressee(bytes) {
            Some(name) => self.browsers.by_name.get(name),
            None => self.browsers.by_remote.get(&remote),
        };
        let web = id.copied().and_then(|id| Some((id, self.legs.get_mut(&id)?.web.as_mut()?)));
        let Some((id, web)) = web else {
            self.counters.stray_web += 1;
            return None;
        };
        let is_peer = web.connection().receive(remote, bytes, now);
        if !is_peer {
            self.counters.stray_web += 1;
        } else {
            let connection = web.connection();
            self.browsers.found(remote, id, |source| connection.is_peer(source));
            // It was only quiet.
            if web.connection().is_connected() && web.found() {
                self.resettle(id, now);
            }
        }
        self.drain_browser(id, now);
        is_peer.then_some(id)
    }

    /// A TCP connection of a browser's is gone. A leg that has no other way rests until the browser is heard again.
    pub(super) fn web_left(&mut self, id: LegId, remote: Hop, now: Instant) {
        self.browsers.forget_remote(remote);
        let Some((web, is_up)) = self.browser(id) else { return };
        let is_adrift = web.connection().leave(remote) && web.connection().is_connected();
        if is_adrift && is_up {
            self.lose_browser(id, now, now);
        }
    }

    /// When the next browser's leg has something to do.
    pub(super) fn next_browser(&self) -> Option<Instant> {
        self.browsers.by_name.values().filter_map(|id| self.legs.get(id)?.web.as_ref()).map(Web::wake_at).min()
    }

    pub(super) fn wake_browsers(&mut self, now: Instant) {
        let due = |(id, leg): (&LegId, &Leg)| leg.web.as_ref().filter(|web| web.wake_at() <= now).map(|_| *id);
        let ids: Vec<LegId> = self.legs.iter().filter_map(due).collect();
        for id in ids {
            let Some(web) = self.legs.get_mut(&id).and_then(|leg| leg.web.as_mut()) else { continue };
            if web.connection().wake_at().is_some_and(|at| at <= now) {
                web.connection().wake(now);
            }
            if web.is_quiet(now) {
                let heard_at = web.connection().heard_at();
                self.lose_browser(id, heard_at, now);
            }
            self.drain_browser(id, now);
            let over = self.legs.get(&id).and_then(|leg| leg.web.as_ref()).and_then(|web| web.over(now));
            if let Some(cause) = over {
                self.forget(id, cause, now);
            }
        }
    }

    /// Carries out what the connections want after a tick.
    pub(super) fn drain_browsers(&mut self, quarter: Quarter, now: Instant) {
        let served = |leg: &Leg| leg.web.is_some() && leg.quarter == Some(quarter);
        let ids: Vec<LegId> = self.legs.iter().filter(|(_, leg)| served(leg)).map(|(id, _)| *id).collect();
        for id in ids {
            self.drain_browser(id, now);
        }
    }

    fn drain_browser(&mut self, id: LegId, now: Instant) {
        while let Some(leg) = self.legs.get_mut(&id) {
            let Some(wish) = leg.web.as_mut().and_then(|web| web.connection().poll()) else { return };
            match wish {
                Wish::Transmit(to, bytes) => self.outputs.extend(Web::output(to, bytes)),
                Wish::Packet(bytes) => {
                    if let Some(audio) = leg.audio_mut() {
                        audio.rtp(Web::browser(), &bytes, now);
                    }
                }
                Wish::Figures(loss, round_trip) => {
                    if let Some(audio) = leg.audio_mut() {
                        audio.far_figures(loss, round_trip);
                    }
                }
                Wish::Connected => self.find_browser(id, now),
                Wish::Closed => self.lose_browser(id, now, now),
            }
        }
    }

    /// The browser has reached us: its audio starts or goes on, or its call comes in.
    fn find_browser(&mut self, id: LegId, now: Instant) {
        let Some((web, is_up)) = self.browser(id) else { return };
        web.found();
        let calls = web.calls();
        match web.visitor.take() {
            _ if is_up => self.resettle(id, now),
            None if calls => {}
            None => self.settle_browser(id, now),
            Some(Visitor {
                from, name, to, remote: Hop { transport, address: remote }, entrance, identity, ..
            }) => {
                self.event(EngineEvent::Incoming { leg: id, from, name, to, remote, transport, entrance, identity });
            }
        }
    }

    /// The browser is gone. A leg that is up rests for a while: the page may be loading again.
    fn lose_browser(&mut self, id: LegId, since: Instant, now: Instant) {
        let Some((web, is_up)) = self.browser(id) else { return };
        if !is_up {
            self.forget(id, LegEnd::Cancelled, now);
        } else if web.lost(since) {
            self.resettle(id, now);
        }
    }

    fn browser(&mut self, id: LegId) -> Option<(&mut Web, bool)> {
        let leg = self.legs.get_mut(&id)?;
        let is_up = leg.audio().is_some();
        Some((leg.web.as_mut()?, is_up))
    }

    /// Audio starts.
    pub(super) fn settle_browser(&mut self, id: LegId, now: Instant) {
        let waits = self.legs.get(&id).is_some_and(|leg| matches!(leg.stage, Stage::Waiting { .. }));
        if waits {
            self.agree(id, now);
            self.start_ticks(id, now);
        }
    }

    /// Audio goes on, or rests.
    fn resettle(&mut self, id: LegId, now: Instant) {
        if self.legs.get(&id).is_some_and(|leg| leg.audio().is_some()) {
            self.agree(id, now);
        }
    }

    fn agree(&mut self, id: LegId, now: Instant) {
        let seeds = self.random.seeds();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(agreed) = leg.web.as_ref().map(Web::agreed) {
            leg.settle(agreed, seeds, now, &mut self.outputs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A browser that changes its address again and again is known by those that it may be at, and by no others.
    #[test]
    fn addresses_that_a_browser_has_left_are_forgotten() {
        let at = |port: u16| Hop::udp(SocketAddr::from(([192, 0, 2, 1], port)));
        let mut browsers = Browsers::default();
        browsers.found(at(1), LegId(2), |_| true);
        for port in 2..100 {
            browsers.found(at(port), LegId(1), |source| source.address.port() + 8 > port);
        }
        assert_eq!(browsers.by_remote.len(), 9);
        assert_eq!(
            (browsers.by_remote.get(&at(1)), browsers.by_remote.get(&at(99))),
            (Some(&LegId(2)), Some(&LegId(1)))
        );
    }
}
