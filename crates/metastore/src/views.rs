//! What of an index's restrictions is the same whoever asks, kept in memory between questions: reading it costs by restricted pages, and
//! each question would read it anew. It counts for as long as the number that the database keeps of its changes is the same, which is
//! read in the transaction of the question; so it is never older than the rows beside it.

use std::sync::{Arc, Mutex, PoisonError};

use domain::IndexId;
use domain::access::Restricted;

/// Rows that are kept at most, of all indexes together: about 100 bytes each. An index with more of its own is read each time.
const MOST: usize = 200_000;

/// What was read, the least lately asked for first.
#[derive(Default)]
pub(crate) struct Views(Mutex<Vec<Kept>>);

struct Kept {
    index: IndexId,
    number: i64,
    restricted: Arc<Restricted>,
}

impl Views {
    /// What was read of an index when its number was this one.
    pub(crate) fn get(&self, index: IndexId, number: i64) -> Option<Arc<Restricted>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all
            .iter()
            .position(|kept| kept.index == index && kept.number == number)?;
        let kept = all.remove(at);
        let restricted = kept.restricted.clone();
        all.push(kept);
        Some(restricted)
    }

    /// Keeps what was read, in place of what was read of this index before and, where there is no room, of those that were asked
    /// least lately.
    pub(crate) fn put(&self, index: IndexId, number: i64, restricted: &Arc<Restricted>) {
        self.put_within(MOST, index, number, restricted);
    }

    fn put_within(&self, most: usize, index: IndexId, number: i64, restricted: &Arc<Restricted>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A question that began earlier may come later.
        if all
            .iter()
            .any(|kept| kept.index == index && kept.number > number)
        {
            return;
        }
        all.retain(|kept| kept.index != index);
        if restricted.rows() > most {
            return;
        }
        all.push(Kept {
            index,
            number,
            restricted: restricted.clone(),
        });
        let mut rows: usize = all.iter().map(|kept| kept.restricted.rows()).sum();
        while rows > most {
            rows -= all.remove(0).restricted.rows();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::access::Guards;

    fn of_rows(rows: usize) -> Arc<Restricted> {
        let guarded = (0..rows).map(|row| (row.to_string().into(), Guards::Unknown));
        Arc::new(Restricted::new(Vec::new(), guarded))
    }

    #[test]
    fn what_is_kept_is_bounded_and_of_one_number() {
        let views = Views::default();
        let [a, b, c] = [(); 3].map(|()| IndexId::generate());
        let rows = |index, number| views.get(index, number).map(|kept| kept.rows());
        views.put_within(10, a, 1, &of_rows(4));
        views.put_within(10, b, 1, &of_rows(4));
        assert_eq!(
            [rows(a, 1), rows(b, 1), rows(a, 2), rows(c, 1)],
            [Some(4), Some(4), None, None]
        );

        // Another number, and one that comes too late.
        views.put_within(10, a, 3, &of_rows(5));
        views.put_within(10, a, 2, &of_rows(1));
        assert_eq!([rows(a, 1), rows(a, 2), rows(a, 3)], [None, None, Some(5)]);

        // Who was asked least lately makes room.
        rows(b, 1);
        views.put_within(10, c, 1, &of_rows(6));
        assert_eq!(
            [rows(a, 3), rows(b, 1), rows(c, 1)],
            [None, Some(4), Some(6)]
        );

        // What is larger than all is not kept, and what it was before is not either.
        views.put_within(10, c, 2, &of_rows(11));
        assert_eq!([rows(b, 1), rows(c, 1), rows(c, 2)], [Some(4), None, None]);
    }
}
