//! Runs that were cut off, as when the console was killed: what they left, and the plan that puts
//! it back.

use serde_json::Value;

use super::words::{confirmation, count};
use super::{Action, Line, OperationDecl, Patch, PatchKind, Plan, PlanInput, Step, Target, Tolerance};
use crate::model::{Cluster, Fleet, Kind, ObjectKey, Text, Time, Tone, Uid};

/// Put back what a run left. It is in no menu: it is offered when there is something to put back.
pub const PUT_BACK: OperationDecl = OperationDecl {
    id: "put-back",
    title: "put back what a run left",
    key: ' ',
    applies_to: &[],
    draft: plan,
    doc: "Undoes what a run that was cut off had done, last first.",
};

/// A run that began and has no end in the journal, and that no process carries on.
#[derive(Clone, PartialEq, Debug)]
pub struct Unfinished {
    /// The number of its first record in the journal.
    pub seq: u64,
    /// When it began.
    pub at: Time,
    /// `drain 1 node`.
    pub title: Text,
    /// `drain`.
    pub operation: Text,
    /// What it was about.
    pub subjects: Vec<Remembered>,
    /// What undoes its steps, last first; only of steps that were begun.
    pub back: Vec<Back>,
}

/// An object by what outlasts this process: clusters are known by their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    /// The cluster's name.
    pub cluster: Text,
    /// Its kind: `Node`.
    pub kind: Text,
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Uid,
}

/// One patch that undoes a step.
#[derive(Clone, PartialEq, Debug)]
pub struct Back {
    /// The object.
    pub object: Remembered,
    /// Its API version, and the resource in paths.
    pub api: (Text, Text),
    /// What is said of it: `uncordon`.
    pub title: Text,
    /// Which subresource; empty for the object itself.
    pub subresource: Text,
    /// The JSON merge patch.
    pub patch: Value,
}

impl Unfinished {
    /// The subjects that are still in the fleet and are the same.
    #[must_use]
    pub fn found(&self, fleet: &Fleet) -> Vec<ObjectKey> {
        let find = |object: &Remembered| {
            let cluster = fleet.by_name(&object.cluster)?;
            let kind = Kind::by_kind(&object.kind)?;
            let key = cluster.find(kind, &object.namespace, &object.name)?.key(cluster.id);
            (key.uid == object.uid).then_some(key)
        };
        self.subjects.iter().filter_map(find).collect()
    }

    /// The clusters that it wrote to and that are in the fleet.
    #[must_use]
    pub fn clusters<'a>(&self, fleet: &'a Fleet) -> Vec<&'a Cluster> {
        let mut names: Vec<&Text> = self.back.iter().map(|back| &back.object.cluster).collect();
        names.extend(self.subjects.iter().map(|subject| &subject.cluster));
        names.sort();
        names.dedup();
        names.into_iter().filter_map(|name| fleet.by_name(name)).map(AsRef::as_ref).collect()
    }
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let run = input.options.unfinished.as_ref().ok_or_else(|| Text::clean("no run was cut off"))?;
    let fleet = &input.snapshot.fleet;
    let (mut steps, mut refusals, mut touches) = (Vec::new(), Vec::new(), Vec::new());
    for back in &run.back {
        match fleet.by_name(&back.object.cluster) {
            Some(cluster) => {
                touches.push(cluster.id);
                steps.push(step(back, cluster));
            }
            None => refusals.push(format!("{} is not in the fleet", back.object.cluster).into()),
        }
    }
    touches.sort();
    touches.dedup();
    if steps.is_empty() {
        refusals.push(Text::clean("it had changed nothing that can be put back"));
    }
    let text = format!("{} began {} and was cut off", run.title, run.at.rfc3339());
    Ok(Plan {
        operation: "put-back",
        title: format!("put back what {} left", run.title).into(),
        subjects: run.found(fleet),
        made: input.now,
        preview: vec![
            Line::new("because", text).toned(Tone::Warn),
            Line::new("puts back", count(steps.len(), "step")),
        ],
        objects: Vec::new(),
        choices: Vec::new(),
        steps,
        refusals,
        kubectl: Vec::new(),
        confirmation: confirmation(fleet, &touches),
        touches,
        rests_on: Vec::new(),
        drill: false,
        recovery: None,
    })
}

fn step(back: &Back, cluster: &Cluster) -> Step {
    let object = &back.object;
    let target = Target {
        cluster: cluster.id,
        api: back.api.0.clone(),
        plural: back.api.1.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        uid: (!object.uid.is_none()).then_some(object.uid),
    };
    Step {
        title: format!("{}: {}", target.title(), back.title).into(),
        way_back: Text::EMPTY,
        undo: Vec::new(),
        deadline: Some(super::cordon::PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: Action::Patch(Patch {
            target,
            subresource: if back.subresource == "scale" { "scale" } else { "" },
            kind: PatchKind::Merge,
            body: back.patch.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Tier;
    use crate::operations::Options;
    use crate::operations::fixture::{NOW, World, key, snapshot};

    #[test]
    fn what_was_left_is_put_back_by_a_plan_like_any_other() {
        let snapshot = snapshot(vec![World::new(0, "gke", Tier::Prod).node("n0", "", "")]);
        let node = key(&snapshot, 0, Kind::Node, "", "n0");
        let object = Remembered {
            cluster: "gke".into(),
            kind: "Node".into(),
            namespace: Text::EMPTY,
            name: "n0".into(),
            uid: node.uid,
        };
        let run = Unfinished {
            seq: 7,
            at: NOW,
            title: "drain 1 node".into(),
            operation: "drain".into(),
            subjects: vec![object.clone()],
            back: vec![Back {
                object: object.clone(),
                api: ("v1".into(), "nodes".into()),
                title: "uncordon".into(),
                subresource: Text::EMPTY,
                patch: serde_json::json!({ "spec": { "unschedulable": null } }),
            }],
        };
        assert_eq!(run.found(&snapshot.fleet), std::slice::from_ref(&node));
        let other = Remembered { uid: Uid::parse("other"), ..object };
        assert!(Unfinished { subjects: vec![other], ..run.clone() }.found(&snapshot.fleet).is_empty());
        let options = Options { unfinished: Some(Arc::new(run)), ..Options::default() };
        let input = PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: NOW };
        let plan = PUT_BACK.plan(&input).unwrap();
        assert_eq!((plan.confirmation.word.as_str(), plan.refusals.len()), ("gke", 0));
        let [step] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
        let Action::Patch(patch) = &step.action else { panic!("{step:?}") };
        assert_eq!((step.title.as_str(), patch.target.uid), ("Node n0: uncordon", Some(node.uid)));
    }
}
