//! The fleet: every simulated cluster of a scenario, running.

mod member;

pub(crate) use member::Member;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api::Role;
use super::clock::{Clock, Pace};
use super::control::Control;
use super::controllers;
use super::endpoint::{self, Endpoint};
use super::queue::Work;
use super::random::Random;
use super::resources::Res;
use super::scenario::{self, About, ClusterFile, Scenario};
use super::tls;
use super::workstation::Workstation;
use super::world::World;
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
    /// Whether servers since 1.37 compress watches for clients that take that, an event at a time
    /// (feature `WatchListCompression`).
    pub compressed_watches: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pace: Pace::Running(1.0),
            tick: Duration::from_millis(250),
            bookmarks: Duration::from_secs(10),
            streaming_lists: true,
            compressed_watches: true,
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

/// A running fleet. It ends when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    hands: Hands,
    authority: String,
    tokens: Arc<Vec<(Role, String)>>,
    tickers: Vec<JoinHandle<()>>,
    endpoint: Option<Endpoint>,
    news: watch::Sender<()>,
}

/// What a fleet is moved and disturbed by.
#[derive(Clone, Debug)]
pub(crate) struct Hands {
    pub(crate) members: Vec<Arc<Member>>,
    pub(crate) clock: Arc<Clock>,
    scenario: Arc<Scenario>,
}

impl Hands {
    /// Moves time on and does everything that falls due until then.
    pub(crate) fn advance(&self, by: Span) {
        self.clock.advance(by);
        let until = self.clock.now();
        for member in &self.members {
            member.catch_up(until);
        }
    }

    /// Changes of pods a second, in all clusters together.
    pub(crate) fn churn(&self) -> f64 {
        self.members.iter().map(|m| m.shared.read(|world| world.churn.rate())).sum()
    }

    /// Changes so many pods a second, each cluster by its pods.
    pub(crate) fn set_churn(&self, rate: f64) {
        let pods = |m: &Arc<Member>| m.shared.read(|world| world.store.list(Res::Pods, None).count());
        let counts: Vec<usize> = self.members.iter().map(pods).collect();
        let sum = counts.iter().sum::<usize>().max(1) as f64;
        for (member, count) in self.members.iter().zip(counts) {
            member.shared.with(|world| controllers::churn(world, rate * count as f64 / sum));
        }
    }

