//! Real control planes to point a console at, and plugs to pull by hand.
//!
//! ```text
//! cargo run --example planes -- build --minors 1.36,1.35,1.34 --with karpenter,metrics-server,keda
//! cargo run --example planes -- up 3 --seed small --kubeconfig-out /tmp/fleet.yaml
//! cargo run --example planes -- up 3 --minors 1.36,1.35,1.34
//! cargo run --example planes -- up 1 --with karpenter,metrics-server,keda --crds DIRECTORY
//! cargo run --example planes -- list
//! cargo run --example planes -- down
//! ```
//!
//! What is asked for is built once for this machine, each from a `go.mod` below `modules/`, and kept in the user's cache
//! directory. `--help` says what that costs, and `up --help` what can be done with planes that run.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example that talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use planes::running::{self, Notice};
use planes::{Addon, Binaries, Error, Options, Planes, Result, Toolset, toolset};
use tokio::signal::unix::{SignalKind, signal};

mod help;
#[path = "planes.rs"]
mod planes;

const PODS: &str = "fleet-read-pods";
/// Real control planes on loopback, without containers.
#[derive(Parser)]
#[command(after_long_help = help::COSTS)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the binaries, if that was not done on this machine yet, and say where they are.
    Build(Wanted),
    /// Start planes and keep them until Ctrl-C, SIGTERM, `quit`, or `down` in another shell.
    #[command(after_long_help = help::planes())]
    Up(Up),
    /// Say which planes run on this machine, and in which process.
    List,
    /// End planes that `up` keeps in another shell, and wait until they are gone.
    Down {
        /// The process that keeps them, as `list` says it; all of them when left out.
        process: Option<u32>,
    },
}

/// What planes are made of.
#[derive(clap::Args)]
struct Wanted {
    /// Minors of Kubernetes, in turn: 1.36 (with etcd, kubectl and KWOK for all), 1.35, 1.34. Without it, what
    /// QUARTERDECK_PLANES_MINORS says, or else 1.36.
    #[arg(long, visible_alias = "minor", value_name = "MINOR", value_delimiter = ',', value_parser = minor)]
    minors: Vec<String>,
    /// Real controllers beside the planes: karpenter (on planes that look like EKS), metrics-server, keda.
    #[arg(long, value_name = "CONTROLLER", value_delimiter = ',', value_parser = addon)]
    with: Vec<Addon>,
}

impl Wanted {
    fn options(&self) -> Options {
        let mut options = Options { with: self.with.clone(), ..Options::default() };
        if !self.minors.is_empty() {
            options.minors.clone_from(&self.minors);
        }
        options
    }
}

