//! The handle: connections, the writer's gate, and closures on blocking threads.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::SubsecRound;
use diesel::connection::Connection;
use diesel::r2d2::{ManageConnection, Pool, R2D2Connection};
use diesel::result::Error as DieselError;
use domain::Timestamp;
use domain::ports::clock::{Clock, SystemClock};
use domain::ports::store::{StoreError, StoreResult};
use tokio::sync::Semaphore;

use crate::dialect::{self, Conn, Purpose};
use crate::error::{Done, Fault, LockError, OpenError, failed};
use crate::lock::{self, EngineLock, Fence, LockHolder, RefreshLock};
use crate::maintenance::files_beside;
use crate::migrate::{self, Standing};
use crate::ops::small;
use crate::url::DatabaseUrl;
use crate::views::Views;

/// How a [`Metastore`] is opened.
#[derive(Clone)]
pub struct MetastoreOptions {
    /// Connections at most: one that writes, and of the others half that only answer questions; at least [`LEAST`](Self::LEAST). (The
    /// engine's lock on a server has one more.)
    pub pool_size: u32,
    /// How long another process may hold the database before [`StoreError::Busy`].
    pub busy_timeout: Duration,
    /// The time of day for everything that the store dates itself.
    pub clock: Arc<dyn Clock>,
}

impl MetastoreOptions {
    /// The smallest pool: one connection of each kind.
    pub const LEAST: u32 = 3;
    /// The size of the pool when nothing is said.
    pub const USUAL: u32 = 9;

    /// Readers for runs, and readers for questions.
    const fn readers(&self) -> (u32, u32) {
        let readers = if self.pool_size < Self::LEAST {
            Self::LEAST - 1
        } else {
            self.pool_size - 1
        };
        (readers / 2, readers - readers / 2)
    }
}

impl Default for MetastoreOptions {
    fn default() -> Self {
        Self {
            pool_size: Self::USUAL,
            busy_timeout: Duration::from_secs(10),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for MetastoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetastoreOptions")
            .field("pool_size", &self.pool_size)
            .field("busy_timeout", &self.busy_timeout)
            .finish_non_exhaustive()
    }
}

/// How long a connection to a server is kept while nobody needs it.
const SPARE: Duration = Duration::from_secs(120);

/// Rows that one transaction of housekeeping deletes at most: a few tens of milliseconds, for which other writers wait.
pub(crate) const SLICE: i64 = 2_000;

/// The open database; clones share it.
#[derive(Clone)]
pub struct Metastore {
    inner: Arc<Inner>,
}

struct Inner {
    url: DatabaseUrl,
    clock: Arc<dyn Clock>,
    writer: Side,
    readers: Side,
    answers: Side,
    views: Arc<Views>,
    /// What it keeps goes with the last handle.
    temporary: AtomicBool,
    /// Of the engine's lock, where this is the engine's handle.
    fence: Fence,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.temporary.load(Ordering::Relaxed) {
            remove_copy(&self.url);
        }
    }
}

/// Whether a database may be changed to what this version works with.
#[derive(Clone, Copy)]
enum Upgrade {
    /// Only by the engine.
    Never,
    /// There is nothing in it yet.
    IfNew,
    /// The engine's lock is ours.
    Yes,
}

/// Connections of one role, and as many permits as there are connections: who waits, waits here and asleep.
struct Side {
    pool: Pool<Connections>,
    gate: Arc<Semaphore>,
}

impl fmt::Debug for Metastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metastore")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

/// Makes connections as the URL says, and tells which can still be used.
#[derive(Debug)]
struct Connections {
    url: DatabaseUrl,
    purpose: Purpose,
    busy: Duration,
}

impl ManageConnection for Connections {
    type Connection = Conn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Conn, Self::Error> {
        dialect::connect(&self.url, self.purpose, self.busy)
    }

