use std::sync::Arc;

use super::*;
use crate::model::{Cause, ClusterId, ClusterInfo, Fault, Link, Record};
use crate::views::health::rules;
use crate::views::scenes::*;

fn scenes() -> Vec<Scene> {
    let records = |ready: u32| -> Vec<Record> {
        let nodes = (0..4).map(|n| {
            let mut node = node(&format!("n{n}"), "std", "europe-west1-b");
            if n >= ready {
                node.ready = crate::model::Truth::False;
                node.ready_since = Some(clock("02:00:00"));
            }
            Record::from(node)
        });
        let pods = (0..8)
            .map(|n| Record::Pod(pod("web", "front", &format!("p{n}"), "front:1", &format!("n{}", n % 4))));
        nodes.chain(pods).collect()
    };
    let old = Link {
        state: LinkState::Broken,
        heard: Some(clock("02:09:55")),
        retry_at: Some(clock("02:14:16")),
        fault: Some(Fault::new(Cause::Timeout, "no answer in 5 s", "")),
        ..Link::waiting(clock("02:10:10"))
    };
    vec![
        Scene::new(0, "gke-fine").with(&rules(), records(4), now()),
        Scene::new(1, "gke-hurt")
            .with(&rules(), records(3), now())
            .set(|c| c.login = Login::Good(Some(clock("02:37:30"))))
            .set(|c| c.api_p95 = Some(Span::from_millis(48))),
        Scene::new(2, "edge-17")
            .with(&rules(), records(4), now())
            .set(|c| c.link = old.clone())
            .set(|c| c.api_p95 = Some(Span::from_millis(7))),
        Scene::new(3, "edge-18").set(|c| {
            c.link = Link { heard: None, ..old };
            c.tables.iter_mut().for_each(|t| t.synced = None);
            c.version = Text::EMPTY;
            c.login = Login::Unknown;
        }),
    ]
}

#[test]
fn every_cluster_has_a_row_that_says_how_sure_it_is() {
    let snapshot = snapshot(scenes());
    let sheet = sheet(&snapshot, &Scope::All, now());
    let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
    assert_eq!(
        rows,
        [
            "gke-hurt | 0s | 1 of 4 nodes NotReady, pool std, zone b | 3/4 | 8 | 23m left | 1.36.3 | 12 | 6 | 1.56 | europe-west1 | 48",
            "edge-17 | 4m12s | no answer since 02:09:55Z | ~4 | ~8 | ok | 1.36.3 | ~12 | ~6 | ~1.56 | europe-west1 | ~7",
            "edge-18 | never | never answered: timeout | ? | ? | ? | ? | ? | ? | ? | ? | ?",
            "gke-fine | 0s | · | 4 | 8 | ok | 1.36.3 | 12 | 6 | 1.56 | europe-west1 | ?",
        ]
    );
    let tones: Vec<Tone> = sheet.rows.iter().map(|r| r.tone).collect();
    assert_eq!(tones, [Tone::Warn, Tone::Unseen, Tone::Unseen, Tone::Ok]);
    assert_eq!(sheet.answer, "1 of 4 clusters hurt, 2 unseen, 1 fine.");
    assert_eq!(
        sheet.footer,
        "◌ edge-17: no answer for 4m12s (timeout). Shown as last seen. Retry in 9s. · ◌ edge-18: never answered (timeout). Retry in 9s."
    );
    assert!(sheet.columns.iter().zip(&sheet.rows[0].cells).count() == sheet.columns.len());
}

