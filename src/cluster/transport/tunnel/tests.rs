//! What proxies answer, against mutated examples: no panic, no wait without end, and no way to a
//! server that the proxy did not grant.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::cluster::mutate;

/// What a proxy leads to that answers with these bytes once it was asked, and ends.
fn answered(runtime: &tokio::runtime::Runtime, proxy: &Intercept, bytes: &[u8]) -> Result<(), Fault> {
    let bytes = &bytes[..bytes.len().min(32 << 10)];
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let near: Box<dyn Stream> = Box::new(near);
        let asks = async {
            match proxy.uri().scheme_str() {
                Some("http") => connect(near, proxy, "api.example", 6443, "proxy p:1").await,
                _ => socks5(near, proxy, "api.example", 6443, "proxy p:1").await,
            }
            .map(drop)
        };
        let answers = async {
            far.read_u8().await.unwrap();
            // Whoever gave up does not read it.
            drop(far.write_all(bytes).await);
            drop(far.shutdown().await);
            far
        };
        tokio::join!(asks, answers).0
    })
}

fn run(target: &str, proxy: &str, examples: &[Vec<u8>], grants: impl Fn(&[u8]) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = "https://api.example:6443".parse().unwrap();
    let proxy = crate::cluster::proxy::towards(&server, Some(proxy), |_| None).unwrap().unwrap();
    assert!(answered(&runtime, &proxy, &examples[0]).is_ok());
    mutate::run(target, 2_000, examples, |bytes, _| match answered(&runtime, &proxy, bytes) {
        Ok(()) => assert!(grants(bytes)),
        Err(fault) => {
            assert_eq!(fault.cause, Cause::Proxy);
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    });
}

#[test]
fn answers_to_connect() {
    let examples = [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ];
    let examples = examples.map(|text| text.as_bytes().to_vec());
    run("answers to CONNECT", "http://me:hunter2@p:1", &examples, |bytes| {
        bytes.windows(5).any(|w| w.starts_with(b" 2")) && bytes.windows(7).any(|w| w == b"HTTP/1.")
    });
}

#[test]
fn answers_of_socks() {
    let examples = [
        vec![5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 4, 56],
        vec![5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        vec![5, 0, 5, 0, 0, 3, 1, b'p', 0, 80],
        vec![5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
        vec![5, 255],
    ];
    run("answers of SOCKS", "socks5://p:1", &examples, |bytes| matches!(bytes, [5, 0 | 2, ..]));
    run(
        "logins to SOCKS",
        "socks5://me:hunter2@p:1",
        &[vec![5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
        |bytes| matches!(bytes, [5, 0 | 2, ..]),
    );
}
