//! The transaction layer (RFC 3261 section 17, with the accepted states of RFC 6026): retransmission over UDP, none over
//! connections, matching, and one bounded table of all four machines.

mod client;
mod server;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use client::{Client, Fallback};
pub use server::Server;

use super::header::Via;
use super::message::{Method, Request, Response};
use super::timers::Timers;
use super::uri::{SIP_PORT, numeric};
use crate::io::{Hop, Transport};

/// The estimate of the round trip: the first retransmission waits this long.
pub const T1: Duration = Duration::from_millis(500);
/// The longest wait between retransmissions of non-INVITE requests and of final responses to INVITE.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64 T1: when a transaction has failed (timers B, F, H), or nothing can come any more (D, J, L, M).
pub const TIMEOUT: Duration = Duration::from_secs(32);

/// A transaction of the table. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TxId(pub u64);

/// Out of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TxOutput {
    /// Send this now.
    Transmit {
        /// To there.
        remote: Hop,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A response to a request of ours, told once; every 2xx to an INVITE is told, retransmitted or not.
    Response {
        /// The request's transaction.
        tx: TxId,
        /// The response.
        response: Box<Response>,
        /// Where it came from.
        from: Hop,
    },
    /// No final response came to a request of ours in time, or its connection is gone.
    Failed {
        /// The request's transaction.
        tx: TxId,
    },
    /// The transaction is no more.
    Gone {
        /// Which.
        tx: TxId,
    },
}

/// What a request is to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// Nothing that is known: it is for the user agent, which may [`Transactions::open`] a transaction for it.
    New,
    /// A retransmission or an ACK to a refusal: done with.
    Absorbed,
}

/// What matches a request to its server transaction (section 17.2.3). ACK belongs to INVITE.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct ServerKey {
    branch: String,
    sent_by: (String, u16),
    method: Method,
}

impl ServerKey {
    fn of(request: &Request) -> Self {
        let method = if request.method == Method::Ack { Method::Invite } else { request.method.clone() };
        Self::with_method(request, method)
    }

    fn with_method(request: &Request, method: Method) -> Self {
        let head = &request.head;
        let via = head.top_via();
        let branch = match via.branch() {
            Some(branch) => branch.to_owned(),
            // A peer of RFC 2543: its branch says nothing, so the rest of the message has to.
            None => format!(
                "{} {} {} {} {}",
                request.uri,
                head.from.tag().unwrap_or_default(),
                head.call_id,
                head.cseq.number,
                via.params.get("branch").unwrap_or_default()
            ),
        };
        Self { branch, sent_by: (via.host.to_ascii_lowercase(), via.port.unwrap_or(SIP_PORT)), method }
    }
}

#[derive(Debug)]
enum Entry {
    Client(Box<Client>, (String, Method)),
    Server(Box<Server>, ServerKey),
}

/// All transactions of one socket.
#[derive(Debug)]
pub struct Transactions {
    max: usize,
    last: u64,
    entries: BTreeMap<TxId, Entry>,
    clients: HashMap<(String, Method), TxId>,
    servers: HashMap<ServerKey, TxId>,
    /// The connection by which a transaction began, and all of each: when it is gone, nothing else is looked at.
    began_by: HashMap<TxId, Hop>,
    by_connection: BTreeSet<(Hop, TxId)>,
    /// Connections that are there and have brought an answer; the shell bounds them, and tells of the end of each.
    standing: BTreeSet<Hop>,
    timers: Timers<TxId>,
    outputs: VecDeque<TxOutput>,
}

impl Transactions {
    /// A table of at most `max` transactions.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            last: 0,
            entries: BTreeMap::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            began_by: HashMap::new(),
            by_connection: BTreeSet::new(),
            standing: BTreeSet::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much is remembered, by what it is.
    pub fn kept(&self) -> [(&'static str, usize); 7] {
        [
            ("transactions", self.entries.len()),
            ("transactions of ours by branch", self.clients.len()),
            ("transactions of others by branch", self.servers.len()),
            ("connections of transactions", self.began_by.len()),
            ("transactions by connection", self.by_connection.len()),
            ("deadlines of transactions", self.timers.len()),
            ("outputs of transactions", self.outputs.len()),
        ]
    }

    /// Whether no further transaction is taken.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.max
    }

