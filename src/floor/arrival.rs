//! Calls that come in: by which way, and what is told of the caller.

use super::shell::Shell;
use crate::voice::carrierbook;
use auricle_domain::call::{Call, CallIdentity, Entrance};
use auricle_domain::code::{AttestationLevel, EntranceKind, NumberCheck};
use auricle_domain::floor::{Input, Leg};
use auricle_media::io::{self as engine, CallerIdentity, Command, Entrance as Way, LegId};

impl Shell {
    /// By which way a call comes, as it is written down.
    fn entrance(&self, way: Way) -> Entrance {
        match way {
            Way::Address => Entrance::of(EntranceKind::Address),
            Way::Trunk(number) => Entrance::by_trunk(self.parts.trunks.known(number)),
            Way::Phone(number) => Entrance::by_phone(self.parts.phones.listed(number).map(|listed| listed.phone)),
            Way::Browser => Entrance::of(EntranceKind::Browser),
            Way::Carrier(number) => Entrance::by_carrier(carrierbook::carrier(number)),
        }
    }

    pub(super) fn arrival(
        &mut self,
        leg: LegId,
        (from, to): (&str, &str),
        way: Way,
        identity: &CallerIdentity,
    ) -> Option<Input> {
        let Some(tenant) = self.tenant_now() else {
            self.voice(Command::Reject { leg, status: 480 });
            return None;
        };
        let ids = self.fresh_ids();
        self.open_line(ids);
        self.legs.insert(leg, ids.call);
        self.seen.legs.send_replace(self.legs.clone());
        tracing::info!(cause = %ids.cause, call = %ids.call, "a call arrives");
        Some(Input::Arrived {
            leg: Leg(leg.0),
            ids,
            from: from.to_owned(),
            to: to.to_owned(),
            entrance: self.entrance(way),
            identity: Box::new(recorded(identity)),
            tenant: Box::new(tenant),
        })
    }
}

/// Counts a call by the way that it came.
pub(super) fn count(call: &Call) {
    let entrance = call.entrance.map_or("", |entrance| entrance.kind.as_str());
    let labels = [("direction", call.direction.as_str()), ("entrance", entrance)];
    metrics::counter!("auricle_calls_total", &labels).increment(1);
}

/// What the carrier says about a caller, as it is written down.
fn recorded(identity: &CallerIdentity) -> CallIdentity {
    let check = identity.attestation.map(|attestation| match attestation.check {
        engine::NumberCheck::Passed => NumberCheck::Passed,
        engine::NumberCheck::Failed => NumberCheck::Failed,
        engine::NumberCheck::Unchecked => NumberCheck::Unchecked,
    });
    let level = identity.attestation.and_then(|attestation| attestation.level).map(|level| match level {
        engine::AttestationLevel::A => AttestationLevel::A,
        engine::AttestationLevel::B => AttestationLevel::B,
        engine::AttestationLevel::C => AttestationLevel::C,
    });
    CallIdentity { diverted_from: identity.diverted_from.clone(), check, level }
}
