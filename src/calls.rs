//! Calls, past and live: what is shown of them. Placing and handling them is in `placing`, calls of several people in
//! `supervising`, whether one is on in `standing`.

mod dialling;
mod placing;
mod standing;
mod supervising;

pub use dialling::{Dialling, dialling};
pub use placing::{
    DtmfInput, PlaceInput, Placed, PlacedStatus, TransferInput, answer, decline, dtmf, hang_up, hold, mask, mute,
    place, transfer,
};

pub use supervising::{coach, confer, join, remove, take_over};

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadCalls;
use crate::error::Error;
use crate::page::{self, Page};
use crate::reasons::{self, Part};
use auricle_domain::Timestamp;
use auricle_domain::account::Account;
use auricle_domain::call::{Call, Entrance};
use auricle_domain::code::{CallDirection, CallStatus, EntranceKind, Outcome};
use auricle_domain::contact::Contact;
use auricle_domain::conversation::{Conversation, Turn};
use auricle_domain::id::{AccountId, CallId, TrunkId};
use auricle_domain::live::LiveCall;
use auricle_domain::phone::Phone;
use auricle_domain::tenant::Tenant;
use auricle_domain::trunk::Trunk;
use auricle_storage::schema::{CALLS_BY_TIME, TURNS_BY_CALL};
use auricle_storage::{Cursor, ReadTx, Scan};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// Calls that a filtered list looks at for one page; a page may end earlier, `next` goes on.
const LOOKED_AT_MAX: usize = 2_000;
/// Turns of one call that are read at once.
const TURNS_PAGE: usize = 900;
/// Turns of one call that are shown at most: more than a day of talking.
const TURNS_MAX: usize = 20_000;
/// Last words in a list, in characters.
const WORDS_CHARS_MAX: usize = 200;
/// Figures are counted again after this long, even when nothing has changed (CALL-03).
const STATS_AGE_S_MAX: i64 = 300;

/// Which calls; newest first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CallQuery {
    /// In this status alone.
    #[serde(default)]
    #[param(inline)]
    pub status: Option<CallStatus>,
    /// With this outcome alone.
    #[serde(default)]
    #[param(inline)]
    pub outcome: Option<Outcome>,
    /// Going this way alone.
    #[serde(default)]
    #[param(inline)]
    pub direction: Option<CallDirection>,
    /// That came by such a way alone, or were placed from there.
    #[serde(default)]
    #[param(inline)]
    pub entrance: Option<EntranceKind>,
    /// That came by this trunk alone.
    #[serde(default)]
    pub trunk: Option<TrunkId>,
    /// Handled by this member of staff alone.
    #[serde(default)]
    pub agent: Option<AccountId>,
    /// Arrived at or after.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Arrived before.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// `next` of the page before; none for the first page.
    #[serde(default)]
    pub after: Option<String>,
    /// Items of a page, 1 to 200; 50 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// A call as lists and pages show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallView {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// The name of whoever is outside, once known.
    pub contact_name: Option<String>,
    /// The name of the member of staff on it.
    pub agent_name: Option<String>,
    /// The names of those in `quality.staff`, in its order; none where that is nobody's telephone, or the account is gone.
    pub staff_names: Vec<Option<String>>,
    /// What the trunk or telephone of `entrance` is called now; none where it is neither, or is gone.
    pub entrance_name: Option<String>,
    /// From answer to end, or to now; in milliseconds.
    pub duration_ms: u64,
    /// The last thing said, cut to 200 characters; empty where nothing was said yet, and where the clinic asks why transcripts are read.
    pub last_words: String,
}

/// The calls that are on now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveCalls {
    /// The calls, oldest first.
    pub items: Vec<LiveCall>,
    /// When this was so.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Number of the newest event at that time.
    pub seq: u64,
}

/// Figures of calls (CALL-03).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallStats {
    /// Of today, from midnight in the clinic's zone.
    pub today: DayStats,
    /// Calls that are on now.
    pub live: u32,
    /// When `today` was counted; counted again when calls have changed since, every five minutes otherwise.
    #[schema(value_type = String, format = DateTime)]
    pub cached_at: Timestamp,
}

/// Figures of one day's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DayStats {
    /// Arrived.
    pub calls: u32,
    /// Answered.
    pub answered: u32,
    /// Came to an answered question.
    pub answered_question: u32,
    /// Came to a booking.
    pub booked: u32,
    /// Came to a message.
    pub message_taken: u32,
    /// Came to an emergency.
    pub emergency: u32,
    /// Given up by the caller.
    pub abandoned: u32,
}

