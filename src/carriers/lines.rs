//! Which calls of carriers there are, and who may bring their sockets: a ticket for each, good once. That of a call that has come is
//! good for half a minute, that of a call that is placed until it has come to something.

use super::line::{Socket, ToLine};
use auricle_media::io::CallerIdentity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio::sync::mpsc;

/// How long a ticket is good: the carrier connects within a second or two.
const TICKET_WITHIN: Duration = Duration::from_secs(30);
/// Tickets that are out. Of one more the call is refused.
const TICKETS_MAX: usize = 1_024;
/// What one line is told and has not taken yet.
const NEWS_MAX: usize = 8;
/// Calls that are being placed at most: more than a clinic may have on.
const PLACED_MAX: usize = 1_024;

/// Who calls whom. Personal data.
#[derive(Clone)]
pub struct Caller {
    /// The caller's number; empty when withheld.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// What the carrier says about the caller.
    pub identity: CallerIdentity,
}

/// The calls of carriers, by the carriers' names for them.
#[derive(Default)]
pub struct Lines(Mutex<State>);

#[derive(Default)]
struct State {
    tickets: HashMap<String, Ticket>,
    lines: HashMap<String, mpsc::Sender<ToLine>>,
    /// Calls that we place, by our own names for them: the carrier's name is known later, and may be told to us before its answer.
    placed: HashMap<String, Placed>,
}

struct Placed {
    /// None: a socket has come.
    token: Option<String>,
    line: mpsc::Sender<ToLine>,
    /// The carrier's name.
    call: Option<String>,
}

/// A call that is about to be placed.
pub struct Placing {
    /// Our name for it: it stands in the addresses by which the carrier tells how it fares. Nobody guesses it.
    pub name: String,
    /// The ticket of its socket.
    pub ticket: String,
    /// What it is told from outside.
    pub news: mpsc::Receiver<ToLine>,
}

struct Ticket {
    token: String,
    until: Instant,
    /// None: the call is on, and this is for another socket of it.
    caller: Option<Caller>,
}

/// What a ticket was good for.
pub enum Redeemed {
    /// A new call. Its news come here.
    New(Caller, mpsc::Receiver<ToLine>),
    /// Another socket of a call that is on; it is to be handed over.
    Again(mpsc::Sender<ToLine>),
}

impl Lines {
    /// A ticket for a new call. The same call again has the same one, until it is used; none when the call is on already, or when
    /// too many tickets are out.
    pub fn issue(&self, call: &str, caller: Caller, now: Instant) -> Option<String> {
        let mut state = self.state();
        if state.lines.contains_key(call) {
            return None;
        }
        state.issue(call, Some(caller), now)
    }

    /// The same, but none for a call whose ticket is out.
    pub fn issue_once(&self, call: &str, caller: Caller, now: Instant) -> Option<String> {
        let mut state = self.state();
        let is_out = state.tickets.get(call).is_some_and(|ticket| now < ticket.until);
        if is_out || state.lines.contains_key(call) {
            return None;
        }
        state.issue(call, Some(caller), now)
    }

    /// A ticket for another socket of a call that is on; none when it is not.
    pub fn reissue(&self, call: &str, now: Instant) -> Option<String> {
        let mut state = self.state();
        state.lines.contains_key(call).then(|| state.issue(call, None, now)).flatten()
    }

    /// The ticket of a call that was not used yet.
    pub fn pending(&self, call: &str, now: Instant) -> Option<String> {
        self.state().tickets.get(call).filter(|ticket| now < ticket.until).map(|ticket| ticket.token.clone())
    }

    /// Whether a call is on, or its first socket is still awaited.
    pub fn is_on(&self, call: &str, now: Instant) -> bool {
        let state = self.state();
        state.lines.contains_key(call) || state.tickets.get(call).is_some_and(|ticket| now < ticket.until)
    }

    /// Whether a ticket is out, for whichever call: what a socket may be opened with whose opening is not signed.
    pub fn is_out(&self, token: &str, now: Instant) -> bool {
        let state = self.state();
        let good = |ticket: &&Ticket| now < ticket.until && bool::from(ticket.token.as_bytes().ct_eq(token.as_bytes()));
        state.tickets.values().any(|ticket| good(&ticket))
    }

    /// Uses a ticket up. With one for a new call the call is on.
    pub fn redeem(&self, call: &str, token: &str, now: Instant) -> Option<Redeemed> {
        let mut state = self.state();
        let ticket = state.tickets.get(call).filter(|ticket| now < ticket.until)?;
        if !bool::from(ticket.token.as_bytes().ct_eq(token.as_bytes())) {
            return None;
        }
        match state.tickets.remove(call)?.caller {
            None => state.lines.get(call).cloned().map(Redeemed::Again),
            Some(caller) => {
                let (to, news) = mpsc::channel(NEWS_MAX);
                state.lines.insert(call.to_owned(), to);
                Some(Redeemed::New(caller, news))
            }
        }
    }

    /// Begins a call that we place; none when there are too many.
    pub fn place(&self) -> Option<Placing> {
        let mut state = self.state();
        if state.placed.len() >= PLACED_MAX {
            return None;
        }
        let (name, ticket) = (random_name(), random_name());
        let (line, news) = mpsc::channel(NEWS_MAX);
        state.placed.insert(name.clone(), Placed { token: Some(ticket.clone()), line, call: None });
        Some(Placing { name, ticket, news })
    }

