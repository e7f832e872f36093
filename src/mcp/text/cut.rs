//! Cutting text to a budget where a reader would cut it.

/// The length in bytes of the longest prefix with at most `max_bytes` bytes and `max_chars` characters.
#[must_use]
pub fn prefix(text: &str, max_chars: usize, max_bytes: usize) -> usize {
    let by_chars = text
        .char_indices()
        .nth(max_chars)
        .map_or(text.len(), |(at, _)| at);
    let mut end = by_chars.min(max_bytes).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// A snippet of at most `max_bytes` bytes; ends at a sentence, line or word if it has to be cut, and says so with `…`.
#[must_use]
pub fn snippet(text: &str, max_bytes: usize) -> String {
    let text = text.trim();
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let hard = prefix(text, usize::MAX, max_bytes.saturating_sub(4));
    let head = &text[..hard];
    let floor = hard * 2 / 3;
    let end = ["\n\n", ". ", "\n", " "]
        .iter()
        .find_map(|mark| {
            head.rfind(mark)
                .map(|at| at + if *mark == ". " { 1 } else { 0 })
                .filter(|at| *at >= floor)
        })
        .unwrap_or(hard);
    format!("{} …", head[..end].trim_end())
}

/// Where to end a part of a page of at most `max_chars` characters and `max_bytes` bytes: before a heading, else after a
/// paragraph, else after a line, else wherever it is full; inside a code block only if there is no other place. Always
/// beyond 0 unless the text is empty, so that a reader gets on.
#[must_use]
pub fn part(text: &str, max_chars: usize, max_bytes: usize) -> usize {
    let hard = prefix(text, max_chars.max(1), max_bytes.max(4));
    if hard == text.len() {
        return hard;
    }
    let floor = hard / 2;
    let (mut heading, mut paragraph, mut line_end, mut any_line) = (0, 0, 0, 0);
    let mut fence: Option<(char, usize)> = None;
    let mut blank_before = true;
    let mut at = 0;
    for line in text[..hard].split_inclusive('\n') {
        let body = line.trim_start();
        if fence.is_none() {
            if body.starts_with('#') && blank_before {
                heading = at;
            }
            if blank_before {
                paragraph = at;
            }
            line_end = at;
        }
        any_line = at;
        blank_before = body.trim().is_empty();
        fence = fence_after(fence, body);
        at += line.len();
    }
    [heading, paragraph, line_end, any_line]
        .into_iter()
        .find(|end| *end > floor)
        .unwrap_or(hard)
}

/// The code block that is open after a line: its mark and length.
fn fence_after(open: Option<(char, usize)>, line: &str) -> Option<(char, usize)> {
    let mark = match line.chars().next() {
        Some(c @ ('`' | '~')) => c,
        _ => return open,
    };
    let length = line.chars().take_while(|c| *c == mark).count();
    match open {
        None if length >= 3 => Some((mark, length)),
        Some((c, n)) if c == mark && length >= n && line.trim_end().chars().all(|x| x == mark) => {
            None
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_end_where_a_reader_would_stop() {
        assert_eq!(snippet(" short ", 20), "short");
        assert_eq!(
            snippet("One sentence. Another one that is long", 20),
            "One sentence. …"
        );
        let umlauts = "ä".repeat(50);
        let cut = snippet(&umlauts, 21);
        assert!(cut.len() <= 21 && cut.ends_with('…'), "{cut}");
    }

    #[test]
    fn parts_end_before_a_heading_and_never_stand_still() {
        let text = "intro\n\nmore text here\n\n## Two\n\nbody of two goes on and on";
        let end = part(text, 40, usize::MAX);
        assert_eq!(&text[end..end + 6], "## Two");
        assert_eq!(part("x".repeat(30).as_str(), 10, 100), 10);
        assert_eq!(part("", 10, 10), 0);
        assert_eq!(part("ä", 1, 1), 2);
    }

    #[test]
    fn code_blocks_are_not_torn_while_there_is_another_place() {
        let text = format!(
            "{}\n\n```\n# no heading\n{}\n```\nafter",
            "p".repeat(60),
            "c\n".repeat(30)
        );
        let end = part(&text, 90, usize::MAX);
        assert_eq!(&text[end..end + 3], "```");
    }

    #[test]
    fn parts_add_up_to_the_text() {
        let text = "# A\n\nüber alles\n\n```\ncode\n```\n\n## B\n\nlast words\n".repeat(20);
        for size in [1, 7, 50, 333] {
            let mut rest = text.as_str();
            let mut whole = String::new();
            while !rest.is_empty() {
                let end = part(rest, size, usize::MAX);
                assert!(end > 0);
                whole.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            assert_eq!(whole, text);
        }
    }
}
