//! The objects of one simulated cluster, with versions and a bounded log of changes.
//!
//! Like etcd and the watch cache together: one counter of versions for all resources, a log of
//! changes for each, and pages of lists that stay as they were when the first one was served.

mod deletion;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use crate::sim::json::{Value, share};

use super::admission;
use super::custom::Custom;
use super::fields::{self, deleting, list, name, namespace, set, text};
use super::managed;
use super::random::Random;
use super::refusal::{Cause, Refusal};
use super::resources::{Res, Slot, Spec};
use crate::model::{Span, Time};

pub(crate) use deletion::Deletion;

/// Changes kept for each resource: those of the last 75 s, and 100 at least, as in a real watch
/// cache (`apiserver/pkg/storage/cacher/watch_cache.go`). `MOST` bounds the memory of a storm: 75 s
/// of a hundred changes a second.
const KEPT: Span = Span::from_seconds(75);
const LEAST: usize = 100;
const MOST: usize = 8192;

/// What of an object's metadata is the server's alone.
const SERVERS: [&str; 8] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Lists whose further pages are kept, and for how long: as long as etcd keeps what was
/// (`--etcd-compaction-interval`).
const OPEN_LISTS: usize = 64;
const OPEN_FOR: Span = Span::from_seconds(300);

/// One change, as watches see it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The version that it made.
    pub(crate) version: u64,
    /// When.
    at: Time,
    /// The object before; `None` when it is new.
    pub(crate) before: Option<Arc<Value>>,
    /// The object after; of a removed object its last state.
    pub(crate) object: Arc<Value>,
    /// Whether it is gone.
    pub(crate) removed: bool,
}

/// One change, as controllers see it.
#[derive(Clone, Debug)]
pub(crate) struct Touched {
    pub(crate) slot: Slot,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

#[derive(Debug, Default)]
struct Table {
    /// By `namespace/name`, the order in which etcd lists.
    objects: BTreeMap<String, Arc<Value>>,
    log: VecDeque<Change>,
    /// A watch cannot begin below this version.
    floor: u64,
    /// The newest change that is forgotten: an open watch that has seen it goes on.
    forgotten: u64,
}

/// A list of which pages are still to be asked for.
#[derive(Debug)]
struct OpenList {
    opened: Time,
    version: u64,
    slot: Slot,
    /// What it selects, as text.
    selection: String,
    items: Arc<Vec<Arc<Value>>>,
}

/// The objects of one cluster.
#[derive(Debug)]
pub(crate) struct Store {
    /// Now, as far as the log is concerned.
    pub(crate) now: Time,
    version: u64,
    tables: Vec<Table>,
    /// The resources that clients defined.
    pub(crate) custom: Custom,
    open: VecDeque<OpenList>,
    /// What changed since somebody last took it.
    touched: Vec<Touched>,
    random: Random,
}

fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

impl Store {
    /// An empty cluster.
    pub(crate) fn new(random: Random) -> Store {
        Store {
            now: Time::from_millis(0),
            // versions of a server that was not born today
            version: 1_000,
            tables: Res::ALL.iter().map(|_| Table { floor: 1_000, ..Table::default() }).collect(),
            custom: Custom::default(),
            open: VecDeque::new(),
            touched: Vec::new(),
            random,
        }
    }

    /// The newest version.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The names of what is kept in a slot.
    pub(crate) fn spec(&self, slot: Slot) -> &Arc<Spec> {
        // a slot is given out with its names; nothing asks for another
        let res = slot.built_in();
        self.custom.spec(slot).unwrap_or_else(|| res.unwrap_or(Res::ConfigMaps).spec())
    }

    /// The objects of a slot: none where nothing is kept, such as after the cluster was replaced.
    fn table(&self, slot: Slot) -> &Table {
        static NONE: LazyLock<Table> = LazyLock::new(Table::default);
        self.tables.get(slot.index()).unwrap_or(&NONE)
    }

    /// Makes room for a resource that was defined.
    pub(crate) fn open_slot(&mut self, slot: Slot) {
        while self.tables.len() <= slot.index() {
            self.tables.push(Table { floor: self.version, ..Table::default() });
        }
    }

