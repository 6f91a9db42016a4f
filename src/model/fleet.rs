//! The fleet: every cluster and all that is known of it at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    ClusterId, CostTotals, Derived, Extras, Fault, Kind, Link, Money, Price, Provider, Record, Resources,
    Rows, Signal, Span, Symptom, Text, Time, Uid, Usage, Version,
};

/// Where clusters of the embedded fleet come from: no file names them.
pub const EMBEDDED: &str = "embedded fleet";

/// What is known of a cluster before it answers: from kubeconfig and settings.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct ClusterInfo {
    /// The name people call it by: its context.
    pub name: Text,
    /// Other contexts of the same server and user.
    pub aliases: Vec<Text>,
    /// The server's address.
    pub server: Text,
    /// How careful to be.
    pub tier: Tier,
    /// The groups above it in the tree, outermost first; empty means by provider and region.
    pub groups: Vec<Text>,
    /// Tags from the settings.
    pub tags: BTreeMap<Text, Text>,
    /// The file that names it; [`EMBEDDED`] where none does.
    pub source: Text,
    /// The credential plugin that logs in there, if one does.
    pub plugin: Option<PluginId>,
    /// Why this entry cannot be used at all.
    pub broken: Option<Fault>,
}

/// A credential plugin: equal for two clusters when one run of it serves both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct PluginId {
    /// Its number among the plugins of the fleet.
    pub number: u16,
    /// Its command without the folder: `kubelogin`.
    pub name: Text,
}

/// How careful to be with a cluster. What nothing says is production.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Production: its name must be typed to change anything.
    #[default]
    Prod,
    /// Staging and the like.
    Staging,
    /// Development, tests, the demo.
    Dev,
}

impl Tier {
    /// The word on a badge.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Prod => "prod",
            Tier::Staging => "staging",
            Tier::Dev => "dev",
        }
    }
}

/// What is peculiar about a connection and must be seen.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Badge {
    /// The server's certificate is not checked.
    SkipVerify,
    /// Plain HTTP.
    PlainHttp,
    /// Requests are made as somebody else.
    Impersonating(Text),
    /// Through a proxy.
    Proxy(Text),
    /// This server or a proxy refuses or lacks protobuf; JSON is used.
    JsonOnly,
}

/// The state of our credentials.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Login {
    /// Not tried yet.
    #[default]
    Unknown,
    /// Accepted; until then, if that is known.
    Good(Option<Time>),
    /// A person has to log in.
    Wanted,
    /// The plugin waits until a person has logged in, in a browser.
    Prompted(Prompt),
    /// Refused or past its end.
    Expired,
    /// The plugin that makes it failed.
    Plugin,
}

/// What a credential plugin asks of a person.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Prompt {
    /// The page to open.
    pub url: Text,
    /// The code to enter there; empty when the page asks for none.
    pub code: Text,
    /// When the plugin is ended if nobody has logged in.
    pub until: Time,
}

/// What a server serves of what we declare.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Served {
    /// The version of each kind that is used; `None` when none of the declared is served.
    pub versions: BTreeMap<Kind, Text>,
    /// API groups, for detecting what is installed.
    pub groups: Vec<Text>,
    /// Whether metrics.k8s.io answers.
    pub metrics: bool,
}

/// The whole fleet. Clusters that did not change since the last snapshot are shared with it.
#[derive(Clone, Default, Debug)]
pub struct Fleet {
    /// By [`ClusterId`]: the id is the index.
    pub clusters: Vec<Arc<Cluster>>,
}

impl Fleet {
    /// The cluster of this id.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(usize::from(id.0))
    }

    /// The cluster that people call so, by its name or another context's.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Cluster>> {
        let is = |c: &&Arc<Cluster>| c.info.name == name || c.info.aliases.iter().any(|a| *a == name);
        self.clusters.iter().find(is)
    }
}

/// The context that a cluster is counted by, when several users of one server are in the fleet.
#[derive(Clone, Debug)]
pub struct SameAs {
    /// Its id.
    pub id: ClusterId,
    /// What it is called, and where it is grouped.
    pub info: Arc<ClusterInfo>,
}

