//! Calls of several legs, as the shell carries them out: who is meant by what was dialled, and what is told to the engine.

use super::shell::Shell;
use super::{Ask, Joiner, Ordered};
use crate::clock;
use crate::events::By;
use crate::voice::carrierbook::Placement;
use auricle_domain::Timestamp;
use auricle_domain::account::{Account, Actor};
use auricle_domain::call::Call;
use auricle_domain::carrier::Carrier;
use auricle_domain::code::{CarrierKind, OutboundRule, TaskKind, TaskState};
use auricle_domain::dialled::{self, Dialled};
use auricle_domain::event::Event;
use auricle_domain::floor::{
    Asked, Class, Ids, Input, Joining, Leg, NotPlaced, Order, Origin, Party as Heard, Placing, Signal, Tag, Target, To,
    World,
};
use auricle_domain::id::{AccountId, CallId, CauseId, PhoneId, TaskId, TrunkId};
use auricle_domain::outbound::{Ledger, Outbound, Show, Usable};
use auricle_domain::phone::{Phone, is_receptionist};
use auricle_domain::task::Task;
use auricle_domain::tenant::Tenant;
use auricle_domain::trunk::Trunk;
use auricle_media::audio::tone::Tone;
use auricle_media::io::{
    BridgeId, CallerIdentity, Command, DialIdentity, DialTo, Entrance as Way, Gain, LegId, Party, PartyClass,
    PhoneId as Number, PlayId, Rate, TransferTarget, TransferTo,
};
use auricle_storage::schema::CALLS_BY_TIME;
use auricle_storage::{Scan, Store};
use jiff::SignedDuration;
use std::time::Instant;

/// First of the playings of tones; receptionists count theirs from zero, and the floor's apologies come after all tones.
pub(super) const SIGNALS: PlayId = PlayId(u64::MAX / 2);
/// How long a tone sounds, in seconds: longer than anybody is let to ring, or told that nobody answers.
const SIGNAL_S: usize = 90;
/// Calls read at once when the caps are filled after a start.
const PAGE: usize = 500;
/// An alarm about outgoing calls should be looked at within this time.
const ALARM_DUE: SignedDuration = SignedDuration::from_mins(15);

impl Shell {
    /// A desk phone calls. It is known by its extension; its user name is no number.
    pub(super) fn phone_calls(&mut self, leg: LegId, phone: Number, to: &str) -> Option<Input> {
        match self.parts.phones.listed(phone) {
            Some(listed) if is_receptionist(to) => {
                self.arrival(leg, (&listed.extension, to), Way::Phone(phone), &CallerIdentity::default())
            }
            _ => self.phone_places(leg, phone, to),
        }
    }

    /// A telephone wants its call to go elsewhere. A call that is none of the clinic's is not joined with one that is.
    pub(super) fn transfer_asked(&mut self, leg: LegId, target: &TransferTarget) -> Option<Input> {
        let asked = match (target.leg, &target.replaces, self.world()) {
            (Some(other), _, Some(world)) => Some((Asked::Leg(Leg(other.0)), world)),
            (None, None, Some(world)) => Some((Asked::Target(self.target(&target.user, &world.tenant)), world)),
            (None, Some(_), _) | (_, _, None) => None,
        };
        let Some((asked, world)) = asked else {
            self.voice(Command::TransferProgress { leg, status: 603 });
            return None;
        };
        Some(Input::TransferAsked { leg: Leg(leg.0), asked, world: Box::new(world) })
    }

