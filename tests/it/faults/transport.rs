use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use http::Version;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use quarterdeck::cluster::Request;
use quarterdeck::model::Cause;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::rig::{Ca, Home, answer, ask, fails, plain, serve, server, trusting};

/// Reads a request's head and writes this in place of an answer.
async fn say(stream: &mut TcpStream, words: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(words.as_bytes()).await;
    let _ = stream.flush().await;
}

/// Ends a connection with RST instead of FIN.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[tokio::test]
async fn class_01_a_reset_while_idle_costs_nothing() {
    let port = server(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 ok\r\ncontent-length: 2\r\n\r\nok").await;
        reset(stream);
    })
    .await;
    let session = Home::new(&plain(port), "").session();
    for _ in 0..3 {
        assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    }
}

#[tokio::test]
async fn class_02_a_reset_in_the_middle_is_an_error() {
    let port = server(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 ok\r\ncontent-length: 100\r\n\r\nhalf").await;
        reset(stream);
    })
    .await;
    let fault = fails(&Home::new(&plain(port), "").session(), Cause::Closed).await;
    assert!(fault.what.contains("127.0.0.1"), "{fault}");
}

#[tokio::test]
async fn class_03_an_end_in_the_middle_of_a_chunk_is_an_error() {
    let port = server(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 ok\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf").await;
        let _ = stream.shutdown().await;
    })
    .await;
    fails(&Home::new(&plain(port), "").session(), Cause::Closed).await;
}

/// A stream on which nothing comes or goes any more once it is frozen.
struct Freezing {
    stream: TcpStream,
    frozen: Arc<AtomicBool>,
}

impl AsyncRead for Freezing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.frozen.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Freezing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.frozen.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn class_04_a_link_that_falls_silent_is_given_up() {
    let ca = Ca::new();
    let acceptor = ca.acceptor(ca.sign("localhost", |_| {}), false);
    let frozen = Arc::new(AtomicBool::new(false));
    let freeze = Arc::clone(&frozen);
    let port = server(move |_, stream| {
        let (acceptor, frozen) = (acceptor.clone(), Arc::clone(&frozen));
        async move {
            let stream = acceptor.accept(Freezing { stream, frozen }).await.unwrap();
            serve(stream, |asked| {
                assert_eq!(asked.version(), Version::HTTP_2);
                answer(200, "ok")
            })
            .await;
        }
    })
    .await;
    let session = Home::new(&trusting(port, &ca.pem), "").session();
    assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    freeze.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let fault =
        session.send(Request::get("/").timeout(Duration::from_secs(60))).await.expect_err("nothing comes");
    assert_eq!(fault.cause, Cause::Timeout, "{fault}");
    assert!(fault.what.contains("no longer answers pings"), "{fault}");
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn class_06_an_answer_that_trickles_runs_out_of_time() {
    let (told, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let port = server(move |_, mut stream| {
        let told = told.clone();
        async move {
            say(&mut stream, "HTTP/1.1 200 ok\r\nx: ").await;
            let _ = told.send(());
            // the fault: a byte a second, by a clock that a test moves
            let mut drips = tokio::time::interval(Duration::from_secs(1));
            while stream.write_all(b"x").await.is_ok() {
                drips.tick().await;
            }
        }
    })
    .await;
    let session = Home::new(&plain(port), "").session();
    let request = tokio::spawn(async move { fails(&session, Cause::Timeout).await });
    asked.recv().await;
    tokio::time::pause();
    let fault = request.await.unwrap();
    assert!(fault.what.contains("gave no answer within"), "{fault}");
}

#[tokio::test]
async fn class_09_a_name_that_does_not_resolve() {
    // A label of more than 63 characters is refused before anybody is asked.
    let host = format!("{}.example", "a".repeat(64));
    let session = Home::new(&format!("server: 'https://{host}:6443'"), "").session();
    let fault = fails(&session, Cause::Dns).await;
    assert!(fault.what.contains("does not resolve") && !fault.next.is_empty(), "{fault}");
}

#[tokio::test]
async fn class_10_nothing_listens() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let session = Home::new(&format!("server: 'https://127.0.0.1:{port}'"), "").session();
    let fault = fails(&session, Cause::Refused).await;
    assert!(fault.what.contains(&port.to_string()) && !fault.next.is_empty(), "{fault}");
}

#[tokio::test]
async fn class_11_a_handshake_that_hangs_is_given_up() {
    let (held, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    let port = server(move |_, stream| {
        let held = held.clone();
        async move { drop(held.send(stream)) }
    })
    .await;
    let session = Home::new(&trusting(port, &Ca::new().pem), "").session();
    let asked = tokio::spawn(async move { fails(&session, Cause::Timeout).await });
    let _silent = accepted.recv().await;
    tokio::time::pause();
    assert!(asked.await.unwrap().what.contains("within 10s"));
}

#[tokio::test]
async fn class_12_13_certificates_are_told_apart() {
    let ca = Ca::new();
    let year = |from: i32, to: i32| {
        move |params: &mut rcgen::CertificateParams| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        }
    };
    let cases = [
        (Ca::new().sign("localhost", |_| {}), "unknown CA"),
        (ca.sign("localhost", year(2001, 2002)), "has expired"),
        (ca.sign("localhost", year(3001, 3002)), "is not valid yet"),
        (ca.sign("other.example", |_| {}), "is for another name"),
    ];
    for (certificate, says) in cases {
        let acceptor = ca.acceptor(certificate, false);
        let port = server(move |_, stream| {
            let acceptor = acceptor.clone();
            async move { drop(acceptor.accept(stream).await) }
        })
        .await;
        let fault = fails(&Home::new(&trusting(port, &ca.pem), "").session(), Cause::Tls).await;
        assert!(fault.what.contains(says) && !fault.next.is_empty(), "{fault} / {says}");
    }
}

#[tokio::test]
async fn class_14_a_server_that_says_goodbye_is_asked_anew() {
    let ca = Ca::new();
    let acceptor = ca.acceptor(ca.sign("localhost", |_| {}), false);
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let port = server(move |_, stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let (said, mut goodbye) = tokio::sync::mpsc::unbounded_channel();
            let service = service_fn(move |_| {
                let _ = said.send(());
                std::future::ready(Ok::<_, std::convert::Infallible>(answer(200, "ok")))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = &mut connection => return,
                _ = goodbye.recv() => connection.as_mut().graceful_shutdown(),
            }
            drop(connection.await);
        }
    })
    .await;
    let session = Home::new(&trusting(port, &ca.pem), "").session();
    for _ in 0..4 {
        assert_eq!(ask(&session).await.as_deref(), Ok("ok"));
    }
    assert!(connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn class_14_one_stream_at_a_time_serves_everybody() {
    let ca = Ca::new();
    let acceptor = ca.acceptor(ca.sign("localhost", |_| {}), false);
    let port = server(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let service =
                service_fn(|_| std::future::ready(Ok::<_, std::convert::Infallible>(answer(200, "ok"))));
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(1);
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        }
    })
    .await;
    let session = Home::new(&trusting(port, &ca.pem), "").session();
    let answers = join_all((0..20).map(|_| ask(&session))).await;
    assert!(answers.iter().all(|a| a.as_deref() == Ok("ok")), "{answers:?}");
}

