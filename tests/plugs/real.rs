//! Real control planes: what an operator of them lives through.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, eyre};
use fastrand::Rng;

use crate::planes::{Backup, Binaries, Options, Plane, Planes};
use crate::plug::{Pulled, Servers};

/// On the first plane; the others have a small shop.
const NODES: u32 = 100;
const PODS: u32 = 3000;

/// Who the console is: a service account, whose token is made by kubectl and lasts for ten minutes, the shortest that
/// servers make.
const ACCOUNT: &str = "console";

/// The role whose binding comes and goes.
const READS_PODS: &str = "fleet-read-pods";

/// Between two changes of workloads.
const CHURN: Duration = Duration::from_secs(2);

/// A copy of etcd is older than this when it is restored.
const OLD: Duration = Duration::from_secs(60);

pub(crate) struct Real {
    planes: Planes,
    binaries: Binaries,
    kubeconfig: PathBuf,
    backup: Option<(Instant, Backup)>,
    /// What changes workloads, until the other end closes.
    churn: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Real {
    pub(crate) fn start(count: usize) -> Result<Real> {
        let binaries = Binaries::ensure().map_err(|why| eyre!("{why}"))?;
        let planes = Planes::start(&binaries, count, &Options::default())?;
        for plane in planes.iter() {
            plane.seed_fleet(5)?;
            let account = format!("--serviceaccount=default:{ACCOUNT}");
            plane.kubectl(&["create", "serviceaccount", ACCOUNT])?;
            for role in ["fleet-read", READS_PODS] {
                plane.kubectl(&[
                    "create",
                    "clusterrolebinding",
                    &binding(role),
                    &format!("--clusterrole={role}"),
                    &account,
                ])?;
            }
        }
        if let Some(first) = planes.iter().next() {
            first.seed_pods(NODES, PODS)?;
            first.wait_pods(PODS as usize, Duration::from_secs(300))?;
        }
        let kubeconfig = planes.dir().join("console.kubeconfig");
        let real = Real { planes, binaries, kubeconfig, backup: None, churn: None };
        std::fs::write(&real.kubeconfig, real.contexts())?;
        Ok(real)
    }

    /// A context for each plane, in which the console logs in by a plugin.
    fn contexts(&self) -> String {
        let mut text = "apiVersion: v1\nkind: Config\n".to_owned();
        let each = |of: &dyn Fn(&Plane) -> String| self.planes.iter().map(of).collect::<String>();
        let ca = self.planes.dir().join("pki/ca.crt");
        text += "clusters:\n";
        text += &each(&|plane| {
            let (name, url) = (plane.name(), plane.url());
            format!(
                "- name: {name}\n  cluster: {{server: '{url}', certificate-authority: '{}'}}\n",
                ca.display()
            )
        });
        text += "contexts:\n";
        text +=
            &each(&|plane| format!("- {{name: {0}, context: {{cluster: {0}, user: {0}}}}}\n", plane.name()));
        text += "users:\n";
        text += &each(&|plane| {
            let exec = "apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh";
            format!(
                "- name: {}\n  user: {{exec: {{{exec}, args: [-c, '{}']}}}}\n",
                plane.name(),
                self.login(plane)
            )
        });
        text
    }

    /// The plugin: `TokenRequest` and `ExecCredential` call what they say of a token by the same names.
    fn login(&self, plane: &Plane) -> String {
        let (kubectl, admin) = (self.binaries.path("kubectl"), plane.kubeconfig("admin"));
        let token =
            format!("create token {ACCOUNT} --duration 10m --request-timeout 5s -o jsonpath={{.status}}");
        format!(
            r#"status=$("{}" --kubeconfig "{}" {token}) && echo "{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":$status}}""#,
            kubectl.display(),
            admin.display()
        )
    }

    /// One of [`SORTS`].
    fn pull_one(&mut self, cluster: &str, sort: &str) -> Result<()> {
        let plane = self.planes.plane_mut(cluster)?;
        match sort {
            "frozen" => plane.freeze_api()?,
            "stopped" => plane.stop_api(),
            "no etcd" => self.planes.freeze_etcd()?,
            "may not read pods" => quick(plane, &["delete", "clusterrolebinding", &binding(READS_PODS)])?,
            // Its successor has the same name and rights; no token of the old one is good any more.
            "token revoked" => {
                quick(plane, &["delete", "serviceaccount", ACCOUNT])?;
                quick(plane, &["create", "serviceaccount", ACCOUNT])?;
            }
            _ => self.restore()?,
        }
        Ok(())
    }

    /// Every plane as it was some minutes ago.
    fn restore(&mut self) -> Result<()> {
        match self.backup.take() {
            Some((at, backup)) if at.elapsed() > OLD => {
                self.planes.restore(&backup)?;
                Ok(())
            }
            Some(young) => {
                self.backup = Some(young);
                Err(eyre!("the copy of etcd is too young"))
            }
            None => {
                self.backup = Some((Instant::now(), self.planes.back_up()?));
                Err(eyre!("there was no copy of etcd"))
            }
        }
    }
}

/// What a plane can suffer, some of it more often than others.
const SORTS: [&str; 12] = [
    "frozen",
    "frozen",
    "frozen",
    "stopped",
    "stopped",
    "no etcd",
    "no etcd",
    "may not read pods",
    "may not read pods",
    "token revoked",
    "token revoked",
    "restored",
];

impl Servers for Real {
    fn kubeconfig(&self) -> Result<PathBuf> {
        Ok(self.kubeconfig.clone())
    }

