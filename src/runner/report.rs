//! Reports of finished runs: Markdown for people, JSON for programs.
//!
//! Pure: whoever calls it writes the file. Everything in it is text that was made harmless where
//! it entered; in Markdown, what could be markup is escaped.

use serde_json::{Value, json};

use crate::model::{ClusterId, Span, Text, Time};
use crate::operations::{Run, RunState, StepState};

/// Milliseconds as `3:12.4`: minutes, seconds, tenths.
fn took(span: Span) -> String {
    let tenths = span.millis().max(0) / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// What the report's files are named after: `orders-eu-20261121T023000Z`, without an extension.
#[must_use]
pub fn file_name(run: &Run) -> String {
    let name = run.plan.recovery.as_ref().map_or(run.plan.operation, |r| r.name.as_str());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let stamp: String = run.began.rfc3339().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{}-{stamp}", name.chars().map(plain).take(80).collect::<String>())
}

/// The report as JSON. `name` says what people call a cluster.
#[must_use]
pub fn json(run: &Run, name: &dyn Fn(ClusterId) -> Text) -> Value {
    let millis = |span: Option<Span>| span.map(Span::millis);
    let steps: Vec<Value> = run
        .plan
        .steps
        .iter()
        .zip(&run.steps)
        .map(|(step, became)| {
            json!({
                "title": step.title,
                "state": became.state,
                "began": became.began,
                "ended": became.ended,
                "took_ms": millis(became.began.zip(became.ended).map(|(b, e)| b.age(e))),
                "after_ms": millis(became.ended.map(|e| run.began.age(e))),
                "deadline_ms": millis(step.deadline),
                "evidence": became.evidence,
                "way_back": step.way_back,
            })
        })
        .collect();
    let recovery = run.plan.recovery.as_ref().map(|r| {
        json!({
            "plan": r.name,
            "from": name(r.from),
            "to": name(r.to),
            "target_ms": millis(r.target),
            "recovery_time_ms": millis(run.recovery_time()),
            "met": met(run),
        })
    });
    json!({
        "version": 1,
        "operation": run.plan.operation,
        "title": run.plan.title,
        "drill": run.plan.drill,
        "plan_sha256": run.plan.hash(),
        "clusters": run.plan.touches.iter().map(|id| name(*id)).collect::<Vec<_>>(),
        "began": run.began,
        "ended": run.ended,
        "took_ms": millis(run.ended.map(|e| run.began.age(e))),
        "outcome": outcome(run),
        "result": run.result,
        "recovery": recovery,
        "left_to_do": run.left_to_do(),
        "steps": steps,
        "evidence": run.evidence.iter().map(|(at, line)| json!({ "at": at, "line": line })).collect::<Vec<_>>(),
        "pods": run.pods.iter().map(|(pod, since)| json!({
            "namespace": pod.namespace, "name": pod.name, "uid": pod.uid,
            "state": pod.state, "why": pod.why, "since": since,
        })).collect::<Vec<_>>(),
    })
}

/// The report as Markdown. `name` says what people call a cluster.
#[must_use]
pub fn markdown(run: &Run, name: &dyn Fn(ClusterId) -> Text) -> String {
    let mut out = format!("# {}\n\n", escaped(&run.plan.title));
    let mut fact = |label: &str, value: String| out.push_str(&format!("- **{label}**: {value}\n"));
    let kind = if run.plan.drill { "drill; no traffic was moved" } else { "run" };
    fact("Kind", kind.to_owned());
    fact("Outcome", format!("{}. {}", outcome(run), escaped(&run.result)));
    if let Some(recovery) = &run.plan.recovery {
        fact("From", escaped(&name(recovery.from)));
        fact("To", escaped(&name(recovery.to)));
        fact("Recovery time", recovery_time(run, recovery.target));
    }
    fact("Began", run.began.rfc3339());
    fact(
        "Ended",
        run.ended
            .map_or("not yet".to_owned(), |e| format!("{} after {}", e.rfc3339(), took(run.began.age(e)))),
    );
    fact(
        "Clusters written to",
        run.plan.touches.iter().map(|id| escaped(&name(*id))).collect::<Vec<_>>().join(", "),
    );
    fact("Plan", format!("`{}`", run.plan.hash()));
    let left = run.left_to_do();
    if !left.is_empty() {
        out.push_str("\n## Left to do, when the cluster answers again\n\n");
        for command in left {
            out.push_str(&format!("    {}\n", crate::model::text::sanitised(command)));
        }
    }
    out.push_str("\n## Steps\n\n| # | step | state | took | of | evidence |\n|---|---|---|---|---|---|\n");
    for (index, (step, became)) in run.plan.steps.iter().zip(&run.steps).enumerate() {
        let span = became.began.zip(became.ended).map_or("-".to_owned(), |(b, e)| took(b.age(e)));
        let limit = step.deadline.map_or("-".to_owned(), took);
        out.push_str(&format!(
            "| {} | {} | {} | {span} | {limit} | {} |\n",
            index + 1,
            escaped(&step.title),
            state(became.state),
            escaped(&became.evidence),
        ));
    }
    if !run.evidence.is_empty() {
        out.push_str("\n## Evidence\n\n");
        for (at, line) in &run.evidence {
            out.push_str(&format!("- {} {}\n", clock(*at), escaped(line)));
        }
    }
    if !run.plan.kubectl.is_empty() {
        out.push_str("\n## The same with kubectl\n\n");
        for line in &run.plan.kubectl {
            out.push_str(&format!("    {}\n", crate::model::text::sanitised(line)));
        }
    }
    out
}

fn recovery_time(run: &Run, target: Option<Span>) -> String {
    let measured = run.recovery_time().map_or("not reached".to_owned(), took);
    match (target, met(run)) {
        (None, _) => format!("{measured}, no target named"),
        (Some(target), Some(true)) => format!("{measured}, within the target of {}", took(target)),
        (Some(target), _) => format!("{measured}, target of {} missed", took(target)),
    }
}

/// Whether the promised recovery time was kept; `None` without a promise.
fn met(run: &Run) -> Option<bool> {
    let target = run.plan.recovery.as_ref()?.target?;
    Some(run.recovery_time().is_some_and(|time| time <= target))
}

fn outcome(run: &Run) -> String {
    match run.state {
        RunState::Ended(outcome) => {
            serde_json::to_value(outcome).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        }
        _ => "running".to_owned(),
    }
}

const fn state(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "not begun",
        StepState::Running => "running",
        StepState::Done => "done",
        StepState::Failed => "failed",
        StepState::Undone => "put back",
        StepState::NotUndone => "not put back",
    }
}

