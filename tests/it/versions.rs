//! Objects with their versions: as the store has them, and as an embedded cluster has them.

use std::collections::BTreeMap;

use quarterdeck::model::{Cluster, Kind, Uid};
use quarterdeck::sim::Control;

/// Objects by uid, with their versions.
pub(crate) type Versions = BTreeMap<Uid, u64>;

/// What is known of a cluster.
pub(crate) fn here(cluster: &Cluster, kind: Kind) -> Versions {
    cluster.records(kind).map(|record| (record.meta().uid, record.meta().version.0)).collect()
}

/// What the cluster has.
pub(crate) fn there(control: &Control, kind: Kind) -> Versions {
    let objects = control.objects(kind.names().plural);
    let meta = |object: &serde_json::Value, name: &str| object["metadata"][name].as_str().unwrap().to_owned();
    let entry = |object: &std::sync::Arc<serde_json::Value>| {
        (Uid::parse(&meta(object, "uid")), meta(object, "resourceVersion").parse().unwrap())
    };
    objects.iter().map(entry).collect()
}
