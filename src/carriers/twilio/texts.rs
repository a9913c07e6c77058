//! Text messages by Twilio: handing one over, and how it fares by Twilio's callbacks.
//!
//! Our own name of the message is in the address of its callbacks. It is handed over once: Twilio takes no name by which it would know a
//! repetition.

use super::rest::{Rest, Unplaced};
use super::{Raw, Taken, admitted, value};
use crate::app::App;
use crate::carriers::{is_sid, stored};
use crate::error::Error;
use crate::texts::{self, News};
use auricle_domain::code::{CarrierKind, TextFault, TextState};
use auricle_domain::id::TextId;
use auricle_domain::text::TextMessage;

/// Where Twilio tells how a text message fares; our name of it follows.
pub const TEXT: &str = "/api/webhooks/twilio/text";

/// Hands a text message to Twilio, and says what came of it.
pub(crate) async fn send(app: &App, text: &TextMessage) -> News {
    let failed = |fault, code| News { name: None, state: TextState::Failed, fault: Some((fault, code)) };
    let (carrier, client) = match (stored(app, CarrierKind::Twilio), app.carriers.client()) {
        (Ok(Some(carrier)), Ok(client)) => (carrier, client),
        (Ok(None), Ok(_)) => return failed(TextFault::Sender, None),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, text = %text.id, "a text message could not be handed to Twilio");
            return failed(TextFault::Silent, None);
        }
    };
    let status = format!("{}{TEXT}/{}", app.config.server.public_url, text.id);
    let mut form = vec![("To", text.to_number.as_str()), ("From", &text.from_number), ("Body", &text.body)];
    if !app.config.server.public_url.is_empty() {
        form.push(("StatusCallback", &status));
    }
    match Rest::of(client, &app.config.carriers.twilio_api, &carrier).create("/Messages.json", &form).await {
        Ok(name) => News { name: Some(name), state: TextState::Queued, fault: None },
        Err(Unplaced::Unsure) => News { name: None, state: TextState::Unsure, fault: Some((TextFault::Silent, None)) },
        Err(Unplaced::Refused(code)) => failed(fault_of(code), (code != 0).then_some(code)),
    }
}

/// What Twilio's codes mean, in one word.
fn fault_of(code: u32) -> TextFault {
    match code {
        21_211 | 21_217 | 21_265 | 21_408 | 21_612 | 30_003 | 30_005 => TextFault::Unreachable,
        21_212 | 21_606 | 21_608 | 21_659 | 21_660 | 30_034 => TextFault::Sender,
        21_614 | 30_006 => TextFault::Landline,
        21_610 => TextFault::OptedOut,
        30_004 | 30_007 => TextFault::Filtered,
        20_429 | 30_001 => TextFault::Silent,
        _ => TextFault::Other,
    }
}

/// Twilio tells how a text message fares.
///
/// # Errors
/// As [`admitted`].
pub async fn told(app: &App, raw: &Raw, id: TextId) -> Result<(), Error> {
    let (_, form) = admitted(app, raw)?;
    let name = value(&form, "MessageSid");
    if !is_sid("SM", name) && !is_sid("MM", name) {
        return Err(Error::field("MessageSid", "format", "MessageSid must be SM or MM and 32 hexadecimal digits"));
    }
    let status = value(&form, "MessageStatus");
    let state = match status {
        "accepted" | "scheduled" | "queued" | "sending" => TextState::Queued,
        "sent" => TextState::Sent,
        "delivered" | "read" => TextState::Delivered,
        "undelivered" | "partially_delivered" => TextState::Undelivered,
        "failed" | "canceled" => TextState::Failed,
        _ => return Ok(()),
    };
    let parts = [raw.path.as_bytes(), name.as_bytes(), status.as_bytes()];
    let code = value(&form, "ErrorCode").parse().ok();
    let is_fault = matches!(state, TextState::Undelivered | TextState::Failed);
    let fault = is_fault.then(|| (code.map_or(TextFault::Other, fault_of), code));
    let op = Taken::new("twilio.text", &parts).op();
    texts::note(&app.events, op, id, News { name: Some(name.to_owned()), state, fault }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_in_plain_words() {
        let table = [
            (21_610, TextFault::OptedOut),
            (30_003, TextFault::Unreachable),
            (30_006, TextFault::Landline),
            (30_007, TextFault::Filtered),
            (30_034, TextFault::Sender),
            (30_008, TextFault::Other),
        ];
        for (code, fault) in table {
            assert_eq!(fault_of(code), fault, "{code}");
        }
    }
}
