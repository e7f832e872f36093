//! What the headers of an answer say about rate limits.
//!
//! Two systems are in force: a quota of points per hour (all requests wait for its reset) and bursts per endpoint (that
//! endpoint slows). `Beta-` headers announce limits that are not enforced yet, and are not read.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::quota::QuotaSeen;
use reqwest::header::HeaderMap;
use upstream::LimitScope;

use crate::points::to_full_hour;

/// What one answer's headers say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct LimitHeaders {
    /// `Retry-After`: the least wait.
    pub retry_after: Option<Duration>,
    /// How long until the limit is reset.
    pub reset_in: Option<Duration>,
    /// Requests or points left.
    pub remaining: Option<u64>,
    /// Requests or points when nothing was used yet.
    pub limit: Option<u64>,
    /// Fewer than a fifth is left.
    pub near_limit: bool,
    /// `RateLimit-Reason`, or the gateway's failure category.
    pub reason: Option<String>,
}

impl LimitHeaders {
    /// Reads the headers of an answer that came at `now`.
    pub fn read(headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::trim)
        };
        // The hourly quota is the one limit whose end is known without a word of it.
        let mut of_quota = false;
        let mut this = Self {
            // A number below zero asks for no wait; the retry policy has a floor.
            retry_after: upstream::retry_after(headers, now).or_else(|| {
                text("retry-after")
                    .filter(|value| value.starts_with('-'))
                    .map(|_| Duration::ZERO)
            }),
            reset_in: text("x-ratelimit-reset")
                .and_then(moment)
                .map(|at| until(at, now)),
            remaining: text("x-ratelimit-remaining").and_then(|value| value.parse().ok()),
            limit: text("x-ratelimit-limit").and_then(|value| value.parse().ok()),
            near_limit: text("x-ratelimit-nearlimit")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            reason: text("ratelimit-reason")
                .or_else(|| text("x-failure-category"))
                .map(str::to_ascii_lowercase),
        };
        for value in headers.get_all("ratelimit") {
            for (name, left, reset) in value
                .to_str()
                .unwrap_or_default()
                .split(',')
                .filter_map(structured)
            {
                of_quota |= name.contains("quota");
                // Of several limits the one with least left counts.
                if this.remaining.is_none_or(|known| left <= known) {
                    this.remaining = Some(left);
                    this.reset_in = reset.or(this.reset_in);
                }
            }
        }
        of_quota |= this.reason.as_deref().is_some_and(|r| r.contains("quota"));
        if of_quota && this.reset_in.is_none() && this.retry_after.is_none() {
            this.reset_in = Some(to_full_hour(now));
        }
        this
    }

    /// Which requests a refusal concerns. Without a word about it: everything, which is the safe reading.
    pub fn scope(&self) -> LimitScope {
        match self.reason.as_deref() {
            Some(reason) if reason.contains("quota") || reason.contains("cost") => {
                LimitScope::Everything
            }
            Some(reason) if reason.contains("burst") || reason.contains("concurrent") => {
                LimitScope::Endpoint
            }
            _ => LimitScope::Everything,
        }
    }

    /// The wait that a refusal asks for: the later of `Retry-After` and, where nothing is left, the reset.
    pub fn asked_wait(&self) -> Option<Duration> {
        let reset = self
            .reset_in
            .filter(|_| self.remaining.is_none_or(|left| left == 0));
        self.retry_after.max(reset)
    }

    /// What a good answer told about the quota, where it told how much is left and until when.
    pub fn quota(&self) -> Option<QuotaSeen> {
        let remaining = self.remaining?;
        let below_a_fifth = |limit: u64| remaining < limit / 5;
        Some(QuotaSeen {
            remaining,
            refill_in: self.reset_in?,
            near: self.near_limit || self.limit.is_some_and(below_a_fifth),
        })
    }

    /// The wait that a good answer asks for: nothing is left until the reset.
    pub fn exhausted(&self) -> Option<Duration> {
        self.reset_in
            .filter(|wait| self.remaining == Some(0) && !wait.is_zero())
    }
}

/// `name;r=11000;t=600`: whose it is, what is left, and the seconds until it is refilled.
fn structured(entry: &str) -> Option<(String, u64, Option<Duration>)> {
    let mut parts = entry.split(';').map(str::trim);
    let limit = parts.next()?.trim_matches('"').to_ascii_lowercase();
    if limit.starts_with("beta-") {
        return None;
    }
    let (mut left, mut reset) = (None, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "r" => left = value.trim().parse().ok(),
            "t" => reset = value.trim().parse().ok().map(Duration::from_secs),
            _ => {}
        }
    }
    left.map(|left| (limit, left, reset))
}

/// A moment as the reset header writes it: ISO 8601 with or without seconds, or seconds since 1970.
fn moment(value: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(value) {
        return Some(at.to_utc());
    }
    let bare = value.trim_end_matches('Z');
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok())
        .map(|at| at.and_utc())
        .or_else(|| {
            value
                .parse()
                .ok()
                .filter(|s| *s > 1_000_000_000)
                .and_then(|s| DateTime::from_timestamp(s, 0))
        })
}

fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (at - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests;
