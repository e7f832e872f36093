//! Whether and how often a text meets the words of a `~` clause.

/// How often the words of a query occur in a text; 0 unless all of them do. `"…"` inside is a phrase, `*` a wildcard.
pub(super) fn matches(query: &str, text: &str) -> u32 {
    let words: Vec<String> = words(text);
    if let Some(phrase) = query
        .trim()
        .strip_prefix('"')
        .and_then(|q| q.strip_suffix('"'))
    {
        let phrase: Vec<String> = self::words(phrase);
        return match phrase.len() {
            0 => 0,
            n => {
                u32::try_from(words.windows(n).filter(|w| *w == phrase).count()).unwrap_or(u32::MAX)
            }
        };
    }
    let mut total = 0;
    for part in query.split_whitespace() {
        let wild = part.ends_with('*');
        for term in self::words(part) {
            let count = words
                .iter()
                .filter(|w| **w == term || (wild && w.starts_with(&term)))
                .count();
            if count == 0 {
                return 0;
            }
            total += u32::try_from(count).unwrap_or(u32::MAX);
        }
    }
    total
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(|w| stem(&w.to_lowercase()))
        .collect()
}

/// Plural and tense endings off, as an English analyser does roughly.
fn stem(word: &str) -> String {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.len() >= 4
        {
            return root.trim_end_matches('e').to_owned();
        }
    }
    if word.len() > 4 {
        word.trim_end_matches('e').to_owned()
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_like_a_search_does() {
        assert!(matches("deploy", "How we deployed it") > 0);
        assert!(matches("deploying rollback", "Deploys and rollbacks") > 0);
        assert_eq!(matches("deploy missing", "Deploys and rollbacks"), 0);
        assert!(matches("roll*", "rollbacks") > 0);
        assert!(matches("\"and rollbacks\"", "Deploys and rollbacks") > 0);
        assert_eq!(matches("\"rollbacks and\"", "Deploys and rollbacks"), 0);
    }
}
