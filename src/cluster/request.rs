//! Requests: what to ask of a server.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

/// How long a server may take until the head of its answer.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// A request to one cluster, without anything that its session knows: server, credentials, proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path with its query, as the server is to see it: `/api/v1/pods?limit=2500`.
    pub path: String,
    /// The format wanted.
    pub accept: &'static str,
    /// Whether the answer may be compressed. It is not inflated by [`crate::cluster::Body::chunk`].
    pub gzip: bool,
    /// What is sent, after its content type.
    pub body: Option<(&'static str, Bytes)>,
    /// How long until the head of the answer must be there; `None` waits for ever. The body may
    /// take as long as it likes.
    pub timeout: Option<Duration>,
    /// Whether it waits for no place among the requests in flight.
    pub at_once: bool,
}

/// `application/json`.
pub(crate) const JSON: &str = "application/json";

impl Request {
    /// Reads.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Request {
        Request::new(Method::GET, path.into(), None)
    }

    /// Creates.
    #[must_use]
    pub fn post(path: impl Into<String>, json: impl Into<Bytes>) -> Request {
        Request::new(Method::POST, path.into(), Some((JSON, json.into())))
    }

    /// Changes; the content type says how: `application/merge-patch+json` and the like.
    #[must_use]
    pub fn patch(path: impl Into<String>, content_type: &'static str, json: impl Into<Bytes>) -> Request {
        Request::new(Method::PATCH, path.into(), Some((content_type, json.into())))
    }

    /// Deletes, with `DeleteOptions`.
    #[must_use]
    pub fn delete(path: impl Into<String>, json: impl Into<Bytes>) -> Request {
        Request::new(Method::DELETE, path.into(), Some((JSON, json.into())))
    }

    fn new(method: Method, path: String, body: Option<(&'static str, Bytes)>) -> Request {
        Request { method, path, accept: JSON, gzip: false, body, timeout: Some(HEAD_LIMIT), at_once: false }
    }

    /// Asks for another format than JSON.
    #[must_use]
    pub fn accept(self, accept: &'static str) -> Request {
        Request { accept, ..self }
    }

    /// Allows a compressed answer.
    #[must_use]
    pub fn gzip(self) -> Request {
        Request { gzip: true, ..self }
    }

    /// Changes how long the head of the answer may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Request {
        Request { timeout: Some(timeout), ..self }
    }

    /// Lets it wait for no place among the requests in flight: what a person wants, and whether a server is
    /// there, must not hang on its lists.
    #[must_use]
    pub fn at_once(self) -> Request {
        Request { at_once: true, ..self }
    }

    /// Whether another server answers than the one that lets us in: the metrics APIs are served by
    /// extensions, to which the apiserver passes requests on. Their 401 says that these two do not
    /// trust each other, and nothing of our login.
    pub(super) fn is_of_extension(&self) -> bool {
        let group = self.path.strip_prefix("/apis/").and_then(|rest| rest.split(['/', '?']).next());
        group.is_some_and(|group| group == "metrics.k8s.io" || group.ends_with(".metrics.k8s.io"))
    }

    /// Whether the answer has no end of its own: a watch, or a log that is followed. Such a
    /// request takes none of the places for requests in flight.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|p| matches!(p, "watch=1" | "watch=true" | "follow=1" | "follow=true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_told_by_their_group() {
        assert!(Request::get("/apis/metrics.k8s.io/v1beta1/pods").is_of_extension());
        assert!(Request::get("/apis/external.metrics.k8s.io/v1beta1").is_of_extension());
        assert!(!Request::get("/apis/apps/v1/deployments").is_of_extension());
        assert!(!Request::get("/api/v1/namespaces/metrics.k8s.io/pods").is_of_extension());
    }

    #[test]
    fn streams_are_told_by_their_query() {
        assert!(Request::get("/api/v1/pods?limit=1&watch=true").is_stream());
        assert!(Request::get("/api/v1/namespaces/a/pods/b/log?follow=true").is_stream());
        assert!(!Request::get("/api/v1/pods?limit=2500").is_stream());
        assert!(!Request::get("/api/v1/namespaces/watch=true/pods").is_stream());
        assert!(!Request::get("/api/v1/pods?labelSelector=watch%3Dtrue").is_stream());
    }
}
