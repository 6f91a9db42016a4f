//! One request to an endpoint on loopback, over plain HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use color_eyre::eyre::{Result, eyre};

/// The body of the answer.
///
/// # Errors
/// Nobody answers, or not with a success.
pub fn ask(address: &str, bearer: &str, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(eyre!("{method} {path} of {address}: {status} {body}"));
    }
    Ok(body.to_owned())
}