#[test]
fn a_further_context_of_a_cluster_is_counted_nowhere_but_by_itself() {
    let mut scenes = scenes();
    scenes.truncate(2);
    let other = SameAs {
        id: ClusterId(0),
        info: Arc::new(ClusterInfo { name: "gke-fine".into(), ..ClusterInfo::default() }),
    };
    scenes[1] = std::mem::replace(&mut scenes[1], Scene::new(1, "")).set(|c| c.same_as = Some(other));
    let snapshot = snapshot(scenes);
    let rows = |scope: &Scope| sheet(&snapshot, scope, now()).rows.iter().map(cells).collect::<Vec<_>>();
    assert_eq!(
        rows(&Scope::All),
        [
            "gke-fine | 0s | · | 4 | 8 | ok | 1.36.3 | 12 | 6 | 1.56 | europe-west1 | ?",
            "gke-hurt | 0s | the same cluster as gke-fine, counted there | · | · | 23m left | 1.36.3 | · | · | · | europe-west1 | 48",
        ]
    );
    assert_eq!(sheet(&snapshot, &Scope::All, now()).answer, "1 of 1 cluster fine.");
    let header = header(&snapshot, now());
    assert_eq!((header.clusters, header.nodes.to_string().as_str()), (1, "4"));
    assert_eq!(header.tones, [(Tone::Ok, 1)]);
    let alone = Scope::Clusters(vec![ClusterId(1)]);
    assert_eq!(sheet(&snapshot, &alone, now()).answer, "1 of 1 cluster hurt.");
    assert!(rows(&alone)[0].contains("nodes NotReady"));
    assert!(rows(&Scope::Clusters(vec![ClusterId(0), ClusterId(1)]))[1].contains("counted there"));
}

#[test]
fn the_header_never_counts_unknown_as_zero() {
    let snapshot = snapshot(scenes());
    let header = header(&snapshot, now());
    assert_eq!(header.tones, [(Tone::Warn, 1), (Tone::Unseen, 2), (Tone::Ok, 1)]);
    assert_eq!(header.nodes.to_string(), "~12+?");
    assert_eq!(header.pods.to_string(), "~24+?");
    assert_eq!(header.rate(Unit::Hour), "~$4.68+?/h");
    assert_eq!(header.oldest, Some(("edge-17".into(), Span::from_seconds(252))));
    let nothing = super::header(&self::snapshot(scenes().split_off(3)), now());
    assert_eq!(
        (nothing.nodes.to_string(), nothing.rate(Unit::Month)),
        ("?".to_owned(), "$?/month".to_owned())
    );
    assert_eq!(nothing.oldest, None);
}

#[test]
fn clusters_that_connect_say_how_far_they_are() {
    let live = Scene::new(0, "a");
    let listing = Scene::new(1, "dc1-fra")
        .set(|c| c.tables.iter_mut().for_each(|t| t.synced = None))
        .table(Kind::Pod, |t| t.link.state = LinkState::Listing { got: 4200, of: Some(12_600) });
    let half = Scene::new(2, "half").table(Kind::Pod, |t| {
        t.synced = None;
        t.link = Link { state: LinkState::Listing { got: 7, of: None }, ..Link::waiting(now()) };
    });
    let login = Scene::new(3, "aks").set(|c| c.login = Login::Wanted);
    let sheet = sheet(&snapshot(vec![live, listing, half, login]), &Scope::All, now());
    assert_eq!(
        sheet.answer,
        "1 of 4 clusters live, 2 connecting, 1 wants a login. Rows appear as they come."
    );
    let rows: Vec<(Tone, String)> =
        sheet.rows.iter().map(|r| (r.tone, format!("{}: {}", r.cells[0].text, r.cells[2].text))).collect();
    assert_eq!(
        rows,
        [
            (Tone::Denied, "aks: login wanted".to_owned()),
            (Tone::Connecting, "dc1-fra: pods 4,200 of about 12,600".to_owned()),
            (Tone::Connecting, "half: pods 7".to_owned()),
            (Tone::Ok, "a: ·".to_owned()),
        ]
    );
}

