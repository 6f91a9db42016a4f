//! One simulated cluster: its objects, what moves them, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sim::json::{Value, json};

use super::cache::Cache;
use super::controllers::{self, Backoff, Churn, Order, Pool, Probe, Remembered, Shortage};
use super::faults::{Certificate, Faults};
use super::fields::{self, text};
use super::load::Load;
use super::objects::{Store, Touched};
use super::queue::{Id, Queue, Work};
use super::random::Random;
use super::resources::{Res, Slot, Spec};
use super::scenario::Incident;
use super::timing::Timing;
use crate::model::{Provider, Span, Time};

/// What is wrong with the pods of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The incident that made it.
    pub(crate) incident: usize,
    pub(crate) since: Time,
    pub(crate) what: FaultKind,
}

/// How pods fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FaultKind {
    /// This image cannot be pulled.
    Image(String),
    /// No image of this registry can be pulled.
    Registry(String),
    /// The workload's containers end with an error.
    Crash(Id),
    /// The workload's containers use more memory than they may.
    OutOfMemory(Id),
    /// The workload's pods start and do not become ready.
    NotReady(Id),
    /// A probe of the workload's containers fails.
    Probe(Probe, Id),
}

/// Whether the cluster can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Reach {
    /// It answers.
    #[default]
    Open,
    /// It takes connections and is silent.
    Silent,
    /// It refuses connections.
    Refusing,
}

/// A simulated cluster.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) name: String,
    /// What `/version` says.
    pub(crate) version: String,
    pub(crate) provider: Provider,
    pub(crate) region: String,
    pub(crate) now: Time,
    pub(crate) store: Store,
    pub(crate) cache: Cache,
    pub(crate) queue: Queue,
    pub(crate) timing: Timing,
    /// While true pods are placed and ready as they are made: before the curtain rises.
    pub(crate) instant: bool,
    pub(crate) pools: Vec<Pool>,
    /// Machines that were ordered, by number.
    pub(crate) orders: BTreeMap<u64, Order>,
    /// Nodes of little use, since when.
    pub(crate) unneeded: BTreeMap<String, Time>,
    /// Nodes that their provider takes back, and when.
    pub(crate) doomed: BTreeMap<String, Time>,
    pub(crate) loads: HashMap<Id, Load>,
    /// Ready pods of each workload.
    pub(crate) serving: HashMap<Id, i64>,
    pub(crate) faults: Vec<Fault>,
    /// Nodes whose kubelet is silent.
    pub(crate) dead: BTreeSet<String>,
    /// Images on nodes, by node and image: what is there is not pulled again.
    pub(crate) pulled: BTreeSet<(String, String)>,
    /// What nobody may read, with the namespace if only one is meant.
    pub(crate) denied: Vec<(Res, Option<String>)>,
    /// By resource: grows when open watches are cut off.
    cuts: HashMap<Slot, u64>,
    /// Whether the cluster should be reachable; the fleet carries it out.
    pub(crate) reach: Reach,
    pub(crate) incidents: Vec<Incident>,
    /// What incidents changed and will put back.
    pub(crate) undo: Vec<(usize, controllers::Undo)>,
    /// Changes of pods that are made for the sake of changing.
    pub(crate) churn: Churn,
    /// What horizontal autoscalers remember.
    pub(crate) scaling: HashMap<Id, controllers::Memory>,
    /// The pods of each job that ended.
    pub(crate) ended: HashMap<Id, controllers::Ended>,
    /// Nodes that were promised to pods whose victims are leaving.
    pub(crate) nominated: BTreeMap<Id, String>,
    /// What kubelets remember of their pods, by the pods' uids.
    pub(crate) kubelets: HashMap<String, Remembered>,
    /// Taints that drive pods away, by node and taint: since when.
    pub(crate) tainted: BTreeMap<(String, String), Time>,
    /// Nodes that are drained to be removed, since when.
    pub(crate) leaving: BTreeMap<String, Time>,
    /// Where the provider has no machines left.
    pub(crate) shortages: Vec<Shortage>,
    /// What node autoscalers do not ask for again for a while.
    pub(crate) backoffs: Vec<Backoff>,
    /// Whether the store takes no more writes.
    pub(crate) full: bool,
    /// Faults of the server and of the way to it that are on.
    pub(crate) trouble: Faults,
    /// The certificate that is shown.
    pub(crate) certificate: Certificate,
    /// The version of the server while it says another.
    pub(crate) usual_version: Option<String>,
    /// The certificate of the authority that clients trust, in PEM; empty while nobody can connect.
    authority: String,
    /// Grows when versions are given out again: when the cluster is restored or replaced.
    pub(crate) age: u64,
    /// Resources that changed and whose watches have not been told.
    pub(crate) stale: u64,
}

