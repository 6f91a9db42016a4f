//! What a real server refuses: requests of whom it has no time for, logins that are over, and what lies outside of the
//! only namespace that somebody may see.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use quarterdeck::cluster::{Action, Plugins, Request, Session, Sources, find_clusters, may};
use quarterdeck::model::{Cause, Cluster, Kind, LinkState, Login, Table};
use serde_json::{Value, json};

use super::Outcome;
use super::fleet::{Real, runtime};
use super::ground::watch::as_listed;
use super::ground::{Disturb, Ground, PATIENCE, User, all_live, blocking};
use super::planes::{Binaries, Error, Options, Plane, Result, wait_until};

const THROTTLE: &str = include_str!("../manifests/throttle.yaml");

/// Pauses have grown to their longest by then.
const MANY: u32 = 7;

/// An API server alone, with nodes: rows to lose.
fn alone(binaries: &Binaries) -> Result<Real> {
    // Longer than any request here takes.
    let api_flags = vec!["--request-timeout=20m".to_owned()];
    Real::start(binaries, 1, &Options { controllers: false, kwok: false, api_flags, ..Options::default() })
}

fn first(real: &Real) -> Result<&Plane> {
    real.0.iter().next().ok_or_else(|| Error::new("there is no plane"))
}

/// Whether a kind is not live, for this cause.
fn says(table: &Table, cause: Cause) -> bool {
    !table.link.live() && table.link.fault.as_ref().is_some_and(|fault| fault.cause == cause)
}

/// The kinds that the manifest has no time for.
fn throttled_tables(cluster: &Cluster) -> impl Iterator<Item = &Table> {
    cluster.tables.iter().filter(|table| table.kind != Kind::Namespace)
}

/// How many rows there are of each kind.
fn rows(cluster: &Cluster) -> Vec<usize> {
    cluster.tables.iter().map(|table| table.rows.len()).collect()
}

/// Priority and fairness has no seat for us: rows stay, the server's words are shown, tries become rare, and once it
/// lets us in again everything is live and equal.
pub(crate) fn throttled(binaries: &Binaries) -> Outcome {
    let real = alone(binaries)?;
    let plane = first(&real)?;
    let name = plane.name();
    runtime()?.block_on(async {
        let mut ground = Ground::open(&real.kubeconfig(User::Viewer));
        let before = ground.live(name).await;
        let seat = Seat::take(plane, &std::fs::read_to_string(plane.kubeconfig("operator"))?).await?;
        answers(ground.session(name), 429)?;
        // What is open stays open, also on a real server; so it is opened anew.
        ground.session(name).disconnect();
        let busy = |c: &Cluster| throttled_tables(c).all(|table| says(table, Cause::Busy));
        let cluster = ground.until(name, "every kind says that it is refused", busy).await;
        assert_eq!(rows(&cluster), rows(&before), "rows stay");
        for table in throttled_tables(&cluster) {
            let link = &table.link;
            assert_eq!(link.state, LinkState::Broken, "{:?}: {link:?}", table.kind);
            assert!(link.retry_at.is_some() && link.heard.is_some(), "{link:?}");
            let what = &link.fault.as_ref().expect("a cause has a fault").what;
            assert!(what.contains("429: Too many requests, please try again later."), "{what}");
            assert!(what.starts_with(table.kind.names().plural), "{what}");
        }
        rare(&mut ground, plane).await?;
        blocking(|| plane.kubectl(&["delete", "flowschema", "no-time"]))?;
        ground.live(name).await;
        as_listed(&mut ground, name).await;
        ground.handle.shutdown().await;
        seat.request.abort();
        Ok(())
    })
}

/// A request that takes minutes, and with it the only place of the level that lets nothing through.
struct Seat {
    request: tokio::task::JoinHandle<()>,
    /// Takes connections and never answers.
    _webhook: std::net::TcpListener,
}

/// Webhooks are asked one after the other, and may take half a minute each.
const WEBHOOKS: usize = 16;

impl Seat {
    async fn take(plane: &Plane, kubeconfig: &str) -> Result<Seat> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.map_err(|error| Error::new(format!("cannot listen: {error}")))?;
        let port = listener.local_addr().map_err(|error| Error::new(error.to_string()))?.port();
        let webhook = |at: usize| {
            json!({
                "name": format!("slow-{at}.quarterdeck.test"),
                "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": ["configmaps"]}],
                "objectSelector": {"matchLabels": {"slow": "yes"}},
                "timeoutSeconds": 30, "failurePolicy": "Ignore", "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            })
        };
        let slow = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "slow"}, "webhooks": (0..WEBHOOKS).map(webhook).collect::<Vec<_>>(),
        });
        blocking(|| {
            plane.apply(&slow.to_string())?;
            let everything = ["--clusterrole=cluster-admin", "--user=operator"];
            plane.kubectl(&["create", "clusterrolebinding", "slow", everything[0], everything[1]])?;
            plane.apply(THROTTLE)
        })?;
        let session = session(kubeconfig)?;
        let request = tokio::spawn(async move {
            let object = json!({"metadata": {"name": "slow", "labels": {"slow": "yes"}}}).to_string();
            let path = "/api/v1/namespaces/default/configmaps";
            // Until the server knows of the webhooks, it is answered at once.
            loop {
                let request = Request::post(path, object.clone()).timeout(Duration::from_secs(600));
                drop(session.send(request).await);
                drop(session.send(Request::delete(format!("{path}/slow"), "{}")).await);
            }
        });
        Ok(Seat { request, _webhook: listener })
    }
}

