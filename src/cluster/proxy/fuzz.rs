//! `NO_PROXY` against mutated examples.

use super::no_proxy::names;
use crate::cluster::mutate;

#[test]
fn lists_of_exceptions() {
    let examples = [
        "localhost,127.0.0.1,.corp.example,10.0.0.0/8,[::1]:6443,*.svc:443",
        "*",
        "fd00::/8,fe80::1%eth0,api.corp.example:6443,,",
    ];
    let hosts = ["api.corp.example", "10.1.2.3", "[::1]", "x", "", ".", "fd00::7"];
    mutate::run("NO_PROXY", 10_000, &examples.map(|text| text.as_bytes().to_vec()), |bytes, chance| {
        let list = String::from_utf8_lossy(bytes);
        let host = hosts[chance.below(hosts.len())];
        let named = names(&list, host, 6443);
        // Each entry stands for itself.
        assert_eq!(named, list.split(',').any(|entry| names(entry, host, 6443)), "{list:?} {host}");
        assert!(names(&format!("{list},*"), host, 6443));
    });
}
