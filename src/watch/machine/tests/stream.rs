//! Open watches: events, silence, catching up.

use super::*;

#[test]
fn watch_timeouts_differ_from_watch_to_watch() {
    let timeouts: std::collections::BTreeSet<u32> = (0..200)
        .map(|seed| {
            let mut bench = Bench::new();
            bench.machine = Machine::new(Kind::Pod, seed, bench.now);
            bench.list(5);
            match bench.ask() {
                Some(Ask::Watch { timeout_seconds, .. }) => timeout_seconds,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(timeouts.len() > 30 && timeouts.iter().all(|t| (240..=290).contains(t)));
}

#[test]
fn a_normal_end_resumes_from_the_last_version_at_once() {
    let mut bench = Bench::live();
    bench.step(upsert("a", 11));
    bench.step(Input::Event(Event::Bookmark(Version(20))));
    assert_eq!(*bench.told()[0], Change::Bookmark(Kind::Namespace, Version(20)));
    bench.pass(289);
    bench.step(Input::Ended);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(20), .. })));
    assert!(bench.machine.link().live(), "nothing was missed");
}

#[test]
fn a_watch_that_ends_before_its_time_is_followed_by_a_comparison() {
    let mut bench = Bench::live();
    bench.step(upsert("a", 11));
    bench.pass(60);
    bench.step(Input::Ended);
    assert_eq!(bench.ask(), Some(Ask::Probe { of: None }), "whoever answers now may be another server");
    bench.step(Input::Opened);
    bench.step(page(10, None));
    assert_eq!(bench.state(), LinkState::Broken, "it may have been restored while nobody looked");
}

#[test]
fn events_are_passed_on_and_duplicates_do_no_harm() {
    let mut bench = Bench::live();
    bench.step(upsert("a", 11));
    assert!(matches!(bench.told()[0], Change::Upsert(r) if r.meta().version == Version(11)));
    bench.step(upsert("a", 11));
    assert!(matches!(bench.told()[0], Change::Upsert(_)));
    bench.step(Input::Event(Event::Gone(Uid::parse("a"), Version(12))));
    assert_eq!(*bench.told()[0], Change::Gone(Kind::Namespace, Uid::parse("a"), Version(12)));
    bench.pass(289);
    bench.step(Input::Ended);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(12), .. })));
}

#[test]
fn a_minute_of_healthy_stream_forgives() {
    let wait_after = |healthy: i64| {
        let mut bench = Bench::live();
        let mut last = Span::ZERO;
        for _ in 0..6 {
            bench.pass(healthy);
            bench.step(upsert("a", 10));
            bench.step(Input::Failed(fault(Cause::Closed)));
            last = bench.wait();
            bench.step(Input::Opened);
            bench.step(page(10, None));
            bench.step(Input::Opened);
        }
        last.millis()
    };
    assert!(wait_after(1) >= 25_600);
    assert!(wait_after(60) < 1_300);
}

#[test]
fn silence_is_broken_by_comparing_versions() {
    let mut bench = Bench::live();
    bench.pass(74);
    bench.step(Input::Timer);
    assert!(bench.out.is_empty());
    bench.step(Input::Event(Event::Bookmark(Version(15))));
    bench.pass(74);
    bench.step(Input::Timer);
    assert!(bench.out.is_empty(), "a bookmark is a sign of life");
    bench.pass(1);
    bench.step(Input::Timer);
    assert_eq!((&bench.out[0], bench.ask()), (&Output::Stop, Some(Ask::Probe { of: None })));
    bench.step(Input::Opened);
    bench.step(page(15, None));
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(15), .. })));
}

#[test]
fn two_silent_streams_in_a_row_relist_if_the_server_moved_on() {
    for (version, relists) in [(10, false), (11, true)] {
        let mut bench = Bench::live();
        for _ in 0..2 {
            bench.wait();
            if bench.ask() == Some(Ask::Probe { of: None }) {
                bench.step(Input::Opened);
                bench.step(page(version, None));
                bench.step(Input::Opened);
                bench.wait();
                assert!(bench.machine.link().live());
            }
        }
        assert_eq!(bench.out.contains(&Output::Queue), relists, "{version}");
        if relists {
            // It may be long until it is its turn to be listed.
            assert!(bench.wait() <= UNWATCHED);
            assert_eq!((bench.state(), bench.machine.wake()), (LinkState::Broken, None));
        }
    }
}

#[test]
fn a_list_that_does_not_begin_is_no_longer_live() {
    let mut bench = Bench::live();
    bench.wait();
    bench.step(Input::Opened);
    bench.step(page(11, None));
    bench.step(Input::Opened);
    bench.wait();
    bench.wait();
    assert!(bench.out.contains(&Output::Queue), "{:?}", bench.out);
    bench.step(Input::Admitted);
    assert!(bench.machine.link().live());
    assert!(bench.wait() <= UNWATCHED);
    assert_eq!(bench.state(), LinkState::Broken, "it was asked for and does not come");
    bench.step(Input::Opened);
    assert_eq!(bench.state(), LinkState::Listing { got: 0, of: None });
}

