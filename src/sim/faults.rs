//! Faults of a cluster's server and of the way to it: what can be switched on, for which kinds,
//! and what is on.
//!
//! A fault is named and has settings ([`FaultFile`], the form of scenario files and of the control
//! endpoint alike). Those of the way are carried out by `gate` and `server`, or by `api` where it is
//! said whose requests are concerned, those of answers and of watches by `api`, those of what the
//! server keeps by [`state`], and those of the client's machine by whoever asks for [`Local`].

mod local;
mod names;
pub(crate) mod state;
mod way;

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

pub use local::{Local, Signal};
pub(crate) use names::FaultName;
pub(crate) use way::{Certificate, End, Way, way};

use crate::model::Span;
use crate::sim::resources::Res;
use crate::sim::scenario::Length;

/// A fault as it is written: its name, what it concerns and how it shows.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FaultFile {
    /// In a scenario, where it is within `fault = { … }`, it is written `name`.
    #[serde(alias = "name")]
    pub(crate) fault: FaultName,
    /// Plurals; none for every kind.
    #[serde(default)]
    pub(crate) kinds: Vec<String>,
    /// Only requests of this verb: `list`, `watch`, `get`, …
    pub(crate) verb: Option<String>,
    /// How long something takes.
    pub(crate) delay: Option<Length>,
    /// Bytes, or bytes a second.
    pub(crate) bytes: Option<u64>,
    /// An HTTP status.
    pub(crate) code: Option<u16>,
    /// What `Retry-After` says.
    pub(crate) retry_after: Option<String>,
    /// A text that stands where another is expected.
    pub(crate) value: Option<String>,
    /// It happens so many times and no more.
    pub(crate) times: Option<u32>,
    /// It happens to one request or event in so many.
    pub(crate) nth: Option<u32>,
}

/// The verbs of requests that a fault may be limited to.
const VERBS: [&str; 7] = ["list", "watch", "get", "create", "update", "patch", "delete"];

/// The group and the plural of what a request is about.
pub(crate) type About<'a> = (&'a str, &'a str);

/// Whether a kind as faults name it is what a request is about: `pods` is the built-in resource of
/// that plural, `widgets.example.com` is of its group.
fn is(kind: &str, (group, plural): About<'_>) -> bool {
    // events are served by two groups
    let group = if (group, plural) == ("events.k8s.io", "events") { "" } else { group };
    match kind.split_once('.') {
        Some((own, of)) => own == plural && of == group,
        None => kind == plural && Res::of_plural(kind).is_none_or(|res| res.spec().group == group),
    }
}

impl FaultFile {
    /// What is wrong with it.
    pub(crate) fn mistake(&self) -> Option<String> {
        // a resource that clients defined is not known before they do: it is named with its group
        let unknown = |kind: &&String| !kind.contains('.') && Res::of_plural(kind).is_none();
        if let Some(kind) = self.kinds.iter().find(unknown) {
            return Some(format!(
                "no resource {kind:?}; expected a plural such as \"pods\", or \"plural.group\" of a custom resource"
            ));
        }
        let name = self.fault.about().0;
        if [FaultName::NewIdentity, FaultName::Withdrawn].contains(&self.fault) && self.kinds.is_empty() {
            return Some(format!("{name} needs the key \"kinds\""));
        }
        if let Some(verb) = self.verb.as_deref().filter(|v| !VERBS.contains(v)) {
            return Some(format!("no verb {verb:?}; expected one of {}", VERBS.join(", ")));
        }
        if let Some(key) = self.useless() {
            let why = "is of the client's machine, before anything is asked for";
            return Some(format!("{name} {why}; it has no use for the key {key:?}"));
        }
        if let Some(value) = self.value.as_deref()
            && !self.fault.values().is_empty()
            && !self.fault.values().contains(&value)
        {
            return Some(format!(
                "no value {value:?} of {name}; expected one of {}",
                self.fault.values().join(", ")
            ));
        }
        let of = match self.fault {
            FaultName::Restore | FaultName::Lagging => Some("versions"),
            FaultName::FewFiles => Some("files"),
            _ => None,
        };
        if let (Some(of), Some(value)) = (of, self.value.as_deref().filter(|v| v.parse::<u64>().is_err())) {
            return Some(format!("value {value:?} is no number of {of}; expected one such as \"50\""));
        }
        if self.nth == Some(0) {
            return Some("nth is 0; expected 1 for every one, 10 for one in ten".to_owned());
        }
        if self.code.is_some_and(|c| !(100..=599).contains(&c)) {
            return Some("expected a code between 100 and 599".to_owned());
        }
        None
    }

