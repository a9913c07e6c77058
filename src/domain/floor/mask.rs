//! What nobody may keep: whoever handles a call masks what is said in it while a card's number is told (B-16).
//!
//! The mask is bound to their leg. It ends with a press, when they let the other side wait, hand it on or leave, and by itself after
//! [`MASK_MAX`]: a mask that is forgotten must not swallow the rest of a recording.

use super::fact::Fact;
use super::place::NotPlaced;
use super::stay::Stay;
use super::{Hands, Leg, Output, later};
use crate::Timestamp;
use crate::account::Actor;
use crate::code::CallStatus;
use crate::id::AccountId;
use jiff::SignedDuration;

/// A card is read out in half a minute; who spells it to somebody hard of hearing has time as well.
pub const MASK_MAX: SignedDuration = SignedDuration::from_mins(3);

/// What is said now is kept nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    leg: Leg,
    pub(super) until: Timestamp,
}

impl Stay {
    /// Whoever handles the call masks it, or ends that. Once more is no fault, and gives no more time.
    pub(super) fn mask(
        &mut self,
        on: bool,
        by: Option<AccountId>,
        actor: Actor,
        hands: &mut Hands<'_>,
    ) -> Result<(), NotPlaced> {
        let status = self.call.status;
        let talk = self.talk.as_mut().filter(|talk| talk.near.is_up() && talk.far.is_up());
        let talk = talk.filter(|talk| status == CallStatus::WithAgent && by.is_some() && talk.near.account() == by);
        let Some((talk, leg)) = talk.and_then(|talk| talk.near.leg.map(|leg| (talk, leg))) else {
            return Err(NotPlaced::NotTalking);
        };
        if talk.mask.is_some() != on {
            talk.mask = on.then(|| Mask { leg, until: later(hands.now, MASK_MAX) });
            hands.out.push_back(Output::Mask { leg, on });
            self.write(actor, Fact::Masked { on }, hands.now, hands.out);
            hands.out.push_back(Output::Board);
        }
        Ok(())
    }

    /// Ends a mask whose time is over, or whose leg no longer talks with the other side.
    pub(super) fn settle_mask(&mut self, hands: &mut Hands<'_>) {
        let is_talking = self.is_on() && self.call.status == CallStatus::WithAgent;
        let Some(talk) = &mut self.talk else { return };
        let near = talk.near.leg.filter(|_| is_talking && talk.near.is_up() && talk.far.is_up());
        let Some(mask) = talk.mask.take_if(|mask| near != Some(mask.leg) || mask.until <= hands.now) else { return };
        // Of a leg that has left, the engine's mask is over with that.
        hands.out.extend((near == Some(mask.leg)).then_some(Output::Mask { leg: mask.leg, on: false }));
        self.write(Actor::System, Fact::Masked { on: false }, hands.now, hands.out);
        hands.out.push_back(Output::Board);
    }

    /// Until when what is said is kept nowhere.
    pub(super) fn masked_until(&self) -> Option<Timestamp> {
        self.talk.as_ref()?.mask.map(|mask| mask.until)
    }
}
