//! The watched kinds: what of each object is read, from which field of which wire format, and
//! how it becomes a record.
//!
//! One file per kind declares the fields that its record needs (see [`wire`]) and makes the
//! record. [`ALL`] says which versions of which kind can be read, and how: whoever watches needs
//! nothing else, and the embedded fleet writes what it serves with [`to_protobuf`].
//!
//! To add a kind: a file with its slim object and `Watched`, a variant of [`Kind`] and of
//! [`Record`], and a line in [`ALL`].

pub mod autoscaler;
pub mod budget;
pub mod claim;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod discovery;
pub mod event;
pub mod job;
mod list;
mod manager;
pub mod meta;
pub mod metrics;
pub mod namespace;
pub mod node;
pub mod pod;
mod read;
mod recent;
pub mod replica_set;
pub mod resources;
pub mod service;
pub mod stateful_set;
pub mod storage_class;
pub mod volume;
pub mod wire;

pub use list::RecordList;

use crate::model::{Kind, Record};
use read::Family;
use wire::{First, Format, WatchEvent, WireError};

/// A watched kind, and the versions of it that can be read.
#[derive(Debug)]
pub struct KindDecl {
    /// The kind.
    pub kind: Kind,
    /// The versions, the one to be preferred first.
    pub versions: &'static [VersionDecl],
}

/// One version of a kind, and how its objects are read. The numbers of protobuf fields belong to
/// this version and no other.
#[derive(Debug)]
pub struct VersionDecl {
    /// The kind.
    pub kind: Kind,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version in the group.
    pub version: &'static str,
    item: fn(&[u8]) -> Result<Record, WireError>,
    object: fn(Format, &[u8]) -> Result<Record, WireError>,
    first: ReadFirst,
    event: for<'a> fn(Format, &'a [u8]) -> Result<WatchEvent<'a, Record>, WireError>,
    to_protobuf: fn(&[u8]) -> Result<Vec<u8>, WireError>,
}

type ReadFirst = fn(&[u8]) -> Result<Option<First<Record>>, WireError>;

macro_rules! kinds {
    ($( $kind:ident: $( $group:literal $version:literal $object:path ),+; )*) => {
        /// Every watched kind, in the order of [`Kind::ALL`].
        pub static ALL: [KindDecl; Kind::COUNT] = [$(
            KindDecl {
                kind: Kind::$kind,
                versions: &[$({
                    enum Of {}
                    impl Family for Of {
                        type Object<'a> = $object;
                    }
                    VersionDecl::of::<Of>(Kind::$kind, $group, $version)
                }),+],
            },
        )*];
    };
}

kinds! {
    Node: "" "v1" node::Node<'a>;
    Namespace: "" "v1" namespace::Namespace<'a>;
    Pod: "" "v1" pod::Pod<'a>;
    Deployment: "apps" "v1" deployment::Deployment<'a>;
    StatefulSet: "apps" "v1" stateful_set::StatefulSet<'a>;
    DaemonSet: "apps" "v1" daemon_set::DaemonSet<'a>;
    ReplicaSet: "apps" "v1" replica_set::ReplicaSet<'a>;
    Job: "batch" "v1" job::Job<'a>;
    CronJob: "batch" "v1" cron_job::CronJob<'a>;
    Autoscaler: "autoscaling" "v2" autoscaler::Autoscaler<'a>;
    Budget: "policy" "v1" budget::Budget<'a>;
    // one storage, two views of it: core/v1 shows everything that the other one does
    Event: "" "v1" event::Event<'a>, "events.k8s.io" "v1" event::NewEvent<'a>;
    Service: "" "v1" service::Service<'a>;
    Claim: "" "v1" claim::Claim<'a>;
    Volume: "" "v1" volume::Volume<'a>;
    StorageClass: "storage.k8s.io" "v1" storage_class::StorageClass<'a>;
}

/// The declaration of a kind.
pub fn of(kind: Kind) -> &'static KindDecl {
    &ALL[kind.index()]
}

/// Turns an object's JSON into a protobuf body of the preferred version: the envelope, and in it
/// the fields that are declared. What is not declared is left out.
pub fn to_protobuf(kind: Kind, json: &[u8]) -> Result<Vec<u8>, WireError> {
    let version = of(kind).preferred();
    let object = version.item_to_protobuf(json)?;
    Ok(wire::enveloped(&version.api_version(), kind.names().kind, |out| out.extend_from_slice(&object)))
}

impl KindDecl {
    /// The version to be read when the server serves all of them.
    pub fn preferred(&self) -> &'static VersionDecl {
        &self.versions[0]
    }
}

impl VersionDecl {
    const fn of<F: Family>(kind: Kind, group: &'static str, version: &'static str) -> Self {
        Self {
            kind,
            group,
            version,
            item: read::item::<F>,
            object: read::object::<F>,
            first: read::first::<F>,
            event: read::event::<F>,
            to_protobuf: read::to_protobuf::<F>,
        }
    }

    /// As manifests have it: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The path of the collection of all namespaces: `/apis/apps/v1/deployments`.
    pub fn path(&self) -> String {
        let prefix = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{prefix}/{}/{}", self.api_version(), self.kind.names().plural)
    }

    /// The path of one namespace's part of the collection; of the whole one for kinds that have
    /// no namespace.
    pub fn path_in(&self, namespace: &str) -> String {
        if !self.kind.names().namespaced {
            return self.path();
        }
        let prefix = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{prefix}/{}/namespaces/{namespace}/{}", self.api_version(), self.kind.names().plural)
    }

    /// Reads one item of a protobuf list, as [`wire::ListDecoder`] hands it out.
    pub fn item(&self, item: &[u8]) -> Result<Record, WireError> {
        (self.item)(item)
    }

    /// Reads the body of a single object.
    pub fn object(&self, format: Format, body: &[u8]) -> Result<Record, WireError> {
        (self.object)(format, body)
    }

    /// Reads the item that stands first in the rest of a JSON list; `None` when its end is not
    /// there. See [`wire::first_item`].
    pub fn first(&self, bytes: &[u8]) -> Result<Option<First<Record>>, WireError> {
        (self.first)(bytes)
    }

    /// Reads one frame of a watch, as [`wire::Frames`] cuts it.
    pub fn event<'a>(&self, format: Format, frame: &'a [u8]) -> Result<WatchEvent<'a, Record>, WireError> {
        (self.event)(format, frame)
    }

    /// Turns an object's JSON into a bare protobuf message of the declared fields, such as an
    /// item of [`wire::write_list`].
    pub fn item_to_protobuf(&self, json: &[u8]) -> Result<Vec<u8>, WireError> {
        (self.to_protobuf)(json)
    }
}

#[cfg(test)]
mod tests;
