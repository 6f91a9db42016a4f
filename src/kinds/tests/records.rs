//! The rules by which objects become records.

use super::*;
use crate::model::{
    self, Amount, Capacity, ContainerState, Phase, Provider, Resources, Truth, UnhealthyPolicy,
};

/// Reads an object in both formats and gives its record.
fn read(kind: Kind, json: &str) -> Record {
    let version = of(kind).preferred();
    let record = version.object(Format::Json, json.as_bytes()).unwrap();
    let body = to_protobuf(kind, json.as_bytes()).unwrap();
    assert_eq!(version.object(Format::Protobuf, &body).unwrap(), record);
    record
}

fn pod(json: &str) -> model::Pod {
    match read(Kind::Pod, json) {
        Record::Pod(pod) => pod,
        other => panic!("{other:?}"),
    }
}

pub(super) const RUNNING: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pay-api-6c9f77-9k2vt",
  "namespace":"pay","uid":"8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60","resourceVersion":"918273",
  "creationTimestamp":"2026-11-20T08:30:00Z","labels":{"app":"pay","pod-template-hash":"6c9f77"},
  "annotations":{"cluster-autoscaler.kubernetes.io/safe-to-evict":"false","kubectl.kubernetes.io/x":"{\"a\":1}"},
  "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"pay-api-6c9f77",
    "uid":"7f14e45f-ceea-467f-a0e6-1b2c3d4e5f60","controller":true,"blockOwnerDeletion":true}],
  "managedFields":[{"manager":"x","fieldsV1":{"f:metadata":{"f:name":{}}}}]},
 "spec":{"nodeName":"ip-10-0-1-2","terminationGracePeriodSeconds":45,"overhead":{"cpu":"10m"},
  "volumes":[{"name":"cache","emptyDir":{"sizeLimit":"1Gi"}},
    {"name":"data","persistentVolumeClaim":{"claimName":"pay-data"}},
    {"name":"scratch","ephemeral":{"volumeClaimTemplate":{"spec":{}}}},
    {"name":"token","projected":{"sources":[]}}],
  "initContainers":[
    {"name":"migrate","image":"pay:7","resources":{"requests":{"cpu":"2","memory":"64Mi"}}},
    {"name":"mesh","image":"proxy:2","restartPolicy":"Always","resources":{"requests":{"cpu":"100m","memory":"32Mi"}}},
    {"name":"warm","image":"pay:7","resources":{"requests":{"cpu":"50m","memory":"1Gi"}}}],
  "containers":[{"name":"api","image":"pay:7","resources":{"requests":{"cpu":"500m","memory":"256Mi","nvidia.com/gpu":"1"},
    "limits":{"cpu":"1"}}}]},
 "status":{"phase":"Running","startTime":"2026-11-20T08:30:01Z","conditions":[
    {"type":"PodScheduled","status":"True","lastTransitionTime":"2026-11-20T08:30:01Z"},
    {"type":"Ready","status":"False","reason":"ContainersNotReady","lastTransitionTime":"2026-11-20T09:00:00Z"},
    {"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI"}],
  "initContainerStatuses":[{"name":"mesh","ready":true,"restartCount":0,"state":{"running":{"startedAt":"2026-11-20T08:30:05Z"}}}],
  "containerStatuses":[{"name":"api","ready":false,"restartCount":7,"image":"x",
    "state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 5m0s\u001b[2J"}},
    "lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","finishedAt":"2026-11-20T08:59:00Z"}}}]}}"#;

