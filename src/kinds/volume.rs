//! Persistent volumes (`k8s.io/api/core/v1/generated.proto`).

use super::meta::{ObjectMeta, Requirement, text};
use super::read::Watched;
use super::resources::{Amounts, units};
use super::wire::{Present, Str, wire};
use crate::model::{self, Record, Text};

wire! {
    /// A persistent volume.
    pub struct Volume<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: VolumeSpec<'a>,
        3 "status" status: VolumeStatus<'a>,
    }

    /// What a volume is made of.
    pub struct VolumeSpec<'a> {
        1 "capacity" capacity: Amounts<'a>,
        2 inline source: VolumeSource<'a>,
        4 "claimRef" claim: Option<ClaimReference<'a>>,
        5 "persistentVolumeReclaimPolicy" reclaim: Str<'a>,
        6 "storageClassName" class: Str<'a>,
        9 "nodeAffinity" affinity: Option<Affinity<'a>>,
    }

    /// Who serves a volume: a CSI driver, or one of those that were once built in.
    pub struct VolumeSource<'a> {
        1 "gcePersistentDisk" gce_disk: Present,
        2 "awsElasticBlockStore" aws_disk: Present,
        3 "hostPath" host_path: Present,
        5 "nfs" nfs: Present,
        7 "iscsi" iscsi: Present,
        13 "azureFile" azure_file: Present,
        14 "vsphereVolume" vsphere: Present,
        16 "azureDisk" azure_disk: Present,
        20 "local" local: Present,
        22 "csi" csi: Option<Csi<'a>>,
    }

    /// A volume of a CSI driver.
    pub struct Csi<'a> {
        1 "driver" driver: Str<'a>,
    }

    /// The claim that holds a volume.
    pub struct ClaimReference<'a> {
        2 "namespace" namespace: Str<'a>,
        3 "name" name: Str<'a>,
    }

    /// Which nodes can reach a volume.
    pub struct Affinity<'a> {
        1 "required" required: Option<NodeSelector<'a>>,
    }

    /// Nodes: those of any of the terms.
    pub struct NodeSelector<'a> {
        1 "nodeSelectorTerms" terms: Vec<NodeSelectorTerm<'a>>,
    }

    /// Nodes: those that meet all of the requirements.
    pub struct NodeSelectorTerm<'a> {
        1 "matchExpressions" expressions: Vec<Requirement<'a>>,
    }

    /// What a volume is.
    pub struct VolumeStatus<'a> {
        1 "phase" phase: Str<'a>,
    }
}

/// Keys by which drivers say which zones reach a volume.
const ZONES: [&str; 5] = [
    "topology.kubernetes.io/zone",
    "topology.gke.io/zone",
    "topology.ebs.csi.aws.com/zone",
    "topology.disk.csi.azure.com/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

impl<'a> Watched<'a> for Volume<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let spec = &self.spec;
        let claim = spec.claim.as_ref();
        Record::Volume(model::Volume {
            meta: self.metadata.record(),
            phase: text(&self.status.phase),
            class: text(&spec.class),
            size: units(&spec.capacity, "storage").unwrap_or(0),
            claim_namespace: claim.map_or(Text::EMPTY, |claim| text(&claim.namespace)),
            claim: claim.map_or(Text::EMPTY, |claim| text(&claim.name)),
            reclaim: text(&spec.reclaim),
            zones: self.zones(),
            driver: text(spec.source.driver()),
        })
    }
}

impl Volume<'_> {
    fn zones(&self) -> Box<[Text]> {
        let required = self.spec.affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
        let mut zones: Vec<Text> = required
            .into_iter()
            .flat_map(|required| &required.terms)
            .flat_map(|term| &term.expressions)
            .filter(|e| e.operator == "In" && ZONES.contains(&e.key.as_str()))
            // some drivers of Azure write an empty zone for disks that have none
            .flat_map(|e| e.values.iter().filter(|zone| !zone.is_empty()))
            .map(|zone| text(zone))
            .collect();
        zones.sort_unstable();
        zones.dedup();
        zones.into()
    }
}

impl VolumeSource<'_> {
    fn driver(&self) -> &str {
        let built_in = [
            (self.aws_disk, "kubernetes.io/aws-ebs"),
            (self.gce_disk, "kubernetes.io/gce-pd"),
            (self.azure_disk, "kubernetes.io/azure-disk"),
            (self.azure_file, "kubernetes.io/azure-file"),
            (self.vsphere, "kubernetes.io/vsphere-volume"),
            (self.nfs, "nfs"),
            (self.iscsi, "iscsi"),
            (self.local, "local"),
            (self.host_path, "hostPath"),
        ];
        match &self.csi {
            Some(csi) => &csi.driver,
            None => built_in.iter().find(|(present, _)| present.0).map_or("", |(_, name)| name),
        }
    }
}
