//! A telephone rings and is answered: real sockets on the loopback, real peers (SIPp, baresip, our own caller).

use crate::support::clinic::QUIET;
use crate::support::ports;
use auricle::providers::flite::Flite;
use auricle::providers::{Tts, wav};
use auricle::voice::caller::{Act, CallReport, CallScript, place};
use auricle::voice::recording::{Meta, RecordingSink, State};
use auricle::voice::{EngineEvents, VoiceConfig, VoiceHandle, VoiceShell};
use auricle_domain::call::CHANNELS;
use auricle_domain::code::Lang;
use auricle_media::io::{Codec, Command, EngineEvent, LegEnd, LegId, LegQuality, Pcm, PlayId};
use futures_util::StreamExt;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Bytes of one moment of a recording: a sample of each channel.
const MOMENT_BYTES: usize = CHANNELS as usize * 2;
/// Longest that anything here may take; reached only when something is broken.
const LIMIT: Duration = Duration::from_secs(60);

/// Media ports of each end.
const PORTS: u16 = 100;

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl RecordingSink for Tape {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Tape {
    /// Mean magnitudes of the channels: caller, receptionist, staff.
    fn loudness(&self) -> [u64; CHANNELS as usize] {
        let bytes = self.0.lock().unwrap();
        let mut sums = [0; CHANNELS as usize];
        for moment in bytes.chunks_exact(MOMENT_BYTES) {
            for (sum, pair) in sums.iter_mut().zip(moment.chunks_exact(2)) {
                *sum += u64::from(i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs());
            }
        }
        sums.map(|sum| sum / (bytes.len() / MOMENT_BYTES).max(1) as u64)
    }
}

/// What a clinic knows of one call after its end.
struct Answered {
    codec: Option<Codec>,
    digits: String,
    cause: LegEnd,
    quality: LegQuality,
    meta: Option<Meta>,
    tape: Tape,
}

/// A clinic that answers every call, greets, and says a sentence whenever the caller has finished one.
struct Clinic {
    voice: VoiceHandle,
    address: SocketAddr,
    ended: tokio::sync::mpsc::UnboundedReceiver<Answered>,
}

async fn speak(text: &str) -> Pcm {
    let pieces: Vec<_> = Flite::new("flite", "rms").speak(text, Lang::En).collect().await;
    let samples: Vec<i16> = pieces.into_iter().flat_map(|piece| piece.unwrap().samples.to_vec()).collect();
    Pcm { rate: auricle_media::io::Rate::Hz16000, samples: samples.into() }
}

impl Clinic {
    async fn open() -> Self {
        let (voice, events) = VoiceShell::start(VoiceConfig {
            sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_listen: None,
            tls: Default::default(),
            advertise: None,
            rtp_ports: ports::free(PORTS),
            legs_max: 50,
            trusted: vec!["127.0.0.0/8".parse().unwrap()],
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::G722, Codec::Pcma, Codec::Pcmu],
        })
        .unwrap();
        let phrases = [speak("Hello, this is the clinic.").await, speak("We are open until six.").await];
        let (told, ended) = tokio::sync::mpsc::unbounded_channel();
        let address = voice.sip_addr();
        tokio::spawn(attend(voice.clone(), events, phrases, told));
        Self { voice, address, ended }
    }

    fn uri(&self) -> String {
        format!("sip:clinic@{}", self.address)
    }

    async fn next_ended(&mut self) -> Answered {
        tokio::time::timeout(LIMIT, self.ended.recv()).await.unwrap().unwrap()
    }
}

struct Attended {
    answered: Answered,
    plays: u64,
    recording: Option<watch::Receiver<Meta>>,
}

