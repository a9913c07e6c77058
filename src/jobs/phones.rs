//! Looks after the phones: hands them to the engine, tells it the time and what they ring in an emergency, and tells where they are.

mod banned;
mod both;
mod whereabouts;

use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use crate::phones::{self, PhonePlace, PhoneStatus, Phones};
use crate::voice::phonebook::{Listed, PhoneBook};
use crate::voice::{VoiceHandle, protection};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{PhoneState, SipTransport};
use auricle_domain::dialled;
use auricle_domain::event::Event;
use auricle_domain::id::{CauseId, PhoneId};
use auricle_domain::phone::Phone;
use auricle_domain::tenant::Tenant;
use auricle_media::io::{self as engine, Command, Transport};
use auricle_media::sip::digest::server::Secrets;
use auricle_storage::Store;
use banned::Banned;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use whereabouts::Whereabouts;

/// How often the engine is told the time. Its own clock runs on in between, so that only a clock that was set matters.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// What the task works with.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The one path for facts.
    pub events: Events,
    /// The engine.
    pub voice: VoiceHandle,
    /// Where it is told where phones are.
    pub phones: Phones,
    /// Where it is told which phone is which.
    pub book: PhoneBook,
}

/// Looks after them until it is told to stop.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let (mut changed, mut states) = (parts.phones.watch(), parts.voice.phone_states());
    let mut bans = parts.voice.bans().watch();
    let (numbers, before, whereabouts) = (BTreeMap::new(), BTreeSet::new(), Whereabouts::default());
    let (handed, emergencies, banned) = (Vec::new(), Vec::new(), Banned::default());
    let mut desk = Desk { parts, numbers, next: 0, handed, emergencies, begun: false, whereabouts, before, banned };
    loop {
        let changes = *changed.borrow_and_update();
        match desk.round().await {
            Ok(()) => desk.parts.phones.handed(changes),
            Err(error) => tracing::error!(%error, "the phones could not be looked after; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(CLOCK_EVERY) => {}
            changed = changed.changed() => if changed.is_err() { return },
            told = states.changed() => if told.is_err() { return },
            told = bans.changed() => if told.is_err() { return },
        }
    }
}

struct Desk {
    parts: Parts,
    /// The engine's numbers of phones.
    numbers: BTreeMap<PhoneId, engine::PhoneId>,
    /// The last of them.
    next: u64,
    /// What the engine was told last.
    handed: Vec<engine::Phone>,
    /// The same of the numbers that phones ring in an emergency.
    emergencies: Vec<String>,
    /// The engine has been told what was written down before this process began.
    begun: bool,
    whereabouts: Whereabouts,
    /// Phones that were registered when that was written down last, before this process began.
    before: BTreeSet<PhoneId>,
    banned: Banned,
}

impl Desk {
    /// Reads the phones, hands them to the engine when they are others, and tells where they are.
    async fn round(&mut self) -> Result<(), Error> {
        let failed = |error| Error::internal("tell the engine its phones", &error);
        let now = self.parts.events.now();
        let unix_s = u64::try_from(now.as_second()).unwrap_or_default();
        self.parts.voice.send(Command::Clock { unix_s }).map_err(failed)?;
        self.tell_emergencies()?;
        let phones = self.parts.store.read(phones::all)?;
        self.numbers.retain(|id, _| phones.iter().any(|phone| phone.id == *id));
        let (mut wanted, mut listed) = (Vec::new(), BTreeMap::new());
        for phone in phones.iter().filter(|phone| phone.is_on) {
            let number = self.number(phone.id);
            wanted.push(handed(phone, number));
            listed.insert(number, Listed { phone: phone.id, extension: phone.extension.clone() });
        }
        // Whom the engine hears of must be known before it does.
        self.parts.book.set(listed);
        if wanted != self.handed {
            self.parts.voice.send(Command::Phones(wanted.clone())).map_err(failed)?;
            // A phone calls as soon as its password is shown, and its call must not overtake the command.
            self.parts.voice.caught_up().await.map_err(failed)?;
            self.handed = wanted;
        }
        if !self.begun {
            self.begin(&phones, now).await?;
        }
        // Before it is told: what is shown is so after a restart.
        let kept = self.whereabouts.write(&self.parts, &phones, &self.numbers, now).await;
        self.tell(&phones, now).await?;
        self.banned.write(&self.parts, now).await.and(kept)
    }

