//! Telnyx (INT-02): its webhooks, the commands that answer them, and its media sockets.
//!
//! A call comes as an event at [`CALLS`]. It is answered by a command that has Telnyx open a media socket under an address with a
//! ticket that is good once. When that socket is lost, Telnyx is told to open another into the same call.

pub mod account;
pub mod calls;
pub mod rest;
pub mod signature;

use super::api::PAUSE;
use super::guard::Raw;
use super::line::{self, LineEnd, Reach, Socket};
use super::lines::{Caller, Lines, Redeemed};
use super::taken::Taken;
use crate::app::App;
use crate::error::{Error, ErrorCode};
use crate::voice::attached::Arrival;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::CarrierKind;
use auricle_media::io::{Attestation, AttestationLevel, CallerIdentity, Codec, Hop, NumberCheck, Transport};
use auricle_media::sip::identity::diverted_from;
use auricle_media::wire::Wire;
use auricle_media::wire::telnyx::{Opening, Start, Stream, name, opening};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rest::{Rest, Told};
use serde::Deserialize;
use serde_json::{Value, json};
use signature::Signed;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::Instrument;

/// Where Telnyx tells of calls.
pub const CALLS: &str = "/api/webhooks/telnyx/calls";
/// Where Telnyx opens its sockets; the codec that we speak and the ticket follow.
pub const MEDIA: &str = "/api/carriers/telnyx/media";

/// How long a socket may take to say whose it is.
const OPENING_WITHIN: Duration = Duration::from_secs(5);
/// How long Telnyx waits to hear that the news of a call have arrived, so that they are told again if we go down before we have answered the
/// call.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// Messages before that.
const OPENING_MESSAGES_MAX: usize = 8;
/// How often Telnyx is told to open another socket for a lost one: for as long as the call waits for it.
const RECALLS_MAX: usize = 6;
/// Orders to press keys that wait for the one before, in one call.
const PRESSED_MAX: usize = 64;
/// Longest name of a call or an event, in characters.
const NAME_CHARS_MAX: usize = 256;
/// What stands in `from` for callers who withhold their number.
const WITHHELD: [&str; 5] = ["", "anonymous", "restricted", "unknown", "unavailable"];

#[derive(Deserialize)]
struct Webhook {
    data: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    payload: Payload,
}

