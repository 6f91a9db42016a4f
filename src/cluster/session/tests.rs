use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;

use super::*;
use crate::cluster::target::{Auth, PluginSpec, Trust};
use crate::cluster::test_server::{Server, answer, connection, endless, target};

fn session(connection: Connection) -> Session {
    Session::new(&target(connection), &Plugins::default()).unwrap()
}

/// A plugin whose tokens count up: t1, t2, …
fn counting(folder: &tempfile::TempDir) -> Auth {
    let script = r#"cd "$1"; echo run >>runs; printf '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t%s"}}' $(wc -l <runs)"#;
    let path = folder.path().join("plugin.sh");
    std::fs::write(&path, script).unwrap();
    Auth::Plugin(Arc::new(PluginSpec {
        command: "/bin/sh".to_owned(),
        args: vec![path.display().to_string(), folder.path().display().to_string()],
        env: Vec::new(),
        api_version: "client.authentication.k8s.io/v1",
        cluster: None,
        needs_person: false,
        install_hint: String::new(),
    }))
}

fn runs(folder: &tempfile::TempDir) -> usize {
    std::fs::read_to_string(folder.path().join("runs")).unwrap().lines().count()
}

/// A server that accepts one token, and counts requests.
async fn guarded(accepted: &'static str) -> (Server, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let server = Server::start(None, move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        let status = if request.headers()["authorization"] == accepted { 200 } else { 401 };
        answer(status, r#"{"kind":"Status","message":"Unauthorized","reason":"Unauthorized"}"#)
    })
    .await;
    (server, requests)
}

#[tokio::test]
async fn a_refused_login_is_made_anew_and_the_request_repeated_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, requests) = guarded("Bearer t2").await;
    let auth = counting(&folder);
    let session = session(Connection { auth, ..connection(&server.url(), Trust::System) });
    let changes = session.login_changes();
    let got = session.send(Request::get("/version")).await.unwrap();
    assert_eq!((got.status, runs(&folder), requests.load(Ordering::SeqCst)), (200, 2, 2));
    assert_eq!(session.login(), Login::Good(None));
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn a_login_that_stays_refused_comes_back_as_401() {
    let folder = tempfile::tempdir().unwrap();
    let (server, requests) = guarded("Bearer other").await;
    let auth = counting(&folder);
    let session = session(Connection { auth, ..connection(&server.url(), Trust::System) });
    for _ in 0..5 {
        assert_eq!(session.send(Request::get("/")).await.unwrap().status, 401);
    }
    assert_eq!(session.login(), Login::Expired);
    assert_eq!((runs(&folder), requests.load(Ordering::SeqCst)), (2, 6), "no plugin run for each 401");
    let fault = session.send(Request::get("/")).await.unwrap().into_fault("get /").await;
    assert_eq!(fault.cause, Cause::Unauthorized);
    assert!(fault.what.ends_with("refused to get /: 401 Unauthorized"), "{fault}");
}

