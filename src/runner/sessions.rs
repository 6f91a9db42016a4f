//! The runner's clusters over real sessions, and probes over the web.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::{OnceCell, watch};

use super::api::{Api, ApiAnswer, ApiRequest, Identity};
use crate::cluster::{Request, Session, towards_anybody};
use crate::model::{Cause, ClusterId, Fault, Text};

/// How long a probe may take.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is read: the pods of a full node.
const LARGEST: usize = 32 << 20;

/// The sessions of the fleet as they are now.
pub type SessionMap = Arc<BTreeMap<ClusterId, Session>>;

/// [`Api`] over the sessions of the fleet.
#[derive(Clone, Debug)]
pub struct Sessions {
    sessions: watch::Receiver<SessionMap>,
    /// Made at the first probe: reading the system's certificates takes longer than the first frame.
    web: Arc<OnceCell<Result<Web, Fault>>>,
}

type Web = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

impl Sessions {
    /// Writes through whatever session a cluster has at that moment. Probes trust what the system
    /// trusts (on Linux `SSL_CERT_FILE` is heeded), and no proxy is used for them. Where the system's
    /// certificates cannot be read, every probe says so and all else works.
    #[must_use]
    pub fn new(sessions: watch::Receiver<SessionMap>) -> Sessions {
        Sessions { sessions, web: Arc::default() }
    }
}

/// Files are read, so not on a thread that others wait for.
async fn made() -> Result<Web, Fault> {
    let crashed = |error| Fault::new(Cause::Tls, format!("probes cannot be made ready: {error}"), "");
    tokio::task::spawn_blocking(web).await.map_err(crashed)?
}

fn web() -> Result<Web, Fault> {
    let cannot = |error: rustls::Error| {
        let what = format!("the system's certificates cannot be read: {error}");
        Fault::new(Cause::Tls, what, "set SSL_CERT_FILE to a file with roots")
    };
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(towards_anybody().map_err(cannot)?)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .build();
    // A probe asks whether it serves now: no connection from before is used again.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https))
}

impl Api for Sessions {
    async fn call(&self, cluster: ClusterId, request: ApiRequest) -> Result<ApiAnswer, Fault> {
        let session = self.sessions.borrow().get(&cluster).cloned();
        let missing = || Fault::new(Cause::Config, format!("cluster {} has no connection", cluster.0), "");
        let session = session.ok_or_else(missing)?;
        let limit = request.timeout;
        let answer = async {
            let response = session.send(to_session(request)).await?;
            let (status, retry_after) = (response.status, response.retry_after);
            let audit_id = response.audit_id.as_deref().map(Text::clean);
            let body = response.bytes(LARGEST).await?;
            // What is no JSON comes from something before the server; its status says enough.
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Ok(ApiAnswer { status, retry_after, body, audit_id })
        };
        // The session limits the head of the answer only.
        let late = |_| Fault::new(Cause::Timeout, format!("no whole answer in {} s", limit.as_secs()), "");
        tokio::time::timeout(limit, answer).await.map_err(late)?
    }

    async fn identity(&self, cluster: ClusterId) -> Identity {
        let session = self.sessions.borrow().get(&cluster).cloned();
        let ca_sha256 = session.and_then(|session| session.ca()).map(|pem| crate::operations::sha256(&pem));
        let answer = self.call(cluster, ApiRequest::self_review()).await.ok().filter(ApiAnswer::good);
        let user =
            answer.and_then(|a| Some(Text::clean(a.body.pointer("/status/userInfo/username")?.as_str()?)));
        Identity { user, ca_sha256 }
    }

    async fn probe(&self, url: &str) -> Result<u16, Fault> {
        let web = self.web.get_or_init(made).await.as_ref().map_err(Clone::clone)?;
        let bad = |error: &dyn std::fmt::Display| {
            Fault::new(
                Cause::Config,
                format!("{url} cannot be asked: {error}"),
                "correct it in the recovery plan",
            )
        };
        let request = http::Request::get(url)
            .header(http::header::USER_AGENT, concat!("quarterdeck/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| bad(&error))?;
        match tokio::time::timeout(PROBE_LIMIT, web.request(request)).await {
            Err(_) => {
                Err(Fault::new(Cause::Timeout, format!("no answer in {} s", PROBE_LIMIT.as_secs()), ""))
            }
            Ok(Err(error)) => {
                let why = innermost(&error);
                Err(Fault::new(Cause::Refused, format!("no answer: {why}"), ""))
            }
            Ok(Ok(response)) => Ok(response.status().as_u16()),
        }
    }
}

fn to_session(request: ApiRequest) -> Request {
    let body = request.body.map(|(content_type, json)| (content_type, Bytes::from(json.to_string())));
    Request { method: request.method, body, ..Request::get(request.path) }.timeout(request.timeout).at_once()
}

/// The cause under all causes: the outer ones say only that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn sessions() -> Sessions {
        let (_, receiver) = watch::channel(SessionMap::default());
        Sessions::new(receiver)
    }

    #[tokio::test]
    async fn a_probe_reports_the_status_and_follows_no_redirect() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            for status in ["200 OK", "302 Found\r\nlocation: /elsewhere"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            // The listener goes with this task: nothing listens there any more.
        });
        let (sessions, url) = (sessions(), format!("http://{address}/healthz"));
        assert_eq!(sessions.probe(&url).await, Ok(200));
        assert_eq!(sessions.probe(&url).await, Ok(302));
        server.await.unwrap();
        assert_eq!(sessions.probe(&url).await.unwrap_err().cause, Cause::Refused);
        assert_eq!(sessions.probe("http://").await.unwrap_err().cause, Cause::Config);
    }

    #[tokio::test]
    async fn a_cluster_without_a_session_is_a_fault() {
        let request = ApiRequest::read("/readyz", Duration::from_secs(1));
        let fault = sessions().call(ClusterId(4), request).await.unwrap_err();
        assert!(fault.what.contains("cluster 4 has no connection"));
    }
}