/// After how long controllers try again to write into a store that is full.
const AGAIN: Span = Span::from_seconds(5);

/// The bit of a slot in [`World::stale`]; custom resources share the last.
pub(crate) fn bit(slot: Slot) -> usize {
    slot.index().min(63)
}

impl World {
    /// An empty cluster.
    pub(crate) fn new(name: &str, version: &str, seed: u64, now: Time) -> World {
        World {
            name: name.to_owned(),
            version: version.to_owned(),
            provider: Provider::Private,
            region: String::new(),
            now,
            store: Store::new(Random::new(seed, name)),
            cache: Cache::default(),
            queue: Queue::default(),
            timing: Timing::default(),
            instant: false,
            pools: Vec::new(),
            orders: BTreeMap::new(),
            unneeded: BTreeMap::new(),
            doomed: BTreeMap::new(),
            loads: HashMap::new(),
            serving: HashMap::new(),
            faults: Vec::new(),
            dead: BTreeSet::new(),
            pulled: BTreeSet::new(),
            denied: Vec::new(),
            cuts: HashMap::new(),
            reach: Reach::Open,
            incidents: Vec::new(),
            undo: Vec::new(),
            churn: Churn::default(),
            scaling: HashMap::new(),
            ended: HashMap::new(),
            nominated: BTreeMap::new(),
            kubelets: HashMap::new(),
            tainted: BTreeMap::new(),
            leaving: BTreeMap::new(),
            shortages: Vec::new(),
            backoffs: Vec::new(),
            full: false,
            trouble: Faults::default(),
            certificate: Certificate::Good,
            usual_version: None,
            authority: String::new(),
            age: 0,
            stale: 0,
        }
    }

    /// Takes note of what changed in the store: indexes are updated and controllers are told.
    pub(crate) fn absorb(&mut self) {
        self.store.now = self.now;
        // taking note may change further objects: those of a definition that goes
        loop {
            let all = self.store.take_touched();
            if all.is_empty() {
                return;
            }
            for touched in all {
                self.note(&touched);
            }
        }
    }

    fn note(&mut self, touched: &Touched) {
        self.stale |= 1 << bit(touched.slot);
        self.cache.see(touched);
        if touched.slot == Res::Definitions {
            self.define(touched);
        }
        if touched.slot == Res::Pods {
            self.churn.see();
            self.count_serving(touched.before.as_deref(), touched.after.as_deref());
        }
        controllers::route(self, touched);
    }

    /// Moves time on and does what is due, at most `most` items; says whether all was done.
    pub(crate) fn run_until(&mut self, until: Time, most: usize) -> bool {
        self.absorb();
        for _ in 0..most {
            let Some((at, work)) = self.queue.pop(until) else {
                self.now = self.now.max(until);
                return true;
            };
            self.now = self.now.max(at);
            if self.full && !matches!(work, Work::Incident(..)) {
                // nothing can be written, so everybody tries again later
                self.queue.add(work, at + AGAIN);
                continue;
            }
            controllers::work(self, work);
            self.absorb();
        }
        false
    }

