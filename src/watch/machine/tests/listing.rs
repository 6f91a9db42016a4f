//! Lists: pages, formats, what is shown meanwhile.

use super::*;

#[test]
fn a_list_comes_in_pages_and_then_a_watch_opens_from_its_version() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    assert_eq!(bench.out[0], Output::Queue);
    assert_eq!(bench.state(), LinkState::Waiting);
    bench.step(Input::Admitted);
    assert_eq!(bench.state(), LinkState::Connecting);
    assert_eq!(bench.ask(), Some(Ask::List { token: None }));
    bench.step(Input::Opened);
    assert_eq!(*bench.told()[0], Change::Begin(Kind::Namespace));
    bench.step(Input::Records(vec![record("a", 3), record("b", 4)]));
    bench.step(page(10, Some("next")));
    assert_eq!(bench.state(), LinkState::Listing { got: 2, of: Some(9) });
    assert_eq!(bench.ask(), Some(Ask::List { token: Some("next".to_owned()) }));
    bench.step(Input::Opened);
    assert!(bench.told().is_empty(), "a list begins once");
    bench.step(Input::Records(vec![record("c", 5)]));
    // An inconsistent page is newer than the first; the watch starts from the oldest.
    bench.step(page(12, None));
    assert_eq!(bench.out[0], Output::Release);
    assert_eq!(*bench.told()[0], Change::Synced(Kind::Namespace, Version(10)));
    let Some(Ask::Watch { from, timeout_seconds }) = bench.ask() else { panic!("no watch") };
    assert_eq!(from, Version(10));
    assert!((240..=290).contains(&timeout_seconds));
    bench.step(Input::Opened);
    assert_eq!(bench.state(), LinkState::Live);
    assert_eq!(bench.machine.link().heard, Some(bench.now));
}

#[test]
fn lists_that_fail_back_off_until_one_is_complete() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.step(Input::Admitted);
        // The answer begins well every time: that must not reset anything.
        bench.step(Input::Opened);
        bench.step(Input::Records(vec![record("a", 1)]));
        bench.step(Input::Failed(fault(Cause::Closed)));
        waits.push(bench.wait().millis());
    }
    assert!(waits.windows(2).all(|w| w[1] > w[0] || w[1] >= 30_000), "{waits:?}");
    assert_eq!(bench.machine.link().tries, 8);
    bench.step(Input::Admitted);
    bench.finish_list(10);
    bench.step(Input::Opened);
    assert_eq!((bench.machine.link().tries, bench.machine.link().fault.clone()), (0, None));
}

#[test]
fn json_is_asked_for_when_protobuf_is_refused() {
    for status in [406, 415] {
        let mut bench = Bench::new();
        bench.step(Input::Up);
        bench.step(Input::Admitted);
        bench.step(refused(status));
        assert!(bench.out.contains(&Output::JsonOnly) && bench.out.contains(&Output::Queue));
        bench.step(Input::Admitted);
        assert!(bench.out.contains(&Output::Ask { ask: Ask::List { token: None }, json: true }));
        bench.step(refused(status));
        assert!(bench.machine.link().retry_at.is_some(), "only once without a pause");
    }
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Unacceptable(fault(Cause::Garbled)));
    assert!(bench.out.contains(&Output::JsonOnly));
    bench.step(Input::Admitted);
    bench.step(Input::Unacceptable(fault(Cause::Garbled)));
    assert!(!bench.out.contains(&Output::JsonOnly) && bench.machine.link().retry_at.is_some());
}

