//! The machine on which somebody looks at the fleet, as the faults that are on leave it: what its
//! kubeconfig says, how it logs in, which names it can look up, and what else its program is to
//! suffer. Whoever plays the fleet carries it out: a server cannot.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::api::Role;
use super::cluster::renewed;
use super::faults::{FaultName, Local};
use super::fleet::Member;
use super::tls;
use crate::model::Span;

/// The machine on which somebody looks at a fleet. Clones are of the same.
#[derive(Clone, Debug)]
pub struct Workstation {
    members: Vec<Arc<Member>>,
    authority: String,
    tokens: Arc<Vec<(Role, String)>>,
    news: watch::Receiver<()>,
}

/// The files by which a client reaches the fleet. They hold tokens: write them only to where
/// others cannot read them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Files {
    /// The kubeconfig; `None` when it is gone.
    pub kubeconfig: Option<String>,
    /// The program that logs in where a token is not written down, for `/bin/sh`; `None` when
    /// nobody needs it.
    pub plugin: Option<String>,
}

/// What every name of [`Workstation::look_up`] ends with.
const DOMAIN: &str = ".fleet.localhost";

impl Workstation {
    pub(super) fn new(
        members: Vec<Arc<Member>>,
        authority: &str,
        tokens: &Arc<Vec<(Role, String)>>,
        news: watch::Receiver<()>,
    ) -> Workstation {
        Workstation { members, authority: authority.to_owned(), tokens: tokens.clone(), news }
    }

    /// Waits until anything of it may be otherwise than before.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            // Nobody is left who could change anything.
            std::future::pending().await
        }
    }

    /// What is wrong with it now.
    #[must_use]
    pub fn local(&self) -> Local {
        let mut local = Local::default();
        for member in &self.members {
            member.shared.read(|world| local.add(&world.trouble));
        }
        local
    }

    /// How long it slept so far.
    #[must_use]
    pub fn slept(&self) -> Span {
        Span::from_millis(self.members.iter().map(|member| member.slept().millis()).sum())
    }

    /// The address of a server by its name in [`Workstation::files_by_name`].
    ///
    /// # Errors
    /// The name does not resolve, because a fault is on or it is none of this fleet's.
    pub fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let named = |m: &&Arc<Member>| host.strip_suffix(DOMAIN) == Some(m.about.name.as_str());
        let resolves = |m: &Arc<Member>| m.shared.read(|w| w.trouble.first(FaultName::Unresolved).is_none());
        match self.members.iter().find(named) {
            Some(member) if resolves(member) => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "Name or service not known")),
        }
    }

    /// The files of an administrator, with servers that only [`Workstation::look_up`] can find.
    /// `plugin` is where the program will be that logs in.
    #[must_use]
    pub fn files_by_name(&self, plugin: &Path) -> Files {
        let server = |m: &Member| {
            let port = m.address().port();
            format!("https://{}{DOMAIN}:{port}\n    tls-server-name: localhost", m.about.name)
        };
        self.files(plugin, &[], server)
    }

    /// The files of an administrator for other programs, with the users of all roles. A server
    /// whose name is not to resolve has one that never does (RFC 6761, `.invalid`).
    #[must_use]
    pub fn files_for_others(&self, plugin: &Path) -> Files {
        let server = |m: &Member| match m.shared.read(|w| w.trouble.first(FaultName::Unresolved).is_some()) {
            true => format!("https://{}.invalid:{}", m.about.name, m.address().port()),
            false => format!("https://{}", m.address()),
        };
        self.files(plugin, &Role::ALL, server)
    }

    /// A kubeconfig with nothing wrong in it, and no program to log in with.
    pub(super) fn kubeconfig(&self, of: Role, users: &[Role]) -> String {
        let mut out = self.clusters(|m| format!("https://{}", m.address()));
        self.users(users, &mut out);
        self.contexts(&mut out, |_| of.user().to_owned());
        out
    }

    fn files(&self, plugin: &Path, users: &[Role], server: impl Fn(&Member) -> String) -> Files {
        let wrong = |name: FaultName| {
            let file = |m: &Arc<Member>| m.shared.read(|world| world.trouble.first(name).cloned());
            self.members.iter().find_map(|m| Some((m.about.name.clone(), file(m)?)))
        };
        let mut out = self.clusters(server);
        self.users(users, &mut out);
        for member in &self.members {
            self.user(member, plugin, &mut out);
        }
        self.contexts(&mut out, own_user);
        let plugin = self.members.iter().any(|m| logs_in(m)).then(|| self.plugin());
        let kubeconfig = match wrong(FaultName::Kubeconfig) {
            Some((_, file)) if file.value_or_usual() == "gone" => None,
            Some((name, file)) if file.value_or_usual() == "cut" => Some(cut(&out, &name)),
            _ => Some(out),
        };
        Files { kubeconfig, plugin }
    }

    fn clusters(&self, server: impl Fn(&Member) -> String) -> String {
        let authority = tls::base64(self.authority.as_bytes());
        let mut out = String::from("apiVersion: v1\nkind: Config\nclusters:\n");
        for m in &self.members {
            // writing into a string cannot fail
            let _ = write!(
                out,
                "- name: {name}\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n",
                name = m.about.name,
                server = server(m),
            );
        }
        out.push_str("users:\n");
        out
    }

    /// The users of these roles, whom every cluster knows.
    fn users(&self, roles: &[Role], out: &mut String) {
        for (role, token) in self.tokens.iter().filter(|(r, _)| roles.contains(r)) {
            let _ = write!(out, "- name: {}\n  user:\n    token: {token}\n", role.user());
        }
    }

    /// The administrator of one cluster, whose token may be renewed, and who may log in.
    fn user(&self, member: &Member, plugin: &Path, out: &mut String) {
        let _ = write!(out, "- name: {}\n  user:\n", own_user(member));
        if logs_in(member) {
            let command = serde_json::Value::from(plugin.to_string_lossy());
            let _ = write!(
                out,
                "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {command}\n      \
                 args: [{}]\n      interactiveMode: IfAvailable\n",
                member.about.name,
            );
        } else {
            let _ = writeln!(out, "    token: {}", self.token(member));
        }
    }

    /// The administrator's token in a cluster now.
    fn token(&self, member: &Member) -> String {
        let renewals = member.shared.read(|world| world.trouble.renewals);
        let token = self.tokens.iter().find(|(role, _)| *role == Role::Admin);
        token.map_or_else(String::new, |(_, token)| renewed(token, renewals).into_owned())
    }

    fn contexts(&self, out: &mut String, user: impl Fn(&Member) -> String) {
        out.push_str("contexts:\n");
        for m in &self.members {
            let name = &m.about.name;
            let _ = write!(out, "- name: {name}\n  context:\n    cluster: {name}\n    user: {}\n", user(m));
        }
        let first = self.members.first().map_or("", |m| m.about.name.as_str());
        let _ = writeln!(out, "current-context: {first}");
    }

    /// The program that logs in: its argument is the cluster.
    fn plugin(&self) -> String {
        let mut out =
            String::from("#!/bin/sh\n# Logs in to a cluster of the embedded fleet: $1.\ncase \"$1\" in\n");
        for member in self.members.iter().filter(|m| logs_in(m)) {
            let fault = member.shared.read(|world| world.trouble.first(FaultName::Login).cloned());
            let does = fault.map(|file| file.value_or_usual().to_owned()).unwrap_or_default();
            let _ = writeln!(out, "{}) {} ;;", member.about.name, login(&does, &self.token(member)));
        }
        out.push_str("*) echo \"no such cluster: $1\" >&2; exit 2 ;;\nesac\n");
        out
    }
}

