//! mitmproxy before each server, which understands what it carries: <https://docs.mitmproxy.org/stable/>.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, eyre};
use driver::redirected;
use fastrand::Rng;

use crate::plug::Pulled;
use crate::way::{Way, cluster_at};

/// What `between.py` can do. What it loses, or turns into another value that can be read, only an audit finds.
const WRONGS: [&str; 20] = [
    "portal",
    "portal in json",
    "nothing",
    "nothing, well labelled",
    "redirect",
    "unauthorized",
    "too many",
    "bad gateway",
    "no upstream",
    "late answers",
    "no answers",
    "old lists",
    "mislabelled",
    "unlabelled",
    "said to be json",
    "ended",
    "shortened",
    "events lost",
    "events twice",
    "bits turned",
];

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// Its own process; stopped when dropped.
pub(crate) struct Mitmproxy {
    child: Child,
    folder: PathBuf,
    /// Where the console comes in, by cluster.
    ports: BTreeMap<String, u16>,
    kubeconfig: PathBuf,
}

impl Drop for Mitmproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mitmproxy {
    /// Stands before each server of a kubeconfig.
    pub(crate) fn before(program: &Path, kubeconfig: &Path, folder: &Path) -> Result<Mitmproxy> {
        let folder = folder.join("between");
        std::fs::create_dir_all(&folder)?;
        let script = folder.join("between.py");
        std::fs::write(&script, include_str!("between.py"))?;
        let (mut command, mut ports) = (Command::new(program), BTreeMap::new());
        command.args(["--quiet", "--ssl-insecure", "--set", "connection_strategy=lazy"]);
        command.arg("--set").arg(format!("confdir={}", folder.display())).arg("--scripts").arg(&script);
        let text = redirected(&std::fs::read_to_string(kubeconfig)?, |port| {
            let own = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            command.arg("--mode").arg(format!("reverse:https://127.0.0.1:{port}@127.0.0.1:{own}"));
            ports.insert(cluster_at(kubeconfig, port)?, own);
            Ok(own)
        })?;
        let child = command.env("BETWEEN", &folder).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.wrap_err_with(|| format!("cannot run {}", program.display()))?;
        let through = folder.join("kubeconfig");
        let proxy = Mitmproxy { child, folder, ports, kubeconfig: through };
        proxy.wait()?;
        let authority = proxy.folder.join("mitmproxy-ca-cert.pem");
        std::fs::write(&proxy.kubeconfig, trusting(&text, &authority))?;
        Ok(proxy)
    }

    fn wait(&self) -> Result<()> {
        let end = Instant::now() + START;
        while self.ports.values().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            if Instant::now() > end {
                return Err(eyre!("mitmproxy does not listen"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn file(&self, cluster: &str) -> Result<PathBuf> {
        let port = self.ports.get(cluster).ok_or_else(|| eyre!("{cluster} is behind no proxy"))?;
        Ok(self.folder.join(port.to_string()))
    }
}

impl Way for Mitmproxy {
    fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    fn pull(&self, cluster: &str, chance: &mut Rng) -> Result<Pulled> {
        let wrong = chance.choice(WRONGS).ok_or_else(|| eyre!("nothing can go wrong"))?;
        std::fs::write(self.file(cluster)?, wrong)?;
        // What was open stays open.
        Ok(Pulled { sort: wrong.to_owned(), silent: false, ends_others: false })
    }

    fn mend(&self, cluster: &str) -> Result<()> {
        Ok(std::fs::remove_file(self.file(cluster)?)?)
    }
}

/// The same kubeconfig with this authority for every server, in the two forms that servers here write.
fn trusting(kubeconfig: &str, authority: &Path) -> String {
    let own = format!("certificate-authority: '{}'", authority.display());
    let line = |line: &str| {
        if let Some((before, _)) = line.split_once("certificate-authority-data:") {
            return format!("{before}{own}\n");
        }
        match line
            .split_once("certificate-authority: '")
            .and_then(|(b, rest)| Some((b, rest.split_once('\'')?.1)))
        {
            Some((before, after)) => format!("{before}{own}{after}\n"),
            None => format!("{line}\n"),
        }
    };
    kubeconfig.lines().map(line).collect()
}