    /// Asks nobody: a server that went away closed the connection, and what it does not tell shows with the next statement.
    fn is_valid(&self, connection: &mut Conn) -> Result<(), Self::Error> {
        if connection.is_broken() {
            let lost = diesel::result::Error::BrokenTransactionManager;
            return Err(diesel::r2d2::Error::QueryError(lost));
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Conn) -> bool {
        std::thread::panicking() || connection.is_broken()
    }
}

impl Side {
    fn open(connections: Connections, size: u32) -> Result<Self, diesel::r2d2::PoolError> {
        let wait = connections.busy + Duration::from_secs(5);
        // On a server that has few, others want them; the only one is kept.
        let on_a_server = connections.url.file().is_none();
        let spare = (on_a_server && size > 1).then_some(SPARE);
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            // Connections to files do not age.
            .max_lifetime(None)
            .idle_timeout(spare)
            .test_on_check_out(true)
            .connection_timeout(wait)
            .build(connections)?;
        Ok(Self {
            pool,
            gate: Arc::new(Semaphore::new(size as usize)),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.run_then(work, Ok).await
    }

    /// Does the rest of the work on the same thread, when the connection is free for others.
    async fn run_then<T: 'static, U: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
        rest: impl FnOnce(T) -> Done<U> + Send + 'static,
    ) -> StoreResult<U> {
        let permit = Arc::clone(&self.gate)
            .acquire_owned()
            .await
            .map_err(|_| failed("the database is closed"))?;
        let pool = self.pool.clone();
        blocking(move || {
            let mut connection = pool.get().map_err(|error| StoreError::Busy {
                detail: error.to_string(),
            })?;
            let result = work(&mut connection);
            let why = dialect::take_failure(&mut connection);
            let result = result.map_err(|fault| blame(fault, why));
            drop(connection);
            drop(permit);
            result.and_then(rest).map_err(StoreError::from)
        })
        .await
    }
}

/// What diesel says is said better by the database, where that said why.
fn blame(fault: Fault, why: Option<StoreError>) -> Fault {
    match (fault, why) {
        // Nothing failed: what was asked for is not there.
        (fault @ (Fault::Store(_) | Fault::Diesel(DieselError::NotFound)), _) => fault,
        (_, Some(why)) => why.into(),
        (fault, None) => fault,
    }
}

/// Runs work on a blocking thread; it goes on when the caller is dropped, and a panic becomes an error.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            let panic = error.into_panic();
            let said = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Err(failed(format!("a database task panicked: {said}")))
        }
        Err(_) => Err(failed("the process is shutting down")),
    }
}

impl Metastore {
    /// Opens the database, and makes it when it is not there (on a server: its tables). Blocks: for the start of a process.
    ///
    /// # Errors
    /// The file cannot be made or is no database of ours, the server cannot be reached, or another version made it.
    pub fn open(url: &DatabaseUrl, options: MetastoreOptions) -> Result<Self, OpenError> {
        make_file(url)?;
        Self::open_as(url, options, Upgrade::IfNew, Fence::default())
    }

    /// The same for a database that must be there: nothing is made in the place of one whose name is wrong.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`OpenError::Missing`].
    pub fn open_existing(url: &DatabaseUrl, options: MetastoreOptions) -> Result<Self, OpenError> {
        if url.file().is_some_and(|path| !path.is_file()) {
            return Err(OpenError::Missing {
                database: url.place(),
            });
        }
        Self::open_as(url, options, Upgrade::Never, Fence::default())
    }

    /// Takes the engine's lock, and only then opens the database as [`open`](Self::open) does, and brings it up to date: not under
    /// another engine. When the lock is lost, this handle writes nothing more.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`LockError::Held`] names the process that has the lock.
    pub fn open_locked(
        url: &DatabaseUrl,
        options: MetastoreOptions,
    ) -> Result<(Self, EngineLock), OpenError> {
        make_file(url)?;
        let mut lock = lock::acquire(url)?;
        remove_private_copies(url);
        let store = Self::open_as(url, options, Upgrade::Yes, lock.fence())?;
        // Before there were tables, a server had nowhere to note it.
        lock.write()?;
        Ok((store, lock))
    }

