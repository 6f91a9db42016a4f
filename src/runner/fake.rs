//! A cluster in memory for the runner's tests, with the rules of the eviction API that matter
//! here. It is driven by tokio's clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Api, ApiAnswer, ApiRequest};
use crate::model::{Cause, ClusterId, Fault, Span};

/// A pod of the fake.
#[derive(Clone, Debug)]
pub(super) struct FakePod {
    pub(super) uid: String,
    pub(super) budget: Option<String>,
    /// When it is gone, once evicted.
    pub(super) gone_at: Option<Instant>,
    pub(super) grace: Duration,
    /// Comes back under its name with another uid, as a StatefulSet's pod does.
    pub(super) comes_back: bool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) pods: BTreeMap<String, FakePod>,
    /// Evictions allowed, by budget.
    pub(super) allowed: BTreeMap<String, u32>,
    /// Answers to give instead, by the start of `METHOD path`, oldest first.
    pub(super) scripted: Vec<(String, ApiAnswer)>,
    /// No answer at all.
    pub(super) dead: bool,
    /// No answer to reads within this time.
    pub(super) hangs: Option<Duration>,
    /// Clusters that give no answer.
    pub(super) silent: BTreeSet<u16>,
    /// Every request: when, what, and its body.
    pub(super) log: Vec<(Instant, String, Value)>,
    /// Requests in flight, and the most at once.
    flying: usize,
    pub(super) most: usize,
    /// What objects that are read look like, by path.
    pub(super) objects: BTreeMap<String, Value>,
    /// Answers to probes, oldest first; the last stays.
    pub(super) probes: Vec<u16>,
}

/// A cluster in memory. Each request takes 10 ms.
#[derive(Clone, Default)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

pub(super) fn answer(status: u16, body: Value) -> ApiAnswer {
    ApiAnswer { status, retry_after: None, body, audit_id: None }
}

impl Fake {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn pod(self, name: &str, uid: u64, budget: Option<&str>) -> Fake {
        let pod = FakePod {
            uid: format!("00000000-0000-4000-8000-{uid:012x}"),
            budget: budget.map(str::to_owned),
            gone_at: None,
            grace: Duration::from_secs(3),
            comes_back: false,
        };
        self.state().pods.insert(name.to_owned(), pod);
        self
    }

    pub(super) fn script(&self, what: &str, times: usize, given: &ApiAnswer) {
        let mut state = self.state();
        for _ in 0..times {
            state.scripted.push((what.to_owned(), given.clone()));
        }
    }

    /// When requests of this start were made, in seconds since `from`.
    pub(super) fn times(&self, start: &str, from: Instant) -> Vec<f64> {
        let state = self.state();
        let of = state.log.iter().filter(|(_, what, _)| what.starts_with(start));
        of.map(|(at, ..)| at.duration_since(from).as_secs_f64()).collect()
    }

    /// Every write: its method, path and body.
    pub(super) fn writes(&self) -> Vec<(String, Value)> {
        let state = self.state();
        let writes = state.log.iter().filter(|(_, what, _)| !what.starts_with("GET"));
        writes.map(|(_, what, body)| (what.clone(), body.clone())).collect()
    }
}

