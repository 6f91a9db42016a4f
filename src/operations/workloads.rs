//! The chosen workloads, looked up again: a plan is made of what is there now.

use super::PlanInput;
use super::words::name_of;
use crate::model::{Cluster, ObjectKey, Text, Workload};

/// A chosen workload, found.
#[derive(Clone, Debug)]
pub(super) struct Chosen<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) key: ObjectKey,
    pub(super) workload: &'a Workload,
}

impl Chosen<'_> {
    /// `Deployment shop/cart`; with its cluster where there are several workloads.
    pub(super) fn title(&self, several: bool) -> String {
        let place = if several { format!(" on {}", self.cluster.info.name) } else { String::new() };
        format!("{} {}{place}", self.key.kind.names().kind, self.key.path())
    }
}

/// The chosen workloads in the order in which they were chosen, each once. The error says which of
/// them is none, is gone, or is another one by now.
pub(super) fn find<'a>(input: &PlanInput<'a>) -> Result<Vec<Chosen<'a>>, Text> {
    let mut chosen: Vec<Chosen<'a>> = Vec::new();
    for key in input.subjects {
        if !chosen.iter().any(|c| c.key == *key) {
            chosen.push(one(input, key)?);
        }
    }
    if chosen.is_empty() { Err(Text::clean("no workload is chosen")) } else { Ok(chosen) }
}

fn one<'a>(input: &PlanInput<'a>, key: &ObjectKey) -> Result<Chosen<'a>, Text> {
    let fleet = &input.snapshot.fleet;
    let title = format!("{} {}", key.kind.names().kind, key.path());
    let cluster = fleet.cluster(key.cluster).ok_or_else(|| Text::clean("the cluster is not in the fleet"))?;
    let found = cluster.find(key.kind, &key.namespace, &key.name).and_then(|r| r.workload());
    let gone = || Text::from(format!("{title} is not in {} any more", name_of(fleet, key.cluster)));
    let workload = found.ok_or_else(gone)?;
    if !key.uid.is_none() && workload.meta.uid != key.uid {
        return Err(Text::from(format!("{title} is another one of that name by now")));
    }
    Ok(Chosen { cluster, key: ObjectKey { uid: workload.meta.uid, ..key.clone() }, workload })
}