async fn attend(
    voice: VoiceHandle,
    mut events: EngineEvents,
    phrases: [Pcm; 2],
    told: tokio::sync::mpsc::UnboundedSender<Answered>,
) {
    let mut calls = std::collections::HashMap::<LegId, Attended>::new();
    let play = |leg, id, pcm: &Pcm| {
        voice.send(Command::Play { leg, id: PlayId(id), pcm: pcm.clone(), last: true }).unwrap();
    };
    while let Some(event) = events.recv().await {
        let Some(leg) = event.leg() else { continue };
        if let EngineEvent::Incoming { .. } = event {
            let tape = Tape::default();
            let recording = Some(voice.record(leg, Box::new(tape.clone())).unwrap());
            voice.send(Command::Answer { leg }).unwrap();
            let quality = LegQuality::default();
            let (codec, digits, cause, meta) = (None, String::new(), LegEnd::Protocol, None);
            let answered = Answered { codec, digits, cause, quality, meta, tape };
            calls.insert(leg, Attended { answered, plays: 0, recording });
            continue;
        }
        let Some(call) = calls.get_mut(&leg) else { continue };
        match event {
            EngineEvent::Answered { codec, .. } => {
                call.answered.codec = Some(codec);
                play(leg, 0, &phrases[0]);
            }
            EngineEvent::SpeechEnded { .. } => {
                call.plays += 1;
                play(leg, call.plays, &phrases[1]);
            }
            EngineEvent::Dtmf { digit, .. } => {
                call.answered.digits.push(digit);
                if digit == '#' {
                    call.plays += 1;
                    play(leg, call.plays, &phrases[1]);
                }
            }
            EngineEvent::Quality { quality, .. } => call.answered.quality = quality,
            EngineEvent::Ended { cause, .. } => {
                let mut call = calls.remove(&leg).unwrap();
                call.answered.cause = cause;
                voice.stop_recording(leg).unwrap();
                let told = told.clone();
                tokio::spawn(async move {
                    let mut recording = call.recording.take().unwrap();
                    let meta = recording.wait_for(|meta| meta.state == State::Finished).await.unwrap().clone();
                    call.answered.meta = Some(meta);
                    let _nobody_waits = told.send(call.answered);
                });
            }
            _ => {}
        }
    }
}

fn script(clinic: &Clinic, codec: Codec, acts: Vec<Act>) -> CallScript {
    CallScript {
        codecs: vec![codec],
        acts,
        tts: Some(Arc::new(Flite::new("flite", "slt"))),
        quiet: QUIET,
        ..CallScript::to(clinic.uri())
    }
}

async fn called(script: CallScript) -> CallReport {
    tokio::time::timeout(LIMIT, place(script)).await.unwrap().unwrap()
}

/// VOICE-01, REC-04: our own caller asks, is answered, and both sides of the call are on both recordings.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_and_answered_over_real_sockets() {
    for codec in [Codec::G722, Codec::Pcma] {
        let mut clinic = Clinic::open().await;
        let report = called(script(&clinic, codec, vec![Act::Say("When are you open today?".to_owned())])).await;
        assert!(report.worked(1), "{report:?}");
        assert_eq!(report.codec, Some(codec));
        let answered = clinic.next_ended().await;
        assert_eq!((answered.codec, answered.cause), (Some(codec), LegEnd::RemoteHangup));
        assert_eq!((answered.quality.lost, answered.quality.refused), (0, 0));
        let meta = answered.meta.unwrap();
        assert_eq!((meta.gap_ms, meta.rate_hz), (0, codec.rate().hz()));
        let bytes = answered.tape.0.lock().unwrap().len() as u64;
        assert_eq!(meta.length_ms, bytes / MOMENT_BYTES as u64 * 1000 / u64::from(meta.rate_hz));
        let [caller, receptionist, staff] = answered.tape.loudness();
        assert!(caller > 100 && receptionist > 100 && staff == 0, "{caller}, {receptionist} and {staff}");
        clinic.voice.stop(Duration::ZERO).await;
        assert!(!clinic.voice.is_running());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_pressed_and_heard() {
    let mut clinic = Clinic::open().await;
    let report = called(script(&clinic, Codec::Pcmu, vec![Act::Press("120#".to_owned())])).await;
    assert!(report.worked(1), "{report:?}");
    assert_eq!(clinic.next_ended().await.digits, "120#");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_no_error_but_a_report() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let uri = format!("sip:nobody@{}", free.local_addr().unwrap());
    let report = called(CallScript { wait: Duration::from_millis(300), ..CallScript::to(uri) }).await;
    assert_eq!((report.answered_ms, report.worked(0)), (None, false));
}

/// A stopping clinic lets a call that is on end by itself, and hangs it up when the time is over.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_the_calls_that_are_on() {
    let mut clinic = Clinic::open().await;
    let voice = clinic.voice.clone();
    let (up, is_up) = oneshot::channel();
    let mut script = script(&clinic, Codec::Pcma, Vec::new());
    script.quiet = Duration::from_secs(30);
    let call = tokio::spawn(called(script));
    tokio::spawn(async move {
        while voice.legs() == 0 {
            tokio::task::yield_now().await;
        }
        up.send(()).unwrap();
    });
    is_up.await.unwrap();
    clinic.voice.stop(Duration::from_millis(1500)).await;
    assert_eq!(call.await.unwrap().cause, Some(LegEnd::RemoteHangup));
    assert_eq!(clinic.next_ended().await.cause, LegEnd::LocalHangup);
}