/// Of an event about a call, what is of interest here. Personal data.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    call_control_id: Option<String>,
    direction: Option<String>,
    from: Option<String>,
    to: Option<String>,
    offered_codecs: Option<String>,
    shaken_stir_attestation: Option<String>,
    shaken_stir_validated: Option<bool>,
    sip_headers: Vec<Header>,
    hangup_cause: Option<String>,
    stream_params: StreamParams,
    result: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StreamParams {
    stream_url: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

/// Something has happened to a call.
///
/// # Errors
/// As [`super::guard::Gate::pass`]; `invalid` for what is signed and yet no event.
pub async fn event(app: &Arc<App>, raw: &Raw) -> Result<(), Error> {
    admitted(app, raw)?;
    let Event { event_type, id, payload } = read(raw)?;
    let is_arrival = event_type == "call.initiated" && payload.direction.as_deref() == Some("incoming");
    if !is_arrival && !matches!(event_type.as_str(), "call.hangup" | "streaming.failed" | "streaming.stopped") {
        return Ok(());
    }
    let (call, told) = named(&id, &payload)?;
    if is_arrival {
        // It is done once its socket has come.
        if brought(&call).may_begin(&app.events).await? {
            arrived(app, call, &payload).await;
        }
        return Ok(());
    }
    if told.is_done(&app.events)? {
        return Ok(());
    }
    match event_type.as_str() {
        "call.hangup" => app.carriers.lines.over(&call),
        failed => stream_gone(app, call, &payload, failed == "streaming.failed"),
    }
    told.done(&app.events).await?;
    Ok(())
}

/// Passes an event through the layers in front, but for the last.
///
/// # Errors
/// As [`super::guard::Gate::pass`].
fn admitted(app: &App, raw: &Raw) -> Result<Carrier, Error> {
    let now_s = (app.clock)().as_second();
    pass(app, raw, |carrier: &Carrier| {
        let timestamp = raw.header("telnyx-timestamp").unwrap_or_default();
        let signature = raw.header("telnyx-signature-ed25519").unwrap_or_default();
        let keys = carrier.public_keys.iter().map(String::as_str);
        Signed { timestamp, body: &raw.body }.is_by(keys, signature, now_s)
    })
}

fn read(raw: &Raw) -> Result<Event, Error> {
    let webhook: Result<Webhook, _> = serde_json::from_slice(&raw.body);
    let wrong = |_| Error::field("data", "format", "data must be an event of Telnyx's (API version 2)");
    Ok(webhook.map_err(wrong)?.data)
}

/// The name of the call that an event is about, and the event among those that were taken.
fn named(id: &str, payload: &Payload) -> Result<(String, Taken), Error> {
    let call = payload.call_control_id.as_deref().unwrap_or_default();
    for (field, name) in [("data.id", id), ("data.payload.call_control_id", call)] {
        if !is_name(name) {
            let detail = format!("{field} must be 1 to {NAME_CHARS_MAX} letters, digits and signs");
            return Err(Error::field(field, "format", detail));
        }
    }
    Ok((call.to_owned(), Taken::new("telnyx.webhook", &[id.as_bytes()])))
}

/// A call that Telnyx brings. It was taken once its socket has come.
fn brought(call: &str) -> Taken {
    Taken::new("telnyx.call", &[call.as_bytes()])
}

/// A number is called: the answer brings a socket.
async fn arrived(app: &Arc<App>, call: String, payload: &Payload) {
    let from = match number(payload.from.as_deref().unwrap_or_default()) {
        withheld if WITHHELD.contains(&withheld.to_ascii_lowercase().as_str()) => String::new(),
        number => number,
    };
    let to = number(payload.to.as_deref().unwrap_or_default());
    let caller = Caller { from, to, identity: identity(payload) };
    let codec = codec_of(payload.offered_codecs.as_deref().unwrap_or_default());
    let (lines, now) = (&app.carriers.lines, Instant::now());
    let Some(ticket) = lines.issue_once(&call, caller, now) else {
        // It is on, or is being answered: its arrival was told again.
        if lines.is_on(&call, now) {
            return;
        }
        return tell_logged(app, &call, "reject", json!({ "cause": "USER_BUSY" })).await;
    };
    let beside = Arc::clone(app);
    let (done, answered) = oneshot::channel();
    // Telnyx may close its connection meanwhile; the answer goes out all the same.
    app.tasks.spawn("telnyx_answer", async move {
        let mut fields = stream(&beside, codec, &ticket);
        fields["preferred_codecs"] = json!(if codec == Codec::Pcma { "PCMA,PCMU" } else { "PCMU,PCMA" });
        tell_logged(&beside, &call, "answer", fields).await;
        // Nobody waits for it any more.
        let _late = done.send(());
    });
    // Not before that is the arrival taken: if we went down in between, Telnyx would not tell it again.
    let _may_go_on = timeout(ANSWERED_WITHIN, answered).await;
}

/// What Telnyx says of a caller's right to the number, and who was called first.
fn identity(payload: &Payload) -> CallerIdentity {
    let level = match payload.shaken_stir_attestation.as_deref().unwrap_or_default() {
        "A" => Some(AttestationLevel::A),
        "B" => Some(AttestationLevel::B),
        "C" => Some(AttestationLevel::C),
        _ => None,
    };
    let attestation = match (payload.shaken_stir_validated, level) {
        (None, None) => None,
        (Some(true), level) => Some(Attestation { check: NumberCheck::Passed, level }),
        // Where nothing was signed there is nothing that could have failed.
        (Some(false), Some(level)) => Some(Attestation { check: NumberCheck::Failed, level: Some(level) }),
        (_, level) => Some(Attestation { check: NumberCheck::Unchecked, level }),
    };
    let mut headers = payload.sip_headers.iter();
    let diversion = headers.find(|header| header.name.eq_ignore_ascii_case("Diversion"));
    let diverted_from = diversion.and_then(|header| diverted_from(&header.value));
    CallerIdentity { asserted: None, diverted_from, attestation }
}

/// A stream could not be opened, or is over, as Telnyx tells.
fn stream_gone(app: &Arc<App>, call: String, payload: &Payload, is_failed: bool) {
    let (lines, now) = (&app.carriers.lines, Instant::now());
    if lines.is_on(&call, now) {
        // That a stream is over its socket tells; that it never came up nobody else does.
        if is_failed {
            let is_a = payload.stream_params.stream_url.as_deref().is_some_and(|url| url.contains(PCMA_PATH));
            let (beside, codec) = (Arc::clone(app), if is_a { Codec::Pcma } else { Codec::Pcmu });
            app.tasks.spawn("telnyx_stream", async move { recall(&beside, &call, codec).await });
        }
        return;
    }
    // Of a call that is not on here nobody would take care: it was on before a restart, or its socket came too late.
    let beside = Arc::clone(app);
    app.tasks.spawn("telnyx_hangup", async move { hang_up(&beside, &call).await });
}

/// Has Telnyx open another socket into a call: by itself it opens none.
pub(super) async fn recall(app: &App, call: &str, codec: Codec) {
    let lines = &app.carriers.lines;
    let now = Instant::now();
    let Some(ticket) = lines.reissue(call, now).or_else(|| lines.pending(call, now)) else { return };
    for _ in 0..RECALLS_MAX {
        match tell(app, call, "streaming_start", stream(app, codec, &ticket)).await {
            Ok(Told::Done) => return,
            Ok(Told::Over) => return lines.over(call),
            Err(error) => tracing::warn!(%error, "Telnyx did not open another media socket"),
        }
        tokio::time::sleep(PAUSE).await;
        // It came all the same, or the call is over.
        if !lines.is_out(&ticket, Instant::now()) {
            return;
        }
    }
}

/// Whether Telnyx may open a socket: Telnyx does not sign that, so the ticket in the address must be one that is out.
///
/// # Errors
/// As [`super::guard::Gate::pass`]; `unavailable` when too many are open.
pub fn admit_socket(app: &App, raw: &Raw, ticket: &str) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
    let lines = &app.carriers.lines;
    pass(app, raw, |_| match ticket.split_once(PLACED_SIGN) {
        None => lines.is_out(ticket, Instant::now()),
        Some((name, token)) => lines.is_placed(name, token),
    })?;
    app.carriers.socket_place()
}

