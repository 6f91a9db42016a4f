//! Runs of other processes: two terminals must not do together what one would refuse.

use super::{Plan, Remembered};
use crate::model::{ClusterId, Fleet, Text};

/// A run that another process on this machine carries on, by what the journal says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    /// `drain 1 node`.
    pub title: Text,
    /// The names of the clusters that it writes to, and of those that it needs.
    pub clusters: Vec<Text>,
    /// Whether it is a failover or a drill, which holds its clusters until it ends.
    pub recovery: bool,
    /// What it is about.
    pub subjects: Vec<Remembered>,
}

impl Elsewhere {
    /// Its clusters, as far as they are in the fleet.
    pub(super) fn known<'a>(&'a self, fleet: &'a Fleet) -> impl Iterator<Item = ClusterId> + 'a {
        self.clusters.iter().filter_map(|name| fleet.by_name(name)).map(|cluster| cluster.id)
    }
}

/// Why a plan must not run beside what other processes run: a recovery needs its clusters for
/// itself, and no two runs are about one object.
pub(super) fn crossed(plan: &Plan, others: &[Elsewhere], fleet: &Fleet) -> Option<Text> {
    let mut mine = plan.touches.clone();
    mine.extend(plan.recovery.iter().flat_map(|recovery| [recovery.from, recovery.to]));
    others.iter().find_map(|other| {
        let shared = other.known(fleet).find(|id| mine.contains(id))?;
        let same = |object: &Remembered| {
            plan.subjects.iter().find(|key| {
                key.name == object.name
                    && key.namespace == object.namespace
                    && key.kind.names().kind == object.kind.as_str()
                    && fleet.cluster(key.cluster).is_some_and(|c| c.info.name == object.cluster)
            })
        };
        let what = if plan.recovery.is_some() || other.recovery {
            format!("on {}", super::words::name_of(fleet, shared))
        } else {
            let object = other.subjects.iter().find_map(same)?;
            format!("on {} {} too", object.kind.names().kind, object.path())
        };
        let title = &other.title;
        Some(
            format!("{title} runs {what}, from another terminal: wait until it ends, or stop it there")
                .into(),
        )
    })
}
