//! Legs that carriers' media sockets bring: how their frames get to the media thread and back.
//!
//! Frames in do not wake the thread: like RTP they are looked at every few milliseconds. What leaves waits in a queue of the
//! leg's own until its socket takes it.

use crate::voice::{Request, VoiceError, VoiceHandle, carrierbook};
use auricle_domain::code::CarrierKind;
use auricle_media::io::{CallerIdentity, CarrierNews, CarrierOrder, Codec, Command, Hop, LegId};
use std::collections::HashMap;
use std::fmt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Frames of all sockets that wait for the media thread, which takes all of them every 5 ms. One that finds it full is lost.
pub(super) const FRAMES_MAX: usize = 4_096;
/// Frames and orders that wait for one socket: about four seconds. Of more, frames are lost; a socket that does not even take orders
/// is given up.
pub(super) const OUT_MAX: usize = 256;

/// A frame on its way to the engine.
pub(crate) struct FrameIn {
    pub(super) leg: LegId,
    pub(super) at_ms: u64,
    pub(super) payload: Vec<u8>,
}

/// A call that comes by a socket.
#[derive(Clone)]
pub struct Arrival {
    /// Which carrier.
    pub carrier: CarrierKind,
    /// What the carrier speaks, both ways.
    pub codec: Codec,
    /// Whether it presses keys when told; else they are played as tones.
    pub presses: bool,
    /// The caller's number; empty when withheld.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// Where the socket comes from.
    pub remote: Hop,
    /// What the carrier says about the caller.
    pub identity: CallerIdentity,
}

/// What a leg is made for.
#[derive(Debug)]
pub(crate) enum Attaching {
    /// A call that has come.
    Arrived(Arrival),
    /// A call that is to be placed; its socket comes later.
    Dialled {
        /// As whoever dials it has named it.
        tag: u64,
        /// What the carrier speaks, both ways.
        codec: Codec,
        /// Whether it presses keys when told.
        presses: bool,
        /// It is part of an emergency call.
        is_emergency: bool,
    },
}

/// Shows all but the numbers.
impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("carrier", &self.carrier)
            .field("codec", &self.codec)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// What goes to the carrier.
#[derive(Debug, PartialEq, Eq)]
pub enum ToCarrier {
    /// 20 ms of audio in the leg's codec.
    Frame(Box<[u8]>),
    /// Something else.
    Order(CarrierOrder),
}

/// A leg, as its socket sees it.
pub struct Attachment {
    leg: LegId,
    out: mpsc::Receiver<ToCarrier>,
    voice: VoiceHandle,
}

impl Attachment {
    pub(super) fn new(leg: LegId, out: mpsc::Receiver<ToCarrier>, voice: VoiceHandle) -> Self {
        Self { leg, out, voice }
    }

    /// Its leg.
    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// What goes out next; none when the leg is over.
    pub async fn next(&mut self) -> Option<ToCarrier> {
        self.out.recv().await
    }

    /// Hands audio to the leg. False when it had to be dropped: the media thread does not keep up.
    pub fn frame(&self, at_ms: u64, payload: Vec<u8>) -> bool {
        self.voice.ways.frames.try_send(FrameIn { leg: self.leg, at_ms, payload }).is_ok()
    }

    /// Tells the leg something else.
    ///
    /// # Errors
    /// As [`VoiceHandle::send`].
    pub fn tell(&self, news: CarrierNews) -> Result<(), VoiceError> {
        self.voice.request(Request::Carrier { leg: self.leg, news })
    }
}

/// Whoever drops it without a word has lost the socket.
impl Drop for Attachment {
    fn drop(&mut self) {
        // A leg or a thread that is gone needs no word.
        let _gone = self.tell(CarrierNews::Lost);
    }
}

/// The sockets' side, as the media thread sees it. As many as there are legs.
#[derive(Default)]
pub(super) struct Attached {
    next_tag: u64,
    /// The one that is being made; the engine answers at once.
    making: Option<(u64, mpsc::Sender<ToCarrier>, oneshot::Sender<LegId>)>,
    sockets: HashMap<LegId, mpsc::Sender<ToCarrier>>,
}

