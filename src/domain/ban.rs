//! Sources that have guessed passwords of phones, as they are kept over a restart.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Sources that are kept; of more, those that are heard again first are left out. All of them are one value of the store, which has
/// room for them.
pub const BANS_MAX: usize = 500;

/// All sources that were not heard when that was written down last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bans {
    /// The sources; at most [`BANS_MAX`].
    pub sources: Vec<Ban>,
}

/// A source that is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Its address.
    pub source: IpAddr,
    /// When it is heard again.
    pub until: Timestamp,
}

impl Bans {
    /// Of these, as many as there is room for.
    pub fn of(sources: impl IntoIterator<Item = Ban>) -> Self {
        let mut sources: Vec<Ban> = sources.into_iter().collect();
        sources.sort_by_key(|ban| std::cmp::Reverse(ban.until));
        sources.truncate(BANS_MAX);
        Self { sources }
    }

    /// Those that are still not heard at this time.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = Ban> {
        self.sources.iter().copied().filter(move |ban| now < ban.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn those_that_stand_longest_are_kept() {
        let at = |second: i64| Timestamp::UNIX_EPOCH.saturating_add(jiff::SignedDuration::from_secs(second));
        let ban = |number: u32| Ban {
            source: Ipv4Addr::from_bits(number).into(),
            until: at(i64::from(number)).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let bans = Bans::of((1..=BANS_MAX as u32 + 20).map(ban));
        assert_eq!((bans.sources.len(), bans.sources.contains(&ban(20))), (BANS_MAX, false));
        assert!(bans.sources.contains(&ban(21)));
        let standing = bans.standing(ban(30).until).count();
        assert_eq!(standing, BANS_MAX + 20 - 30);
    }
}
