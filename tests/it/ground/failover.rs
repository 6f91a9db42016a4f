//! Failover between two clusters: drill, run, way back, and runs without their primary.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck::model::{Cluster, Kind, LinkState, Version};
use quarterdeck::operations::{
    Action, Options, Outcome, Plan, RecoveryFile, RecoveryWish, Run, StepState, Way,
};
use serde_json::json;

use super::hand::{Hand, Stopwatch, ended, plan};
use super::site::Site;
use super::{Disturb, Ground, SPACE, User, blocking, make_space, path, replicas, workload};

/// How far the measured recovery time may be from an outside stopwatch.
const WITHIN: Duration = Duration::from_millis(1500);

/// Replicas of the workload where it serves.
const REPLICAS: u32 = 3;

/// A drill, a run, the way back, and runs while the primary is stopped and while it is silent.
pub(crate) async fn all_ways(disturb: &mut dyn Disturb) {
    let mut ground = Ground::open(&disturb.kubeconfig(User::Admin));
    let [primary, standby] = [0, 1].map(|i| ground.names()[i].clone());
    for (name, count) in [(&primary, REPLICAS), (&standby, 0)] {
        ground.live(name).await;
        make_space(&ground, name).await;
        let deployments = format!("/apis/apps/v1/namespaces/{SPACE}/deployments");
        ground.create(name, &deployments, &workload("Deployment", "app", Some(count), false)).await;
        ground.until(name, "the workload settled", |c| replicas(c, "app") == Some((count, count))).await;
    }
    let mut way = Failover { hand: Hand::on(&ground), ground, primary, standby };
    way.drills().await;
    way.runs(Way::Run).await;
    way.runs(Way::Back).await;
    way.shifts_traffic(disturb).await;
    way.runs_without_primary(disturb, |d, name| d.stop(name), |d, name| d.start(name)).await;
    way.runs(Way::Back).await;
    way.runs_without_primary(disturb, |d, name| d.freeze(name), |d, name| d.thaw(name)).await;
    let verified = way.hand.journal();
    assert!(verified.records > 20, "{verified:?}");
    way.ground.handle.shutdown().await;
}

struct Failover {
    ground: Ground,
    hand: Hand,
    primary: String,
    standby: String,
}

impl Failover {
    fn plan(&self, way: Way) -> Plan {
        self.plan_with(way, "")
    }

    /// The plan with more in its file: a probe, traffic.
    fn plan_with(&self, way: Way, more: &str) -> Plan {
        let text = format!(
            "version = 1\nname = 'proof'\nprimary = '{}'\nstandby = '{}'\ntarget = '5m'\n\
             [[workload]]\nkind = 'Deployment'\nnamespace = '{SPACE}'\nname = 'app'\nreplicas = {REPLICAS}\n\
             standby_replicas = 0\n[deadlines]\nassess = '10s'\nready = '2m'\nprimary = '10s'\n{more}",
            self.primary, self.standby
        );
        let file = Arc::new(RecoveryFile::read(&text).unwrap());
        let options = Options { recovery: Some(RecoveryWish { file, way }), ..Options::default() };
        plan(&self.ground, "failover", &[], &options)
    }

    async fn settled(&mut self, name: &str, count: u32) -> Arc<Cluster> {
        let what = format!("{count} replicas are wanted and ready");
        self.ground.until(name, &what, |c| replicas(c, "app") == Some((count, count))).await
    }

    /// Carries a plan out, with an outside stopwatch from its begin to its probe.
    async fn timed(&mut self, plan: Plan) -> Run {
        let is_probe = |step: &quarterdeck::operations::Step| matches!(step.action, Action::Probe(_));
        let probe = plan.steps.iter().position(is_probe).unwrap();
        let watch = Stopwatch::start();
        self.hand.begin(plan);
        let run = self.hand.until("the probe was good", |run| ended(run, probe)).await;
        watch.agrees(run.recovery_time().expect("a recovery time"), WITHIN);
        let run = self.hand.ends(Outcome::Done).await;
        let ready = &run.evidence.iter().map(|(_, line)| line.to_string()).collect::<Vec<_>>();
        assert!(ready.iter().any(|line| line.contains("3 of 3 Ready")), "{ready:?}");
        run
    }

    /// Everything is as before, and the primary was not touched at all.
    async fn drills(&mut self) {
        let (primary, standby) = (self.primary.clone(), self.standby.clone());
        let before = version(&self.ground.cluster(&primary));
        let plan = self.plan(Way::Drill);
        assert!(plan.drill);
        self.timed(plan).await;
        self.settled(&standby, 0).await;
        let after = self.ground.cluster(&primary);
        assert_eq!((replicas(&after, "app"), version(&after)), (Some((REPLICAS, REPLICAS)), before));
    }

