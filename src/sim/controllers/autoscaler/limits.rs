//! How far and how fast an autoscaler may go: stabilisation, policies, bounds
//! (`kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go`).

use crate::model::{Span, Time};
use crate::sim::fields::{at, list, maybe_int, text};
use crate::sim::json::Value;

/// What an autoscaler remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// What the metrics asked for.
    wishes: Vec<(Time, i64)>,
    /// By how many replicas it scaled.
    steps: Vec<(Time, i64)>,
}

/// The longest that anything is remembered (`MaxPeriodSeconds`, `MaxStabilizationWindowSeconds`).
const REMEMBERED: Span = Span::from_seconds(3600);

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) replicas: i64,
    /// Whether something older than the present wish was followed: reason and message.
    pub(super) stabilised: Option<(&'static str, &'static str)>,
    /// What kept it from its wish: reason and message.
    pub(super) limited: Option<(&'static str, &'static str)>,
}

/// What is decided from.
pub(super) struct Case<'a> {
    pub(super) scaler: &'a Value,
    pub(super) current: i64,
    /// What the metrics ask for now.
    pub(super) wish: i64,
    pub(super) bounds: (i64, i64),
    /// How long a lower wish must last when the autoscaler does not say.
    pub(super) window: Span,
    pub(super) now: Time,
}

const SCALE_DOWN: (&str, &str) = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const SCALE_UP: (&str, &str) = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const MOST: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const LEAST: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_FAST: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: (&str, &str) =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");

impl Memory {
    /// Takes note of a change of the scale.
    pub(super) fn scaled(&mut self, by: i64, now: Time) {
        self.steps.push((now, by));
    }

    /// Decides, and remembers the wish.
    pub(super) fn decide(&mut self, case: &Case<'_>) -> Decision {
        let now = case.now;
        self.wishes.retain(|(at, _)| at.age(now) < REMEMBERED.max(case.window));
        self.steps.retain(|(at, _)| at.age(now) < REMEMBERED);
        self.wishes.push((now, case.wish));
        if at(case.scaler, "spec.behavior").is_null() { self.plainly(case) } else { self.behaving(case) }
    }

    /// The wishes of the last while, the present one included.
    fn recent(&self, window: Span, now: Time) -> impl Iterator<Item = i64> + '_ {
        let kept = self.wishes.iter().enumerate();
        let last = self.wishes.len() - 1;
        kept.filter(move |(i, (at, _))| *i == last || at.age(now) < window).map(|(_, (_, wish))| *wish)
    }

    /// Without a behaviour: the highest wish of the window, twice as many or four at most.
    fn plainly(&self, case: &Case<'_>) -> Decision {
        let stable = self.recent(case.window, case.now).max().unwrap_or(case.wish);
        let fastest = (2 * case.current).max(4);
        let (least, most) = case.bounds;
        let (highest, why) = if most > fastest { (fastest, TOO_FAST) } else { (most, MOST) };
        let (replicas, limited) = bounded(stable, (least, LEAST), (highest, why));
        Decision { replicas, stabilised: (stable != case.wish).then_some(SCALE_DOWN), limited }
    }

    /// With a behaviour: a window and policies for each direction.
    fn behaving(&self, case: &Case<'_>) -> Decision {
        let (up, down) = (Rules::up(case.scaler), Rules::down(case.scaler, case.window));
        // within both windows the wish may be anything: what is stays
        let lowest = self.recent(up.window, case.now).min().unwrap_or(case.wish);
        let highest = self.recent(down.window, case.now).max().unwrap_or(case.wish);
        let stable = case.current.max(lowest).min(highest);
        let stabilised = match stable {
            s if s == case.wish => None,
            s if s > case.wish => Some(SCALE_DOWN),
            _ => Some(SCALE_UP),
        };
        let (least, most) = case.bounds;
        let (replicas, limited) = if stable > case.current {
            let fastest = up.furthest(case, &self.steps, 1).max(case.current);
            let top = if most > fastest { (fastest, TOO_FAST) } else { (most, MOST) };
            bounded(stable, (least, LEAST), top)
        } else if stable < case.current {
            let slowest = down.furthest(case, &self.steps, -1).min(case.current);
            let bottom = if least < slowest { (slowest, TOO_FAST_DOWN) } else { (least, LEAST) };
            bounded(stable, bottom, (most, MOST))
        } else {
            bounded(stable, (least, LEAST), (most, MOST))
        };
        Decision { replicas, stabilised, limited }
    }
}

type Why = (&'static str, &'static str);

/// A wish within bounds, and which of them it met.
fn bounded(wish: i64, least: (i64, Why), most: (i64, Why)) -> (i64, Option<Why>) {
    match wish {
        w if w > most.0 => (most.0, Some(most.1)),
        w if w < least.0 => (least.0, Some(least.1)),
        w => (w, None),
    }
}

/// The rules of one direction.
struct Rules {
    window: Span,
    policies: Vec<Policy>,
    select: String,
}

struct Policy {
    percent: bool,
    value: i64,
    period: Span,
}

