//! Logs of pods: a few believable lines.

use std::sync::Arc;

use serde_json::Value;

use super::call::{Call, Target};
use super::reply::Answer;
use crate::model::{Span, Time};
use crate::sim::cluster::Shared;
use crate::sim::fields::{list, name, text, time};
use crate::sim::random;
use crate::sim::refusal::Refusal;

/// How often a container says something.
const EVERY: i64 = 15;

/// The log of a container.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let (pod, now) =
        shared.read(|w| Ok((w.store.need(target.res, target.space(), target.named())?, w.now)))?;
    let mut names = list(&pod, "spec.containers").iter().map(|c| text(c, "name"));
    let wanted = call.query.get("container");
    let first = names.clone().next().unwrap_or_default();
    if !wanted.is_empty() && !names.any(|n| n == wanted) {
        return Err(Refusal::bad_request(format!("container {wanted} is not valid for pod {}", name(&pod))));
    }
    let container = if wanted.is_empty() { first } else { wanted };
    let statuses = list(&pod, "status.containerStatuses");
    let status = statuses.iter().find(|s| text(s, "name") == container).unwrap_or(&Value::Null);
    let waits = text(status, "state.waiting.reason");
    if ["ContainerCreating", "ErrImagePull", "ImagePullBackOff"].contains(&waits) {
        let why = format!("container {container:?} in pod {:?} is waiting to start: {waits}", name(&pod));
        return Err(Refusal::bad_request(why));
    }
    let tail = call.query.number("tailLines")?.unwrap_or(40).min(5000) as i64;
    let stamps = call.query.flag("timestamps");
    let began =
        time(status, "state.running.startedAt").or_else(|| time(&pod, "status.startTime")).unwrap_or(now);
    Ok(Answer::text(lines(name(&pod), container, began, now, tail, stamps)))
}

fn lines(pod: &str, container: &str, began: Time, now: Time, tail: i64, stamps: bool) -> String {
    let said = began.age(now).seconds() / EVERY;
    let mut out = String::new();
    for i in (said - tail).max(0)..=said {
        let at = began + Span::from_seconds(i * EVERY);
        let chance = random::hash(&format!("{pod}/{container}/{i}"));
        let text = match (i, chance % 23) {
            (0, _) => format!("level=info msg=\"{container} starting\" pod={pod}"),
            (_, 0) => {
                format!("level=warn msg=\"slow request\" path=/api/items duration={}ms", 400 + chance % 900)
            }
            (_, 1) => "level=error msg=\"upstream reset, retried\" attempt=1".to_owned(),
            _ => format!(
                "level=info msg=\"request\" method=GET path=/api/items/{} status=200 duration={}ms",
                chance % 9000,
                2 + chance % 40
            ),
        };
        let stamp = if stamps { format!("{} ", at.rfc3339()) } else { String::new() };
        out.push_str(&format!("{stamp}time={} {text}\n", at.rfc3339()));
    }
    out
}
