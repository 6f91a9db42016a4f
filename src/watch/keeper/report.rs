//! What a cluster's task says of the cluster.

use std::sync::atomic::Ordering;

use super::super::task::Closed;
use super::Keeper;
use crate::cluster::Discovery;
use crate::model::{Badge, Cause, Change, Delta, Fault, Link, LinkState, Time};

impl Keeper {
    /// The cluster answers.
    pub(super) async fn up(&mut self) -> Result<(), Closed> {
        let now = self.clock.now();
        self.lost = None;
        self.set_state(LinkState::Live);
        self.link = Link { heard: Some(now), retry_at: None, tries: 0, fault: None, ..self.link.clone() };
        if let Some(latency) = self.pulse.news(&self.session) {
            self.tell(latency).await?;
        }
        self.tell_link().await
    }

    /// Marks the cluster as not answering.
    pub(super) async fn mark(&mut self, fault: Fault, retry_at: Option<Time>) -> Result<(), Closed> {
        let now = self.clock.now();
        self.lost = self.lost.or(Some(now));
        self.set_state(match fault.cause {
            Cause::Unauthorized | Cause::Login | Cause::Forbidden => LinkState::Denied,
            _ => LinkState::Broken,
        });
        // A wall clock that was set back makes the future of what was the past.
        self.link.heard = self.link.heard.filter(|heard| *heard <= now).max(self.last_sign());
        self.link.fault = Some(fault);
        self.link.retry_at = retry_at;
        // While it rests nobody looks at the login, which may be why.
        if self.login.has_changed().unwrap_or(false) {
            self.tell_login().await?;
        }
        self.tell_link().await
    }

    /// When the cluster last gave a sign of life.
    pub(super) fn last_sign(&self) -> Option<Time> {
        let heard = self.heard.load(Ordering::Relaxed);
        (heard > 0).then(|| Time::from_millis(heard))
    }

    pub(super) fn set_state(&mut self, state: LinkState) {
        if self.link.state != state {
            self.link.state = state;
            self.link.since = self.clock.now();
        }
    }

    pub(super) async fn tell_link(&self) -> Result<(), Closed> {
        self.tell(Change::Link(self.link.clone())).await
    }

    pub(super) async fn tell_login(&mut self) -> Result<(), Closed> {
        let login = self.login.borrow_and_update().clone();
        self.tell(Change::Login(login)).await
    }

    pub(super) async fn tell_server(&mut self, found: &Discovery) -> Result<(), Closed> {
        let mut badges = self.session.badges();
        badges.extend(self.json_only.then_some(Badge::JsonOnly));
        let (version, served) = (found.version.clone(), Box::new(found.served.clone()));
        self.tell(Change::Server { version, identity: found.identity, served, badges }).await?;
        self.tell_login().await
    }

    pub(super) async fn tell(&self, change: Change) -> Result<(), Closed> {
        let delta = Delta { cluster: self.session.id(), at: self.clock.now(), change };
        self.deltas.send(delta).await.map_err(|_| Closed)
    }
}
