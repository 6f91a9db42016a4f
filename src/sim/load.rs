//! How much work a workload has, over time, and what its pods use of it.

use crate::sim::json::Value;

use super::fields::{self, deleting, holds, label, namespace, text, uid};
use super::queue::Id;
use super::random;
use super::resources::Res;
use super::world::World;
use crate::model::{Span, Time, Used};

/// The form of a curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// Up and down smoothly.
    #[default]
    Wave,
    /// High for half of the period, low for the other: what makes an autoscaler flap.
    Square,
}

/// The work of a workload in milli-cores, all replicas together.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Load {
    pub(crate) base: i64,
    pub(crate) swing: i64,
    pub(crate) period: Span,
    pub(crate) shape: Shape,
}

impl Load {
    /// The work at a time.
    pub(crate) fn at(&self, now: Time) -> i64 {
        let period = self.period.millis();
        if period <= 0 {
            return self.base;
        }
        let phase = now.millis().rem_euclid(period) as f64 / period as f64;
        let part = match self.shape {
            Shape::Wave => (phase * std::f64::consts::TAU).sin(),
            Shape::Square if phase < 0.5 => 1.0,
            Shape::Square => -1.0,
        };
        (self.base + (part * self.swing as f64) as i64).max(0)
    }
}

impl World {
    /// What a running pod uses; `None` when nothing measures it.
    pub(crate) fn pod_usage(&self, pod: &Value) -> Option<Used> {
        let node = text(pod, "spec.nodeName");
        if text(pod, "status.phase") != "Running" || self.dead.contains(node) {
            return None;
        }
        let asks = fields::pod_requests(pod);
        let workload = Id::new(namespace(pod), label(pod, "app"));
        // a little apart from each other, the same every time
        let jitter = 90 + (random::hash(uid(pod)) % 21) as i64;
        let cpu = match self.loads.get(&workload) {
            Some(load) if holds(pod, "Ready") => {
                let serving = self.serving.get(&workload).copied().unwrap_or(1).max(1);
                // throttled at twice its request
                (load.at(self.now) / serving).min(asks.cpu.max(100) * 2)
            }
            Some(_) => asks.cpu / 20,
            None => asks.cpu * 3 / 10,
        };
        let memory = match self.loads.get(&workload) {
            // what is kept for the work at hand grows with it, beside what is always there
            Some(_) => asks.memory * (40 + (cpu * 100 / asks.cpu.max(100)).min(150) * 3 / 10) / 100,
            None => asks.memory * 6 / 10,
        };
        Some(Used { cpu: (cpu * jitter / 100).max(1), memory: (memory * jitter / 100).max(8 << 20) })
    }

    /// What a node uses: its pods and what the machine itself needs.
    pub(crate) fn node_usage(&self, node: &str) -> Option<Used> {
        let view = self.cache.nodes.get(node)?;
        if !view.ready || self.dead.contains(node) {
            return None;
        }
        let mut sum = Used { cpu: 60 + view.allocatable.cpu / 100, memory: 700 << 20 };
        for id in &view.pods {
            let pod = self.store.get(Res::Pods, &id.namespace, &id.name);
            if let Some(used) = pod.and_then(|p| self.pod_usage(p)) {
                sum.cpu += used.cpu;
                sum.memory += used.memory;
            }
        }
        Some(sum)
    }

    /// Keeps the number of serving pods of each workload with a load.
    pub(crate) fn count_serving(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let serves = |p: Option<&Value>| {
            let pod = p.filter(|p| holds(p, "Ready") && !deleting(p))?;
            Some(Id::new(namespace(pod), label(pod, "app")))
        };
        let (was, is) = (serves(before), serves(after));
        if was == is {
            return;
        }
        if let Some(id) = was
            && let Some(n) = self.serving.get_mut(&id)
        {
            *n -= 1;
        }
        if let Some(id) = is {
            *self.serving.entry(id).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    #[test]
    fn curves_go_up_and_down() {
        let t = Time::from_seconds;
        let wave = Load { base: 1000, swing: 500, period: Span::from_seconds(40), shape: Shape::Wave };
        assert_eq!((wave.at(t(0)), wave.at(t(10)), wave.at(t(30))), (1000, 1500, 500));
        let square = Load { shape: Shape::Square, ..wave };
        assert_eq!((square.at(t(1)), square.at(t(21))), (1500, 500));
        assert_eq!(Load { base: 7, ..Load::default() }.at(t(5)), 7);
    }

    #[test]
    fn memory_follows_the_work_and_stays_within_what_is_asked_for() {
        let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(0));
        let pod = json!({
            "metadata": { "name": "p", "namespace": "a", "uid": "u", "labels": { "app": "web" } },
            "spec": { "nodeName": "n", "containers": [{ "resources": { "requests": { "cpu": "1", "memory": "1Gi" } } }] },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let mut at = |milli: i64| {
            world.loads.insert(Id::new("a", "web"), Load { base: milli, ..Load::default() });
            world.pod_usage(&pod).unwrap().memory
        };
        let (idle, busy, most) = (at(100), at(900), at(9_000));
        assert!(idle < busy && busy < most && most < 1 << 30, "{idle} {busy} {most}");
    }
}
