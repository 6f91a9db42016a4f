//! Readings of one object, made when somebody asks and never kept: YAML and logs.

use serde_json::Value;
use tokio::sync::mpsc;

use crate::cluster::{Request, Response, Session};
use crate::kinds;
use crate::model::{Cause, Fault, Kind, ObjectKey, Served, text};
use crate::ui::{Detail, Inbound, LogNews, Reading};

/// No object is larger: etcd refuses more than 1.5 MiB; room for what a server adds.
const OBJECT: usize = 4 << 20;

/// The last lines of a log that are asked for.
const LOG_LINES: u32 = 2000;

/// As much of a log that has ended as is shown.
const LOG: usize = 2 << 20;

/// As much of a line as is waited for before it is shown.
const LONGEST_LINE: usize = 16 << 10;

/// Makes a reading.
///
/// # Errors
/// The cluster does not answer, refuses, or no longer has the object.
pub(super) async fn read(session: &Session, served: &Served, detail: &Detail) -> Result<String, Fault> {
    match &detail.reading {
        Reading::Yaml => yaml(session, served, &detail.object, hide).await,
        Reading::Written => yaml(session, served, &detail.object, only_written).await,
        Reading::Logs { container, previous } => logs(session, &detail.object, container, *previous).await,
    }
}

/// The path of an object by the version that its server serves.
#[must_use]
pub(super) fn path(key: &ObjectKey, served: &Served) -> String {
    let names = key.kind.names();
    let declared = || kinds::ALL[key.kind.index()].versions.first().map_or("v1", |v| v.version);
    let version = served.versions.get(&key.kind).map_or_else(declared, |v| v.as_str());
    let root = if names.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", names.group) };
    let namespace = if names.namespaced { format!("/namespaces/{}", key.namespace) } else { String::new() };
    format!("{root}/{version}{namespace}/{}/{}", names.plural, key.name)
}

async fn yaml(
    session: &Session,
    served: &Served,
    key: &ObjectKey,
    clean: fn(&mut Value),
) -> Result<String, Fault> {
    let response = session.send(Request::get(path(key, served)).accept("application/json").at_once()).await?;
    if response.status != 200 {
        return Err(response.into_fault(&format!("show {} {}", key.kind.names().kind, key.path())).await);
    }
    let body = response.bytes(OBJECT).await?;
    let mut object: Value = serde_json::from_slice(&body).map_err(|error| {
        Fault::new(Cause::Garbled, format!("the object is no JSON: {error}"), "r reads it again")
    })?;
    clean(&mut object);
    let yaml = serde_saphyr::to_string(&object).map_err(|error| {
        Fault::new(Cause::Garbled, format!("the object cannot be written as YAML: {error}"), "")
    })?;
    Ok(lines(&yaml))
}

/// Takes out what nobody reads and what nobody should see over a shoulder: managed fields, the
/// copy of the object in an annotation, and values of variables that are named like a secret.
fn hide(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    hide_variables(object);
}

/// Leaves what somebody wrote: takes out what servers and controllers make by themselves, so that
/// two objects differ only where people made them differ.
fn only_written(object: &mut Value) {
    const MADE: [&str; 8] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "ownerReferences",
    ];
    hide(object);
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in MADE {
            metadata.shift_remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("deployment.kubernetes.io/revision");
        }
    }
}

fn hide_variables(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let secret = fields.get("name").and_then(Value::as_str).is_some_and(named_like_a_secret);
            if secret && fields.get("value").is_some_and(Value::is_string) {
                fields.insert("value".to_owned(), Value::from("(hidden)"));
            }
            fields.values_mut().for_each(hide_variables);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_variables),
        _ => {}
    }
}

fn named_like_a_secret(name: &str) -> bool {
    const WORDS: [&str; 7] = ["TOKEN", "PASSWORD", "PASSWD", "SECRET", "CREDENTIAL", "APIKEY", "PRIVATE"];
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_KEY")
}

/// What a kubelet says of a container that was never restarted
/// (`kubernetes/kubernetes:pkg/kubelet/kubelet_pods.go` `validateContainerLogStatus`).
const NEVER_RESTARTED: &str = "previous terminated container";

/// The log of a container, whole or from before its last restart.
async fn logs(session: &Session, key: &ObjectKey, container: &str, previous: bool) -> Result<String, Fault> {
    let ends = format!("&limitBytes={LOG}{}", if previous { "&previous=true" } else { "" });
    let response = match ask_for_log(session, key, container, &ends).await {
        Err(fault) if previous && fault.to_string().contains(NEVER_RESTARTED) => {
            return Ok("No log from before: this container was not restarted.".to_owned());
        }
        answer => answer?,
    };
    let body = response.bytes(LOG + (1 << 16)).await?;
    Ok(lines(&String::from_utf8_lossy(&body)))
}

