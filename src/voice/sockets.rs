//! The sockets of the media thread.

use auricle_media::io::Socket;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How often RTP sockets are looked at between ticks.
pub(super) const READ_EVERY: Duration = Duration::from_millis(5);
/// Datagrams read from one socket before the others have their turn.
pub(super) const READS_MAX: usize = 64;
/// The SIP socket's name among what is waited for.
pub(super) const SIP: Token = Token(0);
/// The browsers' socket's name among what is waited for.
pub(super) const WEB: Token = Token(2);
/// The command queue's name among what is waited for.
pub(super) const WAKER: Token = Token(1);
/// Bytes asked of the kernel for what waits on a shared socket: a second of a busy trunk. It may give less.
const SHARED_BUFFER_BYTES: usize = 4 << 20;
/// The same for one leg's RTP: two seconds, so that a stopped machine loses as little as possible.
const RTP_BUFFER_BYTES: usize = 64 << 10;
/// Sockets reported by one look.
const READY_MAX: usize = 1024;

/// A bound, non-blocking UDP socket with a larger buffer where the kernel allows it.
fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Refused sizes are no error: the kernel's default carries normal load.
    let _sizes = (socket.set_recv_buffer_size(buffer_bytes), socket.set_send_buffer_size(buffer_bytes));
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// A far end as it is known everywhere else: a socket of IPv6 that serves both families calls one of IPv4 `::ffff:192.0.2.7`
/// (RFC 4291 section 2.5.5.2).
pub(super) fn canonical(remote: SocketAddr) -> SocketAddr {
    match remote.ip().to_canonical() {
        IpAddr::V4(address) => SocketAddr::new(IpAddr::V4(address), remote.port()),
        IpAddr::V6(_) => remote,
    }
}

/// A far end as a socket of this family calls it.
fn mapped(remote: SocketAddr, family: IpAddr) -> SocketAddr {
    match (remote, family) {
        (SocketAddr::V4(remote), IpAddr::V6(_)) => SocketAddr::new(remote.ip().to_ipv6_mapped().into(), remote.port()),
        _ => remote,
    }
}

/// A socket that serves many far ends: that of SIP, that of browsers.
pub(super) struct Shared {
    socket: UdpSocket,
    family: IpAddr,
    /// There may be more to read: readiness is told once, not while it lasts.
    more: bool,
}

impl Shared {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: bind(address, SHARED_BUFFER_BYTES)?, family: address.ip(), more: true })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn more(&self) -> bool {
        self.more
    }

    pub(super) fn set_more(&mut self) {
        self.more = true;
    }

    /// The next datagram, or none when all are read. Errors that the kernel reports here belong to a datagram sent
    /// earlier (the peer's port is closed); SIP's own timers notice that.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        if !self.more {
            return None;
        }
        match self.socket.recv_from(buffer) {
            Ok((length, remote)) => Some((length, canonical(remote))),
            Err(error) => {
                self.more = error.kind() != io::ErrorKind::WouldBlock;
                None
            }
        }
    }

    pub(super) fn send(&self, bytes: &[u8], remote: SocketAddr) -> bool {
        self.socket.send_to(bytes, mapped(remote, self.family)).is_ok()
    }
}

/// The RTP and RTCP sockets of all legs, by their local port.
pub(super) struct Ports {
    address: IpAddr,
    poll: Poll,
    events: Events,
    sockets: HashMap<u16, UdpSocket>,
    /// Ports that may have more to read.
    ready: Vec<u16>,
    /// Ports whose turn ended before they were empty.
    unfinished: Vec<u16>,
    /// Datagrams read from the last of `ready` in this turn.
    reads: usize,
}

impl Ports {
    pub(super) fn new(address: IpAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(READY_MAX),
            sockets: HashMap::new(),
            ready: Vec::new(),
            unfinished: Vec::new(),
            reads: 0,
        })
    }

    pub(super) fn any(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// Opens a port and the one above; both or none.
    pub(super) fn open(&mut self, port: u16) -> bool {
        let opened = [port, port + 1].into_iter().try_for_each(|port| {
            let mut socket = bind(SocketAddr::new(self.address, port), RTP_BUFFER_BYTES)?;
            self.poll.registry().register(&mut socket, Token(usize::from(port)), Interest::READABLE)?;
            self.sockets.insert(port, socket);
            io::Result::Ok(())
        });
        if let Err(error) = &opened {
            tracing::warn!(port, %error, "a media port cannot be opened");
            self.close(port);
        }
        opened.is_ok()
    }

    /// Closes a port and the one above.
    pub(super) fn close(&mut self, port: u16) {
        for port in [port, port + 1] {
            // Closing the socket takes it out of the poll as well.
            self.sockets.remove(&port);
            self.ready.retain(|other| *other != port);
            self.unfinished.retain(|other| *other != port);
        }
    }

    /// Finds out which sockets have something to read.
    pub(super) fn look(&mut self) {
        if let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            if error.kind() != io::ErrorKind::Interrupted {
                tracing::error!(%error, "looking for media failed");
            }
            return;
        }
        for event in &self.events {
            if let Ok(port) = u16::try_from(event.token().0)
                && !self.ready.contains(&port)
            {
                self.ready.push(port);
            }
        }
    }

    /// The next datagram of any socket, none when all are read or have had their turn. Readiness is told once, not while
    /// it lasts: a socket with more to read than its turn allows is kept for the next one.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Option<(Socket, usize, SocketAddr)> {
        while let Some(port) = self.ready.last().copied() {
            if self.reads < READS_MAX {
                self.reads += 1;
                match self.sockets.get(&port).map(|socket| socket.recv_from(buffer)) {
                    Some(Ok((length, remote))) => {
                        let socket = if port % 2 == 0 { Socket::Rtp(port) } else { Socket::Rtcp(port - 1) };
                        return Some((socket, length, canonical(remote)));
                    }
                    Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => continue,
                    Some(Err(_)) | None => {}
                }
            } else {
                self.unfinished.push(port);
            }
            self.ready.pop();
            self.reads = 0;
        }
        std::mem::swap(&mut self.ready, &mut self.unfinished);
        None
    }

    /// Sends now or never.
    pub(super) fn send(&self, socket: Socket, bytes: &[u8], remote: SocketAddr) -> bool {
        let port = match socket {
            Socket::Rtp(port) => port,
            Socket::Rtcp(port) => port + 1,
            Socket::Sip | Socket::Web => return false,
        };
        let remote = mapped(remote, self.address);
        self.sockets.get(&port).is_some_and(|socket| socket.send_to(bytes, remote).is_ok())
    }
}
