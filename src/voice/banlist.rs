//! Sources that have guessed passwords of phones and are not heard for a while: shared by the media thread and who shows them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Sources that are shown; with more, the one is left out that is heard again first. The engine remembers as many.
const SOURCES_MAX: usize = 4_096;

/// All banned sources, each with when it is heard again. Cheap to clone; a copy sees what the others are told.
#[derive(Clone, Debug, Default)]
pub struct BanList(watch::Sender<Arc<BTreeMap<IpAddr, Instant>>>);

impl BanList {
    /// A source is banned until then.
    pub(crate) fn add(&self, source: IpAddr, until: Instant, now: Instant) {
        self.0.send_modify(|sources| {
            let sources = Arc::make_mut(sources);
            sources.retain(|_, until| now < *until);
            if sources.len() >= SOURCES_MAX {
                let first = sources.iter().min_by_key(|(_, until)| **until).map(|(source, _)| *source);
                if let Some(first) = first {
                    sources.remove(&first);
                }
            }
            sources.insert(source, until);
        });
    }

    /// A source is heard again.
    pub(crate) fn lift(&self, source: IpAddr) {
        self.0.send_if_modified(|sources| Arc::make_mut(sources).remove(&source).is_some());
    }

    /// Who is banned now, and until when.
    pub fn now(&self, now: Instant) -> BTreeMap<IpAddr, Instant> {
        self.0.borrow().iter().filter(|(_, until)| now < **until).map(|(source, until)| (*source, *until)).collect()
    }

    /// Hears of changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<BTreeMap<IpAddr, Instant>>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auricle_media::engine::BANNED;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn ip(at: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + at as u32))
    }

    /// SEC-11
    #[test]
    fn the_list_is_bounded_and_forgets_what_is_over() {
        let (list, start) = (BanList::default(), Instant::now());
        for at in 0..=SOURCES_MAX {
            let now = start + Duration::from_millis(at as u64);
            list.add(ip(at), now + BANNED, now);
        }
        let later = start + Duration::from_secs(10);
        assert_eq!((list.now(later).len(), list.now(later).contains_key(&ip(0))), (SOURCES_MAX, false));
        list.lift(ip(1));
        assert!(!list.now(later).contains_key(&ip(1)));
        let now = start + BANNED + Duration::from_secs(60);
        list.add(ip(0), now + BANNED, now);
        assert_eq!(list.now(start + BANNED + Duration::from_secs(61)).len(), 1);
    }
}
