//! The steps of a failover, in order.

use super::{Draft, Moved};
use crate::model::{ClusterId, ObjectKey, Text};
use crate::operations::{
    Action, Patch, PatchKind, Probe, ReadyTarget, RecoveryProbe, Step, Target, Tolerance, Traffic, Way,
    scale, words,
};

impl Draft<'_> {
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = vec![self.assess()];
        let up = self.scale_up();
        steps.extend(up.iter().cloned());
        steps.push(self.await_ready());
        if self.way != Way::Drill {
            steps.extend(self.file.traffic.iter().filter_map(|t| self.shift(t)));
        }
        steps.push(self.probe());
        match self.way {
            Way::Drill => steps.extend(put_back(&up)),
            Way::Run | Way::Back => steps.extend(self.scale_down()),
        }
        steps
    }

    /// A fact to report, never a reason to stop: a primary that cannot be seen is why one fails over.
    fn assess(&self) -> Step {
        Step {
            title: format!("assess {}", self.from.info.name).into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(self.file.deadlines.assess),
            tolerance: Tolerance::Anything,
            action: Action::Assess(self.from.id),
        }
    }

    /// The autoscaler's bounds come before the replicas: else it would take them back.
    fn scale_up(&self) -> Vec<Step> {
        let deadline = Some(self.file.deadlines.scale);
        let mut steps = Vec::new();
        for w in &self.workloads {
            let low = w.autoscaler.filter(|a| a.min < w.wanted);
            steps.extend(low.and_then(|a| scale::bounds(self.to, a, w.wanted)));
            if w.missing() > 0 {
                steps.push(scale::replicas(&words::target(&w.key, "v1"), w.there.desired, w.wanted));
            }
        }
        steps.into_iter().map(|step| Step { deadline, ..step }).collect()
    }

    fn ready_targets(&self) -> Vec<ReadyTarget> {
        let target = |w: &Moved<'_>| ReadyTarget {
            target: words::target(&w.key, "v1"),
            kind: w.key.kind,
            replicas: w.wanted,
            as_wanted: false,
        };
        self.workloads.iter().map(target).collect()
    }

    fn await_ready(&self) -> Step {
        let pods: u32 = self.workloads.iter().map(|w| w.wanted).fold(0, u32::saturating_add);
        Step {
            title: format!(
                "wait until {} are Ready on {}",
                words::count(pods as usize, "pod"),
                self.to.info.name
            )
            .into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(self.file.deadlines.ready),
            tolerance: Tolerance::Nothing,
            action: Action::AwaitReady(self.ready_targets()),
        }
    }

    fn probe(&self) -> Step {
        let (title, probe) = match &self.file.probe {
            // On the way back the address of the standby proves nothing.
            RecoveryProbe::Http { url, status, every } if self.way != Way::Back => {
                (format!("probe {url}"), Probe::Http { url: url.clone(), status: *status, every: *every })
            }
            _ => ("probe: every workload is Ready".to_owned(), Probe::Ready(self.ready_targets())),
        };
        Step {
            title: title.into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: Some(self.file.deadlines.probe),
            tolerance: Tolerance::Nothing,
            action: Action::Probe(probe),
        }
    }

    /// One traffic patch; on the way back its `back`, and nothing where there is none.
    fn shift(&self, traffic: &Traffic) -> Option<Step> {
        let cluster = self.traffic_cluster(traffic)?;
        let target = Target {
            cluster,
            api: traffic.api.clone(),
            plural: traffic.plural.clone(),
            kind: traffic.kind.clone(),
            namespace: traffic.namespace.clone(),
            name: traffic.name.clone(),
            uid: None,
        };
        let patch = |body: &serde_json::Value| {
            let kind = PatchKind::Merge;
            Action::Patch(Patch { target: target.clone(), subresource: "", kind, body: body.clone() })
        };
        let (there, back) = match self.way {
            Way::Back => (traffic.back.as_ref()?, Some(&traffic.patch)),
            _ => (&traffic.patch, traffic.back.as_ref()),
        };
        Some(Step {
            title: format!("shift traffic: {}", target.title()).into(),
            way_back: Text::clean(if back.is_some() { "patch it back" } else { "none named" }),
            undo: back.map(patch).into_iter().collect(),
            deadline: Some(self.file.deadlines.traffic),
            tolerance: self.shift_tolerance(&target, there),
            action: patch(there),
        })
    }

    /// A side that is lost cannot be patched, and must not hold the rest up. Anywhere else a patch
    /// that does not arrive moves nothing: what still serves must not be scaled down after it.
    fn shift_tolerance(&self, target: &Target, patch: &serde_json::Value) -> Tolerance {
        if target.cluster != self.from.id {
            return Tolerance::Nothing;
        }
        Tolerance::Silence(self.patch_later(target, patch))
    }

    /// The command that patches an object on the side that served.
    fn patch_later(&self, target: &Target, patch: &serde_json::Value) -> Text {
        let resource = format!("{}/{}", target.plural, target.name);
        let patch = patch.to_string();
        let mut words = vec!["patch"];
        if !target.namespace.is_empty() {
            words.extend(["-n", &target.namespace]);
        }
        words.extend([resource.as_str(), "--type=merge", "-p", &patch]);
        words::kubectl(self.from, &words).into()
    }

    fn traffic_cluster(&self, traffic: &Traffic) -> Option<ClusterId> {
        let fleet = &self.input.snapshot.fleet;
        let name = match traffic.cluster.as_str() {
            "standby" => &self.file.standby,
            "primary" => &self.file.primary,
            _ => &traffic.cluster,
        };
        fleet.by_name(name).map(|c| c.id)
    }

    /// Traffic patches that name a cluster which is not in the fleet.
    pub(super) fn lost_traffic(&self) -> Vec<Text> {
        let lost = self.file.traffic.iter().filter(|t| self.traffic_cluster(t).is_none());
        lost.map(|t| {
            format!("traffic {} {}: cluster {} is not in the fleet", t.kind, t.name, t.cluster).into()
        })
        .collect()
    }

    /// What served is scaled down last, when the other side is known to serve.
    fn scale_down(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for w in &self.workloads {
            let Some(to) = self.scaled_down(w) else { continue };
            let Some(here) = w.here else {
                steps.push(self.scale_down_unseen(w, to));
                continue;
            };
            let key = self.key_here(w, here);
            let step = scale::replicas(&words::target(&key, "v1"), here.desired, to);
            let autoscaler = scale::autoscaler_of(self.from, &key).filter(|a| to > 0 && a.min > to);
            let bounds = autoscaler.and_then(|a| scale::bounds(self.from, a, to));
            steps.extend(bounds.map(|step| match &step.action {
                Action::Patch(p) => {
                    Step { tolerance: Tolerance::Silence(self.patch_later(&p.target, &p.body)), ..step }
                }
                _ => step,
            }));
            let note = if self.from.link.live() { "" } else { ", if it answers" };
            let title = format!("{} on {}{note}", step.title, self.from.info.name).into();
            steps.push(Step { title, tolerance: Tolerance::Silence(w.scaled(self.from, to).into()), ..step });
        }
        let deadline = Some(self.file.deadlines.primary);
        steps.into_iter().map(|step| Step { deadline, ..step }).collect()
    }

    /// The same for a workload that was never seen on the side that served: how many replicas it has
    /// there nobody knows, so there is no way back.
    fn scale_down_unseen(&self, w: &Moved<'_>, to: u32) -> Step {
        let key = ObjectKey { cluster: self.from.id, ..w.key.clone() };
        let target = Target { uid: None, ..words::target(&key, "v1") };
        Step {
            title: format!("scale {} to {to} on {}, if it answers", w.key.name, self.from.info.name).into(),
            way_back: Text::clean("none: it was never seen"),
            undo: Vec::new(),
            tolerance: Tolerance::Silence(w.scaled(self.from, to).into()),
            ..scale::replicas(&target, 0, to)
        }
    }
}

/// What a drill did, undone last first, as steps of their own.
fn put_back(up: &[Step]) -> Vec<Step> {
    let back = |step: &Step| {
        let (Action::Patch(patch), [undo]) = (&step.action, step.undo.as_slice()) else { return None };
        Some(Step {
            title: format!("put back {}: {}", patch.target.title(), step.way_back).into(),
            way_back: Text::EMPTY,
            undo: Vec::new(),
            deadline: step.deadline,
            tolerance: Tolerance::Nothing,
            action: undo.clone(),
        })
    };
    up.iter().rev().filter_map(back).collect()
}
