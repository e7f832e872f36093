//! Removes characters that no reader sees but a model reads: the usual vehicle of smuggled instructions. Some of them, such as
//! U+2028, also end the lines of clients that read an event stream by lines.

use std::borrow::Cow;

/// A text without invisible characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleaned {
    /// What is left.
    pub text: String,
    /// How many characters were removed.
    pub removed: usize,
}

/// Removes control, zero-width, bidirectional, tag and filler characters. Joiners stay where scripts and emoji need them:
/// between two characters that are not ASCII.
#[must_use]
pub fn clean(text: &str) -> Cleaned {
    if text
        .bytes()
        .all(|b| (0x20..0x7f).contains(&b) || b == b'\n' || b == b'\t')
    {
        return Cleaned {
            text: text.to_owned(),
            removed: 0,
        };
    }
    let mut out = String::with_capacity(text.len());
    let mut removed = 0;
    let mut chars = text.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(c) = chars.next() {
        let keep = match c {
            '\n' | '\t' => true,
            // A line break of its own or half of one; either way one line break stays.
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                    before = Some('\n');
                }
                continue;
            }
            '\u{200C}' | '\u{200D}' => joins(before, chars.peek().copied()),
            '\u{FE0E}' | '\u{FE0F}' => before.is_some_and(takes_variation),
            c => !invisible(c),
        };
        if keep {
            out.push(c);
            before = Some(c);
        } else {
            removed += 1;
        }
    }
    Cleaned { text: out, removed }
}

/// JSON with its texts cleaned. All that stands outside of texts is ASCII, so it is cleaned as it stands; control characters stand
/// in it as escapes.
#[must_use]
pub fn clean_json(json: &str) -> Cow<'_, str> {
    let cleaned = if json.bytes().all(|b| b < 0x7f) {
        Cow::Borrowed(json)
    } else {
        Cow::Owned(clean(json).text)
    };
    if !cleaned.contains("\\u") {
        return cleaned;
    }
    let mut out = String::with_capacity(cleaned.len());
    let mut rest = &*cleaned;
    while let Some(at) = rest.find('\\') {
        // A backslash and what it stands before are ASCII.
        let length = if rest[at..].starts_with("\\u") { 6 } else { 2 };
        let end = (at + length).min(rest.len());
        let unseen = rest
            .get(at + 2..end)
            .filter(|_| length == 6)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32)
            .is_some_and(invisible);
        out.push_str(&rest[..if unseen { at } else { end }]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.into()
}

fn joins(before: Option<char>, after: Option<char>) -> bool {
    let carries = |c: char| {
        !c.is_ascii() && !c.is_whitespace() && !invisible(c) && c != '\u{200C}' && c != '\u{200D}'
    };
    before.is_some_and(carries) && after.is_some_and(carries)
}

fn takes_variation(before: char) -> bool {
    // Keycaps (`1\u{FE0F}\u{20E3}`) and symbols; a second selector after the first has nothing to select.
    before.is_ascii_digit()
        || matches!(before, '#' | '*')
        || (!before.is_ascii() && !matches!(before, '\u{FE0E}' | '\u{FE0F}'))
}

fn invisible(c: char) -> bool {
    matches!(c,
        '\u{0000}'..='\u{0008}' | '\u{000B}' | '\u{000C}' | '\u{000E}'..='\u{001F}' | '\u{007F}'..='\u{009F}'
        | '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0D}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smuggled_characters_are_removed_and_counted() {
        let table: &[(&str, &str, usize)] = &[
            ("plain\ttext\n", "plain\ttext\n", 0),
            ("zero\u{200B}width", "zerowidth", 1),
            ("a\u{200D}b", "ab", 1),
            ("soft\u{AD}hyphen \u{FEFF}bom", "softhyphen bom", 2),
            ("bidi \u{202E}txet\u{202C}", "bidi txet", 2),
            ("tag\u{E0041}\u{E0042}s", "tags", 2),
            ("x\u{FE0F}\u{E0101}y", "xy", 2),
            ("line\r\nbreak\rhere", "line\nbreak\nhere", 0),
            ("bell\u{7}\u{1b}[0m", "bell[0m", 2),
        ];
        for (input, text, removed) in table {
            let cleaned = clean(input);
            assert_eq!(
                (cleaned.text.as_str(), cleaned.removed),
                (*text, *removed),
                "{input:?}"
            );
        }
    }

    #[test]
    fn scripts_and_emoji_keep_what_they_need() {
        for text in [
            "👩\u{200D}💻 ❤\u{FE0F} 1\u{FE0F}\u{20E3}",
            "می\u{200C}خواهم",
            "Größe – naïve 日本語",
        ] {
            let cleaned = clean(text);
            assert_eq!((cleaned.text.as_str(), cleaned.removed), (text, 0));
        }
    }

    #[test]
    fn texts_in_json_are_cleaned_and_the_rest_stays() {
        for value in [
            serde_json::json!({"a": "x\u{2028}y\u{202E}\u{E0041}", "b": ["\u{7}\u{1b}[0m", 1, null]}),
            serde_json::json!("\\u0007 \\ \" \n \t ü \u{0} \u{7f}\u{85}"),
        ] {
            let cleaned = clean_json(&value.to_string()).into_owned();
            let read: serde_json::Value = serde_json::from_str(&cleaned).unwrap();
            let expected = match value {
                serde_json::Value::String(text) => serde_json::json!(clean(&text).text),
                _ => serde_json::json!({"a": "xy", "b": ["[0m", 1, null]}),
            };
            assert_eq!(read, expected);
        }
        let plain = r#"{"a":"b\n","c":[1.5,true]}"#;
        assert!(matches!(clean_json(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        let messy = "a\u{200D}\u{200B}é\u{200D}é\u{FE0F}\u{FE0F}\r";
        let once = clean(messy).text;
        assert_eq!(clean(&once).text, once);
    }
}
