//! Ports for whoever wants to be told a range of them before it begins.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where ranges lie: below the ports that the system gives out by itself, one of which could be somebody's a moment later.
const FIRST: u16 = 20_000;
/// How many ports there are for ranges.
const ALL: u16 = 12_000;
/// Ranges begin at multiples of this: audio wants even ports, and a softphone its pairs.
const STEP: u16 = 4;
/// What this process has taken so far.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// So many ports in a row that nobody has now. The first is even.
pub fn free(count: u16) -> RangeInclusive<u16> {
    let steps = count.div_ceil(STEP);
    // Another run of the stories on this machine begins elsewhere.
    let own = std::process::id().wrapping_mul(0x9e37_79b9) % u32::from(ALL / STEP);
    for _ in 0..ALL {
        let at = (own + TAKEN.fetch_add(u32::from(steps), Ordering::Relaxed)) % u32::from(ALL / STEP);
        let first = FIRST + u16::try_from(at).unwrap() * STEP;
        if first + count <= FIRST + ALL && (first..first + count).all(is_free) {
            return first..=first + count - 1;
        }
    }
    panic!("no {count} ports in a row are free");
}

/// Whether nobody has this port, on any address.
fn is_free(port: u16) -> bool {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    UdpSocket::bind(everywhere).is_ok() && TcpListener::bind(everywhere).is_ok()
}
