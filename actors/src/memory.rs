//! How much text may be in memory at once, in bytes and not in pages, by all runs together.
//!
//! All that holds bodies, documents or files takes its bytes from here first. The right to them travels with the work, inside each
//! message too, so it comes back however the work ends, a panic included. The bytes are those of the texts themselves; what is
//! made of one on its way (the answer that it came in, its Markdown, both compressed) takes a few times as much in passing.
//!
//! Nobody who holds bytes waits for more of the same kind, nor for a lock that somebody holds who waits for bytes: so none waits for
//! ever.

use std::sync::Arc;

use attachment_text::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this many.
const UNIT: usize = 1024;

/// The memory that texts may take.
pub(crate) struct TextMemory {
    /// Bodies, from the request that brings them until they are written, and kept ones that are converted anew.
    pub(crate) bodies: ByteBudget,
    /// Documents, until the store has answered. Apart from bodies: a store that does not answer holds up no walk.
    pub(crate) documents: ByteBudget,
    /// Attached files, until they are read: two, or one that is large.
    files: ByteBudget,
}

impl TextMemory {
    /// Shares out so many bytes for texts; files have as many as the largest of them.
    pub(crate) fn new(texts: usize) -> Self {
        Self {
            bodies: ByteBudget::new(texts / 4 * 3),
            documents: ByteBudget::new(texts / 4),
            files: ByteBudget::new(Limits::default().max_bytes),
        }
    }

    /// Waits until a file of so many bytes may be fetched and read. Reading may take all that the limits allow whatever its size: never
    /// more than [`FILES_AT_ONCE`].
    pub(crate) async fn hold_file(&self, bytes: Option<u64>) -> Held {
        let all = Limits::default().max_bytes;
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        self.files
            .hold(bytes.unwrap_or(all).max(all / FILES_AT_ONCE))
            .await
    }
}

/// Files that are fetched and read at once.
pub(crate) const FILES_AT_ONCE: usize = 2;

/// So many bytes may be held at once.
pub(crate) struct ByteBudget {
    free: Arc<Semaphore>,
    all: u32,
}

impl ByteBudget {
    fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self {
            free: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// What one piece of work should hold at most, so that several are on their way at once.
    pub(crate) const fn piece(&self) -> usize {
        self.all as usize * UNIT / 3
    }

    /// Waits until so many bytes are free, in the order of asking. Who needs more than there are gets all of them, and is alone.
    pub(crate) async fn hold(&self, bytes: usize) -> Held {
        if bytes == 0 {
            return Held::default();
        }
        // The semaphore is never closed.
        let free = Arc::clone(&self.free);
        Held(free.acquire_many_owned(self.units(bytes)).await.ok())
    }

    /// So many bytes if they are free now.
    pub(crate) fn try_hold(&self, bytes: usize) -> Option<Held> {
        let free = Arc::clone(&self.free);
        let permit = free.try_acquire_many_owned(self.units(bytes)).ok()?;
        Some(Held(Some(permit)))
    }

    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).map_or(self.all, |units| units.min(self.all))
    }
}

/// The right to hold bytes; dropped, it is given back.
#[derive(Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Gives back what is more than this.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let kept = self.split_off(bytes);
        *self = kept;
    }

    /// Takes so many bytes of it apart, or as many as there are.
    pub(crate) fn split_off(&mut self, bytes: usize) -> Self {
        let Some(permit) = &mut self.0 else {
            return Self::default();
        };
        let units = bytes.div_ceil(UNIT).min(permit.num_permits());
        Self(permit.split(units))
    }

    /// Holds what another held as well.
    pub(crate) fn merge(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(permit), Some(other)) => permit.merge(other),
            (none @ None, other) => *none = other,
            (Some(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: usize = 1024;

    fn free(budget: &ByteBudget) -> usize {
        budget.free.available_permits()
    }

    #[tokio::test]
    async fn no_more_is_held_than_there_is() {
        let budget = ByteBudget::new(10 * KB);
        let mut six = budget.hold(6 * KB).await;
        let four = budget.try_hold(3 * KB + 1).unwrap();
        assert_eq!(free(&budget), 0);
        assert!(budget.try_hold(1).is_none());
        assert!(budget.try_hold(0).is_some(), "nothing needs no room");
        drop(four);
        assert_eq!(free(&budget), 4);
        six.shrink_to(KB + 1);
        assert_eq!(free(&budget), 8, "begun units count whole");
        six.shrink_to(100 * KB);
        assert_eq!(free(&budget), 8, "nothing grows");
        let mut one = six.split_off(KB);
        assert_eq!(free(&budget), 8);
        drop(six);
        assert_eq!(free(&budget), 9);
        one.merge(budget.hold(2 * KB).await);
        one.merge(Held::default());
        assert_eq!(free(&budget), 7);
        let mut none = Held::default();
        none.merge(one);
        drop(none);
        assert_eq!(free(&budget), 10);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_passes_alone_and_none_overtakes_it() {
        let budget = ByteBudget::new(10 * KB);
        let small = budget.hold(KB).await;
        let mut large = Box::pin(budget.hold(usize::MAX));
        assert!(futures_util::poll!(&mut large).is_pending());
        let mut next = Box::pin(budget.hold(KB));
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(small);
        let large = large.await;
        assert_eq!(free(&budget), 0);
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(large);
        next.await;
        assert_eq!(free(&budget), 10);
    }
}