    /// The carrier's name of a call that we place; from now on it is one among the others. False when nobody places it any more.
    pub fn named(&self, name: &str, call: &str) -> bool {
        let mut state = self.state();
        let Some(placed) = state.placed.get_mut(name) else { return false };
        placed.call.get_or_insert_with(|| call.to_owned());
        let line = placed.line.clone();
        state.lines.entry(call.to_owned()).or_insert(line);
        true
    }

    /// The carrier's name of a call that we place, once it is known.
    pub fn call_of(&self, name: &str) -> Option<String> {
        self.state().placed.get(name)?.call.clone()
    }

    /// Tells a call that we place how it fares. False when nobody places it any more.
    pub fn tell(&self, name: &str, news: ToLine) -> bool {
        let state = self.state();
        let Some(placed) = state.placed.get(name) else { return false };
        // A line that has so much to take in is about to find out by itself.
        let _full = placed.line.try_send(news);
        true
    }

    /// Whether the ticket of a call that we place is out.
    pub fn is_placed(&self, name: &str, token: &str) -> bool {
        let state = self.state();
        let ticket = state.placed.get(name).and_then(|placed| placed.token.as_deref());
        ticket.is_some_and(|ticket| bool::from(ticket.as_bytes().ct_eq(token.as_bytes())))
    }

    /// Uses the ticket of a call that we place up.
    pub fn redeem_placed(&self, name: &str, token: &str) -> Option<Redeemed> {
        let mut state = self.state();
        let placed = state.placed.get_mut(name)?;
        placed.token.take_if(|ticket| bool::from(ticket.as_bytes().ct_eq(token.as_bytes())))?;
        Some(Redeemed::Again(placed.line.clone()))
    }

    /// A call that we placed is over, or came to nothing: the carrier's name of it, where it is known.
    pub fn close_placed(&self, name: &str) -> Option<String> {
        let mut state = self.state();
        let call = state.placed.remove(name)?.call?;
        state.lines.remove(&call);
        state.tickets.remove(&call);
        Some(call)
    }

    /// The carrier says that a call is over. Its ticket, if it is out, is good for nothing any more.
    pub fn over(&self, call: &str) {
        let mut state = self.state();
        state.tickets.remove(call);
        if let Some(line) = state.lines.get(call) {
            // A line that has so much to take in is about to find out by itself.
            let _full = line.try_send(ToLine::Over);
        }
    }

    /// A call's line is gone.
    pub fn close(&self, call: &str) {
        let mut state = self.state();
        state.lines.remove(call);
        state.tickets.remove(call);
    }

    /// Hands a socket to a call that is on. False when that has ended in the meantime.
    pub async fn hand_over(line: &mpsc::Sender<ToLine>, socket: Socket) -> bool {
        line.send(ToLine::Socket(Box::new(socket))).await.is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn issue(&mut self, call: &str, caller: Option<Caller>, now: Instant) -> Option<String> {
        self.tickets.retain(|_, ticket| now < ticket.until);
        if let Some(ticket) = self.tickets.get(call) {
            return Some(ticket.token.clone());
        }
        if self.tickets.len() >= TICKETS_MAX {
            return None;
        }
        let token = random_name();
        let ticket = Ticket { token: token.clone(), until: now + TICKET_WITHIN, caller };
        self.tickets.insert(call.to_owned(), ticket);
        Some(token)
    }
}

/// A name that nobody guesses: 32 random bytes.
pub fn random_name() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn caller() -> Caller {
        Caller { from: "+15550100".into(), to: "+15550199".into(), identity: CallerIdentity::default() }
    }

    /// SEC-12: a ticket is good once, for its own call, and not for long.
    #[test]
    fn a_ticket_is_good_once() {
        let (lines, now) = (Lines::default(), Instant::now());
        let token = lines.issue("CA1", caller(), now).unwrap();
        assert_eq!(lines.issue("CA1", caller(), now).as_ref(), Some(&token), "a repeated request has the same one");
        assert!(lines.issue_once("CA1", caller(), now).is_none(), "unless it is asked for once");
        assert_eq!(lines.pending("CA1", now).as_ref(), Some(&token));
        assert!(lines.redeem("CA2", &token, now).is_none(), "for another call");
        assert!(lines.redeem("CA1", "guess", now).is_none());
        assert!(lines.redeem("CA1", &token, now + TICKET_WITHIN).is_none(), "too late");
        assert!(matches!(lines.redeem("CA1", &token, now), Some(Redeemed::New(..))));
        assert!(lines.redeem("CA1", &token, now).is_none(), "once");
        assert!(lines.issue("CA1", caller(), now).is_none(), "the call is on");
        let again = lines.reissue("CA1", now).unwrap();
        assert!(matches!(lines.redeem("CA1", &again, now), Some(Redeemed::Again(_))));
        lines.close("CA1");
        assert!(lines.reissue("CA1", now).is_none());
    }

    #[test]
    fn tickets_are_bounded_and_make_room_when_they_expire() {
        let (lines, now) = (Lines::default(), Instant::now());
        for call in 0..TICKETS_MAX {
            assert!(lines.issue(&format!("CA{call}"), caller(), now).is_some());
        }
        assert!(lines.issue("CAx", caller(), now).is_none());
        assert!(lines.issue("CAx", caller(), now + TICKET_WITHIN).is_some());
    }
}
