//! The two client machines: INVITE (RFC 3261 section 17.1.1, RFC 6026 section 7.2) and the others (section 17.1.2).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{T1, T2, T4, TIMEOUT, TxOutput};
use crate::sip::header::CSeq;
use crate::sip::message::{Field, Head, Method, Request, Response};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Calling or Trying: nothing has come back.
    Waiting,
    /// A provisional response came.
    Proceeding,
    /// A final response came (to an INVITE: a refusal); repeated ones are swallowed.
    Completed,
    /// A 2xx to an INVITE came; further ones are passed up (RFC 6026).
    Accepted,
}

/// A request of ours, until nothing about it can come any more.
#[derive(Debug)]
pub struct Client {
    request: Request,
    bytes: Vec<u8>,
    remote: SocketAddr,
    state: State,
    /// The ACK to a refusal of our INVITE.
    ack: Option<Vec<u8>>,
    /// Timers A and E: when to send again, and the wait after that.
    again: Option<(Instant, Duration)>,
    /// Timers B, F, D, K and M.
    ends: Option<Instant>,
}

impl Client {
    /// Sends the request.
    pub fn start(request: Request, remote: SocketAddr, now: Instant, out: &mut VecDeque<TxOutput>) -> Self {
        let bytes = request.encode();
        out.push_back(TxOutput::Transmit { remote, bytes: bytes.clone() });
        Self {
            request,
            bytes,
            remote,
            state: State::Waiting,
            ack: None,
            again: Some((now + T1, T1 * 2)),
            ends: Some(now + TIMEOUT),
        }
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where it went.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Ends the wait for a final response at that time.
    pub fn give_up(&mut self, at: Instant) {
        if matches!(self.state, State::Waiting | State::Proceeding) {
            self.ends = Some(at);
        }
    }

    /// When a timer is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.again.map(|(at, _)| at).into_iter().chain(self.ends).min()
    }

    /// Takes a response; `true` when the user agent has to see it.
    pub fn receive(&mut self, response: &Response, now: Instant, out: &mut VecDeque<TxOutput>) -> bool {
        let invite = self.request.method == Method::Invite;
        match (self.state, response.status) {
            (State::Waiting | State::Proceeding, 100..200) => {
                if invite {
                    self.again = None;
                    // Timer B runs in the Calling state alone; how long to let it ring is the user agent's to say.
                    if self.state == State::Waiting {
                        self.ends = None;
                    }
                } else if self.state == State::Waiting {
                    self.again = Some((now + T2, T2));
                }
                self.state = State::Proceeding;
                true
            }
            (State::Waiting | State::Proceeding, 200..300) if invite => {
                self.finish(State::Accepted, now + TIMEOUT);
                true
            }
            (State::Waiting | State::Proceeding, _) => {
                if invite {
                    self.ack = Some(self.refusal_ack(response));
                    self.acknowledge(out);
                }
                self.finish(State::Completed, now + if invite { TIMEOUT } else { T4 });
                true
            }
            (State::Accepted, 200..300) => true,
            (State::Completed, 300..) if invite => {
                self.acknowledge(out);
                false
            }
            _ => false,
        }
    }

    /// Runs the timers; tells whether the transaction is over, and whether it ends without a final response.
    pub fn wake(&mut self, now: Instant, out: &mut VecDeque<TxOutput>) -> (bool, bool) {
        if self.ends.is_some_and(|at| at <= now) {
            return (true, matches!(self.state, State::Waiting | State::Proceeding));
        }
        if let Some((at, wait)) = self.again.filter(|(at, _)| *at <= now) {
            out.push_back(TxOutput::Transmit { remote: self.remote, bytes: self.bytes.clone() });
            let longest = if self.request.method == Method::Invite { TIMEOUT } else { T2 };
            self.again = Some((super::after(at, wait, now), (wait * 2).min(longest)));
        }
        (false, false)
    }

    fn finish(&mut self, state: State, ends: Instant) {
        self.state = state;
        self.again = None;
        self.ends = Some(ends);
    }

    fn acknowledge(&self, out: &mut VecDeque<TxOutput>) {
        if let Some(bytes) = &self.ack {
            out.push_back(TxOutput::Transmit { remote: self.remote, bytes: bytes.clone() });
        }
    }

    /// Section 17.1.1.3: the INVITE's Request-URI, top Via, Route and number; the response's To.
    fn refusal_ack(&self, response: &Response) -> Vec<u8> {
        let Head { via, from, call_id, cseq, fields, .. } = &self.request.head;
        let kept = |field: &&Field| matches!(field.name.as_str(), "Route" | "Max-Forwards");
        let ack = Request {
            method: Method::Ack,
            uri: self.request.uri.clone(),
            head: Head {
                via: via.iter().take(1).cloned().collect(),
                from: from.clone(),
                to: response.head.to.clone(),
                call_id: call_id.clone(),
                cseq: CSeq { number: cseq.number, method: Method::Ack },
                fields: fields.iter().filter(kept).cloned().collect(),
            },
            body: Vec::new(),
        };
        ack.encode()
    }
}
