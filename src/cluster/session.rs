//! Sessions: the one way to talk to a cluster.

use std::sync::Arc;

use super::{Request, Response};
use crate::model::{Cause, ClusterId, Fault, Login};

/// A connection to one cluster and our login there. Cloning shares both.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: ClusterId,
}

impl Session {
    /// The cluster at the other end.
    #[must_use]
    pub fn id(&self) -> ClusterId {
        self.shared.id
    }

    /// Sends a request and waits for the head of the answer. Every HTTP status is an answer; a
    /// fault is that there was none.
    ///
    /// # Errors
    /// No connection, no credentials, or no answer in time.
    #[expect(clippy::unused_async, reason = "the transport follows")]
    pub async fn send(&self, _request: Request) -> Result<Response, Fault> {
        Err(Fault::new(Cause::Config, "this build cannot connect to clusters yet", ""))
    }

    /// The state of our login there, as last seen.
    #[must_use]
    pub fn login(&self) -> Login {
        Login::Unknown
    }
}
