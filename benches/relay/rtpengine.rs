//! Debian's rtpengine in user space, without its kernel module, told of calls by its own control protocol (ng).

use crate::far::Traffic;
use crate::side::{Side, description, told_key};
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
    let process = Command::new("nice")
        .args(["-n", &crate::NICENESS.to_string(), "rtpengine"])
        .args(["--table=-1", "--interface=127.0.0.1", "--foreground", "--log-stderr", "--log-level=2"])
        .args([format!("--listen-ng={free}"), "--port-min=42000".to_owned(), "--port-max=59999".to_owned()])
        .args([format!("--recording-dir={spool}"), "--recording-method=pcap".to_owned()])
        .args([format!("--pidfile={spool}/pid"), "--num-threads=2".to_owned()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    control.connect(free).unwrap();
    let mut peer = Peer { process, control, recorded, told: 0, _folder: folder };
    peer.ask(&[("command", "ping")]).map(|_| peer)
}

impl Peer {
    /// Sends a dictionary in bencode, keys in order, and hands back the answer as it came. Flags are
    /// a list.
    fn ask(&mut self, fields: &[(&str, &str)]) -> Result<String, String> {
        self.told += 1;
        let text = |text: &str| format!("{}:{text}", text.len());
        let value = |key: &str, value: &str| match key {
            "flags" => format!("l{}e", value.split(' ').map(text).collect::<String>()),
            _ => text(value),
        };
        let body: String = fields.iter().map(|(key, given)| text(key) + &value(key, given)).collect();
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
                return Err(format!("rtpengine (Debian: rtpengine-daemon) ended: {status}"));
            }
        }
        Err("rtpengine does not answer".to_owned())
    }

    /// Offers or answers with what this side speaks; what the other side is told then.
    fn describe(&mut self, command: &str, call: &str, (side, remote): (Side, SocketAddr)) -> String {
        let sdp = description(side, remote);
        let mut fields = vec![("call-id", call), ("command", command)];
        // Those who are called speak plain A-law.
        if command == "offer" && side == Side::Opus {
            fields.push(("flags", "codec-mask-opus codec-transcode-PCMA"));
        }
        fields.extend([("from-tag", "caller"), ("sdp", sdp.as_str())]);
        if command == "answer" {
            fields.push(("to-tag", "staff"));
        } else if side == Side::Secure {
            fields.push(("transport-protocol", "RTP/AVP"));
        }
        self.ask(&fields).unwrap()
    }
}

fn port_of(answer: &str) -> u16 {
    let (_, media) = answer.split_once("m=audio ").unwrap_or_else(|| panic_with(answer));
    media.split(' ').next().unwrap().parse().unwrap()
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
        let side = |call, side| (traffic.side(side), traffic.address(call, side));
        (0..count)
            .map(|index| {
                let call = format!("call-{index}");
                // What is offered to the one who is called is where that one sends to.
                let to_staff = self.describe("offer", &call, side(index, 0));
                let to_caller = self.describe("answer", &call, side(index, 1));
                if self.recorded {
                    self.ask(&[("call-id", &call), ("command", "start recording")]).unwrap();
                }
                let key = told_key(&to_caller).filter(|_| traffic.side(0) == Side::Secure);
                Pair { caller: port_of(&to_caller), staff: port_of(&to_staff), key }
            })
            .collect()
    }

    fn end(mut self: Box<Self>) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
