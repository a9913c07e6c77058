//! Which phone of the engine is which of the clinic's: shared by who hands phones to the engine and who meets them in calls.

use auricle_domain::id::PhoneId;
use auricle_media::io as engine;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A phone that the engine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The clinic's phone.
    pub phone: PhoneId,
    /// Its number inside the clinic.
    pub extension: String,
}

/// All phones that the engine knows, by its numbers. Cheap to clone; a copy sees what the others are told.
#[derive(Clone, Debug, Default)]
pub struct PhoneBook(watch::Sender<Arc<BTreeMap<engine::PhoneId, Listed>>>);

impl PhoneBook {
    /// These are all phones from now on.
    pub fn set(&self, phones: BTreeMap<engine::PhoneId, Listed>) {
        self.0.send_replace(Arc::new(phones));
    }

    /// The phone of this number of the engine.
    pub fn listed(&self, phone: engine::PhoneId) -> Option<Listed> {
        self.0.borrow().get(&phone).cloned()
    }

    /// The engine's number of the phone with this extension.
    pub fn at(&self, extension: &str) -> Option<engine::PhoneId> {
        self.0.borrow().iter().find(|(_, listed)| listed.extension == extension).map(|(number, _)| *number)
    }

    /// The engine's number of a phone.
    pub fn number(&self, phone: PhoneId) -> Option<engine::PhoneId> {
        self.0.borrow().iter().find(|(_, listed)| listed.phone == phone).map(|(number, _)| *number)
    }
}
