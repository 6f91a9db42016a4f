//! The form of an answer: negotiated from `Accept`, then written.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::call::Target;
use super::tables;
use crate::model::Time;
use crate::sim::fields::{at, set, text, unset};
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;

/// How objects are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Whole, as JSON.
    Json,
    /// Rows for people (`as=Table`).
    Table,
    /// Metadata only (`as=PartialObjectMetadata`).
    Metadata,
}

impl Form {
    /// The first form of the `Accept` header that can be served.
    pub(super) fn negotiate(accept: &str) -> Result<Form, Refusal> {
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
        }
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

    /// Whether objects are not written as they are stored.
    pub(super) fn converts(&self) -> bool {
        self.form != Form::Json || self.api_version == "events.k8s.io/v1"
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
    pub(super) fn object(&self, object: &Value, first: bool) -> Value {
        let object = self.versioned(object);
        match self.form {
            Form::Json => object.into_owned(),
            Form::Metadata => metadata(&object),
            Form::Table => {
                let version = text(&object, "metadata.resourceVersion").to_owned();
                self.table(&[&object], first, json!({ "resourceVersion": version }))
            }
        }
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
