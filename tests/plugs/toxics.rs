//! Toxiproxy before each server: <https://github.com/Shopify/toxiproxy#http-api>.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr, eyre};
use driver::{ask, redirected};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::plug::Pulled;
use crate::way::{Way, cluster_at};

/// Its own server; stopped when dropped.
pub(crate) struct Toxiproxy {
    child: Child,
    address: String,
    kubeconfig: PathBuf,
}

impl Drop for Toxiproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Toxiproxy {
    /// Stands before each server of a kubeconfig, under the name of its cluster.
    pub(crate) fn before(program: &Path, kubeconfig: &Path, folder: &Path) -> Result<Toxiproxy> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["-host", "127.0.0.1", "-port", &port.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.wrap_err_with(|| format!("cannot run {}", program.display()))?;
        let address = format!("127.0.0.1:{port}");
        let (proxy, end) =
            (Toxiproxy { child, address, kubeconfig: folder.join("kubeconfig") }, Instant::now() + START);
        while proxy.ask("GET", "/version", &Value::Null).is_err() {
            if Instant::now() > end {
                return Err(eyre!("toxiproxy does not answer at {}", proxy.address));
            }
            std::thread::yield_now();
        }
        let text = redirected(&std::fs::read_to_string(kubeconfig)?, |port| {
            let upstream = format!("127.0.0.1:{port}");
            let name = cluster_at(kubeconfig, port)?;
            let made = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true});
            let made: Value = serde_json::from_str(&proxy.ask("POST", "/proxies", &made)?)?;
            let listens = made["listen"].as_str().and_then(|at| at.rsplit_once(':')?.1.parse().ok());
            listens.ok_or_else(|| eyre!("toxiproxy does not say where it listens: {made}"))
        })?;
        std::fs::write(&proxy.kubeconfig, text)?;
        Ok(proxy)
    }

    fn enable(&self, cluster: &str, enabled: bool) -> Result<()> {
        self.ask("POST", &format!("/proxies/{cluster}"), &json!({"enabled": enabled})).map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(&self.address, "", method, path, &body)
    }
}

/// How long it may take to start.
const START: Duration = Duration::from_secs(10);

/// What can be put in the way, by Toxiproxy's names, which are also those of each that was put there.
const TOXICS: [&str; 7] =
    ["timeout", "reset_peer", "latency", "bandwidth", "slicer", "limit_data", "slow_close"];

impl Way for Toxiproxy {
    fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    fn mend(&self, cluster: &str) -> Result<()> {
        for toxic in TOXICS {
            // Most are not there.
            let _ = self.ask("DELETE", &format!("/proxies/{cluster}/toxics/{toxic}"), &Value::Null);
        }
        self.enable(cluster, true)
    }

    fn pull(&self, cluster: &str, chance: &mut Rng) -> Result<Pulled> {
        let (down, up) = ("downstream", "upstream");
        let (sort, toxics): (&str, Vec<(&str, &str, f64, Value)>) = match chance.u8(0..12) {
            0 => ("refused", Vec::new()),
            1 => ("silent", vec![("timeout", down, 1.0, json!({"timeout": 0}))]),
            2 => ("unheard", vec![("timeout", up, 1.0, json!({"timeout": 0}))]),
            3 => ("some silent", vec![("timeout", down, 0.5, json!({"timeout": 0}))]),
            4 => ("reset", vec![("reset_peer", down, 1.0, json!({"timeout": 0}))]),
            5 => ("reset later", vec![("reset_peer", down, 1.0, json!({"timeout": chance.u32(100..8000)}))]),
            6 => (
                "late",
                vec![("latency", down, 1.0, json!({"latency": chance.u32(200..4000), "jitter": 300}))],
            ),
            7 => ("slow", vec![("bandwidth", down, 1.0, json!({"rate": chance.u32(1..50)}))]),
            8 => {
                let size = chance.u32(7..500);
                (
                    "sliced",
                    vec![(
                        "slicer",
                        down,
                        1.0,
                        json!({"average_size": size, "size_variation": 5, "delay": 100}),
                    )],
                )
            }
            9 => ("cut soon", vec![("limit_data", down, 1.0, json!({"bytes": chance.u32(10..5000)}))]),
            10 => ("cut", vec![("limit_data", down, 1.0, json!({"bytes": chance.u32(10_000..800_000)}))]),
            _ => {
                let close = ("slow_close", down, 1.0, json!({"delay": 3000}));
                ("cut, closed late", vec![close, ("limit_data", down, 1.0, json!({"bytes": 50_000}))])
            }
        };
        if toxics.is_empty() {
            self.enable(cluster, false)?;
        }
        for (kind, stream, share, attributes) in toxics {
            let toxic = json!({"name": kind, "type": kind, "stream": stream, "toxicity": share, "attributes": attributes});
            self.ask("POST", &format!("/proxies/{cluster}/toxics"), &toxic)?;
        }
        Ok(Pulled {
            sort: sort.to_owned(),
            silent: matches!(sort, "refused" | "silent" | "reset"),
            ends_others: false,
        })
    }
}
