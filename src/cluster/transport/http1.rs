//! Connections to servers that speak only HTTP/1.1: each carries one request at a time and is
//! kept for the next one.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Uri, header};

use super::{Http1, Wire};

/// How many idle connections are kept.
const MOST: usize = 4;

/// Connections that wait for their next request. The lock is held for a push or a pop only.
#[derive(Debug, Default)]
pub(super) struct Spares(Mutex<Vec<Http1>>);

impl Spares {
    /// One that is still open.
    pub(super) fn take(&self) -> Option<Http1> {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spares.retain(Http1::usable);
        spares.pop()
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put(&self, free: Http1) {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < MOST && free.usable() {
            spares.push(free);
        }
    }
}

/// A connection whose answer is being read. Dropped before the end, it is closed.
#[derive(Debug)]
pub(in crate::cluster) struct Spare {
    busy: Http1,
    spares: Arc<Spares>,
}

impl Spare {
    pub(super) fn new(busy: Http1, spares: &Arc<Spares>) -> Spare {
        Spare { busy, spares: Arc::clone(spares) }
    }

    /// The answer was read to its end: the connection is free.
    pub(in crate::cluster) fn give_back(self) {
        self.spares.put(self.busy);
    }
}

/// The request with its path alone and the host as a header, as HTTP/1.1 has it.
pub(super) fn origin_form(mut request: Wire) -> Wire {
    let host = request.uri().authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    }
    request
}
