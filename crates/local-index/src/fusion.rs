//! What words find and what meaning finds, as one ranking. Pure.
//!
//! Both are measured by their best: a passage that is half as good as the best by words counts half. Ranks would forget how far apart
//! passages are, and a ticket's number, which one passage holds and no other, would count no more than a likeness of tones.

use crate::options::MeaningWeights;
use crate::scoring::Scored;

/// Passages that are looked at by meaning; the last of them is where meaning begins to say something.
pub(crate) const NEAREST: usize = 200;

/// How alike passages are to a question, ascending by chunk.
#[derive(Debug, Default)]
pub(crate) struct Likeness(Vec<(i64, f32)>);

impl Likeness {
    pub(crate) fn new(ascending: Vec<(i64, f32)>) -> Self {
        Self(ascending)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of those in `ranges`, ascending, only.
    pub(crate) fn within(mut self, ranges: &[(i64, i64)]) -> Self {
        let mut rest = ranges;
        self.0.retain(|(chunk, _)| {
            while rest.first().is_some_and(|(_, last)| last < chunk) {
                rest = &rest[1..];
            }
            rest.first().is_some_and(|(first, _)| first <= chunk)
        });
        self
    }

    fn of(&self, chunk: i64) -> Option<f32> {
        let at = self.0.binary_search_by_key(&chunk, |(chunk, _)| *chunk);
        at.ok().map(|at| self.0[at].1)
    }

    /// The likest ones, ascending by chunk, and the likenesses of the best and of the last of them.
    pub(crate) fn nearest(&self) -> Nearest {
        let mut best = self.0.clone();
        let by_likeness = |a: &(i64, f32), b: &(i64, f32)| b.1.total_cmp(&a.1);
        if best.len() > NEAREST {
            best.select_nth_unstable_by(NEAREST - 1, by_likeness);
            best.truncate(NEAREST);
        }
        let of = |likeness: &(i64, f32)| likeness.1;
        let most = best.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
        let least = best.iter().map(of).fold(f32::INFINITY, f32::min);
        let mut chunks: Vec<i64> = best.into_iter().map(|(chunk, _)| chunk).collect();
        chunks.sort_unstable();
        Nearest {
            chunks,
            most,
            least,
        }
    }
}

/// The passages that are nearest to a question.
#[derive(Debug)]
pub(crate) struct Nearest {
    /// Ascending.
    pub chunks: Vec<i64>,
    most: f32,
    least: f32,
}

/// What meaning counts, by how many of the words of a question the index does not know.
pub(crate) fn weight(weights: MeaningWeights, words: usize, unknown: usize) -> f32 {
    if unknown * 3 >= words {
        weights.beyond_words
    } else {
        weights.beside_words
    }
}

/// One ranking, best first, of passages with their scores by words, which include the nearest ones.
pub(crate) fn fused(
    by_words: Vec<Scored>,
    nearest: &Nearest,
    likeness: &Likeness,
    weight: f32,
) -> Vec<Scored> {
    let best = by_words
        .iter()
        .map(|scored| scored.score)
        .fold(0.0, f32::max);
    let best = best.max(f32::MIN_POSITIVE);
    let span = (nearest.most - nearest.least).max(f32::MIN_POSITIVE);
    let relative = |chunk: i64| {
        let likeness = likeness.of(chunk).unwrap_or(f32::NEG_INFINITY);
        ((likeness - nearest.least) / span).clamp(0.0, 1.0)
    };
    let mut all = by_words;
    for chunk in &nearest.chunks {
        if !all.iter().any(|scored| scored.chunk == *chunk) {
            all.push(Scored {
                chunk: *chunk,
                score: 0.0,
                words: 0,
            });
        }
    }
    for scored in &mut all {
        scored.score += best * weight * relative(scored.chunk);
    }
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(chunk: i64, score: f32) -> Scored {
        Scored {
            chunk,
            score,
            words: 1,
        }
    }

    fn order(words: &[(i64, f32)], meaning: &[(i64, f32)], weight: f32) -> Vec<i64> {
        let likeness = Likeness::new(meaning.to_vec());
        let by_words = words
            .iter()
            .map(|(chunk, score)| scored(*chunk, *score))
            .collect();
        let fused = fused(by_words, &likeness.nearest(), &likeness, weight);
        fused.into_iter().map(|scored| scored.chunk).collect()
    }

    #[test]
    fn what_words_know_for_sure_stays_first_and_what_they_do_not_know_is_found_by_meaning() {
        let meaning = [(1, 0.1), (2, 0.8), (3, 0.75), (4, 0.1)];
        // A ticket: one passage stands out.
        assert_eq!(order(&[(1, 20.0), (2, 4.0)], &meaning, 0.5)[0], 1);
        // Words that are about as good: meaning decides.
        assert_eq!(order(&[(1, 9.0), (3, 8.0)], &meaning, 0.5)[0], 3);
        // Nothing by words.
        assert_eq!(order(&[], &meaning, 0.5), [2, 3, 1, 4]);
        // A question that the index does not understand.
        assert_eq!(order(&[(1, 2.0)], &meaning, 3.0)[0], 2);
    }

    #[test]
    fn meaning_counts_more_where_a_third_of_the_words_is_unknown() {
        for (words, unknown, expected) in [(3, 0, 0.5), (4, 1, 0.5), (3, 1, 3.0), (0, 0, 3.0)] {
            let weights = MeaningWeights::default();
            assert!((weight(weights, words, unknown) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn what_is_not_within_is_left_out() {
        let likeness = Likeness::new((0..10).map(|n| (n, n as f32)).collect());
        let left = likeness.within(&[(1, 2), (5, 5), (9, 20)]);
        assert_eq!(left.nearest().chunks, [1, 2, 5, 9]);
    }

    #[test]
    fn only_so_many_are_looked_at_by_meaning() {
        let many: Vec<(i64, f32)> = (0..1_000).map(|n| (n, n as f32 / 1e3)).collect();
        let likeness = Likeness::new(many);
        let nearest = likeness.nearest();
        assert_eq!(nearest.chunks, (800..1_000).collect::<Vec<i64>>());
        assert!((nearest.least - 0.8).abs() < 1e-6 && (nearest.most - 0.999).abs() < 1e-6);
    }
}
