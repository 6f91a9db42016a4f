//! Kubeconfigs that lead another way.

use color_eyre::eyre::{Result, eyre};

/// What a server on this machine is addressed by.
const LOOPBACK: &str = "https://127.0.0.1:";

/// The text of a kubeconfig with another port in place of that of each server on 127.0.0.1.
///
/// # Errors
/// There is no such server, or no other port.
pub fn redirected(kubeconfig: &str, mut to: impl FnMut(u16) -> Result<u16>) -> Result<String> {
    let mut parts = kubeconfig.split(LOOPBACK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut ports = std::collections::BTreeMap::new();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (port, rest) = part.split_at(end);
        let port: u16 = port.parse().map_err(|_| eyre!("{LOOPBACK}{port} is no address"))?;
        let by = match ports.get(&port) {
            Some(by) => *by,
            None => *ports.entry(port).or_insert(to(port)?),
        };
        out += &format!("{LOOPBACK}{by}{rest}");
    }
    if ports.is_empty() { Err(eyre!("no server on 127.0.0.1 in the kubeconfig")) } else { Ok(out) }
}
