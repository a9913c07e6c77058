//! Start in order, drain, stop in reverse.

use super::{App, Speech, first};
use crate::backups::Backups;
use crate::calls::StatsCache;
use crate::carriers::{Carriers, placing};
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::error::Error;
use crate::events::Events;
use crate::floor::{self, FloorParts};
use crate::http;
use crate::jobs::{self, search::Indexer};
use crate::knowledge::Library;
use crate::music::{self, Music};
use crate::phones::Phones;
use crate::providers::local::HashedWords;
use crate::providers::{ProviderError, Stt, Vocabulary};
use crate::reasons::Reasons;
use crate::search::rebuild::Rebuild;
use crate::sessions::Strangers;
use crate::softphone::Softphones;
use crate::tasks::Tasks;
use crate::tools::StoreTools;
use crate::trunks::Trunks;
use crate::voice::browsers::BrowserConfig;
use crate::voice::carrierbook;
use crate::voice::carrierstanding::CarrierStanding;
use crate::voice::certificate::CertificateError;
use crate::voice::phonebook::PhoneBook;
use crate::voice::receptionist::{self, Desk};
use crate::voice::stationbook::StationBook;
use crate::voice::tools::Tools;
use crate::voice::trunkbook::TrunkBook;
use crate::voice::{EngineEvents, OwnCertificate, TlsFiles, VoiceConfig, VoiceError, VoiceHandle, VoiceShell};
use auricle_domain::account::Account;
use auricle_domain::code::Lang;
use auricle_domain::id::TenantId;
use auricle_domain::phrases::{self, Phrase};
use auricle_domain::tenant::Tenant;
use auricle_storage::{Backend, Hooks, KeySource, Scan, Search, Store, StoreError, StoreOptions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Reports of receptionists that wait for the floor; when it is full, they wait.
const REPORTS_MAX: usize = 1_024;
/// Legs of one call: two people who talk, and who is asked before the call is handed on.
const CALL_LEGS_MAX: usize = 3;
/// Legs that the engine takes beyond those of all calls that the floor takes: the floor refuses them, and writes down that it did.
const REFUSED_AT_ONCE_MAX: usize = 16;
/// How long requests that are being answered may still take when the service stops.
const REQUESTS_GRACE: Duration = Duration::from_secs(5);
/// How long tasks may still take when the service stops: the last facts reach the disk in it.
const TASKS_GRACE: Duration = Duration::from_secs(15);
/// The same for the store, once nobody works with it, and how often it is looked at.
const CLOSED_GRACE: Duration = Duration::from_secs(2);
const CLOSED_EVERY: Duration = Duration::from_millis(2);

/// What differs between a service and a test.
pub struct Options {
    /// Where records live.
    pub backend: Backend,
    /// Speech that is not the configured one.
    pub speech: Option<Speech>,
    /// The time of day.
    pub clock: Clock,
    /// How the store behaves at its limits.
    pub hooks: Hooks,
}

impl Default for Options {
    fn default() -> Self {
        Self { backend: Backend::Redb, speech: None, clock: clock::system, hooks: Hooks::default() }
    }
}

/// Why the program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another Auricle has the store.
    #[error(
        "the store in {directory} is in use by another running Auricle: stop that one first, or set storage.directory"
    )]
    InUse {
        /// As configured.
        directory: PathBuf,
    },
    /// The store or the index could not be opened.
    #[error("cannot open the store in {directory} (storage.directory): {source}")]
    Store {
        /// As configured.
        directory: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// What is in the store could not be used.
    #[error("cannot use the store: {0}")]
    Records(Error),
    /// A provider of speech is missing.
    #[error("cannot start speech: {0}; install it, or change [speech] in the configuration")]
    Speech(ProviderError),
    /// The key file of the language model cannot be used.
    #[error("cannot read the key file {path} (llm.api_key_file): {reason}")]
    Key {
        /// As configured.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The telephone side could not start.
    #[error("cannot start the telephone side: {0} (sip.listen, sip.rtp_ports, webrtc.listen, webrtc.tcp)")]
    Voice(#[from] VoiceError),
    /// There is no certificate for SIP over TLS.
    #[error("cannot listen for TLS (sip.tls_listen): {0}")]
    Certificate(#[from] CertificateError),
    /// The web side could not start.
    #[error("cannot listen for the web on {address} (server.listen): {source}")]
    Web {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Records(error)
    }
}

/// The program, running.
pub struct Running {
    /// What its parts share.
    pub app: Arc<App>,
    /// Where the web side listens, with the port that was really taken.
    pub web_addr: SocketAddr,
    /// There is no account: nobody can sign in.
    pub is_without_accounts: bool,
    web: JoinHandle<()>,
    web_stop: CancellationToken,
}

impl Running {
    /// Starts everything: store, search, speech, telephone, floor, jobs, web.
    ///
    /// # Errors
    /// What could not be started, and the setting it depends on. What had been started is stopped again.
    pub async fn start(config: Config, mut options: Options) -> Result<Self, StartError> {
        let clock = options.clock;
        let (store, search) = open_store(&config, &mut options)?;
        let events = Events::new(store.clone(), clock);
        first::make_clinic(&store, &events, clock()).await?;
        let accounts = store.read(|tx| tx.scan(Scan::<Account>::table().limit(1))).map_err(Error::from)?;
        let lost = floor::close_lost_calls(&store, &events, clock).await?;
        let library = Library::open(store.clone(), search.clone(), Some(Arc::new(HashedWords)))?;
        let tools: Arc<dyn Tools> = Arc::new(StoreTools::new(store.clone(), events.clone(), library.clone()));
        let speech = match options.speech {
            Some(speech) => speech,
            None => Speech::open(&config.speech, &config.llm)?,
        };
        let listener = listen(config.server.listen).await?;
        let mut voice_config = voice_config(&config);
        own_certificate(&config, &store, &events, &mut voice_config).await?;
        let (voice, engine) = VoiceShell::start_with(voice_config, browser_config(&config))?;
        let records = Records { store, search, library, events };
        let app = assemble(config, records, voice, engine, speech, tools, clock);
        let web_addr =
            listener.local_addr().map_err(|source| StartError::Web { address: app.config.server.listen, source })?;
        let web_stop = CancellationToken::new();
        let web = tokio::spawn(http::serve(Arc::clone(&app), listener, web_stop.clone().cancelled_owned()));
        tracing::info!(%web_addr, sip_addr = %app.voice.sip_addr(), lost_calls = lost, "started");
        Ok(Self { app, web_addr, is_without_accounts: accounts.items.is_empty(), web, web_stop })
    }

    /// Stops everything in reverse: no new calls, those that are on may end for `calls_grace`, then the web, then the rest. All that
    /// was to be written is written when this returns.
    pub async fn stop(mut self, calls_grace: Duration) {
        tracing::info!(calls = self.app.floor.snapshot().len(), "stopping");
        self.app.floor.drain().await;
        self.app.voice.stop(calls_grace).await;
        self.web_stop.cancel();
        if tokio::time::timeout(REQUESTS_GRACE, &mut self.web).await.is_err() {
            self.web.abort();
        }
        self.app.tasks.stop(TASKS_GRACE).await;
        // Work that was cut off lets go of the store when it is next looked at; whoever opens it after us must not find it in use.
        let closing = self.app.store.closing();
        drop(self.app);
        let closed = async {
            while !closing.is_closed() {
                tokio::time::sleep(CLOSED_EVERY).await;
            }
        };
        if tokio::time::timeout(CLOSED_GRACE, closed).await.is_err() {
            tracing::warn!("the store is still in use somewhere");
        }
        tracing::info!("stopped");
    }
}

fn open_store(config: &Config, options: &mut Options) -> Result<(Store, Search), StartError> {
    let directory = config.storage.directory.clone();
    let fail = |source: StoreError| match source {
        StoreError::InUse { .. } => StartError::InUse { directory: directory.clone() },
        source => StartError::Store { directory: directory.clone(), source },
    };
    // A store that exists keeps the clinic it was made for.
    let tenant = clock::fresh(TenantId::new, (options.clock)());
    let keys = match options.backend {
        Backend::Redb => KeySource::File(config.storage.key_file()),
        Backend::Memory => KeySource::Fresh,
    };
    let backend = options.backend;
    let mut hooks = std::mem::take(&mut options.hooks);
    hooks.low_water_bytes.get_or_insert(config.storage.low_water_bytes);
    let store = StoreOptions { directory: directory.clone(), backend, keys, tenant };
    let store = Store::open_with(store, hooks).map_err(fail)?;
    let search = jobs::search::open(&directory.join("search"), &store).map_err(fail)?;
    Ok((store, search))
}

/// Loads what the first caller would wait for. A failure is not the end: callers are greeted and use the keypad, and
/// `/health/ready` says so.
async fn warm_recogniser(stt: Arc<dyn Stt>, tools: Arc<dyn Tools>) {
    let words = match tools.vocabulary(Lang::En).await {
        Ok(words) => words,
        Err(error) => {
            tracing::warn!(%error, "the recogniser starts without the clinic's words");
            Arc::new(Vocabulary::default())
        }
    };
    let name = stt.name();
    match tokio::task::spawn_blocking(move || stt.warm(&words)).await {
        Ok(Ok(())) => tracing::info!(recogniser = name, "callers can be understood"),
        Ok(Err(error)) => tracing::error!(%error, "callers cannot be understood: the recogniser's models do not load"),
        Err(error) => tracing::error!(%error, "callers cannot be understood: loading the recogniser broke off"),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Web { address, source })
}

fn browser_config(config: &Config) -> Option<BrowserConfig> {
    let listen = config.webrtc.listen?;
    let outward = || listen.ip().is_unspecified().then(outward_address);
    let advertise = config.webrtc.advertise.or(config.sip.advertise).or_else(outward);
    Some(BrowserConfig { listen, advertise, tcp: config.webrtc.tcp })
}

fn voice_config(config: &Config) -> VoiceConfig {
    let sip = &config.sip;
    VoiceConfig {
        sip_listen: sip.listen,
        tls_listen: sip.tls_listen,
        tls: TlsFiles {
            own: sip
                .tls_certificate
                .clone()
                .zip(sip.tls_key.clone())
                .map(|(chain, key)| OwnCertificate::Files(chain, key)),
            roots: sip.tls_roots.clone(),
            fingerprint: None,
        },
        advertise: sip.advertise.or_else(|| sip.listen.ip().is_unspecified().then(outward_address)),
        rtp_ports: sip.rtp_ports.clone(),
        legs_max: sip.calls_max * CALL_LEGS_MAX + REFUSED_AT_ONCE_MAX,
        trusted: sip.allow.clone(),
        phones: sip.phones.clone(),
        algorithms: sip.digest.clone(),
        spared: sip.never_ban.clone(),
        codecs: sip.codecs.clone(),
    }
}

/// Makes sure of a certificate of our own where TLS is listened for and none is configured.
async fn own_certificate(
    config: &Config,
    store: &Store,
    events: &Events,
    voice: &mut VoiceConfig,
) -> Result<(), StartError> {
    let Some(listen) = voice.tls_listen.filter(|_| voice.tls.own.is_none()) else { return Ok(()) };
    let told = voice.advertise.into_iter().chain([listen.ip()]).filter(|address| !address.is_unspecified());
    let mut names: Vec<String> = told.map(|address| address.to_string()).collect();
    names.dedup();
    let kept = first::certificate(store, events, &config.storage.directory, &names).await?;
    tracing::info!(fingerprint = %kept.fingerprint, "SIP over TLS uses a certificate of its own");
    voice.tls.fingerprint = Some(kept.fingerprint.clone());
    voice.tls.own = Some(OwnCertificate::Kept(Arc::new(kept)));
    Ok(())
}

/// The address this machine reaches the outside from; the loopback where there is no outside. Nothing is sent.
fn outward_address() -> IpAddr {
    let routed = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // TEST-NET-1 (RFC 5737): an address nobody has, so the default route decides.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    routed.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// What stands on the store.
struct Records {
    store: Store,
    search: Search,
    library: Library,
    events: Events,
}

/// Starts the tasks: the floor, which takes calls from now on, and the followers of the feed.
fn assemble(
    config: Config,
    records: Records,
    voice: VoiceHandle,
    engine: EngineEvents,
    speech: Speech,
    tools: Arc<dyn Tools>,
    clock: Clock,
) -> Arc<App> {
    let Records { store, search, library, events } = records;
    let (reports_out, reports) = mpsc::channel(REPORTS_MAX);
    let Speech { stt, tts, llm } = speech;
    let tasks = Tasks::default();
    if let Ok(Some(tenant)) = store.read(|tx| tx.get::<Tenant>(&tx.tenant())) {
        let tts = Arc::clone(&tts);
        tasks.spawn("greeting", async move { receptionist::warm(&tts, &tenant).await });
    }
    if let Some(stt) = stt.clone() {
        tasks.spawn("recogniser", warm_recogniser(stt, Arc::clone(&tools)));
    }
    let desk = Desk { voice: Arc::new(voice.clone()), stt, tts, llm, tools, reports: reports_out, clock };
    let (book, trunk_book, stations) = (PhoneBook::default(), TrunkBook::default(), StationBook::default());
    let standing = CarrierStanding::default();
    let (carrier_book, placements) = carrierbook::open(!config.server.public_url.is_empty(), standing.clone());
    let parts = FloorParts {
        phones: book.clone(),
        stations: stations.clone(),
        trunks: trunk_book.clone(),
        carriers: carrier_book,
        store: store.clone(),
        events: events.clone(),
        voice: voice.clone(),
        desk: desk.clone(),
        reports,
        tasks: tasks.clone(),
        clock,
        calls_max: config.sip.calls_max,
        codecs: config.sip.codecs.clone(),
        apology: |language, last| phrases::say(if last { Phrase::FaultGoodbye } else { Phrase::Fault }, language, &[]),
    };
    let floor = floor::open(parts, engine);
    let backups = Backups::new(store.clone(), events.clone(), clock, config.file.clone());
    let (directory, schedule) = (config.storage.directory.clone(), config.backup.clone());
    tasks.spawn("secrets", jobs::secrets::run(events.clone(), directory.clone(), tasks.stop_token()));
    tasks.spawn("backups", jobs::backups::run(backups.clone(), directory, schedule, clock, tasks.stop_token()));
    let trunks = Trunks::default();
    let parts = jobs::trunks::Parts {
        store: store.clone(),
        events: events.clone(),
        voice: voice.clone(),
        trunks: trunks.clone(),
        book: trunk_book,
    };
    tasks.spawn("trunks", jobs::trunks::run(parts, tasks.stop_token()));
    let phones = Phones::default();
    let parts = jobs::phones::Parts {
        store: store.clone(),
        events: events.clone(),
        voice: voice.clone(),
        phones: phones.clone(),
        book,
    };
    tasks.spawn("phones", jobs::phones::run(parts, tasks.stop_token()));
    let music = Music::default();
    tasks.spawn("music", music::begin(music.clone(), store.clone(), voice.clone()));
    tasks.spawn("room", jobs::room::run(store.clone(), tasks.stop_token()));
    let rebuild = Rebuild::default();
    let indexer = Indexer {
        store: store.clone(),
        search: search.clone(),
        library: library.clone(),
        events: events.clone(),
        rebuild: rebuild.clone(),
    };
    tasks.spawn("search", jobs::search::run(indexer, tasks.stop_token()));
    let (stats, reasons, strangers, started_at) =
        (StatsCache::default(), Reasons::default(), Strangers::default(), clock());
    let carriers = Carriers::new(config.sip.calls_max, standing);
    let app = Arc::new(App {
        config,
        store,
        search,
        rebuild,
        backups,
        library,
        stats,
        reasons,
        strangers,
        carriers,
        trunks,
        phones,
        softphones: Softphones::new(stations),
        music,
        events,
        voice,
        floor,
        desk,
        tasks,
        clock,
        started_at,
    });
    app.tasks.spawn("texts", jobs::texts::run(Arc::clone(&app)));
    app.tasks.spawn("carrier_calls", placing::run(Arc::clone(&app), placements));
    app
}
