//! How often somebody may ask; what is remembered of those who do is bounded.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Somebody who has not asked for a while is forgotten; looked for when more than this are remembered.
const MANY: usize = 1_000;
/// More are not remembered: strangers are refused then.
const MOST: usize = 10_000;
/// Looking through all who are remembered takes a while, and is not done more often than this.
const TIDY: Duration = Duration::from_secs(1);

/// A budget for each key.
pub(super) struct Budgets<K: Hash + Eq + Clone> {
    each: DefaultKeyedRateLimiter<K>,
    tidied: Mutex<Option<Instant>>,
}

impl<K: Hash + Eq + Clone> Budgets<K> {
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            each: RateLimiter::keyed(quota),
            tidied: Mutex::default(),
        }
    }

    /// Takes one from the budget of `key`; `false` when it is used up.
    pub(super) fn take(&self, key: &K) -> bool {
        if self.each.len() > MANY {
            self.tidy();
        }
        self.each.len() <= MOST && self.each.check_key(key).is_ok()
    }

    fn tidy(&self) {
        let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.is_none_or(|at| at.elapsed() >= TIDY) {
            self.each.retain_recent();
            self.each.shrink_to_fit();
            *tidied = Some(Instant::now());
        }
    }
}

/// Whom a request comes from, for counting: its address, or behind a proxy what the nearest proxy says of it, which is the
/// last entry of `X-Forwarded-For`. Only a peer on this machine or in a private network is taken for a proxy; whoever lies
/// there shares the budget for all. Of IPv6 the network counts, since one machine has all of its addresses.
pub(super) fn client(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let told = || -> Option<IpAddr> {
        let all = request.headers().get_all("x-forwarded-for").last()?;
        let last = all.to_str().ok()?.rsplit(',').next()?.trim();
        last.trim_matches(['[', ']']).parse().ok()
    };
    let is_near = match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    let from = if is_near {
        told().unwrap_or(peer)
    } else {
        peer
    };
    Some(match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_nearest_proxy_says_who_asks_and_nobody_else() {
        for (peer, forwarded, who) in [
            ("203.0.113.7:1", None, "203.0.113.7"),
            ("203.0.113.7:1", Some("10.0.0.1"), "203.0.113.7"),
            ("127.0.0.1:1", Some("198.51.100.1"), "198.51.100.1"),
            ("10.1.2.3:1", Some("1.1.1.1, 198.51.100.1"), "198.51.100.1"),
            ("10.1.2.3:1", Some("nonsense"), "10.1.2.3"),
            ("10.1.2.3:1", None, "10.1.2.3"),
            ("[2001:db8:1:2:3:4:5:6]:1", None, "2001:db8:1:2::"),
            ("[::ffff:127.0.0.1]:1", Some("2001:db8::1"), "2001:db8::"),
        ] {
            let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
            if let Some(forwarded) = forwarded {
                request = request.insert_header(("x-forwarded-for", forwarded));
            }
            let found = client(&request.to_http_request()).unwrap();
            assert_eq!(found.to_string(), who, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let slow = Budgets::new(Quota::per_hour(NonZeroU32::MIN));
        let allowed = (0..2 * MOST).filter(|n| slow.take(n)).count();
        assert!((MOST..=MOST + 1).contains(&allowed), "{allowed}");
        assert!(!slow.take(&0), "its budget is used up");

        let quick = Budgets::new(Quota::per_second(NonZeroU32::new(1_000_000).unwrap()));
        for n in 0..=MANY {
            assert!(quick.take(&n));
        }
        std::thread::sleep(Duration::from_millis(5));
        quick.take(&0);
        assert!(quick.each.len() < MANY, "{}", quick.each.len());
    }
}