    /// Tells the engine what was written down before this process began: where phones were, so that they can be called there at once,
    /// and whom not to hear.
    async fn begin(&mut self, phones: &[Phone], now: Timestamp) -> Result<(), Error> {
        let failed = |error| Error::internal("tell the engine where its phones were", &error);
        self.whereabouts = self.parts.store.read(|tx| Whereabouts::read(tx, phones, now))?;
        self.parts.voice.send(self.whereabouts.command(&self.numbers)).map_err(failed)?;
        // Where they are is told, and written down, as the engine sees it then.
        self.parts.voice.caught_up().await.map_err(failed)?;
        self.before = self.whereabouts.phones();
        self.banned.begin(&self.parts, now).await?;
        self.begun = true;
        Ok(())
    }

    /// Tells the engine which numbers phones ring in an emergency: they follow from the clinic's country.
    fn tell_emergencies(&mut self) -> Result<(), Error> {
        let tenant = self.parts.store.read(|tx| tx.get::<Tenant>(&tx.tenant()))?;
        let country = tenant.map(|tenant| tenant.country).unwrap_or_default();
        let wanted: Vec<String> = dialled::emergencies(&country).map(str::to_owned).collect();
        if wanted != self.emergencies {
            let failed = |error| Error::internal("tell the engine the emergency numbers", &error);
            self.parts.voice.send(Command::EmergencyNumbers(wanted.clone())).map_err(failed)?;
            self.emergencies = wanted;
        }
        Ok(())
    }

    fn number(&mut self, id: PhoneId) -> engine::PhoneId {
        // A number is never given twice: what the engine told of a removed phone must not be taken for news of another.
        let next = &mut self.next;
        *self.numbers.entry(id).or_insert_with(|| {
            *next += 1;
            engine::PhoneId(*next)
        })
    }

    /// Tells where the phones are, and writes down which came and went.
    async fn tell(&self, phones: &[Phone], now: Timestamp) -> Result<(), Error> {
        let before = self.parts.phones.status();
        let (mut status, mut news) = (BTreeMap::new(), Vec::new());
        for phone in phones {
            let mut fresh = self.status(phone, now);
            let known = before.get(&phone.id);
            match known {
                Some(known) if known.state == fresh.state => fresh.since = known.since,
                // After a start: what was written down may still be so. A phone that is new has not gone anywhere.
                None if (fresh.state == PhoneState::Registered) == self.before.contains(&phone.id) => {}
                None if fresh.state == PhoneState::Off => {}
                Some(known) if fresh.state == PhoneState::Off || known.state == PhoneState::Off => {}
                Some(_) | None => news.push((phone.id, fresh.state)),
            }
            status.insert(phone.id, fresh);
        }
        // Whoever hears the event and asks must be told what it said.
        self.parts.phones.tell(status);
        for (phone, state) in news {
            self.write_down(phone, state).await?;
        }
        Ok(())
    }

    async fn write_down(&self, phone: PhoneId, state: PhoneState) -> Result<(), Error> {
        let cause = clock::fresh(CauseId::new, self.parts.events.now());
        tracing::info!(%cause, %phone, %state, "a phone came or went");
        let written = self.parts.events.commit(clock::op(), By { actor: Actor::System, cause }, move |tx| {
            tx.event(Event::PhoneStateChanged { phone, state });
            Ok(())
        });
        written.await
    }

    fn status(&self, phone: &Phone, now: Timestamp) -> PhoneStatus {
        let of = |state, places| PhoneStatus { state, since: now, places };
        if !phone.is_on {
            return of(PhoneState::Off, Vec::new());
        }
        let states = self.parts.voice.phone_states();
        let state = self.numbers.get(&phone.id).and_then(|number| states.borrow().get(number).cloned());
        match state {
            Some(engine::PhoneState::Registered { contacts }) => {
                of(PhoneState::Registered, contacts.into_iter().map(place).collect())
            }
            Some(engine::PhoneState::Away) | None => of(PhoneState::Away, Vec::new()),
        }
    }
}

fn place(contact: engine::PhoneContact) -> PhonePlace {
    let transport = match contact.hop.transport {
        Transport::Udp => SipTransport::Udp,
        Transport::Tcp => SipTransport::Tcp,
        Transport::Tls => SipTransport::Tls,
    };
    let address = contact.hop.address.to_string();
    PhonePlace { address, transport, agent: contact.agent, answers: contact.answers }
}

/// A phone as the engine takes it.
fn handed(phone: &Phone, id: engine::PhoneId) -> engine::Phone {
    let secrets = Secrets { md5: phone.secret_md5.clone(), sha256: phone.secret_sha256.clone() };
    engine::Phone { id, user: phone.user.clone(), secrets, protection: protection(phone.srtp) }
}
