//! The budget for failed credentials: one for every way to present them, for each client and for all together.
//!
//! A right credential is accepted whatever failed before. Behind a proxy, or a LibreChat, many share an address: one forgotten
//! client with an old token, or one stranger, would lock out all the others. So the budget is no lock. Beyond it a failure is
//! answered 429 instead of 401, which makes honest clients stop, and the log names who fails. That a guess at last is right is
//! told by the way in itself, and no answer can hide it; against that the credential must be one that nobody guesses: agent
//! tokens have 256 random bits, access tokens a signature, and a short `API_KEY` is warned of at start.
//!
//! Not counted is what no guess can be: a request without credentials, a session's cookie that is no longer known, and an
//! access token that the issuer signed but which is over or meant for others. Its client has to hear 401 to fetch a new one.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics::counter;

use crate::http::limit::{Budgets, network};
use crate::http::metrics::WRONG_CREDENTIALS;

/// Failures a minute from one client.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");
/// Failures a minute from all together: who makes himself many gets no further.
const ALL_PER_MINUTE: NonZeroU32 = NonZeroU32::new(200).expect("200 is not 0");
/// Lines in the log a minute about failures.
const LINES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(6).expect("6 is not 0");

/// Counts failed credentials.
pub(super) struct Failures {
    each: Budgets<IpAddr>,
    all: DefaultDirectRateLimiter,
    lines: DefaultDirectRateLimiter,
    unlogged: AtomicU64,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            each: Budgets::new(Quota::per_minute(PER_MINUTE)),
            all: RateLimiter::direct(Quota::per_minute(ALL_PER_MINUTE)),
            lines: RateLimiter::direct(Quota::per_minute(LINES_PER_MINUTE)),
            unlogged: AtomicU64::new(0),
        }
    }
}

impl Failures {
    /// Counts one failure of a client, and tells the log now and then; answers whether the budget still had room for it.
    /// `variable`: a name that its last credential is instead of a value. One client's failures beyond its own budget take nothing
    /// from that of all.
    pub(super) fn count(&self, client: Option<IpAddr>, variable: Option<&str>) -> bool {
        let within = client.is_none_or(|client| self.each.take(&network(client)))
            && self.all.check().is_ok();
        counter!(WRONG_CREDENTIALS).increment(1);
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        if self.lines.check().is_ok() {
            let failures = self.unlogged.swap(0, Ordering::Relaxed);
            tracing::warn!(
                client = client.map(tracing::field::display),
                failures,
                within_budget = within,
                not_filled_in = variable,
                "wrong credentials were presented: so many failures since the last such line, the last from this client"
            );
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_and_all_together_have_a_budget() {
        let failures = Failures::default();
        let allowed = |client: [u8; 4], tries: usize| {
            let client = Some(IpAddr::from(client));
            (0..tries).filter(|_| failures.count(client, None)).count()
        };
        assert_eq!(allowed([198, 51, 100, 1], 10_000), 20);
        // That one has left to all the others what is theirs.
        let others: usize = (2..100).map(|n| allowed([198, 51, 100, n], 20)).sum();
        assert_eq!(others, 180);
    }

    #[test]
    fn a_flood_of_failures_makes_few_lines() {
        let failures = Failures::default();
        for _ in 0..10_000 {
            failures.count(Some(IpAddr::from([198, 51, 100, 1])), None);
        }
        // Each line takes with it what was counted since the one before.
        assert_eq!(failures.unlogged.load(Ordering::Relaxed), 10_000 - 6);
    }
}
