//! What a thing is known by. A cluster id is in every key.

use std::fmt;

use super::Text;

/// A cluster of the fleet, for the life of the process. Names are for people; this is for keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct ClusterId(pub u16);

/// The unique id that an apiserver gave to one object: 128 bits, in two halves so that records need
/// not be aligned for more than 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uid(u64, u64);

impl Uid {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of it")]
    const fn of(value: u128) -> Uid {
        Uid((value >> 64) as u64, value as u64)
    }

    const fn value(self) -> u128 {
        (self.0 as u128) << 64 | self.1 as u128
    }

    /// Whether it bears the variant bits 0b111, which RFC 9562 reserves: no UUID has them.
    const fn is_hash(self) -> bool {
        self.1 >> 61 == 0b111
    }

    /// A uid from its text. Apiservers write UUIDs; any other text is kept as a hash, which
    /// tells objects apart but cannot be sent back (see [`Uid::wire`]).
    #[must_use]
    pub fn parse(text: &str) -> Uid {
        Uid::parse_uuid(text).unwrap_or_else(|| {
            let hash = text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |h, b| {
                (h ^ u128::from(b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
            });
            Uid::of(hash | 0b111 << 61)
        })
    }

    fn parse_uuid(text: &str) -> Option<Uid> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|i| bytes[*i] != b'-') {
            return None;
        }
        let mut value: u128 = 0;
        for (i, byte) in bytes.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                continue;
            }
            // Upper case would not survive the way back, and no apiserver writes it.
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            value = value << 4 | u128::from(digit);
        }
        Some(Uid::of(value)).filter(|uid| !uid.is_hash())
    }

    /// The text to send back as a precondition, when this was a UUID.
    #[must_use]
    pub fn wire(self) -> Option<String> {
        (!self.is_none() && !self.is_hash()).then(|| self.to_string())
    }

    /// Whether no uid was given.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0 && self.1 == 0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.value());
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Uid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A resource version: comparable as a number within one kind of one cluster since Kubernetes
/// 1.35 (KEP-5504). Zero is unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, serde::Serialize)]
pub struct Version(pub u64);

impl Version {
    /// A version from its text; `None` when it is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        text.parse().ok().map(Version)
    }
}

/// A watched kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the Kubernetes kind of that name")]
pub enum Kind {
    Node,
    Namespace,
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
    Autoscaler,
    Budget,
    Event,
    Service,
    Claim,
    Volume,
    StorageClass,
}

/// What Kubernetes calls a kind.
#[derive(Clone, Copy, Debug)]
pub struct KindNames {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The kind, as in manifests: `HorizontalPodAutoscaler`.
    pub kind: &'static str,
    /// The resource in paths: `horizontalpodautoscalers`.
    pub plural: &'static str,
    /// kubectl's short names: `hpa`.
    pub short: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Kind {
    /// Every watched kind, in the order in which lists are asked for: what the first screen
    /// needs comes first.
    pub const ALL: [Kind; 16] = [
        Kind::Node,
        Kind::Namespace,
        Kind::Pod,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::Job,
        Kind::CronJob,
        Kind::Autoscaler,
        Kind::Budget,
        Kind::Event,
        Kind::Service,
        Kind::Claim,
        Kind::Volume,
        Kind::StorageClass,
    ];

    /// How many kinds there are.
    pub const COUNT: usize = Kind::ALL.len();

    /// The place of this kind in [`Kind::ALL`] and in every table by kind.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What Kubernetes calls this kind.
    #[must_use]
    pub const fn names(self) -> KindNames {
        const fn names(
            group: &'static str,
            kind: &'static str,
            plural: &'static str,
            short: &'static [&'static str],
            namespaced: bool,
        ) -> KindNames {
            KindNames { group, kind, plural, short, namespaced }
        }
        match self {
            Kind::Node => names("", "Node", "nodes", &["no", "node"], false),
            Kind::Namespace => names("", "Namespace", "namespaces", &["ns", "namespace"], false),
            Kind::Pod => names("", "Pod", "pods", &["po", "pod"], true),
            Kind::Deployment => {
                names("apps", "Deployment", "deployments", &["deploy", "dp", "deployment"], true)
            }
            Kind::StatefulSet => names("apps", "StatefulSet", "statefulsets", &["sts", "statefulset"], true),
            Kind::DaemonSet => names("apps", "DaemonSet", "daemonsets", &["ds", "daemonset"], true),
            Kind::ReplicaSet => names("apps", "ReplicaSet", "replicasets", &["rs", "replicaset"], true),
            Kind::Job => names("batch", "Job", "jobs", &["job"], true),
            Kind::CronJob => names("batch", "CronJob", "cronjobs", &["cj", "cronjob"], true),
            Kind::Autoscaler => names(
                "autoscaling",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
                &["hpa", "horizontalpodautoscaler"],
                true,
            ),
            Kind::Budget => names(
                "policy",
                "PodDisruptionBudget",
                "poddisruptionbudgets",
                &["pdb", "poddisruptionbudget"],
                true,
            ),
            Kind::Event => names("", "Event", "events", &["ev", "event"], true),
            Kind::Service => names("", "Service", "services", &["svc", "service"], true),
            Kind::Claim => names(
                "",
                "PersistentVolumeClaim",
                "persistentvolumeclaims",
                &["pvc", "persistentvolumeclaim"],
                true,
            ),
            Kind::Volume => {
                names("", "PersistentVolume", "persistentvolumes", &["pv", "persistentvolume"], false)
            }
            Kind::StorageClass => {
                names("storage.k8s.io", "StorageClass", "storageclasses", &["sc", "storageclass"], false)
            }
        }
    }

    /// The kind of this Kubernetes name: `Pod`, `HorizontalPodAutoscaler`.
    #[must_use]
    pub fn by_kind(kind: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.names().kind == kind)
    }

    /// The kind that a person asks for: its plural, its kind in any case, or a short name.
    #[must_use]
    pub fn by_any_name(name: &str) -> Option<Kind> {
        let name = name.to_ascii_lowercase();
        Kind::ALL.into_iter().find(|k| {
            let names = k.names();
            names.plural == name || names.short.contains(&name.as_str())
        })
    }

    /// Kinds that own replicas of a pod: what people call a workload.
    #[must_use]
    pub const fn is_workload(self) -> bool {
        matches!(self, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet)
    }
}

/// One object, for ever: selection, marks, plans and the journal hold this, never a row number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct ObjectKey {
    /// The cluster it lives in.
    pub cluster: ClusterId,
    /// What it is.
    pub kind: Kind,
    /// Its namespace; empty when its kind has none.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// The uid that tells it from an earlier object of the same name.
    pub uid: Uid,
}

impl ObjectKey {
    /// `namespace/name`, or the name alone.
    #[must_use]
    pub fn path(&self) -> String {
        if self.namespace.is_empty() {
            self.name.to_string()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_keep_what_they_were() {
        let text = "8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60";
        assert_eq!(Uid::parse(text).wire().as_deref(), Some(text));
        let odd = Uid::parse("node-1");
        assert_eq!(odd.wire(), None);
        assert_ne!(odd, Uid::parse("node-2"));
        assert!(Uid::default().is_none());
    }

    #[test]
    fn kinds_are_found_by_any_name() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
            assert_eq!(Kind::by_kind(kind.names().kind), Some(kind));
            assert_eq!(Kind::by_any_name(kind.names().plural), Some(kind));
        }
        assert_eq!(Kind::by_any_name("HPA"), Some(Kind::Autoscaler));
        assert_eq!(Kind::by_any_name("secret"), None);
    }
}
