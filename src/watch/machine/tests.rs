//! One test for each rule of the machine.

mod beside;
mod failures;
mod listing;
mod stream;
mod streaming;
mod witness;

use std::sync::Arc;

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
    Input::Event(Event::Upsert(Arc::new(record(uid, version))))
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
        self.finish_list_asked(version);
    }

    fn finish_list_asked(&mut self, version: u64) {
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
