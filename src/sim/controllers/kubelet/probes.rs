//! Probes: what fails them, and what follows (`pkg/kubelet/prober`).

use super::containers::Part;
use super::{COMPONENT, jitter, memory};
use crate::model::{Span, Time};
use crate::sim::controllers::events::{Said, record};
use crate::sim::fields::{at, flag, label, list, maybe_int, namespace};
use crate::sim::json::Value;
use crate::sim::queue::Id;
use crate::sim::world::{FaultKind, World};

/// What a probe is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Probe {
    /// Whether the container has started: until then nothing else is asked.
    Startup,
    /// Whether it is to be started again.
    Liveness,
    /// Whether it serves.
    Readiness,
}

/// What probes say of a container.
pub(super) enum Verdict {
    /// Nothing new; when to look again.
    Same(Option<Time>),
    Ready(bool),
    /// It is to be started again.
    Kill,
}

impl Probe {
    fn field(self) -> &'static str {
        ["startupProbe", "livenessProbe", "readinessProbe"][self as usize]
    }

    fn said(self) -> &'static str {
        ["Startup", "Liveness", "Readiness"][self as usize]
    }
}

/// Whether a command says itself that it fails: `false`, or a script that ends with `exit 1`.
fn fails(command: &[Value]) -> bool {
    let last = command.last().and_then(Value::as_str).unwrap_or_default();
    let last = last.rsplit([';', '&', '\n']).next().unwrap_or_default().trim();
    let code = last.strip_prefix("exit ").and_then(|code| code.parse::<i64>().ok());
    last == "false" || code.is_some_and(|code| code != 0)
}

/// Since when a probe of a container fails, if it does.
pub(super) fn failing(world: &World, part: &Part<'_>, probe: Probe) -> Option<Time> {
    let declared = &part.container[probe.field()];
    if fails(list(declared, "exec.command")) {
        return Some(Time::from_millis(0));
    }
    if world.faults.is_empty() {
        return None;
    }
    let own = Id::new(namespace(part.pod), label(part.pod, "app"));
    let fits = |kind: &FaultKind| match kind {
        FaultKind::Probe(which, id) => *which == probe && *id == own && !declared.is_null(),
        FaultKind::NotReady(id) => probe == Probe::Readiness && *id == own,
        _ => false,
    };
    world.faults.iter().find(|f| fits(&f.what)).map(|f| f.since)
}

/// Asks the probes of a container that began then.
pub(super) fn look(world: &mut World, part: &Part<'_>, began: Time) -> Verdict {
    let now = world.now;
    let ready = flag(part.status, "ready");
    for probe in [Probe::Startup, Probe::Liveness] {
        let Some(since) = failing(world, part, probe) else { continue };
        let Failures { count, next, enough } = ask(world, part, probe, began.max(since));
        if count >= enough {
            let why = probe.said().to_lowercase();
            let message = format!("Container {} failed {why} probe, will be restarted", part.name());
            record(world, part.pod, &Said::normal(COMPONENT, "Killing", message));
            return Verdict::Kill;
        }
        if probe == Probe::Startup || ready {
            return Verdict::Same(Some(next));
        }
    }
    if let Some(since) = failing(world, part, Probe::Readiness) {
        let Failures { count, next, enough } = ask(world, part, Probe::Readiness, began.max(since));
        // whose pods are to be unready by an incident are so at once
        let at_once = world.faulty(part.pod, FaultKind::NotReady);
        return if ready && (at_once || count >= enough) {
            Verdict::Ready(false)
        } else {
            Verdict::Same(Some(next))
        };
    }
    let due = began + jitter(world.timing.ready, part.pod);
    match ready {
        true => Verdict::Same(None),
        false if now < due => Verdict::Same(Some(due)),
        false => Verdict::Ready(true),
    }
}

/// How often a probe has failed in a row, when it will again, and how often is enough.
struct Failures {
    count: i64,
    next: Time,
    enough: i64,
}

/// Counts the failures of a probe that fails since then, and says those that are new.
fn ask(world: &mut World, part: &Part<'_>, probe: Probe, since: Time) -> Failures {
    let now = world.now;
    let declared = at(part.container, probe.field());
    let number = |field: &str, usual: i64| maybe_int(declared, field).filter(|n| *n > 0).unwrap_or(usual);
    let period = Span::from_seconds(number("periodSeconds", 10));
    let enough = number("failureThreshold", 3);
    let first = since + Span::from_seconds(number("initialDelaySeconds", 0));
    let passed = now.millis() - first.millis();
    let count = if passed < 0 { 0 } else { passed / period.millis() + 1 };
    let seen = &mut memory(world, part.pod, part.name()).failed[probe as usize];
    if count > *seen {
        *seen = count;
        let message = format!("{} probe failed: {}", probe.said(), why(declared));
        record(world, part.pod, &Said::warning(COMPONENT, "Unhealthy", message));
    }
    Failures { count, next: first + Span::from_millis(period.millis() * count), enough }
}

/// Why a probe fails, in the words of what asks.
fn why(probe: &Value) -> String {
    if !at(probe, "exec").is_null() {
        return "command failed".into();
    }
    let port = maybe_int(probe, "tcpSocket.port").or_else(|| maybe_int(probe, "grpc.port"));
    match port {
        Some(port) => format!("dial tcp :{port}: connect: connection refused"),
        None => "HTTP probe failed with statuscode: 503".into(),
    }
}
