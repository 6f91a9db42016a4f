//! Small clusters for the tests of operations and of the runner.

use std::sync::Arc;

use crate::model::{
    Autoscaler, Budget, Cluster, ClusterId, ClusterInfo, Fleet, Kind, Labels, Link, LinkState, Meta, Node,
    ObjectKey, Owner, Phase, Pod, Record, Resources, Selector, Text, Tier, Time, Truth, Uid, Version,
    Workload,
};
use crate::views::Snapshot;

/// The moment of every test.
pub(crate) const NOW: Time = Time::from_seconds(1_795_000_000);

/// A cluster that is being put together.
pub(crate) struct World {
    cluster: Cluster,
    next: u64,
}

/// A uid that survives the way to the server.
pub(crate) fn uid(number: u64) -> Uid {
    Uid::parse(&format!("00000000-0000-4000-8000-{number:012x}"))
}

pub(crate) fn snapshot(worlds: Vec<World>) -> Snapshot {
    let clusters = worlds.into_iter().map(|w| Arc::new(w.cluster)).collect();
    Snapshot::new(NOW, 1, Fleet { clusters })
}

/// The key of an object of a snapshot.
pub(crate) fn key(snapshot: &Snapshot, cluster: u16, kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    let cluster = snapshot.fleet.cluster(ClusterId(cluster)).unwrap();
    cluster.find(kind, namespace, name).unwrap().key(cluster.id)
}

impl World {
    pub(crate) fn new(id: u16, name: &str, tier: Tier) -> World {
        let info = ClusterInfo { name: name.into(), tier, ..ClusterInfo::default() };
        let mut cluster = Cluster::new(ClusterId(id), Arc::new(info), NOW);
        let live = Link { state: LinkState::Live, heard: Some(NOW), ..Link::waiting(NOW) };
        cluster.link = live.clone();
        for table in &mut cluster.tables {
            table.link = live.clone();
            table.synced = Some(NOW);
        }
        World { cluster, next: u64::from(id) * 10_000 + 1 }
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Cluster)) -> World {
        change(&mut self.cluster);
        self
    }

    pub(crate) fn record(mut self, mut record: Record) -> World {
        let meta = match &mut record {
            Record::Node(r) => &mut r.meta,
            Record::Pod(r) => &mut r.meta,
            Record::Workload(r) => &mut r.meta,
            Record::Budget(r) => &mut r.meta,
            Record::Autoscaler(r) => &mut r.meta,
            other => panic!("no fixture for {:?}", other.kind()),
        };
        meta.uid = uid(self.next);
        meta.version = Version(self.next);
        self.next += 1;
        self.cluster.tables[record.kind().index()].rows.insert(Arc::new(record));
        self
    }

    /// The uid of the record that was added last.
    pub(crate) fn last_uid(&self) -> Uid {
        uid(self.next - 1)
    }

    /// A ready node of 8 cores and 32 GiB.
    pub(crate) fn node(self, name: &str, pool: &str, zone: &str) -> World {
        self.node_with(name, pool, zone, |_| ())
    }

    pub(crate) fn node_with(
        self,
        name: &str,
        pool: &str,
        zone: &str,
        change: impl FnOnce(&mut Node),
    ) -> World {
        let mut node = Node { meta: meta("", name), ready: Truth::True, ..Node::default() };
        node.identity.pool = pool.into();
        node.identity.zone = zone.into();
        node.allocatable = Resources { cpu: 8000, memory: 32 << 30, gpus: 0, pods: 110 };
        change(&mut node);
        self.record(Record::from(node))
    }

    /// A running, ready pod of 1 core and 1 GiB of a replica set named like its application.
    pub(crate) fn pod(self, name: &str, app: &str, node: &str) -> World {
        self.pod_with(name, app, node, |_| ())
    }

    pub(crate) fn pod_with(self, name: &str, app: &str, node: &str, change: impl FnOnce(&mut Pod)) -> World {
        let mut pod = Pod { meta: meta("shop", name), ..Pod::default() };
        pod.meta.labels = labels(app);
        pod.meta.owner = Some(owner("apps/v1", "ReplicaSet", app));
        pod.node = node.into();
        pod.phase = Phase::Running;
        pod.ready = true;
        pod.grace_seconds = 30;
        pod.requests = Resources { cpu: 1000, memory: 1 << 30, gpus: 0, pods: 1 };
        change(&mut pod);
        self.record(Record::Pod(pod))
    }

    /// A deployment and its replica set, all replicas ready.
    pub(crate) fn deployment(self, app: &str, replicas: u32) -> World {
        let mut set = workload(Kind::ReplicaSet, app, replicas);
        set.meta.owner = Some(owner("apps/v1", "Deployment", app));
        self.record(Record::Workload(set)).record(Record::Workload(workload(Kind::Deployment, app, replicas)))
    }

    pub(crate) fn daemon_set(self, name: &str) -> World {
        self.record(Record::Workload(workload(Kind::DaemonSet, name, 1)))
    }

    /// A budget of an application.
    pub(crate) fn budget(self, name: &str, app: &str, allowed: u32, healthy: u32, needed: u32) -> World {
        self.budget_with(name, app, |b| (b.allowed, b.healthy, b.needed) = (allowed, healthy, needed))
    }

    pub(crate) fn budget_with(self, name: &str, app: &str, change: impl FnOnce(&mut Budget)) -> World {
        let selector = Selector { labels: labels(app), ..Selector::default() };
        let mut budget = Budget {
            meta: meta("shop", name),
            selector,
            expected: 26,
            generation: 1,
            observed: 1,
            ..Budget::default()
        };
        change(&mut budget);
        self.record(Record::Budget(budget))
    }

    pub(crate) fn autoscaler(self, app: &str, min: u32, max: u32) -> World {
        self.record(Record::Autoscaler(Autoscaler {
            meta: meta("shop", app),
            target_kind: "Deployment".into(),
            target: app.into(),
            min,
            max,
            ..Autoscaler::default()
        }))
    }
}

pub(crate) fn owner(api: &str, kind: &str, name: &str) -> Arc<Owner> {
    Arc::new(Owner { api: api.into(), kind: kind.into(), name: name.into(), uid: Uid::parse(name) })
}

fn labels(app: &str) -> Labels {
    Labels::new(vec![("app".into(), Text::clean(app))])
}

fn meta(namespace: &str, name: &str) -> Meta {
    Meta { namespace: namespace.into(), name: name.into(), ..Meta::default() }
}

pub(crate) fn workload(kind: Kind, name: &str, replicas: u32) -> Workload {
    Workload {
        meta: meta("shop", name),
        kind,
        desired: replicas,
        current: replicas,
        ready: replicas,
        updated: replicas,
        available: replicas,
        generation: 1,
        observed: 1,
        paused: false,
        selector: Selector { labels: labels(name), ..Selector::default() },
        images: Box::new([]),
        requests: Resources { cpu: 1000, memory: 1 << 30, gpus: 0, pods: 1 },
        conditions: Box::new([]),
        revision: Text::EMPTY,
    }
}
