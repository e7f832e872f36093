//! How long to wait before another try.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::backoff::Backoff;
use reqwest::header::HeaderMap;

/// The waits after the first failure, the second, and so on, without end and with jitter, as `backon` takes them.
pub fn waits(backoff: Backoff) -> impl Iterator<Item = Duration> + Send + Sync + Unpin {
    (1..).map(move |failures| backoff.wait(failures, rand::random(), Duration::ZERO))
}

/// The longest wait that is believed; what is longer is a mistake.
const MAX_WAIT: Duration = Duration::from_secs(1_000_000_000);

/// The wait that an answer asked for at `now`: `retry-after-ms`, or `Retry-After` in seconds, seen with a fraction too, or as a
/// date. A number below zero says nothing.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse().ok();
    let seconds = |number: f64| Duration::try_from_secs_f64(number).ok();
    let until = |date: &str| {
        let date = DateTime::parse_from_rfc2822(date).ok()?;
        Some((date.to_utc() - now).to_std().unwrap_or_default())
    };
    text("retry-after-ms")
        .and_then(number)
        .and_then(|milliseconds| seconds(milliseconds / 1000.0))
        .or_else(|| {
            let text = text("retry-after")?;
            number(text).and_then(seconds).or_else(|| until(text))
        })
        .filter(|wait| *wait < MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_every_form() {
        let now = "2026-11-01T10:00:00Z".parse().unwrap();
        let wait = |milliseconds: Option<&'static str>, after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("retry-after-ms", milliseconds), ("retry-after", after)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            retry_after(&headers, now).map(|wait| wait.as_millis())
        };
        assert_eq!(wait(Some("250"), Some("9")), Some(250));
        assert_eq!(wait(Some("soon"), Some("9")), Some(9000));
        assert_eq!(wait(None, Some("3")), Some(3000));
        assert_eq!(wait(None, Some("0")), Some(0));
        assert_eq!(wait(None, Some("0.5")), Some(500));
        assert_eq!(
            wait(None, Some("Sun, 01 Nov 2026 10:00:20 GMT")),
            Some(20_000)
        );
        assert_eq!(wait(None, Some("Sun, 01 Nov 2026 09:00:00 GMT")), Some(0));
        for useless in ["soon", "-3", "NaN", "inf", "1e99", ""] {
            assert_eq!(wait(None, Some(useless)), None, "{useless}");
        }
    }

    #[test]
    fn waits_grow_to_the_cap_with_jitter_and_never_end() {
        let backoff = Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(4),
        };
        let plain = [1.0, 2.0, 4.0, 4.0, 4.0];
        for (wait, plain) in waits(backoff).zip(plain) {
            let factor = wait.as_secs_f64() / plain;
            assert!((0.7..=1.3).contains(&factor), "{wait:?} for {plain} s");
        }
        assert_eq!(waits(backoff).take(500).count(), 500);
    }
}
