//! Who set which field (`metadata.managedFields`), and server-side apply
//! (`kubernetes-sigs/structured-merge-diff`). What clients write is tracked, and who made a pod and
//! says how it is; of other objects the fleet's own controllers own nothing.

mod paths;
mod pods;

pub(crate) use pods::{made, reported};

use crate::sim::json::{Value, json};

use super::fields::{at, list, set, text, unset};
use super::layout::Layout;
use super::refusal::Refusal;
use crate::model::Time;
use paths::{Paths, collect, get, remove};

/// Who writes, and how.
#[derive(Clone, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) api_version: &'a str,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    pub(crate) now: Time,
}

/// What one manager set.
#[derive(Clone, Debug)]
struct Entry {
    manager: String,
    apply: bool,
    api_version: String,
    subresource: String,
    time: Value,
    paths: Paths,
}

impl Entry {
    fn read(entry: &Value) -> Option<Entry> {
        let manager = text(entry, "manager").to_owned();
        Some(Entry {
            apply: text(entry, "operation") == "Apply",
            api_version: text(entry, "apiVersion").to_owned(),
            subresource: text(entry, "subresource").to_owned(),
            time: at(entry, "time").clone(),
            paths: paths::read(entry.get("fieldsV1")?),
            manager,
        })
    }

    fn write(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager, "operation": if self.apply { "Apply" } else { "Update" },
            "apiVersion": self.api_version, "time": self.time, "fieldsType": "FieldsV1",
            "fieldsV1": paths::write(&self.paths),
        });
        if !self.subresource.is_empty() {
            set(&mut entry, "subresource", self.subresource.clone());
        }
        entry
    }

    fn new(writer: &Writer<'_>, apply: bool, paths: Paths) -> Entry {
        Entry {
            manager: writer.manager.to_owned(),
            apply,
            api_version: writer.api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: writer.now.rfc3339().into(),
            paths,
        }
    }

    fn is(&self, writer: &Writer<'_>, apply: bool) -> bool {
        self.apply == apply && self.manager == writer.manager && self.subresource == writer.subresource
    }
}

fn entries(object: &Value) -> Vec<Entry> {
    list(object, "metadata.managedFields").iter().filter_map(Entry::read).collect()
}

fn put(object: &mut Value, entries: &[Entry]) {
    let kept: Vec<Value> = entries.iter().filter(|e| !e.paths.is_empty()).map(Entry::write).collect();
    if kept.is_empty() {
        unset(object, "metadata.managedFields");
    } else {
        set(object, "metadata.managedFields", kept);
    }
}

/// Notes who made a change that was no apply. `old` is null for a new object.
pub(crate) fn updated(layout: Layout<'_>, old: &Value, new: &mut Value, writer: &Writer<'_>) {
    let after = collect(layout, new);
    let changed: Paths = after
        .iter()
        .filter(|path| old.is_null() || get(layout, old, path) != get(layout, new, path))
        .cloned()
        .collect();
    // a client may take ownership away: then it sends what is left of it
    let mut entries = entries(if at(new, "metadata.managedFields").is_null() { old } else { new });
    for entry in &mut entries {
        let mine = entry.is(writer, false);
        let here = |path: &Vec<String>| entry.subresource != writer.subresource || after.contains(path);
        let kept: Paths =
            entry.paths.iter().filter(|p| here(p) && (mine || !changed.contains(*p))).cloned().collect();
        entry.paths = kept;
    }
    if !changed.is_empty() {
        match entries.iter_mut().find(|e| e.is(writer, false)) {
            Some(entry) => {
                entry.paths.extend(changed);
                entry.time = writer.now.rfc3339().into();
            }
            None => entries.push(Entry::new(writer, false, changed)),
        }
    }
    put(new, &entries);
}

/// Takes a field out of what everybody set.
pub(crate) fn disown(object: &mut Value, path: &str) {
    let path: Vec<String> = path.split('.').map(|key| format!("f:{key}")).collect();
    let mut left = entries(object);
    for entry in &mut left {
        entry.paths.remove(&path);
    }
    put(object, &left);
}

