//! Errors of the network and of servers, in words, with the server's name and what to do next.

use std::error::Error;
use std::io::ErrorKind;

use rustls::{AlertDescription, CertificateError};

use super::response::StatusMessage;
use crate::model::{Cause, Fault};

const NOT_REACHED: &str = "check the address, the VPN and the firewall";

/// The chain of sources of an error holds one of this type.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An `io::Error` made from another error shows that one's source, not that one.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// The name did not resolve.
pub(super) fn no_such_host(host: &str, error: &std::io::Error) -> Fault {
    Fault::new(Cause::Dns, format!("{host} does not resolve: {error}"), "check the address, DNS and the VPN")
}

/// No TCP connection.
pub(super) fn not_connected(server: &str, error: &std::io::Error) -> Fault {
    match error.kind() {
        ErrorKind::ConnectionRefused => Fault::new(
            Cause::Refused,
            format!("{server} refuses connections: nothing listens there"),
            NOT_REACHED,
        ),
        ErrorKind::TimedOut => not_connected_in_time(server),
        _ => Fault::new(Cause::Closed, format!("no connection to {server}: {error}"), NOT_REACHED),
    }
}

/// No TCP connection, or no TLS handshake, within the limit.
pub(super) fn not_connected_in_time(server: &str) -> Fault {
    Fault::new(Cause::Timeout, format!("no connection to {server} within 10s"), NOT_REACHED)
}

/// The connection was ended here before it was made.
pub(super) fn given_up(server: &str) -> Fault {
    Fault::new(Cause::Closed, format!("the connection to {server} was given up while it was being made"), "")
}

/// No answer within the limit.
pub(super) fn no_answer(server: &str, limit: std::time::Duration) -> Fault {
    Fault::new(Cause::Timeout, format!("{server} gave no answer within {}s", limit.as_secs()), "")
}

/// The head of an answer came, and its body not.
pub(super) fn stalled(server: &str, limit: std::time::Duration) -> Fault {
    let what = format!("{server} began an answer and did not go on with it for {}s", limit.as_secs());
    Fault::new(Cause::Timeout, what, "")
}

/// What the socket of a connection saw at its end: an error, or that the other side ended it.
pub(super) fn ended(error: Option<&std::io::Error>, server: &str) -> Fault {
    let Some(error) = error.filter(|error| error.kind() != ErrorKind::UnexpectedEof) else {
        return Fault::new(Cause::Closed, format!("{server} ended the connection"), "");
    };
    if find::<rustls::Error>(error).is_some() {
        return tls(error, server);
    }
    if error.kind() == ErrorKind::TimedOut {
        return Fault::new(Cause::Timeout, format!("{server} no longer acknowledges what is sent"), "");
    }
    Fault::new(Cause::Closed, format!("the connection to {server} ended: {error}"), "")
}

/// A request or a body broke off; `ended` is what the socket saw, if it saw anything.
pub(super) fn broken(error: &hyper::Error, server: &str, ended: Option<&Fault>) -> Fault {
    if let Some(fault) = ended {
        return fault.clone();
    }
    let gone = find::<h2::Error>(error).is_some_and(h2::Error::is_io);
    if gone || error.is_timeout() {
        return Fault::new(Cause::Timeout, format!("{server} no longer answers pings"), "");
    }
    if error.is_parse() {
        let what = format!("{server} does not speak HTTP as expected: {error}");
        return Fault::new(Cause::Garbled, what, "check the address and the port");
    }
    Fault::new(Cause::Closed, format!("{server} broke off: {}", root(error)), "")
}