    fn open_as(
        url: &DatabaseUrl,
        options: MetastoreOptions,
        upgrade: Upgrade,
        fence: Fence,
    ) -> Result<Self, OpenError> {
        let unusable = |error: &dyn fmt::Display| OpenError::unusable(url, error);
        let busy = options.busy_timeout;
        let mut first =
            dialect::connect(url, Purpose::Rebuild, busy).map_err(|error| unusable(&error))?;
        match (upgrade, migrate::standing(&mut first, url)?) {
            (_, Standing::Current) => {}
            (Upgrade::Yes, _) | (Upgrade::IfNew, Standing::New) => {
                migrate::up_to_date(&mut first, url)?;
            }
            (Upgrade::Never, Standing::New) => {
                return Err(OpenError::Missing {
                    database: url.place(),
                });
            }
            (_, Standing::Outdated(_)) => {
                return Err(OpenError::Outdated {
                    database: url.place(),
                    holder: lock::holder(url),
                });
            }
        }
        let unfinished = small::remembered(&mut first, small::UNFINISHED_COPY);
        let unfinished = unfinished.map_err(|fault| unusable(&StoreError::from(fault)))?;
        if let Some(of) = unfinished {
            return Err(OpenError::Unfinished {
                database: url.place(),
                of,
            });
        }
        drop(first);
        if let Some(path) = url.file() {
            // Only now: a file that is no database of ours is left as it is.
            private_files::make_database_private(path)?;
        }

        let side = |purpose: Purpose, size: u32| {
            let connections = Connections {
                url: url.clone(),
                purpose,
                busy,
            };
            Side::open(connections, size).map_err(|error| unusable(&error))
        };
        let (readers, answers) = options.readers();
        Ok(Self {
            inner: Arc::new(Inner {
                writer: side(Purpose::Write, 1)?,
                readers: side(Purpose::Read, readers)?,
                answers: side(Purpose::Read, answers)?,
                url: url.clone(),
                clock: options.clock,
                views: Arc::default(),
                temporary: AtomicBool::new(false),
                fence,
            }),
        })
    }

    /// A copy of the database as it stands, beside it (a file, or a schema of the same database), which goes with the last handle (or,
    /// after a kill, with the next start of an engine). Writers go on meanwhile.
    pub(crate) async fn private_copy(&self, name: &str) -> StoreResult<Self> {
        let (source, clock) = (self.inner.url.clone(), Arc::clone(&self.inner.clock));
        let name = name.to_owned();
        blocking(move || {
            let options = MetastoreOptions {
                clock,
                ..MetastoreOptions::default()
            };
            let target = make_copy(&source, &name, options.busy_timeout)?;
            let copy = Self::open_as(&target, options, Upgrade::Never, Fence::default());
            let copy = copy.map_err(|error| {
                remove_copy(&target);
                failed(format!("the copy of the database cannot be used: {error}"))
            })?;
            copy.inner.temporary.store(true, Ordering::Relaxed);
            Ok(copy)
        })
        .await
    }

    /// Waits for the turn of this process to get new tokens of Confluence.
    ///
    /// # Errors
    /// When that lock cannot be used.
    pub async fn refreshing(&self) -> StoreResult<RefreshLock> {
        let url = self.inner.url.clone();
        blocking(move || lock::refreshing(&url).map_err(|error| failed(error.to_string()))).await
    }

