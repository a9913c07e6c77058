//! Calls that Twilio places: the question, and how they fare by Twilio's status callbacks.
//!
//! The question brings the answer to what is to be done with the call along, so that its socket comes as soon as somebody answers. Our own
//! name of the call is in the addresses of its callbacks: they may come before Twilio's answer, in any order, and more than once.

use super::rest::{BUSY, Rest, Unplaced, WRONG_TOKEN};
use super::{
    ANSWERED_BY, PLACED, Raw, Taken, admitted, answer, call_of, end_call, is_over, stream, told_before, value,
};
use crate::app::App;
use crate::carriers::line::{NotTaken, ToLine};
use crate::carriers::{placing, stored};
use crate::error::Error;
use crate::voice::carrierbook::Placement;
use crate::voice::carrierstanding::Said;
use auricle_domain::code::{AnsweredBy, CarrierKind, MachineDetection};
use auricle_domain::id::CallId;
use std::time::Instant;

/// How long Twilio lets it ring, in seconds: as long as the floor does, and in an emergency as long as Twilio may.
const RING_S: &str = "60";
const EMERGENCY_RING_S: &str = "600";

/// Asks Twilio for a call: its name there.
///
/// # Errors
/// What Twilio says, as far as it can be known.
pub async fn place(app: &App, placement: &Placement, name: &str, ticket: &str) -> Result<String, NotTaken> {
    let failed = |error: Error| {
        tracing::error!(%error, "Twilio could not be asked to place a call");
        NotTaken::Refused(503)
    };
    let carrier = stored(app, CarrierKind::Twilio).map_err(failed)?.ok_or(NotTaken::Refused(503))?;
    let client = app.carriers.client().map_err(failed)?;
    let base = &app.config.server.public_url;
    let twiml = answer(&stream(app, ticket, Some(name)));
    let status = format!("{base}{PLACED}/{name}");
    let found = format!("{base}{ANSWERED_BY}/{}/{}", placement.call, placement.line);
    let mut form = vec![
        ("To", placement.number.as_str()),
        ("From", &placement.caller_id),
        ("Twiml", &twiml),
        ("Timeout", if placement.is_emergency { EMERGENCY_RING_S } else { RING_S }),
        ("StatusCallback", &status),
        ("StatusCallbackMethod", "POST"),
    ];
    form.extend(["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event)));
    let detection = match carrier.machine_detection {
        MachineDetection::Off => None,
        MachineDetection::Answer => Some("Enable"),
        MachineDetection::GreetingEnd => Some("DetectMessageEnd"),
    };
    if let Some(detection) = detection {
        // Beside the call: whoever answers must not wait for it.
        form.extend([("MachineDetection", detection), ("AsyncAmd", "true")]);
        form.extend([("AsyncAmdStatusCallback", found.as_str()), ("AsyncAmdStatusCallbackMethod", "POST")]);
    }
    let placed = Rest::of(client, &app.config.carriers.twilio_api, &carrier).create("/Calls.json", &form).await;
    app.carriers.standing.note(CarrierKind::Twilio, said(&placed), Instant::now());
    placed.map_err(|unplaced| match unplaced {
        Unplaced::Unsure => NotTaken::Unsure,
        Unplaced::Refused(code) => NotTaken::Refused(status_of(code)),
    })
}

/// What an answer says of the account and of Twilio itself.
fn said(placed: &Result<String, Unplaced>) -> Said {
    match placed {
        Err(Unplaced::Unsure | Unplaced::Refused(BUSY)) => Said::Nothing,
        Err(Unplaced::Refused(WRONG_TOKEN)) => Said::No,
        Ok(_) | Err(Unplaced::Refused(_)) => Said::Something,
    }
}

/// What Twilio's refusals mean, as SIP says it (RFC 3261 section 21): the number is at fault, or this way is.
fn status_of(code: u32) -> u16 {
    match code {
        // No such number, or one that nobody reaches.
        13_223 | 13_224 | 21_211 | 21_214 | 21_217 => 404,
        // Not that number of ours, not that country, not from a trial account.
        13_227 | 21_210 | 21_212 | 21_215 | 21_219 => 403,
        _ => 503,
    }
}

/// Twilio tells how a call fares that it places.
///
/// # Errors
/// As [`admitted`].
pub async fn told(app: &App, raw: &Raw, name: &str) -> Result<(), Error> {
    let (_, form) = admitted(app, raw)?;
    let call = call_of(&form)?;
    let told = told_before(raw, &form);
    if told.is_done(&app.events)? {
        return Ok(());
    }
    let status = value(&form, "CallStatus");
    let lines = &app.carriers.lines;
    let is_placed = lines.named(name, call);
    let news = match status {
        "ringing" => Some(ToLine::Rings),
        "in-progress" => Some(ToLine::Answered),
        "busy" => Some(ToLine::Refused(486)),
        "no-answer" => Some(ToLine::Refused(480)),
        "canceled" => Some(ToLine::Refused(487)),
        "failed" => Some(ToLine::Refused(failure(value(&form, "SipResponseCode")))),
        "completed" => Some(ToLine::Over),
        // It is under way: whoever was not sure of it is now.
        _ => None,
    };
    match news {
        Some(news) if is_placed => drop(lines.tell(name, news)),
        // Nobody waits for it any more.
        _ if !is_placed && !is_over(status) => end_call(app, call).await,
        _ => {}
    }
    told.done(&app.events).await?;
    Ok(())
}

/// Why a call failed: there is no such number, or something on the way did.
fn failure(sip: &str) -> u16 {
    match sip {
        "404" | "410" | "484" | "604" => 404,
        "603" | "607" | "608" => 603,
        _ => 503,
    }
}

/// Twilio tells who answered.
///
/// # Errors
/// As [`admitted`].
pub async fn told_who(app: &App, raw: &Raw, call: CallId, line: usize) -> Result<(), Error> {
    let (_, form) = admitted(app, raw)?;
    let by = match value(&form, "AnsweredBy") {
        "human" => AnsweredBy::Human,
        machine if machine.starts_with("machine_") => AnsweredBy::Machine,
        "fax" => AnsweredBy::Fax,
        _ => AnsweredBy::Unknown,
    };
    let sid = call_of(&form)?;
    let told = Taken::new("twilio.answered_by", &[raw.path.as_bytes(), sid.as_bytes()]);
    placing::answered_by(app, told, (call, line), by).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whether_another_way_may_do_better() {
        for (code, status) in [(21_211, 404), (21_210, 403), (21_215, 403), (20_003, 503), (20_429, 503)] {
            assert_eq!(status_of(code), status, "{code}");
        }
        for (sip, status) in [("404", 404), ("484", 404), ("603", 603), ("500", 503), ("", 503)] {
            assert_eq!(failure(sip), status, "{sip}");
        }
    }
}
