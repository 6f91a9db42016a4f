//! `cordon`, `uncordon`, `drain`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::cli::{ClusterArgs, DrainArgs, Exit, NodeArgs, RunArgs};
use super::super::clock::now;
use super::super::{cut_off, recovery};
use super::{Stop, carry_out, nodes, print, proposal, wait};
use crate::model::{ClusterId, Kind, ObjectKey, Span, Text};
use crate::operations::{Options, Plan, PlanInput, by_id, parse_selector};
use crate::views::Snapshot;

/// A plan changes with these: it is not made before they are there, so that its hash is the same
/// tomorrow. It can be made without the rest of them, and then says so.
const KINDS: [Kind; 7] = [
    Kind::Node,
    Kind::Pod,
    Kind::Budget,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::ReplicaSet,
];

/// What an operation cannot be planned without, and what it waits for.
fn kinds(operation: &str) -> (&'static [Kind], &'static [Kind]) {
    match operation {
        "drain" => (&[Kind::Node, Kind::Pod], &KINDS),
        // A node is cordoned whatever runs there; pods are only counted.
        _ => (&[Kind::Node], &[Kind::Node, Kind::Pod]),
    }
}

/// The choices of plans and the flags for their other answer.
pub(super) const FLAGS: [(&str, &str); 12] = [
    ("emptydir", "--delete-emptydir-data"),
    ("unreplicated", "--force"),
    ("orphan", "--force"),
    ("double-budget", "--delete-doubly-guarded"),
    ("pool-rule", "--beyond-rules"),
    ("zone-rule", "--beyond-rules"),
    ("clusters-rule", "--beyond-rules"),
    ("pods-rule", "--beyond-rules"),
    ("freeze-rule", "--beyond-rules"),
    ("room", "--beyond-rules"),
    ("primary", "--leave-primary"),
    ("changed-since", "--over-changes"),
];

/// Cordons nodes, or uncordons them.
pub(super) async fn cordon(arguments: &NodeArgs, close: bool, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let verb = if close { "cordon" } else { "uncordon" };
    run(verb, arguments, Options { answers: answers(&[], &arguments.run), ..Options::default() }, clusters)
        .await
}

/// Drains nodes.
pub(super) async fn drain(arguments: &DrainArgs, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    if !arguments.pod_selector.is_empty() {
        parse_selector(&arguments.pod_selector)
            .map_err(|why| Stop::usage(format!("--pod-selector: {why}")))?;
    }
    run("drain", &arguments.nodes, options(arguments), clusters).await
}

fn options(arguments: &DrainArgs) -> Options {
    let given = [
        ("--delete-emptydir-data", arguments.delete_emptydir_data),
        ("--force", arguments.force),
        ("--delete-doubly-guarded", arguments.delete_doubly_guarded),
    ];
    Options {
        answers: answers(&given, &arguments.nodes.run),
        grace: arguments.grace_period,
        timeout: arguments.timeout.map(span),
        at_once: arguments.at_once,
        pod_selector: Text::clean(&arguments.pod_selector),
        ..Options::default()
    }
}

/// What flags decide: those of a command, and those of every run.
pub(super) fn answers(own: &[(&str, bool)], run: &RunArgs) -> BTreeMap<Text, usize> {
    let beyond = ("--beyond-rules", run.beyond_rules);
    let given = |flag: &str| own.iter().chain([&beyond]).any(|(name, set)| *set && *name == flag);
    FLAGS.iter().filter(|(_, flag)| given(flag)).map(|(id, _)| (Text::clean(id), 1)).collect()
}

