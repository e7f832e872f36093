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

/// What meaning counts beside words: the best passage by meaning as so many of the best by words.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MeaningWeights {
    /// Where the index knows the question's words.
    pub beside_words: f32,
    /// Where it does not know a third of them: in another language than the pages, above all.
    pub beyond_words: f32,
}

impl Default for MeaningWeights {
    fn default() -> Self {
        Self {
            beside_words: 0.5,
            beyond_words: 3.0,
        }
    }
}

/// The choices of an embedded index.
#[derive(Clone, PartialEq, Debug)]
pub struct LocalIndexOptions {
    /// Languages whose words are also found by their stems: `auto` for all there are rules for, told apart passage by passage,
    /// or some by name (`english,german`). With any other, words are found as they stand. Chinese, Japanese, Korean and Thai are
    /// found by neighbouring characters in any case. Objects that are there keep the languages that they were made with, until
    /// they are made anew ([`RetrievalBackend::outgrown`](domain::ports::retrieval::RetrievalBackend::outgrown)).
    pub language: String,
    /// Passages of pages that nobody modified for so many years count a little less, and never less than four fifths; `None`: age
    /// does not count.
    pub decay_years: Option<u32>,
    /// Searches that may run at once, each with a connection of its own.
    pub readers: u32,
    /// What meaning counts, where an embedder gives vectors.
    pub meaning: MeaningWeights,
}

impl Default for LocalIndexOptions {
    fn default() -> Self {
        Self {
            language: "auto".to_owned(),
            decay_years: None,
            readers: 4,
            meaning: MeaningWeights::default(),
        }
    }
}
