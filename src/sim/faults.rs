//! Faults of a cluster's server and of the way to it: what can be switched on, for which kinds,
//! and what is on.
//!
//! A fault is named and has settings ([`FaultFile`], the form of scenario files and of the control
//! endpoint alike). Those of the way are carried out by `gate` and `server`, or by `api` where it is
//! said whose requests are concerned, those of answers and of watches by `api`, those of what the
//! server keeps by [`state`], and those of the client's machine by whoever asks for [`Local`].

mod file;
mod local;
mod names;
pub(crate) mod state;
mod way;

use std::cell::Cell;
use std::collections::VecDeque;

use self::file::is;
pub(crate) use file::{About, FaultFile};
pub use local::{Local, Signal};
pub(crate) use names::FaultName;
pub(crate) use way::{Certificate, End, Way, way};

use crate::model::Span;

/// A fault that is on.
#[derive(Debug)]
pub(crate) struct Active {
    /// The incident that switched it on; `None` when somebody else did.
    pub(crate) incident: Option<usize>,
    pub(crate) file: FaultFile,
    /// How often it could have happened, and did.
    chances: Cell<u32>,
    happened: Cell<u32>,
    /// Of one of connections that says whose requests are concerned: such a request came, and
    /// every connection is concerned from then on.
    met: Cell<bool>,
}

impl Active {
    pub(crate) fn new(incident: Option<usize>, file: FaultFile) -> Active {
        Active { incident, file, chances: Cell::new(0), happened: Cell::new(0), met: Cell::new(false) }
    }

    fn concerns(&self, about: About<'_>, verb: &str) -> bool {
        self.file.concerns(about, verb)
    }

    /// Whether it is of whole connections now.
    fn of_connections(&self) -> bool {
        !self.file.chooses() || self.met.get()
    }

    /// Whether it happens to some requests only.
    fn of_some(&self) -> bool {
        self.file.times.is_some() || self.file.nth.is_some()
    }

    /// Whether it happens this time.
    fn happens(&self) -> bool {
        if self.file.times.is_some_and(|times| self.happened.get() >= times) {
            return false;
        }
        self.chances.set(self.chances.get().wrapping_add(1));
        let now = self.chances.get().is_multiple_of(self.file.nth.unwrap_or(1).max(1));
        if now {
            self.happened.set(self.happened.get() + 1);
        }
        now
    }

    /// How often it happened.
    pub(crate) fn happened(&self) -> u32 {
        self.happened.get()
    }
}

/// The faults of a cluster that are on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<Active>,
    /// Grows with every reset of connections that was asked for.
    pub(crate) resets: u64,
    /// The same for connections that are told to go away.
    pub(crate) farewells: u64,
    /// The same for clusters that another one takes the place of.
    pub(crate) replacements: u64,
    /// Grows with every change of what is on.
    pub(crate) changes: u64,
    /// Resets of the answers to some requests, the last of them, each with the change that it was.
    breaks: VecDeque<(u64, FaultFile)>,
    /// How often and for how long the client's machine slept, and the signals that it got.
    pub(crate) naps: u64,
    pub(crate) slept: Span,
    pub(crate) signals: Vec<Signal>,
    /// How often the tokens of clients were renewed.
    pub(crate) renewals: u64,
}

/// Resets of answers that are remembered: who is older than the last of so many was told.
const BREAKS: usize = 16;

impl Faults {
    /// Switches a fault on; the same fault of the same kinds is replaced.
    pub(crate) fn add(&mut self, fault: Active) {
        self.changes += 1;
        self.active.retain(|a| {
            a.incident != fault.incident
                || a.file.fault != fault.file.fault
                || a.file.kinds != fault.file.kinds
        });
        self.active.push(fault);
    }

    /// Switches off what fits; says how many.
    pub(crate) fn remove(&mut self, fits: impl Fn(&Active) -> bool) -> usize {
        let before = self.active.len();
        self.changes += 1;
        self.active.retain(|a| !fits(a));
        before - self.active.len()
    }

    /// Whether nothing is wrong.
    pub(crate) fn none(&self) -> bool {
        self.active.is_empty()
    }

