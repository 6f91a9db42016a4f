//! What a person asks for while a watch is open.

use super::witness::{changed, named};
use super::*;

/// A live machine that saw `b` last, at version 12, and is asked by a person.
fn asked() -> Bench {
    let mut bench = Bench::live();
    bench.step(changed("a", 11));
    bench.step(changed("b", 12));
    bench.step(Input::Kick);
    let ask = Ask::Probe { of: Some(("".into(), "b".into())) };
    assert_eq!(bench.out, [Output::AskBeside { ask, json: false }], "the watch goes on");
    bench
}

fn beside(input: Input) -> Input {
    Input::Beside(Box::new(input))
}

/// The server, at this version, has this of the witness.
fn answer(bench: &mut Bench, records: Vec<Record>, version: u64) {
    bench.step(beside(Input::Opened));
    bench.step(beside(Input::Records(records)));
    bench.step(beside(page(version, None)));
}

/// Whether the watch is open still and what comes over it counts.
fn watches(bench: &mut Bench, version: u64) -> bool {
    bench.step(changed("z", version));
    bench.machine.link().live() && matches!(bench.told()[0], Change::Upsert(_))
}

#[test]
fn after_an_answer_as_it_should_be_the_watch_is_opened_anew() {
    let mut bench = asked();
    answer(&mut bench, vec![named("b", 12)], 20);
    assert_eq!(bench.out[0], Output::Stop);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(12), .. })));
    assert!(bench.machine.link().live() && !bench.machine.asks_beside());
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
        if status != 401 {
            let ask = Ask::Probe { of: None };
            assert_eq!(
                bench.out,
                [Output::AskBeside { ask, json: false }],
                "one object may be refused alone"
            );
            bench.step(beside(refused(status)));
        }
        assert_eq!((bench.state(), &bench.out[0]), (state, &Output::Stop), "{status}");
        bench.step(beside(page(20, None)));
        assert!(bench.out.is_empty(), "what comes too late says nothing");
    }
}

#[test]
fn a_server_that_was_restored_is_noticed() {
    let mut bench = asked();
    answer(&mut bench, vec![named("b", 9)], 20);
    assert!(bench.out.contains(&Output::Replaced));
    let mut bench = asked();
    answer(&mut bench, vec![], 11);
    assert_eq!((bench.state(), &bench.out[0]), (LinkState::Broken, &Output::Stop), "it is behind");
    let mut bench = asked();
    answer(&mut bench, vec![], 20);
    bench.step(Input::Opened);
    assert!(watches(&mut bench, 19), "that it went may be said still");
    bench.step(Input::Event(Event::Bookmark(Version(20))));
    assert!(bench.out.contains(&Output::Replaced));
}

#[test]
fn what_happens_meanwhile_does_not_count_against_the_server() {
    let mut bench = asked();
    bench.step(changed("c", 30));
    answer(&mut bench, vec![named("b", 12)], 20);
    bench.step(Input::Opened);
    assert!(watches(&mut bench, 31), "it was at 20 when it was asked");
    for said_before in [true, false] {
        let mut bench = asked();
        let gone = Input::Event(Event::Gone(Uid::parse("b"), Version(13)));
        if said_before {
            bench.step(gone);
            answer(&mut bench, vec![], 14);
            bench.step(Input::Opened);
        } else {
            answer(&mut bench, vec![], 14);
            bench.step(Input::Opened);
            bench.step(gone);
        }
        bench.step(Input::Event(Event::Bookmark(Version(15))));
        assert!(bench.machine.link().live() && !bench.out.contains(&Output::Replaced));
    }
}

#[test]
fn without_an_open_watch_nothing_is_waited_for() {
    let mut bench = asked();
    bench.step(Input::Down { fault: fault(Cause::Timeout), retry_at: None, tries: 1 });
    assert!(!bench.machine.asks_beside());
    answer(&mut bench, vec![named("b", 1)], 2);
    assert!(bench.out.is_empty());
}
