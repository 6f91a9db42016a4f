//! Failures, and what each leads to.

use super::*;

#[test]
fn a_watch_that_always_ends_at_once_is_asked_for_ever_more_seldom() {
    let mut bench = Bench::live();
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.step(Input::Ended);
        assert_eq!(bench.state(), LinkState::Broken);
        waits.push(bench.wait().millis());
        assert_eq!(bench.ask(), Some(Ask::Probe { of: None }));
        bench.step(Input::Opened);
        bench.step(page(10, None));
        bench.step(Input::Opened);
    }
    assert!(waits[0] < 1_300 && waits[7] >= 30_000, "{waits:?}");
}

#[test]
fn a_410_relists_wherever_it_comes_from() {
    type Place = (&'static str, fn() -> Bench, fn() -> Input);
    let places: [Place; 5] = [
        (
            "list",
            || {
                let mut b = Bench::new();
                b.step(Input::Up);
                b.step(Input::Admitted);
                b
            },
            || refused(410),
        ),
        (
            "continue",
            || {
                let mut b = Bench::new();
                b.step(Input::Up);
                b.step(Input::Admitted);
                b.step(Input::Opened);
                b.step(page(10, Some("x")));
                b
            },
            || refused(410),
        ),
        (
            "watch request",
            || {
                let mut b = Bench::new();
                b.list(10);
                b
            },
            || refused(410),
        ),
        ("event", Bench::live, || {
            Input::Event(Event::Error(Refusal { status: 410, retry_after: None, message: Text::EMPTY }))
        }),
        (
            "probe",
            || {
                let mut b = Bench::live();
                b.pass(75);
                b.step(Input::Timer);
                assert_eq!(b.ask(), Some(Ask::Probe { of: None }));
                b
            },
            || refused(410),
        ),
    ];
    for (place, prepare, gone) in places {
        let mut bench = prepare();
        bench.step(gone());
        assert!(bench.out.contains(&Output::Queue), "{place}: {:?}", bench.out);
        bench.step(Input::Admitted);
        bench.finish_list(30);
        assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(30), .. })), "{place}");
    }
}

#[test]
fn a_server_that_answers_every_watch_with_410_is_not_listed_all_the_time() {
    let mut bench = Bench::new();
    bench.list(10);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let before = bench.now;
        bench.step(refused(410));
        if !bench.out.contains(&Output::Queue) {
            bench.wait();
            assert!(bench.out.contains(&Output::Queue));
        }
        waits.push(before.age(bench.now).millis());
        bench.step(Input::Admitted);
        bench.finish_list(10);
    }
    assert!(waits[0] == 0 && waits[1] >= 800 && waits[8] >= 30_000, "{waits:?}");
}

#[test]
fn events_that_cannot_be_trusted_relist() {
    type Named = (&'static str, fn() -> Event);
    let events: [Named; 5] = [
        ("garbled", || Event::Garbled(fault(Cause::Garbled))),
        ("without a version", || Event::Upsert(Arc::new(record("a", 0)))),
        ("bookmark without a version", || Event::Bookmark(Version(0))),
        ("gone without a version", || Event::Gone(Uid::parse("a"), Version(0))),
        ("older than the last", || Event::Upsert(Arc::new(record("b", 9)))),
    ];
    for (what, event) in events {
        let mut bench = Bench::live();
        bench.step(Input::Event(event()));
        assert!(bench.out.contains(&Output::Stop) && bench.out.contains(&Output::Queue), "{what}");
        let passed_on = bench.told().iter().any(|c| !matches!(c, Change::KindLink(..)));
        assert!(!passed_on, "{what} was passed on: {:?}", bench.out);
        assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Garbled));
    }
    let mut bench = Bench::live();
    bench.step(upsert("b", 9));
    assert_eq!(bench.machine.older(), 1);
}

#[test]
fn other_error_events_back_off_compare_and_resume() {
    for status in [500, 504, 0] {
        let mut bench = Bench::live();
        bench.step(upsert("a", 11));
        let refusal = Refusal { status, retry_after: None, message: "boom".into() };
        bench.step(Input::Event(Event::Error(refusal)));
        assert_eq!(bench.state(), LinkState::Broken);
        assert!(bench.machine.link().retry_at.is_some());
        bench.wait();
        assert_eq!(bench.ask(), Some(Ask::Probe { of: None }), "{status}");
        bench.step(Input::Opened);
        bench.step(page(11, None));
        assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(11), .. })));
    }
}