/// Applies a configuration: what it names is set, what its manager named before and does not name
/// any more goes, and what somebody else set to another value is a conflict, unless `force`.
pub(crate) fn apply(
    layout: Layout<'_>,
    live: &Value,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, Refusal> {
    let wanted = collect(layout, config);
    let mut entries = entries(live);
    if entries.is_empty() && !live.is_null() {
        let before = Writer { manager: "before-first-apply", subresource: "", ..writer.clone() };
        entries.push(Entry::new(&before, false, collect(layout, live)));
    }
    let mut conflicts: Vec<(String, String)> = Vec::new();
    for entry in entries.iter_mut().filter(|e| !e.is(writer, true)) {
        let differ = |path: &&Vec<String>| get(layout, live, path) != get(layout, config, path);
        let taken: Paths = entry.paths.intersection(&wanted).filter(differ).cloned().collect();
        if force {
            entry.paths.retain(|p| !taken.contains(p));
        } else {
            let sub = if entry.subresource.is_empty() {
                String::new()
            } else {
                format!(" with subresource {:?}", entry.subresource)
            };
            let using = if entry.apply { String::new() } else { format!(" using {}", entry.api_version) };
            let who = format!("{:?}{sub}{using}", entry.manager);
            conflicts.extend(taken.iter().map(|path| (who.clone(), paths::said(path))));
        }
    }
    if !conflicts.is_empty() {
        return Err(Refusal::apply_conflicts(&conflicts));
    }
    let mut new = live.clone();
    let mine = entries.iter().position(|e| e.is(writer, true));
    let before = mine.map(|at| entries[at].paths.clone()).unwrap_or_default();
    let others: Paths =
        entries.iter().filter(|e| !e.is(writer, true)).flat_map(|e| e.paths.iter().cloned()).collect();
    // an item goes before what it says: what it says is how it is found
    for path in before.iter().filter(|p| !wanted.contains(*p)) {
        let kept = others.iter().chain(&wanted).any(|other| other.starts_with(path));
        if !kept {
            remove(layout, &mut new, path);
        }
    }
    paths::merge(layout, &mut new, config);
    match mine {
        Some(at) => {
            if entries[at].paths != wanted {
                entries[at].time = writer.now.rfc3339().into();
            }
            entries[at].paths = wanted;
        }
        None => entries.push(Entry::new(writer, true, wanted)),
    }
    put(&mut new, &entries);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::schema;

    const NOW: Time = Time::from_seconds(1_795_226_400);

    fn layout() -> Layout<'static> {
        Layout::Message(schema::of("apps/v1", "Deployment").unwrap())
    }

    fn writer(manager: &str) -> Writer<'_> {
        Writer { manager, api_version: "apps/v1", subresource: "", now: NOW }
    }

    fn config(replicas: Option<i64>, image: &str) -> Value {
        let mut d = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "template": {"spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 80}]}]}},
        }});
        if let Some(n) = replicas {
            set(&mut d, "spec.replicas", n);
        }
        d
    }

    #[test]
    fn what_is_applied_is_owned_and_what_is_left_out_goes() {
        let first = apply(layout(), &Value::Null, &config(Some(2), "a:1"), &writer("ci"), false).unwrap();
        let owned = &first["metadata"]["managedFields"][0];
        assert_eq!((text(owned, "manager"), text(owned, "operation")), ("ci", "Apply"));
        let containers = &owned["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"];
        assert_eq!(containers["k:{\"name\":\"c\"}"]["f:image"], json!({}));
        let second = apply(layout(), &first, &config(None, "a:1"), &writer("ci"), false).unwrap();
        assert!(second["spec"].get("replicas").is_none());
        let again = apply(layout(), &second, &config(None, "a:1"), &writer("ci"), false).unwrap();
        assert_eq!(again, second, "applying the same twice changes nothing");
    }

    #[test]
    fn another_s_field_is_a_conflict_unless_forced() {
        let first = apply(layout(), &Value::Null, &config(Some(2), "a:1"), &writer("ci"), false).unwrap();
        let mut scaled = first.clone();
        set(&mut scaled, "spec.replicas", 5);
        updated(layout(), &first, &mut scaled, &writer("kubectl-edit"));
        let refused = apply(layout(), &scaled, &config(Some(2), "a:2"), &writer("ci"), false).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas"
        );
        let forced = apply(layout(), &scaled, &config(Some(2), "a:2"), &writer("ci"), true).unwrap();
        assert_eq!(forced["spec"]["replicas"], 2);
        assert_eq!(list(&forced, "metadata.managedFields").len(), 1, "who owns nothing is not named");
        // a field that two apply with the same value has two owners and stays when one leaves it
        let shared = apply(layout(), &forced, &config(Some(2), "a:2"), &writer("other"), false).unwrap();
        let left = apply(layout(), &shared, &config(None, "a:2"), &writer("ci"), false).unwrap();
        assert_eq!(left["spec"]["replicas"], 2);
    }

    #[test]
    fn items_of_keyed_lists_are_told_apart() {
        let live = apply(layout(), &Value::Null, &config(None, "a:1"), &writer("ci"), false).unwrap();
        let sidecar =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}});
        let both = apply(layout(), &live, &sidecar, &writer("mesh"), false).unwrap();
        let names = |d: &Value| -> Vec<String> {
            list(d, "spec.template.spec.containers").iter().map(|c| text(c, "name").to_owned()).collect()
        };
        assert_eq!(names(&both), ["c", "side"]);
        let gone =
            apply(layout(), &both, &json!({"metadata": {"name": "d"}}), &writer("mesh"), false).unwrap();
        assert_eq!(names(&gone), ["c"]);
    }
}
