//! Adds up what the words of a question give each chunk, and keeps the best.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::postings::Reader;

/// Chunks that are scored together: their sums stay in the processor's cache.
const WINDOW: i64 = 1 << 14;

/// The chunks of one term in one segment, on the way through.
pub(crate) struct Walk<'l> {
    rest: Reader<'l>,
    /// The chunk that is next, or the last one before the end.
    chunk: i64,
    impact: u8,
    ended: bool,
    /// What an impact of 1 adds.
    weight: f32,
    /// Which word of the question it is.
    word: u32,
}

impl<'l> Walk<'l> {
    /// Through a list of a segment whose chunks begin at `first`.
    pub(crate) fn new(list: &'l [u8], first: i64, weight: f32, word: u32) -> Self {
        let mut walk = Self {
            rest: Reader::new(list, first),
            chunk: first,
            impact: 0,
            ended: false,
            weight: weight / 255.0,
            word,
        };
        walk.step();
        walk
    }

    #[inline]
    fn step(&mut self) {
        match self.rest.next() {
            Some((chunk, impact)) => (self.chunk, self.impact) = (chunk, impact),
            None => self.ended = true,
        }
    }
}

/// A chunk with its sum.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scored {
    pub chunk: i64,
    pub score: f32,
    /// Bits of the words it holds.
    pub words: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    /// The worse is the greater, so that a heap gives it up first; later chunks are worse than earlier ones.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.chunk.cmp(&other.chunk))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What was found of a question.
pub(crate) struct Best {
    /// Best first.
    pub chunks: Vec<Scored>,
    /// Those of the others that were to be told as well and hold any of the words, ascending.
    pub also: Vec<Scored>,
    /// Chunks that hold any of the words and pass.
    pub candidates: u64,
}

/// The best `wanted` chunks. `weights` of the words tell how much of a question a chunk answers: one that holds all of it is worth
/// more than the sum of its words. `ranges`, ascending, of the chunks that may answer; `None` for all. The scores of the chunks in
/// `also`, ascending, are told however good they are.
pub(crate) fn best(
    mut walks: Vec<Walk<'_>>,
    weights: &[f32],
    ranges: Option<&[(i64, i64)]>,
    also: &[i64],
    wanted: usize,
) -> Best {
    let all: f32 = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let mut heap: BinaryHeap<Scored> = BinaryHeap::with_capacity(wanted + 1);
    let mut sums = vec![(0.0_f32, 0_u32); WINDOW as usize];
    let mut candidates = 0;
    let mut range = 0;
    let (mut next_also, mut told_also) = (also.iter().copied().peekable(), Vec::new());
    while let Some(low) = walks
        .iter()
        .filter(|walk| !walk.ended)
        .map(|walk| walk.chunk)
        .min()
    {
        let high = low + WINDOW;
        for walk in &mut walks {
            let bit = 1_u32 << walk.word.min(31);
            while !walk.ended && walk.chunk < high {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "within the window"
                )]
                let sum = &mut sums[(walk.chunk - low) as usize];
                sum.0 += walk.weight * f32::from(walk.impact);
                sum.1 |= bit;
                walk.step();
            }
        }
        for (number, sum) in (low..).zip(&mut sums) {
            let (score, words) = std::mem::take(sum);
            if words == 0 {
                continue;
            }
            if let Some(ranges) = ranges {
                while ranges.get(range).is_some_and(|(_, last)| *last < number) {
                    range += 1;
                }
                if ranges.get(range).is_none_or(|(first, _)| *first > number) {
                    continue;
                }
            }
            candidates += 1;
            while next_also.next_if(|chunk| *chunk < number).is_some() {}
            let is_also = next_also.peek() == Some(&number);
            // The share of the words can only lessen it.
            if !is_also
                && heap.len() == wanted
                && heap.peek().is_some_and(|worst| score <= worst.score)
            {
                continue;
            }
            let held: f32 = weights
                .iter()
                .enumerate()
                .filter(|(at, _)| words & (1 << (*at).min(31)) != 0)
                .map(|(_, w)| w)
                .sum();
            let score = score * (1.0 - TOGETHER + TOGETHER * held / all);
            let scored = Scored {
                chunk: number,
                score,
                words,
            };
            if is_also {
                told_also.push(scored);
            }
            if heap.len() < wanted {
                heap.push(scored);
            } else if heap.peek().is_some_and(|worst| scored < *worst) {
                heap.pop();
                heap.push(scored);
            }
        }
    }
    let chunks = heap.into_sorted_vec();
    let is_best = |scored: &Scored| chunks.iter().any(|best| best.chunk == scored.chunk);
    told_also.retain(|scored| !is_best(scored));
    Best {
        chunks,
        also: told_also,
        candidates,
    }
}

/// How much of a score depends on the share of the question's words that stand together.
const TOGETHER: f32 = 0.3;
