//! The embedded fleet: its servers suffer every fault that they know.

use std::path::{Path, PathBuf};

use color_eyre::eyre::{Result, eyre};
use driver::{Control, Fleet};
use fastrand::Rng;
use serde_json::json;

use crate::plug::{Pulled, Servers};

const CLUSTERS: usize = 20;
const SCENARIO: &str = "sized:20x1000x20000";

/// Pods that change a second, in the whole fleet.
const CHANGES: u32 = 60;

/// Faults of the machine, which belong to no cluster; logins that wait for a person; an upgrade, which is for good.
const NOT: [&str; 8] =
    ["login", "kubeconfig", "few-files", "disk-full", "signal", "sleep", "unresolved", "version"];

/// What holds much, once each: a second one at the same time says nothing new.
const LARGE: [&str; 2] = ["endless-line", "gzip-bomb"];

/// Kinds that a fault is about, where it is not about all.
const KINDS: [&[&str]; 4] = [&["pods"], &["pods", "nodes"], &["events"], &["deployments"]];

pub(crate) struct Embedded {
    fleet: Fleet,
    faults: Vec<String>,
}

impl Embedded {
    pub(crate) fn start(binary: &Path) -> Result<Embedded> {
        let mut embedded = Embedded { fleet: Fleet::serve(binary, SCENARIO)?, faults: Vec::new() };
        embedded.faults = embedded.control()?.faults()?;
        embedded.faults.retain(|fault| !NOT.contains(&fault.as_str()));
        Ok(embedded)
    }

    fn control(&self) -> Result<&Control> {
        self.fleet.control.as_ref().ok_or_else(|| eyre!("this program's demo has no --control"))
    }
}

impl Servers for Embedded {
    fn kubeconfig(&self) -> Result<PathBuf> {
        Ok(self.fleet.kubeconfig())
    }

    fn clusters(&self) -> Vec<String> {
        (0..CLUSTERS).map(|number| format!("c{number:03}")).collect()
    }

    fn churn(&mut self) -> Result<()> {
        self.control()?.churn(CHANGES)
    }

    fn pull(&mut self, cluster: &str, chance: &mut Rng) -> Result<Pulled> {
        let sort = chance.choice(&self.faults).ok_or_else(|| eyre!("no faults"))?;
        let mut fault = json!({"fault": sort});
        if LARGE.contains(&sort.as_str()) {
            fault["times"] = json!(2);
        }
        let mut of_kinds = fault.clone();
        of_kinds["kinds"] = json!(chance.choice(KINDS));
        let some = chance.u8(0..5) < 2;
        // Not every fault can be about kinds.
        if !(some && self.control()?.fault_in(cluster, &of_kinds.to_string()).is_ok()) {
            self.control()?.fault_in(cluster, &fault.to_string())?;
        }
        Ok(Pulled { sort: sort.clone(), silent: false, ends_others: false })
    }

    fn mend(&mut self, cluster: &str, sort: &str) -> Result<()> {
        self.control()?.heal_in(cluster, sort)
    }

    fn calm(&mut self) -> Result<()> {
        self.control()?.heal()?;
        self.control()?.churn(0)
    }

    fn pods(&self, cluster: &str) -> Result<u64> {
        self.control()?.pods_in(cluster)
    }
}
