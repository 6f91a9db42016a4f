//! Made-up load for the store's tests: pods as a cluster of many applications has them.

use std::sync::Arc;

use super::Store;
use crate::model::{
    Change, ClusterId, Container, ContainerState, Delta, Kind, Labels, Meta, Owner, Phase, Pod, Record,
    Resources, Text, Time, Uid, Version,
};

/// Pods of one application; they share labels, owner and image.
const REPLICAS: u64 = 7;

/// The pod of this number at this version: always the same for the same numbers.
pub(super) fn pod(number: u64, version: u64) -> Record {
    let app = number / REPLICAS;
    let name = format!("app-{app}-6c9f77b5d8");
    let uid = |class: u32, n: u64| Uid::parse(&format!("{class:08x}-0000-4000-8000-{n:012x}"));
    let labels = [("app", format!("app-{app}")), ("pod-template-hash", "6c9f77b5d8".to_owned())];
    let labels = labels.into_iter().map(|(k, v)| (Text::clean(k), Text::from(v))).collect();
    let owner = Owner {
        api: "apps/v1".into(),
        kind: "ReplicaSet".into(),
        name: name.as_str().into(),
        uid: uid(2, app),
    };
    let since = Time::from_seconds(1_700_000_000);
    let container = Container {
        name: "main".into(),
        image: format!("registry.example/team/app-{app}:1.{}", app % 40).into(),
        ready: true,
        state: ContainerState::Running,
        since: Some(since),
        ..Container::default()
    };
    Record::Pod(Pod {
        meta: Meta {
            uid: uid(1, number),
            version: Version(version),
            name: format!("{name}-{number:05x}").into(),
            namespace: format!("team-{}", app % 50).into(),
            created: Some(since),
            labels: Labels::new(labels),
            owner: Some(Arc::new(owner)),
            ..Meta::default()
        },
        node: format!("node-{}", number % 997).into(),
        phase: Phase::Running,
        ready: true,
        // What changes with the version can be seen.
        ready_since: Some(Time::from_millis(since.millis() + version.cast_signed())),
        scheduled: Some(since),
        requests: Resources { cpu: 250, memory: 256 << 20, gpus: 0, pods: 1 },
        containers: Box::new([container]),
        grace_seconds: 30,
        ..Pod::default()
    })
}

/// Lists `pods` pods of one cluster into the store in pages of 500 and says how many are there
/// then.
pub(super) fn list_pods(store: &mut Store, cluster: ClusterId, pods: u64, at: Time) -> usize {
    let mut send = |change| store.apply(Delta { cluster, at, change });
    send(Change::Begin(Kind::Pod));
    for page in 0..pods.div_ceil(500) {
        let numbers = page * 500..pods.min(page * 500 + 500);
        send(Change::Page(Kind::Pod, numbers.map(|n| pod(n, n + 1)).collect()));
    }
    send(Change::Synced(Kind::Pod, Version(pods)));
    store.clusters.get(usize::from(cluster.0)).map_or(0, |s| s.cluster().pods().count())
}

/// Changes `events` pods of a listed cluster one by one, from `version` on, and says how many of
/// those deltas changed something.
pub(super) fn churn(
    store: &mut Store,
    cluster: ClusterId,
    pods: u64,
    version: u64,
    events: u64,
    at: Time,
) -> u64 {
    let generation =
        |store: &Store| store.clusters.get(usize::from(cluster.0)).map_or(0, |s| s.cluster().generation);
    let before = generation(store);
    for event in 0..events {
        let record = pod((event * 7919) % pods.max(1), version + event);
        store.apply(Delta { cluster, at, change: Change::Upsert(Arc::new(record)) });
    }
    generation(store) - before
}
