//! The form of an answer: negotiated from `Accept`, then written.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::call::{Call, Target};
use super::tables;
use crate::kinds::wire::{self, Format};
use crate::kinds::{self, VersionDecl};
use crate::model::Time;
use crate::sim::fields::{at, set, text, unset};
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;

/// How objects are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Whole, as JSON.
    Json,
    /// Rows for people (`as=Table`).
    Table,
    /// Metadata only (`as=PartialObjectMetadata`).
    Metadata,
    /// The declared fields, as protobuf.
    Protobuf(&'static VersionDecl),
}

impl Form {
    /// The first form of the `Accept` header that can be served.
    pub(super) fn negotiate(call: &Call, target: &Target) -> Result<Form, Refusal> {
        let accept = call.accept.as_str();
        let declared = declared(target).filter(|_| !call.needs_whole_objects());
        if accept.trim().is_empty() {
            return Ok(Form::Json);
        }
        for media in accept.split(',') {
            let mut parts = media.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let shape = parts.filter_map(|p| p.strip_prefix("as=")).next();
            match (kind, shape) {
                ("application/json", Some("Table")) => return Ok(Form::Table),
                ("application/json", Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => {
                    return Ok(Form::Metadata);
                }
                ("application/json" | "application/*" | "*/*", None) => return Ok(Form::Json),
                ("application/vnd.kubernetes.protobuf", None) => {
                    if let Some(version) = declared {
                        return Ok(Form::Protobuf(version));
                    }
                }
                _ => {}
            }
        }
        Err(Refusal::not_acceptable())
    }

    /// The media type of the answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Table => "application/json;as=Table;v=v1;g=meta.k8s.io",
            Form::Metadata => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            Form::Protobuf(_) => Format::Protobuf.media_type(),
        }
    }

    /// The media type of a watch.
    pub(super) fn watch_type(self) -> String {
        match self {
            Form::Json => self.content_type().to_owned(),
            _ => format!("{};stream=watch", self.content_type()),
        }
    }

    /// One event of a watch around a document of this form.
    pub(super) fn event(self, kind: &str, document: &[u8]) -> Vec<u8> {
        let format = if matches!(self, Form::Protobuf(_)) { Format::Protobuf } else { Format::Json };
        wire::write_event(format, kind, document)
    }
}

/// How protobuf is written of what a path names, if it is.
fn declared(target: &Target) -> Option<&'static VersionDecl> {
    let decl = kinds::of(target.res.spec().watched?);
    decl.versions.iter().find(|v| v.api_version() == target.api_version)
}

/// A refusal as a document, in protobuf for those who asked for that.
pub(super) fn refusal(refusal: &Refusal, protobuf: bool) -> Vec<u8> {
    let json = refusal.status().to_string().into_bytes();
    if !protobuf {
        return json;
    }
    match wire::from_json::<wire::Status<'_>>(&json) {
        Ok(status) => wire::write_body(Format::Protobuf, "v1", "Status", &status),
        Err(_) => json,
    }
}

/// How one request wants its objects.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) form: Form,
    res: Res,
    api_version: String,
    /// What of the object goes into a table's row: `Metadata`, `Object` or `None`.
    include: String,
    pub(super) now: Time,
}

impl Writer {
    pub(super) fn new(form: Form, target: &Target, include: &str, now: Time) -> Writer {
        let include = if include.is_empty() { "Metadata" } else { include }.to_owned();
        Writer { form, res: target.res, api_version: target.api_version.clone(), include, now }
    }