    /// The cluster's chance.
    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// One object.
    pub(crate) fn get(&self, of: impl Into<Slot>, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.tables.get(of.into().index())?.objects.get(&key(namespace, name))
    }

    /// One object, or the refusal to answer.
    pub(crate) fn need(
        &self,
        of: impl Into<Slot>,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Value>, Refusal> {
        let slot = of.into();
        self.get(slot, namespace, name).cloned().ok_or_else(|| Refusal::not_found(self.spec(slot), name))
    }

    /// The objects of a resource by namespace and name; of one namespace, if given.
    pub(crate) fn list<S: Into<Slot>>(
        &self,
        of: S,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &Arc<Value>> + use<'_, S> {
        let from = namespace.map_or(String::new(), |n| key(n, ""));
        let prefix = from.clone();
        self.table(of.into())
            .objects
            .range(from..)
            .take_while(move |(k, _)| k.starts_with(&prefix))
            .map(|(_, object)| object)
    }

    /// The object that follows a place in the order of lists, and its place; the first one follows
    /// the last.
    pub(crate) fn after(&self, of: impl Into<Slot>, place: &str) -> Option<(&str, &Arc<Value>)> {
        let objects = &self.tables.get(of.into().index())?.objects;
        let behind = (std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded);
        let found = objects.range::<str, _>(behind).next().or_else(|| objects.iter().next());
        found.map(|(place, object)| (place.as_str(), object))
    }

    /// The objects of a resource as they were at a version that is not forgotten.
    pub(crate) fn list_at(&self, slot: Slot, version: u64) -> Result<Vec<Arc<Value>>, Refusal> {
        let table = self.table(slot);
        if version < table.forgotten {
            return Err(Refusal::expired(version, table.forgotten));
        }
        let mut then = table.objects.clone();
        for change in table.log.iter().rev().take_while(|c| c.version > version) {
            let key = key(namespace(&change.object), name(&change.object));
            match &change.before {
                Some(before) => then.insert(key, before.clone()),
                None => then.remove(&key),
            };
        }
        Ok(then.into_values().collect())
    }

    /// Whether a watch can begin at a version.
    pub(crate) fn can_begin(&self, of: impl Into<Slot>, version: u64) -> Result<(), Refusal> {
        let floor = self.table(of.into()).floor;
        if version < floor { Err(Refusal::expired(version, floor)) } else { Ok(()) }
    }

    /// Changes of a resource after a version, or the refusal when some are forgotten.
    pub(crate) fn since<S: Into<Slot>>(
        &self,
        of: S,
        version: u64,
    ) -> Result<impl Iterator<Item = &Change> + use<'_, S>, Refusal> {
        let table = self.table(of.into());
        if version < table.forgotten {
            return Err(Refusal::expired(version, table.forgotten));
        }
        let from = table.log.partition_point(|change| change.version <= version);
        Ok(table.log.range(from..))
    }

    /// Takes what changed since this was last called.
    pub(crate) fn take_touched(&mut self) -> Vec<Touched> {
        std::mem::take(&mut self.touched)
    }

    /// Forgets all changes and open lists so far, as etcd's compaction does.
    pub(crate) fn compact(&mut self) {
        // the next version, so that even a watch from the newest object's version is too old
        self.version += 1;
        for table in &mut self.tables {
            table.floor = self.version;
            table.forgotten = table.log.back().map_or(table.forgotten, |last| last.version);
            table.log = VecDeque::new();
        }
        self.open.clear();
    }

    /// Goes back so many versions, as an etcd does that was restored from a copy.
    pub(crate) fn restore(&mut self, versions: u64) {
        let then = self.version.saturating_sub(versions);
        let slots: Vec<Slot> =
            Res::ALL.into_iter().map(Slot::from).chain(self.custom.live().map(|d| d.slot)).collect();
        for slot in slots {
            let table = &mut self.tables[slot.index()];
            // what a copy of that age would not hold any more is left as it is
            while table.log.back().is_some_and(|c| c.version > then) {
                let Some(change) = table.log.pop_back() else { break };
                let key = key(namespace(&change.object), name(&change.object));
                let after = table.objects.remove(&key);
                if let Some(before) = &change.before {
                    table.objects.insert(key, before.clone());
                }
                self.touched.push(Touched { slot, before: after, after: change.before });
            }
            table.floor = table.floor.min(then);
            table.forgotten = table.forgotten.min(then);
        }
        self.open.clear();
        self.version = then;
    }

