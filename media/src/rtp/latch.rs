//! Whose RTP a leg listens to (symmetric RTP with probation).
//!
//! Behind address translation, media comes from elsewhere than SDP says; on an open port, a stranger can send too. So:
//! while nobody is chosen, packets from the address in SDP are taken at once, and another source must first send three
//! consecutive valid packets. Whoever is chosen keeps the leg until new signalling, or a packet that proves its sender by SRTP.
//! A source that is not the one in SDP keeps it less firmly: right after it was chosen the one in SDP may still take it back,
//! for a stranger may have come first; and once it has been silent, the one in SDP may, or its own stream from elsewhere, for
//! a translator may have moved. Both have to pass the probation: one packet is soon forged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Consecutive packets of one source that a stranger to SDP must send.
const PROBATION: u8 = 3;
/// How long after another source was chosen the address in SDP may take the leg back.
const SETTLES: Duration = Duration::from_secs(3);
/// How long a source that is not the one in SDP may be silent and keep the leg.
const SILENT: Duration = Duration::from_secs(5);

/// The choice of a leg's source.
#[derive(Debug)]
pub struct Latch {
    signalled: Option<SocketAddr>,
    chosen: Option<Chosen>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Chosen {
    remote: SocketAddr,
    ssrc: u32,
    since: Instant,
    heard_at: Instant,
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
        self.chosen().or(self.signalled)
    }

