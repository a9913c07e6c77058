//! SIPp as both ends of many calls at once.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How often it writes down what it has counted.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// What came of calls.
pub struct Seen {
    pub calls: u32,
    pub failed: u32,
    /// By either end.
    pub retransmitted: u32,
}

/// The end that answers, 180 first.
pub struct Called {
    pub address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Called {
    pub fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        // A source of its own: what one source may send is limited.
        let address = free("127.0.0.3");
        std::fs::write(folder.path().join("called.xml"), CALLED)?;
        std::fs::write(folder.path().join("caller.xml"), CALLER)?;
        let process = sipp(folder.path(), "called", address).spawn()?;
        Ok(Self { address, process, folder })
    }

    /// Places calls to there at this rate, and waits until the last one is over.
    pub fn call(&self, there: SocketAddr, rate: u32, calls: u32) -> Seen {
        let before = self.count("called", "Retransmissions(C)");
        let mut caller = sipp(self.folder.path(), "caller", free("127.0.0.2"));
        caller.arg(there.to_string()).args(["-r", &rate.to_string(), "-m", &calls.to_string()]);
        caller.status().unwrap();
        std::thread::sleep(COUNTED_EVERY * 2);
        Seen {
            calls: self.count("caller", "SuccessfulCall(C)"),
            failed: self.count("caller", "FailedCall(C)") + calls - self.count("caller", "TotalCallCreated"),
            retransmitted: self.count("caller", "Retransmissions(C)") + self.count("called", "Retransmissions(C)")
                - before,
        }
    }

    /// The last count of this name that an end has written down.
    fn count(&self, end: &str, name: &str) -> u32 {
        let text = std::fs::read_to_string(self.folder.path().join(format!("{end}.csv"))).unwrap_or_default();
        let column = text.lines().next().and_then(|names| names.split(';').position(|other| other == name));
        let last = text.lines().last().and_then(|line| line.split(';').nth(column?));
        last.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// A port of this address that nobody has.
fn free(address: &str) -> SocketAddr {
    UdpSocket::bind(format!("{address}:0")).and_then(|socket| socket.local_addr()).unwrap()
}

fn sipp(folder: &Path, end: &str, own: SocketAddr) -> Command {
    let mut command = Command::new("sipp");
    command
        .arg("-sf")
        .arg(folder.join(format!("{end}.xml")))
        .args([
            "-i",
            &own.ip().to_string(),
            "-p",
            &own.port().to_string(),
            "-nostdin",
            "-trace_stat",
            "-fd",
            "1",
            "-stf",
        ])
        .arg(folder.join(format!("{end}.csv")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

const CALLER: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:desk@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:desk@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:desk@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:desk@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"#;

const CALLED: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="called">
<recv request="INVITE" rrs="true"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#;
