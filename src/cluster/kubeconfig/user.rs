//! From a context to a connection: the user's half.

use std::sync::Arc;

use kube::config::{AuthInfo, Cluster, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::connect::{MEND, Wrong, certificates, pem, readable};
use super::file;
use super::merge::Entry;
use crate::cluster::target::{Auth, Identity, Impersonation, PluginSpec, Written};

/// Who we are to a server.
pub(super) struct User {
    pub(super) auth: Auth,
    pub(super) identity: Option<Identity>,
    pub(super) impersonation: Option<Impersonation>,
}

impl Default for User {
    fn default() -> User {
        User { auth: Auth::Nothing, identity: None, impersonation: None }
    }
}

pub(super) fn resolve(user: &Entry<'_, AuthInfo>, cluster: &Entry<'_, Cluster>) -> Result<User, Wrong> {
    Ok(User {
        auth: auth(user, cluster)?,
        identity: identity(user)?,
        impersonation: impersonation(user.entry)?,
    })
}

/// What a user's entry says now that can be shown as it is: a token or a password, and a client
/// certificate written into it. `None` when the file or the entry is not there, or makes no sense.
pub(in crate::cluster) fn read_again(written: &Written) -> Option<(Auth, Option<Identity>)> {
    let file = file::read(&written.path, String::new()).ok()??;
    let named = file.config.auth_infos.iter().find(|named| named.name == written.name)?;
    let user = Entry { entry: named.auth_info.as_ref()?, file: &file };
    Some((secret(&user).ok()?.unwrap_or(Auth::Nothing), identity(&user).ok()?))
}

/// Like kubectl: a token before a plugin, and more than one of token, password, plugin and
/// provider only where the order is clear.
fn auth(user: &Entry<'_, AuthInfo>, cluster: &Entry<'_, Cluster>) -> Result<Auth, Wrong> {
    if let Some(auth) = secret(user)? {
        return Ok(auth);
    }
    let info = user.entry;
    if let Some(exec) = &info.exec {
        return Ok(Auth::Plugin(Arc::new(plugin(exec, user, cluster)?)));
    }
    if let Some(provider) = &info.auth_provider {
        let what =
            format!("its user logs in with auth-provider {}, which kubectl dropped in 1.26", provider.name);
        return Err((what, in_place_of(&provider.name)));
    }
    Ok(Auth::Nothing)
}

/// The token or password of a user, if there is one.
fn secret(user: &Entry<'_, AuthInfo>) -> Result<Option<Auth>, Wrong> {
    let info = user.entry;
    let given = |secret: &Option<SecretString>| secret.clone().filter(|s| !s.expose_secret().is_empty());
    let token = given(&info.token);
    let name = info.username.clone().filter(|n| !n.is_empty());
    if name.is_some() && (token.is_some() || info.token_file.is_some()) {
        return Err(("its user has both a token and a password".to_owned(), MEND));
    }
    if let Some(path) = info.token_file.as_deref().filter(|p| !p.is_empty()) {
        return Ok(Some(Auth::TokenFile { path: user.file.path(path), fallback: token }));
    }
    if let Some(token) = token {
        return Ok(Some(Auth::Token(token)));
    }
    Ok(name.map(|name| {
        let password = info.password.clone().unwrap_or_else(|| SecretString::from(String::new()));
        Auth::Basic { user: name, password }
    }))
}

/// What makes an entry with a plugin in place of one with an auth-provider.
fn in_place_of(provider: &str) -> &'static str {
    match provider {
        "gcp" => {
            "install gke-gcloud-auth-plugin, then: gcloud container clusters get-credentials CLUSTER --location LOCATION"
        }
        "azure" => "install kubelogin, then: kubelogin convert-kubeconfig -l azurecli",
        "oidc" => {
            "install kubectl oidc-login, then: kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=…"
        }
        "openstack" => "install client-keystone-auth and name it as the user's exec command",
        _ => "fetch the kubeconfig again with a newer tool, one that writes an exec plugin",
    }
}

