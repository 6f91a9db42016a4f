//! Records: what the store keeps of an object, one file each.

mod autoscaler;
mod batch;
mod budget;
mod event;
mod network;
mod node;
mod pod;
mod storage;
mod workload;

pub use autoscaler::{Amount, Autoscaler, Metric};
pub use batch::{CronJob, Job};
pub use budget::{Budget, UnhealthyPolicy};
pub use event::{Event, Regarding};
pub use network::{Namespace, Service};
pub use node::{Node, NodeCondition, Taint};
pub use pod::{Container, ContainerState, Phase, Pod, Traits};
pub use storage::{Claim, StorageClass, Volume};
pub use workload::{Image, Workload, image_version};

use std::sync::Arc;

use super::{ClusterId, Kind, Labels, Manager, Meta, ObjectKey, Owner, Text};

/// What the store keeps of one object.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each is the record of that name")]
pub enum Record {
    /// Apart: it is the largest by far, and every record takes as much room as the largest.
    Node(Box<Node>),
    Namespace(Namespace),
    Pod(Pod),
    /// Deployments, stateful sets, daemon sets and replica sets: [`Workload::kind`] says which.
    Workload(Workload),
    Job(Job),
    CronJob(CronJob),
    Autoscaler(Autoscaler),
    Budget(Budget),
    Event(Event),
    Service(Service),
    Claim(Claim),
    Volume(Volume),
    StorageClass(StorageClass),
}

/// A pool of shared strings: equal values come out as the same allocation. The store has one per
/// cluster.
pub trait Pool {
    /// Replaces a text by the pool's own copy of it.
    fn text(&mut self, text: &mut Text);
    /// Replaces a label set by the pool's own copy of it.
    fn labels(&mut self, labels: &mut Labels);
    /// Replaces an owner by the pool's own copy of it.
    fn owner(&mut self, owner: &mut Arc<Owner>);
    /// Replaces a manager by the pool's own copy of it.
    fn manager(&mut self, manager: &mut Arc<Manager>);
}

macro_rules! each {
    ($record:expr, $inner:ident => $body:expr) => {
        match $record {
            Record::Node($inner) => $body,
            Record::Namespace($inner) => $body,
            Record::Pod($inner) => $body,
            Record::Workload($inner) => $body,
            Record::Job($inner) => $body,
            Record::CronJob($inner) => $body,
            Record::Autoscaler($inner) => $body,
            Record::Budget($inner) => $body,
            Record::Event($inner) => $body,
            Record::Service($inner) => $body,
            Record::Claim($inner) => $body,
            Record::Volume($inner) => $body,
            Record::StorageClass($inner) => $body,
        }
    };
}

impl From<Node> for Record {
    fn from(node: Node) -> Record {
        Record::Node(Box::new(node))
    }
}

impl Record {
    /// What every object has.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        each!(self, record => &record.meta)
    }

    /// The same, to be changed.
    pub fn meta_mut(&mut self) -> &mut Meta {
        each!(self, record => &mut record.meta)
    }

    /// What kind it is a record of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Record::Node(_) => Kind::Node,
            Record::Namespace(_) => Kind::Namespace,
            Record::Pod(_) => Kind::Pod,
            Record::Workload(workload) => workload.kind,
            Record::Job(_) => Kind::Job,
            Record::CronJob(_) => Kind::CronJob,
            Record::Autoscaler(_) => Kind::Autoscaler,
            Record::Budget(_) => Kind::Budget,
            Record::Event(_) => Kind::Event,
            Record::Service(_) => Kind::Service,
            Record::Claim(_) => Kind::Claim,
            Record::Volume(_) => Kind::Volume,
            Record::StorageClass(_) => Kind::StorageClass,
        }
    }

    /// The key of this object in that cluster.
    #[must_use]
    pub fn key(&self, cluster: ClusterId) -> ObjectKey {
        let meta = self.meta();
        ObjectKey {
            cluster,
            kind: self.kind(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid,
        }
    }

    /// Replaces every repeated string by the pool's copy. Names are left alone: they are unique.
    ///
    /// `before` is a reading of the same object that was shared already: what it says, too, is taken from
    /// it, which is much less work than to look into the pool. For pods it is so whole: they change most.
    pub fn share(&mut self, pool: &mut dyn Pool, before: Option<&Record>) {
        self.meta_mut().share(pool, before.map(Record::meta));
        match (self, before) {
            (Record::Pod(pod), Some(Record::Pod(before))) => pod.share(pool, Some(before)),
            (Record::Pod(pod), _) => pod.share(pool, None),
            (Record::Node(record), _) => record.share(pool),
            (Record::Workload(record), _) => record.share(pool),
            (Record::Job(record), _) => record.share(pool),
            (Record::CronJob(record), _) => record.share(pool),
            (Record::Autoscaler(record), _) => record.share(pool),
            (Record::Budget(record), _) => record.share(pool),
            (Record::Event(record), _) => record.share(pool),
            (Record::Service(record), _) => record.share(pool),
            (Record::Claim(record), _) => record.share(pool),
            (Record::Volume(record), _) => record.share(pool),
            (Record::Namespace(_) | Record::StorageClass(_), _) => {}
        }
    }
}

impl Meta {
    fn share(&mut self, pool: &mut dyn Pool, before: Option<&Meta>) {
        text_as(&mut self.namespace, before.map(|meta| &meta.namespace), pool);
        if !taken(&mut self.labels, before.map(|meta| &meta.labels)) {
            pool.labels(&mut self.labels);
        }
        if let Some(owner) = &mut self.owner
            && !taken(owner, before.and_then(|meta| meta.owner.as_ref()))
        {
            pool.owner(owner);
        }
        if let Some(manager) = &mut self.manager
            && !taken(manager, before.and_then(|meta| meta.manager.as_ref()))
        {
            pool.manager(manager);
        }
    }
}

/// Takes what was there before, if it is equal; says whether it was.
fn taken<T: Clone + PartialEq>(value: &mut T, before: Option<&T>) -> bool {
    let equal = before.filter(|before| **before == *value);
    equal.map(|before| *value = before.clone()).is_some()
}

/// Shares a text with the one that was there before, or by the pool.
fn text_as(text: &mut Text, before: Option<&Text>, pool: &mut dyn Pool) {
    if !taken(text, before) {
        pool.text(text);
    }
}

macro_rules! accessor {
    ($name:ident, $variant:ident) => {
        /// This record as that one, if it is.
        #[must_use]
        pub fn $name(&self) -> Option<&$variant> {
            match self {
                Record::$variant(record) => Some(record),
                _ => None,
            }
        }
    };
}

impl Record {
    accessor!(node, Node);
    accessor!(namespace, Namespace);
    accessor!(pod, Pod);
    accessor!(workload, Workload);
    accessor!(job, Job);
    accessor!(cron_job, CronJob);
    accessor!(autoscaler, Autoscaler);
    accessor!(budget, Budget);
    accessor!(event, Event);
    accessor!(service, Service);
    accessor!(claim, Claim);
    accessor!(volume, Volume);
    accessor!(storage_class, StorageClass);
}