#[test]
fn what_is_shown_does_not_grow_younger_while_it_is_listed_anew() {
    let mut bench = Bench::live();
    let current = bench.now;
    bench.step(refused(410));
    bench.step(Input::Admitted);
    bench.pass(9);
    bench.step(Input::Opened);
    bench.pass(9);
    bench.step(Input::Records(vec![record("a", 20)]));
    assert_eq!(bench.machine.link().heard, Some(current));
    assert!(bench.machine.link().stale(bench.now));
    bench.step(page(20, None));
    assert!(bench.machine.link().stale(bench.now), "the list is as of when it was asked for");
    bench.step(Input::Opened);
    assert!(bench.machine.link().stale(bench.now), "what happened since may still come");
    bench.step(upsert("a", 21));
    assert!(bench.machine.link().stale(bench.now));
    assert_eq!(bench.wait(), Span::from_seconds(1));
    assert!(bench.machine.link().live());
}

#[test]
fn what_an_earlier_machine_left_on_screen_keeps_its_age() {
    let mut bench = Bench::new();
    let known = bench.now;
    bench.pass(10);
    bench.machine = Machine::new(Kind::Namespace, 1, bench.now).after(Some(known), Version(0));
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    bench.step(Input::Records(vec![record("a", 3)]));
    assert_eq!(bench.machine.link().heard, Some(known));
    bench.pass(6);
    assert!(bench.machine.link().stale(bench.now));
}

#[test]
fn requests_that_hang_are_given_up() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    for _ in 0..9 {
        bench.pass(29);
        bench.step(Input::Progress);
        bench.step(Input::Timer);
        assert!(bench.out.is_empty(), "bytes are progress");
    }
    assert!(bench.wait().seconds() < 40, "but not for ever");
    assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Timeout));
    assert!(bench.out.contains(&Output::Stop) && bench.out.contains(&Output::Release));
}

#[test]
fn pages_that_lead_in_a_circle_are_not_followed() {
    for circle in [&["same", "same"][..], &["a", "b", "c", "b"]] {
        let mut bench = Bench::new();
        bench.step(Input::Up);
        bench.step(Input::Admitted);
        for (nth, token) in circle.iter().enumerate() {
            assert!(bench.ask().is_some(), "{circle:?} {nth}");
            bench.step(Input::Opened);
            bench.step(page(10, Some(token)));
        }
        assert_eq!(bench.ask(), None, "{circle:?}");
        assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Garbled));
    }
}

#[test]
fn a_list_of_more_pages_than_any_has_is_given_up() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    let mut pages = 0;
    while bench.ask().is_some() && pages < 3_000 {
        pages += 1;
        bench.step(page(10, Some(&pages.to_string())));
    }
    assert_eq!(pages, 2_000);
}

#[test]
fn a_list_that_fails_half_way_is_void() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    assert!(!bench.machine.lists_fail());
    bench.step(Input::Opened);
    bench.step(Input::Records(vec![record("a", 1)]));
    bench.step(Input::Failed(fault(Cause::Closed)));
    assert!(bench.told().contains(&&Change::Void(Kind::Namespace)), "{:?}", bench.out);
    assert!(bench.machine.lists_fail(), "others come first from now on");
    bench.wait();
    bench.step(Input::Admitted);
    bench.finish_list(10);
    assert!(!bench.machine.lists_fail());
}

#[test]
fn what_earlier_machines_saw_tells_that_a_server_was_restored() {
    let mut bench = Bench::new();
    bench.machine = Machine::new(Kind::Namespace, 1, bench.now).after(Some(bench.now), Version(990));
    bench.step(Input::Up);
    for again in [true, true, true, false] {
        bench.step(Input::Admitted);
        bench.finish_list(50);
        assert!(!bench.told().iter().any(|c| matches!(c, Change::Synced(..))), "what is shown is newer");
        assert_eq!(bench.out.contains(&Output::Replaced), !again);
        if again {
            bench.wait();
        }
    }
}

#[test]
fn a_list_without_a_version_is_not_believed() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    bench.step(Input::PageEnd(PageEnd::default()));
    assert!(!bench.told().iter().any(|c| matches!(c, Change::Synced(..))));
    assert_eq!(bench.state(), LinkState::Broken);
}
