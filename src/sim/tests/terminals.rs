//! Shells over WebSocket, as kubectl opens them.

use futures::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

use super::client::{Client, small, trusting};
use crate::model::Span;
use crate::sim::{Fleet, Role};

/// What came back: what was shown, and how it ended.
struct Talk {
    shown: String,
    status: Value,
}

async fn connect(fleet: &Fleet, path: &str) -> WebSocketStream<TlsStream<TcpStream>> {
    let address = fleet.cluster("alpha").unwrap().address();
    let plain = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream =
        TlsConnector::from(std::sync::Arc::new(trusting(fleet))).connect(name, plain).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
        fleet.token(Role::Admin)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the answer to the key of RFC 6455: {head}");
    WebSocketStream::from_raw_socket(stream, Side::Client, None).await
}

/// Types keys one by one, and reads until the end.
async fn talk(fleet: &Fleet, path: &str, keys: &str, end: bool) -> Talk {
    let mut socket = connect(fleet, path).await;
    for key in keys.chars() {
        let frame = [&[0], key.to_string().as_bytes()].concat();
        socket.send(Message::Binary(frame.into())).await.unwrap();
    }
    if end {
        socket.send(Message::Binary(vec![255, 0].into())).await.unwrap();
    }
    let mut talk = Talk { shown: String::new(), status: Value::Null };
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else { continue };
        match bytes.split_first().unwrap() {
            (3, status) => talk.status = serde_json::from_slice(status).unwrap(),
            (_, text) => talk.shown.push_str(std::str::from_utf8(text).unwrap()),
        }
    }
    talk
}

async fn a_pod(fleet: &Fleet) -> String {
    let pods = fleet.cluster("alpha").unwrap().objects("pods");
    let running = |p: &&std::sync::Arc<Value>| {
        p["metadata"]["namespace"] == "shop" && p["status"]["phase"] == "Running"
    };
    let found = pods.iter().find(running).unwrap();
    found["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_shell_at_a_terminal_is_typed_at_and_left() {
    let fleet = small().await;
    let pod = a_pod(&fleet).await;
    let exec = format!("/api/v1/namespaces/shop/pods/{pod}/exec?stdin=true&stdout=true&tty=true");
    let said = talk(&fleet, &format!("{exec}&command=sh"), "echx\u{7f}o $HOSTNAME\rexit 3\r", false).await;
    let expected = format!("/ # echx\u{8} \u{8}o $HOSTNAME\r\n{pod}\r\n/ # exit 3\r\n");
    assert!(said.shown.starts_with(&expected), "{:?}", said.shown);
    assert_eq!(said.status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
    // as k9s opens it, and Ctrl-D leaves it
    let line = "command%20-v%20bash%20%3E/dev/null%20%26%26%20exec%20bash%20%7C%7C%20exec%20sh";
    let said = talk(&fleet, &format!("{exec}&command=sh&command=-c&command={line}"), "\u{4}", false).await;
    assert!(said.shown.starts_with(&format!("root@{pod}:/# ")), "{:?}", said.shown);
    assert_eq!(said.status["status"], "Success");
}

#[tokio::test]
async fn a_script_is_read_without_a_terminal() {
    let fleet = small().await;
    let pod = a_pod(&fleet).await;
    let exec =
        format!("/api/v1/namespaces/shop/pods/{pod}/exec?stdin=true&stdout=true&stderr=true&command=sh");
    let said = talk(&fleet, &exec, "echo a; echo b\nfalse\n", true).await;
    assert_eq!((said.shown.as_str(), &said.status["status"]), ("a\nb\n", &json!("Failure")));
    let once = format!(
        "/api/v1/namespaces/shop/pods/{pod}/exec?stdout=true&command=sh&command=-c&command=echo%20x%3B%20exit%204"
    );
    let said = talk(&fleet, &once, "", false).await;
    assert_eq!((said.shown.as_str(), &said.status["details"]["causes"][0]["message"]), ("x\n", &json!("4")));
}

#[tokio::test]
async fn who_attaches_to_a_shell_types_at_it_and_ends_its_pod() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let pod = json!({"metadata": {"name": "box"}, "spec": {"restartPolicy": "Never", "containers": [
        {"name": "box", "image": "busybox", "stdin": true, "tty": true}]}});
    assert_eq!(client.post("/api/v1/namespaces/default/pods", &pod).await.code, 201);
    // long enough for anything that would end by itself
    fleet.advance(Span::from_seconds(120));
    let path = "/api/v1/namespaces/default/pods/box";
    let phase = || async { client.get(path).await.json()["status"]["phase"].clone() };
    assert_eq!(phase().await, "Running");
    let attach = format!("{path}/attach?stdin=true&stdout=true&tty=true");
    let said = talk(&fleet, &attach, "exit\r", false).await;
    assert!(said.shown.starts_with("/ # exit\r\n"), "{:?}", said.shown);
    assert_eq!(phase().await, "Succeeded");
}

#[tokio::test]
async fn programs_that_are_known_end_as_they_say_and_leave_their_words() {
    let fleet = small().await;
    let client = Client::new(&fleet, "alpha", Role::Admin);
    let pods = "/api/v1/namespaces/default/pods";
    for (name, args) in [("hi", json!(["echo", "hi"])), ("no", json!(["sh", "-c", "echo oh; exit 3"]))] {
        let pod = json!({"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [
            {"name": "c", "image": "busybox", "args": args}]}});
        assert_eq!(client.post(pods, &pod).await.code, 201);
    }
    fleet.advance(Span::from_seconds(60));
    let hi = client.get(&format!("{pods}/hi")).await.json();
    assert_eq!(hi["status"]["phase"], "Succeeded");
    let no = client.get(&format!("{pods}/no")).await.json();
    assert_eq!(no["status"]["phase"], "Failed");
    assert_eq!(no["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
    for (name, said) in [("hi", "hi\n"), ("no", "oh\n")] {
        let log = client.get(&format!("{pods}/{name}/log")).await;
        assert_eq!(String::from_utf8_lossy(&log.body), said);
    }
}
