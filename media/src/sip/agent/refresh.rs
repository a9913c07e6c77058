//! Session timers (RFC 4028): a call whose far end is gone without a BYE ends by itself.
//!
//! We ask for a timer in every call of ours, keep the one that the far end asks for in its own, and give one to a caller that knows
//! timers and asks for none. With a far end that knows none we refresh alone: what it says to that is enough to know that the call
//! is on, and only what says that it is not ends it.

use std::time::{Duration, Instant};

use super::call::{Cancel, Phase};
use super::{ALLOW, AgentEnd, AgentEvent, DialogId, UserAgent, description};
use crate::io::Hop;
use crate::sip::header::Params;
use crate::sip::message::{Head, Method, Request, Response};
use crate::sip::transaction::TxId;

/// The interval that we ask for, in seconds (RFC 4028 section 4 recommends it).
pub const SESSION_S: u32 = 1_800;
/// The shortest interval that is taken, in seconds (section 5 allows no shorter one).
pub const SESSION_S_MIN: u32 = 90;
/// A longer interval is taken as this one, in seconds.
const SESSION_S_MAX: u32 = 86_400;
/// 422 answers to one INVITE that are followed.
const TOO_BRIEF_MAX: u8 = 2;
/// How long a refresh waits for another change of the session to end.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// When a call has to be refreshed, and when it is over without that.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionTimer {
    interval_s: u32,
    /// When we refresh; `None`: the far end does.
    refresh_at: Option<Instant>,
    /// When it ends: a little before the interval does, so that BYE still finds the far end (section 10). `None`: no timer was
    /// agreed on.
    ends_at: Option<Instant>,
}

impl SessionTimer {
    fn new(interval_s: u32, ours: bool, now: Instant) -> Self {
        let interval = Duration::from_secs(u64::from(interval_s));
        let margin = Duration::from_secs(32).min(interval / 3);
        let ends_at = Some(now + interval - margin);
        Self { interval_s, refresh_at: ours.then_some(now + interval / 2), ends_at }
    }

    /// The far end knows no timers: we refresh alone.
    fn alone(now: Instant) -> Self {
        Self { ends_at: None, ..Self::new(SESSION_S, true, now) }
    }

    /// Whether the far end knows of it.
    pub(super) fn is_agreed(&self) -> bool {
        self.ends_at.is_some()
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.refresh_at.into_iter().chain(self.ends_at).min()
    }
}

/// A refresh or change of ours that is not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refreshing {
    pub tx: TxId,
    pub invite: bool,
    /// It offers a change of the session.
    pub change: bool,
    /// When it is taken back: the far end has said that it works on it, and may do so for ever.
    pub cancel_at: Option<Instant>,
    /// It has been taken back.
    pub cancelled: bool,
}

/// The ACK to a re-INVITE of ours, to be sent again with every repeated 200.
#[derive(Debug)]
pub(super) struct RefreshAck {
    tx: TxId,
    remote: Hop,
    bytes: Vec<u8>,
}