    /// The source, once it is known.
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.chosen.map(|chosen| chosen.remote)
    }

    /// New signalling: probation starts again unless the address is the same.
    pub fn signal(&mut self, remote: Option<SocketAddr>) {
        if remote != self.signalled {
            *self = Self::new(remote);
        }
    }

    /// Takes the source of a packet whose SRTP tag was right: who has the key is the far end, wherever it has moved to.
    pub fn follow(&mut self, remote: SocketAddr, ssrc: u32, now: Instant) {
        self.choose(remote, ssrc, now);
    }

    /// Judges a valid packet by its source.
    pub fn judge(&mut self, remote: SocketAddr, ssrc: u32, sequence: u16, now: Instant) -> Verdict {
        match &mut self.chosen {
            Some(chosen) if chosen.remote == remote => {
                (chosen.ssrc, chosen.heard_at) = (ssrc, now);
                return Verdict::Accepted;
            }
            None if self.signalled == Some(remote) => {
                self.choose(remote, ssrc, now);
                return Verdict::Accepted;
            }
            _ => {}
        }
        if !self.may_choose(remote, ssrc, now) {
            return Verdict::Stranger;
        }
        let run = match &self.candidate {
            Some(candidate) if candidate.follows(remote, ssrc, sequence) => candidate.run + 1,
            _ => 1,
        };
        if run >= PROBATION {
            let moved = self.chosen.is_some();
            self.choose(remote, ssrc, now);
            return if moved { Verdict::Moved } else { Verdict::Accepted };
        }
        self.candidate = Some(Candidate { remote, ssrc, sequence, run });
        Verdict::Probation
    }

    fn choose(&mut self, remote: SocketAddr, ssrc: u32, now: Instant) {
        let since = self.chosen.filter(|chosen| chosen.remote == remote).map_or(now, |chosen| chosen.since);
        self.chosen = Some(Chosen { remote, ssrc, since, heard_at: now });
        self.candidate = None;
    }

    /// Whether another source may take the leg if it passes the probation.
    fn may_choose(&self, remote: SocketAddr, ssrc: u32, now: Instant) -> bool {
        let Some(chosen) = self.chosen else { return true };
        let is_signalled = self.signalled == Some(remote);
        let settles = now.saturating_duration_since(chosen.since) < SETTLES;
        let is_silent = now.saturating_duration_since(chosen.heard_at) >= SILENT;
        self.signalled != Some(chosen.remote)
            && (is_signalled && (settles || is_silent) || is_silent && ssrc == chosen.ssrc)
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

    /// A latch that expects port 4000, and steps: milliseconds, port, source identifier, sequence number, verdict.
    fn run(steps: &[(u64, u16, u32, u16, Verdict)]) -> Latch {
        let (start, mut latch) = (crate::epoch(), Latch::new(Some(at(4000))));
        for (step, (ms, port, ssrc, sequence, verdict)) in steps.iter().enumerate() {
            let now = start + Duration::from_millis(*ms);
            assert_eq!(latch.judge(at(*port), *ssrc, *sequence, now), *verdict, "step {step}");
        }
        latch
    }

    use Verdict::{Accepted, Moved, Probation, Stranger};

    #[test]
    fn the_signalled_address_is_heard_at_once_and_keeps_the_leg() {
        let mut steps = vec![(0, 4000, 1, 1, Accepted)];
        // However long it is silent, and whosever stream it seems to be.
        steps.extend((0..20).map(|n| (u64::from(n) * 60_000, 5000, 1 + u32::from(n % 2), n, Stranger)));
        run(&steps);
    }

    #[test]
    fn another_source_needs_three_in_a_row() {
        let latch = run(&[
            (0, 5000, 7, 1, Probation),
            (0, 5000, 7, 2, Probation),
            (0, 6000, 7, 3, Probation), // another port breaks the run
            (0, 5000, 7, 4, Probation),
            (0, 5000, 8, 5, Probation), // another source identifier too
            (0, 5000, 8, 7, Probation), // and a hole
            (0, 5000, 8, 8, Probation),
            (0, 5000, 8, 9, Accepted),
            (0, 6000, 9, 1, Stranger),
        ]);
        assert_eq!(latch.remote(), Some(at(5000)));
    }

    #[test]
    fn right_after_the_choice_the_signalled_address_takes_the_leg_back_from_one_who_came_first() {
        let first = [(0, 5000, 7, 65_534, Probation), (0, 5000, 7, 65_535, Probation), (0, 5000, 7, 0, Accepted)];
        let mut steps = first.to_vec();
        steps.extend([
            (2_900, 4000, 1, 1, Probation), // one packet may be forged
            (2_920, 5000, 7, 1, Accepted),
            (2_940, 4000, 1, 2, Probation),
            (2_960, 4000, 1, 3, Moved),
            (2_980, 5000, 7, 2, Stranger), // for good
        ]);
        run(&steps);
        // Later one who talks keeps it.
        let mut steps = first.to_vec();
        steps.extend((0..200).flat_map(|n| {
            let ms = 3_000 + u64::from(n) * 20;
            [(ms, 5000, 7, n + 1, Accepted), (ms, 4000, 1, n, Stranger)]
        }));
        run(&steps);
    }

    #[test]
    fn one_who_has_fallen_silent_is_followed_elsewhere_by_its_own_stream_or_the_signalled_address() {
        let first = [(0, 5000, 7, 1, Probation), (0, 5000, 7, 2, Probation), (0, 5000, 7, 3, Accepted)];
        let mut steps = first.to_vec();
        steps.extend([
            (4_900, 6000, 7, 4, Stranger), // not silent for long enough
            (5_000, 6000, 8, 4, Stranger), // another stream
            (5_000, 6000, 7, 4, Probation),
            (5_000, 6000, 7, 5, Probation),
            (5_000, 6000, 7, 6, Moved),
            (5_000, 5000, 7, 7, Stranger),
        ]);
        assert_eq!(run(&steps).remote(), Some(at(6000)));
        let mut steps = first.to_vec();
        steps.extend([
            (5_000, 4000, 9, 1, Probation),
            (5_000, 4000, 9, 2, Probation),
            (5_000, 4000, 9, 3, Moved),
            (60_000, 5000, 7, 4, Stranger),
        ]);
        assert_eq!(run(&steps).remote(), Some(at(4000)));
        // It speaks again before the other one has shown enough.
        let mut steps = first.to_vec();
        steps.extend([
            (5_000, 4000, 9, 1, Probation),
            (5_000, 4000, 9, 2, Probation),
            (5_020, 5000, 7, 4, Accepted),
            (5_020, 4000, 9, 3, Stranger),
        ]);
        run(&steps);
    }

    #[test]
    fn signalling_starts_over_only_when_the_address_changes() {
        let mut latch = run(&[(0, 4000, 1, 1, Accepted)]);
        latch.signal(Some(at(4000)));
        assert_eq!(latch.chosen(), Some(at(4000)));
        latch.signal(Some(at(4002)));
        assert_eq!((latch.chosen(), latch.remote()), (None, Some(at(4002))));
    }
}
