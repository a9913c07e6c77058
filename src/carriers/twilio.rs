//! Twilio (INT-01): its webhooks, the answers to them, and its media sockets.
//!
//! A call comes as a request to [`VOICE`]. The answer has Twilio open a media socket, with a ticket that is good once. When that socket
//! ends, Twilio asks what comes next ([`STREAM`]): another socket while the call is still on here, else the end. So a socket that is
//! lost comes back by itself, and a call that we end ends there too.

pub mod calls;
pub mod rest;
pub mod signature;
pub mod texts;

use super::guard::Raw;
use super::line::{self, LineEnd, Reach, Socket};
use super::lines::{Caller, Lines, Redeemed, random_name};
use super::taken::Taken;
use crate::app::App;
use crate::error::{Error, ErrorCode};
use crate::voice::attached::Arrival;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::CarrierKind;
use auricle_media::io::{CallerIdentity, Codec, Hop, Transport};
use auricle_media::sip::identity::{told, verdict};
use auricle_media::wire::Wire;
use auricle_media::wire::twilio::{Opening, PLACED_NAME, Start, Stream, TICKET, opening};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use rest::Rest;
use signature::{Form, Signed};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::Instrument;

/// What Twilio asks when a number is called.
pub const VOICE: &str = "/api/webhooks/twilio/voice";
/// What Twilio asks when a socket has ended; the name of the answer that opened it follows.
pub const STREAM: &str = "/api/webhooks/twilio/stream";
/// Where Twilio tells how calls stand.
pub const STATUS: &str = "/api/webhooks/twilio/status";
/// Where Twilio tells how a call fares that it places; our name of the call follows.
pub const PLACED: &str = "/api/webhooks/twilio/placed";
/// Where Twilio tells who answered; the call and its place among the call's calls to the outside follow.
pub const ANSWERED_BY: &str = "/api/webhooks/twilio/answered-by";
/// Where Twilio opens its sockets.
pub const MEDIA: &str = "/api/carriers/twilio/media";

/// How long a socket may take to say whose it is.
const OPENING_WITHIN: Duration = Duration::from_secs(5);
/// Messages before that.
const OPENING_MESSAGES_MAX: usize = 8;
/// What Twilio says in `From` for callers who withhold their number.
const WITHHELD: [&str; 7] = ["", "anonymous", "restricted", "unknown", "+266696687", "+7378742883", "+86562696"];

/// Ends the call; what follows on a socket that is not wanted back.
const HANG_UP: &str = "<Hangup/>";
/// Refuses the call before it is answered.
const BUSY: &str = "<Reject reason=\"busy\"/>";

/// A number is called: the answer in TwiML.
///
/// # Errors
/// As [`admitted`].
pub async fn voice(app: &App, raw: &Raw) -> Result<String, Error> {
    let (_, form) = admitted(app, raw)?;
    let call = call_of(&form)?;
    let number = |name| match value(&form, name) {
        withheld if WITHHELD.contains(&withheld.to_ascii_lowercase().as_str()) => String::new(),
        number => told(number),
    };
    let identity = identity(&form);
    let caller = Caller { from: number("From"), to: told(value(&form, "To")), identity };
    let now = Instant::now();
    // Asked again because our answer was lost, or never given: the same ticket, or another, as long as nobody has used one.
    let may_begin = brought(call).may_begin(&app.events).await?;
    let ticket = may_begin.then(|| app.carriers.lines.issue(call, caller, now)).flatten();
    Ok(answer(&ticket.map_or_else(|| BUSY.to_owned(), |ticket| stream(app, &ticket, None))))
}

/// What Twilio says about the caller: what came of checking the number, and who was called first.
fn identity(form: &Form) -> CallerIdentity {
    let diverted_from = Some(told(value(form, "ForwardedFrom"))).filter(|number| !number.is_empty());
    CallerIdentity { asserted: None, diverted_from, attestation: verdict(value(form, "StirVerstat")) }
}

/// A socket has ended, and Twilio asks what comes next.
///
/// # Errors
/// As [`admitted`].
pub async fn stream_ended(app: &App, raw: &Raw) -> Result<String, Error> {
    let (_, form) = admitted(app, raw)?;
    let call = call_of(&form)?;
    if is_over(value(&form, "CallStatus")) {
        app.carriers.lines.over(call);
        return Ok(answer(HANG_UP));
    }
    let now = Instant::now();
    // The path has a name of its own for each answer, so this is asked once for each socket.
    let asked = Taken::new("twilio.stream", &[raw.path.as_bytes(), call.as_bytes()]);
    let ticket = if asked.done(&app.events).await? {
        app.carriers.lines.reissue(call, now)
    } else {
        app.carriers.lines.pending(call, now)
    };
    Ok(answer(&ticket.map_or_else(|| HANG_UP.to_owned(), |ticket| stream(app, &ticket, None))))
}

