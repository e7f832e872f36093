//! Who gets how much of what all share: questions under way, turns of tools, requests, connections.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places that many share.
///
/// Somebody may take another place as long as he has fewer than are free, and fewer than the most that one may have. So one
/// alone gets half of all, two get a third each, and whoever comes meanwhile still finds room: nobody who asks without end, or
/// whose answers hang, takes anything from the others.
#[derive(Debug)]
pub struct Shares<K> {
    places: usize,
    most: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    of: HashMap<K, usize>,
    all: usize,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// So many places, of which one may have so many at most.
    #[must_use]
    pub fn new(places: usize, most: usize) -> Arc<Self> {
        Arc::new(Self {
            places,
            most,
            taken: Mutex::new(Taken {
                of: HashMap::new(),
                all: 0,
            }),
        })
    }

    /// A place for somebody.
    ///
    /// # Errors
    /// Says whether he has his share already, or there is none left for anybody.
    pub fn take(self: &Arc<Self>, who: &K) -> Result<Share<K>, Refused> {
        let mut taken = self.taken();
        let free = self.places.saturating_sub(taken.all);
        let own = taken.of.get(who).copied().unwrap_or(0);
        if own >= free.min(self.most) {
            return Err(if own == 0 {
                Refused::Full
            } else {
                Refused::OwnShare
            });
        }
        taken.of.insert(who.clone(), own + 1);
        taken.all += 1;
        Ok(Share {
            shares: Arc::clone(self),
            who: who.clone(),
        })
    }

    /// How many places are taken.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why somebody gets no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// He has what is his already; others still find room.
    OwnShare,
    /// He has none, and nobody would get one.
    Full,
}

/// One place; dropped, it is free again.
#[derive(Debug)]
pub struct Share<K: Hash + Eq + Clone> {
    shares: Arc<Shares<K>>,
    who: K,
}

impl<K: Hash + Eq + Clone> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        taken.all -= 1;
        match taken.of.get_mut(&self.who) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.of.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(shares: &Arc<Shares<&'static str>>, who: &'static str) -> Vec<Share<&'static str>> {
        std::iter::from_fn(|| shares.take(&who).ok()).collect()
    }

    #[test]
    fn one_gets_half_and_leaves_the_others_their_share() {
        let shares = Shares::new(256, usize::MAX);
        let of_busy = take_all(&shares, "busy");
        assert_eq!(of_busy.len(), 128);
        let of_other = take_all(&shares, "other");
        assert_eq!(of_other.len(), 64);
        assert_eq!(
            shares.take(&"busy").unwrap_err(),
            Refused::OwnShare,
            "it has more than its share already"
        );
        assert!(shares.take(&"third").is_ok());
        drop(of_busy);
        assert_eq!(
            take_all(&shares, "third").len(),
            (256 - 64) / 2,
            "as many as are left free"
        );
        drop(of_other);
        assert_eq!(shares.in_use(), 0);
        assert!(shares.taken().of.is_empty(), "nobody has any any more");
    }

    #[test]
    fn nobody_gets_more_than_the_most() {
        let shares = Shares::new(256, 10);
        let first = take_all(&shares, "first");
        assert_eq!(first.len(), 10);
        assert_eq!(take_all(&shares, "second").len(), 10);
        drop(first);
        assert!(shares.take(&"first").is_ok());
    }

    #[test]
    fn who_comes_when_nothing_is_left_hears_that_it_is_full() {
        let shares = Shares::new(2, 2);
        let taken = ["first", "second"].map(|who| shares.take(&who).unwrap());
        assert_eq!(shares.take(&"first").unwrap_err(), Refused::OwnShare);
        assert_eq!(shares.take(&"third").unwrap_err(), Refused::Full);
        drop(taken);
    }
}
