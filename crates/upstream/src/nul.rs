//! U+0000 in texts of JSON: not every database takes it, and no reader sees it.

use std::borrow::Cow;

/// JSON in whose texts U+FFFD stands in the place of U+0000, as in a Markdown document (CommonMark 2.3).
pub fn without_nul(json: &[u8]) -> Cow<'_, [u8]> {
    const NUL: &[u8] = br"\u0000";
    let Some(first) = json.windows(NUL.len()).position(|six| six == NUL) else {
        return Cow::Borrowed(json);
    };
    // A text may hold a backslash before `u0000`, which are two of them here.
    let before = json.iter().take(first).rev();
    let mut escaped = before.take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let mut clean = json.to_vec();
    let mut at = first;
    while at < clean.len() {
        if clean.get(at) != Some(&b'\\') || escaped {
            escaped = false;
            at += 1;
            continue;
        }
        if let Some(six) = clean.get_mut(at..at + NUL.len())
            && six == NUL
        {
            six.copy_from_slice(br"\ufffd");
        }
        escaped = true;
        at += 1;
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_another_sign_in_the_place_of_nul() {
        for (json, texts) in [
            (r#"["a", "\u00e9\u0001"]"#, ["a", "é\u{1}"]),
            (
                r#"["\u0000a\u0000\u0000", "\\"]"#,
                ["\u{fffd}a\u{fffd}\u{fffd}", "\\"],
            ),
            // A backslash and what stands behind it.
            (r#"["\\u0000", "\\\u0000"]"#, ["\\u0000", "\\\u{fffd}"]),
            (
                r#"["\"\u0000\n", "\\\\u0000"]"#,
                ["\"\u{fffd}\n", "\\\\u0000"],
            ),
        ] {
            let found: [String; 2] = serde_json::from_slice(&without_nul(json.as_bytes())).unwrap();
            assert_eq!(found, texts, "{json}");
        }
        assert!(matches!(without_nul(b"[]"), Cow::Borrowed(_)));
        assert!(
            matches!(without_nul(br#"["\u0000"#), Cow::Owned(_)),
            "broken JSON"
        );
    }
}
