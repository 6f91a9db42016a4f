//! The records of claims, volumes and storage classes.

use super::Pool;
use crate::model::{Meta, Text};

/// A persistent volume claim.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Claim {
    /// What every object has.
    pub meta: Meta,
    /// `Pending`, `Bound`, `Lost`.
    pub phase: Text,
    /// The volume that it is bound to.
    pub volume: Text,
    /// Its storage class.
    pub class: Text,
    /// Bytes it has, or asks for while it has none.
    pub size: i64,
    /// `ReadWriteOnce`, …
    pub modes: Box<[Text]>,
}

/// A persistent volume.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Volume {
    /// What every object has.
    pub meta: Meta,
    /// `Available`, `Bound`, `Released`, `Failed`.
    pub phase: Text,
    /// Its storage class.
    pub class: Text,
    /// Bytes.
    pub size: i64,
    /// The namespace of the claim that holds it.
    pub claim_namespace: Text,
    /// The claim that holds it.
    pub claim: Text,
    /// `Delete`, `Retain`.
    pub reclaim: Text,
    /// The zones that its node affinity allows; empty when any.
    pub zones: Box<[Text]>,
    /// Who serves it: a CSI driver's name.
    pub driver: Text,
}

/// A storage class.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct StorageClass {
    /// What every object has.
    pub meta: Meta,
    /// Who makes its volumes.
    pub provisioner: Text,
    /// `Delete`, `Retain`.
    pub reclaim: Text,
    /// `Immediate`, `WaitForFirstConsumer`.
    pub binding: Text,
    /// Whether claims without a class get it.
    pub is_default: bool,
    /// The kind of disk: parameter `type` (`gp3`, `pd-ssd`) or `skuName`.
    pub disk: Text,
}

impl Claim {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.text(&mut self.phase);
        pool.text(&mut self.class);
        for mode in &mut self.modes {
            pool.text(mode);
        }
    }
}

impl Volume {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        for text in
            [&mut self.phase, &mut self.class, &mut self.claim_namespace, &mut self.reclaim, &mut self.driver]
        {
            pool.text(text);
        }
        for zone in &mut self.zones {
            pool.text(zone);
        }
    }
}
