//! One test for each rule of the machine.

use super::*;
use crate::model::{Cause, Meta, Namespace, Record, Text, Uid};

/// A machine and a clock, and what came out last.
struct Bench {
    machine: Machine,
    now: Time,
    out: Vec<Output>,
}

fn fault(cause: Cause) -> Fault {
    Fault::new(cause, "test", "")
}

fn record(uid: &str, version: u64) -> Record {
    let meta = Meta { uid: Uid::parse(uid), version: Version(version), ..Meta::default() };
    Record::Namespace(Namespace { meta, ..Namespace::default() })
}

fn upsert(uid: &str, version: u64) -> Input {
    Input::Event(Event::Upsert(Box::new(record(uid, version))))
}

fn refused(status: u16) -> Input {
    Input::Refused(Refusal { status, retry_after: None, message: Text::EMPTY })
}

fn page(version: u64, token: Option<&str>) -> Input {
    Input::PageEnd(PageEnd {
        version: Some(Version(version)),
        token: token.map(str::to_owned),
        remaining: token.map(|_| 7),
    })
}

impl Bench {
    fn new() -> Bench {
        let now = Time::from_seconds(1_000_000);
        Bench { machine: Machine::new(Kind::Namespace, 1, now), now, out: Vec::new() }
    }

    /// A machine with an open watch from version 10.
    fn live() -> Bench {
        let mut bench = Bench::new();
        bench.list(10);
        assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(10), .. })));
        bench.step(Input::Opened);
        assert!(bench.machine.link().live());
        // What happened since the list is through.
        bench.wait();
        assert_eq!(bench.machine.link().heard, Some(bench.now));
        bench
    }

    /// Everything up to a complete list at this version.
    fn list(&mut self, version: u64) {
        self.step(Input::Up);
        assert_eq!(self.out[0], Output::Queue);
        self.step(Input::Admitted);
        self.finish_list(version);
    }

    fn finish_list(&mut self, version: u64) {
        assert_eq!(self.ask(), Some(Ask::List { token: None }));
        self.step(Input::Opened);
        self.step(Input::Records(vec![record("a", version)]));
        self.step(page(version, None));
    }

    fn step(&mut self, input: Input) {
        self.out.clear();
        self.machine.step(self.now, input, &mut self.out);
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now + Span::from_seconds(seconds);
    }

    /// Lets time pass until the machine wants to be woken, and says how long that was.
    fn wait(&mut self) -> Span {
        let wake = self.machine.wake().expect("it waits for something");
        let waited = self.now.age(wake);
        self.now = wake;
        self.step(Input::Timer);
        waited
    }

    fn ask(&self) -> Option<Ask> {
        self.out.iter().find_map(|o| match o {
            Output::Ask { ask, .. } => Some(ask.clone()),
            _ => None,
        })
    }

    fn told(&self) -> Vec<&Change> {
        self.out
            .iter()
            .filter_map(|o| match o {
                Output::Tell(change) => Some(change),
                _ => None,
            })
            .collect()
    }

    fn state(&self) -> LinkState {
        self.machine.link().state
    }
}

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
    bench.pass(250);
    bench.step(Input::Ended);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(20), .. })));
    assert!(bench.machine.link().live(), "nothing was missed");
}

#[test]
fn a_watch_that_always_ends_at_once_is_asked_for_ever_more_seldom() {
    let mut bench = Bench::live();
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.step(Input::Ended);
        assert_eq!(bench.state(), LinkState::Broken);
        waits.push(bench.wait().millis());
        assert_eq!(bench.ask(), Some(Ask::Probe));
        bench.step(Input::Opened);
        bench.step(page(10, None));
        bench.step(Input::Opened);
    }
    assert!(waits[0] < 1_300 && waits[7] >= 30_000, "{waits:?}");
}