    /// Sends a request that has its Via. `None`, and nothing sent, when the table is full.
    pub fn send(&mut self, request: Request, remote: Hop, fallback: Option<Fallback>, now: Instant) -> Option<TxId> {
        if self.is_full() {
            return None;
        }
        let key = (request.head.top_via().branch()?.to_owned(), request.method.clone());
        let tx = self.next_id();
        let client = Client::start(request, remote, fallback, now, &mut self.outputs);
        self.clients.insert(key.clone(), tx);
        self.entries.insert(tx, Entry::Client(Box::new(client), key));
        self.begins_by(tx, remote);
        self.arm(tx);
        Some(tx)
    }

    /// The request of a client transaction, for its CANCEL.
    pub fn request(&self, tx: TxId) -> Option<(&Request, Hop)> {
        match self.entries.get(&tx) {
            Some(Entry::Client(client, _)) => Some((client.request(), client.remote())),
            _ => None,
        }
    }

    /// Takes a response to one of our requests. `false` when it belongs to none.
    pub fn receive_response(&mut self, response: &Response, from: Hop, now: Instant) -> bool {
        let Some(branch) = response.head.top_via().branch() else {
            return false;
        };
        let Some(tx) = self.clients.get(&(branch.to_owned(), response.head.cseq.method.clone())).copied() else {
            return false;
        };
        if from.transport.is_stream() {
            self.standing.insert(from);
        }
        if let Some(Entry::Client(client, _)) = self.entries.get_mut(&tx) {
            if client.receive(response, now, &mut self.outputs) {
                self.outputs.push_back(TxOutput::Response { tx, response: Box::new(response.clone()), from });
            }
            self.arm(tx);
        }
        true
    }

    /// Looks whether a request belongs to a transaction that is there already, and resends that one's response.
    pub fn receive_request(&mut self, request: &Request, now: Instant) -> Received {
        let Some(tx) = self.servers.get(&ServerKey::of(request)).copied() else {
            return Received::New;
        };
        let Some(Entry::Server(server, _)) = self.entries.get_mut(&tx) else {
            return Received::New;
        };
        let absorbed = if request.method == Method::Ack {
            server.acknowledge(now)
        } else {
            server.repeat(&mut self.outputs);
            true
        };
        self.arm(tx);
        if absorbed { Received::Absorbed } else { Received::New }
    }

    /// Begins a transaction for a request that was [`Received::New`]. `None` when the table is full.
    pub fn open(&mut self, request: &Request, source: Hop) -> Option<TxId> {
        if self.is_full() {
            return None;
        }
        let key = ServerKey::of(request);
        let tx = self.next_id();
        let via = request.head.top_via();
        let (remote, sent_by) = (reply_address(via, source), sent_by(via, source));
        let server = Server::new(request.method == Method::Invite, remote, sent_by);
        self.servers.insert(key.clone(), tx);
        self.entries.insert(tx, Entry::Server(Box::new(server), key));
        self.begins_by(tx, remote);
        Some(tx)
    }

    /// Responds to a request. A second final response, or one to a transaction that is no more, is not sent.
    pub fn respond(&mut self, tx: TxId, response: &Response, now: Instant) {
        if let Some(Entry::Server(server, _)) = self.entries.get_mut(&tx) {
            server.respond(response.status, response.encode(), now, &mut self.outputs);
            self.arm(tx);
        }
    }

    /// Sends the last response again: the 2xx to an INVITE, which the user agent repeats by its own timer.
    pub fn repeat(&mut self, tx: TxId) {
        if let Some(Entry::Server(server, _)) = self.entries.get_mut(&tx) {
            server.send_again(&mut self.outputs);
        }
    }

    /// The INVITE transaction that a CANCEL means (section 9.2).
    pub fn cancelled(&self, cancel: &Request) -> Option<TxId> {
        self.servers.get(&ServerKey::with_method(cancel, Method::Invite)).copied()
    }

    /// The request of a client transaction may go out once more when the connection that it went over is found to have been closing
    /// (RFC 3261 section 17.1.4 has it fail at once, which is for its user to make good).
    pub fn may_reconnect(&mut self, tx: TxId) {
        if let Some(Entry::Client(client, _)) = self.entries.get_mut(&tx) {
            client.may_reconnect();
        }
    }

