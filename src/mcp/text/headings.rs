//! The headings of a page's Markdown with their places in it.

use crate::mcp::knowledge::Heading;

/// Headings outside code blocks, in order, with the anchors that Confluence gives them.
#[must_use]
pub fn headings(markdown: &str) -> Vec<Heading> {
    storage_markdown::outline::located(markdown)
        .into_iter()
        .map(|located| Heading {
            level: located.heading.level,
            title: located.heading.text,
            anchor: located.heading.anchor,
            start: located.line.start,
        })
        .collect()
}
