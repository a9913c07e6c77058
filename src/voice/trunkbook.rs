//! Which trunk of the engine is which of the clinic's, and whether calls go through it: shared by who looks after trunks and who
//! dials through them.

use auricle_domain::id::TrunkId;
use auricle_media::io as engine;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A trunk that is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The engine's number of it.
    pub number: engine::TrunkId,
    /// Whether calls go through it now.
    pub is_up: bool,
    /// Whether callers whom it has brought are handed to it, when they are handed on outside.
    pub refers: bool,
    /// Whether it is told our number beside From, so that it can keep it from who is called.
    pub withholds: bool,
}

/// All trunks that are switched on. Cheap to clone; a copy sees what the others are told.
#[derive(Clone, Debug, Default)]
pub struct TrunkBook(watch::Sender<Arc<BTreeMap<TrunkId, Line>>>);

impl TrunkBook {
    /// These are all trunks from now on.
    pub fn set(&self, trunks: BTreeMap<TrunkId, Line>) {
        self.0.send_replace(Arc::new(trunks));
    }

    /// The clinic's trunk that the engine knows by this number.
    pub fn known(&self, number: engine::TrunkId) -> Option<TrunkId> {
        self.0.borrow().iter().find(|(_, line)| line.number == number).map(|(trunk, _)| *trunk)
    }

    /// All trunks.
    pub fn all(&self) -> Arc<BTreeMap<TrunkId, Line>> {
        Arc::clone(&self.0.borrow())
    }
}
