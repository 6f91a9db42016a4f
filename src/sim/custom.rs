//! Custom resources: what `CustomResourceDefinition` objects define
//! (`kubernetes/apiextensions-apiserver`).

mod structural;

use std::sync::Arc;

use crate::sim::json::{Value, json};

use super::fields::{self, at, flag, list, name, set, text};
use super::json_path::JsonPath;
use super::refusal::Cause;
use super::resources::{Name, Res, Slot, Spec};
use crate::model::Time;

pub(crate) use structural::conform;

/// Every custom resource of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Custom {
    defined: Vec<Defined>,
    /// How many slots were given out.
    slots: usize,
}

/// A custom resource.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) slot: Slot,
    pub(crate) spec: Arc<Spec>,
    versions: Vec<Arc<Version>>,
    /// Whether its definition is there. Its slot stays when that goes.
    pub(crate) live: bool,
}

/// A version of a custom resource.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) served: bool,
    pub(crate) columns: Vec<Column>,
    /// The schema of its objects; null when anything goes.
    pub(crate) schema: Value,
    /// The paths of wanted replicas, replicas, and the selector, if it can be scaled.
    pub(crate) scale: Option<[String; 3]>,
    /// Fields by which it can be selected.
    pub(crate) selectable: Vec<String>,
    subresources: Vec<Name>,
}

/// A column of a custom resource's table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) path: JsonPath,
}

impl Custom {
    /// The resource of a path.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<(&Defined, &Arc<Version>)> {
        let defined = self.live().find(|d| d.spec.group == group && d.spec.plural == plural)?;
        let version = defined.versions.iter().find(|v| v.served && v.name == version)?;
        Some((defined, version))
    }

    /// Every resource whose definition is there.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Defined> {
        self.defined.iter().filter(|d| d.live)
    }

    /// The names of what is kept in a slot.
    pub(crate) fn spec(&self, slot: Slot) -> Option<&Arc<Spec>> {
        self.defined.iter().find(|d| d.slot == slot).map(|d| &d.spec)
    }

    /// Learns a definition, new or changed; says where its objects are.
    pub(crate) fn learn(&mut self, definition: &Value) -> Slot {
        let (spec, versions) = read(definition);
        let same = |d: &&mut Defined| d.spec.group == spec.group && d.spec.plural == spec.plural;
        if let Some(defined) = self.defined.iter_mut().find(same) {
            (defined.spec, defined.versions, defined.live) = (Arc::new(spec), versions, true);
            return defined.slot;
        }
        // what the fleet keeps anyway, such as Karpenter's, is kept where it is
        let own =
            Res::ALL.into_iter().find(|r| r.spec().group == spec.group && r.spec().plural == spec.plural);
        let slot = own.map_or_else(|| Slot::custom(self.slots), Slot::from);
        self.slots += usize::from(own.is_none());
        self.defined.push(Defined { slot, spec: Arc::new(spec), versions, live: true });
        slot
    }

    /// Forgets a definition; says where its objects are.
    pub(crate) fn forget(&mut self, definition: &Value) -> Option<Slot> {
        let (group, plural) = (text(definition, "spec.group"), text(definition, "spec.names.plural"));
        let defined = self.defined.iter_mut().find(|d| d.spec.group == group && d.spec.plural == plural)?;
        defined.live = false;
        Some(defined.slot)
    }
}

impl Defined {
    /// Its versions that are served.
    pub(crate) fn served(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.versions.iter().filter(|v| v.served)
    }
}

impl Version {
    /// Its subresources.
    pub(crate) fn has(&self, subresource: &str) -> bool {
        self.subresources.iter().any(|s| s == subresource)
    }
}

fn owned(value: &Value, path: &str) -> Name {
    Name::Owned(text(value, path).to_owned())
}

fn words(value: &Value, path: &str) -> Vec<Name> {
    list(value, path).iter().filter_map(Value::as_str).map(|w| Name::Owned(w.to_owned())).collect()
}

