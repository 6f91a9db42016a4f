//! Restores that the server has caught up with.

use super::*;

fn named(uid: &str, version: u64) -> Record {
    let meta = Meta { uid: Uid::parse(uid), name: uid.into(), version: Version(version), ..Meta::default() };
    Record::Namespace(Namespace { meta, ..Namespace::default() })
}

fn changed(uid: &str, version: u64) -> Input {
    Input::Event(Event::Upsert(Arc::new(named(uid, version))))
}

/// A live machine that saw `b` last, and whose connection was lost and came back.
fn probing() -> Bench {
    let mut bench = Bench::live();
    bench.step(changed("a", 11));
    bench.step(changed("b", 12));
    bench.step(Input::Event(Event::Bookmark(Version(13))));
    bench.step(Input::Down { fault: fault(Cause::Timeout), retry_at: None, tries: 0 });
    bench.step(Input::Up);
    assert_eq!(bench.ask(), Some(Ask::Probe { of: Some(("".into(), "b".into())) }));
    bench.step(Input::Opened);
    bench
}

/// The server, at version 20, has this of the witness.
fn answered(records: Vec<Record>) -> Bench {
    let mut bench = probing();
    bench.step(Input::Records(records));
    bench.step(page(20, None));
    bench
}

fn watched(bench: &Bench) -> bool {
    matches!(bench.ask(), Some(Ask::Watch { from: Version(13), .. }))
}

#[test]
fn what_the_server_has_as_it_was_seen_or_newer_is_watched_on() {
    for version in [12, 19] {
        assert!(watched(&answered(vec![named("b", version)])), "{version}");
    }
}

#[test]
fn a_server_that_has_the_newest_object_at_an_older_version_was_restored() {
    let bench = answered(vec![named("b", 9)]);
    assert!(bench.out.contains(&Output::Replaced), "{:?}", bench.out);
    let fault = bench.machine.link().fault.as_ref();
    assert_eq!(fault.map(|f| f.cause), Some(Cause::Replaced));
}

#[test]
fn what_is_not_there_any_more_must_be_said_to_have_gone() {
    // Another one has its name: it was made anew.
    for there in [vec![], vec![named("b2", 18)]] {
        let mut bench = answered(there);
        assert!(watched(&bench));
        bench.step(Input::Opened);
        bench.step(Input::Event(Event::Gone(Uid::parse("b"), Version(15))));
        bench.step(changed("b2", 20));
        assert!(bench.machine.link().live() && !bench.out.contains(&Output::Replaced));
    }
}

#[test]
fn what_went_though_everything_was_said_and_it_was_not_shows_a_restore() {
    let mut bench = answered(vec![]);
    bench.step(Input::Opened);
    bench.step(changed("c", 19));
    assert!(!bench.out.contains(&Output::Replaced), "more may come");
    bench.step(Input::Event(Event::Bookmark(Version(20))));
    assert!(bench.out.contains(&Output::Replaced), "{:?}", bench.out);
}

#[test]
fn where_nothing_is_said_of_what_is_not_there_a_list_tells() {
    let mut bench = answered(vec![]);
    bench.step(Input::Opened);
    bench.wait();
    assert!(bench.out.contains(&Output::Queue), "{:?}", bench.out);
    assert_eq!(bench.state(), LinkState::Broken);
}

#[test]
fn a_list_has_its_own_newest_object() {
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    bench.step(Input::Records(vec![named("a", 3), named("b", 9), named("c", 4)]));
    bench.step(page(10, Some("more")));
    bench.step(Input::Opened);
    bench.step(Input::Records(vec![named("d", 7)]));
    bench.step(page(10, None));
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.wait();
    assert_eq!(bench.ask(), Some(Ask::Probe { of: Some(("".into(), "b".into())) }));
}

#[test]
fn what_went_or_has_no_plain_name_bears_no_witness() {
    let gone = Input::Event(Event::Gone(Uid::parse("b"), Version(13)));
    for last in [gone, changed("b,metadata.name=c", 13)] {
        let mut bench = Bench::live();
        bench.step(changed("b", 12));
        bench.step(last);
        bench.step(Input::Failed(fault(Cause::Closed)));
        bench.wait();
        assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
    }
}

#[test]
fn where_one_object_cannot_be_asked_for_a_list_tells() {
    let mut bench = probing();
    bench.step(refused(400));
    assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
    bench.step(Input::Opened);
    bench.step(page(20, None));
    assert!(bench.out.contains(&Output::Queue), "{:?}", bench.out);
}
