//! Each fault of the embedded fleet's own list, on the way that people use: TLS, HTTP/2, protobuf.
//!
//! Each fault is on in a cluster of its own, a dozen at once, and beside them is a cluster without
//! any. While they are on, what is shown of every cluster is what its server has, or is
//! marked; the cluster without faults is live and right all the time. When they are off, everything
//! is shown as it is within a minute.

mod rows;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck::model::{Cluster, Kind, Link, Span};
use quarterdeck::sim::{Control, Options, Pace, Role, Scenario};
use quarterdeck::watch;

use crate::embedded::Embedded;
use crate::ground::{Ground, blocking, now};
use crate::versions::{Versions, here, there};
use rows::{ANSWERS, GARBLED, HIDDEN, MACHINE, ODD, REFUSALS, Row, STREAMS, Shown, USUAL, WAY};

/// The cluster in which nothing is wrong.
const STEADY: Row = Row { name: "steady", faults: &[], shown: Shown::Equal, asked: false, version: USUAL };

/// How long something wrong may be shown as live: as long as a dead connection may take to be
/// noticed. What a change takes to be shown where nothing is wrong comes on top: that is the machine's.
const HONEST: Duration = Duration::from_secs(15);

/// How long everything may take to be right once nothing is wrong any more.
const HEALED: Duration = Duration::from_secs(60);

/// How long anything else may take: generous, for busy machines.
const PATIENCE: Duration = Duration::from_secs(300);

/// Faults of the way and of a moment: they are not counted when they happen, unless they are of one kind.
const UNCOUNTED: &[&str] = &[
    "reset-midway",
    "close-midway",
    "half-open",
    "one-way",
    "slow",
    "latency",
    "refusing",
    "handshake-hangs",
    "new-authority",
    "certificate-expired",
    "certificate-too-new",
    "one-stream",
    "version",
];

/// Every kind but events, of which only the newest are kept.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Event)
}

/// A cluster for each row, in which a rollout begins and ends every twenty seconds.
fn scenario(rows: &[&Row]) -> Scenario {
    let mut text = "name = \"faults\"\nseed = 5\n[pace]\npull = \"200ms\"\nready = \"300ms\"\nstop = \"200ms\"\n\
                    [[workload]]\nnamespace = \"shop\"\nname = \"web\"\nimage = \"ghcr.io/acme/web:1\"\nreplicas = 3\n\
                    clusters = [\"*\"]\n\
                    [[incident]]\nkind = \"rollout\"\nworkloads = [\"shop/web\"]\nimage = \"ghcr.io/acme/web:2\"\n\
                    at = \"20s\"\nlasts = \"20s\"\nevery = \"40s\"\nclusters = [\"*\"]\n"
        .to_owned();
    for row in rows {
        let (name, version) = (row.name, row.version);
        write!(
            text,
            "[[cluster]]\nname = \"{name}\"\nprovider = \"private\"\nversion = \"{version}\"\n\
             [[cluster.pool]]\nname = \"std\"\nmachines = [\"e2-standard-4\"]\ncount = 1\n"
        )
        .unwrap();
    }
    Scenario::parse("faults.toml", &text).unwrap_or_else(|e| panic!("{e}"))
}

/// What is seen of one cluster.
struct Seen<'a> {
    row: &'a Row,
    control: Control,
    /// What its server has.
    there: Vec<(Kind, Versions)>,
    last: Option<Arc<Cluster>>,
    /// Since when a kind has been shown as live that is not what the server has.
    wrong: Option<(Instant, Kind)>,
    marked: bool,
    same: bool,
}

