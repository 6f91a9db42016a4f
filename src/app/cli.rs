//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A terminal fleet console for Kubernetes: many clusters live at once.
///
/// Without a command it opens every cluster of the kubeconfig on screen. Nothing is written to a
/// cluster without a plan that was shown and confirmed.
#[derive(Parser, Clone, Debug)]
#[command(name = "quarterdeck", version, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of opening the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Which clusters.
    #[command(flatten)]
    pub clusters: ClusterArgs,
    /// How the screen looks.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// Which clusters.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterArgs {
    /// Kubeconfig file, instead of KUBECONFIG and ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Only contexts that match this glob; may be repeated; `!glob` excludes
    #[arg(long, global = true, value_name = "GLOB")]
    pub context: Vec<String>,
    /// Settings file, instead of the one in the configuration directory
    #[arg(long, global = true, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// How the screen looks.
#[derive(Args, Clone, Debug, Default)]
pub struct ScreenArgs {
    /// Open with this command, as if it were typed after `:` (pods, cost, ctx eks-*)
    #[arg(short, long, value_name = "COMMAND")]
    pub command_line: Option<String>,
    /// Theme: a file in themes/ of the configuration directory, or a shipped one
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Keymap: a file in keymaps/ of the configuration directory, or a shipped one
    #[arg(long, value_name = "NAME")]
    pub keymap: Option<String>,
    /// Draw with ASCII only, as is done by itself where TERM or the locale ask for it
    #[arg(long)]
    pub ascii: bool,
    /// Draw glyphs beyond ASCII whatever TERM and the locale say
    #[arg(long, conflicts_with = "ascii")]
    pub unicode: bool,
    /// Use the mouse
    #[arg(long)]
    pub mouse: bool,
}

/// What to do instead of opening the screen.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Print what a pane shows
    Get(GetArgs),
    /// Stop new pods from coming to nodes
    Cordon(NodeArgs),
    /// Let new pods come to nodes again
    Uncordon(NodeArgs),
    /// Empty nodes, as their pods' budgets allow
    Drain(DrainArgs),
    /// Plan, rehearse or carry out a failover from a recovery plan file
    #[command(subcommand)]
    Failover(FailoverCommand),
    /// Show runs that were cut off, as when the console was killed, and take them up
    Runs(RunsArgs),
    /// Check settings, connections and permissions, and say what to do
    Doctor(DoctorArgs),
    /// Play the embedded fleet
    Demo(DemoArgs),
    /// Look after the journal of everything that was done
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Print the table of commands and their keys, as Markdown
    #[command(hide = true)]
    Commands,
}

/// `get`
#[derive(Args, Clone, Debug)]
pub struct GetArgs {
    /// The view
    pub view: View,
    /// For `objects`: the kind, as kubectl calls it (pods, po, hpa, …)
    #[arg(default_value = "pods")]
    pub kind: String,
    /// Form of the output
    #[arg(short, long, default_value = "table")]
    pub output: Output,
    /// Only this namespace
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The lens: for findings cause, cluster or kind; for placement app, pool, pending or fit; for
    /// scaling time, story, object or cause; for cost cluster, namespace, workload, pool or waste
    #[arg(long, default_value = "")]
    pub by: String,
    /// Exit with 1 when there is a finding as bad as this
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// Wait until a condition holds: `findings==0`, `rows>=3`
    #[arg(long, value_name = "CONDITION")]
    pub until: Option<String>,
    /// How long to wait for clusters to answer, and for --until
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
}

/// A view that can be printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the words of the panes")]
pub enum View {
    Fleet,
    Findings,
    Placement,
    Scaling,
    Cost,
    Objects,
}

/// A form of output.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Output {
    Table,
    Json,
    Csv,
}

/// How bad a finding is.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Severity {
    Warn,
    Crit,
}

/// The leave to run one plan.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Run the plan that has this hash; without it the plan is printed and nothing is changed
    #[arg(long, value_name = "HASH")]
    pub yes: Option<String>,
    /// Go beyond the rules of the settings: more at once than they allow, or in a freeze window
    #[arg(long)]
    pub beyond_rules: bool,
    /// Form of the output
    #[arg(short, long, default_value = "table")]
    pub output: Option<Output>,
    /// How long to wait for clusters to answer
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub connect_timeout: Option<Duration>,
}

