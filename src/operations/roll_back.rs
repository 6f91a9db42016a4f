//! Roll back: a Deployment gets the pod template of the rollout before.
//!
//! The rules are those of `kubectl rollout undo`
//! (`kubernetes/kubectl:pkg/polymorphichelpers/rollback.go`): of the ReplicaSets that the Deployment
//! owns the one with the highest revision below its own. Records hold no templates, so the template
//! is read when it is sent; that it is still that ReplicaSet is checked then.

use super::cordon::PATCH_DEADLINE;
use super::restart::rolled_out;
use super::words::{self, clusters_of, confirmation, count, kubectl};
use super::workloads::{self, Chosen};
use super::{Action, Line, OperationDecl, Plan, PlanInput, RollBack, Step, Tolerance};
use crate::model::{Kind, Record, Text, Tone, Workload};

/// Roll back.
pub(super) const ROLL_BACK: OperationDecl = OperationDecl {
    id: "roll-back",
    title: "roll the workload back",
    key: 'B',
    applies_to: &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
    draft: plan,
    doc: "Gives a Deployment the pod template that it had before the newest rollout, and waits until \
          that is rolled out. Several go one after another.",
};

/// A Deployment, the ReplicaSet that it has now and the one that it goes back to.
struct Way<'a> {
    chosen: Chosen<'a>,
    now: Option<&'a Workload>,
    before: &'a Workload,
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let ways = workloads::find(input)?.into_iter().map(way).collect::<Result<Vec<_>, Text>>()?;
    let several = ways.len() > 1;
    let touches = clusters_of(input.subjects);
    let paused = ways.iter().filter(|way| way.chosen.workload.paused);
    let refusals = paused.map(|way| {
        Text::from(format!("{}: its rollout is paused; resume it first", way.chosen.title(several)))
    });
    Ok(Plan {
        operation: "roll-back",
        title: match ways.as_slice() {
            [one] => format!("roll back {}", one.chosen.key.path()),
            many => format!("roll back {}", count(many.len(), "workload")),
        }
        .into(),
        subjects: ways.iter().map(|way| way.chosen.key.clone()).collect(),
        made: input.now,
        preview: ways.iter().flat_map(|way| way.preview(several)).collect(),
        objects: Vec::new(),
        choices: Vec::new(),
        steps: ways.iter().flat_map(|way| way.steps(several)).collect(),
        refusals: refusals.collect(),
        kubectl: ways.iter().map(Way::command).collect(),
        confirmation: confirmation(&input.snapshot.fleet, &touches),
        rests_on: ways.iter().map(|way| (way.chosen.key.clone(), way.chosen.workload.meta.version)).collect(),
        touches,
        drill: false,
        recovery: None,
    })
}

