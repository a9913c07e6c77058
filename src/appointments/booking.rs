//! Booking within a conversation: a slot is held, then confirmed, each in one transaction (B-10).

use super::{fresh, known, offered, overlaps_none, put};
use crate::clock;
use crate::contacts;
use crate::error::{Error, ErrorCode};
use crate::events::{By, Events, Writing};
use crate::voice::tools::Scope;
use auricle_domain::appointment::{Appointment, Slot};
use auricle_domain::call::Call;
use auricle_domain::code::AppointmentStatus;
use auricle_domain::conversation::Conversation;
use auricle_domain::id::{AppointmentId, ContactId, ConversationId};
use auricle_domain::slots::is_busy;
use auricle_storage::{ReadTx, Scan, schema};
use jiff::SignedDuration;

/// How long a slot is held for a caller who thinks.
pub(crate) const HOLD_FOR: SignedDuration = SignedDuration::from_secs(120);
/// Appointments of one conversation, held or booked: enough for a family, too few to fill a calendar.
const OF_CONVERSATION_MAX: usize = 10;

/// Holds a slot for a conversation. The same slot held again keeps its identity, and its time begins anew.
///
/// # Errors
/// `slot_taken`; `conflict` when the conversation has too many already.
pub(crate) async fn hold(events: &Events, by: By, scope: Scope, slot: Slot) -> Result<AppointmentId, Error> {
    let now = events.now();
    let id = clock::fresh(AppointmentId::new, now);
    let held = events.commit(clock::op(), by, move |tx| {
        let mut own = of_conversation(tx, scope.conversation)?;
        own.retain(|appointment| is_busy(appointment, now));
        if let Some(same) = own.iter().find(|other| other.service == slot.service && other.start == slot.start) {
            if same.status != AppointmentStatus::Proposed {
                return Ok(same.id);
            }
            return Ok(put(tx, Appointment { held_until: Some(now + HOLD_FOR), ..same.clone() })?.id);
        }
        if own.len() >= OF_CONVERSATION_MAX {
            return Err(Error::new(
                ErrorCode::Conflict,
                format!("A conversation holds and books {OF_CONVERSATION_MAX} slots at most"),
            ));
        }
        let (service, slot) = offered(tx, slot.service, slot.start, now)?;
        let held = Appointment {
            held_until: Some(now + HOLD_FOR),
            call: Some(scope.call),
            conversation: Some(scope.conversation),
            ..fresh(id, &service, &slot, now)
        };
        Ok(put(tx, held)?.id)
    });
    held.await
}

/// Books a held slot. Confirming again gives the same appointment. A hold whose time has run out is booked as long as nobody
/// else has the time.
///
/// # Errors
/// `not_found` when the conversation holds no such slot (any more), `slot_taken`.
pub(crate) async fn confirm(
    events: &Events,
    by: By,
    scope: Scope,
    id: AppointmentId,
    name: String,
    number: String,
) -> Result<Appointment, Error> {
    let now = events.now();
    let contact = clock::fresh(ContactId::new, now);
    let booked = events.commit(clock::op(), by, move |tx| {
        let appointment = held_by(tx, scope.conversation, id)?;
        match appointment.status {
            AppointmentStatus::Proposed => {}
            AppointmentStatus::Booked => return Ok(appointment),
            _ => return Err(gone()),
        }
        if appointment.start <= now {
            return Err(gone());
        }
        overlaps_none(tx, &appointment, now)?;
        let contact = contacts::with_number(tx, contact, &name, &number)?.map(|contact| contact.id);
        introduce(tx, scope, contact, &number)?;
        put(
            tx,
            Appointment {
                status: AppointmentStatus::Booked,
                held_until: None,
                contact,
                patient_name: name.clone(),
                patient_number: number.clone(),
                ..appointment
            },
        )
    });
    booked.await
}

/// Who rang is known once a caller has given a name with the number that they ring from.
fn introduce(tx: &mut Writing<'_>, scope: Scope, contact: Option<ContactId>, number: &str) -> Result<(), Error> {
    let Some(mut call) = tx.get::<Call>(&scope.call)? else { return Ok(()) };
    if call.contact.is_some() || call.from_number != number {
        return Ok(());
    }
    call.contact = contact;
    call.version += 1;
    tx.put(&call)?;
    if let Some(mut conversation) = tx.get::<Conversation>(&scope.conversation)? {
        conversation.contact = contact;
        conversation.version += 1;
        tx.put(&conversation)?;
    }
    Ok(())
}

/// Gives a held slot back. What is booked stays booked; what is gone is gone.
///
/// # Errors
/// When the store cannot be reached.
pub(crate) async fn release(events: &Events, by: By, scope: Scope, id: AppointmentId) -> Result<(), Error> {
    let released = events.commit(clock::op(), by, move |tx| {
        match held_by(tx, scope.conversation, id) {
            Ok(appointment) if appointment.status == AppointmentStatus::Proposed => {
                put(tx, Appointment { status: AppointmentStatus::Cancelled, held_until: None, ..appointment })?;
            }
            Ok(_) => {}
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    });
    released.await
}

fn of_conversation(tx: &ReadTx, conversation: ConversationId) -> Result<Vec<Appointment>, Error> {
    // Holds that were let go stay in the index: they are read over, a caller makes few of them.
    Ok(tx.scan(Scan::index(schema::APPOINTMENTS_BY_CONVERSATION).prefix(conversation).limit(500))?.items)
}

fn held_by(tx: &ReadTx, conversation: ConversationId, id: AppointmentId) -> Result<Appointment, Error> {
    let appointment = known(tx, id)?;
    if appointment.conversation == Some(conversation) { Ok(appointment) } else { Err(gone()) }
}

fn gone() -> Error {
    Error::new(ErrorCode::NotFound, "This conversation holds no such slot")
}