    /// The object in the version of the path: events are served in two.
    fn versioned<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        if self.api_version == "events.k8s.io/v1" {
            Cow::Owned(new_event(object))
        } else {
            Cow::Borrowed(object)
        }
    }

    /// One object as a document. `first` tables have their columns described.
    pub(super) fn object(&self, object: &Value, first: bool) -> Vec<u8> {
        let object = self.versioned(object);
        let document = match self.form {
            Form::Json => return object.to_string().into_bytes(),
            Form::Protobuf(version) => {
                let message = protobuf(version, &object);
                let kind = self.res.spec().kind;
                return wire::enveloped(&self.api_version, kind, |out| out.extend_from_slice(&message));
            }
            Form::Metadata => metadata(&object),
            Form::Table => {
                let version = text(&object, "metadata.resourceVersion").to_owned();
                self.table(&[&object], first, json!({ "resourceVersion": version }))
            }
        };
        document.to_string().into_bytes()
    }

    /// A bookmark as a document. `initial_end` ends the initial events of a streaming list.
    pub(super) fn bookmark(&self, version: u64, initial_end: bool) -> Vec<u8> {
        let spec = self.res.spec();
        let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let document = match self.form {
            Form::Json | Form::Protobuf(_) => {
                json!({ "kind": spec.kind, "apiVersion": self.api_version, "metadata": metadata })
            }
            Form::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Form::Table => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": [], "rows": [],
                "metadata": { "resourceVersion": version.to_string() },
            }),
        };
        let json = document.to_string().into_bytes();
        let Form::Protobuf(_) = self.form else { return json };
        match wire::from_json::<wire::Bookmark<'_>>(&json) {
            Ok(bookmark) => wire::write_body(Format::Protobuf, &self.api_version, spec.kind, &bookmark),
            Err(_) => json,
        }
    }

    fn protobuf_list(&self, version: &VersionDecl, objects: &[&Value], meta: &Value) -> Vec<u8> {
        let items: Vec<Vec<u8>> = objects.iter().map(|o| protobuf(version, o)).collect();
        let meta = wire::ListMeta {
            resource_version: text(meta, "resourceVersion").into(),
            continue_token: text(meta, "continue").into(),
            remaining: meta["remainingItemCount"].as_i64(),
        };
        let kind = format!("{}List", self.res.spec().kind);
        wire::write_list(&self.api_version, &kind, &meta, items.iter().map(Vec::as_slice))
    }

    fn table(&self, objects: &[&Value], described: bool, meta: Value) -> Value {
        let columns = if described { tables::columns(self.res) } else { Vec::new() };
        let rows: Vec<Value> = objects
            .iter()
            .map(|o| {
                let mut row = json!({ "cells": tables::cells(self.res, o, self.now) });
                match self.include.as_str() {
                    "None" => {}
                    "Object" => set(&mut row, "object", (*o).clone()),
                    _ => set(&mut row, "object", metadata(o)),
                }
                row
            })
            .collect();
        json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
            "columnDefinitions": columns, "rows": rows,
        })
    }

    /// A list as a document.
    pub(super) fn list(&self, objects: &[&Value], meta: &Value) -> Vec<u8> {
        let objects: Vec<Cow<'_, Value>> = objects.iter().map(|o| self.versioned(o)).collect();
        let refs: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
        let spec = self.res.spec();
        match self.form {
            Form::Table => self.table(&refs, true, meta.clone()).to_string().into_bytes(),
            Form::Protobuf(version) => self.protobuf_list(version, &refs, meta),
            Form::Metadata => {
                let items: Vec<Value> = refs.iter().map(|o| metadata(o)).collect();
                json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta, "items": items,
                })
                .to_string()
                .into_bytes()
            }
            Form::Json => {
                let mut out = Vec::with_capacity(refs.len() * 2048 + 256);
                let head = json!({
                    "kind": format!("{}List", spec.kind), "apiVersion": self.api_version, "metadata": meta,
                });
                let head = head.to_string();
                out.extend_from_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
                out.extend_from_slice(b",\"items\":[");
                let typed = spec.group != "karpenter.sh";
                for (i, item) in refs.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    // writing JSON into memory cannot fail
                    let _ = match typed {
                        true => serde_json::to_writer(&mut out, &Item(item)),
                        false => serde_json::to_writer(&mut out, item),
                    };
                }
                out.extend_from_slice(b"]}");
                out
            }
        }
    }
}

/// The bare message of an object. What the fleet stores is JSON, so its text is always read.
fn protobuf(version: &VersionDecl, object: &Value) -> Vec<u8> {
    version.item_to_protobuf(object.to_string().as_bytes()).unwrap_or_default()
}

/// An item of a built-in kind's list: a real server writes neither its kind nor its version.
struct Item<'a>(&'a Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(map) = self.0.as_object() else { return self.0.serialize(serializer) };
        let mut out = serializer.serialize_map(None)?;
        for (key, value) in map.iter().filter(|(k, _)| *k != "kind" && *k != "apiVersion") {
            out.serialize_entry(key, value)?;
        }
        out.end()
    }
}

fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
    })
}

/// A core event as `events.k8s.io/v1` shows it.
fn new_event(event: &Value) -> Value {
    let mut out = event.clone();
    let moves = [
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("reportingComponent", "reportingController"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
    ];
    for (from, to) in moves {
        let value = at(event, from).clone();
        unset(&mut out, from);
        if !value.is_null() {
            set(&mut out, to, value);
        }
    }
    set(&mut out, "apiVersion", "events.k8s.io/v1");
    out
}

/// A created `events.k8s.io/v1` event as core stores it.
pub(super) fn old_event(event: &Value) -> Value {
    let mut out = event.clone();
    for (from, to) in [
        ("regarding", "involvedObject"),
        ("note", "message"),
        ("reportingController", "reportingComponent"),
        ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ] {
        let value = at(event, from).clone();
        unset(&mut out, from);
        if !value.is_null() {
            set(&mut out, to, value);
        }
    }
    out
}

/// The fields by which a resource can be selected, beside name and namespace
/// (`kubernetes/kubernetes:pkg/apis/*/v1/conversion.go`).
pub(super) fn selectable(res: Res) -> &'static [&'static str] {
    match res {
        Res::Pods => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        Res::Nodes => &["spec.unschedulable"],
        Res::Events => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
            // as events.k8s.io names them
            "regarding.kind",
            "regarding.name",
            "regarding.namespace",
            "regarding.uid",
        ],
        Res::Namespaces => &["status.phase"],
        Res::Jobs => &["status.successful"],
        Res::ReplicaSets | Res::ReplicationControllers => &["status.replicas"],
        _ => &[],
    }
}
