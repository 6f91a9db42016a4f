//! Pods (`k8s.io/api/core/v1/generated.proto`).

use super::meta::{Condition, ObjectMeta, count, text, time};
use super::read::Watched;
use super::resources::{Amounts, Container, Requirements, amounts, effective};
use super::wire::{Present, Str, Time, wire};
use crate::model::{self, ContainerState, Phase, Record, Resources, Text, Traits};

wire! {
    /// A pod.
    pub struct Pod<'a> {
        1 "metadata" metadata: ObjectMeta<'a>,
        2 "spec" spec: PodSpec<'a>,
        3 "status" status: PodStatus<'a>,
    }

    /// What a pod should be.
    pub struct PodSpec<'a> {
        1 "volumes" volumes: Vec<Volume<'a>>,
        2 "containers" containers: Vec<Container<'a>>,
        4 "terminationGracePeriodSeconds" grace_seconds: Option<i64>,
        10 "nodeName" node_name: Str<'a>,
        20 "initContainers" init_containers: Vec<Container<'a>>,
        32 "overhead" overhead: Amounts<'a>,
        40 "resources" resources: Option<Requirements<'a>>,
    }

    /// A volume of a pod.
    pub struct Volume<'a> {
        1 "name" name: Str<'a>,
        2 inline source: VolumeSource<'a>,
    }

    /// Where a volume comes from, as far as drain asks.
    pub struct VolumeSource<'a> {
        2 "emptyDir" empty_dir: Present,
        10 "persistentVolumeClaim" claim: Option<ClaimSource<'a>>,
        29 "ephemeral" ephemeral: Present,
    }

    /// A claim by name.
    pub struct ClaimSource<'a> {
        1 "claimName" name: Str<'a>,
    }

    /// What a pod is.
    pub struct PodStatus<'a> {
        1 "phase" phase: Str<'a>,
        2 "conditions" conditions: Vec<Condition<'a>>,
        3 "message" message: Str<'a>,
        4 "reason" reason: Str<'a>,
        7 "startTime" started: Time,
        8 "containerStatuses" containers: Vec<ContainerStatus<'a>>,
        10 "initContainerStatuses" init_containers: Vec<ContainerStatus<'a>>,
    }

    /// What a container is.
    pub struct ContainerStatus<'a> {
        1 "name" name: Str<'a>,
        2 "state" state: State<'a>,
        3 "lastState" last_state: State<'a>,
        4 "ready" ready: bool,
        5 "restartCount" restarts: i32,
        10 "allocatedResources" allocated: Amounts<'a>,
        11 "resources" resources: Option<Requirements<'a>>,
    }

    /// What a container does: one of the three.
    pub struct State<'a> {
        1 "waiting" waiting: Option<Waiting<'a>>,
        2 "running" running: Option<Running>,
        3 "terminated" terminated: Option<Terminated<'a>>,
    }

    /// It has not started.
    pub struct Waiting<'a> {
        1 "reason" reason: Str<'a>,
        2 "message" message: Str<'a>,
    }

    /// It runs.
    pub struct Running {
        1 "startedAt" since: Time,
    }

    /// It ended.
    pub struct Terminated<'a> {
        1 "exitCode" exit_code: i32,
        3 "reason" reason: Str<'a>,
        4 "message" message: Str<'a>,
        6 "finishedAt" at: Time,
    }
}

impl<'a> Watched<'a> for Pod<'a> {
    fn metadata(&self) -> &ObjectMeta<'a> {
        &self.metadata
    }

    fn record(&self) -> Record {
        let status = &self.status;
        let ready = self.condition("Ready");
        let scheduled = self.condition("PodScheduled");
        let disrupted = self.condition("DisruptionTarget").filter(|c| c.status == "True");
        let unscheduled = scheduled.filter(|c| c.status == "False");
        let (reason, message) = match (status.reason.is_empty(), unscheduled) {
            (true, Some(waiting)) => (&waiting.reason, &waiting.message),
            _ => (&status.reason, &status.message),
        };
        let grace_seconds = self.spec.grace_seconds.unwrap_or(30); // core/v1: the default
        Record::Pod(model::Pod {
            meta: self.metadata.record(),
            node: text(&self.spec.node_name),
            phase: Phase::parse(&status.phase),
            ready: ready.is_some_and(|c| c.status == "True"),
            ready_since: ready.and_then(|c| time(c.since)),
            scheduled: scheduled.filter(|c| c.status == "True").and_then(|c| time(c.since)),
            reason: text(reason),
            message: text(message),
            started: time(status.started),
            requests: self.requests(),
            containers: self.containers(),
            traits: self.traits(),
            claims: self.claims(),
            grace_seconds: u32::try_from(grace_seconds.max(0)).unwrap_or(u32::MAX),
            disruption: disrupted.map_or(Text::EMPTY, |c| text(&c.reason)),
        })
    }
}

