//! A server for tests: it answers what a test says, over TLS or not, and counts connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::target::{Auth, ClusterTarget, Connection, Pem, Trust};
use crate::model::{ClusterId, ClusterInfo};

pub(super) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An answer with a status and a body.
pub(super) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into()).boxed()).unwrap()
}

/// An answer that begins and never ends.
pub(super) fn endless(first: impl Into<Bytes>) -> Answer {
    let first = futures::stream::once(std::future::ready(Ok(Frame::data(first.into()))));
    Response::new(BodyExt::boxed(StreamBody::new(first.chain(futures::stream::pending()))))
}

/// A certificate authority.
pub(super) struct Ca {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(super) fn new() -> Ca {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names, and its key, in PEM.
    pub(super) fn sign(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// TLS of a server with these names that speaks these protocols.
    pub(super) fn server(&self, names: &[&str], protocols: &[&str]) -> rustls::ServerConfig {
        self.server_with(self.sign(names, |_| {}), protocols, false)
    }

    pub(super) fn server_with(
        &self,
        (certificate, key): (String, String),
        protocols: &[&str],
        wants_client: bool,
    ) -> rustls::ServerConfig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let der = |pem: &str| rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let builder = rustls::ServerConfig::builder();
        let builder = if wants_client {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(der(&self.pem)).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(vec![der(&certificate)], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        config
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::Ca(Pem::Data(self.pem.clone().into_bytes().into()))
    }
}

/// A running server; it stops with the runtime of its test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    scheme: &'static str,
}

impl Server {
    /// Starts a server on loopback.
    pub(super) async fn start<F>(tls: Option<rustls::ServerConfig>, handler: F) -> Server
    where
        F: Fn(Request<Incoming>) -> Answer + Send + Sync + 'static,
    {
        Server::limited(tls, 200, handler).await
    }

    /// The same, which takes no more than so many requests at a time on an HTTP/2 connection.
    pub(super) async fn limited<F>(tls: Option<rustls::ServerConfig>, streams: u32, handler: F) -> Server
    where
        F: Fn(Request<Incoming>) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let (handler, counter) = (Arc::new(handler), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (acceptor, handler) = (acceptor.clone(), Arc::clone(&handler));
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = handler(request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    server.http2().max_concurrent_streams(streams);
                    let ended = match acceptor {
                        None => server.serve_connection(TokioIo::new(stream), service).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await,
                            Err(_) => return,
                        },
                    };
                    drop(ended);
                });
            }
        });
        Server { address, connections, scheme }
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Its address as a kubeconfig has it.
    pub(super) fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }
}

/// A way to a server, to be changed by a test.
pub(super) fn connection(url: &str, trust: Trust) -> Connection {
    Connection {
        server: url.parse().unwrap(),
        trust,
        tls_server_name: None,
        identity: None,
        auth: Auth::Nothing,
        user: None,
        impersonation: None,
        proxy: None,
        compression: true,
    }
}

/// A target with this connection.
pub(super) fn target(connection: Connection) -> ClusterTarget {
    let info = ClusterInfo { name: "test".into(), ..ClusterInfo::default() };
    ClusterTarget { id: ClusterId(0), info, connection: Some(Arc::new(connection)), names: None }
}
