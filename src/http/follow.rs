//! `/ws`: follows the event log and the live picture (RT-01, RT-05). Messages are in `socket.rs`.
//!
//! Events are never queued for a client: each connection remembers the number it has sent and reads on from the log when the
//! client has taken what came before. A slow client costs one number; it misses passing facts, never an event.

use super::socket::{ClientMessage, ServerMessage};
use crate::app::App;
use crate::auth::permissions::Follow;
use crate::auth::{May, SignedIn};
use crate::error::{Error, ErrorCode};
use crate::reasons;
use auricle_domain::code::Role;
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::AccountId;
use auricle_domain::live::Live;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Connections at the same time.
const SOCKETS_MAX: usize = 500;
/// Connections of one account.
const SOCKETS_PER_ACCOUNT_MAX: usize = 20;
/// Largest frame from a client, in bytes.
const FRAME_BYTES_MAX: usize = 32 * 1024;
/// Messages that are not understood before the connection is closed.
const MISTAKES_MAX: u32 = 10;
/// Events behind the newest that are sent again; with more a client reloads.
const BEHIND_MAX: u64 = 10_000;
/// Events read from the log at a time.
const EVENTS_AT_ONCE: usize = 100;
/// How often a client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A client that takes nothing for this long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// A client that says nothing for this long is gone: it answers every ping.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// Shortest time between two pictures of the live calls.
const CALLS_EVERY: Duration = Duration::from_millis(100);

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Connections by account.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<HashMap<AccountId, usize>>);

impl Sockets {
    fn enter(self: &Arc<Self>, account: AccountId) -> Result<Seat, Error> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&account).copied().unwrap_or(0);
        if own >= SOCKETS_PER_ACCOUNT_MAX || open.values().sum::<usize>() >= SOCKETS_MAX {
            let detail = format!("At most {SOCKETS_MAX} connections follow, {SOCKETS_PER_ACCOUNT_MAX} of one account");
            return Err(Error::new(ErrorCode::RateLimited, detail).retry_after(60));
        }
        *open.entry(account).or_default() += 1;
        metrics::gauge!("auricle_sockets").increment(1.0);
        Ok(Seat { sockets: Arc::clone(self), account })
    }
}

/// One connection's place; free again when it is dropped.
struct Seat {
    sockets: Arc<Sockets>,
    account: AccountId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.account);
            }
        }
        metrics::gauge!("auricle_sockets").decrement(1.0);
    }
}

/// Follows events and live calls; the messages are `ServerMessage` and `ClientMessage`.
#[utoipa::path(get, path = "/ws", tag = "events", responses((status = 101, description = "WebSocket, JSON in text frames")))]
async fn follow(
    State(app): State<Arc<App>>,
    may: May<Follow>,
    Extension(sockets): Extension<Arc<Sockets>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Error> {
    let who = *may.who();
    let seat = sockets.enter(who.account)?;
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _seat = seat;
        Following::new(app, who, socket).run().await;
    }))
}

/// One connection.
struct Following {
    app: Arc<App>,
    who: SignedIn,
    socket: WebSocket,
    /// The newest event that was sent; none before `subscribe`.
    sent: Option<u64>,
    heard_at: Instant,
    mistakes: u32,
}

/// Why a connection ends.
enum End {
    /// The client is gone, or takes nothing.
    Gone,
    /// We end it, and say why.
    Closed(u16, &'static str),
}

type Step = Result<(), End>;

impl Following {
    fn new(app: Arc<App>, who: SignedIn, socket: WebSocket) -> Self {
        Self { app, who, socket, sent: None, heard_at: Instant::now(), mistakes: 0 }
    }

    async fn run(mut self) {
        let end = self.follow().await.err().unwrap_or(End::Gone);
        if let End::Closed(code, reason) = end {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            // A client that is gone needs no goodbye.
            let _gone = timeout(SEND_WITHIN, self.socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn follow(&mut self) -> Step {
        let (mut head, mut live, mut board) = (self.app.events.watch(), self.app.events.live(), self.app.floor.watch());
        let stop = self.app.tasks.stop_token();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut calls_due: Option<Instant> = None;
        let mut calls_sent = Instant::now();
        let seq = self.app.store.head();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&ServerMessage::Hello { seq, at: (self.app.clock)(), version }).await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Err(End::Closed(close_code::RESTART, "the service stops")),
                message = self.socket.recv() => {
                    let fresh = self.heard(message).await?;
                    if fresh {
                        self.send_calls().await?;
                        calls_sent = Instant::now();
                    }
                }
                changed = head.changed(), if self.sent.is_some() => {
                    changed.map_err(|_| End::Gone)?;
                    self.send_events().await?;
                }
                passing = live.recv(), if self.sent.is_some() => self.send_live(passing).await?,
                changed = board.changed(), if self.sent.is_some() && calls_due.is_none() => {
                    changed.map_err(|_| End::Gone)?;
                    calls_due = Some(calls_sent + CALLS_EVERY);
                }
                () = sleep_until(calls_due.unwrap_or_else(Instant::now)), if calls_due.is_some() => {
                    (calls_due, calls_sent) = (None, Instant::now());
                    self.send_calls().await?;
                }
                _ = ping.tick() => self.ping().await?,
            }
        }
    }

