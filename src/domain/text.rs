//! Text messages (SMS): what the clinic has written to whom, and whether it has arrived.

use crate::Timestamp;
use crate::code::{CarrierKind, TextFault, TextState};
use crate::id::{AppointmentId, CallId, ContactId, TextId};
use serde::{Deserialize, Serialize};

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TextMessage {
    /// Identity: that of the appointment that it confirms, so that none is confirmed twice.
    pub id: TextId,
    /// The appointment that it is about.
    pub appointment: AppointmentId,
    /// The call that it came of.
    pub call: Option<CallId>,
    /// Whom it is to, once known.
    pub contact: Option<ContactId>,
    /// The number that it goes to, in E.164.
    pub to_number: String,
    /// The clinic's number that it comes from, in E.164.
    pub from_number: String,
    /// What it says.
    pub body: String,
    /// Who carries it.
    pub carrier: CarrierKind,
    /// The carrier's name of it, once known.
    pub carrier_name: Option<String>,
    /// Where it stands.
    pub state: TextState,
    /// Why it has not arrived.
    pub fault: Option<TextFault>,
    /// The carrier's own code of that.
    pub carrier_code: Option<u32>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its state changed last.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

impl TextMessage {
    /// Takes in how it fares. False when that says nothing new: news come in any order and more than once, and an end stays.
    pub fn fares(&mut self, state: TextState, fault: Option<(TextFault, Option<u32>)>, now: Timestamp) -> bool {
        if state <= self.state || is_end(self.state) {
            return false;
        }
        self.state = state;
        self.fault = fault.map(|(fault, _)| fault);
        self.carrier_code = fault.and_then(|(_, code)| code);
        self.changed_at = now;
        self.version += 1;
        true
    }
}

fn is_end(state: TextState) -> bool {
    match state {
        TextState::Delivered | TextState::Undelivered | TextState::Failed | TextState::Withheld => true,
        TextState::Waiting | TextState::Unsure | TextState::Queued | TextState::Sent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use uuid::Uuid;

    fn text(state: TextState) -> TextMessage {
        TextMessage {
            id: TextId(Uuid::nil()),
            appointment: AppointmentId(Uuid::nil()),
            call: None,
            contact: None,
            to_number: "+447700900123".into(),
            from_number: "+442079460000".into(),
            body: "Hello".into(),
            carrier: CarrierKind::Twilio,
            carrier_name: None,
            state,
            fault: None,
            carrier_code: None,
            created_at: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    /// INT-01: whatever the order in which a carrier tells, what is known stays known.
    #[test]
    fn nothing_that_is_known_is_taken_back() {
        use TextState::{Delivered, Failed, Queued, Sent, Undelivered, Unsure, Waiting, Withheld};
        let table = [
            (Waiting, Unsure, true),
            (Unsure, Queued, true),
            (Unsure, Delivered, true),
            (Queued, Sent, true),
            (Sent, Queued, false),
            (Sent, Sent, false),
            (Sent, Undelivered, true),
            (Delivered, Sent, false),
            (Delivered, Undelivered, false),
            (Undelivered, Delivered, false),
            (Undelivered, Failed, false),
            (Withheld, Delivered, false),
        ];
        for (from, to, changes) in table {
            let mut text = text(from);
            let fault = Some((TextFault::Unreachable, Some(30_003)));
            assert_eq!(text.fares(to, fault, Timestamp::UNIX_EPOCH), changes, "{from} to {to}");
            assert_eq!((text.state, text.version), if changes { (to, 2) } else { (from, 1) });
            assert_eq!(text.fault.is_some(), changes);
        }
    }
}