    /// Does what a person asks for, and answers.
    pub(super) async fn order(&mut self, ordered: Ordered) {
        let Ordered { ask, reply } = ordered;
        let (input, call) = match ask {
            Ask::Drain => (Some(Input::Drain), None),
            Ask::Order { call, by, order } => (Some(Input::Order { call, by: Some(by), order }), Some(call)),
            Ask::Transfer { call, by, to, attended } => {
                let order = self.world().map(|world| {
                    let target = self.target(&to, &world.tenant);
                    Order::Transfer { target, attended, world: Box::new(world) }
                });
                (order.map(|order| Input::Order { call, by: Some(by), order }), Some(call))
            }
            Ask::Join { call, by, part, takes_over } => {
                let Joiner { account, actor, origin, shown } = by;
                let order = self.world().map(|world| {
                    let joining = Joining { part, takes_over, origin, shown, actor, world: Box::new(world) };
                    Order::Join(Box::new(joining))
                });
                (order.map(|order| Input::Order { call, by: Some(account), order }), Some(call))
            }
            Ask::Place(wanted) => {
                let ids = Ids { cause: wanted.cause, call: wanted.call, ..self.fresh_ids() };
                let by = (Some(wanted.by), wanted.actor);
                let placing = self.placing(ids, wanted.origin, by, wanted.shown, &wanted.to, wanted.show);
                // Two wishes with one name may come at the same time: the call that is on has its line already.
                if placing.is_some() && !self.floor.knows(ids.call) {
                    self.open_line(ids);
                }
                (placing.map(|placing| Input::Place(Box::new(placing))), Some(ids.call))
            }
        };
        self.answer = None;
        if let Some(input) = input {
            self.put(input).await;
        }
        let said = self.answer.take().filter(|(of, _)| Some(*of) == call).map(|(_, answer)| answer);
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _gone = reply.send(said.unwrap_or(Err(NotPlaced::Stopping)));
        }
    }

    /// Somebody's wish to call, with everything that it may need. None when there is no clinic yet.
    pub(super) fn placing(
        &mut self,
        ids: Ids,
        origin: Origin,
        by: (Option<AccountId>, Actor),
        shown: String,
        to: &str,
        show: Show,
    ) -> Option<Placing> {
        let world = self.world()?;
        let target = self.target(to, &world.tenant);
        Some(Placing { ids, by: by.0, actor: by.1, origin, shown, target, show, world })
    }

    /// The clinic, its rules and its trunks as they are now.
    pub(super) fn world(&mut self) -> Option<World> {
        let tenant = self.tenant_now()?;
        let kept = self.parts.store.read(|tx| tx.get::<Outbound>(&()));
        let rules = kept.unwrap_or_else(|error| {
            tracing::error!(%error, "the rules of outgoing calls cannot be read: emergency numbers alone are dialled");
            None
        });
        let rules = rules.unwrap_or_else(|| Outbound::usual(&tenant.country));
        let usable = |(trunk, line): (_, &crate::voice::trunkbook::Line)| {
            let &crate::voice::trunkbook::Line { is_up, refers, withholds, .. } = line;
            Usable { trunk, is_up, refers, withholds }
        };
        let mut trunks: Vec<_> = self.parts.trunks.all().iter().map(|(trunk, line)| usable((*trunk, line))).collect();
        let (book, at) = (&self.parts.carriers, Instant::now());
        trunks.extend(self.carriers().map(|kind| Usable {
            trunk: kind.trunk(),
            is_up: book.is_up(kind, at),
            refers: false,
            withholds: false,
        }));
        Some(World { tenant, rules, trunks })
    }

    /// The carriers that place calls: whose account is set up, and that reach us.
    fn carriers(&self) -> impl Iterator<Item = CarrierKind> + use<> {
        let store = self.parts.store.clone();
        let is_reachable = self.parts.carriers.is_reachable();
        CarrierKind::ALL.iter().copied().filter(move |kind| {
            let known = store.read(|tx| tx.get::<Carrier>(&kind.as_str()));
            let known = known.inspect_err(|error| tracing::error!(%error, "a carrier's account cannot be read"));
            is_reachable && known.is_ok_and(|carrier| carrier.is_some())
        })
    }

    /// Whom somebody means who dials this. An emergency number is never taken for an extension.
    pub(super) fn target(&self, to: &str, tenant: &Tenant) -> Target {
        let is_emergency = matches!(dialled::read(to, &tenant.country), Some(Dialled::Emergency(_)));
        let listed = self.parts.phones.at(to).and_then(|number| self.parts.phones.listed(number));
        match listed {
            Some(listed) if !is_emergency => {
                let account = self.sits_at(listed.phone).map(|(account, _)| account);
                let station = account.and_then(|account| self.parts.stations.up(account)).map(|leg| Leg(leg.0));
                Target::Phone { phone: listed.phone, account, extension: listed.extension, station }
            }
            _ => Target::Outside(to.to_owned()),
        }
    }

    /// Who sits at a telephone, and in whose name its calls are placed.
    fn sits_at(&self, phone: PhoneId) -> Option<(AccountId, Actor)> {
        let read = self.parts.store.read(|tx| {
            let account = tx.get::<Phone>(&phone)?.and_then(|phone| phone.account);
            account.map(|id| tx.get::<Account>(&id)).transpose()
        });
        match read {
            Ok(account) => account.flatten().map(|it| (it.id, Actor::Account { id: it.id, role: it.role })),
            Err(error) => {
                tracing::error!(%error, "who sits at a telephone cannot be read");
                None
            }
        }
    }

    /// A telephone of the clinic calls somebody else than the receptionist.
    pub(super) fn phone_places(&mut self, leg: LegId, number: Number, to: &str) -> Option<Input> {
        let placing = self.parts.phones.listed(number).and_then(|listed| {
            let ids = self.fresh_ids();
            let by = self.sits_at(listed.phone);
            let by = (by.map(|(account, _)| account), by.map_or(Actor::System, |(_, actor)| actor));
            self.placing(ids, Origin::Calling(listed.phone, Leg(leg.0)), by, listed.extension, to, Show::Usual)
        });
        match placing {
            Some(placing) => {
                self.open_line(placing.ids);
                self.legs.insert(leg, placing.ids.call);
                Some(Input::Place(Box::new(placing)))
            }
            None => {
                self.voice(Command::Reject { leg, status: 480 });
                None
            }
        }
    }

    /// Dials for a call. What cannot be dialled has failed, and the machine goes on from there.
    pub(super) async fn dial(&mut self, call: CallId, tag: Tag, to: To, is_emergency: bool) {
        let dial = match to {
            To::Trunk { trunk, number, caller_id, is_withheld, line } => match CarrierKind::behind(trunk) {
                Some(carrier) => {
                    let placement = Placement { carrier, call, line, tag: tag.0, number, caller_id, is_emergency };
                    return self.dial_carrier(placement).await;
                }
                None => {
                    let known = self.parts.trunks.all().get(&trunk).copied();
                    known.map(|known| (DialTo::Trunk(known.number), number, caller_id, is_withheld))
                }
            },
            To::Phone { phone, shown } => {
                let number = self.parts.phones.number(phone);
                number.map(|number| (DialTo::Phone(number), String::new(), shown, false))
            }
        };
        match dial {
            Some((to, uri, from, withheld)) => {
                self.dialled.insert(tag.0, call);
                let (tag, codecs, replaces) = (tag.0, self.parts.codecs.clone(), None);
                let identity = withheld.then(|| DialIdentity { number: from.clone(), withheld });
                self.voice(Command::Dial { tag, uri, to, from, codecs, identity, replaces, is_emergency });
            }
            None => {
                tracing::warn!(%call, "there is no such trunk or telephone any more");
                Box::pin(self.put(Input::NotDialled { tag })).await;
            }
        }
    }

    /// Asks the provider of a trunk to take a caller on.
    pub(super) async fn refer(&mut self, leg: Leg, trunk: TrunkId, number: &str) {
        let known = self.parts.store.read(|tx| tx.get::<Trunk>(&trunk));
        let known = known.inspect_err(|error| tracing::error!(%error, "a trunk cannot be read"));
        match known.ok().flatten() {
            Some(trunk) => {
                let to = TransferTo::Uri(format!("sip:{number}@{}", trunk.account_domain()));
                self.voice(Command::Transfer { leg: LegId(leg.0), to });
            }
            None => Box::pin(self.put(Input::Referred { leg, status: 503 })).await,
        }
    }

    /// Has a carrier place a call.
    async fn dial_carrier(&mut self, placement: Placement) {
        let (call, tag) = (placement.call, placement.tag);
        if self.parts.carriers.place(placement) {
            self.dialled.insert(tag, call);
        } else {
            tracing::warn!(%call, "too many calls wait to be placed by carriers");
            Box::pin(self.put(Input::NotDialled { tag: Tag(tag) })).await;
        }
    }

    /// Lets a party hear how its call fares.
    pub(super) fn signal(&mut self, leg: LegId, signal: Signal) {
        if let Some(id) = self.signals.remove(&leg) {
            self.voice(Command::Flush { leg, id });
        }
        let tone = match signal {
            Signal::Ringback => Tone::Ringback,
            Signal::Busy => Tone::Busy,
            Signal::Congestion => Tone::Congestion,
            Signal::Silence => return,
        };
        let id = PlayId(SIGNALS.0 + self.next_signal);
        self.next_signal += 1;
        let pcm = tone.pcm(Rate::Hz8000);
        let turns = (SIGNAL_S * Rate::Hz8000.hz() as usize).div_ceil(pcm.samples.len().max(1));
        for turn in 1..=turns {
            self.voice(Command::Play { leg, id, pcm: pcm.clone(), last: turn == turns });
        }
        self.signals.insert(leg, id);
    }

    /// A softphone has left its call: it hears nothing until its next one.
    pub(super) fn rest(&mut self, leg: LegId) {
        self.signal(leg, Signal::Silence);
        self.voice(Command::Music { leg, on: false });
    }

    /// Lets these hear whom they name.
    pub(super) fn bridge(&self, bridge: u64, parties: Vec<Heard>) {
        let class = |class: Class| if class == Class::Staff { PartyClass::Staff } else { PartyClass::Caller };
        let hears = |legs: Vec<Leg>| legs.into_iter().map(|leg| (LegId(leg.0), Gain::FULL)).collect();
        let party = |party: Heard| Party {
            leg: LegId(party.leg.0),
            class: class(party.class),
            hears: hears(party.hears),
            overhears: party.overhears,
        };
        self.voice(Command::Bridge { bridge: BridgeId(bridge), parties: parties.into_iter().map(party).collect() });
    }

    /// Writes down that a rule stood against a call, and makes the task when it looks like an attack.
    pub(super) fn refused(&self, refusal: Refusal) {
        let events = self.parts.events.clone();
        self.parts.tasks.spawn("outbound_refused", async move {
            let Refusal { cause, at, rule, account, number, task } = refusal;
            match task {
                Some(_) => tracing::error!(%cause, %rule, "outgoing calls are refused again and again, or by a cap"),
                None => tracing::info!(%cause, %rule, "an outgoing call is refused"),
            }
            let written = events.commit_at(at, clock::op(), By { actor: Actor::System, cause }, move |tx| {
                tx.event(Event::OutboundRefused { rule, account, number: number.clone(), task });
                if let Some(id) = task {
                    let task = alarm(id, rule, at);
                    tx.put(&task)?;
                    tx.event(Event::TaskChanged { task: id, kind: task.kind, state: task.state });
                }
                Ok(())
            });
            if let Err(error) = written.await {
                tracing::error!(%cause, %error, "that an outgoing call was refused could not be written down");
            }
        });
    }
}

