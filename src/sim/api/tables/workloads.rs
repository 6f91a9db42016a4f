//! The tables of what keeps pods.

use crate::sim::json::{Value, json};

use super::{Column, age, human, pairs};
use crate::model::Time;
use crate::sim::fields::{at, condition, flag, int, list, maybe_int, text, time};
use crate::sim::resources::Res;

const CONTAINERS: Column = ("Containers", "string", 1);
const IMAGES: Column = ("Images", "string", 1);
const SELECTOR: Column = ("Selector", "string", 1);

pub(super) fn columns(res: Res) -> &'static [Column] {
    match res {
        Res::Deployments => &[
            ("Ready", "string", 0),
            ("Up-to-date", "string", 0),
            ("Available", "string", 0),
            super::AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        Res::StatefulSets => &[("Ready", "string", 0), super::AGE, CONTAINERS, IMAGES],
        Res::DaemonSets => &[
            ("Desired", "integer", 0),
            ("Current", "integer", 0),
            ("Ready", "integer", 0),
            ("Up-to-date", "integer", 0),
            ("Available", "integer", 0),
            ("Node Selector", "string", 0),
            super::AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        Res::ReplicaSets => &[
            ("Desired", "integer", 0),
            ("Current", "integer", 0),
            ("Ready", "integer", 0),
            super::AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        Res::Jobs => &[
            ("Status", "string", 0),
            ("Completions", "string", 0),
            ("Duration", "string", 0),
            super::AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        _ => &[
            ("Schedule", "string", 0),
            ("Timezone", "string", 0),
            ("Suspend", "boolean", 0),
            ("Active", "integer", 0),
            ("Last Schedule", "string", 0),
            super::AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
    }
}

fn containers(template: &Value) -> [Value; 2] {
    let all = |key: &str| {
        let names: Vec<&str> = list(template, "spec.containers").iter().map(|c| text(c, key)).collect();
        json!(names.join(","))
    };
    [all("name"), all("image")]
}

pub(super) fn cells(res: Res, o: &Value, now: Time) -> Vec<Value> {
    let status = |key: &str| int(o, &format!("status.{key}"));
    let wanted = maybe_int(o, "spec.replicas").unwrap_or(1);
    let [names, images] = containers(at(o, "spec.template"));
    let selector = json!(pairs(at(o, "spec.selector.matchLabels")));
    match res {
        Res::Deployments => vec![
            json!(format!("{}/{wanted}", status("readyReplicas"))),
            json!(status("updatedReplicas")),
            json!(status("availableReplicas")),
            age(o, now),
            names,
            images,
            selector,
        ],
        Res::StatefulSets => {
            vec![json!(format!("{}/{wanted}", status("readyReplicas"))), age(o, now), names, images]
        }
        Res::DaemonSets => vec![
            json!(status("desiredNumberScheduled")),
            json!(status("currentNumberScheduled")),
            json!(status("numberReady")),
            json!(status("updatedNumberScheduled")),
            json!(status("numberAvailable")),
            json!(pairs(at(o, "spec.template.spec.nodeSelector"))),
            age(o, now),
            names,
            images,
            selector,
        ],
        Res::ReplicaSets => vec![
            json!(wanted),
            json!(status("replicas")),
            json!(status("readyReplicas")),
            age(o, now),
            names,
            images,
            selector,
        ],
        Res::Jobs => {
            let holds = |kind: &str| condition(o, kind).is_some_and(|c| text(c, "status") == "True");
            let word = match () {
                () if holds("Complete") => "Complete",
                () if holds("Failed") => "Failed",
                () if flag(o, "spec.suspend") => "Suspended",
                () => "Running",
            };
            let began = time(o, "status.startTime");
            let ended = time(o, "status.completionTime").unwrap_or(now);
            vec![
                json!(word),
                json!(format!("{}/{}", status("succeeded"), maybe_int(o, "spec.completions").unwrap_or(1))),
                json!(began.map_or(String::new(), |b| human(b.age(ended)))),
                age(o, now),
                names,
                images,
                selector,
            ]
        }
        _ => {
            let [names, images] = containers(at(o, "spec.jobTemplate.spec.template"));
            let last = time(o, "status.lastScheduleTime");
            vec![
                json!(text(o, "spec.schedule")),
                json!(match text(o, "spec.timeZone") {
                    "" => "<none>",
                    zone => zone,
                }),
                json!(if flag(o, "spec.suspend") { "True" } else { "False" }),
                json!(list(o, "status.active").len()),
                json!(last.map_or("<none>".to_owned(), |t| human(t.age(now)))),
                age(o, now),
                names,
                images,
                json!("<none>"),
            ]
        }
    }
}
