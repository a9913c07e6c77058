//! Where a phone is: one Contact of a REGISTER (RFC 3261 section 10.3), and the way by which it came.

use std::time::{Duration, Instant};

use super::EXPIRES_UDP_S_MAX;
use crate::io::{Binding, Hop, PhoneContact};
use crate::sip::address::NameAddr;
use crate::sip::message::{Head, Request};
use crate::sip::uri::{SipUri, Uri, numeric};

/// How often a phone is asked with OPTIONS whether it is there.
pub const PROBE_EVERY: Duration = Duration::from_secs(60);
/// How often line ends keep a NAT's way to a phone on UDP open.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(25);
/// Unanswered questions after which a phone is told as one that does not answer.
const MISSED_MAX: u8 = 2;
/// The longest `User-Agent` that is kept, in characters.
const AGENT_CHARS_MAX: usize = 80;
/// The longest Contact that is kept, in bytes. RFC 3261 knows no limit; phones use a tenth of it.
const CONTACT_BYTES_MAX: usize = 512;

/// What a Contact asks for.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Wanted {
    pub uri: SipUri,
    /// `+sip.instance` and `reg-id` (RFC 5626 section 4.1), as they were written: which of its ways a device means,
    /// whatever its address is.
    pub instance: Option<(String, String)>,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// As wanted, in seconds; 0 takes it back.
    pub expires_s: u32,
}

/// What all Contacts of a REGISTER ask for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Asked {
    /// These and no others are changed; none: only told.
    Some(Vec<Wanted>),
    /// `*` with an expiry of 0: all are taken back.
    AllGone,
}

impl Asked {
    /// Reads the Contacts of a REGISTER; `usual_s` is what a phone gets that names no expiry. `None` when they make no sense.
    pub fn read(head: &Head, usual_s: u32) -> Option<Self> {
        // An expiry that cannot be read counts as none (section 10.2.1.1).
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let general = head.get("Expires").and_then(number);
        let values = head.list("Contact")?;
        if values.contains(&"*") {
            return (values.len() == 1 && general == Some(0)).then_some(Self::AllGone);
        }
        let mut wanted = Vec::with_capacity(values.len());
        for value in values {
            let address = NameAddr::parse(value).filter(|_| value.len() <= CONTACT_BYTES_MAX)?;
            let Uri::Sip(mut uri) = address.uri else { return None };
            uri.headers = None;
            let own = address.params.get("expires").and_then(number);
            let instance = address
                .params
                .get("+sip.instance")
                .map(|instance| (instance.to_owned(), address.params.get("reg-id").unwrap_or_default().to_owned()));
            let q = address.params.get("q").and_then(|q| q.parse::<f32>().ok()).filter(|q| (0.0..=1.0).contains(q));
            let q = (q.unwrap_or(1.0) * 1000.0).round() as u16;
            wanted.push(Wanted { uri, instance, q, expires_s: own.or(general).unwrap_or(usual_s) });
        }
        Some(Self::Some(wanted))
    }
}

/// A place where a phone is.
#[derive(Debug)]
pub(super) struct Contact {
    pub wanted: Wanted,
    /// Where its REGISTER came from: the only way that surely leads to it.
    pub hop: Hop,
    agent: String,
    pub call_id: String,
    pub cseq: u32,
    pub expires_at: Instant,
    /// When it was heard of last.
    pub heard_at: Instant,
    pub probe_at: Instant,
    /// Where it is behind a NAT, which forgets ways that are not used.
    pub keep_alive_at: Option<Instant>,
    missed: u8,
    /// As it is told to be kept over a restart; see [`Binding::expires_at`].
    kept: Option<Binding>,
}

impl Contact {
    pub fn new(wanted: Wanted, request: &Request, hop: Hop, expires_s: u32, now: Instant) -> Self {
        let said = request.head.get("User-Agent").unwrap_or_default();
        let told = numeric(&request.head.top_via().host);
        let is_natted = told.is_none_or(|told| told.to_canonical() != hop.ip().to_canonical());
        let (call_id, cseq) = (request.head.call_id.clone(), request.head.cseq.number);
        let expires_at = now + Duration::from_secs(u64::from(expires_s));
        let kept = (!hop.transport.is_stream()).then(|| Binding {
            uri: wanted.uri.to_string(),
            instance: wanted.instance.clone(),
            q: wanted.q,
            call_id: call_id.clone(),
            cseq,
            expires_at,
            is_natted,
        });
        Self {
            wanted,
            hop,
            agent: said.chars().filter(|letter| !letter.is_control()).take(AGENT_CHARS_MAX).collect(),
            call_id,
            cseq,
            expires_at,
            heard_at: now,
            probe_at: now + PROBE_EVERY,
            keep_alive_at: kept.as_ref().filter(|kept| kept.is_natted).map(|_| now + KEEP_ALIVE_EVERY),
            missed: 0,
            kept,
        }
    }

