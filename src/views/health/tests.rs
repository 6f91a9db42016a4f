mod rules;

use super::*;
use crate::model::{
    Budget, Cause, Claim, Condition, Fault, Link, LinkState, Namespace, Owner, Record, StorageClass, Truth,
    Uid, Workload,
};
use crate::views::scenes::*;
use std::sync::Arc;

const PAY: &str = "ghcr.io/acme/pay:1.42";
const OLD: &str = "ghcr.io/acme/pay:1.41";

/// pay-api with `ready` pods on 1.41 and `broken` on 1.42 that cannot be pulled, since then.
fn pay(ready: u32, broken: u32, since: Time) -> Vec<Record> {
    let message = "manifest for ghcr.io/acme/pay:1.42 not found";
    let good = (0..ready).map(|n| pod("pay", "pay-api", &format!("old{n}"), OLD, "n1"));
    let bad = (0..broken).map(|n| {
        let pod = pod("pay", "pay-api", &format!("new{n}"), PAY, "n1");
        waits(pod, "ImagePullBackOff", message, since)
    });
    let mut deployment =
        managed(deployment("pay", "pay-api", PAY, ready + broken, ready), "Argo CD", "pay-prod");
    deployment.conditions = Box::new([Condition {
        kind: "Available".into(),
        status: Truth::False,
        reason: "MinimumReplicasUnavailable".into(),
        message: Text::EMPTY,
        since: Some(since),
    }]);
    let uid = deployment.meta.uid;
    let set = |name: &str, image: &str, at: Time| {
        let mut set = Workload { kind: Kind::ReplicaSet, ..self::deployment("pay", name, image, 0, 0) };
        set.meta.created = Some(at);
        set.meta.owner = Some(Arc::new(Owner {
            api: "apps/v1".into(),
            kind: "Deployment".into(),
            name: "pay-api".into(),
            uid,
        }));
        Record::Workload(set)
    };
    good.chain(bad)
        .map(Record::Pod)
        .chain([
            Record::Workload(deployment),
            set("pay-api-5c8b", OLD, clock("01:00:00")),
            set("pay-api-7d9f", PAY, clock("02:10:52")),
            Record::from(node("n1", "std", "europe-west1-b")),
        ])
        .collect()
}

fn incident() -> Snapshot {
    let rules = rules();
    let at = now();
    snapshot(vec![
        Scene::new(0, "eks-use1").with(&rules, pay(5, 3, clock("02:11:04")), at),
        Scene::new(1, "eks-euw1").with(&rules, pay(9, 1, clock("02:11:20")), at),
        Scene::new(2, "gke-fine").with(&rules, pay(4, 0, clock("02:00:00"))[..4].to_vec(), at),
    ])
}

#[test]
fn one_image_that_cannot_be_pulled_is_one_finding_in_many_clusters() {
    let snapshot = incident();
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    assert_eq!(sheet.rows.len(), 1);
    // 14 of 18 replicas serve; the deployments that lack replicas are explained by it.
    assert_eq!(
        cells(&sheet.rows[0]),
        "02:11 | ImagePullBackOff ghcr.io/acme/pay:1.42 | 2 clusters | 2 wl 4 pods | 77 % | Argo CD"
    );
    assert_eq!(sheet.rows[0].tone, Tone::Crit);
    assert_eq!(sheet.footer, "6 symptoms folded into 1 finding");
    assert_eq!(
        sheet.answer,
        "2 of 3 clusters hurt. Worst: pay 1.42 cannot be pulled in 2 clusters since 02:11; 77 % still serving"
    );
    // 5 of 8 is badly served, 9 of 10 is not.
    let tones: Vec<Tone> = snapshot.fleet.clusters.iter().map(|c| tone(c, now())).collect();
    assert_eq!(tones, [Tone::Crit, Tone::Warn, Tone::Ok]);
}

#[test]
fn evidence_tells_the_change_the_first_the_spread_and_what_serves() {
    let snapshot = incident();
    let cause = findings(&snapshot, &Scope::All, now())[0].cause.clone();
    let evidence = evidence(&snapshot, &Scope::All, &RowId::Finding(cause), now());
    assert_eq!(evidence.title, "ImagePullBackOff ghcr.io/acme/pay:1.42 · evidence");
    assert_eq!(
        lines(&evidence),
        [
            "02:10:52 change: pay 1.41 → 1.42, Argo CD pay-prod",
            "02:11:04 first: eks-use1 pay/pay-api-7d9f-new0: \"manifest for ghcr.io/acme/pay:1.42 not found\"",
            "02:11:20 spread: +1 cluster: eks-euw1",
            "serving: 14 of 18 pods, all on 1.41; lowest eks-use1, 5 of 8",
            "offer: roll back 2 workloads to 1.41; Argo CD would revert it",
        ]
    );
}