/// A connection to the first cluster of a kubeconfig.
fn session(kubeconfig: &str) -> Result<Session> {
    let io = |error: std::io::Error| Error::new(format!("cannot write a kubeconfig: {error}"));
    let folder = tempfile::tempdir().map_err(io)?;
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig).map_err(io)?;
    let found = find_clusters(&Sources { file: Some(file), ..Sources::default() }, &[]);
    Session::new(&found.targets[0], &Plugins::default()).map_err(|fault| Error::new(fault.to_string()))
}

/// What fails for long is asked for at most every 30 s, by the server's own count (G19 of the quality goals).
async fn rare(ground: &mut Ground, plane: &Plane) -> Result<()> {
    let tried = |at_least: u32| {
        move |c: &Cluster| throttled_tables(c).all(|t| t.link.tries >= at_least && !t.link.live())
    };
    let many = ground.until(plane.name(), "every kind was tried often", tried(MANY)).await;
    let (begin, first) = (Instant::now(), blocking(|| refused(plane))?);
    let most = throttled_tables(&many).map(|table| table.link.tries).max().unwrap_or_default();
    ground.until(plane.name(), "every kind was tried once more", tried(most + 1)).await;
    let (seconds, last) = (begin.elapsed().as_secs(), blocking(|| refused(plane))?);
    // The kinds, and whether the server is there at all.
    let askers = u64::try_from(many.tables.len()).unwrap_or(u64::MAX) + 1;
    let allowed = askers * (seconds / 30 + 1);
    assert!(last - first <= allowed, "{} requests in {seconds} s, {allowed} are allowed", last - first);
    assert!(last > first, "the server counts what it refuses");
    Ok(())
}

/// How many requests of the viewer the server has refused.
fn refused(plane: &Plane) -> Result<u64> {
    let metrics = plane.kubectl(&["get", "--raw", "/metrics"])?;
    let ours = |line: &&str| {
        line.starts_with("apiserver_flowcontrol_rejected_requests_total{") && line.contains("no-time")
    };
    let counts = metrics.lines().filter(ours).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(counts.sum::<f64>() as u64)
}

/// More than the first second of a watch is.
const ENOUGH: usize = 64 << 20;

/// Waits until the server answers with this status. It is asked to watch for a second, so that every other answer takes
/// its time.
fn answers(session: &Session, status: u16) -> Result<()> {
    let runtime = tokio::runtime::Handle::current();
    blocking(|| {
        wait_until(PATIENCE, &format!("a request is answered with {status}"), || {
            let request = Request::get("/api/v1/nodes?watch=1&timeoutSeconds=1");
            let Ok(answer) = runtime.block_on(session.send(request)) else { return Ok(false) };
            let answered = answer.status == status;
            if !answered {
                drop(runtime.block_on(answer.bytes(ENOUGH)));
            }
            Ok(answered)
        })
    })
}

/// A login by tokens that a plugin asks the server for, in a folder of its own.
struct Pilot {
    folder: tempfile::TempDir,
    kubeconfig: String,
}

impl Pilot {
    /// A service account with the viewer's rights, and a kubeconfig whose plugin logs in as it.
    fn on(plane: &Plane, binaries: &Binaries) -> Result<Pilot> {
        let io = |error: std::io::Error| Error::new(format!("cannot write a plugin: {error}"));
        let folder = tempfile::tempdir().map_err(io)?;
        let (home, kubectl, admin) = (folder.path(), binaries.path("kubectl"), plane.kubeconfig("admin"));
        let script = format!(
            "#!/bin/sh\ncd '{}' || exit 1\necho run >>runs\n\
             '{}' --kubeconfig '{}' create token pilot -n default --duration 10m >token || exit 1\n\
             printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
             \"status\":{{\"token\":\"%s\"}}}}' \"$(cat token)\"\n",
            home.display(),
            kubectl.display(),
            admin.display()
        );
        let plugin = home.join("login");
        std::fs::write(&plugin, script).map_err(io)?;
        std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).map_err(io)?;
        let user = json!({"exec": {"command": plugin, "apiVersion": "client.authentication.k8s.io/v1",
            "interactiveMode": "Never"}});
        let pilot = Pilot { kubeconfig: with_user(&admin, user)?, folder };
        plane.kubectl(&["create", "serviceaccount", "pilot", "-n", "default"])?;
        for role in ["fleet-read", "fleet-read-pods"] {
            let (name, role) = (format!("pilot-{role}"), format!("--clusterrole={role}"));
            plane.kubectl(&[
                "create",
                "clusterrolebinding",
                &name,
                &role,
                "--serviceaccount=default:pilot",
            ])?;
        }
        Ok(pilot)
    }

    /// How often the plugin ran.
    fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }

    /// Makes every token of the account worthless, and waits until the server has noticed: it remembers good ones for
    /// ten seconds.
    async fn revoke(&self, plane: &Plane) -> Result<()> {
        let token = std::fs::read_to_string(self.folder.path().join("token"))
            .map_err(|error| Error::new(format!("no token: {error}")))?;
        blocking(|| {
            plane.kubectl(&["delete", "serviceaccount", "pilot", "-n", "default"])?;
            plane.kubectl(&["create", "serviceaccount", "pilot", "-n", "default"])
        })?;
        let old = with_user(&plane.kubeconfig("admin"), json!({"token": token.trim()}))?;
        answers(&session(&old)?, 401)?;
        Ok(())
    }
}

