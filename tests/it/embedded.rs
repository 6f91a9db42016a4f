//! The embedded fleet as a ground, and the cases of watches on it.

use std::time::Duration;

use quarterdeck::sim::{Control, Fleet, Options, Pace, Role, Scenario};

use super::ground::{self, Disturb, User};

use driver::Control as Hand;

/// Two clusters in which everything happens quickly and nothing by itself.
const QUIET: &str = r#"
name = "quiet"
seed = 3
[pace]
pull = "200ms"
ready = "300ms"
stop = "200ms"
heartbeat = "10s"
[[cluster]]
name = "near"
provider = "private"
region = "home"
zones = ["home-a"]
version = "1.36"
tier = "prod"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 4
[[cluster]]
name = "far"
provider = "private"
version = "1.35"
tier = "dev"
[[cluster.pool]]
name = "std"
machines = ["e2-standard-4"]
count = 3
[[workload]]
namespace = "shop"
name = "web"
image = "ghcr.io/acme/web:2.4"
cpu = "100m"
memory = "64Mi"
replicas = 4
clusters = ["*"]
"#;

pub(crate) struct Embedded {
    pub(crate) fleet: Fleet,
    /// Where faults are switched on.
    pub(crate) hand: Hand,
    /// A server that is frozen takes what is sent to it, and what it sends gets lost.
    one_way: bool,
}

impl Embedded {
    pub(crate) async fn start() -> Embedded {
        let options = Options {
            pace: Pace::Running(1.0),
            tick: Duration::from_millis(50),
            bookmarks: Duration::from_secs(1),
            ..Options::default()
        };
        Embedded::of(Embedded::quiet(), options).await
    }

    /// The same fleet with its time standing still: only clients change anything.
    pub(crate) async fn still() -> Embedded {
        Embedded::of(Embedded::quiet(), Options { pace: Pace::Manual, ..Options::default() }).await
    }

    pub(crate) async fn of(scenario: Scenario, options: Options) -> Embedded {
        let mut fleet = Fleet::start(scenario, options).await.unwrap();
        let (address, token) = fleet.open_control(([127, 0, 0, 1], 0).into()).await.unwrap();
        Embedded { fleet, hand: Hand::at(address, token), one_way: false }
    }

    /// The same fleet, in which time runs ten times as fast.
    pub(crate) async fn fast() -> Embedded {
        let options = Options {
            pace: Pace::Running(10.0),
            tick: Duration::from_millis(20),
            bookmarks: Duration::from_secs(1),
            ..Options::default()
        };
        Embedded::of(Embedded::quiet(), options).await
    }

    /// The standing fleet whose first cluster is of this version.
    pub(crate) async fn of_version(version: &str) -> Embedded {
        let text = QUIET.replacen("version = \"1.36\"", &format!("version = \"{version}\""), 1);
        let scenario = Scenario::parse("quiet.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        Embedded::of(scenario, Options { pace: Pace::Manual, ..Options::default() }).await
    }

    fn quiet() -> Scenario {
        Scenario::parse("quiet.toml", QUIET).unwrap_or_else(|e| panic!("{e}"))
    }

    fn at(&self, cluster: &str) -> Control {
        self.fleet.cluster(cluster).unwrap()
    }
}

impl Disturb for Embedded {
    fn kubeconfig(&self, user: User) -> String {
        self.fleet.kubeconfig(match user {
            User::Admin => Role::Admin,
            User::Viewer => Role::Viewer,
        })
    }

    fn protobuf(&self) -> bool {
        true
    }

    fn remembers(&self) -> bool {
        true
    }

    fn stop(&mut self, cluster: &str) {
        self.at(cluster).stop().unwrap();
    }

    fn start(&mut self, cluster: &str) {
        self.at(cluster).start().unwrap();
    }

    fn freeze(&mut self, cluster: &str) {
        match self.one_way {
            true => self.hand.fault_in(cluster, r#"{"fault": "one-way"}"#).unwrap(),
            false => self.at(cluster).freeze().unwrap(),
        }
    }

    fn thaw(&mut self, cluster: &str) {
        match self.one_way {
            true => self.hand.heal().unwrap(),
            false => self.at(cluster).thaw().unwrap(),
        }
    }

    fn revoke_pods(&mut self, cluster: &str) {
        assert!(self.at(cluster).deny("pods", None));
    }

    fn grant_pods(&mut self, cluster: &str) {
        self.at(cluster).allow("pods", None);
    }

    fn forget(&mut self, cluster: &str, _version: u64) {
        self.at(cluster).compact();
    }
}

macro_rules! cases {
    ($($name:ident => $case:path),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $case(&mut Embedded::start().await).await;
        }
    )*};
}

cases! {
    every_kind_is_what_the_server_has => ground::watch::everything_is_seen,
    a_server_that_is_stopped_is_marked_and_comes_back => ground::watch::stopped,
    a_silent_server_is_noticed_and_comes_back => ground::watch::frozen,
    forgotten_versions_lead_to_a_new_list => ground::watch::forgotten,
    what_is_denied_is_said_and_mended_at_once => ground::watch::denied,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_answers_get_lost_is_noticed_and_comes_back() {
    let mut fleet = Embedded { one_way: true, ..Embedded::start().await };
    ground::watch::frozen(&mut fleet).await;
}
