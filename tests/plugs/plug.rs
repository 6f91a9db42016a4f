//! Plugs that are out, in the way and at the servers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use color_eyre::eyre::Result;
use fastrand::Rng;

use crate::fleet::{Console, NOTICED};
use crate::way::Way;

/// Of how many clusters something is out at the same time, in the way and at the servers, at most.
const IN_THE_WAY: f64 = 0.7;
const AT_SERVERS: f64 = 0.3;

/// Servers that can suffer.
pub(crate) trait Servers {
    /// Leads to them, on 127.0.0.1.
    fn kubeconfig(&self) -> Result<PathBuf>;
    /// The names of their clusters.
    fn clusters(&self) -> Vec<String>;
    /// Their pods change from now on.
    fn churn(&mut self) -> Result<()>;
    /// Does something to one of them.
    fn pull(&mut self, cluster: &str, chance: &mut Rng) -> Result<Pulled>;
    /// Ends it.
    fn mend(&mut self, cluster: &str, sort: &str) -> Result<()>;
    /// Everything that was done is undone, and nothing changes any more.
    fn calm(&mut self) -> Result<()>;
    /// How many pods one has.
    fn pods(&self, cluster: &str) -> Result<u64>;
}

/// What was pulled.
pub(crate) struct Pulled {
    pub(crate) sort: String,
    /// Whether nothing at all can come from that cluster as long as it is out.
    pub(crate) silent: bool,
    /// Whether servers that were silent speak now.
    pub(crate) ends_others: bool,
}

/// A plug that is out.
struct Plug {
    cluster: String,
    /// Or at its servers.
    in_the_way: bool,
    pulled: Pulled,
    since: Instant,
    until: Instant,
}

/// All that are out, and what there was so far.
pub(crate) struct Plugs {
    chance: Rng,
    out: Vec<Plug>,
    counts: BTreeMap<String, u32>,
    refused: u32,
    looks: u32,
    lies: Vec<String>,
    began: Instant,
    told: Vec<String>,
}

/// How much of what happened is told when all does not end well.
const STORY: usize = 40;

impl Plugs {
    pub(crate) fn new(chance: Rng) -> Plugs {
        let (out, counts, lies) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (began, told) = (Instant::now(), Vec::new());
        Plugs { chance, out, counts, refused: 0, looks: 0, lies, began, told }
    }

    /// How many of each sort were pulled.
    pub(crate) fn counts(&self) -> &BTreeMap<String, u32> {
        &self.counts
    }

    /// How many could not be pulled, or not be put in at once, since something else was out.
    pub(crate) fn refused(&self) -> u32 {
        self.refused
    }

    /// How often a cluster that had to look unseen was looked at.
    pub(crate) fn looks(&self) -> u32 {
        self.looks
    }

    /// What looked fresh then.
    pub(crate) fn lies(&self) -> &[String] {
        &self.lies
    }

    /// The last that was pulled and put in, with the second at which that was.
    pub(crate) fn story(&self) -> String {
        self.told[self.told.len().saturating_sub(STORY)..].join("\n")
    }

    /// How long until the next plug.
    pub(crate) fn moment(&mut self) -> Duration {
        Duration::from_millis(self.chance.u64(100..900))
    }

    /// Puts in those whose time is over; all of them, where no time is given.
    pub(crate) fn mend(&mut self, servers: &mut dyn Servers, way: &dyn Way, now: Option<Instant>) {
        let over = |plug: &mut Plug| now.is_none_or(|now| plug.until <= now);
        for plug in self.out.extract_if(.., over) {
            let mended = if plug.in_the_way {
                way.mend(&plug.cluster)
            } else {
                servers.mend(&plug.cluster, &plug.pulled.sort)
            };
            let ended = if mended.is_ok() { "ended" } else { "could not be ended" };
            self.told.push(line(self.began, &plug.cluster, &plug.pulled.sort, ended));
            self.refused += u32::from(mended.is_err());
        }
    }

    /// Pulls one in the way of a cluster and one at its servers, unless too many are out.
    pub(crate) fn pull(&mut self, servers: &mut dyn Servers, way: &dyn Way, clusters: &[String]) {
        for (in_the_way, share) in [(true, IN_THE_WAY), (false, AT_SERVERS)] {
            let out: Vec<&str> =
                self.out.iter().filter(|p| p.in_the_way == in_the_way).map(|p| p.cluster.as_str()).collect();
            let free: Vec<&String> = clusters.iter().filter(|name| !out.contains(&name.as_str())).collect();
            let most = (clusters.len() as f64 * share).ceil() as usize;
            let Some(cluster) = self.chance.choice(free) else { continue };
            if out.len() >= most {
                continue;
            }
            let since = Instant::now();
            let pulled = if in_the_way {
                way.pull(cluster, &mut self.chance)
            } else {
                servers.pull(cluster, &mut self.chance)
            };
            let Ok(pulled) = pulled else {
                self.refused += 1;
                continue;
            };
            if pulled.ends_others {
                self.out
                    .iter_mut()
                    .filter(|plug| !plug.in_the_way)
                    .for_each(|plug| plug.pulled.silent = false);
            }
            *self.counts.entry(pulled.sort.clone()).or_default() += 1;
            self.told.push(line(self.began, cluster, &pulled.sort, "began"));
            let until = Instant::now() + self.how_long();
            self.out.push(Plug { cluster: cluster.clone(), in_the_way, pulled, since, until });
        }
    }

    /// Mostly seconds; one of eight for longer than a silence may go unnoticed.
    fn how_long(&mut self) -> Duration {
        Duration::from_secs_f64(match self.chance.u8(0..8) {
            0 => 20.0 + 40.0 * self.chance.f64(),
            _ => 1.0 + 24.0 * self.chance.f64(),
        })
    }

    /// Looks whether clusters from which nothing can have come look it.
    pub(crate) fn judge(&mut self, console: &Console) {
        for plug in self.out.iter().filter(|p| p.pulled.silent && p.since.elapsed() > NOTICED) {
            self.looks += 1;
            if let Some(row) = console.fresh(&plug.cluster) {
                let (sort, seconds) = (&plug.pulled.sort, plug.since.elapsed().as_secs());
                let lie = format!("{sort} for {seconds} s: {}", row.trim());
                println!("looks fresh: {lie}");
                self.lies.push(lie);
            }
        }
    }
}

fn line(began: Instant, cluster: &str, sort: &str, what: &str) -> String {
    format!("{:>6} s  {cluster}: {sort} {what}", began.elapsed().as_secs())
}
