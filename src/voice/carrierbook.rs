//! Calls that carriers place: how whoever dials hands one over to who speaks with the carrier.
//!
//! The floor dials a carrier as it dials a trunk. Its leg is attached before anything is asked of the carrier
//! ([`VoiceHandle::attach_dialled`](super::VoiceHandle::attach_dialled)), so that it rings, is answered, refused and hung up as any other.

use super::carrierstanding::CarrierStanding;
use auricle_domain::code::CarrierKind;
use auricle_domain::id::CallId;
use auricle_media::io::CarrierId;
use std::time::Instant;
use tokio::sync::mpsc;

/// Calls that wait to be asked of carriers. One more has failed, and the next way is tried.
const WANTED_MAX: usize = 64;

/// The engine's number of a carrier: its place among all of them.
pub(crate) fn number(carrier: CarrierKind) -> CarrierId {
    CarrierId(carrier as u64)
}

/// The carrier that the engine knows by this number.
pub(crate) fn carrier(number: CarrierId) -> Option<CarrierKind> {
    CarrierKind::ALL.iter().copied().find(|kind| self::number(*kind) == number)
}

/// A call that a carrier is to place.
#[derive(Clone, PartialEq, Eq)]
pub struct Placement {
    /// Which carrier.
    pub carrier: CarrierKind,
    /// The call that it is part of.
    pub call: CallId,
    /// Its place among that call's calls to the outside.
    pub line: usize,
    /// As the floor has named it to the engine.
    pub tag: u64,
    /// Whom to call: a number of the world with plus sign, or an emergency number.
    pub number: String,
    /// The clinic's number that is shown.
    pub caller_id: String,
    /// It is part of an emergency call: it rings for longer, and what is full has room for it.
    pub is_emergency: bool,
}

/// Shows no number.
impl std::fmt::Debug for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Placement").field("carrier", &self.carrier).field("call", &self.call).finish_non_exhaustive()
    }
}

/// The way to whoever speaks with carriers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CarrierBook {
    wanted: mpsc::Sender<Placement>,
    is_reachable: bool,
    standing: CarrierStanding,
}

/// A book, and what is written into it. Carriers must reach this server to bring the audio of a call.
pub fn open(is_reachable: bool, standing: CarrierStanding) -> (CarrierBook, mpsc::Receiver<Placement>) {
    let (wanted, placements) = mpsc::channel(WANTED_MAX);
    (CarrierBook { wanted, is_reachable, standing }, placements)
}

impl CarrierBook {
    /// Whether carriers can bring a call's audio here.
    pub fn is_reachable(&self) -> bool {
        self.is_reachable
    }

    /// Whether a carrier takes calls, as far as is known.
    pub fn is_up(&self, carrier: CarrierKind, now: Instant) -> bool {
        self.standing.down(carrier, now).is_none()
    }

    /// Has a call placed. False when too many wait, or nobody takes them any more.
    pub fn place(&self, placement: Placement) -> bool {
        self.wanted.try_send(placement).is_ok()
    }
}