#[tokio::test]
async fn a_plugin_that_fails_is_a_fault_and_a_state_of_the_login() {
    let (server, requests) = guarded("").await;
    let Auth::Plugin(spec) = counting(&tempfile::tempdir().unwrap()) else { unreachable!() };
    let auth = Auth::Plugin(Arc::new(PluginSpec { command: "/nonexistent/p".to_owned(), ..(*spec).clone() }));
    let session = session(Connection { auth, ..connection(&server.url(), Trust::System) });
    let fault = session.send(Request::get("/")).await.unwrap_err();
    assert_eq!((fault.cause, session.login()), (Cause::Login, Login::Plugin));
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_a_plugin_asks_of_a_person_is_told_while_requests_wait() {
    let folder = tempfile::tempdir().unwrap();
    let Auth::Plugin(spec) = counting(&folder) else { unreachable!() };
    let script = std::fs::read_to_string(folder.path().join("plugin.sh")).unwrap();
    let asks =
        "echo 'open https://id.example/device and enter the code H7K2-PQ9D' >&2; mkfifo go; read x <go;";
    std::fs::write(folder.path().join("plugin.sh"), script.replace("echo run", &format!("{asks} echo run")))
        .unwrap();
    let (server, requests) = guarded("Bearer t1").await;
    let session =
        session(Connection { auth: Auth::Plugin(spec), ..connection(&server.url(), Trust::System) });
    let mut logins = session.login_changes();
    let sent = tokio::spawn({
        let session = session.clone();
        async move { session.send(Request::get("/")).await.map(|answer| answer.status) }
    });
    let asked = logins.wait_for(|login| matches!(login, Login::Prompted(_))).await.unwrap().clone();
    let Login::Prompted(prompt) = asked else { unreachable!() };
    assert_eq!((prompt.url.as_str(), prompt.code.as_str()), ("https://id.example/device", "H7K2-PQ9D"));
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    let go = folder.path().join("go");
    tokio::task::spawn_blocking(move || std::fs::write(go, "\n").unwrap()).await.unwrap();
    assert_eq!(sent.await.unwrap(), Ok(200));
    assert_eq!(session.login(), Login::Good(None));
}

#[tokio::test]
async fn requests_say_who_we_are_and_what_we_want() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let server = Server::start(None, move |request| {
        let mut lines = vec![format!("{} {}", request.method(), request.uri())];
        for (name, value) in request.headers() {
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        }
        *sink.lock().unwrap() = lines;
        answer(200, "{}")
    })
    .await;
    let session = session(Connection {
        auth: Auth::Token("hunter2".to_owned().into()),
        impersonation: Some(Impersonation {
            user: "jane".to_owned(),
            uid: Some("7".to_owned()),
            groups: vec!["a".to_owned(), "b".to_owned()],
            extra: vec![("Example.com/Team".to_owned(), vec!["x".to_owned()])],
        }),
        ..connection(&format!("{}/k8s/clusters/c-1/", server.url()), Trust::System)
    });
    let request = Request::patch("/api/v1/nodes/a?dryRun=All", "application/merge-patch+json", "{}").gzip();
    session.send(request).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    for line in [
        "PATCH /k8s/clusters/c-1/api/v1/nodes/a?dryRun=All",
        "authorization: Bearer hunter2",
        "impersonate-user: jane",
        "impersonate-uid: 7",
        "impersonate-group: a",
        "impersonate-group: b",
        "impersonate-extra-example.com%2fteam: x",
        "accept: application/json",
        "accept-encoding: gzip",
        "content-type: application/merge-patch+json",
        concat!("user-agent: quarterdeck/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(seen.iter().any(|seen| seen == line), "{line} is not in {seen:#?}");
    }
    assert!(!format!("{session:?}").contains("hunter2"));
}

#[tokio::test]
async fn no_more_than_eight_requests_are_under_way_beside_streams() {
    let server = Server::start(None, |_| endless("x")).await;
    let session = session(connection(&server.url(), Trust::System));
    let held = join_all((0..8).map(|_| session.send(Request::get("/")))).await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.send(Request::get("/")).await }
    });
    assert!(session.send(Request::get("/?watch=true")).await.is_ok(), "streams do not wait");
    assert!(session.send(Request::get("/").at_once()).await.is_ok(), "nor does who may not");
    assert_eq!(session.shared.places.available_permits(), 0);
    assert_eq!(server.connections(), 10);
    drop(held);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (held, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            held.send(stream).unwrap();
        }
    });
    let session = session(connection(&url, Trust::System));
    let asked = tokio::spawn(async move { session.send(Request::get("/")).await });
    let _silent = accepted.recv().await;
    tokio::time::pause();
    let fault = asked.await.unwrap().unwrap_err();
    assert_eq!(fault.cause, Cause::Timeout);
    assert!(fault.what.contains("no answer within 30s"), "{fault}");
}

