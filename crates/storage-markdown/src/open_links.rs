//! Links to pages that are left open: the Markdown says which page is meant, and whoever reads it says what may be told of it.
//!
//! A body is converted once, and read for readers who may know different pages. So where a [`crate::Resolver`] knows the id of
//! a page, both forms stand in the Markdown: the one that names the page, whose title and address are still to be put in, and
//! the one that says nothing but what the author of the body wrote. [`close_links`] takes one of them for each link.
//!
//! A link left open is `OPEN id NEXT anchor NEXT text NEXT otherwise CLOSE`: without a text of its own (the author's) it shows
//! the title. No page can hold these characters, and the converter writes none that it reads.

use std::borrow::Cow;

use crate::inline::push_destination;
use crate::model::Target;

/// Begins a link that is left open.
pub(crate) const OPEN: char = '\u{3}';
/// Stands between its parts.
pub(crate) const NEXT: char = '\u{4}';
/// Ends it.
pub(crate) const CLOSE: char = '\u{5}';

/// A link that was left open.
struct OpenLink<'m> {
    id: &'m str,
    anchor: &'m str,
    /// The author's own text; empty when there is none.
    text: &'m str,
    /// What stands for it when nothing may be told of its page.
    otherwise: &'m str,
}

/// Markdown piece by piece.
enum Piece<'m> {
    Text(&'m str),
    Link(OpenLink<'m>),
}

fn pieces(markdown: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = markdown;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = memchr::memchr(OPEN as u8, rest.as_bytes());
        if at != Some(0) {
            let (text, after) = rest.split_at(at.unwrap_or(rest.len()));
            rest = after;
            return Some(Piece::Text(text));
        }
        let inner = &rest[OPEN.len_utf8()..];
        let link = inner.split_once(CLOSE).and_then(|(link, after)| {
            let mut parts = link.splitn(4, NEXT);
            let link = OpenLink {
                id: parts.next()?,
                anchor: parts.next()?,
                text: parts.next()?,
                otherwise: parts.next()?,
            };
            Some((link, after))
        });
        match link {
            Some((link, after)) => {
                rest = after;
                Some(Piece::Link(link))
            }
            None => {
                rest = inner;
                Some(Piece::Text(""))
            }
        }
    })
}

/// The ids of the pages that links of this Markdown were left open for, in order, repeats included.
///
/// ```
/// use storage_markdown::{Options, Resolver, close_links, convert_storage, linked_pages};
///
/// struct Numbers;
/// impl Resolver for Numbers {
///     fn knows_page(&self, _id: &str) -> bool { true }
/// }
///
/// let body = r#"<p>See <ac:link><ri:content-entity ri:content-id="42" /><ac:link-body>this</ac:link-body></ac:link>.</p>"#;
/// let page = convert_storage(body, &Options::default(), &Numbers);
/// assert_eq!(linked_pages(&page.markdown).collect::<Vec<_>>(), ["42"]);
/// assert_eq!(close_links(&page.markdown, |_| None), "See this.\n");
/// ```
pub fn linked_pages(markdown: &str) -> impl Iterator<Item = &str> {
    pieces(markdown).filter_map(|piece| match piece {
        Piece::Link(link) => Some(link.id),
        Piece::Text(_) => None,
    })
}

/// The Markdown with every link closed: those whose page is told lead to it, and show its title where the author wrote no text;
/// of the others stays what the author wrote.
pub fn close_links<'m>(
    markdown: &'m str,
    mut told: impl FnMut(&str) -> Option<Target>,
) -> Cow<'m, str> {
    if memchr::memchr(OPEN as u8, markdown.as_bytes()).is_none() {
        return Cow::Borrowed(markdown);
    }
    let mut out = String::with_capacity(markdown.len());
    for piece in pieces(markdown) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Link(link) => match told(link.id) {
                Some(target) => push_told(&mut out, &link, &target),
                None => out.push_str(link.otherwise),
            },
        }
    }
    Cow::Owned(out)
}

fn push_told(out: &mut String, link: &OpenLink<'_>, target: &Target) {
    let title = crate::escape::escaped_in_brackets(&target.title);
    let title = title.trim();
    if link.text.is_empty() && title.is_empty() {
        return out.push_str(link.otherwise);
    }
    out.push('[');
    if link.text.is_empty() {
        // It may stand in a table.
        out.push_str(&title.replace('|', "\\|"));
    } else {
        out.push_str(link.text);
    }
    out.push_str("](");
    let mut url = target.url.replace('|', "%7C");
    if !link.anchor.is_empty() {
        url.push('#');
        url.push_str(link.anchor);
    }
    push_destination(out, &url);
    out.push(')');
}

/// As [`close_links`], with nothing told: for measuring, and for words.
pub(crate) fn with_nothing_told(markdown: &str) -> Cow<'_, str> {
    close_links(markdown, |_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_link_is_taken_as_text() {
        for broken in ["a\u{3}b", "a\u{3}1\u{4}\u{4}\u{5}b", "\u{3}", "a\u{4}b"] {
            let closed = close_links(broken, |_| None);
            assert!(!closed.contains(OPEN), "{closed:?}");
            assert_eq!(linked_pages(broken).count(), 0, "{broken:?}");
        }
    }
}
