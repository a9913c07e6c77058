//! Phones that register with us (RFC 3261 section 10.3): who they are, where they are, and whether they still are there.
//!
//! The registrar judges a REGISTER and says what to answer; it says when to ask a phone and when to keep a way open, and the
//! user agent sends that. Requests to a phone take the way by which its registration came, never the one that it names: that
//! is what works behind any NAT, and what cannot be used to send our calls to somebody else.

mod contact;
mod date;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::digest::Algorithm;
use super::digest::server::{Judged, Server};
use super::message::{Request, Response};
use super::timers::Timers;
use super::uri::Uri;
use crate::io::{
    Hop, PHONE_CONTACTS_MAX, PHONE_REALM, PHONES_MAX, Phone, PhoneContact, PhoneId, PhoneState, Transport,
};
use contact::{Asked, Contact};
pub use contact::{KEEP_ALIVE_EVERY, PROBE_EVERY};

/// The shortest expiry that is granted, in seconds; who wants less is told so with 423.
pub const EXPIRES_S_MIN: u32 = 60;
/// The longest expiry over a connection, in seconds: the phone notices by its end when we forget everything.
pub const EXPIRES_S_MAX: u32 = 3_600;
/// The longest expiry over UDP, in seconds: where we begin anew without what was kept, nobody can ring a phone before it comes back by
/// itself.
pub const EXPIRES_UDP_S_MAX: u32 = 600;
/// How far apart the first questions to phones are that were there before a restart.
const RESTORED_EVERY: Duration = Duration::from_millis(10);
/// Contacts of one REGISTER that are read.
const ASKED_MAX: usize = 8;
/// The longest Call-ID that is kept, in bytes.
const CALL_ID_BYTES_MAX: usize = 512;

/// A place where a phone is. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContactId(PhoneId, u64);

/// What is to be sent to a phone.
#[derive(Clone, PartialEq, Debug)]
pub enum RegistrarOutput {
    /// OPTIONS, whose end [`Registrar::probed`] wants to hear.
    Probe {
        /// To which place.
        contact: ContactId,
        /// The way.
        hop: Hop,
        /// The Request-URI.
        uri: Uri,
    },
    /// Line ends, to keep a NAT's way open.
    KeepAlive {
        /// The way.
        hop: Hop,
    },
}

/// Who sent a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// This phone: it has the password.
    Phone(PhoneId),
    /// Nobody yet: it is to be challenged, as `stale` says.
    Unknown {
        /// The answer was right, only too old.
        stale: bool,
    },
    /// A wrong answer: it is challenged as if it had given none.
    Wrong {
        /// The source surely is who it says: it counts against it.
        counts: bool,
    },
}

#[derive(Debug)]
struct Entry {
    phone: Phone,
    contacts: BTreeMap<u64, Contact>,
    told: PhoneState,
}

/// All phones.
#[derive(Debug)]
pub struct Registrar {
    phones: BTreeMap<PhoneId, Entry>,
    users: HashMap<String, PhoneId>,
    key: [u8; 32],
    algorithms: Vec<Algorithm>,
    server: Option<Server>,
    flows: BTreeSet<(Hop, ContactId)>,
    timers: Timers<ContactId>,
    /// Phones that may fare otherwise than was told.
    stirred: BTreeSet<PhoneId>,
    last: u64,
    /// What time it was, in seconds since 1970, at an instant.
    clock: Option<(Instant, u64)>,
}

impl Registrar {
    /// Without phones. `key` is secret and new for every process; `algorithms` are offered in that order.
    pub fn new(key: [u8; 32], algorithms: Vec<Algorithm>) -> Self {
        Self {
            phones: BTreeMap::new(),
            users: HashMap::new(),
            key,
            algorithms,
            server: None,
            flows: BTreeSet::new(),
            timers: Timers::default(),
            stirred: BTreeSet::new(),
            last: 0,
            clock: None,
        }
    }

    /// Whether there is any phone: without one nobody is asked who it is.
    pub fn serves(&self) -> bool {
        !self.phones.is_empty()
    }

