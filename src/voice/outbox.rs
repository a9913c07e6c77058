//! The way events leave the media thread, and what happens to a call whose events do not fit.

use auricle_media::io::{EngineEvent, LegEnd, LegId};
use std::collections::{HashMap, VecDeque};
use tokio::sync::mpsc::{self, error::TrySendError};

/// A call that cannot go on because the application does not take its events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condemned {
    /// The application has never heard of it.
    Unheard(LegId),
    /// The application waits for its end.
    Known(LegId),
}

/// The way events leave. Its debts are bounded by the number of legs, one `Ended` each, and of trunks, one state each.
pub(super) struct Outbox {
    events: mpsc::Sender<EngineEvent>,
    condemned: HashMap<LegId, Condemned>,
    owed: VecDeque<EngineEvent>,
}

impl Outbox {
    pub(super) fn new(events: mpsc::Sender<EngineEvent>) -> Self {
        Self { events, condemned: HashMap::new(), owed: VecDeque::new() }
    }

    /// Passes an event on. When there is no room, says which call has to be given up.
    pub(super) fn tell(&mut self, event: EngineEvent) -> Option<Condemned> {
        let Some(leg) = event.leg() else {
            self.tell_trunk(event);
            return None;
        };
        if let Some(condemned) = self.condemned.get(&leg) {
            if matches!(event, EngineEvent::Ended { .. }) {
                if *condemned == Condemned::Known(leg) {
                    self.owed.push_back(EngineEvent::Ended { leg, cause: LegEnd::Overloaded });
                }
                self.condemned.remove(&leg);
            }
            return None;
        }
        let event = match self.events.try_send(event) {
            Ok(()) => return None,
            Err(TrySendError::Full(event) | TrySendError::Closed(event)) => event,
        };
        match event {
            EngineEvent::Level { .. } => None,
            EngineEvent::Ended { .. } => {
                self.owed.push_back(event);
                None
            }
            EngineEvent::Incoming { .. } => {
                self.condemned.insert(leg, Condemned::Unheard(leg));
                Some(Condemned::Unheard(leg))
            }
            _ => {
                self.condemned.insert(leg, Condemned::Known(leg));
                Some(Condemned::Known(leg))
            }
        }
    }

    /// Passes on how a trunk fares. Of what there is no room for, the newest of each trunk is owed.
    fn tell_trunk(&mut self, event: EngineEvent) {
        let EngineEvent::Trunk { trunk, .. } = &event else { return };
        let same = |owed: &&mut EngineEvent| matches!(owed, EngineEvent::Trunk { trunk: other, .. } if other == trunk);
        if let Some(owed) = self.owed.iter_mut().find(same) {
            *owed = event;
        } else if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            self.owed.push_back(event);
        }
    }

    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Pays what is owed as far as there is room; a reader that is gone for good is owed nothing.
    pub(super) fn retry(&mut self) {
        while let Some(event) = self.owed.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.owed.push_front(event);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_media::io::{CallerIdentity, Entrance, Transport, TrunkId, TrunkState};
    use std::net::SocketAddr;

    fn incoming(leg: u64) -> EngineEvent {
        let remote = SocketAddr::from(([127, 0, 0, 1], 5060));
        EngineEvent::Incoming {
            leg: LegId(leg),
            from: String::new(),
            name: String::new(),
            to: String::new(),
            remote,
            transport: Transport::Udp,
            entrance: Entrance::Address,
            identity: CallerIdentity::default(),
        }
    }

    fn ended(leg: u64, cause: LegEnd) -> EngineEvent {
        EngineEvent::Ended { leg: LegId(leg), cause }
    }

    #[test]
    fn the_newest_state_of_a_trunk_is_owed() {
        let (events, mut received) = mpsc::channel(1);
        let mut outbox = Outbox::new(events);
        let told = |trunk, state| EngineEvent::Trunk { trunk: TrunkId(trunk), state };
        assert_eq!(outbox.tell(told(1, TrunkState::Trying)), None);
        assert_eq!(outbox.tell(told(2, TrunkState::Trying)), None);
        assert_eq!(outbox.tell(told(2, TrunkState::Unreachable)), None);
        assert_eq!(received.try_recv(), Ok(told(1, TrunkState::Trying)));
        assert_eq!(outbox.tell(told(2, TrunkState::Gone)), None);
        outbox.retry();
        assert_eq!(received.try_recv(), Ok(told(2, TrunkState::Gone)));
        assert!(!outbox.owes());
    }

    #[test]
    fn a_call_nobody_could_be_told_of_is_refused_and_leaves_no_trace() {
        let (events, mut received) = mpsc::channel(1);
        let mut outbox = Outbox::new(events);
        assert_eq!(outbox.tell(incoming(1)), None);
        assert_eq!(outbox.tell(incoming(2)), Some(Condemned::Unheard(LegId(2))));
        assert_eq!(outbox.tell(ended(2, LegEnd::Rejected(503))), None);
        outbox.retry();
        assert_eq!(received.try_recv().unwrap(), incoming(1));
        assert!(received.try_recv().is_err());
        assert!(outbox.condemned.is_empty() && !outbox.owes());
    }

    #[test]
    fn a_call_whose_events_do_not_fit_is_ended_and_its_end_arrives_later() {
        let (events, mut received) = mpsc::channel(1);
        let mut outbox = Outbox::new(events);
        assert_eq!(outbox.tell(incoming(1)), None);
        let digit = EngineEvent::Dtmf { leg: LegId(1), digit: '1', at_ms: 0 };
        assert_eq!(outbox.tell(digit.clone()), Some(Condemned::Known(LegId(1))));
        assert_eq!(outbox.tell(digit), None, "told once");
        assert_eq!(outbox.tell(ended(1, LegEnd::LocalHangup)), None);
        outbox.retry();
        assert!(outbox.owes(), "there is still no room");
        received.try_recv().unwrap();
        outbox.retry();
        assert_eq!(received.try_recv().unwrap(), ended(1, LegEnd::Overloaded));
    }

    #[test]
    fn a_level_that_does_not_fit_harms_nobody() {
        let (events, _received) = mpsc::channel(1);
        let mut outbox = Outbox::new(events);
        assert_eq!(outbox.tell(incoming(1)), None);
        assert_eq!(outbox.tell(EngineEvent::Level { leg: LegId(1), caller: 1, clinic: 2 }), None);
        assert!(outbox.condemned.is_empty());
    }
}
