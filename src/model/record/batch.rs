//! The records of jobs and of what starts them.

use super::{Image, Pool};
use crate::model::{Condition, Meta, Resources, Text, Time};

/// A job.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Job {
    /// What every object has.
    pub meta: Meta,
    /// Completions wanted.
    pub completions: u32,
    /// Pods that may run at once.
    pub parallelism: u32,
    /// Pods that run.
    pub active: u32,
    /// Pods that ended well.
    pub succeeded: u32,
    /// Pods that failed.
    pub failed: u32,
    /// Whether it is suspended.
    pub suspended: bool,
    /// When it began.
    pub started: Option<Time>,
    /// When it ended well.
    pub completed: Option<Time>,
    /// Its conditions: `Complete`, `Failed`, `Suspended`.
    pub conditions: Box<[Condition]>,
    /// What it runs.
    pub images: Box<[Image]>,
    /// What one pod asks for.
    pub requests: Resources,
}

/// What starts jobs on a schedule.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct CronJob {
    /// What every object has.
    pub meta: Meta,
    /// The schedule, as cron has it.
    pub schedule: Text,
    /// Its time zone; empty means the controller's.
    pub time_zone: Text,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Jobs that run.
    pub active: u32,
    /// When it last started one.
    pub last_scheduled: Option<Time>,
    /// When one last ended well.
    pub last_succeeded: Option<Time>,
}

impl Job {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        for image in &mut self.images {
            pool.text(&mut image.container);
            pool.text(&mut image.image);
        }
    }
}

impl CronJob {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.text(&mut self.schedule);
        pool.text(&mut self.time_zone);
    }
}
