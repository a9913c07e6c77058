//! Looks after the trunks: looks their servers up, hands them to the engine, and tells how they stand.

use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use crate::trunks::{self, TrunkStatus, Trunks};
use crate::voice::names::{NameError, Names, Places};
use crate::voice::trunkbook::{Line, TrunkBook};
use crate::voice::{StreamFault, VoiceHandle, protection};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{IdentityHeader, SipTransport, TrunkFault, TrunkState};
use auricle_domain::event::Event;
use auricle_domain::id::{CauseId, TrunkId};
use auricle_domain::trunk::{Server, Trunk};
use auricle_media::io::{self as engine, Command, Credentials, Hop, Transport};
use auricle_storage::Store;
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long what was found is relied on at most, whatever its records say, and how soon it is asked for again at the earliest.
const LOOK_UP_EVERY: Duration = Duration::from_secs(300);
const LOOK_UP_AGAIN: Duration = Duration::from_secs(30);
/// Questions to the name service at once.
const LOOK_UPS_MAX: usize = 8;
/// How often a server is asked whether it is there, in seconds.
const PROBE_S: u32 = 60;

/// What the task works with.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The one path for facts.
    pub events: Events,
    /// The engine.
    pub voice: VoiceHandle,
    /// Where it is told how trunks stand.
    pub trunks: Trunks,
    /// Where it is told which trunk is which.
    pub book: TrunkBook,
}

/// Looks after them until it is told to stop.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let (mut changed, mut states) = (parts.trunks.watch(), parts.voice.trunk_states());
    let names = Names::of_the_machine();
    let mut desk = Desk { parts, names, numbers: BTreeMap::new(), next: 0, found: BTreeMap::new(), handed: Vec::new() };
    loop {
        changed.mark_unchanged();
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = desk.round() => round,
        };
        let next = round.unwrap_or_else(|error| {
            tracing::error!(%error, "the trunks could not be looked after; it is tried again");
            LOOK_UP_AGAIN
        });
        let (look_up, looked_up) = (tokio::time::sleep(next), Instant::now());
        tokio::pin!(look_up);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut look_up => break,
                changed = changed.changed() => if changed.is_err() { return } else { break },
                told = states.changed() => if told.is_err() { return },
            }
            // A server that has gone may be found elsewhere already.
            if states.borrow().values().any(|told| told.state == engine::TrunkState::Unreachable) {
                let soonest = tokio::time::Instant::from_std(looked_up + LOOK_UP_AGAIN);
                let earlier = look_up.deadline().min(soonest);
                look_up.as_mut().reset(earlier);
            }
            if let Err(error) = desk.tell().await {
                tracing::error!(%error, "how the trunks stand could not be written down");
            }
        }
    }
}

struct Desk {
    parts: Parts,
    names: Names,
    /// The engine's numbers of trunks.
    numbers: BTreeMap<TrunkId, engine::TrunkId>,
    /// The last of them.
    next: u64,
    /// Where servers are, as last found; kept while the name service is silent.
    found: BTreeMap<TrunkId, Found>,
    /// What the engine was told last.
    handed: Vec<engine::Trunk>,
}

struct Found {
    server: String,
    transport: SipTransport,
    places: Result<Vec<SocketAddr>, NameError>,
}

impl Desk {
    /// Reads the trunks, looks their servers up and hands them to the engine. Says when to look up again.
    async fn round(&mut self) -> Result<Duration, Error> {
        let trunks = self.parts.store.read(trunks::all)?;
        let known = |id: &TrunkId| trunks.iter().any(|trunk| trunk.id == *id);
        self.numbers.retain(|id, _| known(id));
        self.found.retain(|id, _| known(id));
        let (mut next, mut wanted) = (LOOK_UP_EVERY, Vec::new());
        let used: Vec<&Trunk> = trunks.iter().filter(|trunk| trunk.is_on).collect();
        let questions: Vec<_> = used.iter().map(|trunk| look_up(self.names.clone(), Trunk::clone(trunk))).collect();
        let found: Vec<_> = stream::iter(questions).buffered(LOOK_UPS_MAX).collect().await;
        for (trunk, found) in used.into_iter().zip(found) {
            if let Some(until) = found.as_ref().ok().and_then(|places| places.until) {
                next = next.min(until.saturating_duration_since(Instant::now()).max(LOOK_UP_AGAIN));
            }
            match self.keep(trunk, found.map(|places| places.addresses)) {
                Ok(mut places) => {
                    // An address of a family that we do not speak is nowhere.
                    places.retain(|place| self.parts.voice.serves(*place));
                    wanted.push(handed(trunk, self.number(trunk.id), &places));
                }
                Err(error) => {
                    tracing::warn!(trunk = %trunk.id, %error, "a trunk's server is not found");
                    next = LOOK_UP_AGAIN;
                }
            }
        }
        self.list(&trunks);
        if wanted != self.handed {
            let told = self.parts.voice.send(Command::Trunks(wanted.clone()));
            told.map_err(|error| Error::internal("tell the engine its trunks", &error))?;
            self.handed = wanted;
        }
        self.tell().await?;
        Ok(next)
    }

