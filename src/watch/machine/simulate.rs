//! Deterministic simulation: the machine against a model server under seeded faults.
//!
//! Three properties, checked at every change and every second:
//! * **converges**: once the faults are over, what is shown equals the server;
//! * **never backwards**: no object is shown at an older version than before, and none comes back
//!   after it was gone, except after a declared reset;
//! * **honest**: what is not marked stale is no older than its limit.
//!
//! A failing seed prints how to run it alone (`QUARTERDECK_SEED=17`) and the last of what happened.
//! `QUARTERDECK_SEEDS=10000` runs as many schedules.

mod server;
mod shown;
mod world;

use super::*;
use crate::model::Cause;
use world::{Faults, Restore, World};

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    match number("QUARTERDECK_SEED") {
        Some(alone) => alone..alone + 1,
        None => 0..number("QUARTERDECK_SEEDS").unwrap_or(default),
    }
}

fn run_all(seeds: std::ops::Range<u64>, faults: impl Fn(u64) -> Faults) {
    for seed in seeds {
        if let Err(violation) = World::new(seed, faults(seed), false).run() {
            let mut world = World::new(seed, faults(seed), true);
            assert_eq!(world.run().as_ref(), Err(&violation), "a seed happens the same way twice");
            let again = format!("QUARTERDECK_SEED={seed} cargo test --lib watch::machine::simulate");
            panic!("seed {seed}: {violation}\nrun it alone: {again}\n{}", world.story());
        }
    }
}

#[test]
fn it_converges_never_goes_backwards_and_is_honest() {
    run_all(seeds(200), |seed| Faults {
        every: 4 + seed % 60,
        silence: false,
        streaming: seed % 3 == 0,
        restore: Restore::Never,
        lag: false,
    });
}

#[test]
fn streams_that_fall_silent_and_restored_servers_are_survived() {
    run_all(seeds(200), |seed| Faults {
        every: 10 + seed % 90,
        silence: true,
        streaming: seed % 3 == 0,
        restore: if seed % 2 == 0 { Restore::Old } else { Restore::Never },
        lag: false,
    });
}

#[test]
fn restores_that_were_caught_up_with_are_survived() {
    run_all(seeds(200), |seed| Faults {
        every: 10 + seed % 90,
        silence: seed % 4 == 0,
        streaming: seed % 3 == 0,
        restore: Restore::Late,
        lag: false,
    });
}

#[test]
fn replicas_that_lag_are_not_taken_for_restored_servers() {
    run_all(seeds(200), |seed| Faults {
        every: 4 + seed % 60,
        silence: false,
        streaming: seed % 3 == 0,
        restore: Restore::Never,
        lag: true,
    });
}

#[test]
fn without_faults_there_is_one_list_and_nothing_is_asked_twice() {
    for seed in 0..20 {
        let mut world = World::new(
            seed,
            Faults {
                every: u64::MAX,
                silence: false,
                streaming: seed % 2 == 0,
                restore: Restore::Never,
                lag: false,
            },
            false,
        );
        world.run().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        assert_eq!((world.asked.lists, world.asked.probes), (1, 0), "seed {seed}");
        assert!(world.asked.watches > 3, "seed {seed}");
    }
}

/// Requests in the half hour after the first two minutes, of a machine whose every request ends
/// so, and how many lists are among them.
fn requests_when(mut end: impl FnMut(&Ask, u64) -> Vec<Input>) -> usize {
    let start = Time::from_seconds(1_000_000);
    let mut machine = Machine::new(Kind::Namespace, 3, start);
    let (mut now, mut requests, mut count) = (start, 0, 0);
    let mut inputs = std::collections::VecDeque::from([Input::Up]);
    while start.age(now).seconds() < 1920 {
        let input = inputs.pop_front().unwrap_or_else(|| {
            now = machine.wake().expect("it goes on trying");
            Input::Timer
        });
        let mut out = Vec::new();
        machine.step(now, input, &mut out);
        for output in out {
            match output {
                Output::Queue => inputs.push_back(Input::Admitted),
                Output::Stop => inputs.clear(),
                Output::Ask { ask, .. } => {
                    count += 1;
                    requests += usize::from(start.age(now).seconds() >= 120);
                    inputs.extend(end(&ask, count));
                }
                _ => {}
            }
        }
    }
    requests
}

#[test]
fn a_server_that_keeps_failing_is_left_in_peace() {
    let refused = |status| Input::Refused(Refusal { status, retry_after: None, message: "".into() });
    let fault = || Fault::new(Cause::Garbled, "test", "");
    let page = || PageEnd { version: Some(Version(7)), ..PageEnd::default() };
    let listed = |then: Vec<Input>| {
        move |ask: &Ask, _: u64| match ask {
            Ask::Watch { .. } => then.clone(),
            _ => vec![Input::Opened, Input::PageEnd(page())],
        }
    };
    // At most one in 30 s; a probe before a watch, or a watch after a list, makes two of one try.
    for (what, most, requests) in [
        ("500", 60, requests_when(|_, _| vec![refused(500)])),
        ("429", 60, requests_when(|_, _| vec![refused(429)])),
        ("no connection", 60, requests_when(|_, _| vec![Input::Failed(fault())])),
        ("410 on lists", 60, requests_when(|_, _| vec![refused(410)])),
        ("401", 6, requests_when(|_, _| vec![refused(401)])),
        ("403", 6, requests_when(|_, _| vec![refused(403)])),
        ("404", 6, requests_when(|_, _| vec![refused(404)])),
        ("lists cut off", 60, requests_when(|_, _| vec![Input::Opened, Input::Failed(fault())])),
        ("410 on watches", 120, requests_when(listed(vec![refused(410)]))),
        ("400 on watches", 120, requests_when(listed(vec![refused(400)]))),
        ("504 on watches", 120, requests_when(listed(vec![refused(504)]))),
        ("403 on watches", 12, requests_when(listed(vec![refused(403)]))),
        ("watches that end at once", 120, requests_when(listed(vec![Input::Opened, Input::Ended]))),
        (
            "garbled events",
            120,
            requests_when(listed(vec![Input::Opened, Input::Event(Event::Garbled(fault()))])),
        ),
    ] {
        assert!(requests > 0 && requests <= most, "{what}: {requests} requests in 30 minutes");
    }
}
