//! Whose RTP a leg listens to (symmetric RTP with probation).
//!
//! Behind address translation, media comes from elsewhere than SDP says; on an open port, a stranger can send too. So:
//! packets from the address in SDP are taken at once and for good; another source must first send three consecutive
//! valid packets, and holds the leg only until the address in SDP is heard. Only signalling changes the choice later, or a
//! packet that proves its sender by SRTP.

use std::net::SocketAddr;

/// Consecutive packets of one source that a stranger to SDP must send.
const PROBATION: u8 = 3;

/// The choice of a leg's source.
#[derive(Debug)]
pub struct Latch {
    signalled: Option<SocketAddr>,
    chosen: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    remote: SocketAddr,
    ssrc: u32,
    sequence: u16,
    run: u8,
}

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is from the leg's source.
    Accepted,
    /// The same, and the source is another than before: what follows is a new stream.
    Moved,
    /// Not enough is known of this source yet.
    Probation,
    /// Not the leg's source.
    Stranger,
}

impl Latch {
    /// Expects media from the address in SDP, where there is one.
    pub fn new(signalled: Option<SocketAddr>) -> Self {
        Self { signalled, chosen: None, candidate: None }
    }

    /// Where our packets go: to the source once it is known, otherwise to the address in SDP.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.chosen.or(self.signalled)
    }

    /// The source, once it is known.
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.chosen
    }

    /// New signalling: probation starts again unless the address is the same.
    pub fn signal(&mut self, remote: Option<SocketAddr>) {
        if remote != self.signalled {
            *self = Self::new(remote);
        }
    }

    /// Takes the source of a packet whose SRTP tag was right: who has the key is the far end, wherever it has moved to.
    pub fn follow(&mut self, remote: SocketAddr) {
        self.chosen = Some(remote);
        self.candidate = None;
    }

    /// Judges a valid packet by its source.
    pub fn judge(&mut self, remote: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        if self.chosen == Some(remote) {
            return Verdict::Accepted;
        }
        if self.signalled == Some(remote) {
            self.candidate = None;
            return if self.chosen.replace(remote).is_some() { Verdict::Moved } else { Verdict::Accepted };
        }
        if self.chosen.is_some() {
            return Verdict::Stranger;
        }
        let run = match &self.candidate {
            Some(candidate) if candidate.follows(remote, ssrc, sequence) => candidate.run + 1,
            _ => 1,
        };
        if run >= PROBATION {
            self.candidate = None;
            self.chosen = Some(remote);
            return Verdict::Accepted;
        }
        self.candidate = Some(Candidate { remote, ssrc, sequence, run });
        Verdict::Probation
    }
}

impl Candidate {
    fn follows(&self, remote: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        self.remote == remote && self.ssrc == ssrc && sequence == self.sequence.wrapping_add(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn the_signalled_address_is_heard_at_once() {
        let mut latch = Latch::new(Some(at(4000)));
        assert_eq!(latch.judge(at(4000), 1, 1), Verdict::Accepted);
        for sequence in 0..20 {
            assert_eq!(latch.judge(at(5000), 2, sequence), Verdict::Stranger);
        }
    }

    #[test]
    fn another_source_needs_three_in_a_row() {
        let mut latch = Latch::new(Some(at(4000)));
        let table = [
            (5000, 7, 1, Verdict::Probation),
            (5000, 7, 2, Verdict::Probation),
            (6000, 7, 3, Verdict::Probation), // another port breaks the run
            (5000, 7, 4, Verdict::Probation),
            (5000, 8, 5, Verdict::Probation), // another source identifier too
            (5000, 8, 7, Verdict::Probation), // and a hole
            (5000, 8, 8, Verdict::Probation),
            (5000, 8, 9, Verdict::Accepted),
            (6000, 9, 1, Verdict::Stranger),
        ];
        for (step, (port, ssrc, sequence, verdict)) in table.into_iter().enumerate() {
            assert_eq!(latch.judge(at(port), ssrc, sequence), verdict, "step {step}");
        }
        assert_eq!(latch.remote(), Some(at(5000)));
    }

    #[test]
    fn the_signalled_address_takes_the_leg_back_from_one_who_came_first() {
        let mut latch = Latch::new(Some(at(4000)));
        for sequence in [65_534, 65_535, 0] {
            latch.judge(at(5000), 7, sequence);
        }
        assert_eq!(latch.remote(), Some(at(5000)));
        assert_eq!(latch.judge(at(4000), 1, 1), Verdict::Moved);
        assert_eq!(latch.judge(at(5000), 7, 1), Verdict::Stranger);
    }

    #[test]
    fn signalling_starts_over_only_when_the_address_changes() {
        let mut latch = Latch::new(Some(at(4000)));
        latch.judge(at(4000), 1, 1);
        latch.signal(Some(at(4000)));
        assert_eq!(latch.chosen(), Some(at(4000)));
        latch.signal(Some(at(4002)));
        assert_eq!((latch.chosen(), latch.remote()), (None, Some(at(4002))));
    }
}
