//! What is said to a plugin and what it answers: `ExecCredential` of
//! `client.authentication.k8s.io` v1 and v1beta1 (`client-go/pkg/apis/clientauthentication`).

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cluster::target::PluginSpec;
use crate::model::Time;

/// What a plugin finds in `KUBERNETES_EXEC_INFO`. We never let it talk to a person.
pub(super) fn question(spec: &PluginSpec) -> String {
    #[derive(serde::Serialize)]
    struct Question<'a> {
        kind: &'static str,
        #[serde(rename = "apiVersion")]
        api_version: &'static str,
        spec: Inner<'a>,
    }
    #[derive(serde::Serialize)]
    struct Inner<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<&'a RawValue>,
        interactive: bool,
    }
    let cluster = spec.cluster.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let inner = Inner { cluster, interactive: false };
    let question = Question { kind: "ExecCredential", api_version: spec.api_version, spec: inner };
    serde_json::to_string(&question).unwrap_or_default()
}

/// What a plugin made.
pub(super) struct Answer {
    pub(super) token: Option<SecretString>,
    /// Certificate and key in PEM.
    pub(super) identity: Option<(SecretString, SecretString)>,
    pub(super) until: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    kind: Option<String>,
    api_version: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Reads the answer. The error says what is wrong with it and shows nothing of it.
pub(super) fn read(stdout: &[u8], wanted: &str) -> Result<Answer, &'static str> {
    let text = std::str::from_utf8(stdout).map_err(|_| "printed no text")?;
    // kubectl takes YAML as well; JSON is YAML, but the other reader is stricter and faster.
    let answer: ExecCredential = serde_json::from_str(text)
        .or_else(|_| serde_saphyr::from_str(text))
        .map_err(|_| "printed no ExecCredential")?;
    // One without a kind is taken for one, as in client-go.
    if answer.kind.is_some_and(|kind| kind != "ExecCredential") {
        return Err("printed another kind than ExecCredential");
    }
    if answer.api_version.as_deref() != Some(wanted) {
        return Err("answered in another apiVersion than the kubeconfig says");
    }
    let status = answer.status.ok_or("gave no credential")?;
    let given = |secret: Option<String>| secret.filter(|s| !s.is_empty()).map(SecretString::from);
    let token = given(status.token);
    let identity = match (given(status.client_certificate_data), given(status.client_key_data)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("gave a client certificate without its key, or a key alone"),
    };
    if token.is_none() && identity.is_none() {
        return Err("gave neither a token nor a client certificate");
    }
    let until = match status.expiration_timestamp.as_deref() {
        None | Some("") => None,
        Some(text) => Some(Time::parse(text).ok_or("gave an expirationTimestamp that is no time")?),
    };
    Ok(Answer { token, identity, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    #[test]
    fn answers_are_read_in_json_and_yaml() {
        let json = format!(
            r#"{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"t","expirationTimestamp":"2026-11-21T02:14:07Z"}}}}"#
        );
        let answer = read(json.as_bytes(), V1).ok().unwrap();
        assert!(answer.token.is_some() && answer.identity.is_none());
        assert_eq!(answer.until, Time::parse("2026-11-21T02:14:07Z"));
        let yaml = format!("apiVersion: {V1}\nstatus: {{clientCertificateData: c, clientKeyData: k}}\n");
        assert!(read(yaml.as_bytes(), V1).ok().unwrap().identity.is_some());
    }

    #[test]
    fn wrong_answers_are_said_without_showing_them() {
        for (answer, says) in [
            ("hunter2".to_owned(), "printed no ExecCredential"),
            ("{\"apiVersion\":\"hunter2\"}".to_owned(), "another apiVersion"),
            (format!("{{\"apiVersion\":\"{V1}\"}}"), "gave no credential"),
            (
                format!(
                    "{{\"apiVersion\":\"{V1}\",\"kind\":\"Secret\",\"status\":{{\"token\":\"hunter2\"}}}}"
                ),
                "another kind",
            ),
            (format!("{{\"apiVersion\":\"{V1}\",\"status\":{{\"token\":\"\"}}}}"), "gave neither"),
            (
                format!("{{\"apiVersion\":\"{V1}\",\"status\":{{\"clientKeyData\":\"hunter2\"}}}}"),
                "without its key",
            ),
            (
                format!(
                    "{{\"apiVersion\":\"{V1}\",\"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"x\"}}}}"
                ),
                "is no time",
            ),
        ] {
            let said = read(answer.as_bytes(), V1).err().unwrap();
            assert!(said.contains(says), "{said}");
        }
    }
}
