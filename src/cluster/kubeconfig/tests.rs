use std::path::Path;

use super::*;
use crate::cluster::target::{Auth, Pem, Trust};
use crate::model::{Badge, Cause};

/// A folder as home, with files in it.
struct Home {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            home: Some(folder.path().to_owned()),
            service_account: folder.path().join("account"),
            ..Sources::default()
        };
        Home { folder, sources }
    }

    fn file(&self, name: &str, text: &str) -> &Home {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn env(&mut self, name: &str, value: &str) -> &mut Home {
        let value = value.replace("HOME", &self.folder.path().display().to_string());
        self.sources.env.insert(name.to_owned(), value);
        self
    }

    fn find(&self) -> Found {
        find_clusters(&self.sources, &[])
    }
}

fn cluster(name: &str, rest: &str) -> String {
    format!("- name: {name}\n  cluster: {{{rest}}}\n")
}

/// One context with its cluster and its user.
fn config(name: &str, cluster: &str, user: &str) -> String {
    format!(
        "clusters: [{{name: {name}, cluster: {{{cluster}}}}}]\n\
         users: [{{name: {name}, user: {{{user}}}}}]\n\
         contexts:\n- name: {name}\n  context: {{cluster: {name}, user: {name}}}\n"
    )
}

const SERVER: &str = "server: 'https://api.example:6443'";

