//! A copy of the whole database in a schema of its own beside it: for a dry run, which works on it and throws it away.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;

use super::{PgConn, number_on, open};
use crate::dialect::Purpose;
use crate::migrate;
use crate::url::ServerUrl;

/// How long removing may wait for a lock.
const BUSY: Duration = Duration::from_secs(10);

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

fn names(connection: &mut PgConn, ask: &str) -> QueryResult<Vec<String>> {
    let found: Vec<Name> = diesel::sql_query(ask).load(connection)?;
    Ok(found.into_iter().map(|found| found.name).collect())
}

fn name(connection: &mut PgConn, ask: &str) -> Result<String, String> {
    let mut found = names(connection, ask).map_err(|error| error.to_string())?;
    found.pop().ok_or_else(|| format!("nothing answers {ask}"))
}

/// What the names of copies of this schema begin with.
const PREFIX: &str = "SELECT 'copy_' || left(md5(current_schema()::text), 8) || '_' AS name";

/// Makes the copy: one state of the database, while writers go on.
pub(crate) fn make(server: &ServerUrl, copy: &str, busy: Duration) -> Result<ServerUrl, String> {
    let told = |error: diesel::r2d2::Error| error.to_string();
    let mut source = open(server, Purpose::Rebuild, busy).map_err(told)?;
    let plain: String = copy.chars().filter(char::is_ascii_alphanumeric).collect();
    let schema = name(&mut source, PREFIX)? + &plain.to_ascii_lowercase();
    let target = server.in_schema(&schema);
    let copied = source
        .batch_execute(&format!("CREATE SCHEMA {schema}"))
        .map_err(|error| error.to_string())
        .and_then(|()| {
            let mut inside = open(&target, Purpose::Rebuild, busy).map_err(told)?;
            inside
                .run_pending_migrations(migrate::POSTGRES)
                .map_err(|error| error.to_string())?;
            fill(&mut source, &schema)
        });
    match copied {
        Ok(()) => Ok(target),
        Err(why) => {
            remove(&target);
            Err(why)
        }
    }
}

/// Triggers stay out of it: what they would count is copied as well.
fn fill(source: &mut PgConn, schema: &str) -> Result<(), String> {
    let told = |error: diesel::result::Error| error.to_string();
    let all: Vec<String> = migrate::TABLES
        .iter()
        .map(|table| format!("{schema}.{table}"))
        .collect();
    source
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE {}",
            all.join(", ")
        ))
        .map_err(told)?;
    for table in migrate::TABLES {
        let columns = name(
            source,
            &format!(
                "SELECT string_agg(quote_ident(column_name), ', ') AS name FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}' AND is_generated = 'NEVER'"
            ),
        )?;
        source
            .batch_execute(&format!(
                "ALTER TABLE {schema}.{table} DISABLE TRIGGER USER; \
                 INSERT INTO {schema}.{table} ({columns}) SELECT {columns} FROM {table}; \
                 ALTER TABLE {schema}.{table} ENABLE TRIGGER USER"
            ))
            .map_err(told)?;
        number_on(source, &format!("{schema}.{table}")).map_err(told)?;
    }
    source.batch_execute("COMMIT").map_err(told)
}

/// Removes a copy; what cannot be removed now is removed by the next start of an engine.
pub(crate) fn remove(copy: &ServerUrl) {
    let Ok(mut connection) = open(copy, Purpose::Rebuild, BUSY) else {
        return;
    };
    // Its connections look there first, so the current schema is the copy, and never what it is a copy of.
    if let Ok(schema) = name(&mut connection, "SELECT current_schema()::text AS name")
        && schema.starts_with("copy_")
    {
        connection
            .batch_execute(&format!("DROP SCHEMA {schema} CASCADE"))
            .ok();
    }
}

/// Removes the copies that a killed process left behind.
pub(crate) fn remove_all(server: &ServerUrl) {
    let Ok(mut connection) = open(server, Purpose::Rebuild, BUSY) else {
        return;
    };
    let Ok(prefix) = name(&mut connection, PREFIX) else {
        return;
    };
    let ask = format!(
        "SELECT nspname::text AS name FROM pg_namespace WHERE starts_with(nspname::text, '{prefix}')"
    );
    for schema in names(&mut connection, &ask).unwrap_or_default() {
        connection
            .batch_execute(&format!("DROP SCHEMA {schema} CASCADE"))
            .ok();
    }
}
