//! What is wrong with a scenario file, where it is, and what was expected.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::ScenarioError;
use super::file::{
    BudgetFile, ClusterFile, LoadFile, PoolFile, QuotaFile, ScenarioFile, WorkloadFile, WorkloadKind, fits,
};
use super::incident::{check_incident, known_pool};
use crate::model::quantity;
use crate::sim::controllers::Schedule;
use crate::sim::machines;

/// A mistake and its place.
pub(super) type Mistake = (Range<usize>, String);

/// Where the keys of a table are.
#[derive(Debug, Default)]
pub(super) struct Place {
    whole: Range<usize>,
    keys: BTreeMap<String, Range<usize>>,
}

type Keys = BTreeMap<String, Spanned<IgnoredAny>>;

impl Place {
    /// The keys of a text that is one table.
    pub(super) fn of(text: &str) -> Place {
        // what is no TOML has been refused before
        Place::read(0..text.len(), &toml::from_str::<Keys>(text).unwrap_or_default())
    }

    fn read(whole: Range<usize>, keys: &Keys) -> Place {
        Place { whole, keys: keys.iter().map(|(key, value)| (key.clone(), value.span())).collect() }
    }

    /// A mistake in the value of a key; if it is not there, in the table.
    pub(super) fn mistake(&self, key: &str, why: String) -> Mistake {
        (self.keys.get(key).cloned().unwrap_or_else(|| self.whole.clone()), why)
    }
}

/// Where the tables of a file are: the same file, read for its places only.
#[derive(Debug, Default, Deserialize)]
struct Places {
    #[serde(default, rename = "cluster")]
    clusters: Vec<Spanned<Keys>>,
    #[serde(default, rename = "workload")]
    workloads: Vec<Spanned<Keys>>,
    #[serde(default, rename = "quota")]
    quotas: Vec<Spanned<Keys>>,
    #[serde(default, rename = "incident")]
    incidents: Vec<Spanned<Keys>>,
}

/// Where the pools are.
#[derive(Debug, Default, Deserialize)]
struct PoolPlaces {
    #[serde(default, rename = "cluster")]
    clusters: Vec<Pools>,
}

#[derive(Debug, Default, Deserialize)]
struct Pools {
    #[serde(default, rename = "pool")]
    pools: Vec<Spanned<Keys>>,
}

fn place(tables: &[Spanned<Keys>], index: usize) -> Place {
    tables.get(index).map_or_else(Place::default, |t| Place::read(t.span(), t.get_ref()))
}

/// Reads and checks a file.
pub(crate) fn parse(name: &str, text: &str) -> Result<ScenarioFile, ScenarioError> {
    let error = |span: Option<Range<usize>>, message: String| {
        let line = span.map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        ScenarioError { file: name.to_owned(), line, message }
    };
    let file: ScenarioFile = toml::from_str(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
    check(&file, text).map_err(|(span, message)| error(Some(span), message))?;
    Ok(file)
}

fn check(file: &ScenarioFile, text: &str) -> Result<(), Mistake> {
    if !(file.churn.is_finite() && file.churn >= 0.0) {
        let why = format!("churn is {}; expected changes of pods a second, 0 for none", file.churn);
        return Err(Place::of(text).mistake("churn", why));
    }
    // both were read whole a moment ago
    let places: Places = toml::from_str(text).unwrap_or_default();
    let pools: PoolPlaces = toml::from_str(text).unwrap_or_default();
    for (i, one) in file.clusters.iter().enumerate() {
        let here = place(&places.clusters, i);
        cluster(one, &here)?;
        if file.clusters[..i].iter().any(|c| c.name == one.name) {
            return Err(here.mistake("name", format!("two clusters are called {:?}", one.name)));
        }
        let none = Pools::default();
        let those = pools.clusters.get(i).unwrap_or(&none);
        for (n, one_pool) in one.pools.iter().enumerate() {
            pool(one, one_pool, &place(&those.pools, n))?;
        }
    }
    let names: Vec<&str> = file.clusters.iter().map(|c| c.name.as_str()).collect();
    let known = |pattern: &Spanned<String>| {
        if names.iter().any(|n| fits(pattern.get_ref(), n)) {
            return Ok(());
        }
        let message = format!("no cluster {:?}; expected one of {}", pattern.get_ref(), names.join(", "));
        Err((pattern.span(), message))
    };
    for (i, one) in file.workloads.iter().enumerate() {
        let here = place(&places.workloads, i);
        one.clusters.iter().chain(one.replicas_in.keys()).try_for_each(known)?;
        workload(file, one, &here)?;
        let twice = |other: &&WorkloadFile| {
            let same = other.kind == one.kind && other.namespace == one.namespace && other.name == one.name;
            same && names.iter().any(|n| other.replicas_of(n).is_some() && one.replicas_of(n).is_some())
        };
        if file.workloads[..i].iter().any(|other| twice(&other)) {
            let why = format!("two workloads {}/{} in one cluster", one.namespace, one.name);
            return Err(here.mistake("name", why));
        }
    }
    for (i, one) in file.quotas.iter().enumerate() {
        one.clusters.iter().try_for_each(known)?;
        quota(one, &place(&places.quotas, i))?;
    }
    for (i, incident) in file.incidents.iter().enumerate() {
        incident.clusters.iter().try_for_each(known)?;
        check_incident(file, incident, &place(&places.incidents, i))?;
    }
    Ok(())
}

/// Whether a name may be that of a host (RFC 1123), as a cluster's is for its server.
fn is_host(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(fine) && !l.starts_with('-') && !l.ends_with('-')
    };
    name.len() <= 200 && name.split('.').all(label)
}

