//! A question as search terms. Whatever people type is words, never query syntax.

use std::collections::HashSet;

use crate::options::Tokenizer;

/// Terms a question may have at most; the rest of a pasted page adds time and no meaning.
const MAX_TERMS: usize = 32;

/// Words that say nothing in a question; left out when other words remain.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "before", "being", "but", "by", "can", "could", "did", "do", "does", "doing", "during",
    "each", "for", "from", "get", "had", "has", "have", "having", "he", "her", "here", "him",
    "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "more", "most", "my",
    "no", "not", "of", "on", "or", "our", "out", "over", "own", "please", "same", "she", "should",
    "so", "some", "such", "tell", "than", "that", "the", "their", "them", "then", "there", "these",
    "they", "this", "those", "to", "too", "us", "very", "was", "we", "were", "what", "when",
    "where", "which", "while", "who", "whom", "why", "will", "with", "would", "you", "your",
];

/// What a question asks the index for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms {
    /// Distinct terms, each already quoted for FTS5.
    pub quoted: Vec<String>,
    /// Characters that the tokenizer cannot index by themselves (shorter than its three): looked for in the text.
    pub fragments: Vec<String>,
}

/// Reads a question.
pub(crate) fn terms(question: &str, tokenizer: Tokenizer) -> Terms {
    match tokenizer {
        Tokenizer::Trigram => trigrams(question),
        Tokenizer::English => Terms {
            quoted: quote(words(question, STOP_WORDS)),
            fragments: Vec::new(),
        },
        Tokenizer::Words => Terms {
            quoted: quote(words(question, &[])),
            fragments: Vec::new(),
        },
    }
}

/// Words in their order, once each, and what was typed as one word (`retry-after`, `SYNC_UPLOAD_DEADLINE`) as a phrase
/// beside its parts: an exact name outranks its scattered words.
fn words(question: &str, stop_words: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for typed in question.split_whitespace() {
        let parts: Vec<String> = typed
            .split(|c: char| !c.is_alphanumeric())
            .filter(|p| !p.is_empty())
            .map(str::to_lowercase)
            .collect();
        if parts.len() > 1 {
            all.push(parts.join(" "));
        }
        all.extend(parts);
    }
    let telling: Vec<String> = all
        .iter()
        .filter(|word| !stop_words.contains(&word.as_str()))
        .cloned()
        .collect();
    distinct(if telling.is_empty() { all } else { telling })
}

fn trigrams(question: &str) -> Terms {
    let mut terms = Terms::default();
    let mut windows = Vec::new();
    let runs = question
        .split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty());
    for run in runs {
        let characters: Vec<char> = run.chars().collect();
        if characters.len() < 3 {
            terms.fragments.push(run.to_owned());
        } else if run.is_ascii() {
            // A word of another script inside: as it stands.
            windows.push(run.to_owned());
        } else {
            windows.extend(
                characters
                    .windows(3)
                    .map(|window| window.iter().collect::<String>()),
            );
        }
    }
    terms.quoted = quote(distinct(windows));
    terms.fragments = distinct(terms.fragments);
    terms
}

fn distinct(words: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut kept: Vec<String> = words
        .into_iter()
        .filter(|word| seen.insert(word.clone()))
        .collect();
    kept.truncate(MAX_TERMS);
    kept
}

fn quote(words: Vec<String>) -> Vec<String> {
    words
        .into_iter()
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_quoted_words() {
        for (question, expected) in [
            ("How do I roll back?", vec!["\"roll\"", "\"back\""]),
            (
                "to be or not to be",
                vec!["\"to\"", "\"be\"", "\"or\"", "\"not\""],
            ),
            (
                "title: AND \"x\" OR NEAR(a* b)",
                vec!["\"title\"", "\"x\"", "\"near a\"", "\"near\"", "\"b\""],
            ),
            ("retry-after", vec!["\"retry after\"", "\"retry\""]),
            ("deploy Deploy DEPLOY", vec!["\"deploy\""]),
            ("Überprüfung größe", vec!["\"überprüfung\"", "\"größe\""]),
            ("?!…", vec![]),
        ] {
            assert_eq!(
                terms(question, Tokenizer::English).quoted,
                expected,
                "{question}"
            );
        }
    }

    #[test]
    fn writing_without_spaces_is_cut_into_threes() {
        let terms = terms("部署回滚 手册 ops1", Tokenizer::Trigram);
        assert_eq!(terms.quoted, ["\"部署回\"", "\"署回滚\"", "\"ops1\""]);
        assert_eq!(terms.fragments, ["手册"]);
    }

    #[test]
    fn a_pasted_page_is_cut() {
        let page = (0..500).map(|n| format!("w{n} ")).collect::<String>();
        assert_eq!(terms(&page, Tokenizer::English).quoted.len(), MAX_TERMS);
    }
}