#[test]
fn a_410_relists_wherever_it_comes_from() {
    type Place = fn() -> Bench;
    let places: [(&str, Place, fn() -> Input); 5] = [
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
                assert_eq!(b.ask(), Some(Ask::Probe));
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
    let events: [(&str, fn() -> Event); 5] = [
        ("garbled", || Event::Garbled(fault(Cause::Garbled))),
        ("without a version", || Event::Upsert(Box::new(record("a", 0)))),
        ("bookmark without a version", || Event::Bookmark(Version(0))),
        ("gone without a version", || Event::Gone(Uid::parse("a"), Version(0))),
        ("older than the last", || Event::Upsert(Box::new(record("b", 9)))),
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
fn events_are_passed_on_and_duplicates_do_no_harm() {
    let mut bench = Bench::live();
    bench.step(upsert("a", 11));
    assert!(matches!(bench.told()[0], Change::Upsert(r) if r.meta().version == Version(11)));
    bench.step(upsert("a", 11));
    assert!(matches!(bench.told()[0], Change::Upsert(_)));
    bench.step(Input::Event(Event::Gone(Uid::parse("a"), Version(12))));
    assert_eq!(*bench.told()[0], Change::Gone(Kind::Namespace, Uid::parse("a"), Version(12)));
    bench.pass(30);
    bench.step(Input::Ended);
    assert!(matches!(bench.ask(), Some(Ask::Watch { from: Version(12), .. })));
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
        assert_eq!(bench.ask(), Some(Ask::Probe), "{status}");
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
    let mut bench = Bench::live();
    bench.step(Input::Kick);
    assert!(bench.out.is_empty(), "a live watch is left alone");
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
    assert_eq!((&bench.out[0], bench.ask()), (&Output::Stop, Some(Ask::Probe)));
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
            if bench.ask() == Some(Ask::Probe) {
                bench.step(Input::Opened);
                bench.step(page(version, None));
                bench.step(Input::Opened);
                bench.wait();
                assert!(bench.machine.link().live());
            }
        }
        assert_eq!(bench.out.contains(&Output::Queue), relists, "{version}");
    }
}

#[test]
fn a_server_behind_us_is_another_one() {
    let mut bench = Bench::live();
    bench.step(Input::Event(Event::Bookmark(Version(500))));
    bench.step(Input::Failed(fault(Cause::Closed)));
    bench.wait();
    bench.step(Input::Opened);
    bench.step(page(499, None));
    assert!(bench.out.contains(&Output::Replaced));
    assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Replaced));

    // The same is seen by a relist.
    let mut bench = Bench::live();
    bench.step(Input::Event(Event::Bookmark(Version(500))));
    bench.step(refused(410));
    bench.step(Input::Admitted);
    bench.finish_list(499);
    assert!(bench.out.contains(&Output::Replaced));
    assert!(!bench.told().iter().any(|c| matches!(c, Change::Synced(..))));
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
    assert_eq!(bench.ask(), Some(Ask::Probe), "no relist, but versions are compared");
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
    bench.machine = Machine::new(Kind::Namespace, 1, bench.now).after(Some(known));
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    bench.step(Input::Records(vec![record("a", 3)]));
    assert_eq!(bench.machine.link().heard, Some(known));
    bench.pass(6);
    assert!(bench.machine.link().stale(bench.now));
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
fn signs_of_life_are_told_once_a_second() {
    let mut bench = Bench::live();
    let mut told = 0;
    for version in 11..111 {
        bench.now = bench.now + Span::from_millis(100);
        bench.step(upsert("a", version));
        told += bench.told().iter().filter(|c| matches!(c, Change::KindLink(..))).count();
    }
    assert_eq!(told, 10);
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
    let mut bench = Bench::new();
    bench.step(Input::Up);
    bench.step(Input::Admitted);
    bench.step(Input::Opened);
    bench.step(page(10, Some("same")));
    bench.step(Input::Opened);
    bench.step(page(10, Some("same")));
    assert_eq!(bench.ask(), None);
    assert_eq!(bench.machine.link().fault.as_ref().map(|f| f.cause), Some(Cause::Garbled));
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

#[test]
fn other_refusals_of_a_watch_request_relist() {
    for status in [400, 422] {
        let mut bench = Bench::new();
        bench.list(10);
        bench.step(refused(status));
        assert!(bench.out.contains(&Output::Queue), "{status}");
    }
}
