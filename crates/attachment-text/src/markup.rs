//! The HTML in between. Every reader that finds structure writes HTML, and `storage-markdown` turns that into Markdown.

use std::borrow::Cow;

use storage_markdown::{Images, NoResolver, Options, convert_view};

use crate::Limits;

/// HTML to Markdown.
pub(crate) fn markdown(html: &str, limits: &Limits) -> String {
    let options = Options {
        images: Images::None,
        table_max_columns: limits.max_columns,
        ..Options::default()
    };
    convert_view(html, &options, &NoResolver).markdown
}

/// Text for a place between two tags or in an attribute.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}
