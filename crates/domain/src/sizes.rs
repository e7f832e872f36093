//! How many texts are asked for, or read, at once: so many that what is in memory is bounded in bytes, however large pages are.

use crate::ports::source::MAX_BATCH;

/// Bytes of an item in an answer beside its body: title, dates, addresses.
const ENVELOPE: usize = 1_500;
/// A body of which nothing is known is taken for this large.
const USUAL: usize = 8_000;
/// No answer is bounded to less: a page may have grown since its size was noted.
const LEAST: usize = 256 << 10;

/// Bytes that a body takes in an answer, with room for what JSON escapes.
const fn in_answer(body: usize) -> usize {
    body.saturating_add(body / 4).saturating_add(ENVELOPE)
}

/// Bytes that an answer with bodies of these sizes may have, and at most `most`: twice what is expected, since what comes in excess
/// is thrown away, and has to be asked for again in smaller pieces.
#[must_use]
pub fn answer_bytes(bodies: impl IntoIterator<Item = Option<usize>>, most: usize) -> usize {
    let expected = bodies
        .into_iter()
        .map(|body| in_answer(body.unwrap_or(USUAL)))
        .fold(0, usize::saturating_add);
    expected.saturating_mul(2).max(LEAST).min(most)
}

/// What the bodies of one listing came to so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BodySizes {
    bodies: usize,
    bytes: usize,
}

impl BodySizes {
    /// Notes an answer.
    pub const fn note(&mut self, bodies: usize, bytes: usize) {
        self.bodies += bodies;
        self.bytes += bytes;
    }

    /// How large a body is on average; `None` before the first.
    #[must_use]
    pub const fn mean(&self) -> Option<usize> {
        self.bytes.checked_div(self.bodies)
    }

    /// How many bodies to ask for where an answer may have `most` bytes. Before anything is known: as many as may be named.
    #[must_use]
    pub fn fitting(&self, most: usize) -> usize {
        let fitting = self.mean().map(|mean| most / in_answer(mean));
        fitting.unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
    }

    /// Bytes that an answer with so many bodies may have, and at most `most`.
    #[must_use]
    pub fn answer_bytes(&self, bodies: usize, most: usize) -> usize {
        match self.mean() {
            Some(mean) => answer_bytes(std::iter::repeat_n(Some(mean), bodies), most),
            None => most,
        }
    }
}

/// Some items, and how many bytes they have together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece<T> {
    /// The items.
    pub items: Vec<T>,
    /// Their bytes.
    pub bytes: usize,
}

/// Cuts items into pieces of at most so many items and bytes, in their order. One that is larger stands alone.
pub fn pieces<T>(
    items: impl IntoIterator<Item = (T, usize)>,
    most_items: usize,
    most_bytes: usize,
) -> Vec<Piece<T>> {
    let mut all: Vec<Piece<T>> = Vec::new();
    for (item, bytes) in items {
        match all.last_mut() {
            Some(last)
                if last.items.len() < most_items
                    && last.bytes.saturating_add(bytes) <= most_bytes =>
            {
                last.items.push(item);
                last.bytes += bytes;
            }
            _ => all.push(Piece {
                items: vec![item],
                bytes,
            }),
        }
    }
    all
}

/// As [`pieces`], of bodies that are to be asked for in one answer of at most so many bytes each; where the size of one is not
/// known, it is taken for a usual one.
pub fn batches<T>(
    bodies: impl IntoIterator<Item = (T, Option<usize>)>,
    most_bytes: usize,
) -> Vec<Vec<T>> {
    let expected = bodies
        .into_iter()
        .map(|(item, body)| (item, in_answer(body.unwrap_or(USUAL))));
    let pieces = pieces(expected, MAX_BATCH, most_bytes);
    pieces.into_iter().map(|piece| piece.items).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sizes: &[usize], items: usize, bytes: usize) -> Vec<(Vec<usize>, usize)> {
        let sizes = sizes.iter().map(|size| (*size, *size));
        let pieces = pieces(sizes, items, bytes).into_iter();
        pieces.map(|piece| (piece.items, piece.bytes)).collect()
    }

    #[test]
    fn pieces_are_bounded_in_items_and_bytes() {
        assert_eq!(cut(&[], 2, 10), []);
        assert_eq!(
            cut(&[4, 6, 1, 1, 1], 3, 10),
            [(vec![4, 6], 10), (vec![1, 1, 1], 3)]
        );
        assert_eq!(
            cut(&[1, 1, 1], 2, 10),
            [(vec![1, 1], 2), (vec![1], 1)],
            "by items"
        );
        assert_eq!(
            cut(&[1, 99, 1, 99], 9, 10),
            [(vec![1], 1), (vec![99], 99), (vec![1], 1), (vec![99], 99)],
            "what is larger than a piece stands alone"
        );
    }

    #[test]
    fn fewer_large_bodies_are_asked_for() {
        let most = 4 << 20;
        let asked = |mean: usize| {
            let mut sizes = BodySizes::default();
            sizes.note(10, 10 * mean);
            sizes.fitting(most)
        };
        assert_eq!(BodySizes::default().fitting(most), MAX_BATCH);
        assert_eq!(asked(3_000), MAX_BATCH);
        assert_eq!(asked(11_000), MAX_BATCH);
        assert_eq!(asked(100_000), 33);
        assert_eq!(asked(50 << 20), 1);
        assert_eq!(asked(0), MAX_BATCH);

        let ids = |sizes: &[Option<usize>]| {
            let bodies = sizes.iter().enumerate().map(|(id, size)| (id, *size));
            batches(bodies, most)
                .into_iter()
                .map(|ids| ids.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&[None; 600]), [250, 250, 100]);
        assert_eq!(ids(&[Some(1 << 20); 7]), [3, 3, 1]);
        assert_eq!(ids(&[Some(3_000), Some(9 << 20), None]), [1, 1, 1]);
    }

    #[test]
    fn an_answer_may_be_twice_as_long_as_expected_and_no_longer_than_a_piece() {
        let mut sizes = BodySizes::default();
        assert_eq!(
            sizes.answer_bytes(250, 4 << 20),
            4 << 20,
            "nothing is known"
        );
        sizes.note(2, 6_000);
        assert_eq!(sizes.mean(), Some(3_000));
        assert_eq!(sizes.answer_bytes(250, 4 << 20), 250 * 2 * 5_250);
        assert_eq!(sizes.answer_bytes(1, 4 << 20), LEAST);
        assert_eq!(sizes.answer_bytes(1, 1_000), 1_000);
        assert_eq!(answer_bytes([Some(2 << 20), None], 4 << 20), 4 << 20);
    }
}
