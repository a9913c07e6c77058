//! A receptionist that fails in mid-call: the caller never hears nothing.

use crate::support::clinic::{Clinic, PATIENCE, config};
use auricle::floor::{self, FloorParts};
use auricle::tasks::Tasks;
use auricle::voice::caller::{self, CallScript};
use auricle::voice::carrierstanding::CarrierStanding;
use auricle::voice::receptionist::{Desk, Voice};
use auricle::voice::{VoiceConfig, VoiceError, VoiceShell};
use auricle_domain::code::{EndCause, TaskKind};
use auricle_domain::event::Event;
use auricle_media::io::{Codec, Command, LegEnd, LegId, Pcm};
use auricle_storage::Backend;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// A voice that breaks whoever uses it, and counts them.
#[derive(Default)]
struct Breaking(AtomicUsize);

impl Voice for Breaking {
    fn send(&self, _command: Command) -> Result<(), VoiceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("on purpose")
    }

    fn tap(&self, _leg: LegId) -> Result<mpsc::Receiver<(Pcm, u64)>, VoiceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("on purpose")
    }
}

/// Never dead air: a receptionist that panics is replaced once; when that one panics too, the caller hears a goodbye, the call ends,
/// and somebody is to ring back.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_receptionist_fails_twice_hears_so_and_is_rung_back() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let app = clinic.app();
    let settings = config(&app.config.storage.directory);
    let (voice, engine) = VoiceShell::start(VoiceConfig {
        sip_listen: settings.sip.listen,
        tls_listen: None,
        tls: Default::default(),
        advertise: None,
        rtp_ports: settings.sip.rtp_ports.clone(),
        legs_max: settings.sip.calls_max,
        trusted: settings.sip.allow.clone(),
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::G722, Codec::Pcmu],
    })
    .unwrap();
    let (reports_out, reports) = mpsc::channel(16);
    let breaking = Arc::new(Breaking::default());
    let desk = Desk { voice: Arc::clone(&breaking) as Arc<dyn Voice>, reports: reports_out, ..app.desk.clone() };
    let parts = FloorParts {
        store: app.store.clone(),
        events: app.events.clone(),
        voice: voice.clone(),
        phones: auricle::voice::phonebook::PhoneBook::default(),
        stations: auricle::voice::stationbook::StationBook::default(),
        trunks: auricle::voice::trunkbook::TrunkBook::default(),
        carriers: auricle::voice::carrierbook::open(false, CarrierStanding::default()).0,
        desk,
        reports,
        tasks: Tasks::default(),
        clock: app.clock,
        calls_max: settings.sip.calls_max,
        codecs: settings.sip.codecs.clone(),
        apology: |_, last| if last { "Goodbye." } else { "Sorry." }.to_owned(),
    };
    let _floor = floor::open(parts, engine);
    let script = CallScript { quiet: PATIENCE, ..clinic.call() };
    let report = caller::place(CallScript { uri: format!("sip:clinic@{}", voice.sip_addr()), ..script }).await.unwrap();

    assert_eq!(breaking.0.load(Ordering::SeqCst), 2, "two receptionists have tried");
    assert!(report.greeting_ms.is_some(), "the caller heard nothing");
    assert_eq!(report.cause, Some(LegEnd::RemoteHangup));
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::ClinicHungUp, .. })).await;
    clinic.happened(|event| matches!(event, Event::TaskChanged { kind: TaskKind::MissedCall, .. })).await;
    voice.stop(Duration::ZERO).await;
    clinic.running.stop(Duration::ZERO).await;
}
