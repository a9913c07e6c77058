//! Deadlines by key, on whatever time the caller gives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// At most one deadline per key. The owner of the keys bounds their number.
#[derive(Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Moves the key's deadline, or removes it with `None`.
    pub fn set(&mut self, key: K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// How many keys have a deadline.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one key whose deadline is not after `now`, earliest first.
    pub fn due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the origin of virtual time; only differences from it matter")]
    fn deadlines_come_in_order_and_move() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set('a', Some(after(10)));
        timers.set('b', Some(after(5)));
        timers.set('a', Some(after(3)));
        timers.set('c', Some(after(1)));
        timers.set('c', None);
        assert_eq!(timers.next(), Some(after(3)));
        assert_eq!(timers.due(after(2)), None);
        assert_eq!(timers.due(after(9)), Some('a'));
        assert_eq!(timers.due(after(9)), Some('b'));
        assert_eq!(timers.due(after(9)), None);
        assert_eq!(timers.next(), None);
    }
}
