//! `/health`: whether the service is up, alive, and ready for callers (API-09).

use crate::app::App;
use crate::backups::Last;
use crate::clinic;
use crate::config::{Config, SttKind};
use crate::providers::SttState;
use crate::voice::carrierstanding::Down;
use auricle_domain::Timestamp;
use auricle_domain::code::{CarrierKind, TrunkState};
use auricle_storage::Room;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Events that the search index may be behind and still count as working.
const BEHIND_MAX: u64 = 1_000;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(api_health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// That the service is up, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// `production`, `staging`, `development` or `demo`, as configured.
    pub environment: String,
    /// Version of the program.
    pub version: String,
}

/// Parts without which callers are still helped: what is wrong with them degrades the service, no more.
const OTHERS: [&str; 4] = ["trunks", "carriers", "phones", "callers"];

/// Whether callers can be helped, part by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `ok`; `degraded` while only `trunks`, `carriers`, `phones` or `callers` are not, with status 200; `unavailable` while any other part is not.
    pub status: String,
    /// The parts.
    pub checks: Vec<Check>,
}

/// One part of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// `store`, `search`, `voice`, `speech`, `disk`, `backup`, `trunks`, `carriers`, `phones` or `callers`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// In words.
    pub detail: String,
}

/// That the service is up, and since when.
#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn health(State(app): State<Arc<App>>) -> axum::Json<Health> {
    axum::Json(state(&app))
}

/// The same under the API's prefix.
#[utoipa::path(get, path = "/api/health", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn api_health(State(app): State<Arc<App>>) -> axum::Json<Health> {
    axum::Json(state(&app))
}

/// That the process answers at all, for supervisors that restart it.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 204, description = "It lives")))]
async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Whether callers can be helped now.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "A part does not work")))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, axum::Json<Readiness>) {
    let checks = [store, search, voice, speech, disk, backup, trunks, carriers, phones, callers]
        .map(|check| check(&app))
        .to_vec();
    let failed = |check: &Check| !check.ok && !OTHERS.contains(&check.name.as_str());
    let (code, status) = if checks.iter().any(failed) {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    } else {
        (StatusCode::OK, if checks.iter().all(|check| check.ok) { "ok" } else { "degraded" })
    };
    (code, axum::Json(Readiness { status: status.to_owned(), checks }))
}

fn state(app: &App) -> Health {
    let timestamp = (app.clock)();
    Health {
        status: "ok".to_owned(),
        timestamp,
        uptime_s: u64::try_from(timestamp.duration_since(app.started_at).as_secs()).unwrap_or(0),
        environment: app.config.server.environment.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), ok, detail: detail.into() }
}

fn store(app: &App) -> Check {
    match app.store.read(clinic::known) {
        Ok(_) => check("store", true, format!("{} events", app.store.head())),
        Err(_) => check("store", false, "the clinic's records cannot be read"),
    }
}

/// Hours that a backup of the schedule may be late before somebody should look.
const BACKUP_LATE_HOURS: i64 = 2;

fn backup(app: &App) -> Check {
    let schedule = &app.config.backup;
    if schedule.directory.is_none() {
        return check("backup", true, "no backups are made by a schedule, as configured");
    }
    let Some((last, age)) = last_backup(app) else {
        // A new clinic has some hours to make its first.
        let is_new = (app.clock)().duration_since(app.started_at).as_hours() < BACKUP_LATE_HOURS;
        return check("backup", is_new, "none was made and verified yet");
    };
    let allowed = i64::from(schedule.every_hours) + BACKUP_LATE_HOURS;
    let lost = match last.missing.count {
        0 => String::new(),
        count => format!("; {count} things were lost on the disk before it and are not in it"),
    };
    let detail = format!("verified {} hours ago, allowed are {allowed}{lost}", age.as_hours());
    check("backup", age.as_hours() < allowed, detail)
}

/// The last backup that was made and verified, and how long ago that was.
pub(super) fn last_backup(app: &App) -> Option<(Last, SignedDuration)> {
    let last = crate::backups::last(&app.config.storage.directory)?;
    let age = (app.clock)().duration_since(last.at);
    Some((last, age))
}

