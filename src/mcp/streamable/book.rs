//! The sessions of Streamable HTTP: who opened each, which are in use, which rest, and which have to end when there are too many.
//! What opened them stands in the notebook, before their ids are answered; so they outlive the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use domain::Timestamp;
use domain::ports::store::KnownSession;
use rmcp::transport::streamable_http_server::session::{
    SessionState, SessionStore, SessionStoreError,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::http::fairness::{Full, Table};
use crate::mcp::PER_OWNER;
use crate::mcp::caller::Owner;

/// Sessions of all owners at most.
const IN_ALL: usize = 10_000;
/// Sessions that are in memory at once; of more, those rest that were used the longest time ago.
const AWAKE: usize = 1_000;
/// How long it may take until some are put to rest when there are more: all that came meanwhile are looked at together.
const CROWDED: Duration = Duration::from_millis(100);
/// How long it may take until it is written down when sessions were used.
const WRITE_DELAY: Duration = Duration::from_secs(20);
/// How long a request of a session from before the restart waits until the book has been read.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Where the sessions are written down.
#[async_trait]
pub trait Notebook: Send + Sync {
    /// All of them, those used last at the end; `None` when they cannot be read.
    async fn sessions(&self) -> Option<Vec<KnownSession>>;
    /// Writes one down; `false` when that failed.
    async fn keep(&self, session: &KnownSession, opening: &str) -> bool;
    /// What opened one.
    async fn opening(&self, id: &str) -> Option<String>;
    /// Notes when some were used last.
    async fn used(&self, used: &[(String, Timestamp)]);
    /// Strikes some out.
    async fn forget(&self, ids: &[String]);
}

/// A notebook that ends with the process.
#[derive(Default)]
struct Loose(Mutex<HashMap<String, String>>);

impl Loose {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Notebook for Loose {
    async fn sessions(&self) -> Option<Vec<KnownSession>> {
        Some(Vec::new())
    }

    async fn keep(&self, session: &KnownSession, opening: &str) -> bool {
        self.with(|all| all.insert(session.id.clone(), opening.to_owned()));
        true
    }

    async fn opening(&self, id: &str) -> Option<String> {
        self.with(|all| all.get(id).cloned())
    }

    async fn used(&self, _: &[(String, Timestamp)]) {}

    async fn forget(&self, ids: &[String]) {
        self.with(|all| all.retain(|id, _| !ids.contains(id)));
    }
}

/// Every session, in use or resting. A session that rests is not in memory but for its line here; the SDK takes it up again from
/// the `initialize` in the notebook, without the client noticing. A session id is no credential: what a request may do is
/// decided by its own, and the owner keeps one caller from talking into another's session.
///
/// Bounded for each owner and in all: the session that was used the longest time ago ends for a new one, which costs its client
/// one new `initialize`.
pub struct SessionBook {
    notebook: Arc<dyn Notebook>,
    entries: Mutex<Entries>,
    /// What the SDK has opened and the transport has not entered yet.
    opened: Mutex<HashMap<String, SessionState>>,
    changed: Notify,
    /// There are more sessions in memory than may be.
    crowded: Notify,
    read: watch::Sender<bool>,
    /// Held alone while sessions are put to rest, so that none is taken into use meanwhile.
    resting: tokio::sync::RwLock<()>,
    full: Arc<Full>,
}

#[derive(Default)]
struct Entries {
    of: HashMap<String, Entry>,
    /// How many of them are awake.
    awake: usize,
    next: u64,
}

struct Entry {
    owner: Owner,
    /// The higher, the later it was used.
    used: u64,
    used_at: Timestamp,
    /// Whether the notebook does not know yet that it was used.
    unwritten: bool,
    /// Requests of it under way, open streams included.
    open: usize,
    /// Whether the SDK has it in memory.
    awake: bool,
}

/// A session in use, for as long as a request of it is under way.
pub(super) struct Use {
    book: Arc<SessionBook>,
    id: String,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.book.with(|entries| {
            if let Some(entry) = entries.touch(&self.id) {
                entry.open = entry.open.saturating_sub(1);
            }
        });
    }
}

impl SessionBook {
    fn new(notebook: Arc<dyn Notebook>, read: bool, full: Arc<Full>) -> Self {
        Self {
            notebook,
            entries: Mutex::default(),
            opened: Mutex::default(),
            changed: Notify::new(),
            crowded: Notify::new(),
            read: watch::Sender::new(read),
            resting: tokio::sync::RwLock::default(),
            full,
        }
    }

    /// A book that ends with the process.
    #[must_use]
    pub fn forgetful() -> Self {
        Self::new(Arc::new(Loose::default()), true, Arc::default())
    }

    /// A book that is kept in a notebook: read once in the background.
    #[must_use]
    pub fn kept(
        notebook: Arc<dyn Notebook>,
        full: Arc<Full>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let book = Arc::new(Self::new(notebook, false, full));
        let kept = book.clone();
        actix_web::rt::spawn(async move {
            match kept.notebook.sessions().await {
                Some(all) => kept.fill(all),
                None => tracing::warn!(
                    "the MCP sessions of before cannot be read; their clients will initialize again"
                ),
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
                let used = kept.with(Entries::unwritten);
                kept.notebook.used(&used).await;
            }
        });
        book
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|entries| entries.of.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are in memory.
    #[must_use]
    pub fn awake(&self) -> usize {
        self.with(|entries| entries.awake)
    }

    /// Takes a session into use for its owner; `None`: it is somebody else's, or there is none. What an earlier process wrote is
    /// waited for, so that no session is refused for coming back early.
    pub(super) async fn take_up(self: &Arc<Self>, id: &str, owner: &Owner) -> Option<Use> {
        if !self.with(|entries| entries.of.contains_key(id)) {
            let mut read = self.read.subscribe();
            // Not read in time: then the sessions are unknown, and their clients initialize again.
            _ = tokio::time::timeout(READ_PATIENCE, read.wait_for(|read| *read)).await;
        }
        let _none_is_put_to_rest = self.resting.read().await;
        let is_owner = self.with(|entries| {
            entries.of.get(id).filter(|entry| entry.owner == *owner)?;
            let entry = entries.touch(id)?;
            entry.open += 1;
            let was_awake = std::mem::replace(&mut entry.awake, true);
            entries.awake += usize::from(!was_awake);
            Some(())
        });
        is_owner?;
        self.changed.notify_one();
        self.look_whether_it_is_crowded();
        Some(Use {
            book: Arc::clone(self),
            id: id.to_owned(),
        })
    }

    /// Enters a session that the SDK has opened, in the notebook first; answers the sessions that have to end for it. Nothing
    /// happens to one that the SDK has not just opened.
    ///
    /// # Errors
    /// When it could not be written down: its id may not be answered.
    pub(super) async fn enter(&self, id: &str, owner: &Owner) -> Result<Vec<String>, ()> {
        let state = self.with_opened(|opened| opened.remove(id));
        let Some(state) = state else {
            return Ok(Vec::new());
        };
        let session = KnownSession {
            id: id.to_owned(),
            owner: owner.as_str().to_owned(),
            used_at: Utc::now(),
        };
        let opening = crate::mcp::tools::to_value(&state).to_string();
        if !self.notebook.keep(&session, &opening).await {
            return Err(());
        }
        let ended = self.with(|entries| {
            entries.add(session, true);
            entries.drop_idlest(owner, || self.full.note(Table::Sessions))
        });
        self.look_whether_it_is_crowded();
        if !ended.is_empty() {
            self.notebook.forget(&ended).await;
        }
        Ok(ended)
    }

    fn look_whether_it_is_crowded(&self) {
        if self.awake() > AWAKE {
            self.crowded.notify_one();
        }
    }

    /// Waits until some should be put to rest: after so long at the latest, and soon when there are more than may be awake.
    pub(super) async fn some_should_rest(&self, look: Duration) {
        let crowded = async {
            self.crowded.notified().await;
            tokio::time::sleep(CROWDED).await;
        };
        _ = tokio::time::timeout(look, crowded).await;
    }

    /// Puts sessions to rest that nobody has used for so long, and the idlest beyond those that may be awake: `close` takes
    /// each out of memory.
    pub(super) async fn rest(&self, after: Duration, close: impl AsyncFn(String)) {
        loop {
            let _alone = self.resting.write().await;
            let ids = self.with(|entries| entries.restful(Utc::now(), after));
            if ids.is_empty() {
                return;
            }
            for id in ids {
                close(id).await;
            }
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_opened<T>(&self, work: impl FnOnce(&mut HashMap<String, SessionState>) -> T) -> T {
        work(&mut self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Enters what an earlier process wrote. What this one has entered meanwhile is in use, and stays as it is.
    fn fill(&self, all: Vec<KnownSession>) {
        self.with(|entries| {
            for session in all {
                if !entries.of.contains_key(&session.id) {
                    entries.add(session, false);
                }
            }
        });
    }

    /// Tells the metrics.
    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floats; there are some thousand of these"
    )]
    pub(super) fn measure(&self) {
        metrics::gauge!(super::SESSIONS).set(self.len() as f64);
        metrics::gauge!(super::AWAKE_SESSIONS).set(self.awake() as f64);
    }
}

impl Entries {
    fn add(&mut self, session: KnownSession, awake: bool) {
        self.next += 1;
        self.awake += usize::from(awake);
        let entry = Entry {
            owner: Owner::new(session.owner),
            used: self.next,
            used_at: session.used_at,
            unwritten: false,
            open: 0,
            awake,
        };
        if let Some(before) = self.of.insert(session.id, entry) {
            self.awake -= usize::from(before.awake);
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(entry) = self.of.remove(id) {
            self.awake -= usize::from(entry.awake);
        }
    }

    /// A session that is used just now.
    fn touch(&mut self, id: &str) -> Option<&mut Entry> {
        let entry = self.of.get_mut(id)?;
        self.next += 1;
        entry.used = self.next;
        entry.used_at = Utc::now();
        entry.unwritten = true;
        Some(entry)
    }

    fn unwritten(&mut self) -> Vec<(String, Timestamp)> {
        let used = self.of.iter_mut().filter(|(_, entry)| entry.unwritten);
        used.map(|(id, entry)| {
            entry.unwritten = false;
            (id.clone(), entry.used_at)
        })
        .collect()
    }

    /// Some of those that may rest, which do from now on.
    fn restful(&mut self, now: Timestamp, after: Duration) -> Vec<String> {
        /// So many leave memory before others may be taken into use again.
        const AT_ONCE: usize = 50;
        let too_many = self.awake.saturating_sub(AWAKE);
        let mut idle: Vec<(&String, &mut Entry)> = self
            .of
            .iter_mut()
            .filter(|(_, entry)| entry.awake && entry.open == 0)
            .collect();
        idle.sort_unstable_by_key(|(_, entry)| entry.used);
        let is_over = |entry: &Entry| {
            (now - entry.used_at)
                .to_std()
                .is_ok_and(|idle| idle > after)
        };
        let resting: Vec<String> = idle
            .into_iter()
            .enumerate()
            .take_while(|(n, (_, entry))| *n < too_many || is_over(entry))
            .take(AT_ONCE)
            .map(|(_, (id, entry))| {
                entry.awake = false;
                id.clone()
            })
            .collect();
        self.awake -= resting.len();
        resting
    }

    /// Drops the sessions that were used the longest time ago, those that are in use last, until this owner and all together have no
    /// more than they may.
    fn drop_idlest(&mut self, owner: &Owner, full: impl Fn()) -> Vec<String> {
        let mut dropped = Vec::new();
        loop {
            let of_owner = self.of.values().filter(|entry| entry.owner == *owner);
            let is_over = of_owner.count() > PER_OWNER;
            if !is_over && self.of.len() <= IN_ALL {
                return dropped;
            }
            if !is_over {
                full();
            }
            let idlest = self
                .of
                .iter()
                .filter(|(_, entry)| !is_over || entry.owner == *owner)
                .min_by_key(|(_, entry)| (entry.open > 0, entry.used))
                .map(|(id, _)| id.clone());
            let Some(id) = idlest else { return dropped };
            self.remove(&id);
            dropped.push(id);
        }
    }
}

#[async_trait]
impl SessionStore for SessionBook {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let Some(opening) = self.notebook.opening(id).await else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&opening)?))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        // The transport says next whose it is.
        self.with_opened(|opened| opened.insert(id.to_owned(), state.clone()));
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        self.with(|entries| entries.remove(id));
        self.notebook.forget(&[id.to_owned()]).await;
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

    fn book() -> Arc<SessionBook> {
        Arc::new(SessionBook::forgetful())
    }

    /// Opens a session, as the SDK and then the transport do; answers what had to end for it.
    async fn open(book: &SessionBook, id: &str, owner: &Owner) -> Vec<String> {
        book.store(id, &state("c")).await.unwrap();
        book.enter(id, owner).await.unwrap()
    }

    async fn admits(book: &Arc<SessionBook>, id: &str, owner: &Owner) -> bool {
        book.take_up(id, owner).await.is_some()
    }

    #[actix_web::test]
    async fn a_session_keeps_its_owner_and_is_nobodys_before_it_is_entered() {
        let book = book();
        let (first, second) = (Owner::new("first"), Owner::new("second"));
        book.store("a", &state("c")).await.unwrap();
        assert!(!admits(&book, "a", &first).await);
        assert_eq!(book.enter("a", &first).await, Ok(vec![]));
        assert_eq!(book.enter("a", &second).await, Ok(vec![]));
        assert!(admits(&book, "a", &first).await && !admits(&book, "a", &second).await);
        assert_eq!(book.enter("unknown", &first).await, Ok(vec![]));
        assert!(!admits(&book, "unknown", &first).await);
        let found = book.load("a").await.unwrap().unwrap();
        assert_eq!(found.initialize_params.client_info.name, "c");
        book.delete("a").await.unwrap();
        assert!(book.load("a").await.unwrap().is_none() && book.is_empty());
    }

    #[actix_web::test]
    async fn the_idlest_session_of_its_owner_ends_for_a_new_one() {
        let book = book();
        let (own, other) = (Owner::new("token:1"), Owner::new("token:2"));
        open(&book, "other", &other).await;
        for n in 0..PER_OWNER {
            assert_eq!(open(&book, &n.to_string(), &own).await, [""; 0]);
        }
        assert!(admits(&book, "0", &own).await);
        // Somebody else's try is no use.
        assert!(!admits(&book, "1", &other).await);
        assert_eq!(open(&book, "new", &own).await, ["1"]);
        assert_eq!(open(&book, "newer", &own).await, ["2"]);
        assert!(!admits(&book, "1", &own).await);
        assert!(book.load("1").await.unwrap().is_none());
        assert!(admits(&book, "0", &own).await && admits(&book, "other", &other).await);
    }

    /// A client that only listens uses its session all the time, though it asks for nothing.
    #[actix_web::test]
    async fn a_session_with_an_open_stream_outlives_those_that_are_not_in_use() {
        let book = book();
        let owner = Owner::new("token:1");
        open(&book, "listening", &owner).await;
        let stream = book.take_up("listening", &owner).await;
        for n in 1..PER_OWNER {
            open(&book, &n.to_string(), &owner).await;
        }
        assert_eq!(open(&book, "new", &owner).await, ["1"]);
        drop(stream);
        for n in 2..PER_OWNER {
            assert!(admits(&book, &n.to_string(), &owner).await);
        }
        assert_eq!(open(&book, "newer", &owner).await, ["new"]);
        assert_eq!(open(&book, "newest", &owner).await, ["listening"]);
    }

    #[actix_web::test]
    async fn the_idlest_session_of_all_ends_when_there_are_too_many_and_it_is_told() {
        let book = book();
        let owner = |n: usize| Owner::new(format!("token:{}", n / PER_OWNER));
        let known = |n: usize| KnownSession {
            id: n.to_string(),
            owner: owner(n).as_str().to_owned(),
            used_at: Utc::now(),
        };
        book.fill((0..IN_ALL).map(known).collect());
        assert!(admits(&book, "0", &owner(0)).await);
        assert_eq!(book.full.reasons(), [""; 0]);
        assert_eq!(open(&book, "new", &Owner::new("new")).await, ["1"]);
        assert_eq!(book.len(), IN_ALL);
        assert!(book.full.reasons()[0].contains("MCP sessions"));
    }

    #[actix_web::test]
    async fn who_is_not_used_rests_and_so_does_who_is_one_too_many() {
        let book = book();
        let owner = |n: usize| Owner::new(format!("token:{}", n % 10));
        for n in 0..AWAKE {
            open(&book, &n.to_string(), &owner(n)).await;
        }
        let day = Duration::from_secs(86_400);
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        book.some_should_rest(day).await;
        // A sleep ends at its millisecond or with the next.
        let tick = Duration::from_millis(1);
        assert!(
            (day..=day + tick).contains(&begun.elapsed()),
            "there are no more than may be"
        );
        let closed = Mutex::new(Vec::new());
        let close = async |id| closed.lock().unwrap().push(id);
        book.rest(day, close).await;
        assert_eq!(book.awake(), AWAKE);
        let in_use = book.take_up("0", &owner(0)).await;
        for n in AWAKE..AWAKE + 3 {
            open(&book, &n.to_string(), &Owner::new("other")).await;
        }
        let begun = tokio::time::Instant::now();
        book.some_should_rest(day).await;
        assert!((CROWDED..=CROWDED + tick).contains(&begun.elapsed()));
        book.rest(day, close).await;
        assert_eq!(book.awake(), AWAKE);
        assert_eq!(*closed.lock().unwrap(), ["1", "2", "3"]);
        book.rest(Duration::ZERO, close).await;
        assert_eq!(book.awake(), 1, "one is in use");
        assert_eq!(book.len(), AWAKE + 3);
        drop(in_use);
        assert!(admits(&book, "1", &owner(1)).await);
        assert_eq!(book.awake(), 2);
    }

    #[actix_web::test]
    async fn what_is_read_does_not_put_to_rest_what_was_opened_meanwhile() {
        let book = book();
        let owner = Owner::new("x");
        open(&book, "a", &owner).await;
        let known = |id: &str| KnownSession {
            id: id.to_owned(),
            owner: owner.as_str().to_owned(),
            used_at: Utc::now(),
        };
        book.fill(vec![known("a"), known("b")]);
        assert_eq!((book.len(), book.awake()), (2, 1));
    }

    struct Slow(tokio::sync::Semaphore, Loose);

    #[async_trait]
    impl Notebook for Slow {
        async fn sessions(&self) -> Option<Vec<KnownSession>> {
            self.0.acquire().await.ok()?.forget();
            Some(vec![KnownSession {
                id: "a".to_owned(),
                owner: "x".to_owned(),
                used_at: Utc::now(),
            }])
        }
        async fn keep(&self, _: &KnownSession, _: &str) -> bool {
            false
        }
        async fn opening(&self, id: &str) -> Option<String> {
            self.1.opening(id).await
        }
        async fn used(&self, _: &[(String, Timestamp)]) {}
        async fn forget(&self, _: &[String]) {}
    }

    #[actix_web::test]
    async fn who_comes_back_early_waits_until_the_book_is_read_and_nothing_unwritten_is_entered() {
        let owner = Owner::new("x");
        let notebook = Arc::new(Slow(tokio::sync::Semaphore::new(0), Loose::default()));
        let shutdown = CancellationToken::new();
        let book = SessionBook::kept(notebook.clone(), Arc::default(), shutdown);
        let (early, waiting) = (book.clone(), owner.clone());
        let waiting = actix_web::rt::spawn(async move { admits(&early, "a", &waiting).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        notebook.0.add_permits(1);
        assert!(waiting.await.unwrap());
        book.store("b", &state("c")).await.unwrap();
        assert_eq!(book.enter("b", &owner).await, Err(()));
        assert!(!admits(&book, "b", &owner).await);
    }
}
