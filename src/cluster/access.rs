//! May we? The server's own answer (`SelfSubjectAccessReview`), asked right before an action:
//! lists of rules may be incomplete and decide nothing.

use serde::{Deserialize, Serialize};

use super::{Request, Session};
use crate::model::{Fault, Text};

/// An action on a resource. Empty fields mean all: every namespace, every name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub struct Action<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: &'a str,
    /// `apps`; empty for the core group.
    pub group: &'a str,
    /// The plural: `deployments`.
    pub resource: &'a str,
    /// `scale`, `eviction`, or empty.
    pub subresource: &'a str,
    /// The namespace; empty for all, and for resources that have none.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
}

/// What the server says of an action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Whether it would let us.
    pub allowed: bool,
    /// Why, in the server's words; often empty.
    pub reason: Text,
}

/// Asks a server whether it would let us.
///
/// # Errors
/// It cannot be asked, or will not say.
pub async fn may(session: &Session, action: &Action<'_>) -> Result<Access, Fault> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        allowed: bool,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        evaluation_error: Option<String>,
    }
    let review = serde_json::json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": action },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = session.send(Request::post(path, review.to_string()).at_once()).await?;
    if !matches!(answer.status, 200 | 201) {
        return Err(answer.into_fault("say what we may do").await);
    }
    let status = answer.json::<Review>().await?.status;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let reason = said(status.reason).or(said(status.evaluation_error)).unwrap_or_default();
    Ok(Access { allowed: status.allowed, reason: Text::clean(&reason) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Plugins;
    use crate::cluster::target::Trust;
    use crate::cluster::test_server::{Server, answer, connection, target};
    use crate::model::Cause;

    async fn asked(status: u16, body: &'static str) -> Result<Access, Fault> {
        let server = Server::start(None, move |request| {
            assert_eq!(request.uri().path(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            answer(status, body)
        })
        .await;
        let target = target(connection(&server.url(), Trust::System));
        let session = Session::new(&target, &Plugins::default()).unwrap();
        may(
            &session,
            &Action { verb: "create", resource: "pods", subresource: "eviction", ..Action::default() },
        )
        .await
    }

    #[tokio::test]
    async fn the_server_decides_and_says_why() {
        let allowed = asked(201, r#"{"status":{"allowed":true,"reason":""}}"#).await.unwrap();
        assert_eq!(allowed, Access { allowed: true, reason: Text::EMPTY });
        let denied = asked(201, r#"{"status":{"allowed":false,"reason":"no\u001b[2J","denied":true}}"#).await;
        assert_eq!(denied.unwrap(), Access { allowed: false, reason: "no␛[2J".into() });
        let error = asked(201, r#"{"status":{"allowed":false,"evaluationError":"webhook down"}}"#).await;
        assert_eq!(error.unwrap().reason, "webhook down");
        assert_eq!(asked(403, "{}").await.unwrap_err().cause, Cause::Forbidden);
        assert_eq!(asked(201, "{}").await.unwrap_err().cause, Cause::Garbled);
    }

    #[test]
    fn actions_are_written_as_resource_attributes() {
        let action = Action { verb: "patch", group: "apps", resource: "deployments", ..Action::default() };
        let json = serde_json::to_value(action).unwrap();
        assert_eq!(json["verb"], "patch");
        assert_eq!(json["group"], "apps");
        assert_eq!(json["namespace"], "");
    }
}
