//! Persistent volume claims (`k8s.io/api/core/v1/generated.proto`).

use super::meta::{ObjectMeta, optional, text};
use super::read::Watched;
use super::resources::{Amounts, Requirements, units};
use super::wire::{Str, wire};
use crate::model::{self, Record};

wire! {
    /// A persistent volume claim.
    pub struct Claim<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: ClaimSpec<'a>,
        3 "status" status: ClaimStatus<'a>,
    }

    /// What a claim asks for.
    pub struct ClaimSpec<'a> {
        1 "accessModes" modes: Vec<Str<'a>>,
        2 "resources" resources: Requirements<'a>,
        3 "volumeName" volume: Str<'a>,
        5 "storageClassName" class: Option<Str<'a>>,
    }

    /// What a claim got.
    pub struct ClaimStatus<'a> {
        1 "phase" phase: Str<'a>,
        3 "capacity" capacity: Amounts<'a>,
    }
}

impl<'a> Watched<'a> for Claim<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let (spec, status) = (&self.spec, &self.status);
        let size = units(&status.capacity, "storage").or_else(|| units(&spec.resources.requests, "storage"));
        Record::Claim(model::Claim {
            meta: self.metadata.record(),
            phase: text(&status.phase),
            volume: text(&spec.volume),
            class: optional(spec.class.as_ref()),
            size: size.unwrap_or(0),
            modes: spec.modes.iter().map(|mode| text(mode)).collect(),
        })
    }
}