/// All that is known of one cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// What was known before it answered.
    pub info: Arc<ClusterInfo>,
    /// The health of its connection.
    pub link: Link,
    /// The state of our credentials.
    pub login: Login,
    /// What is peculiar about the connection.
    pub badges: Vec<Badge>,
    /// The server's version; empty while unknown.
    pub version: Text,
    /// Which cluster it is: the uid of its namespace kube-system, where that may be read.
    pub identity: Option<Uid>,
    /// The context that this cluster is counted by, when this is a further way to the same one.
    pub same_as: Option<SameAs>,
    /// What it serves.
    pub served: Arc<Served>,
    /// Who runs most of its nodes.
    pub provider: Provider,
    /// The region of most of its nodes.
    pub region: Text,
    /// Its objects, by [`Kind::index`].
    pub tables: Vec<Table>,
    /// What is always shown, kept up to date with every delta.
    pub totals: Totals,
    /// What each node costs, by uid; it sums to the totals.
    pub prices: Arc<rustc_hash::FxHashMap<Uid, Price>>,
    /// What is paid for beside its nodes.
    pub extras: Arc<Extras>,
    /// What is wrong with single objects, by uid.
    pub symptoms: Arc<rustc_hash::FxHashMap<Uid, Arc<Symptom>>>,
    /// What its nodes and pods use.
    pub usage: Arc<Usage>,
    /// When usage last came.
    pub usage_at: Option<Time>,
    /// How long its server takes to begin an answer, at the 95th percentile of the last ones.
    pub api_p95: Option<Span>,
    /// What happened, oldest first, bounded.
    pub signals: Arc<Vec<Arc<Signal>>>,
    /// Nodes, pods and cost over the last hours.
    pub series: Arc<Series>,
    /// Grows with every change ([`Cluster::touch`]); what is derived from this cluster is remembered by it.
    pub generation: u64,
    /// What was derived from it.
    pub derived: Derived,
}

/// The objects of one kind.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which kind.
    pub kind: Kind,
    /// The health of its watch.
    pub link: Link,
    /// The version up to which it is known.
    pub version: Version,
    /// When it was last complete.
    pub synced: Option<Time>,
    /// Its records.
    pub rows: Rows,
    /// Whether older ones were left out, because only so many of them are kept.
    pub bounded: bool,
    /// Objects that could not be read.
    pub unreadable: u64,
    /// Older versions that were refused.
    pub refused: u64,
    /// When it was last compared, object by object, with what the server lists.
    pub audited: Option<Time>,
    /// Objects that such audits found missing, left over, or not as the server has them, and put
    /// right. Anything but 0 means that something on the way loses changes.
    pub repaired: u64,
}

impl Cluster {
    /// A cluster of which nothing is known yet.
    #[must_use]
    pub fn new(id: ClusterId, info: Arc<ClusterInfo>, now: Time) -> Cluster {
        let mut link = Link::waiting(now);
        link.fault.clone_from(&info.broken);
        let table = |kind| Table {
            kind,
            link: Link::waiting(now),
            version: Version(0),
            synced: None,
            rows: Rows::default(),
            bounded: false,
            unreadable: 0,
            refused: 0,
            audited: None,
            repaired: 0,
        };
        Cluster {
            id,
            info,
            link,
            login: Login::Unknown,
            badges: Vec::new(),
            version: Text::EMPTY,
            identity: None,
            same_as: None,
            served: Arc::default(),
            provider: Provider::Unknown,
            region: Text::EMPTY,
            tables: Kind::ALL.into_iter().map(table).collect(),
            totals: Totals::default(),
            prices: Arc::default(),
            extras: Arc::default(),
            symptoms: Arc::default(),
            usage: Arc::default(),
            usage_at: None,
            api_p95: None,
            signals: Arc::default(),
            series: Arc::default(),
            generation: 0,
            derived: Derived::default(),
        }
    }

    /// Notes that it changed: what was derived from it before does not hold any more.
    pub fn touch(&mut self) {
        self.generation += 1;
        self.derived = Derived::default();
    }

