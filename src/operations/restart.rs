//! Restart: every pod of a workload anew, by its own rollout.

use serde_json::json;

use super::cordon::PATCH_DEADLINE;
use super::words::{self, clusters_of, confirmation, count, kubectl, some};
use super::workloads::{self, Chosen};
use super::{Action, Line, OperationDecl, Patch, PatchKind, Plan, PlanInput, Step, Tolerance};
use crate::model::{Kind, Span, Text, Time, Tone};

/// Restart.
pub(super) const RESTART: OperationDecl = OperationDecl {
    id: "restart",
    title: "restart the workload",
    key: 'R',
    applies_to: &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
    draft: plan,
    doc: "Starts every pod of the workload anew, as its rollout strategy allows, and waits until that \
          is done. Several workloads go one after another.",
};

/// The annotation of the pod template that `kubectl rollout restart` sets
/// (`kubernetes/kubectl:pkg/polymorphichelpers/objectrestarter.go`).
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// How long one rollout may take.
pub(super) const ROLLOUT_DEADLINE: Span = Span::from_seconds(30 * 60);

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let chosen = workloads::find(input)?;
    let several = chosen.len() > 1;
    let touches = clusters_of(input.subjects);
    let at = input.options.asked.unwrap_or(input.now);
    // As kubectl: a paused rollout would only be restarted when somebody resumes it.
    let paused: Vec<String> = chosen.iter().filter(|c| c.workload.paused).map(|c| c.title(several)).collect();
    let refusal = (!paused.is_empty())
        .then(|| Text::from(format!("{}: its rollout is paused; resume it first", some(&paused, 3))));
    Ok(Plan {
        operation: "restart",
        title: match chosen.as_slice() {
            [one] => format!("restart {}", one.key.path()),
            many => format!("restart {}", count(many.len(), "workload")),
        }
        .into(),
        subjects: chosen.iter().map(|c| c.key.clone()).collect(),
        made: input.now,
        preview: chosen.iter().flat_map(|c| preview(c, several)).collect(),
        objects: Vec::new(),
        choices: Vec::new(),
        steps: chosen.iter().flat_map(|c| steps(c, at, several)).collect(),
        refusals: refusal.into_iter().collect(),
        kubectl: chosen.iter().map(command).collect(),
        confirmation: confirmation(&input.snapshot.fleet, &touches),
        rests_on: chosen.iter().map(|c| (c.key.clone(), c.workload.meta.version)).collect(),
        touches,
        drill: false,
        recovery: None,
    })
}

fn preview(c: &Chosen<'_>, several: bool) -> Vec<Line> {
    let w = c.workload;
    let version = w.version();
    let version = if version.is_empty() { String::new() } else { format!(", version {version}") };
    let text = format!("pods of {}{version}: its own strategy says how many at a time", c.title(several));
    let mut lines = vec![Line::new("will restart", text).counted(w.desired as usize)];
    if w.rolling() {
        let text = format!("{} is being rolled out: the restart begins anew", c.title(several));
        lines.push(Line::new("note", text).toned(Tone::Warn));
    }
    if w.ready < w.desired {
        let text = format!("{} of {} Ready now: a restart may cure it or may not", w.ready, w.desired);
        lines.push(Line::new("note", text).toned(Tone::Warn));
    }
    lines.push(Line::new("note", "a rollout asks no disruption budget"));
    if let Some(m) = &w.meta.manager {
        lines.push(Line::new(
            "owner",
            format!("{} {} manages it; this changes no field of its source", m.system, m.name),
        ));
    }
    lines
}

fn steps(c: &Chosen<'_>, at: Time, several: bool) -> [Step; 2] {
    let target = words::target(&c.key, "v1");
    let annotations = json!({ RESTARTED_AT: at.rfc3339() });
    let patch = Patch {
        target: target.clone(),
        subresource: "",
        kind: PatchKind::Merge,
        body: json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }),
    };
    let restart = Step {
        title: format!("restart {}", c.title(several)).into(),
        // The template before differs in this annotation only: rolling back would restart once more.
        way_back: Text::clean("none: the old pods are gone"),
        undo: Vec::new(),
        deadline: Some(PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: Action::Patch(patch),
    };
    [restart, rolled_out(c, target, several)]
}

/// The step that waits until a workload's newest template is rolled out. The next workload waits
/// for it: what breaks the first does not break the others.
pub(super) fn rolled_out(c: &Chosen<'_>, target: super::Target, several: bool) -> Step {
    Step {
        title: format!("wait until {} is rolled out", c.title(several)).into(),
        way_back: Text::EMPTY,
        undo: Vec::new(),
        deadline: Some(ROLLOUT_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: Action::AwaitRollout(target),
    }
}

fn command(c: &Chosen<'_>) -> String {
    let resource = format!("{}/{}", c.key.kind.names().plural, c.key.name);
    kubectl(c.cluster, &["rollout", "restart", "-n", &c.key.namespace, &resource])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Record, Tier, Workload};
    use crate::operations::Options;
    use crate::operations::fixture::{NOW, World, key, snapshot, workload};

    fn plan_at(now: Time, asked: Option<Time>) -> Plan {
        let snapshot = snapshot(vec![World::new(0, "dev", Tier::Dev).deployment("cart", 3)]);
        let subjects = [key(&snapshot, 0, Kind::Deployment, "shop", "cart")];
        let options = Options { asked, ..Options::default() };
        plan(&PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now }).unwrap()
    }

    #[test]
    fn a_restart_is_an_annotation_of_the_template_and_a_rollout() {
        let plan = plan_at(NOW, None);
        let Action::Patch(patch) = &plan.steps[0].action else { panic!("no patch") };
        let at = &patch.body["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT];
        assert_eq!(*at, NOW.rfc3339());
        assert!(matches!(&plan.steps[1].action, Action::AwaitRollout(target) if target.name == "cart"));
        assert_eq!(plan.kubectl, ["kubectl --context dev rollout restart -n shop deployments/cart"]);
        assert_eq!((plan.preview[0].count, plan.refusals.len()), (Some(3), 0));
    }

    #[test]
    fn made_again_it_stays_the_same_plan() {
        let later = NOW + Span::from_seconds(60);
        assert_eq!(plan_at(NOW, Some(NOW)).hash(), plan_at(later, Some(NOW)).hash());
        assert_ne!(plan_at(NOW, None).hash(), plan_at(later, None).hash());
    }

    #[test]
    fn a_paused_rollout_is_not_restarted() {
        let paused = Workload { paused: true, ..workload(Kind::Deployment, "cart", 3) };
        let world = World::new(0, "dev", Tier::Dev).record(Record::Workload(paused));
        let snapshot = snapshot(vec![world]);
        let subjects = [key(&snapshot, 0, Kind::Deployment, "shop", "cart")];
        let options = Options::default();
        let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
        let plan = plan(&input).unwrap();
        assert_eq!(plan.refusals, ["Deployment shop/cart: its rollout is paused; resume it first"]);
    }
}