impl Attached {
    pub(super) fn any(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// What the engine is to be told of a new one.
    pub(super) fn begin(
        &mut self,
        call: Attaching,
        to: mpsc::Sender<ToCarrier>,
        reply: oneshot::Sender<LegId>,
    ) -> Command {
        self.next_tag += 1;
        self.making = Some((self.next_tag, to, reply));
        let tag = self.next_tag;
        match call {
            Attaching::Arrived(Arrival { carrier, codec, presses, from, to, remote, identity }) => {
                let carrier = carrierbook::number(carrier);
                Command::Attach { tag, carrier, codec, presses, from, to, remote, identity }
            }
            Attaching::Dialled { tag: dialled, codec, presses, is_emergency } => {
                Command::AttachDialled { tag, dialled, codec, presses, is_emergency }
            }
        }
    }

    /// The engine has made its leg.
    pub(super) fn made(&mut self, tag: u64, leg: LegId) {
        if let Some((_, to, reply)) = self.making.take_if(|(making, ..)| *making == tag) {
            self.sockets.insert(leg, to);
            // A socket that did not wait for it is gone; its end of the queue is too, which is noticed at the first frame.
            let _gone = reply.send(leg);
        }
    }

    /// Passes a frame on. False when it is lost.
    pub(super) fn frame(&mut self, leg: LegId, payload: Box<[u8]>) -> bool {
        self.sockets.get(&leg).is_some_and(|to| to.try_send(ToCarrier::Frame(payload)).is_ok())
    }

    /// Passes an order on. A socket that has no room for it is given up: it hears of nothing any more.
    pub(super) fn order(&mut self, leg: LegId, order: CarrierOrder) {
        let Some(to) = self.sockets.get(&leg) else { return };
        if let Err(TrySendError::Full(_)) = to.try_send(ToCarrier::Order(order)) {
            tracing::warn!(?leg, "a carrier's socket takes nothing any more; it is given up");
            self.sockets.remove(&leg);
        }
    }

    /// The leg is over: its socket hears what is still under way, then the end.
    pub(super) fn end(&mut self, leg: LegId) {
        self.sockets.remove(&leg);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_media::io::Transport;
    use std::net::SocketAddr;

    fn arrival() -> Arrival {
        let remote = Hop { transport: Transport::Tls, address: SocketAddr::from(([127, 0, 0, 1], 443)) };
        Arrival {
            carrier: CarrierKind::Telnyx,
            codec: Codec::Pcmu,
            presses: false,
            from: "+15550100".into(),
            to: "+15550199".into(),
            remote,
            identity: CallerIdentity::default(),
        }
    }

    #[test]
    fn what_is_under_way_is_heard_before_the_end() {
        let mut attached = Attached::default();
        let (to, mut out) = mpsc::channel(OUT_MAX);
        let (reply, mut leg) = oneshot::channel();
        let Command::Attach { tag, .. } = attached.begin(Attaching::Arrived(arrival()), to, reply) else {
            unreachable!()
        };
        attached.made(tag + 1, LegId(8));
        assert!(leg.try_recv().is_err(), "another's leg is not taken");
        attached.made(tag, LegId(9));
        assert_eq!(leg.try_recv(), Ok(LegId(9)));
        assert!(attached.frame(LegId(9), Box::new([1])) && !attached.frame(LegId(8), Box::new([2])));
        attached.order(LegId(9), CarrierOrder::Hangup);
        attached.end(LegId(9));
        assert!(!attached.any());
        assert_eq!(out.try_recv().unwrap(), ToCarrier::Frame(Box::new([1])));
        assert_eq!(out.try_recv().unwrap(), ToCarrier::Order(CarrierOrder::Hangup));
        assert_eq!(out.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn a_socket_that_takes_nothing_loses_frames_and_then_its_leg() {
        let mut attached = Attached::default();
        let (to, _out) = mpsc::channel(1);
        let Command::Attach { tag, .. } = attached.begin(Attaching::Arrived(arrival()), to, oneshot::channel().0)
        else {
            unreachable!()
        };
        attached.made(tag, LegId(1));
        assert!(attached.frame(LegId(1), Box::new([1])) && !attached.frame(LegId(1), Box::new([2])));
        assert!(attached.any(), "a frame is no more than a frame");
        attached.order(LegId(1), CarrierOrder::Clear);
        assert!(!attached.any());
    }

    #[test]
    fn numbers_of_people_are_not_shown() {
        assert!(!format!("{:?}", arrival()).contains("555"));
    }
}
