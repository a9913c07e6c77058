//! Debian's Kamailio: a proxy that passes every call on to one address and stays in its route.

use crate::between::Between;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts it; why not, where it cannot be.
pub fn start(called: SocketAddr) -> Result<Between, String> {
    let address = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("kamailio.cfg"), settings(address, called)).unwrap();
    let mut process = Command::new("nice")
        .args(["-n", &crate::NICENESS.to_string(), "kamailio", "-f"])
        .arg(path.join("kamailio.cfg"))
        .args(["-DD", "-E", "-m", "256", "-M", "16", "-Y"])
        .arg(path)
        .arg("-P")
        .arg(path.join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(path.join("log")).unwrap())
        .spawn()
        .map_err(|error| format!("kamailio does not start: {error}"))?;
    let began = Instant::now();
    while !answers(address) {
        if began.elapsed() > PATIENCE || !matches!(process.try_wait(), Ok(None)) {
            let log = std::fs::read_to_string(path.join("log")).unwrap();
            return Err(format!("kamailio does not answer: {}", log.lines().next().unwrap_or_default()));
        }
    }
    Ok(Between::new(process, address, Some(folder)))
}

/// Whether it answers a question.
fn answers(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let local = socket.local_addr().unwrap();
    let question = format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
         From: <sip:ready@{local}>;tag=1\r\nTo: <sip:{address}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let mut reply = [0; 2_048];
    let asked = socket.send(question.as_bytes()).is_ok();
    let answered = asked && socket.recv(&mut reply).is_ok() && reply.starts_with(b"SIP/2.0 200");
    if !answered {
        std::thread::sleep(Duration::from_millis(20));
    }
    answered
}

fn settings(address: SocketAddr, called: SocketAddr) -> String {
    let modules: String = ["tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils"]
        .map(|name| format!("loadmodule \"{name}.so\"\n"))
        .concat();
    format!(
        r#"#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
disable_core_dump=yes
listen=udp:{address}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
{modules}
request_route {{
  if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (has_totag()) {{
    if (!loose_route()) {{ if (is_method("ACK")) exit; sl_send_reply("404", "Not here"); exit; }}
    t_relay();
    exit;
  }}
  t_check_trans();
  record_route();
  $du = "sip:{called}";
  t_relay();
}}
"#
    )
}