impl Seen<'_> {
    /// Its server has changed.
    fn changed(&mut self) {
        self.there = kinds().map(|kind| (kind, there(&self.control, kind))).collect();
        (self.last, self.wrong) = (None, None);
    }

    fn look(&mut self, cluster: &Arc<Cluster>) {
        if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, cluster)) {
            return;
        }
        self.last = Some(Arc::clone(cluster));
        let live = |kind| cluster.link.live() && cluster.table(kind).link.live();
        let other = |(kind, there): &&(Kind, Versions)| here(cluster, *kind) != *there;
        let differs: Vec<Kind> = self.there.iter().filter(other).map(|(kind, _)| *kind).collect();
        self.same = differs.is_empty() && kinds().all(live);
        let wrong = differs.into_iter().find(|kind| live(*kind));
        self.wrong = wrong.map(|kind| (self.wrong.map_or_else(Instant::now, |(since, _)| since), kind));
        if let Shown::Marked(causes) = self.row.shown {
            let links = std::iter::once(&cluster.link).chain(cluster.tables.iter().map(|t| &t.link));
            let meant = |link: &Link| {
                let fault = link.fault.as_ref().filter(|_| !link.live());
                fault.is_some_and(|fault| causes.is_empty() || causes.contains(&fault.cause))
            };
            self.marked |= links.into_iter().any(meant);
        }
    }

    /// Fails when it has been lying for too long.
    fn judge(&self, lag: Duration) {
        if self.row.shown == Shown::Hidden {
            return;
        }
        if let Some((since, kind)) = self.wrong
            && since.elapsed() > HONEST + lag
        {
            panic!("{kind:?} are shown as live and are not what the server has\n{}", self.say());
        }
    }

    /// How it is shown, for a person.
    fn say(&self) -> String {
        let Some(cluster) = &self.last else { return format!("{}: not seen", self.row.name) };
        let mut text = format!("{}: {:?}\n", self.row.name, cluster.link);
        for (kind, there) in &self.there {
            let (here, link) = (here(cluster, *kind), &cluster.table(*kind).link);
            if !link.live() || here != *there {
                let more = here.iter().filter(|(uid, at)| there.get(uid) != Some(at)).count();
                let less = there.keys().filter(|uid| !here.contains_key(uid)).count();
                writeln!(text, "  {kind:?}: {more} that are not there, {less} missing; {link:?}").unwrap();
            }
        }
        text
    }
}

/// A fleet of rows, and what is seen of it.
struct Trial<'a> {
    fleet: Embedded,
    ground: Ground,
    seen: Vec<Seen<'a>>,
    /// Whether the steady cluster was seen live.
    began: bool,
    /// When something changed last, whether the steady cluster still has to show it, and how long that
    /// took at most.
    changed: Instant,
    changing: bool,
    lag: Duration,
}