/// SIPp's built-in client: INVITE, ACK, a pause, BYE.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_calls_and_is_content() {
    let mut clinic = Clinic::open().await;
    sipp(&clinic, &["-sn", "uac", "-m", "5", "-r", "10", "-d", "300"]).await;
    for _ in 0..5 {
        assert_eq!(clinic.next_ended().await.cause, LegEnd::RemoteHangup);
    }
}

/// SIPp with RTP: what it streams is heard and recorded.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_streams_audio_and_it_is_recorded() {
    let mut clinic = Clinic::open().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("speech.al");
    let speech = speak("Good morning, I would like to know when you are open.").await;
    let alaw: Vec<u8> =
        speech.samples.chunks_exact(2).map(|pair| auricle_media::codec::g711::encode_a(pair[0])).collect();
    std::fs::write(&file, alaw).unwrap();
    let scenario = include_str!("voice/rtp_stream.xml").replace("FILE", file.to_str().unwrap());
    let path = folder.path().join("rtp_stream.xml");
    std::fs::write(&path, scenario).unwrap();
    sipp(&clinic, &["-sf", path.to_str().unwrap(), "-m", "1"]).await;
    let answered = clinic.next_ended().await;
    assert_eq!((answered.cause, answered.codec), (LegEnd::RemoteHangup, Some(Codec::Pcma)));
    assert!(answered.quality.received > 100, "{:?}", answered.quality);
    let [caller, clinics, _] = answered.tape.loudness();
    assert!(caller > 100 && clinics > 100, "{caller} and {clinics}");
}

async fn sipp(clinic: &Clinic, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("sipp");
    command
        .args(arguments)
        .args(["-i", "127.0.0.1", "-s", "clinic", "-nostdin", "-timeout", "50s", "-timeout_error"])
        .args(["-mp", &ports::free(PORTS).start().to_string()])
        .arg(clinic.address.to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.expect("sipp is installed by `make deps`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// baresip with a WAV file for a microphone: an ordinary softphone.
#[tokio::test(flavor = "multi_thread")]
async fn baresip_calls_and_speaks() {
    let mut clinic = Clinic::open().await;
    let folder = tempfile::tempdir().unwrap();
    let speech = speak("Good morning, when are you open on Saturday?").await;
    std::fs::write(folder.path().join("speech.wav"), wav::file(speech.rate.hz(), &speech.samples)).unwrap();
    std::fs::write(folder.path().join("config"), baresip_config(folder.path())).unwrap();
    std::fs::write(folder.path().join("accounts"), "<sip:tester@127.0.0.1>;regint=0\n").unwrap();
    let mut command = tokio::process::Command::new("baresip");
    command.args(["-f", folder.path().to_str().unwrap(), "-t", "6", "-e", &format!("/dial {}", clinic.uri())]);
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
    let process = process.as_mut().expect("baresip is installed by `make deps`");
    let answered = clinic.next_ended().await;
    process.wait().await.unwrap();
    assert_eq!(answered.cause, LegEnd::RemoteHangup);
    assert_eq!(answered.codec, Some(Codec::G722), "baresip offers G.722 first here");
    let [caller, clinics, _] = answered.tape.loudness();
    assert!(caller > 100 && clinics > 100, "{caller} and {clinics}");
}

fn baresip_config(folder: &std::path::Path) -> String {
    let folder = folder.display();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = ports::free(PORTS);
    format!(
        "sip_listen 127.0.0.1:{port}\naudio_source aufile,{folder}/speech.wav\naudio_player aubridge,nil\n\
         audio_alert aufile,/dev/null\nrtp_ports {}-{}\nmodule_path /usr/lib/baresip/modules\nmodule g722.so\n\
         module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n",
        ports.start(),
        ports.end()
    )
}