#[test]
fn a_pod_becomes_a_record() {
    let pod = pod(RUNNING);
    assert_eq!(pod.meta.name, "pay-api-6c9f77-9k2vt");
    assert_eq!(pod.meta.version, model::Version(918_273));
    assert_eq!(pod.meta.uid.to_string(), "8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60");
    assert_eq!(pod.meta.labels.pairs().len(), 2);
    assert_eq!(pod.meta.owner.as_ref().unwrap().kind, "ReplicaSet");
    assert_eq!(pod.node, "ip-10-0-1-2");
    assert_eq!((pod.phase, pod.ready, pod.grace_seconds), (Phase::Running, false, 45));
    assert_eq!(pod.scheduled.unwrap().rfc3339(), "2026-11-20T08:30:01Z");
    assert_eq!(pod.disruption, "EvictionByEvictionAPI");
    assert!(pod.traits.empty_dir && pod.traits.not_safe_to_evict && !pod.traits.mirror);
    assert_eq!(*pod.claims, ["pay-data".into(), model::Text::from("pay-api-6c9f77-9k2vt-scratch")]);
    let names: Vec<_> = pod.containers.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["migrate", "mesh", "warm", "api"]);
    let api = &pod.containers[3];
    assert_eq!((api.restarts, api.last_exit, api.last_reason.as_str()), (7, 137, "OOMKilled"));
    assert_eq!(api.state, ContainerState::Waiting);
    assert_eq!(api.message, "back-off 5m0s␛[2J");
    assert_eq!(pod.containers[1].state, ContainerState::Running);
    assert_eq!(pod.status(), "CrashLoopBackOff");
}

#[test]
fn requests_are_counted_as_the_scheduler_does() {
    // init: migrate 2 CPU before the sidecar; warm 1 GiB beside it; then main and sidecar
    let requests = pod(RUNNING).requests;
    let expected = Resources { cpu: 2010, memory: (1 << 30) + (32 << 20), gpus: 1, pods: 1 };
    assert_eq!(requests, expected);

    let of = |spec: &str, status: &str| {
        pod(&format!(r#"{{"metadata":{{"name":"p"}},"spec":{spec},"status":{status}}}"#)).requests.cpu
    };
    let spec = r#"{"containers":[{"name":"a","resources":{"requests":{"cpu":"2"}}}]}"#;
    let held = |rest: &str| {
        format!(
            r#"{{"containerStatuses":[{{"name":"a","allocatedResources":{{"cpu":"3"}},
            "resources":{{"requests":{{"cpu":"3"}}}}}}]{rest}}}"#
        )
    };
    assert_eq!(of(spec, "{}"), 2000);
    assert_eq!(of(spec, &held("")), 3000);
    let smaller = r#"{"containerStatuses":[{"name":"a","resources":{"requests":{"cpu":"1"}}}]}"#;
    assert_eq!(of(spec, smaller), 2000);
    let infeasible = r#"{"conditions":[{"type":"PodResizePending","status":"True","reason":"Infeasible"}],
        "containerStatuses":[{"name":"a","resources":{"requests":{"cpu":"1"}}}]}"#;
    assert_eq!(of(spec, infeasible), 1000);
    let pod_level = r#"{"resources":{"requests":{"cpu":"700m"}},"containers":[{"name":"a"}]}"#;
    assert_eq!(of(pod_level, "{}"), 700);
}

#[test]
fn a_pod_that_waits_says_why() {
    let pod = pod(r#"{"metadata":{"name":"p"},"spec":{"containers":null},"status":{"phase":"Pending",
        "conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable",
          "message":"0/3 nodes are available","lastTransitionTime":null}]}}"#);
    assert_eq!((pod.reason.as_str(), pod.scheduled), ("Unschedulable", None));
    assert_eq!(pod.message, "0/3 nodes are available");
    assert_eq!(pod.grace_seconds, 30);
}