/// The innermost words of an error: the outer ones only say "connection error".
fn root(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The TLS handshake failed.
pub(super) fn tls(error: &(dyn Error + 'static), server: &str) -> Fault {
    let Some(reason) = find::<rustls::Error>(error) else {
        let what = format!("{server} ended the connection during the TLS handshake: {}", root(error));
        return Fault::new(
            Cause::Tls,
            what,
            "check that this port speaks HTTPS and that no firewall cuts it",
        );
    };
    let (why, next) = tls_reason(reason);
    Fault::new(Cause::Tls, format!("{server}: {why}"), next)
}

fn tls_reason(error: &rustls::Error) -> (String, &'static str) {
    const CLOCK: &str = "renew the server's certificate, or check this machine's clock";
    const KUBECONFIG: &str = "fetch the kubeconfig again";
    let said = |why: &str, next| (why.to_owned(), next);
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => said(
                "its certificate is signed by an unknown CA",
                "check certificate-authority in the kubeconfig, or fetch the kubeconfig again",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                said("its certificate has expired", CLOCK)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                said("its certificate is not valid yet", CLOCK)
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => said(
                "its certificate is for another name",
                "check the server's address, or set tls-server-name in the kubeconfig",
            ),
            CertificateError::Revoked => said("its certificate is revoked", KUBECONFIG),
            other => (format!("its certificate is not accepted: {other}"), KUBECONFIG),
        },
        rustls::Error::InvalidMessage(_) => said(
            "it does not answer with TLS",
            "is it a plain HTTP server, or a proxy? check the address and the port",
        ),
        rustls::Error::AlertReceived(alert) => alert_reason(*alert),
        rustls::Error::PeerIncompatible(why) => {
            (format!("no common TLS version or cipher: {why:?}"), "the server is too old for TLS 1.2")
        }
        other => (format!("the TLS handshake failed: {other}"), ""),
    }
}

fn alert_reason(alert: AlertDescription) -> (String, &'static str) {
    let login = "log in again, or fetch the kubeconfig again";
    match alert {
        AlertDescription::CertificateRequired => ("it wants a client certificate".to_owned(), login),
        AlertDescription::CertificateExpired => ("our client certificate has expired".to_owned(), login),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => {
            (format!("it refuses our client certificate ({alert:?})"), login)
        }
        other => (format!("it ended the TLS handshake ({other:?})"), ""),
    }
}

/// A page for people came where an API answer belongs.
pub(super) fn web_page(server: &str) -> Fault {
    let what = format!("a web page came in place of an answer from {server}");
    Fault::new(Cause::Proxy, what, "a proxy or a login portal stands in between: open its page in a browser")
}

/// The server, or what stands before it, answered with an error.
pub(super) fn refused_by_server(
    status: u16,
    server: &str,
    doing: &str,
    said: &StatusMessage,
    web_page: bool,
) -> Fault {
    let (cause, next) = match status {
        300..=399 => (Cause::Proxy, "it leads elsewhere: a proxy or a login portal stands in between"),
        401 => (Cause::Unauthorized, "log in again"),
        403 => (Cause::Forbidden, "ask for the permission, or leave it out"),
        404 | 405 => (Cause::NotFound, ""),
        407 => (Cause::Proxy, "give the proxy's user and password in proxy-url or HTTPS_PROXY"),
        410 => (Cause::Expired, ""),
        429 => (Cause::Busy, ""),
        _ if web_page => (Cause::Proxy, "a proxy or a login portal stands in between"),
        500.. => (Cause::Server, ""),
        _ => (Cause::Garbled, ""),
    };
    let message: &str = if said.message.is_empty() { "no reason given" } else { &said.message };
    Fault::new(cause, format!("{server} refused to {doing}: {status} {message}"), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;

    #[test]
    fn tls_errors_are_said_in_words() {
        let fault = |error: rustls::Error| {
            let io = std::io::Error::new(ErrorKind::InvalidData, error);
            let fault = tls(&io, "api:6443");
            assert_eq!(fault.cause, Cause::Tls);
            fault.what.to_string()
        };
        let certificate = rustls::Error::InvalidCertificate;
        assert!(fault(certificate(CertificateError::UnknownIssuer)).contains("unknown CA"));
        assert!(fault(certificate(CertificateError::Expired)).contains("has expired"));
        assert!(fault(certificate(CertificateError::NotValidForName)).contains("another name"));
        assert!(
            fault(rustls::Error::AlertReceived(AlertDescription::CertificateRequired))
                .contains("wants a client")
        );
        assert!(fault(rustls::Error::DecryptError).starts_with("api:6443"));
    }

    #[test]
    fn statuses_have_causes() {
        let said = StatusMessage { message: Text::clean("pods is forbidden"), reason: Text::EMPTY };
        let cause = |status| refused_by_server(status, "api", "list pods", &said, false).cause;
        assert_eq!(cause(401), Cause::Unauthorized);
        assert_eq!(cause(403), Cause::Forbidden);
        assert_eq!(cause(429), Cause::Busy);
        assert_eq!(cause(503), Cause::Server);
        assert_eq!(refused_by_server(503, "api", "list", &said, true).cause, Cause::Proxy);
        let fault = refused_by_server(403, "api", "list pods", &said, false);
        assert_eq!(fault.what, "api refused to list pods: 403 pods is forbidden");
    }
}
