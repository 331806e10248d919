//! Ports that nobody else uses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ephemeral range, so that no outgoing connection takes one.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// The next one to try, from where this process began.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback address that nobody listens on. Each is given out once in a process, and processes that run side by side
/// begin at different places, since listeners that share a port (`SO_REUSEPORT`) would not notice each other.
pub fn free_address() -> SocketAddr {
    let begin = std::process::id().wrapping_mul(7_919) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((begin + step) % u32::from(COUNT)).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
