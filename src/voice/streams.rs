//! SIP over connections: TCP and TLS, those that come to us and those that we open (RFC 3261 section 18).
//!
//! Connections live in tokio tasks, so that a handshake never delays audio; the media thread sees bytes and ends. Every
//! way is bounded: bytes of all connections wait in one queue of [`PIECES_MAX`] pieces, and a connection reads no
//! further while it is full; what is to be sent waits in a queue of the connection's own, and a peer that does not read
//! [`MESSAGES_MAX`] messages loses its connection.

use super::sockets::canonical;
use super::tls::{Tls, is_certificate_fault, server_name};
use auricle_media::engine::Network;
use auricle_media::io::{Hop, Transport};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Pieces of received bytes that wait for the media thread.
const PIECES_MAX: usize = 1_024;
/// Bytes of one piece.
const PIECE_BYTES_MAX: usize = 8 << 10;
/// Messages that wait to be sent over one connection.
const MESSAGES_MAX: usize = 128;
/// Connections to us at once, and of one source. One more is closed unread.
const ACCEPTED_MAX: usize = 1_024;
const ACCEPTED_OF_SOURCE_MAX: usize = 64;
/// Longest wait for a connection to be made, its handshake included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for a peer to take what is written.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// A connection on which nothing came for so long is closed. Phones and trunks send keep-alives every half a minute
/// (RFC 5626 section 4.4.1).
const IDLE_MAX: Duration = Duration::from_secs(900);
/// Failures that are remembered, one for each far end.
const FAILURES_MAX: usize = 64;
/// How long accepting rests when the system has no descriptors left.
const ACCEPT_RESTS: Duration = Duration::from_millis(200);

/// What the media thread hears of connections.
#[derive(Debug)]
pub(super) enum Arrived {
    /// Bytes, cut anywhere.
    Bytes(Hop, Vec<u8>),
    /// It is gone, or could not be opened.
    Closed(Hop),
}

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// Nobody answers there.
    Unreachable,
    /// The certificate is not accepted.
    Certificate,
}

/// Why connections could not be opened of late, by far end. Shared with whoever explains it to people.
#[derive(Clone, Debug, Default)]
pub struct StreamFaults(Arc<Mutex<HashMap<Hop, StreamFault>>>);

impl StreamFaults {
    /// Why the last attempt to connect to there failed; none when it did not.
    pub fn get(&self, hop: Hop) -> Option<StreamFault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&hop).copied()
    }

    fn set(&self, hop: Hop, fault: Option<StreamFault>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Some(fault) if known.len() < FAILURES_MAX || known.contains_key(&hop) => {
                known.insert(hop, fault);
            }
            Some(_) => {}
            None => {
                known.remove(&hop);
            }
        }
    }
}

/// Who may connect to us: judged before a byte is read.
pub(super) type Welcome = Arc<RwLock<Vec<Network>>>;

/// What a connection's task tells. One queue keeps the order: a connection is announced before its first byte.
enum Piece {
    Opened(Hop, Connection),
    Bytes(Hop, Vec<u8>),
    /// The far end may be connected again by then, so the connection is named as well.
    Closed(Hop, u64),
}

/// One connection, as the media thread holds it. Dropping it lets the task write what waits, and end.
struct Connection {
    id: u64,
    messages: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
}

/// What every connection's task works with.
#[derive(Clone)]
struct Shared {
    pieces: mpsc::Sender<Piece>,
    waker: Arc<mio::Waker>,
    tls: Arc<Tls>,
    faults: StreamFaults,
    ids: Arc<AtomicU64>,
}

impl Shared {
    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for room; false when the media thread is gone.
    async fn tell(&self, piece: Piece) -> bool {
        let told = self.pieces.send(piece).await.is_ok();
        // A failed wake-up only means that the thread looks at its next tick instead.
        let _woken = self.waker.wake();
        told
    }
}

/// All connections.
pub(super) struct Streams {
    runtime: Handle,
    shared: Shared,
    pieces: mpsc::Receiver<Piece>,
    open: HashMap<Hop, Connection>,
    /// Connections that were given up here, and have to be told of.
    ended: VecDeque<Hop>,
    listeners: Vec<AbortHandle>,
}

