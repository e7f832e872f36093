//! Rate limits: a token bucket per endpoint, and the three ways a 429 may speak of waiting.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::reply::Reply;

/// What a 429 says about when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RetryAfter {
    /// `Retry-After` with the seconds until a token is there, at least 1.
    #[default]
    True,
    /// `Retry-After` with this many seconds.
    Seconds(u64),
    /// `Retry-After: 0`, as was seen in the wild.
    Zero,
    /// No such header: the gateway's bare 429.
    Missing,
}

impl RetryAfter {
    pub(crate) fn apply(self, reply: Reply) -> Reply {
        self.apply_with(reply, 1)
    }

    pub(crate) fn apply_with(self, reply: Reply, true_seconds: u64) -> Reply {
        match self {
            RetryAfter::True => reply.with_header("Retry-After", true_seconds.max(1).to_string()),
            RetryAfter::Seconds(seconds) => reply.with_header("Retry-After", seconds.to_string()),
            RetryAfter::Zero => reply.with_header("Retry-After", "0"),
            RetryAfter::Missing => {
                reply.with_header("X-Failure-Category", "FAILURE CLIENT RATE LIMITED")
            }
        }
    }
}

/// A burst limit: a token bucket for each endpoint (method and template), in the time of the simulator's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Tokens that come back each second.
    pub per_second: f64,
    /// Tokens a full bucket holds.
    pub burst: u32,
    /// One bucket for all endpoints instead of one each.
    pub shared: bool,
    /// How refusals speak.
    pub retry_after: RetryAfter,
}

impl RateLimit {
    /// So many requests a second for each endpoint, with a burst of the same size.
    pub fn per_second(rate: f64) -> RateLimit {
        RateLimit {
            per_second: rate,
            burst: rate.ceil() as u32,
            shared: false,
            retry_after: RetryAfter::True,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<String, (f64, DateTime<Utc>)>);

/// Takes a token for the endpoint; otherwise the seconds until one is there.
pub(crate) fn over_rate(
    buckets: &mut Buckets,
    limit: &RateLimit,
    endpoint: &str,
    now: DateTime<Utc>,
) -> Option<u64> {
    let key = if limit.shared { "*" } else { endpoint };
    let full = f64::from(limit.burst.max(1));
    let (tokens, at) = buckets.0.entry(key.to_owned()).or_insert((full, now));
    let passed = (now - *at).to_std().unwrap_or_default();
    *tokens = (*tokens + passed.as_secs_f64() * limit.per_second).min(full);
    *at = now;
    if *tokens >= 1.0 {
        *tokens -= 1.0;
        return None;
    }
    Some(((1.0 - *tokens) / limit.per_second.max(0.001)).ceil() as u64)
}
