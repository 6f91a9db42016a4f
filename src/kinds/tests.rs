//! Every kind read equal from both formats, against Kubernetes' own serialisations.

use std::fmt::Debug;

use proptest::prelude::*;

use super::read::Watched;
use super::wire::{Envelope, Frames, ListMeta};
use super::*;

mod records;

fn fixture(name: &str, extension: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/kubernetes/{name}.{extension}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn golden_name(version: &VersionDecl) -> String {
    let group = if version.group.is_empty() { "core" } else { version.group };
    format!("{group}.{}.{}", version.version, version.kind.names().kind)
}

/// Kubernetes sets every field there, so a declared field that is still at its default was read
/// from the wrong number or name.
fn same_and_full<'a, M>(json: &'a [u8], protobuf: &'a [u8])
where
    M: Watched<'a> + Debug + PartialEq,
{
    let from_json: M = wire::from_json(json).unwrap();
    let from_protobuf: M = wire::from_protobuf(Envelope::open(protobuf).unwrap().raw).unwrap();
    assert_eq!(from_json, from_protobuf);
    assert_eq!(from_json.record(), from_protobuf.record());
    let debug = format!("{from_protobuf:?}").replace("annotations: Chosen { entries: Map([])", "");
    for default in [": None", ": \"\"", ": []", "Map([])", ": 0,", ": 0 ", ": false", "(false)", "(\"\")"] {
        assert!(!debug.contains(default), "{default} in {debug}");
    }
    let written = wire::to_protobuf(&from_json);
    // what is written is borrowed for less long than 'a, so it is compared as bytes
    assert_eq!(written, wire::to_protobuf(&from_protobuf));
}

#[test]
fn every_kind_is_read_equal_from_what_kubernetes_writes() {
    macro_rules! check {
        ($($name:literal $object:ty;)*) => { $(
            let (json, protobuf) = (fixture($name, "json"), fixture($name, "pb"));
            same_and_full::<$object>(&json, &protobuf);
        )* };
    }
    check! {
        "core.v1.Node" node::Node<'_>;
        "core.v1.Namespace" namespace::Namespace<'_>;
        "core.v1.Pod" pod::Pod<'_>;
        "apps.v1.Deployment" deployment::Deployment<'_>;
        "apps.v1.StatefulSet" stateful_set::StatefulSet<'_>;
        "apps.v1.DaemonSet" daemon_set::DaemonSet<'_>;
        "apps.v1.ReplicaSet" replica_set::ReplicaSet<'_>;
        "batch.v1.Job" job::Job<'_>;
        "batch.v1.CronJob" cron_job::CronJob<'_>;
        "autoscaling.v2.HorizontalPodAutoscaler" autoscaler::Autoscaler<'_>;
        "policy.v1.PodDisruptionBudget" budget::Budget<'_>;
        "core.v1.Event" event::Event<'_>;
        "events.k8s.io.v1.Event" event::NewEvent<'_>;
        "core.v1.Service" service::Service<'_>;
        "core.v1.PersistentVolumeClaim" claim::Claim<'_>;
        "core.v1.PersistentVolume" volume::Volume<'_>;
        "storage.k8s.io.v1.StorageClass" storage_class::StorageClass<'_>;
    }
}

#[test]
fn every_version_reads_lists_watches_and_objects_alike() {
    for (kind, decl) in Kind::ALL.into_iter().zip(&ALL) {
        assert_eq!(decl.kind, kind);
        assert_eq!(of(kind).kind, kind);
        for version in decl.versions {
            alike(version);
        }
    }
}

fn alike(version: &'static VersionDecl) {
    let name = golden_name(version);
    let (json, protobuf) = (fixture(&name, "json"), fixture(&name, "pb"));
    let record = version.object(Format::Json, &json).unwrap();
    assert_eq!(record.kind(), version.kind);
    assert_eq!(version.object(Format::Protobuf, &protobuf).unwrap(), record);

    // a list of two, in both formats
    let item = version.item_to_protobuf(&json).unwrap();
    assert_eq!(version.item(&item).unwrap(), record);
    let meta = ListMeta { resource_version: "5".into(), ..ListMeta::default() };
    let list = wire::write_list(&version.api_version(), "XList", &meta, [&item[..], b"", &item]);
    let json_text = String::from_utf8(json.clone()).unwrap();
    let page = format!(r#"{{"kind":"XList","metadata":{{}},"items":[{json_text},{{}},{json_text}]}}"#);
    for (format, body) in [(Format::Protobuf, &list[..]), (Format::Json, page.as_bytes())] {
        for piece in [1, 1000, body.len()] {
            let (mut list, mut seen) = (RecordList::new(version, format), Vec::new());
            for bytes in body.chunks(piece) {
                list.feed(bytes, |record| seen.push(record)).unwrap();
            }
            let end = list.finish(|record| seen.push(record)).unwrap();
            assert_eq!((seen.len(), end.items, end.bad), (2, 2, 1), "the one without a name is bad");
            assert!(seen.iter().all(|read| *read == record));
        }
    }

    // a watch
    for (format, body) in [(Format::Json, json_text.trim().as_bytes()), (Format::Protobuf, &protobuf[..])] {
        for kind in ["ADDED", "MODIFIED", "DELETED"] {
            let mut frames = Frames::new(format);
            frames.push(&wire::write_event(format, kind, body));
            let frame = frames.next_frame().unwrap().unwrap();
            let event = version.event(format, frame).unwrap();
            let expected = match kind {
                "ADDED" => WatchEvent::Added(record.clone()),
                "MODIFIED" => WatchEvent::Modified(record.clone()),
                _ => WatchEvent::Deleted(record.clone()),
            };
            assert_eq!(event, expected);
        }
    }

    // truncated anywhere: an error or a shorter object, never a panic
    for end in 0..item.len() {
        let _ = version.item(&item[..end]);
    }
}

#[test]
fn an_object_can_be_served_as_protobuf() {
    for decl in &ALL {
        let version = decl.preferred();
        let json = fixture(&golden_name(version), "json");
        let body = to_protobuf(decl.kind, &json).unwrap();
        let envelope = Envelope::open(&body).unwrap();
        assert_eq!(envelope.kind, decl.kind.names().kind);
        assert_eq!(envelope.api_version, *version.api_version());
        assert_eq!(version.object(Format::Protobuf, &body), version.object(Format::Json, &json));
    }
    assert!(to_protobuf(Kind::Pod, b"{").is_err());
}

#[test]
fn paths_are_those_of_the_api() {
    assert_eq!(of(Kind::Pod).preferred().path(), "/api/v1/pods");
    assert_eq!(of(Kind::Pod).preferred().path_in("pay"), "/api/v1/namespaces/pay/pods");
    assert_eq!(of(Kind::Node).preferred().path_in("pay"), "/api/v1/nodes");
    let deployments = of(Kind::Deployment).preferred();
    assert_eq!(deployments.path_in("pay"), "/apis/apps/v1/namespaces/pay/deployments");
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        kind in 0..Kind::COUNT,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for version in ALL[kind].versions {
            for (format, extension) in [(Format::Json, "json"), (Format::Protobuf, "pb")] {
                let mut body = fixture(&golden_name(version), extension);
                for (at, to) in &changes {
                    let at = at.index(body.len());
                    body[at] = *to;
                }
                let _ = version.object(format, &body);
                let _ = version.event(format, &body);
            }
        }
    }
}
