//! One cluster in the store: its records, where they are, and what is folded from them.

use std::sync::Arc;

use super::audit::Audited;
use super::ended::Ended;
use super::index::Index;
use super::interner::Interner;
use super::list::{List, Newer};
use super::newest::Newest;
use super::totals::Counts;
use super::{Derive, YOUNG, ring};
use crate::model::{
    Change, Cluster, ClusterId, ClusterInfo, Kind, Link, LinkState, Place, Record, Symptom, Table, Time, Uid,
    Usage, Version, spared,
};

/// One cluster in the store.
pub(super) struct State {
    /// What snapshots share; copied by the first change after one.
    cluster: Arc<Cluster>,
    /// The version up to which each kind is known. Tables show it as of their last change: that
    /// nothing happened up to a later one is to be seen nowhere.
    versions: [Version; Kind::COUNT],
    /// Where each object is, by kind.
    index: Vec<Index>,
    /// Lists that are coming in, by kind.
    lists: Vec<Option<List>>,
    /// Audits that are under way, by kind.
    audits: Vec<Option<Audited>>,
    events: Newest,
    counts: Counts,
    ended: Ended,
    pool: Interner,
    /// Whether something changed that the extras are made from.
    extras_due: bool,
    /// Whether something changed that nobody could see and that was not handed out yet.
    quiet: bool,
}

impl State {
    pub(super) fn new(id: ClusterId, info: Arc<ClusterInfo>, now: Time, events: usize) -> State {
        State {
            cluster: Arc::new(Cluster::new(id, info, now)),
            versions: [Version(0); Kind::COUNT],
            index: Kind::ALL.iter().map(|_| Index::default()).collect(),
            lists: Kind::ALL.iter().map(|_| None).collect(),
            audits: Kind::ALL.iter().map(|_| None).collect(),
            events: Newest::new(events),
            counts: Counts::default(),
            ended: Ended::default(),
            pool: Interner::default(),
            extras_due: true,
            quiet: false,
        }
    }

    pub(super) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    pub(super) fn cluster_mut(&mut self) -> &mut Cluster {
        owned(&mut self.cluster)
    }

    /// Notes that a reader could see a difference.
    pub(super) fn changed(&mut self) {
        self.cluster_mut().touch();
    }

    /// The version up to which a kind is known.
    pub(super) fn version(&self, kind: Kind) -> Version {
        self.versions[kind.index()]
    }

    pub(super) fn list(&mut self, kind: Kind) -> &mut Option<List> {
        &mut self.lists[kind.index()]
    }

    pub(super) fn audit(&mut self, kind: Kind) -> &mut Option<Audited> {
        &mut self.audits[kind.index()]
    }

    pub(super) fn events(&mut self) -> &mut Newest {
        &mut self.events
    }

    pub(super) fn pool(&mut self) -> &mut Interner {
        &mut self.pool
    }

    pub(super) fn table(&mut self, kind: Kind) -> &mut Table {
        &mut self.cluster_mut().tables[kind.index()]
    }

    pub(super) fn known(&self, kind: Kind, uid: Uid) -> Option<&Arc<Record>> {
        self.cluster.table(kind).rows.get(self.place(kind, uid)?)
    }

    fn place(&self, kind: Kind, uid: Uid) -> Option<Place> {
        self.index[kind.index()].find(&self.cluster.table(kind).rows, uid)
    }

    pub(super) fn uids(&self, kind: Kind) -> Vec<Uid> {
        self.cluster.records(kind).map(|record| record.meta().uid).collect()
    }

    /// Notes that something changed that may be shown some seconds later: with the next tick, or what comes before it.
    pub(super) fn unseen(&mut self) {
        self.quiet = true;
    }

    /// Whether something changed since the last call, or the last snapshot, that nobody could see.
    pub(super) fn take_quiet(&mut self) -> bool {
        std::mem::take(&mut self.quiet)
    }

    pub(super) fn sweep(&mut self) {
        self.pool.sweep();
    }

    /// Makes what is not worth folding into every change: tables show their versions; what is paid for beside nodes needs a
    /// pass over volumes and services, and they seldom change.
    pub(super) fn settle(&mut self, derive: &Derive) {
        self.quiet = false;
        if let Some(cluster) = Arc::get_mut(&mut self.cluster) {
            cluster.tables.iter_mut().zip(self.versions).for_each(|(table, version)| table.version = version);
        }
        if !std::mem::take(&mut self.extras_due) {
            return;
        }
        let Some(extras) = spared(|| (derive.extras)(&self.cluster)) else { return };
        if extras != *self.cluster.extras {
            let cluster = self.cluster_mut();
            cluster.extras = Arc::new(extras);
            cluster.touch();
        }
    }