    /// Gives an object another uid, as if it had been deleted and made again in between.
    pub(crate) fn new_identity(&mut self, of: impl Into<Slot>, object: &Arc<Value>, now: Time) {
        let mut other = (**object).clone();
        let uid = self.random.uuid();
        set(&mut other, "metadata.uid", uid);
        set(&mut other, "metadata.creationTimestamp", now.rfc3339());
        self.insert(of.into(), other);
    }

    /// Keeps the rest of a list for its further pages.
    pub(crate) fn keep_open(
        &mut self,
        slot: Slot,
        version: u64,
        selection: &str,
        items: Arc<Vec<Arc<Value>>>,
    ) {
        let now = self.now;
        self.open.retain(|l| l.opened.age(now) < OPEN_FOR);
        if self.open_list(slot, version, selection).is_some() {
            return;
        }
        if self.open.len() >= OPEN_LISTS {
            self.open.pop_front();
        }
        let selection = selection.to_owned();
        self.open.push_back(OpenList { opened: now, version, slot, selection, items });
    }

    /// The items of a list that is still open: of this resource, version and selection.
    pub(crate) fn open_list(
        &self,
        slot: Slot,
        version: u64,
        selection: &str,
    ) -> Option<Arc<Vec<Arc<Value>>>> {
        let same = |l: &&OpenList| {
            l.slot == slot
                && l.version == version
                && l.selection == selection
                && l.opened.age(self.now) < OPEN_FOR
        };
        self.open.iter().find(same).map(|l| l.items.clone())
    }

    /// Makes an object: name, uid, times and version are filled in.
    pub(crate) fn create(
        &mut self,
        of: impl Into<Slot>,
        mut object: Value,
        now: Time,
    ) -> Result<Arc<Value>, Refusal> {
        let slot = of.into();
        self.prepare(slot, &mut object, now)?;
        Ok(self.insert(slot, object))
    }

    /// What [`Store::create`] would make, without making it.
    pub(crate) fn prepare(&mut self, slot: Slot, object: &mut Value, now: Time) -> Result<(), Refusal> {
        let spec = self.spec(slot).clone();
        if name(object).is_empty() {
            let prefix = text(object, "metadata.generateName").to_owned();
            if prefix.is_empty() {
                let cause = Cause::required("metadata.name", "name or generateName is required");
                return Err(Refusal::invalid(&spec, "", &[cause]));
            }
            let name = format!("{prefix}{}", self.random.suffix(5));
            set(object, "metadata.name", name);
        }
        if self.get(slot, namespace(object), name(object)).is_some() {
            return Err(Refusal::exists(&spec, name(object)));
        }
        set(object, "apiVersion", spec.api_version());
        set(object, "kind", &*spec.kind);
        let uid = self.random.uuid();
        set(object, "metadata.uid", uid);
        set(object, "metadata.creationTimestamp", now.rfc3339());
        fields::unset(object, "metadata.deletionTimestamp");
        fields::unset(object, "metadata.deletionGracePeriodSeconds");
        if let Some(res) = slot.built_in() {
            admission::identify(res, object);
        }
        if spec.generation {
            set(object, "metadata.generation", 1);
        } else if fields::maybe_int(object, "metadata.generation") == Some(0) {
            // protobuf writes it out where JSON leaves it out
            fields::unset(object, "metadata.generation");
        }
        Ok(())
    }

