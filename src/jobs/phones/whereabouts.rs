//! Where phones are, over a restart: what the engine tells of them is written down, and told to the next one.
//!
//! A phone over TCP or TLS is not among them: its connection ends with this process, which it notices, and it comes back by itself.

use super::Parts;
use super::both::Both;
use crate::clock;
use crate::error::Error;
use crate::events::By;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::id::{CauseId, PhoneId};
use auricle_domain::phone::Phone;
use auricle_domain::registration::{Place, Registration};
use auricle_media::io::{self as engine, Command, Hop};
use auricle_storage::{ReadTx, Scan};
use std::collections::{BTreeMap, BTreeSet};

/// Phones that are written down in one transaction: of all of a clinic's, which would be too many for one.
const AT_ONCE: usize = 50;

/// Where phones are, as it is written down; a phone that is nowhere is not in it.
#[derive(Default)]
pub(super) struct Whereabouts(BTreeMap<PhoneId, Vec<engine::PhoneContact>>);

impl Whereabouts {
    /// Where these phones were when that was written down last.
    pub(super) fn read(tx: &ReadTx, phones: &[Phone], now: Timestamp) -> Result<Self, Error> {
        let (both, mut kept) = (Both::now(now), BTreeMap::new());
        for registration in tx.scan(Scan::<Registration>::table().limit(crate::phones::PHONES_MAX))?.items {
            let is_same = |phone: &Phone| phone.id == registration.phone && phone.user == registration.user;
            let is_there = phones.iter().any(is_same);
            let places = if is_there { registration.places } else { Vec::new() };
            kept.insert(registration.phone, places.into_iter().map(|place| contact(place, both)).collect());
        }
        Ok(Self(kept))
    }

    /// The phones that are somewhere.
    pub(super) fn phones(&self) -> BTreeSet<PhoneId> {
        self.0.keys().copied().collect()
    }

    /// What the engine has to be told after a start.
    pub(super) fn command(&self, numbers: &BTreeMap<PhoneId, engine::PhoneId>) -> Command {
        let of = |(phone, places): (&PhoneId, &Vec<engine::PhoneContact>)| {
            numbers.get(phone).map(|number| places.iter().map(|place| (*number, place.clone())).collect::<Vec<_>>())
        };
        Command::Registrations(self.0.iter().filter_map(of).flatten().collect())
    }

    /// Writes down where phones are now, as far as that is news.
    pub(super) async fn write(
        &mut self,
        parts: &Parts,
        phones: &[Phone],
        numbers: &BTreeMap<PhoneId, engine::PhoneId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let both = Both::now(now);
        let states = parts.voice.phone_states().borrow().clone();
        let mut news: Vec<(PhoneId, Option<Registration>)> = Vec::new();
        let mut found = BTreeMap::new();
        for phone in phones {
            let state = numbers.get(&phone.id).and_then(|number| states.get(number));
            let places = state.map(kept).unwrap_or_default();
            if places.is_empty() || self.0.get(&phone.id) == Some(&places) {
                found.extend((!places.is_empty()).then_some((phone.id, places)));
                continue;
            }
            let written = places.iter().filter_map(|contact| place(contact, both)).collect();
            news.push((phone.id, Some(Registration { phone: phone.id, user: phone.user.clone(), places: written })));
            found.insert(phone.id, places);
        }
        news.extend(self.0.keys().filter(|phone| !found.contains_key(phone)).map(|phone| (*phone, None)));
        for some in news.chunks(AT_ONCE) {
            let (some, cause) = (some.to_vec(), clock::fresh(CauseId::new, now));
            let written = parts.events.commit(clock::op(), By { actor: Actor::System, cause }, move |tx| {
                for (phone, registration) in &some {
                    match registration {
                        Some(registration) => tx.put(registration)?,
                        None => drop(tx.delete::<Registration>(phone)?),
                    }
                }
                Ok(())
            });
            written.await?;
        }
        self.0 = found;
        Ok(())
    }
}

/// The places of a phone that outlive a restart. Whether it answers there is found out again.
fn kept(state: &engine::PhoneState) -> Vec<engine::PhoneContact> {
    let engine::PhoneState::Registered { contacts } = state else { return Vec::new() };
    let kept = contacts.iter().filter(|contact| contact.kept.is_some());
    kept.map(|contact| engine::PhoneContact { answers: true, ..contact.clone() }).collect()
}

fn place(contact: &engine::PhoneContact, both: Both) -> Option<Place> {
    let kept = contact.kept.clone()?;
    Some(Place {
        address: contact.hop.address,
        agent: contact.agent.clone(),
        uri: kept.uri,
        instance: kept.instance,
        q: kept.q,
        call_id: kept.call_id,
        cseq: kept.cseq,
        expires_at: both.time_of(kept.expires_at),
        is_natted: kept.is_natted,
    })
}

fn contact(place: Place, both: Both) -> engine::PhoneContact {
    let kept = engine::Binding {
        uri: place.uri,
        instance: place.instance,
        q: place.q,
        call_id: place.call_id,
        cseq: place.cseq,
        expires_at: both.instant_of(place.expires_at),
        is_natted: place.is_natted,
    };
    engine::PhoneContact { hop: Hop::udp(place.address), agent: place.agent, answers: true, kept: Some(kept) }
}
