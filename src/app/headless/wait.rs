//! Waiting until clusters have answered, but not for those that said no.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::engine::Engine;
use super::{Exit, Stop, print};
use crate::model::{Cause, Cluster, ClusterId, Fault, Kind, LinkState, Login, Prompt};
use crate::views::Snapshot;
use crate::views::health;

/// How long a command waits without a word.
const LONG: Duration = Duration::from_secs(3);

/// How much of what is needed is known of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Readiness {
    /// All of it.
    Known,
    /// It may still come; what it waits for.
    Coming(String),
    /// It does not come by itself; why.
    Failed(String),
}

/// Whether waiting is in vain: the same answer comes again until somebody does something.
const fn definite(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Dns
            | Cause::Refused
            | Cause::Tls
            | Cause::Proxy
            | Cause::Unauthorized
            | Cause::Login
            | Cause::Forbidden
            | Cause::NotFound
            | Cause::Config
    )
}

/// How much of these kinds is known of a cluster. A kind that is not served has no objects: that
/// is known, too.
pub(super) fn readiness(cluster: &Cluster, kinds: &[Kind]) -> Readiness {
    if let Some(fault) = &cluster.info.broken {
        return Readiness::Failed(fault.to_string());
    }
    if !cluster.link.live() {
        if let Login::Prompted(prompt) = &cluster.login {
            return Readiness::Coming(asked(prompt));
        }
        return match health::fault(cluster) {
            Some(fault) if definite(fault.cause) => Readiness::Failed(fault.to_string()),
            Some(fault) => Readiness::Coming(fault.to_string()),
            None => Readiness::Coming("still connecting".to_owned()),
        };
    }
    let (mut coming, mut failed) = (Vec::new(), Vec::new());
    for kind in kinds {
        let table = cluster.table(*kind);
        let plural = kind.names().plural;
        let why = |fault: &Option<Fault>| fault.as_ref().map_or(String::new(), |f| format!(": {f}"));
        match table.link.state {
            LinkState::Missing => {}
            LinkState::Denied => failed.push(format!("{plural} may not be read{}", why(&table.link.fault))),
            LinkState::Live if table.synced.is_some() => {}
            _ => coming.push(format!("{plural} still to come{}", why(&table.link.fault))),
        }
    }
    match (coming.as_slice(), failed.as_slice()) {
        ([], []) => Readiness::Known,
        ([], failed) => Readiness::Failed(failed.join("; ")),
        (coming, _) => Readiness::Coming(coming.join("; ")),
    }
}

/// The clusters of a snapshot among these; all when none is named.
pub(super) fn among<'a>(
    snapshot: &'a Snapshot,
    ids: &'a [ClusterId],
) -> impl Iterator<Item = &'a Arc<Cluster>> {
    snapshot.fleet.clusters.iter().filter(move |c| ids.is_empty() || ids.contains(&c.id))
}

/// Whether nothing is to be waited for any more.
pub(super) fn settled(snapshot: &Snapshot, ids: &[ClusterId], kinds: &[Kind]) -> bool {
    among(snapshot, ids).all(|c| !matches!(readiness(c, kinds), Readiness::Coming(_)))
}

/// What is not known: `eks-use1: still connecting`.
pub(super) fn unknown(snapshot: &Snapshot, ids: &[ClusterId], kinds: &[Kind]) -> Vec<String> {
    among(snapshot, ids)
        .filter_map(|c| match readiness(c, kinds) {
            Readiness::Known => None,
            Readiness::Coming(why) | Readiness::Failed(why) => Some(format!("{}: {why}", c.info.name)),
        })
        .collect()
}

/// `a login is wanted: open https://…/device and enter ABCD-1234`.
pub(super) fn asked(prompt: &Prompt) -> String {
    let code = if prompt.code.is_empty() { String::new() } else { format!(" and enter {}", prompt.code) };
    format!("a login is wanted → open {}{code}", prompt.url)
}

/// Waits until these clusters have answered with these kinds, or will not, or time is up. What
/// credential plugins ask of a person meanwhile is said once.
pub(super) async fn settle(
    engine: &mut Engine,
    limit: Duration,
    ids: &[ClusterId],
    kinds: &[Kind],
) -> Arc<Snapshot> {
    until(engine, limit, ids, kinds, |snapshot| settled(snapshot, ids, kinds)).await
}

/// The same, but one of them may be silent: it is waited for until it was tried once in vain, for
/// its silence may be why somebody is in a hurry.
pub(super) async fn settle_without(
    engine: &mut Engine,
    limit: Duration,
    needed: ClusterId,
    spared: ClusterId,
    kinds: &[Kind],
) -> Arc<Snapshot> {
    let in_vain = |snapshot: &Snapshot| {
        snapshot.fleet.cluster(spared).is_some_and(|c| !c.link.live() && c.link.fault.is_some())
    };
    let holds = |snapshot: &Snapshot| {
        settled(snapshot, &[needed], kinds) && (settled(snapshot, &[spared], kinds) || in_vain(snapshot))
    };
    until(engine, limit, &[needed, spared], kinds, holds).await
}

async fn until(
    engine: &mut Engine,
    limit: Duration,
    ids: &[ClusterId],
    kinds: &[Kind],
    holds: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let teller = Teller::new(limit);
    let condition = |snapshot: &Snapshot, _| {
        teller.tell(snapshot, ids, kinds);
        holds(snapshot)
    };
    let waited = engine.wait_for(limit, condition).await;
    waited.unwrap_or_else(|newest| newest)
}