#[test]
fn refusals_differ_by_cause() {
    let rows = [
        (401, LinkState::Denied, Cause::Unauthorized, 10..15),
        (403, LinkState::Denied, Cause::Forbidden, 10..15),
        (404, LinkState::Missing, Cause::NotFound, 300..450),
        (429, LinkState::Broken, Cause::Busy, 0..2),
        (500, LinkState::Broken, Cause::Server, 0..2),
        (503, LinkState::Broken, Cause::Server, 0..2),
        (302, LinkState::Broken, Cause::Proxy, 0..2),
        (407, LinkState::Broken, Cause::Proxy, 0..2),
    ];
    for (status, state, cause, wait) in rows {
        let mut bench = Bench::new();
        bench.step(Input::Up);
        bench.step(Input::Admitted);
        bench.step(refused(status));
        assert!(bench.out.contains(&Output::Release), "{status}: the turn is given back");
        assert_eq!(bench.state(), state, "{status}");
        let link = bench.machine.link().clone();
        assert_eq!((link.fault.map(|f| f.cause), link.tries), (Some(cause), 1), "{status}");
        assert_eq!(link.retry_at, bench.machine.wake());
        assert!(wait.contains(&bench.wait().seconds()), "{status}");
        assert!(bench.out.contains(&Output::Queue));
    }
}

#[test]
fn a_person_can_ask_again_at_once() {
    for status in [401, 403, 404, 500] {
        let mut bench = Bench::new();
        bench.step(Input::Up);
        bench.step(Input::Admitted);
        bench.step(refused(status));
        bench.step(Input::Kick);
        assert!(bench.out.contains(&Output::Queue), "{status}");
    }
}

#[test]
fn retry_after_is_honoured_and_bounded() {
    for (asked, range) in [(9, 9..14), (3600, 120..180)] {
        let mut bench = Bench::live();
        let retry_after = Some(Span::from_seconds(asked));
        bench.step(Input::Refused(Refusal { status: 429, retry_after, message: Text::EMPTY }));
        assert!(range.contains(&bench.wait().seconds()), "{asked}");
    }
}

#[test]
fn when_the_cluster_is_down_nothing_is_asked_and_it_says_so() {
    let mut bench = Bench::live();
    bench.pass(5);
    let retry_at = Some(bench.now + Span::from_seconds(2));
    bench.step(Input::Down { fault: fault(Cause::Timeout), retry_at, tries: 3 });
    assert_eq!(bench.out[0], Output::Stop);
    let link = bench.machine.link().clone();
    assert_eq!((link.state, link.retry_at, link.tries), (LinkState::Broken, retry_at, 3));
    assert_eq!(bench.machine.wake(), None);
    bench.step(Input::Kick);
    assert!(bench.out.is_empty());
    bench.step(Input::Up);
    assert_eq!(bench.ask(), Some(Ask::Probe { of: None }), "no relist, but versions are compared");
    bench.step(Input::Opened);
    bench.step(page(10, None));
    bench.step(Input::Opened);
    assert!(bench.machine.link().live());

    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Down { fault: fault(Cause::Login), retry_at: None, tries: 1 });
    assert!(bench.out.contains(&Output::Release));
    assert_eq!(bench.state(), LinkState::Denied);
    bench.step(Input::Admitted);
    assert_eq!(bench.out, [Output::Release], "a turn that comes too late is given back");
}

#[test]
fn other_refusals_of_a_watch_request_relist() {
    for status in [400, 422] {
        let mut bench = Bench::new();
        bench.list(10);
        bench.step(refused(status));
        assert!(bench.out.contains(&Output::Queue), "{status}");
    }
}

#[test]
fn when_the_connection_breaks_every_kind_is_as_old_as_its_last_sign_of_life() {
    let down = || Input::Down { fault: fault(Cause::Timeout), retry_at: None, tries: 1 };
    for (input, vouches) in [
        (down(), true),
        (Input::Failed(fault(Cause::Closed)), true),
        (Input::Failed(fault(Cause::Garbled)), false),
    ] {
        let mut bench = Bench::live();
        let own = bench.machine.link().heard;
        bench.pass(40);
        let other = bench.now - Span::from_seconds(3);
        bench.machine.vouch(Some(other));
        assert_eq!(bench.machine.link().age(bench.now), Some(Span::ZERO));
        bench.step(input.clone());
        assert!(!bench.machine.link().live());
        let expected = if vouches { Some(other) } else { own };
        assert_eq!(bench.machine.link().heard, expected, "{input:?}");
        // Broken already: what the connection says later makes what is shown no younger.
        bench.machine.vouch(Some(bench.now));
        bench.step(down());
        assert_eq!(bench.machine.link().heard, expected, "{input:?}");
    }
}

#[test]
fn events_that_stay_garbled_are_asked_for_in_json() {
    let mut bench = Bench::live();
    let garbled = || Input::Event(Event::Garbled(fault(Cause::Garbled)));
    bench.step(garbled());
    assert!(!bench.out.contains(&Output::JsonOnly), "once is a mishap");
    bench.step(Input::Admitted);
    bench.finish_list(20);
    bench.step(Input::Opened);
    bench.step(garbled());
    assert!(bench.out.contains(&Output::JsonOnly));
    bench.wait();
    bench.step(Input::Admitted);
    assert!(bench.out.iter().any(|o| matches!(o, Output::Ask { json: true, .. })));
}
