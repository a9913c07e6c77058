//! `/metrics`: figures of the process, for Prometheus or as JSON (API-10).

use super::extract::Query;
use super::guard::ClientAddress;
use crate::app::App;
use crate::auth::permissions::ReadMetrics;
use crate::auth::{May, SignedIn};
use crate::error::{Error, ErrorCode};
use auricle_domain::code::TrunkState;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Where the process's figures are gathered. There is one recorder in a process, however many services run in it.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
/// Size of a page of memory on the machines we run on, in bytes.
const PAGE_BYTES: f64 = 4096.0;
/// A figure that nobody has set for so long is not shown any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// How often what was measured is summed up. Until then every single value of it is kept: fifty a second while anybody is on the telephone.
const SUMMED_UP_EVERY: Duration = Duration::from_secs(5);

/// A figure that is not set any more, such as that of a trunk that was removed, is forgotten.
fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new().idle_timeout(MetricKindMask::GAUGE, Some(FORGOTTEN_AFTER))
}

/// Begins to gather figures. Again: nothing.
pub(super) fn install() {
    RECORDER.get_or_init(|| match builder().install_recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "figures are gathered by somebody else in this process");
            None
        }
    });
}

/// Sums up what is measured until it is told to stop. Reading the figures does so as well, but it may be that nobody ever reads them.
pub(super) async fn keep(stop: CancellationToken) {
    if let Some(Some(handle)) = RECORDER.get() {
        sum_up(handle, stop).await;
    }
}

async fn sum_up(handle: &PrometheusHandle, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SUMMED_UP_EVERY) => handle.run_upkeep(),
        }
    }
}

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// In which form.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct MetricsQuery {
    /// `json`, or `prometheus`; by `Accept` unless told.
    #[serde(default)]
    format: Option<String>,
}

/// Figures of the process. From this machine itself no session is needed; from elsewhere a supervisor's.
#[utoipa::path(get, path = "/metrics", tag = "health", params(MetricsQuery),
    responses((status = 200, content_type = "text/plain", description = "Prometheus text format, or a JSON object of the same names")))]
async fn show(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    who: Option<Extension<SignedIn>>,
    headers: HeaderMap,
    Query(query): Query<MetricsQuery>,
) -> Result<Response, Error> {
    match who {
        Some(Extension(who)) => {
            May::<ReadMetrics>::check(who)?;
        }
        None if address.0.is_loopback() => {}
        None => return Err(Error::new(ErrorCode::Unauthenticated, "From another machine this needs a session")),
    }
    let accepts_json = || headers.get(ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let as_json = match query.format.as_deref() {
        Some("json") => true,
        Some("prometheus") => false,
        None => accepts_json(),
        Some(other) => {
            return Err(Error::field(
                "format",
                "unknown",
                format!("format is {other:?}, allowed are json and prometheus"),
            ));
        }
    };
    gauge(&app);
    let text = RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default();
    if as_json {
        return Ok(axum::Json(as_object(&text)).into_response());
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Figures that are looked up rather than counted.
fn gauge(app: &App) {
    let uptime = (app.clock)().duration_since(app.started_at);
    metrics::gauge!("auricle_uptime_seconds").set(uptime.as_secs_f64());
    metrics::gauge!("auricle_calls_live").set(app.floor.snapshot().len() as f64);
    metrics::gauge!("auricle_tasks_running").set(app.tasks.running() as f64);
    if let Some((last, age)) = super::health::last_backup(app) {
        metrics::gauge!("auricle_backup_verified_age_seconds").set(age.as_secs_f64());
        metrics::gauge!("auricle_backup_missing").set(last.missing.count as f64);
    }
    metrics::gauge!("auricle_disk_free_bytes").set(app.store.free_bytes() as f64);
    metrics::gauge!("auricle_disk_room").set(f64::from(app.store.room() as u8));
    metrics::gauge!("auricle_feed_head").set(app.store.head() as f64);
    metrics::gauge!("auricle_search_behind_events").set(app.store.head().saturating_sub(app.search.cursor()) as f64);
    for (trunk, status) in app.trunks.status().iter() {
        for state in TrunkState::ALL {
            let is_it = f64::from(u8::from(status.state == *state));
            metrics::gauge!("auricle_trunk_state", "trunk" => trunk.to_string(), "state" => state.as_str()).set(is_it);
        }
    }
    let (registered, silent) = app.phones.counted();
    metrics::gauge!("auricle_phones_registered").set(registered as f64);
    metrics::gauge!("auricle_phones_silent").set(silent.len() as f64);
    metrics::gauge!("auricle_sources_banned").set(app.voice.bans().now(Instant::now()).len() as f64);
    if let Some(pages) = resident_pages() {
        metrics::gauge!("auricle_memory_resident_bytes").set(pages * PAGE_BYTES);
    }
}

/// Pages of memory that the process really has (proc(5), `statm`).
fn resident_pages() -> Option<f64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()
}

/// The text format as an object: a number for a figure without labels, a list of `{labels, value}` for one with.
fn as_object(text: &str) -> Value {
    let mut object = Map::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        match key.split_once('{') {
            None => drop(object.insert(key.to_owned(), json!(value))),
            Some((name, labels)) => {
                let entry = json!({ "labels": labels_of(labels.trim_end_matches('}')), "value": value });
                match object.entry(name).or_insert_with(|| json!([])) {
                    Value::Array(list) => list.push(entry),
                    other => *other = json!([entry]),
                }
            }
        }
    }
    Value::Object(object)
}

/// `a="b",c="d"`. Our labels are codes and routes: no value has a quote in it.
fn labels_of(text: &str) -> Map<String, Value> {
    let pairs = text.split("\",").filter_map(|pair| pair.split_once("=\""));
    pairs.map(|(name, value)| (name.to_owned(), json!(value.trim_end_matches('"')))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// PERF-32: nothing of what was measured waits for a reader.
    #[tokio::test(start_paused = true)]
    async fn what_is_measured_is_summed_up_though_nobody_reads_it() {
        const VALUES: usize = 10_000;
        let recorder = builder().build_recorder();
        let (handle, stop) = (recorder.handle(), CancellationToken::new());
        // How many values a summary has taken in is shown nowhere else without summing up.
        let summed_up = |values: usize| format!("{handle:?}").contains(&format!("60s, count: {values} }}"));
        let (kept, told) = (handle.clone(), stop.clone());
        let keeping = tokio::spawn(async move { sum_up(&kept, told).await });
        for round in 1..=3 {
            metrics::with_local_recorder(&recorder, || {
                (0..VALUES).for_each(|_| metrics::histogram!("late_seconds").record(0.001));
            });
            assert!(!summed_up(round * VALUES), "they are kept one by one at first");
            tokio::time::sleep(SUMMED_UP_EVERY * 2).await;
            assert!(summed_up(round * VALUES), "{handle:?}");
        }
        stop.cancel();
        keeping.await.unwrap();
    }

    #[test]
    fn the_object_has_the_figures_of_the_text() {
        let text =
            "# TYPE a counter\na 3\n\nb{route=\"/api/x\",status=\"200\"} 1\nb{route=\"/api/y\",status=\"404\"} 2.5\n";
        let expected = json!({
            "a": 3.0,
            "b": [
                { "labels": { "route": "/api/x", "status": "200" }, "value": 1.0 },
                { "labels": { "route": "/api/y", "status": "404" }, "value": 2.5 },
            ],
        });
        assert_eq!(as_object(text), expected);
    }
}
