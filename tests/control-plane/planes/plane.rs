//! One plane: its API server, its controllers, and the plugs one can pull.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::addon::Addon;
use super::binaries::Binaries;
use super::error::{Error, Result};
use super::kubeconfig::{self, Credential};
use super::looks::Look;
use super::pki::Pki;
use super::process::Process;
use super::toolset::KWOK_CONFIG;
use super::wait::wait_until;
use super::{
    A_MOMENT, Ground, ONE_NAMESPACE, Options, START, Servers, USERS, components, crds, nodes, ports,
};

const ROLES: &str = include_str!("../manifests/rbac.yaml");
const METRICS_PATHS: &str = include_str!("../manifests/kwok-metrics.yaml");

/// One control plane.
#[derive(Debug)]
pub struct Plane {
    // The API server first: it is dropped first, so the controllers cannot act on half of a shutdown.
    api: Option<Process>,
    controllers: Vec<Process>,
    addons: Vec<Process>,
    api_flags: Vec<String>,
    port: u16,
    url: String,
    look: Look,
    servers: Servers,
    dir: PathBuf,
    ground: Arc<Ground>,
}

impl Plane {
    /// Starts the API server without waiting for it.
    pub(crate) fn spawn(
        ground: &Arc<Ground>,
        mut look: Look,
        servers: Servers,
        options: &Options,
    ) -> Result<Self> {
        look.served_by(servers.version);
        let dir = ground.dir.join(look.name.as_ref());
        std::fs::create_dir(&dir).map_err(Error::on(format!("cannot make {}", dir.display())))?;
        let port = ports::free()?;
        let mut plane = Self {
            api: None,
            controllers: Vec::new(),
            addons: Vec::new(),
            api_flags: components::api_server(ground, &look.name, port, options),
            port,
            url: format!("https://127.0.0.1:{port}"),
            look,
            servers,
            dir,
            ground: Arc::clone(ground),
        };
        for user in std::iter::once("admin").chain(USERS.iter().map(|(user, _)| *user)) {
            let credential = Credential::of(&ground.pki, user);
            let cluster = (plane.name(), plane.url());
            kubeconfig::write(&plane.kubeconfig(user), &ground.pki, &[cluster], &[credential])?;
        }
        plane.spawn_api()?;
        Ok(plane)
    }

    /// Waits for the API server, then brings up the rest.
    pub(crate) fn finish(&mut self, options: &Options) -> Result<()> {
        self.wait_ready()?;
        let bindings = USERS.iter().flat_map(|(user, roles)| roles.iter().map(|role| binding(user, role)));
        let local = ONE_NAMESPACE.iter().flat_map(|(user, namespace, roles)| {
            let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            std::iter::once(space).chain(roles.iter().map(|role| local_binding(user, namespace, role)))
        });
        let manifest = bindings.chain(local).fold(ROLES.to_owned(), |all, one| format!("{all}---\n{one}\n"));
        self.apply(&manifest)?;
        self.spawn_controllers(options)?;
        if options.nodes {
            self.add_nodes(self.look.pools.iter().map(|pool| pool.nodes).sum())?;
        }
        for addon in &options.with {
            if addon.suits(&self.look) {
                addon.start(self)?;
            }
        }
        Ok(())
    }

