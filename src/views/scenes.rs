//! Small fleets for the tests of views: records and clusters from a few words.

use std::sync::Arc;

use super::{Observer, Rule, Snapshot};
use crate::model::{
    Amount, Autoscaler, Capacity, Cluster, ClusterId, ClusterInfo, Condition, Container, ContainerState,
    CostTotals, Event, Fleet, Identity, Image, Kind, Labels, Link, LinkState, Login, Manager, Meta, Metric,
    Money, Node, Owner, Phase, Pod, Provider, Record, Regarding, Resources, Signal, Text, Time, Truth, Uid,
    Version, Workload,
};

/// 02:14:07 of the night of the mocks.
pub(crate) fn now() -> Time {
    Time::parse("2026-11-21T02:14:07Z").unwrap()
}

/// That night at this clock.
pub(crate) fn clock(clock: &str) -> Time {
    Time::parse(&format!("2026-11-21T{clock}Z")).unwrap()
}

pub(crate) fn meta(namespace: &str, name: &str) -> Meta {
    Meta {
        uid: Uid::parse(&format!("{namespace}/{name}")),
        version: Version(1),
        name: name.into(),
        namespace: namespace.into(),
        created: Some(clock("01:00:00")),
        ..Meta::default()
    }
}

pub(crate) fn node(name: &str, pool: &str, zone: &str) -> Node {
    let size = Resources { cpu: 8000, memory: 32 << 30, gpus: 0, pods: 110 };
    Node {
        meta: meta("", name),
        identity: Identity {
            provider: Provider::Gke,
            region: "europe-west1".into(),
            zone: zone.into(),
            instance_type: "n2-standard-8".into(),
            capacity: Capacity::OnDemand,
            pool: pool.into(),
        },
        capacity: size,
        allocatable: size,
        ready: Truth::True,
        ready_since: Some(clock("01:01:00")),
        ..Node::default()
    }
}

pub(crate) fn deployment(namespace: &str, name: &str, image: &str, desired: u32, ready: u32) -> Workload {
    Workload {
        meta: meta(namespace, name),
        kind: Kind::Deployment,
        desired,
        current: desired,
        ready,
        updated: desired,
        available: ready,
        generation: 1,
        observed: 1,
        paused: false,
        selector: Default::default(),
        images: Box::new([Image { container: "main".into(), image: image.into() }]),
        requests: Resources { cpu: 500, memory: 1 << 30, gpus: 0, pods: 1 },
        conditions: Box::default(),
        revision: "1".into(),
    }
}

/// A ready pod of a deployment on a node.
pub(crate) fn pod(namespace: &str, deployment: &str, suffix: &str, image: &str, node: &str) -> Pod {
    let set = format!("{deployment}-7d9f");
    let owner = Owner {
        api: "apps/v1".into(),
        kind: "ReplicaSet".into(),
        name: set.as_str().into(),
        uid: Uid::parse(&format!("{namespace}/{set}")),
    };
    Pod {
        meta: Meta {
            labels: Labels::new(vec![("pod-template-hash".into(), "7d9f".into())]),
            owner: Some(Arc::new(owner)),
            ..meta(namespace, &format!("{set}-{suffix}"))
        },
        node: node.into(),
        phase: Phase::Running,
        ready: true,
        ready_since: Some(clock("01:02:00")),
        scheduled: Some(clock("01:01:30")),
        requests: Resources { cpu: 500, memory: 1 << 30, gpus: 0, pods: 1 },
        containers: Box::new([Container {
            name: "main".into(),
            image: image.into(),
            ready: true,
            state: ContainerState::Running,
            since: Some(clock("01:02:00")),
            ..Container::default()
        }]),
        grace_seconds: 30,
        ..Pod::default()
    }
}

/// The same pod with its container waiting for this reason since then.
pub(crate) fn waits(mut pod: Pod, reason: &str, message: &str, since: Time) -> Pod {
    pod.ready = false;
    pod.ready_since = Some(since);
    let container = &mut pod.containers[0];
    container.ready = false;
    container.state = ContainerState::Waiting;
    container.reason = reason.into();
    container.message = message.into();
    container.since = Some(since);
    pod
}

pub(crate) fn managed(mut workload: Workload, system: &str, name: &str) -> Workload {
    workload.meta.manager = Some(Arc::new(Manager { system: system.into(), name: name.into() }));
    workload
}

/// The autoscaler of shop/checkout, from 6 to 40: limited where it wants 40.
pub(crate) fn checkout(desired: u32, current: u32) -> Autoscaler {
    let ceiling = Condition {
        kind: "ScalingLimited".into(),
        status: if desired == 40 { Truth::True } else { Truth::False },
        reason: "TooManyReplicas".into(),
        message: Text::EMPTY,
        since: Some(clock("01:58:10")),
    };
    Autoscaler {
        meta: meta("shop", "checkout"),
        target_kind: "Deployment".into(),
        target: "checkout".into(),
        min: 6,
        max: 40,
        current,
        desired,
        metrics: Box::new([Metric {
            name: "cpu".into(),
            current: Some(Amount::Percent(96)),
            target: Some(Amount::Percent(70)),
        }]),
        conditions: Box::new([ceiling]),
        ..Autoscaler::default()
    }
}