/// What was said in a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Turns {
    /// The turns, in order.
    pub items: Vec<Turn>,
}

/// Today's figures as last counted.
#[derive(Debug, Default)]
pub struct StatsCache(Mutex<Option<Counted>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    today: DayStats,
    at: Timestamp,
    changes: u64,
    midnight: Timestamp,
}

/// Calls, newest first.
///
/// # Errors
/// `invalid` for a limit or cursor that is none.
pub fn list(app: &App, may: &May<ReadCalls>, query: &CallQuery) -> Result<Page<CallView>, Error> {
    let limit = page::limit_of(query.limit, page::LIMIT_DEFAULT, page::LIMIT_MAX)?;
    let after = query.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    app.store.read(|tx| {
        let (calls, next) = matching(tx, query, after.clone(), limit)?;
        let (now, asks, reader) = ((app.clock)(), reasons::asked(tx)?, may.who().account);
        let shown = |call: Call| view(tx, reasons::shows_words(asks, &call, reader), call, now);
        let items = calls.into_iter().map(shown).collect::<Result<_, Error>>()?;
        Ok(Page { items, next: next.map(|cursor| cursor.to_string()) })
    })
}

/// Walks down the calls until a page is full, the list ends, or enough has been looked at.
fn matching(
    tx: &ReadTx,
    query: &CallQuery,
    mut after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Call>, Option<Cursor>), Error> {
    let wanted = |call: &Call| {
        query.status.is_none_or(|status| call.status == status)
            && query.outcome.is_none_or(|it| call.outcome == Some(it))
            && query.direction.is_none_or(|it| call.direction == it)
            && query.entrance.is_none_or(|kind| call.entrance.is_some_and(|it| it.kind == kind))
            && query.trunk.is_none_or(|trunk| call.entrance.is_some_and(|it| it.trunk == Some(trunk)))
            && query.agent.is_none_or(|it| call.agent == Some(it))
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let mut scan = Scan::index(CALLS_BY_TIME).newest_first().after(after).limit(limit - found.len());
        if let Some(from) = query.from {
            scan = scan.from(from);
        }
        if let Some(to) = query.to {
            scan = scan.to(to);
        }
        let page = tx.scan(scan)?;
        looked_at += page.items.len();
        found.extend(page.items.into_iter().filter(wanted));
        after = page.next;
        if after.is_none() || found.len() >= limit || looked_at >= LOOKED_AT_MAX {
            return Ok((found, after));
        }
    }
}

/// A call as it is shown, with or without its last words.
fn view(tx: &ReadTx, with_words: bool, call: Call, now: Timestamp) -> Result<CallView, Error> {
    let contact_name = match call.contact {
        Some(contact) => tx.get::<Contact>(&contact)?.map(|contact| contact.name).filter(|name| !name.is_empty()),
        None => None,
    };
    let name = |account: Option<AccountId>| -> Result<Option<String>, Error> {
        let account = account.map(|account| tx.get::<Account>(&account)).transpose()?.flatten();
        Ok(account.map(|account| account.name))
    };
    let agent_name = name(call.agent)?;
    let staff_names = call.quality.staff.iter().map(|person| name(person.account)).collect::<Result<_, Error>>()?;
    let conversation = if with_words { tx.get::<Conversation>(&call.conversation)? } else { None };
    let last = conversation.and_then(|it| it.turns.checked_sub(1));
    let last_words = match last {
        Some(index) => tx.get::<Turn>(&(call.conversation, index))?.map(|turn| turn.text).unwrap_or_default(),
        None => String::new(),
    };
    let last_words = last_words.chars().take(WORDS_CHARS_MAX).collect();
    let entrance_name = name_of(tx, call.entrance)?;
    let duration_ms = call.talk_ms(now);
    Ok(CallView { duration_ms, contact_name, agent_name, staff_names, entrance_name, last_words, call })
}

/// What the trunk or telephone is called that a call came by, or was placed from.
fn name_of(tx: &ReadTx, entrance: Option<Entrance>) -> Result<Option<String>, Error> {
    match entrance {
        Some(Entrance { trunk: Some(trunk), .. }) => Ok(tx.get::<Trunk>(&trunk)?.map(|trunk| trunk.name)),
        Some(Entrance { phone: Some(phone), .. }) => Ok(tx.get::<Phone>(&phone)?.map(|phone| phone.label)),
        _ => Ok(None),
    }
}

