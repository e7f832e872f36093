//! Connections: each peer has its share of them, and one whose peer takes nothing of what it is sent for too long ends.
//!
//! The shares are those of the true peers. Who stands for many, a trusted proxy or this machine itself, has no share here: the
//! requests that it brings are counted for those who sent them ([`super::fairness`]).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use domain::share::{Share, Shares};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::fairness::{Full, Table, refused};
use super::limit::network;

/// Connections of one peer at once.
const EACH: usize = 2_048;
/// Bytes that the system is asked to hold for a peer that does not read (Linux takes twice that). By itself it holds up to 4 MB
/// of each (`tcp_wmem`, Linux), and in a container that counts as memory of the service.
#[cfg(unix)]
const SEND_BUFFER: usize = 128 * 1024;
/// How long a peer may take nothing of what waits for it.
const STALLED: Duration = Duration::from_secs(30);

/// The connections of all peers. Clones are the same.
#[derive(Clone)]
pub(super) struct Peers {
    shares: Arc<Shares<IpAddr>>,
    proxies: Arc<[IpNet]>,
    /// How long one may take nothing.
    patience: Duration,
    full: Arc<Full>,
}

impl Peers {
    /// For at most so many connections.
    pub(super) fn new(most: usize, proxies: &[IpNet], full: Arc<Full>) -> Self {
        Self {
            shares: Shares::new(most, EACH),
            proxies: proxies.into(),
            patience: STALLED,
            full,
        }
    }

    /// Takes a connection up, or drops it when its peer has its share.
    pub(super) fn take_up(
        &self,
        stream: TcpStream,
    ) -> io::Result<(Connection, Option<SocketAddr>)> {
        let peer = stream.peer_addr().ok();
        let share = self.share(peer.map(|peer| peer.ip()))?;
        // Answers and events leave in small parts; held back for an acknowledgement each would cost its reader 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        #[cfg(unix)]
        if let Err(error) = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER)
        {
            tracing::debug!(%error, "a connection keeps the buffer of the system");
        }
        let connection = Connection {
            stream,
            patience: self.patience,
            stalled: None,
            _share: share,
        };
        Ok((connection, peer))
    }

    fn share(&self, peer: Option<IpAddr>) -> io::Result<Option<Share<IpAddr>>> {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            return Ok(None);
        };
        if peer.is_loopback() || self.proxies.iter().any(|proxy| proxy.contains(&peer)) {
            return Ok(None);
        }
        let share = self.shares.take(&network(peer)).inspect_err(|why| {
            refused(&self.full, Table::Connections, *why);
            tracing::debug!(%peer, "a connection beyond the peer's share is dropped");
        });
        share
            .map(Some)
            .map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }
}

/// A connection, and its place.
pub(super) struct Connection {
    stream: TcpStream,
    patience: Duration,
    /// Runs while bytes wait of which the peer takes none.
    stalled: Option<Pin<Box<Sleep>>>,
    _share: Option<Share<IpAddr>>,
}

impl Connection {
    fn progress(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        // What the system still holds for that peer goes too.
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "a connection is closed without a reset");
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.progress(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use tokio::io::AsyncWriteExt;

    use super::*;

    fn peers(most: usize) -> Peers {
        Peers::new(most, &["10.0.0.0/8".parse().unwrap()], Arc::default())
    }

    #[test]
    fn a_peer_has_its_share_and_who_stands_for_many_has_none() {
        let peers = peers(100_000);
        let ask = |peer: &str| peers.share(Some(peer.parse().unwrap()));
        let held: Vec<_> = std::iter::from_fn(|| ask("192.0.2.1").ok()).collect();
        assert_eq!(held.len(), EACH);
        assert!(ask("::ffff:192.0.2.1").is_err());
        let network: Vec<_> = (0..EACH)
            .map(|n| ask(&format!("2001:db8::{n:x}")).unwrap())
            .collect();
        assert!(ask("2001:db8::ffff:1").is_err(), "of IPv6 a network is one");
        assert!(ask("192.0.2.2").is_ok());
        for many in ["127.0.0.1", "::1", "10.1.2.3"] {
            assert!(ask(many).unwrap().is_none(), "{many}");
        }
        drop((held, network));
        assert!(ask("192.0.2.1").is_ok());
    }

    #[tokio::test]
    async fn a_connection_whose_peer_takes_nothing_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        accepted.set_nonblocking(true).unwrap();
        let impatient = Peers {
            patience: Duration::from_millis(100),
            ..peers(10)
        };
        let (mut connection, _) = impatient
            .take_up(TcpStream::from_std(accepted).unwrap())
            .unwrap();
        let bytes = vec![0; 1 << 20];
        let mut sent = 0;
        let error = loop {
            match connection.write(&bytes).await {
                Ok(written) => sent += written,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((1..1 << 20).contains(&sent), "{sent} bytes are held");
        drop(connection);
        // Neither does the system go on to hold what was sent.
        let read = peer.read_to_end(&mut Vec::new());
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
