//! PostgreSQL: how connections are set up, who writes, and what the server can tell.

mod asked;
mod connection;
pub(crate) mod copy;
mod failure;
mod row;
mod tls;
mod waiting;

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) use self::connection::PgConn;
pub(crate) use self::failure::Failure;
pub(crate) use self::waiting::{runtime, wait, within};
use super::{Conn, Purpose};
use crate::error::Done;
use crate::migrate;
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

/// The longest that the server may work on one statement of ours, and how much later its answer counts as lost: a server that stands still
/// ends nothing itself. (The system notices one that is gone: [`ServerUrl`].)
const STATEMENT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(15);

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
    // Writers: each statement sees what was committed before it began, and since the first one of a write transaction waits for the
    // lock, that is everything. (With one snapshot for the whole transaction it would be taken before the wait.)
    // Readers: one state of the database throughout, as a transaction of SQLite reads it.
    let mode = match purpose {
        Purpose::Write | Purpose::Rebuild => "SET default_transaction_isolation = 'read committed'",
        Purpose::Read => {
            "SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on"
        }
    };
    let statement = (purpose != Purpose::Rebuild).then_some(STATEMENT.max(busy));
    let longest = statement.map(|statement| statement + GRACE);
    // What a copy reads waits for what it writes.
    let idle = statement.map(|_| IDLE);
    let mut connection =
        PgConn::open(server, purpose, longest).map_err(diesel::r2d2::Error::ConnectionError)?;
    let setup = format!(
        "{mode}; SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET jit = off",
        statement.unwrap_or_default().as_millis(),
        busy.as_millis(),
        idle.unwrap_or_default().as_millis()
    );
    connection
        .batch_execute(&setup)
        .map_err(diesel::r2d2::Error::QueryError)?;
    Ok(connection)
}

/// Calls the server; tells when the connection is over.
pub(crate) fn client(server: &ServerUrl) -> Result<(Client, tokio::task::JoinHandle<()>), String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let _inside = runtime.enter();
    let called = within(server.patience(), call(server));
    let (client, connection) = called.ok_or_else(|| {
        let seconds = server.patience().as_secs();
        format!("the server takes the call and says nothing for {seconds} seconds; see what keeps it busy")
    })??;
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
    called.map_err(|error| Failure::of(&error).to_string())
}

/// Waits for the turn of this transaction to write: the twin of SQLite's `BEGIN IMMEDIATE`. Whatever a transaction decides by what it
/// has read still holds when it writes, in whichever process another one waits; the lock goes with its end, however it ends.
pub(super) fn lock_writes(connection: &mut PgConn) -> Done<()> {
    let lock = format!("SELECT pg_advisory_xact_lock({})", LockOf::Writes.numbers());
    Ok(connection.batch_execute(&lock)?)
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

/// Has the server number on behind what is in a table (with the schema before it, where that is another one).
pub(crate) fn number_on(connection: &mut PgConn, table: &str) -> QueryResult<()> {
    let plain = table.rsplit('.').next().unwrap_or(table);
    for (_, column) in migrate::NUMBERED.iter().filter(|(of, _)| *of == plain) {
        connection.batch_execute(&format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), \
             (SELECT COALESCE(MAX({column}), 0) + 1 FROM {table}), false)"
        ))?;
    }
    Ok(())
}

/// Whether the migrations of this schema are noted anywhere.
pub(crate) fn has_migrations(connection: &mut PgConn) -> QueryResult<bool> {
    let asked = "SELECT COUNT(*) AS number FROM pg_tables \
                 WHERE schemaname = current_schema() AND tablename = '__diesel_schema_migrations'";
    let tables: Number = diesel::sql_query(asked).get_result(connection)?;
    Ok(tables.number > 0)
}