    /// Whom the engine hears of must be known before it does.
    fn list(&mut self, trunks: &[Trunk]) {
        let mut lines = BTreeMap::clone(&self.parts.book.all());
        for trunk in trunks.iter().filter(|trunk| trunk.is_on) {
            let number = self.number(trunk.id);
            let (refers, withholds) = (trunk.refers, trunk.withholds());
            lines.entry(trunk.id).or_insert(Line { number, is_up: false, refers, withholds });
        }
        self.parts.book.set(lines);
    }

    /// Keeps what was found, and what was found before where the name service is silent.
    fn keep(
        &mut self,
        trunk: &Trunk,
        places: Result<Vec<SocketAddr>, NameError>,
    ) -> Result<Vec<SocketAddr>, NameError> {
        let before = self.found.remove(&trunk.id);
        let same = before.filter(|before| before.server == trunk.server && before.transport == trunk.transport);
        let places = match (places, same) {
            // What was found before is better than nothing.
            (Err(NameError::NoService), Some(Found { places: Ok(before), .. })) => Ok(before),
            (places, _) => places,
        };
        let (server, transport) = (trunk.server.clone(), trunk.transport);
        self.found.insert(trunk.id, Found { server, transport, places: places.clone() });
        places
    }

    fn number(&mut self, id: TrunkId) -> engine::TrunkId {
        // A number is never given twice: what the engine told of a removed trunk must not be taken for news of another.
        let next = &mut self.next;
        *self.numbers.entry(id).or_insert_with(|| {
            *next += 1;
            engine::TrunkId(*next)
        })
    }

    /// Tells how the trunks stand, and writes down what has changed about it.
    async fn tell(&self) -> Result<(), Error> {
        let trunks = self.parts.store.read(trunks::all)?;
        let (before, now) = (self.parts.trunks.status(), self.parts.events.now());
        let (mut status, mut news) = (BTreeMap::new(), Vec::new());
        for trunk in &trunks {
            let known = before.get(&trunk.id);
            let mut fresh = self.status(trunk, known, now);
            fresh.asked_realm = self.asked_realm(trunk);
            if let Some(realm) =
                fresh.asked_realm.as_ref().filter(|_| known.is_none_or(|known| known.asked_realm.is_none()))
            {
                tracing::warn!(trunk = %trunk.id, realm, "a trunk has asked for its password in a realm that is not its own");
            }
            let is_news = known.is_none_or(|known| (known.state, known.fault) != (fresh.state, fresh.fault));
            if let Some(known) = known.filter(|known| known.state == fresh.state) {
                fresh.since = known.since;
            }
            if is_news && !matches!(fresh.state, TrunkState::Off | TrunkState::Registering) {
                news.push((trunk.id, fresh.clone()));
            }
            status.insert(trunk.id, fresh);
        }
        let line = |(id, number): (&TrunkId, &engine::TrunkId)| {
            let state = status.get(id).map(|status: &TrunkStatus| status.state)?;
            let is_up = matches!(state, TrunkState::Up | TrunkState::Degraded);
            let trunk = trunks.iter().find(|trunk| trunk.id == *id)?;
            let (refers, withholds) = (trunk.refers, trunk.withholds());
            (state != TrunkState::Off).then_some((*id, Line { number: *number, is_up, refers, withholds }))
        };
        self.parts.book.set(self.numbers.iter().filter_map(line).collect());
        // Whoever hears the event and asks must be told what it said.
        self.parts.trunks.tell(status);
        for (trunk, fresh) in news {
            self.write_down(trunk, &fresh).await?;
        }
        Ok(())
    }

    async fn write_down(&self, trunk: TrunkId, status: &TrunkStatus) -> Result<(), Error> {
        let cause = clock::fresh(CauseId::new, self.parts.events.now());
        let (state, fault) = (status.state, status.fault);
        match fault {
            Some(fault) => tracing::warn!(%cause, %trunk, %state, %fault, "a trunk is down"),
            None => tracing::info!(%cause, %trunk, %state, "a trunk takes calls"),
        }
        let written = self.parts.events.commit(clock::op(), By { actor: Actor::System, cause }, move |tx| {
            tx.event(Event::TrunkStateChanged { trunk, state, fault });
            Ok(())
        });
        written.await
    }