    /// Whether the cluster is of this minor (`35` of 1.35) or a later one, whatever its server says of itself
    /// meanwhile.
    pub(crate) fn since_minor(&self, minor: u32) -> bool {
        let version = self.usual_version.as_deref().unwrap_or(&self.version);
        let own = version.split('.').nth(1).and_then(|own| own.parse::<u32>().ok());
        own.is_some_and(|own| own >= minor)
    }

    /// How often open watches of a resource were cut off.
    pub(crate) fn cut_of(&self, slot: Slot) -> u64 {
        self.cuts.get(&slot).copied().unwrap_or_default()
    }

    /// Learns or forgets a custom resource; its objects go with its definition. Watches of what
    /// changes its form end: a real server serves the new one anew.
    fn define(&mut self, touched: &Touched) {
        if let Some(definition) = &touched.after {
            let spec = |d: &Value| fields::at(d, "spec").clone();
            let same = touched.before.as_deref().is_some_and(|before| spec(before) == spec(definition));
            let slot = self.store.custom.learn(definition);
            self.store.open_slot(slot);
            if !same {
                self.cut(slot);
            }
        } else if let Some(definition) = &touched.before
            && let Some(slot) = self.store.custom.forget(definition)
        {
            let objects: Vec<_> = self.store.list(slot, None).cloned().collect();
            for object in objects {
                self.store.remove(slot, &object);
            }
            self.cut(slot);
        }
    }

    /// Cuts off open watches of a resource, as a server does that restarts.
    pub(crate) fn cut(&mut self, of: impl Into<Slot>) {
        let slot = of.into();
        *self.cuts.entry(slot).or_default() += 1;
        self.stale |= 1 << bit(slot);
    }

    /// Everything is as it was so many versions ago, and so is the version; open watches are not
    /// told. Changes that are forgotten stay.
    pub(crate) fn restore(&mut self, versions: u64) {
        self.absorb();
        self.age += 1;
        self.store.restore(versions);
        self.absorb();
        controllers::start(self);
    }

    /// Takes the place of another cluster. What was going to happen to the old one happens to it
    /// as well; what happened to the old one inside is over, and the way to it is as it was.
    pub(crate) fn take_over(&mut self, old: &mut World) {
        while self.queue.take(|work| matches!(work, Work::Incident(..))).is_some() {}
        while let Some((at, work)) = old.queue.take(|work| matches!(work, Work::Incident(..))) {
            self.queue.add(work, at);
        }
        self.incidents = std::mem::take(&mut old.incidents);
        self.undo = std::mem::take(&mut old.undo);
        self.trouble = std::mem::take(&mut old.trouble);
        self.denied = std::mem::take(&mut old.denied);
        (self.reach, self.certificate) = (old.reach, old.certificate);
        self.cuts = std::mem::take(&mut old.cuts);
        // what clients defined in the old one is not there
        let custom: Vec<Slot> = old.store.custom.live().map(|d| d.slot).collect();
        custom.into_iter().for_each(|slot| self.cut(slot));
        if old.usual_version.is_some() {
            self.usual_version = Some(std::mem::replace(&mut self.version, old.version.clone()));
        }
        self.trust(&std::mem::take(&mut old.authority));
        self.age = old.age + 1;
        controllers::churn(self, old.churn.rate());
    }

    /// Learns of the authority, of which every namespace is told.
    pub(crate) fn trust(&mut self, authority: &str) {
        self.authority = authority.to_owned();
        let namespaces: Vec<String> =
            self.store.list(Res::Namespaces, None).map(|n| fields::name(n).to_owned()).collect();
        for namespace in namespaces {
            self.publish_authority(&namespace);
        }
        self.absorb();
    }

