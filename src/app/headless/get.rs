//! `get`: what a pane shows, printed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::cli::{ClusterArgs, Exit, GetArgs, Severity, View};
use super::super::clock::now;
use super::super::engine::Engine;
use super::super::output;
use super::condition::{Condition, Counted};
use super::{Stop, print, registry, wait};
use crate::model::{Cluster, Kind, Text, Time, Tone, nearest};
use crate::views::cost::{CostLens, Unit};
use crate::views::placement::PlacementLens;
use crate::views::scaling::ScalingLens;
use crate::views::{Scope, Sheet, Snapshot, cost, fleet, health, objects, placement, scaling};

/// How long what nodes and pods use is waited for when all else is there. It comes or it does
/// not: nothing tells that it will not.
const METRICS: Duration = Duration::from_secs(3);

/// What is asked for, checked.
struct Wish {
    view: View,
    kind: Kind,
    lens: String,
    scope: Scope,
    until: Option<Condition>,
    /// The kinds that must be there.
    kinds: Vec<Kind>,
}

/// Prints a view once its clusters have answered, or once a condition holds.
pub(super) async fn run(arguments: &GetArgs, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let wish = wish(arguments)?;
    let (_, mut engine) = super::start(clusters)?;
    let began = Instant::now();
    let teller = wait::Teller::new(arguments.timeout);
    let holds = |snapshot: &Snapshot, now| {
        teller.tell(snapshot, &[], &wish.kinds);
        wish.holds(snapshot, now)
    };
    let waited = engine.wait_for(arguments.timeout, holds).await;
    let held = waited.is_ok();
    let mut snapshot = waited.unwrap_or_else(|newest| newest);
    if held && wish.until.is_none() && wish.shows_usage() {
        let left = arguments.timeout.saturating_sub(began.elapsed());
        snapshot = with_usage(&mut engine, left.min(METRICS)).await;
    }
    if wish.shows_usage() {
        let silent = |c: &&Arc<Cluster>| c.served.metrics && c.link.live() && c.usage_at.is_none();
        for cluster in snapshot.fleet.clusters.iter().filter(silent) {
            print::err(format!(
                "{}: its metrics have not come; what is used is not known",
                cluster.info.name
            ));
        }
    }
    let now = now();
    let sheet = wish.sheet(&snapshot, now);
    print::with(|out| output::write(out, &sheet, arguments.output))?;
    let unknown = wait::unknown(&snapshot, &[], &wish.kinds);
    unknown.iter().for_each(print::err);
    if let (false, Some(condition)) = (held, &wish.until) {
        let count = wish.count(condition, &snapshot, now);
        let until = arguments.until.as_deref().unwrap_or_default();
        print::err(format!("quarterdeck: {until} did not come true in time; it is {count}"));
        return Ok(Exit::TimedOut);
    }
    if arguments.fail_on.is_some_and(|worst| wish.any_as_bad(worst, &snapshot, now)) {
        return Ok(Exit::Findings);
    }
    Ok(if unknown.is_empty() { Exit::Done } else { Exit::Unreachable })
}

async fn with_usage(engine: &mut Engine, limit: Duration) -> Arc<Snapshot> {
    let there = |snapshot: &Snapshot, _| {
        let mut asked = snapshot.fleet.clusters.iter().filter(|c| c.served.metrics && c.link.live());
        asked.all(|c| c.usage_at.is_some())
    };
    engine.wait_for(limit, there).await.unwrap_or_else(|newest| newest)
}