fn disk(app: &App) -> Check {
    let (room, free_mib) = (app.store.room(), app.store.free_bytes() >> 20);
    let detail = match room {
        Room::Enough => format!("{free_mib} MiB free"),
        Room::Low => format!("{free_mib} MiB free: new calls are not recorded"),
        Room::Full => format!("{free_mib} MiB free: only what calls and sign-in need is written"),
        Room::None => format!("{free_mib} MiB free: nothing is written"),
    };
    check("disk", room == Room::Enough, detail)
}

fn search(app: &App) -> Check {
    let behind = app.store.head().saturating_sub(app.search.cursor());
    check("search", behind <= BEHIND_MAX, format!("{behind} events behind, allowed are {BEHIND_MAX}"))
}

fn voice(app: &App) -> Check {
    let running = app.voice.is_running();
    check("voice", running, if running { "calls are taken" } else { "the media thread has stopped" })
}

/// Trunks that are switched on and do not take calls, by id: a name may say whose they are.
fn trunks(app: &App) -> Check {
    let status = app.trunks.status();
    let on = status.iter().filter(|(_, status)| status.state != TrunkState::Off);
    let (up, other): (Vec<_>, Vec<_>) =
        on.partition(|(_, status)| matches!(status.state, TrunkState::Up | TrunkState::Degraded));
    let named = other.iter().map(|(id, status)| match status.fault {
        Some(fault) => format!("{id} is {} ({fault})", status.state),
        None => format!("{id} is {}", status.state),
    });
    let detail = [format!("{} of {} take calls", up.len(), up.len() + other.len())].into_iter().chain(named);
    check("trunks", other.is_empty(), detail.collect::<Vec<_>>().join("; "))
}

/// Carriers that calls are not sent to, as their API fails or does not know us.
fn carriers(app: &App) -> Check {
    let now = Instant::now();
    let down = CarrierKind::ALL.iter().filter_map(|kind| Some((kind, app.carriers.standing.down(*kind, now)?)));
    let named = down.map(|(kind, down)| match down {
        Down::Failing => format!("{kind} does not answer"),
        Down::Refused => format!("{kind} does not accept the account's keys"),
    });
    let detail = named.collect::<Vec<_>>().join("; ");
    check(
        "carriers",
        detail.is_empty(),
        if detail.is_empty() { "nothing is known against them".to_owned() } else { detail },
    )
}

/// Who may ring us, where the internet sees this machine and nobody has thought about it: whoever is in a private network beside it, as in
/// a provider's data centre, is heard as a caller.
fn callers(app: &App) -> Check {
    let is_usual = app.config.sip.allow == Config::defaults().sip.allow;
    match app.voice.public_address().filter(|_| is_usual) {
        None => check("callers", true, "who may ring without a trunk is as configured"),
        Some(_) => check(
            "callers",
            false,
            "this machine has a public address, and sip.allow still has all private networks: name those of the clinic, or none",
        ),
    }
}

/// Phones that are registered and do not answer anywhere. One that is away may have been switched off for the night.
fn phones(app: &App) -> Check {
    let (registered, silent) = app.phones.counted();
    let named = silent.iter().map(|id| format!("{id} does not answer"));
    let detail = [format!("{registered} registered")].into_iter().chain(named).collect::<Vec<_>>();
    check("phones", silent.is_empty(), detail.join("; "))
}

fn speech(app: &App) -> Check {
    match (&app.desk.stt, app.config.speech.stt) {
        (Some(stt), _) => match stt.state() {
            SttState::Ready => check("speech", true, format!("{} listens, {} speaks", stt.name(), app.desk.tts.name())),
            SttState::Loading => check(
                "speech",
                false,
                format!("{} is still being loaded: callers are greeted, and heard then", stt.name()),
            ),
            SttState::Failed(reason) => check("speech", false, format!("nobody understands callers: {reason}")),
        },
        (None, SttKind::None) => check("speech", true, "callers are greeted and recorded, as configured"),
        (None, _) => check("speech", false, "nobody understands callers: the recogniser is missing"),
    }
}
