//! Tests against real control planes (`cargo test --test control_plane`).
//!
//! Where the binaries cannot be had (no Go, no module proxy, `QUARTERDECK_TEST_PLANES=off`), one line says why and every
//! trial is counted as ignored, never as passed. The built-in test harness cannot decide that at run time, hence
//! `harness = false` and a list made by hand.
//!
//! # Adding a trial
//!
//! 1. Write `fn my_trial(binaries: &Binaries) -> Outcome` in a file below `trials/`; start the planes it needs with
//!    [`Planes::start`] and let `?` carry every failure (any error will do).
//! 2. Add one line to [`TRIALS`], or to [`TRIALS_WITH`] where it needs a controller that is not Kubernetes' own.
//!
//! `QUARTERDECK_PLANES_MINORS=1.35` runs every trial against another minor.
//!
//! Cases that hold of the embedded fleet as well are written once, in `tests/it/ground/`, and get the planes as
//! [`fleet::Real`].
//!
//! A trial owns its planes: it may stop, freeze and fill them. A plane takes about three seconds to start and half a
//! gigabyte of memory, so few trials that check several things beat many small ones.
#![expect(clippy::print_stderr, reason = "says why trials are skipped")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use planes::{Addon, Binaries, Unavailable};

#[path = "trials/conformance.rs"]
mod conformance;
#[path = "trials/drain.rs"]
mod drain;
#[path = "trials/failover.rs"]
mod failover;
#[path = "trials/fleet.rs"]
mod fleet;
#[path = "trials/formats.rs"]
mod formats;
#[allow(clippy::unwrap_used, reason = "a case that cannot go on fails")]
#[path = "../it/ground.rs"]
mod ground;
#[path = "trials/karpenter.rs"]
mod karpenter;
#[path = "trials/keda.rs"]
mod keda;
#[path = "trials/metrics.rs"]
mod metrics;
#[path = "trials/pane.rs"]
mod pane;
#[path = "planes.rs"]
pub mod planes;
#[path = "trials/refusals.rs"]
mod refusals;
#[path = "trials/smoke.rs"]
mod smoke;
#[path = "trials/watch.rs"]
mod watch;

/// What a trial gives: nothing, or any error.
type Outcome = Result<(), Failed>;

/// A trial's function.
type Run = fn(&Binaries) -> Outcome;

/// Name and function of every trial on Kubernetes alone.
const TRIALS: &[(&str, Run)] = &[
    ("planes_start_with_ready_nodes_and_roles", smoke::nodes_and_roles),
    ("plugs_can_be_pulled_and_data_stays", smoke::plugs),
    ("nothing_outlives_a_panic", smoke::panics),
    ("nothing_outlives_a_kill", smoke::undertaker),
    ("kinds_are_read_equal_from_both_formats", formats::equal),
    ("watches_show_what_servers_have_and_what_they_suffer", watch::fleet),
    ("conversations_are_as_they_were_recorded", conformance::conversations),
    ("what_controllers_do_is_as_it_was_recorded", conformance::moving),
    ("a_server_without_time_is_asked_rarely_and_its_words_are_shown", refusals::throttled),
    ("a_login_that_is_over_is_renewed_once_for_all", refusals::logins),
    ("one_namespace_is_no_fleet_and_that_is_said", refusals::one_namespace),
    ("versions_that_etcd_compacted_are_listed_anew", watch::compaction),
    ("a_restored_etcd_is_noticed_and_shown_as_it_is", watch::restored),
    ("nodes_are_drained_as_kubectl_would_and_as_budgets_let", drain::nodes),
    ("a_fleet_fails_over_and_says_how_long_it_took", failover::all_ways),
];

/// Name and function of every trial with a controller of the ecosystem, and that controller.
///
/// Such a trial runs where the controller was built before (`planes up --with …` does it) or [`WITH`] asks for it, so
/// that the first run of all checks on a machine builds Kubernetes and nothing else.
const TRIALS_WITH: &[(Addon, &str, Run)] = &[
    (Addon::Karpenter, "karpenter_makes_nodes_and_the_pane_tells_the_story", karpenter::story_of_nodes),
    (Addon::MetricsServer, "usage_is_shown_and_an_autoscaler_acts_on_it", metrics::usage),
    (Addon::Keda, "keda_wakes_a_workload_and_the_pane_names_it", keda::wakes),
];

/// Controllers to build for their trials, with commas: `karpenter,metrics-server`.
const WITH: &str = "QUARTERDECK_PLANES_WITH";

/// Planes that run side by side; each set takes a gigabyte or two.
const SIDE_BY_SIDE: usize = 2;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let names = TRIALS.iter().map(|(name, _)| *name).chain(TRIALS_WITH.iter().map(|(_, name, _)| *name));
    // Listing, or a filter that is about other tests, must not begin to build Kubernetes.
    let wanted = !arguments.list && names.into_iter().any(|name| matches(&arguments, name));
    let binaries =
        if wanted { Binaries::ensure() } else { Err(Unavailable("nothing here was asked for".to_owned())) };
    if let (true, Err(why)) = (wanted, &binaries) {
        eprintln!("control planes are unavailable, so their tests are skipped: {why}");
    }
    let trial = |name: &str, run: Run, binaries: &Result<Binaries, Unavailable>| {
        let binaries = binaries.clone();
        let ignored = wanted && binaries.is_err();
        Trial::test(name, move || run(&binaries?)).with_ignored_flag(ignored)
    };
    let mut trials: Vec<Trial> = TRIALS.iter().map(|&(name, run)| trial(name, run, &binaries)).collect();
    for &(addon, name, run) in TRIALS_WITH {
        let chosen = wanted && matches(&arguments, name);
        let possible = binaries
            .clone()
            .and_then(|binaries| if chosen { ready(addon).map(|()| binaries) } else { Ok(binaries) });
        if let (true, Ok(_), Err(why)) = (chosen, &binaries, &possible) {
            eprintln!("{name} is skipped: {why}");
        }
        trials.push(trial(name, run, &possible));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether a controller can run: it was built before, or is built now because somebody asks for it.
fn ready(addon: Addon) -> Result<(), Unavailable> {
    let asked = std::env::var(WITH).unwrap_or_default();
    if Binaries::cached(addon.toolset()).is_some() {
        return Ok(());
    }
    if asked.split(',').any(|name| name.trim() == addon.name()) {
        return Binaries::of(addon.toolset()).map(drop);
    }
    let name = addon.name();
    Err(Unavailable(format!(
        "{name} was not built on this machine; {WITH}={name} builds it, in about {}",
        addon.toolset().takes
    )))
}

/// Whether the filters on the command line leave this trial in, by the rules of the built-in harness.
fn matches(arguments: &Arguments, name: &str) -> bool {
    let hit = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
    arguments.filter.as_ref().is_none_or(hit) && !arguments.skip.iter().any(hit)
}