    fn status(&self, trunk: &Trunk, known: Option<&TrunkStatus>, now: Timestamp) -> TrunkStatus {
        let of = |state, fault, sip_status, server| TrunkStatus {
            state,
            since: now,
            fault,
            sip_status,
            server,
            asked_realm: None,
        };
        if !trunk.is_on {
            return of(TrunkState::Off, None, None, None);
        }
        let down = |fault, sip_status| of(TrunkState::Down, Some(fault), sip_status, None);
        match self.found.get(&trunk.id).map(|found| &found.places) {
            Some(Err(NameError::Unknown)) => return down(TrunkFault::NameUnknown, None),
            Some(Err(NameError::NoService)) => return down(TrunkFault::NoNameService, None),
            Some(Ok(_)) | None => {}
        }
        let handed = self.numbers.get(&trunk.id).and_then(|number| self.handed.iter().find(|one| one.id == *number));
        let states = self.parts.voice.trunk_states();
        let state = handed.and_then(|handed| states.borrow().get(&handed.id).map(|told| told.state.clone()));
        match (handed, state) {
            (Some(handed), Some(engine::TrunkState::Ready { hop, .. })) => {
                let first = handed.hops.first() == Some(&hop);
                let state = if first { TrunkState::Up } else { TrunkState::Degraded };
                of(state, None, None, Some(hop.address.to_string()))
            }
            (_, Some(engine::TrunkState::Refused { status, .. })) => down(refusal(status), Some(status)),
            (Some(handed), Some(engine::TrunkState::Unreachable)) => down(self.unreachable(&handed.hops), None),
            // A trunk that is down stays so while it is tried again.
            _ => match known {
                Some(known) if known.state == TrunkState::Down && handed.is_some() => known.clone(),
                _ => of(TrunkState::Registering, None, None, None),
            },
        }
    }

    /// The realm in which a trunk has asked for a password and was not answered.
    fn asked_realm(&self, trunk: &Trunk) -> Option<String> {
        let states = self.parts.voice.trunk_states();
        let told = self.numbers.get(&trunk.id).and_then(|number| states.borrow().get(number)?.asked_realm.clone());
        told.filter(|_| trunk.is_on)
    }

    fn unreachable(&self, hops: &[Hop]) -> TrunkFault {
        let certificate = |hop: &Hop| self.parts.voice.stream_fault(*hop) == Some(StreamFault::Certificate);
        if hops.iter().any(certificate) { TrunkFault::Certificate } else { TrunkFault::Unreachable }
    }
}

async fn look_up(names: Names, trunk: Trunk) -> Result<Places, NameError> {
    let server = trunk.server.parse::<Server>().map_err(|_| NameError::Unknown)?;
    names.places(&server, trunk.transport, seed(trunk.id)).await
}

/// What a final answer says about the trunk (RFC 3261 section 21.4).
fn refusal(status: u16) -> TrunkFault {
    match status {
        401 | 403 | 407 => TrunkFault::WrongPassword,
        404 => TrunkFault::UnknownUser,
        _ => TrunkFault::Refused,
    }
}

/// The same trunk draws among equal servers in the same way.
fn seed(id: TrunkId) -> u64 {
    id.as_bytes().iter().fold(0, |seed, byte| (seed << 8) ^ (seed >> 56) ^ u64::from(*byte))
}

/// A trunk as the engine takes it.
fn handed(trunk: &Trunk, id: engine::TrunkId, places: &[SocketAddr]) -> engine::Trunk {
    let transport = match trunk.transport {
        SipTransport::Udp => Transport::Udp,
        SipTransport::Tcp => Transport::Tcp,
        SipTransport::Tls => Transport::Tls,
    };
    // The certificate is for the name that was asked for, not for what it led to (RFC 5922 section 4).
    let name = trunk.server.parse::<Server>().map(|server| server.host.to_string()).ok();
    let credentials = trunk.password.as_ref().map(|password| Credentials {
        user: if trunk.auth_user.is_empty() { trunk.user.clone() } else { trunk.auth_user.clone() },
        password: password.clone(),
        realms: trunk.realms.clone(),
    });
    engine::Trunk {
        id,
        hops: places.iter().map(|address| Hop { transport, address: *address }).collect(),
        name: name.filter(|_| transport == Transport::Tls).map(Into::into),
        domain: trunk.account_domain(),
        user: trunk.user.clone(),
        credentials,
        register_s: trunk.registers.then_some(trunk.expires_s),
        probe_s: Some(PROBE_S),
        sources: trunk.sources.iter().filter_map(|source| source.parse().ok()).collect(),
        protection: protection(trunk.srtp),
        identity: match trunk.identity {
            IdentityHeader::None => engine::IdentityHeader::None,
            IdentityHeader::Asserted => engine::IdentityHeader::Asserted,
            IdentityHeader::Preferred => engine::IdentityHeader::Preferred,
        },
        address: trunk.advertise,
    }
}
