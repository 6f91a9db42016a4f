use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::cluster::target::{ClusterTarget, Identity, Pem, Trust};
use crate::cluster::test_server::{Ca, Server, answer, connection, endless, target};
use crate::cluster::{Plugins, Request, Session};
use crate::model::Cause;

const BOTH: [&str; 2] = ["h2", "http/1.1"];

fn session(target: &ClusterTarget) -> Session {
    Session::new(target, &Plugins::default()).unwrap()
}

fn to(server: &Server, trust: Trust) -> Session {
    session(&target(connection(&server.url(), trust)))
}

async fn text(session: &Session, path: &str) -> Result<String, Fault> {
    let bytes = session.send(Request::get(path)).await?.bytes(1 << 20).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn version(request: &http::Request<Incoming>) -> String {
    format!("{:?}", request.version())
}

#[tokio::test]
async fn everything_goes_over_one_http2_connection() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |r| match r.uri().query() {
        Some("watch=true") => endless("event"),
        _ => answer(200, version(&r)),
    })
    .await;
    let session = to(&server, ca.trust());
    let watches = join_all((0..20).map(|_| session.send(Request::get("/w?watch=true")))).await;
    let texts = join_all((0..20).map(|_| text(&session, "/"))).await;
    assert!(texts.iter().all(|t| t.as_deref() == Ok("HTTP/2.0")), "{texts:?}");
    for watch in watches {
        assert_eq!(watch.unwrap().body.chunk().await.unwrap().unwrap(), "event");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn servers_without_http2_get_a_connection_for_each_request_under_way() {
    let ca = Ca::new();
    let tls = ca.server(&["localhost"], &["http/1.1"]);
    let server = Server::start(Some(tls), |r| match r.uri().query() {
        Some("watch=true") => endless("event"),
        _ => answer(200, format!("{} {}", version(&r), r.headers()["host"].to_str().unwrap())),
    })
    .await;
    let session = to(&server, ca.trust());
    for _ in 0..3 {
        let host = format!("HTTP/1.1 localhost:{}", server.address.port());
        assert_eq!(text(&session, "/").await, Ok(host));
    }
    assert_eq!(server.connections(), 1, "a connection is used again");
    let mut watch = session.send(Request::get("/w?watch=true")).await.unwrap();
    assert_eq!(watch.body.chunk().await.unwrap().unwrap(), "event");
    assert!(text(&session, "/").await.is_ok());
    assert_eq!(server.connections(), 2);
    drop(watch);
    assert!(text(&session, "/").await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn plain_servers_are_spoken_to_plainly() {
    let server = Server::start(None, |r| answer(200, version(&r))).await;
    assert_eq!(text(&to(&server, Trust::System), "/").await.as_deref(), Ok("HTTP/1.1"));
}

#[tokio::test]
async fn an_unread_stream_stalls_no_other() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |r| match r.uri().query() {
        Some("watch=true") => endless(vec![0; 8 << 20]),
        _ => answer(200, vec![b'x'; 1 << 19]),
    })
    .await;
    let session = to(&server, ca.trust());
    let unread = join_all((0..30).map(|_| session.send(Request::get("/w?watch=true")))).await;
    assert_eq!(text(&session, "/").await.unwrap().len(), 1 << 19);
    assert_eq!((unread.len(), server.connections()), (30, 1));
}

/// Passes bytes on to a server until it is frozen; then it only swallows them.
async fn relay(to: std::net::SocketAddr, frozen: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (mut near_in, mut near_out) = near.into_split();
            let (mut far_in, mut far_out) = TcpStream::connect(to).await.unwrap().into_split();
            let swallows = Arc::clone(&frozen);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = near_in.read(&mut buffer).await {
                    if !swallows.load(Ordering::SeqCst) {
                        far_out.write_all(&buffer[..n]).await.unwrap();
                    }
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
        }
    });
    address
}

