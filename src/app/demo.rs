//! The demo: the embedded fleet, with the screen on it or for other clients.

mod client_files;
mod suffer;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, eyre};

use super::cli::{ClusterArgs, DemoArgs};
use super::opened::{self, Opened};
use super::{abilities, live, recovery};
use crate::cluster::{ClusterTarget, Names, Sources, find_clusters};
use crate::model::{ClusterId, EMBEDDED, Text};
use crate::operations::RecoveryFile;
use crate::sim::{Fleet, Options, Pace, Role, Scenario};
use client_files::ClientFiles;
use suffer::Suffering;

/// Between two bookmarks of a watch, as kube-apiserver has it (`defaultBookmarkFrequency`).
const BOOKMARKS: Duration = Duration::from_secs(60);

/// Plays a scenario until somebody leaves.
///
/// # Errors
/// The scenario is wrong, a file cannot be written, or there is no terminal.
pub(super) async fn run(arguments: &DemoArgs, clusters: &ClusterArgs) -> Result<()> {
    if arguments.list {
        return list();
    }
    let scenario = scenario(arguments)?;
    if !arguments.serve {
        abilities::need_terminal()?;
    }
    let pace = Pace::Running(f64::from(arguments.speed));
    let options = Options { pace, bookmarks: BOOKMARKS, ..Options::default() };
    let mut fleet = Fleet::start(scenario, options).await?;
    let mut out = arguments.kubeconfig_out.as_deref().map(ClientFiles::for_others);
    if let Some(out) = &mut out {
        out.write(&fleet.workstation())?;
    }
    if arguments.serve {
        let control = match arguments.control {
            Some(at) => Some(fleet.open_control(at).await.wrap_err("the control endpoint cannot be opened")?),
            None => None,
        };
        let _suffers = suffer::start(fleet.workstation(), out.into_iter().collect());
        return serve(&fleet, arguments.kubeconfig_out.as_deref(), control).await;
    }
    // Real clusters beside it only when somebody names them.
    let beside = clusters.kubeconfig.is_some() || !clusters.context.is_empty();
    let mut opened = opened::open(clusters)?;
    if !beside {
        opened.targets.clear();
        opened.kubeconfig = None;
        opened.looked_at.clear();
    }
    let own = add_fleet(&mut opened, &fleet)?;
    opened.recoveries.extend(recovery_of(&arguments.scenario)?.map(Arc::new));
    let played = Played::new(fleet, out.into_iter().chain([own]).collect());
    live::run(opened, Some(played), clusters, &arguments.screen).await
}

/// A fleet that is played, and what its scenario does to this machine. Both end when it is dropped.
pub(super) struct Played {
    _fleet: Fleet,
    _suffers: Suffering,
}

impl Played {
    fn new(fleet: Fleet, files: Vec<ClientFiles>) -> Played {
        Played { _suffers: suffer::start(fleet.workstation(), files), _fleet: fleet }
    }
}

/// The embedded fleet as it is without any argument, and nothing beside it.
///
/// # Errors
/// It cannot be started.
pub(super) async fn embedded(clusters: &ClusterArgs) -> Result<(Played, Opened)> {
    let (name, text) = Scenario::SHIPPED.first().ok_or_else(|| eyre!("no scenario is shipped"))?;
    let scenario = Scenario::parse(&format!("{name}.toml"), text)?;
    let options = Options { bookmarks: BOOKMARKS, ..Options::default() };
    let (played, mut opened) = start(scenario, opened::open(clusters)?, options).await?;
    opened.recoveries.extend(recovery_of(name)?.map(Arc::new));
    Ok((played, opened))
}

/// A fleet, and it alone of what is opened.
///
/// # Errors
/// It cannot be started, or its kubeconfig cannot be written.
pub(super) async fn start(
    scenario: Scenario,
    mut opened: Opened,
    options: Options,
) -> Result<(Played, Opened)> {
    let fleet = Fleet::start(scenario, options).await?;
    opened.targets.clear();
    opened.kubeconfig = None;
    opened.looked_at.clear();
    let own = add_fleet(&mut opened, &fleet)?;
    Ok((Played::new(fleet, vec![own]), opened))
}

/// Recovery plans of the shipped scenarios. One of a file lies beside it: `NAME.recovery.toml`.
const RECOVERIES: [(&str, &str); 2] = [
    ("night-shift", include_str!("../../assets/scenarios/night-shift.recovery.toml")),
    ("drill", include_str!("../../assets/scenarios/drill.recovery.toml")),
];

/// The recovery plan that comes with a scenario.
fn recovery_of(scenario: &str) -> Result<Option<RecoveryFile>> {
    if let Some((name, text)) = RECOVERIES.iter().find(|(name, _)| *name == scenario) {
        return RecoveryFile::read(text).map(Some).map_err(|error| eyre!("{name}.recovery.toml: {error}"));
    }
    let path = Path::new(scenario).with_extension("recovery.toml");
    if path.exists() {
        Ok(Some(recovery::load(&path).map_err(|problem| eyre!("{problem}"))?))
    } else {
        Ok(None)
    }
}

