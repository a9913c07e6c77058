//! SIP connections: what they bring becomes messages, what is no SIP ends them.
//!
//! The shell owns the sockets and bounds their number; here is only what a connection has brought of an unfinished message.

use crate::io::Hop;
use crate::sip::framing::{Frame, Framer, NotSip};
use std::collections::BTreeMap;

/// Connections with an unfinished message at once. One more is closed.
pub(super) const UNFINISHED_MAX: usize = 1024;

/// The unfinished messages of all connections.
#[derive(Default)]
pub(super) struct Connections {
    framers: BTreeMap<Hop, Framer>,
}

impl Connections {
    /// Takes what a connection brought and appends the messages that are whole by it; `false` when it is to be closed.
    pub(super) fn receive(&mut self, hop: Hop, bytes: &[u8], frames: &mut Vec<Frame>) -> bool {
        let mut framer = self.framers.remove(&hop).unwrap_or_default();
        let read: Result<(), NotSip> = framer.receive(bytes, frames);
        if read.is_err() {
            return false;
        }
        if framer.is_idle() {
            return true;
        }
        let room = self.framers.len() < UNFINISHED_MAX;
        if room {
            self.framers.insert(hop, framer);
        }
        room
    }

    /// We have asked the far end whether it is there.
    pub(super) fn ask(&mut self, hop: Hop) {
        if self.framers.len() < UNFINISHED_MAX {
            self.framers.entry(hop).or_default().ask();
        }
    }

    /// A connection is gone, and with it what it had begun to say.
    pub(super) fn closed(&mut self, hop: Hop) {
        self.framers.remove(&hop);
    }
}
