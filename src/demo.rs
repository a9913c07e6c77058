//! `auricle demo`: a sample clinic in a temporary folder, and three callers who ring it over real SIP and RTP.

mod callers;
mod clinic;

use crate::cli::{Failure, Signals, texts};
use auricle::app::{Options, Running};
use auricle::config::{Config, Environment};
use auricle::log;
use auricle::providers::Vocabulary;
use auricle_domain::code::Lang;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// How long calls that visitors placed may go on when the demo ends.
const CALLS_GRACE: Duration = Duration::from_secs(2);
/// Audio ports of the sample clinic; `auricle call` and the callers use others.
const RTP_PORTS: u16 = 200;

/// Runs the demo; with `once` it ends after the three calls.
pub(crate) async fn run(once: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("auricle-demo-").tempdir()?;
    let config = config(folder.path());
    let _log = log::start(&config.log)?;
    let mut signals = Signals::new()?;
    let running = Running::start(config, Options::default()).await.map_err(Failure::failed)?;
    let shown = tokio::select! {
        shown = show(&running, folder.path(), out) => shown,
        () = signals.next() => Err(Failure::failed(texts::DEMO_INTERRUPTED)),
    };
    if shown.is_ok() && !once {
        writeln!(out, "\n{}", texts::DEMO_STAYS)?;
        out.flush()?;
        signals.next().await;
    }
    running.stop(CALLS_GRACE).await;
    match shown? {
        true => Ok(()),
        false if once => Err(Failure::failed(texts::DEMO_FAILED)),
        false => Ok(()),
    }
}

/// Fills the clinic, introduces it, lets the callers ring. True when all of them were helped as they should be.
async fn show(running: &Running, folder: &Path, out: &mut dyn Write) -> Result<bool, Failure> {
    let (people, admin) = clinic::open(&running.app).await?;
    writeln!(out, "{}\n", texts::DEMO_WELCOME)?;
    writeln!(out, "  web     http://{}", running.web_addr)?;
    writeln!(out, "  phone   sip:clinic@{}", running.app.voice.sip_addr())?;
    writeln!(out, "  folder  {}\n", folder.display())?;
    for person in &people {
        writeln!(out, "  {:<26} {:<24} {}", person.email, person.password, person.role)?;
    }
    writeln!(out)?;
    out.flush()?;
    learn(running).await;
    callers::ring(running, admin, folder, out).await
}

/// The recogniser learns the words of the clinic that has just been filled before anybody calls: a visitor should not wait for it.
async fn learn(running: &Running) {
    let desk = &running.app.desk;
    let phrases = desk.tools.vocabulary(Lang::En).await.unwrap_or_else(|_| Vocabulary::default().into());
    if let Some(stt) = &desk.stt {
        // Without a recogniser the calls themselves will tell.
        let _session = stt.listen(auricle::providers::SttOptions { language: Lang::En, phrases }).await;
    }
}

/// Everything on the loopback, on free ports, in the folder.
fn config(folder: &Path) -> Config {
    let mut config = Config::defaults();
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let first = 30_000 + rand::random_range(0..40) * RTP_PORTS;
    config.server.listen = free_port;
    config.server.environment = Environment::Development;
    config.sip.listen = free_port;
    config.webrtc.listen = Some(free_port);
    config.sip.rtp_ports = first..=first + RTP_PORTS - 1;
    config.sip.calls_max = usize::from(RTP_PORTS) / 4;
    config.storage.directory = folder.join("clinic");
    config.log.directory = Some(folder.join("log"));
    config
}
