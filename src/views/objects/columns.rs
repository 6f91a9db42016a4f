//! The columns of each kind, after kubectl's own printers.

use crate::model::{Column, Kind};

/// The columns of a kind, between its name and its age.
pub(super) fn of(kind: Kind) -> Vec<Column> {
    let (left, right) = (Column::left, Column::right);
    match kind {
        Kind::Node => vec![
            left("status", 12, 95),
            right("pods", 7, 85),
            right("cpu use%", 8, 80),
            right("mem use%", 8, 79),
            left("type", 16, 70),
            left("capacity", 11, 50),
            left("pool", 12, 65),
            left("zone", 16, 55),
            left("version", 20, 40),
        ],
        Kind::Namespace => vec![left("status", 12, 95)],
        Kind::Pod => vec![
            right("ready", 6, 94),
            left("status", 20, 95),
            right("restarts", 8, 80),
            right("cpu", 7, 60),
            right("mem", 8, 59),
            left("node", 24, 50),
        ],
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet => vec![
            right("ready", 8, 95),
            right("updated", 8, 70),
            right("available", 9, 60),
            left("version", 14, 80),
            left("by", 18, 40),
        ],
        Kind::Job => vec![left("status", 10, 95), right("done", 7, 90), right("took", 7, 60)],
        Kind::CronJob => vec![
            left("schedule", 16, 95),
            left("suspended", 9, 80),
            right("active", 6, 70),
            right("last", 7, 90),
        ],
        Kind::Autoscaler => vec![
            left("scales", 28, 90),
            left("metrics", 26, 85),
            right("min", 4, 60),
            right("max", 4, 80),
            right("now", 4, 95),
            right("wants", 5, 70),
        ],
        Kind::Budget => {
            vec![left("min", 6, 80), left("max gone", 8, 79), right("allows", 6, 95), right("healthy", 8, 90)]
        }
        Kind::Event => vec![
            left("type", 8, 60),
            left("reason", 20, 95),
            left("object", 30, 90),
            right("count", 5, 50),
            right("last", 6, 85),
            left("message", 60, 80),
        ],
        Kind::Service => vec![
            left("type", 13, 95),
            left("cluster ip", 16, 60),
            left("external", 24, 80),
            left("ports", 24, 70),
        ],
        Kind::Claim => vec![
            left("status", 8, 95),
            right("size", 8, 90),
            left("class", 14, 70),
            left("modes", 14, 50),
            left("volume", 20, 40),
        ],
        Kind::Volume => vec![
            left("status", 10, 95),
            right("size", 8, 90),
            left("class", 14, 70),
            left("claim", 26, 80),
            left("reclaim", 8, 50),
            left("zones", 16, 40),
        ],
        Kind::StorageClass => vec![
            left("provisioner", 26, 95),
            left("default", 7, 80),
            left("disk", 12, 60),
            left("reclaim", 8, 50),
            left("binding", 22, 40),
        ],
    }
}
