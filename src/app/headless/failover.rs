//! `failover plan|drill|run|back FILE`, `failover init PRIMARY STANDBY`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::super::cli::{ClusterArgs, Exit, FailoverCommand, InitArgs, RecoveryArgs};
use super::super::clock::now;
use super::super::opened::Opened;
use super::super::{cut_off, recovery, reports};
use super::carry_out::{self, Became};
use super::{Stop, nodes, operate, print, proposal, wait};
use crate::model::{ClusterId, Kind, Text};
use crate::operations::{
    Options, PlanInput, RecoveryFile, RecoveryWish, RunState, Way, by_id, recovery_proposal,
};

/// What the cluster that takes over must tell before there is a plan.
const KINDS: [Kind; 5] = [Kind::Node, Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::Autoscaler];

/// Shows, rehearses or carries out a recovery plan.
pub(super) async fn run(command: &FailoverCommand, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let (arguments, way) = match command {
        FailoverCommand::Init(arguments) => return init(arguments, clusters).await,
        FailoverCommand::Plan(arguments) if arguments.run.yes.is_some() => {
            return Err(Stop::usage("failover plan changes nothing; failover run --yes HASH runs it"));
        }
        FailoverCommand::Plan(arguments) | FailoverCommand::Run(arguments) => (arguments, Way::Run),
        FailoverCommand::Drill(arguments) => (arguments, Way::Drill),
        FailoverCommand::Back(arguments) => (arguments, Way::Back),
    };
    proposal::form(arguments.run.output)?;
    let (opened, mut engine) = super::start(clusters)?;
    let file = find(&arguments.file, &opened.dirs.recovery())?;
    let standby = member(&opened, "standby", &file.standby)?;
    let primary = member(&opened, "primary", &file.primary)?;

    // A side that does not answer may be why somebody fails over: it is asked, not needed.
    let (primary, standby) = if way == Way::Back { (standby, primary) } else { (primary, standby) };
    let limit = arguments.run.connect_timeout.unwrap_or_default();
    let snapshot = wait::settle_without(&mut engine, limit, standby, primary, &KINDS).await;
    wait::need(&snapshot, &[standby], &KINDS)?;
    wait::unknown(&snapshot, &[primary], &KINDS).iter().for_each(print::err);

    let (plans, problems) = recovery::load_all(&opened.dirs.recovery());
    problems.iter().for_each(print::err);
    let options = Options {
        recovery: Some(RecoveryWish { file: Arc::new(file), way }),
        recovery_plans: Arc::new(plans),
        rules: Arc::new(opened.settings.rules.clone()),
        elsewhere: Arc::new(cut_off::going(&opened.dirs.journal())),
        answers: operate::answers(&[("--leave-primary", arguments.leave_primary)], &arguments.run),
        ..Options::default()
    };
    let declared = by_id("failover").ok_or_else(|| Stop::usage("there is no operation failover"))?;
    let input = PlanInput { snapshot: &snapshot, subjects: &[], options: &options, now: now() };
    let plan = declared.plan(&input).map_err(|why| Stop { exit: Exit::Refused, why: why.to_string() })?;
    let became = carry_out::plan(&opened, &engine, plan, &arguments.run, &operate::FLAGS).await?;
    report(&opened, arguments, &became)?;
    Ok(became.exit)
}

/// Prints a proposal: a file to be read, completed and kept.
async fn init(arguments: &InitArgs, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let (opened, mut engine) = super::start(clusters)?;
    let primary = member(&opened, "primary", &arguments.primary)?;
    let standby = member(&opened, "standby", &arguments.standby)?;
    let both = [primary, standby];
    let snapshot = wait::settle(&mut engine, arguments.connect_timeout, &both, &KINDS).await;
    wait::need(&snapshot, &both, &KINDS)?;
    let find = |id| snapshot.fleet.cluster(id).ok_or_else(|| Stop::usage("the cluster is not in the fleet"));
    let text = recovery_proposal(find(primary)?, find(standby)?, arguments.namespace.as_deref())
        .map_err(|why| Stop { exit: Exit::Refused, why: why.to_string() })?;
    print::out(&text)?;
    print::err(format!("Read it, complete it, and keep it in {}", opened.dirs.recovery().display()));
    Ok(Exit::Done)
}

/// The recovery plan of this path, or of this name among the user's own.
fn find(wanted: &Path, own: &Path) -> Result<RecoveryFile, Stop> {
    let named = || [own.join(wanted), own.join(format!("{}.toml", wanted.display()))];
    let path = std::iter::once(wanted.to_owned()).chain(named()).find(|path| path.is_file());
    match path {
        Some(path) => recovery::load(&path).map_err(|problem| Stop::usage(problem.to_string())),
        None => {
            let names = names(own);
            let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            let (wanted, own) = (wanted.display(), own.display());
            Err(Stop::usage(format!("there is no recovery plan {wanted}; in {own} there is {there}")))
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry: std::fs::DirEntry| -> PathBuf { entry.path() });
    let plans = paths.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let mut names: Vec<String> =
        plans.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort_unstable();
    names
}

fn member(opened: &Opened, role: &str, name: &str) -> Result<ClusterId, Stop> {
    let target = nodes::target(&opened.targets, name);
    target.map(|target| target.id).map_err(|why| Stop::usage(format!("{role}: {why}")))
}

/// Says how long the recovery took, and writes the reports.
fn report(opened: &Opened, arguments: &RecoveryArgs, became: &Became) -> Result<(), Stop> {
    let Some(run) = &became.run else { return Ok(()) };
    if matches!(run.state, RunState::Ended(crate::operations::Outcome::Refused)) {
        return Ok(());
    }
    let name = |id: ClusterId| -> Text {
        let target = opened.targets.get(usize::from(id.0));
        target.map(|target| target.info.name.clone()).unwrap_or_default()
    };
    let folder = arguments.reports.clone().unwrap_or_else(|| opened.dirs.reports());
    let written = reports::write(run, &folder, &name);
    let time = run.recovery_time();
    if became.json {
        let path = written.as_ref().ok().map(|path| path.display().to_string());
        let line = json!({ "recovery_time_ms": time.map(|t| t.millis()), "report": path });
        print::out(&format!("{line}\n"))?;
    } else {
        let target = run.plan.recovery.as_ref().and_then(|r| r.target);
        let promised = target.map_or(String::new(), |target| format!(", promised {target}"));
        let took =
            time.map_or("not reached".to_owned(), |time| format!("{:.1} s", time.millis() as f64 / 1000.0));
        print::out(&format!("recovery time: {took}{promised}\n"))?;
        if let Ok(path) = &written {
            print::out(&format!("report: {}\n", path.display()))?;
        }
    }
    if let Err(fault) = written {
        print::err(fault);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "version=1\nname='x'\nprimary='a'\nstandby='b'\n[[workload]]\nkind='Deployment'\nnamespace='shop'\nname='cart'";

    #[test]
    fn a_plan_is_found_by_path_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("recovery");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("orders-eu.toml"), PLAN).unwrap();
        let path = folder.path().join("other.toml");
        std::fs::write(&path, PLAN).unwrap();
        for wanted in ["orders-eu", "orders-eu.toml", path.to_str().unwrap()] {
            assert_eq!(find(Path::new(wanted), &own).unwrap().name, "x", "{wanted}");
        }
        let stop = find(Path::new("orders-us"), &own).unwrap_err();
        assert!(stop.exit == Exit::Usage && stop.why.ends_with("there is orders-eu"), "{}", stop.why);
    }
}
