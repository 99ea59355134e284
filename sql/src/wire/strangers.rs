//! Connections that have not logged in yet. They are limited in number, and those that send nothing keep no place from others: when a new one
//! comes and there is no place, the oldest one of the address with the most of them is closed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::attempts::network;

/// Connections that have not logged in yet.
const STRANGERS_MAX: usize = 128;

/// The connections that have not logged in yet.
#[derive(Default)]
pub(super) struct Strangers {
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    next: u64,
    /// Networks and how to close a connection, in the order in which they came.
    by_number: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
}

/// The place of a connection that has not logged in yet. It is free when this is dropped.
pub(super) struct Stranger {
    strangers: Arc<Strangers>,
    number: u64,
}

impl Strangers {
    /// A place for a connection, and what tells that it was given to a later one.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> (Stranger, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.by_number.len() >= STRANGERS_MAX {
            present.close_one();
        }
        let number = present.next;
        present.next = number.wrapping_add(1);
        present.by_number.insert(number, (network(address), close));
        (Stranger { strangers: Arc::clone(self), number }, closed)
    }

    fn remove(&self, number: u64) -> bool {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).by_number.remove(&number).is_some()
    }
}

impl Present {
    /// Closes the oldest connection of the network that has the most.
    fn close_one(&mut self) {
        let mut counts = BTreeMap::<IpAddr, usize>::new();
        self.by_number.values().for_each(|(network, _)| *counts.entry(*network).or_default() += 1);
        let most = counts.values().copied().max();
        let oldest = self.by_number.iter().find(|(_, (network, _))| counts.get(network).copied() == most).map(|(number, _)| *number);
        if let Some((_, close)) = oldest.and_then(|number| self.by_number.remove(&number)) {
            // It may have ended meanwhile.
            let _ = close.send(());
        }
    }
}

impl Stranger {
    /// Frees the place of a connection that has logged in. False if a later one has it already.
    pub(super) fn leave(self) -> bool {
        self.strangers.remove(self.number)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.strangers.remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn the_oldest_of_the_address_with_the_most_makes_room() {
        let strangers = Arc::new(Strangers::default());
        let mut other = strangers.enter(address(1));
        let mut idle: Vec<_> = (1..STRANGERS_MAX).map(|_| strangers.enter(address(2))).collect();
        assert!(idle.iter_mut().all(|(_, closed)| closed.try_recv().is_err()), "there is a place for each");
        let (late, _) = strangers.enter(address(3));
        let closed: Vec<_> = idle.iter_mut().map(|(_, closed)| closed.try_recv().is_ok()).collect();
        let expected: Vec<_> = (0..closed.len()).map(|place| place == 0).collect();
        assert_eq!(closed, expected);
        assert!(other.1.try_recv().is_err());
        assert!(late.leave() && other.0.leave());
        assert!(!idle.remove(0).0.leave(), "another has its place");
    }

    #[test]
    fn places_are_free_after_a_login_and_after_the_end() {
        let strangers = Arc::new(Strangers::default());
        for number in 0..10 * STRANGERS_MAX {
            let (stranger, mut closed) = strangers.enter(address(number));
            if number % 2 == 0 {
                assert!(stranger.leave());
            }
            assert_ne!(closed.try_recv(), Ok(()));
        }
        assert!(strangers.present.lock().unwrap().by_number.is_empty());
    }

    #[test]
    fn one_place_each_the_oldest_makes_room() {
        let strangers = Arc::new(Strangers::default());
        let mut all: Vec<_> = (0..=STRANGERS_MAX).map(|number| strangers.enter(address(number))).collect();
        let closed = all.iter_mut().position(|(_, closed)| closed.try_recv().is_ok());
        assert_eq!((closed, strangers.present.lock().unwrap().by_number.len()), (Some(0), STRANGERS_MAX));
    }
}