/// What is said while a command waits: once what credential plugins ask of a person, and once what
/// is waited for, when that takes long.
pub(super) struct Teller {
    limit: Duration,
    began: Instant,
    waiting: Cell<bool>,
    prompts: RefCell<Vec<Prompt>>,
}

impl Teller {
    /// For a wait that begins now and ends after `limit`.
    pub(super) fn new(limit: Duration) -> Teller {
        Teller { limit, began: Instant::now(), waiting: Cell::new(false), prompts: RefCell::default() }
    }

    /// Looks at what is known, and says what is to be said of it.
    pub(super) fn tell(&self, snapshot: &Snapshot, ids: &[ClusterId], kinds: &[Kind]) {
        self.prompts(snapshot, ids).iter().for_each(print::err);
        if self.began.elapsed() >= LONG && !self.waiting.get() {
            self.waiting.set(true);
            let left = self.limit.saturating_sub(self.began.elapsed()).as_secs();
            coming(snapshot, ids, kinds).iter().for_each(|what| {
                print::err(format!("waiting for {what} (for {left} s at most; ctrl-c leaves)"));
            });
        }
    }

    /// What is asked of a person and was not told yet.
    fn prompts(&self, snapshot: &Snapshot, ids: &[ClusterId]) -> Vec<String> {
        let mut told = self.prompts.borrow_mut();
        let mut said = Vec::new();
        for cluster in among(snapshot, ids) {
            if let Login::Prompted(prompt) = &cluster.login
                && !told.contains(prompt)
            {
                said.push(format!("{}: {}", cluster.info.name, asked(prompt)));
                told.push(prompt.clone());
            }
        }
        said
    }
}

/// What may still come: `eks-use1: no answer within 10 s`.
fn coming(snapshot: &Snapshot, ids: &[ClusterId], kinds: &[Kind]) -> Vec<String> {
    let text = |cluster: &Arc<Cluster>| match readiness(cluster, kinds) {
        Readiness::Coming(why) => Some(format!("{}: {why}", cluster.info.name)),
        _ => None,
    };
    let all: Vec<String> = among(snapshot, ids).filter_map(text).collect();
    match all.as_slice() {
        [first, second, rest @ ..] if rest.len() > 1 => {
            vec![first.clone(), second.clone(), format!("{} more clusters", rest.len())]
        }
        _ => all,
    }
}

/// Ends the command unless all of this is known of these clusters.
pub(super) fn need(snapshot: &Snapshot, ids: &[ClusterId], kinds: &[Kind]) -> Result<(), Stop> {
    match unknown(snapshot, ids, kinds) {
        why if why.is_empty() => Ok(()),
        why => Err(Stop { exit: Exit::Unreachable, why: why.join("\nquarterdeck: ") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterInfo, Link, Time};

    const NOW: Time = Time::from_seconds(1_000);

    fn cluster(state: LinkState, fault: Option<Cause>) -> Cluster {
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), NOW);
        let fault = fault.map(|cause| Fault::new(cause, "why", ""));
        cluster.link = Link { state, fault, ..Link::waiting(NOW) };
        cluster
    }

    fn table(cluster: &mut Cluster, kind: Kind, state: LinkState) {
        let table = &mut cluster.tables[kind.index()];
        table.link.state = state;
        table.synced = (state == LinkState::Live).then_some(NOW);
    }

    #[test]
    fn clusters_that_said_no_are_not_waited_for() {
        let of = |state, fault| readiness(&cluster(state, fault), &[]);
        assert_eq!(of(LinkState::Broken, Some(Cause::Refused)), Readiness::Failed("why".to_owned()));
        assert_eq!(of(LinkState::Denied, Some(Cause::Login)), Readiness::Failed("why".to_owned()));
        assert_eq!(of(LinkState::Broken, Some(Cause::Server)), Readiness::Coming("why".to_owned()));
        assert_eq!(of(LinkState::Connecting, None), Readiness::Coming("still connecting".to_owned()));
        assert_eq!(of(LinkState::Live, None), Readiness::Known);
    }

    #[test]
    fn what_is_waited_for_is_named_but_not_without_end() {
        let all = (0..7).map(|_| Arc::new(cluster(LinkState::Connecting, None)));
        let fleet = crate::model::Fleet { clusters: all.collect() };
        let snapshot = Snapshot::new(NOW, 1, fleet);
        let waited = coming(&snapshot, &[], &[]);
        assert_eq!(waited, [": still connecting", ": still connecting", "5 more clusters"]);
    }

    #[test]
    fn only_the_kinds_that_are_needed_count() {
        let mut one = cluster(LinkState::Live, None);
        table(&mut one, Kind::Node, LinkState::Live);
        table(&mut one, Kind::Autoscaler, LinkState::Missing);
        table(&mut one, Kind::Event, LinkState::Denied);
        assert_eq!(readiness(&one, &[Kind::Node, Kind::Autoscaler]), Readiness::Known);
        let events = Readiness::Failed("events may not be read".to_owned());
        assert_eq!(readiness(&one, &[Kind::Node, Kind::Event]), events);
        // What is denied is told only when nothing more is to come.
        let pods = Readiness::Coming("pods still to come".to_owned());
        assert_eq!(readiness(&one, &[Kind::Event, Kind::Pod]), pods);
    }
}