    /// Which database it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.inner.url
    }

    /// The database file; `None` when the database is on a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.inner.url.file()
    }

    /// Takes the engine's exclusive lock; kept until the answer is dropped or the process ends.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process that has it.
    pub fn lock_engine(&self) -> Result<EngineLock, LockError> {
        lock::acquire(&self.inner.url)
    }

    /// Who has the engine's lock now; `None` when nobody has.
    #[must_use]
    pub fn read_lock_holder(&self) -> Option<LockHolder> {
        lock::holder(&self.inner.url)
    }

    /// Now, to the microsecond that a row can hold.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now().trunc_subsecs(6)
    }

    /// Runs a closure on a reader, which sees one state of the database throughout.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.read_then(work, Ok).await
    }

    /// The same, and then what needs no connection any more: unpacking, say.
    pub(crate) async fn read_then<T: 'static, U: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
        rest: impl FnOnce(T) -> Done<U> + Send + 'static,
    ) -> StoreResult<U> {
        self.inner
            .readers
            .run_then(|connection| connection.transaction(work), rest)
            .await
    }

    /// Runs a closure on a reader that is kept for questions, so that none waits for what a run reads: bounded reads only.
    pub(crate) async fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.answer_then(work, Ok).await
    }

    /// The same, and then the rest, as [`read_then`](Self::read_then).
    pub(crate) async fn answer_then<T: 'static, U: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
        rest: impl FnOnce(T) -> Done<U> + Send + 'static,
    ) -> StoreResult<U> {
        self.inner
            .answers
            .run_then(|connection| connection.transaction(work), rest)
            .await
    }

    /// What is kept of restrictions between questions.
    pub(crate) fn views(&self) -> Arc<Views> {
        Arc::clone(&self.inner.views)
    }

    /// Runs a closure on the writer in one transaction, which takes the database's lock before the first statement.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.alone(|connection| dialect::write_transaction(connection, work))
            .await
    }

    /// Runs a closure on the writer outside of any transaction: for what the database allows only there.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Done<T> + Send + 'static,
    ) -> StoreResult<T> {
        let fence = self.inner.fence.clone();
        self.inner
            .writer
            .run(move |connection| {
                if fence.is_lost() {
                    let why = "the engine's lock is lost, and another process may have it; restart this one";
                    return Err(failed(why).into());
                }
                work(connection)
            })
            .await
    }
}

/// Who has the engine's lock of a database now; `None` when nobody has. Does not open the database.
#[must_use]
pub fn lock_holder(url: &DatabaseUrl) -> Option<LockHolder> {
    lock::holder(url)
}

/// Makes the file of a database, where it is one.
pub(crate) fn make_file(url: &DatabaseUrl) -> Result<(), OpenError> {
    url.file().map_or(Ok(()), |path| {
        private_files::create_database(path).map_err(|source| OpenError::Inaccessible {
            path: path.to_owned(),
            source,
        })
    })
}

/// Between the name of a database and that of a private copy.
const PRIVATE_COPY: &str = ".copy-";

/// Copies a database under another name; when it fails, nothing is left.
fn make_copy(source: &DatabaseUrl, name: &str, busy: Duration) -> StoreResult<DatabaseUrl> {
    match source {
        DatabaseUrl::File(path) => {
            let mut target = path.clone().into_os_string();
            target.push(format!("{PRIVATE_COPY}{name}"));
            let target = PathBuf::from(target);
            let copied = dialect::connect(source, Purpose::Write, busy)
                .map_err(|error| error.to_string())
                .and_then(|mut from| {
                    dialect::sqlite::copy_into(&mut from, &target)
                        .map_err(|fault| StoreError::from(fault).to_string())
                });
            copied.map_err(|why| {
                remove_files(&target);
                failed(format!(
                    "the database cannot be copied to {}: {why}",
                    target.display()
                ))
            })?;
            Ok(DatabaseUrl::File(target))
        }
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => {
            let copied = dialect::postgres::copy::make(server, name, busy);
            copied
                .map(DatabaseUrl::Server)
                .map_err(|why| failed(format!("the database cannot be copied: {why}")))
        }
    }
}

fn remove_copy(url: &DatabaseUrl) {
    match url {
        DatabaseUrl::File(path) => remove_files(path),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => dialect::postgres::copy::remove(server),
    }
}

fn remove_files(path: &Path) {
    for file in private_files::database_files(path) {
        // One that is not there is as it should be; another is tried again by the next start.
        let _ = std::fs::remove_file(file);
    }
}

