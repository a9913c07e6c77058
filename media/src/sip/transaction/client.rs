//! The two client machines: INVITE (RFC 3261 section 17.1.1, RFC 6026 section 7.2) and the others (section 17.1.2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{T1, T2, T4, TIMEOUT, TxOutput};
use crate::io::Hop;
use crate::sip::header::{CSeq, Via};
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

/// How long a connection tried for a long request may take to bring anything before the request goes another way.
const FALLBACK_AFTER: Duration = Duration::from_secs(2);

/// Where a request goes when the connection that it was first sent over does not work.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// Another hop to the same far end.
    pub remote: Hop,
    /// The top Via for it, with the same branch.
    pub via: Via,
}

/// A request of ours, until nothing about it can come any more.
#[derive(Debug)]
pub struct Client {
    request: Request,
    bytes: Vec<u8>,
    remote: Hop,
    fallback: Option<Fallback>,
    /// It may go out once more over a new connection.
    reconnects: bool,
    state: State,
    /// The ACK to a refusal of our INVITE.
    ack: Option<Vec<u8>>,
    /// Timers A and E: when to send again, and the wait after that. None over a connection, but when there is a fallback.
    again: Option<(Instant, Duration)>,
    /// Timers B, F, D, K and M.
    ends: Option<Instant>,
}

impl Client {
    /// Sends the request.
    pub fn start(
        request: Request,
        remote: Hop,
        fallback: Option<Fallback>,
        now: Instant,
        out: &mut VecDeque<TxOutput>,
    ) -> Self {
        let bytes = request.encode();
        let again = match &fallback {
            Some(_) => Some((now + FALLBACK_AFTER, T1)),
            None => (!remote.transport.is_stream()).then_some((now + T1, T1 * 2)),
        };
        out.push_back(TxOutput::Transmit { remote, bytes: bytes.clone() });
        let (state, ends) = (State::Waiting, Some(now + TIMEOUT));
        Self { request, bytes, remote, fallback, reconnects: false, state, ack: None, again, ends }
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where it went.
    pub fn remote(&self) -> Hop {
        self.remote
    }

    /// Where it went can be connected to anew.
    pub fn may_reconnect(&mut self) {
        self.reconnects = self.remote.transport.is_stream() && self.fallback.is_none();
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
                    self.again = (!self.remote.transport.is_stream()).then_some((now + T2, T2));
                }
                self.fallback = None;
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
                // Timers D and K wait for what was sent twice.
                let wait = match (self.remote.transport.is_stream(), invite) {
                    (true, _) => Duration::ZERO,
                    (false, true) => TIMEOUT,
                    (false, false) => T4,
                };
                self.finish(State::Completed, now + wait);
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
            if self.fall_back(now, out) {
                return (false, false);
            }
            out.push_back(TxOutput::Transmit { remote: self.remote, bytes: self.bytes.clone() });
            let longest = if self.request.method == Method::Invite { TIMEOUT } else { T2 };
            self.again = Some((super::after(at, wait, now), (wait * 2).min(longest)));
        }
        (false, false)
    }

    /// Its connection is gone; `true` when no final response can come any more. Where the connection had `stood` before, the far end
    /// may have been about to close it when the request was sent, and has not seen it: then it is sent once more, the same to the
    /// letter, over a new one.
    pub fn closed(&mut self, stood: bool, now: Instant, out: &mut VecDeque<TxOutput>) -> bool {
        if stood && self.state == State::Waiting && std::mem::take(&mut self.reconnects) {
            out.push_back(TxOutput::Transmit { remote: self.remote, bytes: self.bytes.clone() });
            return false;
        }
        matches!(self.state, State::Waiting | State::Proceeding) && !self.fall_back(now, out)
    }

    /// Sends the request the other way, if there is one.
    fn fall_back(&mut self, now: Instant, out: &mut VecDeque<TxOutput>) -> bool {
        let Some(Fallback { remote, via }) = self.fallback.take() else { return false };
        if let Some(top) = self.request.head.via.first_mut() {
            *top = via;
        }
        self.remote = remote;
        self.bytes = self.request.encode();
        out.push_back(TxOutput::Transmit { remote, bytes: self.bytes.clone() });
        self.again = Some((now + T1, T1 * 2));
        self.ends = Some(now + TIMEOUT);
        true
    }

    fn finish(&mut self, state: State, ends: Instant) {
        self.fallback = None;
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