#[test]
fn a_node_becomes_a_record() {
    let Record::Node(node) = read(
        Kind::Node,
        r#"{"metadata":{"name":"ip-10-0-1-2","labels":{"topology.kubernetes.io/region":"eu-west-1",
          "topology.kubernetes.io/zone":"eu-west-1a","node.kubernetes.io/instance-type":"g5.xlarge",
          "karpenter.sh/capacity-type":"spot","karpenter.sh/nodepool":"gpu","nvidia.com/gpu.product":"A10G"}},
        "spec":{"providerID":"aws:///eu-west-1a/i-1","unschedulable":true,
          "taints":[{"key":"node.kubernetes.io/unschedulable","effect":"NoSchedule","timeAdded":"2026-11-20T08:30:00Z"}]},
        "status":{"capacity":{"cpu":"4","memory":"16Gi","nvidia.com/gpu":"1","pods":"58"},
          "allocatable":{"cpu":"3920m","memory":"15Gi","nvidia.com/gpu":"1","pods":"58"},
          "conditions":[{"type":"DiskPressure","status":"True","reason":"KubeletHasDiskPressure",
            "lastTransitionTime":"2026-11-20T08:30:00Z"},
            {"type":"MemoryPressure","status":"False"},{"type":"StorageReady","status":"False","reason":"XFSSmallAverage"},
            {"type":"EtcdIsVoter","status":"True"},
            {"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","lastTransitionTime":"2026-11-20T08:31:00Z"}],
          "nodeInfo":{"kubeletVersion":"v1.36.1-eks-1","operatingSystem":"linux","architecture":"amd64"},
          "images":[{"names":["a"],"sizeBytes":1}]}}"#,
    ) else {
        panic!("not a node")
    };
    assert_eq!((node.identity.provider, node.identity.capacity), (Provider::Eks, Capacity::Spot));
    assert_eq!((node.identity.zone.as_str(), node.identity.pool.as_str()), ("eu-west-1a", "gpu"));
    assert_eq!(node.allocatable, Resources { cpu: 3920, memory: 15 << 30, gpus: 1, pods: 58 });
    assert!(node.unschedulable && node.tainted("node.kubernetes.io/unschedulable"));
    assert_eq!((node.ready, node.ready_reason.as_str()), (Truth::Unknown, "NodeStatusUnknown"));
    let troubles: Vec<_> = node.troubles.iter().map(|t| t.kind.as_str()).collect();
    assert_eq!(troubles, ["DiskPressure", "StorageReady"]);
    assert_eq!((node.gpu_model.as_str(), node.arch.as_str()), ("A10G", "amd64"));
}

#[test]
fn a_deployment_becomes_a_record() {
    let Record::Workload(workload) = read(
        Kind::Deployment,
        r#"{"metadata":{"name":"api","namespace":"pay","generation":4,
          "annotations":{"deployment.kubernetes.io/revision":"12",
            "argocd.argoproj.io/tracking-id":"pay-prod:apps/Deployment:pay/api"}},
        "spec":{"replicas":0,"paused":true,"selector":{"matchLabels":{"app":"pay"},
          "matchExpressions":[{"key":"tier","operator":"NotIn","values":["x"]}]},
          "template":{"spec":{"containers":[{"name":"api","image":"pay:7","resources":{"requests":{"cpu":"1"}}}]}}},
        "status":{"observedGeneration":3,"replicas":2,"conditions":[{"type":"Progressing","status":"False",
          "reason":"ProgressDeadlineExceeded","message":"m","lastUpdateTime":"2026-11-20T08:30:00Z",
          "lastTransitionTime":"2026-11-20T08:31:00Z"}]}}"#,
    ) else {
        panic!("not a workload")
    };
    assert_eq!((workload.desired, workload.current, workload.paused), (0, 2, true));
    assert!(workload.rolling() && workload.stuck());
    assert_eq!(workload.version(), "7");
    assert_eq!((workload.revision.as_str(), workload.requests.cpu), ("12", 1000));
    assert_eq!(workload.meta.manager.as_ref().unwrap().name, "pay-prod");
    assert_eq!(workload.conditions[0].since.unwrap().rfc3339(), "2026-11-20T08:31:00Z");
    assert!(!workload.selector.absent && workload.selector.expressions.len() == 1);
}