fn clock(at: Time) -> String {
    format!("{}Z", at.clock())
}

/// Text that cannot be taken for Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Tier};
    use crate::operations::fixture::{NOW, World, snapshot};
    use crate::operations::{
        OpEvent, OpId, Options, Outcome, PlanInput, Progress, RecoveryFile, RecoveryWish, Way, by_id,
    };

    fn ended(way: Way, seconds: i64) -> Run {
        let fleet = snapshot(vec![
            World::new(0, "gke", Tier::Dev).node("g0", "", "").deployment("cart", 3),
            World::new(1, "eks", Tier::Dev).node("e0", "", "").deployment("cart", 1),
        ]);
        assert!(fleet.fleet.clusters[0].find(Kind::Deployment, "shop", "cart").is_some());
        let file = RecoveryFile::read(
            "version=1\nname='shop|eu'\nprimary='gke'\nstandby='eks'\ntarget='10m'\n[[workload]]\nkind='Deployment'\nnamespace='shop'\nname='cart'",
        );
        let recovery = Some(RecoveryWish { file: file.unwrap().into(), way });
        let options = Options { recovery, ..Options::default() };
        let input = PlanInput { snapshot: &fleet, subjects: &[], options: &options, now: NOW };
        let plan = by_id("failover").unwrap().plan(&input).unwrap();
        let count = plan.steps.len();
        let mut run = Run::new(OpId(1), plan, NOW);
        let mut at = NOW;
        let mut tell = |at: Time, progress| run.apply(&OpEvent { op: OpId(1), at, progress });
        for index in 0..count {
            tell(at, Progress::StepBegan(index));
            at = at + Span::from_seconds(seconds);
            tell(at, Progress::StepDone(index, "<b>ok</b>".into()));
        }
        tell(at, Progress::Ended(Outcome::Done, "done".into()));
        run
    }

    fn name(id: ClusterId) -> Text {
        Text::clean(if id.0 == 0 { "gke" } else { "eks" })
    }

    #[test]
    fn a_report_has_the_recovery_time_and_every_step() {
        let run = ended(Way::Run, 61);
        let report = json(&run, &name);
        // assess, scale, ready, probe: the probe ends the recovery.
        assert_eq!(report["recovery"]["recovery_time_ms"], 4 * 61_000);
        assert_eq!((&report["recovery"]["met"], &report["outcome"]), (&json!(true), &json!("done")));
        assert_eq!(report["steps"][1]["took_ms"], 61_000);
        assert_eq!(report["steps"][1]["after_ms"], 122_000);
        let text = markdown(&run, &name);
        assert!(text.contains("- **Recovery time**: 4:04.0, within the target of 10:00.0\n"), "{text}");
        assert!(
            text.contains("| 1 | assess gke | done | 1:01.0 | 0:30.0 | &lt;b&gt;ok&lt;/b&gt; |"),
            "{text}"
        );
        assert!(text.contains("# fail over shop\\|eu: gke → eks"), "{text}");
        assert_eq!(file_name(&run), format!("shop-eu-{}", NOW.rfc3339().replace(['-', ':'], "")));
    }

    #[test]
    fn a_missed_target_and_a_drill_are_said() {
        let text = markdown(&ended(Way::Drill, 200), &name);
        assert!(text.contains("drill; no traffic was moved"), "{text}");
        assert!(text.contains("13:20.0, target of 10:00.0 missed"), "{text}");
    }
}
