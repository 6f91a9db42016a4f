//! What every object has: name, age, labels, owner, manager.

use std::sync::Arc;

use super::{Text, Time, Uid, Version};

/// A whole label set, sorted by key and shared by all objects that have the same one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Labels(Option<Arc<[(Text, Text)]>>);

impl Labels {
    /// A label set from pairs in any order.
    #[must_use]
    pub fn new(mut pairs: Vec<(Text, Text)>) -> Labels {
        if pairs.is_empty() {
            return Labels(None);
        }
        pairs.sort_unstable();
        pairs.dedup_by(|a, b| a.0 == b.0);
        Labels(Some(pairs.into()))
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Text> {
        let pairs = self.pairs();
        pairs.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok().map(|i| &pairs[i].1)
    }

    /// All labels, by key.
    #[must_use]
    pub fn pairs(&self) -> &[(Text, Text)] {
        self.0.as_deref().unwrap_or(&[])
    }

    /// How many holders share this set.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, Arc::strong_count)
    }
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.pairs().iter().map(|(k, v)| (k, v)))
    }
}

/// The controller that owns an object (`metadata.ownerReferences`, the one with `controller: true`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct Owner {
    /// `apps/v1`. Drain asks for it: only `apps/v1` DaemonSets are DaemonSets to kubectl.
    pub api: Text,
    /// `ReplicaSet`.
    pub kind: Text,
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Uid,
}

/// The delivery system that would put an object back when somebody edits it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct Manager {
    /// `Argo CD`, `Flux`, `Helm`, `Fleet`, `KEDA`, …
    pub system: Text,
    /// The application, release or object of that system: `pay-prod`.
    pub name: Text,
}

/// What every object has.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Meta {
    /// The unique id.
    pub uid: Uid,
    /// The version of this reading of it.
    pub version: Version,
    /// Its name.
    pub name: Text,
    /// Its namespace; empty when its kind has none.
    pub namespace: Text,
    /// When it was made.
    pub created: Option<Time>,
    /// When it should be gone: the moment it was asked to go plus its grace period
    /// (`metadata.deletionTimestamp`, apimachinery `rest.BeforeDelete`). It may stay longer, until
    /// its finalizers are done.
    pub deleting: Option<Time>,
    /// All its labels.
    pub labels: Labels,
    /// The controller that owns it.
    pub owner: Option<Arc<Owner>>,
    /// The delivery system that would revert edits.
    pub manager: Option<Arc<Manager>>,
}

/// A label selector, as workloads and budgets carry it.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Selector {
    /// Labels that must be equal.
    pub labels: Labels,
    /// Requirements that must hold.
    pub expressions: Box<[Requirement]>,
    /// Set when the object gave no selector at all: then nothing matches. An empty selector
    /// that *was* given matches everything in its namespace (policy/v1).
    pub absent: bool,
}

/// One requirement of a selector.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Requirement {
    /// The label.
    pub key: Text,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Box<[Text]>,
}

/// How a requirement compares a label (`metav1.LabelSelectorOperator`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[allow(missing_docs, reason = "each is the Kubernetes operator of that name")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    /// One that this version does not know: it matches nothing, which is the safe reading.
    Unknown,
}

impl Selector {
    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        !self.absent
            && self.labels.pairs().iter().all(|(k, v)| labels.get(k) == Some(v))
            && self.expressions.iter().all(|r| r.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|v| self.values.contains(v)),
            Operator::NotIn => value.is_none_or(|v| !self.values.contains(v)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Unknown => false,
        }
    }
}

/// One condition of an object's status.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Condition {
    /// `Available`, `Progressing`, `ScalingLimited`, …
    pub kind: Text,
    /// Whether it holds.
    pub status: Truth,
    /// The machine's word for why.
    pub reason: Text,
    /// The sentence for people.
    pub message: Text,
    /// When the status last changed.
    pub since: Option<Time>,
}

/// `True`, `False` or `Unknown`, as conditions have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[allow(missing_docs, reason = "the words of metav1.ConditionStatus")]
pub enum Truth {
    True,
    False,
    #[default]
    Unknown,
}

impl Truth {
    /// From the API's word; anything else is unknown.
    #[must_use]
    pub fn parse(word: &str) -> Truth {
        match word {
            "True" => Truth::True,
            "False" => Truth::False,
            _ => Truth::Unknown,
        }
    }
}

/// The condition of this kind, if the object has it.
#[must_use]
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().map(|(k, v)| (Text::clean(k), Text::clean(v))).collect())
    }

    #[test]
    fn selectors_match_as_kubernetes_does() {
        let pod = labels(&[("app", "pay"), ("tier", "web")]);
        let by = |labels: Labels| Selector { labels, ..Selector::default() };
        assert!(by(labels(&[("app", "pay")])).matches(&pod));
        assert!(!by(labels(&[("app", "cart")])).matches(&pod));
        assert!(Selector::default().matches(&pod));
        assert!(!Selector { absent: true, ..Selector::default() }.matches(&pod));
        let expression = |operator, values: &[&str]| Selector {
            expressions: Box::new([Requirement {
                key: "tier".into(),
                operator,
                values: values.iter().map(|v| Text::clean(v)).collect(),
            }]),
            ..Selector::default()
        };
        assert!(expression(Operator::In, &["web", "api"]).matches(&pod));
        assert!(!expression(Operator::NotIn, &["web"]).matches(&pod));
        assert!(expression(Operator::Exists, &[]).matches(&pod));
        assert!(!expression(Operator::DoesNotExist, &[]).matches(&pod));
        assert!(!expression(Operator::Unknown, &[]).matches(&pod));
    }
}