impl<'a> Trial<'a> {
    async fn open(rows: &'a [Row], audit_every: Duration) -> Trial<'a> {
        let rows: Vec<&Row> = std::iter::once(&STEADY).chain(rows).collect();
        let options = Options { pace: Pace::Manual, bookmarks: Duration::from_secs(1), ..Options::default() };
        let fleet = Embedded::of(scenario(&rows), options).await;
        let options = watch::Options {
            seed: 11,
            audit_every,
            audit_pause: Duration::ZERO,
            ..watch::Options::default()
        };
        let ground = Ground::open_as(&fleet.fleet.kubeconfig(Role::Admin), now, options);
        let seen = rows.into_iter().map(|row| {
            let control = fleet.fleet.cluster(row.name).unwrap();
            Seen { row, control, there: Vec::new(), last: None, wrong: None, marked: false, same: false }
        });
        let seen = seen.collect();
        let (changed, lag) = (Instant::now(), Duration::ZERO);
        let mut trial = Trial { fleet, ground, seen, began: false, changed, changing: false, lag };
        trial.changed();
        trial.until("everything is shown", PATIENCE, |seen| seen.same).await;
        trial.ground.live(STEADY.name).await;
        trial.began = true;
        trial
    }

    fn changed(&mut self) {
        self.seen.iter_mut().for_each(Seen::changed);
        (self.changed, self.changing) = (Instant::now(), true);
    }

    /// Lets something happen in every cluster.
    fn go_on(&mut self) {
        blocking(|| self.fleet.fleet.advance(Span::from_seconds(20)));
        self.changed();
    }

    /// Waits until every cluster is so. None may lie meanwhile, and the steady one stays live.
    async fn until(&mut self, what: &str, limit: Duration, holds: impl Fn(&Seen<'_>) -> bool) {
        let began = Instant::now();
        let mut snapshots = self.ground.snapshots();
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            for seen in &mut self.seen {
                seen.look(snapshot.fleet.by_name(seen.row.name).unwrap());
            }
            if self.began {
                let steady = snapshot.fleet.by_name(STEADY.name).unwrap();
                let live = steady.link.live() && steady.tables.iter().all(|table| table.link.live());
                assert!(live, "the cluster without a fault is not live\n{}", self.seen[0].say());
                if self.changing {
                    self.lag = self.lag.max(self.changed.elapsed());
                    self.changing = !self.seen[0].same;
                }
                self.seen.iter().for_each(|seen| seen.judge(self.lag));
            }
            let missing: Vec<&Seen<'_>> = self.seen.iter().filter(|seen| !holds(seen)).collect();
            if missing.is_empty() {
                return;
            }
            if began.elapsed() > limit {
                let said: String = missing.iter().map(|seen| seen.say()).collect();
                panic!("never so within {limit:?}: {what}\n{said}");
            }
            // Whether anybody lies for too long is also looked at when nothing comes.
            let _ = tokio::time::timeout(Duration::from_millis(500), snapshots.changed()).await;
        }
    }

    /// From everything being right through the faults to everything being right again.
    async fn run(mut self) {
        for seen in &self.seen {
            for fault in seen.row.faults {
                blocking(|| self.fleet.hand.fault_in(seen.row.name, fault)).unwrap();
            }
        }
        for _ in 0..3 {
            self.go_on();
            let shown = |seen: &Seen<'_>| seen.wrong.is_none() || seen.row.shown == Shown::Hidden;
            self.until("what happened is shown, or it is said that it is not", PATIENCE, shown).await;
        }
        let met = |seen: &Seen<'_>| match seen.row.shown {
            Shown::Equal => seen.same,
            Shown::Marked(_) => seen.marked,
            Shown::Either | Shown::Hidden => true,
        };
        self.until("the faults are met as they must be", PATIENCE, met).await;
        for (cluster, fault, times) in blocking(|| self.fleet.hand.happened()).unwrap() {
            let row = self.seen.iter().map(|seen| seen.row).find(|row| row.name == cluster);
            let named = format!("\"{fault}\"");
            let of_kind = |on: &&str| on.contains(&named) && on.contains("\"kinds\"");
            let counted = !UNCOUNTED.contains(&&*fault) || row.unwrap().faults.iter().any(of_kind);
            assert!(times > 0 || !counted, "{fault} never happened in {cluster}");
        }
        blocking(|| self.fleet.hand.heal()).unwrap();
        self.go_on();
        let asked = self.seen.iter().filter(|seen| seen.row.asked);
        let asked: Vec<_> = asked.map(|seen| self.ground.cluster(seen.row.name).id).collect();
        if !asked.is_empty() {
            self.ground.handle.retry(&asked);
        }
        self.until("everything is shown as it is", HEALED, |seen| seen.same).await;
        self.ground.handle.shutdown().await;
    }
}

/// Audits are what their own test is about.
const NO_AUDITS: Duration = Duration::from_secs(1_000_000);

// A machine that is busy with all of them at once would be too slow to answer pings.
macro_rules! trials {
    ($($name:ident => $rows:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Trial::open($rows, NO_AUDITS).await.run().await;
        }
    )*};
}

trials! {
    connections_that_fail => WAY,
    streams_of_a_kind_that_fail => STREAMS,
    servers_that_refuse => REFUSALS,
    answers_that_make_no_sense => ANSWERS,
    events_that_cannot_be_believed => GARBLED,
    odd_events_odd_lists_and_state_that_goes_back => ODD,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_an_audit_can_find_is_found() {
    Trial::open(HIDDEN, Duration::from_secs(20)).await.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_is_left_out() {
    let fleet = Embedded::still().await;
    let all: BTreeSet<String> = blocking(|| fleet.hand.faults()).unwrap().into_iter().collect();
    let name = |fault: &&str| {
        let fault: serde_json::Value = serde_json::from_str(fault).unwrap();
        fault["fault"].as_str().unwrap().to_owned()
    };
    let rows = [WAY, STREAMS, REFUSALS, ANSWERS, GARBLED, ODD, HIDDEN].into_iter().flatten();
    let switched = rows.flat_map(|row| row.faults.iter().map(name));
    let elsewhere = MACHINE.iter().map(|fault| (*fault).to_owned());
    assert_eq!(switched.chain(elsewhere).collect::<BTreeSet<String>>(), all);
}