/// A rule stood against an outgoing call.
pub(super) struct Refusal {
    pub(super) cause: CauseId,
    pub(super) at: Timestamp,
    pub(super) rule: OutboundRule,
    pub(super) account: Option<AccountId>,
    pub(super) number: String,
    pub(super) task: Option<TaskId>,
}

/// Somebody has to look at the outgoing calls. Its text is the rule's code: screens say it in words.
fn alarm(id: TaskId, rule: OutboundRule, at: Timestamp) -> Task {
    Task {
        id,
        kind: TaskKind::OutboundAlarm,
        state: TaskState::Open,
        text: rule.as_str().to_owned(),
        name: String::new(),
        number: String::new(),
        call: None,
        contact: None,
        owner: None,
        created_at: at,
        due_at: at.saturating_add(ALARM_DUE).unwrap_or(at),
        version: 1,
    }
}

/// The calls to the outside that still count against the caps, to be told to the machine before its first call.
///
/// # Errors
/// When the store fails.
pub(super) fn past(store: &Store, now: Timestamp) -> Result<Vec<Call>, crate::error::Error> {
    let from = now.saturating_sub(Ledger::REACH).unwrap_or(now);
    let (mut calls, mut after) = (Vec::new(), None);
    loop {
        let page = store.read(|tx| tx.scan(Scan::index(CALLS_BY_TIME).from(from).after(after.clone()).limit(PAGE)))?;
        calls.extend(page.items.into_iter().filter(|call| !call.outgoing.is_empty()));
        after = page.next;
        if after.is_none() {
            return Ok(calls);
        }
    }
}