impl Streams {
    /// Listens on these sockets. Inside of a tokio runtime.
    pub(super) fn start(
        listeners: Vec<(TcpListener, Transport)>,
        tls: Tls,
        faults: StreamFaults,
        welcome: &Welcome,
        waker: Arc<mio::Waker>,
    ) -> Self {
        let (told, pieces) = mpsc::channel(PIECES_MAX);
        let shared = Shared { pieces: told, waker, tls: Arc::new(tls), faults, ids: Arc::default() };
        let accepting = |(listener, transport)| {
            tokio::spawn(accept(listener, transport, shared.clone(), Arc::clone(welcome))).abort_handle()
        };
        let listeners = listeners.into_iter().map(accepting).collect();
        Self { runtime: Handle::current(), shared, pieces, open: HashMap::new(), ended: VecDeque::new(), listeners }
    }

    /// The next thing that connections bring, none when there is nothing.
    pub(super) fn receive(&mut self) -> Option<Arrived> {
        if let Some(hop) = self.ended.pop_front() {
            return Some(Arrived::Closed(hop));
        }
        loop {
            match self.pieces.try_recv().ok()? {
                Piece::Opened(hop, connection) => {
                    self.open.insert(hop, connection);
                }
                // What a connection brought that has been closed here is nobody's any more.
                Piece::Bytes(hop, bytes) if self.open.contains_key(&hop) => return Some(Arrived::Bytes(hop, bytes)),
                Piece::Bytes(..) => {}
                Piece::Closed(hop, id) => {
                    if self.open.get(&hop).is_some_and(|known| known.id == id) {
                        self.open.remove(&hop);
                        return Some(Arrived::Closed(hop));
                    }
                }
            }
        }
    }

    /// Sends over the connection to there, and opens one where there is none; `name` is what a server's certificate must
    /// say. What cannot be sent ends the connection, of which [`Arrived::Closed`] tells.
    pub(super) fn send(&mut self, hop: Hop, name: Option<Arc<str>>, bytes: Vec<u8>) {
        if let Some(connection) = self.open.get(&hop) {
            // A task that has ended tells of it by itself.
            if let Err(TrySendError::Full(_)) = connection.messages.try_send(bytes) {
                connection.task.abort();
                self.open.remove(&hop);
                self.ended.push_back(hop);
            }
            return;
        }
        let id = self.shared.next_id();
        let (messages, queue) = mpsc::channel(MESSAGES_MAX);
        // A new queue has room for its first.
        let _first = messages.try_send(bytes);
        let task = self.runtime.spawn(connect(hop, id, name, queue, self.shared.clone())).abort_handle();
        self.open.insert(hop, Connection { id, messages, task });
    }

    /// Closes a connection. What was given to [`Self::send`] before still goes out.
    pub(super) fn close(&mut self, hop: Hop) {
        self.open.remove(&hop);
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.listeners.iter().for_each(AbortHandle::abort);
    }
}

/// Takes connections from whoever is welcome. Others are closed before a byte is read or written.
async fn accept(listener: TcpListener, transport: Transport, shared: Shared, welcome: Welcome) {
    let places = Arc::new(Semaphore::new(ACCEPTED_MAX));
    let sources: Arc<Mutex<HashMap<IpAddr, usize>>> = Arc::default();
    loop {
        let (socket, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection for SIP cannot be accepted");
                tokio::time::sleep(ACCEPT_RESTS).await;
                continue;
            }
        };
        let remote = canonical(remote);
        let source = remote.ip();
        let is_welcome =
            welcome.read().unwrap_or_else(PoisonError::into_inner).iter().any(|network| network.contains(source));
        let Some(place) = is_welcome.then(|| Arc::clone(&places).try_acquire_owned().ok()).flatten() else {
            metrics::counter!("auricle_sip_connections_refused_total").increment(1);
            continue;
        };
        let Some(turn) = Turn::take(&sources, source) else {
            metrics::counter!("auricle_sip_connections_refused_total").increment(1);
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _kept = (place, turn);
            welcome_in(socket, Hop { transport, address: remote }, shared).await;
        });
    }
}

/// One of a source's connections; given back when it is dropped.
struct Turn(Arc<Mutex<HashMap<IpAddr, usize>>>, IpAddr);

