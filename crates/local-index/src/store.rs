//! The file and its connections: several readers, one writer.
//!
//! Blocking; callers come from the blocking pool of the runtime. Writers queue at an async gate before they take a
//! thread, so that a long batch never starves searches of threads.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection};
use diesel::sqlite::SqliteConnection;

use crate::error::LocalIndexError;
use crate::language::Languages;
use crate::options::{LocalIndexOptions, Place};
use crate::schema;

type Manager = ConnectionManager<SqliteConnection>;
pub(crate) type Connection = PooledConnection<Manager>;

/// How long a statement waits for another process's lock, and a caller for a free connection.
const BUSY: Duration = Duration::from_secs(10);

/// Readers keep few pages of their own and read the file through the operating system's cache; what is mapped would count as
/// memory of this process.
const READER: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -2048;";
/// A batch of a few hundred chunks touches many index pages.
const WRITER: &str = "PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 2000;";

#[derive(Debug)]
struct Settings(&'static str);

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        // The time-out first: switching to WAL already takes locks.
        connection
            .batch_execute(&format!(
                "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                 PRAGMA foreign_keys = ON; {}",
                BUSY.as_millis(),
                self.0
            ))
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Connections to one file, of which the first is tried when it is asked for.
fn pool(url: &str, size: u32, settings: &'static str) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .idle_timeout(None)
        .max_lifetime(None)
        // A file does not hang up.
        .test_on_check_out(false)
        .connection_timeout(BUSY)
        .connection_customizer(Box::new(Settings(settings)))
        .build_unchecked(Manager::new(url))
}

/// Connections to one file.
pub(crate) struct Store {
    readers: Pool<Manager>,
    writer: Pool<Manager>,
}

impl Store {
    /// Opens the file, makes or checks its tables, and reads anew what an older release read otherwise.
    pub(crate) fn open(
        place: &Place,
        options: &LocalIndexOptions,
        languages: &Languages,
    ) -> Result<Self, LocalIndexError> {
        let (path, url) = match place {
            Place::File(path) => (path.as_path(), path.to_string_lossy().into_owned()),
            Place::Memory => (Path::new(":memory:"), ":memory:".to_owned()),
        };
        let fail = |detail: String| LocalIndexError::Open {
            path: path.to_owned(),
            detail,
        };
        if let Place::File(path) = place {
            private_files::create_database(path).map_err(|error| fail(error.to_string()))?;
        }
        // The first connection is tried here, so that the true cause is told at once.
        Self::probe(&url).map_err(fail)?;
        let writer = pool(&url, 1, WRITER);
        let mut connection = writer.get().map_err(|error| fail(error.to_string()))?;
        schema::prepare(&mut connection)
            .map_err(|error| fail(error.to_string()))?
            .map_err(|found| LocalIndexError::Newer {
                path: path.to_owned(),
                found,
                known: schema::FORMAT,
            })?;
        if let Place::File(path) = place {
            // Only now: a file that is no index of ours is left as it is.
            private_files::make_database_private(path).map_err(|error| fail(error.to_string()))?;
        }
        schema::follow_release(&mut connection, languages)?;
        drop(connection);
        // A database in memory belongs to its one connection.
        let readers = match place {
            Place::File(_) => pool(&url, options.readers.max(1), READER),
            Place::Memory => writer.clone(),
        };
        Ok(Self { readers, writer })
    }

    /// Opens a file that is there, to read from it alone: nothing is made, checked or brought up to date.
    pub(crate) fn open_existing(
        path: &Path,
        options: &LocalIndexOptions,
    ) -> Result<Self, LocalIndexError> {
        let path_of = || path.to_owned();
        if !path.is_file() {
            return Err(LocalIndexError::Missing { path: path_of() });
        }
        let fail = |detail: String| LocalIndexError::Open {
            path: path_of(),
            detail,
        };
        let url = path.to_string_lossy();
        Self::probe(&url).map_err(fail)?;
        let readers = pool(&url, options.readers.max(1), READER);
        let mut connection = readers.get().map_err(|error| fail(error.to_string()))?;
        let known = schema::FORMAT;
        match schema::format(&mut connection).map_err(|error| fail(error.to_string()))? {
            found if found < known => Err(LocalIndexError::Older {
                path: path_of(),
                found,
                known,
            }),
            found if found > known => Err(LocalIndexError::Newer {
                path: path_of(),
                found,
                known,
            }),
            _ => Ok(Self {
                writer: readers.clone(),
                readers,
            }),
        }
    }

    /// One connection outside the pools: r2d2 hides the reason for which it cannot connect.
    fn probe(url: &str) -> Result<(), String> {
        use diesel::Connection as _;
        let mut connection = SqliteConnection::establish(url).map_err(|error| error.to_string())?;
        connection
            .batch_execute(&format!(
                "PRAGMA busy_timeout = {}; PRAGMA schema_version;",
                BUSY.as_millis()
            ))
            .map_err(|error| error.to_string())
    }

    pub(crate) fn reader(&self) -> Result<Connection, LocalIndexError> {
        self.readers
            .get()
            .map_err(|error| LocalIndexError::Busy(error.to_string()))
    }

    pub(crate) fn writer(&self) -> Result<Connection, LocalIndexError> {
        self.writer
            .get()
            .map_err(|error| LocalIndexError::Busy(error.to_string()))
    }
}
