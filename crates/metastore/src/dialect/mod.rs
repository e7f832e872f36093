//! Whatever one database says differently from the other: connections and their set-up, write transactions, upserts, what a database
//! can tell of itself. Everything else in this crate is diesel that both SQLite and PostgreSQL take.
//!
//! In a build without the feature `postgres`, [`Conn`] is SQLite's own connection and costs what that costs. With it, [`Conn`] is
//! either one; which of them it is says the scheme of the URL, never a trial.

#[cfg(feature = "postgres")]
mod either;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod upserts;

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};
use diesel::result::Error as DieselError;
use domain::ports::store::StoreError;

use crate::error::Done;
use crate::url::DatabaseUrl;

#[cfg(feature = "postgres")]
pub(crate) use self::either::{Either as Conn, MultiBackend as Db};
pub(crate) use self::upserts::*;

/// The connection.
#[cfg(not(feature = "postgres"))]
pub(crate) type Conn = diesel::SqliteConnection;
/// Its backend.
#[cfg(not(feature = "postgres"))]
pub(crate) type Db = diesel::sqlite::Sqlite;

/// Ids in one `IN (…)`.
pub(crate) const IDS: usize = 500;

/// One statement, compiled for each database: for what diesel does not offer on a connection that may be either.
#[cfg(feature = "postgres")]
macro_rules! on_either {
    ($connection:ident => $statement:expr) => {
        match $connection {
            $crate::dialect::Conn::Sqlite($connection) => $statement,
            $crate::dialect::Conn::Postgres($connection) => $statement,
        }
    };
}
#[cfg(not(feature = "postgres"))]
macro_rules! on_either {
    ($connection:ident => $statement:expr) => {
        $statement
    };
}
pub(crate) use on_either;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Everything.
    Write,
    /// Everything, and it may take as long as it takes: migrations and copies.
    Rebuild,
    /// It cannot write.
    Read,
}

/// Opens a connection and sets it up: it waits for `busy` at most while others hold what it needs.
pub(crate) fn connect(
    url: &DatabaseUrl,
    purpose: Purpose,
    busy: Duration,
) -> Result<Conn, diesel::r2d2::Error> {
    match url {
        DatabaseUrl::File(path) => sqlite::connect(path, purpose, busy),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Server(server) => postgres::connect(server, purpose, busy),
    }
}

/// A transaction in which nobody else writes, from its first statement to its last.
pub(crate) fn write_transaction<T>(
    connection: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Done<T>,
) -> Done<T> {
    type Manager = <Conn as Connection>::TransactionManager;
    begin_writing(connection)?;
    let done = first_statement(connection).and_then(|()| work(connection));
    match done {
        Ok(value) => {
            Manager::commit_transaction(connection)?;
            Ok(value)
        }
        Err(fault) => match Manager::rollback_transaction(connection) {
            Ok(()) | Err(DieselError::BrokenTransactionManager) => Err(fault),
            Err(rollback) => Err(rollback.into()),
        },
    }
}

/// SQLite: upgrading a transaction that has read fails at once when another wrote meanwhile, so this has the lock from its beginning.
#[cfg(not(feature = "postgres"))]
fn begin_writing(connection: &mut Conn) -> Done<()> {
    AnsiTransactionManager::begin_transaction_sql(connection, sqlite::BEGIN)?;
    Ok(())
}

/// The same, where the lock of PostgreSQL is its first statement.
#[cfg(feature = "postgres")]
fn begin_writing(connection: &mut Conn) -> Done<()> {
    match connection {
        Conn::Sqlite(inner) => AnsiTransactionManager::begin_transaction_sql(inner, sqlite::BEGIN)?,
        Conn::Postgres(_) => {
            <Conn as Connection>::TransactionManager::begin_transaction(connection)?;
        }
    }
    Ok(())
}

#[cfg(not(feature = "postgres"))]
#[allow(clippy::unnecessary_wraps)] // Its twin can fail.
const fn first_statement(_: &mut Conn) -> Done<()> {
    Ok(())
}

#[cfg(feature = "postgres")]
fn first_statement(connection: &mut Conn) -> Done<()> {
    match connection {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(inner) => postgres::lock_writes(inner),
    }
}

/// Bytes of the database, where it is no file.
#[cfg(feature = "postgres")]
pub(crate) fn server_bytes(connection: &mut Conn) -> Done<i64> {
    match connection {
        Conn::Sqlite(_) => Ok(0),
        Conn::Postgres(inner) => Ok(postgres::bytes(inner)?),
    }
}

/// Why the first statement failed since this was asked, where the database says more of it than diesel tells.
#[cfg(not(feature = "postgres"))]
pub(crate) const fn take_failure(_: &mut Conn) -> Option<StoreError> {
    None
}
#[cfg(feature = "postgres")]
pub(crate) fn take_failure(connection: &mut Conn) -> Option<StoreError> {
    match connection {
        Conn::Sqlite(_) => None,
        Conn::Postgres(inner) => {
            let purpose = inner.purpose();
            inner.take_failure()?.store_error(purpose)
        }
    }
}
