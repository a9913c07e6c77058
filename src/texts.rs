//! Text messages: bookings that callers have made are confirmed, once each, to the number that they gave.
//!
//! Written down before anything is handed over, with a name that follows from the appointment: so no crash and no repetition sends a
//! second one. What the caller booked is not in it, as others may read it.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadCalls;
use crate::error::Error;
use crate::events::{By, Events, Writing};
use crate::{calls, clock, outbound};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::appointment::Appointment;
use auricle_domain::call::Call;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::{AppointmentStatus, CarrierKind, Lang, TextFault, TextState};
use auricle_domain::dialled::{self, Dialled, Number};
use auricle_domain::event::Event;
use auricle_domain::id::{AppointmentId, CallId, CauseId, TextId};
use auricle_domain::phrases::{self, Phrase};
use auricle_domain::tenant::Tenant;
use auricle_domain::text::TextMessage;
use auricle_storage::{OpId, Scan, schema};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Text messages within any hour: more bookings than that are not made by telephone.
const HOUR_MAX: usize = 60;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Text messages to one number within any day.
const NUMBER_DAY_MAX: usize = 3;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Text messages of one call that are shown.
const OF_CALL_MAX: usize = 100;
/// Text messages that a restart has caught, looked at in one go.
const WAITING_MAX: usize = 500;

/// Text messages that came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallTexts {
    /// The messages, oldest first.
    pub items: Vec<TextMessage>,
}

/// Text messages that came of a call.
///
/// # Errors
/// `not_found`.
pub fn of_call(app: &App, _may: &May<ReadCalls>, call: CallId) -> Result<CallTexts, Error> {
    app.store.read(|tx| {
        calls::known(tx, call)?;
        Ok(CallTexts { items: tx.scan(Scan::index(schema::TEXTS_BY_CALL).prefix(call).limit(OF_CALL_MAX))?.items })
    })
}

/// Writes the confirmation of a booking down: the message that is to be handed over now, where there is one. There is none where bookings
/// are not confirmed, no number was given that could be one, or it was written before.
///
/// # Errors
/// When the store fails.
pub(crate) async fn confirm(app: &App, cause: CauseId, id: AppointmentId) -> Result<Option<TextMessage>, Error> {
    let now = app.events.now();
    let by = By { actor: Actor::System, cause };
    let written = app.events.commit(clock::op(), by, move |tx| {
        let Some(text) = confirmation(tx, id, now)? else { return Ok(None) };
        tx.put(&text)?;
        tx.event(Event::TextChanged { text: text.id, state: text.state, call: text.call });
        Ok(Some((text.id, text.state)))
    });
    match written.await? {
        Some((id, TextState::Waiting)) => app.store.read(|tx| Ok(tx.get::<TextMessage>(&id)?)),
        _ => Ok(None),
    }
}

fn confirmation(tx: &Writing<'_>, id: AppointmentId, now: Timestamp) -> Result<Option<TextMessage>, Error> {
    let text = TextId(id.0);
    let carrier = tx.get::<Carrier>(&CarrierKind::Twilio.as_str())?.filter(|carrier| !carrier.text_number.is_empty());
    let appointment = tx.get::<Appointment>(&id)?;
    let appointment = appointment.filter(|it| it.status == AppointmentStatus::Booked && it.start > now);
    let (Some(carrier), Some(appointment), None) = (carrier, appointment, tx.get::<TextMessage>(&text)?) else {
        return Ok(None);
    };
    let Some(tenant) = tx.get::<Tenant>(&tx.tenant())? else { return Ok(None) };
    let Some(Dialled::Number(number)) = dialled::read(&appointment.patient_number, &tenant.country) else {
        return Ok(None);
    };
    let call = appointment.call.map(|call| tx.get::<Call>(&call)).transpose()?.flatten();
    let language = call.map_or_else(|| tenant.languages.first().copied().unwrap_or(Lang::En), |call| call.language);
    let fault = refusal(tx, &number, now)?;
    Ok(Some(TextMessage {
        id: text,
        appointment: id,
        call: appointment.call,
        contact: appointment.contact,
        to_number: number.to_string(),
        from_number: carrier.text_number,
        body: wording(&tenant, language, appointment.start),
        carrier: carrier.kind,
        carrier_name: None,
        state: if fault.is_some() { TextState::Withheld } else { TextState::Waiting },
        fault,
        carrier_code: None,
        created_at: now,
        changed_at: now,
        version: 1,
    }))
}

