//! CSV and its relatives as a table.

use crate::markup::{self, escape};
use crate::{Found, Limits, Refusal};

/// A table of the first rows and columns; the first row is its header.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Found, Refusal> {
    // Spreadsheets say it outright, in a first line that is not data.
    let (declared, text) = match text.strip_prefix("sep=") {
        Some(rest) => (
            rest.bytes().next(),
            rest.split_once('\n').map_or("", |(_, data)| data),
        ),
        None => (None, text),
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(
            declared
                .filter(u8::is_ascii_punctuation)
                .unwrap_or_else(|| delimiter(text)),
        )
        .from_reader(text.as_bytes());
    let mut html = String::from("<table><tbody>");
    let (mut rows, mut widest) = (0, 0);
    let mut more = false;
    // The reader gives no error on text in memory: rows may differ in length, and all of it is UTF-8.
    for record in reader.records().map_while(Result::ok) {
        if record.iter().all(|value| value.trim().is_empty()) {
            continue;
        }
        if rows == limits.max_rows || html.len() > limits.max_text_bytes.saturating_mul(4) {
            more = true;
            break;
        }
        widest = widest.max(record.len());
        let cell = if rows == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for value in record.iter().take(limits.max_columns) {
            let value = escape(value).replace('\n', "<br/>");
            html.push_str(&format!("<{cell}>{value}</{cell}>"));
        }
        html.push_str("</tr>");
        rows += 1;
    }
    html.push_str("</tbody></table>");
    let wide = widest > limits.max_columns;
    let cut = match (more, wide) {
        (false, false) => None,
        (true, false) => Some(format!("it has more than {rows} rows")),
        (false, true) => Some(format!("it has more than {} columns", limits.max_columns)),
        (true, true) => Some(format!(
            "it has more than {rows} rows and {} columns",
            limits.max_columns
        )),
    };
    let markdown = if rows == 0 {
        String::new()
    } else {
        markup::read(&html, limits)?.markdown
    };
    Ok(Found {
        markdown,
        cut,
        pages: None,
    })
}

/// The mark that divides the first lines most evenly: the same number in each, and as many as possible.
fn delimiter(text: &str) -> u8 {
    let count = |mark: u8| {
        let mut quoted = false;
        let mut lines = Vec::new();
        let mut here = 0usize;
        for byte in text.bytes().take(16 << 10) {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => {
                    lines.push(std::mem::take(&mut here));
                    if lines.len() == 10 {
                        break;
                    }
                }
                _ if byte == mark && !quoted => here += 1,
                _ => {}
            }
        }
        if lines.is_empty() {
            lines.push(here);
        }
        let first = lines[0];
        let even = lines.iter().filter(|n| **n == first).count();
        if first == 0 { (0, 0) } else { (even, first) }
    };
    // The comma wins a tie.
    [b'|', b'\t', b';', b',']
        .into_iter()
        .max_by_key(|mark| count(*mark))
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> String {
        read(text, &Limits::default()).unwrap().markdown
    }

    #[test]
    fn the_delimiter_is_found() {
        for (text, mark) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("a\tb, c\n1\t2\n", b'\t'),
            ("a|b\n1|2", b'|'),
            ("\"x;y\",b\n\"1;2\",3\n", b','),
            ("alone\nalone\n", b','),
            ("", b','),
        ] {
            assert_eq!(delimiter(text) as char, mark as char, "{text:?}");
        }
    }

    #[test]
    fn values_keep_their_place_and_their_marks() {
        let table = read_all("name,note\n\"Smith, J\",\"a|b *c*\nsecond line\"\nshort\n\n");
        let rows: Vec<&str> = table.trim().lines().collect();
        assert_eq!(rows.len(), 4, "{table}");
        assert_eq!(rows[0], "| name | note |");
        assert!(rows[2].starts_with("| Smith, J | a\\|b "), "{table}");
        assert!(rows[2].contains("second line"), "{table}");
        assert_eq!(
            read_all("sep=;\na;b\n1;2\n").lines().next(),
            Some("| a | b |")
        );
    }

    #[test]
    fn long_and_wide_files_are_cut_and_say_so() {
        let limits = Limits {
            max_rows: 3,
            max_columns: 2,
            ..Limits::default()
        };
        let found = read("a,b,c\n1,2,3\n4,5,6\n7,8,9\n", &limits).unwrap();
        assert_eq!(
            found.cut.as_deref(),
            Some("it has more than 3 rows and 2 columns")
        );
        assert!(found.markdown.contains("| 4 | 5 |") && !found.markdown.contains('7'));
        assert_eq!(read("a,b\n1,2\n3,4\n", &limits).unwrap().cut, None);
    }
}
