//! Samples of a cluster's figures, a minute apart.

use std::sync::Arc;

use super::state::State;
use super::{SAMPLE_EVERY, SAMPLES};
use crate::model::{Kind, Sample, Time};

impl State {
    /// Takes a sample if this minute has none yet; says whether it did.
    pub(super) fn sample(&mut self, now: Time) -> bool {
        let last = self.cluster().series.samples.last();
        let nodes = self.cluster().table(Kind::Node);
        // Figures of a cluster that does not answer are no measurement of this minute.
        let measured = nodes.synced.is_some() && !self.cluster().link.stale(now);
        let minute = |time: Time| time.millis().div_euclid(SAMPLE_EVERY.millis());
        if !measured || last.is_some_and(|s| minute(s.at) >= minute(now)) {
            return false;
        }
        let cluster = self.cluster_mut();
        let totals = &cluster.totals;
        let sample = Sample {
            at: now,
            nodes: totals.nodes_ready,
            pods: totals.pods_ready,
            pending: totals.pods_pending,
            rate: totals.cost.rate,
        };
        let samples = &mut Arc::make_mut(&mut cluster.series).samples;
        samples.push(sample);
        if samples.len() > SAMPLES {
            samples.remove(0);
        }
        cluster.touch();
        true
    }
}
