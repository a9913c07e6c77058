//! The whole program in the test's own process, on free ports of the loopback, with a store in a temporary folder.

use super::ports;
use auricle::app::{App, Options, Running, Speech};
use auricle::clock;
use auricle::config::{Config, Environment};
use auricle::events::By;
use auricle::providers::{ProviderError, Stt, Tts};
use auricle::voice::caller::CallScript;
use auricle_domain::account::Actor;
use auricle_domain::call::Call;
use auricle_domain::code::{CallStatus, Lang};
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::{AccountId, CallId, CauseId};
use auricle_media::io::{Pcm, Rate};
use auricle_storage::{Backend, Hooks, Scan, schema::CALLS_BY_TIME};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::f64::consts::TAU;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before the test is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a caller hears nothing before it takes the far end for finished: a machine that stands still in the middle of a
/// greeting must not pass for its end.
pub const QUIET: Duration = Duration::from_secs(6);

/// Audio ports of one program.
const RTP_PORTS: u16 = 40;

/// A voice that hums: 60 ms of a tone for each character, so that every text has a length and a sound.
pub struct Hum;

impl Tts for Hum {
    fn name(&self) -> &'static str {
        "hum"
    }

    fn languages(&self) -> &[Lang] {
        Lang::ALL
    }

    fn speak(&self, text: &str, _language: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
        let length = text.chars().count().min(40) * 960;
        let wave = |at: usize| ((at as f64 * TAU * 220.0 / 16_000.0).sin() * 9_000.0) as i16;
        let samples: Vec<i16> = (0..length).map(wave).collect();
        stream::iter([Ok(Pcm { rate: Rate::Hz16000, samples: samples.into() })]).boxed()
    }
}

/// A clinic that runs.
pub struct Clinic {
    pub running: Running,
    folder: Option<TempDir>,
}

/// A configuration for tests: loopback, free ports, this folder.
pub fn config(folder: &Path) -> Config {
    let mut config = Config::defaults();
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.server.listen = free_port;
    config.server.environment = Environment::Development;
    config.sip.listen = free_port;
    config.webrtc.listen = Some(free_port);
    config.sip.rtp_ports = ports::free(RTP_PORTS);
    config.sip.calls_max = 8;
    config.storage.directory = folder.to_owned();
    config.storage.key_file = Some(folder.join("store.key"));
    config
}

impl Clinic {
    /// Opens a fresh one that hums, and listens with `stt`.
    pub async fn open(backend: Backend, stt: Option<Arc<dyn Stt>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut clinic = Self::open_in(folder.path(), backend, stt).await;
        clinic.folder = Some(folder);
        clinic
    }

    /// Opens the one in this folder.
    pub async fn open_in(folder: &Path, backend: Backend, stt: Option<Arc<dyn Stt>>) -> Self {
        Self::open_with(folder, backend, stt, Hooks::default()).await
    }

    /// The same, with a store that behaves at its limits as told.
    pub async fn open_with(folder: &Path, backend: Backend, stt: Option<Arc<dyn Stt>>, hooks: Hooks) -> Self {
        let speech = Some(Speech { stt, tts: Arc::new(Hum), llm: None });
        let options = Options { backend, speech, clock: clock::system, hooks };
        Self { running: Running::start(config(folder), options).await.unwrap(), folder: None }
    }

    /// Opens one that hums, configured so.
    pub async fn open_as(config: Config) -> Self {
        let speech = Some(Speech { stt: None, tts: Arc::new(Hum), llm: None });
        let options = Options { backend: Backend::Redb, speech, clock: clock::system, hooks: Hooks::default() };
        Self { running: Running::start(config, options).await.unwrap(), folder: None }
    }

    /// Makes a member of staff the one who handled a call, as taking it over does.
    pub async fn handled(&self, call: CallId, agent: AccountId) {
        let by = By { actor: Actor::Console, cause: clock::fresh(CauseId::new, clock::system()) };
        let done = self.app().events.commit(clock::op(), by, move |tx| {
            let mut record: Call = tx.get(&call)?.unwrap();
            record.agent = Some(agent);
            tx.put(&record)?;
            tx.event(Event::CallOutcome { call, outcome: record.outcome.unwrap() });
            Ok(())
        });
        done.await.unwrap();
    }

    /// Opens a fresh one with the voices and the recogniser that the configuration has by default.
    pub async fn real() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { backend: Backend::Memory, speech: None, clock: clock::system, hooks: Hooks::default() };
        let running = Running::start(config(folder.path()), options).await.unwrap();
        Self { running, folder: Some(folder) }
    }

    /// One that was started in a way of its own.
    pub fn of(running: Running) -> Self {
        Self { running, folder: None }
    }

    /// Keeps its folder as long as itself.
    pub fn in_folder(mut self, folder: TempDir) -> Self {
        self.folder = Some(folder);
        self
    }

    pub fn app(&self) -> &App {
        &self.running.app
    }

    /// A call to it that says nothing and hangs up when the far end has finished.
    pub fn call(&self) -> CallScript {
        CallScript {
            from: "+442079460199".to_owned(),
            quiet: QUIET,
            length_max: Duration::from_secs(30),
            ..CallScript::to(format!("sip:clinic@{}", self.running.app.voice.sip_addr()))
        }
    }

    /// Its newest call.
    pub fn last_call(&self) -> Option<Call> {
        self.app().store.read(|tx| tx.scan(Scan::index(CALLS_BY_TIME).newest_first().limit(1))).unwrap().items.pop()
    }

    /// Everything that has happened, in order.
    pub fn feed(&self) -> Vec<Envelope> {
        self.app().store.feed(0, 900).unwrap()
    }

    /// Waits until something has happened.
    pub async fn happened(&self, what: impl Fn(&Event) -> bool) -> Envelope {
        let mut head = self.app().store.watch();
        let found = async {
            loop {
                head.mark_unchanged();
                if let Some(envelope) = self.feed().into_iter().find(|envelope| what(&envelope.event)) {
                    return envelope;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| {
            panic!(
                "it did not happen in time; this did: {:?}",
                self.feed().iter().map(|e| e.event.clone()).collect::<Vec<_>>()
            )
        })
    }

    /// Waits until the search index has taken in everything that has happened.
    pub async fn indexed(&self) {
        self.indexed_to(self.app().store.head()).await;
    }

    /// The same of what has happened up to this number of the feed.
    pub async fn indexed_to(&self, seq: u64) {
        let search = &self.app().search;
        let caught_up = async {
            while search.cursor() < seq {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, caught_up).await.expect("the index did not catch up in time");
    }

    /// Waits until the newest call has ended and its recording is complete.
    pub async fn settled(&self) -> Call {
        self.happened(|event| matches!(event, Event::CallEnded { .. })).await;
        self.happened(|event| matches!(event, Event::CallRecording { state, .. } if state.as_str() == "stopped")).await;
        let call = self.last_call().unwrap();
        assert_eq!(call.status, CallStatus::Ended);
        call
    }
}