/// The scenario, with what the command line says of it.
fn scenario(arguments: &DemoArgs) -> Result<Scenario> {
    let mut scenario = named(arguments)?;
    if let Some(seed) = arguments.seed {
        scenario = scenario.seeded(seed);
    }
    match arguments.churn {
        Some(rate) if !(0.0..=1_000_000.0).contains(&rate) => {
            Err(eyre!("--churn {rate}: expected between 0 and 1000000 changes a second"))
        }
        Some(rate) => Ok(scenario.churning(rate)),
        None => Ok(scenario),
    }
}

/// The scenario by its shipped name, its size, or its file.
fn named(arguments: &DemoArgs) -> Result<Scenario> {
    let name = arguments.scenario.as_str();
    if let Some(size) = name.strip_prefix("sized:") {
        let numbers: Vec<usize> = size.split('x').filter_map(|n| n.parse().ok()).collect();
        let [clusters, nodes, pods] = numbers[..] else {
            return Err(eyre!("`{name}`: expected sized:CLUSTERSxNODESxPODS, as in sized:20x1000x20000"));
        };
        return Ok(Scenario::sized(clusters, nodes, pods));
    }
    if let Some((_, text)) = Scenario::SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(Scenario::parse(&format!("{name}.toml"), text)?);
    }
    let known: Vec<&str> = Scenario::SHIPPED.iter().map(|(name, _)| *name).collect();
    let text = std::fs::read_to_string(name).wrap_err_with(|| {
        format!("there is no shipped scenario `{name}` ({}), and no such file", known.join(", "))
    })?;
    Ok(Scenario::parse(name, &text)?)
}

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn list() -> Result<()> {
    for (name, text) in Scenario::SHIPPED {
        let scenario = Scenario::parse(name, text)?;
        println!("{name:<14} {} clusters: {}", scenario.clusters().len(), scenario.clusters().join(" "));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it has no screen")]
async fn serve(
    fleet: &Fleet,
    kubeconfig: Option<&Path>,
    control: Option<(SocketAddr, String)>,
) -> Result<()> {
    for cluster in fleet.clusters() {
        println!("{}", cluster.name);
    }
    match kubeconfig {
        Some(path) => {
            let users: Vec<&str> = Role::ALL.iter().map(|role| role.user()).collect();
            println!("kubectl --kubeconfig {} get nodes --context NAME", path.display());
            println!("--user {} acts as another than the administrator", users.join(", --user "));
        }
        None => println!("--kubeconfig-out FILE writes a kubeconfig for other clients"),
    }
    if let Some((address, token)) = control {
        println!("curl -H 'Authorization: Bearer {token}' http://{address}/clusters");
    }
    std::io::stdout().flush()?;
    live::asked_to_end().await;
    Ok(())
}

/// The fleet's clusters before those that are open already, and the files that their logins need. A
/// demo's clusters say their own tier: nothing in them is worth a typed name.
fn add_fleet(opened: &mut Opened, fleet: &Fleet) -> Result<ClientFiles> {
    let mut files = ClientFiles::for_us(&opened.dirs.state);
    let workstation = fleet.workstation();
    files.write(&workstation)?;
    let sources = Sources { file: Some(files.config().to_owned()), ..Sources::default() };
    let mut targets: Vec<ClusterTarget> = find_clusters(&sources, &[]).targets;
    let names = workstation.clone();
    let names = Names::new(move |host| names.look_up(host));
    for target in &mut targets {
        let tier = fleet.clusters().find(|c| target.info.name == c.name.as_str()).map(|c| c.tier);
        opened.settings.apply(&mut target.info, tier);
        target.info.source = EMBEDDED.into();
        target.names = Some(names.clone());
        // A name is what is typed to confirm: it must never mean two clusters.
        let taken = |t: &ClusterTarget| t.info.name == target.info.name;
        if opened.targets.iter().any(taken) {
            target.info.name = Text::clean(&format!("{}.demo", target.info.name));
        }
    }
    targets.append(&mut opened.targets);
    for (place, target) in targets.iter_mut().enumerate() {
        target.id = ClusterId(u16::try_from(place).unwrap_or(u16::MAX));
    }
    opened.targets = targets;
    opened.workstation = Some(workstation);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_recovery_plans_are_about_their_scenarios() {
        for (name, _) in RECOVERIES {
            let (_, text) = Scenario::SHIPPED.iter().find(|(shipped, _)| *shipped == name).unwrap();
            let scenario = Scenario::parse(name, text).unwrap();
            let plan = recovery_of(name).unwrap().unwrap();
            for cluster in [&plan.primary, &plan.standby] {
                assert!(scenario.clusters().iter().any(|c| *c == cluster.as_str()), "{name}: {cluster}");
            }
            for workload in &plan.workloads {
                assert!(text.contains(&format!("name = \"{}\"", workload.name)), "{name}: {}", workload.name);
            }
        }
    }

    #[test]
    fn a_file_brings_the_recovery_plan_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let name = file.to_str().unwrap();
        assert!(recovery_of(name).unwrap().is_none());
        std::fs::write(folder.path().join("mine.recovery.toml"), "version = 1\nname = 3\n").unwrap();
        let wrong = recovery_of(name).unwrap_err().to_string();
        assert!(wrong.contains("mine.recovery.toml:2"), "{wrong}");
        let plan = include_str!("../../assets/scenarios/drill.recovery.toml");
        std::fs::write(folder.path().join("mine.recovery.toml"), plan).unwrap();
        assert_eq!(recovery_of(name).unwrap().unwrap().name, "orders");
    }
}