#[tokio::test]
async fn answers_carry_what_callers_need() {
    let server = Server::start(None, |request| {
        let mut answer = answer(429, r#"{"message":"wait","reason":"TooManyRequests"}"#);
        if let Some(after) = request.uri().query() {
            answer.headers_mut().insert("retry-after", after.parse().unwrap());
        }
        answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
        answer
    })
    .await;
    let session = session(connection(&server.url(), Trust::System));
    for (said, read) in [("7", Some(7)), ("0", Some(0)), ("18446744073709551615", Some(3600)), ("soon", None)]
    {
        let got = session.send(Request::get(format!("/?{said}"))).await.unwrap();
        assert_eq!(got.retry_after, read.map(Span::from_seconds), "{said}");
        assert_eq!(got.content_type, "application/json");
        assert_eq!(got.status_message().await.reason, "TooManyRequests");
    }
    let fault = session.send(Request::get("no path")).await.unwrap_err();
    assert_eq!(fault.cause, Cause::Config);
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    let server = Server::start(None, |_| {
        let mut page = answer(200, "<html>");
        page.headers_mut().insert("content-type", "text/html; charset=utf-8".parse().unwrap());
        page
    })
    .await;
    let session = session(connection(&server.url(), Trust::System));
    let got = session.send(Request::get("/version")).await.unwrap().json::<serde_json::Value>().await;
    assert_eq!(got.unwrap_err().cause, Cause::Proxy);
}

#[test]
fn broken_targets_have_no_session() {
    let fault = Fault::new(Cause::Config, "there is no user x", "mend it");
    let mut broken = target(connection("https://a", Trust::System));
    broken.connection = None;
    broken.info.broken = Some(fault.clone());
    assert_eq!(Session::new(&broken, &Plugins::default()).unwrap_err(), fault);
    let auth = Auth::Token("two\nlines".to_owned().into());
    let odd = target(Connection { auth, ..connection("https://a", Trust::System) });
    let fault = Session::new(&odd, &Plugins::default()).unwrap_err();
    assert!(!fault.to_string().contains("lines"), "{fault}");
}

#[tokio::test]
async fn what_an_extension_refuses_says_nothing_of_our_login() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(None, |request| {
        let metrics = request.uri().path().starts_with("/apis/metrics.k8s.io/");
        answer(if metrics { 401 } else { 200 }, "{}")
    })
    .await;
    let auth = counting(&folder);
    let session = session(Connection { auth, ..connection(&server.url(), Trust::System) });
    assert_eq!(session.send(Request::get("/version")).await.unwrap().status, 200);
    for _ in 0..3 {
        let got = session.send(Request::get("/apis/metrics.k8s.io/v1beta1/pods")).await.unwrap();
        assert_eq!(got.status, 401);
    }
    assert_eq!((session.login(), runs(&folder)), (Login::Good(None), 1), "no plugin is run for it");
}

#[tokio::test]
async fn only_who_was_let_in_is_logged_in() {
    let server = Server::start(None, |request| {
        let status = request.uri().path().trim_start_matches('/').parse().unwrap();
        answer(status, "{}")
    })
    .await;
    for (status, good) in [
        (200, true),
        (201, true),
        (403, true),
        (404, true),
        (422, true),
        (302, false),
        (407, false),
        (502, false),
    ] {
        let session = session(connection(&server.url(), Trust::System));
        session.send(Request::get(format!("/{status}"))).await.unwrap();
        assert_eq!(session.login() == Login::Good(None), good, "{status}");
    }
}

#[test]
fn the_95th_of_a_hundred_is_the_pulse() {
    let pulse = Pulse::default();
    assert_eq!(pulse.p95(), None);
    pulse.note(Duration::from_millis(9));
    assert_eq!(pulse.p95(), Some(Span::from_millis(9)));
    for millis in 1..=Pulse::LAST as u64 {
        pulse.note(Duration::from_millis(millis));
    }
    assert_eq!(pulse.p95(), Some(Span::from_millis(61)), "the 9 is forgotten");
}

#[tokio::test]
async fn a_server_that_is_too_busy_says_for_how_long() {
    let server = Server::start(None, |request| {
        let after = request.uri().path().trim_start_matches('/').to_owned();
        let mut answer = answer(429, "{}");
        answer.headers_mut().insert("retry-after", after.parse().unwrap());
        answer
    })
    .await;
    let session = session(connection(&server.url(), Trust::System));
    let asked = || session.peace().map(|left| (left.millis() + 999) / 1000);
    session.send(Request::post("/90", b"{}".to_vec())).await.unwrap();
    assert_eq!(asked(), None, "a budget refused");
    for (after, left) in [("/60", 60), ("/1", 60), ("/soon", 60)] {
        session.send(Request::get(after)).await.unwrap();
        assert_eq!(asked(), Some(left));
    }
}