    /// What served is scaled down, and what takes over serves.
    async fn runs(&mut self, way: Way) {
        let (primary, standby) = (self.primary.clone(), self.standby.clone());
        let (from, to) = if way == Way::Back { (standby, primary) } else { (primary, standby) };
        let plan = self.plan(way);
        let run = self.timed(plan).await;
        assert!(run.steps.iter().all(|step| step.state == StepState::Done), "{:#?}", run.steps);
        self.settled(&to, REPLICAS).await;
        self.settled(&from, 0).await;
    }

    /// Traffic moves by a patch of an object on the standby, an address says when it is there, and
    /// a primary that dies while the run goes on is left to people.
    async fn shifts_traffic(&mut self, disturb: &mut dyn Disturb) {
        let (primary, standby) = (self.primary.clone(), self.standby.clone());
        let switch = path("/api/v1", "configmaps", "switch");
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "switch", "namespace": SPACE }, "data": { "site": "primary" },
        });
        let maps = format!("/api/v1/namespaces/{SPACE}/configmaps");
        self.ground.create(&standby, &maps, &object).await;
        let site = Site::behind(self.ground.session(&standby).clone(), switch.clone()).await;
        let more = format!(
            "[probe]\nhttp = '{}'\nevery = '1s'\n[[traffic]]\napi = 'v1'\nkind = 'ConfigMap'\n\
             namespace = '{SPACE}'\nname = 'switch'\npatch = {{ data = {{ site = 'standby' }} }}\n\
             back = {{ data = {{ site = 'primary' }} }}\n",
            site.url
        );
        let plan = self.plan_with(Way::Run, &more);
        let shifts = |step: &quarterdeck::operations::Step| step.title.contains("shift traffic");
        let shift = plan.steps.iter().position(shifts).expect("a step that moves traffic");
        let began = std::time::Instant::now();
        self.hand.begin(plan);
        self.hand.until("traffic is moved", |run| ended(run, shift)).await;
        // Everybody has been served by the standby; now the primary dies.
        blocking(|| disturb.stop(&primary));
        let run = self.hand.ends(Outcome::Done).await;
        let measured = run.recovery_time().expect("a recovery time").millis();
        let measured = Duration::from_millis(u64::try_from(measured).unwrap());
        let seen = site.first_good().duration_since(began);
        assert!(seen.abs_diff(measured) <= WITHIN, "the site served after {seen:?}, not {measured:?}");
        assert_eq!(self.ground.get(&standby, &switch).await["data"]["site"], "standby");
        // Between them stands the file that names the cluster.
        let scale = format!(" --context {primary} scale -n {SPACE} deployments/app --replicas=0");
        let left = run.left_to_do();
        assert!(
            left.len() == 1 && left[0].starts_with("kubectl --kubeconfig ") && left[0].ends_with(&scale),
            "{left:?}"
        );
        assert!(run.result.contains(&format!("{primary} does not answer")), "{}", run.result);
        self.settled(&standby, REPLICAS).await;
        blocking(|| disturb.start(&primary));
        self.ground.live(&primary).await;
        self.settled(&primary, REPLICAS).await;
        // The way back moves traffic back, too.
        let plan = self.plan_with(Way::Back, &more);
        self.timed(plan).await;
        assert_eq!(self.ground.get(&standby, &switch).await["data"]["site"], "primary");
        self.settled(&standby, 0).await;
    }

    /// It completes, says that the primary does not answer, and leaves it as it is.
    async fn runs_without_primary(
        &mut self,
        disturb: &mut dyn Disturb,
        begin: fn(&mut dyn Disturb, &str),
        end: fn(&mut dyn Disturb, &str),
    ) {
        let (primary, standby) = (self.primary.clone(), self.standby.clone());
        blocking(|| begin(disturb, &primary));
        self.ground.until(&primary, "it is gone", |c| c.link.state == LinkState::Broken).await;
        let plan = self.plan(Way::Run);
        let unreachable = plan.preview.iter().find(|line| line.label == "unreachable");
        assert!(unreachable.is_some(), "{:#?}", plan.preview);
        let run = self.timed(plan).await;
        assert_eq!(run.steps[0].state, StepState::Failed);
        assert!(run.steps[0].evidence.contains("does not answer"), "{}", run.steps[0].evidence);
        let last = run.steps.last().unwrap();
        assert_eq!(last.state, StepState::Failed, "it cannot be scaled down: {last:?}");
        self.settled(&standby, REPLICAS).await;
        blocking(|| end(disturb, &primary));
        self.ground.live(&primary).await;
        self.settled(&primary, REPLICAS).await;
    }
}

/// The version of the workload: it grows with every write to it.
fn version(cluster: &Cluster) -> Version {
    cluster.find(Kind::Deployment, SPACE, "app").unwrap().meta().version
}
