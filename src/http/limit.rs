//! How often somebody may ask; what is remembered of those who do is bounded.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

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

/// Whom a request comes from: the peer of its connection or, where that is a trusted proxy, whom the proxy names. Proxies
/// append to `X-Forwarded-For`, so it is read from its end, for as long as the next is a trusted proxy too; what stands before
/// that anybody may have written.
pub(super) fn client(request: &HttpRequest, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut client = request.peer_addr()?.ip().to_canonical();
    let is_proxy = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(&address));
    let mut named = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect::<Vec<_>>()
        .into_iter()
        .rev();
    while is_proxy(client)
        && let Some(before) = named.next().and_then(forwarded)
    {
        client = before;
    }
    Some(client)
}

/// An entry of `X-Forwarded-For`: an address, with a port behind some proxies.
fn forwarded(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address = match entry.parse::<SocketAddr>() {
        Ok(with_port) => with_port.ip(),
        Err(_) => entry.trim_matches(['[', ']']).parse().ok()?,
    };
    Some(address.to_canonical())
}

/// The part of an address that counts as one client: of IPv6 the network, since one machine has all of its addresses.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_who_asks() {
        let proxies = [
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::1/128".parse().unwrap(),
        ];
        for (peer, forwarded, who) in [
            ("203.0.113.7:1", "", "203.0.113.7"),
            ("203.0.113.7:1", "198.51.100.1", "203.0.113.7"),
            ("127.0.0.1:1", "198.51.100.1", "127.0.0.1"),
            ("192.168.1.1:1", "198.51.100.1", "192.168.1.1"),
            ("10.1.2.3:1", "", "10.1.2.3"),
            ("10.1.2.3:1", "198.51.100.1", "198.51.100.1"),
            // What the client itself wrote stands before what the proxy appended.
            ("10.1.2.3:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
            (
                "10.1.2.3:1",
                "1.1.1.1, 198.51.100.1, 10.9.9.9",
                "198.51.100.1",
            ),
            ("10.1.2.3:1", "1.1.1.1, nonsense", "10.1.2.3"),
            ("10.1.2.3:1", "198.51.100.1, nonsense, 10.9.9.9", "10.9.9.9"),
            ("10.1.2.3:1", "10.4.5.6", "10.4.5.6"),
            ("10.1.2.3:1", "198.51.100.1:4711", "198.51.100.1"),
            (
                "[2001:db8::1]:1",
                "[2001:db8:1:2::3]:4711",
                "2001:db8:1:2::3",
            ),
            ("[::ffff:10.1.2.3]:1", "::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
            // Each header goes on where the one before ended.
            for part in forwarded.split(", ").filter(|part| !part.is_empty()) {
                request = request.append_header(("x-forwarded-for", part));
            }
            let request = request.to_http_request();
            let found = client(&request, &proxies).unwrap();
            assert_eq!(found.to_string(), who, "{peer} {forwarded:?}");
            let untrusting = client(&request, &[]).unwrap();
            let peer: SocketAddr = peer.parse().unwrap();
            assert_eq!(untrusting, peer.ip().to_canonical());
        }
        assert_eq!(
            network("2001:db8:1:2:3:4:5:6".parse().unwrap()).to_string(),
            "2001:db8:1:2::"
        );
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
