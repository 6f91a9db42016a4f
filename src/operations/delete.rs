//! Delete: an object goes, and what it owns goes after it.

use super::words::{self, clusters_of, confirmation, count, kubectl, name_of, some};
use super::{Action, Line, OperationDecl, Plan, PlanInput, Step, Tolerance};
use crate::model::{Cluster, Kind, ObjectKey, Pod, Record, Span, Text, Tone};

/// Delete.
pub(super) const DELETE: OperationDecl = OperationDecl {
    id: "delete",
    title: "delete the object",
    key: 'X',
    // Nodes, namespaces and volumes are not among them: what goes with those is no small thing.
    applies_to: &[
        Kind::Pod,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::Job,
        Kind::CronJob,
        Kind::Autoscaler,
        Kind::Budget,
        Kind::Service,
    ],
    draft: plan,
    doc: "Deletes the object and, after it, what it owns, and waits until it is gone. It says who would \
          make it again.",
};

/// How long one object may take until it is gone; finalizers may hold it longer.
const GONE_DEADLINE: Span = Span::from_seconds(10 * 60);

/// A chosen object, found.
struct Chosen<'a> {
    cluster: &'a Cluster,
    key: ObjectKey,
    record: &'a Record,
}

fn plan(input: &PlanInput<'_>) -> Result<Plan, Text> {
    let mut chosen: Vec<Chosen<'_>> = Vec::new();
    for key in input.subjects {
        if !chosen.iter().any(|c| c.key == *key) {
            chosen.push(find(input, key)?);
        }
    }
    let touches = clusters_of(input.subjects);
    let several = chosen.len() > 1;
    Ok(Plan {
        operation: "delete",
        title: match chosen.as_slice() {
            [] => return Err(Text::clean("nothing is chosen")),
            [one] => format!("delete {}", title(&one.key)),
            many => format!("delete {}", count(many.len(), "object")),
        }
        .into(),
        subjects: chosen.iter().map(|c| c.key.clone()).collect(),
        made: input.now,
        preview: chosen.iter().flat_map(|c| c.preview(several)).collect(),
        objects: Vec::new(),
        choices: Vec::new(),
        steps: chosen.iter().map(Chosen::step).collect(),
        refusals: Vec::new(),
        kubectl: chosen.iter().map(Chosen::command).collect(),
        confirmation: confirmation(&input.snapshot.fleet, &touches),
        rests_on: chosen.iter().map(|c| (c.key.clone(), c.record.meta().version)).collect(),
        touches,
        drill: false,
        recovery: None,
    })
}

fn title(key: &ObjectKey) -> String {
    format!("{} {}", key.kind.names().kind, key.path())
}

fn find<'a>(input: &PlanInput<'a>, key: &ObjectKey) -> Result<Chosen<'a>, Text> {
    let fleet = &input.snapshot.fleet;
    if !DELETE.applies_to.contains(&key.kind) {
        return Err(Text::from(format!("a {} is not deleted from here", key.kind.names().kind)));
    }
    let cluster = fleet.cluster(key.cluster).ok_or_else(|| Text::clean("the cluster is not in the fleet"))?;
    let gone = || Text::from(format!("{} is not in {} any more", title(key), name_of(fleet, key.cluster)));
    let record = cluster.find(key.kind, &key.namespace, &key.name).ok_or_else(gone)?;
    if !key.uid.is_none() && record.meta().uid != key.uid {
        return Err(Text::from(format!("{} is another one of that name by now", title(key))));
    }
    Ok(Chosen { cluster, key: record.key(cluster.id), record })
}

impl Chosen<'_> {
    fn preview(&self, several: bool) -> Vec<Line> {
        let place = if several { format!(" on {}", self.cluster.info.name) } else { String::new() };
        let mut lines = vec![Line::new("will go", format!("{}{place}", title(&self.key))).toned(Tone::Warn)];
        lines.extend(self.with_it());
        lines.push(self.comes_back());
        lines.extend(self.unguarded());
        if let Some(m) = &self.record.meta().manager {
            let text = format!("{} {} manages it and makes it again: delete it there", m.system, m.name);
            lines.push(Line::new("owner", text).toned(Tone::Warn));
        }
        lines
    }

    /// What goes after it: the pods of a workload, what an autoscaler or a budget kept.
    fn with_it(&self) -> Option<Line> {
        let line = |text: String, tone| Some(Line::new("with it", text).toned(tone));
        match self.record {
            Record::Workload(w) if w.current > 0 => line(
                format!("its {}: nothing of it runs after that", count(w.current as usize, "pod")),
                Tone::Crit,
            ),
            Record::Workload(_) => line("no pod of it runs now".to_owned(), Tone::Ok),
            Record::Job(_) => match active_pods(self.cluster, &self.key.namespace, &self.key.name) {
                0 => line("no pod of it runs now".to_owned(), Tone::Ok),
                running => line(
                    format!(
                        "its {} that still run: what they work on is not finished",
                        count(running, "pod")
                    ),
                    Tone::Crit,
                ),
            },
            Record::Budget(b) => line(
                format!("the {} that it counts lose their protection", count(b.expected as usize, "pod")),
                Tone::Warn,
            ),
            Record::Autoscaler(a) => line(
                format!("{} {} keeps the replicas that it has then", a.target_kind, a.target),
                Tone::Warn,
            ),
            Record::Service(_) => line("what calls it by name finds nothing there".to_owned(), Tone::Crit),
            _ => None,
        }
    }

    /// Who makes it again.
    fn comes_back(&self) -> Line {
        match &self.record.meta().owner {
            Some(owner) => {
                let text = format!("{} {} owns it and makes another one at once", owner.kind, owner.name);
                Line::new("comes back", text)
            }
            None if self.key.kind == Kind::Pod => {
                Line::new("comes back", "no: no controller makes it again").toned(Tone::Crit)
            }
            None => Line::new("comes back", "no: nothing in the cluster owns it"),
        }
    }

    /// The budgets that guard a pod and are not asked.
    fn unguarded(&self) -> Option<Line> {
        let pod = self.record.pod().filter(|pod| !pod.finished())?;
        let guards = self
            .cluster
            .budgets()
            .filter(|b| b.meta.namespace == pod.meta.namespace && b.selector.matches(&pod.meta.labels));
        let names: Vec<String> =
            guards.map(|b| format!("{} ({} may go now)", b.meta.name, b.allowed)).collect();
        let text = format!("a delete asks no budget: {} guards it", some(&names, 3));
        (!names.is_empty()).then(|| Line::new("rules", text).toned(Tone::Warn))
    }

    fn step(&self) -> Step {
        Step {
            title: format!("delete {}", title(&self.key)).into(),
            way_back: Text::clean("none: what is deleted is gone"),
            undo: Vec::new(),
            deadline: Some(GONE_DEADLINE),
            tolerance: Tolerance::Nothing,
            action: Action::Delete(words::target(&self.key, version(self.key.kind))),
        }
    }

    fn command(&self) -> String {
        let resource = format!("{}/{}", self.key.kind.names().plural, self.key.name);
        kubectl(self.cluster, &["delete", "-n", &self.key.namespace, &resource])
    }
}

