//! Legs without SIP: a carrier's media socket brings and takes their frames.

use super::Engine;
use crate::io::{CarrierNews, CarrierOrder, Codec, EngineEvent, Hop, LegEnd, LegId, Output};
use crate::leg::{Carrier, Leg, Stage, Visitor};
use std::time::Instant;

/// What a call that ended before anybody answered is told as (RFC 3261 section 21.4.25).
const STATUS_GIVEN_UP: u16 = 487;

impl Engine {
    pub(super) fn is_attached(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.carrier.is_some())
    }

    /// A call comes over a socket. It needs no port, but a place among the calls.
    pub(super) fn attach(&mut self, tag: u64, (codec, presses): (Codec, bool), visitor: Visitor, now: Instant) {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        self.event(EngineEvent::Attached { tag, leg: id });
        if !self.has_room(false) {
            self.counters.calls_refused += 1;
            return self.event(EngineEvent::Ended { leg: id, cause: LegEnd::Overloaded });
        }
        let mut leg = Leg::new(id, 0, Stage::Waiting { answer: None }, 0, now);
        leg.carrier = Some(Carrier::new(id, codec, presses));
        leg.told = true;
        self.legs.insert(id, leg);
        let Visitor { from, name, to, remote: Hop { transport, address: remote }, entrance, identity, .. } = visitor;
        self.event(EngineEvent::Incoming { leg: id, from, name, to, remote, transport, entrance, identity });
    }

    /// A call is to be placed by a carrier. Whoever dials is told its leg even when there is no room for it.
    pub(super) fn attach_dialled(
        &mut self,
        tag: u64,
        dialled: u64,
        (codec, presses): (Codec, bool),
        is_emergency: bool,
        now: Instant,
    ) {
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        self.event(EngineEvent::Attached { tag, leg: id });
        self.event(EngineEvent::Dialing { tag: dialled, leg: id });
        if !self.has_room(is_emergency) {
            self.counters.calls_refused += 1;
            return self.event(EngineEvent::Ended { leg: id, cause: LegEnd::Overloaded });
        }
        let mut leg = Leg::new(id, 0, Stage::Offered, 0, now);
        leg.carrier = Some(Carrier::new(id, codec, presses));
        leg.told = true;
        self.legs.insert(id, leg);
    }

    pub(super) fn answer_attached(&mut self, id: LegId, now: Instant) {
        if self.legs.get(&id).is_some_and(|leg| matches!(leg.stage, Stage::Waiting { .. })) {
            self.settle_attached(id, now);
        }
    }

    /// Audio runs from now on.
    fn settle_attached(&mut self, id: LegId, now: Instant) {
        let seeds = self.random.seeds();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(carrier) = &leg.carrier else { return };
        let agreed = carrier.agreed();
        leg.settle(agreed, seeds, now, &mut self.outputs);
        self.start_ticks(id, now);
    }

    /// Ends an attached leg, and its call at the carrier.
    pub(super) fn detach(&mut self, id: LegId, cause: LegEnd, now: Instant) {
        self.outputs.push_back(Output::Carrier { leg: id, order: CarrierOrder::Hangup });
        self.forget(id, cause, now);
    }

    pub(super) fn carrier_frame(&mut self, id: LegId, at_ms: u64, payload: &[u8], now: Instant) {
        let leg = self.legs.get_mut(&id).filter(|leg| leg.carrier.is_some());
        match leg.and_then(Leg::audio_mut) {
            Some(audio) => audio.frame(at_ms, payload, now),
            // Before the answer nobody listens; what comes after the end is no fault of anybody's.
            None => self.counters.stray_media += 1,
        }
    }

    pub(super) fn carrier_news(&mut self, id: LegId, news: CarrierNews, now: Instant) {
        let masked = self.legs.get(&id).is_some_and(|leg| leg.masked);
        if self.legs.get(&id).is_some_and(|leg| leg.carrier.is_some() && matches!(leg.stage, Stage::Offered)) {
            return self.dialled_news(id, news, now);
        }
        let Some((carrier, audio)) = self.legs.get_mut(&id).and_then(Leg::carried) else { return };
        match (news, audio) {
            (CarrierNews::Mark(mark), Some(_)) => carrier.marked(mark, now, &mut self.outputs),
            (CarrierNews::Digit(digit), Some(audio)) => {
                if digit.is_ascii_digit() || matches!(digit, '*' | '#' | 'A'..='D') {
                    let (heard, at_ms) = (audio.digit_signalled(digit), audio.at_ms());
                    if heard && !masked {
                        self.event(EngineEvent::Dtmf { leg: id, digit, at_ms });
                    }
                }
            }
            (CarrierNews::Lost, Some(audio)) => carrier.lost(audio, now, &mut self.outputs),
            (CarrierNews::Back, Some(audio)) => carrier.back(audio, now),
            // A call that was not answered yet has nothing to wait for.
            (CarrierNews::Lost, None) => self.forget(id, LegEnd::Cancelled, now),
            (CarrierNews::Over, None) => self.forget(id, LegEnd::Cancelled, now),
            (CarrierNews::Over, Some(_)) => self.forget(id, LegEnd::RemoteHangup, now),
            (CarrierNews::Mark(_) | CarrierNews::Digit(_) | CarrierNews::Back, None) => {}
            // Said of calls that we place, before they are up.
            (CarrierNews::Ringing | CarrierNews::Answered | CarrierNews::Refused(_), _) => {}
        }
    }

    /// News of a call that we place, while nobody has answered.
    fn dialled_news(&mut self, id: LegId, news: CarrierNews, now: Instant) {
        match news {
            CarrierNews::Ringing => self.event(EngineEvent::Ringing { leg: id }),
            CarrierNews::Answered => self.settle_attached(id, now),
            CarrierNews::Refused(status) => self.forget(id, LegEnd::Refused(status), now),
            CarrierNews::Over => self.forget(id, LegEnd::Refused(STATUS_GIVEN_UP), now),
            // Whoever was to place it is gone.
            CarrierNews::Lost => self.forget(id, LegEnd::Protocol, now),
            CarrierNews::Mark(_) | CarrierNews::Digit(_) | CarrierNews::Back => {}
        }
    }
}