    /// One that a process before this one had; it is asked at `probe_at` whether it is there. `None` for one that has expired, or
    /// was not reached by datagrams.
    pub fn restored(place: PhoneContact, probe_at: Instant, now: Instant) -> Option<Self> {
        let PhoneContact { hop, agent, kept, .. } = place;
        let kept = kept.filter(|kept| now < kept.expires_at && !hop.transport.is_stream())?;
        let Some(Uri::Sip(uri)) = Uri::parse(&kept.uri) else { return None };
        Some(Self {
            wanted: Wanted { uri, instance: kept.instance.clone(), q: kept.q, expires_s: 0 },
            hop,
            agent,
            call_id: kept.call_id.clone(),
            cseq: kept.cseq,
            // However the clock was set meanwhile.
            expires_at: kept.expires_at.min(now + Duration::from_secs(u64::from(EXPIRES_UDP_S_MAX))),
            heard_at: now,
            probe_at,
            keep_alive_at: kept.is_natted.then_some(now + KEEP_ALIVE_EVERY),
            missed: 0,
            kept: Some(kept),
        })
    }

    /// Takes the place of another: what is kept of that one stays while it may stand for this.
    pub fn follow(&mut self, before: &Self, now: Instant) {
        let granted = self.expires_at.saturating_duration_since(now);
        let stands = |kept: &&Binding| {
            self.hop == before.hop && self.kept.as_ref().is_some_and(|fresh| kept.stands_for(fresh, granted, now))
        };
        if let Some(kept) = before.kept.as_ref().filter(stands) {
            self.kept = Some(kept.clone());
        }
    }

    /// Whether this one takes the place of the other: the same way of the same device, or the same address.
    pub fn is_same(&self, wanted: &Wanted) -> bool {
        match (&self.wanted.instance, &wanted.instance) {
            (Some(own), Some(other)) => own == other,
            _ => is_same_place(&self.wanted.uri, &wanted.uri),
        }
    }

    pub fn next_wake(&self) -> Instant {
        [Some(self.expires_at), Some(self.probe_at), self.keep_alive_at]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.expires_at)
    }

    /// What came of a question; `true` when that changes how the phone fares.
    pub fn probed(&mut self, answered: bool) -> bool {
        let before = self.answers();
        self.missed = if answered { 0 } else { self.missed.saturating_add(1) };
        before != self.answers()
    }

    pub fn answers(&self) -> bool {
        self.missed < MISSED_MAX
    }

    /// Seconds until it is forgotten, a started one included.
    pub fn expires_s(&self, now: Instant) -> u64 {
        self.expires_at.saturating_duration_since(now).as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
    }

    pub fn told(&self) -> PhoneContact {
        PhoneContact { hop: self.hop, agent: self.agent.clone(), answers: self.answers(), kept: self.kept.clone() }
    }

    /// As the 200 to a REGISTER lists it.
    pub fn listed(&self, now: Instant) -> String {
        let Wanted { uri, instance, q, .. } = &self.wanted;
        let mut text = format!("<{uri}>;expires={}", self.expires_s(now));
        if *q < 1_000 {
            text.push_str(&format!(";q=0.{q:03}"));
        }
        if let Some((instance, reg_id)) = instance {
            text.push_str(&format!(";+sip.instance={instance}"));
            if !reg_id.is_empty() {
                text.push_str(&format!(";reg-id={reg_id}"));
            }
        }
        text
    }
}

/// Whether two Contacts lead to the same place (RFC 3261 section 19.1.4, as far as it matters to a registrar).
fn is_same_place(one: &SipUri, other: &SipUri) -> bool {
    let transport = |uri: &SipUri| uri.params.get("transport").map(str::to_ascii_lowercase);
    one.secure == other.secure
        && one.user == other.user
        && one.host.eq_ignore_ascii_case(&other.host)
        && one.port == other.port
        && transport(one) == transport(other)
}