#[tokio::test]
async fn a_dead_link_is_noticed_within_fifteen_seconds() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |_| endless("event")).await;
    let frozen = Arc::new(AtomicBool::new(false));
    let address = relay(server.address, Arc::clone(&frozen)).await;
    let session = session(&target(connection(&format!("https://localhost:{}", address.port()), ca.trust())));
    let mut watch = session.send(Request::get("/w?watch=true")).await.unwrap();
    assert_eq!(watch.body.chunk().await.unwrap().unwrap(), "event");
    frozen.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let before = Instant::now();
    let fault = watch.body.chunk().await.unwrap().unwrap_err();
    assert_eq!(fault.cause, Cause::Timeout, "{fault}");
    assert!(before.elapsed() <= Duration::from_secs(15), "{:?}", before.elapsed());
    // What is asked now goes over a new connection.
    tokio::time::resume();
    frozen.store(false, Ordering::SeqCst);
    assert!(session.send(Request::get("/w?watch=true")).await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_is_ended_is_made_again() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |r| match r.uri().query() {
        Some("watch=true") => endless("event"),
        _ => answer(200, "ok"),
    })
    .await;
    let session = to(&server, ca.trust());
    let mut watch = session.send(Request::get("/w?watch=true")).await.unwrap();
    assert_eq!(watch.body.chunk().await.unwrap().unwrap(), "event");
    session.disconnect();
    let fault = watch.body.chunk().await.unwrap().unwrap_err();
    assert_eq!(fault.cause, Cause::Closed, "{fault}");
    assert_eq!(text(&session, "/").await.as_deref(), Ok("ok"));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_server_that_takes_few_requests_at_a_time_gets_more_connections() {
    for (streams, connections) in [(1, 7), (2, 4), (3, 3)] {
        let ca = Ca::new();
        let tls = ca.server(&["localhost"], &BOTH);
        let server = Server::limited(Some(tls), streams, |r| match r.uri().query() {
            Some("watch=true") => endless("event"),
            _ => answer(200, "ok"),
        })
        .await;
        let session = to(&server, ca.trust());
        // Its limit comes before its first answer.
        assert_eq!(text(&session, "/").await.as_deref(), Ok("ok"));
        let mut watches = Vec::new();
        for _ in 0..6 {
            let mut watch = session.send(Request::get("/w?watch=true")).await.unwrap();
            assert_eq!(watch.body.chunk().await.unwrap().unwrap(), "event");
            watches.push(watch);
        }
        for _ in 0..5 {
            assert_eq!(text(&session, "/").await.as_deref(), Ok("ok"));
        }
        assert_eq!(server.connections(), connections, "{streams} at a time");
        // All at once, over a connection of which nothing is known yet but what others told.
        session.disconnect();
        let watches = join_all((0..6).map(|_| session.send(Request::get("/w?watch=true")))).await;
        assert!(watches.iter().all(Result::is_ok));
    }
}

/// A server that takes connections and says nothing on them: where it is, and each connection.
async fn silent_server() -> (String, UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (held, accepted) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            held.send(stream).unwrap();
        }
    });
    (url, accepted)
}

#[tokio::test]
async fn a_connection_that_is_being_made_can_be_given_up() {
    let (url, mut accepted) = silent_server().await;
    let session = session(&target(connection(&url, Ca::new().trust())));
    let ask = || {
        let session = session.clone();
        tokio::spawn(async move { text(&session, "/").await })
    };
    let asked = ask();
    let _first = accepted.recv().await;
    // Who waits for it is not told that it failed, and makes the next one.
    let _waits = ask();
    tokio::task::yield_now().await;
    session.disconnect();
    let fault = asked.await.unwrap().unwrap_err();
    assert!(fault.cause == Cause::Closed && fault.what.contains("was given up"), "{fault}");
    assert!(accepted.recv().await.is_some());
}