fn span(duration: Duration) -> Span {
    Span::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

async fn run(
    operation: &'static str,
    arguments: &NodeArgs,
    options: Options,
    clusters: &ClusterArgs,
) -> Result<Exit, Stop> {
    let json = proposal::form(arguments.run.output)?;
    let (opened, mut engine) = super::start(clusters)?;
    let named = nodes::clusters(&opened.targets, &arguments.nodes).map_err(Stop::usage)?.unwrap_or_default();
    let limit = arguments.run.connect_timeout.unwrap_or_default();
    let (needed, wanted) = kinds(operation);
    let snapshot = wait::settle(&mut engine, limit, &named, wanted).await;
    let subjects = subjects(&snapshot, &named, &arguments.nodes)?;
    let mut touched: Vec<ClusterId> = subjects.iter().map(|key| key.cluster).collect();
    touched.dedup();
    wait::need(&snapshot, &touched, needed)?;
    wait::unknown(&snapshot, &touched, wanted).iter().for_each(print::err);

    let (plans, problems) = recovery::load_all(&opened.dirs.recovery());
    problems.iter().for_each(print::err);
    let rules = Arc::new(opened.settings.rules.clone());
    let elsewhere = Arc::new(cut_off::going(&opened.dirs.journal()));
    let options = Options { recovery_plans: Arc::new(plans), rules, elsewhere, ..options };
    match make(operation, &snapshot, &subjects, &options)? {
        Ok(plan) => {
            let became = carry_out::plan(&opened, &engine, plan, &arguments.run, &FLAGS).await?;
            Ok(became.exit)
        }
        // What is needed is known and the options were checked: it is as it should be already.
        Err(why) => {
            let none = serde_json::json!({ "hash": null, "result": why });
            print::out(&if json { format!("{none:#}\n") } else { format!("nothing to do: {why}\n") })?;
            Ok(Exit::Done)
        }
    }
}

fn make(
    operation: &'static str,
    snapshot: &Snapshot,
    subjects: &[ObjectKey],
    options: &Options,
) -> Result<Result<Plan, Text>, Stop> {
    let declared =
        by_id(operation).ok_or_else(|| Stop::usage(format!("there is no operation {operation}")))?;
    Ok(declared.plan(&PlanInput { snapshot, subjects, options, now: now() }))
}

/// The nodes that the words name. A node that is not found may be in a cluster that does not answer.
fn subjects(snapshot: &Snapshot, named: &[ClusterId], words: &[String]) -> Result<Vec<ObjectKey>, Stop> {
    let silent = wait::unknown(snapshot, named, &[Kind::Node]);
    let mut keys = Vec::new();
    let mut wrong = Vec::new();
    for word in words {
        match nodes::find(&snapshot.fleet, word) {
            Ok(key) if keys.contains(&key) => {}
            Ok(key) => keys.push(key),
            Err(why) => wrong.push(why),
        }
    }
    silent.iter().for_each(print::err);
    if wrong.is_empty() {
        return Ok(keys);
    }
    let exit = if silent.is_empty() { Exit::Usage } else { Exit::Unreachable };
    Err(Stop { exit, why: wrong.join("\nquarterdeck: ") })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::cli::{Cli, Command};
    use super::*;

    fn parsed(line: &str) -> Options {
        let cli = Cli::parse_from(format!("quarterdeck drain n1 {line}").split_whitespace());
        match cli.command {
            Some(Command::Drain(arguments)) => options(&arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_answers() {
        assert_eq!(parsed("").answers.len(), 0);
        let forced = parsed("--force --timeout 5m --grace-period 0");
        assert_eq!((forced.answer("orphan"), forced.answer("unreplicated")), (1, 1));
        assert_eq!((forced.answer("emptydir"), forced.answer("double-budget")), (0, 0));
        assert_eq!((forced.timeout, forced.grace), (Some(Span::from_seconds(300)), Some(0)));
        let all = parsed("--delete-emptydir-data --delete-doubly-guarded --beyond-rules");
        assert_eq!((all.answer("emptydir"), all.answer("double-budget")), (1, 1));
        assert_eq!((all.answer("pool-rule"), all.answer("zone-rule"), all.answer("orphan")), (1, 1, 0));
    }
}