    /// These are all phones from now on.
    pub fn set_phones(&mut self, phones: Vec<Phone>, now: Instant) {
        let mut wanted: BTreeMap<PhoneId, Phone> = BTreeMap::new();
        for phone in phones {
            if wanted.len() < PHONES_MAX {
                wanted.entry(phone.id).or_insert(phone);
            }
        }
        let there: Vec<PhoneId> = self.phones.keys().copied().collect();
        for id in there {
            let same = self.phones.get(&id).is_some_and(|entry| wanted.get(&id) == Some(&entry.phone));
            if !same {
                self.forget_contacts(id, |_| true);
            }
            if !wanted.contains_key(&id) {
                self.phones.remove(&id);
            }
        }
        if !wanted.is_empty() {
            self.server.get_or_insert_with(|| Server::new(PHONE_REALM, self.key, now));
        }
        self.users = wanted.values().map(|phone| (phone.user.clone(), phone.id)).collect();
        for (id, phone) in wanted {
            let away = || Entry { phone: phone.clone(), contacts: BTreeMap::new(), told: PhoneState::Away };
            self.phones.entry(id).or_insert_with(away).phone = phone.clone();
        }
    }

    /// It is that many seconds since 1970.
    pub fn set_clock(&mut self, unix_s: u64, now: Instant) {
        self.clock = Some((now, unix_s));
    }

