//! The fleet: every simulated cluster of a scenario, running.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::api::Role;
use super::clock::{Clock, Pace};
use super::cluster::{ServerOptions, Shared};
use super::control::Control;
use super::random::Random;
use super::scenario::{self, About, Scenario};
use super::server::Server;
use super::tls::{self, Keys};
use super::world::{Reach, World};
use crate::model::{Span, Time};

/// How a fleet runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// How time passes.
    pub pace: Pace,
    /// Between two looks for work that is due; real time.
    pub tick: Duration,
    /// Between two bookmarks of a watch; real time.
    pub bookmarks: Duration,
    /// Whether watches may begin with a list (`sendInitialEvents`), as servers since 1.32 allow.
    pub streaming_lists: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pace: Pace::Running(1.0),
            tick: Duration::from_millis(250),
            bookmarks: Duration::from_secs(10),
            streaming_lists: true,
        }
    }
}

/// Why a fleet did not start.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The scenario has no cluster.
    #[error("the scenario {0:?} has no [[cluster]]")]
    Empty(String),
    /// A listener could not be opened.
    #[error("cluster {cluster}: no listener on 127.0.0.1: {source}")]
    Listen {
        /// The cluster.
        cluster: String,
        /// What the system said.
        source: io::Error,
    },
    /// Keys could not be made.
    #[error("keys of the embedded fleet: {0}")]
    Keys(String),
    /// A thread that built clusters ended early.
    #[error("clusters could not be built: {0}")]
    Build(String),
}

/// One running cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) about: About,
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Mutex<Server>,
    address: SocketAddr,
    /// What the server was last told.
    reach: Mutex<Reach>,
}

impl Member {
    /// Where its server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the server as reachable as it should be.
    pub(crate) fn carry_out(&self, reach: Reach) -> io::Result<()> {
        let mut last = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == reach {
            return Ok(());
        }
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        match reach {
            Reach::Open | Reach::Silent => server.listen()?,
            Reach::Refusing => server.stop(),
        }
        server.freeze(reach == Reach::Silent);
        *last = reach;
        Ok(())
    }

    /// Does what is due until a time; gives up the lock between steps.
    fn catch_up(&self, until: Time) {
        if self.shared.next_due().is_none_or(|due| due > until) {
            return;
        }
        loop {
            let (done, reach) = self.shared.step(until);
            // a port that somebody else took meanwhile is tried again with the next tick
            let _ = self.carry_out(reach);
            if done {
                return;
            }
        }
    }
}

/// A running fleet. It ends when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Arc<Member>>,
    clock: Arc<Clock>,
    authority: String,
    tokens: Arc<Vec<(Role, String)>>,
    ticker: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Starts every cluster of a scenario, each with a listener on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When a listener or the keys cannot be made.
    pub async fn start(scenario: Scenario, options: Options) -> Result<Fleet, FleetError> {
        if scenario.file.clusters.is_empty() {
            return Err(FleetError::Empty(scenario.name().to_owned()));
        }
        let keys = tls::make_keys().map_err(|e| FleetError::Keys(e.to_string()))?;
        let clock = Arc::new(Clock::new(options.pace));
        let now = clock.origin();
        let scenario = Arc::new(scenario);
        let worlds = build_all(scenario.clone(), now).await?;
        let tokens = Arc::new(tokens());
        let members = worlds
            .into_iter()
            .zip(&scenario.file.clusters)
            .map(|(world, file)| {
                let about = About {
                    name: file.name.clone(),
                    provider: file.provider.into(),
                    region: file.region.clone(),
                    tier: file.tier,
                };
                member(world, about, &keys, &clock, &tokens, &options)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut fleet = Fleet { members, clock, authority: keys.authority, tokens, ticker: None };
        if matches!(options.pace, Pace::Running(_)) {
            fleet.ticker = Some(tokio::spawn(tick(fleet.members.clone(), fleet.clock.clone(), options.tick)));
        }
        Ok(fleet)
    }

    /// What is known of each cluster, in the scenario's order.
    pub fn clusters(&self) -> impl Iterator<Item = &About> {
        self.members.iter().map(|m| &m.about)
    }

    /// A handle to a cluster, to disturb it and to look into it.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<Control> {
        self.members.iter().find(|m| m.about.name == name).map(|m| Control::new(m.clone()))
    }

    /// Now, in the fleet.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Moves time on and does everything that falls due until then; with [`Pace::Manual`] nothing
    /// else moves it.
    pub fn advance(&self, by: Span) {
        self.clock.advance(by);
        let until = self.clock.now();
        for member in &self.members {
            member.catch_up(until);
        }
    }

    /// A kubeconfig with a context for each cluster, named as the cluster, for one role. It holds
    /// a token: write it only to a file that others cannot read.
    #[must_use]
    pub fn kubeconfig(&self, role: Role) -> String {
        let token = self.tokens.iter().find(|(r, _)| *r == role).map_or("", |(_, t)| t.as_str());
        let authority = tls::base64(self.authority.as_bytes());
        let mut out = String::from("apiVersion: v1\nkind: Config\nclusters:\n");
        // writing into a string cannot fail
        for m in &self.members {
            let _ = write!(
                out,
                "- name: {name}\n  cluster:\n    server: https://{address}\n    certificate-authority-data: {authority}\n",
                name = m.about.name,
                address = m.address,
            );
        }
        let user = role.user();
        let _ = write!(out, "users:\n- name: {user}\n  user:\n    token: {token}\ncontexts:\n");
        for m in &self.members {
            let name = &m.about.name;
            let _ = write!(out, "- name: {name}\n  context:\n    cluster: {name}\n    user: {user}\n");
        }
        let first = self.members.first().map_or("", |m| m.about.name.as_str());
        let _ = writeln!(out, "current-context: {first}");
        out
    }
}