/// `cordon`, `uncordon`
#[derive(Args, Clone, Debug)]
pub struct NodeArgs {
    /// Nodes, by name or as cluster/name
    #[arg(required = true)]
    pub nodes: Vec<String>,
    /// The leave to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `drain`
#[derive(Args, Clone, Debug)]
pub struct DrainArgs {
    /// Nodes and the leave to run it.
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// Evict pods whose emptyDir data goes with them
    #[arg(long)]
    pub delete_emptydir_data: bool,
    /// Evict pods that no controller would start again
    #[arg(long)]
    pub force: bool,
    /// Delete pods that two budgets guard, which the eviction API always refuses
    #[arg(long)]
    pub delete_doubly_guarded: bool,
    /// Override every pod's grace period, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub grace_period: Option<u32>,
    /// How many pods of a node may be on their way out at a time; as many as budgets let when missing
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub at_once: Option<u32>,
    /// How long emptying one node may take; 30m when missing, no limit when 0
    #[arg(long, value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Only pods with these labels
    #[arg(long, default_value = "")]
    pub pod_selector: String,
}

/// `failover`
#[derive(Subcommand, Clone, Debug)]
pub enum FailoverCommand {
    /// Show what a failover would do and whether the standby can take the load
    Plan(RecoveryArgs),
    /// Rehearse it without moving traffic, and put everything back
    Drill(RecoveryArgs),
    /// Carry it out
    Run(RecoveryArgs),
    /// Return to the primary
    Back(RecoveryArgs),
    /// Propose a recovery plan file from what runs on both clusters now, and print it
    Init(InitArgs),
}

/// `failover init`
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The context of the cluster that serves
    pub primary: String,
    /// The context of the cluster that is to take over
    pub standby: String,
    /// Only workloads of this namespace
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// How long to wait for clusters to answer
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub connect_timeout: Duration,
}

/// A recovery plan file and the leave to run it.
#[derive(Args, Clone, Debug)]
pub struct RecoveryArgs {
    /// The recovery plan file, or its name among those in the configuration directory
    pub file: PathBuf,
    /// Where the Markdown and JSON reports go, instead of the data directory
    #[arg(long, value_name = "DIR")]
    pub reports: Option<PathBuf>,
    /// Leave the primary serving where the recovery plan moves no traffic, instead of scaling it down
    #[arg(long)]
    pub leave_primary: bool,
    /// The leave to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `runs`
#[derive(Args, Clone, Debug)]
pub struct RunsArgs {
    /// What to do about one of them; without it all are listed
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// What to do about a run that was cut off.
#[derive(Subcommand, Clone, Debug)]
pub enum RunsCommand {
    /// Plan, and with its hash carry out, what puts back what it left
    PutBack(PutBackArgs),
    /// Leave it as it is, and do not tell of it again
    Close {
        /// Its number, as the list has it
        number: u64,
    },
}

/// `runs put-back`
#[derive(Args, Clone, Debug)]
pub struct PutBackArgs {
    /// Its number, as the list has it
    pub number: u64,
    /// Put back also what somebody changed since
    #[arg(long)]
    pub over_changes: bool,
    /// The leave to run it.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `doctor`
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// How long to wait for clusters to answer
    #[arg(long, default_value = "15s", value_parser = duration)]
    pub timeout: Duration,
}

/// `demo`
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// A scenario: the name of a shipped one, or a file
    #[arg(long, default_value = "night-shift")]
    pub scenario: String,
    /// List the shipped scenarios
    #[arg(long)]
    pub list: bool,
    /// Run the fleet without the screen, until interrupted
    #[arg(long)]
    pub serve: bool,
    /// Write a kubeconfig of the fleet for other clients
    #[arg(long, value_name = "FILE")]
    pub kubeconfig_out: Option<PathBuf>,
    /// How much faster than real time it plays; 0 stands still
    #[arg(long, default_value_t = 1)]
    pub speed: u32,
    /// So many pods change a second, in all clusters together; for measuring
    #[arg(long, value_name = "RATE")]
    pub churn: Option<f64>,
    /// Open the control endpoint at this address of 127.0.0.1; port 0 takes a free one. Its token
    /// is printed with --serve
    #[arg(long, value_name = "ADDRESS", requires = "serve")]
    pub control: Option<std::net::SocketAddr>,
    /// The seed of everything random in it
    #[arg(long)]
    pub seed: Option<u64>,
    /// How the screen looks.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// `journal`
#[derive(Subcommand, Clone, Debug)]
pub enum JournalCommand {
    /// Check the journal's chain of hashes and name the first bad line
    Verify {
        /// The journal, instead of the one in the data directory
        file: Option<PathBuf>,
    },
}

/// How the program ended, for scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// There are findings as bad as `--fail-on`, or the journal is damaged.
    Findings = 1,
    /// The command line or a file is wrong.
    Usage = 2,
    /// A cluster that is needed is unreachable, or denies.
    Unreachable = 3,
    /// Refused or blocked: by a rule, a budget, or because no plan was confirmed.
    Refused = 4,
    /// Out of time.
    TimedOut = 5,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit as u8)
    }
}

/// A duration as people write it: `30s`, `10m`, `1h30m`, `90`.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is no duration; write 30s, 10m or 1h30m"))?;
    Duration::try_from(span).map_err(|_| "a duration cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err());
        assert!(duration("-3s").is_err());
    }
}