    /// Whether this user name is a phone's.
    pub fn knows(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// The phone's user name.
    pub fn user(&self, phone: PhoneId) -> Option<&str> {
        self.phones.get(&phone).map(|entry| entry.phone.user.as_str())
    }

    /// Whether a phone is registered by this way.
    pub fn is_flow(&self, hop: Hop) -> bool {
        let first = ContactId(PhoneId(0), 0);
        self.flows.range((hop, first)..).next().is_some_and(|(flow, _)| *flow == hop)
    }

    /// Whether a phone is registered from this address.
    pub fn is_at(&self, source: IpAddr) -> bool {
        self.flows.iter().any(|(hop, _)| hop.ip().to_canonical() == source.to_canonical())
    }

    /// The ways to a phone, best first, and what is to be asked for there.
    pub fn ways(&self, phone: PhoneId) -> Vec<(Hop, Uri)> {
        let Some(entry) = self.phones.get(&phone) else { return Vec::new() };
        ordered(entry).into_iter().map(|contact| (contact.hop, Uri::Sip(contact.wanted.uri.clone()))).collect()
    }

    /// Judges who sent a request.
    pub fn who(&mut self, request: &Request, source: Hop, now: Instant) -> Shown {
        let Some(server) = &mut self.server else { return Shown::Unknown { stale: false } };
        let (users, phones) = (&self.users, &self.phones);
        let secrets = |user: &str| {
            let entry = users.get(user).and_then(|id| phones.get(id));
            entry.map(|entry| entry.phone.secrets.clone())
        };
        match server.judge(request, secrets, source.ip(), now) {
            Judged::Accepted { user } => match self.users.get(&user) {
                Some(id) => Shown::Phone(*id),
                None => Shown::Wrong { counts: false },
            },
            Judged::Unanswered => Shown::Unknown { stale: false },
            Judged::Stale => Shown::Unknown { stale: true },
            // The source of a datagram can be made up: only who has heard our challenge can be held to it.
            Judged::Refused { heard } => Shown::Wrong { counts: heard || source.transport.is_stream() },
        }
    }

    /// 401, the same for whoever has not shown who it is.
    pub fn challenge(&mut self, request: &Request, stale: bool, source: Hop, now: Instant) -> Response {
        let challenges =
            self.server.as_mut().map(|server| server.challenges(&self.algorithms, stale, source.ip(), now));
        let response = Response::to(request, 401, "Unauthorized");
        challenges
            .into_iter()
            .flatten()
            .fold(response, |response, challenge| response.with("WWW-Authenticate", challenge.to_string()))
    }

    /// Carries out the REGISTER of a phone that has shown who it is; all of it or nothing.
    pub fn register(&mut self, id: PhoneId, request: &Request, hop: Hop, now: Instant) -> Response {
        match self.update(id, request, hop, now) {
            Ok(()) => self.granted(id, request, now),
            Err(refusal) => *refusal,
        }
    }

    fn update(&mut self, id: PhoneId, request: &Request, hop: Hop, now: Instant) -> Result<(), Box<Response>> {
        let refuse = |status, reason: &str| Box::new(Response::to(request, status, reason));
        let head = &request.head;
        let required = head.list("Require").ok_or_else(|| refuse(400, "Bad Require"))?;
        if !required.is_empty() {
            return Err(Box::new(Response::to(request, 420, "").with("Unsupported", required.join(", "))));
        }
        let entry = self.phones.get_mut(&id).ok_or_else(|| refuse(403, ""))?;
        if head.to.uri.user() != entry.phone.user {
            return Err(refuse(403, "Not the address of this account"));
        }
        let longest_s = if hop.transport == Transport::Udp { EXPIRES_UDP_S_MAX } else { EXPIRES_S_MAX };
        let bad = || refuse(400, "Contact cannot be read");
        let asked = Asked::read(head, longest_s).ok_or_else(bad)?;
        let (call_id, cseq) = (&head.call_id, head.cseq.number);
        let late = |contact: &Contact| contact.call_id == *call_id && contact.cseq >= cseq;
        let (wanted, gone) = match asked {
            Asked::AllGone => (Vec::new(), true),
            Asked::Some(wanted) => (wanted, false),
        };
        if wanted.len() > ASKED_MAX || call_id.len() > CALL_ID_BYTES_MAX {
            return Err(bad());
        }
        let meant = |contact: &&Contact| gone || wanted.iter().any(|wanted| contact.is_same(wanted));
        if entry.contacts.values().filter(meant).any(late) {
            return Err(refuse(400, "CSeq is not above the last one"));
        }
        if wanted.iter().any(|wanted| (1..EXPIRES_S_MIN).contains(&wanted.expires_s)) {
            let brief = Response::to(request, 423, "Interval Too Brief").with("Min-Expires", EXPIRES_S_MIN.to_string());
            return Err(Box::new(brief));
        }
        self.stirred.insert(id);
        if gone {
            self.forget_contacts(id, |_| true);
        }
        for wanted in wanted {
            let before = self.forget_contacts(id, |contact| contact.is_same(&wanted));
            if wanted.expires_s > 0 {
                let expires_s = wanted.expires_s.min(longest_s);
                let mut contact = Contact::new(wanted, request, hop, expires_s, now);
                before.iter().for_each(|before| contact.follow(before, now));
                self.bind(id, contact);
            }
        }
        Ok(())
    }

    /// Phones are where they were, best first, before this process began; where one has come meanwhile, it stays.
    pub fn restore(&mut self, places: Vec<(PhoneId, PhoneContact)>, now: Instant) {
        // Of equally good ones the last one counts as the best.
        for (number, (id, place)) in (0..).zip(places.into_iter().rev().take(PHONES_MAX * PHONE_CONTACTS_MAX)) {
            let Some(contact) = Contact::restored(place, now + RESTORED_EVERY * number, now) else { continue };
            let has_room = self.phones.get(&id).is_some_and(|entry| {
                let is_known = entry.contacts.values().any(|known| known.is_same(&contact.wanted));
                entry.contacts.len() < PHONE_CONTACTS_MAX && !is_known
            });
            if has_room {
                self.stirred.insert(id);
                self.bind(id, contact);
            }
        }
    }

    fn bind(&mut self, id: PhoneId, contact: Contact) {
        let Some(entry) = self.phones.get(&id) else { return };
        if entry.contacts.len() >= PHONE_CONTACTS_MAX {
            let oldest = entry.contacts.iter().min_by_key(|(at, contact)| (contact.heard_at, **at)).map(|(at, _)| *at);
            oldest.into_iter().for_each(|oldest| drop(self.forget_contact(ContactId(id, oldest))));
        }
        self.last += 1;
        let key = ContactId(id, self.last);
        self.flows.insert((contact.hop, key));
        self.timers.set(key, Some(contact.next_wake()));
        if let Some(entry) = self.phones.get_mut(&id) {
            entry.contacts.insert(key.1, contact);
        }
    }

    /// 200 with all places where the phone is, and the date.
    fn granted(&self, id: PhoneId, request: &Request, now: Instant) -> Response {
        let contacts = self.phones.get(&id).map(ordered).unwrap_or_default();
        let mut response = Response::to(request, 200, "");
        for contact in contacts {
            response = response.with("Contact", contact.listed(now));
        }
        match self.clock {
            Some((at, unix_s)) => {
                response.with("Date", date::date(unix_s + now.saturating_duration_since(at).as_secs()))
            }
            None => response,
        }
    }

    /// A connection is gone, and with it the phones that it led to.
    pub fn closed(&mut self, hop: Hop) {
        let first = ContactId(PhoneId(0), 0);
        let gone: Vec<ContactId> =
            self.flows.range((hop, first)..).take_while(|(flow, _)| *flow == hop).map(|(_, id)| *id).collect();
        for id in gone.into_iter().filter(|_| hop.transport.is_stream()) {
            self.forget_contact(id);
        }
    }

    /// What came of [`RegistrarOutput::Probe`].
    pub fn probed(&mut self, id: ContactId, answered: bool) {
        let contact = self.phones.get_mut(&id.0).and_then(|entry| entry.contacts.get_mut(&id.1));
        if contact.is_some_and(|contact| contact.probed(answered)) {
            self.stirred.insert(id.0);
        }
    }

    /// When a timer is due.
    pub fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Runs the timers.
    pub fn wake(&mut self, now: Instant) -> Vec<RegistrarOutput> {
        let mut outputs = Vec::new();
        while let Some(id) = self.timers.due(now) {
            let Some(contact) = self.phones.get_mut(&id.0).and_then(|entry| entry.contacts.get_mut(&id.1)) else {
                continue;
            };
            if contact.expires_at <= now {
                self.forget_contact(id);
                continue;
            }
            let hop = contact.hop;
            if contact.keep_alive_at.take_if(|at| *at <= now).is_some() {
                contact.keep_alive_at = Some(now + KEEP_ALIVE_EVERY);
                outputs.push(RegistrarOutput::KeepAlive { hop });
            }
            if contact.probe_at <= now {
                contact.probe_at = now + PROBE_EVERY;
                outputs.push(RegistrarOutput::Probe { contact: id, hop, uri: Uri::Sip(contact.wanted.uri.clone()) });
            }
            self.timers.set(id, Some(contact.next_wake()));
        }
        outputs
    }

    /// Phones that fare otherwise than was told before, and how.
    pub fn news(&mut self) -> Vec<(PhoneId, PhoneState)> {
        let mut news = Vec::new();
        for id in std::mem::take(&mut self.stirred) {
            let Some(entry) = self.phones.get_mut(&id) else {
                news.push((id, PhoneState::Away));
                continue;
            };
            let contacts: Vec<_> = ordered(entry).into_iter().map(Contact::told).collect();
            let state = if contacts.is_empty() { PhoneState::Away } else { PhoneState::Registered { contacts } };
            if state != entry.told {
                entry.told = state.clone();
                news.push((id, state));
            }
        }
        news
    }

    fn forget_contacts(&mut self, id: PhoneId, which: impl Fn(&Contact) -> bool) -> Vec<Contact> {
        let contacts = self.phones.get(&id).map(|entry| &entry.contacts).into_iter().flatten();
        let gone: Vec<u64> = contacts.filter(|(_, contact)| which(contact)).map(|(at, _)| *at).collect();
        gone.into_iter().filter_map(|at| self.forget_contact(ContactId(id, at))).collect()
    }

    fn forget_contact(&mut self, id: ContactId) -> Option<Contact> {
        let contact = self.phones.get_mut(&id.0).and_then(|entry| entry.contacts.remove(&id.1))?;
        self.flows.remove(&(contact.hop, id));
        self.timers.set(id, None);
        self.stirred.insert(id.0);
        Some(contact)
    }
}

/// The places of a phone, the preferred first, then the latest.
fn ordered(entry: &Entry) -> Vec<&Contact> {
    let mut contacts: Vec<&Contact> = entry.contacts.values().rev().collect();
    contacts.sort_by_key(|contact| std::cmp::Reverse(contact.wanted.q));
    contacts
}

#[cfg(test)]
mod tests;
