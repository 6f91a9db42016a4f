//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use super::error::{Error, Result};

/// Below the range the system takes for outgoing connections. A port inside that range can be lost to any connection
/// made between choosing and binding it – and while an API server is stopped, a client that keeps dialling its port can
/// even be connected to itself and keep the server from coming back.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that nothing listens on and that this process has not handed out before.
///
/// # Errors
/// When every port of the range is taken.
pub(crate) fn free() -> Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Processes start at different places, so that test runs side by side do not race for the same port.
    let next = NEXT.get_or_init(|| AtomicU16::new(spread(std::process::id())));
    for _ in 0..COUNT {
        let port = FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new(format!("no free port between {FIRST} and {}", FIRST + COUNT)))
}

/// Neighbouring process ids to places far apart.
fn spread(pid: u32) -> u16 {
    let place = pid.wrapping_mul(0x9E37_79B1) >> 16;
    u16::try_from(place % u32::from(COUNT)).unwrap_or_default()
}
