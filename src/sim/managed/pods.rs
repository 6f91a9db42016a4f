//! What the fleet's own controllers and kubelets set of pods. On a real server that is a third of what a pod says:
//! a fleet without it would be read faster than any real one.
//!
//! A pod is made and changed tens of thousands of times a second, so a set of fields is worked out once for all pods
//! that have the same: those of an owner, and those that report the same.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::paths::{collect, write};
use super::{Entry, Writer, text};
use crate::model::Time;
use crate::sim::fields::{at, controller, list, list_mut, object_mut, place, set};
use crate::sim::json::{Value, json};
use crate::sim::layout::Layout;
use crate::sim::schema;

const FIELDS: &str = "metadata.managedFields";

/// Who makes pods of workloads, and who says how they are.
const MAKER: &str = "kube-controller-manager";
const REPORTER: &str = "kubelet";

/// How many sets of fields a thread remembers. When there are more, it begins anew.
const MOST: usize = 4_096;

/// Who made a pod: the owner's uid, where the containers are that it asks for, and its labels and annotations.
type Maker = (String, usize, u64);

/// Those containers, kept so that no other list can come to lie where they are, and the fields.
type Made = (Value, Value);

thread_local! {
    /// What owners set.
    static MADE: RefCell<FxHashMap<Maker, Made>> = RefCell::default();
    /// What kubelets set, by what it is.
    static REPORTED: RefCell<FxHashMap<u64, Value>> = RefCell::default();
}

/// Notes that its owner's controller made a pod that is as it was asked for.
pub(crate) fn made(pod: &mut Value, now: Time) {
    let containers = at(pod, "spec.containers").clone();
    let (Some(owner), Value::Array(items)) = (controller(pod), &containers) else { return };
    let mut marks = FxHasher::default();
    for kind in ["metadata.labels", "metadata.annotations"] {
        keys(at(pod, kind), &mut marks);
    }
    let key = (text(owner, "uid").to_owned(), items.address(), marks.finish());
    let fields = MADE.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        let work_out = || (containers.clone(), write(&collect(layout(), pod)));
        known.entry(key).or_insert_with(work_out).1.clone()
    });
    let entry = entry(MAKER, "", fields, now);
    list_mut(place(pod, FIELDS)).push(entry);
}

/// Notes that its kubelet said how a pod is, if that is not as it was.
pub(crate) fn reported(before: &Value, pod: &mut Value, now: Time) {
    if at(before, "status") == at(pod, "status") || text(pod, "spec.nodeName").is_empty() {
        return;
    }
    let known = list(pod, FIELDS).iter().position(|e| text(e, "manager") == REPORTER);
    let same = outline(before) == outline(pod) && at(before, "status.podIPs") == at(pod, "status.podIPs");
    match known {
        Some(known) if same => set(&mut list_mut(place(pod, FIELDS))[known], "time", now.rfc3339()),
        _ => {
            let entry = entry(REPORTER, "status", status_fields(pod), now);
            let entries = list_mut(place(pod, FIELDS));
            match known {
                Some(known) => entries[known] = entry,
                None => entries.push(entry),
            }
        }
    }
}

fn layout() -> Layout<'static> {
    schema::of("v1", "Pod").map_or(Layout::Free, Layout::Message)
}

fn entry(manager: &str, subresource: &str, fields: Value, now: Time) -> Value {
    let writer = Writer { manager, api_version: "v1", subresource, now };
    let mut entry = Entry::new(&writer, false, Default::default()).write();
    set(&mut entry, "fieldsV1", fields);
    entry
}

/// What a kubelet sets: all of a status but what the binding says, and addresses that are no other pod's.
fn status_fields(pod: &Value) -> Value {
    let mut fields = REPORTED.with_borrow_mut(|known| {
        if known.len() >= MOST {
            known.clear();
        }
        let work_out = || {
            let mut status = at(pod, "status").clone();
            object_mut(&mut status).shift_remove("podIPs");
            let said = |c: &Value| text(c, "type") != "PodScheduled";
            let conditions: Value = list(&status, "conditions").iter().filter(|c| said(c)).cloned().collect();
            set(&mut status, "conditions", conditions);
            write(&collect(layout(), &json!({ "status": status })))
        };
        known.entry(outline(pod)).or_insert_with(work_out).clone()
    });
    let addresses = at(pod, "status.podIPs");
    if !addresses.is_null() {
        let own = write(&collect(layout(), &json!({ "status": { "podIPs": addresses } })));
        set(&mut fields, "f:status.f:podIPs", own["f:status"]["f:podIPs"].clone());
    }
    fields
}

