use std::path::PathBuf;

use futures::future::join_all;

use super::*;
use crate::cluster::credentials::Plugins;

const V1: &str = "client.authentication.k8s.io/v1";

/// A folder with a shell script that is a plugin. Each run leaves a line in `runs`.
struct Script {
    folder: tempfile::TempDir,
    spec: PluginSpec,
}

impl Script {
    fn new(body: &str) -> Script {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin.sh");
        std::fs::write(&path, format!("cd {}\necho run >>runs\n{body}\n", folder.path().display())).unwrap();
        let spec = PluginSpec {
            command: "/bin/sh".to_owned(),
            args: vec![path.display().to_string()],
            env: Vec::new(),
            api_version: V1,
            cluster: None,
            needs_person: false,
            install_hint: String::new(),
        };
        Script { folder, spec }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.path("runs")).map_or(0, |runs| runs.lines().count())
    }

    fn plugin(&self) -> Arc<Plugin> {
        Plugins::default().plugin(&self.spec)
    }
}

fn answer(status: &str) -> String {
    format!(r#"{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{{status}}}}}"#)
}

/// A script that answers with a token that is counted up.
fn counting(rest: &str) -> Script {
    let answer = answer(&format!(r#""token":"t'$(wc -l <runs | tr -d ' ')'"{rest}"#));
    Script::new(&format!("printf '%s' '{answer}'"))
}

fn token(credential: &Credential) -> String {
    credential.authorization.as_ref().unwrap().to_str().unwrap().to_owned()
}

fn in_seconds(seconds: i64) -> String {
    (wall_clock() + crate::model::Span::from_seconds(seconds)).rfc3339()
}

#[tokio::test]
async fn one_run_serves_everybody_with_the_same_words() {
    let script = counting("");
    let plugins = Plugins::default();
    let (one, two) = (plugins.plugin(&script.spec), plugins.plugin(&script.spec.clone()));
    let got = join_all((0..10).map(|i| if i % 2 == 0 { one.get() } else { two.get() })).await;
    assert!(got.iter().all(|c| token(c.as_ref().unwrap()) == "Bearer t1"));
    assert_eq!(script.runs(), 1);
    let other = PluginSpec { env: vec![("A".to_owned(), "1".to_owned())], ..script.spec.clone() };
    assert_eq!(token(&plugins.plugin(&other).get().await.unwrap()), "Bearer t2");
}

#[tokio::test]
async fn a_plugin_is_asked_as_its_version_wants() {
    let mut script = Script::new(&format!(
        "printf '%s %s' \"$KUBERNETES_EXEC_INFO\" \"$OWN\" >question; printf '%s' '{}'",
        answer(r#""token":"t""#)
    ));
    script.spec.env = vec![("OWN".to_owned(), "value".to_owned())];
    script.spec.cluster = Some(r#"{"server":"https://a"}"#.to_owned());
    script.plugin().get().await.unwrap();
    let question = std::fs::read_to_string(script.path("question")).unwrap();
    let wanted = format!(
        r#"{{"kind":"ExecCredential","apiVersion":"{V1}","spec":{{"cluster":{{"server":"https://a"}},"interactive":false}}}} value"#
    );
    assert_eq!(question, wanted);
}

#[tokio::test]
async fn credentials_are_made_anew_a_minute_before_their_end() {
    let script = counting(&format!(r#","expirationTimestamp":"{}""#, in_seconds(600)));
    let plugin = script.plugin();
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t1");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(530)).await;
    tokio::time::resume();
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t1");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(12)).await;
    tokio::time::resume();
    let mut ended = plugin.ended.subscribe();
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t1", "nobody waits while it is good");
    ended.changed().await.unwrap();
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t2");
    assert_eq!(script.runs(), 2);
    assert_eq!(renew_after(Duration::from_secs(40)), Duration::from_secs(20));
}

#[tokio::test]
async fn an_old_credential_serves_until_its_end_when_the_plugin_fails() {
    let status = answer(&format!(r#""token":"t1","expirationTimestamp":"{}""#, in_seconds(600)));
    let script = Script::new(&format!("test -e broken && exit 3; printf '%s' '{status}'"));
    let plugin = script.plugin();
    plugin.get().await.unwrap();
    script.write("broken", "");
    let advance = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    advance(560).await;
    let mut ended = plugin.ended.subscribe();
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t1");
    ended.changed().await.unwrap();
    assert_eq!(script.runs(), 2);
    assert_eq!(token(&plugin.get().await.unwrap()), "Bearer t1");
    advance(60).await;
    assert_eq!(plugin.get().await.unwrap_err().login, Login::Plugin);
}

#[tokio::test]
async fn failures_are_believed_for_half_a_minute() {
    let script = Script::new("exit 3");
    let plugin = script.plugin();
    for _ in 0..3 {
        assert!(plugin.get().await.is_err());
    }
    assert_eq!(script.runs(), 1);
    tokio::time::pause();
    tokio::time::advance(PAUSE).await;
    tokio::time::resume();
    assert!(plugin.get().await.is_err());
    assert_eq!(script.runs(), 2);
    plugin.try_again();
    assert!(plugin.get().await.is_err());
    assert_eq!(script.runs(), 3, "a person need not wait");
}

#[tokio::test]
async fn a_refused_credential_is_made_anew_once_for_everybody() {
    let script = counting("");
    let plugin = script.plugin();
    let first = plugin.get().await.unwrap();
    let got = join_all((0..5).map(|_| plugin.renew(first.serial))).await;
    assert!(got.iter().all(|c| token(c.as_ref().unwrap().as_ref().unwrap()) == "Bearer t2"));
    let second = plugin.get().await.unwrap();
    assert!(plugin.renew(second.serial).await.unwrap().is_none(), "it was made a moment ago");
    assert_eq!(script.runs(), 2);
}

/// Whether a process is still there.
fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_plugin_that_hangs_is_ended_with_its_children() {
    let script = Script::new("sleep 1000 & echo $! >child; echo $$ >own; mkfifo ready; echo >ready; wait");
    let plugin = script.plugin();
    let asked = tokio::spawn(async move { plugin.get().await });
    // The script opens the pipe once its child is there; opening it waits for that.
    let ready = script.path("ready");
    while !ready.exists() {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || std::fs::read(ready).unwrap()).await.unwrap();
    tokio::time::pause();
    let refusal = asked.await.unwrap().unwrap_err();
    assert!(refusal.fault.what.contains("within 20s"), "{}", refusal.fault);
    assert_eq!((refusal.fault.cause, refusal.login), (Cause::Login, Login::Plugin));
    for name in ["child", "own"] {
        let pid = std::fs::read_to_string(script.path(name)).unwrap();
        while alive(pid.trim()) {
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn what_plugins_print_is_never_shown() {
    let mut script = Script::new(
        "echo canary-of-stdout-1; echo \"failed: canary-of-stdout-1 $OWN eyJhbGciOiJ9.x.y\" >&2; exit 1",
    );
    script.spec.env = vec![("OWN".to_owned(), "canary of env".to_owned())];
    let refusal = script.plugin().get().await.unwrap_err();
    assert!(refusal.fault.what.starts_with("sh failed (1): failed: …"), "{}", refusal.fault);
    let shown = format!("{refusal:?} {} {:?}", refusal.fault, script.plugin());
    assert!(!shown.contains("canary") && !shown.contains("eyJ"), "{shown}");

    for (body, says) in [
        ("echo canary", "printed no ExecCredential"),
        ("head -c 3000000 /dev/zero", "more than a credential can be"),
        ("kill -9 $$", "failed (a signal)"),
        ("head -c 3000000 /dev/zero >&2; echo please log in >&2; exit 1", "please log in"),
    ] {
        let refusal = Script::new(body).plugin().get().await.unwrap_err();
        assert!(refusal.fault.what.contains(says), "{} / {says}", refusal.fault);
        assert!(!format!("{refusal:?}").contains("canary"));
        assert_eq!(refusal.login == Login::Wanted, says == "please log in");
    }
}

#[tokio::test]
async fn missing_commands_and_persons_are_told() {
    let mut script = Script::new("");
    script.spec.command = "quarterdeck-no-such-plugin".to_owned();
    let refusal = script.plugin().get().await.unwrap_err();
    assert!(refusal.fault.what.contains("is not installed"), "{}", refusal.fault);
    assert_eq!(refusal.login, Login::Plugin);
    script.spec.install_hint = "brew install it".to_owned();
    assert_eq!(script.plugin().get().await.unwrap_err().fault.next, "brew install it");
    script.spec.command = "/nonexistent/login".to_owned();
    let refusal = script.plugin().get().await.unwrap_err();
    assert!(
        refusal.fault.what.contains("there is no credential plugin /nonexistent/login"),
        "{}",
        refusal.fault
    );
    script.spec.needs_person = true;
    assert_eq!(script.plugin().get().await.unwrap_err().login, Login::Wanted);
    assert_eq!(script.runs(), 0);
}

#[tokio::test]
async fn plugins_make_certificates_and_may_give_expired_ones() {
    let script = Script::new(&format!(
        "printf '%s' '{}'",
        answer(r#""clientCertificateData":"c","clientKeyData":"k""#)
    ));
    let credential = script.plugin().get().await.unwrap();
    assert!(credential.authorization.is_none() && credential.identity.is_some());
    let script = counting(&format!(r#","expirationTimestamp":"{}""#, in_seconds(-5)));
    let refusal = script.plugin().get().await.unwrap_err();
    assert_eq!(refusal.login, Login::Wanted);
    assert!(refusal.fault.what.contains("has expired"), "{}", refusal.fault);
}

#[tokio::test]
async fn no_more_than_four_run_at_once() {
    // Each says that it runs, and waits until it may end.
    let body = format!("mkfifo go; echo >running; read x <go; printf '%s' '{}'", answer(r#""token":"t""#));
    let scripts: Vec<Script> = (0..6).map(|_| Script::new(&body)).collect();
    let plugins = Plugins::default();
    // However long this machine takes to start them.
    tokio::time::pause();
    let asked: Vec<_> = scripts
        .iter()
        .map(|script| plugins.plugin(&script.spec))
        .map(|plugin| tokio::spawn(async move { plugin.get().await }))
        .collect();
    let running = || scripts.iter().filter(|s| s.path("running").exists()).count();
    while running() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(plugins.slots.available_permits(), 0);
    assert_eq!(running(), 4);
    tokio::time::resume();
    let mut let_go = vec![false; scripts.len()];
    while let_go.contains(&false) {
        for (script, done) in scripts.iter().zip(&mut let_go) {
            if !*done && script.path("running").exists() {
                script_may_end(script).await;
                *done = true;
            }
        }
        tokio::task::yield_now().await;
    }
    assert!(join_all(asked).await.into_iter().all(|got| got.unwrap().is_ok()));
}

#[tokio::test]
async fn plugins_that_hang_keep_no_other_from_running() {
    let hanging: Vec<Script> = (0..4).map(|_| Script::new("mkfifo go; echo >running; read x <go")).collect();
    let (plugins, healthy) = (Plugins::default(), counting(""));
    let ask = |script: &Script| {
        let plugin = plugins.plugin(&script.spec);
        tokio::spawn(async move { plugin.get().await })
    };
    tokio::time::pause();
    let hung: Vec<_> = hanging.iter().map(ask).collect();
    while !hanging.iter().all(|s| s.path("running").exists()) {
        tokio::task::yield_now().await;
    }
    let asked = ask(&healthy);
    tokio::task::yield_now().await;
    assert_eq!(healthy.runs(), 0, "all places are taken");
    tokio::time::advance(PLACE_LIMIT).await;
    tokio::time::resume();
    assert_eq!(token(&asked.await.unwrap().unwrap()), "Bearer t1");
    assert!(hung.iter().all(|hung| !hung.is_finished()), "they have their own time");
}

#[tokio::test(start_paused = true)]
async fn a_plugin_whose_turn_does_not_come_says_so_in_time() {
    let (script, plugins) = (counting(""), Plugins::default());
    let taken = Arc::clone(&plugins.slots).acquire_many_owned(4).await.unwrap();
    let before = Instant::now();
    let refusal = plugins.plugin(&script.spec).get().await.unwrap_err();
    assert_eq!(before.elapsed(), QUEUE_LIMIT);
    assert!(refusal.fault.what.contains("did not get its turn within 20s"), "{}", refusal.fault);
    tokio::time::resume();
    drop(taken);
    plugins.plugin(&script.spec).try_again();
    assert_eq!(token(&plugins.plugin(&script.spec).get().await.unwrap()), "Bearer t1");
}

async fn script_may_end(script: &Script) {
    let go = script.path("go");
    tokio::task::spawn_blocking(move || std::fs::write(go, "\n").unwrap()).await.unwrap();
}

/// A script that asks for a login in a browser, and gives a token once `logged-in` is there.
fn asking(rest: &str) -> Script {
    let asks = "To sign in, use a web browser to open the page https://id.example/device and enter the code H7K2-PQ9D to authenticate.";
    let answer = answer(r#""token":"t""#);
    Script::new(&format!("mkfifo go; echo '{asks}' >&2; read x <go; {rest} printf '%s' '{answer}'"))
}

async fn prompted(plugin: &Plugin) -> Prompt {
    let mut prompts = plugin.prompts();
    prompts.wait_for(Option::is_some).await.unwrap().clone().unwrap()
}

#[tokio::test]
async fn a_plugin_that_asks_a_person_has_time_and_takes_no_place() {
    let script = asking("");
    let plugins = Plugins::default();
    let plugin = plugins.plugin(&script.spec);
    let asked = tokio::spawn({
        let plugin = Arc::clone(&plugin);
        async move { plugin.get().await }
    });
    let prompt = prompted(&plugin).await;
    assert_eq!((prompt.url.as_str(), prompt.code.as_str()), ("https://id.example/device", "H7K2-PQ9D"));
    let left = prompt.until.millis() - wall_clock().millis();
    assert!((840_000..=900_000).contains(&left), "{left}");
    assert_eq!(plugins.slots.available_permits(), 4, "others run meanwhile");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(800)).await;
    tokio::time::resume();
    assert!(!asked.is_finished());
    script_may_end(&script).await;
    assert_eq!(token(&asked.await.unwrap().unwrap()), "Bearer t");
    assert_eq!(*plugin.prompts().borrow(), None);
}

#[tokio::test]
async fn a_login_that_nobody_makes_ends_and_can_be_asked_for_again() {
    let script = asking("");
    let plugin = script.plugin();
    let asked = tokio::spawn({
        let plugin = Arc::clone(&plugin);
        async move { plugin.get().await }
    });
    prompted(&plugin).await;
    tokio::time::pause();
    let refusal = asked.await.unwrap().unwrap_err();
    assert_eq!(refusal.login, Login::Wanted);
    assert!(refusal.fault.what.contains("waited 15 min for a login"), "{}", refusal.fault);
    assert_eq!(*plugin.prompts().borrow(), None);
}

#[tokio::test]
async fn a_plugin_has_no_terminal() {
    let body = "if (: </dev/tty) 2>/dev/null; then echo one >terminal; else echo none >terminal; fi";
    let script = Script::new(&format!("{body}; printf '%s' '{}'", answer(r#""token":"t""#)));
    script.plugin().get().await.unwrap();
    assert_eq!(std::fs::read_to_string(script.path("terminal")).unwrap(), "none\n");
}

#[tokio::test]
async fn a_browser_that_holds_the_output_open_keeps_nobody_waiting() {
    let script = Script::new(&format!("sleep 1000 >/dev/null & printf '%s' '{}'", answer(r#""token":"t""#)));
    assert_eq!(token(&script.plugin().get().await.unwrap()), "Bearer t");
}

/// Plugins with a kuberc of this text, and with these trusted.
fn under(kuberc: &str, trusted: &[&str]) -> (tempfile::TempDir, Plugins) {
    let home = tempfile::tempdir().unwrap();
    let text = format!("apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n{kuberc}\n");
    std::fs::write(home.path().join("kuberc"), text).unwrap();
    let path = std::env::var("PATH").unwrap();
    let kuberc = home.path().join("kuberc").display().to_string();
    let env = [("KUBERC".to_owned(), kuberc), ("PATH".to_owned(), path)].into();
    let sources = crate::cluster::Sources { env, ..Default::default() };
    let plugins = Plugins::new(&sources, trusted.iter().map(|t| (*t).to_owned()).collect());
    (home, plugins)
}

#[tokio::test]
async fn kuberc_decides_which_plugins_run() {
    let script = counting("");
    let list = |command: &str| {
        format!("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{{command: {command}}}]")
    };
    for (policy, says) in [
        ("credentialPluginPolicy: DenyAll".to_owned(), "credentialPluginPolicy: DenyAll"),
        (list("kubelogin"), "/bin/sh is not in the credentialPluginAllowlist"),
        (list("/usr/local/bin/sh"), "is not in the credentialPluginAllowlist"),
        ("credentialPluginPolicy: Some".to_owned(), "expected AllowAll, DenyAll or Allowlist"),
    ] {
        let (_home, plugins) = under(&policy, &[]);
        let refusal = plugins.plugin(&script.spec).get().await.unwrap_err();
        assert_eq!((refusal.fault.cause, &refusal.login), (Cause::Login, &Login::Plugin));
        assert!(refusal.fault.what.contains(says), "{}", refusal.fault);
        assert!(!refusal.fault.next.is_empty());
        assert_eq!(plugins.problem().is_some(), policy.contains("Some"));
    }
    assert_eq!(script.runs(), 0);
    let (home, plugins) = under(&list("/bin/sh"), &[]);
    plugins.plugin(&script.spec).get().await.unwrap();
    let by_name = PluginSpec { command: "sh".to_owned(), ..script.spec.clone() };
    let (_home, by_name_too) = under(&list("sh"), &[]);
    by_name_too.plugin(&by_name).get().await.unwrap();
    assert_eq!(script.runs(), 2);
    // What is changed there holds at the next run.
    std::fs::write(
        home.path().join("kuberc"),
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n",
    )
    .unwrap();
    let other = PluginSpec { env: vec![("A".to_owned(), "1".to_owned())], ..script.spec.clone() };
    assert!(plugins.plugin(&other).get().await.is_err());
}

#[tokio::test]
async fn a_plugin_that_anybody_could_have_put_there_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    let path = open.join("login");
    std::fs::write(&path, format!("#!/bin/sh\nprintf '%s' '{}'\n", answer(r#""token":"t""#))).unwrap();
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&path, 0o755);
    mode(&open, 0o777);
    let spec = PluginSpec { command: path.display().to_string(), args: Vec::new(), ..Script::new("").spec };
    let (_home, plugins) = under("", &[]);
    let refusal = plugins.plugin(&spec).get().await.unwrap_err();
    assert!(refusal.fault.what.contains("anybody on this machine can write to"), "{}", refusal.fault);
    assert!(refusal.fault.next.contains("trusted-plugins = [\""), "{}", refusal.fault);
    for trusted in ["login", path.to_str().unwrap()] {
        let (_home, plugins) = under("", &[trusted]);
        plugins.plugin(&spec).get().await.unwrap();
    }
    mode(&open, 0o755);
    plugins.plugin(&spec).try_again();
    plugins.plugin(&spec).get().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_credential_ends_by_whichever_clock_is_there_first() {
    let (now, until) = (Instant::now(), Time::from_seconds(1_800_000_000));
    let credential = Credential { until: Some(until), ..Credential::default() };
    let held = Held { credential, renew_at: None, ends_at: Some(now + Duration::from_secs(600)) };
    let ago = |seconds| until - Span::from_seconds(seconds);
    assert!(!held.ended(now, ago(600)));
    assert!(held.ended(now + Duration::from_secs(600), ago(600)), "the wall clock was set back");
    assert!(held.ended(now, until), "the machine slept");
    let endless = Held { credential: Credential::default(), renew_at: None, ends_at: None };
    assert!(!endless.ended(now, until));
}