/// A machine whose watch broke, and is open again behind a server that moved on.
fn resumed() -> Bench {
    let mut bench = Bench::live();
    bench.pass(60);
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.pass(30);
    bench.step(Input::Timer);
    bench.step(Input::Opened);
    bench.step(page(20, None));
    bench.step(Input::Opened);
    assert_eq!(bench.state(), LinkState::Broken);
    bench
}

#[test]
fn what_was_missed_is_not_through_while_parts_of_an_event_come() {
    let mut bench = resumed();
    for _ in 0..24 {
        bench.pass(1);
        bench.step(Input::Progress);
        bench.step(Input::Timer);
        assert_eq!(bench.state(), LinkState::Broken, "a large event on a slow line");
    }
    bench.step(upsert("a", 12));
    assert_eq!(bench.state(), LinkState::Broken, "more may follow");
    assert_eq!(bench.wait(), Span::from_seconds(1));
    assert!(bench.machine.link().live());
}

#[test]
fn what_was_live_is_not_while_what_was_missed_comes_in_for_too_long() {
    let mut bench = Bench::live();
    bench.pass(60);
    bench.step(Input::Ended);
    bench.step(Input::Opened);
    bench.step(page(20, None));
    bench.step(Input::Opened);
    assert!(bench.machine.link().live());
    for second in 1..=20 {
        bench.pass(1);
        bench.step(Input::Progress);
        bench.step(Input::Timer);
        assert_eq!(bench.machine.link().live(), second < 12, "{second}");
    }
    bench.wait();
    assert!(bench.machine.link().live());
}

#[test]
fn a_lull_behind_a_comparison_tells_audits_how_far_it_has_come() {
    let mut bench = resumed();
    bench.wait();
    let reached = Change::Audit(Kind::Namespace, crate::model::Audit::Reached(Version(20)));
    assert!(bench.told().contains(&&reached), "{:?}", bench.out);
}

#[test]
fn an_object_that_cannot_be_read_costs_itself_only() {
    let mut bench = Bench::live();
    let lost = |uid: &str, version| {
        let (uid, version) =
            (if uid.is_empty() { Uid::default() } else { Uid::parse(uid) }, Version(version));
        Input::Event(Event::Unreadable { uid, version, fault: fault(Cause::Garbled) })
    };
    let count = |n| Change::Unreadable(Kind::Namespace, n);
    bench.step(lost("a", 11));
    let gone = Change::Gone(Kind::Namespace, Uid::parse("a"), Version(11));
    assert_eq!(bench.told(), [&count(1), &gone], "what is shown of it is no longer so");
    bench.step(lost("a", 12));
    assert_eq!(bench.told().len(), 1, "the same object counts once");
    bench.step(lost("", 13));
    assert_eq!(bench.told(), [&count(2), &Change::Bookmark(Kind::Namespace, Version(13))]);
    assert!(bench.machine.link().live() && bench.ask().is_none());
    bench.step(upsert("a", 14));
    assert_eq!(*bench.told()[0], count(1), "it can be read again");
    // What cannot be read is counted anew with the next list.
    bench.step(refused(410));
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    assert_eq!(*bench.told()[0], count(0));
    bench.step(lost("a", 1));
    assert!(bench.out.is_empty());
}

#[test]
fn who_ends_a_watch_before_its_time_may_be_followed_by_another() {
    for (seconds, doubt) in [(3, true), (60, true), (289, false)] {
        let mut bench = Bench::live();
        bench.pass(seconds);
        bench.step(Input::Ended);
        assert_eq!(bench.out.contains(&Output::Doubt), doubt, "{seconds}");
    }
}

#[test]
fn a_wall_clock_that_is_set_back_makes_nothing_younger() {
    let mut bench = Bench::live();
    bench.machine.vouch(Some(bench.now + Span::from_seconds(3600)));
    bench.machine.vouch(Some(bench.now));
    bench.step(Input::Failed(fault(Cause::Closed)));
    assert_eq!(bench.machine.link().heard, Some(bench.now));
}

/// A machine that saw version 500 and finds the server at 499.
fn behind() -> Bench {
    let mut bench = Bench::live();
    bench.step(Input::Event(Event::Bookmark(Version(500))));
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.wait();
    bench.step(Input::Opened);
    bench.step(page(499, None));
    bench
}

/// The next look at the server, which is at this version.
fn look(bench: &mut Bench, version: u64) -> Span {
    let waited = bench.wait();
    assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
    bench.step(Input::Opened);
    bench.step(page(version, None));
    waited
}

#[test]
fn a_replica_that_lags_is_waited_for() {
    let mut bench = behind();
    assert!(!bench.out.contains(&Output::Replaced), "what is shown stays");
    assert_eq!(bench.state(), LinkState::Broken, "and is marked");
    assert_eq!(look(&mut bench, 499), Span::from_seconds(1));
    assert_eq!(look(&mut bench, 500), Span::from_seconds(2));
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(500), .. })), "nothing is listed again");
    // Once it was not behind, it may lag as often again.
    bench.step(Input::Failed(fault(Cause::Closed)));
    for _ in 0..3 {
        look(&mut bench, 499);
        assert!(!bench.out.contains(&Output::Replaced));
    }
}

