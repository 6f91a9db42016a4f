//! Stateful sets (`k8s.io/api/apps/v1/generated.proto`).

use super::meta::{LabelSelector, ObjectMeta, ScaleCondition, count, selector};
use super::read::Watched;
use super::resources::Template;
use super::wire::wire;
use crate::model::{Kind, Record, Text, Workload};

wire! {
    /// A stateful set.
    pub struct StatefulSet<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: StatefulSetSpec<'a>,
        3 "status" status: StatefulSetStatus<'a>,
    }

    /// What a stateful set should be.
    pub struct StatefulSetSpec<'a> {
        1 "replicas" replicas: Option<i32>,
        2 "selector" selector: Option<LabelSelector<'a>>,
        3 "template" template: Template<'a>,
    }

    /// What a stateful set is.
    pub struct StatefulSetStatus<'a> {
        1 "observedGeneration" observed: i64,
        2 "replicas" replicas: i32,
        3 "readyReplicas" ready: i32,
        5 "updatedReplicas" updated: i32,
        10 "conditions" conditions: Vec<ScaleCondition<'a>>,
        11 "availableReplicas" available: i32,
    }
}

impl<'a> Watched<'a> for StatefulSet<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Workload(Workload {
            kind: Kind::StatefulSet,
            desired: count(spec.replicas.unwrap_or(1)),
            current: count(status.replicas),
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
