//! Which node takes a pod, and what is said when none does.

use std::collections::BTreeSet;

use super::*;
use crate::model::Time;
use crate::sim::admission;
use crate::sim::fields::holds;

/// Three nodes of four cores in two zones.
fn world() -> World {
    let mut world = World::new("w", "v1.36.3", 1, Time::from_seconds(1_795_226_400));
    for (node, zone) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
        let object = json!({
            "metadata": { "name": node, "labels": { "kubernetes.io/hostname": node, "topology.kubernetes.io/zone": zone } },
            "status": {
                "allocatable": { "cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "10Gi" },
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        });
        world.store.create(Res::Nodes, object, world.now).unwrap();
    }
    world.absorb();
    world
}

/// Makes a pod with what is added to its spec, and lets the scheduler look.
fn pod(world: &mut World, name: &str, cpu: &str, more: Value) -> std::sync::Arc<Value> {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "a", "labels": { "app": name.split('-').next() } },
        "spec": { "containers": [{ "name": "c", "image": "x", "resources": { "requests": { "cpu": cpu } } }] },
    });
    for (key, value) in more.as_object().unwrap().iter() {
        set(&mut pod["spec"], key, value.clone());
    }
    admission::admit(world, Res::Pods, &mut pod);
    world.store.create(Res::Pods, pod, world.now).unwrap();
    world.absorb();
    reconcile(world, &Id::new("a", name));
    world.absorb();
    world.pod(&Id::new("a", name)).unwrap()
}

fn node(pod: &Value) -> &str {
    text(pod, "spec.nodeName")
}

fn said(pod: &Value) -> String {
    fields::condition(pod, "PodScheduled").map_or(String::new(), |c| text(c, "message").to_owned())
}

fn term(app: &str, key: &str) -> Value {
    json!([{ "labelSelector": { "matchLabels": { "app": app } }, "topologyKey": key }])
}

#[test]
fn failures_are_said_as_the_scheduler_says_them() {
    let mut failure = Failure::default();
    for node in 0..3 {
        failure.add(&node.to_string(), vec!["Insufficient cpu".into(), "Insufficient memory".into()]);
    }
    for node in 3..5 {
        failure.add(&node.to_string(), vec!["node(s) had untolerated taint {gpu: true}".into()]);
    }
    assert_eq!(
        failure.said_without_victims(&json!({})),
        "0/5 nodes are available: 2 node(s) had untolerated taint {gpu: true}, 3 Insufficient cpu, \
         3 Insufficient memory. no new claims to deallocate, preemption: 0/5 nodes are available: \
         2 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod."
    );
    let never = failure.said_without_victims(&json!({ "spec": { "preemptionPolicy": "Never" } }));
    assert!(never.ends_with("preemption: not eligible due to preemptionPolicy=Never."), "{never}");
}

#[test]
fn nodes_are_chosen_by_their_labels() {
    let mut world = world();
    let affinity = |operator: &str, values: Value| {
        json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchExpressions": [{ "key": "topology.kubernetes.io/zone", "operator": operator, "values": values }] } ] } } } })
    };
    assert_eq!(node(&pod(&mut world, "in", "1", affinity("In", json!(["b"])))), "n3");
    assert_eq!(node(&pod(&mut world, "notin", "1", affinity("NotIn", json!(["a"])))), "n3");
    let lost = pod(&mut world, "lost", "1", affinity("In", json!(["c"])));
    assert!(
        said(&lost)
            .starts_with("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.")
    );
    let soft = json!({ "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
        { "weight": 10, "preference": { "matchExpressions": [{ "key": "kubernetes.io/hostname", "operator": "In", "values": ["n3"] }] } } ] } } });
    assert_eq!(node(&pod(&mut world, "soft", "1", soft)), "n3", "fuller, and preferred");
}

#[test]
fn pods_keep_together_and_apart() {
    let mut world = world();
    let apart = json!({ "affinity": { "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": term("solo", "kubernetes.io/hostname") } } });
    let nodes: Vec<String> = (0..3)
        .map(|i| node(&pod(&mut world, &format!("solo-{i}"), "100m", apart.clone())).to_owned())
        .collect();
    let mut distinct = nodes.clone();
    distinct.sort();
    assert_eq!(distinct, ["n1", "n2", "n3"]);
    let fourth = pod(&mut world, "solo-3", "100m", apart);
    assert!(said(&fourth).contains("3 node(s) didn't match pod anti-affinity rules"), "{}", said(&fourth));
    let plain = pod(&mut world, "solo-4", "100m", json!({}));
    let why = "3 node(s) didn't satisfy existing pods anti-affinity rules";
    assert!(said(&plain).contains(why), "those that are there keep it away: {}", said(&plain));

    let near = |app: &str| {
        json!({ "affinity": { "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": term(app, "kubernetes.io/hostname") } } })
    };
    let first = pod(&mut world, "pair-0", "100m", near("pair"));
    assert!(!node(&first).is_empty(), "the first of a group goes anywhere");
    assert_eq!(node(&pod(&mut world, "pair-1", "100m", near("pair"))), node(&first));
    assert!(
        said(&pod(&mut world, "alone", "1", near("nobody")))
            .contains("3 node(s) didn't match pod affinity rules")
    );
}