/// Twilio tells how a call stands. Of interest is its end, which no socket tells while it is lost.
///
/// # Errors
/// As [`admitted`].
pub async fn status(app: &App, raw: &Raw) -> Result<(), Error> {
    let (_, form) = admitted(app, raw)?;
    let call = call_of(&form)?;
    if is_over(value(&form, "CallStatus")) {
        app.carriers.lines.over(call);
        brought(call).done(&app.events).await?;
    }
    Ok(())
}

/// Whether Twilio may open a socket.
///
/// # Errors
/// As [`super::guard::Gate::pass`]; `unavailable` when too many are open.
pub fn admit_socket(app: &App, raw: &Raw) -> Result<tokio::sync::OwnedSemaphorePermit, Error> {
    let base = app.config.server.public_url.replacen("https://", "wss://", 1);
    pass(app, raw, &base, None)?;
    app.carriers.socket_place()
}

/// A socket was opened: finds out whose it is, and carries the call.
pub async fn socket(
    app: Arc<App>,
    address: IpAddr,
    mut incoming: BoxStream<'static, String>,
    make: impl FnOnce(BoxStream<'static, String>, Box<dyn Wire>) -> Socket,
) {
    let Ok(Some(start)) = timeout(OPENING_WITHIN, started(&mut incoming)).await else {
        return tracing::warn!("a Twilio socket did not say whose it is");
    };
    let Start { stream_sid, account_sid, call_sid, custom_parameters, media_format } = *start;
    let known = super::stored(&app, CarrierKind::Twilio).is_ok_and(|it| it.is_some_and(|it| it.account == account_sid));
    let [ticket, name] = [TICKET, PLACED_NAME].map(|it| custom_parameters.get(it).map_or("", String::as_str));
    let lines = &app.carriers.lines;
    let redeemed = match name {
        _ if !known => None,
        "" => lines.redeem(&call_sid, ticket, Instant::now()),
        // Twilio's answer to our question may still be under way.
        name => lines.redeem_placed(name, ticket).filter(|_| lines.named(name, &call_sid)),
    };
    let Some(redeemed) = redeemed else {
        return tracing::warn!("a Twilio socket had no ticket that is good");
    };
    let socket = make(incoming, Box::new(Stream::new(stream_sid)));
    match (redeemed, media_format.is_ours()) {
        (Redeemed::Again(line), true) => {
            if !Lines::hand_over(&line, socket).await {
                tracing::info!("a Twilio socket came back after its call had ended");
            }
        }
        (Redeemed::New(caller, news), true) => {
            // What carries it is not SIP's business; the socket itself is encrypted.
            let remote = Hop { transport: Transport::Tls, address: SocketAddr::new(address, 443) };
            let Caller { from, to, identity } = caller;
            super::note_brought(&app, brought(&call_sid));
            let (carrier, codec) = (CarrierKind::Twilio, Codec::Pcmu);
            let arrival = Arrival { carrier, codec, presses: false, from, to, remote, identity };
            let (again, sid) = (Arc::clone(&app), call_sid.clone());
            let recall: line::Recall = Box::new(move || {
                let (app, call) = (Arc::clone(&again), sid.clone());
                Box::pin(async move { recall(&app, &call).await })
            });
            let line = line::run(app.voice.clone(), arrival, socket, news, Reach { recall, keys: None });
            let end = line.instrument(tracing::info_span!("carrier_line")).await;
            app.carriers.lines.close(&call_sid);
            if end == LineEnd::Ours {
                end_call(&app, &call_sid).await;
            }
        }
        (redeemed, false) => {
            tracing::error!("a Twilio socket speaks another codec than mu-law at 8 kHz; it is closed");
            drop(socket);
            // A call that is on hears of its lost socket by itself.
            if let Redeemed::New(..) = redeemed {
                app.carriers.lines.close(&call_sid);
                end_call(&app, &call_sid).await;
            }
        }
    }
}

/// Has Twilio open another socket of a call whose socket is lost, where it has not asked by itself what comes next: it may not have
/// noticed, or may not reach us with its question.
pub(super) async fn recall(app: &App, call: &str) {
    let (lines, now) = (&app.carriers.lines, Instant::now());
    // It has asked, and is on its way: to redirect the call would end the socket that it opens.
    if lines.pending(call, now).is_some() {
        return;
    }
    let Some(ticket) = lines.reissue(call, now) else { return };
    let twiml = answer(&stream(app, &ticket, None));
    let sent = match (super::stored(app, CarrierKind::Twilio), app.carriers.client()) {
        (Ok(Some(carrier)), Ok(client)) => {
            Rest::of(client, &app.config.carriers.twilio_api, &carrier).redirect(call, &twiml).await
        }
        (Ok(None), Ok(_)) => Ok(()),
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    if let Err(error) = sent {
        tracing::warn!(%error, "a lost socket could not be asked for at Twilio; it comes back when Twilio notices");
    }
}

/// Ends a call at Twilio. It ends by itself where Twilio asks what comes after the socket; where it cannot ask, this is what ends it.
pub(super) async fn end_call(app: &App, call: &str) {
    let ended = match super::stored(app, CarrierKind::Twilio) {
        Ok(Some(carrier)) => match app.carriers.client() {
            Ok(client) => Rest::of(client, &app.config.carriers.twilio_api, &carrier).end_call(call).await,
            Err(error) => Err(error),
        },
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "a call could not be ended at Twilio; it ends when Twilio asks what comes next");
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

/// Passes a form through the layers in front.
///
/// # Errors
/// As [`super::guard::Gate::pass`].
fn admitted(app: &App, raw: &Raw) -> Result<(Carrier, Form), Error> {
    let is_form = raw.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form: Option<Form> = is_form.then(|| form_urlencoded::parse(&raw.body).into_owned().collect());
    let carrier = pass(app, raw, &app.config.server.public_url, form.as_ref())?;
    let form = form.unwrap_or_default();
    if value(&form, "AccountSid") != carrier.account {
        return Err(Error::new(ErrorCode::Forbidden, "The request is about another account"));
    }
    Ok((carrier, form))
}

fn pass(app: &App, raw: &Raw, base: &str, form: Option<&Form>) -> Result<Carrier, Error> {
    // Without an address of ours there is nothing that could have been signed.
    let carrier = super::stored(app, CarrierKind::Twilio)?.filter(|_| !base.is_empty());
    let is_signed = |carrier: &Carrier| {
        let signed = Signed { base, path: &raw.path, form, body: &raw.body };
        signed.is_by(carrier.tokens(), raw.header("x-twilio-signature").unwrap_or_default())
    };
    app.carriers.gate.pass(carrier, raw, is_signed, Instant::now())
}

/// A call that Twilio brings. It was taken once its socket has come, or it is over.
fn brought(call: &str) -> Taken {
    Taken::new("twilio.call", &[call.as_bytes()])
}

/// A request among those that were taken. What it is about names it: Twilio's own name of a request (`I-Twilio-Idempotency-Token`) is
/// not signed, so whoever repeats one could give it another.
fn told_before(raw: &Raw, form: &Form) -> Taken {
    let [call, status, number] = ["CallSid", "CallStatus", "SequenceNumber"].map(|name| value(form, name).as_bytes());
    Taken::new("twilio.webhook", &[raw.path.as_bytes(), call, status, number])
}

fn call_of(form: &Form) -> Result<&str, Error> {
    let call = value(form, "CallSid");
    if super::is_sid("CA", call) {
        Ok(call)
    } else {
        Err(Error::field("CallSid", "format", "CallSid must be CA and 32 hexadecimal digits"))
    }
}

/// The first value of this name; empty when there is none.
fn value<'a>(form: &'a Form, name: &str) -> &'a str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn is_over(status: &str) -> bool {
    matches!(status, "completed" | "busy" | "failed" | "no-answer" | "canceled")
}

/// Has Twilio open a socket, and ask what comes after it. The first socket of a call that we place brings our name of it, too.
fn stream(app: &App, ticket: &str, placed: Option<&str>) -> String {
    let base = &app.config.server.public_url;
    let socket = base.replacen("https://", "wss://", 1);
    let name = random_name();
    let placed = placed.map_or_else(String::new, |name| parameter(PLACED_NAME, name));
    format!(
        "<Connect action=\"{base}{STREAM}/{name}\" method=\"POST\"><Stream url=\"{socket}{MEDIA}\">{}{placed}</Stream></Connect>",
        parameter(TICKET, ticket)
    )
}

fn parameter(name: &str, value: &str) -> String {
    format!("<Parameter name=\"{name}\" value=\"{value}\"/>")
}

/// A whole answer. Nothing in it comes from outside: the base is checked when it is configured, tickets are ours.
fn answer(verbs: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verbs}</Response>")
}