    /// Applies one change; says whether a reader could see a difference.
    pub(super) fn apply(&mut self, derive: &Derive, change: Change, at: Time) -> bool {
        let generation = self.cluster.generation;
        let of = moved(&change);
        match change {
            Change::Begin(kind) => {
                *self.audit(kind) = None;
                *self.list(kind) = Some(List::default());
            }
            Change::Page(kind, records) => self.page(kind, records),
            Change::Void(kind) => *self.list(kind) = None,
            Change::Bookmark(kind, version) => self.bookmark(kind, version),
            Change::Upsert(record) => self.upsert(derive, record, at),
            Change::Gone(kind, uid, version) => self.gone(derive, kind, uid, version, at),
            Change::Synced(kind, version) => {
                self.swap(derive, kind, version, at);
                self.changed();
            }
            Change::Audit(kind, step) => self.audit_step(kind, step),
            Change::Reset => self.reset(at),
            Change::Link(_)
            | Change::Server { .. }
            | Change::Login(_)
            | Change::KindLink(..)
            | Change::Usage(_)
            | Change::Latency(_)
            | Change::Unreadable(..) => self.tell(change, at),
        }
        if let Some(kind) = of {
            self.audit_ends(derive, kind, at);
        }
        self.cluster.generation != generation
    }

    /// What is not about objects. Saying the same again changes nothing.
    fn tell(&mut self, change: Change, at: Time) {
        self.extras_due |= matches!(change, Change::Server { .. });
        self.quiet |= matches!(change, Change::Latency(_));
        match &change {
            Change::Link(link) if alike(&self.cluster.link, link) => return,
            Change::KindLink(kind, link) if alike(&self.cluster.table(*kind).link, link) => return,
            _ => {}
        }
        let cluster = self.cluster_mut();
        let changed = match change {
            Change::Link(link) => set(&mut cluster.link, link),
            Change::Server { version, identity, served, badges } => {
                let mut news = set(&mut cluster.version, version);
                if identity.is_some() {
                    news |= set(&mut cluster.identity, identity);
                }
                news |= set(&mut cluster.badges, badges);
                news | set(&mut cluster.served, Arc::new(*served))
            }
            Change::Login(login) => set(&mut cluster.login, login),
            Change::KindLink(kind, link) => set(&mut cluster.tables[kind.index()].link, link),
            Change::Unreadable(kind, count) => set(&mut cluster.tables[kind.index()].unreadable, count),
            Change::Usage(usage) => {
                cluster.usage = Arc::<Usage>::from(usage);
                cluster.usage_at = Some(at);
                true
            }
            // A figure that trembles; the next change shows it.
            Change::Latency(span) => {
                cluster.api_p95 = Some(span);
                false
            }
            _ => false,
        };
        if changed {
            cluster.touch();
        }
    }

    fn page(&mut self, kind: Kind, records: Vec<Record>) {
        let pool = &mut self.pool;
        let Some(list) = &mut self.lists[kind.index()] else { return };
        for mut record in records {
            if record.kind() == kind && !record.meta().uid.is_none() {
                record.share(pool, None);
                list.add(Arc::new(record));
            }
        }
    }

    pub(super) fn bookmark(&mut self, kind: Kind, version: Version) {
        let known = &mut self.versions[kind.index()];
        *known = version.max(*known);
    }

    fn upsert(&mut self, derive: &Derive, mut record: Arc<Record>, at: Time) {
        let kind = record.kind();
        let (uid, version) = (record.meta().uid, record.meta().version);
        if uid.is_none() {
            return;
        }
        let place = self.place(kind, uid);
        let known = place.and_then(|place| self.cluster.table(kind).rows.get(place)).cloned();
        if self.outdated(kind, known.as_deref(), version) {
            self.table(kind).refused += 1;
            self.changed();
            return;
        }
        if let Some(list) = self.list(kind) {
            list.came(uid);
        }
        self.bookmark(kind, version);
        // Nobody else holds it yet, so it is not copied.
        let fresh = Arc::make_mut(&mut record);
        if let Some(known) = &known {
            if fresh.meta().name == known.meta().name {
                // The only text that is not pooled: what is shown still and what follows it have it together.
                fresh.meta_mut().name = known.meta().name.clone();
            }
            fresh.meta_mut().version = known.meta().version;
            let (same, again) = (**known == *fresh, known.meta().version == version);
            fresh.meta_mut().version = version;
            if same && again {
                return;
            }
            fresh.share(&mut self.pool, Some(known));
            if same {
                // A heartbeat, or a change of what is not kept: nobody could see it.
                self.quiet = true;
                return self.replace(kind, place, record);
            }
        } else {
            fresh.share(&mut self.pool, None);
        }
        self.put_at(derive, place, record, at);
        self.changed();
        self.pool.sweep_if_grown();
    }

