//! The choices of the embedded index.

use std::path::PathBuf;

/// Where the index is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file; its folder is made if need be.
    File(PathBuf),
    /// In memory, gone with the value: for tests and for trying things out.
    Memory,
}

impl<P: AsRef<std::path::Path>> From<P> for Place {
    fn from(path: P) -> Self {
        Self::File(path.as_ref().to_owned())
    }
}

/// How the best passages are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ranking {
    /// Candidates by the rare words of the question, then everything scored on those; widened until nothing that was
    /// left out could have come among the best.
    #[default]
    Pruned,
    /// Every chunk that holds any word is scored: the yardstick of tests and benchmarks.
    Exhaustive,
}

/// The choices of an embedded index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalIndexOptions {
    /// `english` (stemming), `cjk` (any three characters in a row), anything else: words as they stand.
    /// A change rebuilds the full-text tables from the stored chunks at the next opening.
    pub language: String,
    /// How the best passages are found.
    pub ranking: Ranking,
    /// Searches that may run at once, each with a connection of its own.
    pub readers: u32,
}

impl Default for LocalIndexOptions {
    fn default() -> Self {
        Self {
            language: "english".to_owned(),
            ranking: Ranking::Pruned,
            readers: 4,
        }
    }
}

/// How text becomes terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tokenizer {
    /// Words, stemmed by Porter's rules, diacritics removed.
    English,
    /// Words as they stand, case and diacritics folded.
    Words,
    /// Every three characters in a row; for writing without spaces.
    Trigram,
}

impl Tokenizer {
    pub(crate) fn of(language: &str) -> Self {
        match language.trim().to_ascii_lowercase().as_str() {
            "english" | "en" => Self::English,
            "cjk" | "chinese" | "japanese" | "korean" | "zh" | "ja" | "ko" => Self::Trigram,
            _ => Self::Words,
        }
    }

    /// The `tokenize` argument of FTS5.
    pub(crate) const fn fts5(self) -> &'static str {
        match self {
            Self::English => "porter unicode61 remove_diacritics 2",
            Self::Words => "unicode61 remove_diacritics 2",
            Self::Trigram => "trigram",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tokenizer;

    #[test]
    fn languages_choose_their_tokenizer() {
        for (language, tokenizer) in [
            ("english", Tokenizer::English),
            (" English ", Tokenizer::English),
            ("none", Tokenizer::Words),
            ("german", Tokenizer::Words),
            ("cjk", Tokenizer::Trigram),
        ] {
            assert_eq!(Tokenizer::of(language), tokenizer, "{language}");
        }
    }
}