    fn clusters(&self) -> Vec<String> {
        self.planes.iter().map(|plane| plane.name().to_owned()).collect()
    }

    fn churn(&mut self) -> Result<()> {
        let (open, closed) = channel();
        let kubeconfigs = self.planes.iter().map(|plane| plane.kubeconfig("admin")).collect();
        let kubectl = self.binaries.path("kubectl");
        self.churn = Some((open, std::thread::spawn(move || churn(&kubectl, kubeconfigs, &closed))));
        Ok(())
    }

    fn pull(&mut self, cluster: &str, chance: &mut Rng) -> Result<Pulled> {
        let sort = chance.choice(SORTS).unwrap_or("frozen");
        self.pull_one(cluster, sort)?;
        let silent = matches!(sort, "frozen" | "stopped");
        Ok(Pulled { sort: sort.to_owned(), silent, ends_others: sort == "restored" })
    }

    fn mend(&mut self, cluster: &str, sort: &str) -> Result<()> {
        match sort {
            "frozen" => self.planes.plane(cluster)?.thaw_api()?,
            // Without its data it does not become ready.
            "stopped" => {
                self.planes.thaw_etcd()?;
                self.planes.plane_mut(cluster)?.start_api()?;
            }
            "no etcd" => self.planes.thaw_etcd()?,
            "may not read pods" => grant(self.planes.plane(cluster)?)?,
            _ => {}
        }
        Ok(())
    }

    fn calm(&mut self) -> Result<()> {
        if let Some((open, churn)) = self.churn.take() {
            drop(open);
            churn.join().map_err(|_| eyre!("what changes workloads panicked"))?;
        }
        self.planes.thaw_etcd()?;
        for plane in self.planes.iter_mut() {
            plane.start_api()?;
            plane.thaw_api()?;
            grant(plane)?;
        }
        Ok(())
    }

    fn pods(&self, cluster: &str) -> Result<u64> {
        let pods = self.planes.plane(cluster)?.kubectl(&["get", "pods", "-A", "-o", "name"])?;
        Ok(pods.lines().count() as u64)
    }
}

fn binding(role: &str) -> String {
    format!("{ACCOUNT}-{role}")
}

/// What a server that hears nothing does not hold up.
fn quick(plane: &Plane, words: &[&str]) -> Result<()> {
    let mut words = words.to_vec();
    words.push("--request-timeout=5s");
    plane.kubectl(&words).map(drop).wrap_err("kubectl")
}

/// The console may read pods, whether it might before or not.
fn grant(plane: &Plane) -> Result<()> {
    let _ = quick(plane, &["delete", "clusterrolebinding", &binding(READS_PODS)]);
    let account = format!("--serviceaccount=default:{ACCOUNT}");
    quick(
        plane,
        &[
            "create",
            "clusterrolebinding",
            &binding(READS_PODS),
            &format!("--clusterrole={READS_PODS}"),
            &account,
        ],
    )
}

/// Scales a deployment of each plane in turn, until the other end closes. Who does not answer is left alone.
fn churn(kubectl: &Path, kubeconfigs: Vec<PathBuf>, closed: &Receiver<()>) {
    let mut chance = Rng::with_seed(1);
    while closed.recv_timeout(CHURN) == Err(RecvTimeoutError::Timeout) {
        for kubeconfig in &kubeconfigs {
            let replicas = format!("--replicas={}", chance.u32(5..40));
            let mut command = Command::new(kubectl);
            command.arg("--kubeconfig").arg(kubeconfig).args(["--request-timeout=5s", "scale", &replicas]);
            command.args(["-n", "shop", "deployment/web"]).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status();
        }
    }
}
