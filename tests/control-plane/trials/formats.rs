//! Both wire formats from a real server: lists, watches, discovery and refusals read the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::future::try_join_all;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use quarterdeck::kinds::wire::{Format, Frames, ListEnd, Status, WatchEvent};
use quarterdeck::kinds::{self, RecordList, VersionDecl, discovery};
use quarterdeck::model::{Record, Uid};

use super::Outcome;
use super::planes::{Binaries, Error, Options, Planes, Result};

const SOON: Duration = Duration::from_secs(60);

/// One of each kind that the seed does not make.
const MORE: &str = r#"{"apiVersion":"v1","kind":"List","items":[
  {"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},
   "spec":{"type":"NodePort","selector":{"app":"web"},"ports":[{"port":80,"name":"p"},{"port":443,"name":"s","targetPort":"https"}]}},
  {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"once","namespace":"shop"},"spec":{"parallelism":0,
   "template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"a:1"}]}}}},
  {"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"often","namespace":"shop"},
   "spec":{"schedule":"*/5 * * * *","timeZone":"Europe/Berlin","suspend":true,"jobTemplate":{"spec":{
   "template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"a:1"}]}}}}}},
  {"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"gp3",
   "annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},
   "provisioner":"ebs.csi.aws.com","parameters":{"type":"gp3"}},
  {"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"disk"},"spec":{"capacity":{"storage":"10Gi"},
   "accessModes":["ReadWriteOnce"],"storageClassName":"gp3","csi":{"driver":"ebs.csi.aws.com","volumeHandle":"v"},
   "nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[
   {"key":"topology.kubernetes.io/zone","operator":"In","values":["us-east-1a"]}]}]}}}},
  {"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data","namespace":"shop"},"spec":{
   "accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"10Gi"}}}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"odd","namespace":"shop",
   "annotations":{"note":"a \"quoted\"\ttab and \u00e9"}},"spec":{"terminationGracePeriodSeconds":0,
   "volumes":[{"name":"e","emptyDir":{}},{"name":"d","persistentVolumeClaim":{"claimName":"data"}}],
   "initContainers":[{"name":"side","image":"s:1","restartPolicy":"Always","resources":{"requests":{"cpu":"5m"}}},
   {"name":"first","image":"f:1","resources":{"requests":{"memory":"1Gi"}}}],
   "containers":[{"name":"a","image":"a:1","resources":{"requests":{"cpu":"0.1"}}}]}}]}"#;

/// Every kind of a real server is read equal from both formats, listed and watched.
pub(crate) fn equal(binaries: &Binaries) -> Outcome {
    let planes = Planes::start(binaries, 1, &Options::default())?;
    let plane = planes.plane("eks-use1")?;
    plane.seed_fleet(1)?;
    plane.apply(MORE)?;
    plane.wait_pods(20, SOON)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::connect(&plane.kubeconfig("admin")).await?;
        server.discovers().await?;
        // watches only end when their time is up, so all of them run side by side
        let versions = || kinds::ALL.iter().flat_map(|decl| decl.versions);
        try_join_all(versions().map(|version| server.lists(version))).await?;
        try_join_all(versions().map(|version| server.watches(version))).await?;
        server.refuses().await?;
        Ok(())
    })
}

struct Server {
    client: Client,
}

