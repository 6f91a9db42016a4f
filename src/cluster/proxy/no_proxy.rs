//! `NO_PROXY`: servers that are reached without a proxy.
//!
//! The rules are those of Go's `golang.org/x/net/http/httpproxy`, which kubectl follows: entries
//! are separated by commas, empty ones mean nothing; `*` is every server; an address or a network
//! in CIDR form; `corp.example` is that host and all below it, `.corp.example` and
//! `*.corp.example` only those below it; each may end in `:port`.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether a host is this machine, which is never reached through a proxy of the environment.
pub(super) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|ip| ip.is_loopback())
}

/// Whether the list names this server.
pub(super) fn names(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.split(',').any(|entry| fits(&entry.trim().to_ascii_lowercase(), &host, port))
}

fn fits(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let ip = address(host);
    if let Ok(network) = entry.parse::<IpNet>() {
        return ip.is_some_and(|ip| network.contains(&ip));
    }
    let (name, only) = split_port(entry);
    if name.is_empty() || only.is_some_and(|only| only != port) {
        return false;
    }
    if let Some(wanted) = address(name) {
        return ip == Some(wanted);
    }
    // `*corp.example` is a host of that name, which none is.
    let below = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match below.strip_prefix('.') {
        Some(_) => host.len() > below.len() && host.ends_with(below),
        None => {
            host == below
                || host.strip_suffix(below).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        }
    }
}

/// An address, with or without the brackets of a URL.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// `host:port` apart; a bare IPv6 address has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if address(entry).is_some() {
        return (entry, None);
    }
    match entry.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => (name, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_servers() {
        for (list, host, port, named) in [
            ("", "a.example", 443, false),
            ("*", "a.example", 443, true),
            ("corp.example", "corp.example", 443, true),
            ("corp.example", "api.corp.example", 6443, true),
            ("corp.example", "notcorp.example", 443, false),
            (".corp.example", "corp.example", 443, false),
            (".corp.example", "api.corp.example", 443, true),
            ("*.corp.example", "api.corp.example", 443, true),
            ("*.corp.example", "corp.example", 443, false),
            ("*corp.example", "corp.example", 443, false),
            ("*corp.example", "api.corp.example", 443, false),
            ("*corp.example", "notcorp.example", 443, false),
            ("CORP.example", "API.corp.EXAMPLE", 443, true),
            ("corp.example.", "x", 443, false),
            ("api.corp.example:6443", "api.corp.example", 6443, true),
            ("api.corp.example:6443", "api.corp.example", 443, false),
            ("10.0.0.0/8", "10.1.2.3", 6443, true),
            ("10.0.0.0/8", "11.1.2.3", 6443, false),
            ("10.0.0.0/8", "ten.example", 6443, false),
            ("192.168.1.7", "192.168.1.7", 443, true),
            ("192.168.1.7:6443", "192.168.1.7", 6443, true),
            ("192.168.1.7:6443", "192.168.1.7", 443, false),
            ("fd00::/8", "[fd00::1]", 443, true),
            ("[fd00::1]:6443", "[fd00::1]", 6443, true),
            ("fd00::1", "[fd00::1]", 443, true),
            ("other, corp.example ,", "api.corp.example", 443, true),
            (",,", "api.corp.example", 443, false),
            (".", "api.corp.example", 443, false),
        ] {
            assert_eq!(names(list, host, port), named, "{list} {host}:{port}");
        }
    }

    #[test]
    fn this_machine_is_local() {
        assert!(is_local("localhost"));
        assert!(is_local("127.8.9.1"));
        assert!(is_local("[::1]"));
        assert!(!is_local("10.0.0.1"));
        assert!(!is_local("localhost.example"));
    }
}
