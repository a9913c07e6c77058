//! Debian's rtpengine in user space, without its kernel module, told of calls by its own control protocol (ng).

use crate::far::Traffic;
use crate::{Pair, Relay};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Peer {
    process: Child,
    control: UdpSocket,
    recorded: bool,
    told: u64,
    _folder: TempDir,
}

/// Starts it; why not, where it cannot be.
pub fn start(recorded: bool) -> Result<Peer, String> {
    let control = UdpSocket::bind("127.0.0.1:0").unwrap();
    control.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().display();
    let process = Command::new("rtpengine")
        .args(["--table=-1", "--interface=127.0.0.1", "--foreground", "--log-stderr", "--log-level=2"])
        .args([format!("--listen-ng={free}"), "--port-min=42000".to_owned(), "--port-max=59999".to_owned()])
        .args([format!("--recording-dir={spool}"), "--recording-method=pcap".to_owned()])
        .args([format!("--pidfile={spool}/pid"), "--num-threads=2".to_owned()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("rtpengine (Debian: rtpengine-daemon) does not start: {error}"))?;
    control.connect(free).unwrap();
    let mut peer = Peer { process, control, recorded, told: 0, _folder: folder };
    peer.ask(&[("command", "ping")]).map(|_| peer)
}

impl Peer {
    /// Sends a dictionary in bencode, keys in order, and hands back the answer as it came.
    fn ask(&mut self, fields: &[(&str, &str)]) -> Result<String, String> {
        self.told += 1;
        let text = |text: &str| format!("{}:{text}", text.len());
        let body: String = fields.iter().map(|(key, value)| text(key) + &text(value)).collect();
        let message = format!("{} d{body}e", self.told);
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 65_536];
        while Instant::now() < deadline {
            let _refused_before_it_listens = self.control.send(message.as_bytes());
            if let Ok(length) = self.control.recv(&mut buffer) {
                let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if answer.starts_with(&format!("{} ", self.told)) {
                    return Ok(answer);
                }
            } else if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("rtpengine ended: {status}"));
            }
        }
        Err("rtpengine does not answer".to_owned())
    }

    /// Offers or answers with this side's address; the port at which the other side is to be heard.
    fn describe(&mut self, command: &str, call: &str, remote: SocketAddr) -> u16 {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n\
             a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n",
            remote.port()
        );
        let mut fields = vec![("call-id", call), ("command", command), ("from-tag", "caller"), ("sdp", &sdp)];
        if command == "answer" {
            fields.push(("to-tag", "staff"));
        }
        let answer = self.ask(&fields).unwrap();
        let (_, media) = answer.split_once("m=audio ").unwrap_or_else(|| panic_with(&answer));
        media.split(' ').next().unwrap().parse().unwrap()
    }
}

#[allow(clippy::panic, reason = "a bench ends when it cannot")]
fn panic_with(answer: &str) -> ! {
    panic!("rtpengine said {answer}")
}

impl Relay for Peer {
    fn process(&self) -> u32 {
        self.process.id()
    }

    fn calls(&mut self, count: usize, traffic: &Traffic) -> Vec<Pair> {
        let [caller, staff] = traffic.addresses();
        (0..count)
            .map(|index| {
                let call = format!("call-{index}");
                // What is offered to the one who is called is where that one sends to.
                let to_staff = self.describe("offer", &call, caller);
                let to_caller = self.describe("answer", &call, staff);
                if self.recorded {
                    self.ask(&[("call-id", &call), ("command", "start recording")]).unwrap();
                }
                Pair { caller: to_caller, staff: to_staff }
            })
            .collect()
    }

    fn end(mut self: Box<Self>) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