impl State {
    fn reply(&mut self, request: &ApiRequest, what: &str) -> ApiAnswer {
        if let Some(index) = self.scripted.iter().position(|(start, _)| what.starts_with(start.as_str())) {
            return self.scripted.remove(index).1;
        }
        let now = Instant::now();
        for pod in self.pods.values_mut() {
            if pod.comes_back && pod.gone_at.is_some_and(|at| at <= now) {
                "00000000-0000-4000-8000-0000000fffff".clone_into(&mut pod.uid);
                pod.gone_at = None;
            }
        }
        self.pods.retain(|_, pod| pod.gone_at.is_none_or(|at| at > now));
        let segments: Vec<&str> = request.path.split('?').next().unwrap_or_default().split('/').collect();
        match (&request.method, segments.as_slice()) {
            (&Method::POST, [.., "pods", name, "eviction"]) => self.evict(name, request),
            (&Method::GET, [.., "pods", name]) => match self.pods.get(*name) {
                None => answer(404, json!({ "message": "not found" })),
                Some(pod) => {
                    let deleting = pod.gone_at.map(|_| "2026-11-21T02:14:07Z");
                    answer(200, json!({ "metadata": { "uid": pod.uid, "deletionTimestamp": deleting } }))
                }
            },
            (&Method::DELETE, [.., "pods", name]) => self.leave(name),
            (&Method::GET, _) => {
                let path = request.path.as_str();
                answer(200, self.objects.get(path).cloned().unwrap_or(json!({})))
            }
            _ => answer(200, json!({ "status": { "allowed": true } })),
        }
    }

    fn evict(&mut self, name: &str, request: &ApiRequest) -> ApiAnswer {
        let body = request.body.as_ref().map(|(_, body)| body.clone()).unwrap_or_default();
        let Some(pod) = self.pods.get(name) else { return answer(404, json!({ "message": "not found" })) };
        if pod.gone_at.is_some() {
            return answer(201, json!({}));
        }
        if body["deleteOptions"]["preconditions"]["uid"] != pod.uid.as_str() {
            return answer(409, json!({ "message": "Precondition failed: UID in precondition" }));
        }
        if let Some(budget) = pod.budget.clone() {
            let allowed = self.allowed.entry(budget.clone()).or_default();
            if *allowed == 0 {
                return refused(&budget);
            }
            if body["deleteOptions"].get("dryRun").is_none() {
                *allowed -= 1;
            }
        }
        if body["deleteOptions"].get("dryRun").is_some() {
            return answer(201, json!({}));
        }
        self.leave(name)
    }

    fn leave(&mut self, name: &str) -> ApiAnswer {
        if let Some(pod) = self.pods.get_mut(name) {
            pod.gone_at = Some(Instant::now() + pod.grace);
        }
        answer(201, json!({}))
    }
}

/// The refusal of a spent budget, as the apiserver writes it.
pub(super) fn refused(budget: &str) -> ApiAnswer {
    let message = format!("The disruption budget {budget} needs 2 healthy pods and has 2 currently");
    answer(
        429,
        json!({
            "kind": "Status", "code": 429, "reason": "TooManyRequests",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": { "causes": [{ "reason": "DisruptionBudget", "message": message }] },
        }),
    )
}

pub(super) fn busy(seconds: i64) -> ApiAnswer {
    let retry_after = Some(Span::from_seconds(seconds));
    ApiAnswer {
        retry_after,
        ..answer(429, json!({ "message": "too many requests, please try again later" }))
    }
}

impl Api for Fake {
    async fn call(&self, cluster: ClusterId, request: ApiRequest) -> Result<ApiAnswer, Fault> {
        let what = format!("{} {}", request.method, request.path);
        {
            let mut state = self.state();
            let body = request.body.as_ref().map(|(_, body)| body.clone()).unwrap_or_default();
            state.log.push((Instant::now(), what.clone(), body));
            state.flying += 1;
            state.most = state.most.max(state.flying);
        }
        let hangs = self.state().hangs.filter(|_| request.method == Method::GET);
        tokio::time::sleep(hangs.unwrap_or(Duration::from_millis(10))).await;
        let mut state = self.state();
        state.flying -= 1;
        if state.dead || state.silent.contains(&cluster.0) {
            return Err(Fault::new(Cause::Timeout, "no answer in 10 s", ""));
        }
        Ok(state.reply(&request, &what))
    }

    async fn probe(&self, _: &str) -> Result<u16, Fault> {
        let mut state = self.state();
        if state.probes.len() > 1 {
            return Ok(state.probes.remove(0));
        }
        state.probes.first().copied().ok_or_else(|| Fault::new(Cause::Refused, "nothing listens there", ""))
    }
}