fn broken(found: &Found) -> String {
    assert_eq!(found.targets.len(), 1);
    let target = &found.targets[0];
    assert!(target.connection.is_none());
    let fault = target.info.broken.as_ref().expect("a broken entry");
    assert_eq!(fault.cause, Cause::Config);
    assert!(!fault.next.is_empty());
    fault.what.to_string()
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn nothing_says_where_it_looked() {
    let mut home = Home::new();
    let found = home.find();
    assert!(found.targets.is_empty());
    let looked: Vec<String> = found.looked_at.iter().map(|l| format!("{} ({})", l.place, l.found)).collect();
    assert_eq!(looked, ["KUBECONFIG (not set)", "~/.kube/config (no such file)", "in-cluster (no)"]);
    home.env("KUBECONFIG", "HOME/a::HOME/a:HOME/b");
    let places: Vec<String> = home.find().looked_at.iter().map(|l| l.place.to_string()).collect();
    assert_eq!(places, ["~/a", "~/b", "in-cluster"]);
}

#[test]
fn files_merge_and_the_first_wins() {
    let mut home = Home::new();
    let first = format!(
        "current-context: b\nclusters:\n{}{}",
        cluster("one", "server: 'https://first'"),
        "contexts:\n- {name: a, context: {cluster: one, user: me}}\n- {name: b, context: {cluster: two, user: me}}\n"
    );
    let second = format!(
        "current-context: a\nclusters:\n{}{}users: [{{name: me, user: {{token: t}}}}]\n{}",
        cluster("one", "server: 'https://second'"),
        cluster("two", "server: 'https://two'"),
        "contexts:\n- {name: a, context: {cluster: two, user: other}}\n"
    );
    home.file("x/first", &first).file("y/second", &second);
    home.env("KUBECONFIG", "HOME/x/first:HOME/missing:HOME/y/second");
    let found = home.find();
    let servers: Vec<_> =
        found.targets.iter().map(|t| (t.info.name.as_str(), t.info.server.as_str())).collect();
    assert_eq!(servers, [("a", "https://first"), ("b", "https://two")]);
    assert!(found.targets.iter().all(|t| t.info.broken.is_none() && t.info.source == "~/x/first"));
    assert_eq!(found.current.as_deref(), Some("b"));
    assert_eq!(found.targets[1].id, ClusterId(1));
}

#[test]
fn relative_paths_belong_to_the_file_that_writes_them() {
    let mut home = Home::new();
    let (certificate, key) = certificate();
    let text = config(
        "a",
        &format!("{SERVER}, certificate-authority: pki/ca.crt"),
        "client-certificate: pki/me.crt, client-key: pki/me.key, tokenFile: token, exec: {command: ./login}",
    );
    home.file("x/config", &text).file("x/pki/ca.crt", &certificate).file("x/token", "t");
    home.file("x/pki/me.crt", &certificate).file("x/pki/me.key", &key);
    home.env("KUBECONFIG", "HOME/x/config");
    let found = home.find();
    assert_eq!(found.targets[0].info.broken, None);
    let connection = found.targets[0].connection.as_ref().unwrap();
    assert!(matches!(&connection.trust, Trust::Ca(Pem::File(p)) if p.ends_with("x/pki/ca.crt")));
    assert!(matches!(&connection.auth, Auth::TokenFile { path, .. } if path.ends_with("x/token")));
    assert!(connection.identity.is_some());
}

#[test]
fn commands_with_a_slash_belong_to_the_file_too() {
    let api = "apiVersion: client.authentication.k8s.io/v1";
    for (written, ends) in [("bin/login", "/x/bin/login"), ("login", "login"), ("/opt/login", "/opt/login")] {
        let mut home = Home::new();
        home.file("x/config", &config("a", SERVER, &format!("exec: {{command: {written}, {api}}}")));
        home.env("KUBECONFIG", "HOME/x/config");
        let found = home.find();
        let connection = found.targets[0].connection.as_ref().expect("a good entry");
        let Auth::Plugin(plugin) = &connection.auth else { panic!("a plugin") };
        assert!(plugin.command.ends_with(ends), "{}", plugin.command);
        assert_eq!(plugin.command.starts_with('/'), written.contains('/'));
    }
}

#[test]
fn a_file_alone_and_one_that_is_broken() {
    let mut home = Home::new();
    home.file("good", &config("a", SERVER, "token: t"));
    home.file("bad", "clusters:\n- name: x\n  cluster: \"hunter2-secret\"\n");
    home.env("KUBECONFIG", "HOME/bad:HOME/good");
    let found = home.find();
    let names: Vec<_> = found.targets.iter().map(|t| t.info.name.as_str()).collect();
    assert_eq!(names, ["a", "~/bad"]);
    let fault = found.targets[1].info.broken.as_ref().unwrap();
    assert!(fault.what.starts_with("line 3"), "{fault}");
    assert!(!fault.what.contains("hunter2"), "{fault}");
    home.sources.file = Some(home.folder.path().join("good"));
    assert_eq!(home.find().targets.len(), 1);
    home.sources.file = Some(home.folder.path().join("none"));
    let found = home.find();
    assert!(found.targets.is_empty());
    assert_eq!(found.looked_at, [Looked { place: "~/none".into(), found: "no such file".into() }]);
}

#[test]
fn broken_entries_say_what_is_wrong() {
    let exec = |rest: &str| format!("exec: {{command: login, {rest}}}");
    for (cluster, user, says) in [
        ("", "token: t", "names no server"),
        ("server: 'api.example'", "token: t", "no https:// or http:// address"),
        ("server: 'https://me:pw@api'", "token: t", "no https:// or http:// address"),
        ("server: 'https://a', certificate-authority: gone.crt", "", "gone.crt cannot be read"),
        ("server: 'https://a', certificate-authority-data: '%%'", "", "authority-data is not base64"),
        ("server: 'https://a', certificate-authority-data: 'aGk='", "", "no certificate in PEM form"),
        ("server: 'https://a', proxy-url: 'ftp://x'", "", "proxy-url is no http://"),
        ("server: 'https://a', tls-server-name: 'a b'", "", "tls-server-name a b is no host name"),
        (SERVER, "client-certificate-data: 'aGk='", "a client certificate and no key"),
        (SERVER, "token: t, username: u", "both a token and a password"),
        (SERVER, "auth-provider: {name: gcp}", "auth-provider gcp, which kubectl dropped"),
        (SERVER, "as-groups: [admins]", "without a user"),
        (SERVER, &exec("apiVersion: client.authentication.k8s.io/v1alpha1"), "v1alpha1, which is neither"),
        (SERVER, "exec: {apiVersion: client.authentication.k8s.io/v1}", "names no command"),
    ] {
        let home = Home::new();
        home.file(".kube/config", &config("a", cluster, user));
        let what = broken(&home.find());
        assert!(what.contains(says), "{what} / {says}");
        assert!(what.ends_with("(~/.kube/config:4, context a)"), "{what}");
    }
}

#[test]
fn an_auth_provider_is_told_what_takes_its_place() {
    for (provider, next) in [
        ("gcp", "gke-gcloud-auth-plugin"),
        ("azure", "kubelogin convert-kubeconfig"),
        ("oidc", "kubectl oidc-login setup"),
        ("openstack", "client-keystone-auth"),
        ("other", "fetch the kubeconfig again"),
    ] {
        let home = Home::new();
        home.file(".kube/config", &config("a", SERVER, &format!("auth-provider: {{name: {provider}}}")));
        let found = home.find();
        let fault = found.targets[0].info.broken.as_ref().unwrap();
        assert!(fault.what.contains(provider) && fault.next.contains(next), "{fault}");
    }
}

#[test]
fn a_plugin_of_a_file_that_anybody_can_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let exec = "exec: {command: login, apiVersion: client.authentication.k8s.io/v1}";
    home.file(".kube/config", &config("a", SERVER, exec));
    let mode = |mode| {
        let path = home.folder.path().join(".kube/config");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o666);
    let what = broken(&home.find());
    assert!(what.contains("can write to") && what.contains(".kube/config, and so choose"), "{what}");
    mode(0o600);
    assert_eq!(home.find().targets[0].info.broken, None);
    home.file(".kube/config", &config("a", SERVER, "token: t"));
    mode(0o666);
    assert_eq!(home.find().targets[0].info.broken, None, "it runs nothing");
}

