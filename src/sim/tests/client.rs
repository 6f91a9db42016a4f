//! A plain HTTPS client, so that nothing of the program's own transport is trusted here.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::sim::{Fleet, Options, Pace, Role, Scenario};

/// A client of one cluster in one role.
#[derive(Clone)]
pub(super) struct Client {
    inner: Legacy<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    token: String,
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// Options of a fleet that only moves by hand.
pub(super) fn by_hand() -> Options {
    Options { pace: Pace::Manual, bookmarks: Duration::from_millis(20), ..Options::default() }
}

/// TLS with whoever the fleet's own authority vouches for.
pub(super) fn trusting(fleet: &Fleet) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(fleet.authority().as_bytes()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The small fleet, moved by hand.
pub(super) async fn small() -> Fleet {
    Fleet::start(Scenario::small().unwrap(), by_hand()).await.unwrap()
}

impl Client {
    pub(super) fn new(fleet: &Fleet, cluster: &str, role: Role) -> Client {
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(trusting(fleet))
            .https_only()
            .enable_http1()
            .enable_http2()
            .build();
        Client {
            inner: Legacy::builder(TokioExecutor::new()).build(https),
            base: format!("https://{}", fleet.cluster(cluster).unwrap().address()),
            token: fleet.token(role).to_owned(),
        }
    }

    /// The same client with another token.
    pub(super) fn with_token(self, token: &str) -> Client {
        Client { token: token.to_owned(), ..self }
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<http::Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.inner.request(request.body(Full::new(body)).unwrap()).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let response = self.open(method, path, headers, body).await.unwrap();
        let (code, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { code, headers, body: response.into_body().collect().await.unwrap().to_bytes() }
    }

    /// Whether a connection can be made and answers.
    pub(super) async fn reaches(&self) -> bool {
        self.open(Method::GET, "/readyz", &[], &Value::Null).await.is_ok()
    }

    /// A body, if it comes whole.
    pub(super) async fn whole(&self, path: &str) -> Option<Bytes> {
        let response = self.open(Method::GET, path, &[], &Value::Null).await.ok()?;
        Some(response.into_body().collect().await.ok()?.to_bytes())
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], &Value::Null).await
    }

    pub(super) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", accept)], &Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    pub(super) async fn patch(&self, path: &str, kind: &str, body: &Value) -> Answer {
        let kind = format!("application/{kind}-patch+json");
        self.send(Method::PATCH, path, &[("content-type", &kind)], body).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], &Value::Null).await
    }

    /// Opens a watch.
    pub(super) async fn watch(&self, path: &str, accept: &str) -> Watch {
        let response = self.open(Method::GET, path, &[("accept", accept)], &Value::Null).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Watch { body: response.into_body(), buffer: Vec::new() }
    }
}

/// An open watch.
pub(super) struct Watch {
    body: Incoming,
    pub(super) buffer: Vec<u8>,
}

impl Watch {
    /// Waits for more bytes; says whether any came.
    pub(super) async fn more(&mut self) -> bool {
        match self.body.frame().await {
            Some(frame) => {
                self.buffer.extend_from_slice(frame.unwrap().data_ref().unwrap());
                true
            }
            None => false,
        }
    }

    /// What comes next, whatever it is; `None` at the end.
    pub(super) async fn frame(&mut self) -> Option<Result<(), hyper::Error>> {
        self.body.frame().await.map(|f| f.map(drop))
    }

    /// The next event of a JSON watch; `None` at its end.
    pub(super) async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next event of this type, stepping over others.
    pub(super) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await.unwrap_or_else(|| panic!("the watch ended before {kind}"));
            if event["type"] == kind {
                return event;
            }
        }
    }
}
