//! The listener of one simulated cluster: TLS on loopback, HTTP/2 and HTTP/1.1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::api;
use super::cluster::Shared;
use super::faults::{Certificate, Way};
use super::gate::{Gate, Gated};
use super::tls::Keys;
use super::world::Reach;

/// Streams of one connection, as a real server allows by default.
const STREAMS: u32 = 100;

/// A server that can be stopped, started again on its port, and made silent.
#[derive(Debug)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    keys: Arc<Keys>,
    certificate: Certificate,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    address: SocketAddr,
    gate: Arc<Gate>,
    /// Empty when it is stopped. It is kept here and not in its task, because a task ends some
    /// time after it is told to, and until then the port would be taken.
    listener: Arc<Listening>,
    running: Option<JoinHandle<()>>,
}

type Listening = Mutex<Option<TcpListener>>;

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) fn start(shared: Arc<Shared>, keys: Arc<Keys>) -> io::Result<Server> {
        let config = keys.server(Certificate::Good).map_err(io::Error::other)?;
        let mut server = Server {
            shared,
            keys,
            certificate: Certificate::Good,
            config: Arc::new(Mutex::new(config)),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            gate: Arc::default(),
            listener: Arc::default(),
            running: None,
        };
        server.listen()?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it took so far.
    pub(crate) fn connections(&self) -> u64 {
        self.gate.taken()
    }

    /// Listens again after [`Server::stop`], on the same port.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        // SO_REUSEADDR, which tokio sets on Unix, lets the port be taken again at once
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(1024)?;
        self.address = listener.local_addr()?;
        self.listener = Arc::new(Mutex::new(Some(listener)));
        let accept =
            accept(self.listener.clone(), self.config.clone(), self.gate.clone(), self.shared.clone());
        self.running = Some(tokio::spawn(accept));
        Ok(())
    }

    /// Closes the listener and every connection.
    pub(crate) fn stop(&mut self) {
        drop(self.listener.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(running) = self.running.take() {
            // the connections belong to this task's set and end with it
            running.abort();
        }
    }

    /// Makes the way to it as it should be.
    pub(crate) fn set_way(&mut self, way: Way) -> io::Result<()> {
        if way.certificate != self.certificate {
            let keys = self.keys.server(way.certificate).map_err(io::Error::other)?;
            *self.config.lock().unwrap_or_else(PoisonError::into_inner) = keys;
            self.certificate = way.certificate;
        }
        match way.reach {
            Reach::Open | Reach::Silent => self.listen()?,
            Reach::Refusing => self.stop(),
        }
        self.gate.set(way);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The next connection; `None` when the listener is closed.
async fn next(listener: &Listening) -> Option<io::Result<TcpStream>> {
    std::future::poll_fn(|context| match &*listener.lock().unwrap_or_else(PoisonError::into_inner) {
        None => Poll::Ready(None),
        Some(listener) => listener.poll_accept(context).map_ok(|(stream, _)| stream).map(Some),
    })
    .await
}

async fn accept(
    listener: Arc<Listening>,
    tls: Arc<Mutex<Arc<ServerConfig>>>,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = next(&listener) => match accepted {
                None => return,
                Some(Ok(stream)) => {
                    let tls = TlsAcceptor::from(tls.lock().unwrap_or_else(PoisonError::into_inner).clone());
                    connections.spawn(connection(stream, tls, gate.clone(), shared.clone()));
                }
                // out of descriptors, most likely: the next one may work when some are closed
                Some(Err(_)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until either side ends it, or it is to be reset; errors of a connection
/// are the client's to see.
async fn connection(stream: TcpStream, tls: TlsAcceptor, gate: Arc<Gate>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let mut way = gate.watch();
    let (born, naps) = {
        let way = way.borrow_and_update();
        (way.resets, way.naps)
    };
    let mut slept = way.clone();
    let stream = Gated::new(stream, gate, reset.clone());
    // the connection is dropped after this: how it ends, is said by the flag
    let mut spoken = Box::pin(speak(stream, tls, way.clone(), shared));
    tokio::select! {
        () = spoken.as_mut() => {}
        _ = way.wait_for(|way| way.resets != born) => reset.store(true, Ordering::Release),
        // Whoever slept twice has given up what was open before the first time.
        _ = slept.wait_for(|way| way.naps > naps + 1) => {}
    }
}

async fn speak(stream: Gated, tls: TlsAcceptor, mut way: watch::Receiver<Way>, shared: Arc<Shared>) {
    if way.wait_for(|way| !way.hangs).await.is_err() {
        return;
    }
    let Ok(stream) = tls.accept(stream).await else { return };
    let leaves = Arc::new(Notify::new());
    let line = leaves.clone();
    let service = service_fn(move |request| {
        let (shared, line) = (shared.clone(), line.clone());
        async move { api::serve(&shared, &line, request).await }
    });
    let (streams, told) = {
        let way = way.borrow_and_update();
        (if way.one_stream { 1 } else { STREAMS }, way.farewells)
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(streams);
    let mut served = std::pin::pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    tokio::select! {
        _ = served.as_mut() => return,
        _ = way.wait_for(|way| way.farewells != told) => served.as_mut().graceful_shutdown(),
        () = leaves.notified() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
