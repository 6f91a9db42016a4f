//! Real control planes to point a console at, and plugs to pull by hand.
//!
//! ```text
//! cargo run --example planes -- build
//! cargo run --example planes -- up 3 --seed small --kubeconfig-out /tmp/fleet.yaml
//! cargo run --example planes -- up 3 --minors 1.36,1.35,1.34
//! cargo run --example planes -- up 1 --with karpenter,metrics-server --crds DIRECTORY
//! ```
//!
//! What is asked for is built once for this machine, each from a `go.mod` below `modules/`, and kept in the user's cache
//! directory. With Karpenter there is a pool `burst` and a Deployment `burst/render` that runs on nothing else:
//! `scale eks-use1 burst/render 12` makes nodes, `scale eks-use1 burst/render 1` gives them up.
//!
//! `up` stays until Ctrl-C, SIGTERM or `quit`, and reads commands from its input: `help` lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example that talks to a person")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use planes::{Addon, Binaries, Error, Options, Planes, Result};
use tokio::signal::unix::{SignalKind, signal};

#[path = "planes.rs"]
mod planes;

const PODS: &str = "fleet-read-pods";
const HELP: &str = "\
stop PLANE                 kill the API server; its port refuses
start PLANE                start it again, with the data it had
freeze PLANE               connections stay open, nothing answers
thaw PLANE                 go on
revoke-pods PLANE [USER]   take the right to read pods from a user (viewer)
grant-pods PLANE [USER]    give it back
nodes PLANE COUNT          add nodes
scale PLANE DEPLOYMENT N   replicas of a Deployment (NAMESPACE/NAME); burst/render runs on Karpenter's nodes
pids                       processes
help, quit";

/// Real control planes on loopback.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the binaries, if that was not done on this machine yet, and say where they are.
    Build,
    /// Start planes and keep them until Ctrl-C.
    Up(Up),
}

#[derive(clap::Args)]
struct Up {
    /// How many planes.
    #[arg(default_value_t = 3)]
    planes: usize,
    /// Copy the administrator's kubeconfig, with one context per plane, to this file.
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<PathBuf>,
    /// Workloads to begin with: a small shop on every plane, or 200 nodes and 10,000 pods on the first one.
    #[arg(long, value_enum)]
    seed: Option<Seed>,
    /// Minors of Kubernetes, in turn: 1.36 (with etcd, kubectl and KWOK for all), 1.35, 1.34.
    #[arg(long, visible_alias = "minor", value_name = "MINOR", value_delimiter = ',')]
    minors: Vec<String>,
    /// Real controllers beside the planes: karpenter (on planes that look like EKS), metrics-server.
    #[arg(long, value_name = "CONTROLLER", value_delimiter = ',', value_parser = addon)]
    with: Vec<Addon>,
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

fn main() -> ExitCode {
    let outcome = match Arguments::parse().action {
        Action::Build => build(),
        Action::Up(up) => run(&up),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn binaries() -> Result<Binaries> {
    Binaries::ensure().map_err(|why| Error::new(format!("no control planes on this machine: {why}")))
}

fn build() -> Result<()> {
    println!("{}", binaries()?.dir().display());
    Ok(())
}

fn run(up: &Up) -> Result<()> {
    let mut options = Options {
        with: up.with.clone(),
        controllers: !up.no_controllers,
        compaction: up.compaction.map(Duration::from_secs),
        ..Options::default()
    };
    if !up.minors.is_empty() {
        options.minors.clone_from(&up.minors);
    }
    let mut planes = Planes::start(&binaries()?, up.planes, &options)?;
    for (plane, path) in planes.iter().flat_map(|plane| up.crds.iter().map(move |path| (plane, path))) {
        println!("{:<12} {} kinds of {}", plane.name(), plane.install_crds(path)?, path.display());
    }
    seed(&planes, up.seed)?;
    describe(&planes);
    if let Some(file) = &up.kubeconfig_out {
        std::fs::copy(planes.kubeconfig("admin"), file)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", file.display())))?;
        println!("kubeconfig: {}", file.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(format!("cannot wait for signals: {error}")))?;
    runtime
        .block_on(serve(&mut planes))
        .map_err(|error| Error::new(format!("cannot wait for signals: {error}")))?;
    println!("stopping");
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
        _ => {
            println!("{HELP}");
            Ok(())
        }
    }
}
