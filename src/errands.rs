//! Errands: what a person asks for and a job does, one at a time and with progress: a backup, a new search index.
//!
//! Whoever is signed in asks through an [`Errand`]. Somebody at the machine needs no account and no open port: their request is a
//! note in the store's folder (see `notes.rs`), and how far it has come is another.

use crate::events::By;
use std::sync::Arc;
use tokio::sync::watch;

/// Where an errand stands. `P` is how far it has come.
#[derive(Clone, Debug)]
pub enum Stage<P> {
    /// Nobody has asked, or it is over; `failed` says why the last one came to nothing.
    Idle {
        /// In words for an administrator.
        failed: Option<String>,
    },
    /// Somebody has asked, and the job has not begun.
    Asked(By),
    /// The job is at it.
    Going(P),
}

/// One kind of errand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Errand<P>(Arc<watch::Sender<Stage<P>>>);

impl<P> Default for Errand<P> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Idle { failed: None })))
    }
}

impl<P: Clone> Errand<P> {
    /// Asks for it. Where somebody has asked already, theirs is what both get.
    pub fn ask(&self, by: By) {
        self.0.send_if_modified(|stage| {
            let free = matches!(stage, Stage::Idle { .. });
            if free {
                *stage = Stage::Asked(by);
            }
            free
        });
    }

    /// In whose name it is to be done, while the job has not begun.
    pub fn asked(&self) -> Option<By> {
        match *self.0.borrow() {
            Stage::Asked(by) => Some(by),
            _ => None,
        }
    }

    /// Waits until somebody has asked.
    pub async fn wanted(&self) {
        let mut stages = self.watch();
        // The sender lives as long as this does.
        let _asked = stages.wait_for(|stage| matches!(stage, Stage::Asked(_))).await;
    }

    /// Hears whenever it stands elsewhere.
    pub fn watch(&self) -> watch::Receiver<Stage<P>> {
        self.0.subscribe()
    }

    /// Where it stands.
    pub fn stage(&self) -> Stage<P> {
        self.0.borrow().clone()
    }

    /// Says how far it has come.
    pub fn tell(&self, progress: P) {
        self.0.send_replace(Stage::Going(progress));
    }

    /// Says that it is over, and why it came to nothing where it did.
    pub fn end(&self, failed: Option<String>) {
        self.0.send_replace(Stage::Idle { failed });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock;
    use auricle_domain::account::Actor;
    use auricle_domain::id::CauseId;

    fn by(actor: Actor) -> By {
        By { actor, cause: clock::fresh(CauseId::new, clock::system()) }
    }

    #[tokio::test]
    async fn one_is_done_at_a_time_for_all_who_ask() {
        let errand = Errand::<u32>::default();
        errand.ask(by(Actor::Console));
        errand.ask(by(Actor::System));
        errand.wanted().await;
        assert_eq!(errand.asked().unwrap().actor, Actor::Console);
        errand.tell(5);
        errand.ask(by(Actor::System));
        assert!(matches!(errand.stage(), Stage::Going(5)));
        assert!(errand.asked().is_none());
        errand.end(Some("no room".to_owned()));
        assert!(matches!(errand.stage(), Stage::Idle { failed: Some(_) }));
        errand.ask(by(Actor::System));
        assert_eq!(errand.asked().unwrap().actor, Actor::System);
    }
}
