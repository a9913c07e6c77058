//! Hold and transfers with a real peer: SIPp plays the far end, and is content only when every message is as it must be.

use auricle::voice::{VoiceConfig, VoiceShell};
use auricle_media::io::{Codec, Command, EngineEvent, LegEnd, LegId, TransferTo};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::process::Stdio;
use std::time::Duration;

/// Longest that a call here may take; reached only when something is broken.
const LIMIT: Duration = Duration::from_secs(40);

/// One message or wait of SIPp's.
enum Step {
    /// A request of ours has to come, and match this; `<` is written as it stands in XML.
    Comes(&'static str, &'static str),
    /// It is answered with this status and these header lines and body.
    Answers(u16, &'static str),
    /// A request goes out in the call, and this status has to come back.
    Asks(&'static str, &'static str, u16),
    /// The ACK to an answer has to come.
    Acknowledged,
}

const SDP: &str = "v=0\no=sipp 1 VERSION IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000\n";

/// A whole call by SIPp with these steps between ACK and BYE.
fn scenario(steps: &[Step]) -> String {
    let mut cseq = 1;
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"transfers\">\n");
    let offer = format!("Content-Type: application/sdp\nContent-Length: [len]\n\n{}", SDP.replace("VERSION", "1"));
    text += &send("INVITE", cseq, &offer, "");
    text += "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"200\" rtd=\"true\"/>\n";
    text += &send("ACK", cseq, "Content-Length: 0\n\n", "[peer_tag_param]");
    for step in steps {
        match step {
            Step::Comes(method, pattern) => {
                text += &format!(
                    "<recv request=\"{method}\"><action><ereg regexp=\"{pattern}\" search_in=\"msg\" check_it=\"true\" assign_to=\"1\"/></action></recv>\n"
                );
            }
            Step::Answers(status, rest) => {
                let rest = if rest.is_empty() { "Content-Length: 0\n\n" } else { rest };
                text += &format!(
                    "<send><![CDATA[\nSIP/2.0 {status} Fine\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
                     Contact: <sip:sipp@[local_ip]:[local_port]>\n{rest}]]></send>\n"
                );
            }
            Step::Asks(method, rest, status) => {
                cseq += 1;
                text += &send(method, cseq, rest, "[peer_tag_param]");
                text += &format!("<recv response=\"{status}\"/>\n");
            }
            Step::Acknowledged => text += "<recv request=\"ACK\"/>\n",
        }
    }
    text += &send("BYE", cseq + 1, "Content-Length: 0\n\n", "[peer_tag_param]");
    text + "<recv response=\"200\"/>\n<Reference variables=\"1\"/>\n</scenario>\n"
}

fn send(method: &str, cseq: u32, rest: &str, tag: &str) -> String {
    let retrans = if method == "ACK" { "" } else { " retrans=\"500\"" };
    format!(
        "<send{retrans}><![CDATA[\n{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]\nTo: <sip:[service]@[remote_ip]:[remote_port]>{tag}\n\
         Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:sipp@[local_ip]:[local_port]>\nMax-Forwards: 70\n{rest}]]></send>\n"
    )
}

fn answered(direction: &str, version: &str) -> &'static str {
    let sdp = SDP.replace("VERSION", version);
    format!("Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}a={direction}\n").leak()
}

