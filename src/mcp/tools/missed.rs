//! What an answer says of what it missed, so that a model knows when to ask again.

use std::fmt::Write as _;

use domain::query::{Confidence, Diagnostics, Meaning, UnknownWord};
use serde_json::{Value, json};

use crate::mcp::text;

/// Words that are told at most.
const WORDS: usize = 8;

/// Lines for the answer; none where everything stands in the passages.
pub fn lines(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    let unknown = &diagnostics.unknown_words;
    let respelled: Vec<String> = unknown
        .iter()
        .filter_map(|word| Some((word.searched_for.as_ref()?, &word.word)))
        .take(WORDS)
        .map(|(meant, word)| format!("*{}* for \"{}\"", text::foreign(meant), text::inline(word)))
        .collect();
    if !respelled.is_empty() {
        _ = writeln!(out, "Searched for {}.", respelled.join(", "));
    }
    let absent: Vec<&UnknownWord> = unknown
        .iter()
        .filter(|word| word.searched_for.is_none())
        .take(WORDS)
        .collect();
    if !absent.is_empty() {
        let words: Vec<String> = absent.iter().map(|word| text::inline(&word.word)).collect();
        _ = write!(out, "In no indexed page: {}.", words.join(", "));
        let mut closest: Vec<String> = Vec::new();
        for word in absent.iter().flat_map(|word| &word.closest) {
            let word = text::foreign(word);
            if !closest.contains(&word) && closest.len() < WORDS {
                closest.push(word);
            }
        }
        if !closest.is_empty() {
            _ = write!(out, " Closest words: {}.", closest.join(", "));
        }
        out.push('\n');
    }
    match diagnostics.meaning {
        Some(Meaning::Unavailable) => out.push_str(
            "Found by words alone, since meaning cannot be looked up just now: synonyms are not found.\n",
        ),
        Some(Meaning::Filling) => out.push_str(
            "Found by words alone, since the index is still being read for meaning: synonyms are not found.\n",
        ),
        Some(Meaning::Used) | None => {}
    }
    if diagnostics.confidence == Confidence::Low {
        if !diagnostics.missing_words.is_empty() {
            let missing = diagnostics.missing_words.iter().take(WORDS);
            let words: Vec<String> = missing.map(|word| text::inline(word)).collect();
            _ = writeln!(out, "The best passage does not hold: {}.", words.join(", "));
        }
        _ = writeln!(
            out,
            "These passages may not answer: ask again with other words{}.",
            in_language(&diagnostics.languages)
        );
    }
    if !diagnostics.emptied_by.is_empty() {
        _ = writeln!(
            out,
            "Passages were found, but none of them passes {}.",
            diagnostics.emptied_by.join(", ")
        );
    }
    out
}

fn in_language(languages: &[String]) -> String {
    match languages {
        [] => String::new(),
        [one] => format!(" (the pages are written in {})", capital(one)),
        [one, two, ..] => format!(
            " (the pages are written in {} and {})",
            capital(one),
            capital(two)
        ),
    }
}

/// The name of a language as people write it.
pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The same in the shape of REST.
pub fn told(diagnostics: &Diagnostics) -> Value {
    let word = |word: &UnknownWord| {
        json!({
            "word": text::inline(&word.word),
            "searched_for": word.searched_for.as_deref().map(text::inline),
            "closest": word.closest.iter().map(|word| text::inline(word)).collect::<Vec<_>>(),
        })
    };
    json!({
        "confidence": diagnostics.confidence,
        "candidates": diagnostics.candidates,
        "best_score": diagnostics.best_score,
        "unknown_words": diagnostics.unknown_words.iter().map(word).collect::<Vec<_>>(),
        "missing_words": diagnostics.missing_words.iter().map(|word| text::inline(word)).collect::<Vec<_>>(),
        "emptied_by": diagnostics.emptied_by,
        "languages": diagnostics.languages,
        "meaning": diagnostics.meaning,
        "pages_under": diagnostics.pages_under,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_said_and_nothing_else() {
        assert_eq!(lines(&Diagnostics::default()), "");
        let word = |word: &str, meant: Option<&str>, closest: &[&str]| UnknownWord {
            word: word.to_owned(),
            searched_for: meant.map(str::to_owned),
            closest: closest.iter().map(|&word| word.to_owned()).collect(),
        };
        let diagnostics = Diagnostics {
            confidence: Confidence::Low,
            unknown_words: vec![
                word("resrvation", Some("reservation"), &[]),
                word("vacation", None, &["vacuum"]),
            ],
            missing_words: vec!["days".to_owned()],
            languages: vec!["english".to_owned()],
            meaning: Some(Meaning::Unavailable),
            ..Diagnostics::default()
        };
        assert_eq!(
            lines(&diagnostics),
            "Searched for *reservation* for \"resrvation\".\n\
             In no indexed page: vacation. Closest words: vacuum.\n\
             Found by words alone, since meaning cannot be looked up just now: synonyms are not found.\n\
             The best passage does not hold: days.\n\
             These passages may not answer: ask again with other words (the pages are written in English).\n"
        );
    }
}
