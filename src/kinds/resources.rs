//! What containers ask for and nodes offer.
//!
//! A pod's effective request is computed as the scheduler does
//! (`k8s.io/component-helpers/resource/helpers.go` `PodRequests` with status resources, and
//! KEP-753 for sidecars): the larger of all main containers and of each init container with the
//! sidecars before it, sidecars always, pod-level requests in place of both where given, and the
//! overhead.

use super::wire::{Map, Quantity, Str, wire};
use crate::model::Resources;
use crate::model::quantity::{parse_milli, parse_units};

/// Amounts by resource name.
pub type Amounts<'a> = Map<'a, Quantity<'a>>;

wire! {
    /// What is asked for.
    pub struct Requirements<'a> {
        2 "requests" requests: Amounts<'a>,
    }

    /// A container as far as its image and its requests.
    pub struct Container<'a> {
        1 "name" name: Str<'a>,
        2 "image" image: Str<'a>,
        8 "resources" resources: Requirements<'a>,
        24 "restartPolicy" restart_policy: Option<Str<'a>>,
    }

    /// The template of a workload's pods.
    pub struct Template<'a> {
        2 "spec" spec: TemplateSpec<'a>,
    }

    /// The part of a pod's spec that says what it runs and asks for.
    pub struct TemplateSpec<'a> {
        2 "containers" containers: Vec<Container<'a>>,
        20 "initContainers" init_containers: Vec<Container<'a>>,
        32 "overhead" overhead: Amounts<'a>,
        40 "resources" resources: Option<Requirements<'a>>,
    }
}

impl Container<'_> {
    /// Whether it is an init container that stays: a sidecar (KEP-753).
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_ref().is_some_and(|policy| *policy == "Always")
    }
}

/// The amounts that are kept: CPU, memory, GPUs of any vendor, pods.
pub(super) fn amounts(map: &Amounts<'_>) -> Resources {
    let mut sum = Resources::ZERO;
    for (name, amount) in map.iter() {
        let units = || parse_units(amount.as_str()).unwrap_or(0);
        match name {
            "cpu" => sum.cpu = parse_milli(amount.as_str()).unwrap_or(0),
            "memory" => sum.memory = units(),
            "pods" => sum.pods = units(),
            "nvidia.com/gpu" | "amd.com/gpu" => sum.gpus = sum.gpus.saturating_add(units()),
            _ if name.starts_with("gpu.intel.com/") => sum.gpus = sum.gpus.saturating_add(units()),
            _ => {}
        }
    }
    sum
}

/// One amount in whole units, such as the bytes of `storage`.
pub(super) fn units(map: &Amounts<'_>, name: &str) -> Option<i64> {
    parse_units(map.get(name)?.as_str())
}

/// What a pod of this spec asks for. `of` says what one container does, which differs from its
/// spec while a resize is under way.
pub(super) fn effective<'s, 'a: 's>(
    containers: &'s [Container<'a>],
    init_containers: &'s [Container<'a>],
    overhead: &Amounts<'_>,
    pod_level: Option<&Requirements<'_>>,
    of: impl Fn(&'s Container<'a>) -> Resources,
) -> Resources {
    let mut sum = containers.iter().fold(Resources::ZERO, |sum, container| sum + of(container));
    let (mut sidecars, mut init) = (Resources::ZERO, Resources::ZERO);
    for container in init_containers {
        let own = of(container);
        let at_that_time = sidecars + own;
        init = init.max(at_that_time);
        if container.is_sidecar() {
            sum += own;
            sidecars = at_that_time;
        }
    }
    sum = sum.max(init);
    if let Some(Requirements { requests }) = pod_level {
        let given = amounts(requests);
        sum.cpu = if requests.get("cpu").is_some() { given.cpu } else { sum.cpu };
        sum.memory = if requests.get("memory").is_some() { given.memory } else { sum.memory };
    }
    Resources { pods: 1, ..sum + amounts(overhead) }
}

impl TemplateSpec<'_> {
    /// What one pod of the template asks for.
    pub fn requests(&self) -> Resources {
        effective(
            &self.containers,
            &self.init_containers,
            &self.overhead,
            self.resources.as_ref(),
            |container| amounts(&container.resources.requests),
        )
    }

    /// What the template runs: its main containers, then its sidecars.
    pub fn images(&self) -> Box<[crate::model::Image]> {
        let sidecars = self.init_containers.iter().filter(|container| container.is_sidecar());
        let image = |container: &Container<'_>| crate::model::Image {
            container: super::meta::text(&container.name),
            image: super::meta::text(&container.image),
        };
        self.containers.iter().chain(sidecars).map(image).collect()
    }
}