#[tokio::test]
async fn class_15_proxies_that_refuse() {
    for (words, says) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "wants a login"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "502"),
        ("HTTP/1.1 200 ok\r\n\r\n<html>sign in</html>", "TLS"),
    ] {
        let port = server(move |_, mut stream| async move { say(&mut stream, words).await }).await;
        let cluster =
            format!("server: 'https://api.example:6443', proxy-url: 'http://me:hunter2@127.0.0.1:{port}'");
        let fault = ask(&Home::new(&cluster, "").session()).await.expect_err("a proxy is no server");
        assert!(matches!(fault.cause, Cause::Proxy | Cause::Tls), "{fault}");
        assert!(fault.what.contains(says) && !fault.next.is_empty(), "{fault} / {says}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
}

#[tokio::test]
async fn class_15_portals_and_redirects_are_no_answers() {
    let portal =
        "HTTP/1.1 200 ok\r\ncontent-type: text/html\r\ncontent-length: 20\r\n\r\n<html>sign in</html>";
    let port = server(move |_, mut stream| async move { say(&mut stream, portal).await }).await;
    let session = Home::new(&plain(port), "").session();
    let answer = session.send(Request::get("/version")).await.unwrap();
    let fault = answer.json::<serde_json::Value>().await.expect_err("a page is no JSON");
    assert_eq!(fault.cause, Cause::Proxy, "{fault}");
    assert!(fault.what.contains("web page"), "{fault}");

    let redirect = "HTTP/1.1 302 Found\r\nlocation: https://portal.example/\r\ncontent-length: 0\r\n\r\n";
    let port = server(move |_, mut stream| async move { say(&mut stream, redirect).await }).await;
    let fault = fails(&Home::new(&plain(port), "token: t").session(), Cause::Proxy).await;
    assert!(fault.next.contains("leads elsewhere"), "{fault}");
}
