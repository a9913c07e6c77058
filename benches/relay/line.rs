//! How the bench's callers reach the clinic: by UDP, or by TLS where keys are told.

use rcgen::{CertificateParams, KeyPair};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long is waited for one message.
const PATIENCE: Duration = Duration::from_millis(100);

/// A way to the clinic.
pub enum Line {
    Udp(UdpSocket),
    Tls(Box<BufReader<StreamOwned<ClientConnection, TcpStream>>>),
}

/// Makes the clinic's certificate and its key.
pub fn certify(folder: &Path) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let paths = (folder.join("clinic.pem"), folder.join("clinic.key"));
    std::fs::write(&paths.0, own.pem()).unwrap();
    std::fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}

impl Line {
    pub fn udp(clinic: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(clinic).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::Udp(socket)
    }

    pub fn tls(clinic: SocketAddr, certificate: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config =
            builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::from(clinic.ip());
        let stream = TcpStream::connect(clinic).unwrap();
        stream.set_nodelay(true).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::Tls(Box::new(BufReader::new(StreamOwned::new(connection, stream))))
    }

    /// Our own address, and the name of the transport.
    pub fn own(&self) -> (SocketAddr, &'static str) {
        match self {
            Self::Udp(socket) => (socket.local_addr().unwrap(), "UDP"),
            Self::Tls(stream) => (stream.get_ref().sock.local_addr().unwrap(), "TLS"),
        }
    }

    pub fn send(&mut self, message: &str) {
        match self {
            Self::Udp(socket) => drop(socket.send(message.as_bytes()).unwrap()),
            Self::Tls(stream) => {
                stream.get_mut().write_all(message.as_bytes()).unwrap();
                stream.get_mut().flush().unwrap();
            }
        }
    }

    /// The next message; by UDP none when nothing comes for a while.
    pub fn receive(&mut self) -> Option<String> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).ok()?;
                Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
            }
            Self::Tls(stream) => {
                let (mut message, mut body_bytes) = (String::new(), 0);
                while !message.ends_with("\r\n\r\n") {
                    let begun = message.len();
                    assert!(stream.read_line(&mut message).unwrap() > 0, "the clinic has closed");
                    if let Some(length) = message[begun..].strip_prefix("Content-Length:") {
                        body_bytes = length.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; body_bytes];
                stream.read_exact(&mut body).unwrap();
                Some(message + &String::from_utf8_lossy(&body))
            }
        }
    }
}
