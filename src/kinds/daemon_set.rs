//! Daemon sets (`k8s.io/api/apps/v1/generated.proto`).

use super::meta::{LabelSelector, ObjectMeta, ScaleCondition, count, selector};
use super::read::Watched;
use super::resources::Template;
use super::wire::wire;
use crate::model::{Kind, Record, Text, Workload};

wire! {
    /// A daemon set.
    pub struct DaemonSet<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: DaemonSetSpec<'a>,
        3 "status" status: DaemonSetStatus<'a>,
    }

    /// What a daemon set should be.
    pub struct DaemonSetSpec<'a> {
        1 "selector" selector: Option<LabelSelector<'a>>,
        2 "template" template: Template<'a>,
    }

    /// What a daemon set is. How many it should be depends on the nodes, so its status says.
    pub struct DaemonSetStatus<'a> {
        1 "currentNumberScheduled" current: i32,
        3 "desiredNumberScheduled" desired: i32,
        4 "numberReady" ready: i32,
        5 "observedGeneration" observed: i64,
        6 "updatedNumberScheduled" updated: i32,
        7 "numberAvailable" available: i32,
        10 "conditions" conditions: Vec<ScaleCondition<'a>>,
    }
}

impl<'a> Watched<'a> for DaemonSet<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Workload(Workload {
            kind: Kind::DaemonSet,
            desired: count(status.desired),
            current: count(status.current),
            ready: count(status.ready),
            updated: count(status.updated),
            available: count(status.available),
            generation: self.metadata.generation,
            observed: status.observed,
            paused: false,
            selector: selector(spec.selector.as_ref()),
            images: spec.template.spec.images(),
            requests: spec.template.spec.requests(),
            conditions: status.conditions.iter().map(ScaleCondition::record).collect(),
            revision: Text::EMPTY,
            meta: self.metadata.record(),
        })
    }
}
