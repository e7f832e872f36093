//! Formulas: every app keeps them under another name.

use std::borrow::Cow;

/// Whether a macro or app of this name shows a formula.
pub(crate) fn is_formula(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["math", "latex", "katex", "equation", "formula"]
        .iter()
        .any(|part| name.contains(part))
}

/// Names of the parameters that hold one, the surest first. In an app that shows nothing else, `any` of the others too.
const SURE: [&str; 5] = ["latex", "equation", "formula", "tex", "math"];
const LIKELY: [&str; 8] = [
    "body",
    "expression",
    "source",
    "content",
    "code",
    "data",
    "text",
    "value",
];

/// The formula among the parameters that `value` looks up, without the signs that an author put around it.
pub(crate) fn formula<'p>(
    value: impl Fn(&str) -> Option<&'p str>,
    any: bool,
) -> Option<Cow<'p, str>> {
    let likely = LIKELY.iter().filter(|_| any);
    let found = SURE.iter().chain(likely).find_map(|name| value(name))?;
    Some(bare(found)).filter(|f| !f.is_empty())
}

/// `$x$`, `\\(x\\)` and the like without their signs; an address-encoded formula decoded.
pub(crate) fn bare(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let pairs = [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")];
    let inner = pairs.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains(open)).then(|| inner.trim())
    });
    let text = inner.unwrap_or(text);
    if text.contains("%20") && !text.contains(' ') {
        Cow::Owned(
            crate::attrs::percent_decoded(text, false)
                .trim()
                .to_string(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_lose_their_signs_and_nothing_else() {
        for (text, expected) in [
            ("$x$", "x"),
            ("$$ x $$", "x"),
            ("\\(x\\)", "x"),
            ("\\[x\\]", "x"),
            ("$a$ and $b$", "$a$ and $b$"),
            ("F%20%3D%20m%20a", "F = m a"),
            ("50 \\%20", "50 \\%20"),
            ("$", "$"),
        ] {
            assert_eq!(bare(text), expected, "{text}");
        }
    }
}
