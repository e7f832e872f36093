//! Ids that are asked for together, and in halves where that fails: down to the one that cannot be had.

use domain::PageId;

/// What is still to be asked for, in its order.
pub(super) struct Pieces {
    stack: Vec<Vec<PageId>>,
    failed_in_a_row: u32,
}

impl Pieces {
    pub(super) fn of(ids: Vec<PageId>) -> Self {
        Self {
            stack: vec![ids],
            failed_in_a_row: 0,
        }
    }

    /// The next piece to ask for.
    pub(super) fn next(&mut self) -> Option<Vec<PageId>> {
        self.stack.pop()
    }

    /// It was answered.
    pub(super) const fn answered(&mut self) {
        self.failed_in_a_row = 0;
    }

    /// It was not.
    pub(super) const fn failed(&mut self) {
        self.failed_in_a_row += 1;
    }

    /// The halves of a piece come next. What cannot be halved is given back.
    pub(super) fn halve(&mut self, mut ids: Vec<PageId>) -> Vec<PageId> {
        if ids.len() <= 1 {
            return ids;
        }
        let second = ids.split_off(ids.len().div_ceil(2));
        self.stack.extend([second, ids]);
        Vec::new()
    }

    /// How many pieces in a row were not answered.
    pub(super) const fn failed_in_a_row(&self) -> u32 {
        self.failed_in_a_row
    }
}
