//! The store: the one owner of the fleet.
//!
//! Rank 3. A pure reducer: [`Store::apply`] takes one [`Delta`], [`Store::snapshot`] hands out what
//! is known. [`run`] is the task around it: it drains deltas and publishes at most ten times a
//! second. Nobody ever sees half a list: pages are kept aside until the list is complete, and then
//! only what really changed is applied, so that totals, symptoms and signals are folds over real
//! changes. No object goes back to an older version, except after a declared reset.

mod audit;
mod ended;
mod index;
mod interner;
mod list;
#[cfg(test)]
mod load;
mod newest;
mod ring;
mod same;
mod series;
mod state;
mod task;
mod totals;

pub use task::{PUBLISH_EVERY, keep, run};

use std::sync::Arc;

use crate::model::{Change, ClusterId, ClusterInfo, Delta, Fleet, LinkState, Span, Time};
use crate::views::{ExtrasOf, Observer, PriceOf, Rule, Snapshot};
use state::State;

/// How far apart the samples of a cluster's series are.
pub const SAMPLE_EVERY: Span = Span::from_seconds(60);

/// How many samples are kept: a day.
pub const SAMPLES: usize = 24 * 60;

/// How many signals of a cluster are kept.
pub const SIGNALS: usize = 2000;

/// Nodes younger than this when they are first listed are told of as having come.
const YOUNG: Span = Span::from_seconds(3600);

/// What is derived with every change. Integrations add their rules and observers here.
pub struct Derive {
    /// They say what is wrong with a record; the worst answer is kept.
    pub rules: Vec<Box<dyn Rule>>,
    /// They say what happened.
    pub observers: Vec<Box<dyn Observer>>,
    /// What a node costs.
    pub price: PriceOf,
    /// What a cluster pays for beside its nodes.
    pub extras: ExtrasOf,
}

/// Everything known of the fleet, and its only owner.
pub struct Store {
    clusters: Vec<State>,
    derive: Derive,
    sequence: u64,
    changed: bool,
    urgent: bool,
    /// Whether a connection changed: by which context a cluster is counted may change with it.
    ways: bool,
}

impl Store {
    /// A store of clusters of which nothing is known yet; the place in the list is the
    /// [`ClusterId`].
    #[must_use]
    pub fn new(clusters: impl IntoIterator<Item = Arc<ClusterInfo>>, now: Time, derive: Derive) -> Store {
        let mut store =
            Store { clusters: Vec::new(), derive, sequence: 0, changed: true, urgent: true, ways: false };
        for info in clusters {
            store.push(info, now);
        }
        store.share();
        store
    }

    /// The same store with snapshots that are newer than this one: it takes the place of another store.
    #[must_use]
    pub fn after(mut self, sequence: u64) -> Store {
        self.sequence = sequence;
        self
    }

    /// Adds a cluster that was found later. `None` when there are 65,536 already.
    pub fn add(&mut self, info: Arc<ClusterInfo>, now: Time) -> Option<ClusterId> {
        let id = self.push(info, now);
        self.share();
        id
    }

    fn push(&mut self, info: Arc<ClusterInfo>, now: Time) -> Option<ClusterId> {
        let id = ClusterId(u16::try_from(self.clusters.len()).ok()?);
        self.clusters.push(State::new(id, info, now, 0));
        self.changed = true;
        Some(id)
    }

    /// All clusters share what events may take.
    fn share(&mut self) {
        let room = newest::room(self.clusters.len());
        self.clusters.iter_mut().for_each(|state| state.events().share(room));
    }

    /// Takes one delta. A delta of a cluster that is not in the fleet is dropped.
    pub fn apply(&mut self, delta: Delta) {
        let Some(state) = self.clusters.get_mut(usize::from(delta.cluster.0)) else { return };
        // The first sign of a cluster is what a person waits for at start.
        if let Change::Link(new) = &delta.change {
            let old = &state.cluster().link;
            let first_try = old.state == LinkState::Waiting && old.tries == 0;
            self.urgent |= old.heard.is_none() && (first_try || new.heard.is_some());
        }
        // So is the end of a table that was never complete before.
        if let Change::Synced(kind, _) = &delta.change {
            self.urgent |= state.cluster().table(*kind).synced.is_none();
        }
        let of_connection = matches!(
            delta.change,
            Change::Link(_)
                | Change::KindLink(..)
                | Change::Server { .. }
                | Change::Synced(..)
                | Change::Reset
        );
        let changed = state.apply(&self.derive, delta.change, delta.at);
        self.changed |= changed;
        self.ways |= changed && of_connection;
    }

    /// Takes a sample of every cluster that is due for one, and hands out with the next snapshot what
    /// was not worth one: versions of objects that did not change otherwise.
    pub fn tick(&mut self, now: Time) {
        for state in &mut self.clusters {
            self.changed |= state.sample(now) | state.take_quiet();
        }
    }

    /// Whether anything changed since the last snapshot.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// Whether something changed since the last snapshot that should be seen at once.
    #[must_use]
    pub fn urgent(&self) -> bool {
        self.urgent
    }

    /// What is known now. Clusters that did not change since the last snapshot are shared with it.
    pub fn snapshot(&mut self, now: Time) -> Snapshot {
        self.sequence += 1;
        self.changed = false;
        self.urgent = false;
        if std::mem::take(&mut self.ways) {
            same::settle(&mut self.clusters);
        }
        self.clusters.iter_mut().for_each(|state| state.settle(&self.derive));
        let clusters = self.clusters.iter().map(|state| state.cluster().clone()).collect();
        Snapshot::new(now, self.sequence, Fleet { clusters })
    }
}

#[cfg(test)]
mod tests;
