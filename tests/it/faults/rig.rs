//! What the cases share: a kubeconfig of one context, and servers that do as a case says.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request as Asked, Response as Answer};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use quarterdeck::cluster::{ClusterTarget, Plugins, Request, Session, Sources, find_clusters};
use quarterdeck::model::{Cause, Fault};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A folder with a kubeconfig of one context.
pub(super) struct Home {
    pub(super) folder: tempfile::TempDir,
}

impl Home {
    /// A context whose cluster and user have these fields.
    pub(super) fn new(cluster: &str, user: &str) -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap() };
        home.configure(cluster, user);
        home
    }

    /// Writes the kubeconfig anew.
    pub(super) fn configure(&self, cluster: &str, user: &str) {
        let user = user.replace("HOME", &self.path().display().to_string());
        let text = format!(
            "clusters: [{{name: a, cluster: {{{cluster}}}}}]\nusers: [{{name: a, user: {{{user}}}}}]\n\
             contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
        );
        self.write("config", &text);
    }

    /// A context whose user logs in with a script, and what the script does.
    pub(super) fn with_plugin(cluster: &str, script: &str) -> Home {
        let exec = "exec: {command: ./login, apiVersion: client.authentication.k8s.io/v1}";
        let home = Home::new(cluster, exec);
        home.write("login", &format!("#!/bin/sh\ncd {}\necho run >>runs\n{script}\n", home.path().display()));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(home.path().join("login"), mode).unwrap();
        home
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(super) fn runs(&self) -> usize {
        std::fs::read_to_string(self.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }

    pub(super) fn target(&self) -> ClusterTarget {
        let sources = Sources { file: Some(self.path().join("config")), ..Sources::default() };
        let target = find_clusters(&sources, &[]).targets.remove(0);
        assert_eq!(target.info.broken, None);
        target
    }

    pub(super) fn session(&self) -> Session {
        Session::new(&self.target(), &Plugins::default()).unwrap()
    }
}

/// The text of an answer with status 200, or why there is none.
pub(super) async fn ask(session: &Session) -> Result<String, Fault> {
    let answer = session.send(Request::get("/version")).await?;
    if answer.status != 200 {
        return Err(answer.into_fault("say its version").await);
    }
    Ok(String::from_utf8_lossy(&answer.bytes(1 << 20).await?).into_owned())
}

/// The fault of a request that must fail, with its cause; every fault says what to do or needs
/// nothing done, and names the server.
pub(super) async fn fails(session: &Session, cause: Cause) -> Fault {
    let fault = ask(session).await.expect_err("it must not answer");
    assert_eq!(fault.cause, cause, "{fault}");
    fault
}

/// A server that does something with each connection; its port. It stops with its test.
pub(super) async fn server<F, D>(each: F) -> u16
where
    F: Fn(usize, TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(count, stream));
            count += 1;
        }
    });
    port
}

pub(super) type Answered = Answer<Full<Bytes>>;

pub(super) fn answer(status: u16, body: &str) -> Answered {
    Answer::builder().status(status).body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

/// Serves HTTP/1.1 or HTTP/2 on a stream.
pub(super) async fn serve<S>(stream: S, handler: impl Fn(Asked<Incoming>) -> Answered)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let service = service_fn(|asked| std::future::ready(Ok::<_, Infallible>(handler(asked))));
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    drop(server.serve_connection(TokioIo::new(stream), service).await);
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
        Ca { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name, and its key, in PEM.
    pub(super) fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// What accepts TLS with this certificate; with a client's certificate of this CA, if wanted.
    pub(super) fn acceptor(&self, (certificate, key): (String, String), wants_client: bool) -> TlsAcceptor {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
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
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// The fields of a cluster at this port that trusts this CA.
pub(super) fn trusting(port: u16, ca: &str) -> String {
    use base64::Engine;
    let ca = base64::engine::general_purpose::STANDARD.encode(ca);
    format!("server: 'https://localhost:{port}', certificate-authority-data: {ca}")
}

/// The fields of a cluster at this port without TLS.
pub(super) fn plain(port: u16) -> String {
    format!("server: 'http://127.0.0.1:{port}'")
}
