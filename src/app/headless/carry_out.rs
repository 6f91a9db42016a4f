//! Showing a plan, and carrying it out when its hash was given.

mod follow;

use tokio::sync::{mpsc, watch};

use super::super::cli::{Exit, RunArgs};
use super::super::engine::Engine;
use super::super::opened::Opened;
use super::{Stop, print, proposal, runs};
use crate::model::{Fault, Tone};
use crate::operations::{Approval, Line, OpEvent, Plan, Run};
use crate::runner::{Journal, Runner, Sessions, Who, close_run, system_clock};

/// Events on their way here.
const EVENTS: usize = 256;

const NOT_ALLOWED: &str =
    "quarterdeck: the clusters would not let this plan through (see allowed); nothing was changed";

/// What became of a plan.
pub(super) struct Became {
    pub(super) exit: Exit,
    /// The run, if there was one.
    pub(super) run: Option<Run>,
    /// Whether results are for programs.
    pub(super) json: bool,
}

/// Shows a plan; with its hash in the arguments, carries it out.
pub(super) async fn plan(
    opened: &Opened,
    engine: &Engine,
    plan: Plan,
    arguments: &RunArgs,
    flags: &[(&str, &str)],
) -> Result<Became, Stop> {
    let json = proposal::form(arguments.output)?;
    runs::tell(opened);
    let hash = plan.hash();
    let confirmed = match &arguments.yes {
        Some(typed) => Some(proposal::confirmed(typed, &hash)?),
        None => None,
    };
    let (sender, events) = mpsc::channel(EVENTS);
    let runner = runner(opened, engine, sender);
    if let (Some(typed), Some(true), true) = (&arguments.yes, confirmed, plan.refusals.is_empty()) {
        let runner = runner?;
        let allowed = runner.check(plan.clone()).await;
        if let Some(exit) = denied(&allowed) {
            allowed.iter().filter(|line| line.tone == Tone::Crit).for_each(|line| print::err(&line.text));
            print::err(NOT_ALLOWED);
            return Ok(Became { exit, run: None, json });
        }
        let approval = Approval::Hash(typed.trim().to_ascii_lowercase());
        return follow::run(runner, events, engine, plan, approval, json).await;
    }
    let allowed = match &runner {
        Ok(runner) => runner.check(plan.clone()).await,
        Err(fault) => vec![Line::new("allowed", format!("not asked: {fault}")).toned(Tone::Crit)],
    };
    print::out(&match json {
        true => proposal::json(&plan, &allowed, &engine.snapshots.borrow().fleet),
        false => proposal::text(&plan, &allowed, flags, &engine.snapshots.borrow().fleet),
    })?;
    let denied = denied(&allowed);
    let exit = if confirmed == Some(false) {
        print::err(format!(
            "quarterdeck: --yes is not the hash of this plan: the world has changed since, or it is mistyped. \
             Nothing was changed. This plan is {}",
            hash.get(..12).unwrap_or(&hash)
        ));
        Exit::Refused
    } else if !plan.refusals.is_empty() {
        print::err("quarterdeck: this plan is refused; nothing was changed");
        Exit::Refused
    } else if let Some(exit) = denied {
        print::err(NOT_ALLOWED);
        exit
    } else {
        let short = hash.get(..12).unwrap_or(&hash);
        print::err(format!("Nothing was changed. The same command with --yes {short} runs this plan."));
        Exit::Done
    };
    Ok(Became { exit, run: None, json })
}

/// How it ends when the clusters say no: a right that is missing is a denial, a dry run that a
/// server refused is a refusal.
fn denied(allowed: &[Line]) -> Option<Exit> {
    let mut no = allowed.iter().filter(|line| line.tone == Tone::Crit).peekable();
    no.peek()?;
    let refused = no.all(|line| line.text.starts_with("dry run"));
    Some(if refused { Exit::Refused } else { Exit::Unreachable })
}

/// Notes in the journal that somebody decided about a run that was cut off.
pub(super) async fn close(opened: &Opened, run: u64) -> Result<(), Stop> {
    let journal = Journal::open(&opened.dirs.journal())?;
    Ok(close_run(journal, Who::here(), system_clock(), run).await?)
}

fn runner(
    opened: &Opened,
    engine: &Engine,
    events: mpsc::Sender<OpEvent>,
) -> Result<Runner<Sessions>, Fault> {
    let journal = Journal::open(&opened.dirs.journal())?;
    let (_, sessions) = watch::channel(engine.session_map());
    let snapshots = engine.snapshots.clone();
    Ok(Runner::start(Sessions::new(sessions), journal, Who::here(), system_clock(), snapshots, events))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_clusters_deny_is_not_offered() {
        let line = |text: &str, tone| Line::new("allowed", text).toned(tone);
        let good = line("nodes patch", Tone::Ok);
        assert_eq!(denied(std::slice::from_ref(&good)), None);
        let refused = line("dry run: 0 accepted, 1 refused: Node n0: webhook", Tone::Crit);
        assert_eq!(denied(&[good.clone(), refused.clone()]), Some(Exit::Refused));
        let missing = line("no nodes patch on dev: no role allows it", Tone::Crit);
        assert_eq!(denied(&[good, missing, refused]), Some(Exit::Unreachable));
    }
}
