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
//! 2. Add one line to [`TRIALS`].
//!
//! Cases that hold of the embedded fleet as well are written once, in `tests/it/ground/`, and get the planes as
//! [`fleet::Real`].
//!
//! A trial owns its planes: it may stop, freeze and fill them. A plane takes about three seconds to start and half a
//! gigabyte of memory, so few trials that check several things beat many small ones.
#![expect(clippy::print_stderr, reason = "says why trials are skipped")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use planes::{Binaries, Unavailable};

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
#[path = "planes.rs"]
pub mod planes;
#[path = "trials/smoke.rs"]
mod smoke;
#[path = "trials/watch.rs"]
mod watch;

/// What a trial gives: nothing, or any error.
type Outcome = Result<(), Failed>;

/// A trial's function.
type Run = fn(&Binaries) -> Outcome;

/// Name and function of every trial.
const TRIALS: &[(&str, Run)] = &[
    ("planes_start_with_ready_nodes_and_roles", smoke::nodes_and_roles),
    ("plugs_can_be_pulled_and_data_stays", smoke::plugs),
    ("nothing_outlives_a_panic", smoke::panics),
    ("nothing_outlives_a_kill", smoke::undertaker),
    ("kinds_are_read_equal_from_both_formats", formats::equal),
    ("watches_show_what_servers_have_and_what_they_suffer", watch::fleet),
    ("conversations_are_as_they_were_recorded", conformance::conversations),
    ("versions_that_etcd_compacted_are_listed_anew", watch::compaction),
    ("nodes_are_drained_as_kubectl_would_and_as_budgets_let", drain::nodes),
    ("a_fleet_fails_over_and_says_how_long_it_took", failover::all_ways),
];

/// Planes that run side by side; each set takes a gigabyte or two.
const SIDE_BY_SIDE: usize = 2;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    // Listing, or a filter that is about other tests, must not begin to build Kubernetes.
    let wanted = !arguments.list && TRIALS.iter().any(|(name, _)| matches(&arguments, name));
    let binaries =
        if wanted { Binaries::ensure() } else { Err(Unavailable("nothing here was asked for".to_owned())) };
    if let (true, Err(why)) = (wanted, &binaries) {
        eprintln!("control planes are unavailable, so their tests are skipped: {why}");
    }
    let trials = TRIALS.iter().map(|&(name, run)| {
        let binaries = binaries.clone();
        let ignored = wanted && binaries.is_err();
        Trial::test(name, move || run(&binaries?)).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Whether the filters on the command line leave this trial in, by the rules of the built-in harness.
fn matches(arguments: &Arguments, name: &str) -> bool {
    let hit = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
    arguments.filter.as_ref().is_none_or(hit) && !arguments.skip.iter().any(hit)
}