/// A kubeconfig with another user in it.
fn with_user(kubeconfig: &Path, user: Value) -> Result<String> {
    let cannot = |error: &dyn std::fmt::Display| Error::new(format!("{}: {error}", kubeconfig.display()));
    let text = std::fs::read_to_string(kubeconfig).map_err(|error| cannot(&error))?;
    let mut config: Value = serde_saphyr::from_str(&text).map_err(|error| cannot(&error))?;
    config["users"][0]["user"] = user;
    Ok(config.to_string())
}

/// Tokens that the server takes no more: the plugin is run once for all that is refused, what was asked is asked again,
/// and no row is ever wrong.
pub(crate) fn logins(binaries: &Binaries) -> Outcome {
    let real = alone(binaries)?;
    let plane = first(&real)?;
    let name = plane.name();
    let pilot = Pilot::on(plane, binaries)?;
    runtime()?.block_on(async {
        let mut ground = Ground::open(&pilot.kubeconfig);
        let live = ground.live(name).await;
        let before = rows(&live);
        assert_eq!(pilot.runs(), 1);

        pilot.revoke(plane).await?;
        assert!(all_live(&ground.cluster(name)), "what is open stays open");
        let (status, _) = ground.ask(name, Request::get("/api/v1/nodes?limit=1")).await;
        assert_eq!((status, pilot.runs()), (200, 2), "one more login, and the request again");

        pilot.revoke(plane).await?;
        let version = |c: &Cluster| c.tables.iter().map(|t| t.version.0).max();
        let known_before = version(&ground.cluster(name));
        ground.session(name).disconnect();
        blocking(|| plane.kubectl(&["create", "configmap", "after", "-n", "default"]))?;
        blocking(|| plane.kubectl(&["create", "namespace", "after"]))?;
        let again = ground
            .until(name, "everything is live again, with what came since", |c| {
                let here = rows(c);
                assert!(here.iter().zip(&before).all(|(now, was)| now >= was), "{here:?}, was {before:?}");
                all_live(c) && c.find(Kind::Namespace, "", "after").is_some()
            })
            .await;
        assert!(version(&again) > known_before);
        assert_eq!(pilot.runs(), 3, "one login for every watch that was refused");
        assert_eq!(ground.session(name).login(), Login::Good(None));
        as_listed(&mut ground, name).await;
        ground.handle.shutdown().await;
        Ok(())
    })
}

/// Who may see one namespace only: every kind says what it lacks, is asked for rarely, and what may be done in the
/// namespace is allowed.
pub(crate) fn one_namespace(binaries: &Binaries) -> Outcome {
    let real = alone(binaries)?;
    let plane = first(&real)?;
    let name = plane.name();
    let kubeconfig = std::fs::read_to_string(real.0.kubeconfig("partial"))?;
    plane.kubectl_as("partial", &["get", "pods", "-n", "shop"])?;
    runtime()?.block_on(async {
        let mut ground = Ground::open(&kubeconfig);
        let denied = ground
            .until(name, "every kind is denied", |c| c.tables.iter().all(|t| says(t, Cause::Forbidden)))
            .await;
        for table in &denied.tables {
            assert_eq!(table.link.state, LinkState::Denied, "{:?}", table.kind);
            let fault = table.link.fault.as_ref().expect("a cause has a fault");
            let plural = table.kind.names().plural;
            let words = format!("User \"partial\" cannot list resource \"{plural}\" in API group");
            assert!(fault.what.contains(&words), "{}", fault.what);
            assert!(fault.what.contains("at the cluster scope") && !fault.next.is_empty(), "{fault:?}");
            // The first pause after a 403 is ten seconds.
            let pause = table.link.retry_at.map_or(0, |at| at.millis() - table.link.since.millis());
            assert!(pause >= 10_000, "{:?} is asked for again after {pause} ms", table.kind);
        }
        assert!(denied.link.live(), "the server itself answers: {:?}", denied.link);
        for (namespace, allowed) in [("shop", true), ("payments", false), ("", false)] {
            let action = Action { verb: "list", resource: "pods", namespace, ..Action::default() };
            let said = may(ground.session(name), &action).await.unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(said.allowed, allowed, "{namespace}: {}", said.reason);
        }
        ground.handle.shutdown().await;
        Ok(())
    })
}
