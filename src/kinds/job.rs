//! Jobs (`k8s.io/api/batch/v1/generated.proto`).

use super::meta::{Condition, ObjectMeta, count, time};
use super::read::Watched;
use super::resources::Template;
use super::wire::{Time, wire};
use crate::model::{self, Record};

wire! {
    /// A job.
    pub struct Job<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: JobSpec<'a>,
        3 "status" status: JobStatus<'a>,
    }

    /// What a job should do.
    pub struct JobSpec<'a> {
        1 "parallelism" parallelism: Option<i32>,
        2 "completions" completions: Option<i32>,
        6 "template" template: Template<'a>,
        10 "suspend" suspend: Option<bool>,
    }

    /// What a job did.
    pub struct JobStatus<'a> {
        1 "conditions" conditions: Vec<Condition<'a>>,
        2 "startTime" started: Time,
        3 "completionTime" completed: Time,
        4 "active" active: i32,
        5 "succeeded" succeeded: i32,
        6 "failed" failed: i32,
    }
}

impl<'a> Watched<'a> for Job<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::Job(model::Job {
            meta: self.metadata.record(),
            // not given means that one success is enough
            completions: count(spec.completions.unwrap_or(1)),
            parallelism: count(spec.parallelism.unwrap_or(1)),
            active: count(status.active),
            succeeded: count(status.succeeded),
            failed: count(status.failed),
            suspended: spec.suspend == Some(true),
            started: time(status.started),
            completed: time(status.completed),
            conditions: status.conditions.iter().map(Condition::record).collect(),
            images: spec.template.spec.images(),
            requests: spec.template.spec.requests(),
        })
    }
}