    /// Gives a client transaction up at that time, unless a final response comes before (section 9.1).
    pub fn give_up(&mut self, tx: TxId, at: Instant) {
        if let Some(Entry::Client(client, _)) = self.entries.get_mut(&tx) {
            client.give_up(at);
            self.arm(tx);
        }
    }

    /// A connection is gone: what waits for an answer on it has failed, or goes out once more where it may, what is to be answered is
    /// so at the address that its Via names (section 18.2.2).
    pub fn closed(&mut self, hop: Hop, now: Instant) {
        let stood = self.standing.remove(&hop);
        let all = self.by_connection.range((hop, TxId(0))..=(hop, TxId(u64::MAX)));
        for tx in all.map(|(_, tx)| *tx).collect::<Vec<_>>() {
            match self.entries.get_mut(&tx) {
                Some(Entry::Client(client, _)) if client.remote() == hop => {
                    if client.closed(stood, now, &mut self.outputs) {
                        self.outputs.push_back(TxOutput::Failed { tx });
                        self.remove(tx);
                    } else {
                        self.arm(tx);
                    }
                }
                Some(Entry::Server(server, _)) => server.closed(hop),
                _ => {}
            }
        }
    }

    /// Runs the timers that are due.
    pub fn wake(&mut self, now: Instant) {
        while let Some(tx) = self.timers.due(now) {
            let gone = match self.entries.get_mut(&tx) {
                Some(Entry::Client(client, _)) => {
                    let (gone, timed_out) = client.wake(now, &mut self.outputs);
                    if timed_out {
                        self.outputs.push_back(TxOutput::Failed { tx });
                    }
                    gone
                }
                Some(Entry::Server(server, _)) => server.wake(now, &mut self.outputs),
                None => continue,
            };
            if gone { self.remove(tx) } else { self.arm(tx) }
        }
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<TxOutput> {
        self.outputs.pop_front()
    }

    /// When the next timer is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn begins_by(&mut self, tx: TxId, hop: Hop) {
        if hop.transport.is_stream() {
            self.began_by.insert(tx, hop);
            self.by_connection.insert((hop, tx));
        }
    }

    fn next_id(&mut self) -> TxId {
        self.last += 1;
        TxId(self.last)
    }

    fn arm(&mut self, tx: TxId) {
        let at = match self.entries.get(&tx) {
            Some(Entry::Client(client, _)) => client.next_wake(),
            Some(Entry::Server(server, _)) => server.next_wake(),
            None => None,
        };
        self.timers.set(tx, at);
    }

    fn remove(&mut self, tx: TxId) {
        match self.entries.remove(&tx) {
            Some(Entry::Client(_, key)) => self.clients.remove(&key),
            Some(Entry::Server(_, key)) => self.servers.remove(&key),
            None => None,
        };
        if let Some(hop) = self.began_by.remove(&tx) {
            self.by_connection.remove(&(hop, tx));
        }
        self.timers.set(tx, None);
        self.outputs.push_back(TxOutput::Gone { tx });
    }
}

/// Notes in the top Via where a request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4).
pub fn stamp(request: &mut Request, source: Hop) {
    let source = source.address;
    let Some(via) = request.head.via.first_mut() else {
        return;
    };
    let asks = via.params.has("rport");
    if asks {
        via.params.set("rport", source.port().to_string());
    }
    if asks || numeric(&via.host) != Some(source.ip()) {
        via.params.set("received", source.ip().to_string());
    }
}

/// Where responses to a request go (RFC 3261 section 18.2.2, RFC 3581 section 4): on the connection that it came by. Without
/// one, to the address that it came from; to the port that it came from only when asked for, else to the one in the Via.
pub fn reply_address(via: &Via, source: Hop) -> Hop {
    if source.transport.is_stream() || via.params.has("rport") { source } else { sent_by(via, source) }
}

/// The port that the Via names, at the address that the request came from.
fn sent_by(via: &Via, source: Hop) -> Hop {
    let port = via.port.unwrap_or(source.transport.port());
    Hop { address: SocketAddr::new(source.ip(), port), ..source }
}

/// Says in the top Via what carries the request, and where we are reached by that.
pub fn carry(request: &mut Request, transport: Transport, host: String, port: u16) {
    if let Some(via) = request.head.via.first_mut() {
        (via.transport, via.host, via.port) = (transport.name().into(), host, Some(port));
    }
}