/// What an engine was told of the one call that SIPp makes, answering with these commands.
async fn call(
    ports: RangeInclusive<u16>,
    steps: &[Step],
    react: impl Fn(LegId, &EngineEvent) -> Vec<Command>,
) -> Vec<EngineEvent> {
    let (voice, mut events) = VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls_listen: None,
        tls: Default::default(),
        advertise: None,
        rtp_ports: ports.clone(),
        legs_max: 4,
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcma],
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.xml"), scenario(steps)).unwrap();
    let mut command = tokio::process::Command::new("sipp");
    command
        .args(["-sf", "scenario.xml", "-m", "1", "-i", "127.0.0.1", "-s", "clinic", "-nostdin", "-timeout", "30s"])
        .args(["-timeout_error", "-trace_err", "-mp", &(ports.end() + 1).to_string(), &voice.sip_addr().to_string()])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let sipp = tokio::spawn(async move { command.output().await.expect("sipp is installed by `make deps`") });
    let mut told = Vec::new();
    let over = async {
        while let Some(event) = events.recv().await {
            let Some(leg) = event.leg() else { continue };
            let mut commands = react(leg, &event);
            if matches!(event, EngineEvent::Incoming { .. }) {
                commands.push(Command::Answer { leg });
            }
            commands.into_iter().for_each(|command| voice.send(command).unwrap());
            let ended = matches!(event, EngineEvent::Ended { .. });
            if !matches!(event, EngineEvent::Level { .. } | EngineEvent::Quality { .. } | EngineEvent::Incoming { .. })
            {
                told.push(event);
            }
            if ended {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(LIMIT, over).await;
    let output = sipp.await.unwrap();
    let errors = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let errors: String = errors
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    assert!(in_time.is_ok() && output.status.success(), "{told:?}\n{errors}");
    voice.stop(Duration::ZERO).await;
    told
}

/// VOICE-10: SIPp is put on hold and taken off again, and would not go on with another description than it expects.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_put_on_hold_and_taken_off() {
    let steps = [
        Step::Comes("INVITE", "o=- [0-9]+ 2 .*a=sendonly"),
        Step::Answers(200, answered("recvonly", "2")),
        Step::Acknowledged,
        Step::Comes("INVITE", "o=- [0-9]+ 3 .*a=sendrecv"),
        Step::Answers(200, answered("sendrecv", "3")),
        Step::Acknowledged,
        Step::Comes("INVITE", "o=- [0-9]+ 4 .*a=sendonly"),
        Step::Answers(488, ""),
        Step::Acknowledged,
    ];
    let told = call(31_000..=31_019, &steps, |leg, event| match event {
        EngineEvent::Answered { .. } => vec![Command::Hold { leg, on: true }],
        EngineEvent::Holding { on: true, .. } => {
            vec![Command::Hold { leg, on: false }, Command::Hold { leg, on: true }]
        }
        _ => Vec::new(),
    })
    .await;
    let holds: Vec<bool> = told
        .iter()
        .filter_map(|event| match event {
            EngineEvent::Holding { on, .. } => Some(*on),
            _ => None,
        })
        .collect();
    assert_eq!(holds, [true, false], "{told:?}");
    assert!(matches!(told.last(), Some(EngineEvent::Ended { cause: LegEnd::RemoteHangup, .. })));
}

/// VOICE-22: SIPp wants to be transferred, and hears how that goes.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_asks_for_a_transfer() {
    let refer = "Refer-To: <sip:+420123456789@[remote_ip]>\nReferred-By: <sip:sipp@[local_ip]>\nContent-Length: 0\n\n";
    let notify = |pattern| Step::Comes("NOTIFY", pattern);
    let steps = [
        Step::Asks("REFER", refer, 202),
        notify("Event: refer.*Subscription-State: active;expires=.*SIP/2.0 100 Trying"),
        Step::Answers(200, ""),
        notify("Subscription-State: active;expires=.*SIP/2.0 180 Ringing"),
        Step::Answers(200, ""),
        notify("Subscription-State: terminated;reason=noresource.*message/sipfrag.*SIP/2.0 200 OK"),
        Step::Answers(200, ""),
    ];
    let told = call(31_020..=31_039, &steps, |leg, event| match event {
        EngineEvent::TransferAsked { .. } => {
            [180, 200].map(|status| Command::TransferProgress { leg, status }).into_iter().collect()
        }
        _ => Vec::new(),
    })
    .await;
    let asked = told.iter().find_map(|event| match event {
        EngineEvent::TransferAsked { target, .. } => Some(target),
        _ => None,
    });
    let asked = asked.unwrap();
    assert_eq!((asked.user.as_str(), asked.leg, &asked.replaces), ("+420123456789", None, &None));
    assert!(matches!(told.last(), Some(EngineEvent::Ended { cause: LegEnd::RemoteHangup, .. })));
}

/// VOICE-22: SIPp is asked to call somebody else, tells how that went, and hangs up.
#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_transferred() {
    const HEAD: &str =
        "Event: refer\nContent-Type: message/sipfrag;version=2.0\nContent-Length: [len]\nSubscription-State: ";
    let steps = [
        Step::Comes("REFER", "Refer-To: .sip:6001@127.0.0.1:[0-9]+..*Referred-By: .sip:clinic@"),
        Step::Answers(202, ""),
        Step::Asks("NOTIFY", format!("{HEAD}active;expires=60\n\nSIP/2.0 100 Trying\n").leak(), 200),
        Step::Asks("NOTIFY", format!("{HEAD}terminated;reason=noresource\n\nSIP/2.0 200 OK\n").leak(), 200),
    ];
    let told = call(31_040..=31_059, &steps, |leg, event| match event {
        EngineEvent::Answered { .. } => vec![Command::Transfer { leg, to: TransferTo::Uri("6001".into()) }],
        _ => Vec::new(),
    })
    .await;
    let done = told.iter().find_map(|event| match event {
        EngineEvent::TransferDone { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(done, Some(200), "{told:?}");
    assert!(matches!(told.last(), Some(EngineEvent::Ended { cause: LegEnd::RemoteHangup, .. })));
}