#[test]
fn clusters_of_one_plugin_say_so() {
    let user = |name: &str, arg: &str| {
        format!(
            "{{name: {name}, user: {{exec: {{command: /opt/kubelogin, args: [{arg}], apiVersion: client.authentication.k8s.io/v1}}}}}}"
        )
    };
    let cluster = |name: &str| format!("{{name: {name}, cluster: {{server: 'https://{name}'}}}}");
    let context =
        |name: &str, user: &str| format!("{{name: {name}, context: {{cluster: {name}, user: {user}}}}}");
    let text = format!(
        "clusters: [{}, {}, {}]\nusers: [{}, {}, {}]\ncontexts: [{}, {}, {}]\n",
        cluster("a"),
        cluster("b"),
        cluster("c"),
        user("one", "x"),
        user("same", "x"),
        user("other", "y"),
        context("a", "one"),
        context("b", "same"),
        context("c", "other"),
    );
    let home = Home::new();
    home.file(".kube/config", &text);
    let found = home.find();
    let plugins: Vec<_> = found.targets.iter().map(|t| t.info.plugin.clone().unwrap()).collect();
    assert_eq!(plugins[0], PluginId { number: 0, name: "kubelogin".into() });
    assert_eq!(plugins[1], plugins[0]);
    assert_eq!(plugins[2].number, 1);
}

#[test]
fn contexts_that_lead_nowhere_are_broken() {
    for (text, says) in [
        ("contexts: [{name: a, context: {cluster: x, user: y}}]", "there is no cluster x"),
        ("contexts: [{name: a}]", "it is empty"),
        (
            "clusters: [{name: x, cluster: {server: 'https://a'}}]\ncontexts: [{name: a, context: {cluster: x, user: y}}]",
            "there is no user y",
        ),
    ] {
        let home = Home::new();
        home.file(".kube/config", text);
        let what = broken(&home.find());
        assert!(what.contains(says), "{what} / {says}");
    }
}

#[test]
fn contexts_of_one_server_and_user_are_one_cluster() {
    let text = "clusters: [{name: x, cluster: {server: 'https://a'}}, {name: y, cluster: {server: 'https://a/'}}]\n\
        users: [{name: me, user: {token: t}}, {name: you, user: {token: u}}]\n\
        contexts: [{name: dev-a, context: {cluster: x, user: me}}, {name: b, context: {cluster: y, user: me, namespace: n}}, \
        {name: c, context: {cluster: x, user: you}}]\n";
    let home = Home::new();
    home.file(".kube/config", text);
    let found = home.find();
    assert_eq!(found.targets.len(), 2);
    assert_eq!(found.targets[0].info.aliases, ["b"]);
    assert_eq!(found.targets[0].info.tier, Tier::Prod, "the more careful of both names");
    assert_eq!(find_clusters(&home.sources, &["!b".to_owned()]).targets[0].info.tier, Tier::Dev);
    assert_eq!(find_clusters(&home.sources, &["c".to_owned()]).targets.len(), 1);
}