    /// Its name, which is also the name of its context.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.look.name
    }

    /// The address of its API server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version of its servers: `v1.36.3`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.servers.version
    }

    /// What its nodes look like.
    #[must_use]
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The kubeconfig of `admin` or one of [`USERS`] for this plane alone.
    #[must_use]
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.join(format!("{user}.kubeconfig"))
    }

    /// Component and process id of what runs.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        let all = self.api.iter().chain(&self.controllers).chain(&self.addons);
        all.map(|it| (it.name().to_owned(), it.pid())).collect()
    }

    /// Runs `kubectl` as the administrator and gives what it prints.
    ///
    /// # Errors
    /// When it fails; the error carries its message.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with("admin", args, "")
    }

    /// Runs `kubectl` as one of [`USERS`].
    ///
    /// # Errors
    /// When it fails, which includes what the user may not do.
    pub fn kubectl_as(&self, user: &str, args: &[&str]) -> Result<String> {
        self.kubectl_with(user, args, "")
    }

    /// Makes what the manifest says so, on the server's side.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        self.kubectl_with("admin", &["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest)
            .map(drop)
    }

    /// Installs the definitions of kinds in a file or directory, waits until they are served, and says how many. What
    /// the directory holds beside them is left alone.
    ///
    /// # Errors
    /// When the server refuses one, or does not serve it.
    pub fn install_crds(&self, path: &Path) -> Result<usize> {
        let files = crds::files(path)?;
        // Groups under k8s.io are for those whom the project approved, or who say that they are not
        // (<https://github.com/kubernetes/enhancements/pull/1111>).
        let mut annotate = vec![
            "annotate",
            "--local",
            "--overwrite",
            "-o",
            "json",
            "api-approved.kubernetes.io=unapproved, a lab",
        ];
        annotate.extend(files.iter().flat_map(|file| ["-f", file.as_str()]));
        let definitions = self.kubectl(&annotate)?;
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let applied = self.kubectl_with("admin", &apply, &definitions)?.lines().count();
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=120s"])?;
        Ok(applied)
    }

    /// Binds a role of `manifests/rbac.yaml` to a user.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn grant(&self, user: &str, role: &str) -> Result<()> {
        self.apply(&binding(user, role).to_string())
    }

    /// Takes a role from a user; requests answer 403 as soon as the server has noticed, within a second.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn revoke(&self, user: &str, role: &str) -> Result<()> {
        let name = binding_name(user, role);
        self.kubectl(&["delete", "clusterrolebinding", &name, "--ignore-not-found"]).map(drop)
    }

    /// Kills the API server: connections break, its port refuses. What it stored stays.
    pub fn stop_api(&mut self) {
        self.api = None;
    }

    /// Starts it again on the same port and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_api(&mut self) -> Result<()> {
        if self.api.is_none() {
            self.spawn_api()?;
        }
        self.wait_ready()
    }

    /// Stops the API server in its tracks: connections stay open, the kernel accepts new ones, and nothing answers.
    ///
    /// # Errors
    /// When it is not running.
    pub fn freeze_api(&self) -> Result<()> {
        self.signal_api(Signal::STOP)
    }

    /// Lets a frozen API server go on where it stood.
    ///
    /// # Errors
    /// When it is not running.
    pub fn thaw_api(&self) -> Result<()> {
        self.signal_api(Signal::CONT)
    }

    /// Ends everything that holds what it read from etcd: the server and its controllers.
    pub(crate) fn stop(&mut self) {
        self.stop_api();
        self.controllers.clear();
    }

    /// Starts it all again.
    pub(crate) fn start(&mut self, options: &Options) -> Result<()> {
        self.start_api()?;
        self.spawn_controllers(options)
    }

    /// Makes `count` more nodes of this plane's look.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn add_nodes(&self, count: u32) -> Result<()> {
        let have = self.kubectl(&["get", "nodes", "-o", "name"])?.lines().count();
        let first = u32::try_from(have).unwrap_or(u32::MAX);
        let list =
            json!({"apiVersion": "v1", "kind": "List", "items": nodes::nodes(&self.look, first, count)});
        // Created and not applied, as a kubelet does it: only so does the status arrive with the node.
        self.kubectl_with("admin", &["create", "-f", "-"], &list.to_string()).map(drop)
    }

    /// Writes a file of its own and says where.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::write(&path, text).map_err(Error::on(format!("cannot write {}", path.display())))?;
        Ok(path)
    }

    /// Keys and certificates.
    pub(crate) fn pki(&self) -> &Pki {
        &self.ground.pki
    }

    fn signal_api(&self, signal: Signal) -> Result<()> {
        let api = self.api.as_ref();
        api.ok_or_else(|| Error::new(format!("the API server of {} is stopped", self.name())))?.signal(signal)
    }

    fn kubectl_with(&self, user: &str, args: &[&str], input: &str) -> Result<String> {
        let what = format!("kubectl {} ({user}@{})", args.join(" "), self.name());
        let mut command = Command::new(self.ground.binaries.path("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig(user));
        // Its own cache: the one in the home directory is keyed by address, and another run had this port before.
        command.arg("--cache-dir").arg(self.dir.join("kubectl-cache")).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::on(format!("cannot run {what}")))?;
        if let Some(mut pipe) = child.stdin.take() {
            // A kubectl that fails before it reads says why on its own.
            let _ = pipe.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(Error::on(format!("cannot run {what}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::new(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    fn wait_ready(&mut self) -> Result<()> {
        let what = format!("{} is ready", self.name());
        wait_until(START, &what, || {
            // Asking kubectl costs a process; while nobody listens, a connection says as much.
            if let Some(api) = self.api.as_mut() {
                api.must_run(A_MOMENT)?;
            }
            Ok(listens(self.port) && self.kubectl(&["get", "--raw=/readyz", "--request-timeout=5s"]).is_ok())
        })
    }

    fn spawn_api(&mut self) -> Result<()> {
        let command = self.command(&self.servers.binaries, "kube-apiserver", &self.api_flags);
        self.api = Some(self.spawn_process("kube-apiserver", command)?);
        Ok(())
    }

    fn spawn_controllers(&mut self, options: &Options) -> Result<()> {
        let (pki, kubeconfig) = (&self.ground.pki, self.kubeconfig("admin"));
        let (servers, shared) = (&self.servers.binaries, &self.ground.binaries);
        let mut wanted = Vec::new();
        if options.controllers {
            wanted.push(("kube-scheduler", servers, components::scheduler(&kubeconfig)));
            wanted.push((
                "kube-controller-manager",
                servers,
                components::controller_manager(&kubeconfig, pki),
            ));
        }
        if options.kwok {
            let mut stages = vec![shared.path(KWOK_CONFIG)];
            if options.with.contains(&Addon::MetricsServer) {
                stages.push(self.write("kwok-metrics.yaml", METRICS_PATHS)?);
            }
            wanted.push(("kwok", shared, components::kwok(&kubeconfig, &stages, pki, ports::free()?)));
        }
        for (name, binaries, flags) in wanted {
            let process = self.spawn_process(name, self.command(binaries, name, &flags))?;
            self.controllers.push(process);
        }
        Ok(())
    }

    /// The command of a component, in the plane's directory.
    pub(crate) fn command(&self, binaries: &Binaries, name: &str, flags: &[String]) -> Command {
        let mut command = Command::new(binaries.path(name));
        // Away from the user's files: some of them look for a configuration in the home directory.
        command.args(flags).current_dir(&self.dir).env("HOME", &self.dir);
        command
    }

    /// Runs one more component, which stops with the plane, and waits until it listens on its port.
    pub(crate) fn add_component(&mut self, name: &str, command: Command, port: u16) -> Result<()> {
        let mut process = self.spawn_process(name, command)?;
        wait_until(START, &format!("{name} of {} listens", self.name()), || {
            process.must_run(A_MOMENT)?;
            Ok(listens(port))
        })?;
        self.addons.push(process);
        Ok(())
    }

    fn spawn_process(&self, name: &str, command: Command) -> Result<Process> {
        Process::spawn(name, command, &self.log(name), &self.ground.undertaker)
    }

    fn log(&self, component: &str) -> PathBuf {
        self.dir.join(format!("{component}.log"))
    }
}

/// Whether something on this machine takes connections at this port.
fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn binding_name(user: &str, role: &str) -> String {
    format!("{user}-{role}")
}

/// The same role in one namespace.
fn local_binding(user: &str, namespace: &str, role: &str) -> Value {
    let mut binding = binding(user, role);
    binding["kind"] = "RoleBinding".into();
    binding["metadata"]["namespace"] = namespace.into();
    binding
}

fn binding(user: &str, role: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": binding_name(user, role)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    })
}
