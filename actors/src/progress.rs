//! What is told to those who watch: a broadcast of numbered events, and the newest state of every run under way.
//!
//! A handle, not an actor. Publishing never waits for a reader; a reader that is behind gets `Lagged` and takes a new
//! snapshot. State changes are never lost: they are in the database before they are broadcast. Counters are coalesced to
//! two events a second and run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::event::{Event, EventKind, NewEvent};
use domain::ports::store::SyncStore;
use domain::run::Run;
use domain::{IndexId, RunId};
use tokio::sync::broadcast;
use tokio::time::Instant;

/// Events that a slow reader may be behind before it must take a snapshot.
const BUFFER: usize = 1024;
/// The least time between two `progress` events of one run.
const COALESCE: Duration = Duration::from_millis(500);

/// The hub; clones are the same hub.
#[derive(Clone)]
pub struct ProgressHub {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn SyncStore>,
    sender: broadcast::Sender<Arc<Event>>,
    live: Mutex<HashMap<IndexId, Live>>,
    /// Held from an event's number to its telling.
    turn: tokio::sync::Mutex<()>,
}

struct Live {
    run: Run,
    told: Option<Instant>,
}

impl ProgressHub {
    pub(crate) fn new(store: Arc<dyn SyncStore>) -> Self {
        let (sender, _) = broadcast::channel(BUFFER);
        Self {
            inner: Arc::new(Inner {
                store,
                sender,
                live: Mutex::new(HashMap::new()),
                turn: tokio::sync::Mutex::new(()),
            }),
        }
    }

    /// Every event from now on. A reader that falls behind gets `Lagged` and should send a fresh snapshot.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.inner.sender.subscribe()
    }

    /// Records an event, which gives it its number, and tells everyone. An event that cannot be recorded is told in the log
    /// only: without a number nobody could resume after it.
    pub async fn publish(&self, event: NewEvent) {
        // Told in the order of the numbers: a reader passes over what is not after the last it saw.
        let _turn = self.inner.turn.lock().await;
        match self.inner.store.append_event(&event).await {
            Ok(event) => {
                // No reader is no error.
                let _ = self.inner.sender.send(Arc::new(event));
            }
            Err(error) => {
                tracing::warn!(kind = event.kind.as_str(), index = %event.index_id, %error, "an event could not be recorded");
            }
        }
    }

    /// The run of an index that is under way, with counters newer than the database's.
    #[must_use]
    pub fn live_run(&self, index: IndexId) -> Option<Run> {
        self.live().get(&index).map(|live| live.run.clone())
    }

    /// A run began, or goes on after a restart.
    pub(crate) async fn run_started(&self, run: &Run) {
        self.live().insert(
            run.index_id,
            Live {
                run: run.clone(),
                told: None,
            },
        );
        self.publish(run_event(EventKind::RunStarted, run)).await;
    }

    /// Counters moved: the snapshot always takes them, an event goes out at most twice a second.
    pub(crate) async fn run_progress(&self, run: &Run) {
        let due = {
            let mut live = self.live();
            let entry = live.entry(run.index_id).or_insert_with(|| Live {
                run: run.clone(),
                told: None,
            });
            let moved = entry.run != *run;
            entry.run = run.clone();
            let now = Instant::now();
            let due = moved && entry.told.is_none_or(|told| now - told >= COALESCE);
            if due {
                entry.told = Some(now);
            }
            due
        };
        if due {
            self.publish(run_event(EventKind::Progress, run)).await;
        }
    }

    /// A run is over.
    pub(crate) async fn run_finished(&self, run: &Run) {
        self.forget(run.index_id, Some(run.id));
        self.publish(run_event(EventKind::RunFinished, run)).await;
    }

    /// Drops the snapshot of an index's run (of that run only, if one is named).
    pub(crate) fn forget(&self, index: IndexId, run: Option<RunId>) {
        let mut live = self.live();
        if run.is_none() || live.get(&index).map(|l| l.run.id) == run {
            live.remove(&index);
        }
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<IndexId, Live>> {
        self.inner
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn run_event(kind: EventKind, run: &Run) -> NewEvent {
    NewEvent {
        kind,
        index_id: run.index_id,
        run_id: Some(run.id),
        data: serde_json::to_value(run).unwrap_or_default(),
    }
}