/// A socket was opened under an address with this codec and ticket: finds out whose it is, and carries the call.
pub async fn socket(
    app: Arc<App>,
    address: IpAddr,
    (codec, ticket): (String, String),
    mut incoming: BoxStream<'static, String>,
    make: impl FnOnce(BoxStream<'static, String>, Box<dyn Wire>) -> Socket,
) {
    let Ok(Some(start)) = timeout(OPENING_WITHIN, started(&mut incoming)).await else {
        return tracing::warn!("a Telnyx socket did not say whose it is");
    };
    let Start { call_control_id: call, media_format } = *start;
    let lines = &app.carriers.lines;
    let redeemed = match ticket.split_once(PLACED_SIGN) {
        None => lines.redeem(&call, &ticket, Instant::now()),
        // Telnyx's answer to our question may still be under way.
        Some((name, token)) => lines.redeem_placed(name, token).filter(|_| lines.named(name, &call)),
    };
    let Some(redeemed) = redeemed else {
        return tracing::warn!("a Telnyx socket had no ticket that is good");
    };
    let speaks = if codec == PCMA_PATH.trim_matches('/') { Codec::Pcma } else { Codec::Pcmu };
    let Some(hears) = media_format.codec() else {
        tracing::error!("a Telnyx socket speaks neither mu-law nor A-law at 8 kHz; it is closed");
        // A call that is on hears of its lost socket by itself.
        if let Redeemed::New(..) = redeemed {
            app.carriers.lines.close(&call);
            hang_up(&app, &call).await;
        }
        return;
    };
    let socket = make(incoming, Box::new(Stream::new(speaks, hears)));
    match redeemed {
        Redeemed::Again(line) => {
            if !Lines::hand_over(&line, socket).await {
                tracing::info!("a Telnyx socket came back after its call had ended");
            }
        }
        Redeemed::New(caller, news) => {
            // What carries it is not SIP's business; the socket itself is encrypted.
            let remote = Hop { transport: Transport::Tls, address: SocketAddr::new(address, 443) };
            let Caller { from, to, identity } = caller;
            super::note_brought(&app, brought(&call));
            let carrier = CarrierKind::Telnyx;
            let arrival = Arrival { carrier, codec: speaks, presses: true, from, to, remote, identity };
            let (again, name) = (Arc::clone(&app), call.clone());
            let recall: line::Recall = Box::new(move || {
                let (app, call) = (Arc::clone(&again), name.clone());
                Box::pin(async move { recall(&app, &call, speaks).await })
            });
            let name = call.clone();
            let keys = Some(keys(&app, move |_| Some(name.clone())));
            let line = line::run(app.voice.clone(), arrival, socket, news, Reach { recall, keys });
            let end = line.instrument(tracing::info_span!("carrier_line")).await;
            app.carriers.lines.close(&call);
            if end == LineEnd::Ours {
                hang_up(&app, &call).await;
            }
        }
    }
}

async fn started(incoming: &mut BoxStream<'static, String>) -> Option<Box<Start>> {
    for _ in 0..OPENING_MESSAGES_MAX {
        match opening(&incoming.next().await?) {
            Opening::Start(start) => return Some(start),
            Opening::Nothing => {}
            Opening::Nonsense => return None,
        }
    }
    None
}

fn pass(app: &App, raw: &Raw, is_signed: impl FnOnce(&Carrier) -> bool) -> Result<Carrier, Error> {
    // Without an address of ours Telnyx has nowhere to bring a call.
    let has_address = !app.config.server.public_url.is_empty();
    let carrier = super::stored(app, CarrierKind::Telnyx)?.filter(|_| has_address);
    app.carriers.gate.pass(carrier, raw, is_signed, Instant::now())
}

/// Tells a call something.
async fn tell(app: &App, call: &str, name: &str, fields: Value) -> Result<Told, Error> {
    let Some(carrier) = super::stored(app, CarrierKind::Telnyx)? else {
        return Err(Error::new(ErrorCode::NotConfigured, "The account with Telnyx was removed"));
    };
    let rest = Rest::of(app.carriers.client()?, &app.config.carriers.telnyx_api, &carrier);
    let (said, outcome) = rest.command(call, name, fields).await;
    app.carriers.standing.note(CarrierKind::Telnyx, said, Instant::now());
    outcome
}

/// The same where nothing can be done about a failure. What is over there is over here.
async fn tell_logged(app: &App, call: &str, name: &str, fields: Value) {
    match tell(app, call, name, fields).await {
        Ok(Told::Done) => {}
        Ok(Told::Over) => app.carriers.lines.over(call),
        Err(error) => tracing::warn!(%error, command = name, "Telnyx did not carry a command out"),
    }
}

/// Where keys go that Telnyx is to press in a call, one command after the other. Telnyx tells them as keys to whoever is called; tones
/// in what we say would have to survive every codec on the way.
pub(super) fn keys(app: &Arc<App>, call: impl Fn(&App) -> Option<String> + Send + 'static) -> mpsc::Sender<String> {
    let (to, mut pressed) = mpsc::channel::<String>(PRESSED_MAX);
    let beside = Arc::clone(app);
    app.tasks.spawn("telnyx_keys", async move {
        while let Some(digits) = pressed.recv().await {
            if let Some(call) = call(&beside) {
                tell_logged(&beside, &call, "send_dtmf", json!({ "digits": digits })).await;
            }
        }
    });
    to
}

/// Ends a call at Telnyx. One that is over already is no failure.
pub(super) async fn hang_up(app: &App, call: &str) {
    tell_logged(app, call, "hangup", json!({})).await;
}

/// What stands between our name of a call that we place and the ticket of its socket; neither has it.
const PLACED_SIGN: char = '.';
/// The part of a socket's address that says that we speak A-law.
const PCMA_PATH: &str = "/pcma/";
/// The same for mu-law.
const PCMU_PATH: &str = "/pcmu/";

/// What a command says that has a socket opened. Both ways are asked for in one codec; what then comes is told when the socket opens.
fn stream(app: &App, codec: Codec, ticket: &str) -> Value {
    let base = app.config.server.public_url.replacen("https://", "wss://", 1);
    let path = if codec == Codec::Pcma { PCMA_PATH } else { PCMU_PATH };
    let name = name(codec).unwrap_or("PCMU");
    json!({
        "stream_url": format!("{base}{MEDIA}{path}{ticket}"),
        "stream_track": "inbound_track",
        "stream_codec": name,
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": name,
    })
}

/// The law of the caller's region: the one that is offered first; mu-law where none is.
fn codec_of(offered: &str) -> Codec {
    let laws = |name: &str| match name.trim() {
        "PCMU" => Some(Codec::Pcmu),
        "PCMA" => Some(Codec::Pcma),
        _ => None,
    };
    offered.split(',').find_map(laws).unwrap_or(Codec::Pcmu)
}

/// A number, or the user of a SIP address.
fn number(text: &str) -> String {
    let text = text.trim();
    let user = text.strip_prefix("sips:").or_else(|| text.strip_prefix("sip:"));
    user.map_or(text, |user| user.split(['@', ';']).next().unwrap_or_default()).chars().take(NAME_CHARS_MAX).collect()
}

/// Whether a text may be a name that Telnyx gives.
fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_is_the_callers() {
        let table = [
            ("G722,PCMU,PCMA", Codec::Pcmu),
            ("OPUS, PCMA,PCMU", Codec::Pcma),
            ("PCMA", Codec::Pcma),
            ("OPUS,G722", Codec::Pcmu),
            ("", Codec::Pcmu),
        ];
        for (offered, expected) in table {
            assert_eq!(codec_of(offered), expected, "{offered}");
        }
    }

    /// VOICE-09: what Telnyx says of a caller is told as trunks tell it.
    #[test]
    fn what_is_known_of_a_caller_is_read() {
        let table = [
            (r#"{}"#, None),
            (
                r#"{"shaken_stir_attestation":"A","shaken_stir_validated":true}"#,
                Some((NumberCheck::Passed, Some(AttestationLevel::A))),
            ),
            (
                r#"{"shaken_stir_attestation":"C","shaken_stir_validated":false}"#,
                Some((NumberCheck::Failed, Some(AttestationLevel::C))),
            ),
            (r#"{"shaken_stir_attestation":"B"}"#, Some((NumberCheck::Unchecked, Some(AttestationLevel::B)))),
            (r#"{"shaken_stir_attestation":"","shaken_stir_validated":false}"#, Some((NumberCheck::Unchecked, None))),
        ];
        for (text, expected) in table {
            let found = serde_json::from_str(text).map(|payload| identity(&payload).attestation);
            let expected = expected.map(|(check, level)| Attestation { check, level });
            assert_eq!(found.ok(), Some(expected), "{text}");
        }
        let diverted = |value: &str| {
            let headers = vec![Header { name: "diversion".into(), value: value.into() }];
            identity(&Payload { sip_headers: headers, ..Payload::default() }).diverted_from
        };
        let first = "<sip:+15550142@example.com>;reason=unconditional";
        assert_eq!(diverted(first).as_deref(), Some("+15550142"));
        assert_eq!(diverted(&format!("<sip:+15550143@example.com>,{first}")).as_deref(), Some("+15550142"));
        assert_eq!(diverted("<sip:+15550142@example.com>;privacy=full"), None);
        assert_eq!(diverted("nonsense"), None);
    }

    #[test]
    fn numbers_are_taken_out_of_sip_addresses() {
        let table = [
            ("+15550100", "+15550100"),
            ("sip:+15550100@sip.telnyx.com;user=phone", "+15550100"),
            ("sips:clinic@example", "clinic"),
            (" anonymous ", "anonymous"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(is_name("v3:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ"));
        assert!(!is_name("") && !is_name("a b") && !is_name(&"x".repeat(NAME_CHARS_MAX + 1)));
    }
}