impl<'a> Pod<'a> {
    fn condition(&self, kind: &str) -> Option<&Condition<'a>> {
        self.status.conditions.iter().find(|c| c.kind == kind)
    }

    fn status_of(&self, container: &Container<'_>) -> Option<&ContainerStatus<'a>> {
        let status = &self.status;
        let mut all = status.containers.iter().chain(&status.init_containers);
        all.find(|status| status.name == *container.name)
    }

    /// What the pod asks for, as the scheduler counts.
    pub fn requests(&self) -> Resources {
        let refused =
            self.condition("PodResizePending").is_some_and(|pending| pending.reason == "Infeasible");
        let spec = &self.spec;
        effective(
            &spec.containers,
            &spec.init_containers,
            &spec.overhead,
            spec.resources.as_ref(),
            |container| {
                let wanted = &container.resources.requests;
                let status = self.status_of(container).filter(|status| status.differs_from(wanted));
                match status.and_then(|status| Some((status, status.resources.as_ref()?))) {
                    None => amounts(wanted),
                    // a resize is under way: the node still holds the old amount, or already the new
                    Some((status, actual)) => {
                        let held = amounts(&actual.requests).max(amounts(&status.allocated));
                        if refused { held } else { held.max(amounts(wanted)) }
                    }
                }
            },
        )
    }

    /// Init containers first, as they run first.
    fn containers(&self) -> Box<[model::Container]> {
        let init = self.spec.init_containers.iter().map(|container| (container, true));
        let main = self.spec.containers.iter().map(|container| (container, false));
        init.chain(main).map(|(container, init)| self.container(container, init)).collect()
    }

    fn container(&self, container: &Container<'_>, init: bool) -> model::Container {
        let mut record = model::Container {
            name: text(&container.name),
            image: text(&container.image),
            init,
            ..model::Container::default()
        };
        if let Some(status) = self.status_of(container) {
            record.ready = status.ready;
            record.restarts = count(status.restarts);
            status.fill(&mut record);
        }
        record
    }

    fn traits(&self) -> Traits {
        let meta = &self.metadata;
        Traits {
            mirror: meta.annotations.get("kubernetes.io/config.mirror").is_some(),
            empty_dir: self.spec.volumes.iter().any(|volume| volume.source.empty_dir.0),
            do_not_disrupt: meta.annotated("karpenter.sh/do-not-disrupt", "true"),
            not_safe_to_evict: meta.annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
        }
    }

    fn claims(&self) -> Box<[Text]> {
        let pod = &self.metadata.name;
        let claim = |volume: &Volume<'_>| match &volume.source {
            VolumeSource { claim: Some(claim), .. } => Some(text(&claim.name)),
            // the claim of a generic ephemeral volume is named so (KEP-1698)
            VolumeSource { ephemeral: Present(true), .. } => {
                Some(Text::from(format!("{pod}-{}", volume.name)))
            }
            _ => None,
        };
        self.spec.volumes.iter().filter_map(claim).collect()
    }
}

impl ContainerStatus<'_> {
    /// Whether the kubelet holds other amounts than the spec wants: rarely, so that most
    /// containers' amounts are read once.
    fn differs_from(&self, wanted: &Amounts<'_>) -> bool {
        let actual = self.resources.as_ref().is_some_and(|actual| actual.requests != *wanted);
        actual || (!self.allocated.is_empty() && self.allocated != *wanted)
    }

    fn fill(&self, record: &mut model::Container) {
        let mut ended = self.last_state.terminated.as_ref();
        match &self.state {
            State { running: Some(running), .. } => {
                record.state = ContainerState::Running;
                record.since = time(running.since);
            }
            State { terminated: Some(terminated), .. } => {
                record.state = ContainerState::Terminated;
                record.reason = text(&terminated.reason);
                record.message = text(&terminated.message);
                record.since = time(terminated.at);
                ended = Some(terminated);
            }
            State { waiting: Some(waiting), .. } => {
                record.reason = text(&waiting.reason);
                record.message = text(&waiting.message);
            }
            State { .. } => {} // core/v1: none given means waiting
        }
        if let Some(ended) = ended {
            record.last_reason = text(&ended.reason);
            record.last_exit = ended.exit_code;
            record.last_ended = time(ended.at);
        }
    }
}
