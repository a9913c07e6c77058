//! The real program, started as a service is, which can be killed.

use super::clinic::config;
use auricle_domain::Timestamp;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program, running.
pub struct Served {
    child: Child,
    /// Where it listens for the web.
    pub web: String,
    /// Where it listens for SIP.
    pub sip: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has been killed already where the test went well.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Served {
    /// Starts it on the store in `folder`, listening for SIP there, and waits until it says where it listens.
    pub fn begin(folder: &Path, sip: &str) -> Self {
        let ports = config(folder).sip.rtp_ports;
        let mut child = Command::new(env!("CARGO_BIN_EXE_auricle"))
            .arg("serve")
            .env("AURICLE_STORAGE_DIRECTORY", folder)
            .env("AURICLE_STORAGE_KEY_FILE", folder.join("store.key"))
            .env("AURICLE_SERVER_LISTEN", "127.0.0.1:0")
            .env("AURICLE_SIP_LISTEN", sip)
            .env("AURICLE_WEBRTC_LISTEN", "127.0.0.1:0")
            .env("AURICLE_SIP_RTP_PORTS", format!("{}-{}", ports.start(), ports.end()))
            .env("AURICLE_SIP_CALLS_MAX", "8")
            .env("AURICLE_SPEECH_STT", "none")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut says = |what: &str| {
            lines.find_map(|line| Some(line.strip_prefix(what)?.split_whitespace().next()?.to_owned())).unwrap()
        };
        let (web, sip) = (says("Web"), says("SIP"));
        Self { child, web, sip }
    }

    /// Kills it without a word (SIGKILL), at this moment.
    pub fn kill(&mut self) -> Timestamp {
        self.child.kill().unwrap();
        let at = Timestamp::now();
        self.child.wait().unwrap();
        at
    }
}
