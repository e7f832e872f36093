//! Between the domain's values and what a column holds.

use chrono::{NaiveDateTime, SubsecRound};
use domain::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Done, Fault, failed};

/// A time as a column holds it: UTC, microseconds.
pub(crate) fn db_time(at: Timestamp) -> NaiveDateTime {
    at.naive_utc().trunc_subsecs(6)
}

pub(crate) fn opt_db_time(at: Option<Timestamp>) -> Option<NaiveDateTime> {
    at.map(db_time)
}

pub(crate) fn time(at: NaiveDateTime) -> Timestamp {
    at.and_utc()
}

pub(crate) fn opt_time(at: Option<NaiveDateTime>) -> Option<Timestamp> {
    at.map(time)
}

/// Reads a word of a column.
pub(crate) fn word<T>(column: &str, text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Done<T> {
    parse(text).ok_or_else(|| bad(column, text))
}

/// Reads an id of a column.
pub(crate) fn id<T: std::str::FromStr>(column: &str, text: &str) -> Done<T> {
    text.parse().map_err(|_| bad(column, text))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    // Only plain records come here; these always have a JSON form.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(crate) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Done<T> {
    serde_json::from_str(text).map_err(|_| bad(column, text))
}

/// Lists of words are mostly empty.
pub(crate) fn list(column: &str, text: &str) -> Done<Vec<String>> {
    if text == "[]" {
        Ok(Vec::new())
    } else {
        from_json(column, text)
    }
}

fn bad(column: &str, text: &str) -> Fault {
    let short: String = text.chars().take(40).collect();
    failed(format!(
        "the column {column} holds {short:?}, which this version cannot read"
    ))
    .into()
}

/// At most this many, for a list.
pub(crate) fn limit(asked: usize) -> usize {
    if asked == 0 {
        crate::DEFAULT_LIMIT
    } else {
        asked.min(crate::MAX_LIMIT)
    }
}

/// A number of rows as diesel takes it.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
