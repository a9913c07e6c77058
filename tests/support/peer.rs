//! An end of SIP over UDP that says what it is told to say, as no telephone and no provider would: for whoever attacks.

use super::clinic::PATIENCE;
use auricle_media::io::Credentials;
use auricle_media::sip::digest::Client;
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::tokens::Tokens;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// After so long a request is sent again (RFC 3261, T1).
const AGAIN: Duration = Duration::from_millis(500);
/// How long a packet that is not to come is waited for.
const SILENCE: Duration = Duration::from_millis(300);
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n";

/// What a peer says to a call.
#[derive(Clone)]
pub enum Says {
    /// It takes it.
    Yes,
    /// It refuses it with this status.
    No(u16),
    /// Nothing at all.
    Nothing,
    /// It sends the caller elsewhere: a status and a Contact.
    Elsewhere(u16, String),
    /// It asks for a password in this realm, and takes it whatever it is.
    Asks(&'static str),
}

/// One end, with its own socket.
pub struct Peer {
    pub address: SocketAddr,
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    messages: mpsc::UnboundedReceiver<Message>,
    calls: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
    tokens: Tokens,
    sent: u32,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// One at this address that talks to `server`.
    pub async fn at(address: SocketAddr, server: SocketAddr, says: Says) -> Self {
        let socket = Arc::new(UdpSocket::bind(address).await.unwrap());
        let address = socket.local_addr().unwrap();
        let (sender, messages) = mpsc::unbounded_channel();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(hear(Arc::clone(&socket), says, sender, Arc::clone(&calls)));
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&address.port().to_le_bytes());
        Self { address, socket, server, messages, calls, task, tokens: Tokens::new(seed), sent: 0 }
    }

    /// The calls that have come to it, without those that were sent again.
    pub fn calls(&self) -> Vec<Request> {
        self.calls.lock().unwrap().clone()
    }

