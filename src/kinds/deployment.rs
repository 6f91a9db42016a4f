//! Deployments (`k8s.io/api/apps/v1/generated.proto`).

use super::meta::{LabelSelector, ObjectMeta, condition, count, selector};
use super::read::Watched;
use super::resources::Template;
use super::wire::{Str, Time, wire};
use crate::model::{Kind, Record, Text, Workload};

wire! {
    /// A deployment.
    pub struct Deployment<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: DeploymentSpec<'a>,
        3 "status" status: DeploymentStatus<'a>,
    }

    /// What a deployment should be.
    pub struct DeploymentSpec<'a> {
        1 "replicas" replicas: Option<i32>,
        2 "selector" selector: Option<LabelSelector<'a>>,
        3 "template" template: Template<'a>,
        7 "paused" paused: bool,
    }

    /// What a deployment is.
    pub struct DeploymentStatus<'a> {
        1 "observedGeneration" observed: i64,
        2 "replicas" replicas: i32,
        3 "updatedReplicas" updated: i32,
        4 "availableReplicas" available: i32,
        6 "conditions" conditions: Vec<DeploymentCondition<'a>>,
        7 "readyReplicas" ready: i32,
    }

    /// A condition of a deployment.
    pub struct DeploymentCondition<'a> {
        1 "type" kind: Str<'a>,
        2 "status" status: Str<'a>,
        4 "reason" reason: Str<'a>,
        5 "message" message: Str<'a>,
        7 "lastTransitionTime" since: Time,
    }
}

/// The annotation with which the deployment controller numbers rollouts; replica sets have it too.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

impl<'a> Watched<'a> for Deployment<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        let conditions = status.conditions.iter();
        Record::Workload(Workload {
            kind: Kind::Deployment,
            desired: count(spec.replicas.unwrap_or(1)),
            current: count(status.replicas),
            ready: count(status.ready),
            updated: count(status.updated),
            available: count(status.available),
            generation: self.metadata.generation,
            observed: status.observed,
            paused: spec.paused,
            selector: selector(spec.selector.as_ref()),
            images: spec.template.spec.images(),
            requests: spec.template.spec.requests(),
            conditions: conditions
                .map(|c| condition(&c.kind, &c.status, &c.reason, &c.message, c.since))
                .collect(),
            revision: self.metadata.annotations.get(REVISION).map_or(Text::EMPTY, |r| Text::clean(r)),
            meta: self.metadata.record(),
        })
    }
}
