//! Which proxy leads to a server.
//!
//! Like kubectl: `proxy-url` of the kubeconfig rules over everything, `NO_PROXY` included;
//! without it `HTTPS_PROXY` (`HTTP_PROXY` for an http:// server) unless `NO_PROXY` names the
//! server or it is this machine.

#[cfg(test)]
mod fuzz;
mod no_proxy;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// The proxy towards a server, with its login if it has one.
///
/// # Errors
/// In words, without the URL, which may hold a password.
pub(super) fn towards<'e>(
    server: &Uri,
    proxy_url: Option<&str>,
    var: impl Fn(&str) -> Option<&'e str>,
) -> Result<Option<Intercept>, String> {
    if let Some(url) = proxy_url.filter(|url| !url.is_empty()) {
        return parse(url, server).map(Some).ok_or_else(|| unsupported("proxy-url"));
    }
    let tls = server.scheme_str() != Some("http");
    let names = if tls { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some((name, url)) = names.into_iter().find_map(|name| Some((name, var(name)?))) else {
        return Ok(None);
    };
    let except = ["NO_PROXY", "no_proxy"].into_iter().find_map(var).unwrap_or_default();
    let host = server.host().unwrap_or_default();
    let port = server.port_u16().unwrap_or(if tls { 443 } else { 80 });
    if no_proxy::is_local(host) || no_proxy::names(except, host, port) {
        return Ok(None);
    }
    parse(url, server).map(Some).ok_or_else(|| unsupported(name))
}

fn unsupported(name: &str) -> String {
    format!("{name} is no http://, https:// or socks5:// address")
}

fn parse(url: &str, server: &Uri) -> Option<Intercept> {
    let intercept = Matcher::builder().all(url.to_owned()).build().intercept(server)?;
    matches!(intercept.uri().scheme_str(), Some("http" | "https" | "socks5" | "socks5h")).then_some(intercept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(
        server: &str,
        url: Option<&str>,
        env: &[(&str, &'static str)],
    ) -> Result<Option<String>, String> {
        let var = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        let found = towards(&server.parse().unwrap(), url, var)?;
        Ok(found.map(|i| i.uri().to_string()))
    }

    #[test]
    fn the_kubeconfig_rules_over_the_environment() {
        let env = [("HTTPS_PROXY", "http://env:3128"), ("NO_PROXY", "corp.example,")];
        let api = "https://api.corp.example:6443";
        assert_eq!(proxy(api, None, &env), Ok(None));
        assert_eq!(proxy(api, Some("socks5://own:1080"), &env), Ok(Some("socks5://own:1080/".into())));
        assert_eq!(proxy("https://api.other", None, &env), Ok(Some("http://env:3128/".into())));
        assert_eq!(proxy("http://api.other", None, &env), Ok(None));
        assert_eq!(proxy("https://127.0.0.1:6443", None, &env), Ok(None));
        assert_eq!(proxy("https://[::1]:6443", None, &env), Ok(None));
        assert_eq!(proxy(api, Some("ftp://u:hunter2@x"), &[]), Err(unsupported("proxy-url")));
    }

    #[test]
    fn logins_of_proxies_do_not_print() {
        let found =
            towards(&"https://a".parse().unwrap(), Some("http://u:hunter2@p:3128"), |_| None).unwrap();
        let found = found.unwrap();
        assert!(found.basic_auth().is_some());
        assert!(!format!("{found:?} {}", found.uri()).contains("hunter2"));
    }
}