impl Server {
    async fn connect(kubeconfig: &Path) -> Result<Self> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Ok(Self { client: Client::try_from(config.map_err(failed)?).map_err(failed)? })
    }

    async fn get(&self, path: &str, accept: &str) -> Result<(Option<Format>, Vec<u8>)> {
        let request = http::Request::get(path).header("accept", accept).body(Body::empty());
        let answer = self.client.send(request.map_err(failed)?).await.map_err(failed)?;
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let format = kind.and_then(Format::of_content_type);
        let body = answer.into_body().collect().await.map_err(failed)?;
        Ok((format, body.to_bytes().to_vec()))
    }

    /// Every kind is found in aggregated discovery, at the version that is preferred.
    async fn discovers(&self) -> Result<()> {
        let (_, core) = self.get("/api", discovery::ACCEPT).await?;
        let (_, groups) = self.get("/apis", discovery::ACCEPT).await?;
        let mut all = discovery::read_groups(&core).map_err(failed)?;
        all.extend(discovery::read_groups(&groups).map_err(failed)?);
        for decl in &kinds::ALL {
            let newest = discovery::newest(decl, &all).map(VersionDecl::api_version);
            check(newest == decl.versions.first().map(VersionDecl::api_version), decl.kind, &newest)?;
        }
        let (_, version) = self.get("/version", "application/json").await?;
        let version = discovery::ServerVersion::read(&version).map_err(failed)?;
        check(version.minor().is_some(), "a minor version", &version)
    }

    async fn lists(&self, version: &'static VersionDecl) -> Result<()> {
        let (format, page) = self.get(&version.path(), Format::Json.accept()).await?;
        check(format == Some(Format::Json), "JSON was asked for", &format)?;
        let (by_json, end) = read(version, Format::Json, &page)?;
        check(end.bad == 0 && !end.resource_version.is_empty(), "a whole JSON list", &end)?;
        check(!by_json.is_empty(), "there is one of each kind", &version.kind)?;

        let (format, body) = self.get(&version.path(), Format::Protobuf.accept()).await?;
        check(format == Some(Format::Protobuf), "protobuf was asked for", &format)?;
        let (by_protobuf, end) = read(version, Format::Protobuf, &body)?;
        check(end.bad == 0 && !end.resource_version.is_empty(), "a whole protobuf list", &end)?;
        same(version, by_json, by_protobuf)
    }

    async fn watches(&self, version: &VersionDecl) -> Result<()> {
        let path = format!("{}?watch=1&resourceVersion=0&timeoutSeconds=1", version.path());
        let mut seen = Vec::new();
        for format in [Format::Json, Format::Protobuf] {
            let (came, stream) = self.get(&path, format.accept_watch()).await?;
            check(came == Some(format), "the format that was asked for", &came)?;
            let mut frames = Frames::new(format);
            let mut records = Vec::new();
            for chunk in stream.chunks(700) {
                frames.push(chunk);
                while let Some(frame) = frames.next_frame().map_err(failed)? {
                    match version.event(format, frame).map_err(failed)? {
                        WatchEvent::Added(record) | WatchEvent::Modified(record) => records.push(record),
                        WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => {}
                        WatchEvent::Error(status) => check(false, "no error", &status)?,
                    }
                }
            }
            frames.finish().map_err(failed)?;
            seen.push(records);
        }
        let by_protobuf = seen.pop().unwrap_or_default();
        same(version, seen.pop().unwrap_or_default(), by_protobuf)
    }

    /// Refusals come in the format that was asked for too.
    async fn refuses(&self) -> Result<()> {
        let path = "/api/v1/namespaces/shop/pods/nobody";
        for format in [Format::Json, Format::Protobuf] {
            let (came, body) = self.get(path, format.accept()).await?;
            let status = Status::read(&body).map_err(failed)?;
            check(came == Some(format) && status.code == 404 && status.reason == "NotFound", path, &status)?;
        }
        // an ancient version: refused at once, or with an event
        let path = "/api/v1/pods?watch=1&resourceVersion=1&timeoutSeconds=1";
        for format in [Format::Json, Format::Protobuf] {
            let (_, body) = self.get(path, format.accept_watch()).await?;
            let mut frames = Frames::new(format);
            frames.push(&body);
            if let Some(frame) = frames.next_frame().map_err(failed)? {
                let pods = kinds::of(quarterdeck::model::Kind::Pod).preferred();
                pods.event(format, frame).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Reads a list as it would arrive.
fn read(version: &'static VersionDecl, format: Format, body: &[u8]) -> Result<(Vec<Record>, ListEnd)> {
    let (mut list, mut records) = (RecordList::new(version, format), Vec::new());
    for chunk in body.chunks(1000) {
        list.feed(chunk, |record| records.push(record)).map_err(failed)?;
    }
    let end = list.finish(|record| records.push(record)).map_err(failed)?;
    Ok((records, end))
}

/// The cluster goes on between the two requests: objects of the same version must be the same, and
/// most objects must be of the same version.
fn same(version: &VersionDecl, json: Vec<Record>, protobuf: Vec<Record>) -> Result<()> {
    let by_uid: BTreeMap<Uid, Record> = json.into_iter().map(|record| (record.meta().uid, record)).collect();
    let mut equal = 0;
    for record in &protobuf {
        let other = by_uid.get(&record.meta().uid);
        if let Some(other) = other.filter(|other| other.meta().version == record.meta().version) {
            check(other == record, "the same in both formats", &(other, record))?;
            equal += 1;
        }
    }
    check(equal * 2 > by_uid.len(), "most objects could be compared", &(version.kind, equal, by_uid.len()))
}

fn check(good: bool, what: impl std::fmt::Debug, seen: &dyn std::fmt::Debug) -> Result<()> {
    if good { Ok(()) } else { Err(Error::new(format!("not so: {what:?}: {seen:?}"))) }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(error.to_string())
}
