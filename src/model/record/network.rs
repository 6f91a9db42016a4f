//! The records of namespaces and services.

use super::Pool;
use crate::model::{Labels, Meta, Text};

/// A namespace.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Namespace {
    /// What every object has.
    pub meta: Meta,
    /// Whether it is being removed: phase `Terminating`.
    pub terminating: bool,
}

/// A service.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize)]
pub struct Service {
    /// What every object has.
    pub meta: Meta,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
    pub class: Text,
    /// Which pods answer; empty when something else fills its endpoints.
    pub selector: Labels,
    /// Its address in the cluster.
    pub cluster_ip: Text,
    /// Its ports: `80/TCP`, `443:30443/TCP`.
    pub ports: Box<[Text]>,
    /// Addresses of its load balancer.
    pub addresses: Box<[Text]>,
}

impl Service {
    pub(super) fn share(&mut self, pool: &mut dyn Pool) {
        pool.text(&mut self.class);
        pool.labels(&mut self.selector);
        for port in &mut self.ports {
            pool.text(port);
        }
    }
}
