//! Pulls plugs for as long as one likes, and looks at what the console shows meanwhile and afterwards.
//!
//! ```text
//! cargo run --example plugs -- target/release/quarterdeck --toxiproxy PROGRAM --minutes 60
//! cargo run --example plugs -- target/release/quarterdeck --toxiproxy PROGRAM --minutes 60 --planes 3
//! ```
//!
//! Toxiproxy (<https://github.com/Shopify/toxiproxy>, one Go program) stands before each server: it resets, cuts,
//! slices, slows and silences. At the same time the servers suffer: those of the embedded fleet every fault that they
//! know, real ones ([`real`]) being frozen, stopped, without etcd, restored, and their tokens revoked.
//!
//! While plugs are out, no cluster from which nothing can come may look fresh for longer than [`fleet::NOTICED`]. Once
//! all are in again, every cluster must be live and have as many pods as its server says. It ends with an error where
//! that is not so, or the program has ended; `--seed` repeats the order of plugs.
#![expect(clippy::print_stdout, reason = "a program that talks to a person")]

#[path = "../control-plane/planes.rs"]
mod planes;

mod embedded;
mod fleet;
mod plug;
mod real;
mod toxics;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use color_eyre::eyre::{Result, eyre};
use driver::process;
use fastrand::Rng;

use embedded::Embedded;
use fleet::Console;
use plug::{Plugs, Servers};
use real::Real;
use toxics::Toxiproxy;

/// Between two lines that say how it goes.
const REPORT: Duration = Duration::from_secs(300);

/// Pulls plugs and looks at what the console shows
#[derive(Parser)]
struct Arguments {
    /// The program that is to live through it
    binary: PathBuf,
    /// The program `toxiproxy-server`
    #[arg(long)]
    toxiproxy: PathBuf,
    /// For how long plugs are pulled
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Which plugs, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many real control planes in place of the embedded fleet of 20 clusters
    #[arg(long)]
    planes: Option<usize>,
}

fn main() -> Result<()> {
    color_eyre::install()?;
    let arguments = Arguments::parse();
    let mut servers: Box<dyn Servers> = match arguments.planes {
        Some(planes) => Box::new(Real::start(planes)?),
        None => Box::new(Embedded::start(&arguments.binary)?),
    };
    let folder = tempfile::tempdir()?;
    let proxy = Toxiproxy::start(&arguments.toxiproxy, folder.path())?;
    let through = proxy.before(&servers.kubeconfig()?)?;
    let mut console = Console::open(&arguments.binary, &through, folder.path(), servers.clusters())?;
    println!("{} clusters live, seed {}", console.names().len(), arguments.seed);
    servers.churn()?;

    let mut plugs = Plugs::new(Rng::with_seed(arguments.seed));
    let (end, mut report) =
        (Instant::now() + Duration::from_secs(60 * arguments.minutes), Instant::now() + REPORT);
    while Instant::now() < end {
        plugs.mend(servers.as_mut(), &proxy, Some(Instant::now()));
        plugs.pull(servers.as_mut(), &proxy, console.names());
        console.read(plugs.moment())?;
        plugs.judge(&console);
        if Instant::now() > report {
            report += REPORT;
            println!("{}", state(&console, &plugs)?);
        }
    }
    println!("{}", state(&console, &plugs)?);
    println!("{}", sorts(plugs.counts()));
    plugs.mend(servers.as_mut(), &proxy, None);
    servers.calm()?;

    let began = Instant::now();
    // What has just gone silent still looks live.
    console.read(fleet::NOTICED)?;
    console.live()?;
    println!("all live {:.0} s after the last plug", began.elapsed().as_secs_f64());
    console.equal(|cluster| servers.pods(cluster))?;
    println!("as many pods as at every server {:.0} s after the last plug", began.elapsed().as_secs_f64());
    println!("{}", state(&console, &plugs)?);
    if plugs.lies().is_empty() {
        return Ok(());
    }
    Err(eyre!("looked fresh while nothing could come:\n{}", plugs.lies().join("\n")))
}

/// How it goes.
fn state(console: &Console, plugs: &Plugs) -> Result<String> {
    let pid = console.pid()?;
    let (now, most) = process::memory_of(pid)?;
    let (descriptors, _) = process::descriptors(pid)?;
    let pulled: u32 = plugs.counts().values().sum();
    Ok(format!(
        "{pulled} plugs pulled, {} could not be; {} looks at silent clusters, {} lies; \
         {now:.0} MiB resident, {most:.0} at most, {descriptors} descriptors",
        plugs.refused(),
        plugs.looks(),
        plugs.lies().len(),
    ))
}

fn sorts(counts: &BTreeMap<String, u32>) -> String {
    counts.iter().map(|(sort, count)| format!("{sort} {count}")).collect::<Vec<_>>().join(", ")
}
