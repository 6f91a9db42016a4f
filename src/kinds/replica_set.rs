//! Replica sets (`k8s.io/api/apps/v1/generated.proto`).

use super::deployment::REVISION;
use super::meta::{LabelSelector, ObjectMeta, ScaleCondition, count, selector};
use super::read::Watched;
use super::resources::Template;
use super::wire::wire;
use crate::model::{Kind, Record, Text, Workload};

wire! {
    /// A replica set.
    pub struct ReplicaSet<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: ReplicaSetSpec<'a>,
        3 "status" status: ReplicaSetStatus<'a>,
    }

    /// What a replica set should be.
    pub struct ReplicaSetSpec<'a> {
        1 "replicas" replicas: Option<i32>,
        2 "selector" selector: Option<LabelSelector<'a>>,
        3 "template" template: Template<'a>,
    }

    /// What a replica set is.
    pub struct ReplicaSetStatus<'a> {
        1 "replicas" replicas: i32,
        3 "observedGeneration" observed: i64,
        4 "readyReplicas" ready: i32,
        5 "availableReplicas" available: i32,
        6 "conditions" conditions: Vec<ScaleCondition<'a>>,
    }
}

impl<'a> Watched<'a> for ReplicaSet<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Workload(Workload {
            kind: Kind::ReplicaSet,
            desired: count(spec.replicas.unwrap_or(1)),
            current: count(status.replicas),
            ready: count(status.ready),
            updated: count(status.replicas), // a replica set has one template for life
            available: count(status.available),
            generation: self.metadata.generation,
            observed: status.observed,
            paused: false,
            selector: selector(spec.selector.as_ref()),
            images: spec.template.spec.images(),
            requests: spec.template.spec.requests(),
            conditions: status.conditions.iter().map(ScaleCondition::record).collect(),
            revision: self.metadata.annotations.get(REVISION).map_or(Text::EMPTY, |r| Text::clean(r)),
            meta: self.metadata.record(),
        })
    }
}
