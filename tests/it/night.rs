//! Ten minutes of the night shift: everything that goes wrong there, through the real watches into
//! the real store with every rule and observer, and every pane on what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck::model::{Cluster, Kind, Span, Time};
use quarterdeck::sim::{Control, Fleet, Options, Pace, Role, Scenario};
use quarterdeck::views::cost::{CostLens, Unit};
use quarterdeck::views::placement::PlacementLens;
use quarterdeck::views::{Scope, Snapshot, cost, fleet, health, objects, placement, scaling};

use super::ground::{Ground, PATIENCE};

/// How far time moves at once, and how often.
const STEP: Span = Span::from_seconds(10);
const STEPS: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_night_shift_is_followed_to_the_letter_and_breaks_no_pane() {
    let (name, text) = Scenario::SHIPPED[0];
    let scenario = Scenario::parse(name, text).unwrap_or_else(|e| panic!("{e}"));
    let options = Options { pace: Pace::Manual, bookmarks: Duration::from_millis(200), ..Options::default() };
    let night = Arc::new(Fleet::start(scenario, options).await.unwrap());
    let clock = Arc::clone(&night);
    let mut ground = Ground::open_with(&night.kubeconfig(Role::Admin), move || clock.now());
    let names = ground.names();
    for _ in 0..STEPS {
        night.advance(STEP);
        for name in &names {
            caught_up(&mut ground, name, &night.cluster(name).unwrap()).await;
        }
        draw_all(&ground.snapshot(), night.now());
    }
    let snapshot = ground.snapshot();
    let signals: usize = snapshot.fleet.clusters.iter().map(|c| c.signals.len()).sum();
    let began = snapshot.fleet.clusters.iter().all(|c| c.link.live() || c.link.fault.is_some());
    assert!(began, "every link is live or says why not");
    assert!(signals > 0, "something happened in ten minutes");
    let crashed = |c: &Cluster| c.link.fault.as_ref().is_some_and(|f| f.what.contains("crashed"));
    assert!(!snapshot.fleet.clusters.iter().any(|c| crashed(c)), "no watch crashed");
}

/// Waits until the store has what the server has, version by version, of every kind that can be
/// read; a cluster that cannot be reached or a kind that is denied has to say so instead.
async fn caught_up(ground: &mut Ground, name: &str, control: &Control) {
    let mut snapshots = ground.snapshots();
    let same = async {
        for kind in Kind::ALL {
            let wanted = versions_there(control, kind);
            let holds = |s: &Snapshot| {
                let cluster = s.fleet.by_name(name).unwrap();
                let link = &cluster.table(kind).link;
                let out_of_reach = link.synced_away(cluster);
                out_of_reach || versions_here(cluster, kind) == wanted
            };
            snapshots.wait_for(|s| holds(s)).await.expect("the store is there");
        }
    };
    if tokio::time::timeout(PATIENCE, same).await.is_err() {
        let cluster = ground.cluster(name);
        let different =
            Kind::ALL.into_iter().find(|k| versions_here(&cluster, *k) != versions_there(control, *k));
        panic!("{name} never caught up: {different:?}, {:?}", different.map(|k| &cluster.table(k).link));
    }
}

/// Whether what is known of a kind is said not to be current.
trait Away {
    fn synced_away(&self, cluster: &Cluster) -> bool;
}

impl Away for quarterdeck::model::Link {
    fn synced_away(&self, cluster: &Cluster) -> bool {
        self.fault.is_some() || cluster.link.fault.is_some()
    }
}

fn versions_here(cluster: &Cluster, kind: Kind) -> BTreeMap<String, u64> {
    let entry = |m: &quarterdeck::model::Meta| (format!("{}/{}", m.namespace, m.name), m.version.0);
    cluster.records(kind).map(|record| entry(record.meta())).collect()
}

fn versions_there(control: &Control, kind: Kind) -> BTreeMap<String, u64> {
    let entry = |object: &Arc<serde_json::Value>| {
        let meta = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        (format!("{}/{}", meta("namespace"), meta("name")), meta("resourceVersion").parse().unwrap())
    };
    control.objects(kind.names().plural).iter().map(entry).collect()
}

fn draw_all(snapshot: &Snapshot, now: Time) {
    let scope = Scope::All;
    let mut sheets = vec![fleet::sheet(snapshot, &scope, now), scaling::sheet(snapshot, &scope, now)];
    sheets.extend(health::LENSES.into_iter().map(|lens| health::sheet(snapshot, &scope, now, lens)));
    let lens = |name: &str| placement::sheet(snapshot, &scope, PlacementLens::named(name), now);
    sheets.extend(["app", "pool", "pending"].map(lens));
    let lens = |name: &str| cost::sheet(snapshot, &scope, CostLens::named(name), Unit::Hour, now);
    sheets.extend(["cluster", "namespace", "workload", "pool"].map(lens));
    sheets.extend(Kind::ALL.into_iter().map(|kind| objects::sheet(snapshot, &scope, kind, now)));
    assert!(!sheets[0].rows.is_empty(), "the fleet has clusters");
    let _ = fleet::header(snapshot, now);
    let _ = fleet::notices(snapshot, &scope, now);
}
