//! The rows of the objects pane: places of records, in order. A row is written when it is shown.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::field::{Field, may_be_figure};
use super::fields::{self, Fields, Guests};
use super::part::{Part, Tally, find};
use super::tones;
use crate::model::{Cell, Cluster, ClusterId, Kind, ObjectKey, Place, Record, Selector, Time, Tone, Uid};
use crate::views::health::{old, usage_stale};
use crate::views::{RowId, Scope, SheetRow};

/// Every object of a kind in scope, by cluster, namespace and name. It holds the clusters that it
/// was made from, and four bytes for each row.
#[derive(Clone, Debug)]
pub struct Listing {
    kind: Kind,
    now: Time,
    stretches: Vec<Stretch>,
    len: usize,
}

/// The rows of one cluster.
#[derive(Clone, Debug)]
struct Stretch {
    part: Part,
    /// The row that its first one is.
    first: usize,
    guests: Option<Arc<Guests>>,
    stale: bool,
    /// Whether what its nodes and pods use was measured too long ago.
    old_usage: bool,
}

/// A row that is not written yet.
#[derive(Clone, Copy)]
pub struct Listed<'a> {
    stretch: &'a Stretch,
    record: &'a Arc<Record>,
    now: Time,
}

impl Listing {
    /// The objects of a kind in scope. `before` is a listing of the same kind and scope: the order
    /// of clusters in which no object came or went is taken from it.
    pub(super) fn new(
        clusters: &[&Arc<Cluster>],
        scope: &Scope,
        kind: Kind,
        now: Time,
        before: Option<&Listing>,
    ) -> Listing {
        let mut listing = Listing { kind, now, stretches: Vec::with_capacity(clusters.len()), len: 0 };
        for cluster in clusters {
            let known = before.filter(|before| before.kind == kind).and_then(|b| b.stretch(cluster.id));
            let part = match known {
                Some(known) => known.part.follow(cluster, scope, kind, now),
                None => Part::of(cluster, scope, kind, now),
            };
            let guests = if kind == Kind::Node { fields::guests(cluster).map(Arc::new) } else { None };
            let stale = old(cluster, kind, now);
            let old_usage = usage_stale(cluster, now);
            let first = listing.len;
            listing.len += part.order.len();
            listing.stretches.push(Stretch { part, first, guests, stale, old_usage });
        }
        listing
    }

    fn stretch(&self, cluster: ClusterId) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| stretch.part.cluster.id == cluster)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A row.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Listed<'_>> {
        let at = self.stretches.partition_point(|stretch| stretch.first <= index).checked_sub(1)?;
        let stretch = self.stretches.get(at)?;
        let place = stretch.part.order.get(index - stretch.first)?;
        let record = stretch.part.cluster.table(self.kind).rows.get(*place)?;
        Some(Listed { stretch, record, now: self.now })
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        self.stretches.iter().flat_map(move |stretch| {
            let rows = &stretch.part.cluster.table(self.kind).rows;
            let listed =
                move |place: &Place| Some(Listed { stretch, record: rows.get(*place)?, now: self.now });
            stretch.part.order.iter().filter_map(listed)
        })
    }

    /// The row of an object.
    #[must_use]
    pub fn find(&self, key: &ObjectKey) -> Option<usize> {
        let Stretch { part, first, .. } = self.stretch(key.cluster).filter(|_| self.kind == key.kind)?;
        Some(first + find(&part.cluster.table(self.kind).rows, &part.order, key)?)
    }

    /// What the answer tells.
    pub(super) fn tally(&self) -> Tally {
        self.stretches.iter().map(|stretch| stretch.part.tally).sum()
    }

    /// The rows by a column: numbers by their value, texts by themselves; what has no value comes
    /// last. Rows that are equal there stay in their order.
    #[must_use]
    pub fn sorted(&self, column: usize, back: bool) -> Vec<u32> {
        let mut keys: Vec<(Key<'_>, u32)> = self.iter().map(|row| row.key(column)).zip(0..).collect();
        keys.sort_by(|(a, _), (b, _)| if back { b.cmp(a) } else { a.cmp(b) });
        keys.into_iter().map(|(_, index)| index).collect()
    }

    /// The rows of `order` in the order that they had, `before`, in another listing; and how many of
    /// them are not in that.
    #[must_use]
    pub fn keep_order(&self, order: &[u32], other: &Listing, before: &[u32]) -> (Vec<u32>, usize) {
        let mut pairs = self.stretches.iter().zip(&other.stretches);
        let same = self.stretches.len() == other.stretches.len()
            && pairs.all(|(a, b)| Arc::ptr_eq(&a.part.order, &b.part.order));
        if same && order.len() == before.len() {
            return (before.to_vec(), 0);
        }
        let uid = |row: Listed<'_>| (row.stretch.part.cluster.id, row.record.meta().uid);
        let mut places: FxHashMap<(ClusterId, Uid), u32> =
            order.iter().filter_map(|at| Some((uid(self.get(*at as usize)?), *at))).collect();
        let kept = before
            .iter()
            .filter_map(|index| other.get(*index as usize))
            .filter_map(|row| places.remove(&uid(row)))
            .collect();
        (kept, places.len())
    }
}