    /// A copy that is there to be changed, but remembers what was derived until it is
    /// ([`Cluster::touch`]).
    #[must_use]
    pub fn copy(&self) -> Cluster {
        Cluster { derived: self.derived.kept(), ..self.clone() }
    }

    /// The table of a kind.
    #[must_use]
    pub fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind.index()]
    }

    /// The records of a kind.
    pub fn records(&self, kind: Kind) -> impl Iterator<Item = &Arc<Record>> {
        self.table(kind).rows.iter()
    }

    /// Its nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &super::Node> {
        self.records(Kind::Node).filter_map(|r| r.node())
    }

    /// Its pods.
    pub fn pods(&self) -> impl Iterator<Item = &super::Pod> {
        self.records(Kind::Pod).filter_map(|r| r.pod())
    }

    /// Its deployments, stateful sets and daemon sets.
    pub fn workloads(&self) -> impl Iterator<Item = &super::Workload> {
        [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]
            .into_iter()
            .flat_map(|kind| self.records(kind))
            .filter_map(|r| r.workload())
    }

    /// Its budgets.
    pub fn budgets(&self) -> impl Iterator<Item = &super::Budget> {
        self.records(Kind::Budget).filter_map(|r| r.budget())
    }

    /// What a node costs; of unknown basis when it was never priced.
    #[must_use]
    pub fn price(&self, node: &super::Node) -> Price {
        self.prices.get(&node.meta.uid).copied().unwrap_or_default()
    }

    /// What a view derives from this cluster alone: made once for each generation. `make` must
    /// look at nothing else, neither a scope nor the time.
    pub fn derived<T: std::any::Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        self.derived.get(self.generation, make)
    }

    /// What it costs: its nodes and all that is paid for beside them.
    #[must_use]
    pub fn cost(&self) -> CostTotals {
        let mut cost = self.totals.cost.clone();
        cost.merge(&self.extras.total);
        cost
    }

    /// One object by kind, namespace and name. It looks at every record of the kind.
    #[must_use]
    pub fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Record>> {
        self.records(kind).find(|r| r.meta().name == name && r.meta().namespace == namespace)
    }

    /// What tells it from every other cluster: its server's address and its namespace kube-system. The
    /// namespace alone does not, for a cluster that was made from a backup of another has it, too.
    #[must_use]
    pub fn identified(&self) -> Option<(Uid, Text)> {
        Some((self.identity?, self.info.server.clone()))
    }

    /// Whether this is another context of the same cluster, or the same context.
    #[must_use]
    pub fn is_context_of(&self, other: &Cluster) -> bool {
        let counted_by = |of: &Cluster| of.same_as.as_ref().map_or(of.id, |same| same.id);
        let known = self.identified().is_some() && self.identified() == other.identified();
        known || counted_by(self) == counted_by(other)
    }

    /// Whether anything was ever seen of it.
    #[must_use]
    pub fn seen(&self) -> bool {
        self.tables.iter().any(|t| t.synced.is_some())
    }
}

/// Counts and sums of a cluster, folded from its deltas.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Totals {
    /// Nodes.
    pub nodes: u32,
    /// Nodes that are ready.
    pub nodes_ready: u32,
    /// Nodes that are cordoned.
    pub nodes_cordoned: u32,
    /// Pods that have not ended.
    pub pods: u32,
    /// Pods that serve.
    pub pods_ready: u32,
    /// Pods without a node.
    pub pods_pending: u32,
    /// Deployments, stateful sets and daemon sets.
    pub workloads: u32,
    /// What machines have.
    pub capacity: Resources,
    /// What pods may ask for.
    pub allocatable: Resources,
    /// What pods with a node ask for.
    pub requests: Resources,
    /// What its nodes cost.
    pub cost: CostTotals,
}

/// One sample of the series.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Nodes that were ready.
    pub nodes: u32,
    /// Pods that served.
    pub pods: u32,
    /// Pods without a node.
    pub pending: u32,
    /// What the nodes cost.
    pub rate: Money,
}

/// Samples, a minute apart, oldest first, bounded.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Series {
    /// The samples.
    pub samples: Vec<Sample>,
}
