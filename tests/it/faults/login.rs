use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quarterdeck::model::{Cause, Login};

use super::rig::{Ca, Home, answer, ask, fails, plain, serve, server, trusting};

const REFUSAL: &str = r#"{"kind":"Status","message":"Unauthorized","reason":"Unauthorized"}"#;

/// A server that accepts one token; its port, and how often it was asked.
async fn accepting(token: &'static str) -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let port = server(move |_, stream| {
        let counter = Arc::clone(&counter);
        async move {
            serve(stream, |request| {
                counter.fetch_add(1, Ordering::SeqCst);
                let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
                if shown == Some(token) { answer(200, "ok") } else { answer(401, REFUSAL) }
            })
            .await;
        }
    })
    .await;
    (port, asked)
}

/// A script that answers with this status of an ExecCredential.
fn giving(status: &str) -> String {
    format!(
        r#"printf '%s' '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{{status}}}}}'"#
    )
}

const COUNTING: &str = r#"n=$(wc -l <runs | tr -d ' '); printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t%s"}}' "$n""#;

/// Lets time pass that the credentials of the test wait for, and no longer.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn class_19_a_login_refused_once_is_repeated_once() {
    let (port, asked) = accepting("Bearer t2").await;
    let home = Home::with_plugin(&plain(port), COUNTING);
    let session = home.session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!((home.runs(), asked.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn class_19_a_login_refused_for_ever_does_not_loop() {
    let (port, asked) = accepting("Bearer other").await;
    let home = Home::with_plugin(&plain(port), COUNTING);
    let session = home.session();
    for _ in 0..10 {
        fails(&session, Cause::Unauthorized).await;
    }
    assert_eq!((home.runs(), asked.load(Ordering::SeqCst)), (2, 11), "one more run, one repetition");
    assert_eq!(session.login(), Login::Expired);
}

#[tokio::test]
async fn class_56_plugins_that_fail_are_told_apart() {
    for (script, says, login) in [
        ("echo hunter2; exit 1", "failed (1): it said nothing", Login::Plugin),
        ("echo 'please log in again' >&2; exit 3", "failed (3): please log in again", Login::Wanted),
        ("echo hunter2", "printed no ExecCredential", Login::Plugin),
        ("head -c 10000000 /dev/zero", "more than a credential can be", Login::Plugin),
        (&giving(""), "gave neither a token nor a client certificate", Login::Plugin),
        (
            r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"Secret","status":{"token":"hunter2"}}'"#,
            "another kind than ExecCredential",
            Login::Plugin,
        ),
        (
            r#"echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"hunter2"}}'"#,
            "another apiVersion",
            Login::Plugin,
        ),
        (
            &giving(r#""token":"hunter2","expirationTimestamp":"2001-01-01T00:00:00Z""#),
            "has expired",
            Login::Wanted,
        ),
        (&giving(r#""token":"hunter2","expirationTimestamp":"soon""#), "is no time", Login::Plugin),
    ] {
        let (port, asked) = accepting("Bearer t").await;
        let home = Home::with_plugin(&plain(port), script);
        let session = home.session();
        let fault = fails(&session, Cause::Login).await;
        assert!(fault.what.contains(says) && !fault.next.is_empty(), "{fault} / {says}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
        assert_eq!(session.login(), login, "{fault}");
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn class_56_a_plugin_that_hangs_is_ended() {
    let (port, _) = accepting("Bearer t").await;
    let home = Home::with_plugin(&plain(port), "echo $$ >own; exec sleep 1000");
    let session = home.session();
    let asked = tokio::spawn(async move { fails(&session, Cause::Login).await });
    while std::fs::read_to_string(home.path().join("own")).map_or(true, |own| own.is_empty()) {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let fault = asked.await.unwrap();
    assert!(fault.what.contains("within 20s"), "{fault}");
}

#[tokio::test]
async fn class_56_a_plugin_has_neither_stdin_nor_terminal() {
    let (port, _) = accepting("Bearer t").await;
    let script = format!(
        "read line || echo ended >stdin; (echo drawn >/dev/tty) 2>/dev/null || echo none >terminal; {}",
        giving(r#""token":"t""#)
    );
    let home = Home::with_plugin(&plain(port), &script);
    // A token without an end is used until it is refused.
    let session = home.session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!(session.login(), Login::Good(None));
    pass(86_400).await;
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!(home.runs(), 1);
    let left = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap_or_default();
    assert_eq!((left("stdin").as_str(), left("terminal").as_str()), ("ended\n", "none\n"));
}

#[tokio::test]
async fn class_57_a_token_that_is_renewed_on_disk_is_read() {
    let (port, asked) = accepting("Bearer two").await;
    let home = Home::new(&plain(port), "tokenFile: HOME/token");
    home.write("token", "one");
    let session = home.session();
    fails(&session, Cause::Unauthorized).await;
    home.write("token", "two");
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"), "a refused token is read again at once");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    home.write("token", "three");
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"), "for a minute the last one is used");
    pass(61).await;
    fails(&session, Cause::Unauthorized).await;
}

#[tokio::test]
async fn class_57_a_client_certificate_that_is_renewed_on_disk_is_shown() {
    let ca = Ca::new();
    let acceptor = ca.acceptor(ca.sign("localhost", |_| {}), true);
    let shown = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&shown);
    let port = server(move |_, stream| {
        let (acceptor, sink) = (acceptor.clone(), Arc::clone(&sink));
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
            sink.lock().unwrap().push(certificate);
            serve(stream, |_| answer(200, "ok")).await;
        }
    })
    .await;
    let user = "client-certificate: HOME/me.crt, client-key: HOME/me.key";
    let home = Home::new(&trusting(port, &ca.pem), user);
    let renew = || {
        let (certificate, key) = ca.sign("me", |_| {});
        home.write("me.crt", &certificate);
        home.write("me.key", &key);
    };
    renew();
    let session = home.session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    renew();
    pass(61).await;
    session.disconnect();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    let shown = shown.lock().unwrap();
    assert_eq!(shown.len(), 2);
    assert_ne!(shown[0], shown[1]);
}

#[tokio::test]
async fn class_57_a_token_that_is_written_into_the_kubeconfig_anew_is_read() {
    let (port, asked) = accepting("Bearer second").await;
    let home = Home::new(&plain(port), "token: first");
    let session = home.session();
    fails(&session, Cause::Unauthorized).await;
    assert_eq!(session.login(), Login::Expired);
    // It is cut short for a moment, and gone for another.
    home.write("config", "clusters: [{na");
    fails(&session, Cause::Unauthorized).await;
    std::fs::remove_file(home.path().join("config")).unwrap();
    fails(&session, Cause::Unauthorized).await;
    home.configure(&plain(port), "token: second");
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!((session.login(), asked.load(Ordering::SeqCst)), (Login::Good(None), 5));
}

/// A server that knows clients by their certificates. A connection's certificate is good until the
/// connections up to it are over.
struct ByCertificate {
    port: u16,
    /// The certificates that were shown, a connection each.
    shown: Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
    /// Connections before this one are refused.
    over: Arc<AtomicUsize>,
    ca: Ca,
}

impl ByCertificate {
    async fn start() -> ByCertificate {
        let ca = Ca::new();
        let acceptor = ca.acceptor(ca.sign("localhost", |_| {}), true);
        let (shown, over) = (Arc::<std::sync::Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let (sink, until) = (Arc::clone(&shown), Arc::clone(&over));
        let port = server(move |nth, stream| {
            let (acceptor, sink, until) = (acceptor.clone(), Arc::clone(&sink), Arc::clone(&until));
            async move {
                let stream = acceptor.accept(stream).await.unwrap();
                sink.lock().unwrap().push(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec());
                serve(stream, |_| match nth < until.load(Ordering::SeqCst) {
                    true => answer(401, REFUSAL),
                    false => answer(200, "ok"),
                })
                .await;
            }
        })
        .await;
        ByCertificate { port, shown, over, ca }
    }

    /// How many different certificates were shown, on how many connections.
    fn shown(&self) -> (usize, usize) {
        let shown = self.shown.lock().unwrap();
        (shown.iter().collect::<std::collections::BTreeSet<_>>().len(), shown.len())
    }
}

#[tokio::test]
async fn class_57_a_client_certificate_that_is_refused_is_read_again() {
    let known = ByCertificate::start().await;
    let user = "client-certificate: HOME/me.crt, client-key: HOME/me.key";
    let home = Home::new(&trusting(known.port, &known.ca.pem), user);
    let renew = || {
        let (certificate, key) = known.ca.sign("me", |_| {});
        home.write("me.crt", &certificate);
        home.write("me.key", &key);
    };
    renew();
    let session = home.session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    // On the open connection it is over; the new one is on disk.
    known.over.store(1, Ordering::SeqCst);
    renew();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!(known.shown(), (2, 2));
    // Whom the server refuses for good is not a reason for a connection at each request.
    known.over.store(9, Ordering::SeqCst);
    for _ in 0..5 {
        fails(&session, Cause::Unauthorized).await;
    }
    assert_eq!(known.shown().1, 2);
    pass(61).await;
    fails(&session, Cause::Unauthorized).await;
    assert_eq!(known.shown().1, 3);
}

#[tokio::test]
async fn class_57_a_client_certificate_that_is_written_into_the_kubeconfig_anew_is_shown() {
    use base64::Engine;
    let known = ByCertificate::start().await;
    let cluster = trusting(known.port, &known.ca.pem);
    let user = || {
        let (certificate, key) = known.ca.sign("me", |_| {});
        let data = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        format!("client-certificate-data: {}, client-key-data: {}", data(&certificate), data(&key))
    };
    let home = Home::new(&cluster, &user());
    let session = home.session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    known.over.store(1, Ordering::SeqCst);
    fails(&session, Cause::Unauthorized).await;
    home.configure(&cluster, &user());
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    assert_eq!(known.shown(), (2, 2));
}
