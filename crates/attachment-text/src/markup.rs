//! The HTML in between. Every reader that finds structure writes HTML, and `storage-markdown` turns that into Markdown.

use std::borrow::Cow;

use storage_markdown::{Images, NoResolver, Options, convert_view};

use crate::{Found, Limits, Refusal};

/// HTML to Markdown, as far as elements are not nested too deep.
pub(crate) fn read(html: &str, limits: &Limits) -> Result<Found, Refusal> {
    let options = Options {
        images: Images::None,
        table_max_columns: limits.max_columns,
        ..Options::default()
    };
    let converted = convert_view(html, &options, &NoResolver);
    let found = Found::whole(converted.markdown);
    if converted.diagnostics.cut {
        return found.too_deep();
    }
    Ok(found)
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
