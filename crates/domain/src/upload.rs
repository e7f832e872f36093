//! Whose fault it is that documents are not taken: theirs, or the store's.
//!
//! A store that answers 500 (or nothing) for one document is well for all others, and must not be given up for it; one that is
//! down must not be held against the documents.

use std::time::Duration;

use crate::backoff::Backoff;

/// Times that a document is sent by itself in one run, while the store takes others.
const TRIES: u32 = 4;
/// Rounds in a row without one answer after which it is asked whose fault that is.
const ROUNDS: u32 = 4;
/// After so many rounds it is the store, whatever else it answers.
const MOST_ROUNDS: u32 = 2 * ROUNDS;
/// So many documents in a row of which none is taken are no coincidence.
const SUSPICIOUS_RUN: usize = 8;

/// What becomes of a document that was sent by itself in vain, while the store answered about others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alone {
    /// It is sent again in this run.
    Again,
    /// It has failed; a later run tries again.
    GiveUp,
}

/// Decides after so many tries in this run.
#[must_use]
pub const fn alone(tries: u32) -> Alone {
    if tries < TRIES {
        Alone::Again
    } else {
        Alone::GiveUp
    }
}

/// How long a document that was sent by itself so often in vain rests within its run; `jitter` in `0.0..1.0`.
#[must_use]
pub fn rest(tries: u32, jitter: f64) -> Duration {
    Backoff::REQUEST.wait(tries, jitter, Duration::ZERO)
}

/// What was seen of a store that answers nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// Rounds in a row without an answer.
    pub rounds: u32,
    /// Whether documents went by themselves in the last of them, and it was not merely that the store limits requests.
    pub alone: bool,
    /// Documents given up since the store answered last.
    pub given_up: usize,
}

/// What to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Send them again, after a wait.
    Again,
    /// Ask the store for something else. If it answers that, the documents that went by themselves have failed; else it is
    /// down.
    AskTheStore,
    /// It is down: the run cannot go on, the rows wait as they are.
    GiveUpTheStore,
}

/// Rows for the next round out of those that are due, oldest first, so that many which the store never takes hold up none
/// behind them: those that it has not yet left unanswered or refused by themselves (`suspected`) come first and go without the
/// others, and where there are more than `wanted` they come from everywhere in the queue, `jitter` in `0.0..1.0`.
#[must_use]
pub fn next_rows<T>(
    due: Vec<T>,
    suspected: impl FnMut(&T) -> bool,
    wanted: usize,
    jitter: f64,
) -> Vec<T> {
    let (suspects, others): (Vec<T>, Vec<T>) = due.into_iter().partition(suspected);
    let first = if others.is_empty() { suspects } else { others };
    spread(first, wanted, jitter)
}

fn spread<T>(due: Vec<T>, wanted: usize, jitter: f64) -> Vec<T> {
    let (all, wanted) = (due.len(), wanted.max(1));
    if all <= wanted {
        return due;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most a thousand rows"
    )]
    let offset = (jitter.clamp(0.0, 0.999_999) * all as f64) as usize;
    let mut picked: Vec<bool> = vec![false; all];
    for n in 0..wanted {
        picked[(offset + n * all / wanted) % all] = true;
    }
    let mut picked = picked.into_iter();
    let mut due = due;
    due.retain(|_| picked.next().unwrap_or(false));
    due
}

/// Decides after a round in which nothing was answered.
#[must_use]
pub const fn after_silence(seen: Unanswered) -> Next {
    if seen.rounds < ROUNDS {
        Next::Again
    } else if seen.given_up >= SUSPICIOUS_RUN || seen.rounds >= MOST_ROUNDS {
        Next::GiveUpTheStore
    } else if seen.alone {
        Next::AskTheStore
    } else {
        Next::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// As many as wanted, each once and in order; and none of them is out of reach of jitter.
        #[test]
        fn rows_come_from_everywhere(all in 0_usize..300, wanted in 0_usize..50, jitter in 0.0_f64..1.0) {
            let due: Vec<usize> = (0..all).collect();
            let picked = spread(due, wanted, jitter);
            proptest::prop_assert_eq!(picked.len(), all.min(wanted.max(1)));
            proptest::prop_assert!(picked.is_sorted_by(|a, b| a < b));
            for gap in picked.windows(2) {
                proptest::prop_assert!(gap[1] - gap[0] <= all / wanted.max(1) + 1);
            }
        }
    }

    #[test]
    fn what_was_left_unanswered_goes_after_the_rest_and_by_itself() {
        let odd = |n: &i32| n % 2 == 1;
        assert_eq!(next_rows((0..6).collect(), odd, 9, 0.5), [0, 2, 4]);
        assert_eq!(next_rows(vec![1, 3], odd, 9, 0.5), [1, 3]);
        assert_eq!(next_rows((0..90).collect(), odd, 3, 0.0), [0, 30, 60]);
    }

    #[test]
    fn silence_is_the_documents_fault_only_where_few_go_alone() {
        let next = |rounds, alone, given_up| {
            after_silence(Unanswered {
                rounds,
                alone,
                given_up,
            })
        };
        assert_eq!(next(1, true, 0), Next::Again);
        assert_eq!(next(ROUNDS, true, 0), Next::AskTheStore);
        assert_eq!(
            next(ROUNDS + 1, true, SUSPICIOUS_RUN - 1),
            Next::AskTheStore
        );
        assert_eq!(next(ROUNDS + 1, true, SUSPICIOUS_RUN), Next::GiveUpTheStore);
        assert_eq!(next(ROUNDS, false, 0), Next::Again, "smaller batches first");
        assert_eq!(next(MOST_ROUNDS, false, 0), Next::GiveUpTheStore);
    }

    #[test]
    fn a_document_alone_gets_a_few_tries_that_fit_into_a_run() {
        let tries: Vec<Alone> = (1..=TRIES).map(alone).collect();
        assert_eq!(
            tries,
            [Alone::Again, Alone::Again, Alone::Again, Alone::GiveUp]
        );
        let longest: Duration = (1..TRIES).map(|tries| rest(tries, 1.0)).sum();
        assert!(longest < Duration::from_secs(20));
    }
}
