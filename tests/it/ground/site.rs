//! A site as its users see it: it serves from the standby once an object there says so.

use std::time::Instant;

use quarterdeck::cluster::{Request, Session};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A small web server that answers 200 while a ConfigMap's `site` is `standby`, else 503.
pub(crate) struct Site {
    /// Where it answers.
    pub(crate) url: String,
    good: watch::Receiver<Option<Instant>>,
    answers: JoinHandle<()>,
}

impl Site {
    /// A site that asks for the ConfigMap at this path before each answer.
    pub(crate) async fn behind(session: Session, path: String) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/healthz", listener.local_addr().unwrap());
        let (first, good) = watch::channel(None);
        let answers = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serves = site(&session, &path).await == "standby";
                answer(stream, serves).await;
                if serves {
                    first.send_if_modified(|at| at.replace(at.unwrap_or_else(Instant::now)).is_none());
                }
            }
        });
        Site { url, good, answers }
    }

    /// When it first answered well.
    pub(crate) fn first_good(&self) -> Instant {
        self.good.borrow().expect("it answered well")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

async fn site(session: &Session, path: &str) -> String {
    let Ok(response) = session.send(Request::get(path)).await else { return String::new() };
    let body = response.bytes(1 << 20).await.unwrap_or_default();
    let object: Value = serde_json::from_slice(&body).unwrap_or_default();
    object["data"]["site"].as_str().unwrap_or_default().to_owned()
}

/// Reads one request and answers it; a client that went away is no concern.
async fn answer(mut stream: TcpStream, serves: bool) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let status = if serves { "200 OK" } else { "503 Service Unavailable" };
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}
