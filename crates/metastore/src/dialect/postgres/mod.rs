//! PostgreSQL: how connections are set up, who writes, and what the server can tell.

pub(crate) mod connection;
pub(crate) mod copy;
mod tls;

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use domain::ports::store::StoreError;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) use self::connection::{PgConn, runtime, wait};
use super::{Conn, Purpose};
use crate::error::Done;
use crate::url::ServerUrl;

/// What the locks of this service are about, the first of the two numbers of an advisory lock; the second is of the schema, so that
/// services in two schemas of one database do not wait for one another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LockOf {
    /// One engine.
    Engine = 0x4d43_4653,
    /// One writer.
    Writes = 0x4d43_4654,
    /// One who gets tokens of Confluence.
    Refresh = 0x4d43_4655,
}

impl LockOf {
    /// Its two numbers, as the arguments of a function of PostgreSQL.
    pub(crate) fn numbers(self) -> String {
        format!(
            "{}, hashtext(coalesce(current_schema()::text, ''))",
            self as i32
        )
    }
}

/// The longest that a transaction may lie idle: who was stopped in the middle of one must not stop everybody else.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn connect(
    server: &ServerUrl,
    purpose: Purpose,
    busy: Duration,
) -> Result<Conn, diesel::r2d2::Error> {
    open(server, purpose, busy).map(Conn::Postgres)
}

pub(crate) fn open(
    server: &ServerUrl,
    purpose: Purpose,
    busy: Duration,
) -> Result<PgConn, diesel::r2d2::Error> {
    let mut connection = PgConn::open(server).map_err(diesel::r2d2::Error::ConnectionError)?;
    // Writers: each statement sees what was committed before it began, and since the first one of a write transaction waits for the
    // lock, that is everything. (With one snapshot for the whole transaction it would be taken before the wait.)
    // Readers: one state of the database throughout, as a transaction of SQLite reads it.
    let mode = match purpose {
        Purpose::Write => "SET default_transaction_isolation = 'read committed'",
        Purpose::Read => {
            "SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on"
        }
    };
    let setup = format!(
        "{mode}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET jit = off",
        busy.as_millis(),
        IDLE.as_millis()
    );
    connection
        .batch_execute(&setup)
        .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(connection)
}

/// A client of its own, for what holds a lock for as long as it is connected; tells when the connection is over.
pub(crate) fn client(server: &ServerUrl) -> Result<(Client, tokio::task::JoinHandle<()>), String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let _inside = runtime.enter();
    let (client, connection) = wait(call(server))?;
    let over = runtime.spawn(async move { drop(connection.await) });
    Ok((client, over))
}

/// What drives a connection.
type Driver =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Calls the server. What the URL says of TLS is said to both sides: with `sslmode=disable` none is offered.
async fn call(server: &ServerUrl) -> Result<(Client, Driver), String> {
    let tls = tls::connector(server.tls())?;
    let called = server.config().connect(tls).await;
    called.map_err(|error| told(&error))
}

/// An error with its causes; it holds no password.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

/// Waits for the turn of this transaction to write: the twin of SQLite's `BEGIN IMMEDIATE`. Whatever a transaction decides by what it
/// has read still holds when it writes, in whichever process another one waits; the lock goes with its end, however it ends.
pub(super) fn lock_writes(connection: &mut PgConn) -> Done<()> {
    let lock = format!("SELECT pg_advisory_xact_lock({})", LockOf::Writes.numbers());
    connection.batch_execute(&lock).map_err(|error| {
        StoreError::Busy {
            detail: format!("another process writes: {error}"),
        }
        .into()
    })
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Bytes of the database.
pub(super) fn bytes(connection: &mut PgConn) -> QueryResult<i64> {
    let asked = "SELECT pg_database_size(current_database()) AS number";
    let size: Number = diesel::sql_query(asked).get_result(connection)?;
    Ok(size.number)
}

/// Whether the migrations of this schema are noted anywhere.
pub(crate) fn has_migrations(connection: &mut PgConn) -> QueryResult<bool> {
    let asked = "SELECT COUNT(*) AS number FROM pg_tables \
                 WHERE schemaname = current_schema() AND tablename = '__diesel_schema_migrations'";
    let tables: Number = diesel::sql_query(asked).get_result(connection)?;
    Ok(tables.number > 0)
}