#[tokio::test]
async fn every_byte_is_a_sign_of_life_and_every_connection_is_counted() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |_| answer(200, "ok")).await;
    let session = to(&server, ca.trust());
    let mut made = session.connections();
    assert_eq!((session.received(), *made.borrow_and_update()), (0, 0));
    text(&session, "/").await.unwrap();
    let received = session.received();
    assert!(received > 0);
    text(&session, "/").await.unwrap();
    assert!(session.received() > received);
    assert_eq!(*made.borrow_and_update(), 1);
    session.disconnect();
    text(&session, "/").await.unwrap();
    assert_eq!(*made.borrow_and_update(), 2);
}

#[tokio::test]
async fn errors_are_told_apart() {
    let ca = Ca::new();
    let fault = async |target: ClusterTarget| text(&session(&target), "/").await.unwrap_err();
    let tls_fault = async |names: &[&str], trust: Trust| {
        let server = Server::start(Some(ca.server(names, &BOTH)), |_| answer(200, "")).await;
        let fault = fault(target(connection(&server.url(), trust))).await;
        assert_eq!(fault.cause, Cause::Tls, "{fault}");
        assert!(fault.what.contains(&format!("localhost:{}", server.address.port())), "{fault}");
        fault.what.to_string()
    };
    assert!(tls_fault(&["localhost"], Ca::new().trust()).await.contains("unknown CA"));
    assert!(tls_fault(&["other.example"], ca.trust()).await.contains("another name"));

    let expired = ca.sign(&["localhost"], |p| p.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let server = Server::start(Some(ca.server_with(expired, &BOTH, false)), |_| answer(200, "")).await;
    let said = fault(target(connection(&server.url(), ca.trust()))).await;
    assert!(said.what.contains("has expired"), "{said}");

    let plain = Server::start(None, |_| answer(200, "")).await;
    let said = fault(target(connection(&plain.url().replace("http:", "https:"), ca.trust()))).await;
    assert_eq!(said.cause, Cause::Tls);
    assert!(said.what.contains("does not answer with TLS"), "{said}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let said = fault(target(connection(&format!("https://{closed}"), ca.trust()))).await;
    assert_eq!(said.cause, Cause::Refused, "{said}");
    assert!(said.what.contains(&closed.to_string()), "{said}");
}

#[tokio::test]
async fn names_and_checks_are_as_the_kubeconfig_says() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["api.internal"], &BOTH)), |_| answer(200, "ok")).await;
    let mut named = connection(&server.url(), ca.trust());
    named.tls_server_name = Some("api.internal".to_owned());
    assert_eq!(text(&session(&target(named)), "/").await.as_deref(), Ok("ok"));
    assert_eq!(text(&to(&server, Trust::Anything), "/").await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn client_certificates_are_shown_and_read_anew() {
    let ca = Ca::new();
    let tls = ca.server_with(ca.sign(&["localhost"], |_| {}), &BOTH, true);
    let server = Server::start(Some(tls), |_| answer(200, "ok")).await;
    let fault = text(&to(&server, ca.trust()), "/").await.unwrap_err();
    assert_eq!(fault.cause, Cause::Tls, "{fault}");
    assert!(fault.what.contains("wants a client certificate"), "{fault}");

    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = ca.sign(&["me"], |_| {});
    let path = folder.path().join("me.crt");
    std::fs::write(&path, certificate).unwrap();
    let mut with = connection(&server.url(), ca.trust());
    with.identity =
        Some(Identity { certificate: Pem::File(path.clone()), key: Pem::Data(key.into_bytes().into()) });
    let session = session(&target(with));
    assert_eq!(text(&session, "/").await.as_deref(), Ok("ok"));
    std::fs::remove_file(&path).unwrap();
    session.disconnect();
    tokio::time::pause();
    tokio::time::advance(TLS_FRESH).await;
    let fault = text(&session, "/").await.unwrap_err();
    assert_eq!(fault.cause, Cause::Config, "{fault}");
}

#[tokio::test]
async fn those_who_wait_for_a_connection_share_its_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let session = session(&target(connection(&url, Ca::new().trust())));
    let faults = join_all((0..8).map(|_| text(&session, "/"))).await;
    assert!(faults.iter().all(|f| f.as_ref().is_err_and(|f| f.cause == Cause::Tls)), "{faults:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    assert!(text(&session, "/").await.is_err());
    assert_eq!(accepted.load(Ordering::SeqCst), 2, "whoever comes later tries again");
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let (url, mut accepted) = silent_server().await;
    let session = session(&target(connection(&url, Ca::new().trust())));
    let asked = tokio::spawn(async move { text(&session, "/").await });
    let _silent = accepted.recv().await;
    tokio::time::pause();
    let fault = asked.await.unwrap().unwrap_err();
    assert_eq!(fault.cause, Cause::Timeout, "{fault}");
}

/// A proxy that takes one CONNECT with a login, or refuses it.
async fn http_proxy(login: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(near.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                if login.is_some_and(|login| !head.contains(login)) {
                    let refusal = b"HTTP/1.1 407 no\r\ncontent-length: 0\r\n\r\n";
                    near.write_all(refusal).await.unwrap();
                    return;
                }
                let to = head.split(' ').nth(1).unwrap().to_owned();
                let mut far = TcpStream::connect(to).await.unwrap();
                near.write_all(b"HTTP/1.1 200 ok\r\n\r\n").await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    port
}

fn through(server: &Server, ca: &Ca, proxy: &str) -> Session {
    let mut connection = connection(&server.url(), ca.trust());
    connection.proxy = crate::cluster::proxy::towards(&connection.server, Some(proxy), |_| None).unwrap();
    session(&target(connection))
}

#[tokio::test]
async fn http_proxies_are_gone_through() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |r| answer(200, version(&r))).await;
    let port = http_proxy(None).await;
    let open = through(&server, &ca, &format!("http://localhost:{port}"));
    assert_eq!(text(&open, "/").await.as_deref(), Ok("HTTP/2.0"));

    let port = http_proxy(Some("Basic bWU6aHVudGVyMg==")).await;
    let known = through(&server, &ca, &format!("http://me:hunter2@localhost:{port}"));
    assert_eq!(text(&known, "/").await.as_deref(), Ok("HTTP/2.0"));
    let unknown = through(&server, &ca, &format!("http://me:wrong@localhost:{port}"));
    let fault = text(&unknown, "/").await.unwrap_err();
    assert_eq!(fault.cause, Cause::Proxy);
    assert!(fault.what.contains("wants a login") && !fault.to_string().contains("wrong"), "{fault}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = text(&through(&server, &ca, &format!("http://{closed}")), "/").await.unwrap_err();
    assert_eq!(fault.cause, Cause::Proxy, "{fault}");
}

#[tokio::test]
async fn socks_proxies_are_gone_through() {
    let ca = Ca::new();
    let server = Server::start(Some(ca.server(&["localhost"], &BOTH)), |r| answer(200, version(&r))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5://localhost:{}", listener.local_addr().unwrap().port());
    let name = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let methods = {
            near.read_u8().await.unwrap();
            near.read_u8().await.unwrap()
        };
        near.read_exact(&mut vec![0; usize::from(methods)]).await.unwrap();
        near.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        near.read_exact(&mut head).await.unwrap();
        let mut name = vec![0; usize::from(head[4])];
        near.read_exact(&mut name).await.unwrap();
        let port = near.read_u16().await.unwrap();
        near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        String::from_utf8(name).unwrap()
    });
    assert_eq!(text(&through(&server, &ca, &proxy), "/").await.as_deref(), Ok("HTTP/2.0"));
    assert_eq!(name.await.unwrap(), "localhost", "the proxy resolves names");
}
