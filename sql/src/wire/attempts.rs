//! Wrong passwords: after one, the passwords that come from its address are looked at one after the other, with pauses.
//!
//! The pauses grow with the number of wrong passwords, and end a minute after the last one. Other addresses do not wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::problem::{Problem, code};

/// The longest wait for a turn; whoever would wait longer is refused.
pub(super) const TURN_MAX: Duration = Duration::from_secs(30);
/// The pause after the first wrong password; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// When wrong passwords are forgotten.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

/// Wrong passwords by address.
#[derive(Default)]
pub(super) struct Attempts {
    by_address: Mutex<BTreeMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
    /// When the next password is looked at.
    next: Instant,
}

impl Attempts {
    /// Waits until a password from an address may be looked at.
    pub(super) async fn take_turn(&self, address: IpAddr) -> Result<(), Problem> {
        let wait = self.wait(address, Instant::now());
        if wait >= TURN_MAX {
            return Err(Problem::fatal(code::AUTHORIZATION, "too many wrong passwords came from this address: try again in a minute"));
        }
        sleep(wait).await;
        Ok(())
    }

    /// How long a password from an address has to wait. It takes its turn with that: the next one waits longer.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Duration {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        match by_address.get_mut(&network(address)) {
            Some(failures) if !failures.are_forgotten(now) => {
                let turn = failures.next.max(now);
                failures.next = turn + pause(failures.count);
                turn.duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }

    /// Notes a wrong password.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        by_address.retain(|_, failures| !failures.are_forgotten(now));
        if by_address.len() >= ADDRESSES_MAX {
            by_address.pop_first();
        }
        let failures = by_address.entry(network(address)).or_insert(Failures { count: 0, last: now, next: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.next = failures.next.max(now + pause(failures.count));
    }
}

impl Failures {
    fn are_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) > REMEMBERED
    }
}

fn pause(count: u32) -> Duration {
    let doublings = count.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX)
}

/// Whoever has an IPv6 address usually has all that begin with the same 64 bits.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn passwords_after_wrong_ones_wait_for_each_other() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let millis = |address| attempts.wait(address, now).as_millis();
        assert_eq!((millis(ADDRESS), millis(ADDRESS)), (0, 0), "nobody was wrong");
        attempts.failed(ADDRESS, now);
        assert_eq!((millis(ADDRESS), millis(ADDRESS), millis(ADDRESS), millis(OTHER)), (250, 500, 750, 0));
        (0..10).for_each(|_| attempts.failed(ADDRESS, now));
        let first = millis(ADDRESS);
        assert_eq!(millis(ADDRESS) - first, PAUSE_MAX.as_millis());
        let later = now + REMEMBERED + Duration::from_millis(1);
        assert_eq!(attempts.wait(ADDRESS, later), Duration::ZERO, "it is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        attempts.failed("2001:db8::1".parse().unwrap(), now);
        assert!(!attempts.wait("2001:db8::2".parse().unwrap(), now).is_zero());
        assert!(attempts.wait("2001:db8:0:1::2".parse().unwrap(), now).is_zero());
    }

    #[test]
    fn the_number_of_addresses_is_limited() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..=ADDRESSES_MAX {
            attempts.failed(IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap())), now);
        }
        assert_eq!(attempts.by_address.lock().unwrap().len(), ADDRESSES_MAX);
    }
}
