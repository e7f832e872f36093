//! Attributes and references as the storage format writes them. Lenient: whatever does not parse is not there.

use std::borrow::Cow;

/// The raw (still escaped) value of attribute `name` in the inside of a tag.
pub(crate) fn raw_attr<'a>(attrs: &'a str, name: &str) -> Option<&'a str> {
    Attrs { rest: attrs }
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The value of attribute `name`, references decoded.
pub(crate) fn attr<'a>(attrs: &'a str, name: &str) -> Option<Cow<'a, str>> {
    raw_attr(attrs, name).map(decode)
}

/// Walks `name="value"` pairs in the inside of a tag, values still escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attrs<'a> {
    rest: &'a str,
}

impl<'a> Attrs<'a> {
    pub(crate) fn new(rest: &'a str) -> Self {
        Attrs { rest }
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while at < bytes.len() && (bytes[at].is_ascii_whitespace() || bytes[at] == b'/') {
            at += 1;
        }
        if at == bytes.len() {
            return None;
        }
        let start = at;
        while at < bytes.len()
            && bytes[at] != b'='
            && !bytes[at].is_ascii_whitespace()
            && bytes[at] != b'/'
        {
            at += 1;
        }
        if at == start {
            // A stray `=`: skip it.
            self.rest = &self.rest[start + 1..];
            return Some(("", ""));
        }
        let name = &self.rest[start..at];
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        if bytes.get(at) != Some(&b'=') {
            self.rest = &self.rest[at..];
            return Some((name, ""));
        }
        at += 1;
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        let value = match bytes.get(at) {
            Some(&quote @ (b'"' | b'\'')) => {
                let start = at + 1;
                let end = memchr::memchr(quote, &bytes[start..]).map_or(bytes.len(), |n| start + n);
                at = (end + 1).min(bytes.len());
                &self.rest[start..end]
            }
            _ => {
                let start = at;
                while at < bytes.len() && !bytes[at].is_ascii_whitespace() {
                    at += 1;
                }
                &self.rest[start..at]
            }
        };
        self.rest = &self.rest[at..];
        Some((name, value))
    }
}

/// Decodes the references in `text`; borrowed when there are none.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'&', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(amp) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..amp]);
        rest = &rest[amp..];
        let end = rest.as_bytes().iter().take(40).position(|&b| b == b';');
        if let Some(end) = end
            && let Some((c, length)) = paired(&rest[1..end], &rest[end + 1..])
        {
            out.push(c);
            rest = &rest[end + 1 + length..];
            continue;
        }
        match end {
            Some(end) if push_reference(&mut out, &rest[1..end]) => rest = &rest[end + 1..],
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn push_reference(out: &mut String, name: &str) -> bool {
    let mut buffer = [0; 4];
    match resolve(name, &mut buffer) {
        Some(text) => {
            out.push_str(text);
            true
        }
        None => false,
    }
}

/// A character that was written as its two halves in UTF-16, `&#55357;&#56523;`: `name` is that of the first reference,
/// `rest` what follows it. Also the length of the second.
pub(crate) fn paired(name: &str, rest: &str) -> Option<(char, usize)> {
    let high = code_of(name).filter(|c| (0xd800..0xdc00).contains(c))?;
    let second = rest.strip_prefix('&')?;
    let end = second.as_bytes().iter().take(10).position(|&b| b == b';')?;
    let low = code_of(second.get(..end)?).filter(|c| (0xdc00..0xe000).contains(c))?;
    let c = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((c, end + 2))
}

/// The number of a numeric reference.
fn code_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix('#')?;
    match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    }
}

/// The text a reference stands for (`name` without `&` and `;`).
pub(crate) fn resolve<'b>(name: &str, buffer: &'b mut [u8; 4]) -> Option<&'b str> {
    if name.starts_with('#') {
        let code = code_of(name)?;
        // As HTML does: no character is the replacement character.
        let c = char::from_u32(code)
            .filter(|c| *c != '\0')
            .unwrap_or('\u{fffd}');
        return Some(c.encode_utf8(buffer));
    }
    Some(match name {
        "nbsp" => "\u{a0}",
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "rsquo" => "\u{2019}",
        "lsquo" => "\u{2018}",
        "ldquo" => "\u{201c}",
        "rdquo" => "\u{201d}",
        "ndash" => "\u{2013}",
        "mdash" => "\u{2014}",
        "hellip" => "\u{2026}",
        "rarr" => "\u{2192}",
        other => quick_xml::escape::resolve_html5_entity(other)?,
    })
}

/// `%41%20` and the like decoded as UTF-8; what is not stays.
pub(crate) fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
        match bytes[at] {
            b'%' => match (hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    at += 2;
                }
                _ => out.push(b'%'),
            },
            b'+' if plus_is_space => out.push(b' '),
            b => out.push(b),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_whatever_their_form() {
        let attrs = r#" a="1" ac:name = 'two' flag href=x/y z="&amp;&eacute;&#x41;""#;
        assert_eq!(raw_attr(attrs, "a"), Some("1"));
        assert_eq!(raw_attr(attrs, "ac:name"), Some("two"));
        assert_eq!(raw_attr(attrs, "flag"), Some(""));
        assert_eq!(raw_attr(attrs, "href"), Some("x/y"));
        assert_eq!(attr(attrs, "z").as_deref(), Some("&éA"));
        assert_eq!(raw_attr(attrs, "none"), None);
    }

    #[test]
    fn unknown_references_stay_as_they_are() {
        assert_eq!(
            decode("a &bogus; & b &amp;lt; &#xZZ;"),
            "a &bogus; & b &lt; &#xZZ;"
        );
        assert_eq!(percent_decoded("a%20b%zz+c", true), "a b%zz c");
    }

    #[test]
    fn halves_of_a_character_are_one() {
        assert_eq!(decode("a&#55357;&#56523;b&#xD83D;&#xdccb;"), "a📋b📋");
        assert_eq!(
            decode("&#55357; &#56523;&#56523;&#55357;&#65;&#55357;"),
            "\u{fffd} \u{fffd}\u{fffd}\u{fffd}A\u{fffd}"
        );
    }
}
