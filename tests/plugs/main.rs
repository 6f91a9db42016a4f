//! Pulls plugs for as long as one likes, and looks at what the console shows meanwhile and afterwards.
//!
//! ```text
//! cargo run --example plugs -- target/release/quarterdeck --toxiproxy PROGRAM --minutes 60
//! cargo run --example plugs -- target/release/quarterdeck --toxiproxy PROGRAM --minutes 60 --planes 3
//! cargo run --example plugs -- target/release/quarterdeck --mitmproxy PROGRAM --minutes 60
//! ```
//!
//! A proxy that this project did not write stands before each server. Toxiproxy
//! (<https://github.com/Shopify/toxiproxy>, one Go program) resets, cuts, slices, slows and silences. mitmproxy
//! (<https://mitmproxy.org>, its program `mitmdump`) understands what it carries: it is a captive portal, gives lists of
//! earlier, ends answers short, loses and repeats events, mislabels, turns bits. At the same time the servers suffer: those of the embedded fleet every fault that they
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
mod mitmproxy;
mod plug;
mod real;
mod toxics;
mod way;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use color_eyre::eyre::{Result, WrapErr, eyre};
use driver::process;
use fastrand::Rng;

use embedded::Embedded;
use fleet::Console;
use mitmproxy::Mitmproxy;
use plug::{Plugs, Servers};
use real::Real;
use toxics::Toxiproxy;
use way::Way;

/// Between two lines that say how it goes.
const REPORT: Duration = Duration::from_secs(300);

/// Pulls plugs and looks at what the console shows
#[derive(Parser)]
struct Arguments {
    /// The program that is to live through it
    binary: PathBuf,
    /// The program `toxiproxy-server`
    #[arg(long, required_unless_present = "mitmproxy")]
    toxiproxy: Option<PathBuf>,
    /// The program `mitmdump`, in its place
    #[arg(long, conflicts_with = "toxiproxy")]
    mitmproxy: Option<PathBuf>,
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

impl Arguments {
    fn way(&self, kubeconfig: &Path, folder: &Path) -> Result<Box<dyn Way>> {
        match (&self.toxiproxy, &self.mitmproxy) {
            (Some(program), _) => Ok(Box::new(Toxiproxy::before(program, kubeconfig, folder)?)),
            (_, Some(program)) => Ok(Box::new(Mitmproxy::before(program, kubeconfig, folder)?)),
            _ => Err(eyre!("which proxy? --toxiproxy or --mitmproxy")),
        }
    }
}

fn main() -> Result<()> {
    color_eyre::install()?;
    let arguments = Arguments::parse();
    let mut servers: Box<dyn Servers> = match arguments.planes {
        Some(planes) => Box::new(Real::start(planes)?),
        None => Box::new(Embedded::start(&arguments.binary)?),
    };
    let folder = tempfile::tempdir()?;
    let way = arguments.way(&servers.kubeconfig()?, folder.path())?;
    let mut console = Console::open(&arguments.binary, way.kubeconfig(), folder.path(), servers.clusters())?;
    println!("{} clusters live, seed {}", console.names().len(), arguments.seed);
    servers.churn()?;

    let mut plugs = Plugs::new(Rng::with_seed(arguments.seed));
    let (end, mut report) =
        (Instant::now() + Duration::from_secs(60 * arguments.minutes), Instant::now() + REPORT);
    while Instant::now() < end {
        plugs.mend(servers.as_mut(), way.as_ref(), Some(Instant::now()));
        plugs.pull(servers.as_mut(), way.as_ref(), console.names());
        console.read(plugs.moment())?;
        plugs.judge(&console);
        if Instant::now() > report {
            report += REPORT;
            println!("{}", state(&console, &plugs)?);
        }
    }
    println!("{}", state(&console, &plugs)?);
    println!("{}", sorts(plugs.counts()));
    plugs.mend(servers.as_mut(), way.as_ref(), None);
    servers.calm()?;

    let began = Instant::now();
    // What has just gone silent still looks live.
    console.read(fleet::NOTICED)?;
    console.live().wrap_err_with(|| plugs.story())?;
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
