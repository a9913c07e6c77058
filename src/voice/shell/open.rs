//! Opening what the media thread listens on, and what it needs of the machine.

use crate::voice::browsers::BrowserConfig;
use crate::voice::browsers::streams::WebStreams;
use crate::voice::inside::address_inside;
use crate::voice::sockets::{Shared, WEB};
use crate::voice::{VoiceConfig, VoiceError};
use auricle_media::engine::Engine;
use mio::{Interest, Poll, Waker};
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The media thread's niceness, where the system lets us: a tick must not wait for a recogniser's turn to end.
const NICENESS: i32 = -11;
/// Ports tried where any may be taken.
const PORT_TRIES_MAX: u32 = 16;
/// Connections that wait to be accepted.
const LISTEN_BACKLOG: i32 = 256;

/// The UDP socket and the TCP listener of one port. A port of our choosing is one that both can have.
pub(super) fn open_both(address: SocketAddr) -> io::Result<(Shared, TcpListener)> {
    let mut tries = if address.port() == 0 { PORT_TRIES_MAX } else { 1 };
    loop {
        let sip = Shared::open(address)?;
        tries -= 1;
        match listen(sip.local_addr()?) {
            Ok(tcp) => return Ok((sip, tcp)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// Where browsers come in.
pub(super) struct Door {
    pub(super) socket: Shared,
    /// None: not by TCP.
    pub(super) streams: Option<WebStreams>,
}

/// The sockets of all browsers, and what the engine has to know of them.
pub(super) fn open_web(
    browsers: &BrowserConfig,
    interfaces: &[(IpAddr, u8)],
    engine: &mut Engine,
    control: &Poll,
    waker: &Arc<Waker>,
) -> Result<Door, VoiceError> {
    let error = |source| VoiceError::Listen { address: browsers.listen, source };
    let (mut socket, tcp) = if browsers.tcp {
        open_both(browsers.listen).map(|(socket, tcp)| (socket, Some(tcp))).map_err(error)?
    } else {
        (Shared::open(browsers.listen).map_err(error)?, None)
    };
    let local = socket.local_addr().map_err(error)?;
    control.registry().register(socket.source(), WEB, Interest::READABLE).map_err(VoiceError::Thread)?;
    let advertised = browsers.advertise.unwrap_or_else(|| reachable(local.ip()));
    let address = SocketAddr::new(advertised, local.port());
    let inside = address_inside(local.ip(), advertised, interfaces);
    tracing::info!(%address, ?inside, tcp = browsers.tcp, "browsers are told this address for their audio");
    engine.serve_browsers(address, browsers.tcp.then_some(address), inside);
    Ok(Door { socket, streams: tcp.map(|tcp| WebStreams::start(tcp, Arc::clone(waker))) })
}

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Refuses what cannot work before anything is opened.
pub(super) fn check(config: &VoiceConfig) -> Result<(), VoiceError> {
    let (first, last) = (*config.rtp_ports.start(), *config.rtp_ports.end());
    let ports = (usize::from(last) + 1).saturating_sub(usize::from(first)) / 2;
    if ports == 0 {
        return Err(VoiceError::Setting {
            setting: "sip.rtp_ports",
            value: format!("{first}-{last}"),
            expected: "an even port and the odd one above it",
        });
    }
    if config.legs_max == 0 {
        return Err(VoiceError::Setting { setting: "sip.calls_max", value: "0".to_owned(), expected: "1 or more" });
    }
    Ok(())
}

/// The address of this machine that others can reach, when SIP is listened for on all of them. Connecting a UDP socket
/// sends nothing: it only asks the routing table.
pub(super) fn reachable(listen: IpAddr) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()))
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// Asks for the processor before others. On Linux this is the thread's own niceness, not the process's; without the
/// permission (systemd: `LimitNICE=-11`) everything works as well, only later under load.
pub(super) fn prefer_this_thread() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::info!(%error, "the media thread has no priority over others");
    }
}
