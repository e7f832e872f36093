//! Emoticons: from a code point, a name or a shortname to the character.

use crate::attrs::attr;
use std::borrow::Cow;

/// The text of an emoticon in rendered HTML, `img.emoticon`.
pub(crate) fn rendered(attrs: &str) -> Option<Cow<'_, str>> {
    let of = |name| attr(attrs, name).filter(|v: &Cow<'_, str>| !v.trim().is_empty());
    let fallback = of("data-emoji-fallback");
    if let Some(text) = &fallback
        && !is_shortname(text)
    {
        return fallback;
    }
    if let Some(id) = of("data-emoji-id") {
        let known = id.strip_prefix("atlassian-").and_then(by_name);
        if let Some(text) = known.map(str::to_string).or_else(|| from_code_points(&id)) {
            return Some(Cow::Owned(text));
        }
    }
    let short = of("data-emoji-shortname").or(fallback);
    let class = of("class");
    let named = class
        .as_deref()
        .into_iter()
        .flat_map(str::split_ascii_whitespace);
    let mut named = named.filter_map(|c| by_name(c.strip_prefix("emoticon-")?));
    let known = of("data-emoticon-name")
        .as_deref()
        .filter(|n| *n != "blue-star" || short.is_none())
        .and_then(by_name)
        .or_else(|| short.as_deref().and_then(|s| by_name(s.trim_matches(':'))))
        .or_else(|| named.next());
    if let Some(text) = known {
        return Some(Cow::Borrowed(text));
    }
    // The alternative text is in the reader's language: the last that is asked.
    let alt = of("alt");
    let known = alt
        .as_deref()
        .and_then(|a| by_name(a.trim_matches([':', '(', ')'])));
    known.map(Cow::Borrowed).or(short).or(alt)
}

/// The text of an `ac:emoticon` with these attributes, if it has any.
pub(crate) fn emoticon(attrs: &str) -> Option<Cow<'_, str>> {
    let fallback = attr(attrs, "ac:emoji-fallback").filter(|f| !f.trim().is_empty());
    if let Some(text) = &fallback
        && !is_shortname(text)
    {
        return Some(match unescape_utf16(text) {
            Some(decoded) => Cow::Owned(decoded),
            None => Cow::Owned(text.to_string()),
        });
    }
    if let Some(id) = attr(attrs, "ac:emoji-id") {
        if let Some(name) = id.strip_prefix("atlassian-") {
            if let Some(text) = by_name(name) {
                return Some(Cow::Borrowed(text));
            }
        } else if let Some(text) = from_code_points(&id) {
            return Some(Cow::Owned(text));
        }
    }
    let name = attr(attrs, "ac:name");
    let short = attr(attrs, "ac:emoji-shortname").or(fallback);
    if let Some(short) = &short {
        if let Some(text) = by_name(short.trim_matches(':')) {
            return Some(Cow::Borrowed(text));
        }
        // `blue-star` is what the editor fills in when it has no old name: the shortname says more.
        if name
            .as_deref()
            .is_none_or(|n| n == "blue-star" || by_name(n).is_none())
            && !short.trim().is_empty()
        {
            return Some(Cow::Owned(short.trim().to_string()));
        }
    }
    name.as_deref().and_then(by_name).map(Cow::Borrowed)
}

fn is_shortname(text: &str) -> bool {
    text.len() > 2 && text.starts_with(':') && text.ends_with(':')
}

/// `1f468-200d-1f4bb` to the characters.
pub(crate) fn from_code_points(id: &str) -> Option<String> {
    if id.is_empty() {
        return None;
    }
    id.split('-')
        .map(|part| u32::from_str_radix(part, 16).ok().and_then(char::from_u32))
        .collect()
}

/// `\uD83D\uDDD3` written out as text.
fn unescape_utf16(text: &str) -> Option<String> {
    if !text.contains("\\u") {
        return None;
    }
    let units: Option<Vec<u16>> = text
        .split("\\u")
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.get(..4)
                .filter(|_| part.len() == 4)
                .and_then(|hex| u16::from_str_radix(hex, 16).ok())
        })
        .collect();
    String::from_utf16(&units?).ok()
}

/// Old names, Atlassian ids and their shortnames.
pub(crate) fn by_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "smile" => "🙂",
        "sad" => "🙁",
        "cheeky" => "😛",
        "laugh" => "😀",
        "wink" => "😉",
        "thumbs-up" => "👍",
        "thumbs-down" => "👎",
        "information" | "info" => "ℹ️",
        "tick" | "check_mark" => "✅",
        "cross" | "cross_mark" => "❌",
        "warning" => "⚠️",
        "plus" => "➕",
        "minus" => "➖",
        "question" | "question_mark" => "❓",
        "light-on" | "light-off" | "light_bulb_on" | "light_bulb_off" => "💡",
        "yellow-star" | "yellow_star" => "⭐",
        "red-star" | "green-star" | "blue-star" | "red_star" | "green_star" | "blue_star" => "★",
        "heart" => "❤️",
        "broken-heart" | "broken_heart" => "💔",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_emoticon_has_its_character() {
        let cases = [
            (
                r#"ac:name="blue-star" ac:emoji-shortname=":rocket:" ac:emoji-id="1f680" ac:emoji-fallback="🚀""#,
                Some("🚀"),
            ),
            (
                r#"ac:name="blue-star" ac:emoji-shortname=":rocket:" ac:emoji-id="1f680" ac:emoji-fallback=":rocket:""#,
                Some("🚀"),
            ),
            (
                r#"ac:name="blue-star" ac:emoji-fallback="\uD83D\uDDD3""#,
                Some("🗓"),
            ),
            (
                r#"ac:name="blue-star" ac:emoji-id="1f468-200d-1f4bb""#,
                Some("👨\u{200d}💻"),
            ),
            (
                r#"ac:name="tick" ac:emoji-id="atlassian-check_mark" ac:emoji-fallback=":check_mark:""#,
                Some("✅"),
            ),
            (r#"ac:name="thumbs-up""#, Some("👍")),
            (
                r#"ac:name="blue-star" ac:emoji-shortname=":our-logo:" ac:emoji-id="11aa-custom""#,
                Some(":our-logo:"),
            ),
            (r#"ac:name="blue-star""#, Some("★")),
            (r#"ac:name="nobody-knows""#, None),
        ];
        for (attrs, expected) in cases {
            assert_eq!(emoticon(attrs).as_deref(), expected, "{attrs}");
        }
    }
}
