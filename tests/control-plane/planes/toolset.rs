//! What is built from Go modules: one set of tools per module under `modules/`, each with versions of its own.
//!
//! Kubernetes fixes the versions of its libraries, and so does every controller, to others: hence a module for each.

use std::sync::OnceLock;

use super::binaries::{Binaries, Unavailable};
use super::error::{Error, Result};

/// Commands that one `go.mod` builds, and files that its modules ship.
#[derive(Debug)]
pub struct Toolset {
    /// What it is, as `--minors` and `--with` name it: `1.36`, `karpenter`.
    pub name: &'static str,
    pub(crate) module: GoModule,
    /// The commands, as they are called here.
    pub(crate) commands: &'static [&'static str],
    /// Commands whose name in their module says too little: that name, and ours.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    pub(crate) shipped: &'static [Shipped],
    pub(crate) patches: &'static [Patch],
    /// How long a cold build takes on two cores.
    pub takes: &'static str,
    pub(crate) answer: OnceLock<std::result::Result<Binaries, Unavailable>>,
}

/// What fixes the versions of everything that is built.
#[derive(Debug)]
pub(crate) struct GoModule {
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
}

/// Files of a module put together to one, with `---` between them.
#[derive(Debug)]
pub(crate) struct Shipped {
    pub(crate) module: &'static str,
    pub(crate) under: &'static str,
    pub(crate) files: &'static [&'static str],
    pub(crate) to: &'static str,
}

/// A text in a file of a module that is another one here.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) module: &'static str,
    pub(crate) file: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// KWOK's stages (what a node and a pod do next), which its module ships and its command does not.
pub(crate) const KWOK_CONFIG: &str = "kwok.yaml";

/// The definitions of the kinds that a controller brings.
pub(crate) const CRDS: &str = "crds.yaml";

macro_rules! module {
    ($name:literal) => {
        GoModule {
            go_mod: include_str!(concat!("../modules/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../modules/", $name, "/go.sum")),
        }
    };
}

const KEDA_MODULE: &str = "github.com/kedacore/keda/v2";

const KARPENTER_MODULE: &str = "sigs.k8s.io/karpenter";

/// Kubernetes by minor, the current one first. That one also brings etcd, kubectl and KWOK for all of them.
pub static KUBERNETES: [Toolset; 3] = [
    Toolset {
        name: "1.36",
        module: module!("kubernetes-1.36"),
        commands: &["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok"],
        renamed: &[("server", "etcd")],
        shipped: &[Shipped {
            module: "sigs.k8s.io/kwok",
            under: "kustomize",
            files: &[
                "stage/node/fast/node-initialize.yaml",
                "stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
                "stage/node/chaos/node-not-ready.yaml",
                "stage/pod/fast/pod-ready.yaml",
                "stage/pod/fast/pod-complete.yaml",
                "stage/pod/fast/pod-delete.yaml",
                "stage/pod/chaos/pod-container-running-failed.yaml",
                "stage/pod/chaos/pod-init-container-running-failed.yaml",
                "metrics/usage/usage-from-annotation.yaml",
                "metrics/resource/metrics-resource.yaml",
            ],
            to: KWOK_CONFIG,
        }],
        patches: &[],
        takes: "six minutes",
        answer: OnceLock::new(),
    },
    older("1.35", module!("kubernetes-1.35")),
    older("1.34", module!("kubernetes-1.34")),
];

/// A minor before the current one: its servers, and nothing of what all minors share.
const fn older(minor: &'static str, module: GoModule) -> Toolset {
    Toolset {
        name: minor,
        module,
        commands: &["kube-apiserver", "kube-controller-manager", "kube-scheduler"],
        renamed: &[],
        shipped: &[],
        patches: &[],
        takes: "five minutes",
        answer: OnceLock::new(),
    }
}

/// Karpenter with its KWOK provider: it makes nodes, and KWOK keeps them.
pub static KARPENTER: Toolset = Toolset {
    name: "karpenter",
    module: module!("karpenter"),
    commands: &["karpenter"],
    renamed: &[("kwok", "karpenter")],
    shipped: &[Shipped {
        module: KARPENTER_MODULE,
        under: "",
        files: &[
            "kwok/apis/crds/karpenter.kwok.sh_kwoknodeclasses.yaml",
            "pkg/apis/crds/karpenter.sh_nodeclaims.yaml",
            "pkg/apis/crds/karpenter.sh_nodeoverlays.yaml",
            "pkg/apis/crds/karpenter.sh_nodepools.yaml",
        ],
        to: CRDS,
    }],
    // Its ports are open on every interface, and no option of its says otherwise.
    patches: &[Patch {
        module: KARPENTER_MODULE,
        file: "pkg/operator/operator.go",
        from: r#"BindAddress: fmt.Sprintf(":%d","#,
        to: r#"BindAddress: fmt.Sprintf("127.0.0.1:%d","#,
    }],
    takes: "two minutes",
    answer: OnceLock::new(),
};