impl Turn {
    fn take(sources: &Arc<Mutex<HashMap<IpAddr, usize>>>, source: IpAddr) -> Option<Self> {
        let mut counts = sources.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_default();
        if *count >= ACCEPTED_OF_SOURCE_MAX {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self(Arc::clone(sources), source))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// A connection to us, from its handshake to its end.
async fn welcome_in(socket: TcpStream, hop: Hop, shared: Shared) {
    prepare(&socket);
    match hop.transport {
        Transport::Tls => {
            let Some(acceptor) = shared.tls.acceptor() else { return };
            match timeout(CONNECT_WITHIN, acceptor.accept(socket)).await {
                Ok(Ok(stream)) => announced(stream, hop, shared).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake for SIP failed"),
                Err(_) => tracing::debug!("a TLS handshake for SIP took too long"),
            }
        }
        Transport::Tcp | Transport::Udp => announced(socket, hop, shared).await,
    }
}

async fn announced(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, hop: Hop, shared: Shared) {
    let id = shared.next_id();
    let (messages, queue) = mpsc::channel(MESSAGES_MAX);
    let (start, started) = oneshot::channel::<()>();
    let working = shared.clone();
    let task = tokio::spawn(async move {
        if started.await.is_ok() {
            carry(stream, hop, id, queue, working).await;
        }
    });
    let connection = Connection { id, messages, task: task.abort_handle() };
    if shared.tell(Piece::Opened(hop, connection)).await {
        // Its task is there: it waits for this.
        let _begun = start.send(());
        // Its end, however it came, is when its place is free again.
        let _ended = task.await;
    }
}

/// A connection of ours, from looking for the far end to its end.
async fn connect(hop: Hop, id: u64, name: Option<Arc<str>>, queue: mpsc::Receiver<Vec<u8>>, shared: Shared) {
    let opening = timeout(CONNECT_WITHIN, TcpStream::connect(hop.address)).await;
    let Ok(Ok(socket)) = opening else {
        return failed(hop, id, StreamFault::Unreachable, &shared).await;
    };
    prepare(&socket);
    if hop.transport != Transport::Tls {
        shared.faults.set(hop, None);
        return carry(socket, hop, id, queue, shared).await;
    }
    // Without a name there is nothing that the certificate could be held against.
    let Some(name) = name.as_deref().and_then(server_name) else {
        return failed(hop, id, StreamFault::Certificate, &shared).await;
    };
    match timeout(CONNECT_WITHIN, shared.tls.connector().connect(name, socket)).await {
        Ok(Ok(stream)) => {
            shared.faults.set(hop, None);
            carry(stream, hop, id, queue, shared).await;
        }
        Ok(Err(error)) => {
            tracing::info!(remote = %hop.address, %error, "a TLS connection for SIP cannot be made");
            let certificate = is_certificate_fault(&error);
            let fault = if certificate { StreamFault::Certificate } else { StreamFault::Unreachable };
            failed(hop, id, fault, &shared).await;
        }
        Err(_) => failed(hop, id, StreamFault::Unreachable, &shared).await,
    }
}

async fn failed(hop: Hop, id: u64, fault: StreamFault, shared: &Shared) {
    shared.faults.set(hop, Some(fault));
    shared.tell(Piece::Closed(hop, id)).await;
}

fn prepare(socket: &TcpStream) {
    // Signalling is small and waits for nobody.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection for SIP stays delayed");
    }
}

/// Reads and writes until either side ends.
async fn carry(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    hop: Hop,
    id: u64,
    mut queue: mpsc::Receiver<Vec<u8>>,
    shared: Shared,
) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let read = async {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
            match timeout(IDLE_MAX, reading.read_buf(&mut piece)).await {
                Ok(Ok(1..)) if shared.tell(Piece::Bytes(hop, piece)).await => {}
                _ => return,
            }
        }
    };
    let write = async {
        while let Some(message) = queue.recv().await {
            if !matches!(timeout(WRITE_WITHIN, writing.write_all(&message)).await, Ok(Ok(()))) {
                return;
            }
            // TLS keeps what it has not been told to send.
            if !matches!(timeout(WRITE_WITHIN, writing.flush()).await, Ok(Ok(()))) {
                return;
            }
        }
        // A peer that does not hear our goodbye finds out by itself.
        let _goodbye = timeout(WRITE_WITHIN, writing.shutdown()).await;
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
    shared.tell(Piece::Closed(hop, id)).await;
}

#[cfg(test)]
mod tests;
