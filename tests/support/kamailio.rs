//! Kamailio as a telephone provider: a registrar that asks for a password, and a proxy that brings calls to whoever registered.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The account that it knows.
pub const USER: &str = "100";
/// Its password.
pub const PASSWORD: &str = "blue heron 42";
/// The realm it asks for.
const REALM: &str = "provider.example";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A provider that runs.
pub struct Kamailio {
    folder: TempDir,
    process: Option<Child>,
    /// Where it is reached by UDP and TCP.
    pub address: SocketAddr,
    /// Where it is reached by TLS.
    pub tls_address: SocketAddr,
}

impl Kamailio {
    /// Starts one that asks with this algorithm: `MD5` or `SHA-256`.
    pub fn start(algorithm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        // Its OpenSSL wants RSA.
        let signing_key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let cert = CertificateParams::new(names).unwrap().self_signed(&signing_key).unwrap();
        std::fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        let (address, tls_address) = (free_for_both(), free_for_both());
        let text = settings(folder.path().to_str().unwrap(), address, tls_address, algorithm);
        std::fs::write(folder.path().join("kamailio.cfg"), text).unwrap();
        let mut provider = Self { folder, process: None, address, tls_address };
        provider.resume();
        provider
    }

    /// Its certificate, which nobody has signed but itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Starts it again; it has forgotten who had registered.
    pub fn resume(&mut self) {
        let folder = self.folder.path();
        let mut command = Command::new("kamailio");
        command
            .arg("-f")
            .arg(folder.join("kamailio.cfg"))
            .args(["-DD", "-E", "-m", "64", "-M", "16", "-Y"])
            .arg(folder);
        command.arg("-P").arg(folder.join("pid"));
        let log = std::fs::File::create(folder.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("kamailio is installed by `make deps`"));
        let began = Instant::now();
        // It listens before it serves: only an answer over TCP, whose process is the last to start, shows that it is there.
        while !self.answers() {
            assert!(began.elapsed() < PATIENCE, "{}", std::fs::read_to_string(folder.join("log")).unwrap());
            std::thread::yield_now();
        }
    }

    /// Whether it answers a question over TCP.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let local = stream.local_addr().unwrap();
        let question = format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
             From: <sip:ready@{local}>;tag=1\r\nTo: <sip:{0}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            self.address
        );
        let mut reply = [0; 11];
        stream.write_all(question.as_bytes()).is_ok()
            && stream.read_exact(&mut reply).is_ok()
            && &reply == b"SIP/2.0 200"
    }

    /// Stops it and its children.
    pub fn pause(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.pause();
    }
}

/// A port of the loopback that is free for UDP and TCP.
fn free_for_both() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn settings(folder: &str, address: SocketAddr, tls_address: SocketAddr, algorithm: &str) -> String {
    let modules =
        ["kex", "tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "usrloc", "registrar", "auth", "tls"];
    let modules: String = modules.iter().map(|name| format!("loadmodule \"{name}.so\"\n")).collect();
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
disable_core_dump=yes
enable_tls=yes
listen=udp:{address}
listen=tcp:{address}
listen=tls:{tls_address}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
{modules}
modparam("tls", "certificate", "{folder}/cert.pem")
modparam("tls", "private_key", "{folder}/key.pem")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "verify_certificate", 0)
modparam("tls", "require_certificate", 0)
modparam("usrloc", "db_mode", 0)
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)
modparam("auth", "algorithm", "{algorithm}")
request_route {{
  if (is_method("OPTIONS") && !has_totag()) {{ sl_send_reply("200", "OK"); exit; }}
  if (is_method("REGISTER")) {{
    if ($au != $null && $au != "{USER}") {{ sl_send_reply("404", "Not Found"); exit; }}
    if (!pv_www_authenticate("{REALM}", "{PASSWORD}", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
    if (!save("location")) sl_reply_error();
    exit;
  }}
  if (has_totag()) {{
    if (!loose_route()) {{ if (is_method("ACK")) exit; sl_send_reply("404", "Not here"); exit; }}
    t_relay();
    exit;
  }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  t_check_trans();
  record_route();
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}
"#
    )
}