    fn gone(&mut self, derive: &Derive, kind: Kind, uid: Uid, version: Version, at: Time) {
        if self
            .known(kind, uid)
            .is_some_and(|known| version.0 != 0 && known.meta().version.newer_than(version))
        {
            self.table(kind).refused += 1;
            self.changed();
            return;
        }
        if let Some(list) = self.list(kind) {
            list.gone(uid, version);
        }
        if let Some(audit) = self.audit(kind) {
            audit.gone(uid);
        }
        self.bookmark(kind, version);
        if self.known(kind, uid).is_some() {
            self.remove(derive, kind, uid, at);
            self.changed();
        }
    }

    /// Whether this reading is older than what is known. Of an object that is not here it is known
    /// that it was not there at the table's version: objects do not come back under their uid, so a
    /// reading no newer than that is a replay.
    fn outdated(&self, kind: Kind, known: Option<&Record>, version: Version) -> bool {
        if version.0 == 0 {
            return false;
        }
        let table = self.cluster.table(kind);
        match known {
            Some(known) => known.meta().version.newer_than(version),
            None => table.synced.is_some() && version <= self.version(kind),
        }
    }

    /// Puts a record where it belongs and folds the difference.
    pub(super) fn put(&mut self, derive: &Derive, record: Arc<Record>, at: Time) {
        let place = self.place(record.kind(), record.meta().uid);
        self.put_at(derive, place, record, at);
    }

    /// The same where it is known at which place the reading before it is, if there is one.
    fn put_at(&mut self, derive: &Derive, place: Option<Place>, record: Arc<Record>, at: Time) {
        let kind = record.kind();
        let before = place.and_then(|place| self.cluster.table(kind).rows.get(place)).cloned();
        if before.is_none() {
            self.make_room(derive, &record, at);
        }
        self.derived(derive, before.as_deref(), Some(&record), at);
        if kind == Kind::Event {
            self.events.replace(before.as_deref(), Some(&record));
        }
        self.identify(&record);
        if place.is_some() {
            self.replace(kind, place, record);
        } else {
            let place = self.table(kind).rows.insert(record);
            self.index[kind.index()].add(&self.cluster.table(kind).rows, place);
        }
        while let Some(oldest) = self.events.overflow() {
            self.forget(Kind::Event, oldest);
            self.table(Kind::Event).bounded = true;
        }
    }

    /// A name is one object's. Who has it is gone when another one comes under it, though nobody said so.
    fn make_room(&mut self, derive: &Derive, record: &Record, at: Time) {
        let kind = record.kind();
        let rows = &self.cluster.table(kind).rows;
        let namesake = self.index[kind.index()].namesake(rows, record.meta());
        if let Some(gone) = namesake.filter(|_| !record.meta().name.is_empty()) {
            if let Some(audit) = self.audit(kind) {
                audit.gone(gone);
            }
            self.remove(derive, kind, gone, at);
        }
    }

    fn replace(&mut self, kind: Kind, place: Option<Place>, record: Arc<Record>) {
        if let Some(place) = place {
            owned(&mut self.cluster).tables[kind.index()].rows.replace(place, record);
        }
    }

    /// Removes a record and folds the difference.
    pub(super) fn remove(&mut self, derive: &Derive, kind: Kind, uid: Uid, at: Time) {
        let Some(before) = self.known(kind, uid).cloned() else { return };
        self.derived(derive, Some(&before), None, at);
        if kind == Kind::Event {
            self.events.replace(Some(&before), None);
            // Events go when they are old enough: what was left out was older.
            self.table(Kind::Event).bounded = false;
        }
        self.forget(kind, uid);
    }

