//! Services (`k8s.io/api/core/v1/generated.proto`).

use super::meta::{ObjectMeta, labels, text};
use super::read::Watched;
use super::wire::{Map, Str, wire};
use crate::model::{self, Record, Text};

wire! {
    /// A service.
    pub struct Service<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: ServiceSpec<'a>,
        3 "status" status: ServiceStatus<'a>,
    }

    /// What a service should be.
    pub struct ServiceSpec<'a> {
        1 "ports" ports: Vec<Port<'a>>,
        2 "selector" selector: Map<'a, Str<'a>>,
        3 "clusterIP" cluster_ip: Str<'a>,
        4 "type" class: Str<'a>,
    }

    /// A port of a service.
    pub struct Port<'a> {
        2 "protocol" protocol: Str<'a>,
        3 "port" port: i32,
        5 "nodePort" node_port: i32,
    }

    /// What a service is.
    pub struct ServiceStatus<'a> {
        1 "loadBalancer" load_balancer: LoadBalancer<'a>,
    }

    /// The load balancer of a service.
    pub struct LoadBalancer<'a> {
        1 "ingress" ingress: Vec<Ingress<'a>>,
    }

    /// One address of a load balancer.
    pub struct Ingress<'a> {
        1 "ip" ip: Str<'a>,
        2 "hostname" hostname: Str<'a>,
    }
}

impl<'a> Watched<'a> for Service<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let spec = &self.spec;
        let addresses = self.status.load_balancer.ingress.iter();
        Record::Service(model::Service {
            meta: self.metadata.record(),
            class: text(&spec.class),
            selector: labels(&spec.selector),
            cluster_ip: text(&spec.cluster_ip),
            ports: spec.ports.iter().map(Port::record).collect(),
            addresses: addresses.map(|i| text(i.ip.non_empty().unwrap_or(&i.hostname))).collect(),
        })
    }
}

impl Port<'_> {
    fn record(&self) -> Text {
        let protocol = self.protocol.non_empty().unwrap_or("TCP");
        Text::from(match self.node_port {
            0 => format!("{}/{protocol}", self.port),
            node_port => format!("{}:{node_port}/{protocol}", self.port),
        })
    }
}