/// The resource metrics API: what nodes and pods use.
pub static METRICS_SERVER: Toolset = Toolset {
    name: "metrics-server",
    module: module!("metrics-server"),
    commands: &["metrics-server"],
    renamed: &[],
    shipped: &[],
    patches: &[],
    takes: "three minutes",
    answer: OnceLock::new(),
};

/// Scaling by what happens elsewhere: the operator, and the server of external metrics that autoscalers ask.
pub static KEDA: Toolset = Toolset {
    name: "keda",
    module: module!("keda"),
    commands: &["keda-operator", "keda-adapter"],
    renamed: &[("operator", "keda-operator"), ("adapter", "keda-adapter")],
    shipped: &[Shipped {
        module: KEDA_MODULE,
        under: "config/crd/bases",
        files: &[
            "eventing.keda.sh_cloudeventsources.yaml",
            "eventing.keda.sh_clustercloudeventsources.yaml",
            "keda.sh_clustertriggerauthentications.yaml",
            "keda.sh_scaledjobs.yaml",
            "keda.sh_scaledobjects.yaml",
            "keda.sh_triggerauthentications.yaml",
        ],
        to: CRDS,
    }],
    // The figures of the adapter itself are on every interface, and only the port is an option.
    patches: &[Patch {
        module: KEDA_MODULE,
        file: "cmd/adapter/main.go",
        from: r#"metricsBindAddress := fmt.Sprintf(":%v","#,
        to: r#"metricsBindAddress := fmt.Sprintf("127.0.0.1:%v","#,
    }],
    takes: "eight minutes",
    answer: OnceLock::new(),
};

/// The current minor of Kubernetes.
#[must_use]
pub fn current() -> &'static Toolset {
    &KUBERNETES[0]
}

/// Kubernetes of a minor: `1.35`.
///
/// # Errors
/// When it is none of [`KUBERNETES`].
pub fn kubernetes(minor: &str) -> Result<&'static Toolset> {
    KUBERNETES.iter().find(|set| set.name == minor).ok_or_else(|| {
        let known: Vec<_> = KUBERNETES.iter().map(|set| set.name).collect();
        Error::new(format!("there is no Kubernetes {minor} here; there are {}", known.join(", ")))
    })
}

impl Toolset {
    /// The version of a module that `go.mod` asks for: `v1.36.3`.
    pub(crate) fn version_of(&self, module: &str) -> Option<&'static str> {
        let mut lines = self.module.go_mod.lines().filter_map(|line| line.trim().strip_prefix(module));
        lines.find_map(|rest| rest.strip_prefix(' '))?.split_whitespace().next()
    }

    /// The version of Kubernetes, of a set that has its servers: `v1.36.3`.
    #[must_use]
    pub fn kubernetes_version(&self) -> &'static str {
        self.version_of("k8s.io/kubernetes").unwrap_or("v0.0.0")
    }

    /// The files that are there when it is built.
    pub(crate) fn files(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.commands.iter().copied().chain(self.shipped.iter().map(|shipped| shipped.to))
    }

    /// Kubernetes learns its version from the linker; without it `kubectl version` and feature gates say 0.0.
    pub(crate) fn ldflags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        let Some(version) = self.version_of("k8s.io/kubernetes") else { return flags };
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            for (name, value) in
                [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")]
            {
                flags.push_str(&format!(" -X {package}.{name}={value}"));
            }
        }
        flags
    }

    /// What it is made of, as a name: another version or another flag is another directory.
    pub(crate) fn fingerprint(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let shipped: Vec<_> = self.shipped.iter().map(|shipped| shipped.files.join(" ")).collect();
        for part in [
            self.module.go_mod,
            self.module.go_sum,
            &self.ldflags(),
            &shipped.join(" "),
            std::env::consts::ARCH,
        ] {
            context.update(part.as_bytes());
        }
        for patch in self.patches {
            context.update(patch.to.as_bytes());
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
