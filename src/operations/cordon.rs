//! Cordon and uncordon: whether new pods may come to a node.

use serde_json::{Value, json};

use super::rules;
use super::subjects::{self, Chosen};
use super::words::{self, confirmation, count, kubectl, some};
use super::{Action, Line, OperationDecl, Patch, PatchKind, Plan, PlanInput, Step, Tolerance};
use crate::model::{ClusterId, Kind, Span, Text, Tone};

/// Cordon: no new pods here.
pub(super) const CORDON: OperationDecl = OperationDecl {
    id: "cordon",
    title: "cordon the node",
    key: 'C',
    applies_to: &[Kind::Node],
    draft: |input| plan(input, true),
    doc: "No new pod is placed on the node; what runs there goes on.",
};

/// Uncordon: new pods may come again.
pub(super) const UNCORDON: OperationDecl = OperationDecl {
    id: "uncordon",
    title: "uncordon the node",
    key: 'U',
    applies_to: &[Kind::Node],
    draft: |input| plan(input, false),
    doc: "New pods may be placed on the node again.",
};

/// How long one patch may take, tries included.
pub(super) const PATCH_DEADLINE: Span = Span::from_seconds(60);

fn plan(input: &PlanInput<'_>, close: bool) -> Result<Plan, Text> {
    let chosen = subjects::nodes(input)?;
    let (done, todo): (Vec<_>, Vec<_>) = chosen.iter().partition(|c| c.node.unschedulable == close);
    if todo.is_empty() {
        let state = if close { "cordoned already" } else { "not cordoned" };
        return Err(Text::from(format!("{}: {state}", names(&chosen))));
    }
    let verb = if close { "cordon" } else { "uncordon" };
    let fleet = &input.snapshot.fleet;
    let touches = clusters(&todo);
    Ok(Plan {
        operation: verb,
        title: format!("{verb} {}", count(todo.len(), "node")).into(),
        subjects: chosen.iter().map(|c| c.key.clone()).collect(),
        made: input.now,
        preview: preview(input, &chosen, &todo, &done, close),
        objects: Vec::new(),
        choices: Vec::new(),
        steps: todo.iter().map(|c| step(c, close)).collect(),
        refusals: Vec::new(),
        kubectl: touches
            .iter()
            .filter_map(|id| fleet.cluster(*id))
            .map(|c| command(c, &todo, verb))
            .collect(),
        confirmation: confirmation(fleet, &touches),
        rests_on: chosen.iter().map(|c| (c.key.clone(), c.node.meta.version)).collect(),
        touches,
        drill: false,
        recovery: None,
    })
}

fn names(chosen: &[Chosen<'_>]) -> String {
    some(&chosen.iter().map(|c| &c.key.name).collect::<Vec<_>>(), 3)
}

fn clusters(chosen: &[&Chosen<'_>]) -> Vec<ClusterId> {
    words::clusters_of(&chosen.iter().map(|c| c.key.clone()).collect::<Vec<_>>())
}

fn command(cluster: &crate::model::Cluster, todo: &[&Chosen<'_>], verb: &str) -> String {
    let mut arguments = vec![verb];
    arguments.extend(todo.iter().filter(|c| c.cluster.id == cluster.id).map(|c| c.key.name.as_str()));
    kubectl(cluster, &arguments)
}

fn preview(
    input: &PlanInput<'_>,
    chosen: &[Chosen<'_>],
    todo: &[&Chosen<'_>],
    done: &[&Chosen<'_>],
    close: bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let pods = |c: &&Chosen<'_>| c.cluster.pods().filter(|p| p.node == c.key.name && !p.finished()).count();
    let running: usize = todo.iter().map(pods).sum();
    if close {
        let known = todo.iter().all(|c| c.cluster.table(Kind::Pod).synced.is_some());
        lines.push(match known {
            true => Line::new("stays", "they run on; only new pods go elsewhere").counted(running),
            false => Line::new("stays", "what runs there, which is not known, runs on"),
        });
    } else {
        lines.push(Line::new("opens", "new pods may come again").counted(todo.len()));
    }
    if !done.is_empty() {
        let state = if close { "cordoned already" } else { "not cordoned" };
        lines.push(Line::new("nothing to do", state).counted(done.len()));
    }
    if close {
        lines.extend(
            rules::pool_share(chosen, input.options.rules.pool_percent)
                .into_iter()
                .map(|share| share.line(Tone::Warn)),
        );
    }
    lines.push(Line::new("owner", rules::node_owner(chosen, "nobody reverts a cordon")));
    let old = subjects::stale(chosen, &[Kind::Node], input.now);
    lines.extend(old.into_iter().map(|text| Line::new("old", text).toned(Tone::Unseen)));
    lines
}

/// The step that cordons or uncordons a node. kubectl sends the same patch, as a strategic merge;
/// for this one field a merge patch means the same and can carry the uid.
pub(super) fn step(chosen: &Chosen<'_>, close: bool) -> Step {
    let (verb, back) = if close { ("cordon", "uncordon") } else { ("uncordon", "cordon") };
    Step {
        title: format!("{verb} {}", chosen.key.name).into(),
        way_back: Text::clean(back),
        undo: vec![patch(chosen, !close)],
        deadline: Some(PATCH_DEADLINE),
        tolerance: Tolerance::Nothing,
        action: patch(chosen, close),
    }
}

fn patch(chosen: &Chosen<'_>, close: bool) -> Action {
    let unschedulable = if close { Value::Bool(true) } else { Value::Null };
    Action::Patch(Patch {
        target: words::target(&chosen.key, "v1"),
        subresource: "",
        kind: PatchKind::Merge,
        body: json!({ "spec": { "unschedulable": unschedulable } }),
    })
}