#[test]
fn budgets_and_their_selectors_keep_absent_and_empty_apart() {
    let budget = |spec: &str| match read(
        Kind::Budget,
        &format!(
            r#"{{"metadata":{{"name":"b","generation":2}},"spec":{spec},"status":{{"disruptionsAllowed":1}}}}"#
        ),
    ) {
        Record::Budget(budget) => budget,
        other => panic!("{other:?}"),
    };
    let some = budget(r#"{"minAvailable":"50%","selector":{},"unhealthyPodEvictionPolicy":"AlwaysAllow"}"#);
    assert_eq!((some.min_available.as_str(), some.max_unavailable.as_str()), ("50%", ""));
    assert_eq!((some.unhealthy, some.selector.absent), (UnhealthyPolicy::AlwaysAllow, false));
    assert_eq!((some.allowed, some.generation, some.observed), (1, 2, 0));
    let none = budget(r#"{"maxUnavailable":0}"#);
    assert_eq!((none.max_unavailable.as_str(), none.selector.absent), ("0", true));
}

#[test]
fn metrics_of_an_autoscaler_stand_beside_their_targets() {
    let Record::Autoscaler(autoscaler) = read(
        Kind::Autoscaler,
        r#"{"metadata":{"name":"api"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"api"},
          "maxReplicas":10,"metrics":[
          {"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}},
          {"type":"ContainerResource","containerResource":{"name":"memory","container":"api","target":{"type":"AverageValue","averageValue":"1Gi"}}},
          {"type":"External","external":{"metric":{"name":"queue"},"target":{"type":"Value","value":"30"}}}]},
        "status":{"currentReplicas":4,"desiredReplicas":8,"lastScaleTime":"2026-11-20T08:30:00Z","currentMetrics":[
          {"type":"External","external":{"metric":{"name":"queue"},"current":{"value":"61500m"}}},
          {"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":90,"averageValue":"450m"}}}],
          "conditions":[{"type":"ScalingLimited","status":"True","reason":"TooManyReplicas"}]}}"#,
    ) else {
        panic!("not an autoscaler")
    };
    let metrics: Vec<_> = autoscaler.metrics.iter().map(|m| (m.name.as_str(), m.current, m.target)).collect();
    assert_eq!(
        metrics,
        [
            ("cpu", Some(Amount::Percent(90)), Some(Amount::Percent(60))),
            ("api/memory", None, Some(Amount::Milli((1 << 30) * 1000))),
            ("queue", Some(Amount::Milli(61_500)), Some(Amount::Milli(30_000))),
        ]
    );
    assert_eq!((autoscaler.min, autoscaler.max, autoscaler.desired), (1, 10, 8));
    assert!(autoscaler.at_ceiling());
}

#[test]
fn both_shapes_of_events_are_read() {
    let event = |version: usize, json: &str| match of(Kind::Event).versions[version]
        .object(Format::Json, json.as_bytes())
        .unwrap()
    {
        Record::Event(event) => event,
        other => panic!("{other:?}"),
    };
    let old = event(
        0,
        r#"{"metadata":{"name":"a"},"involvedObject":{"kind":"Node","name":"n1","uid":"n1"},"reason":"NodeNotReady",
        "source":{"component":"kubelet"},"firstTimestamp":"2026-11-20T08:00:00Z","lastTimestamp":"2026-11-20T09:00:00Z",
        "count":5,"type":"Warning","eventTime":null,"reportingComponent":"","reportingInstance":""}"#,
    );
    assert_eq!((old.component.as_str(), old.count, old.warning), ("kubelet", 5, true));
    assert_eq!(old.last.unwrap().rfc3339(), "2026-11-20T09:00:00Z");
    let new = event(
        0,
        r#"{"metadata":{"name":"a"},"involvedObject":{"kind":"Pod","namespace":"pay","name":"p"},"reason":"FailedScheduling",
        "message":"0/3","source":{},"firstTimestamp":null,"lastTimestamp":null,"type":"Warning",
        "eventTime":"2026-11-20T08:00:00.123456Z","series":{"count":9,"lastObservedTime":"2026-11-20T08:05:00.000000Z"},
        "reportingComponent":"default-scheduler","action":"Scheduling"}"#,
    );
    assert_eq!((new.component.as_str(), new.count), ("default-scheduler", 9));
    assert_eq!(new.first.unwrap().millis() % 1000, 123);
    assert_eq!(new.last.unwrap().rfc3339(), "2026-11-20T08:05:00Z");
    let same = event(
        1,
        r#"{"metadata":{"name":"a"},"regarding":{"kind":"Pod","namespace":"pay","name":"p"},"reason":"FailedScheduling",
        "note":"0/3","type":"Warning","eventTime":"2026-11-20T08:00:00.123456Z","deprecatedFirstTimestamp":null,
        "series":{"count":9,"lastObservedTime":"2026-11-20T08:05:00.000000Z"},"reportingController":"default-scheduler"}"#,
    );
    assert_eq!(same, new);
    let bare = event(0, r#"{"metadata":{"name":"a","creationTimestamp":"2026-11-20T08:00:00Z"}}"#);
    assert_eq!((bare.count, bare.last), (1, bare.meta.created));
}