    /// A key that it has no use for.
    fn useless(&self) -> Option<&'static str> {
        let set = [
            ("kinds", !self.kinds.is_empty()),
            ("verb", self.verb.is_some()),
            ("times", self.times.is_some()),
            ("nth", self.nth.is_some()),
        ];
        set.into_iter().find(|(_, set)| *set && self.fault.of_the_machine()).map(|(key, _)| key)
    }

    /// Whether it says which requests are concerned.
    pub(crate) fn chooses(&self) -> bool {
        !self.kinds.is_empty() || self.verb.is_some() || self.times.is_some() || self.nth.is_some()
    }

    /// Its value, or the usual one of those that it may have.
    pub(crate) fn value_or_usual(&self) -> &str {
        self.value.as_deref().or(self.fault.values().first().copied()).unwrap_or_default()
    }

    /// Whether it concerns requests of a kind and a verb.
    pub(crate) fn concerns(&self, about: About<'_>, verb: &str) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| is(kind, about));
        kind && self.verb.as_deref().is_none_or(|v| v == verb)
    }
}

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

    /// The faults of these that lie on the way of a request for as long as they are on; those that
    /// happen to some requests only are told by [`Faults::strike`].
    pub(crate) fn on_the_way(&self, name: FaultName, about: About<'_>, verb: &str) -> Option<&FaultFile> {
        let lies = |a: &&Active| {
            let file = &a.file;
            let each = file.times.is_none() && file.nth.is_none();
            file.fault == name && each && !a.of_connections() && a.concerns(about, verb)
        };
        let found = self.active.iter().find(lies)?;
        found.happened.set(found.happened.get().saturating_add(1));
        Some(&found.file)
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

impl FaultFile {
    /// The delay, or a usual one.
    pub(crate) fn delay_or(&self, seconds: u64) -> Duration {
        let millis = self.delay.map(|l| l.0.millis().max(0));
        millis.map_or(Duration::from_secs(seconds), |m| Duration::from_millis(m.unsigned_abs()))
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

    #[test]
    fn a_kind_is_of_its_group() {
        for (kind, about, same) in [
            ("pods", ("", "pods"), true),
            ("pods", ("metrics.k8s.io", "pods"), false),
            ("pods.metrics.k8s.io", ("metrics.k8s.io", "pods"), true),
            ("deployments", ("apps", "deployments"), true),
            ("deployments.apps", ("apps", "deployments"), true),
            ("services.serving.knative.dev", ("", "services"), false),
            ("services.serving.knative.dev", ("serving.knative.dev", "services"), true),
            ("events", ("events.k8s.io", "events"), true),
        ] {
            assert_eq!(is(kind, about), same, "{kind} {about:?}");
        }
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, said) in [
            ("fault = \"error\"\nkinds = [\"podz\"]", "no resource \"podz\"; expected a plural"),
            ("fault = \"error\"\nnth = 0", "nth is 0"),
            ("fault = \"new-identity\"", "new-identity needs the key \"kinds\""),
            ("fault = \"error\"\ncode = 20", "between 100 and 599"),
            ("fault = \"error\"\nverb = \"lst\"", "no verb \"lst\"; expected one of list, watch"),
            ("fault = \"lagging\"\nvalue = \"x\"", "value \"x\" is no number of versions"),
            ("fault = \"withdrawn\"", "withdrawn needs the key \"kinds\""),
            ("fault = \"sleep\"\nkinds = [\"pods\"]", "sleep is of the client's machine"),
            ("fault = \"disk-full\"\ntimes = 2", "it has no use for the key \"times\""),
            ("fault = \"few-files\"\nvalue = \"x\"", "value \"x\" is no number of files"),
            ("fault = \"login\"\nvalue = \"x\"", "no value \"x\" of login; expected one of hangs, fails"),
        ] {
            assert!(read(text).mistake().unwrap().contains(said), "{text}");
        }
        assert_eq!(read("fault = \"error\"\nkinds = [\"widgets.example.com\"]").mistake(), None);
        assert_eq!(read("fault = \"latency\"\ndelay = \"2s\"\nkinds = [\"pods\"]").mistake(), None);
        let unknown = toml::from_str::<FaultFile>("fault = \"gremlin\"").unwrap_err().to_string();
        assert!(unknown.contains("unknown variant `gremlin`, expected one of"), "{unknown}");
    }
}
