//! What is remembered of Streamable HTTP sessions beyond a restart: who opened each, and with which `initialize`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rmcp::transport::streamable_http_server::session::{
    SessionState, SessionStore, SessionStoreError,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::mcp::caller::Owner;

/// Sessions that are remembered beyond a restart, the newest.
const REMEMBERED: usize = 1_000;
/// How long a change may wait to be written down.
const WRITE_DELAY: Duration = Duration::from_secs(1);
/// How long a request of a session from before the restart waits until the book has been read.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Where the book is written down.
#[async_trait]
pub trait Notebook: Send + Sync {
    /// What was written last.
    async fn read(&self) -> Option<String>;
    /// Writes it anew.
    async fn write(&self, text: String);
}

/// What is remembered of sessions beyond a restart (and beyond their idle end): who opened each, and its `initialize`, so
/// that the SDK can take them up again without the client noticing. Bounded; losing it costs a client one new `initialize`.
pub struct SessionBook {
    entries: Mutex<Entries>,
    changed: Notify,
    read: watch::Sender<bool>,
}

#[derive(Default)]
struct Entries {
    states: HashMap<String, Entry>,
    next: u64,
}

struct Entry {
    order: u64,
    state: SessionState,
    /// Unknown for the moment between the SDK's note of a session and ours. Without one, nobody is let in.
    owner: Option<Owner>,
}

impl SessionBook {
    fn new(read: bool) -> Self {
        Self {
            entries: Mutex::default(),
            changed: Notify::new(),
            read: watch::Sender::new(read),
        }
    }

    /// A book that ends with the process.
    #[must_use]
    pub fn forgetful() -> Self {
        Self::new(true)
    }

    /// A book that is kept in a notebook: read once in the background, written a moment after each change.
    #[must_use]
    pub fn kept(notebook: Arc<dyn Notebook>, shutdown: CancellationToken) -> Arc<Self> {
        let book = Arc::new(Self::new(false));
        let kept = book.clone();
        actix_web::rt::spawn(async move {
            if let Some(text) = notebook.read().await {
                kept.fill(&text);
            }
            kept.read.send_replace(true);
            loop {
                tokio::select! {
                    // What changed last is written, also when the service stops.
                    biased;
                    () = kept.changed.notified() => {}
                    () = shutdown.cancelled() => break,
                }
                tokio::select! {
                    () = tokio::time::sleep(WRITE_DELAY) => {}
                    () = shutdown.cancelled() => {}
                }
                notebook.write(kept.text()).await;
            }
        });
        book
    }

    /// Waits until what an earlier process wrote has been read, so that no session is refused for coming back early.
    pub(super) async fn ready(&self) {
        let mut read = self.read.subscribe();
        // Not read in time: then the sessions are unknown, and their clients initialize again.
        _ = tokio::time::timeout(READ_PATIENCE, read.wait_for(|read| *read)).await;
    }

    /// Notes who opened a session that the SDK has stored.
    pub(super) fn belongs(&self, id: &str, owner: &Owner) {
        let noted = self.with(|entries| {
            let entry = entries.states.get_mut(id)?;
            entry.owner.get_or_insert_with(|| owner.clone());
            Some(())
        });
        if noted.is_some() {
            self.changed.notify_one();
        }
    }