/// Which fields a status has, addresses aside, whatever is in them.
fn outline(pod: &Value) -> u64 {
    let mut hasher = FxHasher::default();
    let status = at(pod, "status");
    keys(status, &mut hasher);
    for condition in list(status, "conditions") {
        keys(condition, &mut hasher);
        text(condition, "type").hash(&mut hasher);
    }
    hasher.finish()
}

fn keys(of: &Value, hasher: &mut FxHasher) {
    let map = of.as_object();
    map.map_or(0, |map| map.len()).hash(hasher);
    map.into_iter().flatten().for_each(|(key, _)| key.as_str().hash(hasher));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fields::unset;

    const NOW: Time = Time::from_seconds(1_795_226_400);

    fn pod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web-1", "namespace": "shop", "labels": { "app": "web" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u-1",
                                      "controller": true }],
            },
            "spec": { "nodeName": "n", "containers": [{ "name": "web", "image": "i",
                      "env": [{ "name": "A", "value": "b" }] }] },
        })
    }

    fn fields<'a>(pod: &'a Value, manager: &str) -> &'a Value {
        &list(pod, FIELDS).iter().find(|e| text(e, "manager") == manager).unwrap()["fieldsV1"]
    }

    #[test]
    fn its_maker_set_what_a_pod_was_made_with() {
        let mut first = pod();
        made(&mut first, NOW);
        let spec = &fields(&first, MAKER)["f:spec"];
        let container = &spec["f:containers"]["k:{\"name\":\"web\"}"];
        assert_eq!(container["f:env"]["k:{\"name\":\"A\"}"], json!({ ".": {}, "f:name": {}, "f:value": {} }));
        let owners = &fields(&first, MAKER)["f:metadata"]["f:ownerReferences"];
        assert_eq!(
            owners["k:{\"uid\":\"u-1\"}"],
            json!({ ".": {}, "f:apiVersion": {}, "f:controller": {}, "f:kind": {}, "f:name": {}, "f:uid": {} })
        );
        // another owner's pods have other fields though they look alike
        let mut other = pod();
        set(&mut other, "metadata.ownerReferences", json!([{ "uid": "u-2", "controller": true }]));
        made(&mut other, NOW);
        assert!(fields(&other, MAKER)["f:metadata"]["f:ownerReferences"]["k:{\"uid\":\"u-2\"}"].is_object());
        // and so have those that its template gives another mark
        let mut marked = pod();
        set(&mut marked, "metadata.annotations", json!({ "restarted": "now" }));
        set(&mut marked, "spec.containers", first["spec"]["containers"].clone());
        made(&mut marked, NOW);
        assert!(fields(&marked, MAKER)["f:metadata"]["f:annotations"].is_object());
        let mut alone = pod();
        unset(&mut alone, "metadata.ownerReferences");
        made(&mut alone, NOW);
        assert!(list(&alone, FIELDS).is_empty(), "whoever makes a pod by himself is known by his request");
    }

    #[test]
    fn its_kubelet_set_what_a_pod_says_of_itself() {
        let mut first = pod();
        made(&mut first, NOW);
        let bare = first.clone();
        let ready = json!({ "type": "Ready", "status": "True" });
        let bound = json!({ "type": "PodScheduled", "status": "True" });
        set(
            &mut first,
            "status",
            json!({ "phase": "Running", "podIPs": [{ "ip": "10.0.0.1" }], "conditions": [bound, ready] }),
        );
        reported(&bare, &mut first, NOW);
        let status = &fields(&first, REPORTER)["f:status"];
        assert_eq!(status["f:podIPs"]["k:{\"ip\":\"10.0.0.1\"}"], json!({ ".": {}, "f:ip": {} }));
        let conditions: Vec<&str> =
            status["f:conditions"].as_object().unwrap().keys().map(|k| k.as_str()).collect();
        assert_eq!(conditions, ["k:{\"type\":\"Ready\"}"]);
        // the same again, later: only the time is another
        let (before, later) = (first.clone(), Time::from_seconds(1_795_226_460));
        set(&mut first, "status.phase", "Failed");
        reported(&before, &mut first, later);
        assert_eq!(fields(&first, REPORTER), fields(&before, REPORTER));
        let times: Vec<&str> = list(&first, FIELDS).iter().map(|e| text(e, "time")).collect();
        assert_eq!(times, [NOW.rfc3339(), later.rfc3339()]);
        // something new is its own, too
        let before = first.clone();
        set(&mut first, "status.startTime", NOW.rfc3339());
        reported(&before, &mut first, later);
        assert!(fields(&first, REPORTER)["f:status"]["f:startTime"].is_object());
        let (before, entries) = (first.clone(), list(&first, FIELDS).to_vec());
        reported(&before, &mut first, NOW);
        assert_eq!(list(&first, FIELDS), entries, "nothing was said");
    }
}