    /// Begins an incident that is written in TOML; says in which clusters.
    pub(crate) fn begin(&self, text: &str) -> Result<Vec<String>, String> {
        let file = scenario::parse_incident(&self.scenario.file, text)?;
        let mut concerned = Vec::new();
        for member in &self.members {
            let Some(incident) = file.in_cluster(&member.about.name) else { continue };
            concerned.push(member.about.name.clone());
            member.shared.with(|world| {
                let at = world.now + incident.at;
                world.incidents.push(incident);
                world.queue.add(Work::Incident(world.incidents.len() - 1, true), at);
            });
            member.catch_up(self.clock.now());
        }
        match concerned.is_empty() {
            true => Err("no cluster is meant; expected names of clusters, with * for any letters".to_owned()),
            false => Ok(concerned),
        }
    }
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
        let keys = Arc::new(tls::make_keys().map_err(|e| FleetError::Keys(e.to_string()))?);
        let clock = Arc::new(Clock::new(options.pace));
        let now = clock.origin();
        let scenario = Arc::new(scenario);
        let worlds = build_all(scenario.clone(), now).await?;
        let tokens = Arc::new(tokens());
        let news = watch::Sender::new(());
        let common = member::Common {
            scenario: &scenario,
            keys: &keys,
            clock: &clock,
            tokens: &tokens,
            news: &news,
            options: &options,
        };
        let members = worlds
            .into_iter()
            .zip(&scenario.file.clusters)
            .map(|(world, file)| common.member(world, file))
            .collect::<Result<Vec<_>, _>>()?;
        let rate = scenario.file.churn;
        let hands = Hands { members, clock, scenario };
        hands.set_churn(rate);
        let authority = keys.authority.clone();
        let mut fleet = Fleet { hands, authority, tokens, tickers: Vec::new(), endpoint: None, news };
        if matches!(options.pace, Pace::Running(_)) {
            fleet.tickers = tickers(&fleet.hands, options.tick);
        }
        Ok(fleet)
    }

    /// Opens the control endpoint at an address of loopback; says where it listens and the token
    /// that it asks for.
    ///
    /// # Errors
    /// When the address is not of this machine alone, or is taken.
    pub async fn open_control(&mut self, at: SocketAddr) -> io::Result<(SocketAddr, String)> {
        let token = secret("control");
        let (endpoint, address) = endpoint::start(at, token.clone(), self.hands.clone()).await?;
        self.endpoint = Some(endpoint);
        Ok((address, token))
    }

    /// Changes so many pods a second from now on, in all clusters together.
    pub fn set_churn(&self, rate: f64) {
        self.hands.set_churn(rate);
    }

    /// What is known of each cluster, in the scenario's order.
    pub fn clusters(&self) -> impl Iterator<Item = &About> {
        self.hands.members.iter().map(|m| &m.about)
    }

    /// A handle to a cluster, to disturb it and to look into it.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<Control> {
        self.hands.members.iter().find(|m| m.about.name == name).map(|m| Control::new(m.clone()))
    }

    /// Now, in the fleet.
    #[must_use]
    pub fn now(&self) -> Time {
        self.hands.clock.now()
    }

    /// Moves time on and does everything that falls due until then; with [`Pace::Manual`] nothing
    /// else moves it.
    pub fn advance(&self, by: Span) {
        self.hands.advance(by);
    }

    /// The machine on which somebody looks at the fleet.
    #[must_use]
    pub fn workstation(&self) -> Workstation {
        Workstation::new(self.hands.members.clone(), &self.authority, &self.tokens, self.news.subscribe())
    }

    /// A kubeconfig with a context for each cluster, named as the cluster, for one role. It holds
    /// a token: write it only to a file that others cannot read.
    #[must_use]
    pub fn kubeconfig(&self, role: Role) -> String {
        self.workstation().kubeconfig(role, &[role])
    }

    /// The same with the administrator's contexts and the users of all roles, for clients that
    /// can be told whom to act as (`kubectl --user viewer`).
    #[must_use]
    pub fn kubeconfig_with_users(&self) -> String {
        self.workstation().kubeconfig(Role::Admin, &Role::ALL)
    }
}

#[cfg(test)]
impl Fleet {
    /// Begins an incident that is written in TOML.
    pub(crate) fn begin(&self, text: &str) -> Result<Vec<String>, String> {
        self.hands.begin(text)
    }

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
        self.tickers.iter().for_each(JoinHandle::abort);
        self.hands.members.iter().for_each(|member| member.stop());
    }
}

/// Builds all clusters on threads of their own: it is arithmetic, and much of it.
async fn build_all(scenario: Arc<Scenario>, now: Time) -> Result<Vec<World>, FleetError> {
    let build = move || {
        let file = &scenario.file;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let chunk = file.clusters.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let part = |clusters: &'_ [ClusterFile]| -> Vec<World> {
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

/// A token for each role, new with every start: other programs of this machine cannot guess them.
fn tokens() -> Vec<(Role, String)> {
    Role::ALL.into_iter().map(|role| (role, secret(role.user()))).collect()
}

fn secret(of: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    // seeded by the system's own chance
    let (a, b) = (RandomState::new().hash_one(of), RandomState::new().hash_one("fleet"));
    let mut chance = Random::new(a ^ b.rotate_left(32), of);
    format!("sim-{of}-{:016x}{:016x}", chance.next() ^ a, chance.next() ^ b)
}

/// Moves the clusters of a fleet, which know nothing of each other, on all cores.
fn tickers(hands: &Hands, every: Duration) -> Vec<JoinHandle<()>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = |nth| {
        let members: Vec<_> = hands.members.iter().skip(nth).step_by(cores).cloned().collect();
        tokio::spawn(tick(members, hands.clock.clone(), every))
    };
    (0..cores.min(hands.members.len())).map(each).collect()
}

async fn tick(members: Vec<Arc<Member>>, clock: Arc<Clock>, every: Duration) {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for member in &members {
            member.go_on(clock.now());
            tokio::task::yield_now().await;
        }
    }
}
