//! Moments as agents write them, and as people read them.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use domain::Timestamp;

/// What [`parse`] takes, for messages.
pub const FORMS: &str = "a date (2026-11-02), a time with zone (2026-11-02T08:00:00Z), or a span back from now (24h, 7d, 2w, 3m, 1y)";

/// Reads a moment: see [`FORMS`]; also `today`, `yesterday` and `7 days ago`.
#[must_use]
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    if let Ok(moment) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S") {
        return Some(moment.and_utc());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return midnight(date);
    }
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "today" => return midnight(now.date_naive()),
        "yesterday" => return midnight(now.date_naive() - Duration::days(1)),
        _ => {}
    }
    let lower = lower.strip_prefix('-').unwrap_or(&lower);
    let lower = lower.strip_suffix("ago").unwrap_or(lower).trim();
    let digits = lower.bytes().take_while(u8::is_ascii_digit).count();
    let amount: i64 = lower[..digits].parse().ok().filter(|n| *n <= 100_000)?;
    let span = match lower[digits..].trim() {
        "h" | "hour" | "hours" => Duration::hours(amount),
        "d" | "day" | "days" => Duration::days(amount),
        "w" | "week" | "weeks" => Duration::weeks(amount),
        "m" | "mo" | "month" | "months" => Duration::days(30 * amount),
        "y" | "year" | "years" => Duration::days(365 * amount),
        _ => return None,
    };
    now.checked_sub_signed(span)
}

fn midnight(date: NaiveDate) -> Option<Timestamp> {
    date.and_hms_opt(0, 0, 0).map(|moment| moment.and_utc())
}

/// `2026-11-02`.
#[must_use]
pub fn day(moment: Timestamp) -> String {
    moment.format("%Y-%m-%d").to_string()
}

/// `2026-11-02 08:05 UTC`.
#[must_use]
pub fn minute(moment: Timestamp) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `just now`, `12 min ago`, `3 h ago`, `5 days ago`.
#[must_use]
pub fn ago(moment: Timestamp, now: Timestamp) -> String {
    let seconds = (now - moment).num_seconds().max(0);
    match seconds {
        0..=89 => "just now".to_owned(),
        90..=5_399 => format!("{} min ago", (seconds + 30) / 60),
        5_400..=129_599 => format!("{} h ago", (seconds + 1_800) / 3_600),
        _ => format!("{} days ago", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text)
            .unwrap()
            .with_timezone(&Utc)
    }

    #[test]
    fn moments_are_read_as_agents_write_them() {
        let now = at("2026-11-23T10:00:00Z");
        let table: &[(&str, Option<&str>)] = &[
            ("2026-11-02", Some("2026-11-02T00:00:00Z")),
            ("2026-11-02T08:00:00+02:00", Some("2026-11-02T06:00:00Z")),
            ("2026-11-02T08:00:00", Some("2026-11-02T08:00:00Z")),
            ("7d", Some("2026-11-16T10:00:00Z")),
            ("-24h", Some("2026-11-22T10:00:00Z")),
            ("2 weeks ago", Some("2026-11-09T10:00:00Z")),
            ("yesterday", Some("2026-11-22T00:00:00Z")),
            ("last week", None),
            ("7", None),
            ("99999999999999999999d", None),
            ("", None),
            ("2026-13-01", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text, now), expected.map(at), "{text}");
        }
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        let now = at("2026-11-23T10:00:00Z");
        for (then, words) in [
            ("2026-11-23T10:00:05Z", "just now"),
            ("2026-11-23T09:48:00Z", "12 min ago"),
            ("2026-11-23T07:00:00Z", "3 h ago"),
            ("2026-11-18T10:00:00Z", "5 days ago"),
        ] {
            assert_eq!(ago(at(then), now), words);
        }
    }
}
