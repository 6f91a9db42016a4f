//! Lists that come as the beginning of a watch.

use super::*;

/// A machine whose streaming list was asked for.
fn asked() -> Bench {
    let mut bench = Bench::new();
    bench.machine = Machine::new(Kind::Namespace, 1, bench.now).streaming(true);
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    assert!(matches!(bench.ask(), Some(Ask::Stream { .. })));
    bench
}

#[test]
fn behind_the_list_a_plain_watch_is_opened() {
    let mut bench = asked();
    bench.step(Input::Opened);
    assert_eq!(*bench.told()[0], Change::Begin(Kind::Namespace));
    bench.step(Input::Records(vec![record("a", 5)]));
    bench.step(Input::Event(Event::Bookmark(Version(3))));
    assert!(bench.told().is_empty(), "a bookmark before the end says nothing");
    bench.step(page(10, None));
    assert_eq!(bench.out[0], Output::Release);
    assert!(bench.told().contains(&&Change::Synced(Kind::Namespace, Version(10))));
    assert!(bench.out.contains(&Output::Stop), "what inflates the list is not kept for hours");
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(10), .. })));
    bench.step(Input::Opened);
    assert!(bench.machine.link().live());
    bench.step(upsert("b", 11));
    assert!(matches!(bench.told()[0], Change::Upsert(_)));
    bench.pass(289);
    bench.step(Input::Ended);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(11), .. })));
}

#[test]
fn what_is_not_compressed_or_not_offered_comes_in_pages_in_the_same_turn() {
    for input in [Input::Uncompressed, refused(400), refused(422)] {
        let mut bench = asked();
        bench.step(input.clone());
        assert_eq!(
            (bench.ask(), &bench.out[0]),
            (Some(Ask::List { token: None }), &Output::Stop),
            "{input:?}"
        );
        bench.finish_list_asked(7);
        assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(7), .. })));
        // And so it stays.
        bench.step(refused(410));
        bench.step(Input::Admitted);
        assert_eq!(bench.ask(), Some(Ask::List { token: None }));
    }
}

#[test]
fn a_stream_that_breaks_is_followed_by_pages() {
    let breaks: [fn(&mut Bench); 4] = [
        |bench| bench.step(Input::Ended),
        |bench| bench.step(Input::Failed(fault(Cause::Closed))),
        |bench| bench.step(Input::Event(Event::Garbled(fault(Cause::Garbled)))),
        |bench| bench.step(Input::Event(Event::Gone(Uid::parse("a"), Version(9)))),
    ];
    for breaks in breaks {
        let mut bench = asked();
        bench.step(Input::Opened);
        bench.step(Input::Records(vec![record("a", 5)]));
        breaks(&mut bench);
        assert_eq!(bench.state(), LinkState::Broken);
        bench.wait();
        bench.step(Input::Admitted);
        assert_eq!(bench.ask(), Some(Ask::List { token: None }));
    }
}

#[test]
fn an_initial_list_that_never_ends_is_given_up() {
    let mut bench = asked();
    bench.step(Input::Opened);
    assert_eq!(bench.wait(), PATIENCE, "when nothing comes");
    assert_eq!(bench.ask(), Some(Ask::List { token: None }), "in the same turn");
    assert!(!bench.out.contains(&Output::Release));

    let mut bench = asked();
    bench.step(Input::Opened);
    let mut seconds = 0;
    while bench.ask() != Some(Ask::List { token: None }) {
        bench.pass(10);
        seconds += 10;
        bench.step(Input::Records(vec![record("a", 5)]));
        bench.step(Input::Timer);
        assert!(seconds <= 320, "when more and more comes");
    }
}