    fn forget(&mut self, kind: Kind, uid: Uid) {
        let rows = &mut owned(&mut self.cluster).tables[kind.index()].rows;
        if let Some(place) = self.index[kind.index()].take(rows, uid) {
            rows.remove(place);
        }
    }

    /// Totals, symptoms and signals of one change, all asked before the rows change.
    fn derived(&mut self, derive: &Derive, before: Option<&Record>, after: Option<&Record>, at: Time) {
        let Some(uid) = after.or(before).map(|r| r.meta().uid) else { return };
        let kind = after.or(before).map(Record::kind);
        let worst = |r: &Record| {
            let found = derive.rules.iter().filter_map(|rule| rule.symptom(&self.cluster, r, at));
            found.reduce(|a, b| if b.tone > a.tone { b } else { a })
        };
        let symptom = spared(|| after.and_then(worst)).flatten();
        let mut signals = Vec::new();
        let listed = kind.is_some_and(|k| k == Kind::Event || self.cluster.table(k).synced.is_some());
        if listed || after.is_some_and(|record| young(record, at)) {
            spared(|| {
                for observer in &derive.observers {
                    observer.observe(&self.cluster, before, after, at, &mut signals);
                }
            });
        }
        self.keep_symptom(uid, symptom, at);
        if after.is_none() {
            self.ended.forget(uid);
        }
        let cluster = owned(&mut self.cluster);
        for signal in signals {
            ring::add(&mut cluster.signals, signal);
        }
        let place = (cluster.provider, cluster.region.clone());
        self.counts.fold(cluster, before, after, &derive.price);
        self.extras_due |= matches!(kind, Some(Kind::Volume | Kind::Service | Kind::StorageClass))
            || place != (cluster.provider, cluster.region.clone());
    }

    fn keep_symptom(&mut self, uid: Uid, found: Option<Symptom>, at: Time) {
        let old = self.cluster.symptoms.get(&uid).map(Arc::as_ref);
        let symptom = self.ended.follow(uid, old, found, at);
        if old == symptom.as_ref() {
            return;
        }
        let symptoms = Arc::make_mut(&mut self.cluster_mut().symptoms);
        match symptom {
            Some(symptom) => symptoms.insert(uid, Arc::new(symptom)),
            None => symptoms.remove(&uid),
        };
    }

    /// It is another cluster, or an older state of it: only what the connection says of itself stays.
    fn reset(&mut self, at: Time) {
        let old = self.cluster.clone();
        let mut fresh = State::new(old.id, old.info.clone(), at, self.events.room());
        let cluster = fresh.cluster_mut();
        cluster.link = old.link.clone();
        cluster.login = old.login.clone();
        cluster.badges = old.badges.clone();
        cluster.version = old.version.clone();
        cluster.served = old.served.clone();
        cluster.generation = old.generation + 1;
        cluster.api_p95 = old.api_p95;
        for (new, old) in cluster.tables.iter_mut().zip(&old.tables) {
            new.link = void(&old.link, at);
        }
        *self = fresh;
    }
}

/// The cluster to be changed: a copy while a snapshot holds it.
fn owned(cluster: &mut Arc<Cluster>) -> &mut Cluster {
    if Arc::get_mut(cluster).is_none() {
        *cluster = Arc::new(cluster.copy());
    }
    Arc::make_mut(cluster)
}

/// The kind whose version a change may move on, or whose audit it ends.
fn moved(change: &Change) -> Option<Kind> {
    match change {
        Change::Upsert(record) => Some(record.kind()),
        Change::Gone(kind, ..) | Change::Bookmark(kind, _) | Change::Audit(kind, _) => Some(*kind),
        _ => None,
    }
}

/// A watch's link after a reset: what came over it before is void, so it has no age.
fn void(link: &Link, at: Time) -> Link {
    match link.state {
        LinkState::Denied | LinkState::Missing => link.clone(),
        _ => Link::waiting(at),
    }
}

/// Whether a link says nothing new: that a live one gave another sign of life is none, its age is zero
/// before and after.
fn alike(old: &Link, new: &Link) -> bool {
    let quiet = |link: &Link| Link { heard: None, ..link.clone() };
    old.live() && quiet(old) == quiet(new)
}

fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

/// Whether this is a node that came within the last hour: it says so itself, so that what scaled before the console was
/// started is told like what scales since. Events last as long (`--event-ttl` of the API server).
fn young(record: &Record, at: Time) -> bool {
    record.node().and_then(|node| node.meta.created).is_some_and(|born| born.age(at) < YOUNG)
}
