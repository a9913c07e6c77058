//! What the receptionist asks of the clinic's records, and what comes back.

use crate::Timestamp;
use crate::appointment::Slot;
use crate::conversation::Citation;
use crate::id::{AppointmentId, ServiceId};

/// A passage of the clinic's knowledge that may answer a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it stands.
    pub citation: Citation,
    /// The heading it stands under.
    pub heading: String,
    /// The passage.
    pub text: String,
    /// How well it fits, higher is better; comparable within one answer only.
    pub score: f32,
}

/// A message for the clinic's people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The caller's words, at most 4,000 characters.
    pub text: String,
    /// Name given; may be empty.
    pub name: String,
    /// Number to ring back; may be empty.
    pub number: String,
}

/// What is to be looked up or written.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolRequest {
    /// Passages that may answer a question.
    Answer {
        /// The question as heard.
        query: String,
    },
    /// Free slots, earliest first.
    FindSlots {
        /// Of which service.
        service: ServiceId,
        /// Not before.
        from: Timestamp,
        /// Begin before.
        to: Timestamp,
        /// At most so many.
        limit: usize,
    },
    /// Keep a slot for this caller for 120 s (B-10).
    Hold {
        /// Which.
        slot: Slot,
    },
    /// Turn a held slot into an appointment.
    Confirm {
        /// The held appointment.
        appointment: AppointmentId,
        /// For whom.
        name: String,
        /// Number to ring back.
        number: String,
    },
    /// Give a held slot back.
    Release {
        /// The held appointment.
        appointment: AppointmentId,
    },
    /// Leave a message for the clinic's people.
    TakeMessage(Message),
}

impl ToolRequest {
    /// The name that stands in a turn's record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer_from_knowledge",
            Self::FindSlots { .. } => "find_slots",
            Self::Hold { .. } => "hold_slot",
            Self::Confirm { .. } => "book",
            Self::Release { .. } => "release_slot",
            Self::TakeMessage(_) => "take_message",
        }
    }

    /// Whether it changes records: such a request is never cancelled once sent.
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Answer { .. } | Self::FindSlots { .. })
    }
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolFailure {
    /// Somebody else has the slot.
    SlotTaken,
    /// The hold ran out, or there never was one.
    HoldGone,
    /// The records cannot be reached, or refused.
    Unavailable,
}

impl ToolFailure {
    /// The code that stands in a turn's record.
    pub fn code(self) -> &'static str {
        match self {
            Self::SlotTaken => "slot_taken",
            Self::HoldGone => "hold_gone",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What came of a request; answers come in the order of the requests.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolResult {
    /// Passages, best first.
    Answer(Result<Vec<Found>, ToolFailure>),
    /// Free slots, earliest first.
    Slots(Result<Vec<Slot>, ToolFailure>),
    /// The slot is held under this id.
    Held(Result<AppointmentId, ToolFailure>),
    /// Booked, or not.
    Confirmed(Result<(), ToolFailure>),
    /// Given back, or not.
    Released(Result<(), ToolFailure>),
    /// Message kept, or not.
    MessageTaken(Result<(), ToolFailure>),
}

impl ToolResult {
    /// Whether it did what was asked, and the code for a turn's record.
    pub fn outcome(&self) -> (bool, &'static str) {
        match self {
            Self::Answer(Ok(found)) if found.is_empty() => (true, "nothing_found"),
            Self::Answer(Ok(_)) => (true, "found"),
            Self::Slots(Ok(slots)) if slots.is_empty() => (true, "no_slots"),
            Self::Slots(Ok(_)) => (true, "slots_found"),
            Self::Held(Ok(_)) => (true, "held"),
            Self::Confirmed(Ok(())) => (true, "booked"),
            Self::Released(Ok(())) => (true, "released"),
            Self::MessageTaken(Ok(())) => (true, "message_taken"),
            Self::Answer(Err(failure))
            | Self::Slots(Err(failure))
            | Self::Held(Err(failure))
            | Self::Confirmed(Err(failure))
            | Self::Released(Err(failure))
            | Self::MessageTaken(Err(failure)) => (false, failure.code()),
        }
    }
}
