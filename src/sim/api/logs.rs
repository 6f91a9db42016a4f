//! Logs of pods: a few believable lines, and more as time goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::sim::json::Value;
use bytes::Bytes;
use futures::stream;

use super::call::Call;
use super::reply::Answer;
use super::target::Target;
use crate::model::{Span, Time};
use crate::sim::cluster::Shared;
use crate::sim::fields::{at, list, name, namespace, text, time, uid};
use crate::sim::random;
use crate::sim::refusal::Refusal;
use crate::sim::resources::Res;
use crate::sim::shell;

/// How often a container says something.
const EVERY: i64 = 15;

/// How often a log that is followed is looked at; real time.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// One container's log, from when it began.
#[derive(Debug)]
pub(super) struct Log {
    namespace: String,
    pod: String,
    /// The pod's, so that another one of its name is another one.
    uid: String,
    container: String,
    began: Time,
    /// When the container ended, if it did.
    ended: Option<Time>,
    /// Its last words, if it failed.
    failed: bool,
    stamps: bool,
    /// What a program that is known says, and when.
    script: Option<(Vec<String>, Span)>,
}

/// The log of a container.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let (pod, now) =
        (shared.read(|w| w.store.need(target.slot, target.space(), target.named()))?, shared.now());
    let container = container(&pod, call.query.get("container"))?;
    let log = Log::of(&pod, container, call.query.flag("previous"), call.query.flag("timestamps"), now)?;
    let until = log.ended.unwrap_or(now);
    let last = log.lines_by(until);
    let tail = call.query.number("tailLines")?.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let since = match (call.query.number("sinceSeconds")?, Time::parse(call.query.get("sinceTime"))) {
        (Some(seconds), _) => Some(now - Span::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))),
        (None, since) => since,
    };
    // a log that has run for weeks is not kept whole
    let oldest = (last - 5_000).max(0);
    let from = tail.map_or(oldest, |n| last.saturating_sub(n).max(oldest));
    let from = since.map_or(from, |since| from.max(log.lines_by(since - Span::from_millis(1))));
    let mut said = log.between(from, last);
    if let Some(limit) = call.query.number("limitBytes")? {
        said.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if !call.query.flag("follow") || log.ended.is_some() {
        return Ok(Answer::text(said));
    }
    Ok(Answer::stream("text/plain", follow(shared.clone(), log, said, last)))
}

/// The container of this name, or the one there is.
pub(super) fn container<'a>(pod: &'a Value, wanted: &str) -> Result<&'a str, Refusal> {
    let names: Vec<&str> = list(pod, "spec.containers").iter().map(|c| text(c, "name")).collect();
    let others = ["spec.initContainers", "spec.ephemeralContainers"].iter().flat_map(|p| list(pod, p));
    let own = name(pod);
    match (wanted, names.as_slice()) {
        ("", [one]) => Ok(one),
        ("", _) => Err(Refusal::bad_request(format!(
            "a container name must be specified for pod {own}, choose one of: [{}]{}",
            names.join(" "),
            match list(pod, "spec.initContainers") {
                [] => String::new(),
                all => format!(
                    " or one of the init containers: [{}]",
                    all.iter().map(|c| text(c, "name")).collect::<Vec<_>>().join(" ")
                ),
            }
        ))),
        (wanted, _) => names
            .iter()
            .copied()
            .chain(others.map(|c| text(c, "name")))
            .find(|n| *n == wanted)
            .ok_or_else(|| Refusal::bad_request(format!("container {wanted} is not valid for pod {own}"))),
    }
}

/// The status of a container.
fn status_of<'a>(pod: &'a Value, container: &str) -> &'a Value {
    let kinds = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = kinds.iter().flat_map(|kind| list(pod, &format!("status.{kind}")));
    statuses.find(|s| text(s, "name") == container).unwrap_or(&Value::Null)
}

impl Log {
    /// The log of a container that runs or ran; `previous` is the one before its last restart.
    pub(super) fn of(
        pod: &Value,
        container: &str,
        previous: bool,
        stamps: bool,
        now: Time,
    ) -> Result<Log, Refusal> {
        let own = name(pod);
        let status = status_of(pod, container);
        let waits = text(status, "state.waiting.reason");
        let why = match waits {
            "ErrImagePull" | "ImagePullBackOff" => "trying and failing to pull image",
            other => other,
        };
        let last = at(status, "lastState.terminated");
        let over =
            if previous || waits == "CrashLoopBackOff" { last } else { at(status, "state.terminated") };
        if previous && last.is_null() {
            let what = format!("previous terminated container {container:?} in pod {own:?} not found");
            return Err(Refusal::bad_request(what));
        }
        if !waits.is_empty() && over.is_null() {
            let what = format!("container {container:?} in pod {own:?} is waiting to start: {why}");
            return Err(Refusal::bad_request(what));
        }
        if text(pod, "spec.nodeName").is_empty() {
            return Err(Refusal::bad_request(format!("pod {own} does not have a host assigned")));
        }
        let running = time(status, "state.running.startedAt").or_else(|| time(pod, "status.startTime"));
        Ok(Log {
            namespace: namespace(pod).to_owned(),
            pod: own.to_owned(),
            uid: uid(pod).to_owned(),
            container: container.to_owned(),
            began: time(over, "startedAt").or(running).unwrap_or(now),
            ended: time(over, "finishedAt"),
            failed: crate::sim::fields::int(over, "exitCode") != 0,
            stamps,
            script: script(pod, container, now),
        })
    }

