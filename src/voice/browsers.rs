//! Browsers: their socket, and how an offer finds its answer.

pub(super) mod streams;

use super::{Request, VoiceError, VoiceHandle};
use auricle_media::io::{Command, EngineEvent, LegId, WebPurpose, WebRefusal};
use std::net::{IpAddr, SocketAddr};
use tokio::sync::oneshot;

/// Where browsers are served.
#[derive(Clone, Copy, Debug)]
pub struct BrowserConfig {
    /// The UDP socket of all browsers. Port 0 takes a free one; see [`VoiceHandle::browser_addr`].
    pub listen: SocketAddr,
    /// Address told to browsers, where it is not the one listened on. It must be given when `listen` is a wildcard address and
    /// browsers are not on this machine.
    pub advertise: Option<IpAddr>,
    /// Whether they may come by TCP too, to the same address and port.
    pub tcp: bool,
}

/// What a browser has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAnswer {
    /// Its leg.
    pub leg: LegId,
    /// Our description.
    pub sdp: String,
}

/// Why a browser's offer has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WebFault {
    /// The engine does not take it.
    #[error(transparent)]
    Refused(#[from] WebRefusal),
    /// The media thread cannot be asked.
    #[error(transparent)]
    Voice(#[from] VoiceError),
}

/// Who waits for an answer.
pub(crate) type WebReply = oneshot::Sender<Result<WebAnswer, WebRefusal>>;

impl VoiceHandle {
    /// Answers a browser's offer. The leg exists from then on, and ends by itself when the browser does not come.
    ///
    /// # Errors
    /// What [`WebFault`] says.
    pub async fn web(&self, offer: String, purpose: WebPurpose) -> Result<WebAnswer, WebFault> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Web { offer, purpose, reply })?;
        Ok(answer.await.map_err(|_| VoiceError::Stopped)??)
    }
}

/// The offer that the engine has at the moment. It answers before it takes anything else, so there is never more than one.
#[derive(Default)]
pub(super) struct Offers {
    last_tag: u64,
    reply: Option<WebReply>,
}

impl Offers {
    /// The command for an offer.
    pub(super) fn command(&mut self, offer: String, purpose: WebPurpose, reply: WebReply) -> Command {
        self.last_tag += 1;
        self.reply = Some(reply);
        Command::Web { tag: self.last_tag, offer, purpose }
    }

    /// Hands an answer to whoever waits for it. A new leg that nobody waits for any more is handed back, to be ended.
    pub(super) fn answer(&mut self, event: EngineEvent) -> Option<LegId> {
        let answer = match event {
            EngineEvent::WebAnswer { leg, sdp, .. } => Ok(WebAnswer { leg, sdp }),
            EngineEvent::WebRefused { refusal, .. } => Err(refusal),
            _ => return None,
        };
        let unheard = self.reply.take()?.send(answer).err()?;
        unheard.ok().map(|answer| answer.leg)
    }
}
