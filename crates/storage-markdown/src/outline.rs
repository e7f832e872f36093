//! Headings and sections of Markdown made here.

use std::ops::Range;

use crate::anchors::Slugs;
pub use crate::anchors::slug;
pub use crate::model::Heading;

/// A heading and where its line stands.
#[derive(Clone, Debug)]
pub struct Located {
    /// The heading.
    pub heading: Heading,
    /// Bytes of its line, with the line break.
    pub line: Range<usize>,
}

/// The headings of `markdown` at the top level of the page, in order, with their anchors.
pub fn outline(markdown: &str) -> Vec<Heading> {
    located(markdown).into_iter().map(|l| l.heading).collect()
}

/// As [`outline()`], with the place of each heading.
pub fn located(markdown: &str) -> Vec<Located> {
    let mut slugs = Slugs::default();
    let mut out = Vec::new();
    let mut fence: Option<(u8, usize)> = None;
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let text = line.trim_end_matches(['\n', '\r']);
        if let Some((mark, length)) = fence_of(text) {
            match fence {
                None => fence = Some((mark, length)),
                Some((open, n))
                    if open == mark && length >= n && text.trim().bytes().all(|b| b == mark) =>
                {
                    fence = None
                }
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        let level = text.bytes().take_while(|&b| b == b'#').count();
        if (1..=6).contains(&level) && text.as_bytes().get(level).is_none_or(|b| *b == b' ') {
            let text = crate::escape::plain(text[level..].trim());
            if text.is_empty() {
                continue;
            }
            let anchor = slugs.next(&text);
            out.push(Located {
                heading: Heading {
                    level: level as u8,
                    text,
                    anchor,
                },
                line: start..at,
            });
        }
    }
    out
}

/// The fence a line opens or closes: its character and length.
pub(crate) fn fence_of(line: &str) -> Option<(u8, usize)> {
    let trimmed = line.trim_start_matches(' ');
    if line.len() - trimmed.len() > 3 {
        return None;
    }
    let mark = *trimmed.as_bytes().first()?;
    if mark != b'`' && mark != b'~' {
        return None;
    }
    let length = trimmed.bytes().take_while(|&b| b == mark).count();
    let info = &trimmed[length..];
    (length >= 3 && !(mark == b'`' && info.contains('`'))).then_some((mark, length))
}

/// The section under a heading, named by anchor or title: from its line to the next heading of its level or above.
pub fn section<'a>(markdown: &'a str, anchor_or_title: &str) -> Option<&'a str> {
    let wanted = anchor_or_title.trim().trim_start_matches('#');
    let headings = located(markdown);
    let key = crate::anchors::key(wanted);
    let index = headings
        .iter()
        .position(|l| l.heading.anchor == wanted)
        .or_else(|| {
            headings
                .iter()
                .position(|l| l.heading.text.eq_ignore_ascii_case(wanted))
        })
        .or_else(|| {
            headings
                .iter()
                .position(|l| !key.is_empty() && crate::anchors::key(&l.heading.text) == key)
        })?;
    let found = &headings[index];
    let end = headings[index + 1..]
        .iter()
        .find(|l| l.heading.level <= found.heading.level)
        .map_or(markdown.len(), |l| l.line.start);
    Some(markdown[found.line.start..end].trim_end())
}

/// The page cut at its headings: what stands above the first (no heading), then each heading with the text down to the next.
pub fn sections(markdown: &str) -> impl Iterator<Item = (Option<Heading>, &str)> {
    let headings = located(markdown);
    let ends: Vec<usize> = headings
        .iter()
        .map(|located| located.line.start)
        .chain([markdown.len()])
        .collect();
    let opening = (None, &markdown[..ends[0]]);
    let under = headings.into_iter().zip(ends.into_iter().skip(1));
    std::iter::once(opening).chain(
        under.map(|(located, end)| (Some(located.heading), &markdown[located.line.end..end])),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# One\n\nintro\n\n## Set *up*\n\n```\n# not a heading\n```\n\n### Deep\n\nx\n\n## Set up\n\ny\n\n# Two\n\nz\n";

    #[test]
    fn headings_in_code_are_none() {
        let found: Vec<_> = outline(PAGE)
            .into_iter()
            .map(|h| (h.level, h.text, h.anchor))
            .collect();
        let expected = [
            (1, "One", "One"),
            (2, "Set up", "Set-up"),
            (3, "Deep", "Deep"),
            (2, "Set up", "Set-up.1"),
            (1, "Two", "Two"),
        ];
        assert_eq!(
            found,
            expected.map(|(l, t, a)| (l, t.to_string(), a.to_string()))
        );
    }

    #[test]
    fn sections_hold_their_own_text_and_all_of_it() {
        let page = format!("above\n\n{PAGE}");
        let found: Vec<_> = sections(&page)
            .map(|(heading, text)| (heading.map(|h| h.text), text.trim().to_owned()))
            .collect();
        let expected = [
            (None, "above"),
            (Some("One"), "intro"),
            (Some("Set up"), "```\n# not a heading\n```"),
            (Some("Deep"), "x"),
            (Some("Set up"), "y"),
            (Some("Two"), "z"),
        ];
        assert_eq!(
            found,
            expected.map(|(heading, text)| (heading.map(str::to_owned), text.to_owned()))
        );
        assert_eq!(sections("").count(), 1);
    }

    #[test]
    fn a_section_is_found_by_anchor_or_title_and_holds_its_children() {
        assert_eq!(
            section(PAGE, "Set-up"),
            Some("## Set *up*\n\n```\n# not a heading\n```\n\n### Deep\n\nx")
        );
        assert_eq!(section(PAGE, "Set-up.1"), Some("## Set up\n\ny"));
        assert_eq!(section(PAGE, "deep"), Some("### Deep\n\nx"));
        assert_eq!(section(PAGE, "#Two"), Some("# Two\n\nz"));
        assert_eq!(section(PAGE, "none"), None);
    }
}
