//! How fast a quota may be used up that is refilled at a known time (points an hour, for one): at any speed while plenty is left,
//! evenly until the refill once little is, so that small questions still get through and nothing is refused.
//!
//! A small state machine without clock or I/O: the caller says what each answer told. What a request costs is learned from how
//! the quota shrinks, whoever uses it.

use std::time::Duration;

/// Of what is left, the share that is handed out; the rest covers answers that cost more than was learned.
const HANDED_OUT: f64 = 0.9;
/// How much a new observation of the cost of a request weighs.
const WEIGHT: f64 = 0.3;

/// What one answer told about the quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaSeen {
    /// Points (or requests) left.
    pub remaining: u64,
    /// How long until it is refilled.
    pub refill_in: Duration,
    /// Whether little is left: below a fifth, as Confluence tells by `X-RateLimit-NearLimit`.
    pub near: bool,
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct QuotaPace {
    /// The least that was left, and how many requests had been sent when that was told.
    last: Option<(u64, u64)>,
    /// What a request costs on average, once learned.
    cost: Option<f64>,
}

impl QuotaPace {
    /// Takes in what an answer told, after so many `requests` in all. Answers the time to leave between two requests from now
    /// on; zero while plenty is left.
    pub fn seen(&mut self, seen: QuotaSeen, requests: u64) -> Duration {
        self.learn(seen.remaining, requests);
        if !seen.near || seen.refill_in.is_zero() {
            return Duration::ZERO;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let affordable = seen.remaining as f64 * HANDED_OUT / self.cost.unwrap_or(1.0).max(1.0);
        if affordable < 1.0 {
            return seen.refill_in;
        }
        seen.refill_in.div_f64(affordable)
    }

    fn learn(&mut self, remaining: u64, requests: u64) {
        match self.last {
            // Answers overtake one another; what is told late is no news.
            Some((left, sent)) if remaining < left && requests > sent => {
                #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                let cost = (left - remaining) as f64 / (requests - sent) as f64;
                self.cost = Some(
                    self.cost
                        .map_or(cost, |known| known * (1.0 - WEIGHT) + cost * WEIGHT),
                );
                self.last = Some((remaining, requests));
            }
            // Refilled.
            Some((left, _)) if remaining > left.saturating_mul(2).saturating_add(100) => {
                self.last = Some((remaining, requests));
            }
            Some(_) => {}
            None => self.last = Some((remaining, requests)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn seen(remaining: u64, near: bool) -> QuotaSeen {
        QuotaSeen {
            remaining,
            refill_in: HOUR,
            near,
        }
    }

    #[test]
    fn plenty_is_used_at_any_speed() {
        let mut pace = QuotaPace::default();
        for request in 0..100 {
            let wait = pace.seen(seen(65_000 - request * 251, false), request);
            assert_eq!(wait, Duration::ZERO);
        }
    }

    #[test]
    fn what_is_left_is_spread_over_the_time_until_the_refill() {
        let mut pace = QuotaPace::default();
        for request in 0..20 {
            pace.seen(seen(18_000 - request * 250, false), request);
        }
        // 10,000 points are 40 requests of 250; nine tenths of them in an hour are one every 100 s.
        let wait = pace.seen(seen(10_000, true), 32);
        assert!((90..=110).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn less_than_a_request_waits_for_the_refill_and_a_refill_ends_the_pace() {
        let mut pace = QuotaPace::default();
        pace.seen(seen(1_000, false), 1);
        pace.seen(seen(500, false), 2);
        assert_eq!(pace.seen(seen(100, true), 3), HOUR);
        assert_eq!(pace.seen(seen(64_749, false), 4), Duration::ZERO);
        let wait = pace.seen(seen(12_000, true), 110);
        assert!((120..=180).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn late_answers_and_requests_that_cost_nothing_teach_nothing() {
        let mut pace = QuotaPace::default();
        pace.seen(seen(1_000, true), 1);
        pace.seen(seen(900, true), 2);
        let before = pace.clone();
        pace.seen(seen(1_000, true), 3);
        pace.seen(seen(900, true), 4);
        assert_eq!(pace, before);
    }
}