/// The next time of a schedule. It counts from the due time, so that a late wake does not stretch the schedule; one that is
/// later than a whole wait starts anew instead of sending in a burst.
pub(super) fn after(due: Instant, wait: Duration, now: Instant) -> Instant {
    if due + wait > now { due + wait } else { now + wait }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sip::message::Message;
    use crate::sip::parse;

    fn hop(transport: Transport, port: u16) -> Hop {
        Hop { transport, address: SocketAddr::from(([192, 0, 2, 1], port)) }
    }

    fn options(number: u16) -> Request {
        let text = format!(
            "OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK{number}\r\nFrom: <sip:b@192.0.2.9>;tag=b\r\n\
             To: <sip:a@192.0.2.1>\r\nCall-ID: c{number}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let Ok(Message::Request(request)) = parse::message(text.as_bytes()) else { unreachable!("{text}") };
        request
    }

    /// A connection that is gone takes along what waits on it and nothing else, and nothing of it is kept.
    #[test]
    fn a_connection_takes_its_own_transactions_along() {
        let (now, mut table) = (crate::epoch(), Transactions::new(64));
        let (one, other, datagrams) = (hop(Transport::Tcp, 1), hop(Transport::Tcp, 2), hop(Transport::Udp, 1));
        let mut sent = |number, remote| table.send(options(number), remote, None, now).unwrap();
        let (first, second, third) = (sent(1, one), sent(2, other), sent(3, datagrams));
        let asked = table.open(&options(4), one).unwrap();
        assert_eq!(table.by_connection.len(), 3);
        table.closed(one, now);
        let gone = |table: &mut Transactions| {
            let all = std::iter::from_fn(|| table.poll());
            let gone = all.filter_map(|output| if let TxOutput::Gone { tx } = output { Some(tx) } else { None });
            gone.collect::<BTreeSet<_>>()
        };
        assert_eq!(gone(&mut table), [first].into());
        table.respond(asked, &Response::to(&options(4), 200, ""), now);
        table.wake(now + TIMEOUT * 2);
        assert_eq!(gone(&mut table), [second, third, asked].into());
        assert!(table.is_empty() && table.by_connection.is_empty() && table.began_by.is_empty());
    }

    /// A request that went over a connection which had stood goes out once more when that is gone, if nothing has come of it.
    #[test]
    fn a_request_may_go_over_a_new_connection_once() {
        let one = hop(Transport::Tcp, 1);
        let transmits = |table: &mut Transactions| {
            let all: Vec<_> = std::iter::from_fn(|| table.poll()).collect();
            let failed = all.iter().any(|output| matches!(output, TxOutput::Failed { .. }));
            (all.iter().filter(|output| matches!(output, TxOutput::Transmit { .. })).count(), failed)
        };
        // Whether the connection has brought an answer, whether it may, and whether the far end has begun to answer.
        for (stood, may, trying) in
            [(true, true, false), (false, true, false), (true, false, false), (true, true, true)]
        {
            let (now, mut table) = (crate::epoch(), Transactions::new(64));
            let answer = |table: &mut Transactions, number, status| {
                assert!(table.receive_response(&Response::to(&options(number), status, ""), one, now));
            };
            if stood {
                table.send(options(1), one, None, now).unwrap();
                answer(&mut table, 1, 200);
            }
            let tx = table.send(options(2), one, None, now).unwrap();
            if may {
                table.may_reconnect(tx);
            }
            if trying {
                answer(&mut table, 2, 100);
            }
            while table.poll().is_some() {}
            table.closed(one, now);
            let again = stood && may && !trying;
            assert_eq!(transmits(&mut table), (usize::from(again), !again), "{stood} {may} {trying}");
            if again {
                table.closed(one, now);
                assert_eq!(transmits(&mut table), (0, true), "once");
            }
        }
        let (now, mut table) = (crate::epoch(), Transactions::new(64));
        table.send(options(1), one, None, now).unwrap();
        assert!(table.receive_response(&Response::to(&options(1), 200, ""), one, now));
        table.closed(one, now);
        assert!(table.standing.is_empty(), "of a connection that is gone nothing is kept");
    }
}
