//! A page as one document: front matter or a title line, breadcrumb, body.

use std::fmt::Write as _;

use crate::model::{Conversion, LinkTarget};

/// What is known about a page besides its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// Content id.
    pub id: String,
    /// Title, as plain text.
    pub title: String,
    /// Canonical address.
    pub url: String,
    /// Key of its space.
    pub space_key: String,
    /// Name of its space.
    pub space_name: String,
    /// Titles of its ancestors, outermost first.
    pub ancestors: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Version number.
    pub version: Option<u64>,
    /// Time of the last change, RFC 3339.
    pub updated: String,
    /// Display name or account id of who made it.
    pub author: String,
}

impl PageFacts {
    /// Space and ancestors: what stands above the title.
    pub fn breadcrumb(&self) -> Vec<&str> {
        let space = if self.space_name.is_empty() {
            &self.space_key
        } else {
            &self.space_name
        };
        let parts = std::iter::once(space).chain(&self.ancestors);
        parts
            .map(String::as_str)
            .filter(|p| !p.is_empty())
            .collect()
    }
}

/// The page as a document of its own: a title line, the breadcrumb, then the body.
///
/// A body that repeats the title as its first heading keeps only one of them.
///
/// ```
/// use storage_markdown::{NoResolver, Options, PageFacts, convert_storage, page_document};
///
/// let facts = PageFacts { title: "Limits".into(), space_name: "Operations".into(), ancestors: vec!["Gateway".into()], ..PageFacts::default() };
/// let body = convert_storage("<h1>Limits</h1><p>Five users.</p>", &Options::default(), &NoResolver);
/// assert_eq!(page_document(&facts, &body), "# Limits\n\nOperations > Gateway\n\nFive users.\n");
/// ```
pub fn page_document(facts: &PageFacts, body: &Conversion) -> String {
    let mut out = String::with_capacity(body.markdown.len() + 256);
    if !facts.title.trim().is_empty() {
        let _ = write!(
            out,
            "# {}\n\n",
            crate::escape::escaped_in_brackets(facts.title.trim())
        );
    }
    let breadcrumb = facts.breadcrumb();
    if !breadcrumb.is_empty() {
        let path: Vec<String> = breadcrumb
            .iter()
            .map(|p| crate::escape::escaped_in_brackets(p))
            .collect();
        let _ = write!(out, "{}\n\n", path.join(" > "));
    }
    out.push_str(without_title(&body.markdown, &facts.title));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The body without a first heading that says the title once more.
fn without_title<'m>(markdown: &'m str, title: &str) -> &'m str {
    let Some((line, rest)) = markdown.split_once('\n') else {
        return markdown;
    };
    let heading = line.strip_prefix("# ").map(crate::escape::plain);
    let same = heading.is_some_and(|h| !h.is_empty() && h.eq_ignore_ascii_case(title.trim()));
    if same {
        rest.trim_start_matches('\n')
    } else {
        markdown
    }
}

/// YAML front matter of a page, keys in a fixed order, empty ones left out; ends with the closing line.
pub fn front_matter(facts: &PageFacts, body: &Conversion) -> String {
    let mut out = String::from("---\n");
    for (key, value) in [
        ("title", &facts.title),
        ("page_id", &facts.id),
        ("url", &facts.url),
        ("space", &facts.space_key),
        ("space_name", &facts.space_name),
        ("updated", &facts.updated),
        ("author", &facts.author),
    ] {
        if !value.is_empty() {
            let _ = writeln!(out, "{key}: {}", quoted(value));
        }
    }
    if let Some(version) = facts.version {
        let _ = writeln!(out, "version: {version}");
    }
    list(
        &mut out,
        "ancestors",
        facts.ancestors.iter().map(String::as_str),
    );
    list(&mut out, "labels", facts.labels.iter().map(String::as_str));
    if !body.properties.is_empty() {
        out.push_str("properties:\n");
        for (key, value) in &body.properties {
            let _ = writeln!(out, "  {}: {}", quoted(key), quoted(value));
        }
    }
    list(
        &mut out,
        "attachments",
        body.attachments.iter().map(String::as_str),
    );
    let pages = body.links.iter().filter_map(|l| match &l.target {
        LinkTarget::PageId { id } => Some(id.as_str()),
        LinkTarget::Page { title, .. } | LinkTarget::BlogPost { title, .. } => Some(title.as_str()),
        _ => None,
    });
    let mut seen = std::collections::BTreeSet::new();
    let pages: Vec<&str> = pages.filter(|p| seen.insert(*p)).collect();
    list(&mut out, "links", pages.into_iter());
    list(
        &mut out,
        "unknown_macros",
        body.diagnostics
            .unknown_macros
            .iter()
            .map(|(name, _)| name.as_str()),
    );
    if body.diagnostics.unresolved_links > 0 {
        let _ = writeln!(
            out,
            "unresolved_links: {}",
            body.diagnostics.unresolved_links
        );
    }
    if body.diagnostics.repairs > 0 {
        let _ = writeln!(out, "repairs: {}", body.diagnostics.repairs);
    }
    out.push_str("---\n");
    out
}

