//! Faults of a cluster's server and of the way to it: what can be switched on, for which kinds,
//! and what is on.
//!
//! A fault is named and has settings ([`FaultFile`], the form of scenario files and of the control
//! endpoint alike). Those of the way are carried out by `gate` and `server`, those of answers and
//! of watches by `api`, and those of what the server keeps by [`state`].

mod names;
pub(crate) mod state;
mod way;

use std::cell::Cell;
use std::time::Duration;

use serde::Deserialize;

pub(crate) use names::FaultName;
pub(crate) use way::{Certificate, End, Way, way};

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
        if self.fault == FaultName::NewIdentity && self.kinds.is_empty() {
            return Some("new-identity needs the key \"kinds\"".to_owned());
        }
        if let Some(verb) = self.verb.as_deref().filter(|v| !VERBS.contains(v)) {
            return Some(format!("no verb {verb:?}; expected one of {}", VERBS.join(", ")));
        }
        let set = [
            ("kinds", !self.kinds.is_empty()),
            ("verb", self.verb.is_some()),
            ("times", self.times.is_some()),
            ("nth", self.nth.is_some()),
        ];
        if let Some((key, _)) = set.into_iter().find(|(_, set)| *set && self.fault.of_the_way()) {
            let name = self.fault.about().0;
            return Some(format!(
                "{name} is of the way to the server, which every request takes; it has no use for the key {key:?}"
            ));
        }
        let counts = [FaultName::Restore, FaultName::Lagging].contains(&self.fault);
        if let Some(value) = self.value.as_deref().filter(|v| counts && v.parse::<u64>().is_err()) {
            return Some(format!("value {value:?} is no number of versions; expected one such as \"50\""));
        }
        if self.nth == Some(0) {
            return Some("nth is 0; expected 1 for every one, 10 for one in ten".to_owned());
        }
        if self.code.is_some_and(|c| !(100..=599).contains(&c)) {
            return Some("expected a code between 100 and 599".to_owned());
        }
        None
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
}

impl Active {
    pub(crate) fn new(incident: Option<usize>, file: FaultFile) -> Active {
        Active { incident, file, chances: Cell::new(0), happened: Cell::new(0) }
    }

    /// Whether it concerns requests of a kind and a verb.
    fn concerns(&self, about: About<'_>, verb: &str) -> bool {
        let kind = self.file.kinds.is_empty() || self.file.kinds.iter().any(|kind| is(kind, about));
        kind && self.file.verb.as_deref().is_none_or(|v| v == verb)
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
}

impl Faults {
    /// Switches a fault on; the same fault of the same kinds is replaced.
    pub(crate) fn add(&mut self, fault: Active) {
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

    /// The first of these faults that happens to a request of a kind and a verb.
    pub(crate) fn strike(&self, names: &[FaultName], about: About<'_>, verb: &str) -> Option<FaultFile> {
        let meant = self.active.iter().filter(|a| names.contains(&a.file.fault) && a.concerns(about, verb));
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
            ("fault = \"latency\"\nkinds = [\"pods\"]", "latency is of the way to the server"),
            ("fault = \"reset-midway\"\ntimes = 2", "it has no use for the key \"times\""),
        ] {
            assert!(read(text).mistake().unwrap().contains(said), "{text}");
        }
        assert_eq!(read("fault = \"error\"\nkinds = [\"widgets.example.com\"]").mistake(), None);
        assert_eq!(read("fault = \"latency\"\ndelay = \"2s\"").mistake(), None);
        let unknown = toml::from_str::<FaultFile>("fault = \"gremlin\"").unwrap_err().to_string();
        assert!(unknown.contains("unknown variant `gremlin`, expected one of"), "{unknown}");
    }
}
