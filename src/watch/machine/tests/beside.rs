//! What a person asks for while a watch is open.

use super::*;

/// A live machine that is asked by a person.
fn asked() -> Bench {
    let mut bench = Bench::live();
    bench.step(upsert("a", 11));
    bench.step(Input::Kick);
    let ask = Ask::Probe { of: None };
    assert_eq!(bench.out, [Output::AskBeside { ask, json: false }], "the watch goes on");
    bench
}

fn beside(input: Input) -> Input {
    Input::Beside(Box::new(input))
}

/// Whether the watch is open still and what comes over it counts.
fn watches(bench: &mut Bench, version: u64) -> bool {
    bench.step(upsert("z", version));
    bench.machine.link().live() && matches!(bench.told()[0], Change::Upsert(_))
}

#[test]
fn a_server_that_answers_is_asked_for_its_version_and_watched_again() {
    let mut bench = asked();
    bench.step(beside(Input::Opened));
    bench.step(beside(page(20, None)));
    assert_eq!((&bench.out[0], bench.ask()), (&Output::Stop, Some(Ask::Probe { of: None })));
    assert!(bench.machine.link().live() && !bench.machine.asks_beside());
    bench.step(Input::Opened);
    bench.step(page(20, None));
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(11), .. })));
    bench.step(Input::Opened);
    assert!(watches(&mut bench, 21));
}

#[test]
fn asking_twice_asks_once_unless_no_answer_comes() {
    let mut bench = asked();
    bench.step(Input::Kick);
    assert!(bench.out.is_empty());
    bench.pass(31);
    bench.step(Input::Kick);
    assert_eq!(bench.out.len(), 1);
}

#[test]
fn a_server_that_is_too_busy_or_fails_leaves_the_watch_alone() {
    for trouble in [refused(429), refused(500), Input::Failed(fault(Cause::Timeout)), Input::Ended] {
        let mut bench = asked();
        bench.step(beside(trouble));
        assert!(bench.out.is_empty() && !bench.machine.asks_beside());
        assert!(watches(&mut bench, 13));
        bench.step(Input::Kick);
        assert_eq!(bench.out.len(), 1, "it can be asked again");
    }
}

#[test]
fn what_was_taken_away_is_noticed() {
    for (status, state) in [(401, LinkState::Denied), (403, LinkState::Denied), (404, LinkState::Missing)] {
        let mut bench = asked();
        bench.step(beside(refused(status)));
        assert_eq!((bench.state(), &bench.out[0]), (state, &Output::Stop), "{status}");
        bench.step(beside(page(20, None)));
        assert!(bench.out.is_empty(), "what comes too late says nothing");
    }
}

#[test]
fn without_an_open_watch_nothing_is_waited_for() {
    let mut bench = asked();
    bench.step(Input::Down { fault: fault(Cause::Timeout), retry_at: None, tries: 1 });
    assert!(!bench.machine.asks_beside());
    bench.step(beside(page(2, None)));
    assert!(bench.out.is_empty());
}