/// The name of the administrator of one cluster.
fn own_user(member: &Member) -> String {
    format!("{}@{}", Role::Admin.user(), member.about.name)
}

/// Whether clients log in to a cluster with a program.
fn logs_in(member: &Member) -> bool {
    member.plugin || member.shared.read(|world| world.trouble.first(FaultName::Login).is_some())
}

/// What the program does for one cluster, as the value of the fault says.
fn login(does: &str, token: &str) -> String {
    let credential = |status: &str| {
        format!(
            "echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{{status}}}}}'"
        )
    };
    match does {
        "hangs" => "exec sleep 86400".to_owned(),
        "fails" => "echo 'the identity provider is out of order' >&2; exit 1".to_owned(),
        "floods" => "head -c 10000000 /dev/zero | tr '\\0' x".to_owned(),
        "prints-garbage" => "echo '}{ this is no credential'".to_owned(),
        "gives-expired" => {
            credential(&format!("\"token\":\"{token}\",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""))
        }
        "gives-none" => credential(""),
        "asks" => "(printf 'Password: ' >/dev/tty) 2>/dev/null; read -r answer || { echo 'no password' >&2; exit 1; }; exit 1"
            .to_owned(),
        _ => credential(&format!("\"token\":\"{token}\"")),
    }
}

/// The text up to the middle of a cluster's entry.
fn cut(text: &str, cluster: &str) -> String {
    let entry = format!("- name: {cluster}\n");
    let rest = text.find(&entry).map_or("", |at| &text[at + entry.len()..]);
    let length = rest.find("\n- ").unwrap_or(rest.len());
    text[..text.len() - rest.len() + length / 2].to_owned()
}
