//! What others want of the media thread.

use super::Shard;
use crate::voice::Request;
use auricle_media::engine::Network;
use auricle_media::io::{Command, Input};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Requests taken from the queue before media is looked at again.
const REQUESTS_AT_ONCE: usize = 256;

impl Shard {
    pub(super) fn take_requests(&mut self) {
        for _ in 0..REQUESTS_AT_ONCE {
            match self.requests.try_recv() {
                Ok(request) => self.request(request),
                Err(std::sync::mpsc::TryRecvError::Empty) => return,
                // The last handle is gone: nobody can command the calls any more.
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.begin_stop(Duration::ZERO);
                    return;
                }
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Command(command) => {
                let lifted = if let Command::Unban { source } = &command { Some(*source) } else { None };
                self.command(command);
                lifted.into_iter().for_each(|source| self.bans.lift(source));
            }
            Request::Attach { call, to, reply } => {
                let command = self.attached.begin(call, to, reply);
                self.command(command);
            }
            Request::Carrier { leg, news } => {
                self.engine.handle(Input::Carrier { leg, news }, Instant::now());
                self.drain();
            }
            Request::Tap { leg, to } => {
                if self.engine.has(leg) {
                    self.taps.insert(leg, to);
                    self.command(Command::Tap { leg, on: true });
                }
            }
            Request::Record { leg, sink, meta } => {
                if !self.recordings.begin(leg, sink, meta) {
                    self.meters.recordings_refused += 1;
                } else if self.engine.has(leg) {
                    self.command(Command::Record { leg, on: true });
                } else {
                    self.recordings.end(leg);
                }
            }
            Request::RecordOn { from, to } => {
                self.command(Command::Record { leg: from, on: false });
                self.recordings.go_on(from, to);
                if self.engine.has(to) {
                    self.command(Command::Record { leg: to, on: true });
                } else {
                    self.recordings.leave(to);
                }
            }
            Request::StopRecording { leg } => {
                self.command(Command::Record { leg, on: false });
                self.recordings.end(leg);
            }
            Request::Web { offer, purpose, reply } => {
                let command = self.offers.command(offer, purpose, reply);
                self.command(command);
            }
            // Whoever asked may have gone meanwhile.
            Request::CaughtUp { reply } => drop(reply.send(())),
            Request::Stop { grace } => self.begin_stop(grace),
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        if let Command::Trunks(trunks) = &command {
            let hops = trunks.iter().flat_map(|trunk| &trunk.hops).map(|hop| Network::of(hop.address.ip()));
            let sources = trunks.iter().flat_map(|trunk| &trunk.sources).cloned();
            self.trunk_networks = hops.chain(sources).collect();
            self.tell_listeners();
        }
        if let Command::Phones(phones) = &command {
            self.has_phones = !phones.is_empty();
            self.tell_listeners();
        }
        self.engine.handle(Input::Command(command), Instant::now());
        self.drain();
    }

    fn tell_listeners(&self) {
        let phones = self.phones.iter().filter(|_| self.has_phones);
        let welcome = self.trusted.iter().chain(&self.trunk_networks).chain(phones).cloned().collect();
        *self.welcome.write().unwrap_or_else(PoisonError::into_inner) = welcome;
    }

    pub(super) fn begin_stop(&mut self, grace: Duration) {
        let stop_at = Instant::now() + grace;
        if self.stop_at.is_none_or(|before| stop_at < before) {
            self.stop_at = Some(stop_at);
            self.command(Command::Drain);
        }
    }
}