#[test]
fn the_rest_becomes_records_too() {
    let Record::Service(service) = read(
        Kind::Service,
        r#"{"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","selector":{"app":"pay"},
        "ports":[{"port":80,"targetPort":"http","protocol":"TCP"},{"port":443,"nodePort":30443,"protocol":"TCP"}]},
        "status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"lb.example"}]}}}"#,
    ) else {
        panic!("not a service")
    };
    assert_eq!(*service.ports, ["80/TCP".into(), model::Text::from("443:30443/TCP")]);
    assert_eq!(*service.addresses, ["1.2.3.4".into(), model::Text::from("lb.example")]);

    let Record::Claim(claim) = read(
        Kind::Claim,
        r#"{"metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"gp3",
        "resources":{"requests":{"storage":"10Gi"}}},"status":{"phase":"Pending"}}"#,
    ) else {
        panic!("not a claim")
    };
    assert_eq!((claim.size, claim.class.as_str()), (10 << 30, "gp3"));

    let Record::Volume(volume) = read(
        Kind::Volume,
        r#"{"metadata":{"name":"v"},"spec":{"capacity":{"storage":"10Gi"},"csi":{"driver":"ebs.csi.aws.com"},
        "claimRef":{"namespace":"pay","name":"c"},"persistentVolumeReclaimPolicy":"Retain",
        "nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[
          {"key":"topology.kubernetes.io/zone","operator":"In","values":["b","a"]}]}]}}},
        "status":{"phase":"Bound"}}"#,
    ) else {
        panic!("not a volume")
    };
    assert_eq!((volume.driver.as_str(), volume.claim.as_str()), ("ebs.csi.aws.com", "c"));
    assert_eq!(*volume.zones, ["a".into(), model::Text::from("b")]);

    let Record::StorageClass(class) = read(
        Kind::StorageClass,
        r#"{"metadata":{"name":"gp3","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},
        "provisioner":"ebs.csi.aws.com","parameters":{"type":"gp3"},"volumeBindingMode":"WaitForFirstConsumer"}"#,
    ) else {
        panic!("not a storage class")
    };
    assert!(class.is_default && class.disk == "gp3" && class.binding == "WaitForFirstConsumer");

    let Record::CronJob(cron) = read(
        Kind::CronJob,
        r#"{"metadata":{"name":"j"},"spec":{"schedule":"*/5 * * * *","suspend":true},
        "status":{"active":[{"kind":"Job","name":"j-1"}],"lastScheduleTime":"2026-11-20T08:30:00Z"}}"#,
    ) else {
        panic!("not a cron job")
    };
    assert!(cron.suspended && cron.active == 1 && cron.schedule == "*/5 * * * *");

    let Record::Namespace(namespace) =
        read(Kind::Namespace, r#"{"metadata":{"name":"pay"},"status":{"phase":"Terminating"}}"#)
    else {
        panic!("not a namespace")
    };
    assert!(namespace.terminating);
}