fn cluster(cluster: &ClusterFile, here: &Place) -> Result<(), Mistake> {
    if !is_host(&cluster.name) {
        let why = format!(
            "{:?} is no name of a cluster; expected lower-case letters, digits, - and ., as in \"eks-use1\"",
            cluster.name
        );
        return Err(here.mistake("name", why));
    }
    let numbers: Vec<&str> = cluster.version.split('.').collect();
    let fine = (2..=3).contains(&numbers.len()) && numbers.iter().all(|n| n.parse::<u16>().is_ok());
    if !fine {
        let why = format!("{:?} is no version; expected one such as \"1.36\"", cluster.version);
        return Err(here.mistake("version", why));
    }
    Ok(())
}

fn pool(cluster: &ClusterFile, pool: &PoolFile, here: &Place) -> Result<(), Mistake> {
    if pool.machines.is_empty() {
        return Err(here.mistake("machines", "a pool needs a machine at least".to_owned()));
    }
    for machine in &pool.machines {
        if machines::find(machine.get_ref()).is_none() {
            let all: Vec<&str> = machines::MACHINES.iter().map(|m| m.name).collect();
            let message = format!("no machine {:?}; expected one of {}", machine.get_ref(), all.join(", "));
            return Err((machine.span(), message));
        }
    }
    if let Some(taint) = pool.taint.as_ref().filter(|t| !t.get_ref().contains('=')) {
        return Err((taint.span(), format!("{:?} is no taint; expected key=value", taint.get_ref())));
    }
    let odd = pool.zones.iter().flatten().find(|z| !cluster.zones.contains(z));
    if let Some(odd) = odd {
        let why = format!(
            "no zone {odd:?} in cluster {}; expected one of {}",
            cluster.name,
            cluster.zones.join(", ")
        );
        return Err(here.mistake("zones", why));
    }
    let most = pool.max.unwrap_or(pool.count);
    if pool.min > most {
        let why = format!("min is {} and max is {most}; expected min to be no more than max", pool.min);
        return Err(here.mistake("min", why));
    }
    Ok(())
}

fn workload(file: &ScenarioFile, workload: &WorkloadFile, here: &Place) -> Result<(), Mistake> {
    let meant: Vec<&ClusterFile> =
        file.clusters.iter().filter(|c| workload.replicas_of(&c.name).is_some()).collect();
    known_pool(&meant, workload.pool.as_deref()).map_err(|why| here.mistake("pool", why))?;
    for (key, given, example) in [
        ("cpu", &workload.cpu, "250m"),
        ("memory", &workload.memory, "256Mi"),
        ("storage", &workload.storage, "20Gi"),
    ] {
        if let Some(odd) = given.as_deref().filter(|g| !amount(g)) {
            return Err(here.mistake(key, no_amount(odd, example)));
        }
    }
    for (key, given, kinds) in [
        ("scale", workload.scale.is_some(), &[WorkloadKind::Deployment, WorkloadKind::StatefulSet][..]),
        ("storage", workload.storage.is_some(), &[WorkloadKind::StatefulSet]),
        ("schedule", workload.schedule.is_some(), &[WorkloadKind::CronJob]),
        ("recreate", workload.recreate, &[WorkloadKind::Deployment]),
    ] {
        if given && !kinds.contains(&workload.kind) {
            let names: Vec<&str> = kinds.iter().map(|kind| kind.named()).collect();
            let own = workload.kind.named();
            let why = format!("a {own} has no use for the key {key:?}; expected kind {}", names.join(" or "));
            return Err(here.mistake(key, why));
        }
    }
    if let Some(load) = &workload.load {
        check_load(load).map_err(|why| here.mistake("load", why))?;
    }
    if let Some(schedule) = &workload.schedule
        && let Err(why) = Schedule::parse(schedule, "")
    {
        let why = format!("{schedule:?} is no schedule: {why}; expected one such as \"*/10 * * * *\"");
        return Err(here.mistake("schedule", why));
    }
    if let Some(scale) = &workload.scale {
        let least = u32::from(scale.queue.is_none());
        if scale.min > scale.max || scale.min < least {
            let why = format!("min is {} and max is {}; expected {least} ≤ min ≤ max", scale.min, scale.max);
            return Err(here.mistake("scale", why));
        }
        if scale.queue == Some(0) || scale.queue.is_some() && scale.cpu > 0 {
            let why = "expected either cpu, in percent of requests, or queue, in messages for each replica";
            return Err(here.mistake("scale", why.to_owned()));
        }
        if scale.cpu == 0 && scale.queue.is_none() {
            return Err(here.mistake("scale", "cpu is 0; expected percent of requests".to_owned()));
        }
    }
    workload.budget.as_ref().map_or(Ok(()), |b| budget(b).map_err(|why| here.mistake("budget", why)))
}