impl Rules {
    fn up(scaler: &Value) -> Rules {
        let usual = [("Pods", 4), ("Percent", 100)];
        Rules::read(at(scaler, "spec.behavior.scaleUp"), Span::ZERO, &usual)
    }

    fn down(scaler: &Value, window: Span) -> Rules {
        Rules::read(at(scaler, "spec.behavior.scaleDown"), window, &[("Percent", 100)])
    }

    fn read(rules: &Value, window: Span, usual: &[(&str, i64)]) -> Rules {
        let policy = |kind: &str, value: i64, seconds: i64| Policy {
            percent: kind == "Percent",
            value,
            period: Span::from_seconds(seconds),
        };
        let mut policies: Vec<Policy> = list(rules, "policies")
            .iter()
            .map(|p| {
                let (value, seconds) = (maybe_int(p, "value"), maybe_int(p, "periodSeconds"));
                policy(text(p, "type"), value.unwrap_or(0), seconds.unwrap_or(15))
            })
            .collect();
        if policies.is_empty() {
            policies = usual.iter().map(|(kind, value)| policy(kind, *value, 15)).collect();
        }
        let own = maybe_int(rules, "stabilizationWindowSeconds");
        let select = text(rules, "selectPolicy").to_owned();
        Rules { window: own.map_or(window, Span::from_seconds), policies, select }
    }

    /// How far the policies let it go, up (1) or down (-1).
    fn furthest(&self, case: &Case<'_>, steps: &[(Time, i64)], way: i64) -> i64 {
        let proposal = |p: &Policy| {
            let since = steps.iter().filter(|(at, _)| at.age(case.now) < p.period);
            let start = case.current - since.map(|(_, by)| by).sum::<i64>();
            match p.percent {
                false => start + way * p.value,
                // up is rounded up, down is rounded down
                true if way > 0 => start + (start * p.value + 99).div_euclid(100),
                true => start - (start * p.value + 99).div_euclid(100),
            }
        };
        let all = self.policies.iter().map(proposal);
        let furthest = match (self.select.as_str(), way > 0) {
            ("Disabled", _) => None,
            ("Min", true) | ("", false) | ("Max", false) => all.min(),
            _ => all.max(),
        };
        furthest.unwrap_or(case.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::json::json;

    const T: fn(i64) -> Time = Time::from_seconds;

    fn case(scaler: &Value, current: i64, wish: i64, second: i64) -> Case<'_> {
        let window = Span::from_seconds(300);
        Case { scaler, current, wish, bounds: (1, 100), window, now: T(1_000_000 + second) }
    }

    #[test]
    fn without_a_behaviour_it_doubles_at_most_and_comes_down_late() {
        let scaler = json!({"spec": {}});
        let mut memory = Memory::default();
        let up = memory.decide(&case(&scaler, 3, 50, 0));
        assert_eq!((up.replicas, up.limited), (6, Some(TOO_FAST)));
        assert_eq!(memory.decide(&case(&scaler, 1, 50, 15)).replicas, 4, "four at least");
        let down = memory.decide(&case(&scaler, 60, 2, 30));
        assert_eq!((down.replicas, down.stabilised), (50, Some(SCALE_DOWN)), "the highest of the window");
        let late = memory.decide(&case(&scaler, 50, 2, 400));
        assert_eq!((late.replicas, late.stabilised, late.limited), (2, None, None));
        assert_eq!(memory.decide(&case(&scaler, 90, 500, 800)).limited, Some(MOST));
    }

    #[test]
    fn policies_bound_each_period() {
        let scaler = json!({"spec": {"behavior": {
            "scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
            "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]},
        }}});
        let mut memory = Memory::default();
        assert_eq!(memory.decide(&case(&scaler, 10, 30, 0)).replicas, 12);
        memory.scaled(2, T(1_000_000));
        let again = memory.decide(&case(&scaler, 12, 30, 15));
        assert_eq!((again.replicas, again.limited), (12, Some(TOO_FAST)), "two a minute");
        assert_eq!(memory.decide(&case(&scaler, 12, 30, 75)).replicas, 14);
        let down = memory.decide(&case(&scaler, 50, 5, 200));
        assert_eq!((down.replicas, down.limited), (45, Some(TOO_FAST_DOWN)));
        let off = json!({"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}}}});
        assert_eq!(Memory::default().decide(&case(&off, 50, 5, 0)).replicas, 50);
        let least = json!({"spec": {"behavior": {"scaleUp": {"selectPolicy": "Min"}}}});
        assert_eq!(Memory::default().decide(&case(&least, 10, 90, 0)).replicas, 14, "four pods, not double");
    }

    #[test]
    fn a_window_upwards_waits_for_the_lowest_wish() {
        let scaler = json!({"spec": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}}});
        let mut memory = Memory::default();
        memory.decide(&case(&scaler, 4, 4, 0));
        let held = memory.decide(&case(&scaler, 4, 8, 15));
        assert_eq!((held.replicas, held.stabilised), (4, Some(SCALE_UP)));
        assert_eq!(memory.decide(&case(&scaler, 4, 8, 61)).replicas, 8);
    }
}
