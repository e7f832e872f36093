//! Anchors: one form for every heading, and finding it again from the forms that links use.
//!
//! The form is the one Confluence Cloud gives to headings (`Heading-text`, repeats `Heading-text.1`), so that a page
//! address with our anchor opens the right place. Older links write `PageTitle-Headingtext` without spaces; both are
//! compared by their letters and digits alone.

use std::collections::HashMap;

use crate::inline::{LOCAL_ANCHOR, LOCAL_OPEN, is_word};
use crate::model::Heading;

/// The anchor of a heading with this text.
pub fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push('-');
        }
        for c in word.chars() {
            match c {
                '%' | '"' | '<' | '>' | '`' | '(' | ')' | '\\' | '#' | '|' | '[' | ']' => {
                    use std::fmt::Write as _;
                    let _ = write!(out, "%{:02X}", c as u32);
                }
                c if c.is_control() => {}
                c => out.push(c),
            }
        }
    }
    out
}

/// Gives each heading its anchor, numbering repeats.
#[derive(Debug, Default)]
pub(crate) struct Slugs {
    /// How often each has been repeated.
    seen: HashMap<String, usize>,
}

impl Slugs {
    pub(crate) fn next(&mut self, text: &str) -> String {
        let base = slug(text);
        match self.seen.get_mut(&base) {
            Some(repeats) => {
                *repeats += 1;
                format!("{base}.{repeats}")
            }
            None => {
                self.seen.insert(base.clone(), 0);
                base
            }
        }
    }
}

/// Letters and digits, lower case: what all forms of an anchor have in common.
pub(crate) fn key(text: &str) -> String {
    text.chars()
        .filter(|c| is_word(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Settles links to places in this page, which were written before all headings were known.
pub(crate) fn settle(markdown: &str, outline: &[Heading], named: &[(String, usize)]) -> String {
    let mut index: HashMap<String, &str> = HashMap::new();
    for heading in outline {
        index.entry(key(&heading.text)).or_insert(&heading.anchor);
        index.entry(key(&heading.anchor)).or_insert(&heading.anchor);
    }
    for (name, heading) in named {
        if let Some(heading) = outline.get(*heading).or(outline.last()) {
            index.entry(key(name)).or_insert(&heading.anchor);
        }
    }
    let find = |name: &str| -> Option<&str> {
        let found = index.get(&key(name)).copied();
        // `PageTitle-Heading`: what follows some dash.
        found.or_else(|| {
            name.match_indices('-')
                .take(16)
                .find_map(|(at, _)| index.get(&key(&name[at + 1..])).copied())
        })
    };
    let mut out = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(at) = rest.find(LOCAL_OPEN) {
        out.push_str(&rest[..at]);
        rest = &rest[at + LOCAL_OPEN.len_utf8()..];
        // `[text](` anchor `)`
        let Some(first) = rest.find(LOCAL_ANCHOR) else {
            break;
        };
        let Some(length) = rest[first + 1..].find(LOCAL_ANCHOR) else {
            break;
        };
        let text = &rest[..first];
        let name = &rest[first + 1..first + 1 + length];
        match find(name).filter(|s| !s.is_empty()) {
            Some(slug) => {
                out.push_str(text);
                out.push('#');
                out.push_str(slug);
                out.push(')');
            }
            None => out.push_str(
                text.strip_prefix('[')
                    .and_then(|t| t.strip_suffix("]("))
                    .unwrap_or(text),
            ),
        }
        rest = rest[first + 1 + length + 1..]
            .strip_prefix(')')
            .unwrap_or(&rest[first + 1 + length + 1..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_numbered_and_others_do_not_change_them() {
        let mut slugs = Slugs::default();
        assert_eq!(slugs.next("Set up"), "Set-up");
        assert_eq!(slugs.next("Other (2)"), "Other-%282%29");
        assert_eq!(slugs.next("Set up"), "Set-up.1");
    }

    #[test]
    fn legacy_and_new_anchors_find_the_same_heading() {
        let outline = [Heading {
            level: 2,
            text: "Roll back".into(),
            anchor: "Roll-back".into(),
        }];
        for name in ["Roll-back", "Rollback", "MyPage-Rollback", "roll back"] {
            let source = format!("a \u{1}[x](\u{2}{name}\u{2}) b");
            assert_eq!(settle(&source, &outline, &[]), "a [x](#Roll-back) b");
        }
        assert_eq!(settle("\u{1}[x](\u{2}gone\u{2}).", &outline, &[]), "x.");
    }
}
