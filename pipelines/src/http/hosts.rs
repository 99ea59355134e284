//! Names by which a browser may ask for the console.
//!
//! A page of another site can make its own name resolve to this machine (DNS rebinding), and would then be of the same origin as the
//! console. Its requests still carry the other site's name in `Host`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Names by which a browser may ask for the console.
#[derive(Debug)]
pub(super) struct Hosts {
    names: BTreeSet<String>,
    /// Whether the server listens on all addresses: then any address may be asked for. A name is never taken for one.
    takes_addresses: bool,
}

impl Hosts {
    /// The names of this machine's loopback, the configured address, and what is configured besides.
    pub(super) fn new(configured: &str, bound: SocketAddr, others: &[String]) -> Self {
        let own = host_of(configured).into_iter().chain([bound.ip().to_string()]);
        let names = own.chain(others.iter().cloned()).map(|name| name.to_ascii_lowercase()).collect();
        Self { names, takes_addresses: bound.ip().is_unspecified() }
    }

    /// Whether a `Host`, with or without a port, is one of the names.
    pub(super) fn has(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority) else { return false };
        let host = host.to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || self.takes_addresses || self.names.contains(&host),
            Err(_) => host == "localhost" || self.names.contains(&host),
        }
    }
}

/// The host of `HOST` or `HOST:PORT`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> Option<String> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return (port.is_empty() || is_port(port.strip_prefix(':')?)).then(|| host.to_owned());
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    (is_plain && port.is_none_or(is_port)).then(|| host.to_owned())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_and_the_configured_ones_are_taken() {
        let hosts =
            |configured: &str, bound: &str| Hosts::new(configured, bound.parse().expect("an address"), &["console.example".to_owned()]);
        let local = hosts("127.0.0.1:9464", "127.0.0.1:9464");
        for (host, expected) in [
            ("localhost", true),
            ("localhost:9464", true),
            ("LocalHost:1", true),
            ("127.0.0.1:9464", true),
            ("127.0.0.2", true),
            ("[::1]:9464", true),
            ("console.example", true),
            ("Console.Example:443", true),
            ("", false),
            (":9464", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("localhost.", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1:9464", false),
            ("[::2]", false),
            ("[::1]x", false),
            ("localhost:x", false),
            ("localhost:+1", false),
            ("localhost:9464:1", false),
            ("localhost@evil.example", false),
            ("evil.example/localhost", false),
            ("2130706433", false),
        ] {
            assert_eq!(local.has(host), expected, "{host:?}");
        }
        let named = hosts("risk.example:9464", "10.0.0.1:9464");
        assert!(named.has("risk.example:9464") && named.has("10.0.0.1") && !named.has("10.0.0.2"));
        let open = hosts("0.0.0.0:9464", "0.0.0.0:9464");
        assert!(open.has("10.0.0.7:9464") && open.has("[2001:db8::1]") && !open.has("evil.example"));
    }
}
