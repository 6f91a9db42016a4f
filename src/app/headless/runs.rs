//! `runs`: what was cut off, and how to go on or put it back.

use std::sync::Arc;

use super::super::cli::{ClusterArgs, Exit, PutBackArgs, RunsCommand};
use super::super::clock::now;
use super::super::cut_off;
use super::super::opened::{self, Opened};
use super::{Stop, carry_out, operate, print, wait};
use crate::model::{ClusterId, Kind};
use crate::operations::{Options, Outcome, PUT_BACK, PlanInput, RunState, Unfinished, quoted};

/// Lists the runs that were cut off, or does something about one.
pub(super) async fn run(command: Option<&RunsCommand>, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    match command {
        None => list(clusters),
        Some(RunsCommand::PutBack(arguments)) => put_back(arguments, clusters).await,
        Some(RunsCommand::Close { number }) => close(*number, clusters).await,
    }
}

/// Tells of runs that were cut off to somebody who is about to begin another.
pub(super) fn tell(opened: &Opened) {
    for run in cut_off::runs(&opened.dirs.journal()) {
        let line = line(&run);
        print::err(format!("quarterdeck: {line}; `quarterdeck runs` says how to go on or to put it back"));
    }
}

/// `drain 1 node (gke n0) began 2026-11-21T02:20:11Z and was cut off`.
pub(super) fn line(run: &Unfinished) -> String {
    format!("{} began {} and was cut off", run.named(), run.at.rfc3339())
}

fn list(clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let opened = opened::open(clusters)?;
    let runs = cut_off::runs(&opened.dirs.journal());
    if runs.is_empty() {
        print::out("no run was cut off\n")?;
        return Ok(Exit::Done);
    }
    let own = own_name(clusters);
    print::out(&runs.iter().map(|run| described(run, &own)).collect::<String>())?;
    Ok(Exit::Findings)
}

/// How this program is called with the same files.
fn own_name(clusters: &ClusterArgs) -> String {
    let given = [("--kubeconfig", &clusters.kubeconfig), ("--settings", &clusters.settings)];
    let given = given.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
    let words = given.map(|(flag, path)| format!(" {flag} {}", quoted(&path.display().to_string())));
    format!("quarterdeck{}", words.collect::<String>())
}

/// A run, what it left, and the commands that take it up.
fn described(run: &Unfinished, own: &str) -> String {
    let mut out = format!("{}  {}\n", run.seq, line(run));
    for back in &run.back {
        let object = &back.object;
        out.push_str(&format!(
            "    left changed: {} {} {}; back: {}\n",
            object.cluster, object.kind, object.name, back.title
        ));
    }
    if run.back.is_empty() {
        out.push_str("    nothing of it can be put back from here\n");
    } else {
        out.push_str(&format!("    put back:  {own} runs put-back {}\n", run.seq));
    }
    let nodes: Vec<String> = run.subjects.iter().map(|s| format!("{}/{}", s.cluster, s.name)).collect();
    if run.operation == "drain" && !nodes.is_empty() {
        out.push_str(&format!("    go on:     {own} drain {}\n", nodes.join(" ")));
    }
    out.push_str(&format!("    leave it:  {own} runs close {}\n", run.seq));
    out
}

fn find(opened: &Opened, number: u64) -> Result<Unfinished, Stop> {
    let runs = cut_off::runs(&opened.dirs.journal());
    let numbers: Vec<String> = runs.iter().map(|run| run.seq.to_string()).collect();
    runs.into_iter().find(|run| run.seq == number).ok_or_else(|| {
        let there = if numbers.is_empty() { "none was".to_owned() } else { numbers.join(", ") };
        Stop::usage(format!("no run {number} was cut off; {there}"))
    })
}

async fn put_back(arguments: &PutBackArgs, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let (opened, mut engine) = super::start(clusters)?;
    let run = find(&opened, arguments.number)?;
    let named: Vec<ClusterId> = opened
        .targets
        .iter()
        .filter(|target| run.back.iter().any(|back| back.object.cluster == target.info.name))
        .map(|target| target.id)
        .collect();
    let limit = arguments.run.connect_timeout.unwrap_or_default();
    let kinds = [Kind::Node, Kind::Deployment, Kind::StatefulSet, Kind::Autoscaler];
    let snapshot = wait::settle(&mut engine, limit, &named, &kinds).await;
    wait::unknown(&snapshot, &named, &kinds).iter().for_each(print::err);
    let options = Options {
        unfinished: Some(Arc::new(run)),
        rules: Arc::new(opened.settings.rules.clone()),
        elsewhere: Arc::new(cut_off::going(&opened.dirs.journal())),
        answers: operate::answers(&[("--over-changes", arguments.over_changes)], &arguments.run),
        ..Options::default()
    };
    let input = PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: now() };
    let plan = PUT_BACK.plan(&input).map_err(|why| Stop { exit: Exit::Refused, why: why.to_string() })?;
    let became = carry_out::plan(&opened, &engine, plan, &arguments.run, &operate::FLAGS).await?;
    if became.run.is_some_and(|run| run.state == RunState::Ended(Outcome::Done)) {
        carry_out::close(&opened, arguments.number).await?;
    }
    Ok(became.exit)
}

async fn close(number: u64, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    // It is written in the journal, and no cluster is needed for that.
    let opened = opened::open(clusters)?;
    let run = find(&opened, number)?;
    carry_out::close(&opened, number).await?;
    print::out(&format!("{} is left as it is\n", run.title))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Time, Uid};
    use crate::operations::cut_off_drain;

    #[test]
    fn a_run_that_was_cut_off_says_how_to_take_it_up() {
        let mut run = cut_off_drain(Uid::parse("1"), Time::from_seconds(1_795_227_247));
        let files = ClusterArgs { kubeconfig: Some("/etc/my fleet.yaml".into()), ..ClusterArgs::default() };
        let own = own_name(&files);
        let said = described(&run, &own);
        assert!(
            said.starts_with("7  drain 1 node (gke n0) began 2026-11-21T02:14:07Z and was cut off\n"),
            "{said}"
        );
        for line in [
            "left changed: gke Node n0; back: uncordon",
            "quarterdeck --kubeconfig '/etc/my fleet.yaml' runs put-back 7",
            "drain gke/n0",
            "runs close 7",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        run.back.clear();
        assert!(!described(&run, &own).contains("put-back"));
    }
}
