//! The commands without the screen: `get`, node operations, failover, doctor.
//!
//! Results go to stdout, everything else to stderr, and [`Exit`] tells scripts how it went. What
//! is printed is what a pane shows, and what is run is the plan that the screen would run.

mod carry_out;
mod condition;
mod doctor;
mod failover;
mod get;
mod nodes;
mod operate;
mod print;
mod proposal;
mod runs;
mod wait;

use std::path::Path;

use super::cli::{ClusterArgs, Command, Exit, JournalCommand};
use super::engine::Engine;
use super::opened::{self, Opened};
use super::{live, registry};
use crate::input;
use crate::model::Fault;
use crate::runner::journal;

/// Why a command did not do what was asked, and how the program ends for it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stop {
    exit: Exit,
    why: String,
}

impl Stop {
    fn usage(why: impl Into<String>) -> Stop {
        Stop { exit: Exit::Usage, why: why.into() }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::usage(fault.to_string())
    }
}

/// Does what a command asks for.
pub(super) async fn run(command: &Command, clusters: &ClusterArgs) -> Exit {
    let done = match command {
        Command::Get(arguments) => get::run(arguments, clusters).await,
        Command::Cordon(arguments) => operate::cordon(arguments, true, clusters).await,
        Command::Uncordon(arguments) => operate::cordon(arguments, false, clusters).await,
        Command::Drain(arguments) => operate::drain(arguments, clusters).await,
        Command::Failover(command) => failover::run(command, clusters).await,
        Command::Runs(arguments) => runs::run(arguments.command.as_ref(), clusters).await,
        Command::Doctor(arguments) => doctor::run(arguments, clusters).await,
        Command::Journal(JournalCommand::Verify { file }) => verify(file.as_deref(), clusters),
        Command::Commands => commands(),
        Command::Demo(_) => Err(Stop::usage("the demo has a screen")),
    };
    done.unwrap_or_else(|stop| {
        if !stop.why.is_empty() {
            print::err(format!("quarterdeck: {}", stop.why));
        }
        stop.exit
    })
}

/// Opens what the command line names and begins to watch it.
fn start(clusters: &ClusterArgs) -> Result<(Opened, Engine), Stop> {
    let opened = opened::open(clusters)?;
    for problem in &opened.problems {
        print::err(problem);
    }
    if opened.targets.is_empty() {
        let looked = opened.looked_at.iter().map(|l| format!("{}: {}", l.place, l.found));
        let looked: Vec<String> = looked.collect();
        let chosen = match clusters.context.as_slice() {
            [] => String::new(),
            globs => format!(" that matches {}", globs.join(" ")),
        };
        return Err(Stop::usage(format!("there is no cluster{chosen}; looked at {}", looked.join(", "))));
    }
    let engine = Engine::start(&opened);
    Ok((opened, engine))
}

fn verify(file: Option<&Path>, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let own = match file {
        Some(file) => file.to_owned(),
        None => opened::open(clusters)?.dirs.journal(),
    };
    let shown = own.display();
    if file.is_none() && !own.exists() {
        print::out(&format!("{shown}: nothing was done yet\n"))?;
        return Ok(Exit::Done);
    }
    match journal::verify(&own) {
        Ok(found) => {
            let torn = match found.torn.as_slice() {
                [] => String::new(),
                lines => {
                    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                    format!(", torn by a crash: line {}", lines.join(", "))
                }
            };
            print::out(&format!("{shown}: whole, {} records{torn}\nhead {}\n", found.records, found.head))?;
            Ok(Exit::Done)
        }
        Err(bad) if bad.line.is_none() => Err(Stop::usage(bad.to_string())),
        Err(bad) => {
            print::out(&format!("{shown}: damaged, {bad}\n"))?;
            Ok(Exit::Findings)
        }
    }
}

fn commands() -> Result<Exit, Stop> {
    let (keymap, _) = input::load("default", &|_| None, &live::input_operations());
    print::out(&input::reference(&keymap))?;
    Ok(Exit::Done)
}
