//! Browsers' TCP connections: tokio tasks that read and write, beside which the media thread sees bytes and ends.
//!
//! Which of them are a browser's, the engine judges; here is what bounds them all. What they bring waits in one queue of
//! [`PIECES_MAX`] pieces, and a connection reads no further while it is full. What is to be sent waits in a queue of the
//! connection's own: a packet that has no room in it is left out, as one that UDP loses; a far end that takes nothing for
//! [`WRITE_WITHIN`] loses its connection.

use auricle_media::engine::WEB_STREAMS_MAX;
use socket2::SockRef;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Pieces of received bytes that wait for the media thread.
const PIECES_MAX: usize = 1_024;
/// Bytes of one piece.
const PIECE_BYTES_MAX: usize = 4 << 10;
/// Packets that wait to be sent over one connection: half a second of audio. What is older is of no use to anybody.
const PACKETS_MAX: usize = 25;
/// Bytes that the kernel keeps unsent for one connection, beside what is under way: a tenth of a second of audio.
const UNSENT_BYTES_MAX: u32 = 1_024;
/// Longest wait for a far end to take what is written.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// How long accepting rests when the system has no descriptors left.
const ACCEPT_RESTS: Duration = Duration::from_millis(200);

/// What the media thread hears of connections.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::voice) enum WebArrived {
    /// There is one.
    Opened(SocketAddr),
    /// Bytes, cut anywhere.
    Bytes(SocketAddr, Vec<u8>),
    /// It is gone.
    Closed(SocketAddr),
}

/// What a connection's task tells. One queue keeps the order.
enum Piece {
    Opened(SocketAddr, Connection),
    Bytes(SocketAddr, u64, Vec<u8>),
    /// The far end may have opened another by then, so the connection is named as well.
    Closed(SocketAddr, u64),
}

/// One connection, as the media thread holds it. Dropping it lets the task write what waits, and end.
struct Connection {
    id: u64,
    packets: mpsc::Sender<Vec<u8>>,
}

/// How connections tell the media thread.
#[derive(Clone)]
struct Teller {
    pieces: mpsc::Sender<Piece>,
    waker: Arc<mio::Waker>,
}

impl Teller {
    /// Waits for room; false when the media thread is gone.
    async fn tell(&self, piece: Piece) -> bool {
        let told = self.pieces.send(piece).await.is_ok();
        // A failed wake-up only means that the thread looks at its next tick instead.
        let _woken = self.waker.wake();
        told
    }
}

/// All connections.
pub(in crate::voice) struct WebStreams {
    pieces: mpsc::Receiver<Piece>,
    open: HashMap<SocketAddr, Connection>,
    listener: AbortHandle,
}

impl WebStreams {
    /// Listens on this socket. Inside of a tokio runtime.
    pub(in crate::voice) fn start(listener: TcpListener, waker: Arc<mio::Waker>) -> Self {
        let (told, pieces) = mpsc::channel(PIECES_MAX);
        let listener = tokio::spawn(accept(listener, Teller { pieces: told, waker })).abort_handle();
        Self { pieces, open: HashMap::new(), listener }
    }

    /// The next thing that connections bring, none when there is nothing.
    pub(in crate::voice) fn receive(&mut self) -> Option<WebArrived> {
        loop {
            match self.pieces.try_recv().ok()? {
                Piece::Opened(remote, connection) => {
                    self.open.insert(remote, connection);
                    return Some(WebArrived::Opened(remote));
                }
                // What a connection brought that has been closed here is nobody's any more.
                Piece::Bytes(remote, id, bytes) if self.is_open(remote, id) => {
                    return Some(WebArrived::Bytes(remote, bytes));
                }
                Piece::Closed(remote, id) if self.is_open(remote, id) => {
                    self.open.remove(&remote);
                    return Some(WebArrived::Closed(remote));
                }
                Piece::Bytes(..) | Piece::Closed(..) => {}
            }
        }
    }

    /// Sends a packet, now or never. Says whether there was room for it.
    pub(in crate::voice) fn send(&self, remote: SocketAddr, packet: Vec<u8>) -> bool {
        self.open.get(&remote).is_some_and(|connection| connection.packets.try_send(packet).is_ok())
    }

    /// Closes a connection. What was given to [`Self::send`] before still goes out.
    pub(in crate::voice) fn close(&mut self, remote: SocketAddr) {
        self.open.remove(&remote);
    }

    fn is_open(&self, remote: SocketAddr, id: u64) -> bool {
        self.open.get(&remote).is_some_and(|connection| connection.id == id)
    }
}

impl Drop for WebStreams {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes connections from anybody, as many as the engine has places for; others are closed before a byte is read.
async fn accept(listener: TcpListener, teller: Teller) {
    let places = Arc::new(Semaphore::new(WEB_STREAMS_MAX));
    let mut last_id = 0;
    loop {
        let (socket, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a browser's connection cannot be accepted");
                tokio::time::sleep(ACCEPT_RESTS).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics::counter!("auricle_voice_web_connections_refused_total").increment(1);
            continue;
        };
        prepare(&socket);
        last_id += 1;
        let (packets, queue) = mpsc::channel(PACKETS_MAX);
        // While the media thread has no room for news, nobody else is let in.
        if !teller.tell(Piece::Opened(remote, Connection { id: last_id, packets })).await {
            return;
        }
        let (id, teller) = (last_id, teller.clone());
        tokio::spawn(async move {
            carry(socket, remote, id, queue, teller).await;
            drop(place);
        });
    }
}

fn prepare(socket: &TcpStream) {
    let unsent = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
    // Audio waits for nobody.
    if let Err(error) = socket.set_nodelay(true).and(unsent) {
        tracing::debug!(%error, "a browser's connection stays delayed");
    }
}

/// Reads and writes until either side ends.
async fn carry(socket: TcpStream, remote: SocketAddr, id: u64, mut queue: mpsc::Receiver<Vec<u8>>, teller: Teller) {
    let (mut reading, mut writing) = socket.into_split();
    let read = async {
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
            match reading.read_buf(&mut piece).await {
                Ok(1..) if teller.tell(Piece::Bytes(remote, id, piece)).await => {}
                _ => return,
            }
        }
    };
    let write = async {
        while let Some(packet) = queue.recv().await {
            if !matches!(timeout(WRITE_WITHIN, writing.write_all(&packet)).await, Ok(Ok(()))) {
                return;
            }
        }
        // A far end that does not hear our goodbye finds out by itself.
        let _goodbye = timeout(WRITE_WITHIN, writing.shutdown()).await;
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
    teller.tell(Piece::Closed(remote, id)).await;
}

#[cfg(test)]
mod tests;
