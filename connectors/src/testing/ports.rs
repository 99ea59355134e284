//! Addresses on the loopback for servers that tests start, and start again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Ports of tests. The system gives none of them to a connection (on Linux those begin at 32,768), and `scripts/kafka` and
/// `scripts/registry` use only higher ones. So a port that is free now is still free when the server of a test listens on it.
const PORTS: Range<u16> = 10_000..20_000;

/// How many ports apart two processes with successive ids begin to search.
const APART: u32 = 97;

/// The port where the next search begins.
static NEXT: Mutex<Option<u16>> = Mutex::new(None);

/// Addresses on the loopback on which nothing listens, with consecutive ports. No other call in this process gives them again
/// before it has tried all others.
pub fn free_addresses(count: u16) -> io::Result<Vec<SocketAddr>> {
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut first = next.unwrap_or_else(beginning);
    for _ in PORTS {
        if first + count > PORTS.end {
            first = PORTS.start;
        }
        let addresses: Vec<_> = (first..first + count).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).collect();
        if addresses.iter().all(|address| TcpListener::bind(address).is_ok()) {
            *next = Some(first + count);
            return Ok(addresses);
        }
        first += 1;
    }
    Err(io::Error::other(format!("no {count} consecutive ports from {} to {} are free", PORTS.start, PORTS.end - 1)))
}

/// Where the first search of this process begins: tests in other processes begin elsewhere.
fn beginning() -> u16 {
    let offset = std::process::id().wrapping_mul(APART) % u32::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(offset).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_once_and_not_while_something_listens() -> io::Result<()> {
        let given = free_addresses(1)?;
        let after = given.iter().map(|address| SocketAddr::from((Ipv4Addr::LOCALHOST, address.port() + 2)));
        let _listening: Vec<_> = after.map(TcpListener::bind).collect();
        let pair = free_addresses(2)?;
        let ports: Vec<_> = given.iter().chain(&pair).map(SocketAddr::port).collect();
        assert!(matches!(*ports, [one, first, second] if second == first + 1 && one != first && one != second), "{ports:?}");
        assert!(ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
        assert!(pair.iter().all(|address| TcpListener::bind(address).is_ok()), "{pair:?}");
        Ok(())
    }
}