#[test]
fn pods_are_spread_as_far_as_asked() {
    let mut world = world();
    let spread = |when: &str| {
        json!({ "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": when, "labelSelector": { "matchLabels": { "app": "web" } } }] })
    };
    for i in 0..4 {
        pod(&mut world, &format!("web-{i}"), "1500m", spread("DoNotSchedule"));
    }
    let zone_b = world.store.list(Res::Pods, None).filter(|p| node(p) == "n3").count();
    assert_eq!(zone_b, 2, "two in each zone");
    pod(&mut world, "web-4", "1500m", spread("DoNotSchedule"));
    let sixth = pod(&mut world, "web-5", "1500m", spread("DoNotSchedule"));
    let why = "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 2 Insufficient cpu.";
    assert!(said(&sixth).starts_with(why), "{}", said(&sixth));
    assert!(
        !node(&pod(&mut world, "web-6", "1500m", spread("ScheduleAnyway"))).is_empty(),
        "a wish gives way"
    );
}

#[test]
fn pods_go_where_their_volumes_are() {
    let mut world = world();
    world
        .store
        .create(
            Res::Claims,
            json!({ "metadata": { "name": "data", "namespace": "a" }, "spec": { "volumeName": "v" } }),
            world.now,
        )
        .unwrap();
    world.store.create(Res::Volumes, json!({ "metadata": { "name": "v" } }), world.now).unwrap();
    let volume = json!({ "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }] });
    let mut in_b = volume.clone();
    set(&mut in_b, "nodeName", "");
    set(&mut in_b, "nodeSelector", json!({ "topology.kubernetes.io/zone": "b" }));
    assert_eq!(
        node(&pod(&mut world, "first", "3", in_b)),
        "n3",
        "the volume is made where its first pod goes"
    );
    let second = pod(&mut world, "second", "3", volume);
    let why = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had volume node affinity conflict.";
    assert!(said(&second).starts_with(why), "{}", said(&second));
}

#[test]
fn important_pods_take_the_room_of_others() {
    let mut world = world();
    for i in 0..3 {
        pod(&mut world, &format!("low-{i}"), "3", json!({}));
    }
    let class = json!({ "metadata": { "name": "high" }, "value": 1000 });
    world.store.create(Res::PriorityClasses, class, world.now).unwrap();
    let high = pod(&mut world, "high", "2", json!({ "priorityClassName": "high" }));
    let nominated = text(&high, "status.nominatedNodeName").to_owned();
    assert!(said(&high).starts_with("0/3 nodes are available: 3 Insufficient cpu."), "{}", said(&high));
    let victims: Vec<_> = world.store.list(Res::Pods, None).filter(|p| deleting(p)).cloned().collect();
    assert_eq!(
        victims.iter().map(|v| node(v)).collect::<Vec<_>>(),
        [nominated.as_str()],
        "one, where it goes"
    );
    let target = fields::condition(&victims[0], "DisruptionTarget").unwrap();
    assert_eq!(text(target, "reason"), "PreemptionByScheduler");
    let events = || world.store.list(Res::Events, None);
    assert!(events().any(|e| text(e, "reason") == "Preempted"));
    let late = pod(&mut world, "late", "2", json!({ "priorityClassName": "high" }));
    assert_ne!(text(&late, "status.nominatedNodeName"), "", "the promised room is not given twice");
    world.run_until(world.now + Span::from_seconds(60), 10_000);
    let high = world.pod(&Id::new("a", "high")).unwrap();
    assert_eq!(node(&high), nominated);
    assert!(holds(&high, "PodScheduled") && text(&high, "status.nominatedNodeName").is_empty());
    let low = pod(&mut world, "low-9", "4", json!({}));
    assert!(
        said(&low)
            .contains("preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.")
    );
}

#[test]
fn pods_wait_for_their_claims_and_bind_them() {
    let mut world = world();
    let class = |name: &str, mode: &str| json!({ "metadata": { "name": name }, "provisioner": "x", "volumeBindingMode": mode });
    for (name, mode) in [("late", "WaitForFirstConsumer"), ("now", "Immediate")] {
        world.store.create(Res::StorageClasses, class(name, mode), world.now).unwrap();
    }
    let with = |claim: &str| json!({ "volumes": [{ "name": "d", "persistentVolumeClaim": { "claimName": claim } }] });
    let lost = pod(&mut world, "lost", "1", with("none"));
    let why = "0/3 nodes are available: persistentvolumeclaim \"none\" not found. no new claims to deallocate, \
               preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
    assert_eq!(said(&lost), why);
    assert!(!wants_room(&world, &lost), "no node would help it");

    let claim = |world: &mut World, name: &str, class: &str| {
        let mut claim = json!({ "metadata": { "name": name, "namespace": "a" }, "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } });
        admission::admit(world, Res::Claims, &mut claim);
        world.store.create(Res::Claims, claim, world.now).unwrap();
        world.run_until(world.now + Span::from_seconds(1), 1_000);
    };
    let phase = |world: &World, name: &str| {
        text(world.store.get(Res::Claims, "a", name).unwrap(), "status.phase").to_owned()
    };
    claim(&mut world, "data", "late");
    claim(&mut world, "quick", "now");
    claim(&mut world, "odd", "nowhere");
    assert_eq!((phase(&world, "data"), phase(&world, "quick")), ("Pending".to_owned(), "Bound".to_owned()));
    let unbound = pod(&mut world, "unbound", "1", with("odd"));
    assert!(
        said(&unbound)
            .starts_with("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")
    );
    let first = pod(&mut world, "first", "1", with("data"));
    assert!(!node(&first).is_empty());
    assert_eq!(phase(&world, "data"), "Bound", "by its first pod");
    let zone = world.cache.nodes[node(&first)].label("topology.kubernetes.io/zone").to_owned();
    let volume =
        world.store.get(Res::Claims, "a", "data").map(|c| text(c, "spec.volumeName").to_owned()).unwrap();
    assert!(world.store.get(Res::Volumes, "", &volume).unwrap().to_string().contains(&zone), "where that is");

    let data = world.store.get(Res::Claims, "a", "data").unwrap().clone();
    world.store.remove(Res::Claims, &data);
    world.run_until(world.now + Span::from_seconds(1), 1_000);
    assert!(world.store.get(Res::Volumes, "", &volume).is_none(), "and it goes with its claim");
}

#[test]
fn gates_and_other_schedulers_are_respected() {
    let mut world = world();
    let gated = pod(&mut world, "gated", "1", json!({ "schedulingGates": [{ "name": "x/y" }] }));
    assert_eq!(node(&gated), "");
    assert_eq!(fields::condition(&gated, "PodScheduled").map(|c| text(c, "reason")), Some("SchedulingGated"));
    world.store.update(Res::Pods, "a", "gated", |p| fields::unset(p, "spec.schedulingGates"));
    world.run_until(world.now + Span::from_seconds(1), 1_000);
    assert_ne!(node(&world.pod(&Id::new("a", "gated")).unwrap()), "", "opened");
    let other = pod(&mut world, "other", "1", json!({ "schedulerName": "their-scheduler" }));
    assert_eq!((node(&other), said(&other).as_str()), ("", ""), "somebody else's");
}

#[test]
fn a_port_of_the_node_is_for_one_pod_and_its_disk_is_counted() {
    let mut world = world();
    let port = json!([{ "containerPort": 80, "hostPort": 80, "protocol": "TCP" }]);
    let on_port = json!({ "containers": [{ "name": "c", "image": "x", "ports": port }] });
    let mut nodes = BTreeSet::new();
    for own in ["web-1", "web-2", "web-3"] {
        nodes.insert(node(&pod(&mut world, own, "10m", on_port.clone())).to_owned());
    }
    assert_eq!(nodes.len(), 3, "each on a node of its own");
    let fourth = pod(&mut world, "web-4", "10m", on_port);
    assert_eq!(node(&fourth), "");
    let why = "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.";
    assert!(said(&fourth).starts_with(why), "{}", said(&fourth));
    let large = |amount: &str| {
        json!({ "containers": [{ "name": "c", "image": "x",
            "resources": { "requests": { "ephemeral-storage": amount } } }] })
    };
    assert_ne!(node(&pod(&mut world, "disk-1", "10m", large("8Gi"))), "");
    assert_eq!(
        said(&pod(&mut world, "disk-2", "10m", large("11Gi"))).split(". ").next(),
        Some("0/3 nodes are available: 3 Insufficient ephemeral-storage")
    );
}

#[test]
fn a_port_is_had_by_the_more_important_pod() {
    let mut world = world();
    let object = json!({ "metadata": { "name": "high" }, "value": 1000 });
    world.store.create(Res::PriorityClasses, object, world.now).unwrap();
    let port = json!([{ "containerPort": 80, "hostPort": 80, "protocol": "TCP" }]);
    let spec = |class: &str| {
        let mut spec = json!({ "containers": [{ "name": "c", "image": "x", "ports": port }] });
        if !class.is_empty() {
            set(&mut spec, "priorityClassName", class);
        }
        spec
    };
    for own in ["web-1", "web-2", "web-3"] {
        pod(&mut world, own, "10m", spec(""));
    }
    let mut other = spec("");
    set(&mut other, "containers", json!([{ "name": "c", "image": "x" }]));
    for own in ["plain-1", "plain-2", "plain-3"] {
        pod(&mut world, own, "10m", other.clone());
    }
    let important = pod(&mut world, "first-1", "10m", spec("high"));
    assert_ne!(text(&important, "status.nominatedNodeName"), "");
    let leaving: Vec<_> = world.store.list(Res::Pods, None).filter(|p| deleting(p)).cloned().collect();
    assert_eq!(leaving.len(), 1, "only who has the port must go");
    assert!(fields::name(&leaving[0]).starts_with("web-"));
}
