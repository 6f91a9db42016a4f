//! Cron jobs (`k8s.io/api/batch/v1/generated.proto`).

use super::meta::{ObjectMeta, optional, text, time};
use super::read::Watched;
use super::wire::{Present, Str, Time, wire};
use crate::model::{self, Record};

wire! {
    /// A cron job.
    pub struct CronJob<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: CronJobSpec<'a>,
        3 "status" status: CronJobStatus,
    }

    /// When a cron job starts jobs.
    pub struct CronJobSpec<'a> {
        1 "schedule" schedule: Str<'a>,
        4 "suspend" suspend: Option<bool>,
        8 "timeZone" time_zone: Option<Str<'a>>,
    }

    /// What a cron job did.
    pub struct CronJobStatus {
        1 "active" active: Vec<Present>,
        4 "lastScheduleTime" last_scheduled: Time,
        5 "lastSuccessfulTime" last_succeeded: Time,
    }
}

impl<'a> Watched<'a> for CronJob<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        Record::CronJob(model::CronJob {
            meta: self.metadata.record(),
            schedule: text(&spec.schedule),
            time_zone: optional(spec.time_zone.as_ref()),
            suspended: spec.suspend == Some(true),
            active: u32::try_from(status.active.len()).unwrap_or(u32::MAX),
            last_scheduled: time(status.last_scheduled),
            last_succeeded: time(status.last_succeeded),
        })
    }
}
