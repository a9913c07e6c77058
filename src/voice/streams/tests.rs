#![allow(clippy::unwrap_used)]
use super::*;
use crate::voice::tls::{OwnCertificate, TlsFiles};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::net::SocketAddr;
use std::path::Path;

/// One side: connections, and the poll that its waker wakes.
struct Side {
    streams: Streams,
    faults: StreamFaults,
    address: SocketAddr,
    _poll: mio::Poll,
}

impl Side {
    async fn open(transport: Transport, files: &TlsFiles, welcome: &[&str]) -> Self {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let welcome: Welcome = Arc::new(RwLock::new(welcome.iter().map(|text| text.parse().unwrap()).collect()));
        let (faults, tls) = (StreamFaults::default(), Tls::open(files).unwrap());
        let streams = Streams::start(vec![(listener, transport)], tls, faults.clone(), &welcome, waker);
        Self { streams, faults, address, _poll: poll }
    }

    async fn next(&mut self) -> Arrived {
        let arrived = async {
            loop {
                match self.streams.receive() {
                    Some(arrived) => return arrived,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        timeout(Duration::from_secs(20), arrived).await.unwrap()
    }

    /// Bytes until there are so many, and whence they came.
    async fn bytes(&mut self, count: usize) -> (Hop, Vec<u8>) {
        let mut all = Vec::new();
        loop {
            let Arrived::Bytes(hop, bytes) = self.next().await else { unreachable!("it was closed") };
            all.extend(bytes);
            if all.len() >= count {
                return (hop, all);
            }
        }
    }
}

fn certificate(folder: &Path, name: &str) -> TlsFiles {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    TlsFiles { own: Some(OwnCertificate::Files(chain.clone(), key)), roots: Some(chain), fingerprint: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_over_one_connection_and_its_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "phone.example");
    for (transport, name) in [(Transport::Tcp, None), (Transport::Tls, Some(Arc::from("phone.example")))] {
        let mut server = Side::open(transport, &files, &["127.0.0.0/8"]).await;
        let mut client = Side::open(transport, &files, &[]).await;
        let there = Hop { transport, address: server.address };
        client.streams.send(there, name, b"ping".to_vec());
        let (back, heard) = server.bytes(4).await;
        assert_eq!((back.transport, heard.as_slice()), (transport, b"ping".as_slice()));
        let long = vec![7_u8; 100_000];
        server.streams.send(back, None, long.clone());
        let (hop, heard) = client.bytes(long.len()).await;
        assert!(hop == there && heard == long);
        client.streams.send(there, None, b"last".to_vec());
        client.streams.close(there);
        assert_eq!(server.bytes(4).await.1, b"last");
        assert!(matches!(server.next().await, Arrived::Closed(hop) if hop == back));
        assert_eq!(client.faults.get(there), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_welcome_hears_nothing() {
    let mut server = Side::open(Transport::Tcp, &TlsFiles::default(), &["192.0.2.0/24"]).await;
    let mut client = Side::open(Transport::Tcp, &TlsFiles::default(), &[]).await;
    let there = Hop { transport: Transport::Tcp, address: server.address };
    client.streams.send(there, None, b"INVITE".to_vec());
    assert!(matches!(client.next().await, Arrived::Closed(hop) if hop == there));
    assert!(server.streams.receive().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_connection_could_not_be_made_is_remembered_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "phone.example");
    let server = Side::open(Transport::Tls, &files, &["127.0.0.0/8"]).await;
    let mut client = Side::open(Transport::Tls, &files, &[]).await;
    let there = Hop { transport: Transport::Tls, address: server.address };
    for name in [Some("other.example"), None] {
        client.streams.send(there, name.map(Arc::from), b"ping".to_vec());
        assert!(matches!(client.next().await, Arrived::Closed(hop) if hop == there));
        assert_eq!(client.faults.get(there), Some(StreamFault::Certificate), "{name:?}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = Hop { transport: Transport::Tcp, address: closed };
    client.streams.send(nobody, None, b"ping".to_vec());
    assert!(matches!(client.next().await, Arrived::Closed(hop) if hop == nobody));
    assert_eq!(client.faults.get(nobody), Some(StreamFault::Unreachable));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_loses_its_connection() {
    let mut client = Side::open(Transport::Tcp, &TlsFiles::default(), &[]).await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = Hop { transport: Transport::Tcp, address: deaf.local_addr().unwrap() };
    client.streams.send(there, None, b"first".to_vec());
    let (_held, _) = deaf.accept().await.unwrap();
    // Far more than the kernel keeps for somebody who does not read.
    for _ in 0..100 * MESSAGES_MAX {
        client.streams.send(there, None, vec![0; 60_000]);
        if let Some(Arrived::Closed(hop)) = client.streams.receive() {
            assert_eq!(hop, there);
            return;
        }
    }
    unreachable!("it was never closed");
}