fn wish(arguments: &GetArgs) -> Result<Wish, Stop> {
    let view = arguments.view;
    let kind = Kind::by_any_name(&arguments.kind).ok_or_else(|| {
        let plurals = Kind::ALL.map(|kind| kind.names().plural);
        let meant = nearest(&arguments.kind, plurals).map_or(String::new(), |m| format!("; {m}?"));
        Stop::usage(format!("there is no kind {:?}{meant} (one of {})", arguments.kind, plurals.join(", ")))
    })?;
    if view != View::Objects && kind != Kind::Pod {
        return Err(Stop::usage(format!("a kind goes with objects: get objects {}", arguments.kind)));
    }
    let lenses: &[&str] = match view {
        View::Findings => registry::FINDINGS_LENSES,
        View::Placement => registry::PLACEMENT_LENSES,
        View::Cost => registry::COST_LENSES,
        View::Scaling => registry::SCALING_LENSES,
        View::Fleet | View::Objects => &[],
    };
    let lens = arguments.by.clone();
    if !lens.is_empty() && !lenses.contains(&lens.as_str()) {
        return Err(Stop::usage(match lenses {
            [] => format!("--by {lens}: this view has no lenses"),
            _ => format!("--by {lens}: expected {}", lenses.join(", ")),
        }));
    }
    let until: Option<Condition> = match &arguments.until {
        Some(text) => Some(text.parse().map_err(Stop::usage)?),
        None => None,
    };
    let findings = arguments.fail_on.is_some() || until.is_some_and(|c| c.counted == Counted::Findings);
    let kinds = if findings { Kind::ALL.to_vec() } else { kinds(view, kind) };
    let everywhere = |name: &String| Scope::NamespaceEverywhere(Text::clean(name));
    let scope = arguments.namespace.as_ref().map_or(Scope::All, everywhere);
    Ok(Wish { view, kind, lens, scope, until, kinds })
}

/// The kinds that a view is made from.
fn kinds(view: View, kind: Kind) -> Vec<Kind> {
    use Kind::{
        Autoscaler, Claim, DaemonSet, Deployment, Event, Job, Node, Pod, ReplicaSet, Service, StatefulSet,
        StorageClass, Volume,
    };
    match view {
        // Both tell what is wrong, and rules look at everything.
        View::Fleet | View::Findings => Kind::ALL.to_vec(),
        View::Placement => vec![Node, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet],
        View::Scaling => vec![Node, Pod, Deployment, StatefulSet, ReplicaSet, Autoscaler, Event],
        View::Cost => {
            let nodes = [Node, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job];
            [nodes.as_slice(), &[Claim, Volume, Service, StorageClass]].concat()
        }
        // The pods of a node are counted in its row.
        View::Objects if kind == Node => vec![Node, Pod],
        View::Objects => vec![kind],
    }
}

impl Wish {
    fn holds(&self, snapshot: &Snapshot, now: Time) -> bool {
        wait::settled(snapshot, &[], &self.kinds)
            && self.until.is_none_or(|condition| condition.holds(self.count(&condition, snapshot, now)))
    }

    fn count(&self, condition: &Condition, snapshot: &Snapshot, now: Time) -> usize {
        match condition.counted {
            Counted::Findings => health::findings(snapshot, &self.scope, now).len(),
            Counted::Rows => self.sheet(snapshot, now).rows.len(),
        }
    }

    fn any_as_bad(&self, worst: Severity, snapshot: &Snapshot, now: Time) -> bool {
        let limit = match worst {
            Severity::Warn => Tone::Warn,
            Severity::Crit => Tone::Crit,
        };
        health::findings(snapshot, &self.scope, now).iter().any(|finding| finding.tone >= limit)
    }

    fn shows_usage(&self) -> bool {
        self.view == View::Cost || self.view == View::Objects && matches!(self.kind, Kind::Node | Kind::Pod)
    }

    fn sheet(&self, snapshot: &Snapshot, now: Time) -> Sheet {
        let (scope, lens) = (&self.scope, self.lens.as_str());
        match self.view {
            View::Fleet => fleet::sheet(snapshot, scope, now),
            View::Findings => registry::findings(snapshot, scope, lens, now),
            View::Placement => placement::sheet(snapshot, scope, PlacementLens::named(lens), now),
            View::Scaling => scaling::sheet(snapshot, scope, ScalingLens::named(lens), now),
            View::Cost => cost::sheet(snapshot, scope, CostLens::named(lens), Unit::Hour, now),
            View::Objects => objects::sheet(snapshot, scope, self.kind, now, None),
        }
    }
}