/// Work is never less than none.
pub(super) fn check_load(load: &LoadFile) -> Result<(), String> {
    let fine = |n: f64| n.is_finite() && n >= 0.0;
    match [("cores", load.cores), ("swing", load.swing)].into_iter().find(|(_, n)| !fine(*n)) {
        Some((key, n)) => Err(format!("{key} is {n}; expected cores, such as 2.5")),
        None => Ok(()),
    }
}

fn budget(budget: &BudgetFile) -> Result<(), String> {
    let expected = "expected either min-available or max-unavailable";
    let given = match (&budget.min_available, &budget.max_unavailable) {
        (Some(_), Some(_)) => return Err(format!("a budget has both keys; {expected}")),
        (None, None) => return Err(format!("a budget has neither key; {expected}")),
        (Some(one), None) | (None, Some(one)) => one,
    };
    match given.strip_suffix('%').unwrap_or(given).parse::<u32>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{given:?} is no count; expected one such as \"2\" or \"50%\"")),
    }
}

fn quota(quota: &QuotaFile, here: &Place) -> Result<(), Mistake> {
    for (key, amounts) in [
        ("hard", &quota.hard),
        ("default", &quota.default),
        ("default-request", &quota.default_request),
        ("most", &quota.most),
    ] {
        if let Some(odd) = amounts.values().find(|given| !amount(given)) {
            return Err(here.mistake(key, no_amount(odd, "20")));
        }
    }
    Ok(())
}

fn amount(text: &str) -> bool {
    quantity::parse_milli(text).is_some_and(|n| n >= 0)
}

