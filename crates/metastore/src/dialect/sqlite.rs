//! SQLite: pragmas, copies of its file, its write-ahead log.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::{Conn, Purpose};
use crate::error::{Done, conflict, failed};

/// Begins a transaction that has the write lock.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// First the time-out, then WAL: the other way round two openers race.
fn common_setup(busy: Duration) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; \
         PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;",
        busy.as_millis()
    )
}

/// The writer has a cache of 4 MB for its indexes, and folds the log in every 16 MB: a first sync writes much.
fn writer_setup(busy: Duration) -> String {
    format!(
        "{} PRAGMA cache_size = -4000; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 33554432;",
        common_setup(busy)
    )
}

/// Readers keep few pages of their own: what they read again is in the operating system's cache.
fn reader_setup(busy: Duration) -> String {
    format!(
        "{} PRAGMA query_only = ON; PRAGMA cache_size = -1000;",
        common_setup(busy)
    )
}

pub(super) fn connect(
    path: &Path,
    purpose: Purpose,
    busy: Duration,
) -> Result<Conn, diesel::r2d2::Error> {
    let setup = match purpose {
        Purpose::Write | Purpose::Rebuild => writer_setup(busy),
        Purpose::Read => reader_setup(busy),
    };
    let mut connection = open(path).map_err(diesel::r2d2::Error::ConnectionError)?;
    connection
        .batch_execute(&setup)
        .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(either(connection))
}

/// A connection to a file, without any set-up.
pub(crate) fn open(path: &Path) -> ConnectionResult<SqliteConnection> {
    SqliteConnection::establish(&path.to_string_lossy())
}

#[cfg(feature = "postgres")]
pub(crate) const fn either(connection: SqliteConnection) -> Conn {
    Conn::Sqlite(connection)
}
#[cfg(not(feature = "postgres"))]
pub(crate) const fn either(connection: SqliteConnection) -> Conn {
    connection
}

/// The connection to a file, where it is one.
#[cfg(feature = "postgres")]
#[allow(clippy::unnecessary_wraps)]
pub(crate) const fn file(connection: &mut Conn) -> Option<&mut SqliteConnection> {
    match connection {
        Conn::Sqlite(connection) => Some(connection),
        Conn::Postgres(_) => None,
    }
}
#[cfg(not(feature = "postgres"))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) const fn file(connection: &mut Conn) -> Option<&mut SqliteConnection> {
    Some(connection)
}

/// Writes a consistent copy of the database into a private file that does not exist yet; when it fails, none is left.
pub(crate) fn copy_into(connection: &mut Conn, file_name: &Path) -> Done<()> {
    let Some(connection) = file(connection) else {
        return Err(conflict(NO_FILE).into());
    };
    // SQLite would let others read a file that it makes; it fills an empty one as well.
    private_files::create_new(file_name).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => conflict(format!(
            "{} exists already; a copy replaces nothing",
            file_name.display()
        )),
        _ => failed(format!("{} cannot be made: {error}", file_name.display())),
    })?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<diesel::sql_types::Text, _>(file_name.to_string_lossy())
        .execute(connection)
        .inspect_err(|_| {
            // The first error is the one to report.
            let _ = std::fs::remove_file(file_name);
        })?;
    Ok(())
}

/// Why a PostgreSQL database is neither backed up nor restored here.
pub(crate) const NO_FILE: &str = "the database is on a PostgreSQL server and no file; copy it with pg_dump, and bring it back with pg_restore";

/// Moves the write-ahead log into the database file and empties it.
pub(crate) fn checkpoint_wal(connection: &mut Conn) -> Done<()> {
    if let Some(connection) = file(connection) {
        connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize;")?;
    }
    Ok(())
}
