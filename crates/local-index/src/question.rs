//! A question as the words it asks for.

use crate::analysis::{self, Kind, folded, stem_term};
use crate::language::Language;

/// Words a question may have at most; the rest of a pasted page adds time and no meaning.
pub(crate) const MAX_WORDS: usize = 32;

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

/// A word of a question, with all that it is found by.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Word {
    /// In lower case, as it was typed.
    pub typed: String,
    pub kind: Kind,
    /// As it stands, folded.
    pub exact: String,
    /// Its stems by the rules of the languages of the index, each once.
    pub stems: Vec<String>,
}

impl Word {
    /// A plain word, whatever it came from.
    pub(crate) fn plain(typed: &str, languages: &[Language]) -> Self {
        Self::of(typed, Kind::Word, languages)
    }

    fn of(typed: &str, kind: Kind, languages: &[Language]) -> Self {
        let mut stems: Vec<String> = Vec::new();
        if kind == Kind::Word {
            for stem in languages
                .iter()
                .filter_map(|language| stem_term(typed, *language))
            {
                if !stems.contains(&stem) {
                    stems.push(stem);
                }
            }
        }
        let exact = match kind {
            Kind::Word | Kind::Whole => folded(typed),
            Kind::Signs | Kind::Sign => typed.to_owned(),
        };
        Self {
            typed: typed.to_owned(),
            kind,
            exact,
            stems,
        }
    }
}

/// The words of a question, each once, without those that say nothing.
pub(crate) fn words(question: &str, languages: &[Language]) -> Vec<Word> {
    let mut all: Vec<(String, Kind)> = Vec::new();
    analysis::pieces(question, |piece, kind| {
        let known = all.iter().any(|(known, _)| known == piece);
        if kind != Kind::Sign && !known && all.len() < MAX_WORDS * 4 {
            all.push((piece.to_owned(), kind));
        }
    });
    let tells = |(piece, _): &&(String, Kind)| !STOP_WORDS.contains(&piece.as_str());
    let telling: Vec<(String, Kind)> = all.iter().filter(tells).cloned().collect();
    let mut kept = if telling.is_empty() { all } else { telling };
    kept.truncate(MAX_WORDS);
    kept.iter()
        .map(|(piece, kind)| Word::of(piece, *kind, languages))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(question: &str) -> Vec<String> {
        words(question, &[])
            .into_iter()
            .map(|word| word.exact)
            .collect()
    }

    #[test]
    fn questions_become_words() {
        for (question, expected) in [
            ("How do I roll back?", "roll back"),
            ("to be or not to be", "to be or not"),
            ("title: AND \"x\" OR NEAR(a* b)", "title x near b"),
            ("retry-after", "retry retryafter"),
            ("deploy Deploy DEPLOY", "deploy"),
            ("Größe", "grosse"),
            ("部署回滚", "部署 署回 回滚"),
            ("?!…", ""),
        ] {
            assert_eq!(told(question).join(" "), expected, "{question}");
        }
    }

    #[test]
    fn a_pasted_page_is_cut() {
        let page = (0..500).map(|n| format!("w{n} ")).collect::<String>();
        assert_eq!(told(&page).len(), MAX_WORDS);
    }

    #[test]
    fn stems_are_those_of_all_languages_of_the_index() {
        let languages = ["english", "german"].map(|name| Language::named(name).unwrap());
        assert_eq!(
            Word::plain("running", &languages).stems,
            ["~run", "~running"]
        );
        assert_eq!(Word::plain("rest", &languages).stems, ["~rest"]);
    }
}
