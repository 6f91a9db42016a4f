//! Failover between two clusters: drill, run, way back, and runs without their primary.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck::model::{Cluster, Kind, LinkState, Version};
use quarterdeck::operations::{
    Action, Options, Outcome, Plan, RecoveryFile, RecoveryWish, Run, StepState, Way,
};

use super::hand::{Hand, Stopwatch, ended, plan};
use super::{Disturb, Ground, SPACE, User, blocking, make_space, replicas, workload};

/// How far the measured recovery time may be from an outside stopwatch.
const WITHIN: Duration = Duration::from_millis(1500);

/// Replicas of the workload where it serves.
const REPLICAS: u32 = 3;

/// A drill, a run, the way back, and runs while the primary is stopped and while it is silent.
pub async fn all_ways(disturb: &mut dyn Disturb) {
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
        let text = format!(
            "version = 1\nname = 'proof'\nprimary = '{}'\nstandby = '{}'\ntarget = '5m'\n\
             [[workload]]\nkind = 'Deployment'\nnamespace = '{SPACE}'\nname = 'app'\nreplicas = {REPLICAS}\n\
             standby_replicas = 0\n[deadlines]\nassess = '10s'\nready = '2m'\nprimary = '10s'\n",
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
