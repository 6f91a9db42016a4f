//! The control endpoint of an embedded fleet: churn and faults, over plain HTTP on loopback.

use color_eyre::eyre::{Result, eyre};

use crate::http::ask;

/// Where a fleet is disturbed.
pub struct Control {
    address: String,
    token: String,
}

impl Control {
    /// The endpoint that a line of the serving process names.
    pub fn said(line: &str) -> Option<Control> {
        let token = line.split_once("Bearer ")?.1.split_once('\'')?.0.to_owned();
        let address = line.split_once("http://")?.1.split_once('/')?.0.to_owned();
        Some(Control { address, token })
    }

    /// So many pods change a second, in the whole fleet. Its time runs for as long as pods change:
    /// where time stands still nothing does.
    pub fn churn(&self, rate: u32) -> Result<()> {
        let speed = u32::from(rate > 0);
        self.ask("PUT", "/pace", &format!(r#"{{"speed": {speed}}}"#))?;
        self.ask("PUT", "/churn", &format!(r#"{{"rate": {rate}}}"#)).map(drop)
    }

    /// The endpoint at this address, which wants this token.
    pub fn at(address: std::net::SocketAddr, token: String) -> Control {
        Control { address: address.to_string(), token }
    }

    /// Switches a fault on in every cluster.
    pub fn fault(&self, fault: &str) -> Result<()> {
        self.fault_in("*", fault)
    }

    /// Switches a fault on in one cluster.
    pub fn fault_in(&self, cluster: &str, fault: &str) -> Result<()> {
        self.ask("POST", &format!("/clusters/{cluster}/faults"), fault).map(drop)
    }

    /// Switches one fault of a cluster off.
    pub fn heal_in(&self, cluster: &str, fault: &str) -> Result<()> {
        self.ask("DELETE", &format!("/clusters/{cluster}/faults/{fault}"), "").map(drop)
    }

    /// How many connections a cluster's server took so far.
    pub fn connections(&self, cluster: &str) -> Result<u64> {
        self.number("connections", cluster)
    }

    /// How many pods a cluster has.
    pub fn pods_in(&self, cluster: &str) -> Result<u64> {
        self.number("pods", cluster)
    }

    fn number(&self, of: &str, cluster: &str) -> Result<u64> {
        let said: Vec<serde_json::Value> = serde_json::from_str(&self.ask("GET", "/clusters", "")?)?;
        let one = said.iter().find(|c| c["name"] == cluster).ok_or_else(|| eyre!("no cluster {cluster}"))?;
        one[of].as_u64().ok_or_else(|| eyre!("{cluster} counts no {of}"))
    }

    /// Every fault that there is.
    pub fn faults(&self) -> Result<Vec<String>> {
        let said: Vec<serde_json::Value> = serde_json::from_str(&self.ask("GET", "/faults", "")?)?;
        Ok(said.iter().filter_map(|fault| Some(fault["fault"].as_str()?.to_owned())).collect())
    }

    /// The faults that are on: the cluster, the fault, and how often it happened.
    pub fn happened(&self) -> Result<Vec<(String, String, u64)>> {
        let said: Vec<serde_json::Value> = serde_json::from_str(&self.ask("GET", "/clusters", "")?)?;
        let mut out = Vec::new();
        for cluster in &said {
            for fault in cluster["faults"].as_array().into_iter().flatten() {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let times = fault["happened"].as_u64().unwrap_or(0);
                out.push((text(&cluster["name"]), text(&fault["fault"]), times));
            }
        }
        Ok(out)
    }

    /// Switches every fault off.
    pub fn heal(&self) -> Result<()> {
        self.ask("DELETE", "/clusters/*/faults", "").map(drop)
    }

    /// How many pods the whole fleet has.
    pub fn pods(&self) -> Result<u64> {
        self.sum("pods")
    }

    /// How often pods of the whole fleet changed.
    pub fn pod_changes(&self) -> Result<u64> {
        self.sum("pod-changes")
    }

    /// How many changes wait at the servers for watches that were not told of them yet.
    pub fn untold(&self) -> Result<u64> {
        self.sum("untold")
    }

    /// A number of every cluster, in all.
    fn sum(&self, of: &str) -> Result<u64> {
        let said: serde_json::Value = serde_json::from_str(&self.ask("GET", "/clusters", "")?)?;
        let clusters = said.as_array().or_else(|| said.get("clusters")?.as_array());
        let clusters = clusters.ok_or_else(|| eyre!("the control endpoint lists no clusters: {said}"))?;
        Ok(clusters.iter().filter_map(|cluster| cluster.get(of)?.as_u64()).sum())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        ask(&self.address, &self.token, method, path, body)
    }
}
