//! Deltas: everything that watches tell the store.

use std::sync::Arc;

use super::{Badge, ClusterId, Kind, Link, Login, Record, Served, Span, Text, Time, Uid, Usage, Version};

/// One change of what is known of one cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Delta {
    /// The cluster that it is about.
    pub cluster: ClusterId,
    /// When it was heard.
    pub at: Time,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The health of the cluster's connection.
    Link(Link),
    /// What the server says of itself after a connection was made.
    Server {
        /// `v1.36.3-eks-…`
        version: Text,
        /// Which cluster it is ([`super::Cluster::identity`]).
        identity: Option<Uid>,
        /// What it serves of what we declare.
        served: Box<Served>,
        /// What is peculiar about this connection.
        badges: Vec<Badge>,
    },
    /// The state of our credentials there.
    Login(Login),
    /// The health of one watch.
    KindLink(Kind, Link),
    /// A list begins: what follows in [`Change::Page`]s is kept aside until [`Change::Synced`].
    Begin(Kind),
    /// A part of a list.
    Page(Kind, Vec<Record>),
    /// The list that was coming in failed: what came of it is void, and what was there stays.
    Void(Kind),
    /// The list is complete at this version: it takes the place of what was there.
    Synced(Kind, Version),
    /// An object is new or changed.
    Upsert(Arc<Record>),
    /// An object is gone. The version is that of its removal.
    Gone(Kind, Uid, Version),
    /// Nothing changed up to this version: a bookmark.
    Bookmark(Kind, Version),
    /// What nodes and pods use, by metrics.k8s.io; replaces the last answer.
    Usage(Box<Usage>),
    /// How long the server takes to begin its answers: of the last ones, nineteen of twenty take no
    /// longer. It is told when it changed.
    Latency(Span),
    /// Objects of this kind that could not be read and were left out, so far.
    Unreadable(Kind, u64),
    /// A step of an audit: what the server lists is compared with what is here.
    Audit(Kind, Audit),
    /// It is another cluster, or an older state of it: everything known of it is void.
    Reset,
}

/// A step of an audit of one kind. Unlike a list, an audit takes its time, a page now and then,
/// beside the watch; what it finds wrong is put right and counted.
#[derive(Clone, PartialEq, Debug)]
pub enum Audit {
    /// It begins; one that was under way is void.
    Begin,
    /// Objects that the server lists, all as of one version.
    Page(Vec<Record>),
    /// These were all, as of this version.
    End(Version),
    /// Whatever happened up to this version has come over the watch, though it said nothing of it.
    Reached(Version),
    /// It could not be finished.
    Void,
}
