//! Why a connection ended, as its socket saw it.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::cluster::faults;
use crate::model::Fault;

/// Why a connection ended; empty while it lives, and when it was given up because pings went
/// unanswered: then its socket saw nothing.
#[derive(Debug)]
pub(in crate::cluster) struct Ending {
    server: Arc<str>,
    fault: OnceLock<Fault>,
}

impl Ending {
    pub(super) fn new(server: &Arc<str>) -> Arc<Ending> {
        Arc::new(Ending { server: Arc::clone(server), fault: OnceLock::new() })
    }

    /// Notes an error, or that the other side ended it. The first note counts.
    pub(super) fn note(&self, end: Result<(), &io::Error>) {
        self.fault.get_or_init(|| faults::ended(end.err(), &self.server));
    }

    /// The fault that an error on this connection is.
    pub(in crate::cluster) fn explain(&self, error: &hyper::Error) -> Fault {
        faults::broken(error, &self.server, self.fault.get())
    }
}