#[derive(clap::Args)]
struct Up {
    /// How many planes.
    #[arg(default_value_t = 3)]
    planes: usize,
    /// Write a kubeconfig to this file: a context of each plane's name for the administrator, and NAME-viewer,
    /// NAME-operator, NAME-nopods (may not read pods) and NAME-partial (sees the namespace `shop` only).
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<PathBuf>,
    /// Workloads to begin with: a small shop on every plane, or 200 nodes and 10,000 pods on the first one.
    #[arg(long, value_enum)]
    seed: Option<Seed>,
    #[command(flatten)]
    wanted: Wanted,
    /// Install the definitions of kinds in this file or directory on every plane.
    #[arg(long, value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// Leave out controller manager and scheduler.
    #[arg(long)]
    no_controllers: bool,
    /// Compact etcd this often (seconds) and serve watches uncached: old versions answer 410.
    #[arg(long, value_name = "SECONDS")]
    compaction: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Seed {
    Small,
    #[value(name = "10k")]
    TenThousand,
}

fn addon(name: &str) -> std::result::Result<Addon, String> {
    Addon::ALL.iter().copied().find(|addon| addon.name() == name).ok_or_else(|| {
        let known: Vec<_> = Addon::ALL.iter().map(|addon| addon.name()).collect();
        format!("there are {}", known.join(", "))
    })
}

fn minor(name: &str) -> std::result::Result<String, String> {
    toolset::kubernetes(name).map(|set| set.name.to_owned()).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().action {
        Action::Build(wanted) => build(&wanted),
        Action::Up(up) => run(&up),
        Action::List => list(),
        Action::Down { process } => down(process),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The binaries of a minor.
fn kubernetes(set: &'static Toolset) -> Result<Binaries> {
    Binaries::of(set)
        .map_err(|why| Error::new(format!("Kubernetes {} cannot be had on this machine: {why}", set.name)))
}

fn build(wanted: &Wanted) -> Result<()> {
    let options = wanted.options();
    println!("{}", kubernetes(toolset::current())?.dir().display());
    for minor in options.minors.iter().filter(|minor| *minor != toolset::current().name) {
        println!("{}", kubernetes(toolset::kubernetes(minor)?)?.dir().display());
    }
    for addon in options.with {
        println!("{}", addon.binaries()?.dir().display());
    }
    Ok(())
}

fn run(up: &Up) -> Result<()> {
    let options = Options {
        controllers: !up.no_controllers,
        compaction: up.compaction.map(Duration::from_secs),
        ..up.wanted.options()
    };
    let mut planes = Planes::start(&kubernetes(toolset::current())?, up.planes, &options)?;
    for (plane, path) in planes.iter().flat_map(|plane| up.crds.iter().map(move |path| (plane, path))) {
        println!("{:<12} {} kinds of {}", plane.name(), plane.install_crds(path)?, path.display());
    }
    seed(&planes, up.seed)?;
    describe(&planes);
    if let Some(file) = &up.kubeconfig_out {
        planes.write_kubeconfig(file)?;
        println!("kubeconfig: {}", file.display());
    }
    let _notice = Notice::of(&planes)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(format!("cannot wait for signals: {error}")))?;
    runtime
        .block_on(serve(&mut planes))
        .map_err(|error| Error::new(format!("cannot wait for signals: {error}")))?;
    println!("stopping");
    // The notice goes last: who waits for it finds nothing left.
    drop(planes);
    Ok(())
}

fn list() -> Result<()> {
    let all = running::all()?;
    if all.is_empty() {
        println!("no planes run");
    }
    for it in all {
        println!("process {}\n{}", it.pid, it.planes.trim_end());
    }
    Ok(())
}

fn down(process: Option<u32>) -> Result<()> {
    let all = running::all()?;
    let chosen: Vec<_> = all.iter().filter(|it| process.is_none_or(|pid| it.pid == pid)).collect();
    if let (Some(pid), true) = (process, chosen.is_empty()) {
        return Err(Error::new(format!("process {pid} keeps no planes; `list` says which do")));
    }
    for it in &chosen {
        it.end()?;
        println!("the planes of process {} are gone", it.pid);
    }
    if chosen.is_empty() {
        println!("no planes run");
    }
    Ok(())
}

fn seed(planes: &Planes, seed: Option<Seed>) -> Result<()> {
    match seed {
        None => Ok(()),
        Some(Seed::Small) => planes.iter().try_for_each(|plane| plane.seed_fleet(1)),
        Some(Seed::TenThousand) => planes.iter().take(1).try_for_each(|plane| plane.seed_pods(200, 10_000)),
    }
}

fn describe(planes: &Planes) {
    for plane in planes.iter() {
        println!("{:<12} {} {}", plane.name(), plane.version(), plane.url());
    }
    pids(planes);
    for (user, _) in [("admin", &[][..])].iter().chain(planes::USERS) {
        println!("{user:<12} --kubeconfig {}", planes.kubeconfig(user).display());
    }
}

fn pids(planes: &Planes) {
    for (component, pid) in planes.pids() {
        println!("{pid:>8} {component}");
    }
}

/// Commands and signals, whichever comes first.
async fn serve(planes: &mut Planes) -> std::io::Result<()> {
    let mut lines = lines();
    let mut open = true;
    let [mut interrupt, mut terminate, mut hangup] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            // An input that has ended (a pipe, /dev/null) ends nothing else.
            line = lines.recv(), if open => match line.as_deref().map(str::trim) {
                None => open = false,
                Some("quit") => return Ok(()),
                Some(line) => match obey(planes, line) {
                    Ok(()) => println!("ok"),
                    Err(error) => println!("{error}"),
                },
            },
        }
    }
}

/// Lines of the input, read by a thread that may block for ever without keeping the process from ending.
fn lines() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn obey(planes: &mut Planes, line: &str) -> Result<()> {
    let words: Vec<_> = line.split_whitespace().collect();
    match *words.as_slice() {
        [] => Ok(()),
        ["pids"] => {
            pids(planes);
            Ok(())
        }
        ["stop", plane] => {
            planes.plane_mut(plane)?.stop_api();
            Ok(())
        }
        ["start", plane] => planes.plane_mut(plane)?.start_api(),
        ["freeze", plane] => planes.plane(plane)?.freeze_api(),
        ["thaw", plane] => planes.plane(plane)?.thaw_api(),
        ["revoke-pods", plane] => planes.plane(plane)?.revoke("viewer", PODS),
        ["revoke-pods", plane, user] => planes.plane(plane)?.revoke(user, PODS),
        ["grant-pods", plane] => planes.plane(plane)?.grant("viewer", PODS),
        ["grant-pods", plane, user] => planes.plane(plane)?.grant(user, PODS),
        ["nodes", plane, count] => {
            let count = count.parse().map_err(|_| Error::new(format!("{count} is not a number")))?;
            planes.plane(plane)?.add_nodes(count)
        }
        ["scale", plane, deployment, replicas] => {
            let (space, name) = deployment.split_once('/').unwrap_or(("default", deployment));
            let (name, replicas) = (format!("deployment/{name}"), format!("--replicas={replicas}"));
            planes.plane(plane)?.kubectl(&["scale", "-n", space, &name, &replicas]).map(drop)
        }
        ["load", plane, deployment, cpu] => {
            let (space, name) = deployment.split_once('/').unwrap_or(("default", deployment));
            planes.plane(plane)?.load(space, name, cpu)
        }
        _ => {
            println!("{}", help::COMMANDS);
            Ok(())
        }
    }
}