#[test]
fn secrets_do_not_print() {
    let (certificate, key) = certificate();
    let base64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let identity =
        format!("client-certificate-data: {}, client-key-data: {}", base64(&certificate), base64(&key));
    let secret_line = key.lines().nth(1).unwrap();
    for user in [
        "token: hunter2",
        "username: me, password: hunter2",
        "exec: {command: x, apiVersion: client.authentication.k8s.io/v1, args: [hunter2], env: [{name: A, value: hunter2}]}",
        &identity,
    ] {
        let home = Home::new();
        let cluster = format!("{SERVER}, proxy-url: 'http://u:hunter2@proxy:3128'");
        home.file(".kube/config", &config("a", &cluster, user));
        let found = home.find();
        assert_eq!(found.targets[0].info.broken, None);
        let printed = format!("{found:?}");
        assert!(!printed.contains("hunter2") && !printed.contains(secret_line), "{printed}");
    }
}

#[test]
fn peculiar_connections_have_badges() {
    let home = Home::new();
    let cluster = format!("{SERVER}, insecure-skip-tls-verify: true, proxy-url: 'http://u:p@proxy:3128'");
    home.file(".kube/config", &config("a", &cluster, "as: admin, as-groups: [x]"));
    let found = home.find();
    let connection = found.targets[0].connection.as_ref().unwrap();
    assert_eq!(connection.authority(), "api.example:6443");
    let badges = [Badge::SkipVerify, Badge::Impersonating("admin".into()), Badge::Proxy("proxy:3128".into())];
    assert_eq!(connection.badges(), badges);
}

#[test]
fn a_pod_finds_its_own_cluster() {
    let mut home = Home::new();
    home.file("account/token", "t").file("account/ca.crt", &certificate().0);
    home.env("KUBERNETES_SERVICE_HOST", "fd00::1").env("KUBERNETES_SERVICE_PORT", "443");
    let found = home.find();
    assert_eq!(found.targets[0].info.server, "https://[fd00::1]:443");
    assert_eq!(found.looked_at.last().unwrap().found, "yes");
    home.file(".kube/config", &config("a", SERVER, ""));
    assert_eq!(home.find().targets[0].info.name, "a", "a kubeconfig rules over it");
}

#[test]
fn hostile_files_are_rows() {
    for text in ["\u{0}", "[", "a: &a [*a, *a]", "- 1", "contexts: 3", "\"x\"", "{{{{"] {
        let home = Home::new();
        home.file(".kube/config", text);
        assert!(home.find().targets.iter().all(|t| t.info.broken.is_some()), "{text:?}");
    }
    for text in ["", "---\n", "# nothing\n", "{}", "clusters: null\ncontexts: null\n"] {
        let home = Home::new();
        home.file(".kube/config", text);
        let found = home.find();
        assert!(found.targets.is_empty(), "{text:?} {:?}", found.targets);
    }
    assert!(file::read(Path::new("/"), String::new()).is_err());
}

#[test]
fn what_leads_elsewhere_is_told_and_what_users_say_is_not() {
    let found = |text: &str| {
        let home = Home::new();
        home.file(".kube/config", text).find().targets
    };
    let one = found(&config("dev", SERVER, "token: a"));
    let now = |text: String| rewritten(&one, &found(&text));
    assert_eq!(now(config("dev", SERVER, "token: b")), None);
    assert_eq!(
        now(config("dev", "server: 'https://api.example:7443'", "token: a")).unwrap(),
        "dev leads elsewhere"
    );
    let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate().0);
    let trusting = format!("{SERVER}, certificate-authority-data: {pem}");
    assert_eq!(now(config("dev", &trusting, "token: a")).unwrap(), "dev leads elsewhere");
    let named = format!("{SERVER}, tls-server-name: other");
    assert_eq!(now(config("dev", &named, "token: a")).unwrap(), "dev leads elsewhere");
    assert_eq!(now(config("web", SERVER, "token: a")).unwrap(), "1 context is new, 1 context is gone");
    assert_eq!(now("{".to_owned()), None, "it is being written");
}

#[test]
fn a_cluster_that_another_context_of_its_name_hides_is_a_problem() {
    let mut home = Home::new();
    home.file("a", &config("admin", SERVER, "token: a"))
        .file("b", &config("admin", "server: 'https://other.example:6443'", "token: b"))
        .file("c", &config("admin", SERVER, "token: c"));
    home.env("KUBECONFIG", "HOME/a:HOME/b:HOME/c");
    let found = home.find();
    assert_eq!(found.targets.len(), 1);
    let [problem] = found.problems.as_slice() else { panic!("{:?}", found.problems) };
    assert_eq!(
        problem.to_string(),
        "~/b: context admin leads to https://other.example:6443, and is hidden by that of ~/a:4, as in kubectl: \
         rename one to see both"
    );
}