/// The pods of a Job that have not ended.
pub(super) fn active_pods(cluster: &Cluster, namespace: &str, job: &str) -> usize {
    let of_job = |pod: &&Pod| {
        let owner = pod.meta.owner.as_ref().filter(|owner| owner.kind == "Job" && *owner.name == *job);
        *pod.meta.namespace == *namespace && owner.is_some() && !pod.finished()
    };
    cluster.pods().filter(of_job).count()
}

/// The version of its API group that every server since Kubernetes 1.23 serves.
fn version(kind: Kind) -> &'static str {
    if kind == Kind::Autoscaler { "v2" } else { "v1" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tier;
    use crate::operations::Options;
    use crate::operations::fixture::{NOW, World, key, snapshot};

    fn deleted(world: World, kind: Kind, name: &str) -> Plan {
        let snapshot = snapshot(vec![world]);
        let subjects = [key(&snapshot, 0, kind, "shop", name)];
        let options = Options::default();
        plan(&PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW }).unwrap()
    }

    fn says(plan: &Plan, label: &str) -> Vec<String> {
        let of = |l: &&Line| l.label == label;
        plan.preview.iter().filter(of).map(|l| l.text.to_string()).collect()
    }

    #[test]
    fn a_pod_says_who_makes_it_again_and_that_no_budget_is_asked() {
        let world = World::new(0, "gke", Tier::Prod)
            .pod("cart-1", "cart", "n0")
            .pod_with("shell", "shell", "n0", |p| p.meta.owner = None)
            .budget("cart", "cart", 0, 3, 3);
        let plan = deleted(world, Kind::Pod, "cart-1");
        assert_eq!(says(&plan, "comes back"), ["ReplicaSet cart owns it and makes another one at once"]);
        assert_eq!(says(&plan, "rules"), ["a delete asks no budget: cart (0 may go now) guards it"]);
        assert_eq!(plan.confirmation.word, "gke");
        assert_eq!(plan.kubectl, ["kubectl --context gke delete -n shop pods/cart-1"]);
        let Action::Delete(target) = &plan.steps[0].action else { panic!("{:?}", plan.steps) };
        assert!(target.uid.is_some_and(|uid| !uid.is_none()));
        let world = World::new(0, "gke", Tier::Prod).pod_with("shell", "x", "n0", |p| p.meta.owner = None);
        assert_eq!(
            says(&deleted(world, Kind::Pod, "shell"), "comes back"),
            ["no: no controller makes it again"]
        );
    }

    #[test]
    fn a_workload_says_what_goes_with_it() {
        let plan = deleted(World::new(0, "dev", Tier::Dev).deployment("cart", 3), Kind::Deployment, "cart");
        assert_eq!(says(&plan, "with it"), ["its 3 pods: nothing of it runs after that"]);
        assert_eq!(plan.confirmation.word, "yes");
    }

    #[test]
    fn a_job_says_which_pods_of_it_still_run() {
        use crate::operations::fixture::owner;
        let of_job = |p: &mut Pod| p.meta.owner = Some(owner("batch/v1", "Job", "import"));
        let world = World::new(0, "dev", Tier::Dev)
            .pod_with("import-1", "import", "n0", of_job)
            .pod_with("import-2", "import", "n0", |p| {
                of_job(p);
                p.phase = crate::model::Phase::Succeeded;
            })
            .pod("import-3", "import", "n0");
        let snapshot = snapshot(vec![world]);
        assert_eq!(active_pods(&snapshot.fleet.clusters[0], "shop", "import"), 1);
    }

    #[test]
    fn nodes_are_not_deleted_from_here() {
        let snapshot = snapshot(vec![World::new(0, "dev", Tier::Dev).node("n0", "", "")]);
        let subjects = [key(&snapshot, 0, Kind::Node, "", "n0")];
        let options = Options::default();
        let input = PlanInput { snapshot: &snapshot, subjects: &subjects, options: &options, now: NOW };
        assert_eq!(plan(&input).unwrap_err(), "a Node is not deleted from here");
    }
}