    /// Tells a namespace of the authority.
    pub(crate) fn publish_authority(&mut self, namespace: &str) {
        if self.authority.is_empty() || self.store.get(Res::Namespaces, "", namespace).is_none() {
            return;
        }
        let map = json!({
            "metadata": { "name": "kube-root-ca.crt", "namespace": namespace, "annotations": {
                "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when \
                    using internal endpoints such as the internal service IP or kubernetes.default.svc. No other \
                    usage is guaranteed across distributions of Kubernetes clusters.",
            } },
            "data": { "ca.crt": self.authority },
        });
        // it came with its namespace, however late it is known here
        let made = self.store.get(Res::Namespaces, "", namespace);
        let made = made.and_then(|n| fields::time(n, "metadata.creationTimestamp")).unwrap_or(self.now);
        let now = std::mem::replace(&mut self.now, made);
        self.create_aside(Res::ConfigMaps, map);
        self.now = now;
    }

    /// Makes an object by a chance of its own: what a scenario makes otherwise stays the same.
    pub(crate) fn create_aside(&mut self, res: Res, object: Value) {
        let own = format!(
            "{}/{}/{}/{}",
            self.name,
            res.spec().plural,
            fields::namespace(&object),
            fields::name(&object)
        );
        let usual = std::mem::replace(self.store.random(), Random::new(0, &own));
        // one that is there already is as good
        let _ = self.store.create(res, object, self.now);
        *self.store.random() = usual;
    }

    /// Takes an owner's dependents away from it, so that they stay when it goes.
    pub(crate) fn orphan(&mut self, owner_uid: &str) {
        for (res, id) in self.cache.dependents(owner_uid) {
            self.store.update(res, &id.namespace, &id.name, |o| {
                fields::drop_owner(o, owner_uid);
            });
        }
    }

    /// Whether a version of a kind is not served because a fault is on.
    pub(crate) fn withdrawn(&self, spec: &Spec, version: &str) -> bool {
        let preferred = spec.versions.first().map_or("", AsRef::as_ref);
        !self.trouble.none() && self.trouble.withdraws((&spec.group, &spec.plural), version, preferred)
    }

    /// A pod, if it is there.
    pub(crate) fn pod(&self, id: &Id) -> Option<std::sync::Arc<Value>> {
        self.store.get(Res::Pods, &id.namespace, &id.name).cloned()
    }

    /// Whether an image cannot be pulled for a pod: why, in the runtime's words.
    pub(crate) fn bad_image(&self, pod: &Value, image: &str) -> Option<String> {
        let node = text(pod, "spec.nodeName");
        let why = |fault: &Fault| match &fault.what {
            FaultKind::Image(bad) if bad == image => Some(format!("manifest for {image} not found")),
            // what is on the node already needs no registry
            FaultKind::Registry(host)
                if image.strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with('/'))
                    && !self.pulled.contains(&(node.to_owned(), image.to_owned())) =>
            {
                let name = image.strip_prefix(&format!("{host}/")).unwrap_or(image);
                let (name, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
                Some(format!(
                    "failed to do request: Head \"https://{host}/v2/{name}/manifests/{tag}\": dial tcp: lookup {host}: i/o timeout"
                ))
            }
            _ => None,
        };
        self.faults.iter().find_map(why)
    }

    /// Whether the pod's workload has a fault of this kind.
    pub(crate) fn faulty(&self, pod: &Value, kind: fn(Id) -> FaultKind) -> bool {
        let wanted = kind(Id::new(fields::namespace(pod), fields::label(pod, "app")));
        self.faults.iter().any(|f| f.what == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors_are_those_of_the_cluster_whatever_it_says_meanwhile() {
        let mut world = World::new("w", "v1.34.6-gke.1200", 1, Time::from_seconds(0));
        assert!(world.since_minor(34) && !world.since_minor(35));
        world.usual_version = Some(std::mem::replace(&mut world.version, "v1.37.0".to_owned()));
        assert!(!world.since_minor(35), "another version is only said");
    }
}
