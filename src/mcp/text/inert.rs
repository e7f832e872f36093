//! Page text as text alone: a chat that renders it fetches nothing. An image would be fetched from wherever the page's author
//! pointed it, with whatever the author put into the address.

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser, Tag};

/// Looks at most: what is written as text by one may show something new to the next.
const LOOKS: usize = 6;

/// The text with images as `Image: [alt](address)` and raw HTML as text. Code stays as it is.
#[must_use]
pub fn inert(markdown: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(markdown);
    if !text.contains("![") && !text.contains('<') {
        return text;
    }
    for _ in 0..LOOKS {
        match look(&text) {
            None => return text,
            Some(changed) => text = changed.into(),
        }
    }
    // Nobody writes so by accident.
    text.replace('<', "&lt;").replace("![", "[").into()
}

/// One replacement: from where, how many bytes, by what.
type Edit = (usize, usize, &'static str);

fn look(text: &str) -> Option<String> {
    let mut edits: Vec<Edit> = Vec::new();
    // Both as CommonMark has it and as GitHub does, since chats differ.
    for dialect in [
        Options::empty(),
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
    ] {
        for (event, range) in Parser::new_ext(text, dialect).into_offset_iter() {
            match event {
                Event::Start(Tag::Image { .. }) => {
                    let source = &text[range.start..];
                    if source.starts_with("![]") {
                        edits.push((range.start, 2, "[Image"));
                    } else if source.starts_with("![") {
                        edits.push((range.start, 2, "Image: ["));
                    }
                }
                Event::Html(_) => edits.extend(tags(text, range, is_break)),
                Event::InlineHtml(_) => {
                    edits.extend(tags(text, range, |tag| is_break(tag) || is_bare(tag)))
                }
                _ => {}
            }
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_unstable();
    edits.dedup();
    let mut out = String::with_capacity(text.len() + edits.len() * 6);
    let mut from = 0;
    for (at, length, by) in edits {
        out.push_str(&text[from..at]);
        out.push_str(by);
        from = at + length;
    }
    out.push_str(&text[from..]);
    Some(out)
}

/// The beginnings of tags in a piece of raw HTML, but for those that may stay.
fn tags(
    text: &str,
    range: std::ops::Range<usize>,
    stays: impl Fn(&str) -> bool,
) -> impl Iterator<Item = Edit> {
    let start = range.start;
    let piece = &text[range];
    piece
        .match_indices('<')
        .filter(move |(at, _)| !stays(&piece[at + 1..]))
        .map(move |(at, _)| (start + at, 1, "&lt;"))
}

/// `<br>`, as our converter writes it in the cells of tables.
fn is_break(tag: &str) -> bool {
    ["br>", "br/>", "br />"]
        .iter()
        .any(|br| tag.starts_with(br))
}

/// A tag without attributes, such as the `<T>` of a type: it names no address. But for those that change how what follows is read.
fn is_bare(tag: &str) -> bool {
    const READ_OTHERWISE: [&str; 9] = [
        "script",
        "style",
        "pre",
        "textarea",
        "svg",
        "math",
        "xmp",
        "plaintext",
        "base",
    ];
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let length = tag
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
        .count();
    let (name, rest) = tag.split_at(length);
    let otherwise = READ_OTHERWISE
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other));
    length > 0 && !otherwise && (rest.starts_with('>') || rest.starts_with("/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_text_with_their_address() {
        for (markdown, expected) in [
            (
                "See ![a plan](https://e.example/x?q=1 \"t\").",
                "See Image: [a plan](https://e.example/x?q=1 \"t\").",
            ),
            ("![](https://e.example/x)", "[Image](https://e.example/x)"),
            (
                "[![in a link](https://e.example/x)](https://y.example)",
                "[Image: [in a link](https://e.example/x)](https://y.example)",
            ),
            (
                "![a\\]b](<https://e.example/a b>)",
                "Image: [a\\]b](<https://e.example/a b>)",
            ),
            (
                "![alt][ref]\n\n[ref]: https://e.example/x",
                "Image: [alt][ref]\n\n[ref]: https://e.example/x",
            ),
            (
                "![ref]\n\n[ref]: //e.example/x",
                "Image: [ref]\n\n[ref]: //e.example/x",
            ),
            (
                "| a | b |\n| --- | --- |\n| `x | ![y](https://e.example/`) |",
                "| a | b |\n| --- | --- |\n| `x | Image: [y](https://e.example/`) |",
            ),
        ] {
            assert_eq!(inert(markdown), expected);
            assert_eq!(inert(expected), expected, "twice changes nothing");
        }
    }

    #[test]
    fn raw_html_is_text() {
        for (markdown, expected) in [
            (
                "a <img src=\"https://e.example\"> b",
                "a &lt;img src=\"https://e.example\"> b",
            ),
            (
                "<div>\n![x](https://e.example)\n</div>",
                "&lt;div>\nImage: [x](https://e.example)\n&lt;/div>",
            ),
            (
                "<!-- \n\n![x](https://e.example)",
                "&lt;!-- \n\nImage: [x](https://e.example)",
            ),
            (
                "x <pre>![x](https://e.example)</pre>",
                "x &lt;pre>Image: [x](https://e.example)&lt;/pre>",
            ),
        ] {
            assert_eq!(inert(markdown), expected);
        }
    }

    #[test]
    fn code_breaks_and_types_stay() {
        for markdown in [
            "```md\n![badge](https://e.example/b.svg) <img src=x>\n```",
            "use `![alt](https://e.example)` and vec![1, 2]; see [docs](https://d.example)",
            "a Vec<T> and a<br>b",
            "\\![no image](https://e.example) 1 < 2",
            "<https://e.example>",
        ] {
            assert!(matches!(inert(markdown), Cow::Borrowed(_)), "{markdown}");
        }
    }

    #[test]
    fn what_is_made_to_wear_it_out_is_text_all_the_same() {
        let mut nested = "![x](https://e.example)".to_owned();
        for _ in 0..12 {
            nested = format!("<!--\n\n<script>\n{nested}");
        }
        assert!(!inert(&nested).contains("!["));
        assert_eq!(inert(&"![".repeat(5_000)).len(), 10_000, "no image at all");
    }
}