/// What stands against a text message to a number.
fn refusal(tx: &Writing<'_>, number: &Number, now: Timestamp) -> Result<Option<TextFault>, Error> {
    if !outbound::known(tx)?.may_be_texted(number) {
        return Ok(Some(TextFault::Number));
    }
    let since = |age| now.saturating_sub(age).unwrap_or(now);
    let hour = tx.scan(Scan::index(schema::TEXTS_BY_TIME).from(since(HOUR)).limit(HOUR_MAX))?;
    let to = tx.lookup().number(&number.to_string());
    let day = tx.scan(Scan::index(schema::TEXTS_BY_NUMBER).prefix(to).from(since(DAY)).limit(NUMBER_DAY_MAX))?;
    let is_full = hour.items.len() >= HOUR_MAX || day.items.len() >= NUMBER_DAY_MAX;
    Ok(is_full.then_some(TextFault::Limit))
}

fn wording(tenant: &Tenant, language: Lang, start: Timestamp) -> String {
    let zone = TimeZone::get(&tenant.zone).unwrap_or(TimeZone::UTC);
    let when = phrases::spoken_when(start, &zone, language);
    phrases::say(Phrase::BookedText, language, &[("clinic", &tenant.name), ("when", &when)])
}

/// How a text message fares.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// The carrier's name of it, where it is told.
    pub(crate) name: Option<String>,
    /// Where it stands.
    pub(crate) state: TextState,
    /// Why it has not arrived, and the carrier's own code of that.
    pub(crate) fault: Option<(TextFault, Option<u32>)>,
}

/// Takes in how a text message fares. What says nothing new, or is about another message of the carrier's, changes nothing.
///
/// # Errors
/// When the store fails.
pub(crate) async fn note(events: &Events, op: OpId, id: TextId, news: News) -> Result<(), Error> {
    let now = events.now();
    let by = By { actor: Actor::System, cause: clock::fresh(CauseId::new, now) };
    let written = events.commit(op, by, move |tx| {
        let Some(mut text) = tx.get::<TextMessage>(&id)? else { return Ok(()) };
        let is_other = |name: &String| text.carrier_name.as_ref().is_some_and(|known| known != name);
        if news.name.as_ref().is_some_and(is_other) {
            return Ok(());
        }
        let is_named = text.carrier_name.is_none() && news.name.is_some();
        if is_named {
            text.carrier_name.clone_from(&news.name);
        }
        let fares = text.fares(news.state, news.fault, now);
        if fares || is_named {
            tx.put(&text)?;
        }
        if fares {
            tx.event(Event::TextChanged { text: id, state: text.state, call: text.call });
        }
        Ok(())
    });
    written.await
}

/// Those that were about to be handed over when the service went down: nobody knows whether they were.
///
/// # Errors
/// When the store fails.
pub(crate) async fn recover(app: &App) -> Result<(), Error> {
    let scan = Scan::index(schema::TEXTS_WAITING).limit(WAITING_MAX);
    let waiting: Vec<TextMessage> = app.store.read(|tx| Ok::<_, Error>(tx.scan(scan)?.items))?;
    for text in waiting {
        let news = News { name: None, state: TextState::Unsure, fault: Some((TextFault::Silent, None)) };
        note(&app.events, clock::op(), text.id, news).await?;
    }
    Ok(())
}
