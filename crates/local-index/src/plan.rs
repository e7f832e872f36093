//! Which terms of a question choose the candidates. Pure.
//!
//! The best passages nearly always hold the rare words of a question; scoring every passage with any common word is
//! what makes plain OR queries slow. BM25 gives a bound for what a term can add to a score
//! (`idf · (k1 + 1)`, FTS5: k1 = 1.2), so leaving the common terms out of the *choice* (never out of the score) can be
//! proven harmless afterwards: if the last of the best scored higher than all terms left out could add up to, nothing
//! was missed.

/// A term with the number of chunks that hold it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Counted {
    pub quoted: String,
    pub chunks: u64,
}

impl Counted {
    /// FTS5's inverse document frequency; never negative there.
    fn idf(&self, total: u64) -> f64 {
        let (n, total) = (self.chunks as f64, total as f64);
        ((total - n + 0.5) / (n + 0.5)).ln().max(1e-6)
    }

    /// The most that this term adds to any score.
    fn bound(&self, total: u64) -> f64 {
        self.idf(total) * 2.2
    }
}

/// Terms in the order of their rarity: first those that choose, then those that only score, last those that do neither.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    terms: Vec<Counted>,
    total: u64,
    choosing: usize,
    /// Terms from here on are in more than half of all chunks: BM25 gives them nothing, so they are left out until
    /// there is too little to answer without them.
    telling: usize,
}

impl Plan {
    /// Orders the terms of a question over `total` chunks, for `wanted` passages. Terms that no chunk holds are dropped.
    pub(crate) fn new(mut terms: Vec<Counted>, total: u64, wanted: u64) -> Self {
        terms.retain(|term| term.chunks > 0);
        terms.sort_by_key(|term| term.chunks);
        let telling = match terms.partition_point(|term| term.chunks * 2 <= total) {
            0 => terms.len(),
            some => some,
        };
        let mut plan = Self {
            terms,
            total,
            choosing: 0,
            telling,
        };
        // Enough to fill the answer some times over, and what is left out weighs less than the half of what is in.
        let mut chosen = 0_u64;
        let mut weight = 0.0;
        for at in 0..telling {
            if chosen >= wanted * 4 && plan.left_out(at) <= weight * 0.5 {
                break;
            }
            chosen += plan.terms[at].chunks;
            weight += plan.terms[at].idf(total);
            plan.choosing = at + 1;
        }
        plan
    }

    /// Every term chooses: the exhaustive question.
    pub(crate) fn exhaustive(terms: Vec<Counted>) -> Self {
        let all = terms.len();
        Self {
            terms,
            total: 0,
            choosing: all,
            telling: all,
        }
    }

    /// Nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What the terms from `at` on could add up to at most.
    fn left_out(&self, at: usize) -> f64 {
        self.terms[at..]
            .iter()
            .map(|term| term.bound(self.total))
            .sum()
    }

    /// The plan that misses nothing, given that the answer's last score is at least `last` (0 when the answer is not
    /// full); `None` if this one misses nothing already.
    pub(crate) fn widened(&self, last: f64) -> Option<Self> {
        let needed = (self.choosing..=self.terms.len())
            .find(|at| self.left_out(*at) <= last)
            .unwrap_or(self.terms.len());
        (needed > self.choosing).then(|| Self {
            choosing: needed,
            ..self.clone()
        })
    }

    /// The FTS5 expression, and by how much it multiplies every score. With terms that only score, each term stands in
    /// it twice: once to choose and once to score, or twice to score; so the order is that of the plain question.
    pub(crate) fn expression(&self) -> (String, f64) {
        let or = |terms: &[Counted]| {
            terms
                .iter()
                .map(|term| term.quoted.as_str())
                .collect::<Vec<_>>()
                .join(" OR ")
        };
        let (choosing, scoring) =
            self.terms[..self.telling.max(self.choosing)].split_at(self.choosing);
        if scoring.is_empty() {
            return (or(choosing), 1.0);
        }
        let (choosing, scoring) = (or(choosing), or(scoring));
        (
            format!("({choosing}) AND ({choosing} OR {scoring} OR {scoring})"),
            2.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(word: &str, chunks: u64) -> Counted {
        Counted {
            quoted: format!("\"{word}\""),
            chunks,
        }
    }

    #[test]
    fn rare_terms_choose_and_common_ones_only_score() {
        let plan = Plan::new(
            vec![
                term("common", 4000),
                term("rare", 40),
                term("everywhere", 12_000),
                term("absent", 0),
            ],
            20_000,
            8,
        );
        assert_eq!(
            plan.expression(),
            (
                "(\"rare\") AND (\"rare\" OR \"common\" OR \"common\")".to_owned(),
                2.0
            )
        );
    }

    #[test]
    fn a_lone_common_term_is_not_dropped() {
        let plan = Plan::new(vec![term("everywhere", 19_000)], 20_000, 8);
        assert_eq!(plan.expression(), ("\"everywhere\"".to_owned(), 1.0));
    }

    #[test]
    fn too_few_candidates_widen_to_everything() {
        let plan = Plan::new(vec![term("common", 4000), term("rare", 40)], 20_000, 8);
        let wide = plan.widened(0.0).unwrap();
        assert_eq!(
            wide.expression(),
            ("\"rare\" OR \"common\"".to_owned(), 1.0)
        );
        assert_eq!(wide.widened(0.0), None);
        let plan = Plan::new(vec![term("everywhere", 12_000), term("rare", 4)], 20_000, 8);
        assert_eq!(plan.expression(), ("\"rare\"".to_owned(), 1.0));
        assert_eq!(
            plan.widened(1.0),
            None,
            "a word that is everywhere adds nothing"
        );
        assert_eq!(
            plan.widened(0.0).unwrap().expression(),
            ("\"rare\" OR \"everywhere\"".to_owned(), 1.0)
        );
    }

    #[test]
    fn a_high_last_score_proves_that_nothing_was_missed() {
        let plan = Plan::new(vec![term("common", 4000), term("rare", 40)], 20_000, 8);
        let bound = term("common", 4000).bound(20_000);
        assert_eq!(plan.widened(bound), None);
        assert!(plan.widened(bound - 0.01).is_some());
    }
}
