//! Through a proxy: HTTP CONNECT, or SOCKS5 with names resolved at the proxy.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::dial::{Stream, tcp};
use super::tls;
use crate::cluster::faults;
use crate::model::{Cause, Fault};

/// A stream to a server that a proxy leads to.
pub(super) async fn through(proxy: &Intercept, host: &str, port: u16) -> Result<Box<dyn Stream>, Fault> {
    let uri = proxy.uri();
    let (default_port, https) = match uri.scheme_str() {
        Some("https") => (443, true),
        Some("http") => (80, false),
        _ => (1080, false),
    };
    let proxy_host = uri.host().unwrap_or_default();
    let proxy_port = uri.port_u16().unwrap_or(default_port);
    let shown = format!("proxy {proxy_host}:{proxy_port}");
    let stream = tcp(None, proxy_host, proxy_port, &shown).await.map_err(of_proxy)?;
    match uri.scheme_str() {
        Some("http" | "https") if https => {
            let config = Arc::new(tls::towards_proxy(&shown)?);
            let name = tls::server_name(proxy_host, &shown)?;
            let greeted = TlsConnector::from(config).connect(name, stream).await;
            let stream = greeted.map_err(|error| of_proxy(faults::tls(&error, &shown)))?;
            connect(Box::new(stream), proxy, host, port, &shown).await
        }
        Some("http") => connect(Box::new(stream), proxy, host, port, &shown).await,
        _ => socks5(Box::new(stream), proxy, host, port, &shown).await,
    }
}

/// What is wrong is the proxy, whatever the reason.
fn of_proxy(fault: Fault) -> Fault {
    Fault::new(Cause::Proxy, &*fault.what, "check proxy-url in the kubeconfig or HTTPS_PROXY")
}

async fn connect(
    stream: Box<dyn Stream>,
    proxy: &Intercept,
    host: &str,
    port: u16,
    shown: &str,
) -> Result<Box<dyn Stream>, Fault> {
    let broken = |error: hyper::Error| of_proxy(faults::broken(&error, shown, None));
    let (mut sender, line) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(line.with_upgrades());
    let target = format!("{host}:{port}");
    let mut request = Request::builder().method(Method::CONNECT).uri(&target).header(header::HOST, &target);
    if let Some(login) = proxy.basic_auth() {
        request = request.header(header::PROXY_AUTHORIZATION, login);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|_| refused(shown, &target, "it is no address"))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    match answer.status() {
        status if status.is_success() => {
            let upgraded = hyper::upgrade::on(answer).await.map_err(broken)?;
            Ok(Box::new(TokioIo::new(upgraded)))
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(Fault::new(
            Cause::Proxy,
            format!("{shown} wants a login"),
            "put user and password into proxy-url or HTTPS_PROXY: http://user:password@proxy:port",
        )),
        status => Err(refused(shown, &target, &status.to_string())),
    }
}

async fn socks5(
    stream: Box<dyn Stream>,
    proxy: &Intercept,
    host: &str,
    port: u16,
    shown: &str,
) -> Result<Box<dyn Stream>, Fault> {
    let target = format!("{host}:{port}");
    let uri: Uri =
        format!("https://{target}").parse().map_err(|_| refused(shown, &target, "it is no address"))?;
    let mut stream = Some(TokioIo::new(stream));
    let once = tower::service_fn(move |_proxy: Uri| {
        let stream = stream.take();
        async move { stream.ok_or_else(|| std::io::Error::other("the stream is used")) }
    });
    let mut socks = SocksV5::new(proxy.uri().clone(), once);
    if let Some((user, password)) = proxy.raw_auth() {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    match socks.call(uri).await {
        Ok(stream) => Ok(Box::new(stream.into_inner())),
        Err(error) => Err(refused(shown, &target, &error.to_string())),
    }
}

fn refused(shown: &str, target: &str, why: &str) -> Fault {
    let what = format!("{shown} does not lead to {target}: {why}");
    Fault::new(Cause::Proxy, what, "check proxy-url in the kubeconfig or HTTPS_PROXY, and NO_PROXY")
}

#[cfg(test)]
mod tests;
