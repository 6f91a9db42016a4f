//! From a name to a stream on which HTTP can be spoken: TCP, a proxy if there is one, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::ending::Ending;
use super::{tls, tunnel};
use crate::cluster::faults;
use crate::cluster::target::{Connection, Names};
use crate::model::Fault;

/// How long until the handshakes must be done, names and proxies included.
const LIMIT: Duration = Duration::from_secs(10);

/// How many names may be looked up at the same time.
static LOOKUPS: Semaphore = Semaphore::const_new(16);

/// How long an address of several may take before the next is tried beside it (RFC 8305).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Anything that bytes go through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that ends at once when it is cut, and that notes why it ended: HTTP/2 tells each of
/// its streams only that the connection is gone.
pub(super) struct Cuttable {
    stream: Box<dyn Stream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    ending: Arc<Ending>,
    received: Arc<AtomicU64>,
}

impl Cuttable {
    /// `received` grows with every byte that comes.
    pub(super) fn new(
        stream: Box<dyn Stream>,
        cut: CancellationToken,
        ending: Arc<Ending>,
        received: Arc<AtomicU64>,
    ) -> Cuttable {
        Cuttable { stream, cut: Box::pin(cut.cancelled_owned()), ending, received }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            let error = io::Error::new(io::ErrorKind::ConnectionAborted, "it was ended here");
            self.ending.note(Err(&error));
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.received.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        match &polled {
            Poll::Ready(Err(error)) => self.ending.note(Err(error)),
            Poll::Ready(Ok(())) if buf.filled().len() == before && buf.remaining() > 0 => {
                self.ending.note(Ok(()))
            }
            _ => {}
        }
        polled
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stream, and whether HTTP/2 was agreed on.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    pub(super) http2: bool,
}

/// Connects to the server of a target; `tls` is there unless it is an http:// server.
pub(super) async fn dial(
    connection: &Connection,
    names: Option<&Names>,
    tls: Option<Arc<ClientConfig>>,
    server: &str,
) -> Result<Dialled, Fault> {
    match tokio::time::timeout(LIMIT, dial_unbounded(connection, names, tls, server)).await {
        Ok(result) => result,
        Err(_) => Err(faults::not_connected_in_time(server)),
    }
}

async fn dial_unbounded(
    connection: &Connection,
    names: Option<&Names>,
    tls: Option<Arc<ClientConfig>>,
    server: &str,
) -> Result<Dialled, Fault> {
    let host = connection.server.host().unwrap_or_default();
    let stream: Box<dyn Stream> = match &connection.proxy {
        None => Box::new(tcp(names, host, connection.port(), server).await?),
        Some(proxy) => tunnel::through(proxy, host, connection.port()).await?,
    };
    let Some(config) = tls else { return Ok(Dialled { stream, http2: false }) };
    let name = tls::server_name(connection.tls_server_name.as_deref().unwrap_or(host), server)?;
    let greeted = TlsConnector::from(config).connect(name, stream).await;
    let stream = greeted.map_err(|error| faults::tls(&error, server))?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Dialled { stream: Box::new(stream), http2 })
}

/// A TCP connection to the first address that takes one.
pub(super) async fn tcp(
    names: Option<&Names>,
    host: &str,
    port: u16,
    shown: &str,
) -> Result<TcpStream, Fault> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = addresses(names, bare, port).await.map_err(|error| faults::no_such_host(bare, &error))?;
    let stream = race(&addresses).await.map_err(|error| faults::not_connected(shown, &error))?;
    // Small requests must not wait for each other; a dead link must be noticed where HTTP/1.1
    // has no ping. Neither is worth losing a connection over.
    let _ = stream.set_nodelay(true);
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(8)).with_interval(Duration::from_secs(3));
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    let keepalive = keepalive.with_retries(2);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    Ok(stream)
}

/// The addresses of a host. A look-up that hangs cannot be ended, and holds a thread of those that
/// files need, too: so there are never more than [`LOOKUPS`] of them, and the others wait.
async fn addresses(names: Option<&Names>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(names) = names {
        let found = names.look_up(host)?;
        return Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    look_up(&LOOKUPS, host.to_owned(), move |host| Ok((host, port).to_socket_addrs()?.collect())).await
}

async fn look_up<T: Send + 'static>(
    places: &'static Semaphore,
    host: String,
    find: impl FnOnce(&str) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = places.acquire().await.map_err(io::Error::other)?;
    let looking = tokio::task::spawn_blocking(move || {
        // It is given back when the look-up ends, not when nobody waits for it any more.
        let _place = place;
        find(&host)
    });
    looking.await.map_err(io::Error::other)?
}

/// Tries the addresses one after the other, each a little later than the one before, so that an
/// address family that leads nowhere costs a quarter of a second.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut tried = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            tried.push(TcpStream::connect(*address));
        } else if tried.is_empty() {
            return Err(last);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(result) = tried.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn look_ups_that_hang_hold_their_places_and_no_more() {
        static PLACES: Semaphore = Semaphore::const_new(2);
        let (hang, hung) = std::sync::mpsc::channel::<()>();
        let hung = Arc::new(std::sync::Mutex::new(hung));
        let hanging = || {
            let hung = Arc::clone(&hung);
            look_up(&PLACES, "a".to_owned(), move |_| {
                drop(hung.lock().map(|hung| hung.recv()));
                Ok(())
            })
        };
        for _ in 0..2 {
            // Whoever asked gives up; the look-up goes on.
            let mut asked = Box::pin(hanging());
            assert!(futures::poll!(&mut asked).is_pending());
        }
        assert_eq!(PLACES.available_permits(), 0);
        let mut third = Box::pin(look_up(&PLACES, "b".to_owned(), |host| Ok(host.len())));
        assert!(futures::poll!(&mut third).is_pending());
        drop(hang);
        assert_eq!(third.await.unwrap(), 1);
        assert_eq!(addresses(None, "::1", 7).await.unwrap(), ["[::1]:7".parse().unwrap()]);
    }
}