pub(crate) fn event(
    regarding: (&str, &str, &str),
    component: &str,
    reason: &str,
    message: &str,
    at: Time,
) -> Event {
    let (kind, namespace, name) = regarding;
    Event {
        meta: meta(namespace, &format!("{name}.{reason}.{}", at.millis())),
        regarding: Regarding {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            uid: Uid::default(),
        },
        reason: reason.into(),
        message: message.into(),
        component: component.into(),
        first: Some(at),
        last: Some(at),
        count: 1,
        ..Event::default()
    }
}

/// A live cluster in the making.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
}

impl Scene {
    pub(crate) fn new(id: u16, name: &str) -> Scene {
        let info = ClusterInfo { name: name.into(), ..ClusterInfo::default() };
        let mut cluster = Cluster::new(ClusterId(id), Arc::new(info), clock("01:00:00"));
        let live = Link { state: LinkState::Live, heard: Some(now()), ..Link::waiting(clock("01:00:00")) };
        cluster.link = live.clone();
        cluster.login = Login::Good(None);
        cluster.version = "v1.36.3-gke.1".into();
        for table in &mut cluster.tables {
            table.link = live.clone();
            table.synced = Some(clock("01:00:05"));
        }
        Scene { cluster }
    }

    /// Puts records in, with the symptoms that the rules see at `at`.
    pub(crate) fn with(mut self, rules: &[Box<dyn Rule>], records: Vec<Record>, at: Time) -> Scene {
        for record in records {
            let found = rules.iter().find_map(|rule| rule.symptom(&self.cluster, &record, at));
            if let Some(symptom) = found {
                Arc::make_mut(&mut self.cluster.symptoms).insert(record.meta().uid, Arc::new(symptom));
            }
            self.cluster.tables[record.kind().index()].rows.insert(Arc::new(record));
        }
        self.counted()
    }

    /// Changes one record and lets an observer tell what happened.
    pub(crate) fn then(
        &mut self,
        observers: &[Box<dyn Observer>],
        before: Option<&Record>,
        after: Option<&Record>,
        at: Time,
    ) {
        let mut told: Vec<Signal> = Vec::new();
        for observer in observers {
            observer.observe(&self.cluster, before, after, at, &mut told);
        }
        let kind = after.or(before).unwrap().kind();
        let mut rows = crate::model::Rows::default();
        for row in self.cluster.records(kind) {
            if before.is_none_or(|b| b.meta().uid != row.meta().uid) {
                rows.insert(row.clone());
            }
        }
        if let Some(after) = after {
            rows.insert(Arc::new(after.clone()));
        }
        self.cluster.tables[kind.index()].rows = rows;
        let signals = Arc::make_mut(&mut self.cluster.signals);
        signals.extend(told.into_iter().map(Arc::new));
        signals.sort_by_key(|s| s.at);
    }

    fn counted(mut self) -> Scene {
        let mut totals = crate::model::Totals::default();
        for node in self.cluster.nodes() {
            totals.nodes += 1;
            totals.nodes_ready += u32::from(node.ready == Truth::True);
            totals.allocatable += node.allocatable;
            totals.capacity += node.capacity;
        }
        for pod in self.cluster.pods().filter(|p| !p.finished()) {
            totals.pods += 1;
            totals.pods_ready += u32::from(pod.ready);
            totals.pods_pending += u32::from(pod.node.is_empty());
            if !pod.node.is_empty() {
                totals.requests += pod.requests;
            }
        }
        totals.workloads = self.cluster.workloads().count() as u32;
        totals.cost = CostTotals {
            rate: Money::from_micros(i64::from(totals.nodes) * 390_000),
            priced: totals.nodes,
            ..CostTotals::default()
        };
        self.cluster.totals = totals;
        self.cluster.region = "europe-west1".into();
        self.cluster.provider = Provider::Gke;
        self
    }

    pub(crate) fn table(mut self, kind: Kind, change: impl FnOnce(&mut crate::model::Table)) -> Scene {
        change(&mut self.cluster.tables[kind.index()]);
        self
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Cluster)) -> Scene {
        change(&mut self.cluster);
        self
    }
}

pub(crate) fn snapshot(scenes: Vec<Scene>) -> Snapshot {
    let clusters = scenes.into_iter().map(|s| Arc::new(s.cluster)).collect();
    Snapshot::new(now(), 1, Fleet { clusters })
}

/// The cells of a sheet's row, joined by ` | `.
pub(crate) fn cells(row: impl std::borrow::Borrow<super::SheetRow>) -> String {
    row.borrow().cells.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" | ")
}

/// The lines of evidence: `02:11:04 first text`.
pub(crate) fn lines(evidence: &super::Evidence) -> Vec<String> {
    let line = |l: &super::EvidenceLine| {
        let at = l.at.map_or(String::new(), |t| format!("{} ", t.clock()));
        format!("{at}{}: {}", l.label, l.text)
    };
    evidence.lines.iter().map(line).collect()
}
