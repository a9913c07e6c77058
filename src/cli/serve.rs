//! `auricle serve`.

use super::{Failure, block_on, texts};
use auricle::app::{Options, Running};
use auricle::config::Config;
use auricle::log;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::Write;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long calls that are on may go on when the service is told to stop.
const CALLS_GRACE: Duration = Duration::from_secs(120);

pub(super) fn serve(config: Config, out: &mut dyn Write) -> Result<(), Failure> {
    let _log = log::start(&config.log)
        .map_err(|error| Failure::Failed(format!("cannot write logs (log.directory): {error}")))?;
    raise_open_files();
    block_on(async {
        let mut signals = Signals::new()?;
        let running = Running::start(config, Options::default()).await.map_err(Failure::failed)?;
        if running.is_without_accounts {
            writeln!(out, "{}", texts::NO_ADMINISTRATOR)?;
        }
        writeln!(out, "Web   http://{}", running.web_addr)?;
        writeln!(out, "SIP   {} (UDP)", running.app.voice.sip_addr())?;
        out.flush()?;
        signals.next().await;
        writeln!(out, "{}", texts::DRAINING)?;
        out.flush()?;
        tokio::select! {
            () = running.stop(CALLS_GRACE) => writeln!(out, "{}", texts::STOPPED)?,
            () = signals.next() => tracing::warn!("told to stop twice: ending at once"),
        }
        Ok(())
    })
}

/// SIGTERM and SIGINT, which mean the same.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the system's default, which is to end at once.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Asks for as many open files as the machine allows: each call has two sockets, each piece of the search index a file, and the
/// customary 1,024 are meant for programs that know no better.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the number of open files could not be raised");
    }
}
