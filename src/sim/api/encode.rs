//! The form of an answer: negotiated from `Accept`, then written.

use std::borrow::Cow;
use std::sync::Arc;

use crate::sim::json::{Value, json};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::call::Call;
use super::convert;
use super::tables;
use super::target::Target;
use crate::kinds::wire::{self, Format};
use crate::model::Time;
use crate::sim::admission::TEMPLATE_GENERATION;
use crate::sim::custom::Version;
use crate::sim::fields::{annotation, object_mut, place, set, text, unset};
use crate::sim::refusal::Refusal;
use crate::sim::resources::{Res, Slot, Spec};
use crate::sim::schema::{self, Message};

/// How objects are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Whole, as JSON.
    Json,
    /// Whole, as YAML.
    Yaml,
    /// Rows for people (`as=Table`).
    Table,
    /// Metadata only (`as=PartialObjectMetadata`).
    Metadata,
    /// Whole, as protobuf.
    Protobuf(&'static Message),
}

impl Form {
    /// The first form of the `Accept` header that can be served.
    pub(super) fn negotiate(call: &Call, target: &Target) -> Result<Form, Refusal> {
        let accept = call.accept.as_str();
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
                // a real server writes no watch in it
                ("application/yaml", None) if !call.query.flag("watch") => return Ok(Form::Yaml),
                ("application/vnd.kubernetes.protobuf", None) => {
                    if let Some(message) = target.message() {
                        return Ok(Form::Protobuf(message));
                    }
                }
                _ => {}
            }
        }
        match accept.contains("application/vnd.kubernetes.protobuf") {
            true => Err(Refusal::json_only()),
            false => Err(Refusal::not_acceptable()),
        }
    }

    /// The media type of the answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            // tables and metadata alone say so in their kind only
            Form::Json | Form::Table | Form::Metadata => "application/json",
            Form::Yaml => "application/yaml",
            Form::Protobuf(_) => Format::Protobuf.media_type(),
        }
    }

    /// The media type of a watch.
    pub(super) fn watch_type(self) -> String {
        match self {
            Form::Json | Form::Table | Form::Metadata => self.content_type().to_owned(),
            _ => format!("{};stream=watch", self.content_type()),
        }
    }

    /// One event of a watch around a document of this form.
    pub(super) fn event(self, kind: &str, document: &[u8]) -> Vec<u8> {
        let format = if matches!(self, Form::Protobuf(_)) { Format::Protobuf } else { Format::Json };
        wire::write_event(format, kind, document)
    }
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
    slot: Slot,
    pub(super) spec: Arc<Spec>,
    custom: Option<Arc<Version>>,
    api_version: String,
    /// What of the object goes into a table's row: `Metadata`, `Object` or `None`.
    include: String,
    pub(super) now: Time,
}

impl Writer {
    pub(super) fn new(form: Form, target: &Target, include: &str, now: Time) -> Writer {
        let include = if include.is_empty() { "Metadata" } else { include }.to_owned();
        Writer {
            form,
            slot: target.slot,
            spec: target.spec.clone(),
            custom: target.version.clone(),
            api_version: target.api_version.clone(),
            include,
            now,
        }
    }