fn read(definition: &Value) -> (Spec, Vec<Arc<Version>>) {
    let mut versions: Vec<&Value> = list(definition, "spec.versions").iter().collect();
    // the one in which objects are kept first
    versions.sort_by_key(|v| !flag(v, "storage"));
    let subresources = |v: &Value| -> Vec<Name> {
        let there = |s: &&str| !at(v, &format!("subresources.{s}")).is_null();
        ["status", "scale"].into_iter().filter(there).map(Name::Borrowed).collect()
    };
    let spec = Spec {
        group: owned(definition, "spec.group"),
        versions: versions.iter().map(|v| owned(v, "name")).collect(),
        plural: owned(definition, "spec.names.plural"),
        singular: owned(definition, "spec.names.singular"),
        kind: owned(definition, "spec.names.kind"),
        short: words(definition, "spec.names.shortNames"),
        categories: words(definition, "spec.names.categories"),
        namespaced: text(definition, "spec.scope") != "Cluster",
        subresources: versions.first().map(|v| subresources(v)).unwrap_or_default(),
        generation: true,
        typed: false,
    };
    let version = |v: &&Value| {
        let scale = at(v, "subresources.scale");
        Arc::new(Version {
            name: text(v, "name").to_owned(),
            served: flag(v, "served"),
            columns: columns(v),
            schema: at(v, "schema.openAPIV3Schema").clone(),
            scale: (!scale.is_null()).then(|| {
                ["specReplicasPath", "statusReplicasPath", "labelSelectorPath"]
                    .map(|p| text(scale, p).trim_start_matches('.').to_owned())
            }),
            selectable: list(v, "selectableFields")
                .iter()
                .map(|f| text(f, "jsonPath").trim_start_matches('.').to_owned())
                .collect(),
            subresources: subresources(v),
        })
    };
    (spec, versions.iter().map(version).collect())
}

fn columns(version: &Value) -> Vec<Column> {
    let column = |c: &Value| Column {
        name: text(c, "name").to_owned(),
        kind: text(c, "type").to_owned(),
        format: text(c, "format").to_owned(),
        description: text(c, "description").to_owned(),
        priority: fields::int(c, "priority"),
        path: JsonPath::parse(text(c, "jsonPath")).unwrap_or_default(),
    };
    let given: Vec<Column> = list(version, "additionalPrinterColumns").iter().map(column).collect();
    if !given.is_empty() {
        return given;
    }
    vec![Column {
        name: "Age".to_owned(),
        kind: "date".to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        path: JsonPath::parse(".metadata.creationTimestamp").unwrap_or_default(),
    }]
}

/// Fills in what the server does of a new definition: its names, and that it is served.
pub(crate) fn admit(definition: &mut Value, now: Time) {
    let kind = text(definition, "spec.names.kind").to_owned();
    for (path, value) in [
        ("spec.names.singular", kind.to_lowercase()),
        ("spec.names.listKind", format!("{kind}List")),
        ("spec.conversion.strategy", "None".to_owned()),
    ] {
        if text(definition, path).is_empty() {
            set(definition, path, value);
        }
    }
    let stored = list(definition, "spec.versions").iter().find(|v| flag(v, "storage"));
    let stored = stored.map_or(Value::Null, |v| v["name"].clone());
    let condition = |kind: &str, reason: &str, message: &str| json!({ "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now.rfc3339() });
    let status = json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": at(definition, "spec.names"),
        "storedVersions": [stored],
    });
    set(definition, "status", status);
}

/// What is wrong with a definition.
pub(crate) fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"] {
        if text(definition, field).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let wanted = format!("{}.{}", text(definition, "spec.names.plural"), text(definition, "spec.group"));
    if causes.is_empty() && name(definition) != wanted {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &json!(name(definition)), why));
    }
    if !["", "Namespaced", "Cluster"].contains(&text(definition, "spec.scope")) {
        let scope = text(definition, "spec.scope");
        causes.push(Cause::unsupported("spec.scope", scope, &["Cluster", "Namespaced"]));
    }
    let versions = list(definition, "spec.versions");
    if versions.iter().filter(|v| flag(v, "storage")).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &Value::from(versions.to_vec()), why));
    }
    for (i, version) in versions.iter().enumerate() {
        if at(version, "schema.openAPIV3Schema").is_null() {
            causes.push(Cause::required(
                &format!("spec.versions[{i}].schema.openAPIV3Schema"),
                "schemas are required",
            ));
        }
    }
    causes
}
