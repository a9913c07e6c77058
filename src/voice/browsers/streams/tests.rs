#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use super::*;

/// The media thread's side of connections, and the poll that its waker wakes.
struct Side {
    streams: WebStreams,
    address: SocketAddr,
    _poll: mio::Poll,
}

impl Side {
    async fn open() -> Self {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { streams: WebStreams::start(listener, waker), address, _poll: poll }
    }

    async fn next(&mut self) -> WebArrived {
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

    async fn connected(&mut self) -> (TcpStream, SocketAddr) {
        let far = TcpStream::connect(self.address).await.unwrap();
        let remote = far.local_addr().unwrap();
        assert_eq!(self.next().await, WebArrived::Opened(remote));
        (far, remote)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_and_the_end_is_told() {
    let mut side = Side::open().await;
    let (mut far, remote) = side.connected().await;
    far.write_all(b"ping").await.unwrap();
    assert_eq!(side.next().await, WebArrived::Bytes(remote, b"ping".to_vec()));
    assert!(side.streams.send(remote, b"pong".to_vec()));
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"pong");
    drop(far);
    assert_eq!(side.next().await, WebArrived::Closed(remote));
    assert!(!side.streams.send(remote, b"late".to_vec()), "nobody is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_be_sent_leaves_before_the_connection_is_closed() {
    let mut side = Side::open().await;
    let (mut far, remote) = side.connected().await;
    assert!(side.streams.send(remote, b"goodbye".to_vec()));
    side.streams.close(remote);
    far.write_all(b"too late").await.unwrap();
    let mut heard = Vec::new();
    timeout(Duration::from_secs(20), far.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, b"goodbye");
    let (_other, another) = side.connected().await;
    assert_ne!(another, remote, "nothing was told of the one that is closed");
}

/// A far end that does not read costs a queue, loses packets, and then its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_far_end_that_takes_nothing_loses_packets_and_then_its_connection() {
    let mut side = Side::open().await;
    let (_deaf, remote) = side.connected().await;
    let (mut left_out, mut closed) = (0, false);
    let flood = async {
        while !closed {
            left_out += usize::from(!side.streams.send(remote, vec![0; 2_000]));
            closed = side.streams.receive() == Some(WebArrived::Closed(remote));
            tokio::task::yield_now().await;
        }
    };
    timeout(WRITE_WITHIN * 6, flood).await.unwrap();
    assert!(left_out > 0, "the queue has no end");
}
