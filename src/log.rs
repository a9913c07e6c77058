//! Structured logs: one JSON object a line, with the correlation id of the piece of work, without personal data.

use crate::config::LogConfig;
use std::io;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Daily files that are kept.
const FILES_MAX: usize = 14;

/// Starts logging for the whole process. What waits is written when the guard is dropped.
///
/// Lines that would wait for a slow disk are dropped rather than hold up a call.
///
/// # Errors
/// When the folder of log files cannot be used.
pub fn start(config: &LogConfig) -> io::Result<WorkerGuard> {
    let (writer, guard) = match &config.directory {
        None => tracing_appender::non_blocking(io::stderr()),
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            let files = Builder::new()
                .rotation(Rotation::DAILY)
                .filename_prefix("auricle")
                .filename_suffix("log")
                .max_log_files(FILES_MAX)
                .build(directory)
                .map_err(io::Error::other)?;
            tracing_appender::non_blocking(files)
        }
    };
    // Libraries speak of their own concerns below a warning; what they know of a request may be about a person.
    let levels = Targets::new()
        .with_default(tracing::Level::WARN)
        .with_targets(OURS.map(|target| (target, config.level)))
        .with_targets(BROWSERS.map(|target| (target, tracing::Level::ERROR)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    // A second start in one process (tests) keeps the first.
    let _already_started = tracing_subscriber::registry().with(levels).with(lines).try_init();
    log_panics();
    Ok(guard)
}

/// What these warn of is what a browser has sent: whoever speaks from one could fill the log with it.
const BROWSERS: [&str; 4] = ["str0m", "is", "dimpl", "sctp_proto"];
const OURS: [&str; 4] = ["auricle", "auricle_media", "auricle_storage", "auricle_domain"];

/// A panic is a line like any other. Its message may hold what a caller said, so only its place is written.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(place, thread, "panic");
    }));
}
