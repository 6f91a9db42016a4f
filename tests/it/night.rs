//! Ten minutes of the night shift: everything that goes wrong there, through the real watches into
//! the real store with every rule and observer, and every pane on what comes of it.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck::model::{Cluster, Kind, Span, Time};
use quarterdeck::sim::{Control, Fleet, Options, Pace, Role, Scenario};
use quarterdeck::views::cost::{CostLens, Unit};
use quarterdeck::views::placement::PlacementLens;
use quarterdeck::views::{Scope, Snapshot, cost, fleet, health, objects, placement, scaling};

use super::ground::{Ground, PATIENCE};
use super::versions::{here, there};

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
    let ground = Ground::open_with(&night.kubeconfig(Role::Admin), move || clock.now());
    let names = ground.names();
    let mut compared = 0;
    for _ in 0..STEPS {
        night.advance(STEP);
        for name in &names {
            compared += caught_up(&ground, name, &night.cluster(name).unwrap()).await;
        }
        draw_all(&ground.snapshot(), night.now());
    }
    let all = STEPS * u32::try_from(names.len() * Kind::COUNT).unwrap();
    assert!(compared * 10 > all * 8, "most kinds could be compared: {compared} of {all}");
    let snapshot = ground.snapshot();
    let signals: usize = snapshot.fleet.clusters.iter().map(|c| c.signals.len()).sum();
    let began = snapshot.fleet.clusters.iter().all(|c| c.link.live() || c.link.fault.is_some());
    assert!(began, "every link is live or says why not");
    assert!(signals > 0, "something happened in ten minutes");
    let crashed = |c: &Cluster| c.link.fault.as_ref().is_some_and(|f| f.what.contains("crashed"));
    assert!(!snapshot.fleet.clusters.iter().any(|c| crashed(c)), "no watch crashed");
}

/// Waits until the store has what the server has, version by version, of every kind that can be
/// read; a cluster that cannot be reached or a kind that is denied has to say so instead. Gives
/// how many kinds were compared.
async fn caught_up(ground: &Ground, name: &str, control: &Control) -> u32 {
    let mut compared = 0;
    for kind in Kind::ALL {
        let wanted = there(control, kind);
        let away = |c: &Cluster| c.link.fault.is_some() || c.table(kind).link.fault.is_some();
        let mut snapshots = ground.snapshots();
        let holds =
            |s: &Arc<Snapshot>| s.fleet.by_name(name).is_some_and(|c| away(c) || here(c, kind) == wanted);
        match tokio::time::timeout(PATIENCE, snapshots.wait_for(holds)).await {
            Ok(snapshot) => {
                let snapshot = snapshot.expect("the store is there");
                compared += u32::from(!away(snapshot.fleet.by_name(name).unwrap()));
            }
            Err(_) => {
                let cluster = ground.cluster(name);
                let here = here(&cluster, kind);
                let differ: Vec<_> = wanted.iter().filter(|(name, v)| here.get(*name) != Some(v)).collect();
                panic!("{name} never caught up with {kind:?}: {differ:?}\n{:?}", cluster.table(kind).link);
            }
        }
    }
    compared
}

fn draw_all(snapshot: &Snapshot, now: Time) {
    let scope = Scope::All;
    let mut sheets = vec![
        fleet::sheet(snapshot, &scope, now),
        scaling::sheet(snapshot, &scope, scaling::ScalingLens::Time, now),
    ];
    sheets.extend(health::LENSES.into_iter().map(|lens| health::sheet(snapshot, &scope, now, lens)));
    let lens = |name: &str| placement::sheet(snapshot, &scope, PlacementLens::named(name), now);
    sheets.extend(["app", "pool", "pending"].map(lens));
    let lens = |name: &str| cost::sheet(snapshot, &scope, CostLens::named(name), Unit::Hour, now);
    sheets.extend(["cluster", "namespace", "workload", "pool"].map(lens));
    sheets.extend(Kind::ALL.into_iter().map(|kind| objects::sheet(snapshot, &scope, kind, now, None)));
    assert!(!sheets[0].rows.is_empty(), "the fleet has clusters");
    assert_ne!(fleet::header(snapshot, now).rate(quarterdeck::views::cost::Unit::Hour), "");
    assert!(fleet::notices(snapshot, &scope, now).len() < 1000);
}