/// Removes the private copies that a killed process left behind.
fn remove_private_copies(url: &DatabaseUrl) {
    match url {
        DatabaseUrl::File(path) => {
            for file in files_beside(path, PRIVATE_COPY) {
                let _ = std::fs::remove_file(file);
            }
        }
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => dialect::postgres::copy::remove_all(server),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use diesel::SqliteConnection;

    use domain::ports::store::{AdminStore, QueryStore};
    use test_database::Database;

    use super::*;
    use crate::ops::small;

    /// A store, and what goes after it.
    fn store() -> (Database, Metastore) {
        let database = Database::new();
        let store = Metastore::open(&database.url(), MetastoreOptions::default()).unwrap();
        (database, store)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_commits_although_its_caller_went_away() {
        let (_database, store) = store();
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let caller = tokio::spawn({
            let store = store.clone();
            async move {
                store
                    .write(move |conn| {
                        small::remember(conn, "a", "half")?;
                        begun.send(()).unwrap();
                        may_go_on.recv().unwrap();
                        small::remember(conn, "b", "whole")
                    })
                    .await
            }
        });
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // Nothing of it is seen before it is whole.
        assert_eq!(store.remembered("a").await.unwrap(), None);
        go_on.send(()).unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while store.remembered("b").await.unwrap().is_none() {
            assert!(Instant::now() < patience, "it never committed");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(
            store.remembered("a").await.unwrap().as_deref(),
            Some("half")
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_an_error_rolls_back_and_harms_nobody_else() {
        let (_database, store) = store();
        let result: StoreResult<()> = store
            .write(|conn| {
                small::remember(conn, "a", "1")?;
                panic!("on purpose")
            })
            .await;
        let Err(StoreError::Failed { detail }) = result else {
            panic!("{result:?}");
        };
        assert!(detail.contains("on purpose"), "{detail}");
        assert_eq!(store.remembered("a").await.unwrap(), None);
        store.remember("a", "2").await.unwrap();
        let result: StoreResult<()> = store.read(|_| panic!("and again")).await;
        assert!(matches!(result, Err(StoreError::Failed { .. })));
        assert_eq!(store.remembered("a").await.unwrap().as_deref(), Some("2"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_question_finds_a_reader_whatever_runs_read() {
        let (_database, store) = store();
        let (readers, _) = MetastoreOptions::default().readers();
        let (begun, has_begun) = mpsc::channel();
        let (mut go_on, mut held) = (Vec::new(), Vec::new());
        for _ in 0..readers + 4 {
            let (store, begun) = (store.clone(), begun.clone());
            let (lets_go, may_go_on) = mpsc::channel::<()>();
            go_on.push(lets_go);
            held.push(tokio::spawn(async move {
                store
                    .read(move |_| {
                        begun.send(()).unwrap();
                        // Until the test lets go of it.
                        let _ = may_go_on.recv();
                        Ok(())
                    })
                    .await
            }));
        }
        for _ in 0..readers {
            has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        let asked = async {
            let targets = store.query_targets().await.unwrap();
            (targets, store.token_by_hash("unknown").await.unwrap())
        };
        let answered = tokio::time::timeout(Duration::from_secs(20), asked).await;
        drop(go_on);
        for long in held {
            long.await.unwrap().unwrap();
        }
        assert_eq!(answered.unwrap(), (Vec::new(), None));
    }

    #[test]
    fn a_pool_has_a_writer_and_readers_of_both_kinds() {
        for (pool_size, readers) in [(0, (1, 1)), (3, (1, 1)), (4, (1, 2)), (9, (4, 4))] {
            let options = MetastoreOptions {
                pool_size,
                ..MetastoreOptions::default()
            };
            assert_eq!(options.readers(), readers, "{pool_size}");
        }
    }

    #[tokio::test]
    async fn nothing_is_made_in_the_place_of_a_database_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::of_file(folder.path().join("new").join("store.db"));
        let error = Metastore::open_existing(&url, MetastoreOptions::default()).unwrap_err();
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("store.db"), "{error}");
        assert!(!folder.path().join("new").exists());
    }

    #[tokio::test]
    async fn a_database_is_not_brought_up_to_date_under_another_engine() {
        use diesel_migrations::MigrationHarness;
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::of_file(folder.path().join("store.db"));
        let options = MetastoreOptions::default;
        let (store, lock) = Metastore::open_locked(&url, options()).unwrap();
        drop(store);
        let mut raw = dialect::sqlite::open(url.file().unwrap()).unwrap();
        raw.revert_last_migration(migrate::SQLITE).unwrap();
        let applied = |raw: &mut SqliteConnection| raw.applied_migrations().unwrap().len();
        let before = applied(&mut raw);
        let held = Metastore::open_locked(&url, options()).unwrap_err();
        assert!(
            matches!(held, OpenError::Lock(LockError::Held { .. })),
            "{held}"
        );
        let outdated = Metastore::open_existing(&url, options()).unwrap_err();
        assert!(matches!(outdated, OpenError::Outdated { .. }), "{outdated}");
        assert!(
            outdated
                .to_string()
                .contains(&std::process::id().to_string())
        );
        drop(lock);
        // Neither when nobody works on it: who only looks changes nothing.
        for open in [Metastore::open, Metastore::open_existing] {
            let outdated = open(&url, options()).unwrap_err();
            assert!(
                matches!(outdated, OpenError::Outdated { holder: None, .. }),
                "{outdated}"
            );
        }
        assert_eq!(applied(&mut raw), before, "nothing was changed");
        Metastore::open_locked(&url, options()).unwrap();
        assert_eq!(applied(&mut raw), before + 1);
    }

    #[tokio::test]
    async fn before_an_upgrade_a_copy_is_kept_and_that_of_the_one_before_goes() {
        use diesel_migrations::MigrationHarness;
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::of_file(folder.path().join("store.db"));
        let open = || {
            Metastore::open_locked(&url, MetastoreOptions::default())
                .unwrap()
                .0
        };
        let copies = || files_beside(url.file().unwrap(), ".before-upgrade-").collect::<Vec<_>>();
        open().remember("a", "1").await.unwrap();
        assert!(copies().is_empty(), "there was nothing to keep");
        let mut kept = Vec::new();
        for back in 1..=2 {
            let mut raw = dialect::sqlite::open(url.file().unwrap()).unwrap();
            for _ in 0..back {
                raw.revert_last_migration(migrate::SQLITE).unwrap();
            }
            let was: Vec<_> = raw.applied_migrations().unwrap();
            drop(raw);
            assert_eq!(open().remembered("a").await.unwrap().as_deref(), Some("1"));
            let [copy] = &copies()[..] else {
                panic!("{:?}", copies());
            };
            let mut before = dialect::sqlite::open(copy).unwrap();
            assert_eq!(before.applied_migrations().unwrap(), was);
            kept.push(copy.clone());
        }
        assert_ne!(kept[0], kept[1]);
        assert_eq!(copies(), kept[1..]);
        open();
        assert_eq!(copies(), kept[1..], "nothing was pending");
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let (_database, store) = store();
        let result = store.read(|conn| small::remember(conn, "a", "1")).await;
        assert!(
            matches!(result, Err(StoreError::Failed { .. })),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn another_process_that_keeps_the_lock_makes_us_busy_not_broken() {
        let database = Database::new();
        let options = MetastoreOptions {
            busy_timeout: Duration::from_millis(50),
            ..MetastoreOptions::default()
        };
        let store = Metastore::open(&database.url(), options).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let url = database.url();
        let other = std::thread::spawn(move || {
            let busy = Duration::from_secs(20);
            let mut other = dialect::connect(&url, Purpose::Write, busy).unwrap();
            let wrote = dialect::write_transaction(&mut other, |_| {
                begun.send(()).unwrap();
                may_go_on.recv().ok();
                Ok(())
            });
            wrote.unwrap();
        });
        has_begun.recv_timeout(Duration::from_secs(20)).unwrap();
        let result = store.remember("a", "1").await;
        assert!(matches!(result, Err(StoreError::Busy { .. })), "{result:?}");
        assert_eq!(
            store.remembered("a").await.unwrap(),
            None,
            "reading goes on"
        );
        drop(go_on);
        other.join().unwrap();
        store.remember("a", "1").await.unwrap();
    }
}