    /// Who opened a session, if it is remembered.
    pub(super) fn owner(&self, id: &str) -> Option<Owner> {
        self.with(|entries| entries.states.get(id)?.owner.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&self) -> String {
        self.with(|entries| {
            let mut all: Vec<(&String, &Entry)> = entries.states.iter().collect();
            all.sort_by_key(|(_, entry)| entry.order);
            let all: Vec<(&String, &Owner, &SessionState)> = all
                .into_iter()
                .filter_map(|(id, entry)| Some((id, entry.owner.as_ref()?, &entry.state)))
                .collect();
            crate::mcp::tools::to_value(&all).to_string()
        })
    }

    fn fill(&self, text: &str) {
        let Ok(all) = serde_json::from_str::<Vec<(String, Owner, SessionState)>>(text) else {
            tracing::warn!(
                "the remembered MCP sessions cannot be read; clients will initialize again"
            );
            return;
        };
        self.with(|entries| {
            for (id, owner, state) in all {
                entries.add(id, state, Some(owner));
            }
        });
    }
}

impl Entries {
    fn add(&mut self, id: String, state: SessionState, owner: Option<Owner>) {
        self.next += 1;
        let order = self.next;
        self.states.insert(
            id,
            Entry {
                order,
                state,
                owner,
            },
        );
        if self.states.len() > REMEMBERED {
            let oldest = self.states.iter().min_by_key(|(_, entry)| entry.order);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.states.remove(&id);
            }
        }
    }
}

#[async_trait]
impl SessionStore for SessionBook {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        Ok(self.with(|entries| entries.states.get(id).map(|entry| entry.state.clone())))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        // The transport says next whose it is.
        self.with(|entries| entries.add(id.to_owned(), state.clone(), None));
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        self.with(|entries| entries.states.remove(id));
        self.changed.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{ClientCapabilities, Implementation, InitializeRequestParams};

    fn state(name: &str) -> SessionState {
        SessionState::new(InitializeRequestParams::new(
            ClientCapabilities::default(),
            Implementation::new(name, "1"),
        ))
    }

    #[actix_web::test]
    async fn the_book_survives_and_stays_bounded() {
        let book = SessionBook::forgetful();
        let owner = Owner::new("token:1");
        for n in 0..REMEMBERED + 5 {
            book.store(&n.to_string(), &state("c")).await.unwrap();
            book.belongs(&n.to_string(), &owner);
        }
        book.delete("1000").await.unwrap();
        let again = SessionBook::forgetful();
        again.fill(&book.text());
        assert!(again.load("4").await.unwrap().is_none());
        assert!(again.load("1000").await.unwrap().is_none());
        let found = again.load("1004").await.unwrap().unwrap();
        assert_eq!(found.initialize_params.client_info.name, "c");
        assert_eq!(again.owner("1004"), Some(owner));
        again.fill("no json");
    }

    #[actix_web::test]
    async fn a_session_keeps_its_first_owner_and_is_not_kept_without_one() {
        let book = SessionBook::forgetful();
        book.store("a", &state("c")).await.unwrap();
        assert_eq!(book.owner("a"), None);
        let again = SessionBook::forgetful();
        again.fill(&book.text());
        assert!(again.load("a").await.unwrap().is_none());
        book.belongs("a", &Owner::new("first"));
        book.belongs("a", &Owner::new("second"));
        assert_eq!(book.owner("a"), Some(Owner::new("first")));
        book.belongs("unknown", &Owner::new("first"));
        assert_eq!(book.owner("unknown"), None);
    }

    struct Slow(tokio::sync::Semaphore, String);

    #[async_trait]
    impl Notebook for Slow {
        async fn read(&self) -> Option<String> {
            self.0.acquire().await.ok()?.forget();
            Some(self.1.clone())
        }
        async fn write(&self, _: String) {}
    }

    #[actix_web::test]
    async fn who_comes_back_early_waits_until_the_book_is_read() {
        let before = SessionBook::forgetful();
        before.store("a", &state("c")).await.unwrap();
        before.belongs("a", &Owner::new("x"));
        let notebook = Arc::new(Slow(tokio::sync::Semaphore::new(0), before.text()));
        let book = SessionBook::kept(notebook.clone(), CancellationToken::new());
        let early = book.clone();
        let waiting = actix_web::rt::spawn(async move {
            early.ready().await;
            early.owner("a")
        });
        assert_eq!(book.owner("a"), None);
        notebook.0.add_permits(1);
        assert_eq!(waiting.await.unwrap(), Some(Owner::new("x")));
    }
}