    /// What is on.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Active> {
        self.active.iter()
    }

    /// Whether a fault is on for anything at all.
    pub(crate) fn first(&self, name: FaultName) -> Option<&FaultFile> {
        self.active.iter().map(|a| &a.file).find(|f| f.fault == name)
    }

    /// A fault that is on for whole connections.
    fn of_connections(&self, name: FaultName) -> Option<&FaultFile> {
        let mut meant = self.active.iter().filter(|a| a.file.fault == name && a.of_connections());
        meant.next().map(|a| &a.file)
    }

    /// A request of a kind and a verb came: faults of how connections begin that wait for it are on
    /// for every connection from now on. Says whether any was met.
    pub(crate) fn meet(&mut self, about: About<'_>, verb: &str) -> bool {
        let waits =
            |a: &&Active| a.file.fault.of_greetings() && !a.of_connections() && a.concerns(about, verb);
        let met: Vec<&Active> = self.active.iter().filter(waits).filter(|a| a.happens()).collect();
        met.iter().for_each(|a| a.met.set(true));
        let any = !met.is_empty();
        self.changes += u64::from(any);
        any
    }

    /// The answers to some requests are to be broken off, once.
    pub(crate) fn break_off(&mut self, file: FaultFile) {
        self.changes += 1;
        self.breaks.push_back((self.changes, file));
        if self.breaks.len() > BREAKS {
            self.breaks.pop_front();
        }
    }

    /// Whether the answer to a request that began at a change is to be broken off.
    pub(crate) fn broken_off(&self, since: u64, about: About<'_>, verb: &str) -> bool {
        self.breaks.iter().any(|(at, file)| *at > since && file.concerns(about, verb))
    }

    /// The fault of this name that lies on the way of a request for as long as it is on; one that
    /// happens to some requests only is told by [`Faults::strike_some`]. It happens to a request that
    /// did not know it yet.
    pub(crate) fn on_the_way(
        &self,
        name: FaultName,
        about: About<'_>,
        verb: &str,
        known: &[FaultFile],
    ) -> Option<&FaultFile> {
        let lies = |a: &&Active| {
            a.file.fault == name && !a.of_some() && !a.of_connections() && a.concerns(about, verb)
        };
        let found = self.active.iter().find(lies)?;
        if !known.contains(&found.file) {
            found.happened.set(found.happened.get().saturating_add(1));
        }
        Some(&found.file)
    }

    /// The fault of this name that happens to this request of a kind and a verb, and not to each.
    pub(crate) fn strike_some(&self, name: FaultName, about: About<'_>, verb: &str) -> Option<FaultFile> {
        let meant = |a: &&Active| {
            a.file.fault == name && a.of_some() && !a.of_connections() && a.concerns(about, verb)
        };
        self.active.iter().filter(meant).find(|a| a.happens()).map(|a| a.file.clone())
    }

    /// Whether a version of a kind is not served any more; `preferred` is what the kind is usually
    /// served in.
    pub(crate) fn withdraws(&self, about: About<'_>, version: &str, preferred: &str) -> bool {
        let withdrawn = |a: &&Active| {
            let file = &a.file;
            let meant = file.fault == FaultName::Withdrawn && file.kinds.iter().any(|kind| is(kind, about));
            meant && file.value.as_deref().unwrap_or(preferred) == version
        };
        let Some(found) = self.active.iter().find(withdrawn) else { return false };
        found.happened.set(found.happened.get().saturating_add(1));
        true
    }

    /// The first of these faults that happens to a request of a kind and a verb.
    pub(crate) fn strike(&self, names: &[FaultName], about: About<'_>, verb: &str) -> Option<FaultFile> {
        let of_requests = |a: &&Active| !a.file.fault.of_the_way() || !a.of_connections();
        let meant = self.active.iter().filter(of_requests);
        let meant = meant.filter(|a| names.contains(&a.file.fault) && a.concerns(about, verb));
        meant.into_iter().find(|a| a.happens()).map(|a| a.file.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::Reach;

    fn read(text: &str) -> FaultFile {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_fault_happens_to_its_kinds_as_often_as_it_says() {
        let mut faults = Faults::default();
        let file = read("fault = \"error\"\nkinds = [\"pods\"]\nverb = \"list\"\ntimes = 2\nnth = 2\n");
        faults.add(Active::new(None, file.clone()));
        let strikes =
            |plural: &str, verb: &str| faults.strike(&[FaultName::Error], ("", plural), verb).is_some();
        assert!(!strikes("nodes", "list") && !strikes("pods", "watch"), "it is not about those");
        let seen: Vec<bool> = (0..8).map(|_| strikes("pods", "list")).collect();
        assert_eq!(seen, [false, true, false, true, false, false, false, false]);
        faults.add(Active::new(None, file));
        assert_eq!(faults.all().count(), 1, "the same one once");
        assert_eq!(faults.remove(|a| a.file.fault == FaultName::Error), 1);
        assert!(faults.none());
    }

    #[test]
    fn a_fault_of_the_way_happens_once_to_a_request_and_hides_no_other() {
        let mut faults = Faults::default();
        faults.add(Active::new(Some(0), read("fault = \"slow\"\nkinds = [\"pods\"]")));
        faults.add(Active::new(Some(1), read("fault = \"slow\"\nkinds = [\"pods\"]\ntimes = 1\nbytes = 9")));
        let some = || faults.strike_some(FaultName::Slow, ("", "pods"), "list").and_then(|file| file.bytes);
        assert_eq!((some(), some()), (Some(9), None));
        let on = |known: &[FaultFile]| {
            let file = faults.on_the_way(FaultName::Slow, ("", "pods"), "list", known).cloned();
            Vec::from_iter(file)
        };
        let known = on(&[]);
        assert_eq!((on(&known), known.len()), (known.clone(), 1), "looked at again");
        assert_eq!(faults.all().map(Active::happened).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn faults_of_the_way_are_of_connections_until_it_is_said_whose() {
        let mut faults = Faults::default();
        let strike = |faults: &Faults, about| faults.strike(&[FaultName::Slow], about, "list").is_some();
        faults.add(Active::new(None, read("fault = \"slow\"")));
        assert!(way(Reach::Open, &faults).rate.is_some() && !strike(&faults, ("", "pods")));
        faults.remove(|_| true);
        faults.add(Active::new(None, read("fault = \"slow\"\nkinds = [\"pods\"]")));
        assert!(way(Reach::Open, &faults).rate.is_none());
        assert!(strike(&faults, ("", "pods")) && !strike(&faults, ("", "nodes")));
        // a handshake is over before there is a request: the first one brings it about
        faults.add(Active::new(None, read("fault = \"handshake-hangs\"\nkinds = [\"pods\"]")));
        assert!(!faults.meet(("", "nodes"), "list") && !way(Reach::Open, &faults).hangs);
        assert!(faults.meet(("", "pods"), "list") && way(Reach::Open, &faults).hangs);
        assert!(!faults.meet(("", "pods"), "list"), "once is enough");
    }
}