/// The rollout before. The error says why there is none.
fn way(chosen: Chosen<'_>) -> Result<Way<'_>, Text> {
    let title = chosen.title(false);
    if chosen.key.kind != Kind::Deployment {
        let text = format!(
            "{title}: its earlier templates are ControllerRevisions, which are not read here; kubectl rollout undo does it"
        );
        return Err(text.into());
    }
    let sets = chosen.cluster.records(Kind::ReplicaSet).filter_map(|r| r.workload());
    let mine = sets.filter(|set| set.meta.owner.as_ref().is_some_and(|o| o.uid == chosen.key.uid));
    let mut mine: Vec<(u64, &Workload)> =
        mine.filter_map(|set| Some((set.revision.parse().ok()?, set))).collect();
    mine.sort_by_key(|(revision, _)| *revision);
    let newest = chosen.workload.revision.parse::<u64>().ok().or_else(|| mine.last().map(|(n, _)| *n));
    let Some(newest) = newest else {
        return Err(format!("{title}: it has no rollout with a number").into());
    };
    let now = mine.iter().find(|(revision, _)| *revision == newest).map(|(_, set)| *set);
    let before = mine.iter().rev().find(|(revision, _)| *revision < newest).map(|(_, set)| *set);
    let before =
        before.ok_or_else(|| Text::from(format!("{title}: no rollout before revision {newest} is kept")))?;
    Ok(Way { chosen, now, before })
}

impl Way<'_> {
    fn preview(&self, several: bool) -> Vec<Line> {
        let title = self.chosen.title(several);
        let w = self.chosen.workload;
        let (from, to) = (&w.revision, &self.before.revision);
        let text = format!("{title} from revision {from} to revision {to}");
        let mut lines = vec![Line::new("goes back", text).counted(w.desired as usize)];
        let old = |container: &Text| self.before.images.iter().find(|i| i.container == *container);
        let mut same = true;
        for image in &w.images {
            let text = match old(&image.container) {
                Some(before) if before.image == image.image => continue,
                Some(before) => format!("{}: {} → {}", image.container, image.image, before.image),
                None => format!("{}: {} is not in it", image.container, image.image),
            };
            same = false;
            lines.push(Line::new("image", text));
        }
        if same {
            let text = "every image stays the same: what differs is something else of the template";
            lines.push(Line::new("image", text).toned(Tone::Warn));
        } else {
            lines.push(Line::new("note", "whatever else the template had then comes back with it"));
        }
        if self.now.is_none() {
            let text = "the ReplicaSet that it has now is not known, so this has no way back of its own";
            lines.push(Line::new("note", text).toned(Tone::Warn));
        }
        if let Some(m) = &w.meta.manager {
            let text = format!(
                "{} {} may bring revision {from} back: change its source too, or suspend it",
                m.system, m.name
            );
            lines.push(Line::new("owner", text).toned(Tone::Warn));
        }
        lines
    }

    fn to(&self, set: &Workload) -> Action {
        let cluster = self.chosen.key.cluster;
        Action::RollBack(RollBack {
            target: words::target(&self.chosen.key, "v1"),
            to: words::target(&Record::Workload(set.clone()).key(cluster), "v1"),
            revision: set.revision.clone(),
        })
    }

    fn steps(&self, several: bool) -> [Step; 2] {
        let title = self.chosen.title(several);
        let back = self.now.map(|now| format!("template of revision {} again", now.revision));
        let template = Step {
            title: format!("{title}: template of revision {}", self.before.revision).into(),
            way_back: back.unwrap_or_default().into(),
            undo: self.now.map(|now| self.to(now)).into_iter().collect(),
            deadline: Some(PATCH_DEADLINE),
            tolerance: Tolerance::Nothing,
            action: self.to(self.before),
        };
        [template, rolled_out(&self.chosen, words::target(&self.chosen.key, "v1"), several)]
    }

    fn command(&self) -> String {
        let resource = format!("deployments/{}", self.chosen.key.name);
        let revision = format!("--to-revision={}", self.before.revision);
        kubectl(
            self.chosen.cluster,
            &["rollout", "undo", "-n", &self.chosen.key.namespace, &resource, &revision],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, Tier};
    use crate::operations::Options;
    use crate::operations::fixture::{NOW, World, key, owner, snapshot, workload};

    fn image(tag: &str) -> Box<[Image]> {
        Box::new([Image { container: "pay".into(), image: format!("ghcr.io/acme/pay:{tag}").into() }])
    }

    /// Revision 12 now, 9 and 2 before it: numbers, not words.
    fn world(revisions: &[(&str, &str)]) -> World {
        let mut deployment = workload(Kind::Deployment, "pay", 4);
        deployment.revision = "12".into();
        deployment.images = image("1.42");
        let mut world = World::new(0, "dev", Tier::Dev).record(Record::Workload(deployment));
        let uid = world.last_uid();
        for (revision, tag) in revisions {
            let mut set = workload(Kind::ReplicaSet, &format!("pay-{revision}"), 0);
            let mut by = (*owner("apps/v1", "Deployment", "pay")).clone();
            by.uid = uid;
            set.meta.owner = Some(std::sync::Arc::new(by));
            set.revision = (*revision).into();
            set.images = image(tag);
            world = world.record(Record::Workload(set));
        }
        world
    }

    fn rolled(world: World) -> Result<Plan, Text> {
        let snapshot = snapshot(vec![world]);
        let subjects = [key(&snapshot, 0, Kind::Deployment, "shop", "pay")];
        let options = Options::default();
        plan(&PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW })
    }

    #[test]
    fn the_rollout_before_is_the_highest_revision_below() {
        let plan = rolled(world(&[("2", "1.30"), ("9", "1.41"), ("12", "1.42")])).unwrap();
        let Action::RollBack(back) = &plan.steps[0].action else { panic!("{:?}", plan.steps) };
        assert_eq!((&*back.to.name, &*back.revision, &*back.target.name), ("pay-9", "9", "pay"));
        let Action::RollBack(forth) = &plan.steps[0].undo[0] else { panic!("{:?}", plan.steps) };
        assert_eq!(&*forth.to.name, "pay-12");
        assert_eq!(plan.preview[0].text, "Deployment shop/pay from revision 12 to revision 9");
        assert_eq!(plan.preview[1].text, "pay: ghcr.io/acme/pay:1.42 → ghcr.io/acme/pay:1.41");
        let like = "kubectl --context dev rollout undo -n shop deployments/pay --to-revision=9";
        assert_eq!(plan.kubectl, [like]);
    }

    #[test]
    fn without_an_earlier_rollout_there_is_no_plan() {
        let why = rolled(world(&[("12", "1.42")])).unwrap_err();
        assert_eq!(why, "Deployment shop/pay: no rollout before revision 12 is kept");
    }

    #[test]
    fn the_same_image_is_said() {
        let plan = rolled(world(&[("11", "1.42"), ("12", "1.42")])).unwrap();
        assert!(plan.preview.iter().any(|l| l.text.starts_with("every image stays the same")));
    }
}
