//! One running cluster of a fleet: its world, its server, and the way between them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{FleetError, Options};
use crate::model::{Span, Time};
use crate::sim::api::Role;
use crate::sim::clock::Clock;
use crate::sim::cluster::{ServerOptions, Shared};
use crate::sim::faults::{self, Way};
use crate::sim::scenario::{self, About, ClusterFile, LoginFile, Scenario, ScenarioFile};
use crate::sim::server::Server;
use crate::sim::tls::Keys;
use crate::sim::world::World;

/// One running cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) about: About,
    pub(crate) shared: Arc<Shared>,
    server: Mutex<Server>,
    address: SocketAddr,
    scenario: Arc<Scenario>,
    /// Whether clients log in with a program.
    pub(crate) plugin: bool,
    /// What the server was last told.
    way: Mutex<Way>,
    /// For how many milliseconds the client's machine slept so far: it is asked for every second.
    slept: AtomicI64,
    /// Told of every change of faults.
    news: watch::Sender<()>,
    /// Whether its controllers ended by a mistake of their own.
    stuck: AtomicBool,
}

impl Member {
    /// Where its server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that its server took so far.
    pub(crate) fn connections(&self) -> u64 {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).connections()
    }

    /// Closes its listener and every connection.
    pub(super) fn stop(&self) {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).stop();
    }

    /// Makes the way to the server as it should be.
    pub(crate) fn carry_out(&self) -> io::Result<()> {
        let mut last = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        // Read behind this lock, or what came later could be undone by what came before.
        let (way, slept) =
            self.shared.read(|world| (faults::way(world.reach, &world.trouble), world.trouble.slept));
        self.slept.store(slept.millis(), Ordering::Relaxed);
        if *last == way {
            return Ok(());
        }
        if way.replacements != last.replacements {
            self.replace(way.replacements);
            last.replacements = way.replacements;
        }
        let changed = way.changes != last.changes;
        self.server.lock().unwrap_or_else(PoisonError::into_inner).set_way(way.clone())?;
        *last = way;
        drop(last);
        if changed {
            self.news.send_replace(());
        }
        Ok(())
    }

    /// Another cluster of the same name takes the place of this one.
    fn replace(&self, times: u64) {
        let file =
            ScenarioFile { seed: self.scenario.file.seed.wrapping_add(times), ..self.scenario.file.clone() };
        let Some(cluster) = file.clusters.iter().find(|c| c.name == self.about.name) else { return };
        self.shared.replace(|old| {
            let mut new = scenario::build(&file, cluster, old.now);
            new.take_over(old);
            new
        });
    }

    /// Changes the world, and the way to its server if that follows.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> io::Result<T> {
        let answer = self.shared.with(change);
        self.carry_out()?;
        Ok(answer)
    }

    /// How long the client's machine slept so far.
    pub(crate) fn slept(&self) -> Span {
        Span::from_millis(self.slept.load(Ordering::Relaxed))
    }

    /// Whether its time stands still for a mistake in its controllers.
    pub(crate) fn stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Does what is due. A mistake in the controllers of one cluster stops that cluster only, whose
    /// server goes on answering.
    pub(super) fn go_on(&self, until: Time) {
        if !self.stuck() && !survives(|| self.catch_up(until)) {
            self.stuck.store(true, Ordering::Relaxed);
            tracing::error!(
                cluster = self.about.name,
                "its controllers ended by a mistake: its time stands still"
            );
        }
    }

    /// Does what is due until a time; gives up the lock between steps.
    pub(super) fn catch_up(&self, until: Time) {
        if self.shared.next_due().is_none_or(|due| due > until) {
            return;
        }
        loop {
            let done = self.shared.step(until);
            // a port that somebody else took meanwhile is tried again with the next tick
            let _ = self.carry_out();
            if done {
                return;
            }
        }
    }
}

/// Whether something came to its end without a panic.
fn survives(what: impl FnOnce()) -> bool {
    // a world is whole between two items of work, and what is half done is one cluster's
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).is_ok()
}

/// What the clusters of a fleet share.
pub(super) struct Common<'a> {
    pub(super) scenario: &'a Arc<Scenario>,
    pub(super) keys: &'a Arc<Keys>,
    pub(super) clock: &'a Arc<Clock>,
    pub(super) tokens: &'a Arc<Vec<(Role, String)>>,
    pub(super) news: &'a watch::Sender<()>,
    pub(super) options: &'a Options,
}

impl Common<'_> {
    /// A cluster of its scenario, listening.
    pub(super) fn member(&self, mut world: World, file: &ClusterFile) -> Result<Arc<Member>, FleetError> {
        let about = About {
            name: file.name.clone(),
            provider: file.provider.into(),
            region: file.region.clone(),
            tier: file.tier,
        };
        world.trust(&self.keys.authority);
        let server_options = ServerOptions {
            streaming_lists: self.options.streaming_lists,
            compressed_watches: self.options.compressed_watches,
            bookmarks: self.options.bookmarks,
        };
        let shared = Arc::new(Shared::new(world, self.clock.clone(), self.tokens.clone(), server_options));
        let server = Server::start(shared.clone(), self.keys.clone())
            .map_err(|source| FleetError::Listen { cluster: about.name.clone(), source })?;
        let address = server.address();
        let member = Arc::new(Member {
            about,
            shared,
            server: Mutex::new(server),
            address,
            scenario: self.scenario.clone(),
            plugin: file.login == LoginFile::Plugin,
            way: Mutex::default(),
            news: self.news.clone(),
            slept: AtomicI64::default(),
            stuck: AtomicBool::new(false),
        });
        member.shared.belongs_to(&member);
        Ok(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_ends_what_made_it_only() {
        assert!(survives(|| ()));
        assert!(!survives(|| assert_eq!(1, 2, "a mistake, on purpose")));
    }
}