#[test]
fn refused_kinds_and_lagging_kinds_are_told() {
    let scene = Scene::new(0, "eks-use1")
        .table(Kind::Pod, |t| {
            t.synced = None;
            t.link = Link {
                state: LinkState::Denied,
                retry_at: Some(clock("02:17:00")),
                fault: Some(Fault::new(Cause::Forbidden, "pods is forbidden", "")),
                ..Link::waiting(clock("02:12:00"))
            };
        })
        .table(Kind::Autoscaler, |t| {
            t.link = Link {
                state: LinkState::Broken,
                heard: Some(clock("02:12:45")),
                fault: Some(Fault::new(Cause::Server, "500", "")),
                ..Link::waiting(clock("02:13:00"))
            };
        });
    let snapshot = snapshot(vec![scene]);
    assert_eq!(
        notices(&snapshot, &Scope::All, now()),
        [
            "◌ eks-use1: horizontalpodautoscalers not updated for 1m22s (server error).",
            "⊘ eks-use1: pods not readable (403 at 02:12, asked again at 02:17). Not counted here.",
        ]
    );
    let sheet = sheet(&snapshot, &Scope::All, now());
    assert_eq!(
        cells(&sheet.rows[0]),
        "eks-use1 | 1m22s | horizontalpodautoscalers not updated (server error), 1 more | 0 | ⊘? | ok | 1.36.3 | ? | ? | 0.00 | ? | ?"
    );
    assert_eq!(sheet.rows[0].tone, Tone::Warn);
}

#[test]
fn a_cluster_that_connects_hides_none_that_is_hurt() {
    let mut scenes = scenes();
    scenes.push(Scene::new(4, "late").set(|c| {
        c.link = Link::waiting(now());
        c.tables.iter_mut().for_each(|t| t.synced = None);
    }));
    let sheet = sheet(&snapshot(scenes), &Scope::All, now());
    assert_eq!(sheet.answer, "1 of 5 clusters hurt, 2 unseen, 1 fine, 1 connecting.");
}

#[test]
fn the_evidence_of_a_cluster_says_what_is_not_as_it_should_be() {
    let mut old = node("n1", "std", "z");
    old.kubelet_version = "v1.31.2".into();
    let fault = Fault::new(Cause::Forbidden, "pods is forbidden", "bind the role view");
    let scene = Scene::new(0, "eks-use1")
        .with(&[], vec![Record::from(old)], now())
        .table(Kind::Pod, |t| {
            (t.link.state, t.link.fault) = (LinkState::Denied, Some(fault));
        })
        .table(Kind::Budget, |t| t.link.state = LinkState::Missing)
        .table(Kind::Event, |t| t.repaired = 2)
        .table(Kind::Service, |t| t.unreadable = 1)
        .set(|c| {
            c.login = Login::Good(Some(clock("02:37:30")));
            c.badges = vec![Badge::SkipVerify, Badge::Impersonating("bob".into())];
        });
    let said = lines(&evidence(&snapshot(vec![scene]), &RowId::Cluster(crate::model::ClusterId(0)), now()));
    assert_eq!(
        said,
        [
            "link: live since 01:00:00Z",
            "login: accepted, until 02:37:30Z, 23m left",
            "version: v1.36.3-gke.1; kubelets 1 × 1.31: kubelets may be 3 minor versions older, and not newer",
            "skip-verify: its certificate is not checked: anybody could answer in its place",
            "denied: pods not readable: pods is forbidden (bind the role view)",
            "repaired: events: 2 not as the server has them, put right; something on the way loses changes",
            "garbled: services: 1 could not be read, not counted here",
            "as bob: requests are made as bob",
            "missing: not served: poddisruptionbudgets",
            "metrics: metrics.k8s.io is not served: what is used is not known",
        ]
    );
    let silent = self::snapshot(scenes());
    let said = lines(&evidence(&silent, &RowId::Cluster(crate::model::ClusterId(2)), now()));
    assert_eq!(said[0], "link: no answer since 02:09:55Z: no answer in 5 s; again in 9s");
}

/// What was read before may not be read any more.
fn withdrawn(cluster: &mut crate::model::Cluster, kinds: &[Kind]) {
    for kind in kinds {
        cluster.tables[kind.index()].link = Link {
            state: LinkState::Denied,
            heard: Some(clock("02:12:00")),
            fault: Some(Fault::new(Cause::Forbidden, "403", "")),
            ..Link::waiting(clock("02:12:05"))
        };
    }
}