    /// A request outside of any call. `more` are whole header lines with their ends.
    pub fn request(&mut self, method: &str, user: &str, to: &str, more: &str) -> Request {
        self.sent += 1;
        let (own, server, call) = (self.address, self.server, self.tokens.call_id());
        let uri = if method == "REGISTER" { format!("sip:{server}") } else { format!("sip:{to}@{server}") };
        let (kind, body) = if method == "INVITE" { ("Content-Type: application/sdp\r\n", SDP) } else { ("", "") };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch={};rport\r\nFrom: <sip:{user}@{server}>;tag={}\r\n\
             To: <sip:{to}@{server}>\r\nCall-ID: {call}\r\nCSeq: {} {method}\r\nContact: <sip:{user}@{own}>\r\n\
             Max-Forwards: 70\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
            self.tokens.branch(),
            self.tokens.tag(),
            self.sent,
            body.len()
        );
        read(text.as_bytes())
    }

    /// A request within the call that was placed with `placed` and accepted with `accepted`; from whoever was called when
    /// `is_called`.
    pub fn within(
        &mut self,
        placed: &Request,
        accepted: &Response,
        is_called: bool,
        method: &str,
        more: &str,
    ) -> Request {
        self.sent += 1;
        let head = &accepted.head;
        let (from, to) = if is_called { (&head.to, &head.from) } else { (&head.from, &head.to) };
        let contact = if is_called { placed.head.get("Contact") } else { head.get("Contact") };
        let target = contact.unwrap().trim_matches(['<', '>']).to_owned();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={};rport\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\n\
             CSeq: {} {method}\r\nContact: <sip:peer@{}>\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n",
            self.address,
            self.tokens.branch(),
            head.call_id,
            1_000 + self.sent,
            self.address,
        );
        read(text.as_bytes())
    }

    /// Sends something once.
    pub async fn send(&self, request: &Request) {
        self.socket.send_to(&request.encode(), self.server).await.unwrap();
    }

    /// Sends a request until it has its final answer, and acknowledges that where it must be.
    pub async fn ask(&mut self, request: &Request) -> Response {
        let branch = request.head.top_via().branch().map(str::to_owned);
        let answered = async {
            loop {
                self.send(request).await;
                let ours = |response: &Response| response.head.top_via().branch().map(str::to_owned) == branch;
                let final_one = async {
                    loop {
                        match self.messages.recv().await.unwrap() {
                            Message::Response(response) if response.status >= 200 && ours(&response) => {
                                return response;
                            }
                            Message::Response(_) | Message::Request(_) => {}
                        }
                    }
                };
                if let Ok(response) = tokio::time::timeout(AGAIN, final_one).await {
                    return response;
                }
            }
        };
        let response =
            tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("no answer: {request:?}"));
        if request.method.name() == "INVITE" {
            self.acknowledge(request, &response).await;
        }
        response
    }

    async fn acknowledge(&mut self, invite: &Request, response: &Response) {
        let mut ack = if response.is_success() {
            self.within(invite, response, false, "ACK", "")
        } else {
            let mut ack = invite.clone();
            ack.method = auricle_media::sip::message::Method::Ack;
            ack.head.to = response.head.to.clone();
            ack.head.fields.retain(|field| field.name != "Content-Type");
            ack.body = Vec::new();
            ack
        };
        ack.head.cseq.number = invite.head.cseq.number;
        ack.head.cseq.method = ack.method.clone();
        self.send(&ack).await;
    }

    /// The next request that comes in and is like this.
    pub async fn comes(&mut self, is_it: impl Fn(&Request) -> bool) -> Request {
        let found = async {
            loop {
                if let Message::Request(request) = self.messages.recv().await.unwrap()
                    && is_it(&request)
                {
                    return request;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the request did not come in time")
    }

    /// Asks for a transfer within a call; the status that it is told in the end (RFC 3515).
    pub async fn transfer(&mut self, refer: &Request) -> u16 {
        let accepted = self.ask(refer).await;
        if accepted.status != 202 {
            return accepted.status;
        }
        let is_last = |request: &Request| {
            request.method.name() == "NOTIFY"
                && request.head.get("Subscription-State").is_some_and(|state| state.starts_with("terminated"))
        };
        let told = String::from_utf8(self.comes(is_last).await.body).unwrap();
        told.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether nothing comes in any more that was not looked at.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(SILENCE, self.messages.recv()).await.is_err()
    }
}

/// A stolen telephone: a peer that knows its password.
pub struct Stolen {
    pub peer: Peer,
    pub user: String,
    client: Client,
}

impl Stolen {
    pub fn new(peer: Peer, user: &str, password: &str) -> Self {
        let credentials = Credentials { user: user.to_owned(), password: password.to_owned(), realms: Vec::new() };
        Self { peer, user: user.to_owned(), client: Client::new(credentials) }
    }

    /// Sends a request and answers the challenge that comes back; what was sent last, and what came of it.
    pub async fn ask(&mut self, mut request: Request) -> (Request, Response) {
        let refused = self.peer.ask(&request).await;
        if refused.status != 401 || !self.client.challenged(&request, &refused) {
            return (request, refused);
        }
        request.head.cseq.number += 1;
        self.peer.sent += 1;
        request.head.via[0].params.set("branch", self.peer.tokens.branch());
        self.client.authorize(&mut request, &mut self.peer.tokens);
        let response = self.peer.ask(&request).await;
        (request, response)
    }

    /// Registers; the engine hears of a phone a moment after it was added.
    pub async fn register(&mut self) {
        let user = self.user.clone();
        loop {
            let request = self.peer.request("REGISTER", &user, &user, "");
            if self.ask(request).await.1.status == 200 {
                return;
            }
        }
    }

    /// Calls somebody.
    pub async fn call(&mut self, to: &str, more: &str) -> (Request, Response) {
        let user = self.user.clone();
        let invite = self.peer.request("INVITE", &user, to, more);
        self.ask(invite).await
    }
}

fn read(bytes: &[u8]) -> Request {
    match parse::message(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(bytes)),
    }
}

/// Hears what comes, answers requests, and hands everything on.
async fn hear(
    socket: Arc<UdpSocket>,
    says: Says,
    messages: mpsc::UnboundedSender<Message>,
    calls: Arc<Mutex<Vec<Request>>>,
) {
    let (mut bytes, mut known) = (vec![0; 4_096], HashSet::new());
    while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
        let Ok(message) = parse::message(&bytes[..length]) else { continue };
        if let Message::Request(request) = &message
            && let Some(response) = answer(request, &says, socket.local_addr().unwrap(), &calls)
        {
            socket.send_to(&response.encode(), from).await.unwrap();
        }
        // A request that is sent again is answered again, and told once.
        let is_news = match &message {
            Message::Request(request) => known.insert(request.head.top_via().to_string()),
            Message::Response(_) => true,
        };
        if is_news {
            let _over = messages.send(message);
        }
    }
}

fn answer(request: &Request, says: &Says, own: SocketAddr, calls: &Mutex<Vec<Request>>) -> Option<Response> {
    let begins = request.head.to.tag().is_none();
    if request.method.name() == "ACK" {
        return None;
    }
    if request.method.name() != "INVITE" {
        return Some(Response::to(request, 200, "").tagged("far"));
    }
    if begins {
        let mut calls = calls.lock().unwrap();
        if !calls.iter().any(|known| known.head.top_via() == request.head.top_via()) {
            calls.push(request.clone());
        }
    }
    match says {
        Says::Elsewhere(status, contact) if begins => {
            Some(Response::to(request, *status, "").tagged("far").with("Contact", contact.clone()))
        }
        Says::Asks(realm) if begins && request.head.get("Proxy-Authorization").is_none() => {
            let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
            Some(Response::to(request, 407, "").tagged("far").with("Proxy-Authenticate", challenge))
        }
        Says::No(status) if begins => Some(Response::to(request, *status, "").tagged("far")),
        Says::Nothing if begins => None,
        Says::Yes | Says::No(_) | Says::Nothing | Says::Elsewhere(..) | Says::Asks(_) => Some(accepted(request, own)),
    }
}

/// What a peer at `own` says to a call that it takes.
pub fn accepted(request: &Request, own: SocketAddr) -> Response {
    let mut response = Response::to(request, 200, "").tagged("far");
    response = response.with("Contact", format!("<sip:far@{own}>")).with("Content-Type", "application/sdp");
    response.body = SDP.as_bytes().to_vec();
    response
}
