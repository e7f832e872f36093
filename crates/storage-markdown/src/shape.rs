//! Looks ahead at a table: is it one, or only a frame around blocks?

/// Whether the table whose content starts at `source` has one column of plain cells, or a single cell.
///
/// Stops at the second cell of a row, so for real tables it reads a few tags; for a frame it reads to its end.
pub(crate) fn is_layout(source: &str) -> bool {
    let bytes = source.as_bytes();
    let (mut depth, mut cells_in_row, mut rows, mut header) = (0usize, 0usize, 0usize, false);
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'<', &bytes[at..]) {
        at += found + 1;
        let rest = &bytes[at..];
        if rest.starts_with(b"![CDATA[") {
            match memchr::memmem::find(rest, b"]]>") {
                Some(end) => at += end,
                None => break,
            }
        } else if is_tag(rest, b"table") {
            depth += 1;
        } else if rest.starts_with(b"/table") {
            if depth == 0 {
                break;
            }
            depth -= 1;
        } else if depth > 0 {
            continue;
        } else if is_tag(rest, b"tr") {
            cells_in_row = 0;
        } else if is_tag(rest, b"td") || is_tag(rest, b"th") {
            header |= rest[1] == b'h';
            cells_in_row += 1;
            rows += usize::from(cells_in_row == 1);
            if cells_in_row > 1 {
                return false;
            }
        }
    }
    rows == 1 || !header
}

fn is_tag(rest: &[u8], name: &[u8]) -> bool {
    rest.starts_with(name)
        && rest
            .get(name.len())
            .is_some_and(|b| matches!(b, b'>' | b'/' | b' ' | b'\n' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::is_layout;

    #[test]
    fn frames_are_told_from_tables() {
        let cases = [
            ("<tbody><tr><td>a</td></tr></tbody></table>", true),
            (
                "<tr><td>a</td></tr><tr><td>b</td></tr></table><table><tr><td>1</td><td>2</td></tr></table>",
                true,
            ),
            (
                "<tr><td><table><tr><td>1</td><td>2</td></tr></table></td></tr></table>",
                true,
            ),
            ("<tr><th>h</th></tr><tr><td>b</td></tr></table>", false),
            ("<tr><td>a</td><td>b</td></tr></table>", false),
            ("<tr><td><![CDATA[<td><td>]]></td></tr></table>", true),
        ];
        for (source, expected) in cases {
            assert_eq!(is_layout(source), expected, "{source}");
        }
    }
}