/// What a row is sorted by. The order of the variants is the order of the rows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Number(i64),
    Text(&'a str),
    Made(String),
}

impl<'a> Listed<'a> {
    /// The cluster that it is in.
    #[must_use]
    pub fn cluster(&self) -> &'a Cluster {
        &self.stretch.part.cluster
    }

    /// Its record.
    #[must_use]
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// How worrying it is.
    #[must_use]
    pub fn tone(&self) -> Tone {
        tones::of(self.cluster(), self.record, self.now)
    }

    /// Whether it has labels that a selector asks for.
    #[must_use]
    pub fn selected(&self, selector: &Selector) -> bool {
        selector.matches(&self.record.meta().labels)
    }

    /// Whether a text of it holds what `found` looks for, which is a part of `word` or the whole,
    /// in lower case. `spare` is for writing figures down: they are where `word` may be one.
    #[must_use]
    pub fn says(&self, word: &str, spare: &mut String, found: &dyn Fn(&str) -> bool) -> bool {
        let meta = self.record.meta();
        if found(&meta.name) || found(&meta.namespace) || found(&self.cluster().info.name) {
            return true;
        }
        let figures = may_be_figure(word);
        let mut own = Fields::new();
        self.append(&mut own);
        own.iter().any(|field| (figures || field.known().is_some()) && field.says(spare, found))
    }

    /// One cell of it.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<Cell> {
        self.fields().get(column).map(Field::cell)
    }

    /// The whole row.
    #[must_use]
    pub fn row(&self) -> SheetRow {
        let key = self.record.key(self.stretch.part.cluster.id);
        SheetRow {
            id: RowId::Object(key.clone()),
            tone: self.tone(),
            cells: self.fields().iter().map(Field::cell).collect(),
            objects: vec![key],
            stale: self.stretch.stale,
        }
    }

    fn fields(&self) -> Fields<'a> {
        let meta = self.record.meta();
        let mut out = Fields::new();
        out.push(Field::Text(&self.cluster().info.name));
        if self.record.kind().names().namespaced {
            out.push(Field::Text(&meta.namespace));
        }
        out.push(Field::Text(&meta.name));
        self.append(&mut out);
        out
    }

    /// The fields that follow the name.
    fn append(&self, out: &mut Fields<'a>) {
        let (guests, old) = (self.stretch.guests.as_deref(), self.stretch.old_usage);
        fields::append(self.cluster(), self.record, guests, old, self.now, out);
        let created = self.record.meta().created;
        out.push(created.map_or(Field::Word("?"), |created| Field::Span(created.age(self.now))));
    }

    fn key(&self, column: usize) -> Key<'a> {
        let fields = self.fields();
        let Some(field) = fields.into_iter().nth(column) else { return Key::Text("") };
        match (field.sort(), field) {
            (Some(number), _) => Key::Number(number),
            (None, Field::Text(text)) => Key::Text(text),
            (None, Field::Word(word)) => Key::Text(word),
            (None, other) => Key::Made(other.to_string()),
        }
    }
}
