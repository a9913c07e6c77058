//! The two server machines: INVITE (RFC 3261 section 17.2.1, RFC 6026 section 7.1) and the others (section 17.2.2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{T1, T2, T4, TIMEOUT, TxOutput};
use crate::io::Hop;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Trying or Proceeding: no final response yet.
    Proceeding,
    /// A final response was sent (to an INVITE: a refusal, repeated until ACK).
    Completed,
    /// A refusal was acknowledged.
    Confirmed,
    /// A 2xx to an INVITE was sent (RFC 6026): the user agent repeats it, this swallows repeated INVITEs.
    Accepted,
}

/// A request of the far end, until nothing about it can come any more.
#[derive(Debug)]
pub struct Server {
    invite: bool,
    remote: Hop,
    /// Where responses go once the connection is gone that the request came by.
    sent_by: Hop,
    state: State,
    /// The last response.
    sent: Option<Vec<u8>>,
    /// Timer G: when to send again, and the wait after that.
    again: Option<(Instant, Duration)>,
    /// Timers H, I, J and L.
    ends: Option<Instant>,
}

impl Server {
    /// For a request whose responses go to `remote`.
    pub fn new(invite: bool, remote: Hop, sent_by: Hop) -> Self {
        Self { invite, remote, sent_by, state: State::Proceeding, sent: None, again: None, ends: None }
    }

    /// Sends a response. After a final one nothing more is sent.
    pub fn respond(&mut self, status: u16, bytes: Vec<u8>, now: Instant, out: &mut VecDeque<TxOutput>) {
        if self.state != State::Proceeding {
            return;
        }
        self.sent = Some(bytes);
        self.send_again(out);
        match status {
            ..200 => {}
            200..300 if self.invite => self.finish(State::Accepted, now + TIMEOUT),
            _ => {
                // Timer J waits for a request that was sent twice, H for the ACK.
                let stream = self.remote.transport.is_stream();
                self.finish(State::Completed, if stream && !self.invite { now } else { now + TIMEOUT });
                if self.invite && !stream {
                    self.again = Some((now + T1, T1 * 2));
                }
            }
        }
    }

    /// The request came again: the last response is what it missed. In the accepted state the user agent sees to that.
    pub fn repeat(&self, out: &mut VecDeque<TxOutput>) {
        if matches!(self.state, State::Proceeding | State::Completed) {
            self.send_again(out);
        }
    }

    /// Sends the last response again.
    pub fn send_again(&self, out: &mut VecDeque<TxOutput>) {
        if let Some(bytes) = &self.sent {
            out.push_back(TxOutput::Transmit { remote: self.remote, bytes: bytes.clone() });
        }
    }

    /// An ACK with this branch came; `false` when it is for the user agent: it acknowledges a 2xx.
    pub fn acknowledge(&mut self, now: Instant) -> bool {
        if self.state == State::Completed {
            self.again = None;
            // Timer I waits for ACKs to refusals that were sent twice.
            self.finish(State::Confirmed, if self.remote.transport.is_stream() { now } else { now + T4 });
        }
        self.state != State::Accepted
    }

    /// A connection is gone.
    pub fn closed(&mut self, hop: Hop) {
        if self.remote == hop && hop.transport.is_stream() {
            self.remote = self.sent_by;
        }
    }

    /// When a timer is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.again.map(|(at, _)| at).into_iter().chain(self.ends).min()
    }

    /// Runs the timers; `true` when the transaction is over.
    pub fn wake(&mut self, now: Instant, out: &mut VecDeque<TxOutput>) -> bool {
        if self.ends.is_some_and(|at| at <= now) {
            return true;
        }
        if let Some((at, wait)) = self.again.filter(|(at, _)| *at <= now) {
            self.send_again(out);
            self.again = Some((super::after(at, wait, now), (wait * 2).min(T2)));
        }
        false
    }

    fn finish(&mut self, state: State, ends: Instant) {
        self.state = state;
        self.ends = Some(ends);
    }
}