#[test]
fn what_may_no_longer_be_read_is_not_shown_as_if_it_were() {
    let mut scenes = scenes();
    scenes.truncate(2);
    withdrawn(&mut scenes[0].cluster, &[Kind::Pod]);
    withdrawn(&mut scenes[1].cluster, &Kind::ALL);
    let snapshot = snapshot(scenes);
    let sheet = sheet(&snapshot, &Scope::All, now());
    let rows: Vec<String> = sheet.rows.iter().map(cells).collect();
    assert_eq!(
        rows,
        [
            "gke-fine | 0s | pods not readable (403) | 4 | ⊘? | ok | 1.36.3 | ? | ? | 1.56 | europe-west1 | ?",
            "gke-hurt | 2m07s | access refused | ⊘? | ⊘? | 23m left | 1.36.3 | ? | ? | ? | europe-west1 | ~48",
        ]
    );
    assert_eq!(sheet.rows.iter().map(|row| row.tone).collect::<Vec<_>>(), [Tone::Denied; 2]);
    assert!(sheet.rows[1].stale && !sheet.rows[0].stale);
    let header = header(&snapshot, now());
    assert_eq!((header.nodes.to_string(), header.pods.to_string()), ("4+?".into(), "?".into()));
    assert_eq!(header.oldest, Some(("gke-hurt".into(), Span::from_seconds(127))));
}

#[test]
fn figures_of_a_kind_that_lags_are_marked() {
    let mut scenes = scenes();
    scenes.truncate(1);
    let lagging = |table: &mut Table| {
        table.link = Link {
            state: LinkState::Broken,
            heard: Some(clock("02:13:50")),
            fault: Some(Fault::new(Cause::Server, "500", "")),
            ..Link::waiting(clock("02:13:55"))
        };
    };
    let snapshot = snapshot(scenes.into_iter().map(|s| s.table(Kind::Pod, lagging)).collect());
    assert_eq!(
        cells(&sheet(&snapshot, &Scope::All, now()).rows[0]),
        "gke-fine | 17s | · | 4 | ~8 | ok | 1.36.3 | ~12 | ~6 | 1.56 | europe-west1 | ?"
    );
    let header = header(&snapshot, now());
    assert_eq!((header.nodes.to_string(), header.pods.to_string()), ("4".into(), "~8".into()));
    assert!(!header.cost_approximate);
}

#[test]
fn a_server_that_answers_and_gives_nothing_any_more_is_not_shown_as_live() {
    let busy = |table: &mut Table| {
        table.link = Link {
            state: LinkState::Broken,
            heard: Some(clock("02:13:50")),
            retry_at: Some(clock("02:14:12")),
            fault: Some(Fault::new(Cause::Busy, "429", "")),
            ..Link::waiting(clock("02:13:55"))
        };
    };
    let of = |kinds: &[Kind]| {
        let mut scenes = scenes();
        scenes.truncate(1);
        let scene = kinds.iter().fold(scenes.remove(0), |scene, kind| scene.table(*kind, busy));
        snapshot(vec![scene])
    };
    let all = of(&Kind::ALL);
    let row = &sheet(&all, &Scope::All, now()).rows[0];
    assert_eq!(
        cells(row),
        "gke-fine | 17s | nothing current since 02:13:50Z | ~4 | ~8 | ok | 1.36.3 | ~12 | ~6 | ~1.56 | europe-west1 | ?"
    );
    assert_eq!((row.tone, row.stale), (Tone::Unseen, true));
    assert_eq!(
        notices(&all, &Scope::All, now()),
        ["◌ gke-fine: nothing current for 17s (429). Shown as last seen. Retry in 5s."]
    );
    let some = of(&Kind::ALL[1..]);
    assert_eq!(
        sheet(&some, &Scope::All, now()).rows[0].tone,
        Tone::Ok,
        "one kind that is current hides no other"
    );
}
