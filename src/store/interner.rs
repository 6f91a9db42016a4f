//! One copy of every repeated string of a cluster.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::{Labels, Manager, Owner, Pool, Text};

/// The pool of one cluster. It holds a value for as long as a record does, and until the next sweep.
#[derive(Default)]
pub(super) struct Interner {
    texts: FxHashSet<Text>,
    labels: FxHashSet<Labels>,
    owners: FxHashSet<Arc<Owner>>,
    managers: FxHashSet<Arc<Manager>>,
    /// How much there was after the last sweep.
    kept: usize,
}

/// Below this many values a sweep is not worth its time.
const SMALL: usize = 1024;

impl Interner {
    /// Drops what no record holds any more.
    pub(super) fn sweep(&mut self) {
        // Sets and owners first: they hold texts.
        self.labels.retain(|labels| labels.holders() > 1);
        self.owners.retain(|owner| Arc::strong_count(owner) > 1);
        self.managers.retain(|manager| Arc::strong_count(manager) > 1);
        self.texts.retain(|text| text.holders() > 1);
        self.kept = self.len();
    }

    /// Sweeps when the pool grew to twice what the last sweep left: a watch that never has to
    /// list again must not collect the messages of years.
    pub(super) fn sweep_if_grown(&mut self) {
        if self.len() > 2 * self.kept + SMALL {
            self.sweep();
        }
    }

    /// How many values it holds.
    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.labels.len() + self.owners.len() + self.managers.len()
    }
}

fn shared<T: Clone + Eq + Hash>(set: &mut FxHashSet<T>, value: &mut T, make: impl FnOnce(&T) -> T) {
    if let Some(known) = set.get(value) {
        *value = known.clone();
    } else {
        *value = make(value);
        set.insert(value.clone());
    }
}

fn own(texts: &mut FxHashSet<Text>, text: &Text) -> Text {
    let mut text = text.clone();
    if !text.is_empty() {
        shared(texts, &mut text, Text::clone);
    }
    text
}

impl Pool for Interner {
    fn text(&mut self, text: &mut Text) {
        if !text.is_empty() {
            shared(&mut self.texts, text, Text::clone);
        }
    }

    fn labels(&mut self, labels: &mut Labels) {
        if labels.pairs().is_empty() {
            return;
        }
        let texts = &mut self.texts;
        shared(&mut self.labels, labels, |set| {
            Labels::new(set.pairs().iter().map(|(k, v)| (own(texts, k), own(texts, v))).collect())
        });
    }

    fn owner(&mut self, owner: &mut Arc<Owner>) {
        let texts = &mut self.texts;
        shared(&mut self.owners, owner, |o| {
            Arc::new(Owner {
                api: own(texts, &o.api),
                kind: own(texts, &o.kind),
                name: o.name.clone(),
                uid: o.uid,
            })
        });
    }

    fn manager(&mut self, manager: &mut Arc<Manager>) {
        let texts = &mut self.texts;
        shared(&mut self.managers, manager, |m| {
            Arc::new(Manager { system: own(texts, &m.system), name: own(texts, &m.name) })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Container, Meta, Namespace, Pod, Record, Uid};

    #[test]
    fn equal_values_become_one_and_are_swept_when_nobody_holds_them() {
        let mut pool = Interner::default();
        let mut a = Text::clean("node-1");
        let mut b = Text::clean("node-1");
        pool.text(&mut a);
        pool.text(&mut b);
        assert_eq!(a.holders(), 3);
        let set = || Labels::new(vec![("app".into(), "pay".into())]);
        let (mut x, mut y) = (set(), set());
        pool.labels(&mut x);
        pool.labels(&mut y);
        assert_eq!(x.holders(), 3);
        assert_eq!(pool.len(), 4);
        pool.sweep();
        assert_eq!(pool.len(), 4);
        drop((x, y, b));
        pool.sweep();
        assert_eq!(pool.len(), 1);
        drop(a);
        pool.sweep();
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn what_a_reading_says_again_is_taken_from_the_one_before() {
        let owner = || Owner {
            api: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "r".into(),
            uid: Uid::parse("7"),
        };
        let pod = |image: &str| Pod {
            meta: Meta {
                namespace: "shop".into(),
                labels: Labels::new(vec![("app".into(), "pay".into())]),
                owner: Some(Arc::new(owner())),
                ..Meta::default()
            },
            node: "node-1".into(),
            containers: Box::new([Container { image: image.into(), ..Container::default() }]),
            ..Pod::default()
        };
        let mut pool = Interner::default();
        let mut shared = |pod: Pod, before: Option<&Record>| {
            let mut record = Record::Pod(pod);
            record.share(&mut pool, before);
            (record, pool.len())
        };
        let (first, held) = shared(pod("pay:1"), None);
        for before in [Some(&first), None, Some(&Record::Namespace(Namespace::default()))] {
            let (second, holds) = shared(pod("pay:2"), before);
            assert_eq!((&second, holds), (&Record::Pod(pod("pay:2")), held + 1), "its image is new");
            let (Record::Pod(a), Record::Pod(b)) = (&first, &second) else { panic!("pods") };
            let pairs = [(&a.meta.namespace, &b.meta.namespace), (&a.node, &b.node)];
            assert!(pairs.iter().all(|(a, b)| std::ptr::eq(a.as_str(), b.as_str())));
            assert_eq!(a.meta.labels.pairs().as_ptr(), b.meta.labels.pairs().as_ptr());
            assert!(a.meta.owner.as_ref().zip(b.meta.owner.as_ref()).is_some_and(|(a, b)| Arc::ptr_eq(a, b)));
            assert_eq!(b.containers[0].image.holders(), 2, "the pool and this reading");
        }
    }

    #[test]
    fn it_sweeps_by_itself_when_it_grew() {
        let mut pool = Interner::default();
        for i in 0..SMALL * 4 {
            pool.text(&mut Text::from(i.to_string()));
            pool.sweep_if_grown();
        }
        assert!(pool.len() <= SMALL + 1, "{}", pool.len());
    }
}