#[test]
fn a_dead_node_explains_what_was_on_it() {
    let mut records: Vec<Record> = Vec::new();
    for n in 0..8 {
        let mut node = node(&format!("gpu-{n}"), "gpu-a", "europe-west1-b");
        if n < 3 {
            node.ready = Truth::Unknown;
            node.ready_since = Some(clock("02:12:20"));
            node.ready_reason = "NodeStatusUnknown".into();
        }
        records.push(Record::from(node));
    }
    for n in 0..6 {
        let mut pod = pod("ml", "embed", &format!("p{n}"), "embed:3.0", &format!("gpu-{}", n % 8));
        if n < 3 {
            pod.ready = false;
            pod.ready_since = Some(clock("02:12:25"));
        }
        records.push(Record::Pod(pod));
    }
    records.push(Record::Workload(deployment("ml", "embed", "embed:3.0", 6, 3)));
    let snapshot = snapshot(vec![Scene::new(0, "gke-euw1").with(&rules(), records, clock("02:12:30"))]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
    assert_eq!(
        rows,
        ["02:12 | 3 of 8 nodes NotReady, pool gpu-a, zone b | gke-euw1 | 1 wl 3 pods | 50 % | ·"]
    );
    assert_eq!(sheet.footer, "7 symptoms folded into 1 finding");
    assert_eq!(sheet.rows[0].tone, Tone::Crit);
    let pool = Scope::Pool(ClusterId(0), "other".into());
    assert!(findings(&snapshot, &pool, now()).is_empty());
}

#[test]
fn one_dead_node_without_work_degrades_its_cluster_only() {
    let mut dead = node("n1", "std", "");
    dead.ready = Truth::False;
    dead.ready_since = Some(clock("02:00:00"));
    let records = vec![Record::from(dead), Record::from(node("n2", "std", ""))];
    let found =
        findings(&snapshot(vec![Scene::new(0, "c").with(&rules(), records, now())]), &Scope::All, now());
    assert_eq!((found[0].what.as_str(), found[0].tone), ("1 of 2 nodes NotReady, pool std", Tone::Warn));
    assert_eq!(found[0].blast.to_string(), "1 n");
    assert_eq!(found[0].serving, None);
}

#[test]
fn nodes_that_are_leaving_or_booting_are_not_wrong() {
    let mut leaving = node("n1", "std", "");
    leaving.ready = Truth::Unknown;
    leaving.taints = Box::new([crate::model::Taint {
        key: "ToBeDeletedByClusterAutoscaler".into(),
        value: Text::EMPTY,
        effect: "NoSchedule".into(),
    }]);
    let mut booting = node("n2", "std", "");
    booting.meta.created = Some(clock("02:13:00"));
    booting.ready = Truth::False;
    booting.ready_since = Some(clock("02:13:05"));
    let records = vec![Record::from(leaving), Record::from(booting)];
    let snapshot = snapshot(vec![Scene::new(0, "c").with(&rules(), records, now())]);
    assert!(findings(&snapshot, &Scope::All, now()).is_empty());
    let later = now() + Span::from_seconds(600);
    assert_eq!(findings(&snapshot, &Scope::All, later).len(), 1);
}

fn broken(heard: Option<&str>) -> Link {
    Link {
        state: LinkState::Broken,
        since: clock("02:10:10"),
        heard: heard.map(clock),
        retry_at: Some(clock("02:14:16")),
        tries: 5,
        fault: Some(Fault::new(Cause::Timeout, "10.1.2.3:6443 did not answer in 5 s", "")),
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_one_finding_and_hides_its_own() {
    let seen = Scene::new(0, "edge-17")
        .with(&rules(), pay(1, 2, clock("02:05:00")), clock("02:09:00"))
        .set(|c| c.link = broken(Some("02:09:55")));
    let never = Scene::new(1, "edge-18")
        .set(|c| c.link = broken(None))
        .set(|c| c.tables.iter_mut().for_each(|t| t.synced = None));
    let login = Scene::new(2, "aks-1").set(|c| {
        c.login = crate::model::Login::Wanted;
        c.link.state = LinkState::Denied;
    });
    let snapshot = snapshot(vec![seen, never, login]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
    assert_eq!(
        rows,
        [
            "02:09 | no answer since 02:09:55Z | edge-17 | 1 n 3 pods | ? | ·",
            "02:10 | never answered: timeout | edge-18 | ? | ? | ·",
            "01:00 | login wanted | aks-1 | - | ? | ·",
        ]
    );
    let tones: Vec<Tone> = sheet.rows.iter().map(|r| r.tone).collect();
    assert_eq!(tones, [Tone::Unseen, Tone::Unseen, Tone::Denied]);
    assert!(sheet.rows[0].stale && !sheet.rows[2].stale);
    assert_eq!(sheet.answer, "2 of 3 clusters unseen, 1 denied. Worst: edge-17: no answer since 02:09:55Z");
    let evidence = evidence(&snapshot, &Scope::All, &sheet.rows[0].id, now());
    assert_eq!(
        lines(&evidence),
        [
            "02:09:55 first: no answer since 02:09:55Z",
            "why: 10.1.2.3:6443 did not answer in 5 s; retry in 9s",
        ]
    );
}

#[test]
fn a_kind_that_is_denied_is_said_and_a_short_silence_is_not() {
    let denied = Scene::new(0, "eks-use1").table(Kind::Pod, |t| {
        t.synced = None;
        t.link = Link {
            state: LinkState::Denied,
            fault: Some(Fault::new(Cause::Forbidden, "pods is forbidden", "")),
            ..Link::waiting(clock("02:12:00"))
        };
    });
    let short = Scene::new(1, "b").set(|c| {
        let fault = Some(Fault::new(Cause::Closed, "b ended the connection", ""));
        c.link = Link { since: now() - Span::from_seconds(1), fault, ..broken(Some("02:13:58")) };
    });
    let found = findings(&snapshot(vec![denied, short]), &Scope::All, now());
    let said: Vec<String> = found.iter().map(|f| format!("{:?} {} {}", f.tone, f.what, f.blast)).collect();
    assert_eq!(said, ["Denied pods not readable (403) ?"]);
}

#[test]
fn a_kind_that_is_not_updated_for_a_minute_is_said_where_the_cluster_answers() {
    let late = |id: u16, name: &str, kind: Kind, heard: &str| {
        Scene::new(id, name).table(kind, |t| {
            t.synced = Some(clock("02:00:00"));
            t.link = Link { fault: Some(Fault::new(Cause::Server, "500", "")), ..broken(Some(heard)) };
        })
    };
    let snapshot = snapshot(vec![
        late(0, "a", Kind::Pod, "02:12:30"),
        late(1, "b", Kind::Pod, "02:13:40"),
        late(2, "c", Kind::Event, "02:12:30"),
    ]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    assert_eq!(sheet.answer, "1 of 3 clusters hurt. Worst: pods not updated (server error) in a since 02:12");
}

#[test]
fn nothing_wrong_says_how_fresh_that_is() {
    let snapshot = snapshot(vec![Scene::new(0, "a"), Scene::new(1, "b")]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    assert_eq!(sheet.answer, "Nothing is wrong in 2 clusters, oldest data 0s.");
    assert_eq!(sheet.empty, sheet.answer);
    let none = super::sheet(&snapshot, &Scope::Group(vec!["dc".into()]), now(), Lens::Cause);
    assert_eq!(none.answer, "No cluster in this scope.");
}

#[test]
fn lenses_turn_the_same_findings() {
    let snapshot = incident();
    let by = |lens| sheet(&snapshot, &Scope::All, now(), lens).rows;
    let clusters: Vec<String> = by(Lens::Cluster).iter().map(cells).collect();
    assert_eq!(
        clusters,
        [
            "02:11 | ImagePullBackOff ghcr.io/acme/pay:1.42 | eks-use1 | 1 wl 3 pods | 62 % | Argo CD",
            "02:11 | ImagePullBackOff ghcr.io/acme/pay:1.42 | eks-euw1 | 1 wl 1 pod | 90 % | Argo CD",
        ]
    );
    let kinds = by(Lens::Kind);
    assert_eq!(kinds[0].id, RowId::Part("pods".into()));
    let lines = lines(&evidence(&snapshot, &Scope::All, &kinds[0].id, now()));
    assert_eq!(lines, ["02:11:04 finding: 2 clusters: ImagePullBackOff ghcr.io/acme/pay:1.42"]);
    let other = Scope::Namespace(ClusterId(0), "shop".into());
    assert!(findings(&snapshot, &other, now()).is_empty());
}

#[test]
fn what_is_found_when_it_is_first_listed_is_not_said_to_have_begun_then() {
    let mut short = deployment("web", "front", "front:1", 4, 2);
    short.conditions = Box::default();
    let at = clock("02:10:00");
    let listing = |t: &mut crate::model::Table| {
        (t.synced, t.link.state) = (None, LinkState::Listing { got: 1, of: None });
    };
    let done = |t: &mut crate::model::Table| (t.synced, t.link.state) = (Some(at), LinkState::Live);
    let found = Scene::new(0, "a")
        .table(Kind::Deployment, listing)
        .with(&rules(), vec![Record::Workload(short.clone())], at)
        .table(Kind::Deployment, done);
    let seen = Scene::new(0, "a").with(&rules(), vec![Record::Workload(short)], at);
    let since = |scene: Scene| {
        let snapshot = snapshot(vec![scene]);
        let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
        let evidence = evidence(&snapshot, &Scope::All, &sheet.rows[0].id, now());
        (sheet.rows[0].cells[0].text.to_string(), lines(&evidence)[0].clone(), sheet.answer.to_string())
    };
    let (cell, first, answer) = since(found);
    assert_eq!((cell.as_str(), first.split(':').nth(2)), ("~02:10", Some("00 seen")));
    assert!(answer.contains("since ~02:10"), "{answer}");
    let (cell, first, _) = since(seen);
    assert_eq!((cell.as_str(), first.split(':').nth(2)), ("02:10", Some("00 first")));
}

#[test]
fn what_serves_is_counted_only_where_workloads_are_known() {
    let rules = rules();
    let secret = Scene::new(1, "eks-euw1").with(&rules, pay(9, 1, clock("02:11:20")), now()).table(
        Kind::Deployment,
        |t| {
            t.rows = crate::model::Rows::default();
            t.link.state = LinkState::Denied;
        },
    );
    let snapshot =
        snapshot(vec![Scene::new(0, "eks-use1").with(&rules, pay(5, 3, clock("02:11:04")), now()), secret]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    let row = sheet.rows.iter().map(cells).find(|row| row.contains("ImagePullBackOff")).unwrap();
    assert!(row.contains("| 62 %+? |"), "{row}");
}

#[test]
fn the_evidence_of_a_finding_offers_the_way_back_and_tells_what_else_changed() {
    let mut scene = Scene::new(0, "eks-use1").with(&rules(), pay(5, 3, clock("02:11:04")), now());
    let price: crate::views::PriceOf = Arc::new(|_, _| crate::model::Price::default());
    let mut young = node("n2", "std", "europe-west1-b");
    young.meta.created = Some(clock("02:12:00"));
    scene.then(&scaling::observers(&price), None, Some(&Record::from(young)), clock("02:12:01"));
    let snapshot = snapshot(vec![scene]);
    let cause = findings(&snapshot, &Scope::All, now())[0].cause.clone();
    let evidence = evidence(&snapshot, &Scope::All, &RowId::Finding(cause), now());
    let offers: Vec<_> = evidence.lines.iter().filter_map(|line| line.offer).collect();
    assert_eq!(offers, ["roll-back"]);
    let said = lines(&evidence);
    let also = said.iter().position(|line| line == "also: changed in the last 15 min").unwrap();
    assert!(said[also + 1].starts_with("02:12:00 ↑: eks-use1  $?/h  nodes std 1→2"), "{}", said[also + 1]);
}

#[test]
fn a_budget_is_about_the_workload_that_it_guards() {
    let app = || crate::model::Labels::new(vec![("app".into(), "db".into())]);
    let mut guarded = deployment("orders", "db", "db:1", 4, 4);
    guarded.selector.labels = app();
    let mut budget = Budget { meta: meta("orders", "db"), needed: 4, healthy: 3, ..Budget::default() };
    (budget.expected, budget.selector.labels) = (4, app());
    let records = vec![Record::Workload(guarded), Record::Budget(budget)];
    let snapshot = snapshot(vec![Scene::new(0, "c").with(&rules(), records, clock("02:00:00"))]);
    let sheet = sheet(&snapshot, &Scope::All, now(), Lens::Cause);
    assert_eq!(cells(&sheet.rows[0]), "02:00 | budget orders/db lacks healthy pods | c | 1 wl | 100 % | ·");
}

#[test]
fn what_rests_on_a_kind_that_is_not_current_is_marked_or_left_out() {
    let pods = |state: LinkState, cause: Cause| {
        let link = Link {
            state,
            heard: Some(clock("02:14:00")),
            fault: Some(Fault::new(cause, "no", "")),
            ..Link::waiting(clock("02:14:04"))
        };
        let scene = Scene::new(0, "eks-use1").with(&rules(), pay(5, 3, clock("02:11:04")), now());
        let snapshot = snapshot(vec![scene.table(Kind::Pod, |t| t.link = link)]);
        let found = findings(&snapshot, &Scope::All, now());
        found.into_iter().map(|f| (f.cause.reason.to_string(), f.stale)).collect::<Vec<_>>()
    };
    let said = |reason: &str, stale| (reason.to_owned(), stale);
    assert_eq!(pods(LinkState::Live, Cause::Server), [said(reason::IMAGE_PULL, false)]);
    assert_eq!(pods(LinkState::Broken, Cause::Server), [said(reason::IMAGE_PULL, true)]);
    // What the deployment itself says is known still; of its pods nothing is.
    let without_pods = [said(reason::UNAVAILABLE, false), said(reason::DENIED, false)];
    assert_eq!(pods(LinkState::Denied, Cause::Forbidden), without_pods);
    assert_eq!(pods(LinkState::Missing, Cause::NotFound), without_pods[..1]);
}
