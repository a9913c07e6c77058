//! What is heard before somebody answers: the far end's own ringing, or that a number is not in service (RFC 3960).
//!
//! It goes one way, to whoever waits for the answer. Nobody talks yet: nothing of it is recorded or paid for.

use super::side::{Side, State};
use super::stay::Stay;
use super::talk::{Seat, Talk};
use super::{Hands, Leg, Output, Signal};

impl Stay {
    /// Somebody who is being called is heard: whoever waits hears that, and no ringing of ours.
    pub(super) fn heard_early(&mut self, leg: Leg, hands: &mut Hands<'_>) {
        let Some(talk) = &mut self.talk else { return };
        // Who is handed on hears music meanwhile.
        let Some(seat @ (Seat::Far | Seat::Third)) = talk.seat(leg) else { return };
        let is_called =
            |side: &&mut Side| side.leg == Some(leg) && matches!(side.state, State::Dialled | State::Ringing);
        let Some(side) = talk.side(seat).filter(is_called) else { return };
        side.is_heard = true;
        if side.state == State::Dialled {
            side.rings_there(hands.now);
        }
        let waits = talk.near.state == State::Waiting;
        if waits && !std::mem::replace(&mut talk.near.hears, true) {
            hands.out.extend(talk.near.leg.map(Output::Early));
        }
        Talk::signal(&talk.near, Signal::Silence, hands);
        self.bridge(hands);
    }
}
