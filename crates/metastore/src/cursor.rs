//! Cursors of lists: the sort key of the last row, opaque to whoever carries it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ports::store::StoreError;

use crate::error::not_found;

const BAD: &str = "place in this list for the given cursor; use `next_cursor` of the list's previous answer as it is";

/// Whether the error means that a list's cursor is none of ours (a caller's mistake, not a missing row).
#[must_use]
pub fn is_bad_cursor(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { what } if what == BAD)
}

/// Makes the cursor of a list from the sort key of its last row.
pub(crate) fn encode<const N: usize>(list: &str, key: [&str; N]) -> String {
    let mut parts = vec![list];
    parts.extend(key);
    URL_SAFE_NO_PAD.encode(crate::convert::to_json(&parts))
}

/// Reads a cursor of this list; anything else is [`is_bad_cursor`].
pub(crate) fn decode<const N: usize>(list: &str, cursor: &str) -> Result<[String; N], StoreError> {
    let bad = || not_found(BAD);
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let mut parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    if parts.first().map(String::as_str) != Some(list) {
        return Err(bad());
    }
    parts.remove(0);
    parts.try_into().map_err(|_| bad())
}

/// A time as a part of a cursor.
pub(crate) fn time_part(at: chrono::NaiveDateTime) -> String {
    at.and_utc().timestamp_micros().to_string()
}

/// Reads a time of a cursor.
pub(crate) fn read_time(part: &str) -> Result<chrono::NaiveDateTime, StoreError> {
    part.parse()
        .ok()
        .and_then(chrono::DateTime::from_timestamp_micros)
        .map(|at| at.naive_utc())
        .ok_or_else(|| not_found(BAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_and_only_in_its_own_list() {
        let cursor = encode("pages", ["a \u{1f} b", "ä"]);
        assert_eq!(
            decode::<2>("pages", &cursor).unwrap(),
            ["a \u{1f} b".to_owned(), "ä".to_owned()]
        );
        for bad in [
            decode::<2>("runs", &cursor).unwrap_err(),
            decode::<1>("pages", &cursor).map(|_| ()).unwrap_err(),
            decode::<2>("pages", "").unwrap_err(),
            decode::<2>("pages", "!!").unwrap_err(),
            decode::<2>("pages", &cursor[1..]).unwrap_err(),
        ] {
            assert!(is_bad_cursor(&bad), "{bad:?}");
        }
        assert!(!is_bad_cursor(&not_found("page 7")));
    }
}