/// The value of Session-Expires: seconds, and whether the caller of the request refreshes.
fn session_expires(head: &Head) -> Option<(u32, Option<bool>)> {
    let value = head.get("Session-Expires")?;
    let (seconds, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    let params = Params::parse(params)?;
    let refresher = params.get("refresher").map(|refresher| refresher.eq_ignore_ascii_case("uac"));
    Some((seconds.trim().parse().ok()?, refresher))
}

fn least(head: &Head) -> Option<u32> {
    head.get("Min-SE")?.split(';').next()?.trim().parse().ok().filter(|least| *least <= SESSION_S_MAX)
}

fn set(request: &mut Request, name: &str, value: String) {
    request.head.fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
    request.head.push(name, value);
}

/// 422 for an interval that is too short, to who can choose a longer one.
pub(super) fn too_brief(request: &Request) -> Option<Response> {
    let (seconds, _) = session_expires(&request.head)?;
    let refused = seconds < SESSION_S_MIN && request.head.lists("Supported", "timer");
    refused.then(|| Response::to(request, 422, "").with("Min-SE", SESSION_S_MIN.to_string()))
}

impl UserAgent {
    /// Agrees, in a 2xx of ours, to the timer that the request asks for; who asks for none and knows timers is given one.
    pub(super) fn agree_on_session(
        &mut self,
        id: DialogId,
        request: &Request,
        response: Response,
        now: Instant,
    ) -> Response {
        let Some(call) = self.calls.get_mut(&id) else { return response };
        call.takes_update |= request.head.lists("Allow", "UPDATE");
        let supported = request.head.lists("Supported", "timer");
        let (seconds, refresher) = match session_expires(&request.head) {
            Some(asked) => asked,
            None if supported => (SESSION_S, Some(false)),
            None => {
                call.session = Some(SessionTimer::alone(now));
                return response;
            }
        };
        let seconds = seconds.clamp(SESSION_S_MIN, SESSION_S_MAX);
        // Who does not know timers (a proxy asked for them) cannot refresh.
        let theirs = supported && refresher.unwrap_or(true);
        call.session = Some(SessionTimer::new(seconds, !theirs, now));
        let who = if theirs { "uac" } else { "uas" };
        let response = response.with("Session-Expires", format!("{seconds};refresher={who}"));
        if supported { response.with("Require", "timer") } else { response }
    }

    /// Takes the timer that a 2xx to a request of ours grants; where it grants none we refresh alone.
    pub(super) fn take_session(&mut self, id: DialogId, head: &Head, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.takes_update |= head.lists("Allow", "UPDATE");
        call.session = Some(match session_expires(head) {
            Some((seconds, refresher)) => {
                SessionTimer::new(seconds.clamp(SESSION_S_MIN, SESSION_S_MAX), refresher.unwrap_or(true), now)
            }
            None => SessionTimer::alone(now),
        });
        self.arm(id);
    }

    /// 422 to our first INVITE: the same with the interval that is demanded. `false` when that does not help.
    pub(super) fn invite_longer(&mut self, id: DialogId, response: &Response, now: Instant) -> bool {
        let Some(least) = least(&response.head).filter(|_| response.status == 422) else { return false };
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended && call.cancel == Cancel::No) else {
            return false;
        };
        if call.too_brief >= TOO_BRIEF_MAX {
            return false;
        }
        call.too_brief += 1;
        call.invite.head.cseq.number += 1;
        set(&mut call.invite, "Session-Expires", least.max(SESSION_S).to_string());
        set(&mut call.invite, "Min-SE", least.to_string());
        self.send_invite(id, now);
        true
    }

    /// The timer of a call that is up.
    pub(super) fn session_is_due(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(session) = &mut call.session else { return };
        if session.ends_at.is_some_and(|at| at <= now) {
            return self.bye(id, AgentEnd::Timeout, now);
        }
        let busy = call.offer.is_some() || call.refreshing.is_some();
        session.refresh_at = session.refresh_at.filter(|_| busy).map(|_| now + SOON);
        if !busy {
            self.refresh(id, now);
        }
    }

    fn refresh(&mut self, id: DialogId, now: Instant) {
        let Some(call) = self.calls.get(&id) else { return };
        // Without UPDATE the whole description is offered once more, unchanged.
        let described = call.described.as_ref().filter(|_| !call.takes_update).map(ToString::to_string);
        let method = if described.is_some() { Method::Invite } else { Method::Update };
        if !self.send_change(id, method, described, false, now) {
            self.refresh_later(id, now + SOON);
        }
    }

    /// Sends a re-INVITE or UPDATE, which keeps the session timer (RFC 4028 section 7.4). `false` when it cannot be sent.
    pub(super) fn send_change(
        &mut self,
        id: DialogId,
        method: Method,
        sdp: Option<String>,
        change: bool,
        now: Instant,
    ) -> bool {
        let Some(own) = self.contact_within(id) else { return false };
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(dialog) = &mut call.dialog else { return false };
        let invite = method == Method::Invite;
        let (request, remote, account) = (dialog.request(method), dialog.next_hop(), call.account);
        let session = call.session;
        let mut request = request
            .with("Contact", own)
            .with("Allow", ALLOW)
            .with("Supported", "timer")
            .with("User-Agent", self.config.user_agent.clone());
        if let Some(session) = session.filter(SessionTimer::is_agreed) {
            // A change does not move the duty to refresh to the other side.
            let who = if session.refresh_at.is_some() || !change { "uac" } else { "uas" };
            request = request.with("Session-Expires", format!("{};refresher={who}", session.interval_s));
        }
        if let Some(sdp) = sdp {
            request = request.with("Content-Type", "application/sdp");
            request.body = sdp.into_bytes();
        }
        let Some(tx) = self.send(request, remote, account, now) else { return false };
        self.refresh_sent(id, Refreshing { tx, invite, change, cancel_at: None, cancelled: false });
        true
    }

    fn refresh_sent(&mut self, id: DialogId, refreshing: Refreshing) {
        self.refreshes.insert(refreshing.tx, id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.refreshing = Some(refreshing);
        }
        self.arm(id);
    }

    /// The refresh went out once more with credentials.
    pub(super) fn refreshed_again(&mut self, tx: TxId, again: TxId) {
        let Some(id) = self.refreshes.get(&tx).copied() else { return };
        if let Some(refreshing) = self.calls.get(&id).and_then(|call| call.refreshing) {
            self.refresh_sent(id, Refreshing { tx: again, ..refreshing });
        }
    }

    fn refresh_later(&mut self, id: DialogId, at: Instant) {
        if let Some(session) = self.calls.get_mut(&id).and_then(|call| call.session.as_mut()) {
            session.refresh_at = Some(at);
        }
        self.arm(id);
    }

    /// What came of a refresh or change; `false` when this transaction is none.
    pub(super) fn refresh_took(&mut self, tx: TxId, response: Option<&Response>, now: Instant) -> bool {
        let Some(id) = self.refreshes.get(&tx).copied() else { return false };
        let Some(response) = response else {
            self.refresh_failed(id, tx, now);
            return true;
        };
        if response.is_success() && self.acknowledged_before(id, tx) {
            return true;
        }
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) else { return true };
        if response.status < 200 {
            self.change_is_worked_on(id, tx, now);
            return true;
        }
        let Some(refreshing) = call.refreshing.take_if(|refreshing| refreshing.tx == tx) else { return true };
        match response.status {
            200..300 => self.refreshed(id, refreshing, response, now),
            // The far end knows of no such call, or cannot be asked (RFC 3261 section 12.2.1.2).
            408 | 481 => self.bye(id, AgentEnd::Timeout, now),
            _ => {
                if let (422, Some(session), Some(least)) = (response.status, &mut call.session, least(&response.head)) {
                    session.interval_s = session.interval_s.max(least);
                }
                if refreshing.change {
                    self.change_refused(id, response, now);
                } else {
                    self.refresh_refused(id, refreshing, response.status, now);
                }
            }
        }
        self.arm(id);
        true
    }

    fn refresh_refused(&mut self, id: DialogId, refreshing: Refreshing, status: u16, now: Instant) {
        let glare = self.glare_wait(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_agreed = call.session.is_some_and(|session| session.is_agreed());
        let wait = match status {
            422 if is_agreed => SOON,
            491 => glare,
            // It lists UPDATE and does not take it: the other way then.
            405 | 501 if !refreshing.invite => {
                call.takes_update = false;
                SOON
            }
            // It may be better next time; if not, the call ends with its interval. Where there is none it was heard, which is enough.
            _ => match call.session.and_then(|session| session.ends_at) {
                Some(ends_at) => ends_at.saturating_duration_since(now).max(SOON * 2) / 2,
                None => Duration::from_secs(u64::from(SESSION_S / 2)),
            },
        };
        self.refresh_later(id, now + wait);
    }

    fn refreshed(&mut self, id: DialogId, refreshing: Refreshing, response: &Response, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(dialog) = &mut call.dialog {
            dialog.refresh(&response.head);
        }
        if let Some(offered) = call.offered.take().filter(|_| refreshing.change) {
            call.described = Some(offered);
            call.change.take_if(|change| change.at.is_none());
        }
        if refreshing.invite {
            self.acknowledge_refresh(id, refreshing.tx, response);
        }
        self.take_session(id, &response.head, now);
        match description(&response.head, &response.body) {
            Ok(Some(answer)) if refreshing.invite => self.event(AgentEvent::Accepted { dialog: id, answer }),
            // Nobody knows what was agreed on.
            _ if refreshing.change => self.bye(id, AgentEnd::Protocol, now),
            _ => {}
        }
    }

    fn acknowledge_refresh(&mut self, id: DialogId, tx: TxId, response: &Response) {
        let Some((remote, bytes)) = self.refresh_ack(id, tx, response.head.cseq.number) else { return };
        self.transmit(remote, bytes.clone());
        if let Some(call) = self.calls.get_mut(&id) {
            call.refresh_ack = Some(RefreshAck { tx, remote, bytes });
        }
    }

    /// The ACK to a 2xx to this re-INVITE of ours.
    pub(super) fn refresh_ack(&mut self, id: DialogId, tx: TxId, cseq: u32) -> Option<(Hop, Vec<u8>)> {
        let dialog = self.calls.get(&id)?.dialog.as_ref()?;
        let (mut ack, remote) = (dialog.ack(cseq), dialog.next_hop());
        if let Some((request, _)) = self.transactions.request(tx) {
            let credentials = ["Authorization", "Proxy-Authorization"];
            let fields = request.head.fields.iter().filter(|field| credentials.contains(&field.name.as_str()));
            ack.head.fields.extend(fields.cloned());
        }
        let via = self.via(remote);
        ack.head.via.push(via);
        Some((remote, ack.encode()))
    }

    /// Repeats the ACK to a repeated 200, and acknowledges one that comes after the call's end.
    fn acknowledged_before(&mut self, id: DialogId, tx: TxId) -> bool {
        let ack = self.calls.get(&id).and_then(|call| call.refresh_ack.as_ref()).filter(|ack| ack.tx == tx);
        let ack = ack.map(|ack| (ack.remote, ack.bytes.clone())).or_else(|| self.late_acks.get(&tx).cloned());
        let Some((remote, bytes)) = ack else { return false };
        self.transmit(remote, bytes);
        true
    }

    /// Nobody answered a refresh.
    fn refresh_failed(&mut self, id: DialogId, tx: TxId, now: Instant) {
        let current = |refreshing: &mut Refreshing| refreshing.tx == tx;
        let waited = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Up && !call.ended);
        if waited.is_some_and(|call| call.refreshing.take_if(current).is_some()) {
            self.bye(id, AgentEnd::Timeout, now);
        }
    }
}
