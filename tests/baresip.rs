//! An ordinary softphone asks what only a document knows: every part is the real one.

use crate::support::clinic::{Clinic, PATIENCE};
use crate::support::person::read;
use crate::support::ports;
use crate::support::sound::Sound;
use auricle_domain::code::{Outcome, Speaker};
use auricle_domain::event::Event;
use auricle_storage::BlobId;
use reqwest::StatusCode;
use serde_json::json;
use std::path::Path;
use std::process::Stdio;

/// Silence before the question, so that the greeting is over: seconds.
const GREETING_S: f64 = 14.0;
/// Silence after it, in which the answer is heard: seconds.
const LISTENING_S: f64 = 25.0;
/// Ports for its audio.
const PORTS: u16 = 20;
/// Seconds after which baresip hangs up.
const CALL: &str = "32";

fn settings(folder: &Path) -> String {
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

/// B-04, KB-04, CALL-08, REC-04, VOICE-07, VOICE-18: asked about a document that was added just before the call, the receptionist
/// answers from it and says where it stands; what was said is found while the call is on; both sides are on the recording.
#[tokio::test(flavor = "multi_thread")]
async fn a_softphone_is_answered_from_a_document_added_just_before() {
    let clinic = Clinic::real().await;
    let admin = clinic.admin().await;
    let document = json!({
        "name": "Getting here",
        "content": "# Parking\nYou can park in the yard behind the brewery. Parking is free for two hours.\n\n\
                    # Lift\nThe lift is beside the entrance and goes to every floor."
    });
    let document = admin.made("/api/knowledge-base", document).await;
    let folder = tempfile::tempdir().unwrap();
    let question = Sound::spoken("Where can I park?", "rms").await.between(GREETING_S, LISTENING_S);
    std::fs::write(folder.path().join("speech.wav"), question.file()).unwrap();
    std::fs::write(folder.path().join("config"), settings(folder.path())).unwrap();
    std::fs::write(folder.path().join("accounts"), "<sip:tester@127.0.0.1>;regint=0\n").unwrap();
    let dial = format!("/dial sip:clinic@{}", clinic.app().voice.sip_addr());
    let mut command = tokio::process::Command::new("baresip");
    command.args(["-f", folder.path().to_str().unwrap(), "-t", CALL, "-e", &dial]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut phone = command.spawn().expect("baresip is installed by `make deps`");

    let is_answer = |event: &Event| matches!(event, Event::TurnCommitted { turn } if !turn.citations.is_empty());
    let answered = clinic.happened(is_answer).await;
    let Event::TurnCommitted { turn } = answered.event else { unreachable!("it was looked for") };
    assert_eq!((turn.speaker, turn.citations[0].name.as_str()), (Speaker::Receptionist, "Getting here"));
    assert_eq!(json!(turn.citations[0].document), document["id"]);
    assert!(turn.text.contains("behind the brewery"), "{}", turn.text);
    // What is written to the index is seen by searches a moment later.
    clinic.indexed_to(answered.seq).await;
    let found = async {
        loop {
            let page = read(admin.get("/api/search?kind=turn&q=brewery").await, StatusCode::OK).await;
            if page["seq"].as_u64() >= Some(answered.seq) {
                return page;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await.unwrap();
    assert_eq!(found["hits"][0]["call"], json!(turn.call), "{found}");
    let ended = clinic.feed().into_iter().any(|it| matches!(it.event, Event::CallEnded { .. }));
    assert!(!ended, "the call was over before the sentence was found");

    phone.wait().await.unwrap();
    let call = clinic.settled().await;
    assert_eq!(call.outcome, Some(Outcome::AnsweredQuestion));
    let tape = clinic.app().store.blobs().get(BlobId::Recording(call.id)).unwrap();
    let loudest = |offset: usize| {
        let sample = |frame: &[u8]| i16::from_le_bytes([frame[offset], frame[offset + 1]]).unsigned_abs();
        tape.chunks_exact(4).map(sample).max().unwrap()
    };
    assert!(loudest(0) > 3_000 && loudest(2) > 3_000, "caller {}, clinic {}", loudest(0), loudest(2));
    clinic.running.stop(std::time::Duration::ZERO).await;
}