    /// Takes a client's message. Says whether it has just begun to follow.
    async fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<bool, End> {
        self.heard_at = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(false),
            Some(Ok(Message::Binary(_))) => {
                return Err(End::Closed(close_code::UNSUPPORTED, "messages are JSON in text frames"));
            }
            Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
            Some(Err(_)) => return Err(End::Closed(close_code::SIZE, "a frame was broken, or larger than 32 KiB")),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Ack { .. }) => Ok(false),
            Ok(ClientMessage::Subscribe { since }) => self.subscribe(since).await,
            Err(error) => {
                self.mistakes += 1;
                if self.mistakes > MISTAKES_MAX {
                    return Err(End::Closed(close_code::POLICY, "too many messages were not understood"));
                }
                let detail = format!("The message was not understood: {error}");
                self.send(&ServerMessage::Error { code: ErrorCode::Invalid.as_str().to_owned(), detail }).await?;
                Ok(false)
            }
        }
    }

    /// Begins to follow after an event, or says that there is a gap.
    async fn subscribe(&mut self, since: Option<u64>) -> Result<bool, End> {
        let head = self.app.store.head();
        let since = since.unwrap_or(head);
        let oldest = head.saturating_sub(BEHIND_MAX);
        if since > head || since < oldest {
            self.sent = None;
            self.send(&ServerMessage::Gap { head, oldest }).await?;
            return Ok(false);
        }
        self.sent = Some(since);
        self.send_events().await?;
        Ok(true)
    }

    /// Sends what has been committed since, in order.
    async fn send_events(&mut self) -> Step {
        while let Some(sent) = self.sent {
            let failed = |error: &dyn std::fmt::Display| {
                tracing::error!(%error, "the log cannot be read for a follower");
                End::Closed(close_code::ERROR, "the log cannot be read")
            };
            let events = self.app.store.feed(sent, EVENTS_AT_ONCE).map_err(|error| failed(&error))?;
            let Some(last) = events.last().map(|event| event.seq) else { break };
            let hidden = reasons::hidden(&self.app.store, &events, self.who.account).map_err(|error| failed(&error))?;
            for envelope in events {
                if may_see(self.who.role, &envelope) && !hidden.contains(&envelope.seq) {
                    self.send(&ServerMessage::Event { envelope: Box::new(envelope) }).await?;
                }
            }
            self.sent = Some(last);
        }
        Ok(())
    }

    async fn send_live(&mut self, passing: Result<Live, broadcast::error::RecvError>) -> Step {
        match passing {
            Ok(live) => self.send(&ServerMessage::Live { live }).await,
            // What was missed has passed.
            Err(broadcast::error::RecvError::Lagged(_)) => Ok(()),
            Err(broadcast::error::RecvError::Closed) => Err(End::Gone),
        }
    }

    async fn send_calls(&mut self) -> Step {
        let items = self.app.floor.snapshot().to_vec();
        self.send(&ServerMessage::Calls { items }).await
    }

    /// Asks whether the client is there, and whether it still may be.
    async fn ping(&mut self) -> Step {
        if self.heard_at.elapsed() > SILENT_MAX {
            return Err(End::Gone);
        }
        match crate::sessions::stands(&self.app, &self.who).await {
            Ok(Some(role)) => self.who.role = role,
            Ok(None) => return Err(End::Closed(close_code::POLICY, "the session is over")),
            Err(_) => return Err(End::Closed(close_code::ERROR, "the session cannot be looked up")),
        }
        self.send(&ServerMessage::Ping {}).await
    }

    async fn send(&mut self, message: &ServerMessage) -> Step {
        let text = serde_json::to_string(message).map_err(|error| {
            tracing::error!(%error, "a message cannot be written");
            End::Closed(close_code::ERROR, "a message cannot be written")
        })?;
        match timeout(SEND_WITHIN, self.socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// Agents see the floor's events; who read what, and who signs in, is for those who answer for it.
fn may_see(role: Role, envelope: &Envelope) -> bool {
    let is_audit = matches!(
        envelope.event,
        Event::RecordRead { .. } | Event::AccountChanged { .. } | Event::SignedIn { .. } | Event::SignInLocked { .. }
    );
    role != Role::Agent || !is_audit
}
