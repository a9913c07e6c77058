//! Calls that Telnyx places: the question, and how they fare by Telnyx's events.
//!
//! The question brings along under which address the socket is to be opened once somebody answers. Our own name of the call is in the
//! address of its events: they may come before Telnyx's answer, in any order, and more than once. The question has a name, too, by
//! which Telnyx knows a repetition: so it is repeated where its answer is lost.

use super::account::application;
use super::rest::Rest;
use super::{Event, Payload, admitted, hang_up, named, read, stream};
use crate::app::App;
use crate::carriers::guard::Raw;
use crate::carriers::line::{NotTaken, ToLine};
use crate::carriers::{placing, reachable, stored};
use crate::error::{Error, ErrorCode};
use crate::voice::carrierbook::Placement;
use auricle_domain::code::{AnsweredBy, CarrierKind, MachineDetection};
use auricle_domain::id::CallId;
use auricle_media::io::Codec;
use serde_json::json;
use std::time::Instant;

/// Where Telnyx tells of a call that it places; our name of it follows, then the call that it is part of and its place there.
pub const PLACED: &str = "/api/webhooks/telnyx/placed";

/// How long Telnyx lets it ring, in seconds: as long as the floor does, and in an emergency as long as Telnyx may.
const RING_S: u32 = 60;
const EMERGENCY_RING_S: u32 = 600;

/// What is said to Telnyx, and heard, in calls that it places.
pub const CODEC: Codec = Codec::Pcmu;

/// Asks Telnyx for a call: its name there.
///
/// # Errors
/// What Telnyx says, as far as it can be known.
pub async fn place(app: &App, placement: &Placement, name: &str, ticket: &str) -> Result<String, NotTaken> {
    let asked = ask(app, placement, name, ticket).await;
    asked.map_err(|error| {
        tracing::warn!(%error, "Telnyx has not taken a call that it was to place");
        match error.code {
            ErrorCode::CarrierSilent => NotTaken::Unsure,
            ErrorCode::NotFound => NotTaken::Refused(404),
            ErrorCode::Invalid => NotTaken::Refused(403),
            _ => NotTaken::Refused(503),
        }
    })
}

async fn ask(app: &App, placement: &Placement, name: &str, ticket: &str) -> Result<String, Error> {
    let Some(carrier) = stored(app, CarrierKind::Telnyx)? else { return Err(Error::not_found("account with Telnyx")) };
    let rest = Rest::of(app.carriers.client()?, &app.config.carriers.telnyx_api, &carrier);
    let url = reachable(app, super::CALLS)?;
    // The application that brings calls here places them, too; there is none while no number was connected.
    let connection = match carrier.account.as_str() {
        "" => application(&rest, &carrier, &url).await?.id,
        known => known.to_owned(),
    };
    let base = &app.config.server.public_url;
    let mut fields = stream(app, CODEC, &format!("{name}.{ticket}"));
    fields["connection_id"] = json!(connection);
    fields["to"] = json!(placement.number);
    fields["from"] = json!(placement.caller_id);
    fields["timeout_secs"] = json!(if placement.is_emergency { EMERGENCY_RING_S } else { RING_S });
    fields["webhook_url"] = json!(format!("{base}{PLACED}/{name}/{}/{}", placement.call, placement.line));
    fields["webhook_url_method"] = json!("POST");
    fields["answering_machine_detection"] = json!(match carrier.machine_detection {
        MachineDetection::Off => "disabled",
        MachineDetection::Answer => "detect",
        MachineDetection::GreetingEnd => "greeting_end",
    });
    let (said, dialled) = rest.dial(fields).await;
    app.carriers.standing.note(CarrierKind::Telnyx, said, Instant::now());
    dialled
}

/// Telnyx tells how a call fares that it places, or who answered it.
///
/// # Errors
/// As [`super::event`].
pub async fn told(app: &App, raw: &Raw, name: &str, (part_of, line): (CallId, usize)) -> Result<(), Error> {
    admitted(app, raw)?;
    let Event { event_type, id, payload } = read(raw)?;
    let detected = event_type.starts_with("call.machine.") && event_type.ends_with("detection.ended");
    let news = match event_type.as_str() {
        // Telnyx does not tell when it rings.
        "call.initiated" => ToLine::Rings,
        "call.answered" => ToLine::Answered,
        "call.hangup" => failure(payload.hangup_cause.as_deref().unwrap_or_default()),
        _ if detected => return told_who(app, &id, &payload, (part_of, line)).await,
        _ => return Ok(()),
    };
    let (call, told) = named(&id, &payload)?;
    if told.is_done(&app.events)? {
        return Ok(());
    }
    let lines = &app.carriers.lines;
    if lines.named(name, &call) {
        lines.tell(name, news);
    } else if event_type != "call.hangup" {
        // Nobody waits for it any more.
        hang_up(app, &call).await;
    }
    told.done(&app.events).await?;
    Ok(())
}

async fn told_who(app: &App, id: &str, payload: &Payload, (call, line): (CallId, usize)) -> Result<(), Error> {
    let by = match payload.result.as_deref().unwrap_or_default() {
        human if human.starts_with("human") => AnsweredBy::Human,
        "machine" => AnsweredBy::Machine,
        "fax_detected" => AnsweredBy::Fax,
        _ => AnsweredBy::Unknown,
    };
    let (_, told) = named(id, payload)?;
    placing::answered_by(app, told, (call, line), by).await
}

/// Why a call ended, as SIP says it (RFC 3261 section 21). Of one that was answered it is just the end.
fn failure(cause: &str) -> ToLine {
    match cause {
        "user_busy" => ToLine::Refused(486),
        "no_answer" | "timeout" => ToLine::Refused(480),
        "call_rejected" => ToLine::Refused(603),
        "not_found" => ToLine::Refused(404),
        "unspecified" => ToLine::Refused(503),
        _ => ToLine::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_says_what_became_of_the_call() {
        let table = [
            ("user_busy", Some(486)),
            ("timeout", Some(480)),
            ("no_answer", Some(480)),
            ("not_found", Some(404)),
            ("call_rejected", Some(603)),
            ("unspecified", Some(503)),
            ("normal_clearing", None),
            ("originator_cancel", None),
            ("", None),
        ];
        for (cause, expected) in table {
            let found = match failure(cause) {
                ToLine::Refused(status) => Some(status),
                _ => None,
            };
            assert_eq!(found, expected, "{cause}");
        }
    }
}