    /// The object in the version of the path.
    fn versioned<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        convert::shown(&self.api_version, object)
    }

    /// One object as a document. `first` tables have their columns described.
    pub(super) fn object(&self, object: &Value, first: bool) -> Vec<u8> {
        let object = self.versioned(object);
        let document = match self.form {
            Form::Json => return object.to_string().into_bytes(),
            Form::Yaml => return yaml(&object),
            Form::Protobuf(message) => {
                let bytes = schema::to_protobuf(message, &object);
                return wire::enveloped(&self.api_version, &self.spec.kind, |out| {
                    out.extend_from_slice(&bytes)
                });
            }
            Form::Metadata => metadata(&object),
            Form::Table => {
                let version = text(&object, "metadata.resourceVersion").to_owned();
                self.table(&[&object], first, json!({ "resourceVersion": version }))
            }
        };
        document.to_string().into_bytes()
    }

    /// In which of the forms that many ask for it writes; `None` when what it writes is for its
    /// own client only.
    pub(super) fn common(&self) -> Option<u8> {
        let form = match self.form {
            Form::Json => 0,
            Form::Protobuf(_) => 1,
            Form::Metadata => 2,
            Form::Table | Form::Yaml => return None,
        };
        (self.api_version == self.spec.api_version()).then_some(form)
    }

    /// A bookmark as a document. `initial_end` ends the initial events of a streaming list.
    pub(super) fn bookmark(&self, version: u64, initial_end: bool) -> Vec<u8> {
        let spec = &self.spec;
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let document = match self.form {
            Form::Json | Form::Yaml | Form::Protobuf(_) => {
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
            Ok(bookmark) => wire::write_body(Format::Protobuf, &self.api_version, &spec.kind, &bookmark),
            Err(_) => json,
        }
    }

    fn protobuf_list(&self, message: &Message, objects: &[&Value], meta: &Value) -> Vec<u8> {
        let items: Vec<Vec<u8>> = objects.iter().map(|o| schema::to_protobuf(message, o)).collect();
        let meta = wire::ListMeta {
            resource_version: text(meta, "resourceVersion").into(),
            continue_token: text(meta, "continue").into(),
            remaining: meta["remainingItemCount"].as_i64(),
        };
        let kind = format!("{}List", self.spec.kind);
        wire::write_list(&self.api_version, &kind, &meta, items.iter().map(Vec::as_slice))
    }

    fn table(&self, objects: &[&Value], described: bool, meta: Value) -> Value {
        let subject = tables::Subject { slot: self.slot, custom: self.custom.as_deref() };
        // a watch describes the columns with its first event only
        let columns = if described { json!(subject.columns()) } else { Value::Null };
        let rows: Vec<Value> = objects
            .iter()
            .map(|o| {
                let mut row = json!({ "cells": subject.cells(o, self.now) });
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
        match self.form {
            Form::Table => self.table(&refs, true, meta.clone()).to_string().into_bytes(),
            Form::Protobuf(message) => self.protobuf_list(message, &refs, meta),
            Form::Metadata => {
                let items: Vec<Value> = refs.iter().map(|o| metadata(o)).collect();
                json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta, "items": items,
                })
                .to_string()
                .into_bytes()
            }
            Form::Json => self.json_list(&refs, meta),
            Form::Yaml => Value::parse(&self.json_list(&refs, meta)).map_or(Vec::new(), |list| yaml(&list)),
        }
    }

    fn json_list(&self, refs: &[&Value], meta: &Value) -> Vec<u8> {
        let spec = &self.spec;
        let mut out = Vec::with_capacity(refs.len() * 2048 + 256);
        let head = json!({
            "kind": format!("{}List", spec.kind), "apiVersion": self.api_version, "metadata": meta,
        });
        let head = head.to_string();
        out.extend_from_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
        out.extend_from_slice(b",\"items\":[");
        let typed = spec.typed;
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

/// A document as YAML.
fn yaml(document: &Value) -> Vec<u8> {
    // a value has nothing that YAML could not say
    serde_saphyr::to_string(document).unwrap_or_default().into_bytes()
}

fn metadata(object: &Value) -> Value {
    let mut alone = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
    });
    // a server has it in the spec, and makes an annotation of it in whole objects only
    if !annotation(&alone, TEMPLATE_GENERATION).is_empty() {
        let annotations = place(&mut alone, "metadata.annotations");
        object_mut(annotations).shift_remove(TEMPLATE_GENERATION);
        if object_mut(annotations).is_empty() {
            unset(&mut alone, "metadata.annotations");
        }
    }
    alone
}

/// The fields by which what a path names can be selected, beside name and namespace.
pub(super) fn selectable(target: &Target) -> Vec<&str> {
    match (&target.version, target.slot.built_in()) {
        (Some(version), _) => version.selectable.iter().map(String::as_str).collect(),
        (None, Some(res)) => known(res).to_vec(),
        (None, None) => Vec::new(),
    }
}

/// The fields by which a built-in resource can be selected, beside name and namespace
/// (`kubernetes/kubernetes:pkg/apis/*/v1/conversion.go`).
fn known(res: Res) -> &'static [&'static str] {
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
        Res::Secrets => &["type"],
        Res::SigningRequests => &["spec.signerName"],
        Res::ReplicaSets | Res::ReplicationControllers => &["status.replicas"],
        _ => &[],
    }
}
