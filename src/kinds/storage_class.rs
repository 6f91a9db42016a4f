//! Storage classes (`k8s.io/api/storage/v1/generated.proto`).

use super::meta::{ObjectMeta, optional, text};
use super::read::Watched;
use super::wire::{Map, Str, wire};
use crate::model::{self, Record, Text};

wire! {
    /// A storage class.
    pub struct StorageClass<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "provisioner" provisioner: Str<'a>,
        3 "parameters" parameters: Map<'a, Str<'a>>,
        4 "reclaimPolicy" reclaim: Option<Str<'a>>,
        7 "volumeBindingMode" binding: Option<Str<'a>>,
    }
}

impl<'a> Watched<'a> for StorageClass<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let parameter = |key| self.parameters.get(key);
        let disk = parameter("type").or_else(|| parameter("skuName")).or_else(|| parameter("skuname"));
        let is_default = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        Record::StorageClass(model::StorageClass {
            meta: self.metadata.record(),
            provisioner: text(&self.provisioner),
            reclaim: optional(self.reclaim.as_ref()),
            binding: optional(self.binding.as_ref()),
            is_default: is_default.iter().any(|key| self.metadata.annotated(key, "true")),
            disk: disk.map_or(Text::EMPTY, |disk| text(disk)),
        })
    }
}
