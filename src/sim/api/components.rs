//! `componentstatuses`: how the parts of the control plane are. Nobody should ask any more, and some
//! still do (`pkg/registry/core/componentstatus`).

use std::sync::Arc;

use http::Method;

use super::access;
use super::call::Call;
use super::reply::Answer;
use crate::sim::cluster::Shared;
use crate::sim::json::{Value, json};
use crate::sim::refusal::{Refusal, details};

const PARTS: [&str; 3] = ["controller-manager", "etcd-0", "scheduler"];

/// What a real server says along with it.
const OLD: &str = "v1 ComponentStatus is deprecated in v1.19+";

/// Answers for all parts, or for one.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    if call.method != Method::GET {
        return Err(Refusal::method());
    }
    let (verb, name) = match rest {
        [] => ("list", ""),
        [name] => ("get", *name),
        _ => return Err(Refusal::no_such_path()),
    };
    access::check_names(shared, &call.who, verb, "", "componentstatuses", "", name)?;
    let body = if name.is_empty() {
        let items: Vec<Value> = PARTS.into_iter().map(part).collect();
        let items: Value = items.into_iter().collect();
        json!({ "kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": items.plain() })
    } else if PARTS.contains(&name) {
        let mut one = part(name);
        (one["kind"], one["apiVersion"]) = (json!("ComponentStatus"), json!("v1"));
        one
    } else {
        let refusal = Refusal::of(404, "NotFound", &format!("componentstatuses {name:?} not found"));
        return Err(Refusal { details: Box::new(details(name, "", "componentstatuses")), ..refusal });
    };
    Ok(Answer::json(200, &body).warned(vec![OLD.to_owned()]))
}

fn part(name: &str) -> Value {
    json!({ "metadata": { "name": name },
        "conditions": [{ "type": "Healthy", "status": "True", "message": "ok" }] })
}
