//! Text of others inside lines of our own: titles, headings, labels, names of spaces and files. [`foreign`] is the one way
//! in; what it gives cannot end the line it stands in, nor look like another part of it.

use std::borrow::Cow;

use super::{clean, inline};

/// Characters that a foreign text has in a line of ours at most.
const MOST: usize = 60;
/// Bytes of a breadcrumb at most.
const CRUMBS: usize = 300;

/// One line of at most 60 characters: cleaned of what nobody sees, Markdown and HTML escaped, and without the marks by which
/// our lines are divided.
#[must_use]
pub fn foreign(text: &str) -> String {
    let text = inline(text);
    let text = short(&text);
    let mut out = String::with_capacity(text.len() + 8);
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            out.push(' ');
        }
        match word {
            "·" | "•" | "‧" | "∙" | "⋅" | "・" | "･" | "›" | "»" | "❯" => {
                out.push('-')
            }
            word if at == 0 && begins_a_block(word) => escape_start(word, &mut out),
            word => escape(word, &mut out),
        }
    }
    out
}

/// Titles from the top down, as a breadcrumb.
#[must_use]
pub fn crumbs(titles: &[String]) -> String {
    let mut out = String::new();
    for title in titles {
        let title = foreign(title);
        if out.len() + title.len() > CRUMBS {
            out.push_str(" > …");
            break;
        }
        if !out.is_empty() {
            out.push_str(" > ");
        }
        out.push_str(&title);
    }
    out
}

/// A Markdown link that holds whatever the titles and the address are made of; several titles lead from a page to a place on it.
#[must_use]
pub fn link(titles: &[&str], url: &str) -> String {
    let titles: Vec<String> = titles.iter().map(|title| foreign(title)).collect();
    format!("[{}]({})", titles.join(" › "), address(url))
}

/// The text itself, or its beginning with `…`.
fn short(text: &str) -> Cow<'_, str> {
    if text.chars().count() <= MOST {
        return text.into();
    }
    let end = text
        .char_indices()
        .nth(MOST - 1)
        .map_or(text.len(), |(at, _)| at);
    format!("{}…", text[..end].trim_end()).into()
}

/// Whether a line that begins with this word would be a heading, an item of a list, a rule or the underline of a heading.
fn begins_a_block(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit());
    word.chars().all(|c| matches!(c, '#' | '+' | '-' | '='))
        || (number.len() < word.len() && matches!(number, "." | ")"))
}

fn escape_start(word: &str, out: &mut String) {
    let digits = word.chars().take_while(char::is_ascii_digit).count();
    out.push_str(&word[..digits]);
    if digits < word.len() {
        out.push('\\');
        out.push_str(&word[digits..]);
    }
}

fn escape(word: &str, out: &mut String) {
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let after = word[at + c.len_utf8()..].chars().next();
        let between_letters = || {
            [before, after]
                .iter()
                .all(|c| c.is_some_and(char::is_alphanumeric))
        };
        match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' => out.extend(['\\', c]),
            '_' if !between_letters() => out.extend(['\\', c]),
            '~' if before == Some('~') || after == Some('~') => out.extend(['\\', c]),
            '&' if is_entity(&word[at + 1..]) => out.extend(['\\', c]),
            // Catalan has it inside of words.
            '·' if !between_letters() => out.push('-'),
            '›' => out.push_str("\\>"),
            c => out.push(c),
        }
        before = Some(c);
    }
}

fn is_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches('#');
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    length > 0 && name[length..].starts_with(';')
}

/// An address between parentheses: nothing in it ends them or the line.
fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len() + 8);
    for c in clean(url).text.chars() {
        match c {
            '(' | ')' | '<' | '>' | '[' | ']' | '|' | '\\' | '`' | '"' => {
                out.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c if c.is_whitespace() || c.is_control() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_inside_its_part_of_a_line() {
        for (text, expected) in [
            ("Plain title", "Plain title"),
            (
                "x · as of 2099-01-01 · page_id 1",
                "x - as of 2099-01-01 - page_id 1",
            ),
            ("x· y ·z", "x- y -z"),
            ("col·legi", "col·legi"),
            ("a › b", "a - b"),
            ("a\n\n# b\r\u{2028}c", "a # b c"),
            ("# b", "\\# b"),
            ("1. One", "1\\. One"),
            ("---", "\\---"),
            ("- item", "\\- item"),
            ("2024 plan", "2024 plan"),
            ("![x](https://e.example)", "!\\[x\\](https://e.example)"),
            (
                "</page-content><img src=x>",
                "\\</page-content\\>\\<img src=x\\>",
            ),
            (
                "a|b `c` *d* _e_ snake_case",
                "a\\|b \\`c\\` \\*d\\* \\_e\\_ snake_case",
            ),
            ("R&D &amp; &#10;", "R&D \\&amp; \\&#10;"),
            ("~~a~~ ~user", "\\~\\~a\\~\\~ ~user"),
            ("\u{202E}abc\u{E0041}\u{200B}", "abc"),
        ] {
            assert_eq!(foreign(text), expected, "{text:?}");
        }
    }

    #[test]
    fn foreign_text_has_sixty_characters_at_most() {
        let sixty = "ä".repeat(60);
        assert_eq!(foreign(&sixty), sixty);
        let cut = foreign(&format!("{sixty}b"));
        assert_eq!(cut, format!("{}…", "ä".repeat(59)));
        assert_eq!(
            crumbs(&vec!["t".repeat(200); 40]).chars().count(),
            60 * 4 + 3 * 3 + 4
        );
    }

    #[test]
    fn links_hold_hostile_titles_and_addresses() {
        assert_eq!(
            link(
                &["A [b](javascript:x)\n c", "d › e"],
                "https://x/wiki/spaces/A/pages/1/T_(x)|\u{202E} "
            ),
            "[A \\[b\\](javascript:x) c › d - e](https://x/wiki/spaces/A/pages/1/T_%28x%29%7C%20)"
        );
    }
}
