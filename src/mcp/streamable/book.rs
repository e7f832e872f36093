//! The sessions of Streamable HTTP: who opened each, with which `initialize`, and which of them have to end when there are too
//! many. The newest are remembered beyond a restart.

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

/// Sessions of one owner at most. Many clients never end theirs, they open another.
const PER_OWNER: usize = 200;
/// Sessions of all owners at most.
const IN_ALL: usize = 10_000;
/// Sessions that are remembered beyond a restart, those used last.
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

/// Every session, open or resting: who opened it, and its `initialize`, so that the SDK can take it up again after a restart or
/// its idle end without the client noticing. A session id is no credential: what a request may do is decided by its own, and
/// the owner keeps one caller from talking into another's session.
///
/// Bounded for each owner and in all: the session that was used the longest time ago ends for a new one, which costs its client
/// one new `initialize`.
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
    /// The higher, the later it was used.
    used: u64,
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

    /// Whether this owner opened this session, which is used by that. What an earlier process wrote is waited for, so that no
    /// session is refused for coming back early.
    pub(super) async fn admits(&self, id: &str, owner: &Owner) -> bool {
        if let Some(admitted) = self.with(|entries| entries.admit(id, owner)) {
            return admitted;
        }
        let mut read = self.read.subscribe();
        // Not read in time: then the sessions are unknown, and their clients initialize again.
        _ = tokio::time::timeout(READ_PATIENCE, read.wait_for(|read| *read)).await;
        self.with(|entries| entries.admit(id, owner))
            .unwrap_or(false)
    }

    /// Notes who opened a session that the SDK has stored; answers the sessions that have to end for it.
    #[must_use]
    pub(super) fn belongs(&self, id: &str, owner: &Owner) -> Vec<String> {
        let ended = self.with(|entries| {
            let entry = entries.states.get_mut(id)?;
            entry.owner.get_or_insert_with(|| owner.clone());
            Some(entries.drop_idlest(owner))
        });
        if ended.is_some() {
            self.changed.notify_one();
        }
        ended.unwrap_or_default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut entries);
        metrics::gauge!("mcp_streamable_sessions").set(entries.states.len() as f64);
        done
    }

    fn text(&self) -> String {
        self.with(|entries| {
            let mut all: Vec<(&String, &Entry)> = entries.states.iter().collect();
            all.sort_by_key(|(_, entry)| entry.used);
            let all: Vec<(&String, &Owner, &SessionState)> = all
                .into_iter()
                .filter_map(|(id, entry)| Some((id, entry.owner.as_ref()?, &entry.state)))
                .collect();
            let all = &all[all.len().saturating_sub(REMEMBERED)..];
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
        let used = self.next;
        self.states.insert(id, Entry { used, state, owner });
    }

    /// Whether the owner of a session is this one; `None` when the session is unknown.
    fn admit(&mut self, id: &str, owner: &Owner) -> Option<bool> {
        let entry = self.states.get_mut(id)?;
        let is_owner = entry.owner.as_ref() == Some(owner);
        if is_owner {
            self.next += 1;
            entry.used = self.next;
        }
        Some(is_owner)
    }

    /// Drops the sessions that were used the longest time ago, until this owner and all together have no more than they may.
    fn drop_idlest(&mut self, owner: &Owner) -> Vec<String> {
        let mut dropped = Vec::new();
        loop {
            let own = |entry: &Entry| entry.owner.as_ref() == Some(owner);
            let of_owner = self.states.values().filter(|entry| own(entry)).count();
            let is_over = of_owner > PER_OWNER;
            if !is_over && self.states.len() <= IN_ALL {
                return dropped;
            }
            let idlest = self
                .states
                .iter()
                .filter(|(_, entry)| !is_over || own(entry))
                .min_by_key(|(_, entry)| entry.used)
                .map(|(id, _)| id.clone());
            let Some(id) = idlest else { return dropped };
            self.states.remove(&id);
            dropped.push(id);
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

    /// Opens a session, as the SDK and then the transport do; answers what had to end for it.
    async fn open(book: &SessionBook, id: &str, owner: &Owner) -> Vec<String> {
        book.store(id, &state("c")).await.unwrap();
        book.belongs(id, owner)
    }

    #[actix_web::test]
    async fn the_book_survives_and_those_used_last_stay_in_it() {
        let book = SessionBook::forgetful();
        let owner = |n: usize| Owner::new(format!("token:{}", n % 10));
        for n in 0..REMEMBERED + 5 {
            open(&book, &n.to_string(), &owner(n)).await;
        }
        book.delete("1000").await.unwrap();
        assert!(book.admits("3", &owner(3)).await);
        let again = SessionBook::forgetful();
        again.fill(&book.text());
        for (id, is_known) in [("3", true), ("4", false), ("5", true), ("1000", false)] {
            assert_eq!(again.load(id).await.unwrap().is_some(), is_known, "{id}");
        }
        let found = again.load("1004").await.unwrap().unwrap();
        assert_eq!(found.initialize_params.client_info.name, "c");
        assert!(again.admits("1004", &owner(4)).await);
        assert_eq!(again.text().len(), book.text().len());
        again.fill("no json");
    }

    #[actix_web::test]
    async fn a_session_keeps_its_first_owner_and_is_not_kept_without_one() {
        let book = SessionBook::forgetful();
        let (first, second) = (Owner::new("first"), Owner::new("second"));
        book.store("a", &state("c")).await.unwrap();
        assert!(!book.admits("a", &first).await);
        let again = SessionBook::forgetful();
        again.fill(&book.text());
        assert!(again.load("a").await.unwrap().is_none());
        assert_eq!(book.belongs("a", &first), [""; 0]);
        assert_eq!(book.belongs("a", &second), [""; 0]);
        assert!(book.admits("a", &first).await && !book.admits("a", &second).await);
        assert_eq!(book.belongs("unknown", &first), [""; 0]);
        assert!(!book.admits("unknown", &first).await);
    }

    #[actix_web::test]
    async fn the_idlest_session_of_its_owner_ends_for_a_new_one() {
        let book = SessionBook::forgetful();
        let (own, other) = (Owner::new("token:1"), Owner::new("token:2"));
        open(&book, "other", &other).await;
        for n in 0..PER_OWNER {
            assert_eq!(open(&book, &n.to_string(), &own).await, [""; 0]);
        }
        assert!(book.admits("0", &own).await);
        // Somebody else's try is no use.
        assert!(!book.admits("1", &other).await);
        assert_eq!(open(&book, "new", &own).await, ["1"]);
        assert_eq!(open(&book, "newer", &own).await, ["2"]);
        assert!(!book.admits("1", &own).await);
        assert!(book.load("1").await.unwrap().is_none());
        assert!(book.admits("0", &own).await && book.admits("other", &other).await);
    }

    #[actix_web::test]
    async fn the_idlest_session_of_all_ends_when_there_are_too_many() {
        let book = SessionBook::forgetful();
        let owner = |n: usize| Owner::new(format!("token:{}", n / PER_OWNER));
        for n in 0..IN_ALL {
            book.store(&n.to_string(), &state("c")).await.unwrap();
            book.with(|entries| {
                entries.states.get_mut(&n.to_string()).unwrap().owner = Some(owner(n))
            });
        }
        assert!(book.admits("0", &owner(0)).await);
        assert_eq!(open(&book, "new", &Owner::new("new")).await, ["1"]);
        assert_eq!(book.with(|entries| entries.states.len()), IN_ALL);
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
        let owner = Owner::new("x");
        let before = SessionBook::forgetful();
        open(&before, "a", &owner).await;
        let notebook = Arc::new(Slow(tokio::sync::Semaphore::new(0), before.text()));
        let book = SessionBook::kept(notebook.clone(), CancellationToken::new());
        let early = book.clone();
        let waiting = actix_web::rt::spawn(async move { early.admits("a", &owner).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        notebook.0.add_permits(1);
        assert!(waiting.await.unwrap());
    }
}