fn list<'v>(out: &mut String, key: &str, values: impl Iterator<Item = &'v str>) {
    let values: Vec<String> = values.filter(|v| !v.is_empty()).map(quoted).collect();
    if !values.is_empty() {
        let _ = writeln!(out, "{key}: [{}]", values.join(", "));
    }
}

/// A YAML double-quoted scalar; JSON strings are such.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Words of a text: runs of letters, digits, `_` and `'`.
pub fn count_words(text: &str) -> usize {
    let bytes = text.as_bytes();
    let Some((&first, rest)) = bytes.split_first() else {
        return 0;
    };
    // A word begins where a word byte follows another one. Written so that the compiler can do many at once.
    let mut words = usize::from(is_word(first));
    for (before, here) in bytes.chunks(128).zip(rest.chunks(128)) {
        let starts: u8 = before
            .iter()
            .zip(here)
            .map(|(&a, &b)| u8::from(is_word(b) & !is_word(a)))
            .sum();
        words += starts as usize;
    }
    words
}

#[inline]
fn is_word(b: u8) -> bool {
    ((b | 0x20).wrapping_sub(b'a') < 26)
        | (b.wrapping_sub(b'0') < 10)
        | (b >= 0x80)
        | (b == b'_')
        | (b == b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoResolver, Options, convert_storage};

    #[test]
    fn words_are_counted_alike_whatever_the_length() {
        for n in [0, 1, 2, 127, 128, 129, 400] {
            assert_eq!(count_words(&"ab - ".repeat(n)), n);
        }
        assert_eq!(count_words("don't **stop** snake_case — é"), 4 + 1);
    }

    #[test]
    fn front_matter_has_its_keys_in_order_and_quotes_what_needs_it() {
        let facts = PageFacts {
            id: "42".into(),
            title: "A: \"b\"".into(),
            labels: vec!["x".into()],
            version: Some(7),
            ..PageFacts::default()
        };
        let body = r#"<ac:structured-macro ac:name="details"><ac:rich-text-body><table><tr><th>Owner</th><td>Ana</td></tr></table></ac:rich-text-body></ac:structured-macro><p><ac:link><ri:page ri:content-title="T" /></ac:link></p><ac:structured-macro ac:name="acme"></ac:structured-macro>"#;
        let body = convert_storage(body, &Options::default(), &NoResolver);
        let expected = "---\ntitle: \"A: \\\"b\\\"\"\npage_id: \"42\"\nversion: 7\nlabels: [\"x\"]\nproperties:\n  \"Owner\": \"Ana\"\nlinks: [\"T\"]\nunknown_macros: [\"acme\"]\nunresolved_links: 1\n---\n";
        assert_eq!(front_matter(&facts, &body), expected);
        let options = Options {
            front_matter: true,
            ..Options::default()
        };
        let with = convert_storage("<table><tr><td>x</td></tr></table>", &options, &NoResolver);
        assert_eq!(with.markdown, "---\n---\n\nx\n");
    }
}
