//! What controllers have to look at, and when.

use std::collections::{BTreeMap, HashMap};

use super::resources::Slot;
use crate::model::Time;

/// An object by namespace and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Id {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Id {
    /// The id of an object.
    pub(crate) fn of(object: &crate::sim::json::Value) -> Id {
        use super::fields::{name, namespace};
        Id { namespace: namespace(object).to_owned(), name: name(object).to_owned() }
    }

    pub(crate) fn new(namespace: &str, name: &str) -> Id {
        Id { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Something to look at. Looking twice does no harm; every item looks at the state as it is then.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Work {
    Deployment(Id),
    ReplicaSet(Id),
    StatefulSet(Id),
    DaemonSet(Id),
    Job(Id),
    CronJob(Id),
    /// A claim of a volume.
    Claim(Id),
    /// A volume, by its name.
    Volume(String),
    /// A pod without a node.
    Schedule(Id),
    /// A pod on a node: its kubelet.
    Pod(Id),
    /// A node's kubelet writes its lease.
    Heartbeat(String),
    /// The node controller looks at a node.
    Node(String),
    Autoscaler(Id),
    /// What KEDA scales.
    Scaled(Id),
    Budget(Id),
    /// What is used of the quotas of a namespace.
    Quota(String),
    /// Which pods are behind a service.
    Endpoints(Id),
    /// The provider's load balancer of a service.
    Balancer(Id),
    /// A namespace is told of the authority that its pods trust.
    Authority(String),
    /// A namespace that is being removed.
    Namespace(String),
    /// What an object that is gone owned.
    Orphans(String),
    /// An object that goes when what it owns has gone, or is its own no more.
    Collect(Slot, Id),
    /// The node autoscalers look at all pools.
    Pools,
    /// A machine that was ordered arrives: the number of the order.
    Machine(u64),
    /// A node leaves: it is drained, then removed.
    Leave(String),
    /// Old events go.
    Events,
    /// Pods change for the sake of changing.
    Churn,
    /// An incident begins or ends: its number, and whether it begins.
    Incident(usize, bool),
}

/// Work by when it is due; each item is queued once.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    due: BTreeMap<(Time, u64), Work>,
    when: HashMap<Work, (Time, u64)>,
    counter: u64,
}

impl Queue {
    /// Adds work; if it is queued already, the earlier time holds.
    pub(crate) fn add(&mut self, work: Work, at: Time) {
        if let Some(known) = self.when.get(&work) {
            if known.0 <= at {
                return;
            }
            self.due.remove(known);
        }
        self.counter += 1;
        let key = (at, self.counter);
        self.when.insert(work.clone(), key);
        self.due.insert(key, work);
    }

    /// When the next work is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next work if it is due.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, Work)> {
        let entry = self.due.first_entry().filter(|e| e.key().0 <= now)?;
        let ((at, _), work) = entry.remove_entry();
        self.when.remove(&work);
        Some((at, work))
    }

    /// Takes the first work of a kind, due or not.
    pub(crate) fn take(&mut self, of: impl Fn(&Work) -> bool) -> Option<(Time, Work)> {
        let key = *self.due.iter().find(|(_, work)| of(work))?.0;
        let work = self.due.remove(&key)?;
        self.when.remove(&work);
        Some((key.0, work))
    }

    /// Drops work that is queued.
    pub(crate) fn drop_work(&mut self, work: &Work) {
        if let Some(key) = self.when.remove(work) {
            self.due.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_queued_once_and_comes_in_time() {
        let t = Time::from_seconds;
        let mut q = Queue::default();
        q.add(Work::Pools, t(20));
        q.add(Work::Pools, t(30));
        q.add(Work::Events, t(15));
        q.add(Work::Pools, t(10));
        assert_eq!(q.pop(t(9)), None);
        assert_eq!(q.pop(t(20)), Some((t(10), Work::Pools)));
        assert_eq!(q.pop(t(20)), Some((t(15), Work::Events)));
        assert_eq!(q.next(), None);
    }
}
