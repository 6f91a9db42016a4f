//! A fault as it is written in scenarios and told to the control endpoint, and what is wrong with a
//! mistaken one.

use std::time::Duration;

use serde::Deserialize;

use super::FaultName;
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
pub(super) fn is(kind: &str, (group, plural): About<'_>) -> bool {
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
        if let Some(odd) = self.odd_value() {
            return Some(odd);
        }
        if self.nth == Some(0) {
            return Some("nth is 0; expected 1 for every one, 10 for one in ten".to_owned());
        }
        if self.code.is_some_and(|c| !(100..=599).contains(&c)) {
            return Some("expected a code between 100 and 599".to_owned());
        }
        None
    }

    /// What is wrong with its value.
    fn odd_value(&self) -> Option<String> {
        let (name, values, value) = (self.fault.about().0, self.fault.values(), self.value.as_deref()?);
        if !values.is_empty() && !values.contains(&value) {
            return Some(format!("no value {value:?} of {name}; expected one of {}", values.join(", ")));
        }
        let of = match self.fault {
            FaultName::Restore | FaultName::Lagging => "versions",
            FaultName::FewFiles => "files",
            _ => return None,
        };
        value
            .parse::<u64>()
            .is_err()
            .then(|| format!("value {value:?} is no number of {of}; expected one such as \"50\""))
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
