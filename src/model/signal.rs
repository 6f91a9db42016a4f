//! Signals: something that happened. Findings and symptoms: something that is wrong.

use super::{ClusterId, Kind, Money, ObjectKey, Span, Text, Time};

/// What a signal is, in terms that views group, pair and count by. The rest of it is for people.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// Something happened to a node.
    Node {
        /// What.
        change: NodeChange,
        /// Its pool; empty when nothing names it.
        pool: Text,
        /// Its instance type; empty when nothing names it.
        machine: Text,
        /// Its zone; empty when nothing names it.
        zone: Text,
        /// Whether it is a spot node.
        spot: bool,
    },
    /// The replicas that a workload or its autoscaler wants changed, or reached a bound.
    Replicas,
    /// An event of the cluster said so; this is its reason: `TriggeredScaleUp`.
    Event(Text),
}

/// What happened to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeChange {
    /// It joined.
    Added,
    /// It left.
    Removed,
    /// It became ready.
    Ready,
    /// It stopped being ready.
    NotReady,
}

/// Something that happened and moved capacity, replicas or money.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Signal {
    /// When.
    pub at: Time,
    /// The cluster.
    pub cluster: ClusterId,
    /// What it is.
    pub happening: Happening,
    /// Which way.
    pub direction: Direction,
    /// How bad.
    pub tone: Tone,
    /// What it happened to: `nodes general`, `checkout HPA`.
    pub what: Text,
    /// The object that it is about.
    pub object: Option<ObjectKey>,
    /// The namespace, for scope; empty for nodes.
    pub namespace: Text,
    /// From how many.
    pub from: Option<u32>,
    /// To how many.
    pub to: Option<u32>,
    /// Why, in one line.
    pub cause: Text,
    /// What the bill changes by; `None` when it does not apply or is unknown.
    pub cost: Option<CostChange>,
    /// From the wish to the capacity.
    pub lead: Option<Span>,
}

/// What a signal does to the bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct CostChange {
    /// By how much; exact when the prices are.
    pub rate: Money,
    /// Whether a price in it is estimated.
    pub approximate: bool,
    /// Replicas moved, but no node came or went: the bill did not change, and `rate` is what
    /// moved between idle and workload.
    pub absorbed: bool,
}

/// Which way something went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More.
    More,
    /// Less.
    Less,
    /// One for another.
    Swapped,
    /// Held, blocked or lost.
    Held,
}

/// What a colour and a glyph mean. The order is the order of worry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Fine, and it answers.
    #[default]
    Ok,
    /// Stopped by someone.
    Paused,
    /// Changing as wanted.
    Moving,
    /// Being connected.
    Connecting,
    /// Not allowed to see.
    Denied,
    /// No data, or too old.
    Unseen,
    /// Degraded.
    Warn,
    /// Down.
    Crit,
}

/// What is wrong with one object. Symptoms with the same [`Symptom::cause`] fold into one finding.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Symptom {
    /// The object.
    pub object: ObjectKey,
    /// What it folds by, over clusters.
    pub cause: SymptomCause,
    /// How bad.
    pub tone: Tone,
    /// Since when.
    pub since: Time,
    /// Whether that is when it began. Objects that carry no time for it were found so when they were
    /// first listed: then it is only since when it is known.
    pub since_sure: bool,
    /// It counts only from then on: a pod may be pending for a minute before anybody worries.
    pub counts_from: Time,
    /// The sentence from the cluster that proves it.
    pub evidence: Text,
    /// The workload behind it, for the blast radius: kind and name in the object's namespace.
    pub workload: Option<(Kind, Text)>,
}

/// What symptoms fold by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct SymptomCause {
    /// The machine's word: `ImagePullBackOff`, `NodeNotReady`, `Unschedulable`, `AtCeiling`.
    pub reason: Text,
    /// What is common: an image, a pool and zone, a budget, a workload.
    pub subject: Text,
}
