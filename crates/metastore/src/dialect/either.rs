//! A connection that is one to SQLite or one to PostgreSQL. Its `establish` would try one after the other: nobody calls it.

use diesel::SqliteConnection;
use diesel::prelude::*;

use super::postgres::PgConn;

/// The connection.
#[derive(diesel::MultiConnection)]
#[allow(clippy::large_enum_variant)] // There are nine of them.
pub enum Either {
    /// To a file.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(PgConn),
}
