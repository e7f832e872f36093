//! How much work a file may cause, and how long its text may be.

use std::time::Duration;

/// Bounds of one [`extract`](crate::extract).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file that is read, in bytes.
    pub max_bytes: usize,
    /// Longest text that is given back, in bytes; what is longer is cut at a line.
    pub max_text_bytes: usize,
    /// Pages of a PDF that are read, from the first.
    pub max_pages: usize,
    /// Rows of a CSV file that are read, from the first.
    pub max_rows: usize,
    /// Columns of a CSV file that are read, from the left.
    pub max_columns: usize,
    /// Largest unpacked size of a part of a DOCX or PDF file, in bytes: what unpacks to more is refused.
    pub max_unpacked_bytes: usize,
    /// Time after which a PDF is read no further; what was read until then is shown.
    pub max_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bytes: 20 << 20,
            max_text_bytes: 1 << 20,
            max_pages: 500,
            max_rows: 2_000,
            max_columns: 30,
            max_unpacked_bytes: 64 << 20,
            max_time: Duration::from_secs(15),
        }
    }
}

/// Shortens `text` to at most `max` bytes, at the end of a line where one is near. Whether it did.
pub(crate) fn cut(text: &mut String, max: usize) -> bool {
    if text.len() <= max {
        return false;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if let Some(line) = memchr::memrchr(b'\n', &text.as_bytes()[..end])
        && line >= end - end / 4
    {
        end = line;
    }
    text.truncate(end);
    true
}

/// A number of bytes in words.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_at_a_near_line() {
        for (text, max, kept) in [
            ("short", 5, "short"),
            ("abcdé", 5, "abcd"),
            ("one two three\nfour", 15, "one two three"),
            ("a\nbcdefghijklmnopqr", 15, "a\nbcdefghijklmn"),
        ] {
            let mut shorter = text.to_owned();
            assert_eq!(cut(&mut shorter, max), kept != text, "{text:?}");
            assert_eq!(shorter, kept);
        }
    }
}