/// One call; that it was read is noted.
///
/// # Errors
/// `not_found`.
pub async fn get(app: &App, may: &May<ReadCalls>, id: CallId) -> Result<CallView, Error> {
    let now = (app.clock)();
    let view = app.store.read(|tx| {
        let call = known(tx, id)?;
        let with_words = reasons::shows_words(reasons::asked(tx)?, &call, may.who().account);
        view(tx, with_words, call, now)
    })?;
    app.events.record_read(may.reading(), "call", id).await?;
    Ok(view)
}

/// What was said in a call so far, in order; that it was read is noted.
///
/// # Errors
/// `not_found`; `reason_required` of a past call, where the clinic asks why.
pub async fn turns(app: &App, may: &May<ReadCalls>, id: CallId) -> Result<Turns, Error> {
    let (call, items) = app.store.read(|tx| Ok::<_, Error>((known(tx, id)?, said_in(tx, id)?)))?;
    let reading = reasons::reading(app, may, &call, Part::Transcript)?;
    app.events.record_read(reading, "transcript", id).await?;
    Ok(Turns { items })
}

/// Everything said in a call, in order.
///
/// # Errors
/// When the store cannot be reached.
pub fn said_in(tx: &ReadTx, call: CallId) -> Result<Vec<Turn>, Error> {
    let (mut turns, mut after) = (Vec::new(), None);
    loop {
        let page = tx.scan(Scan::index(TURNS_BY_CALL).prefix(call).after(after).limit(TURNS_PAGE))?;
        turns.extend(page.items);
        after = page.next;
        if after.is_none() || turns.len() >= TURNS_MAX {
            return Ok(turns);
        }
    }
}

/// The call with this id.
///
/// # Errors
/// `not_found`.
pub fn known(tx: &ReadTx, id: CallId) -> Result<Call, Error> {
    tx.get::<Call>(&id)?.ok_or_else(|| Error::not_found("call"))
}

/// The calls that are on now.
pub fn live(app: &App, _may: &May<ReadCalls>) -> LiveCalls {
    // The number first: events of calls that the picture already shows are harmless, missing ones would not be.
    let seq = *app.events.watch().borrow();
    LiveCalls { items: app.floor.snapshot().to_vec(), at: (app.clock)(), seq }
}

/// Today's figures, and how many calls are on (CALL-03).
///
/// # Errors
/// When the store cannot be reached.
pub fn stats(app: &App, _may: &May<ReadCalls>) -> Result<CallStats, Error> {
    let now = (app.clock)();
    let live = u32::try_from(app.floor.snapshot().len()).unwrap_or(u32::MAX);
    let changes = app.floor.changes();
    let midnight = app.store.read(|tx| midnight(tx, now))?;
    let mut cache = app.stats.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = match *cache {
        Some(counted)
            if counted.changes == changes
                && counted.midnight == midnight
                && now.as_second() - counted.at.as_second() < STATS_AGE_S_MAX =>
        {
            counted
        }
        _ => Counted { today: app.store.read(|tx| count(tx, midnight))?, at: now, changes, midnight },
    };
    *cache = Some(counted);
    Ok(CallStats { today: counted.today, live, cached_at: counted.at })
}

/// When the clinic's present day began; UTC's day when its zone is not known on this machine.
fn midnight(tx: &ReadTx, now: Timestamp) -> Result<Timestamp, Error> {
    let tenant = tx.get::<Tenant>(&tx.tenant())?;
    let zone = tenant.and_then(|tenant| TimeZone::get(&tenant.zone).ok()).unwrap_or(TimeZone::UTC);
    Ok(now.to_zoned(zone).start_of_day().map_or(now, |midnight| midnight.timestamp()))
}

fn count(tx: &ReadTx, from: Timestamp) -> Result<DayStats, Error> {
    let (mut day, mut after) = (DayStats::default(), None);
    loop {
        let page = tx.scan(Scan::index(CALLS_BY_TIME).from(from).after(after).limit(TURNS_PAGE))?;
        for call in page.items.iter().filter(|call| call.direction == CallDirection::Incoming) {
            day.calls += 1;
            day.answered += u32::from(call.answered_at.is_some());
            match call.outcome {
                Some(Outcome::AnsweredQuestion) => day.answered_question += 1,
                Some(Outcome::Booked) => day.booked += 1,
                Some(Outcome::MessageTaken | Outcome::Voicemail) => day.message_taken += 1,
                Some(Outcome::Emergency) => day.emergency += 1,
                Some(Outcome::Abandoned) => day.abandoned += 1,
                Some(Outcome::Transferred | Outcome::Failed) | None => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(day);
        }
    }
}
