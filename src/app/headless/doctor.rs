//! `doctor`: is everything as it should be, and what is to be done where it is not.

use std::fmt::Write;
use std::io::IsTerminal;

use super::super::abilities;
use super::super::cli::{ClusterArgs, DoctorArgs, Exit, ScreenArgs};
use super::super::clock::now;
use super::super::engine::Engine;
use super::super::opened::{self, Opened};
use super::super::{cut_off, live, recovery};
use super::wait::{self, Readiness};
use super::{Stop, print, runs};
use crate::cluster::{Action, may};
use crate::config::Settings;
use crate::model::{Badge, Cluster, Kind, LinkState, Login};
use crate::runner::journal;
use crate::theme::Depth;
use crate::views::health;

/// The screen needs about this much.
const SCREEN: (u16, u16) = (80, 24);

/// How something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Ok,
    Warn,
    Bad,
}

/// The lines as they are found, and whether one of them is bad.
#[derive(Default)]
struct Findings {
    text: String,
    bad: bool,
}

impl Findings {
    fn say(&mut self, how: How, what: &str, text: impl AsRef<str>) {
        self.bad |= how == How::Bad;
        let how = match how {
            How::Ok => "ok",
            How::Warn => "warn",
            How::Bad => "bad",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{how:<4}  {what:<20}  {}", text.as_ref());
    }
}

/// Checks everything: unreachable when a cluster does not answer, findings when anything else is bad.
pub(super) async fn run(arguments: &DoctorArgs, clusters: &ClusterArgs) -> Result<Exit, Stop> {
    let opened = opened::open(clusters)?;
    let mut findings = Findings::default();
    files(&opened, clusters, &mut findings);
    journal_of(&opened, &mut findings);
    terminal(&opened.settings, &mut findings);
    let mut all_answer = true;
    if !opened.targets.is_empty() {
        let mut engine = Engine::start(&opened);
        let snapshot = wait::settle(&mut engine, arguments.timeout, &[], &Kind::ALL).await;
        for cluster in &snapshot.fleet.clusters {
            if let Some(other) = &cluster.same_as {
                let said =
                    format!("the same cluster as {}: counted there, in every sum once", other.info.name);
                findings.say(How::Ok, cluster.info.name.as_str(), said);
            }
            all_answer &= connection(cluster, &mut findings) && all_known(cluster);
            if cluster.link.live() {
                rights(&engine, cluster, &mut findings).await;
            }
        }
    }
    print::out(&findings.text)?;
    if opened.targets.is_empty() {
        return Ok(Exit::Usage);
    }
    Ok(match (all_answer, findings.bad) {
        (false, _) => Exit::Unreachable,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Done,
    })
}

/// Whether every kind that the server serves may be read, and was.
fn all_known(cluster: &Cluster) -> bool {
    matches!(wait::readiness(cluster, &Kind::ALL), Readiness::Known)
}

fn files(opened: &Opened, clusters: &ClusterArgs, findings: &mut Findings) {
    let own = opened.dirs.settings();
    let settings = clusters.settings.as_deref().unwrap_or(&own);
    match opened.problems.as_slice() {
        [] if settings.exists() => findings.say(How::Ok, "settings", settings.display().to_string()),
        [] => findings.say(
            How::Ok,
            "settings",
            format!("{}: no such file, all is as shipped", settings.display()),
        ),
        problems => {
            let own = settings.display().to_string();
            for problem in problems {
                let place = if problem.file == own.as_str() { "settings" } else { "at the start" };
                findings.say(How::Warn, place, problem.to_string());
            }
        }
    }
    for problem in live::wrong_looks(opened) {
        findings.say(How::Warn, "keymaps, themes", problem.to_string());
    }
    let (plans, problems) = recovery::load_all(&opened.dirs.recovery());
    if !plans.is_empty() || problems.is_empty() {
        let folder = opened.dirs.recovery();
        findings.say(How::Ok, "recovery plans", format!("{} in {}", plans.len(), folder.display()));
    }
    problems.iter().for_each(|problem| findings.say(How::Warn, "recovery plans", problem.to_string()));
    for looked in &opened.looked_at {
        let how = if looked.found == "broken" { How::Bad } else { How::Ok };
        findings.say(how, "kubeconfig", format!("{}: {}", looked.place, looked.found));
    }
    if opened.targets.is_empty() {
        let next = "there is no cluster; set KUBECONFIG or --kubeconfig, or try `quarterdeck demo`";
        findings.say(How::Bad, "kubeconfig", next);
    }
}

fn journal_of(opened: &Opened, findings: &mut Findings) {
    let path = opened.dirs.journal();
    let shown = path.display();
    if !path.exists() {
        findings.say(How::Ok, "journal", format!("{shown}: nothing was done yet"));
        return;
    }
    for run in cut_off::runs(&path) {
        let next = "`quarterdeck runs` says how to go on or to put it back";
        findings.say(How::Warn, "runs", format!("{} → {next}", runs::line(&run)));
    }
    match journal::verify(&path) {
        Ok(found) => findings.say(How::Ok, "journal", format!("{shown}: whole, {} records", found.records)),
        Err(bad) => {
            let next = "move it away and keep it; until then nothing can be changed";
            findings.say(How::Bad, "journal", format!("{shown}: {bad} → {next}"));
        }
    }
}

fn terminal(settings: &Settings, findings: &mut Findings) {
    if !std::io::stdout().is_terminal() {
        findings.say(How::Ok, "terminal", "the output goes elsewhere; the screen needs a terminal");
        return;
    }
    let colors = match abilities::depth() {
        Depth::None => "none",
        Depth::True => "16 million",
        Depth::Indexed => "256",
        Depth::Ansi => "16",
    };
    let colour = if colors == "none" { How::Warn } else { How::Ok };
    let next = if colors == "none" { " → set TERM, and unset NO_COLOR" } else { "" };
    findings.say(colour, "terminal", format!("{colors} colours{next}"));
    match abilities::ascii(&ScreenArgs::default(), settings, &abilities::variable) {
        None => findings.say(How::Ok, "terminal", "draws glyphs beyond ASCII"),
        Some(why) => {
            let next = "a UTF-8 locale, --unicode or ascii = false in the settings draws glyphs";
            findings.say(How::Ok, "terminal", format!("draws ASCII only, by {why} → {next}"));
        }
    }
    match crossterm::terminal::size() {
        Ok((width, height)) if width >= SCREEN.0 && height >= SCREEN.1 => {
            findings.say(How::Ok, "terminal", format!("{width}×{height}"));
        }
        Ok((width, height)) => {
            let text = format!("{width}×{height} is small → {}×{} shows everything", SCREEN.0, SCREEN.1);
            findings.say(How::Warn, "terminal", text);
        }
        Err(error) => findings.say(How::Warn, "terminal", format!("its size is not known: {error}")),
    }
}

/// The connection of a cluster; whether it answers.
fn connection(cluster: &Cluster, findings: &mut Findings) -> bool {
    let name = cluster.info.name.as_str();
    if !cluster.link.live() {
        let why = match wait::readiness(cluster, &[]) {
            Readiness::Coming(why) | Readiness::Failed(why) => why,
            Readiness::Known => String::new(),
        };
        let server = cluster.info.server.as_str();
        let whose = if server.is_empty() { String::new() } else { format!("{server}: ") };
        findings.say(How::Bad, name, whose + &why);
        // A plugin that failed is why already.
        if cluster.login != Login::Plugin {
            login(cluster, findings);
        }
        return false;
    }
    let tier = cluster.info.tier.name();
    findings.say(How::Ok, name, format!("{} answers, {}, {tier}", cluster.info.server, cluster.version));
    login(cluster, findings);
    for badge in &cluster.badges {
        let (how, text) = badge_line(badge);
        findings.say(how, name, text);
    }
    kinds(cluster, findings);
    true
}

fn login(cluster: &Cluster, findings: &mut Findings) {
    let (how, text) = match &cluster.login {
        Login::Unknown => return,
        Login::Good(None) => (How::Ok, "login accepted".to_owned()),
        Login::Good(Some(until)) => (How::Ok, format!("login accepted, good until {}", until.rfc3339())),
        Login::Wanted => (How::Bad, "a login is wanted → log in with your provider's tool".to_owned()),
        Login::Prompted(prompt) => (How::Bad, wait::asked(prompt)),
        Login::Expired => (How::Bad, "the login is refused or has expired → log in again".to_owned()),
        Login::Plugin => {
            (How::Bad, "the credential plugin failed → run kubectl once to see what it says".to_owned())
        }
    };
    findings.say(how, &cluster.info.name, text);
}

fn badge_line(badge: &Badge) -> (How, String) {
    match badge {
        Badge::SkipVerify => {
            let next = "take insecure-skip-tls-verify out of the entry, and give it a certificate-authority";
            (How::Warn, format!("the server's certificate is not checked → {next}"))
        }
        Badge::PlainHttp => {
            (How::Warn, "plain HTTP: everybody on the way reads along → use https".to_owned())
        }
        Badge::Impersonating(whom) => (How::Ok, format!("requests are made as {whom}")),
        Badge::Proxy(proxy) => (How::Ok, format!("through the proxy {proxy}")),
        Badge::JsonOnly => (How::Warn, "no protobuf on the way: JSON is used, which is slower".to_owned()),
    }
}

fn kinds(cluster: &Cluster, findings: &mut Findings) {
    let name = cluster.info.name.as_str();
    let with = |state: fn(&LinkState) -> bool| -> Vec<&str> {
        let found = cluster.tables.iter().filter(|t| state(&t.link.state));
        found.map(|t| t.kind.names().plural).collect()
    };
    let live = with(|s| *s == LinkState::Live);
    findings.say(How::Ok, name, format!("{} of {} kinds are watched", live.len(), Kind::COUNT));
    let denied: Vec<&str> = health::denied(cluster).map(|t| t.kind.names().plural).collect();
    if !denied.is_empty() {
        let next = "ask for get, list and watch on them";
        findings.say(How::Warn, name, format!("may not be read: {} → {next}", denied.join(", ")));
    }
    let missing = with(|s| *s == LinkState::Missing);
    if !missing.is_empty() {
        findings.say(How::Warn, name, format!("not served: {}", missing.join(", ")));
    }
    for table in &cluster.tables {
        let plural = table.kind.names().plural;
        if !matches!(table.link.state, LinkState::Live | LinkState::Denied | LinkState::Missing) {
            let why = table.link.fault.as_ref().map_or(String::new(), |f| format!(": {f}"));
            findings.say(How::Warn, name, format!("{plural} have not come yet{why}"));
        }
        if table.unreadable > 0 {
            findings.say(How::Warn, name, format!("{} {plural} could not be read", table.unreadable));
        }
        if table.repaired > 0 {
            let text =
                format!("{} {plural} were not as the server has them and were put right", table.repaired);
            let next = "something on the way loses changes: check proxies and load balancers";
            findings.say(How::Warn, name, format!("{text} → {next}"));
        }
        if table.link.stale(now()) {
            findings.say(How::Warn, name, format!("{plural} are old"));
        }
    }
    if cluster.served.metrics {
        findings.say(How::Ok, name, "metrics are served");
    } else {
        findings.say(How::Warn, name, "no metrics → metrics-server shows what is used and what is idle");
    }
}

/// What we may change there, in the server's own words.
async fn rights(engine: &Engine, cluster: &Cluster, findings: &mut Findings) {
    let Some(session) = engine.session(cluster.id) else { return };
    let asked = [
        ("patch nodes (cordon)", Action { verb: "patch", resource: "nodes", ..Action::default() }),
        (
            "create pods/eviction (drain)",
            Action { verb: "create", resource: "pods", subresource: "eviction", ..Action::default() },
        ),
        (
            "patch deployments/scale (scale, failover)",
            Action {
                verb: "patch",
                group: "apps",
                resource: "deployments",
                subresource: "scale",
                ..Action::default()
            },
        ),
    ];
    let name = cluster.info.name.as_str();
    for (title, action) in asked {
        match may(session, &action).await {
            Ok(access) if access.allowed => findings.say(How::Ok, name, format!("may {title}")),
            Ok(access) => {
                let reason =
                    if access.reason.is_empty() { String::new() } else { format!(": {}", access.reason) };
                findings.say(How::Warn, name, format!("may not {title}{reason} → ask for that role"));
            }
            Err(fault) => findings.say(How::Warn, name, format!("{title}: {fault}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Cause, ClusterId, ClusterInfo, Fault, Link, Time};

    #[test]
    fn a_cluster_that_does_not_answer_is_bad_and_says_why() {
        let info = ClusterInfo { name: "eu".into(), server: "https://x".into(), ..ClusterInfo::default() };
        let now = Time::from_seconds(5);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(info), now);
        let fault = Fault::new(Cause::Refused, "nothing listens there", "is it up?");
        cluster.link = Link { state: LinkState::Broken, fault: Some(fault), ..Link::waiting(now) };
        let mut findings = Findings::default();
        assert!(!connection(&cluster, &mut findings));
        assert_eq!(
            findings.text,
            "bad   eu                    https://x: nothing listens there (is it up?)\n"
        );
    }

    #[test]
    fn kinds_that_are_denied_or_missing_are_named() {
        let now = Time::from_seconds(5);
        let mut cluster = Cluster::new(ClusterId(0), Arc::new(ClusterInfo::default()), now);
        cluster.link.state = LinkState::Live;
        cluster.badges = vec![Badge::SkipVerify];
        for table in &mut cluster.tables {
            table.link.state = match table.kind {
                Kind::Event => LinkState::Denied,
                Kind::Autoscaler => LinkState::Missing,
                _ => LinkState::Live,
            };
        }
        let mut findings = Findings::default();
        assert!(connection(&cluster, &mut findings));
        for text in
            ["may not be read: events", "not served: horizontal", "14 of 16", "not checked", "no metrics"]
        {
            assert!(findings.text.contains(text), "{text}: {}", findings.text);
        }
    }
}
