//! The flags of each component.

use std::path::{Path, PathBuf};

use super::pki::Pki;
use super::{Ground, Options};

/// The API server of one plane.
pub(crate) fn api_server(ground: &Ground, name: &str, port: u16, options: &Options) -> Vec<String> {
    let pki = &ground.pki;
    let fixed = [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--service-account-issuer=https://kubernetes.default.svc",
        // The aggregation layer, as kubeadm sets it up: servers behind it are told who asks.
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ];
    let mut flags: Vec<String> = fixed.map(str::to_owned).into();
    flags.push(format!("--etcd-servers={}", ground.etcd_url));
    flags.push(format!("--etcd-prefix=/{name}"));
    flags.push(format!("--secure-port={port}"));
    for (flag, file) in [
        ("client-ca-file", "ca.crt"),
        ("token-auth-file", "tokens.csv"),
        ("tls-cert-file", "apiserver.crt"),
        ("tls-private-key-file", "apiserver.key"),
        ("service-account-key-file", "sa.pub"),
        ("service-account-signing-key-file", "sa.key"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("proxy-client-cert-file", "front-proxy-client.crt"),
        ("proxy-client-key-file", "front-proxy-client.key"),
    ] {
        flags.push(pki.flag(flag, file));
    }
    if !options.service_accounts {
        flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
    }
    if let Some(every) = options.compaction {
        // The cache of the server would go on serving versions that etcd has forgotten.
        flags.extend([
            format!("--etcd-compaction-interval={}s", every.as_secs()),
            "--watch-cache=false".to_owned(),
        ]);
    }
    flags.extend(options.api_flags.iter().cloned());
    flags
}

/// The scheduler.
pub(crate) fn scheduler(kubeconfig: &Path) -> Vec<String> {
    // A fast client, or Deployments become ready at five a second. No port of its own: nobody asks it anything.
    [
        &format!("--kubeconfig={}", kubeconfig.display()),
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=5000",
        "--kube-api-burst=10000",
    ]
    .map(str::to_owned)
    .into()
}

/// The controller manager.
pub(crate) fn controller_manager(kubeconfig: &Path, pki: &Pki) -> Vec<String> {
    let mut flags = scheduler(kubeconfig);
    flags.push(pki.flag("root-ca-file", "ca.crt"));
    flags.push(pki.flag("service-account-private-key-file", "sa.key"));
    // As slow as the leases that KWOK renews: a node counts as lost only after several of them.
    flags.extend(["--node-monitor-period=25s".to_owned(), "--node-monitor-grace-period=3m20s".to_owned()]);
    flags
}

/// The stand-in for the kubelets.
pub(crate) fn kwok(kubeconfig: &Path, stages: &[PathBuf], pki: &Pki, port: u16) -> Vec<String> {
    let fixed = [
        &format!("--kubeconfig={}", kubeconfig.display()),
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        &format!("--node-port={port}"),
        &format!("--server-address=127.0.0.1:{port}"),
        "--node-lease-duration-seconds=200",
        &pki.flag("tls-cert-file", "apiserver.crt"),
        &pki.flag("tls-private-key-file", "apiserver.key"),
    ];
    let configs = stages.iter().map(|stages| format!("--config={}", stages.display()));
    fixed.map(str::to_owned).into_iter().chain(configs).collect()
}
