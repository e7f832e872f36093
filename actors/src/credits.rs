//! Credits: how much work may be on its way at once. A permit travels inside each message, so it comes back however the
//! work ends, a panic included; mailboxes bound nothing.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fetcher::ConfluenceFetcher;

/// The fetchers of the site: as many credits as fetchers, handed out in the order of asking, so that indexes take turns.
pub(crate) struct FetcherPool {
    slots: Mutex<Slots>,
    free: Arc<Semaphore>,
    size: usize,
}

#[derive(Default)]
struct Slots {
    fetchers: Vec<Option<Addr<ConfluenceFetcher>>>,
    idle: Vec<usize>,
}

impl FetcherPool {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        let size = size.max(1);
        Arc::new(Self {
            slots: Mutex::new(Slots {
                fetchers: vec![None; size],
                idle: (0..size).collect(),
            }),
            free: Arc::new(Semaphore::new(size)),
            size,
        })
    }

    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Requests that are being worked on.
    pub(crate) fn busy(&self) -> usize {
        self.size - self.free.available_permits().min(self.size)
    }

    /// Fetchers that answer.
    pub(crate) fn alive(&self) -> usize {
        self.slots()
            .fetchers
            .iter()
            .flatten()
            .filter(|fetcher| fetcher.connected())
            .count()
    }

    /// Puts a fetcher (or, while a dead one is to be replaced, none) into its place.
    pub(crate) fn place(&self, slot: usize, fetcher: Option<Addr<ConfluenceFetcher>>) {
        if let Some(place) = self.slots().fetchers.get_mut(slot) {
            *place = fetcher;
        }
    }

    /// Waits for one of the index's own credits and an idle fetcher.
    pub(crate) async fn lease(self: &Arc<Self>, own: &Arc<Semaphore>) -> Lease {
        // Neither semaphore is ever closed.
        let own = Arc::clone(own).acquire_owned().await.ok();
        let site = Arc::clone(&self.free).acquire_owned().await.ok();
        let slot = self.slots().idle.pop().unwrap_or_default();
        Lease {
            slot,
            pool: Arc::clone(self),
            _site: site,
            _own: own,
        }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request on its way through one fetcher; dropped, it is given back.
pub(crate) struct Lease {
    slot: usize,
    pool: Arc<FetcherPool>,
    _site: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// The fetcher that this right is about; `None` while a dead one is being replaced.
    pub(crate) fn fetcher(&self) -> Option<Addr<ConfluenceFetcher>> {
        self.pool.slots().fetchers.get(self.slot).cloned().flatten()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the permits, which are dropped after this body.
        self.pool.slots().idle.push(self.slot);
    }
}