fn no_amount(odd: &str, example: &str) -> String {
    format!("{odd:?} is no amount; expected one such as {example:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"t\"\n[[cluster]]\nname = \"a\"\nprovider = \"eks\"\nversion = \"1.36\"\n";

    fn mistake(rest: &str) -> String {
        parse("t.toml", &format!("{HEAD}{rest}")).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_name_their_line_and_what_was_expected() {
        let pool = "[[cluster.pool]]\nname = \"p\"\nmachines = [\"m6i.xlarge\"]\ncount = 1\n";
        assert!(parse("t.toml", &format!("{HEAD}{pool}")).is_ok());
        let m = mistake(&pool.replace("m6i.xlarge", "m6i.huge"));
        assert!(m.starts_with("t.toml:8: no machine \"m6i.huge\"; expected one of t3.large"), "{m}");
        let m = mistake(&format!("{pool}colour = 1\n"));
        assert!(m.starts_with("t.toml:10: unknown field `colour`, expected one of"), "{m}");
        let m = mistake(&format!(
            "{pool}[[incident]]\nkind = \"unreachable\"\nclusters = [\"b\"]\nat = \"1s\"\n"
        ));
        assert!(m.contains(":12: no cluster \"b\"; expected one of a"), "{m}");
        let m =
            mistake(&format!("{pool}[[incident]]\nkind = \"crash\"\nclusters = [\"a\"]\nat = \"soon\"\n"));
        assert!(m.contains(":13: \"soon\" is no length of time; expected one such as"), "{m}");
        let m = mistake(&format!("{pool}[[incident]]\nkind = \"crash\"\nclusters = [\"a\"]\nat = \"1s\"\n"));
        assert!(m.contains(":11: this kind of incident needs the key \"workloads\""), "{m}");
        assert!(mistake("name =").contains("t.toml:6:"));
        for odd in ["Eu", "eu prod", "eu/prod", "-eu", "eu..prod", ""] {
            let named = format!("{HEAD}{pool}").replace("name = \"a\"", &format!("name = \"{odd}\""));
            let m = parse("t.toml", &named).unwrap_err().to_string();
            assert!(m.starts_with("t.toml:3: ") && m.contains("is no name of a cluster"), "{m}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_said_with_its_line() {
        let pool = "[[cluster.pool]]\nname = \"p\"\nmachines = [\"m6i.xlarge\"]\ncount = 1\n";
        let work = "[[workload]]\nnamespace = \"n\"\nname = \"w\"\nimage = \"i\"\n";
        for (rest, said) in [
            (format!("{pool}min = 3\n"), ":10: min is 3 and max is 1"),
            (format!("{pool}zones = [\"z\"]\n"), ":10: no zone \"z\" in cluster a"),
            (
                format!("{pool}{HEAD}{pool}").replace("name = \"t\"\n", ""),
                ":11: two clusters are called \"a\"",
            ),
            (
                format!("{pool}{work}cpu = \"lots\"\n"),
                ":14: \"lots\" is no amount; expected one such as \"250m\"",
            ),
            (
                format!("{pool}{work}pool = \"q\"\n"),
                ":14: no pool \"q\" in these clusters; expected one of p",
            ),
            (
                format!("{pool}{work}kind = \"cron-job\"\nschedule = \"daily\"\n"),
                ":15: \"daily\" is no schedule",
            ),
            (format!("{pool}{work}scale = {{ min = 5, max = 2, cpu = 70 }}\n"), ":14: min is 5 and max is 2"),
            (
                format!("{pool}{work}budget = {{ min-available = \"1\", max-unavailable = \"1\" }}\n"),
                ":14: a budget has both keys",
            ),
            (format!("{pool}{work}budget = {{ min-available = \"few\" }}\n"), ":14: \"few\" is no count"),
            (
                format!("{pool}{work}storage = \"1Gi\"\n"),
                ":14: a deployment has no use for the key \"storage\"; expected kind stateful-set",
            ),
            (
                format!("{pool}{work}kind = \"daemon-set\"\nscale = {{ min = 1, max = 2, cpu = 70 }}\n"),
                ":15: a daemon-set has no use for the key \"scale\"; expected kind deployment or stateful-set",
            ),
            (format!("{pool}{work}load = {{ cores = -1.0 }}\n"), ":14: cores is -1; expected cores"),
            (
                format!(
                    "{pool}{work}[[incident]]\nkind = \"crash\"\nclusters = [\"a\"]\nworkloads = [\"n/w\"]\nimage = \"x\"\n"
                ),
                ":18: an incident of this kind has no use for the key \"image\"",
            ),
            (
                format!(
                    "{pool}{work}kind = \"cron-job\"\n[[incident]]\nkind = \"rollout\"\nclusters = [\"a\"]\nworkloads = [\"n/w\"]\nimage = \"x\"\n"
                ),
                ":18: \"n/w\" is a cron-job; expected a deployment, a stateful-set or a daemon-set",
            ),
            (
                format!(
                    "{pool}[[incident]]\nkind = \"fault\"\nclusters = [\"a\"]\nfault = {{ name = \"error\", verb = \"lst\" }}\n"
                ),
                ":13: no verb \"lst\"",
            ),
            (
                format!(
                    "{pool}[[incident]]\nkind = \"deny\"\nclusters = [\"a\"]\nresource = \"pods\"\nnamespace = \"nowhere\"\n"
                ),
                ":14: no namespace \"nowhere\"",
            ),
            (format!("{pool}{work}{work}"), ":16: two workloads n/w in one cluster"),
            (
                format!(
                    "{pool}[[quota]]\nnamespace = \"n\"\nclusters = [\"a\"]\nhard = {{ pods = \"many\" }}\n"
                ),
                ":13: \"many\" is no amount",
            ),
            (
                format!(
                    "{pool}[[incident]]\nkind = \"cordon\"\nclusters = [\"a\"]\nat = \"1s\"\npool = \"q\"\n"
                ),
                ":14: no pool \"q\"",
            ),
            (
                format!(
                    "{pool}[[incident]]\nkind = \"nodes-not-ready\"\nclusters = [\"a\"]\nat = \"1s\"\nzone = \"q\"\n"
                ),
                ":14: no zone \"q\"",
            ),
            (
                format!(
                    "{pool}[[incident]]\nkind = \"fault\"\nclusters = [\"a\"]\nat = \"1s\"\nfault = {{ name = \"error\", nth = 0 }}\n"
                ),
                ":14: nth is 0",
            ),
        ] {
            let m = mistake(&rest);
            assert!(m.contains(said), "{said}: {m}");
        }
        let m = parse("t.toml", &format!("churn = -1.0\n{HEAD}{pool}")).unwrap_err().to_string();
        assert!(m.starts_with("t.toml:1: churn is -1; expected changes of pods a second"), "{m}");
    }
}
