//! Namespaces (`k8s.io/api/core/v1/generated.proto`).

use super::meta::ObjectMeta;
use super::read::Watched;
use super::wire::{Str, wire};
use crate::model::{self, Record};

wire! {
    /// A namespace.
    pub struct Namespace<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        3 "status" status: NamespaceStatus<'a>,
    }

    /// What a namespace is.
    pub struct NamespaceStatus<'a> {
        1 "phase" phase: Str<'a>,
    }
}

impl<'a> Watched<'a> for Namespace<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        Record::Namespace(model::Namespace {
            meta: self.metadata.record(),
            terminating: self.status.phase == "Terminating",
        })
    }
}
