//! Two ends of our own, for times that SIPp's clock is too coarse for: one answers at once, 180 first; the other one calls.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(5);
const BUFFER_BYTES: usize = 65_536;

/// Where calls are answered, for as long as the process lives.
pub struct Called {
    pub address: SocketAddr,
}

impl Called {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            crate::prefer_this_thread();
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let answers: &[&str] = match request.split(' ').next().unwrap() {
                    "INVITE" => &["180 Ringing", "200 OK"],
                    "BYE" => &["200 OK"],
                    _ => &[],
                };
                for status in answers {
                    socket.send_to(answer(&request, status, address).as_bytes(), from).unwrap();
                }
            }
        });
        Self { address }
    }
}

fn answer(request: &str, status: &str, own: SocketAddr) -> String {
    let is_copied = |line: &&str| {
        let name = line.split(':').next().unwrap();
        ["Via", "Record-Route", "From", "Call-ID", "CSeq"].iter().any(|copied| name.eq_ignore_ascii_case(copied))
    };
    let copied: String = request.lines().filter(is_copied).map(|line| format!("{line}\r\n")).collect();
    let to = request.lines().find(|line| line.starts_with("To:")).unwrap();
    let tag = if to.contains(";tag=") { "" } else { ";tag=called" };
    let body = if request.starts_with("INVITE") && status.starts_with("200") { sdp() } else { String::new() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{copied}{to}{tag}\r\nContact: <sip:desk@{own}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn sdp() -> String {
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n\
     a=rtpmap:8 PCMA/8000\r\n"
        .to_owned()
}

/// Places so many calls there, one after the other; how long each took from INVITE to 200, shortest first.
pub fn setups(to: SocketAddr, calls: usize) -> Vec<Duration> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let caller = std::thread::spawn(move || {
        crate::prefer_this_thread();
        (0..calls).map(|call| Caller { socket: &socket, to, call }.call()).collect::<Vec<Duration>>()
    });
    let mut spans = caller.join().unwrap();
    spans.sort();
    spans
}

struct Caller<'a> {
    socket: &'a UdpSocket,
    to: SocketAddr,
    call: usize,
}

impl Caller<'_> {
    /// Calls and hangs up; how long the answer took.
    fn call(&self) -> Duration {
        let began = Instant::now();
        self.send("INVITE", 1, &format!("sip:desk@{}", self.to), "", "", &sdp());
        // The far end rings before it answers; a proxy of several processes may let the 200 overtake the 180.
        let answered = loop {
            let message = self.receive();
            if message.starts_with("SIP/2.0 200") {
                break message;
            }
            assert!(message.starts_with("SIP/2.0 1"), "{message}");
        };
        let span = began.elapsed();
        let values = |name: &str| -> Vec<String> {
            answered.lines().filter_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned()).collect()
        };
        let routes: String = values("Record-Route:").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let contact = values("Contact:")[0].trim_matches(['<', '>']).to_owned();
        let to = values("To:")[0].clone();
        let tag = to.split_once(";tag=").unwrap().1;
        self.send("ACK", 1, &contact, &format!(";tag={tag}"), &routes, "");
        self.send("BYE", 2, &contact, &format!(";tag={tag}"), &routes, "");
        while !self.receive().contains("CSeq: 2 BYE") {}
        span
    }

    /// The next message of this call.
    fn receive(&self) -> String {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap();
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.lines().any(|line| line.trim() == format!("Call-ID: setup-{}", self.call)) {
                return message;
            }
        }
    }

    fn send(&self, method: &str, number: u32, uri: &str, tag: &str, routes: &str, body: &str) {
        let (own, call) = (self.socket.local_addr().unwrap(), self.call);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let message = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{call}\r\n{routes}\
             From: <sip:{call}@{own}>;tag=caller{call}\r\nTo: <sip:desk@{}>{tag}\r\nCall-ID: setup-{call}\r\n\
             CSeq: {number} {method}\r\nContact: <sip:caller@{own}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        );
        self.socket.send_to(message.as_bytes(), self.to).unwrap();
    }
}