    fn insert(&mut self, slot: Slot, mut object: Value) -> Arc<Value> {
        self.version += 1;
        set(&mut object, "metadata.resourceVersion", self.version.to_string());
        self.open_slot(slot);
        let table = &mut self.tables[slot.index()];
        let known = table.objects.get(&key(namespace(&object), name(&object)));
        share(&mut object, known.map(AsRef::as_ref));
        let object = Arc::new(object);
        let before = table.objects.insert(key(namespace(&object), name(&object)), object.clone());
        self.log(
            slot,
            Change {
                version: self.version,
                at: self.now,
                before: before.clone(),
                object: object.clone(),
                removed: false,
            },
        );
        self.touched.push(Touched { slot, before, after: Some(object.clone()) });
        object
    }

    fn log(&mut self, slot: Slot, change: Change) {
        let table = &mut self.tables[slot.index()];
        table.log.push_back(change);
        let now = self.now;
        let old = |log: &VecDeque<Change>| log.front().is_some_and(|c| c.at.age(now) > KEPT);
        while table.log.len() > MOST || (table.log.len() > LEAST && old(&table.log)) {
            if let Some(oldest) = table.log.pop_front() {
                table.floor = table.floor.max(oldest.version);
                table.forgotten = oldest.version;
            }
        }
    }

    /// What replacing an object by `new` would make of it: what clients cannot change is put
    /// back, and a changed spec has a new generation.
    pub(crate) fn revised(spec: &Spec, old: &Value, mut new: Value) -> Value {
        set(&mut new, "apiVersion", spec.api_version());
        set(&mut new, "kind", &*spec.kind);
        for field in SERVERS {
            let path = format!("metadata.{field}");
            match fields::at(old, &path) {
                Value::Null => fields::unset(&mut new, &path),
                kept => set(&mut new, &path, kept.clone()),
            }
        }
        // a pod that is bound is still what was asked for
        let bound = text(old, "spec.nodeName").is_empty() && !text(&new, "spec.nodeName").is_empty();
        let wanted = spec.generation && !bound && new.get("spec") != old.get("spec");
        let generation = fields::int(old, "metadata.generation");
        if generation > 0 && wanted {
            set(&mut new, "metadata.generation", generation + 1);
        }
        new
    }

    /// Replaces an object. What changes nothing makes no version, as in etcd. An object that was
    /// only waiting for its finalizers goes when the last one is taken.
    pub(crate) fn replace(&mut self, of: impl Into<Slot>, old: &Arc<Value>, new: Value) -> Arc<Value> {
        let slot = of.into();
        let new = Store::revised(self.spec(slot), old, new);
        if new == **old {
            return old.clone();
        }
        let waited = deleting(old) && !list(old, "metadata.finalizers").is_empty();
        // a pod that has still time is its kubelet's to remove
        let over = fields::int(old, "metadata.deletionGracePeriodSeconds") == 0;
        if waited && over && list(&new, "metadata.finalizers").is_empty() {
            return self.remove(slot, &Arc::new(new));
        }
        self.insert(slot, new)
    }

    /// Changes an object in place, if it is there.
    pub(crate) fn update(
        &mut self,
        of: impl Into<Slot>,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let slot = of.into();
        let old = self.get(slot, namespace, name)?.clone();
        let mut new = (*old).clone();
        change(&mut new);
        if slot == Res::Pods {
            managed::reported(&old, &mut new, self.now);
        }
        Some(self.replace(slot, &old, new))
    }

    /// Removes an object at once.
    pub(crate) fn remove(&mut self, of: impl Into<Slot>, object: &Arc<Value>) -> Arc<Value> {
        let slot = of.into();
        self.open_slot(slot);
        let table = &mut self.tables[slot.index()];
        let Some(before) = table.objects.remove(&key(namespace(object), name(object))) else {
            return object.clone();
        };
        self.version += 1;
        let mut last = (**object).clone();
        set(&mut last, "metadata.resourceVersion", self.version.to_string());
        let last = Arc::new(last);
        self.log(
            slot,
            Change {
                version: self.version,
                at: self.now,
                before: Some(before.clone()),
                object: last.clone(),
                removed: true,
            },
        );
        self.touched.push(Touched { slot, before: Some(before), after: None });
        last
    }
}

#[cfg(test)]
mod tests;
