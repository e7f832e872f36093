//! Chunks and a small BM25, so that retrieval finds what a reader would expect.

use std::collections::HashMap;

/// A searchable piece of a document.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub id: String,
    pub text: String,
    /// Character offsets in the document.
    pub start: usize,
    pub end: usize,
    terms: HashMap<String, u32>,
    length: u32,
}

/// Cuts a text into chunks of about `size` characters with `overlap`, at paragraph or word ends where there are any.
pub(crate) fn cut(text: &str, size: usize, overlap: usize) -> Vec<Chunk> {
    let chars: Vec<char> = text.chars().collect();
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let mut end = start.saturating_add(size).min(chars.len());
        if end < chars.len() {
            let low = start + size / 2;
            let paragraph = (low..end)
                .rev()
                .find(|at| chars[*at] == '\n' && chars.get(at - 1) == Some(&'\n'));
            let word = (low..end).rev().find(|at| chars[*at].is_whitespace());
            end = paragraph.or(word).map_or(end, |at| at + 1);
        }
        let piece: String = chars[start..end].iter().collect();
        if !piece.trim().is_empty() {
            chunks.push(Chunk::new(piece, start, end));
        }
        if end == chars.len() {
            break;
        }
        start = end.saturating_sub(overlap).max(start + 1);
    }
    chunks
}

impl Chunk {
    fn new(text: String, start: usize, end: usize) -> Chunk {
        let mut terms: HashMap<String, u32> = HashMap::new();
        let mut length = 0;
        for term in terms_of(&text) {
            *terms.entry(term).or_default() += 1;
            length += 1;
        }
        Chunk {
            id: uuid::Uuid::new_v4().to_string(),
            text,
            start,
            end,
            terms,
            length,
        }
    }
}

fn terms_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(|w| stem(&w.to_lowercase()))
}

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

/// BM25 of each chunk for a query (k1 1.2, b 0.75), in the order given; 0 where no term meets.
pub(crate) fn bm25<'c>(chunks: &[&'c Chunk], query: &str) -> Vec<f64> {
    let terms: Vec<String> = terms_of(query).collect();
    let count = chunks.len() as f64;
    let average =
        (chunks.iter().map(|c| f64::from(c.length)).sum::<f64>() / count.max(1.0)).max(1.0);
    let weights: HashMap<&str, f64> = terms
        .iter()
        .map(|term| {
            let with = chunks
                .iter()
                .filter(|c| c.terms.contains_key(term.as_str()))
                .count() as f64;
            (
                term.as_str(),
                ((count - with + 0.5) / (with + 0.5) + 1.0).ln(),
            )
        })
        .collect();
    let score = |chunk: &&'c Chunk| {
        let sum = weights.iter().map(|(term, weight)| {
            let seen = f64::from(chunk.terms.get(*term).copied().unwrap_or(0));
            weight * seen * 2.2 / (seen + 1.2 * (0.25 + 0.75 * f64::from(chunk.length) / average))
        });
        sum.sum()
    };
    chunks.iter().map(score).collect()
}

/// A stand-in for embedding similarity in 0..1: cosine over term counts, blind to rarity.
pub(crate) fn cosine(chunk: &Chunk, query: &str) -> f64 {
    let mut wanted: HashMap<String, f64> = HashMap::new();
    for term in terms_of(query) {
        *wanted.entry(term).or_default() += 1.0;
    }
    let dot: f64 = wanted
        .iter()
        .map(|(t, n)| n * f64::from(chunk.terms.get(t).copied().unwrap_or(0)).sqrt())
        .sum();
    let left: f64 = wanted.values().map(|n| n * n).sum::<f64>().sqrt();
    let right: f64 = chunk
        .terms
        .values()
        .map(|n| f64::from(*n))
        .sum::<f64>()
        .sqrt();
    if left * right == 0.0 {
        0.0
    } else {
        dot / (left * right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_text_in_order() {
        let text = "alpha beta\n\ngamma delta epsilon zeta\n\neta theta iota kappa".repeat(5);
        let chunks = cut(&text, 60, 10);
        assert!(chunks.len() > 3);
        assert_eq!(chunks[0].start, 0);
        assert_eq!(chunks[chunks.len() - 1].end, text.chars().count());
        for pair in chunks.windows(2) {
            assert!(pair[1].start <= pair[0].end && pair[1].start > pair[0].start);
        }
        assert_eq!(cut("", 60, 10).len(), 0);
        assert_eq!(cut(&text, usize::MAX, 0).len(), 1);
    }

    #[test]
    fn rare_words_weigh_more() {
        let chunks = [
            cut("the deploy of the billing service", 100, 0),
            cut("the deploy of the web site", 100, 0),
        ]
        .concat();
        let chunks: Vec<&Chunk> = chunks.iter().collect();
        let scores = bm25(&chunks, "deploying billing");
        assert!(scores[0] > scores[1] && scores[1] > 0.0);
    }
}
