//! Whose softphone is which leg: shared by who opens them for pages and who brings calls to them.

use auricle_domain::id::AccountId;
use auricle_media::io::LegId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A softphone whose page has opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Its leg.
    pub leg: LegId,
    /// Whether its page has reached us: calls can be brought to it.
    pub is_up: bool,
}

/// All softphones, one for each account at most. Cheap to clone; a copy sees what the others are told.
#[derive(Clone, Debug, Default)]
pub struct StationBook(watch::Sender<Arc<BTreeMap<AccountId, Station>>>);

impl StationBook {
    /// An account's page has opened a softphone. The one before is handed back, to be ended.
    pub fn open(&self, account: AccountId, leg: LegId) -> Option<LegId> {
        let mut before = None;
        self.0.send_modify(|all| {
            before = Arc::make_mut(all).insert(account, Station { leg, is_up: false }).map(|station| station.leg);
        });
        before
    }

    /// A leg is up; of one that is no softphone nothing changes.
    pub fn connected(&self, leg: LegId) {
        let is_it = |station: &Station| station.leg == leg && !station.is_up;
        self.0.send_if_modified(|all| {
            let known = all.values().any(is_it);
            if known {
                Arc::make_mut(all).values_mut().filter(|it| is_it(it)).for_each(|station| station.is_up = true);
            }
            known
        });
    }

    /// A leg has ended; of one that is no softphone nothing changes.
    pub fn ended(&self, leg: LegId) {
        self.0.send_if_modified(|all| {
            let known = all.values().any(|station| station.leg == leg);
            if known {
                Arc::make_mut(all).retain(|_, station| station.leg != leg);
            }
            known
        });
    }

    /// The softphone of an account.
    pub fn of(&self, account: AccountId) -> Option<Station> {
        self.0.borrow().get(&account).copied()
    }

    /// The same, where calls can be brought to it.
    pub fn up(&self, account: AccountId) -> Option<LegId> {
        self.of(account).filter(|station| station.is_up).map(|station| station.leg)
    }

    /// The legs of all.
    pub fn legs(&self) -> Vec<LegId> {
        self.0.borrow().values().map(|station| station.leg).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use uuid::Uuid;

    /// B-24: an account has one softphone, calls come to it while it is up, and the end of an earlier one is not that of the next.
    #[test]
    fn an_account_has_one_softphone() {
        let (book, eve) = (StationBook::default(), AccountId(Uuid::from_u128(1)));
        assert_eq!(book.open(eve, LegId(4)), None);
        assert_eq!((book.of(eve).unwrap().leg, book.up(eve)), (LegId(4), None));
        book.connected(LegId(4));
        book.connected(LegId(77));
        assert_eq!(book.clone().up(eve), Some(LegId(4)));
        assert_eq!(book.open(eve, LegId(5)), Some(LegId(4)));
        book.ended(LegId(4));
        book.connected(LegId(5));
        assert_eq!((book.up(eve), book.legs()), (Some(LegId(5)), vec![LegId(5)]));
        book.ended(LegId(5));
        assert_eq!(book.of(eve), None);
    }
}