/// Follows the log of a container and tells each line, until it ends or nobody wants it any more.
///
/// # Errors
/// The cluster does not answer, refuses, or the connection ended before the container did.
pub(super) async fn follow(
    session: &Session,
    detail: &Detail,
    inbound: &mpsc::Sender<Inbound>,
) -> Result<(), Fault> {
    let Reading::Logs { container, .. } = &detail.reading else { return Ok(()) };
    let mut response = ask_for_log(session, &detail.object, container, "&follow=true").await?;
    let tell = |text: String| inbound.send(Inbound::Log(detail.clone(), LogNews::Lines(text)));
    // That it is open is news, before there is a line.
    let _ = tell(String::new()).await;
    let mut begun: Vec<u8> = Vec::new();
    while let Some(chunk) = response.body.chunk().await {
        begun.extend_from_slice(&chunk?);
        let whole = match begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // A line that does not end is shown in pieces.
            None if begun.len() > LONGEST_LINE => begun.len(),
            None => continue,
        };
        let said: Vec<u8> = begun.drain(..whole).collect();
        if tell(lines(&String::from_utf8_lossy(&said))).await.is_err() {
            return Ok(());
        }
    }
    if !begun.is_empty() {
        let _ = tell(lines(&String::from_utf8_lossy(&begun))).await;
    }
    Ok(())
}

/// Asks for the last lines of a log; `more` says of which and until when.
async fn ask_for_log(
    session: &Session,
    key: &ObjectKey,
    container: &str,
    more: &str,
) -> Result<Response, Fault> {
    if key.kind != Kind::Pod {
        return Err(Fault::new(Cause::NotFound, "only pods have logs", "open one of its pods"));
    }
    let container = if container.is_empty() { String::new() } else { format!("&container={container}") };
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?tailLines={LOG_LINES}{container}{more}",
        key.namespace, key.name
    );
    let response = session.send(Request::get(path).accept("*/*").at_once()).await?;
    if response.status == 200 {
        return Ok(response);
    }
    Err(response.into_fault(&format!("show the logs of {}", key.path())).await)
}

/// Each line made harmless by itself, so that lines stay lines.
fn lines(raw: &str) -> String {
    raw.lines().map(text::sanitised).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{ClusterId, Uid};

    #[test]
    fn what_nobody_should_see_is_hidden() {
        let mut object = json!({
            "metadata": {
                "name": "x",
                "managedFields": [{}],
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b" }
            },
            "spec": { "containers": [{ "env": [
                { "name": "DB_PASSWORD", "value": "hunter2" },
                { "name": "AWS_ACCESS_KEY", "value": "AKIA" },
                { "name": "LOG_LEVEL", "value": "debug" }
            ] }] }
        });
        hide(&mut object);
        let text = object.to_string();
        assert!(!text.contains("hunter2") && !text.contains("AKIA") && !text.contains("managedFields"));
        assert!(!text.contains("last-applied") && text.contains("debug"));
    }

    #[test]
    fn what_servers_make_is_left_out_of_comparisons() {
        let mut object = json!({
            "kind": "Deployment",
            "metadata": {
                "name": "web", "uid": "u", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-11-21T02:14:07Z",
                "annotations": { "deployment.kubernetes.io/revision": "4", "team": "shop" }
            },
            "spec": { "replicas": 3 },
            "status": { "replicas": 3 }
        });
        only_written(&mut object);
        let left = json!({
            "kind": "Deployment",
            "metadata": { "name": "web", "annotations": { "team": "shop" } },
            "spec": { "replicas": 3 }
        });
        assert_eq!(object, left);
    }

    #[test]
    fn paths_follow_what_is_served() {
        let key = |kind| ObjectKey {
            cluster: ClusterId(0),
            kind,
            namespace: "shop".into(),
            name: "x".into(),
            uid: Uid::default(),
        };
        let served = Served::default();
        assert_eq!(path(&key(Kind::Pod), &served), "/api/v1/namespaces/shop/pods/x");
        assert_eq!(path(&key(Kind::Node), &served), "/api/v1/nodes/x");
        let hpa = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/x";
        assert_eq!(path(&key(Kind::Autoscaler), &served), hpa);
    }

    #[test]
    fn logs_cannot_drive_the_terminal() {
        assert_eq!(lines("a\u{1b}[2J\nb\r\n"), "a␛[2J\nb");
    }
}