#[cfg(test)]
impl Fleet {
    /// The authority's certificate in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The token of a role.
    pub(crate) fn token(&self, role: Role) -> &str {
        self.tokens.iter().find(|(r, _)| *r == role).map_or("", |(_, t)| t.as_str())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        for member in &self.members {
            member.server.lock().unwrap_or_else(PoisonError::into_inner).stop();
        }
    }
}

/// Builds all clusters on threads of their own: it is arithmetic, and much of it.
async fn build_all(scenario: Arc<Scenario>, now: Time) -> Result<Vec<World>, FleetError> {
    let build = move || {
        let file = &scenario.file;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let chunk = file.clusters.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let part = |clusters: &'_ [scenario::ClusterFile]| -> Vec<World> {
                clusters.iter().map(|c| scenario::build(file, c, now)).collect()
            };
            let threads: Vec<_> =
                file.clusters.chunks(chunk).map(|clusters| scope.spawn(move || part(clusters))).collect();
            threads.into_iter().map(|t| t.join()).collect::<Result<Vec<_>, _>>()
        })
    };
    let built = tokio::task::spawn_blocking(build).await.map_err(|e| FleetError::Build(e.to_string()))?;
    let parts = built.map_err(|_| FleetError::Build("a thread panicked".to_owned()))?;
    Ok(parts.into_iter().flatten().collect())
}

fn member(
    world: World,
    about: About,
    keys: &Keys,
    clock: &Arc<Clock>,
    tokens: &Arc<Vec<(Role, String)>>,
    options: &Options,
) -> Result<Arc<Member>, FleetError> {
    let server_options =
        ServerOptions { streaming_lists: options.streaming_lists, bookmarks: options.bookmarks };
    let shared = Arc::new(Shared::new(world, clock.clone(), tokens.clone(), server_options));
    let server = Server::start(shared.clone(), keys.server.clone())
        .map_err(|source| FleetError::Listen { cluster: about.name.clone(), source })?;
    let address = server.address();
    Ok(Arc::new(Member { about, shared, server: Mutex::new(server), address, reach: Mutex::default() }))
}

/// A token for each role, new with every start: other programs of this machine cannot guess them.
fn tokens() -> Vec<(Role, String)> {
    use std::hash::{BuildHasher, RandomState};
    let token = |role: Role| {
        // seeded by the system's own chance
        let (a, b) = (RandomState::new().hash_one(role.user()), RandomState::new().hash_one("fleet"));
        let mut chance = Random::new(a ^ b.rotate_left(32), role.user());
        format!("sim-{}-{:016x}{:016x}", role.user(), chance.next() ^ a, chance.next() ^ b)
    };
    Role::ALL.into_iter().map(|role| (role, token(role))).collect()
}

async fn tick(members: Vec<Arc<Member>>, clock: Arc<Clock>, every: Duration) {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for member in &members {
            member.catch_up(clock.now());
            tokio::task::yield_now().await;
        }
    }
}