#[test]
fn a_server_that_stays_behind_us_is_another_one() {
    let mut bench = behind();
    let waits: Vec<i64> = (0..3).map(|_| look(&mut bench, 499).seconds()).collect();
    assert_eq!(waits, [1, 2, 4]);
    assert!(bench.out.contains(&Output::Replaced));
    assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Replaced));

    // The same is seen by a relist.
    let mut bench = Bench::live();
    bench.step(Input::Event(Event::Bookmark(Version(500))));
    bench.step(refused(410));
    for again in [true, true, true, false] {
        bench.step(Input::Admitted);
        bench.finish_list(499);
        assert_eq!(bench.out.contains(&Output::Replaced), !again);
        assert!(!bench.told().iter().any(|c| matches!(c, Change::Synced(..))));
        if again {
            bench.wait();
            assert_eq!(bench.out[0], Output::Queue);
        }
    }
}

#[test]
fn looks_before_an_outage_do_not_count_after_it() {
    let mut bench = behind();
    look(&mut bench, 499);
    look(&mut bench, 499);
    bench.step(Input::Down { fault: fault(Cause::Timeout), retry_at: None, tries: 1 });
    bench.pass(31);
    bench.step(Input::Up);
    bench.step(Input::Opened);
    bench.step(page(499, None));
    assert!(!bench.out.contains(&Output::Replaced));
}

#[test]
fn a_stream_that_never_pauses_has_caught_up_when_it_passes_the_servers_version() {
    let mut bench = Bench::live();
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.pass(60);
    bench.step(Input::Timer);
    bench.step(Input::Opened);
    bench.step(page(20, None));
    bench.step(Input::Opened);
    for version in 11..20 {
        bench.step(upsert("a", version));
        assert!(!bench.machine.link().live());
    }
    bench.step(upsert("a", 20));
    assert!(bench.machine.link().live());
}

#[test]
fn signs_of_life_of_a_live_watch_are_noted_and_not_told() {
    let mut bench = Bench::live();
    for version in 11..111 {
        bench.now = bench.now + Span::from_millis(100);
        bench.step(upsert("a", version));
        assert!(!bench.told().iter().any(|c| matches!(c, Change::KindLink(..))));
    }
    assert_eq!(bench.machine.link().heard, Some(bench.now));
    bench.step(Input::Failed(fault(Cause::Closed)));
    let told = bench.told().into_iter().find_map(|c| match c {
        Change::KindLink(_, link) => link.heard,
        _ => None,
    });
    assert_eq!(told, Some(bench.now), "with the next thing that is news");
}

#[test]
fn without_an_open_watch_nothing_stays_live_for_long() {
    // The server makes the comparison wait, or the next watch.
    for (first, then) in [(12, 18), (10, 20)] {
        let mut bench = Bench::live();
        let heard = bench.machine.link().heard;
        bench.pass(75);
        bench.step(Input::Timer);
        assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
        if first == 10 {
            bench.pass(2);
            bench.step(Input::Opened);
            bench.step(page(10, None));
            assert!(matches!(bench.ask(), Some(Ask::Watch { .. })));
        }
        assert!(bench.machine.link().live());
        assert_eq!(bench.wait(), Span::from_seconds(first));
        assert_eq!(bench.state(), LinkState::Broken);
        assert_eq!(bench.machine.link().heard, heard, "nothing is younger for it");
        assert!(!bench.out.contains(&Output::Stop), "the request is waited for");
        assert_eq!(bench.wait(), Span::from_seconds(then));
        assert!(bench.out.contains(&Output::Stop));
    }
    let mut bench = Bench::live();
    bench.pass(289);
    bench.step(Input::Ended);
    bench.wait();
    assert_eq!(bench.state(), LinkState::Broken);
    bench.step(Input::Opened);
    bench.wait();
    assert!(bench.machine.link().live(), "it came after all");
}

#[test]
fn a_watch_that_is_ended_early_says_nothing_of_what_it_did_not_bring() {
    let mut bench = Bench::live();
    let heard = bench.machine.link().heard;
    bench.pass(60);
    bench.step(Input::Ended);
    assert_eq!(bench.machine.link().heard, heard, "it may have been too slow for the server");
    // While no watch is open, the connection vouches for nothing.
    bench.pass(5);
    bench.machine.vouch(Some(bench.now));
    bench.step(Input::Failed(fault(Cause::Closed)));
    assert_eq!(bench.machine.link().heard, heard);
}

#[test]
fn a_comparison_is_as_of_when_it_was_asked_for() {
    let mut bench = Bench::live();
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.wait();
    assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
    let asked = bench.now;
    bench.step(Input::Opened);
    // The answer is on its way for long: what happened meanwhile is not in it.
    bench.pass(25);
    bench.step(page(10, None));
    assert_eq!(bench.machine.link().heard, Some(asked));
    bench.step(Input::Opened);
    assert_eq!(bench.state(), LinkState::Broken);
    bench.wait();
    assert!(bench.machine.link().live());
}