fn identity(user: &Entry<'_, AuthInfo>) -> Result<Option<Identity>, Wrong> {
    let (info, file) = (user.entry, user.file);
    let certificate = pem(
        "client-certificate",
        info.client_certificate_data.as_deref(),
        info.client_certificate.as_deref(),
        file,
    )?;
    let key_data = info.client_key_data.as_ref().map(ExposeSecret::expose_secret);
    let key = pem("client-key", key_data, info.client_key.as_deref(), file)?;
    let (certificate, key) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Err(("its user has a client certificate and no key".to_owned(), MEND)),
        (None, Some(_)) => return Err(("its user has a client key and no certificate".to_owned(), MEND)),
    };
    certificates("client-certificate", readable("client-certificate", &certificate)?.expose_secret())?;
    let data = readable("client-key", &key)?;
    if PrivateKeyDer::from_pem_slice(data.expose_secret()).is_err() {
        return Err((
            "client-key holds no private key in PEM form (PKCS8, PKCS1 or SEC1, not encrypted)".to_owned(),
            MEND,
        ));
    }
    Ok(Some(Identity { certificate, key }))
}

fn impersonation(info: &AuthInfo) -> Result<Option<Impersonation>, Wrong> {
    let user = info.impersonate.clone().unwrap_or_default();
    let mut extra: Vec<_> = info.impersonate_user_extra.clone().unwrap_or_default().into_iter().collect();
    extra.sort_unstable();
    let groups = info.impersonate_groups.clone().unwrap_or_default();
    let uid = info.impersonate_uid.clone().filter(|uid| !uid.is_empty());
    if user.is_empty() {
        let others = uid.is_some() || !groups.is_empty() || !extra.is_empty();
        let wrong = ("its user impersonates a group, uid or extra without a user (as)".to_owned(), MEND);
        return if others { Err(wrong) } else { Ok(None) };
    }
    Ok(Some(Impersonation { user, uid, groups, extra }))
}

fn plugin(
    exec: &ExecConfig,
    user: &Entry<'_, AuthInfo>,
    cluster: &Entry<'_, Cluster>,
) -> Result<PluginSpec, Wrong> {
    let command = exec.command.as_deref().filter(|c| !c.is_empty());
    let command = command.ok_or_else(|| ("its credential plugin names no command".to_owned(), MEND))?;
    let api_version = match exec.api_version.as_deref() {
        Some("client.authentication.k8s.io/v1") => "client.authentication.k8s.io/v1",
        Some("client.authentication.k8s.io/v1beta1") => "client.authentication.k8s.io/v1beta1",
        other => {
            let what = format!(
                "its credential plugin speaks apiVersion {}, which is neither v1 nor v1beta1",
                other.unwrap_or("(none)")
            );
            return Err((what, "fetch the kubeconfig again with a newer tool"));
        }
    };
    if let Some(open) = &user.file.open_to_all {
        let what = format!(
            "its credential plugin is not run: anybody on this machine can write to {}, and so choose what runs",
            open.display()
        );
        return Err((what, "chmod o-w it, or move the kubeconfig to a folder of your own"));
    }
    let variable = |entry: &std::collections::HashMap<String, String>| {
        Some((entry.get("name")?.clone(), entry.get("value").cloned().unwrap_or_default()))
    };
    Ok(PluginSpec {
        command: user.file.command(command),
        args: exec.args.clone().unwrap_or_default(),
        env: exec.env.iter().flatten().filter_map(variable).collect(),
        api_version,
        cluster: exec.provide_cluster_info.then(|| cluster_info(cluster)).transpose()?,
        needs_person: exec.interactive_mode == Some(ExecInteractiveMode::Always),
        install_hint: exec.install_hint.clone().unwrap_or_default(),
    })
}

/// What a plugin with `provideClusterInfo` is told of the cluster.
fn cluster_info(cluster: &Entry<'_, Cluster>) -> Result<String, Wrong> {
    let mut resolved = cluster.entry.clone();
    resolved.certificate_authority =
        resolved.certificate_authority.map(|path| cluster.file.path(&path).display().to_string());
    let info = ExecAuthCluster::try_from(&resolved).ok();
    info.and_then(|info| serde_json::to_string(&info).ok())
        .ok_or_else(|| ("certificate-authority cannot be read for its credential plugin".to_owned(), MEND))
}