    /// Whether the container has ended.
    pub(super) fn over(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether the container still runs as it did.
    pub(super) fn runs(&self, shared: &Shared) -> bool {
        shared.read(|world| {
            let pod = world.store.get(Res::Pods, &self.namespace, &self.pod);
            pod.filter(|p| uid(p) == self.uid).is_some_and(|p| {
                let began = time(status_of(p, &self.container), "state.running.startedAt");
                began.or_else(|| time(p, "status.startTime")) == Some(self.began)
                    && at(status_of(p, &self.container), "state.terminated").is_null()
            })
        })
    }

    /// How many lines there are at a time.
    pub(super) fn lines_by(&self, now: Time) -> i64 {
        let age = self.began.age(now).seconds();
        if let Some((lines, takes)) = &self.script {
            return if age < takes.seconds() { 0 } else { i64::try_from(lines.len()).unwrap_or(i64::MAX) };
        }
        let last_words = i64::from(self.failed && self.ended.is_some_and(|e| e <= now));
        if age < 0 { 0 } else { age / EVERY + 1 + last_words }
    }

    /// The lines from one number up to another.
    pub(super) fn between(&self, from: i64, to: i64) -> String {
        (from.max(0)..to).map(|i| self.line(i)).collect()
    }

    fn line(&self, i: i64) -> String {
        if let Some((lines, takes)) = &self.script {
            let said = usize::try_from(i).ok().and_then(|i| lines.get(i)).map_or("", String::as_str);
            let stamp = (self.began + *takes).rfc3339();
            return if self.stamps { format!("{stamp} {said}\n") } else { format!("{said}\n") };
        }
        let ended = self.ended.filter(|e| self.failed && self.began.age(*e).seconds() / EVERY < i);
        let at = ended.unwrap_or(self.began + Span::from_seconds(i * EVERY));
        let chance = random::hash(&format!("{}/{}/{i}", self.pod, self.container));
        let said = match (i, chance % 23) {
            _ if ended.is_some() => "level=fatal msg=\"giving up\"".to_owned(),
            (0, _) => format!("level=info msg=\"{} starting\" pod={}", self.container, self.pod),
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
        let stamp = if self.stamps { format!("{} ", at.rfc3339()) } else { String::new() };
        format!("{stamp}time={} {said}\n", at.rfc3339())
    }
}

/// What a container says whose program is known: all of it when it ends. One that waits for
/// somebody at its terminal says nothing by itself.
fn script(pod: &Value, container: &str, now: Time) -> Option<(Vec<String>, Span)> {
    let kinds = ["containers", "initContainers", "ephemeralContainers"];
    let mut all = kinds.iter().flat_map(|kind| list(pod, &format!("spec.{kind}")));
    let own = all.find(|c| text(c, "name") == container)?;
    if let Some(ran) = shell::outcome(pod, own, now) {
        let lines = ran.out.lines().chain(ran.err.lines()).map(str::to_owned);
        return Some((lines.collect(), ran.takes));
    }
    shell::waits(pod, own, now).then(|| (Vec::new(), Span::ZERO))
}

/// What there is, and then more as it is said, until the container ends or its pod is gone.
pub(super) fn follow(
    shared: Arc<Shared>,
    log: Log,
    said: String,
    next: i64,
) -> impl futures::Stream<Item = Bytes> + Send {
    stream::unfold((shared, log, said, next), |(shared, log, said, mut next)| async move {
        if !said.is_empty() {
            return Some((Bytes::from(said), (shared, log, String::new(), next)));
        }
        loop {
            tokio::time::sleep(LOOK).await;
            let runs = log.runs(&shared);
            let last = log.lines_by(shared.now());
            if last > next && runs {
                let more = log.between(next, last);
                next = last;
                return Some((Bytes::from(more), (shared, log, String::new(), next)));
            }
            if !runs {
                return None;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    const T: fn(i64) -> Time = Time::from_seconds;

    fn pod(status: &Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
               "status": {"containerStatuses": [status]}})
    }

    #[test]
    fn lines_come_with_time_and_a_crash_has_last_words() {
        let running = pod(&json!({"name": "c", "state": {"running": {"startedAt": T(1000).rfc3339()}}}));
        let log = Log::of(&running, "c", false, false, T(1031)).unwrap();
        assert_eq!((log.lines_by(T(1000)), log.lines_by(T(1031))), (1, 3));
        assert_eq!(log.between(1, 3).lines().count(), 2);
        assert!(
            Log::of(&running, "c", true, false, T(1031)).unwrap_err().message.contains("previous terminated")
        );
        let over = json!({"exitCode": 1, "startedAt": T(1000).rfc3339(), "finishedAt": T(1020).rfc3339()});
        let crashed = pod(
            &json!({"name": "c", "lastState": {"terminated": over}, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
        );
        let log = Log::of(&crashed, "c", true, false, T(2000)).unwrap();
        assert!(log.between(0, log.lines_by(T(1020))).ends_with("giving up\"\n"));
        let pulling = pod(&json!({"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}}));
        let said = Log::of(&pulling, "c", false, false, T(2000)).unwrap_err().message;
        assert_eq!(
            said,
            "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image"
        );
    }

    #[test]
    fn a_container_must_be_named_when_there_are_two() {
        let two = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(container(&two, "b").unwrap(), "b");
        assert!(container(&two, "").unwrap_err().message.ends_with("choose one of: [a b]"));
        assert_eq!(container(&two, "x").unwrap_err().message, "container x is not valid for pod p");
    }
}
