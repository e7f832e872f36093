//! How many questions may be under way at once, and whose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::IndexId;

use crate::shared::lock;

/// Questions under way at once, over all indexes: many enough for every agent of a large installation, few enough for the
/// memory that their passages take.
pub(super) const PLACES: usize = 256;

/// The places of questions that are under way.
///
/// An index may take another place as long as it has fewer than are free. So one index alone gets half of all, two get a third
/// each, and whoever asks another index meanwhile still finds room: a store that hangs, or an agent that asks without end, takes
/// nothing from the agents of other indexes.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<IndexId, usize>>);

impl Places {
    /// A place for a question to an index, unless it has its share already.
    pub(super) fn take(self: &Arc<Self>, index: IndexId) -> Option<Place> {
        let mut taken = lock(&self.0);
        let free = PLACES - taken.values().sum::<usize>();
        let own = taken.get(&index).copied().unwrap_or(0);
        (own < free).then(|| {
            taken.insert(index, own + 1);
            Place {
                places: Arc::clone(self),
                index,
            }
        })
    }
}

/// One question under way; dropped, its place is free again.
pub(super) struct Place {
    places: Arc<Places>,
    index: IndexId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.0);
        match taken.get_mut(&self.index) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(places: &Arc<Places>, index: IndexId) -> Vec<Place> {
        std::iter::from_fn(|| places.take(index)).collect()
    }

    #[test]
    fn one_index_gets_half_and_leaves_the_others_their_share() {
        let places = Arc::new(Places::default());
        let [busy, other, third] = [(); 3].map(|()| IndexId::generate());
        let of_busy = take_all(&places, busy);
        assert_eq!(of_busy.len(), PLACES / 2);
        let of_other = take_all(&places, other);
        assert_eq!(of_other.len(), PLACES / 4);
        assert!(
            places.take(busy).is_none(),
            "it has more than its share already"
        );
        assert!(places.take(third).is_some());
        drop(of_busy);
        assert_eq!(
            take_all(&places, third).len(),
            (PLACES - PLACES / 4) / 2,
            "as many as are left free"
        );
        drop(of_other);
        assert!(lock(&places.0).is_empty(), "nobody asks any more");
    }
}
